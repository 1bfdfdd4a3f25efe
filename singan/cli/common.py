"""What the commands share: options, and how results are printed."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any

import typer

from singan.errors import SinGANError

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Force = Annotated[bool, typer.Option("--force", help="Replace what is there.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="Directory, shipped name, or USER/NAME on the Hub.")]
Revision = Annotated[str | None, typer.Option(help="Branch, tag or commit of a model on the Hub.")]
Seed = Annotated[int, typer.Option(help="Seed of all randomness.")]


class Interrupted(SinGANError):
    """The user pressed Ctrl-C."""


def parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9]\d{0,5})x([1-9]\d{0,5})", text)
    if match is None:
        raise typer.BadParameter(f"{text!r} is not height x width in pixels, as in 186x248", param_hint="--size")
    return int(match[1]), int(match[2])


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def print_json(result: dict[str, Any]) -> None:
    typer.echo(json.dumps(result, ensure_ascii=False))
