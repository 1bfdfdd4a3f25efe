"""What is judged: photographs, and what models, or folders of pictures, have in place of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from singan.errors import ConfigError, ImageError, shortened
from singan.files import IMAGES
from singan.image import load_image
from singan.model import SinGAN
from singan.storage.card import preset_of
from singan.study.design import MAX_NAME, is_name

SAME = 4.0  # of 255: two pictures whose thumbnails differ by less on average are of one photograph
THUMBNAIL = 16  # pixels a side
MAX_PICTURES = 200  # in a folder: all are read
STRETCH = 0.02  # by which the shapes of a photograph and what is generated in its place may differ


@dataclass(frozen=True)
class Source:
    """A photograph, RGB, and what draws pictures in its place: `draw` of a seed gives one of the photograph's size.

    `method`: whose pictures are judged together, a preset or a folder. `start_scale`, `variation`: those of the
    sampling, None where there is no such thing. `credit`: title, author and licence of the photograph.
    """

    photo: Image.Image
    draw: Callable[[int], Image.Image]
    method: str
    model: str
    start_scale: int | None = None
    variation: float | None = None
    credit: str = ""


def of_model(
    model: SinGAN, name: str, start_scales: Sequence[int] = (0,), variations: Sequence[float | None] = (None,)
) -> list[Source]:
    """The samples of a model: of each start scale, and at scale 0 of each variation; None is the model's usual one.

    Raises `ConfigError` for a start scale or variation that the model does not have.
    """
    photo, method, credit = model.training_image, preset_of(model.config), _credit(model)
    usual = model.config.usual_variation
    found = []
    for scale in dict.fromkeys(start_scales):
        # From a finer scale on there is no layout to vary.
        for share in dict.fromkeys(usual if v is None else v for v in variations) if scale == 0 else [None]:
            try:
                model.check_sampling(1, None, scale, usual if share is None else share, 0)
            except ConfigError as error:
                raise ConfigError(f"{name}: {error}") from None
            found.append(Source(photo, _sampler(model, scale, share), method, name, scale, share, credit))
    return found


def of_folders(real: Path, generated: Sequence[Path], longest: int) -> tuple[list[Source], list[str]]:
    """The pictures of each folder `generated` beside those of the same names, whatever their endings, in `real`; and
    the names in `real` that none of them has.

    The photograph is brought to the size of the generated picture, and both down to the `longest` side. Raises
    `ConfigError` for a folder that is missing or empty, or a generated picture without a photograph, `ImageError` for
    one that cannot be read or has another shape.
    """
    photos, found = _pictures(real), []
    for folder in generated:
        for name, path in _pictures(folder).items():
            if name not in photos:
                raise ConfigError(f"{path} has no photograph: {real} holds no picture called {name}.")
            image = load_image(path)
            photo = shrunk(_at_size_of(image, load_image(photos[name]), path), longest)
            image = shrunk(image, longest)
            found.append(Source(photo, _always(image), folder.resolve().name, name))
    return found, sorted(set(photos) - {source.model for source in found})


def shrunk(image: Image.Image, longest: int) -> Image.Image:
    """The image with sides of at most so many pixels."""
    image = image.copy()
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    return image


def same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether what has these sizes, (width, height), can be of one photograph at two sizes."""
    return abs(one[0] * other[1] / (one[1] * other[0]) - 1) <= STRETCH


def by_photo(sources: Sequence[Source]) -> list[list[Source]]:
    """The sources of each photograph, by what it looks like: at two sizes it is still the same.

    Raises `ConfigError` if two cannot be told apart by what they are called, or one is called what answers cannot hold.
    """
    groups: list[tuple[np.ndarray, list[Source]]] = []
    known: set[tuple[object, ...]] = set()
    for source in sources:
        for name in (source.method, source.model):
            if not is_name(name):
                raise ConfigError(f"{shortened(name)} is no name for a study, one line of at most {MAX_NAME} letters.")
        called = source.method, source.model, source.start_scale, source.variation
        if called in known:
            raise ConfigError(f"Two models of {source.method} are called {source.model}: rename one, or leave it out.")
        known.add(called)
        small = source.photo.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        look = np.asarray(small, np.float32)
        group = next((group for other, group in groups if np.abs(look - other).mean() < SAME), None)
        if group is None:
            groups.append((look, [source]))
        else:
            group.append(source)
    return [group for _, group in groups]


def _sampler(model: SinGAN, start_scale: int, variation: float | None) -> Callable[[int], Image.Image]:
    return lambda seed: model.sample(1, start_scale=start_scale, variation=variation, seed=seed)[0]


def _always(image: Image.Image) -> Callable[[int], Image.Image]:
    return lambda seed: image


def _credit(model: SinGAN) -> str:
    photo = model.info.get("photo", {})
    return ", ".join(photo[name] for name in ("title", "author", "license") if name in photo)


def _pictures(folder: Path) -> dict[str, Path]:
    """The pictures in a folder by name, without their endings."""
    if not folder.is_dir():
        raise ConfigError(f"{folder} is no folder: give one with pictures.")
    found: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGES and path.is_file()):
        if path.stem in found:
            raise ConfigError(f"{folder} holds {found[path.stem].name} and {path.name}: leave one of the two.")
        found[path.stem] = path
    if len(found) > MAX_PICTURES:
        raise ConfigError(f"{folder} holds {len(found)} pictures; the limit is {MAX_PICTURES}: take some out.")
    if not found:
        raise ConfigError(f"{folder} holds no picture whose name ends in {', '.join(IMAGES)}.")
    return found


def _at_size_of(image: Image.Image, photo: Image.Image, path: Path) -> Image.Image:
    """`photo` at the size of `image`, that of `path`."""
    (width, height), (w, h) = image.size, photo.size
    if not same_shape(image.size, photo.size):
        raise ImageError(f"{path} is {width}x{height} px and its photograph {w}x{h}: give pictures of one shape.")
    return photo if image.size == photo.size else photo.resize(image.size, Image.Resampling.LANCZOS)
