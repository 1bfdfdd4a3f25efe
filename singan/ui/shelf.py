"""The pyramids that a visitor can choose from: the shipped ones, and the visitor's own, which are kept for a while."""

from __future__ import annotations

import io
import math
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from gradio.context import LocalContext
from gradio.state_holder import SessionState
from PIL import Image

from singan.errors import CheckpointError
from singan.limits import Limits
from singan.model import SinGAN
from singan.storage.checkpoint import describe
from singan.ui import zerogpu
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
