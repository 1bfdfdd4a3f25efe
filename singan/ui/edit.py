"""The tab Edit: parts of the picture are copied, moved or erased, and the result becomes seamless."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import gradio as gr
from PIL import Image

import singan
from singan.errors import ImageError
from singan.model import SinGAN
from singan.tasks.filling import draft_of
from singan.tasks.injection import OnEvent, Scale
from singan.ui import canvas, injected
from singan.ui.chain import Chain
from singan.ui.composite import build_composite
from singan.ui.editor import Value, on_canvas
from singan.ui.frame import PRIVATE
from singan.ui.injected import Task, View
from singan.ui.shelf import QUICK, Shelf
from singan.ui.toasts import toasts
from singan.ui.top import Top

How = canvas.Move | Literal["changed"]
HINT = (
    "Paint over a part of the picture, say what shall become of it, and press Make it seamless; or add an object "
    "and drag it to its place; or click an example."
)


def build(top: Top, examples: Path) -> Chain:
    """Make the tab."""
    with build_composite(top, examples, edit, label="Picture", hint=HINT, button="Make it seamless") as tab:
        with tab.flat:
            how = gr.Radio(
                [("Copy it", "copy"), ("Move it", "move"), ("Erase it", "erase"), ("It is changed already", "changed")],
                value="copy",
                label="What is painted over",
            )
            right = gr.Slider(-100, 100, 20, step=1, label="To the right (% of the width)")
            down = gr.Slider(-100, 100, 0, step=1, label="Down (% of the height)")
            apply = gr.Button("Show it, and change more", size="sm")
        tab.build_buttons("Upload an edit")
        tab.prepare, tab.asked = prepared, [how, right, down]
    apply.click(change, [*tab.drawn, *tab.asked], tab.drawn, show_progress="minimal", **QUICK, **PRIVATE)
    tab.upload.upload(None, None, how, js="() => 'changed'", **PRIVATE)
    gr.on([tab.clear.click, top.here.change], None, None, how, js="() => 'copy'", **PRIVATE)
    return tab.chain


def edit(
    shelf: Shelf,
    pyramid: str,
    edited: Value,
    mask: Image.Image | None = None,
    scale: str = "auto",
    seed: int | None = 0,
    new_seed: bool = False,
) -> Iterator[View]:
    """Make a rough edit of the picture that a pyramid learned seamless.

    Streams a status line; ends with the files of the edit and the result, those of all scales, and the seed.

    Parameters:
        pyramid: name of a shipped pyramid, or of one trained in this session
        edited: the picture with parts moved, copied or painted over, as background; what is painted on layers
            is part of the mask
        mask: white where it was changed
        scale: where it enters the pyramid, from "1" (free) to its last scale (faithful), or "auto"
        seed: seed of the noise
        new_seed: take a random seed instead
    """

    def begin(model: SinGAN) -> Task:
        picture, white = canvas.backdrop(edited), canvas.painted(edited, mask)
        if white is None:
            raise ImageError("Nothing is changed yet: paint over a part of the picture first.")

        def job(scale: Scale, seed: int, on_event: OnEvent) -> list[Image.Image]:
            return singan.edit(model, picture, white, scale=scale, seed=seed, on_event=on_event)

        return Task(picture, job, injected.size_notes(picture, model))

    yield from injected.show_task(shelf, pyramid, begin, scale, seed, new_seed, "edit", strip=False)


def prepared(
    value: Value, mask: Image.Image | None, how: How, right: float, down: float
) -> tuple[Value, Image.Image | None]:
    """What `change` gives, once there is something painted over."""
    return (value, mask) if canvas.painted(value) is None else change(value, mask, how, right, down)


def change(
    value: Value, mask: Image.Image | None, how: How, right: float, down: float
) -> tuple[Value, Image.Image | None]:
    """The canvas with what is painted over copied, moved or erased, or as it is, and the mask of all changes so far.

    What that leaves behind is filled from the rest of the canvas.
    """
    region = canvas.painted(value)
    with toasts():
        if region is None:
            raise ImageError("Nothing is painted over yet: paint over what shall be copied, moved or erased.")
        picture = canvas.backdrop(value)
    if how == "changed":
        return on_canvas(picture), canvas.painted(value, mask)
    pixels = round(right / 100 * picture.width), round(down / 100 * picture.height)
    with toasts():
        emptied = None if how == "copy" else without(picture, region)
    changed, new = canvas.change(picture, region, how, *pixels, emptied)
    return on_canvas(changed), canvas.union([new] if mask is None else [new, mask])


def without(picture: Image.Image, region: Image.Image) -> Image.Image:
    """`picture` with what is in `region`, white in the mask, drawn anew from the rest."""
    return singan.fill(draft_of(picture), region.resize(picture.size, Image.Resampling.NEAREST))[0].resize(picture.size)
