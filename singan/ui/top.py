"""The row of pyramids above the tabs, and how the tabs follow a choice there."""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context
from PIL import Image

from singan.model import SinGAN
from singan.ui.look import note
from singan.ui.shelf import KEEP_SECONDS, Shelf

# The ids of the tabs that follow when another pyramid is chosen: what they show is of it.
FOLLOWING = ("sample", "harmonize", "edit", "fill", "paint", "second-picture", "animate", "denoise", "train")

# The name of the pyramid that was clicked, told by the page, where of two clicks the second would else be left out.
CHOSEN = """async name => {
  await new Promise(done => setTimeout(done));
  return document.querySelector('#pyramids .thumbnail-item.selected .caption-label')?.textContent.trim() ?? name;
}"""

# Of what is said, a button alone is to be clicked.
PRESSED = "element.addEventListener('click', event => event.target.matches('button') && trigger('click'));"


@dataclass(frozen=True)
class Top:
    """What is above the tabs: the visitor's shelf, the name of the chosen pyramid, the pictures to click, and the
    upload of a photo with what is said of its draft. `renewed` changes when the name stays, but not what it stands
    for. `seen` has the name of the pyramid that each tab shows, by its id, `opened` the id of the tab that is seen."""

    shelf: gr.State
    name: gr.Textbox
    pictures: gr.Gallery
    upload: gr.File
    said: gr.HTML
    renewed: gr.State
    opened: gr.Textbox
    seen: dict[str, gr.Textbox]

    @property
    def here(self) -> gr.Textbox:
        """The name of the pyramid that the tab shows which is being built, to which what is in that tab listens: as
        `name`, but while another tab is seen it changes when that tab is opened, or after the first samples are drawn,
        which it would keep waiting."""
        assert isinstance(Context.block, gr.Tab)
        return self.seen[str(Context.block.id)]

    def wire(self, tabs: Iterable[gr.Tab]) -> None:
        """Let each tab follow, in the browser."""
        for tab in tabs:
            tab.select(None, None, self.opened, js=f"() => {json.dumps(tab.id)}", api_visibility="private")
        seen = list(self.seen.values())
        new = f"{json.dumps(list(self.seen))}.map((tab, k) => tab === opened ? name : seen[k])"
        given, script = [self.name, self.opened, *seen], f"(name, opened, ...seen) => {new}"
        gr.on([self.name.change, self.opened.change], None, given, seen, js=script, api_visibility="private")

    def follow(self, run: Any) -> None:
        """Let all tabs follow after a run."""
        script = f"name => Array({len(self.seen)}).fill(name)"
        run.then(None, self.name, list(self.seen.values()), js=script, api_visibility="private")

    @property
    def first(self) -> SinGAN | None:
        """The pyramid that is chosen on a new page, if any is shipped."""
        return self.shelf.value.load(self.name.value) if self.name.value else None

    @property
    def picture(self) -> Image.Image | None:
        """The picture that it learned."""
        return self.first.training_image if self.first else None


def build_top(shelf: Shelf) -> Top:
    """Make the row of pyramids; a click on one changes `Top.name`, to which the tabs listen."""
    state = gr.State(shelf, time_to_live=KEEP_SECONDS)
    names = shelf.names()
    with gr.Row(elem_id="top"):
        upload = gr.File(label="Your photo", file_types=["image"], elem_id="your-photo")
        pictures = gr.Gallery(
            shelf.pictures(),
            label="Pyramid",
            format="png",
            show_label=False,
            selected_index=0 if names else None,
            allow_preview=False,
            object_fit="cover",
            buttons=[],
            interactive=False,
            elem_id="pyramids",
            elem_classes="grow",
        )
    first = names[0] if names else ""
    said = gr.HTML(works_on(first), visible=bool(first), elem_id="said", js_on_load=PRESSED)
    name = gr.Textbox(first, label="Pyramid", visible=False)
    seen = {tab: gr.Textbox(first, visible=False) for tab in FOLLOWING}
    pictures.select(None, name, name, js=CHOSEN, api_visibility="private")
    return Top(state, name, pictures, upload, said, gr.State(""), gr.Textbox("sample", visible=False), seen)


def works_on(name: str) -> str:
    """What is said of a chosen pyramid that needs nothing else to be said."""
    return note(
        f"All tabs work on <b>{html.escape(name)}</b>. Choose another picture, or upload your photo, to work on that."
    )


def mark(shelf: Shelf, name: str) -> dict:
    """The row of pyramids with this one marked, or none if it is not there any more."""
    names = shelf.names()
    return gr.update(selected_index=names.index(name) if name in names else None)


def mark_new(shelf: Shelf, name: str) -> dict:
    """As `mark`, with the pictures of the pyramids, of which one is new."""
    return {**mark(shelf, name), "value": shelf.pictures()}


def start_range(model: SinGAN | None) -> dict[str, Any]:
    """What a slider of the coarsest scale to draw anew takes; it is seen if there are generators to choose from."""
    last = max(0, len(model.generators) - 1) if model else 0
    return {"value": 0, "maximum": max(1, last), "visible": last > 0}


def usual_settings(shelf: Shelf, name: str, model: SinGAN) -> tuple[float, bool]:
    """The variation of samples unless another is chosen, and whether mirrored parts are in them: those of a visitor's
    own photo may have writing in them, and its first draft is to be there soon."""
    return model.config.usual_variation, name in shelf.shipped()
