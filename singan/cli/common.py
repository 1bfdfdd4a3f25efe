"""What the commands share: options, and how results are printed."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from singan.config import VARIATION
from singan.errors import ConfigError, ImageWarning, TaskWarning
from singan.files import CONFIG_FILE, PREVIEW_FILE, STATE_FILE, WEIGHTS_FILE

if TYPE_CHECKING:
    from singan.training.events import TrainEvent

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object alone, of an error its text.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="Directory, shipped name, or USER/NAME on the Hub.")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of a model on the Hub.")]
Seed = Annotated[int, typer.Option(help="Seed of all randomness.")]
Size = Annotated[str | None, typer.Option(metavar="HxW", help="Height x width, as in 186x248.")]
StartScale = Annotated[int, typer.Option(help="Coarsest scale to draw anew; 0 changes the layout.")]
Variation = Annotated[
    float | None,
    typer.Option(help=f"0 keeps the photo's layout, 1 is free; {VARIATION}, or 1 for paper."),
]


def parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not height x width in pixels, as in 186x248", param_hint="--size")
    return int(match[1]), int(match[2])


def print_json(result: dict[str, Any]) -> None:
    typer.echo(json.dumps(result))


def holds_model(folder: Path) -> bool:
    return (folder / CONFIG_FILE).exists() or (folder / WEIGHTS_FILE).exists()


def refuse_model(folder: Path, force: bool, instead: str) -> None:
    """Raise `ConfigError` if there is a model already, or somebody's picture of the name of its preview, which is not
    to be replaced; `instead`: what to choose. A card that is there stays."""
    if holds_model(folder) and not force:
        raise ConfigError(f"{folder} holds a trained model: choose {instead}, or replace it with --force.")
    if (folder / PREVIEW_FILE).exists() and not force:
        raise ConfigError(f"{folder / PREVIEW_FILE} is no model's: choose {instead}, or replace it with --force.")


def remove_checkpoint(checkpoint: Path) -> None:
    """Remove the resume state, and the directory unless something else is in it."""
    (checkpoint / STATE_FILE).unlink(missing_ok=True)
    if checkpoint.is_dir() and not any(checkpoint.iterdir()):
        checkpoint.rmdir()


@contextmanager
def noted(silent: bool) -> Iterator[list[str]]:
    """Collect the package's warnings as notes, and print them at the end unless `silent`."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        for kind in (ImageWarning, TaskWarning):
            warnings.simplefilter("always", kind)
        yield notes
    notes += [str(one.message) for one in caught if isinstance(one.message, (ImageWarning, TaskWarning))]
    if not silent:
        for note in notes:
            typer.echo(f"Note: {note}")


def last_of(events: Iterator[TrainEvent], silent: bool) -> TrainEvent:
    """The last event of a training, which is shown meanwhile unless it is `silent`."""
    from singan.training.progress import with_bar

    for event in with_bar(events, False if silent else None, lines=not silent):
        last = event
    return last
