"""`singan study`: a page that asks people whether pictures are photographs, and what their answers say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from singan.cli.common import AsJson, Force, Seed, noted, print_json
from singan.cli.results import load_model, progress_bar, refuse_overwrite
from singan.errors import ConfigError
from singan.study.design import MAX_TRIALS, PARTS, SHOWN, Settings
from singan.version import __version__

if TYPE_CHECKING:
    from singan.study.confusion import Row
    from singan.study.sources import Source

SCORING = {"what", "score", "each_model", "as_json"}  # what goes with --score


def study(
    context: typer.Context,
    what: Annotated[
        list[str] | None,
        typer.Argument(metavar="MODEL...", help="Models, or photos, of which drafts are made; with --score, answers."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Page to write.")] = Path("study.html"),
    kind: Annotated[
        Literal["paired", "unpaired", "both"],
        typer.Option(help="paired: beside its photo, which is generated? unpaired: one picture, is it?"),
    ] = "both",
    trials: Annotated[int, typer.Option(help=f"At most so many that count, {MAX_TRIALS} at most.")] = MAX_TRIALS,
    practice: Annotated[int, typer.Option(help="At most so many before, which tell the answer.")] = 5,
    parts: Annotated[int, typer.Option(help="1: whole pictures; 4, 9: parts, for more trials from few photos.")] = 1,
    start_scale: Annotated[
        list[int] | None, typer.Option(help="Coarsest scale to draw anew, 0 by default; may be repeated.")
    ] = None,
    variation: Annotated[
        list[float] | None, typer.Option(help="As in sample, by default the model's usual one; may be repeated.")
    ] = None,
    real: Annotated[Path | None, typer.Option(help="Folder of photos, for --generated.")] = None,
    generated: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of pictures by another program, called as those in --real; may be repeated."),
    ] = None,
    seconds: Annotated[float, typer.Option(help="How long pictures are shown.")] = 1.0,
    max_side: Annotated[int, typer.Option(help="Longest side at which they are shown, in pixels.")] = 512,
    score: Annotated[bool, typer.Option("--score", help="Say what answers, files that the page saved, say.")] = False,
    each_model: Annotated[bool, typer.Option("--each-model", help="With --score: a line for each model.")] = False,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make a page that asks people what is generated; score their answers."""
    _check_together(context, score, real, generated)
    if score:
        _score([Path(name) for name in what or []], each_model, as_json)
        return
    kinds = tuple(SHOWN) if kind == "both" else (kind,)
    settings = Settings(kinds, trials, practice, parts, max_side, seconds, seed)
    refuse_overwrite(out, force, (".html",))
    with noted(as_json) as notes:
        sources = _of_models(what or [], start_scale or [0], variation or [None], settings)
        sources += _of_folders(real, generated or [], settings, notes)
        result = _write(sources, settings, out, notes, as_json)
    if as_json:
        print_json({**result, "warnings": notes, "singan": __version__})
        return
    tried = f" after {result['practice']} for practice" if result["practice"] else ""
    typer.echo(f"{out}: {result['trials']} trials{tried}, photographs: {result['photographs']}")
    typer.echo("Open it in a browser, or send it to people. Their answers: singan study --score answers-*.json")


def _check_together(context: typer.Context, score: bool, real: Path | None, generated: list[Path] | None) -> None:
    """Refuse options that go with others."""
    for parameter in context.command.get_params(context):
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        given = source is not None and source.name == "COMMANDLINE"
        if given and (name not in SCORING if score else name == "each_model"):
            says = "goes with making a page, not with --score" if score else "goes with --score"
            raise typer.BadParameter(f"it {says}", param_hint=parameter.opts[0])
    if (real is None) != (not generated):
        raise typer.BadParameter("--real and --generated go together", param_hint="--real")


def _of_models(
    names: list[str], start_scales: list[int], variations: Sequence[float | None], settings: Settings
) -> list[Source]:
    from singan.study.sources import of_model

    found = []
    for name in names:
        path = Path(name)
        called = path.stem if path.is_file() else path.resolve().name if path.is_dir() else name
        found += of_model(load_model(name, settings.longest), called, start_scales, variations)
    return found


def _of_folders(real: Path | None, generated: list[Path], settings: Settings, notes: list[str]) -> list[Source]:
    from singan.study.sources import of_folders

    if real is None:
        return []
    found, left = of_folders(real, generated, settings.longest)
    if left:
        notes.append(f"{len(left)} photographs in {real} have no generated picture and are left out, as {left[0]}.")
    return found


def _write(sources: list[Source], settings: Settings, out: Path, notes: list[str], as_json: bool) -> dict[str, Any]:
    """Draw what is shown, and write the page. Returns what --json says of it."""
    from singan.files import atomic_path
    from singan.study.page import page
    from singan.study.sources import by_photo
    from singan.study.trials import draw_items
    from singan.tasks.injection import TaskEvent

    if not sources:
        raise ConfigError("There is nothing to show: give models or photos, or --real and --generated.")
    photos = by_photo(sources)
    count = len(photos)
    sources.clear()  # so that a model is forgotten when it was drawn from
    with progress_bar(as_json) as on_event:
        items = draw_items(photos, settings, lambda done, total: on_event(TaskEvent(done, total, "sample")))
    text, study = page(items, settings)
    out.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(out) as part:
        part.write_bytes(text.encode())
    practice = sum(item.practice for item in items)
    trials = len(items) - practice
    if trials < settings.trials:
        cure = "" if settings.parts == max(PARTS) else ", or show them in more --parts"
        notes.append(f"Photographs: {count}, each part shown once, so trials: {trials}. Give more photographs{cure}.")
    return {"page": str(out), "study": study, "trials": trials, "practice": practice, "photographs": count}


def _score(paths: list[Path], each_model: bool, as_json: bool) -> None:
    from singan.study.answers import read_answers
    from singan.study.confusion import badly_timed, confusion

    if not paths:
        raise typer.BadParameter("give the files that the page saved", param_hint="--score")
    answers = read_answers(paths)
    rows = confusion(answers)
    each = confusion(answers, each_model=True) if each_model or as_json else []
    off = badly_timed(answers)
    notes = [f"{off} answers are to pictures shown for too long or too short a time."] if off else []
    if as_json:
        facts = {"study": answers[0].study, "participants": len(answers)}
        facts |= {"seconds": answers[0].seconds, "parts": answers[0].parts}
        result = {**facts, "confusion": [_plain(row) for row in rows], "models": [_plain(row) for row in each]}
        print_json({**result, "warnings": notes, "singan": __version__})
        return
    shown = "whole pictures" if answers[0].parts == 1 else f"pictures in {answers[0].parts} parts"
    typer.echo(f"Study {answers[0].study}, participants: {len(answers)}; {shown}, {answers[0].seconds:g} s each")
    for line in _table(each if each_model else rows, each_model):
        typer.echo(line)
    for note in notes:
        typer.echo(f"Note: {note}")


def _plain(row: Row) -> dict[str, Any]:
    facts = asdict(row)
    return {**facts.pop("condition"), **facts}


def _table(rows: list[Row], each_model: bool) -> list[str]:
    """Lines of columns of one width each."""
    titles = ["kind", "method", "model", "scale", "variation", "people", "answers", "wrong", "confusion"]
    titles += ["95 %, answers", "95 %, people", "published"]
    cells = [titles]
    for row in rows:
        one = row.condition
        cells.append([one.kind, one.method, one.model or "", _number(one.start_scale), _number(one.variation)])
        cells[-1] += [str(row.participants), str(row.answers), str(row.wrong), f"{row.confusion:.1%}"]
        cells[-1] += [_interval(row.by_answers), _interval(row.by_participants)]
        cells[-1] += ["-" if row.published is None else f"{row.published:.2%}"]
    if not each_model:
        cells = [line[:2] + line[3:] for line in cells]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def _interval(interval: tuple[float, float] | None) -> str:
    return "-" if interval is None else f"{interval[0]:.1%} to {interval[1]:.1%}"


COMMANDS = {"study": study}
EXAMPLES = {"study": "singan study skyline waves spices --parts 4 --out page.html"}
