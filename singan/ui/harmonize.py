"""The tab Harmonize: a pasted object takes on the colours and the texture of the picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr
from PIL import Image

import singan
from singan.model import SinGAN
from singan.tasks.harmonization import COLORS
from singan.tasks.injection import OnEvent, Scale
from singan.ui import canvas, injected
from singan.ui.chain import Chain
from singan.ui.composite import build_composite
from singan.ui.editor import Value
from singan.ui.injected import Task, View
from singan.ui.shelf import Shelf
from singan.ui.top import Top

HINT = (
    "Add an object (best a PNG with transparency) and drag it to its place, or upload a picture that has one; then "
    "press Harmonize. Or click an example. What you paint over is the mask; without one, the object is found."
)


def build(top: Top, examples: Path) -> Chain:
    """Make the tab."""
    with build_composite(top, examples, harmonize, label="Composite", hint=HINT, button="Harmonize") as tab:
        tab.build_buttons("Upload a composite")
        how_far = "0 keeps the object's own, in the light of the picture"
        tab.more = [gr.Slider(0, 1, COLORS, step=0.05, label="Take on the picture's colours", info=how_far)]
    return tab.chain


def harmonize(
    shelf: Shelf,
    pyramid: str,
    composite: Value,
    mask: Image.Image | None = None,
    scale: str = "auto",
    seed: int | None = 0,
    new_seed: bool = False,
    recolor: float = COLORS,
) -> Iterator[View]:
    """Make a pasted object look like part of the picture that a pyramid learned.

    Streams a status line; ends with the files of the composite and the result, those of all scales, and the seed.

    Parameters:
        pyramid: name of a shipped pyramid, or of one trained in this session
        composite: the picture with something pasted in, as background; what is painted on layers is the mask
        mask: white where it was pasted; without any mask, it is where the composite differs from the picture
        scale: where it enters the pyramid, from "1" (free) to its last scale (faithful), or "auto"
        seed: seed of the noise
        new_seed: take a random seed instead
        recolor: how far the object takes on the picture's colours, from 0 (keeps its own) to 1
    """

    def begin(model: SinGAN) -> Task:
        picture, white = canvas.backdrop(composite), canvas.painted(composite, mask)

        share, notes = None if recolor == COLORS else recolor, injected.size_notes(picture, model)
        if model.config.published and share is not None:
            share, notes = None, [*notes, "This model's generators alone colour the object."]

        def job(scale: Scale, seed: int, on_event: OnEvent) -> list[Image.Image]:
            return singan.harmonize(model, picture, white, scale=scale, seed=seed, recolor=share, on_event=on_event)

        return Task(picture, job, notes)

    yield from injected.show_task(shelf, pyramid, begin, scale, seed, new_seed, "harmonize")
