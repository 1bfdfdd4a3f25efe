"""How the tasks read their options, and how their results are written."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from singan.cli.common import noted, print_json
from singan.errors import ConfigError, ImageError
from singan.files import IMAGES, PHOTOS
from singan.version import __version__

if TYPE_CHECKING:
    from PIL import Image

    from singan.model import SinGAN
    from singan.tasks.injection import TaskEvent


def parse_scale(text: str) -> Any:
    """ "auto", "all", or the list of scales in "2" or "2,4"."""
    if text in ("auto", "all"):
        return text
    if not re.fullmatch(r"\d{1,3}(,\d{1,3})*", text):
        raise typer.BadParameter(
            f"{text!r} is not a scale: give a number, several as 2,4, auto or all", param_hint="--scale"
        )
    return [int(part) for part in text.split(",")]


def parse_shares(text: str) -> dict[str, float]:
    """How much each side grows, from "20%" for all or "0,20%,0,20%" for top, right, bottom, left."""
    parts = [re.fullmatch(r"(\d{1,3}(?:\.\d+)?)%?", part.strip()) for part in text.split(",")]
    if len(parts) not in (1, 4) or not all(parts):
        raise typer.BadParameter(
            f"{text!r} is not a share: give one for all sides, as 20%, or top,right,bottom,left, as 0,20%,0,20%",
            param_hint="--extend",
        )
    shares = [float(part[1]) / 100 for part in parts if part]
    return dict(zip(("top", "right", "bottom", "left"), shares * 4 if len(shares) == 1 else shares, strict=True))


def refuse_overwrite(out: Path, force: bool, kinds: Sequence[str] = IMAGES, *, several: bool = False) -> None:
    """Raise `ConfigError` if `out`, or one of `several` files named after it, is not to be written."""
    if out.suffix.lower() not in kinds:
        raise ConfigError(f"{out} must end in {' or '.join(kinds)}: choose such a name for --out.")
    names = re.compile(re.escape(out.stem) + (r"(-\d+)?" if several else "") + re.escape(out.suffix))
    there = [path for path in out.parent.glob("*") if names.fullmatch(path.name)]
    if there and (out.is_dir() or not force):
        cure = "choose a file" if out.is_dir() else "choose another --out, or replace it with --force"
        raise ConfigError(f"{min(there)} exists: {cure}.")


def named(
    out: Path | None, source: object, task: str, force: bool, kinds: Sequence[str] = IMAGES, *, several: bool = False
) -> Path:
    """`out`, or a file here that is called after what it is made of and the task. Raises as `refuse_overwrite`."""
    out = out or Path(f"{Path(str(source)).stem}-{task}{kinds[0]}")
    refuse_overwrite(out, force, kinds, several=several)
    return out


def load_model(source: str, longest: int | None = None) -> SinGAN:
    """The model of that folder or name, or a draft of the photo of that file, its `longest` side as given or as it is.

    Raises `ImageError`, `CheckpointError`, `HubError`."""
    from singan.image import load_image
    from singan.model import SinGAN
    from singan.tasks.filling import MAX_KEPT, draft_of

    if Path(source).is_file():
        return draft_of(load_image(source), longest or MAX_KEPT)
    return SinGAN.from_pretrained(find_model(source))


def find_model(source: str) -> Path:
    """The folder of the model of that folder or name. Raises `ImageError`, `CheckpointError`, `HubError`."""
    from singan.storage import hub

    if Path(source).suffix.lower() in PHOTOS and not Path(source).exists():
        raise ImageError(f"{source} does not exist; check the path.")
    return hub.find(source)


@contextmanager
def timed(name: str, as_json: bool, **settings: object) -> Iterator[dict[str, Any]]:
    """What --json prints of a task: its name, seconds and warnings, and what is added meanwhile."""
    result: dict[str, Any] = {"task": name, **settings}
    start = time.perf_counter()
    with noted(as_json) as result["warnings"]:
        yield result
        result["seconds"] = round(time.perf_counter() - start, 3)


@contextmanager
def progress_bar(silent: bool) -> Iterator[Any]:
    """A progress bar, as an `on_event`."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    hidden = silent or not console.is_terminal
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden) as progress:
        bar = progress.add_task("", total=None)

        def on_event(event: TaskEvent) -> None:
            progress.update(bar, description=event.unit, completed=event.done, total=event.total)

        yield on_event


def save_results(
    result: dict[str, Any], images: list[Image.Image], out: Path, as_json: bool, number: str = "scale"
) -> None:
    """Write one image, or one for each scale or other `number`, with the settings in it."""
    from singan.image import save_image

    paths = [out if len(images) == 1 else out.with_stem(f"{out.stem}-{image.info[number]}") for image in images]
    out.parent.mkdir(parents=True, exist_ok=True)
    for image, path in zip(images, paths, strict=True):
        save_image(image, path, image.info)
    result["images"] = [{"file": str(path), **image.info} for image, path in zip(images, paths, strict=True)]
    scales = {str(path): image.info.get("scale") for path, image in zip(paths, images, strict=True)}
    report(result, paths, as_json, scales)


def report(
    result: dict[str, Any], paths: list[Path], as_json: bool, scales: Mapping[str, object] | None = None
) -> None:
    if as_json:
        print_json({**result, "singan": __version__})
        return
    for path in map(str, paths):
        typer.echo(f"{path} (scale {scales[path]})" if scales and scales[path] is not None else path)
