"""`singan batch COMMAND`: a command for many pictures. Its options are the command's own, and a few of a batch."""

from __future__ import annotations

import inspect
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

import typer

from singan.cli import models, samples, tasks
from singan.cli.common import AsJson, noted, print_json
from singan.errors import ConfigError

if TYPE_CHECKING:
    from singan.batch.items import Item
    from singan.batch.run import Batch, Report
    from singan.batch.work import Outcome

FOLDERS = ("draft", "train", "sample")  # whose results are folders
SINGLE: dict[str, Any] = {"draft": models.draft, "train": models.train} | samples.COMMANDS | tasks.COMMANDS
FIRST = ("style",)  # whose first argument there are many of; of others it is the last
# What a batch has of its own, or does by itself; and what is of one photograph, or of several together.
SEEN_TO = ("out", "force", "resume", "save_model", "as_json", "companion", "share")
KEYWORD = inspect.Parameter.KEYWORD_ONLY


def _parameter(name: str, default: Any, kind: Any, of_typer: Any) -> inspect.Parameter:
    return inspect.Parameter(name, KEYWORD, default=default, annotation=Annotated[kind, of_typer])


FORMAT = typer.Option("--format", help="What results are written as.")
PICTURE = _parameter("format", "png", Literal["png", "jpg", "webp"], FORMAT)
MOVING = _parameter("format", "webp", Literal["webp", "gif", "mp4"], FORMAT)
FILES = "Files, folders and globs"
PICTURES = _parameter("items", None, list[str] | None, typer.Argument(metavar="PICTURE", help=f"{FILES}."))
SOURCES = _parameter(
    "items", None, list[str] | None, typer.Argument(metavar="PICTURE|MODEL", help=f"{FILES}, or names of models.")
)


def of_a_batch(
    *,
    each: Annotated[
        list[str] | None, typer.Option(metavar="FILE|FOLDER|GLOB", help="More of them; may be given often.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory of the results, and of manifest.jsonl, which tells of them.")],
    retry: Annotated[bool, typer.Option("--retry", help="Do again what failed before.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace results of other settings, and what is there of others.")
    ] = False,
    workers: Annotated[
        int | None, typer.Option(min=1, help="How many at once, on Ray; by default one, or all that a cluster can.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="A Ray cluster: HOST:PORT, or auto on a machine of it.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads for each, which are its CPUs of a cluster.")] = 2,
    gpus: Annotated[float, typer.Option(min=0, help="GPUs for each, on Ray; .25: four share one.")] = 0.0,
    restarts: Annotated[int, typer.Option(min=0, help="How often one is begun again whose worker died.")] = 3,
    checkpoints: Annotated[
        Path | None, typer.Option(help="Directory shared by all machines, to go on where a worker died, in long runs.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """The options that every batch has."""


def for_many(name: str) -> Callable[..., int]:
    """The command of that name, for many of what it takes last: the same options, and those of a batch."""
    own = inspect.signature(SINGLE[name], eval_str=True).parameters
    arguments = [key for key, one in own.items() if _is_argument(one)]
    item = arguments[0 if name in FIRST else -1]
    pictures = _takes_path(own[item])
    listed = item if get_origin(get_args(own[item].annotation)[0]) is list else None
    sources = [key for key, one in own.items() if key in arguments or (_takes_path(one) and key not in SEEN_TO)]
    shared = inspect.signature(of_a_batch, eval_str=True).parameters

    def command(**given: Any) -> int:
        batch = SimpleNamespace(**{key: given.pop(key) for key in shared})
        ending = "" if name in FOLDERS else f".{given.pop('format')}"
        patterns = [*(given.pop("items") or []), *(batch.each or [])]
        if not patterns:
            raise typer.BadParameter("name some pictures, or folders or globs of them", param_hint="--each")
        if batch.gpus and not (batch.workers or batch.address):
            raise ConfigError("--gpus shares GPUs among workers: give --workers or --address too.")

        from singan.batch.items import find_items
        from singan.batch.run import Batch

        items = find_items(patterns, models=not pictures)
        checkpoints = batch.checkpoints and batch.checkpoints.absolute()  # workers are in directories of their own
        kept = checkpoints or (batch.out / ".work" if batch.address is None else None)
        what = (name, SINGLE[name], given, item, sources, ending, batch.out, batch.threads, kept, listed)
        return _run(Batch(*what), items, batch)

    kept = [one for key, one in own.items() if key != item and key not in SEEN_TO]
    written = [] if name in FOLDERS else [MOVING if name == "animate" else PICTURE]
    ordered = [*sorted(kept, key=lambda one: one.name not in arguments), *written, *shared.values()]
    ordered.insert(len(arguments) - 1, PICTURES if pictures else SOURCES)
    signature = inspect.Signature([one.replace(kind=KEYWORD) for one in ordered])
    command.__signature__ = signature  # type: ignore[attr-defined]  # what Typer reads
    command.__doc__ = inspect.getdoc(SINGLE[name])
    return command


def _is_argument(parameter: inspect.Parameter) -> bool:
    return any(isinstance(one, type(typer.Argument())) for one in parameter.annotation.__metadata__)


def _takes_path(parameter: inspect.Parameter) -> bool:
    kind = get_args(parameter.annotation)[0]
    return Path in (kind, *get_args(kind))


def _run(batch: Batch, items: list[Item], given: SimpleNamespace) -> int:
    from singan.batch.cluster import Cluster
    from singan.batch.run import one_after_another, run

    cluster = Cluster(given.address, given.workers, given.threads, given.gpus, given.restarts)
    work = cluster if given.workers or given.address else one_after_another
    start = time.perf_counter()
    with noted(given.as_json), _progress(given.as_json, len(items)) as on_done:
        report = run(batch, items, work, retry=given.retry, force=given.force, on_done=on_done)
    _tell(report, given.out, time.perf_counter() - start, given.as_json)
    return 1 if report.failed else 0


@contextmanager
def _progress(silent: bool, total: int) -> Iterator[Callable[[str, Outcome, Report], None]]:
    """A bar on a terminal, elsewhere a line for each."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(file=sys.stdout, highlight=False, markup=False, soft_wrap=True)
    columns = TextColumn("{task.fields[failed]}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    hidden = silent or not console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=hidden, redirect_stdout=False) as progress:
        bar = progress.add_task("", total=total, failed="")

        def on_done(name: str, outcome: Outcome, report: Report) -> None:
            failed = f"{len(report.failed)} failed" if report.failed else ""
            progress.update(bar, completed=report.finished, failed=failed)
            if outcome.error and not silent:
                console.print(f"{name}: failed: {outcome.error}")
            elif hidden and not silent:
                console.print(f"{name}: done in {outcome.seconds:.1f} s ({report.finished} of {total})")

        yield on_done


def _tell(report: Report, out: Path, seconds: float, as_json: bool) -> None:
    if as_json:
        found = {"done": report.done, "skipped": report.skipped, "failed": report.failed}
        print_json({"out": str(out), **found, "seconds": round(seconds, 3)})
        return
    from singan.training.progress import clock

    before = f", {len(report.skipped)} done before" if report.skipped else ""
    failed = f", {len(report.failed)} failed" if report.failed else ""
    typer.echo(f"{len(report.done)} done in {clock(seconds)}{before}{failed}: {out}")
    for name, error in report.failed.items():
        typer.echo(f"  {name}: {error}")
    if report.failed:
        typer.echo("The same command with --retry does these again.")


COMMANDS = {name: for_many(name) for name in SINGLE}
EXAMPLES = {
    "draft": "singan batch draft photos --out drafts",
    "train": "singan batch train photos/*.jpg --out models",
    "sample": "singan batch sample models --out samples --n 4",
    "sr": "singan batch sr 'photos/**/*.jpg' --factor 2 --out large --format jpg",
    "harmonize": "singan batch harmonize photo-model --each 'pasted/*.png' --mask 'masks/{name}.png' --out done",
    "edit": "singan batch edit photo-model --each edited --mask 'masks/{name}.png' --out done",
    "paint2image": "singan batch paint2image tea-gardens --each sketches --out pictures",
    "fill": "singan batch fill photos --extend 20% --out wider",
    "animate": "singan batch animate models --out moving --format mp4",
    "analogy": "singan batch analogy spices --each layouts --out arranged",
    "style": "singan batch style waves photos --out woodcuts",
    "denoise": "singan batch denoise clean-model --each noisy --out clean",
    "retarget": "singan batch retarget models --width 2 --out wide",
    "map": "singan batch map models --out maps",
}
