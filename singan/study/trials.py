"""Which pictures a study shows: each photograph, or part of one, once, with what was generated in its place."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image

from singan.errors import ConfigError
from singan.study.design import MIN_SIDE, Settings
from singan.study.sources import Source, shrunk

QUALITY = 90  # of WebP
PRACTICE_SHARE = 5  # of so many items at most one is for practice


@dataclass(frozen=True)
class Version:
    """What stands for an item: a photograph and a generated picture, as WebP files of the same size."""

    source: Source
    real: bytes
    generated: bytes


@dataclass(frozen=True)
class Item:
    """What a participant sees once: the two pictures of one of its versions or, unpaired, one of the two."""

    photo: int  # its number
    versions: list[Version]
    practice: bool


def draw_items(
    photos: list[list[Source]], settings: Settings, on_item: Callable[[int, int], None] = lambda done, total: None
) -> list[Item]:
    """The items of a study of `photos`, each the sources of one photograph: practice first. `photos` is emptied.

    Each part of a photograph is an item once, and its generated pictures are parts of samples of their own. Raises
    `ConfigError` if parts would be too small.
    """
    chosen = choose(len(photos), settings)
    practice = min(settings.practice, len(chosen) // PRACTICE_SHARE)
    chosen = chosen[: practice + settings.trials]
    items: dict[int, Item] = {}
    for photo in range(len(photos)):
        sources = photos.pop(0)  # so that a model is forgotten when it was drawn from
        for k, (_, part) in ((k, pair) for k, pair in enumerate(chosen) if pair[0] == photo):
            versions = [_version(source, part, settings, settings.seed + k) for source in sources]
            items[k] = Item(photo, versions, k < practice)
            on_item(len(items), len(chosen))
    return [items[k] for k in sorted(items)]


def choose(photos: int, settings: Settings) -> list[tuple[int, int]]:
    """(photograph, part) of as many items as are wanted, or as there are: about equally many of each photograph."""
    rng = torch.Generator().manual_seed(settings.seed)
    order = torch.randperm(photos, generator=rng).tolist()
    parts = [torch.randperm(settings.parts, generator=rng).tolist() for _ in range(photos)]
    turns = [(photo, parts[photo][turn]) for turn in range(settings.parts) for photo in order]
    return turns[: settings.practice + settings.trials]


def _version(source: Source, part: int, settings: Settings, seed: int) -> Version:
    real, generated = (encode(cut(image, part, settings, source.model)) for image in (source.photo, source.draw(seed)))
    return Version(source, real, generated)


def cut(image: Image.Image, part: int, settings: Settings, name: str) -> Image.Image:
    """A part of the image after it was shrunk to the longest side; parts of an image are of one size."""
    image = shrunk(image, settings.longest)
    side = math.isqrt(settings.parts)
    width, height = image.width // side, image.height // side
    if settings.parts > 1 and min(width, height) < MIN_SIDE:
        limit = f"it takes {MIN_SIDE} px a side"
        raise ConfigError(f"A part of {name} is {width}x{height} px; {limit}: show it in fewer parts.")
    row, column = divmod(part, side)
    return image.crop((column * width, row * height, (column + 1) * width, (row + 1) * height))


def encode(image: Image.Image) -> bytes:
    """The picture as a WebP file with nothing but pixels in it."""
    file = io.BytesIO()
    image.save(file, "WEBP", quality=QUALITY, exif=b"", xmp=b"", icc_profile=b"")
    return file.getvalue()
