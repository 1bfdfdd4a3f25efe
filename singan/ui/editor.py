"""The canvas that the tabs share where people draw on the picture of the chosen pyramid."""

from __future__ import annotations

import html
from abc import ABCMeta
from collections import OrderedDict
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr
from fastapi import HTTPException
from gradio.components.image_editor import AcceptBlobs, EditorData, EditorDataBlobs, EditorValue
from gradio.data_classes import ImageData
from PIL import Image, ImageOps

from singan.errors import ImageError, one_line
from singan.image import check_file, in_mode
from singan.limits import Limits
from singan.ui.frame import shown
from singan.ui.injected import scales, size_notes
from singan.ui.photo import UPLOADED, open_photo
from singan.ui.shelf import MAX_MODEL_BYTES, Shelf
from singan.ui.toasts import show_notes, toasts
from singan.ui.top import mark
from singan.ui.uploads import folder_of_uploads

Value = dict[str, Any]  # of a gr.ImageEditor: background, layers, composite
MAX_CANVAS_PIXELS = MAX_MODEL_BYTES // 12  # which no pyramid's picture here is over: it takes 12 bytes a pixel
MAX_LAYERS = 1  # as many as the canvas has on the page
MAX_PART_BYTES = 20_000_000  # of a canvas that is on its way
MAX_WAITING, WAITING_BYTES = 64, 200_000_000  # canvases that are, and whose call has not come; and all of them together
_waiting: dict[str, EditorDataBlobs] = {}  # by their ids, which the pages draw by lot
_lost: OrderedDict[str, None] = OrderedDict()  # the ids of those that had to give way
# Seen on bright and on dark pictures, which are seen through it; its size goes by the picture's.
MASK_BRUSH = gr.Brush(colors=[("#f97316", 0.6), ("#06b6d4", 0.6), ("#ec4899", 0.6)], color_mode="fixed")


def _decode_canvas(self: gr.ImageEditor, payload: EditorData | None) -> EditorValue | None:
    """As gradio does, but what is too large is refused, and the composite, which nobody asks for, is left out."""
    parts = payload if payload is None or payload.id is None else self.blob_storage.get(payload.id)
    if parts is None and payload is not None and payload.id in _lost:
        raise gr.Error("Too many visitors sent a canvas at once; yours is lost: press again.", print_exception=False)
    if parts is not None:
        parts.composite = None
        layers = [layer for layer in parts.layers or [] if layer is not None]
        if len(layers) > MAX_LAYERS:
            raise gr.Error(f"The canvas has {len(layers)} layers; it takes {MAX_LAYERS}.", print_exception=False)
        for part in (parts.background, *layers):
            _check_part(part, "The canvas")
    return _decoded(gr.ImageEditor, self, payload, "The canvas")


def _encode_canvas(self: gr.ImageEditor, value: Any) -> EditorData | None:
    """As gradio does, in a fifth of the time, and to a file of its own: gradio writes equal pictures to one place."""
    picture = value["background"] if isinstance(value, dict) else None
    if isinstance(picture, Image.Image):
        folder = folder_of_uploads() / uuid4().hex
        folder.mkdir(parents=True)
        picture.save(folder / "canvas.png", compress_level=1)
        value = {**value, "background": str(folder / "canvas.png")}
    return gr.ImageEditor.postprocess(self, value)


def _size(canvas: EditorDataBlobs) -> int:
    return sum(len(part) for part in (canvas.background, canvas.composite, *canvas.layers) if part)


def _accept_blobs(self: gr.ImageEditor, data: AcceptBlobs) -> None:
    """Parts of a canvas that is on its way: few, small ones, of few canvases. gradio believes any number of a layer."""
    index = str(data.data.get("index") or "0").replace("null", "0")
    whole = {"type", "index", "id"} <= data.data.keys() and len(data.files) == 1
    if not whole or not index.isdecimal() or int(index) >= MAX_LAYERS or len(data.files[0][1]) > MAX_PART_BYTES:
        raise HTTPException(413, "What was painted is too large: reload the page.")
    gr.ImageEditor.accept_blobs(self, data)
    while len(_waiting) > MAX_WAITING or sum(map(_size, list(_waiting.values()))) > WAITING_BYTES:
        oldest = next(iter(_waiting))
        _waiting.pop(oldest, None)  # its call may come just now
        _lost[oldest] = None
        while len(_lost) > 10 * MAX_WAITING:
            _lost.popitem(last=False)


_accept_blobs._is_server_fn = True  # type: ignore[attr-defined]  # as gradio marks what a page may call


def _decode_mask(self: gr.Image, payload: ImageData | None) -> Any:
    _check_part(payload, "The mask")
    return _decoded(gr.Image, self, payload, "The mask")


def _decoded(base: Any, component: Any, payload: Any, name: str) -> Any:
    """What gradio makes of the payload, decoded to the end: Pillow would put that off, and a fault show later."""
    try:
        value = base.preprocess(component, payload)
        for image in [value["background"], *value["layers"]] if isinstance(value, dict) else [value]:
            if image is not None:
                image.load()
        return value
    except Exception as error:  # on damaged data the decoders raise almost anything
        text = f"{name} is damaged ({html.escape(one_line(error, 100))}); make it again."
        raise gr.Error(text, print_exception=False) from None


def _check_part(part: Any, name: str) -> None:
    if part is None:
        return
    file = bytes(part) if isinstance(part, (bytes, bytearray, memoryview)) else Path(part.path)
    with toasts():
        check_file(file, name, MAX_CANVAS_PIXELS, UPLOADED)


def derived(base: type, **methods: Any) -> Any:
    """A class from one of gradio's, made past its own `__new__`, which would write a .pyi file beside this one. Methods
    put on an object would be lost: gradio makes another one when a brush changes."""
    return ABCMeta.__new__(type(base), base.__name__, (base,), {"__module__": __name__, "is_template": True, **methods})


Canvas = derived(
    gr.ImageEditor,
    preprocess=_decode_canvas,
    postprocess=_encode_canvas,
    accept_blobs=_accept_blobs,
    blob_storage=property(lambda self: _waiting, lambda self, new: None),  # of all: gradio gives each object its own
)
Mask = derived(gr.Image, preprocess=_decode_mask)


def build_editor(label: str, brush: gr.Brush, name: str, picture: Image.Image | None) -> gr.ImageEditor:
    """A canvas to paint on, with the picture that a new page has there. It has no upload of its own: what is uploaded
    is checked first, and then put there."""
    return Canvas(
        picture and on_canvas(picture),
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
    return Mask(
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
    return {"background": picture, "layers": [], "composite": None}


def unshared(picture: Image.Image) -> Image.Image:
    """A copy that gradio writes to a file of its own.

    It writes equal pictures to one place, each time they are shown, perhaps while a browser is reading it.
    """
    copy = picture.copy()
    copy.info = {"canvas": uuid4().hex}  # part of the file, and so of its name, which is a hash
    return copy


def fresh_canvas(shelf: Shelf, pyramid: str) -> tuple[Any, ...]:
    """The canvas with the pyramid's own picture; no mask and no result."""
    with toasts():
        model = shelf.load(pyramid)
    return pyramid, on_canvas(model.training_image), None, scales(model), shown(None), shown(None)


def open_example(shelf: Shelf, path: Path) -> tuple[Any, ...]:
    """The pyramid that an example is called after, chosen, and then as `fresh_canvas`: the example and its mask."""
    name = path.stem
    with toasts():
        model = shelf.load(name)
    picture, mask = Image.open(path), unshared(Image.open(path.with_suffix(".mask.png")))
    return name, mark(shelf, name), name, on_canvas(picture), mask, scales(model), shown(None), shown(None)


def own_picture(shelf: Shelf, pyramid: str, path: str) -> tuple[Value, None]:
    """The canvas with an uploaded picture at the size of the pyramid's own, and no mask."""
    with toasts():
        model = shelf.load(pyramid)
        image, notes = open_photo(path, shelf.limits)
    show_notes(notes + size_notes(image, model))
    return on_canvas(image.resize(model.image_size[::-1], Image.Resampling.LANCZOS)), None


def any_picture(shelf: Shelf, path: str) -> Value:
    """The canvas with an uploaded picture, shrunk if it has more pixels than a canvas."""
    with toasts():
        image, notes = open_photo(path, shelf.limits)
    share = (MAX_CANVAS_PIXELS / (image.width * image.height)) ** 0.5
    if share < 1:
        size = int(share * image.width), int(share * image.height)
        notes = [*notes, f"The picture is shrunk from {image.width}x{image.height} to {size[0]}x{size[1]} px."]
        image = image.resize(size, Image.Resampling.LANCZOS)
    show_notes(notes)
    return on_canvas(image)


def open_object(path: str | None, limits: Limits) -> Image.Image:
    """An uploaded picture with its transparency, RGBA. Raises `ImageError`."""
    if path is None:
        raise ImageError("There is no object yet: upload one first.")
    open_photo(path, limits)  # which checks it; it is flattened, and here it is not
    with Image.open(path) as image:
        image.load()
        ImageOps.exif_transpose(image, in_place=True)  # a copy, and a copy of that, would be large
        return in_mode(image, "RGBA")
