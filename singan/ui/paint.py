"""The tab Paint to image: a sketch becomes a picture of the learned kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

import singan
from singan.model import SinGAN
from singan.tasks.injection import OnEvent, Scale
from singan.tasks.painting import hex_palette
from singan.ui import canvas, injected
from singan.ui.chain import Chain
from singan.ui.editor import Value, build_editor, on_canvas
from singan.ui.examples import Examples, build_examples, example_pictures, sources
from singan.ui.frame import SILENT, renew, run_anew, shown
from singan.ui.injected import Task, View
from singan.ui.look import run_status
from singan.ui.photo import open_photo
from singan.ui.shelf import SHORT, Shelf
from singan.ui.toasts import show_notes, toasts
from singan.ui.top import Top, mark

HINT = "Paint with the picture's own colours, or click an example. Then press Turn into a picture."
COLORS = 8  # of the brush
MAX_SIDE = 1024  # of an uploaded painting, which is used at the size of the photo anyway


def build(top: Top, examples: Path) -> Chain:
    """Make the tab. Its canvas starts empty, with a brush in the colours of the chosen pyramid's picture."""
    pictures = example_pictures(examples, top)
    owner = gr.State(top.name.value)  # the pyramid that the canvas was made for
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            brush = _brush(top.first) if top.first else gr.Brush()
            editor = build_editor("Painting", brush, "paint-canvas", _empty(top.first) if top.first else None)
            with gr.Row():
                clear = gr.Button("Blank canvas", size="sm", min_width=90)
                over = gr.Button("Paint over the photo", size="sm", min_width=90)
                upload = gr.UploadButton("Upload a painting", size="sm", min_width=90)
            go = gr.Button("Turn into a picture", variant="primary")
            controls, advanced = injected.build_controls(top.first)
            with advanced:
                colors = gr.Slider(
                    0,
                    64,
                    0,
                    step=1,
                    label="Colours",
                    info="0: as painted. From 2 on, the picture's own palette (published: 5); "
                    "trains one scale on it, some seconds.",
                )
        with gr.Column(scale=1, min_width=320):
            results = injected.build_results(HINT, controls, "paint")
            gallery = build_examples(pictures)

    def load_example(shelf: Shelf, number: int) -> tuple[Any, ...]:
        path = pictures[number]
        return path.stem, mark(shelf, path.stem), *fresh_canvas(shelf, path.stem, Image.open(path))

    def run_example(shelf: Shelf, number: int, seed: int, new_seed: bool, scale: str, colors: int) -> Iterator[View]:
        path = pictures[number]
        yield from paint_to_image(shelf, path.stem, on_canvas(Image.open(path)), scale, seed, new_seed, colors)

    chosen = [top.shelf, top.name]
    cleared = [results.pair, results.strip, results.status]
    fresh = [owner, editor, controls.scale, *cleared]
    run, inputs = run_anew(go, "paint", results.status), [*chosen, editor, *controls, colors]
    run(paint_to_image, inputs, results.view, **SHORT, show_progress="hidden", api_name="paint_to_image")
    Examples(
        tab="paint",
        sources=sources(pictures),
        load=load_example,
        loaded=[top.name, top.pictures, *fresh],
        run=run_example,
        settings=[controls.seed, controls.new_seed, controls.scale, colors],
        view=results.view,
    ).wire(gallery, top, **SHORT)
    top.here.change(blank, [*chosen, owner], fresh, **SILENT)
    clear.click(blank, chosen, fresh, **SILENT)
    over.click(photo, chosen, [editor, *cleared], **SILENT)
    upload.upload(own, [top.shelf, upload], [editor, *cleared], **SILENT)
    return results.chain


def paint_to_image(
    shelf: Shelf,
    pyramid: str,
    painting: Value,
    scale: str = "auto",
    seed: int | None = 0,
    new_seed: bool = False,
    colors: int = 0,
) -> Iterator[View]:
    """Turn a painting into a picture with its layout and the contents of the one that a pyramid learned.

    Streams a status line; ends with the files of the painting and the result, those of all scales, and the seed.

    Parameters:
        pyramid: name of a shipped pyramid, or of one trained in this session
        painting: the painting, its layers over its background
        scale: where it enters the pyramid, from "1" (free) to its last scale (faithful), or "auto"
        seed: seed of the noise
        new_seed: take a random seed instead
        colors: 0, or 2 to 64: reduce it to so many of the picture's colours, which trains one scale first
    """

    def begin(model: SinGAN) -> Task:
        picture = canvas.flattened(painting)

        def job(scale: Scale, seed: int, on_event: OnEvent) -> list[Image.Image]:
            return singan.paint_to_image(
                model, picture, scale=scale, seed=seed, colors=colors or None, on_event=on_event
            )

        return Task(picture, job)

    yield from injected.show_task(shelf, pyramid, begin, scale, seed, new_seed, "paint", strip=not colors)


def blank(shelf: Shelf, pyramid: str, owner: str = "") -> tuple[Any, ...]:
    """An empty canvas in the mean colour of the pyramid's picture, unless it is the pyramid's already; no result."""
    if not pyramid or owner == pyramid:
        return (gr.skip(),) * 6
    return fresh_canvas(shelf, pyramid)


def fresh_canvas(shelf: Shelf, pyramid: str, picture: Image.Image | None = None) -> tuple[Any, ...]:
    """The canvas with that picture, or empty, and a brush in the pyramid's colours; no result."""
    with toasts():
        model = shelf.load(pyramid)
    painting = gr.update(value=on_canvas(picture or _empty(model)), brush=_brush(model))
    return pyramid, painting, injected.scales(model), *_cleared()


def _cleared() -> tuple[Any, ...]:
    """No result, and none of what was asked for before: that was of another painting."""
    renew("paint")
    return shown(None), shown(None), run_status(HINT, None, [])


def _brush(model: SinGAN) -> gr.Brush:
    return gr.Brush(colors=list(hex_palette(model, COLORS)))


def _empty(model: SinGAN) -> Image.Image:
    return model.training_image.resize((1, 1), Image.Resampling.BOX).resize(model.image_size[::-1])


def photo(shelf: Shelf, pyramid: str) -> tuple[Any, ...]:
    """The canvas with the pyramid's own picture, and no result."""
    with toasts():
        return on_canvas(shelf.load(pyramid).training_image), *_cleared()


def own(shelf: Shelf, path: str) -> tuple[Any, ...]:
    """The canvas with an uploaded painting, and no result."""
    with toasts():
        image, notes = open_photo(path, shelf.limits)
    show_notes(notes)
    image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
    return on_canvas(image), *_cleared()
