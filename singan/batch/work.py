"""One job: the same function does it here, and on a machine that shares nothing with this one."""

from __future__ import annotations

import contextlib
import io
import json
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from singan.errors import ImageError, Interrupted, one_line
from singan.files import CHECKPOINT, CONFIG_FILE, STATE_FILE, WEIGHTS_FILE, files_in
from singan.version import __version__

MAX_BYTES = 1_000_000_000  # of a picture; one of a hundred megapixels has 800 million at most


@dataclass(frozen=True)
class Input:
    """A picture, or the folder of a model, as bytes: the path as it was given, and its files by name."""

    path: str
    files: dict[str, bytes]
    folder: str | None = None  # what it is called, if it is one

    @classmethod
    def read(cls, path: str) -> Input | None:
        """None: there is no such file here, only the name of a model perhaps. Raises `OSError`, `ImageError`."""
        here = Path(path)
        if here.is_file() and here.stat().st_size > MAX_BYTES:
            raise ImageError(f"{path} is over {MAX_BYTES / 1e9:g} GB: shrink it first.")
        if here.is_dir():
            folder = files_in(here)
            names = [name for name in (CONFIG_FILE, WEIGHTS_FILE) if (folder / name).is_file()]
            return cls(path, {name: (folder / name).read_bytes() for name in names}, here.resolve().name)
        return cls(path, {here.name: here.read_bytes()}) if here.exists() else None

    def write(self, to: Path) -> Path:
        place = to / (self.folder or "")
        place.mkdir(parents=True, exist_ok=True)
        for name, data in self.files.items():
            (place / name).write_bytes(data)
        return place if self.folder else place / next(iter(self.files))


@dataclass(frozen=True)
class Task:
    """`command` is called with `options`, of which those in `inputs` are files, and with `out`, a name for its result.

    `listed`: the option of which the command takes several, and gets one.
    `kept`: a folder that is there again when the task is done again, so that training goes on where it was.
    """

    name: str
    command: Callable[..., object]
    options: dict[str, Any]
    inputs: dict[str, Input]
    out: str
    threads: int
    kept: Path | None = None
    listed: str | None = None
    version: str = __version__


@dataclass(frozen=True)
class Outcome:
    """What came of a task: its files by their names, relative to where all results are, and an error or None."""

    files: dict[str, bytes] = field(default_factory=dict)
    error: str | None = None
    warnings: list[str] = field(default_factory=list)
    seconds: float | None = None
    machine: str | None = None
    node: str | None = None
    singan: str | None = None


def perform(task: Task) -> Outcome:
    """Do the task in a folder of its own. Every error is in the outcome, but for Ctrl-C."""
    from singan.device import machine, pick_device

    if task.version != __version__:
        return Outcome(error=f"{platform.node()} has singan {__version__}, not {task.version}: install the same.")
    with _threads(task.threads), tempfile.TemporaryDirectory(prefix="singan-") as passing:
        start, folder = time.perf_counter(), Path(task.kept or passing).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        printed, error = _call(task, folder)
        facts = {"machine": machine(pick_device(None)), "node": platform.node(), "singan": __version__}
        files = _results(folder / "out", Path(task.out))
        seconds = round(time.perf_counter() - start, 3)
    return Outcome(files, error, _warnings(printed), seconds, **facts)


def _call(task: Task, folder: Path) -> tuple[str, str | None]:
    """What the command printed, and its error, with the names of the files as they were given."""
    out = folder / "out" / Path(task.out).name
    resume = (out / CHECKPOINT / STATE_FILE).is_file()
    if not resume:
        shutil.rmtree(folder / "out", ignore_errors=True)
        (folder / "out").mkdir()
    places = {option: given.write(folder / "inputs" / option) for option, given in task.inputs.items()}
    options = task.options | {k: type(task.options[k])(place) for k, place in places.items()}
    options |= {task.listed: [options[task.listed]]} if task.listed else {}
    options |= {"resume": True} if resume else {}
    printed, error = io.StringIO(), None
    try:
        with contextlib.redirect_stdout(printed):
            task.command(**options, out=out, as_json=True)
    except Interrupted:
        raise
    except Exception as mistake:
        error = one_line(mistake, 1000)
    names = {str(place): task.inputs[option].path for option, place in places.items()} | {str(out): task.out}
    text = printed.getvalue()
    for place, name in names.items():
        error = error and error.replace(place, name)
        text = text.replace(json.dumps(place)[1:-1], json.dumps(name)[1:-1])
    return text, error


def _results(folder: Path, out: Path) -> dict[str, bytes]:
    """All that a command left but a checkpoint, as files of the folder that `out` is in."""
    checkpoint = folder / out.name / CHECKPOINT
    found = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_relative_to(checkpoint)]
    return {(out.parent / path.relative_to(folder)).as_posix(): path.read_bytes() for path in found}


def _warnings(printed: str) -> list[str]:
    """Of the one line of JSON that a command prints; none if it failed before."""
    try:
        return [str(text) for text in json.loads(printed).get("warnings", [])]
    except ValueError:
        return []


@contextmanager
def _threads(count: int) -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
