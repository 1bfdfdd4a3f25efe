"""Training runs that are kept on the server for a while: to be resumed, or taken by a browser that comes back."""

from __future__ import annotations

import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from singan.config import TrainConfig
from singan.errors import CheckpointError
from singan.files import STATE_FILE
from singan.ui.look import Curves
from singan.ui.uploads import scratch

KEEP_RUNS = 32  # then the oldest gives way


@dataclass
class Run:
    """One run. Whoever knows its `id` may have it; all its files are in a folder of its own."""

    id: str
    files: TemporaryDirectory
    photos: list[Path]
    name: str  # of the model
    config: TrainConfig
    seed: int
    shares: list[float] | None = None  # of several photos
    status: str = "Broken off"  # what the page said last
    curves: Curves = field(default_factory=Curves)
    scales: list[tuple[str, str]] = field(default_factory=list)  # pictures of the finished ones, with their sizes
    stop: threading.Event = field(default_factory=threading.Event)
    busy: threading.Lock = field(default_factory=threading.Lock)

    @property
    def folder(self) -> Path:
        return Path(self.files.name)

    @property
    def model(self) -> Path:
        """Where the model is once a scale is finished."""
        return self.folder / "model" / self.name

    @property
    def state(self) -> Path:
        return self.folder / STATE_FILE


class Runs:
    """The runs of all visitors. Each is dropped `keep_seconds` after it was last in use."""

    def __init__(self, keep_seconds: float) -> None:
        self.keep_seconds = keep_seconds
        self._runs: dict[str, Run] = {}
        self._timers: dict[str, threading.Timer] = {}
        self._lock = threading.Lock()

    def start(
        self, photos: list[Path], name: str, config: TrainConfig, seed: int, shares: list[float] | None = None
    ) -> Run:
        """A new run on copies of these files."""
        files, copies = scratch("run"), []
        for number, photo in enumerate(photos):
            copy = Path(files.name, f"photo-{number}", photo.name)
            copy.parent.mkdir()
            copies.append(Path(shutil.copyfile(photo, copy)))
        run = Run(secrets.token_urlsafe(), files, copies, name, config, seed, shares)
        with self._lock:
            self._runs[run.id] = run
            idle = [other for other in self._runs.values() if other is not run and not other.busy.locked()]
        for other in idle[: max(0, len(self._runs) - KEEP_RUNS)]:
            self.drop(other.id)
        self._drop_later(run)
        return run

    def get(self, run_id: str | None) -> Run | None:
        return self._runs.get(run_id) if isinstance(run_id, str) else None  # a page may send anything

    @contextmanager
    def use(self, run: Run) -> Iterator[None]:
        """Keep the run meanwhile. Raises `CheckpointError` if it is in use, and not just ending, or dropped."""
        if not run.busy.acquire(timeout=5):
            raise CheckpointError("This run is in progress in another window: watch it there, or stop it first.")
        try:
            if run.id not in self._runs:
                raise CheckpointError("This run was dropped, because it was not used for long: train again.")
            yield
        finally:
            run.busy.release()
            self._drop_later(run)

    def drop(self, run_id: str) -> None:
        """Delete the run and its files, unless it is in use: its end asks again."""
        run = self.get(run_id)
        if run is None or not run.busy.acquire(blocking=False):
            return
        with self._lock:
            self._runs.pop(run_id, None)
            timer = self._timers.pop(run_id, None)
        if timer:
            timer.cancel()
        run.files.cleanup()
        run.busy.release()

    def _drop_later(self, run: Run) -> None:
        timer = threading.Timer(self.keep_seconds, self.drop, [run.id])
        timer.daemon = True
        with self._lock:
            if run.id not in self._runs:
                return
            before, self._timers[run.id] = self._timers.get(run.id), timer
        if before:
            before.cancel()
        timer.start()
