"""The tab Harmonize: a pasted object takes on the colours and the texture of the picture."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from singan import tasks
from singan.model import SinGAN
from singan.tasks.injection import OnEvent, Scale
from singan.ui import canvas, injected
from singan.ui.editor import (
    MASK_BRUSH,
    Value,
    build_editor,
    build_mask,
    fresh_canvas,
    on_canvas,
    open_example,
    open_object,
    own_picture,
)
from singan.ui.injected import Task, View
from singan.ui.shelf import COMPUTE, Shelf, Top, toasts

HINT = (
    "Paste an object (best a PNG with transparency) or upload a picture that has one, then press Harmonize; "
    "or click an example. What you paint over is the mask; without one, the object is found."
)


def build(demo: gr.Blocks, top: Top, examples: Path) -> None:
    """Make the tab. Its canvas starts from the picture of the chosen pyramid."""
    pictures = injected.example_pictures(examples, top)
    owner = gr.State("")  # the pyramid whose picture is on the canvas
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            editor = build_editor("Composite", MASK_BRUSH, "harmonize-canvas")
            with gr.Row():
                thing = gr.UploadButton("Paste an object", size="sm", min_width=90, elem_id="object")
                upload = gr.UploadButton("Upload a composite", size="sm", min_width=90)
                clear = gr.Button("Start over", size="sm", min_width=90)
            with gr.Group(visible=False) as place:
                across = gr.Slider(0, 100, 50, step=1, label="Object: across (%)")
                down = gr.Slider(0, 100, 50, step=1, label="Object: down (%)")
                size = gr.Slider(5, 100, 30, step=1, label="Object: size (%)")
            controls, advanced = injected.build_controls()
            with advanced:
                mask = build_mask("harmonize-mask")
            go = gr.Button("Harmonize", variant="primary")
        with gr.Column(scale=1, min_width=320):
            results = injected.build_results(HINT, controls)
            gallery = injected.build_examples(pictures)

    def load_example(shelf: Shelf, event: gr.SelectData) -> tuple[Any, ...]:
        return open_example(shelf, pictures[event.index])

    chosen = [top.shelf, top.name]
    drawn = [editor, mask]
    wiring: dict[str, Any] = {"inputs": [*chosen, *drawn, *controls], "outputs": results.view(controls)}
    fresh = [owner, *drawn, controls.scale, results.pair, results.strip]
    loaded = [top.name, top.pictures, *fresh]
    private: dict[str, Any] = {"api_visibility": "private"}
    go.click(harmonize, **wiring, **COMPUTE, show_progress="hidden", api_name="harmonize")
    gallery.select(load_example, top.shelf, loaded, **private).then(
        harmonize, **wiring, **COMPUTE, show_progress="hidden", **private
    )
    for changed in (top.name.change, demo.load):
        changed(fresh_canvas, [*chosen, owner], fresh, show_progress="hidden", **private)
    clear.click(fresh_canvas, chosen, fresh, show_progress="hidden", **private)
    upload.upload(own_picture, [*chosen, upload], drawn, show_progress="hidden", **private)
    placed = [
        moved(paste, [*chosen, thing, across, down, size], drawn, show_progress="hidden", **private)
        for moved in (thing.upload, across.release, down.release, size.release)
    ]
    placed[0].success(lambda: gr.Group(visible=True), None, place, show_progress="hidden", **private)


def harmonize(
    shelf: Shelf,
    pyramid: str,
    composite: Value,
    mask: Image.Image | None = None,
    scale: str = "auto",
    seed: int | None = 0,
    new_seed: bool = False,
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
    """

    def begin(model: SinGAN) -> Task:
        picture, white = canvas.backdrop(composite), canvas.painted(composite, mask)

        def job(scale: Scale, seed: int, on_event: OnEvent) -> list[Image.Image]:
            return tasks.harmonize(model, picture, white, scale=scale, seed=seed, on_event=on_event)

        return Task(picture, job, injected.size_notes(picture, model))

    yield from injected.run(shelf, pyramid, begin, scale, seed, new_seed)


def paste(
    shelf: Shelf, pyramid: str, thing: str | None, across: float, down: float, size: float
) -> tuple[Value, Image.Image]:
    """The canvas with an uploaded object in the pyramid's own picture, and its mask."""
    with toasts():
        picture = shelf.load(pyramid).training_image
        composite, mask = canvas.paste(picture, open_object(thing, shelf.limits), across, down, size)
    return on_canvas(composite), mask
