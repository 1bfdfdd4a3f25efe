"""The canvas that the tabs share where people draw on the picture of the chosen pyramid."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr
from PIL import Image, ImageOps

from singan.errors import ImageError
from singan.ui.injected import scales, shown, size_notes
from singan.ui.limits import Limits
from singan.ui.photo import open_photo
from singan.ui.shelf import Shelf, toasts

Value = dict[str, Any]  # of a gr.ImageEditor: background, layers, composite
MASK_BRUSH = gr.Brush(colors=["#ffffff"], color_mode="fixed")  # its size goes by the picture's


def build_editor(label: str, brush: gr.Brush, name: str) -> gr.ImageEditor:
    """A canvas to paint on. It has no upload of its own: what is uploaded is checked first, and then put there."""
    return gr.ImageEditor(
        label=label,
        type="pil",
        format="png",
        image_mode="RGBA",
        height=340,
        sources=(),
        transforms=(),
        layers=False,
        brush=brush,
        buttons=["fullscreen"],
        elem_id=name,
        elem_classes="canvas",
    )


def build_mask(name: str) -> gr.Image:
    """The mask of what was pasted or changed without a brush."""
    return gr.Image(
        label="Mask: white is what is made new",
        type="pil",
        image_mode="L",
        format="png",
        interactive=False,
        height=120,
        buttons=["download"],
        elem_id=name,
    )


def on_canvas(picture: Image.Image) -> Value:
    """A picture with nothing painted on it."""
    return {"background": unshared(picture), "layers": [], "composite": None}


def unshared(picture: Image.Image) -> Image.Image:
    """A copy that gradio writes to a file of its own.

    It writes equal pictures to one place, each time they are shown, perhaps while a browser is reading it.
    """
    copy = picture.copy()
    copy.info = {"canvas": uuid4().hex}  # part of the file, and so of its name, which is a hash
    return copy


def fresh_canvas(shelf: Shelf, pyramid: str, owner: str = "") -> tuple[Any, ...]:
    """The canvas with the pyramid's own picture, unless it holds one that belongs to it; no mask and no result."""
    if not pyramid or owner == pyramid:
        return (gr.skip(),) * 6
    with toasts():
        model = shelf.load(pyramid)
    return pyramid, on_canvas(model.training_image), None, scales(model), shown(None), shown(None)


def open_example(shelf: Shelf, path: Path) -> tuple[Any, ...]:
    """The pyramid that an example is called after, chosen, and then as `fresh_canvas`: the example and its mask."""
    name = path.stem
    with toasts():
        model = shelf.load(name)
    picture, mask = Image.open(path), unshared(Image.open(path.with_suffix(".mask.png")))
    return name, mark_pyramid(shelf, name), name, on_canvas(picture), mask, scales(model), shown(None), shown(None)


def own_picture(shelf: Shelf, pyramid: str, path: str) -> tuple[Value, None]:
    """The canvas with an uploaded picture at the size of the pyramid's own, and no mask."""
    with toasts():
        model = shelf.load(pyramid)
        image, notes = open_photo(path, shelf.limits)
    for note in notes + size_notes(image, model):
        gr.Info(html.escape(note))
    return on_canvas(image.resize(model.image_size[::-1], Image.Resampling.LANCZOS)), None


def open_object(path: str | None, limits: Limits) -> Image.Image:
    """An uploaded picture with its transparency, RGBA. Raises `ImageError`."""
    if path is None:
        raise ImageError("There is no object yet: upload one first.")
    open_photo(path, limits)  # which checks it; it is flattened, and here it is not
    with Image.open(path) as image:
        return ImageOps.exif_transpose(image).convert("RGBA")


def mark_pyramid(shelf: Shelf, name: str) -> dict:
    """The row of pyramids with this one marked."""
    return gr.update(selected_index=shelf.names().index(name))
