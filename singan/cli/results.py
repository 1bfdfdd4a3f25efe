"""How the tasks read their options, and how their results are written."""

from __future__ import annotations

import inspect
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from singan.cli.common import AsJson, Force, Seed, noted, print_json
from singan.errors import ConfigError, ImageError
from singan.files import IMAGES, PHOTOS
from singan.version import __version__

if TYPE_CHECKING:
    from PIL import Image

    from singan.model import SinGAN
    from singan.tasks.injection import TaskEvent


Out = Annotated[
    Path | None, typer.Option(help="PNG, JPEG or WebP to write; several are numbered. By default NAME-TASK.png here.")
]
Scale = Annotated[
    str, typer.Option(metavar="K|auto", help="Injection scale: 1 (free) to the finest, several as 2,4, auto, all.")
]


def parse_scale(text: str) -> Any:
    """ "auto", "all", or the list of scales in "2" or "2,4"."""
    if text in ("auto", "all"):
        return text
    if not re.fullmatch(r"\d{1,3}(,\d{1,3})*", text):
        cure = "give a number, several as 2,4, auto or all"
        raise typer.BadParameter(f"{text!r} is not a scale: {cure}", param_hint="--scale")
    return [int(part) for part in text.split(",")]


def parse_shares(text: str) -> dict[str, float]:
    """How much each side grows, from "20%" for all or "0,20%,0,20%" for top, right, bottom, left."""
    parts = [re.fullmatch(r"(\d{1,3}(?:\.\d+)?)%?", part.strip()) for part in text.split(",")]
    if len(parts) not in (1, 4) or not all(parts):
        cure = "give one for all sides, as 20%, or top,right,bottom,left, as 0,20%,0,20%"
        raise typer.BadParameter(f"{text!r} is not a share: {cure}", param_hint="--extend")
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


def load_model(source: str, longest: int | None = None, revision: str | None = None) -> SinGAN:
    """The model of that folder or name, on the Hub of that `revision`, or a draft of the photo of that file, its
    `longest` side as given or as it is.

    Raises `ImageError`, `CheckpointError`, `HubError`."""
    from singan.image import load_image
    from singan.model import SinGAN
    from singan.tasks.filling import MAX_KEPT, draft_of

    if revision is None and Path(source).is_file():
        return draft_of(load_image(source), longest or MAX_KEPT)
    return SinGAN.from_pretrained(find_model(source, revision))


def find_model(source: str, revision: str | None = None) -> Path:
    """The folder of the model of that folder or name. Raises `ImageError`, `CheckpointError`, `HubError`."""
    from singan.storage import hub

    if Path(source).suffix.lower() in PHOTOS and not Path(source).exists():
        raise ImageError(f"{source} does not exist; check the path.")
    return hub.find(source, revision=revision)


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


@dataclass
class Call:
    """A call of a task, with the options that every task has."""

    seed: Seed = 0
    out: Out = None
    force: Force = False
    as_json: AsJson = False

    def named(self, source: object, task: str, kinds: Sequence[str] = IMAGES, *, several: bool = False) -> Path:
        """`out`, or a file here that is called after what it is made of and the task. Raises as `refuse_overwrite`."""
        out = self.out or Path(f"{Path(str(source)).stem}-{task}{kinds[0]}")
        refuse_overwrite(out, self.force, kinds, several=several)
        return out

    def save(self, result: dict[str, Any], images: list[Image.Image], out: Path, number: str = "scale") -> None:
        """Write one image, or one for each scale or other `number`, with the settings in it, and tell of them."""
        from singan.image import save_image

        paths = [out if len(images) == 1 else out.with_stem(f"{out.stem}-{image.info[number]}") for image in images]
        out.parent.mkdir(parents=True, exist_ok=True)
        for image, path in zip(images, paths, strict=True):
            save_image(image, path, image.info)
        result["images"] = [{"file": str(path), **image.info} for image, path in zip(images, paths, strict=True)]
        scales = [image.info.get("scale") for image in images]
        lines = [path if k is None else f"{path} (scale {k})" for path, k in zip(paths, scales, strict=True)]
        self.tell(result, *lines)

    def tell(self, result: dict[str, Any], *lines: object) -> None:
        """Print the result with --json, or else the lines."""
        if self.as_json:
            print_json({**result, "singan": __version__})
        else:
            typer.echo("\n".join(map(str, lines)))


@dataclass
class Injection(Call):
    """A call of a task whose picture enters the pyramid at some scale."""

    scale: Scale = "auto"

    def run(self, task: str, source: str, picture: Path | None, **options: Any) -> None:
        """Run the task with a model or photo, the `source`, and the `picture`, and save what it gives."""
        options |= {"scale": parse_scale(self.scale), "seed": self.seed}
        out = self.named(picture or source, task, several=self.scale == "all" or "," in self.scale)

        import singan

        with timed(task, self.as_json) as result, progress_bar(self.as_json) as on_event:
            names = {"paint2image": "paint_to_image", "style": "stylize"}
            function: Any = getattr(singan, names.get(task, task))
            model = load_model(source)
            pair = (picture, model) if task == "style" else (model, picture)
            images = function(*pair, **options, on_event=on_event)
        self.save(result, images, out)


@dataclass
class Voted(Injection):
    """The same, of a task that votes with patches."""

    no_voting: Annotated[bool, typer.Option("--no-voting", help="Leave patch voting out, as published.")] = False

    def run(self, task: str, source: str, picture: Path | None, **options: Any) -> None:
        super().run(task, source, picture, voting=False if self.no_voting else None, **options)


def as_command(task: Callable[..., None]) -> Callable[..., None]:
    """The task as Typer reads it: in the place of its first argument, a `Call`, come the options that are its fields;
    one that the task has of its own goes to both."""
    call, *rest = inspect.signature(task, eval_str=True).parameters.values()
    own, fields = {one.name: one for one in rest}, inspect.signature(call.annotation, eval_str=True).parameters
    ordered = [name for kind in call.annotation.__mro__ for name in inspect.get_annotations(kind)]

    @wraps(task)
    def command(**given: Any) -> None:
        shared = {name: given.get(name, one.default) for name, one in fields.items()}
        task(call.annotation(**shared), **{name: value for name, value in given.items() if name in own})

    merged = {**own, **{name: fields[name] for name in ordered if name not in own}}.values()
    signature = inspect.Signature([one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in merged])
    command.__signature__ = signature  # type: ignore[attr-defined]
    return command
