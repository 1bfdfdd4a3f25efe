"""The pyramids that a visitor can choose from, and what the tabs share."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from singan.checkpoint import describe
from singan.errors import CheckpointError, SinGANError
from singan.model import SinGAN
from singan.ui import zerogpu
from singan.ui.limits import Limits

COMPUTE: dict[str, Any] = {"concurrency_id": "compute", "concurrency_limit": 1}  # one heavy run at a time
KEEP_SECONDS = 3600  # how long pyramids, runs and files are kept after their last use
KEEP_OWN = 3  # pyramids of one visitor in memory
MAX_MODEL_BYTES = 60_000_000  # in memory, of one from outside; `best` at 1000 px takes a fifth


@dataclass(frozen=True)
class Shelf:
    """The shipped pyramids, one a subdirectory of `directory`, and those that one visitor trained or brought along."""

    directory: Path
    limits: Limits = field(default_factory=Limits)
    own: Mapping[str, SinGAN] = field(default_factory=dict)

    def names(self) -> list[str]:
        """All names, the newest of the visitor's own first."""
        shipped = sorted(path.parent.name for path in self.directory.glob("*/config.json"))
        return [*reversed(list(self.own)), *shipped]

    def load(self, name: str) -> SinGAN:
        """The pyramid of that name. Raises `CheckpointError` if there is none, or if it is damaged."""
        if name in self.own:
            return self.own[name]
        if name not in self.names():
            raise CheckpointError(
                f"There is no pyramid {name!r}; choose another one. "
                "One of your own is dropped after an hour: train or load it again."
            )
        return _load(self.directory / name)

    def add(self, name: str, model: SinGAN) -> tuple[Shelf, str]:
        """This shelf with one more pyramid of the visitor's own, and the name it got, which may carry a number."""
        taken, number, unique = self.names(), 1, name
        while unique in taken:
            number += 1
            unique = f"{name} {number}"
        kept = list(self.own.items())[-KEEP_OWN + 1 :]
        return replace(self, own={**dict(kept), unique: model}), unique

    def pictures(self) -> list[tuple[Image.Image | Path, str]]:
        """A picture of each pyramid, captioned with its name."""
        shown: dict[str, Image.Image | Path] = {name: self.directory / name / "preview.png" for name in self.names()}
        shown |= {name: model.reconstruct() for name, model in self.own.items()}
        return [(picture, name) for name, picture in shown.items()]


@lru_cache(maxsize=8)
def _load(directory: Path) -> SinGAN:
    return SinGAN.from_pretrained(directory, device=zerogpu.DEVICE)


def plain_name(text: str) -> str:
    """What a pyramid is called that was made from something of this name; part of the names of files."""
    return " ".join(text.split())[:60].strip(". ") or "photo"


def load_own(folder: Path, called: str) -> SinGAN:
    """A model that came from outside. Raises `CheckpointError`, which does not tell where it lies on the server."""
    try:
        described = describe(folder)
        size = 4 * (described.num_parameters + 3 * math.prod(described.learned_size or described.scale_sizes[-1]))
        if size > MAX_MODEL_BYTES:
            raise CheckpointError(
                f"it takes {size / 1e6:.0f} MB, and this app takes up to {MAX_MODEL_BYTES / 1e6:.0f}."
            )
        return SinGAN.from_pretrained(folder, device=zerogpu.DEVICE)
    except CheckpointError as error:
        raise CheckpointError(f"{called} cannot be used: {str(error).replace(f'{folder}/', '')}") from None


@dataclass(frozen=True)
class Top:
    """What is above the tabs: the visitor's shelf, the name of the chosen pyramid, the pictures to click."""

    shelf: gr.State
    name: gr.Textbox
    pictures: gr.Gallery


def build_top(shelf: Shelf) -> Top:
    """Make the row of pyramids; a click on one changes `Top.name`, to which the tabs listen."""
    state = gr.State(shelf, time_to_live=KEEP_SECONDS)
    names = shelf.names()
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
    name = gr.Textbox(names[0] if names else "", label="Pyramid", visible=False)
    pictures.select(choose, None, name, queue=False, api_visibility="private")
    return Top(state, name, pictures)


def choose(event: gr.SelectData) -> str:
    """The name of the pyramid that was clicked."""
    return event.value["caption"]


@contextmanager
def toasts() -> Iterator[None]:
    """Show a `SinGANError` as a toast, which takes it for HTML; it may quote the name of an uploaded file."""
    try:
        yield
    except SinGANError as error:
        raise gr.Error(html.escape(str(error)), print_exception=False) from error
