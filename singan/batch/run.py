"""A batch: what is left to do, doing it, and keeping what comes of it, each once."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any

from singan.batch.items import Item
from singan.batch.manifest import MANIFEST, Manifest, Record, Status, check_inside, open_manifest
from singan.batch.work import Input, Outcome, Task, perform
from singan.errors import ConfigError, ImageError, Interrupted, one_line
from singan.files import CARD_FILE, CONFIG_FILE, atomic_path, files_in
from singan.storage.card import card_is_edited, save_files
from singan.version import __version__

Work = Callable[[Iterable[Task]], Iterator[tuple[str, Outcome]]]  # does the tasks, and tells of each as it is done


@dataclass(frozen=True)
class Batch:
    """A command for many items. Its `options` may hold {} for the file and {name} for the name of its result."""

    name: str  # of the command
    command: Callable[..., object]
    options: dict[str, Any]
    item: str  # the option that takes the item
    sources: Sequence[str]  # the options that take pictures or models, the item's among them
    ending: str  # of the results; "" if each is a folder
    out: Path
    threads: int
    kept: Path | None  # where training runs that are under way are kept; None: they start anew on another machine
    listed: str | None = None  # the option of the item, if the command takes several and gets one

    def filled(self, item: Item) -> dict[str, Any]:
        """The options for that item."""
        return {key: _fill(value, item) for key, value in self.options.items()} | {self.item: item.source}

    def settings(self) -> dict[str, Any]:
        """The options as a manifest holds them."""
        written = {"format": self.ending} if self.ending else {}
        return {key: str(value) if isinstance(value, Path) else value for key, value in self.options.items()} | written

    def work_folder(self, name: str) -> Path | None:
        unique = hashlib.sha256(f"{self.out.resolve()}\n{name}".encode(errors="surrogateescape")).hexdigest()
        return None if self.kept is None else self.kept / unique[:20]


@dataclass
class Report:
    """What a batch did, and what it found done or failed; errors by name."""

    total: int
    done: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    @property
    def finished(self) -> int:
        return len(self.done) + len(self.skipped) + len(self.failed)


OnDone = Callable[[str, Outcome, Report], object]  # told of every outcome


def run(
    batch: Batch,
    items: Sequence[Item],
    work: Work,
    *,
    retry: bool = False,
    force: bool = False,
    on_done: OnDone | None = None,
) -> Report:
    """Do what is not done yet, and write each result down once it is saved.

    `retry`: what failed before too. `force`: replace results of other settings, and files that are not the batch's.
    `on_done` is told of every outcome. Raises `ConfigError` before anything is done if something would be replaced,
    or if another batch is at work there; `CheckpointError` if the manifest is damaged; `Interrupted`.
    """
    report = Report(len(items))
    with open_manifest(batch.out) as manifest:
        keeper = _Keeper(batch, manifest, report, on_done)
        left = keeper.left(items, retry, force)
        try:
            for name, outcome in work(keeper.tasks(left)):
                keeper.finish(name, outcome)
        except (KeyboardInterrupt, Interrupted):
            done = f"{report.finished} of {report.total} are finished"
            raise Interrupted(f"Interrupted: {done}, and the same command goes on with the rest.") from None
    return report


def one_after_another(tasks: Iterable[Task]) -> Iterator[tuple[str, Outcome]]:
    """Do the tasks here."""
    for task in tasks:
        yield task.name, perform(task)


@dataclass(frozen=True)
class _Keeper:
    """Keeps the manifest and the results of a batch."""

    batch: Batch
    manifest: Manifest
    report: Report
    on_done: OnDone | None

    def left(self, items: Sequence[Item], retry: bool, force: bool) -> list[Item]:
        """What is to be done. What is not goes to the report. Raises `ConfigError`."""
        left = []
        there, foreign = self._taken(items) if not force else (set(), set())
        instead = "choose another --out, or replace it with --force"
        for item in items:
            record, path = self.manifest.records.get(item.name), self.batch.out / (item.name + self.batch.ending)
            other = record and self._differs(record, item)
            if record and record.status == "failed" and not other and not (retry or force):
                self.report.failed[item.name] = record.error or ""
                continue
            if record is None or record.status == "failed":  # of which there is nothing, or what its error left
                own = set() if record is None else self._written(record)
                if path in foreign or path in there - own:
                    raise ConfigError(f"{path} exists and is not this batch's: {instead}.")
            if record and record.status == "done" and other and not force:
                raise ConfigError(f"{item.name} in {self.batch.out} was made with {other}: {instead}.")
            if record and record.status == "done" and not other and self._is_there(record):
                self.report.skipped.append(item.name)
                self._forget(item.name)  # killed before it was
            else:
                left.append(item)
                if other:
                    self._forget(item.name)  # a run that is under way is another one
        return left

    def _taken(self, items: Sequence[Item]) -> tuple[set[Path], set[Path]]:
        """The names that are taken where results shall go, and those that what is not this folder's batches' takes,
        also without a number at the end, as of several results."""
        out, ending = self.batch.out, self.batch.ending
        folders = {(out / item.name).parent for item in items}
        there = {path for folder in folders if folder.is_dir() for path in folder.iterdir()}
        records = self.manifest.records.values()
        ours = {path for one in records for path in self._written(one)}
        ours |= {out / (one.name + ending) for one in records if one.status != "failed"}  # saved, not yet written down
        foreign = there - ours
        return there, foreign | {path.with_stem(re.sub(r"-\d+$", "", path.stem)) for path in foreign}

    def _written(self, record: Record) -> set[Path]:
        """The files of a record, and the folders that they are in."""
        files = {self.batch.out / name for name in record.files}
        return files | {path.parent for path in files}

    def tasks(self, items: Iterable[Item]) -> Iterator[Task]:
        """The tasks, one by one as they are begun."""
        batch = self.batch
        for item in items:
            filled = batch.filled(item)
            try:
                read = {key: Input.read(str(filled[key])) for key in batch.sources if filled.get(key) is not None}
                inputs = {key: given for key, given in read.items() if given}
                stamps = {key: _stamp(Path(given.path)) for key, given in inputs.items()}
            except (OSError, ImageError) as error:
                self._begin(item.name, {})
                self.finish(item.name, Outcome(error=one_line(error, 1000)))
                continue
            self._begin(item.name, stamps)
            out, kept = item.name + batch.ending, batch.work_folder(item.name)
            yield Task(item.name, batch.command, filled, inputs, out, batch.threads, kept, batch.listed)

    def finish(self, name: str, outcome: Outcome) -> None:
        """Save what came of a task, then write that down; killed in between, it is done again."""
        begun = self.manifest.records[name]
        _save(self.batch.out, name, outcome.files, whole=not self.batch.ending)
        files, old = list(outcome.files), [file for file in begun.files if file not in outcome.files]
        if outcome.error is None:
            self._remove(name, old)
        else:
            files += old  # they are still there
        self._named.subtract(begun.files)
        self._named.update(files)
        facts = {**vars(outcome), "files": files, "time": _now()}
        status: Status = "done" if outcome.error is None else "failed"
        self.manifest.add(replace(begun, status=status, **facts))
        self._forget(name)
        if outcome.error is None:
            self.report.done.append(name)
        else:
            self.report.failed[name] = outcome.error
        if self.on_done:
            self.on_done(name, outcome, self.report)

    def _begin(self, name: str, inputs: dict[str, Any]) -> None:
        """Write down that it is begun, with the files of before, of which those that are not replaced have to go."""
        seed, before = self.batch.options.get("seed"), self.manifest.records.get(name)
        what = (self.batch.name, self.batch.settings(), inputs, _now(), seed)
        self.manifest.add(Record(name, "begun", *what, files=before.files if before else [], singan=__version__))

    @cached_property
    def _named(self) -> Counter[str]:
        """How many records name a file."""
        return Counter(file for record in self.manifest.records.values() for file in record.files)

    def _remove(self, name: str, old: Iterable[str]) -> None:
        """Remove files of an earlier result, and its folder if that leaves it empty; not those of other records, nor a
        card that was written by hand, nor what a link leads to outside the batch's folder."""
        out = self.batch.out
        paths = [out / file for file in old if self._named[file] < 2 and out / file != out / MANIFEST]
        inside = [path for path in paths if path.is_file() and path.parent.resolve().is_relative_to(out.resolve())]
        for path in [path for path in inside if path.name != CARD_FILE or not card_is_edited(path.parent)]:
            path.unlink()
        with contextlib.suppress(OSError):  # there is none, or something is in it
            (out / name).rmdir()

    def _differs(self, record: Record, item: Item) -> str | None:
        """What the record was made with, if that is something else."""
        if record.command != self.batch.name:
            return f"singan {record.command}"
        for key, value in self.batch.settings().items():
            if record.options.get(key) != value:
                return f"{key} {record.options.get(key)}, not {value}"
        filled = self.batch.filled(item)
        for key in self.batch.sources:
            path = Path(str(filled.get(key)))
            if path.exists() and not _same(path, record.inputs.get(key)):
                return f"another {path}, which has changed since"
        return None

    def _is_there(self, record: Record) -> bool:
        """Whether the results are, as they are or on their way into their folder."""
        paths = [self.batch.out / name for name in record.files]
        return bool(paths) and all((files_in(path.parent) / path.name).is_file() for path in paths)

    def _forget(self, name: str) -> None:
        """Remove what a run under way has left."""
        folder = self.batch.work_folder(name)
        if folder is not None and self.batch.kept is not None:
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # others are in it, or it is not there
                self.batch.kept.rmdir()


def _fill(value: Any, item: Item) -> Any:
    if not isinstance(value, (str, Path)):
        return value
    return type(value)(re.sub(r"\{(name)?\}", lambda found: item.name if found[1] else item.source, str(value)))


def _save(folder: Path, name: str, files: dict[str, bytes], whole: bool) -> None:
    """Write the results: all those of a folder of their own or none (`whole`), or one by one."""
    for file in files:
        check_inside(file)
    if whole and files:
        own = folder / name
        own.mkdir(parents=True, exist_ok=True)
        save_files(own, {Path(file).name: data for file, data in files.items()})
        return
    for file, data in files.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / file) as part:
            part.write_bytes(data)


def _stamp(path: Path) -> list[Any]:
    """Size, time of change and SHA-256 of a picture; of a model those of its config.json, which has its weights'."""
    file = files_in(path) / CONFIG_FILE if path.is_dir() else path
    return [file.stat().st_size, file.stat().st_mtime_ns, hashlib.sha256(file.read_bytes()).hexdigest()]


def _same(path: Path, stamp: object) -> bool:
    """Whether the file is what it was, by its size and time or else by its contents."""
    file = files_in(path) / CONFIG_FILE if path.is_dir() else path
    if not isinstance(stamp, list) or len(stamp) != 3 or not file.is_file():
        return False
    stat = file.stat()
    return stamp[:2] == [stat.st_size, stat.st_mtime_ns] or bool(stamp[2] == _stamp(path)[2])


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
