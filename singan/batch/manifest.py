"""What a batch has done, line by line: a file that survives whoever writes it, and is not believed when it is read."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Literal, get_args

from singan.errors import CheckpointError, ConfigError, one_line

if sys.platform != "win32":
    import fcntl

MANIFEST = "manifest.jsonl"
HEADER = {"format": "singan batch", "version": 1}
MAX_LINE, MAX_BYTES = 16_000_000, 2_000_000_000

Status = Literal["begun", "done", "failed"]


@dataclass(frozen=True)
class Record:
    """The state of one job; of several with one name the last counts.

    `options` are those of the command before names are filled in; `inputs` gives size, time of change and SHA-256 of
    each file that was read; `files` are the results, relative to the folder of the manifest.
    """

    name: str
    status: Status
    command: str
    options: dict[str, Any]
    inputs: dict[str, Any]
    time: str  # of the record, UTC, as ISO 8601 has it
    seed: int | None = None
    seconds: float | None = None
    error: str | None = None
    warnings: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    machine: str | None = None  # what decides over the last bits: instruction set or GPU, and threads
    node: str | None = None
    singan: str | None = None


@dataclass
class Manifest:
    """The records of a folder, and the right to add to them."""

    _file: BinaryIO
    records: dict[str, Record]

    def add(self, record: Record) -> None:
        """Write the record, and wait until it is on the disk."""
        self._write(asdict(record))
        self.records[record.name] = record

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(_line(line))
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def open_manifest(folder: Path) -> Iterator[Manifest]:
    """The manifest in `folder`, both made if need be, for this process alone.

    Raises `ConfigError` if another batch has it, `CheckpointError` if it is not one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / MANIFEST
    with open(path, "ab+") as file:
        _lock(file, folder)
        records, whole = _read(file, path)
        if whole < os.fstat(file.fileno()).st_size:
            file.truncate(whole)  # a killed writer left half a line
        manifest = Manifest(file, records)
        if not whole:
            manifest._write(HEADER)
        yield manifest


def _line(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts).encode() + b"\n"  # all ASCII, whatever files are called


def _lock(file: BinaryIO, folder: Path) -> None:
    """Until the file is closed; Windows, which has no such locks, is trusted to run one batch at a time."""
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(f"Another batch is at work in {folder}: wait for it, or choose another --out.") from None


def _read(file: BinaryIO, path: Path) -> tuple[dict[str, Record], int]:
    """The records by name, and the length of all whole lines."""
    if os.fstat(file.fileno()).st_size > MAX_BYTES:
        raise CheckpointError(f"{path} is over {MAX_BYTES:,} bytes, which no batch is: choose another --out.")
    file.seek(0)
    records: dict[str, Record] = {}
    number = whole = 0
    while line := file.readline(MAX_LINE):
        number += 1
        if not line.endswith(b"\n") and len(line) < MAX_LINE and (number > 1 or _line(HEADER).startswith(line)):
            break
        try:
            facts = json.loads(line)
            if number == 1:
                _check_header(facts)
            else:
                record = _record(facts)
                records[record.name] = record
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise CheckpointError(
                f"{path} is no manifest of a batch, or is damaged (line {number}: {one_line(error)}): mend it, or "
                "choose another --out."
            ) from None
        whole += len(line)
    return records, whole


def _check_header(facts: Any) -> None:
    if not isinstance(facts, dict) or facts.get("format") != HEADER["format"]:
        raise ValueError("the first line does not say what it is")
    if facts.get("version") != HEADER["version"]:
        raise ValueError(f"version {facts.get('version')!r} is not {HEADER['version']}, which this singan reads")


def _record(facts: Any) -> Record:
    """Raises `ValueError` or `TypeError` unless every field is what it must be."""
    record = Record(**{one.name: facts[one.name] for one in fields(Record)})
    kinds: dict[type | tuple[type, ...], tuple[Any, ...]] = {
        str: (record.name, record.command, record.time, *record.warnings, *record.files),
        dict: (record.options, record.inputs),
        list: (record.warnings, record.files),
        (str, type(None)): (record.error, record.machine, record.node, record.singan),
        (int, type(None)): (record.seed,),
        (float, int, type(None)): (record.seconds,),
    }
    for kind, values in kinds.items():
        if not all(isinstance(value, kind) for value in values):
            raise TypeError("a field is of another kind than it must be")
    if record.status not in get_args(Status):
        raise ValueError(f"there is no status {record.status!r}")
    for name in (record.name, *record.files):
        check_inside(name)
    return record


def check_inside(name: str) -> None:
    """Raise `ValueError` unless the name is that of something in a folder, by no way around."""
    path = PurePath(name)
    if not path.parts or path.anchor or ".." in path.parts or "\0" in name:
        raise ValueError(f"{name!r} leads out of the folder")
