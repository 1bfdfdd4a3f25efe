"""Heavy work that the page can watch and cancel."""

from __future__ import annotations

import math
import queue
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from PIL import Image

from singan.errors import ImageError
from singan.limits import check_megapixels
from singan.tasks.injection import OnEvent, TaskEvent

T = TypeVar("T")
V = TypeVar("V")

NO_SAMPLE = "This picture is no sample of this app: draw samples anew."
MAX_SEED = 2**53 - 1  # which a browser counts to; an answer with a number over 2^64 cannot be sent
MAX_RANDOM = 10**6  # short enough to be read, and typed again
SHOW_SECONDS = 0.2  # between two yields at least
GIVE_SECONDS = 2.0  # that a step of a long job waits for short ones, at most
TICK_SECONDS = 0.5  # and at most: gradio can cancel a handler only when it yields


class _Cancelled(Exception):
    """The page does not wait any more."""


class Short:
    """`with short:` a job that takes some seconds at most; what takes long calls `give_way` between its steps."""

    def __init__(self) -> None:
        self._lock, self._inside, self._idle = threading.Lock(), 0, threading.Event()
        self._idle.set()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            self._idle.clear()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._idle.set()

    def give_way(self, most: float = GIVE_SECONDS) -> None:
        """Wait until no short job is being done, but not for longer than so many seconds: then one step is made."""
        self._idle.wait(most)


short = Short()


class Turns:
    """Which run of a tab in a session is the newest: what an older one gives is not shown any more."""

    KEEP = 2000  # sessions and tabs

    def __init__(self) -> None:
        self._lock, self._newest = threading.Lock(), OrderedDict[tuple[str, str], tuple[int, float]]()
        self._runs = OrderedDict[str, Callable[[], bool]]()

    def take(
        self, session: str | None, tab: str, run: str | None = None, asked: float = math.inf
    ) -> Callable[[], bool]:
        """Be the newest one, unless the tab was renewed since this was `asked` for, by `time.monotonic`. Returns a
        function that says whether it still is; without a session it always is. `run`: the call whose results that is
        about, for `is_stale`."""
        if session is None:
            return lambda: True
        key = session, tab
        with self._lock:
            number, renewed = self._newest.get(key, (0, -math.inf))
            late = asked < renewed
            mine = number + (not late)
            self._set(key, mine, renewed)
            newest = lambda: not late and self._newest.get(key, (0, 0))[0] == mine  # noqa: E731
            if run is not None:
                self._runs[run] = newest
            while len(self._runs) > self.KEEP:
                self._runs.popitem(last=False)
        return newest

    def renew(self, session: str | None, tab: str) -> None:
        """The tab has other input: its runs end, and those that wait in the queue are late when they begin."""
        if session is not None:
            with self._lock:
                number, _ = self._newest.get((session, tab), (0, 0))
                self._set((session, tab), number + 1, time.monotonic())

    def _set(self, key: tuple[str, str], number: int, renewed: float) -> None:
        self._newest[key] = number, renewed
        self._newest.move_to_end(key)
        while len(self._newest) > self.KEEP:
            self._newest.popitem(last=False)

    def is_stale(self, run: str | None) -> bool:
        """Has something newer come since that call took its turn?"""
        newest = self._runs.get(run) if run is not None else None
        return newest is not None and not newest()


turns = Turns()
_lanes = {long: threading.Lock() for long in (False, True)}  # gradio begins the next job while one that was left ends


def watch(
    job: Callable[[OnEvent], T], show: Callable[[TaskEvent | None], V], *, long: bool = False
) -> Generator[V, None, T]:
    """Run `job` in a thread; yields what `show` makes of its events, of some if they come fast, or of None.

    `show` sees all events. Returns what the job returns, which is called with what it shall call on each event.
    Closing this generator ends the job at its next event. A `long` job gives way to short ones at its events.
    """
    events: queue.SimpleQueue[TaskEvent | None] = queue.SimpleQueue()
    cancelled = threading.Event()

    def on_event(event: TaskEvent) -> None:
        if cancelled.is_set():
            raise _Cancelled
        events.put(event)
        if long:
            short.give_way()

    def alone() -> T:
        with _lanes[long]:
            if cancelled.is_set():
                raise _Cancelled
            return job(on_event)

    with ThreadPoolExecutor(1) as pool:  # which waits for the job when this ends
        running = pool.submit(alone)
        running.add_done_callback(lambda _: events.put(None))  # wakes the loop
        shown = -math.inf
        try:
            while not (running.done() and events.empty()):
                try:
                    seen = show(events.get(timeout=TICK_SECONDS))
                except queue.Empty:
                    seen = show(None)
                if time.monotonic() - shown >= SHOW_SECONDS:
                    shown = time.monotonic()
                    yield seen
        finally:
            cancelled.set()
    return running.result()


def open_sample(path: str) -> Image.Image:
    """A sample of a gallery, whose file is what a page says it is: a PNG no larger than samples come, not yet decoded.
    Raises `ImageError`, `ConfigError`."""
    try:
        image = Image.open(path, formats=("PNG",))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise ImageError(NO_SAMPLE) from None
    check_megapixels(1, (image.height, image.width))
    return image


def pick_seed(seed: int | None, new_seed: bool) -> int:
    """The seed given, or a random one."""
    return secrets.randbelow(MAX_RANDOM) if new_seed or seed is None else seed
