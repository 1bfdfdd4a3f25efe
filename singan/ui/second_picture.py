"""The tab Second picture: another picture's layout in the matter of the chosen one, or that picture in its style."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import gradio as gr
from PIL import Image

import singan
from singan.errors import ImageError
from singan.model import SinGAN
from singan.tasks.analogy import UNREAD, UNSEEN
from singan.tasks.injection import OnEvent, Scale
from singan.tasks.steering import LIMIT
from singan.ui import injected
from singan.ui.chain import Chain
from singan.ui.examples import Examples, build_examples, example_pictures, sources
from singan.ui.frame import run_anew
from singan.ui.injected import Task, View
from singan.ui.photo import open_photo
from singan.ui.shelf import SHORT, Shelf
from singan.ui.top import Top, mark

HINT = "Upload a second picture: a photo, a drawing, a word. Or click an example."
KINDS = [
    ("Its light and dark, in the matter of the chosen picture", "layout"),
    ("It, in the style of the chosen picture", "style"),
]
Kind = Literal["layout", "style"]
MAX_SIDE = 2048  # of the second picture, which is used at the area of the first one anyway


def build(top: Top, examples: Path) -> Chain:
    """Make the tab."""
    pictures = [path for _, kind in KINDS for path in example_pictures(examples / kind, top)]
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            picture = gr.File(label="Second picture", height=140, elem_id="second")
            kind = gr.Radio(KINDS, value="layout", label="What becomes of it")
            go = gr.Button("Draw it", variant="primary")
            controls, advanced = injected.build_controls(top.first, "1 keeps its large shapes, the last its details.")
            with advanced:
                invert = gr.Checkbox(False, label="Exchange light and dark", info="Of a layout.")
        with gr.Column(scale=2, min_width=320):
            results = injected.build_results(HINT, controls, "second-picture")
            gallery = build_examples(pictures)

    def load_example(shelf: Shelf, number: int) -> tuple[Any, ...]:
        path = pictures[number]
        scale = injected.scales(shelf.load(path.stem))
        return path.stem, mark(shelf, path.stem), path.stem, str(path), path.parent.name, scale, False

    def run_example(
        shelf: Shelf, number: int, seed: int, new_seed: bool, scale: str, kind: Kind, invert: bool
    ) -> Iterator[View]:
        path = pictures[number]
        yield from second_picture(shelf, path.stem, str(path), kind, invert, scale, seed, new_seed)

    owner = injected.wire_forgetting(top, "second-picture", HINT, controls, results)
    inputs = [top.shelf, top.name, picture, kind, invert, *controls]
    run = run_anew(go, "second-picture", results.status)
    run(second_picture, inputs, results.view, **SHORT, show_progress="hidden", api_name="second_picture")
    Examples(
        tab="second-picture",
        sources=sources(pictures),
        load=load_example,
        loaded=[top.name, top.pictures, owner, picture, kind, controls.scale, invert],
        run=run_example,
        settings=[controls.seed, controls.new_seed, controls.scale, kind, invert],
        view=results.view,
    ).wire(gallery, top, **SHORT)
    return results.chain


def second_picture(
    shelf: Shelf,
    pyramid: str,
    picture: str | None,
    kind: Kind = "layout",
    invert: bool = False,
    scale: str = "auto",
    seed: int | None = 0,
    new_seed: bool = False,
) -> Iterator[View]:
    """Arrange what a pyramid learned as light and dark are in another picture, or draw that in the pyramid's style.

    Streams a status line; ends with the files of that picture and the result, small ones of the result, its file at
    full size, and the seed.

    Parameters:
        pyramid: name of a shipped pyramid, or of one of this session's own: the matter, or the style
        picture: the file of the other picture
        kind: "layout": its light and dark in the matter of the pyramid's; "style": it, in the pyramid's style
        invert: exchange its light and dark, of a layout
        scale: up to which it steers, from "1" (its large shapes) to the pyramid's last one (its details), or "auto"
        seed: arranges the pieces of the pyramid's picture
        new_seed: take a random seed instead
    """

    def begin(model: SinGAN) -> Task:
        if picture is None:
            raise ImageError("There is no second picture yet: upload one first.")
        image, notes = open_photo(picture, shelf.limits)
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)

        def job(scale: Scale, seed: int, on_event: OnEvent) -> list[Image.Image]:
            if kind == "style":
                results = singan.stylize(image, model, scale=scale, seed=seed, on_event=on_event)
            else:
                results = singan.analogy(model, image, scale=scale, seed=seed, invert=invert, on_event=on_event)
            if scale == "auto" and results[0].info["lost"] > LIMIT:
                notes.append(UNSEEN if kind == "style" else UNREAD)
            return results

        return Task(image, job, notes)

    yield from injected.show_task(shelf, pyramid, begin, scale, seed, new_seed, "second-picture", strip=False)
