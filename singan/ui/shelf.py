"""The pyramids that a visitor can choose from, and what the tabs share."""

from __future__ import annotations

import html
import io
import json
import math
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.context import Context, LocalContext
from gradio.state_holder import SessionState
from PIL import Image

from singan.errors import CheckpointError, SinGANError
from singan.limits import Limits
from singan.model import SinGAN
from singan.storage.checkpoint import describe
from singan.ui import zerogpu
from singan.ui.look import note
from singan.ui.uploads import stored

LONG: dict[str, Any] = {"concurrency_id": "long", "concurrency_limit": 1}  # what trains, or draws very many samples
SHORT: dict[str, Any] = {"concurrency_id": "short", "concurrency_limit": 1}  # what takes seconds, behind no training
QUICK: dict[str, Any] = {"concurrency_id": "quick", "concurrency_limit": 1}  # what takes one at most, behind no drawing
KEEP_SECONDS = 3600  # how long pyramids, runs and files are kept after their last use
KEEP_OWN = 3  # pyramids of one visitor in memory
KEEP_PATCHES = 8  # visitors' pyramids, the last used ones, that keep their patches in memory,
PATCH_BYTES = 150_000_000  # and of these as many as these bytes hold: 100 MB each, about
OWN_BYTES = 200_000_000  # of all visitors' pyramids together
MAX_PHOTO_PIXELS = 2048 * 2048  # of the photos of one pyramid together
MAX_MODEL_BYTES = 60_000_000  # in memory, of one that was trained here, or is from outside; so many pixels take 50
FIRST = "tea-gardens"  # of the shipped ones that which a new page shows: what is new in its samples is seen at once
PICTURE_SIDE = 256  # of the pictures to click
# The ids of the tabs that follow when another pyramid is chosen: what they show is of it.
FOLLOWING = ("sample", "harmonize", "edit", "fill", "paint", "second-picture", "animate", "denoise", "train")

# The name of the pyramid that was clicked, told by the page, where of two clicks the second would else be left out.
CHOSEN = """async name => {
  await new Promise(done => setTimeout(done));
  return document.querySelector('#pyramids .thumbnail-item.selected .caption-label')?.textContent.trim() ?? name;
}"""
_owned: OrderedDict[int, weakref.ref[Own]] = OrderedDict()  # the visitors' pyramids, the last used one last
_owned_lock = threading.Lock()


class Own:
    """A visitor's pyramid, for as long as it is among those that were used last of all visitors'. What computes with it
    holds it meanwhile; it is gone when nobody has it on a shelf any more."""

    def __init__(self, model: SinGAN) -> None:
        self._model: SinGAN | None = model
        self.used = 0.0  # when it was last
        self.kept = False  # for when the page is opened again
        self.use()

    @property
    def model(self) -> SinGAN | None:
        """None once it had to give way."""
        return self._model

    def use(self) -> None:
        """It is the one used last now; others give way, or lose their patches, which are made again when needed."""
        self.used = time.monotonic()
        with _owned_lock:
            for key, ref in list(_owned.items()):
                if ref() in (self, None):
                    del _owned[key]
            _owned[id(self)] = weakref.ref(self)
            kept = [own for own in (ref() for ref in reversed(_owned.values())) if own is not None and own._model]
            weights, patches = 0, 0
            for k, own in enumerate(kept):
                assert own._model is not None
                weights += model_bytes(own._model)
                patches += sum(one.nbytes for one in list(own._model._patches.values()))  # others add to it
                if k > 0 and (k >= KEEP_PATCHES or patches > PATCH_BYTES):
                    own._model.to(own._model.device)  # which drops them
                if k > 0 and weights > OWN_BYTES:
                    own._model = None


def model_bytes(model: SinGAN) -> int:
    """What its weights and its photographs take in memory, about."""
    return 4 * model.num_parameters + sum(photo.nbytes for photo in (model.photo, *model.others))


@dataclass(frozen=True)
class Shelf:
    """The shipped pyramids, one a subdirectory of `directory`, and those that one visitor made or brought along.

    `photos`: the files that drafts were made of.
    """

    directory: Path
    limits: Limits = field(default_factory=Limits)
    own: Mapping[str, Own] = field(default_factory=dict)
    photos: Mapping[str, list[Path]] = field(default_factory=dict)

    def names(self) -> list[str]:
        """All names, the newest of the visitor's own first."""
        return [*(name for name in reversed(list(self.own)) if self.own[name].model), *self.shipped()]

    def shipped(self) -> list[str]:
        """The names of those that came with the app; that which a new page shows comes first."""
        names = (path.parent.name for path in self.directory.glob("*/config.json"))
        return sorted(names, key=lambda name: (name != FIRST, name))

    def load(self, name: str) -> SinGAN:
        """The pyramid of that name. Raises `CheckpointError` if there is none, or if it is damaged."""
        model = self._mine(name)
        if model is not None:
            self.own[name].use()
            _keep_states()
            return model
        if name not in self.names():
            raise CheckpointError(
                f"There is no pyramid {name!r}; choose another one. One of your own is dropped after an hour, or when "
                "many are here: reload the page, or upload, train or load it again."
            )
        return _load(self.directory / name)

    def add(self, name: str, model: SinGAN, photos: list[Path] | None = None) -> tuple[Shelf, str]:
        """This shelf with one more pyramid of the visitor's own, and the name it got, which may carry a number."""
        taken, number, unique = self.names(), 1, name
        while unique in taken:
            number += 1
            unique = f"{name} {number}"
        for gone in list(self.own.values())[: -KEEP_OWN + 1]:
            gone.used = 0.0  # before all others, where they are kept
        own = dict([*list(self.own.items())[-KEEP_OWN + 1 :], (unique, Own(model))])
        files = {**self.photos, **({unique: photos} if photos else {})}
        return replace(self, own=own, photos={one: files[one] for one in own if one in files}), unique

    def put(self, name: str, model: SinGAN, photos: list[Path] | None = None) -> tuple[Shelf, str]:
        """As `add`, but a draft gives way to another one of its photo, and a pyramid of fewer generators to one that
        goes on from there."""
        old = self._mine(name)
        if old is None or not _same_photo(old, model):
            return self.add(name, model, photos)
        before, after = len(old.generators), len(model.generators)
        if (before, old.info, old.noise_amps) == (after, model.info, model.noise_amps):
            return self, name  # it is there already
        if before >= max(1, after):
            return self.add(name, model, photos)
        kept = {one: other for one, other in self.own.items() if one != name}
        files = {**self.photos, **({name: photos} if photos else {})}
        return replace(self, own={**kept, name: Own(model)}, photos=files), name

    def is_draft(self, name: str) -> bool:
        """Is that one of the visitor's own, without any training?"""
        model = self._mine(name)
        return model is not None and not model.generators

    def _mine(self, name: str) -> SinGAN | None:
        """The visitor's own pyramid of that name, if there is one that has not had to give way."""
        return self.own[name].model if name in self.own else None

    def pictures(self) -> list[tuple[str, str]]:
        """The file of a picture of each pyramid, captioned with its name."""
        shown = []
        for name in self.names():
            model = self._mine(name)
            if model or name not in self.own:  # it may have had to give way just now
                png = _small(model.training_image) if model else _preview(self.directory / name)
                shown.append((stored(png), name))
        return shown


def session() -> str | None:
    """The session that this call belongs to, if it is one."""
    return getattr(LocalContext.request.get(None), "session_hash", None)


def _states() -> SessionState | None:
    """What gradio keeps of the session that this call belongs to, if it is one."""
    blocks, name = LocalContext.blocks.get(None), session()
    if blocks is None or name is None or name not in blocks.state_holder:
        return None
    return blocks.state_holder[name]


def present(shelf: Shelf) -> Shelf:
    """The shelf of this session as it is now, for what puts something on it: since a call was given its own one, a
    shorter one may have put something there. `shelf` itself where there is no session."""
    states = _states()
    there = list(states.state_data.values()) if states else []
    return next((state for state in there if isinstance(state, Shelf)), shelf)


def _keep_states() -> None:
    """Let the states of this session, which gradio keeps for some time after they were set, be kept so long from now:
    by when that was, as to set them again could undo what another call sets."""
    states = _states()
    if states:
        for key, (seconds, _) in list(states._state_ttl.items()):
            states._state_ttl[key] = seconds, datetime.now()


def _same_photo(one: SinGAN, other: SinGAN) -> bool:
    """Were both made of the same photo, as far as can be told? They may keep it at different sizes."""
    if one.info.get("source_size") != other.info.get("source_size"):
        return False
    return one.photo_size != other.photo_size or bool(one.photo.equal(other.photo.to(one.device)))


@lru_cache(maxsize=8)
def _load(directory: Path) -> SinGAN:
    return SinGAN.from_pretrained(directory, device=zerogpu.DEVICE)


@lru_cache(maxsize=64)
def _preview(directory: Path) -> bytes:
    """The picture of a shipped pyramid; not its file, which gradio serves only to an app that was started beside it."""
    with Image.open(directory / "preview.png") as picture:
        return _small(picture.convert("RGB"))


def _small(picture: Image.Image) -> bytes:
    png = io.BytesIO()
    picture.thumbnail((PICTURE_SIDE, PICTURE_SIDE), Image.Resampling.LANCZOS)
    picture.save(png, "PNG")
    return png.getvalue()


def plain_name(text: str) -> str:
    """What a pyramid is called that was made from something of this name; part of the names of files. Without what is
    not seen, such as marks that turn the direction of writing: with one, a name may look like another."""
    seen = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(seen.split())[:60].strip(". ") or "photo"


def load_own(folder: Path, called: str) -> SinGAN:
    """A model that came from outside. Raises `CheckpointError`, which does not tell where it lies on the server."""
    try:
        described = describe(folder)
        photos = [described.photo_size or described.scale_sizes[-1], *described.other_sizes]
        size = 4 * (described.num_parameters + 3 * sum(map(math.prod, photos)))
        if size > MAX_MODEL_BYTES:
            raise CheckpointError(
                f"it takes {size / 1e6:.0f} MB, and this app takes up to {MAX_MODEL_BYTES / 1e6:.0f}."
            )
        return SinGAN.from_pretrained(folder, device=zerogpu.DEVICE)
    except CheckpointError as error:
        raise CheckpointError(f"{called} cannot be used: {str(error).replace(f'{folder}/', '')}") from None


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
    said = gr.HTML(works_on(first), visible=bool(first), elem_id="said")
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


@contextmanager
def toasts() -> Iterator[None]:
    """Show a `SinGANError` as a toast, which takes it for HTML; it may quote the name of an uploaded file."""
    try:
        yield
    except SinGANError as error:
        raise gr.Error(html.escape(str(error)), print_exception=False) from error


def show_dropped(before: Shelf, after: Shelf) -> None:
    """Say which pyramids of the visitor's own gave way to newer ones."""
    gone = [name for name in before.own if name not in after.own and len(after.own) >= len(before.own)]
    show_notes(f"{name!r} gave way: {KEEP_OWN} of your own are kept here." for name in gone)


def show_notes(notes: Iterable[str]) -> None:
    """Show notes as toasts."""
    for text in notes:
        gr.Info(html.escape(text))
