"""Several photos at once: a draft whose samples mix them, in a fold under the tabs."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

from singan.errors import ConfigError, shortened
from singan.training.loop import draft as make_draft
from singan.ui import zerogpu
from singan.ui.frame import SILENT
from singan.ui.photo import open_photo
from singan.ui.shelf import QUICK, Shelf, plain_name, present
from singan.ui.toasts import show_dropped, show_notes, toasts
from singan.ui.top import Top, mark_new
from singan.ui.uploads import MAX_FILES


def build(top: Top) -> None:
    """Make the fold. What is mixed becomes the visitor's own, and chosen."""
    with gr.Accordion("Mix several photos", open=False, elem_id="mix"), gr.Row(equal_height=False):
        photos = gr.File(
            label=f"2 to {MAX_FILES} photos: samples have the first one's size",
            file_count="multiple",
            file_types=["image"],
            height=140,
            elem_id="mix-photos",
            scale=2,
        )
        with gr.Column(min_width=260):
            shares = gr.Textbox(
                label="Shares", placeholder="2, 1, 1", info="How much of each; empty: the same.", max_length=100
            )
            go = gr.Button("Mix them", variant="primary")
    mixed = go.click(mix, [top.shelf, photos, shares], [top.shelf, top.name], **QUICK, api_name="mix")
    mixed.success(mark_new, [top.shelf, top.name], top.pictures, **SILENT)


def mix(shelf: Shelf, photos: list[str] | None, shares: str = "") -> tuple[Shelf, str]:
    """Make a draft of several photos for this session, without training: samples mix them. Gives the name it has here.

    Parameters:
        photos: the files of 2 to 4 photos; the first gives samples their size, and is what the tasks work on
        shares: how much of a sample is of each photo, as numbers in proportion to one another; empty: the same of all
    """
    with toasts():
        files = [Path(photo) for photo in photos or []]
        if not 2 <= len(files) <= MAX_FILES:
            raise ConfigError(f"There are {len(files)} photos: upload 2 to {MAX_FILES}.")
        opened = [open_photo(file, shelf.limits) for file in files]
        model = make_draft([image for image, _ in opened], shares=_numbers(shares), device=zerogpu.DEVICE)
        name = " + ".join(plain_name(file.stem) for file in files)
        shelf = present(shelf)
        put = shelf.add(plain_name(name), model, photos=files)
    show_notes(text for _, notes in opened for text in notes)
    show_dropped(shelf, put[0])
    return put


def _numbers(text: str) -> list[float] | None:
    """Raises `ConfigError` unless they are numbers between commas or spaces; None if there are none."""
    try:
        return [float(one) for one in text.replace(",", " ").split()] or None
    except ValueError:
        raise ConfigError(f"Shares are {shortened(text)}: give a number for each photo, as in 2, 1, 1.") from None
