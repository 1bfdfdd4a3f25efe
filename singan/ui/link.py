"""Links that open the page with the same samples: a shipped model, the seed and the settings, in the address."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

import gradio as gr

from singan.errors import ConfigError
from singan.ui.frame import PRIVATE, SILENT
from singan.ui.shelf import Shelf
from singan.ui.toasts import toasts
from singan.ui.top import Top, mark, usual_settings
from singan.ui.work import MAX_SEED, NO_SAMPLE, open_sample

MAX_SAMPLES = 16
BROKEN = "The address is no link of this app: it names a model that is not here, or a setting out of its range."
SHOW = """query => {
  const address = new URL(location.href);
  address.search = query;
  history.replaceState(null, '', address);
  navigator.clipboard?.writeText(address.href).catch(() => {});
  return address.href;
}"""


class Linked(NamedTuple):
    """What a link opens."""

    model: str
    seed: int
    variation: float
    number: int
    flips: bool
    rising: bool


class Controls(NamedTuple):
    """What is set by a link: the widgets of the tab Sample, and the state that holds what is usual for the model."""

    seed: Any
    new_seed: Any
    variation: Any
    rising: Any
    flips: Any
    number: Any
    usual: Any


def build_link(top: Top, samples: gr.Gallery) -> gr.Row:
    """Make the button, and where its address is shown: the row of both."""
    with gr.Row() as row:
        button = gr.Button("Link to these", size="sm", min_width=120, scale=0)
        address = gr.Textbox(
            label="Address", show_label=False, interactive=False, visible=False, buttons=["copy"], elem_id="address"
        )
    made = button.click(make_link, [top.shelf, samples], address, **SILENT)
    made.success(None, address, address, js=SHOW, **PRIVATE)
    return row


def wire_link(back: Any, top: Top, controls: Controls, samples: gr.Gallery) -> None:
    """Open the link that the page was opened by, once what the visitor had is `back`: a model that changes is drawn."""
    outputs = [samples, top.name, top.renewed, top.pictures, *controls]
    back.then(open_link, [top.shelf, top.name], outputs, **SILENT)


def make_link(shelf: Shelf, pictures: list[tuple[str, str]] | None) -> dict:
    """The query of the address of these samples, in its box: by what their files hold, whatever is set by now."""
    with toasts():
        if not pictures:
            raise ConfigError("There are no samples yet: draw some first.")
        with open_sample(pictures[0][0]) as image, open_sample(pictures[-1][0]) as last:
            facts, size, end = image.info, (image.height, image.width), last.info
        name = str(facts.get("model"))
        if name not in shelf.shipped():
            raise ConfigError("A link holds no photo: it can open the models that come with this app, and no others.")
        if size != shelf.load(name).image_size or {"tile", "mirror"} & facts.keys() or facts.get("start_scale") != "0":
            raise ConfigError("A link holds no size, tile, mirror image or start scale: draw samples without them.")
        try:
            rising = facts["variation"] != end["variation"]
            settings = int(facts["seed"]), float(facts["variation"]), len(pictures), "flips" in facts, rising
        except (KeyError, ValueError):
            raise ConfigError(NO_SAMPLE) from None
    return gr.update(value=urlencode(Linked(name, *settings)._asdict()), visible=True)


def linked(shelf: Shelf, query: Mapping[str, str]) -> Linked | None:
    """What a query opens; None if it is of no link. Raises `ConfigError` if anything in it is not as it is made."""
    if "model" not in query:
        return None
    try:
        told = [{"True": True, "False": False}[query.get(name, "False")] for name in ("flips", "rising")]  # older: none
        found = Linked(query["model"], int(query["seed"]), float(query["variation"]), int(query["number"]), *told)
    except (KeyError, ValueError):
        raise ConfigError(BROKEN) from None
    sound = 0 <= found.seed <= MAX_SEED and 1 <= found.number <= MAX_SAMPLES and 0 <= found.variation <= 1
    if found.model not in shelf.shipped() or not sound:
        raise ConfigError(BROKEN)
    return found


def is_linked(shelf: Shelf, request: gr.Request | None) -> bool:
    """Was the page opened by a link that can be?"""
    try:
        return request is not None and linked(shelf, request.query_params) is not None
    except ConfigError:
        return False


def open_link(shelf: Shelf, pyramid: str, request: gr.Request) -> tuple[Any, ...]:
    """No samples yet, the model of the link, and its settings; nothing changes without one."""
    with toasts():
        found = linked(shelf, request.query_params)
        if found is None:
            return (gr.skip(),) * 11
        usual = usual_settings(shelf, found.model, shelf.load(found.model))
    chosen = (gr.skip(), secrets.token_hex(8)) if found.model == pyramid else (found.model, gr.skip())
    settings = Controls(found.seed, False, found.variation, found.rising, found.flips, found.number, usual)
    return None, *chosen, mark(shelf, found.model), *settings
