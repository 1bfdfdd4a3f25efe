"""`singan score`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from singan.cli.common import AsJson, print_json
from singan.cli.results import load_model, progress_bar, timed
from singan.errors import ConfigError, ImageError, ImageWarning
from singan.files import PHOTOS
from singan.version import __version__

if TYPE_CHECKING:
    from PIL import Image

    from singan.metrics import Inception, NaturalScenes


def score(
    real: Annotated[str, typer.Argument(metavar="REAL", help="The photo, or a model of it; with --pairs, a folder.")],
    samples: Annotated[list[Path], typer.Argument(metavar="SAMPLES...", help="Samples, or folders of them.")],
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Each sample against the image of its name in REAL; adds rmse, psnr, ssim.")
    ] = False,
    only: Annotated[str | None, typer.Option(metavar="NAMES", help="These scores alone, as diversity,swd.")] = None,
    inception: Annotated[Path | None, typer.Option(help="Weights of Inception, for sifid (docs/metrics.md).")] = None,
    niqe: Annotated[Path | None, typer.Option(help="Parameters of NIQE, for niqe (docs/metrics.md).")] = None,
    as_json: AsJson = False,
) -> None:
    """Score samples against the photo: how they vary, how near they are to it, and how much is copied."""
    from singan import metrics
    from singan.tasks.injection import TaskEvent

    names = [name.strip() for name in only.split(",")] if only else None
    with timed("score", as_json) as result, progress_bar(as_json) as on_event:
        files = _images(samples)
        truths = _partners(Path(real), files) if pairs else []
        images = [_opened(path) for path in files]
        photo = [_opened(path) for path in truths] if pairs else _photo(real, images)
        if isinstance(photo, list):
            _check_sizes(photo, images, files, names)
        options: dict[str, Any] = {"weights": _weights(inception, names), "scenes": _scenes(niqe, names), "only": names}
        options["on_sample"] = lambda done, total: on_event(TaskEvent(done, total, "sample"))
        found = metrics.score(photo, images, **options)
    if as_json:
        of = {"real": real, "samples": [str(path) for path in files]}
        print_json({**result, **of, **found.as_dict(), "singan": __version__})
    else:
        typer.echo(found.table())


def _weights(path: Path | None, names: Sequence[str] | None) -> Inception | None:
    """For sifid: from `path`, or else from where they are usually kept."""
    from singan.metrics.inception import FILE, Inception, find_weights
    from singan.storage.hub import cached

    if names and not {"sifid", "sifid-64"} & set(names):
        return None
    found = find_weights(path) or cached(FILE)
    return Inception.load(found) if found else None


def _scenes(path: Path | None, names: Sequence[str] | None) -> NaturalScenes | None:
    """For niqe."""
    from singan.metrics.niqe import NaturalScenes, find_parameters

    found = find_parameters(path)
    return NaturalScenes.load(found) if found and (not names or "niqe" in names) else None


def _photo(real: str, images: Sequence[Image.Image]) -> Image.Image:
    """The image of that file, shrunk if the images are smaller ones of its shape, or the photo of that model."""
    if Path(real).is_file():
        return _at_size_of(images, real)
    if Path(real).is_dir() and not (Path(real) / "config.json").exists():
        raise ImageError(f"{real} is a folder: give the one image that was learned, or compare by name with --pairs.")
    return load_model(real).training_image


def _at_size_of(images: Sequence[Image.Image], real: str) -> Image.Image:
    """The image of that file as a model of it keeps it, at the size of the images; or else as it is."""
    from PIL import Image

    from singan.image import load_image
    from singan.metrics.report import MAX_PIXELS
    from singan.study.sources import same_shape

    photo, sizes = load_image(real), {image.size for image in images}
    size = min(sizes)
    if len(sizes) > 1 or size[0] >= photo.width or not same_shape(size, photo.size):
        return load_image(photo, name=real, max_pixels=MAX_PIXELS)
    note = f"{real} is {photo.width}x{photo.height} px and the samples {size[0]}x{size[1]}: it is brought to that size."
    warnings.warn(note, ImageWarning, stacklevel=2)
    return photo.resize(size, Image.Resampling.BICUBIC)


def _opened(path: Path) -> Image.Image:
    from singan.image import load_image
    from singan.metrics.report import MAX_PIXELS

    return load_image(path, max_pixels=MAX_PIXELS)


def _images(paths: Sequence[Path]) -> list[Path]:
    """The files, and those in the folders, in order of their names; each once."""
    found: dict[Path, None] = {}
    for path in paths:
        pictures = (one for one in path.iterdir() if one.suffix.lower() in PHOTOS and one.is_file())
        inside = sorted(pictures) if path.is_dir() else [path]
        if not inside:
            raise ImageError(f"{path} holds no images ({', '.join(PHOTOS)}); check the path.")
        found |= dict.fromkeys(inside)
    return list(found)


def _partners(real: Path, files: Sequence[Path]) -> list[Path]:
    """The image in `real` for each of the files: that of the same name, whatever it ends in; or `real` for one file."""
    if not real.is_dir():
        if len(files) > 1:
            raise ConfigError(f"{real} is one image and there are {len(files)} samples: for --pairs, give its folder.")
        return [real]
    ours, theirs = _by_name(files), _by_name(_images([real]))
    for kind, odd in (("has no partner", ours.keys() - theirs), ("is not among the samples", theirs.keys() - ours)):
        if odd:
            more = f", and {len(odd) - 3} more" if len(odd) > 3 else ""
            raise ConfigError(f"{', '.join(sorted(odd)[:3])}{more} {kind}: --pairs needs the same names on both sides.")
    return [theirs[path.stem] for path in files]


def _by_name(files: Sequence[Path]) -> dict[str, Path]:
    named: dict[str, Path] = {}
    for path in files:
        if path.stem in named:
            raise ConfigError(f"{named[path.stem]} and {path} have one name: --pairs goes by names without endings.")
        named[path.stem] = path
    return named


def _check_sizes(
    truths: Sequence[Image.Image], images: Sequence[Image.Image], files: Sequence[Path], names: Sequence[str] | None
) -> None:
    if names and not {"rmse", "psnr", "ssim"} & set(names):
        return
    for truth, image, path in zip(truths, images, files, strict=True):
        if truth.size != image.size:
            sizes = f"{image.width}x{image.height} px and its partner {truth.width}x{truth.height}"
            raise ImageError(f"{path} has {sizes}: rmse, psnr and ssim need one size; leave them out with --only.")


COMMANDS = {"score": score}
EXAMPLES = {"score": "singan score skyline samples"}
