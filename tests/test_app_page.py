"""The page that a browser gets: made once, with a first look in it, and what it needs fetched at once."""

import gzip
import json
import re
import socket
import time

import anyio
import httpx
import pytest
from starlette.responses import FileResponse

from singan.ui.page import SCRIPTS, Packed, make_page

LOOK = re.compile(r'<div id="first-look">.*?</div></div>', re.DOTALL)


@pytest.fixture(scope="module")
def page(app_url):
    """The text of the page once the first samples are in it."""
    for _ in range(200):
        text = httpx.get(app_url).text
        if 'alt="seed 5 at ' in text:
            return text
        time.sleep(0.1)
    pytest.fail("the first samples do not come")


def config_of(page):
    return json.loads(re.search(r"window\.gradio_config = (.*?);</script>", page, re.DOTALL)[1])


def test_page_is_sent_packed_and_pictures_are_not(app_url, page):
    with httpx.stream("GET", app_url) as answer:
        packed = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip" and len(packed) < 110_000
    assert len(gzip.decompress(packed)) > 500_000 and gzip.decompress(packed).decode() == page
    picture = re.search(r"/gradio_api/file=[^\"]+\.png", page)[0]
    assert "content-encoding" not in httpx.get(f"{app_url}{picture[1:]}").headers


def test_page_is_made_once_for_each_address(app_url, page, monkeypatch):
    made = []
    monkeypatch.setattr("singan.ui.page.make_page", lambda *args: made.append(args) or make_page(*args))
    assert httpx.get(app_url).text == page and not made
    for _ in range(2):
        other = httpx.get(app_url, headers={"x-forwarded-host": "singan.example", "x-forwarded-proto": "https"}).text
        assert config_of(other)["root"] == "https://singan.example" and len(made) == 1
    assert config_of(page)["root"] == app_url.rstrip("/")


def test_script_is_whole_for_others_though_the_first_to_ask_for_it_leaves_in_the_middle(tmp_path):
    script = tmp_path / "a.js"
    script.write_text("export const a = 1;\n" * 9000)
    packed, sent = Packed(FileResponse(script)), []
    scope = {"type": "http", "method": "GET", "path": "/assets/a.js", "headers": [(b"accept-encoding", b"gzip")]}

    async def left():
        await anyio.sleep(0)
        return {"type": "http.disconnect"}

    async def take(message):
        sent.append(message)

    for receive in (left, anyio.sleep_forever):
        anyio.run(packed, scope, receive, take)
    assert gzip.decompress(sent[-1]["body"]) == script.read_bytes()


def test_page_says_all_that_gradio_says_but_what_no_script_reads(app_url, page):
    whole = httpx.get(app_url, headers={"accept-encoding": "identity"}).text
    gradios, ours = config_of(whole), config_of(page)
    left_out = ("api_info", "api_info_as_input", "api_info_as_output", "example_inputs")
    for one in gradios["components"]:
        for name in left_out:
            one.pop(name, None)
    assert ours == gradios
    scripts = [path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.js")]
    assert not [name for name in left_out[1:] for script in scripts if name in script]  # `api_info` is of others too


def test_first_look_shows_models_and_samples_without_another_request(page):
    look = LOOK.search(page)[0]
    assert re.findall(r'alt="([^"]*)"', look) == [
        "blue",
        "green-field",
        *(f"seed {k} at {0.5 + 0.05 * k:g}" for k in range(6)),
    ]
    assert all(source.startswith("data:image/webp;base64,") for source in re.findall(r'src="([^"]*)"', look))
    assert page.index(look) < page.index("window.gradio_config = ")  # it is seen before that is read
    assert 'id="intro"' not in look  # there is one in the page itself


def test_page_of_a_link_has_no_first_look_since_it_shows_other_samples(app_url, page):
    link = httpx.get(app_url, params={"model": "blue", "seed": 7, "variation": 0.3, "number": 2}).text
    assert not LOOK.search(link) and config_of(link) == config_of(page)


def test_what_opens_the_page_is_fetched_at_once_and_styles_are_in_it(page):
    scripts = re.findall(r'<link rel="modulepreload" crossorigin href="\./assets/([^"]+)">', page)
    styles = re.findall(r'<link rel="stylesheet" disabled crossorigin href="\./assets/([^"]+)">', page)
    assert len(scripts) > 30 and len(styles) > 30
    for start in ("index-", "core-", "Blocks-", "Gallery-", "HTML-"):
        assert any(one.startswith(start) for one in scripts)
    assert not any("ImageEditor" in one or "CanvasTextSystem" in one for one in scripts)  # which closed tabs need
    assert all((SCRIPTS / one).read_text(encoding="utf-8") in page for one in styles)


def test_scripts_are_packed_and_kept_by_browsers(app_url, page):
    file = re.search(r"assets/index-[\w-]+\.js", page)[0]
    answer = httpx.get(f"{app_url}{file}")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip" and answer.text == (SCRIPTS.parent / file).read_text()
    assert httpx.get(f"{app_url}{file}").text == answer.text
    assert httpx.get(f"{app_url}{file}", headers={"accept-encoding": "identity"}).text == answer.text
    assert httpx.get(f"{app_url}{file}", headers={"range": "bytes=0-9"}).text == answer.text[:10]
    assert httpx.get(f"{app_url}assets/nothing.js").status_code in (403, 404)


def test_other_page_of_gradio_is_noticed_and_sent_as_it_is():
    with pytest.warns(RuntimeWarning, match="not made as that of 6.31"):
        assert make_page("<html></html>", True) == ("<html></html>", True)


def test_file_that_is_asked_for_by_many_names_is_kept_once(app_url, page):
    file = re.search(r"assets/(index-[\w-]+\.js)", page)[1]
    with socket.create_connection((httpx.URL(app_url).host, httpx.URL(app_url).port)) as asked:
        asked.sendall(
            f"GET /assets/./{file} HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n".encode()
        )
        headers = asked.makefile("rb").read().split(b"\r\n\r\n")[0].lower()
    assert b" 200 " in headers.splitlines()[0] and b"immutable" not in headers
