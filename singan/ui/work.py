"""Heavy work that the page can watch and cancel."""

from __future__ import annotations

import math
import queue
import secrets
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from singan.tasks.injection import OnEvent, TaskEvent

T = TypeVar("T")
V = TypeVar("V")

MAX_SEED = 2**53 - 1  # which a browser counts to; an answer with a number over 2^64 cannot be sent
SHOW_SECONDS = 0.2  # between two yields at least
TICK_SECONDS = 0.5  # and at most: gradio can cancel a handler only when it yields


class _Cancelled(Exception):
    """The page does not wait any more."""


def watch(job: Callable[[OnEvent], T], show: Callable[[TaskEvent | None], V]) -> Generator[V, None, T]:
    """Run `job` in a thread; yields what `show` makes of its events, of some if they come fast, or of None.

    `show` sees all events. Returns what the job returns, which is called with what it shall call on each event.
    Closing this generator ends the job at its next event.
    """
    events: queue.SimpleQueue[TaskEvent | None] = queue.SimpleQueue()
    cancelled = threading.Event()

    def on_event(event: TaskEvent) -> None:
        if cancelled.is_set():
            raise _Cancelled
        events.put(event)

    with ThreadPoolExecutor(1) as pool:  # which waits for the job when this ends
        running = pool.submit(job, on_event)
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


def pick_seed(seed: int | None, new_seed: bool) -> int:
    """The seed given, or a random one."""
    return secrets.randbelow(2**31) if new_seed or seed is None else seed
