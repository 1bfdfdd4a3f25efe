"""A visitor's own photo: checked, and made a draft, on which all tabs work at once."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from singan.errors import ImageError
from singan.image import FORMATS, read_image
from singan.limits import Limits
from singan.training.loop import draft as make_draft
from singan.ui import zerogpu
from singan.ui.frame import PRIVATE, SILENT
from singan.ui.look import note
from singan.ui.shelf import QUICK, Shelf, plain_name, present
from singan.ui.toasts import show_dropped, show_notes, toasts
from singan.ui.top import Top, mark_new, works_on

UPLOADED = tuple(known for known in FORMATS if known != "JPEG2000")  # which takes twenty bytes a pixel to decode


def build(top: Top) -> None:
    """Wire the upload above the tabs, and the line under it."""
    taken = take(top, top.upload, api_name="draft")
    for ended in (taken.success, taken.failure):  # ready for the next one
        ended(lambda: None, None, top.upload, queue=False, **PRIVATE)
    gr.on(
        [top.name.change, top.renewed.change],
        tell,
        [top.shelf, top.name],
        top.said,
        **SILENT,
    )


def take(top: Top, upload: gr.File, **options: Any) -> Any:
    """Make a draft of what is uploaded there, and choose it. Returns the event."""
    event = upload.upload(draft, [top.shelf, upload], [top.shelf, top.name], **QUICK, **options)
    event.success(mark_new, [top.shelf, top.name], top.pictures, **SILENT)
    return event


def draft(shelf: Shelf, photo: str | None) -> tuple[Shelf, str]:
    """Make a draft of a photo for this session, without training: every call works on it. Gives the name it has here.

    Parameters:
        photo: the file of the photo
    """
    with toasts():
        if photo is None:
            raise ImageError("There is no photo yet: upload one first.")
        image, notes = open_photo(photo, shelf.limits)
        model = make_draft(image, device=zerogpu.DEVICE)
        shelf = present(shelf)
        put = shelf.put(plain_name(Path(photo).stem), model, photos=[Path(photo)])
    show_notes(notes)
    show_dropped(shelf, put[0])
    return put


def tell(shelf: Shelf, pyramid: str) -> dict:
    """What all tabs work on, and how to change that; of a draft, how to go further."""
    if not shelf.is_draft(pyramid):
        return gr.update(value=works_on(pyramid), visible=bool(pyramid))
    name = f"<b>{html.escape(pyramid)}</b>"
    text = f"{name} is a draft, made without training. All tabs work on it now."
    if shelf.limits.allow_training:
        text += " <button type='button'>Train</button> learns its layout in ten seconds."
    return gr.update(value=note(text), visible=True)


def open_photo(photo: str | Path, limits: Limits) -> tuple[Image.Image, list[str]]:
    """The uploaded photo as RGB, and what has to be said of it. Raises `ImageError`."""
    pixels = int(limits.max_upload_megapixels * 1e6)
    return read_image(photo, name=Path(photo).name, max_pixels=pixels, formats=UPLOADED)
