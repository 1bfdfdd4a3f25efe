"""What a browser gets when it opens the app: gradio's page, made once and not for each visitor. It shows the first
samples before any script has run, fetches at once what is needed first, and is quicker to build.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from functools import cache, lru_cache
from html import escape
from io import BytesIO
from pathlib import Path
from posixpath import normpath
from typing import Any
from urllib.parse import parse_qs

import gradio as gr
from anyio import sleep_forever, to_thread
from gradio.route_utils import get_root_url
from gradio.routes import toorjson
from PIL import Image
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from singan.ui.look import FIRST_LOOK_CSS, INTRO

MAX_PAGES = 16  # that are kept: one for each address that the app is reached by
SCRIPTS = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
FOREVER = "public, max-age=31536000, immutable"  # what has a hash in its name
LASTING = {"/assets/": FOREVER, "/theme.css": FOREVER, "/static/": "public, max-age=86400"}
OTHER = {"page", "deep_link", "all_endpoints"}  # queries by which gradio makes another page
UNUSED = ("api_info", "api_info_as_input", "api_info_as_output", "example_inputs")  # of a component, by its page

UNKNOWN = "The page of this gradio is not made as that of 6.31, and is sent as it is: it takes longer to appear."

DATA = re.compile(
    r"(<script>window\.gradio_config = )(.*?)(;</script><script>window\.gradio_api_info = .*?</script>)", re.DOTALL
)
NAMES = re.compile(r"\bm\.f=(\[.*?\])")  # of the files that a script of gradio's fetches, which Vite numbers
IMPORTS = re.compile(r"import\(`\./([\w.-]+)`\)[^`]*?__vite__mapDeps\(\[([\d,]*)\]\)")

# Svelte wraps whatever may change, unless it is of a class, thing by thing; none of this does. And gradio looks through
# the page for what each event is of, also if that is another event, which is no part of the page.
LIGHTER = """<script>{
  class Fixed {}
  const { components, dependencies } = window.gradio_config;
  for (const one of [...components, ...components.map(({ props }) => props), ...dependencies])
    Object.setPrototypeOf(one, Fixed.prototype);
  for (const one of dependencies) if (one.trigger_after !== null) one.targets = [];
}</script>"""


class Packed:
    """An app around another one, whose page and scripts are made and packed once, and kept by browsers."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.pages = OrderedDict[tuple[str, bool], tuple[Any, bytes]]()  # with the configuration that they are made of
        self.files: dict[str, tuple[dict[bytes, bytes], bytes]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        lasting = next((LASTING[start] for start in LASTING if path.startswith(start)), None)
        lasting = lasting if path == normpath(path) else None  # a file that is asked for by many names is kept once
        if scope["type"] != "http" or scope["method"] != "GET" or not _takes_packed(scope):
            await self.app(scope, receive, send)
        elif path == "/":
            await self._send_page(scope, send)
        elif lasting is not None:
            await self._send_file(path, lasting, scope, send)
        else:
            await self.app(scope, receive, send)

    async def _send_page(self, scope: Scope, send: Send) -> None:
        app, query = scope["app"], parse_qs(scope["query_string"].decode("latin-1"))
        blocks = app.get_blocks()
        root = get_root_url(Request(scope), "/", app.root_path or scope.get("root_path") or blocks.custom_mount_path)
        key, config = (str(root), bool(query)), blocks.config
        made = self.pages.get(key)
        if made is None or made[0] is not config or OTHER & query.keys():
            status, headers, body = await _answer(self.app, scope)
            if status != 200:
                await _send(send, status, headers, body)
                return
            page, same = await to_thread.run_sync(make_page, body.decode(), not query)
            made = config, gzip.compress(page.encode(), 6)
            if same and not OTHER & query.keys():
                self.pages[key] = made
                while len(self.pages) > MAX_PAGES:
                    self.pages.popitem(last=False)
        await _send(send, 200, {b"content-type": b"text/html; charset=utf-8", b"content-encoding": b"gzip"}, made[1])

    async def _send_file(self, path: str, lasting: str, scope: Scope, send: Send) -> None:
        if path not in self.files:
            status, headers, body = await _answer(self.app, scope)
            if status != 200:
                await _send(send, status, headers, body)
                return
            if not path.endswith((".woff2", ".png")):
                body, headers[b"content-encoding"] = gzip.compress(body, 9), b"gzip"
            headers[b"cache-control"] = lasting.encode()
            self.files[path] = headers, body
        await _send(send, 200, *self.files[path])


def _takes_packed(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    plain = not headers.keys() & {b"range", b"if-none-match", b"if-modified-since"}
    return plain and b"gzip" in headers.get(b"accept-encoding", b"")


async def _answer(app: ASGIApp, scope: Scope) -> tuple[int, dict[bytes, bytes], bytes]:
    """What an app answers, as a whole: status, headers and body. It is for all who come later too: who asked may leave
    meanwhile, of which the app, that would then break off in the middle of a file, hears nothing."""
    messages: list[Message] = []
    asked: list[Message] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        if not asked:
            await sleep_forever()
        return asked.pop()

    async def take(message: Message) -> None:
        messages.append(message)

    await app(scope, receive, take)
    start = messages[0]
    return start["status"], dict(start["headers"]), b"".join(one.get("body", b"") for one in messages[1:])


async def _send(send: Send, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
    headers = {**headers, b"content-length": str(len(body)).encode(), b"vary": b"accept-encoding"}
    await send({"type": "http.response.start", "status": status, "headers": list(headers.items())})
    await send({"type": "http.response.body", "body": body})


def make_page(page: str, look: bool) -> tuple[str, bool]:
    """gradio's page with all that is said above, with a first `look` or not; and is it the same for all visitors?"""
    scripts = DATA.search(page)
    if scripts is None:
        warnings.warn(UNKNOWN, RuntimeWarning, stacklevel=2)
        return page, True
    config = json.loads(scripts[2])
    if config.get("auth_required"):
        return page, False
    for one in config["components"]:
        for name in UNUSED:
            one.pop(name, None)
    needed = _needed(page, config)
    first = "".join(_first_look(config)) if look else ""
    styles = "".join(_script(file) for file in needed if file.endswith(".css"))
    links = "".join(map(_link, needed))
    data = f"{first}<style>{styles}</style>{links}{scripts[1]}{toorjson(config)}{scripts[3]}{LIGHTER}</body>"
    page = page[: scripts.start()] + page[scripts.end() :]
    return page.replace("</body>", data, 1), config["username"] is None  # what is seen comes before the data


def _link(file: str) -> str:
    """Has a script fetched at once. gradio takes a style that it finds in the page for fetched; it is in the page."""
    kind = 'rel="modulepreload"' if file.endswith(".js") else 'rel="stylesheet" disabled'
    return f'<link {kind} crossorigin href="./assets/{file}">'


def _needed(page: str, config: dict[str, Any]) -> list[str]:
    """The scripts and styles that gradio fetches one after the other, as it finds what the page consists of."""
    start = re.search(r"assets/(index-[\w-]+\.js)", page)
    if start is None:
        return []
    wanted = [start[1], *(file for files in _fetches(start[1]).values() for file in files)]
    for file in list(wanted):
        if file.startswith("Index-"):
            wanted += [one for name, files in _fetches(file).items() if name.startswith("Blocks-") for one in files]
        elif file.startswith("core-") and file.endswith(".js"):
            known, script = _fetches(file), _script(file)
            for kind in sorted(_open_kinds(config)):
                found = re.search(rf"\b{kind}:{{[^{{}}]*?component:\(\)=>\w+\(\(\)=>import\(`\./([\w.-]+)`", script)
                wanted += known.get(found[1], []) if found else []
    in_page = re.findall(r"assets/([\w-]+\.css)", page)
    return [file for file in dict.fromkeys(wanted) if file not in in_page]


@cache
def _fetches(name: str) -> dict[str, list[str]]:
    """The scripts that one of gradio's fetches when they are needed; of each, its own file and those that it needs."""
    script = _script(name)
    listed = NAMES.search(script)
    names = [str(Path(one).name) for one in json.loads(listed[1])] if listed else []
    return {file: [names[int(k)] for k in numbers.split(",") if k] for file, numbers in IMPORTS.findall(script)}


@cache
def _script(name: str) -> str:
    return (SCRIPTS / name).read_text(encoding="utf-8")


def _open_kinds(config: dict[str, Any]) -> set[str]:
    """The kinds of components that are seen on a new page, which is what is in no tab but the first."""
    kinds = {one["id"]: one["type"] for one in config["components"]}

    def walk(node: dict[str, Any]) -> Iterator[str]:
        kind = kinds.get(node["id"], "")
        yield kind
        children = node.get("children", [])
        for child in children[:1] if kind == "tabs" else children:
            yield from walk(child)

    return set(walk(config["layout"])) - {""}


def _first_look(config: dict[str, Any]) -> Iterator[str]:
    """The models and the samples as plain pictures, which are gone as soon as there is the page itself."""
    values = {one["props"].get("elem_id"): one["props"].get("value") or [] for one in config["components"]}
    header = INTRO.replace(' id="intro"', "")
    yield f'<style>{FIRST_LOOK_CSS}</style><div id="first-look">{header}<div class="cards"><i>+</i>'
    yield from (_inline(one["image"]["path"], one["caption"], 160) for one in values["pyramids"])
    yield '</div><div class="samples">'
    yield from (_inline(one["image"]["path"], one["caption"], 320) for one in values["samples"])
    yield "</div></div>"


@lru_cache(maxsize=128)
def _inline(path: str, caption: str, side: int) -> str:
    """A picture that is in the page itself, which takes no time to fetch; small, since it is seen for a second."""
    with Image.open(path) as picture:
        picture.thumbnail((side, side))
        data = BytesIO()
        picture.convert("RGB").save(data, "WEBP", quality=70)
    encoded = base64.b64encode(data.getvalue()).decode("ascii")
    return f'<img src="data:image/webp;base64,{encoded}" alt="{escape(caption)}">'
