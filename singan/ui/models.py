"""Models from elsewhere, and to elsewhere: a fold under the tabs."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator
from html import escape
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

import gradio as gr

from singan.errors import CheckpointError, HubError, one_line
from singan.files import CARD_FILE, CONFIG_FILE, PREVIEW_FILE, WEIGHTS_FILE
from singan.model import SinGAN
from singan.storage import hub
from singan.ui.shelf import Shelf, load_own, plain_name, present
from singan.ui.toasts import show_dropped, toasts
from singan.ui.top import Top
from singan.ui.uploads import scratch

MAX_MEMBERS = 16  # of a zip; there are four in ours
NEEDED = {CONFIG_FILE: 10**6, WEIGHTS_FILE: 20 * 10**6}  # files, and the bytes of each at most, unpacked

NO_LOGIN = "To log in, and push models from here, this Space needs `gradio[oauth]` in its requirements.txt."
PUSH_HERE = """To put a model on the Hub from this machine, download it, unpack it, and run
`singan push MODEL user/name`. That takes the login of `hf auth login`, which this page never asks for."""


def build(top: Top) -> None:
    """Make the fold. A model that is loaded becomes the visitor's own, and chosen."""
    network: dict[str, Any] = {"concurrency_id": "network", "concurrency_limit": 2}
    outputs = [top.shelf, top.name, top.pictures]
    with gr.Accordion("Load or share a model", open=False, elem_id="models"), gr.Row(equal_height=False):
        with gr.Column(min_width=260):
            repo_id = gr.Textbox(label="On the Hub", placeholder="user/name", max_length=200)
            load = gr.Button("Load from the Hub")
        with gr.Column(min_width=260):
            files = gr.File(
                label="A model's files",
                file_count="multiple",
                height=140,
                elem_id="model-files",
            )
        with gr.Column(min_width=260):
            if "SPACE_ID" in os.environ:
                if find_spec("authlib"):
                    gr.LoginButton()
                else:
                    gr.Markdown(NO_LOGIN)
                gr.DuplicateButton()
                target = gr.Textbox(label="Push the chosen model to", placeholder="user/name", max_length=200)
                private = gr.Checkbox(True, label="Private", info="The model holds the picture it was trained on.")
                send = gr.Button("Push to the Hub")
                pushed = gr.HTML(elem_classes="run")
                send.click(push, [top.shelf, top.name, target, private], pushed, **network, api_name="push")
            else:
                gr.Markdown(PUSH_HERE)
    load.click(load_from_hub, [top.shelf, repo_id], outputs, **network, api_name="load_from_hub")
    loaded = files.upload(load_files, [top.shelf, files], outputs, **network, api_name="load_files")
    for ended in (loaded.success, loaded.failure):  # the next ones are not added to these
        ended(lambda: None, None, files, queue=False, api_visibility="private")


def load_from_hub(shelf: Shelf, repo_id: str, token: gr.OAuthToken | None = None) -> tuple[Shelf, str, dict]:
    """Load a model from the Hugging Face Hub for this session. Gives the name it has here.

    Parameters:
        repo_id: user/name of a model made with singan
    """
    repo_id = repo_id.strip()
    with toasts(), scratch() as cache:  # nobody else gets a private one out of it
        if not hub.HUB_ID.fullmatch(repo_id):
            raise HubError(f"{repo_id!r} is not of the form user/name; check the name.")
        folder = hub.download(repo_id, token=token.token if token else False, cache_dir=cache, files=list(NEEDED))
        return _put(shelf, repo_id.rpartition("/")[2], load_own(folder, repo_id))


def load_files(shelf: Shelf, files: list[str]) -> tuple[Shelf, str, dict]:
    """Load an uploaded model for this session. Gives the name it has here.

    Parameters:
        files: the zip file that the app's own download gives, or config.json and model.safetensors
    """
    with toasts(), scratch() as folder:
        paths = [Path(file) for file in files or []]
        if len(paths) == 1 and paths[0].suffix.lower() == ".zip":
            name = paths[0].stem
            contents = _unpack(paths[0])
        else:
            name = "model"
            contents = ((path.name, path.read_bytes()) for path in paths if path.name in NEEDED)
        for file, data in contents:
            Path(folder, file).write_bytes(data)
        missing = [file for file in NEEDED if not Path(folder, file).exists()]
        if missing:
            raise CheckpointError(
                f"There is no {missing[0]} in what was uploaded; give {' and '.join(NEEDED)} together."
            )
        return _put(shelf, name, load_own(Path(folder), "What was uploaded"))


def push(shelf: Shelf, pyramid: str, repo_id: str, private: bool = True, token: gr.OAuthToken | None = None) -> str:
    """Put a pyramid on the Hugging Face Hub, in the name of the visitor who is logged in. Gives a link.

    Parameters:
        pyramid: name of a pyramid in this session
        repo_id: user/name, made if need be
        private: nobody else may see it
    """
    repo_id = repo_id.strip()
    with toasts():
        if token is None:
            raise HubError("Nobody is logged in: log in first.")
        if not hub.HUB_ID.fullmatch(repo_id):
            raise HubError(f"{repo_id!r} is not of the form user/name; check the name.")
        done = shelf.load(pyramid).push_to_hub(repo_id, private=private, token=token.token)
    what = "It is on the Hub" if done.changed else "It was there already"
    return f'<p>{what}: <a href="{escape(done.url)}" target="_blank" rel="noopener">{escape(repo_id)}</a></p>'


def _put(shelf: Shelf, name: str, model: SinGAN) -> tuple[Shelf, str, dict]:
    before = present(shelf)
    shelf, name = before.add(plain_name(name), model)
    show_dropped(before, shelf)
    return shelf, name, gr.update(value=shelf.pictures(), selected_index=0)


def _unpack(path: Path) -> Iterator[tuple[str, bytes]]:
    """The files of a model out of a zip file, by their bare names: what it says of folders is not used.

    Raises `CheckpointError`.
    """
    try:
        if path.read_bytes().count(b"PK\1\2") > MAX_MEMBERS:  # before a list is made of them
            raise CheckpointError(f"{path.name} holds over {MAX_MEMBERS} files, which are no part of one model.")
        with zipfile.ZipFile(path) as archive:
            seen = set()
            for member in archive.infolist():
                name = PurePosixPath(member.filename).name
                if member.is_dir():
                    continue
                if name not in (*NEEDED, PREVIEW_FILE, CARD_FILE) or name in seen:
                    raise CheckpointError(f"{path.name} holds {member.filename!r}, which is no part of one model.")
                seen.add(name)
                if name not in NEEDED:
                    continue
                if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise CheckpointError(
                        f"{name} in {path.name} is packed by method {member.compress_type}: take Deflate, as usual."
                    )
                if member.file_size > NEEDED[name]:
                    raise CheckpointError(
                        f"{name} in {path.name} has {member.file_size / 1e6:.0f} MB; "
                        f"the limit is {NEEDED[name] / 1e6:g}."
                    )
                with archive.open(member) as file:
                    yield name, file.read(NEEDED[name])
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError) as error:
        raise CheckpointError(f"{path.name} is not a zip file that can be read ({one_line(error, 100)}).") from None
