"""`singan sample`."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from singan.cli.common import (
    AsJson,
    Force,
    Model,
    Revision,
    Seed,
    Size,
    StartScale,
    Variation,
    noted,
    parse_size,
    print_json,
)
from singan.errors import ConfigError, Interrupted
from singan.files import IMAGES, PHOTOS
from singan.version import __version__

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

Out = Annotated[
    Path, typer.Option(help="Directory for PNG files, or a PNG, JPEG or WebP to write; several are numbered.")
]
Count = Annotated[int, typer.Option("--n", min=1, help="Number of samples.")]
VariationTo = Annotated[
    float | None, typer.Option(min=0, max=1, help="Of the last sample; those between rise evenly. [default: all alike]")
]
Flips = Annotated[bool, typer.Option("--flips", help="Parts of the photo's mirror image come too: newer pictures.")]
Tile = Annotated[Literal["x", "y", "both"] | None, typer.Option(help="Go on at the other side: across, down, or both.")]
Mirror = Annotated[
    Literal["x", "y", "both", "kaleidoscope"] | None,
    typer.Option(help="Left and right mirrored, above and below, both; a kaleidoscope is square."),
]
Pin = Annotated[Path | None, typer.Option(metavar="MASK", help="White where the photo stays as it is in every sample.")]
PinAt = Annotated[
    str | None, typer.Option(metavar="DOWN,ACROSS", help="Where the middle of what is pinned goes, as in 50%,30%.")
]
Companion = Annotated[
    list[Path] | None,
    typer.Option(metavar="MAP", help="PNG, TIFF or .npy of the photo's size, moved along; may be repeated."),
]
Source = Annotated[bool, typer.Option("--source", help="Write where each pixel is from, row and column, as .npy.")]
GeneratorsOnly = Annotated[
    bool, typer.Option("--generators-only", help="Leave out the photo's patches; samples are small.")
]


def sample(
    where: Model,
    out: Out = Path("samples"),
    revision: Revision = None,
    n: Count = 8,
    size: Size = None,
    start_scale: StartScale = 0,
    variation: Variation = None,
    variation_to: VariationTo = None,
    flips: Flips = False,
    tile: Tile = None,
    mirror: Mirror = None,
    pin: Pin = None,
    pin_at: PinAt = None,
    companion: Companion = None,
    source: Source = False,
    generators_only: GeneratorsOnly = False,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Sample from MODEL: sample K is drawn with seed --seed + K and named after it."""
    height_width, pin_to = parse_size(size), _parse_place(pin_at)
    if variation_to is not None and n == 1:
        says = "it is of the last of several samples, and --n is 1: give 2 or more, or --variation alone"
        raise typer.BadParameter(says, param_hint="--variation-to")
    paths, endings = _files(out, range(seed, seed + n), companion or [], source, force)

    import numpy as np

    from singan.cli.results import load_model
    from singan.tasks.companion import load_map

    options: dict[str, Any] = {"generators_only": generators_only, "flips": flips, "tile": tile, "mirror": mirror}
    pinned = {"pin": pin and str(pin), "pin_to": pin_to and ",".join(f"{at:g}" for at in pin_to)}
    asked = {name: value for name, value in {**options, **pinned}.items() if value}  # what results say of them
    with noted(as_json) as notes:
        model = load_model(where, revision=revision)
        variation = model.config.usual_variation if variation is None else variation
        each = [variation] * n if variation_to is None else np.linspace(variation, variation_to, n).round(4).tolist()
        maps = [load_map(path, model) for path in companion or []]
        options |= {"pin": pin, "pin_to": pin_to, "size": height_width, "start_scale": start_scale, "variation": each}
        start, written = time.perf_counter(), []
        drawn = model.iter_samples(n, seed=seed, source=bool(endings), **options)
        try:
            for k, (path, varied, one) in enumerate(zip(paths, each, drawn, strict=True), seed):
                image, moved = one if endings else (one, None)  # and where its pixels are from
                drawn_size = f"{image.height}x{image.width}"
                settings = {"seed": k, "variation": varied, "start_scale": start_scale, "size": drawn_size, **asked}
                written.append(_write(path, image, settings, moved, maps, endings))
                if not as_json:
                    typer.echo("\n".join(written[-1]))
        except KeyboardInterrupt:
            raise Interrupted(f"Interrupted: {len(written)} of {n} samples are finished, and stay.") from None
        seconds = round(time.perf_counter() - start, 3)
    if as_json:
        result: dict[str, Any] = {"model": where, "samples": [files[0] for files in written], "seed": seed}
        result |= {"size": [image.height, image.width], "start_scale": start_scale, "variation": variation}
        more = {"variation_to": variation_to, "companions": [files[1:] for files in written] if endings else None}
        asked |= {name: value for name, value in more.items() if value is not None}
        print_json({**result, **asked, "seconds": seconds, "warnings": notes, "singan": __version__})


def _paths(out: Path, seeds: Sequence[int]) -> list[Path]:
    """A file for each seed: in the directory `out`, or `out` itself where that is an image's name and there is one."""
    if out.suffix.lower() not in PHOTOS or out.is_dir():
        return [out / f"sample-{seed}.png" for seed in seeds]
    if out.suffix.lower() not in IMAGES:
        raise ConfigError(f"{out} must end in {' or '.join(IMAGES)}: choose such a name for --out, or a directory.")
    return [out] if len(seeds) == 1 else [out.with_stem(f"{out.stem}-{seed}") for seed in seeds]


def _write(
    path: Path,
    image: Image.Image,
    settings: dict[str, object],
    source: np.ndarray | None,
    maps: Sequence[np.ndarray],
    endings: Sequence[str],
) -> list[str]:
    """A sample into `path`, and beside it one file for each of `endings`: the `maps`, rearranged as its pixels are from
    `source`, and last, where there is one ending more, that itself. Returns the files' names."""
    from singan.image import save_image
    from singan.tasks.companion import rearrange, save_map

    path.parent.mkdir(parents=True, exist_ok=True)
    save_image(image, path, settings)
    beside = [path.with_name(path.stem + ending) for ending in endings]
    if source is not None:
        for k, one in enumerate(beside):
            save_map(rearrange(maps[k], source) if k < len(maps) else source, one)
    return [str(one) for one in (path, *beside)]


def _parse_place(text: str | None) -> tuple[float, float] | None:
    """(down, across) in shares from 0 to 1, of "50%,30%"."""
    if text is None:
        return None
    parts = [re.fullmatch(r"(\d{1,3}(?:\.\d+)?)%", part.strip()) for part in text.split(",")]
    if len(parts) != 2 or not all(parts):
        cure = "give how far down and across, as 50%,30%"
        raise typer.BadParameter(f"{text!r} is not a place: {cure}", param_hint="--pin-at")
    down, across = (float(part[1]) / 100 for part in parts if part)
    return down, across


def _files(
    out: Path, seeds: Sequence[int], companions: Sequence[Path], source: bool, force: bool
) -> tuple[list[Path], list[str]]:
    """A file for each sample, and how those end that come along with it. Raises `ConfigError` if one of them is there
    already."""
    paths = _paths(out, seeds)
    endings = [f"-{path.name}" for path in companions] + ["-source.npy"] * source
    if len(set(endings)) < len(endings):
        raise ConfigError("Two companion maps have the same name, and one would replace the other: rename one.")
    for path in paths:
        for one in (path, *(path.with_name(path.stem + ending) for ending in endings)):
            if one.exists() and not force:
                raise ConfigError(f"{one} exists: choose another --out or --seed, or replace it with --force.")
    return paths, endings


COMMANDS = {"sample": sample}
EXAMPLES = {"sample": "singan sample skyline --n 4 --variation 0.7"}
