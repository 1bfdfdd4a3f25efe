"""What the tabs share around a run: seed, status line, Stop, and what becomes of errors."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from singan.errors import SinGANError
from singan.tasks.injection import OnEvent, TaskEvent
from singan.ui.look import run_status
from singan.ui.shelf import toasts
from singan.ui.uploads import scratch
from singan.ui.work import MAX_SEED, watch

T = TypeVar("T")
V = TypeVar("V")

PRIVATE: dict[str, Any] = {"api_visibility": "private"}
SILENT: dict[str, Any] = {**PRIVATE, "show_progress": "hidden"}


def build_seed(new: bool = False) -> tuple[gr.Number, gr.Checkbox]:
    """The seed, and whether each run takes a random one."""
    seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED)
    return seed, gr.Checkbox(new, label="New seed each time")


def build_status(hint: str) -> gr.HTML:
    """The line that says how far a run is."""
    return gr.HTML(run_status(hint, None, []), container=True, padding=True)


def build_buttons(label: str) -> tuple[gr.Button, gr.Button]:
    """What starts a run, and what stops it."""
    with gr.Row():
        return (
            gr.Button(label, variant="primary", min_width=100),
            gr.Button("Stop", interactive=False, min_width=100),
        )


def wire_buttons(go: gr.Button, stop: gr.Button, runs: Iterable[Any], stopped: Any = None) -> None:
    """Give the buttons back when one of the `runs` ends. With `stopped`, (status, value), Stop cancels them and gives
    that component the value."""
    for run in runs:
        for ended in (run.success, run.failure):
            ended(idle, None, [go, stop], queue=False, **PRIVATE)
    if stopped:
        status, text = stopped
        stop.click(lambda: (text, *idle()), None, [status, go, stop], cancels=list(runs), queue=False, **PRIVATE)


def idle() -> tuple[dict, dict]:
    """The two buttons when no run is in progress."""
    return gr.update(interactive=True), gr.update(interactive=False)


def busy() -> dict[str, Any]:
    """The two buttons of a view while a run is."""
    return {"go": gr.update(interactive=False), "stop": gr.update(interactive=True)}


def framed(moments: Callable[[Path], Iterator[V]], view: Callable[[str], V]) -> Iterator[V]:
    """What `moments` shows, given a folder for what it makes: gradio has its copies after each moment. An error is
    shown in the status line of a `view`, and as a toast."""
    with toasts(), scratch() as folder:
        try:
            yield from moments(Path(folder))
        except SinGANError as error:
            yield view(run_status(str(error), None, []))
            raise


def watched(job: Callable[[OnEvent], T], view: Callable[..., V]) -> Generator[V, None, T]:
    """Run the job, and show its progress in the status line of a `view`."""
    return watch(job, lambda event: view(progress(event)) if event else view())


def progress(event: TaskEvent) -> str:
    """A status line with its bar."""
    return run_status(f"{event.unit.capitalize()} {event.done} of {event.total}", event.done / event.total, [])


def shown(value: Any) -> dict:
    """A component with a value, or hidden without one."""
    return gr.update(value=value, visible=value is not None)
