"""From a result to the next tab with one click: it becomes a photo of the visitor's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from singan.errors import ImageError
from singan.ui.frame import PRIVATE, SILENT
from singan.ui.photo import draft
from singan.ui.shelf import QUICK, Shelf
from singan.ui.toasts import toasts
from singan.ui.top import Top, mark_new

GOES = {"super-resolution": "Enlarge it", "edit": "Edit it", "fill": "Fill it", "animate": "Animate it"}  # tab: button
# Which picture of a gallery was clicked, told by the page: by way of the server it was known some time after the click.
SELECTED = """async () => {
  await new Promise(done => setTimeout(done));
  const pictures = [...document.querySelectorAll('#ID .thumbnail-item')];
  return Math.max(0, pictures.findIndex(picture => picture.classList.contains('selected')));
}"""


@dataclass(frozen=True)
class Chain:
    """The buttons under a result, by the tab that they lead to; `path` makes its file of the values of `inputs`."""

    buttons: dict[str, gr.Button]
    inputs: list[Any]
    path: Callable[..., str | None]


def build_chain(inputs: list[Any], path: Callable[..., str | None], here: str) -> Chain:
    """Make the buttons under a result of the tab `here`."""
    with gr.Row(elem_classes="chain"):
        buttons = {tab: gr.Button(label, size="sm", min_width=80) for tab, label in GOES.items() if tab != here}
    return Chain(buttons, inputs, path)


def build_gallery_chain(gallery: gr.Gallery, here: str) -> Chain:
    """The buttons under a gallery: they take the picture that was clicked, or the first one."""
    number = gr.Number(0, precision=0, visible=False)
    seen = [gallery.select, gallery.change]  # of other pictures another one may be shown, though none was clicked
    gr.on(seen, None, None, number, js=SELECTED.replace("ID", str(gallery.elem_id)), **PRIVATE)
    return build_chain([gallery, number], nth, here)


def nth(pictures: list[tuple[str, str]] | None, number: int) -> str | None:
    """The file of that picture of a gallery; of the first one, if there are not so many any more."""
    if not pictures:
        return None
    return pictures[number if 0 <= number < len(pictures) else 0][0]


def second(pair: tuple[str, str] | None) -> str | None:
    """The file of the result, of a slider of before and after."""
    return pair[1] if pair else None


def wire_chain(chain: Chain, top: Top, tabs: gr.Tabs, small: gr.File) -> None:
    """`small`: where the tab Super-resolution has the picture that it enlarges."""

    def file(*values: Any) -> str:
        with toasts():
            path = chain.path(*values)
            if path is None:
                raise ImageError("There is no result to go on with yet.")
            return path

    def to_photo(shelf: Shelf, *values: Any) -> tuple[Shelf, str]:
        return draft(shelf, file(*values))

    for tab, button in chain.buttons.items():
        if tab == "super-resolution":
            taken = button.click(file, chain.inputs, small, **SILENT)
        else:
            taken = button.click(to_photo, [top.shelf, *chain.inputs], [top.shelf, top.name], **QUICK, **SILENT)
            taken.success(mark_new, [top.shelf, top.name], top.pictures, **SILENT)
        taken.success(lambda tab=tab: gr.Tabs(selected=tab), None, tabs, queue=False, **PRIVATE)
