"""`singan analogy` and `singan style`: two pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from singan.cli.common import AsJson, Force, Seed, noted, parse_size
from singan.cli.results import load_model, named, parse_scale, progress_bar, refuse_overwrite, save_results, timed
from singan.cli.tasks import InjectionScale, Out

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image

    from singan.model import SinGAN

Size = Annotated[str | None, typer.Option(metavar="HxW", help="Height x width, as in 186x248.")]


def analogy(
    matter: Annotated[str, typer.Argument(metavar="MATTER", help="The photo, or a model, of what the result is of.")],
    layout: Annotated[Path, typer.Argument(help="The photo, drawing or word that says where.")],
    scale: InjectionScale = "auto",
    size: Size = None,
    invert: Annotated[bool, typer.Option("--invert", help="What is dark in the layout becomes light.")] = False,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Arrange what is in one picture as light and dark are in another."""

    def run(model: SinGAN, **options: Any) -> list[Image.Image]:
        from singan import analogy

        return analogy(model, layout, invert=invert, **options)

    _second("analogy", matter, layout, run, scale, size, seed, out, force, as_json)


def style(
    content: Annotated[Path, typer.Argument(help="The photo that is drawn anew.")],
    style: Annotated[str, typer.Argument(metavar="STYLE", help="The picture, or a model, whose strokes it gets.")],
    scale: InjectionScale = "auto",
    size: Size = None,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Draw one picture in the colours and strokes of another."""

    def run(model: SinGAN, **options: Any) -> list[Image.Image]:
        from singan import stylize

        return stylize(content, model, **options)

    _second("style", style, content, run, scale, size, seed, out, force, as_json)


def _second(
    task: str,
    source: str,
    picture: Path,
    run: Callable[..., list[Image.Image]],
    scale: str,
    size: str | None,
    seed: int,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Run a task whose result has the patches of `source` and is called after `picture`, and save what it gives."""
    options: dict[str, Any] = {"scale": parse_scale(scale), "size": parse_size(size), "seed": seed}
    out = named(out, picture, task)
    refuse_overwrite(out, force, several=scale == "all" or "," in scale)
    with timed(task, as_json) as result, noted(as_json) as notes, progress_bar(as_json) as on_event:
        images = run(load_model(source), **options, on_event=on_event)
    save_results(result, images, out, as_json, notes)


COMMANDS = {"analogy": analogy, "style": style}
EXAMPLES = {"analogy": "singan analogy spices layout.jpg", "style": "singan style photo.jpg painting.jpg"}
