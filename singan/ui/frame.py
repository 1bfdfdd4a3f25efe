"""What the tabs share around a run: seed, status line, Stop, and what becomes of errors."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr
from gradio.context import LocalContext

from singan.errors import SinGANError
from singan.tasks.injection import OnEvent, TaskEvent
from singan.ui.look import STARTING, run_status
from singan.ui.shelf import session
from singan.ui.toasts import toasts
from singan.ui.uploads import scratch
from singan.ui.work import MAX_SEED, short, turns, watch

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
    return gr.HTML(run_status(hint, None, []), container=True, padding=True, elem_classes="status")


def build_buttons(label: str) -> tuple[gr.Button, gr.Button]:
    """What starts a run, and what stops it."""
    with gr.Row():
        return (
            gr.Button(label, variant="primary", min_width=100),
            gr.Button("Stop", interactive=False, min_width=100),
        )


def wire_buttons(go: gr.Button, stop: gr.Button, runs: Iterable[Any], stopped: Any = None) -> None:
    """Give the buttons back when one of the `runs` ends. With `stopped`, (tab, status, value), Stop cancels those of
    the tab, of which nothing is shown any more, and gives that component the value: until a run has ended, which it
    does at its next event, the page would begin no other."""
    for run in runs:
        for ended in (run.success, run.failure):
            ended(idle, None, [go, stop], queue=False, **PRIVATE)
    if stopped:
        tab, status, text = stopped

        def stopping() -> tuple[Any, dict]:
            renew(tab)
            return text, gr.update(interactive=False)

        stop.click(stopping, None, [status, stop], cancels=list(runs), queue=False, **PRIVATE)


def idle() -> tuple[dict, dict]:
    """The two buttons when no run is in progress."""
    return gr.update(interactive=True), gr.update(interactive=False)


def busy() -> dict[str, Any]:
    """The two buttons of a view while a run is; said at each moment of it, as the page may hear late that one which was
    stopped has ended, when the next one has begun."""
    return {"go": gr.update(interactive=False), "stop": gr.update(interactive=True)}


def framed(
    first: V,
    moments: Callable[[Path], Generator[V, None, None]],
    view: Callable[[str], V],
    tab: str,
    *,
    long: bool = False,
) -> Iterator[V]:
    """The `first` moment, and what `moments` shows, given a folder for what it makes: gradio has its copies after each
    moment. An error is shown in the status line of a `view`, and as a toast. Once the `tab` has a newer run, or other
    input, in this session, this one ends and shows nothing more; nothing at all if that was while it waited for its
    turn. All but `long` jobs make training give way."""
    newest = begin(tab)
    if not newest():
        return
    yield first
    with toasts(), scratch() as folder, nullcontext() if long else short, closing(moments(Path(folder))) as shown:
        try:
            for moment in shown:
                if not newest():
                    return
                yield moment
        except SinGANError as error:
            if newest():
                yield view(run_status(str(error), None, []))
                raise


def begin(tab: str) -> Callable[[], bool]:
    """This call is the newest run of the tab in this session, unless the tab had other input while it waited in the
    queue. Returns a function that says whether it still is; what it gives is not shown any more once it is not."""
    blocks, run = LocalContext.blocks.get(None), LocalContext.event_id.get(None)
    event = blocks._queue.event_ids_to_events.get(run) if blocks and run else None
    return turns.take(session(), tab, run, event.enqueue_time if event else math.inf)


def is_stale() -> bool:
    """Has the tab had other input since this call began?"""
    return turns.is_stale(LocalContext.event_id.get(None))


def renew(tab: str) -> None:
    """What runs in that tab of this session, or waits to, is not shown any more: its input has changed."""
    turns.renew(session(), tab)


def run_anew(button: gr.Button, tab: str, status: gr.HTML | None = None) -> Callable[..., Any]:
    """What wires a run of the tab to the button: an older one that is still in progress ends at once, and the new one
    begins then, which the page would else leave out. The page says at once in the `status` that it begins: what is on a
    canvas is sent first, which takes a while."""
    if status:
        button.click(None, None, status, js=f"() => {json.dumps(STARTING)}", trigger_mode="multiple", **PRIVATE)
    click = button.click(lambda: renew(tab), queue=False, trigger_mode="multiple", **PRIVATE)

    def run(*wiring: Any, **options: Any) -> Any:
        event = click.then(*wiring, trigger_mode="always_last", **options)
        if status:  # it did not even begin
            event.failure(None, status, status, js=f"said => said === {json.dumps(STARTING)} ? '' : said", **PRIVATE)
        return event

    return run


def watched(job: Callable[[OnEvent], T], view: Callable[..., V], *, long: bool = False) -> Generator[V, None, T]:
    """Run the job, and show its progress in the status line of a `view`."""
    return watch(job, lambda event: view(progress(event)) if event else view(), long=long)


def progress(event: TaskEvent) -> str:
    """A status line with its bar."""
    return run_status(f"{event.unit.capitalize()} {event.done} of {event.total}", event.done / event.total, [])


def shown(value: Any) -> dict:
    """A component with a value, or hidden without one."""
    return gr.update(value=value, visible=value is not None)
