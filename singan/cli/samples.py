"""`singan sample`."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from singan.cli.common import AsJson, Force, Model, Revision, Seed, Size, StartScale, Variation, parse_size, print_json
from singan.errors import ConfigError
from singan.version import __version__


def sample(
    where: Model,
    out: Annotated[Path, typer.Option(help="Directory to write the PNG files to.")] = Path("samples"),
    revision: Revision = None,
    n: Annotated[int, typer.Option("--n", min=1, help="Number of samples.")] = 8,
    size: Size = None,
    start_scale: StartScale = 0,
    variation: Variation = None,
    tile: Annotated[
        Literal["x", "y", "both"] | None, typer.Option(help="Go on at the other side: across, down, or both.")
    ] = None,
    mirror: Annotated[
        Literal["x", "y", "both", "kaleidoscope"] | None,
        typer.Option(help="Left and right mirrored, above and below, both; a kaleidoscope is square."),
    ] = None,
    pin: Annotated[
        Path | None, typer.Option(metavar="MASK", help="White where the photo stays as it is in every sample.")
    ] = None,
    pin_at: Annotated[
        str | None, typer.Option(metavar="DOWN,ACROSS", help="Where the middle of what is pinned goes, as in 50%,30%.")
    ] = None,
    companion: Annotated[
        list[Path] | None,
        typer.Option(metavar="MAP", help="PNG, TIFF or .npy of the photo's size, moved along; may be repeated."),
    ] = None,
    source: Annotated[
        bool, typer.Option("--source", help="Write where each pixel is from, row and column, as .npy.")
    ] = False,
    generators_only: Annotated[
        bool, typer.Option("--generators-only", help="Leave out the photo's patches; samples are small.")
    ] = False,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Sample from MODEL: sample K is drawn with seed --seed + K and named after it."""
    height_width, pin_to = parse_size(size), _parse_place(pin_at)
    endings = [f"-{path.name}" for path in companion or ()] + ["-source.npy"] * source
    paths = [out / f"sample-{seed + k}.png" for k in range(n)]
    _refuse_overwrite(paths, endings, force)

    from singan.cli.results import load_model
    from singan.image import save_image
    from singan.model import SinGAN
    from singan.tasks.companion import load_map, rearrange, save_map

    model = load_model(where) if revision is None else SinGAN.from_pretrained(where, revision=revision)
    variation = model.config.usual_variation if variation is None else variation
    maps: list[Any] = [load_map(path, model) for path in companion or ()]
    draw: Any = model.sample
    options: dict[str, Any] = {"generators_only": generators_only, "tile": tile, "mirror": mirror}
    pinned = {"pin": pin and str(pin), "pin_to": pin_to and ",".join(f"{at:g}" for at in pin_to)}
    asked = {name: value for name, value in {**options, **pinned}.items() if value}  # what results say of them
    options |= {"pin": pin, "pin_to": pin_to, "size": height_width, "start_scale": start_scale, "variation": variation}
    start, written = time.perf_counter(), []
    for k, path in enumerate(paths):
        (drawn,) = draw(1, seed=seed + k, source=bool(endings), **options)
        image, moved = drawn if endings else (drawn, drawn)
        out.mkdir(parents=True, exist_ok=True)
        settings: dict[str, Any] = {"seed": seed + k, "variation": variation, "start_scale": start_scale}
        save_image(image, path, {**settings, "size": f"{image.height}x{image.width}", **asked})
        values = [rearrange(one, moved) for one in maps] + [moved] * source
        beside = [path.with_name(path.stem + ending) for ending in endings]
        for value, one in zip(values, beside, strict=True):
            save_map(value, one)
        written.append([str(one) for one in (path, *beside)])
        if not as_json:
            typer.echo("\n".join(written[-1]))
    if as_json:
        result = {"model": where, "samples": [files[0] for files in written], "seed": seed}
        result |= {"size": [image.height, image.width], "start_scale": start_scale, "variation": variation}
        result |= {"companions": [files[1:] for files in written]} if endings else {}
        print_json({**result, **asked, "seconds": round(time.perf_counter() - start, 3), "singan": __version__})


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


def _refuse_overwrite(paths: Sequence[Path], endings: Sequence[str], force: bool) -> None:
    """Raise `ConfigError` if one of the samples, or what comes along with it, is there already."""
    if len(set(endings)) < len(endings):
        raise ConfigError("Two companion maps have the same name, and one would replace the other: rename one.")
    for path in paths:
        for one in (path, *(path.with_name(path.stem + ending) for ending in endings)):
            if one.exists() and not force:
                raise ConfigError(f"{one} exists: choose another --out or --seed, or replace it with --force.")


COMMANDS = {"sample": sample}
EXAMPLES = {"sample": "singan sample skyline --n 4 --variation 0.7"}
