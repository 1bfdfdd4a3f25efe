"""What the page shows of a training run: its moments, and what there is of it in the end."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any, NamedTuple

import gradio as gr
from PIL import Image

from singan.config import TrainConfig
from singan.errors import ImageError, SinGANError
from singan.limits import Limits
from singan.pyramid import kept_size
from singan.training.events import TrainEvent
from singan.training.progress import clock
from singan.ui.learning import learn_all
from singan.ui.look import STARTING, run_status
from singan.ui.photo import open_photo
from singan.ui.runs import Run
from singan.ui.shelf import MAX_PHOTO_PIXELS, Shelf, load_own, present

SHOW_SECONDS = 0.5  # between two updates of the page


class View(NamedTuple):
    """What one moment of a run changes on the page: the outputs of `train`, in their order."""

    status: Any = gr.skip()
    now: Any = gr.skip()
    scales: Any = gr.skip()
    curves: Any = gr.skip()
    run_id: Any = gr.skip()
    train_button: Any = gr.skip()
    stop_button: Any = gr.skip()
    resume_button: Any = gr.skip()
    download: Any = gr.skip()
    sample_button: Any = gr.skip()
    shelf: Any = gr.skip()
    name: Any = gr.skip()
    pictures: Any = gr.skip()


def watch_run(run: Run, shelf: Shelf) -> Iterator[View]:
    """Train and show it. What is finished is kept in the run however it ends."""
    notes: list[str] = []
    run.stop.clear()
    yield View(
        status=STARTING,
        scales=gr.update(value=list(run.scales), visible=bool(run.scales)),
        curves=gr.update(value=run.curves.html(), visible=bool(run.scales)),
        run_id=run.id,
        name="",
        train_button=gr.update(interactive=False),
        stop_button=gr.update(interactive=True),
        resume_button=gr.update(visible=False),
        download=gr.update(visible=False),
        sample_button=gr.update(visible=False),
    )
    try:
        opened = [open_photo(photo, shelf.limits) for photo in run.photos]
        notes = [text for _, said in opened for text in said]
        images = [image for image, _ in opened]
        check_sizes(images, run.config)
        learning = learn_all(images, run.config, run.seed, run.folder, run.model, shares=run.shares)
        with closing(learning) as events:  # also when the visitor goes away: gradio closes this generator
            run.status, resumable = yield from _show(events, run, shelf.limits, notes)
        if not resumable:
            run.state.unlink(missing_ok=True)
    except SinGANError as error:
        run.status = str(error)
        run.state.unlink(missing_ok=True)  # it would only fail again
        yield run_result(run, shelf, run.status, notes)
        raise
    yield run_result(run, shelf, run.status, notes)


def check_sizes(photos: list[Image.Image], config: TrainConfig) -> None:
    """Raise `ImageError` if the photos, as they are to be kept, are more than a pyramid here may hold."""
    pixels = sum(math.prod(kept_size(photo.height, photo.width, config)) for photo in photos)
    if pixels > MAX_PHOTO_PIXELS:
        raise ImageError(
            f"The photos would be kept with {pixels / 1e6:.1f} megapixels together, and this app keeps "
            f"{MAX_PHOTO_PIXELS / 1e6:.1f} of a model: lower 'Photo kept at'."
        )


def _show(
    events: Iterator[TrainEvent], run: Run, limits: Limits, notes: list[str]
) -> Generator[View, None, tuple[str, bool]]:
    """Show the events of a run as they come, at most every `SHOW_SECONDS`, until it is done, stopped or over its time.

    Returns how it ended, and whether it can be resumed. Previews go to gradio as files, which it copies once. An image
    object it would write again, to the same place, each time it is shown, perhaps while the browser is reading it.
    """
    shown, preview = 0.0, None
    for event in events:
        run.curves.add(event)
        if event.preview:
            preview = str(run.folder / f"scale-{event.scale}-step-{event.step}.png")
            event.preview.save(preview)
        if event.kind == "scale" and preview:
            run.scales.append((preview, f"{event.size[1]}x{event.size[0]}"))
        if event.kind != "step" or time.monotonic() - shown >= SHOW_SECONDS:
            shown = time.monotonic()
            run.status = _where(event)
            yield View(
                status=run_status(run.status, event.total_step / max(1, event.total_steps), notes),
                now=preview or gr.skip(),
                scales=gr.update(value=list(run.scales), visible=True) if event.kind == "scale" else gr.skip(),
                curves=gr.update(value=run.curves.html(), visible=event.kind != "start"),
            )
            preview = None
        if event.kind == "done":
            break
        if run.stop.is_set():
            return f"Stopped after {clock(event.seconds)}.", True
        if event.seconds > limits.max_seconds:
            return f"Stopped: a run may take {clock(limits.max_seconds)} here.", False
    return f"Done after {clock(event.seconds)}.", False


def _where(event: TrainEvent) -> str:
    left = "" if event.seconds_left is None else f" · {clock(event.seconds_left)} left"
    return (
        f"Scale {event.scale + 1} of {event.scales} · {event.size[1]}x{event.size[0]} px · "
        f"step {event.step} of {event.steps} · {clock(event.seconds)} gone{left}"
    )


def run_result(run: Run, shelf: Shelf, text: str, notes: list[str]) -> View:
    """What there is of a run that is not in progress: its model on the shelf and as a zip file, what to resume."""
    view = View(
        status=run_status(text, None, notes),
        scales=gr.update(value=list(run.scales), visible=bool(run.scales)),
        curves=gr.update(value=run.curves.html(), visible=bool(run.scales)),
        run_id=run.id,
        resume_button=gr.update(visible=run.state.exists()),
    )
    if not run.model.is_dir():
        more = " No scale is finished yet: resume it." if run.state.exists() else " No scale was finished."
        return view._replace(status=run_status(text + more, None, notes))
    model = load_own(run.model, run.name)
    shelf = present(shelf)
    shelf, name = shelf.put(run.name, model)
    height, width = model.image_size
    count = "1 scale" if len(model.generators) == 1 else f"{len(model.generators)} scales"
    archive = shutil.make_archive(str(run.folder / run.name), "zip", run.model.parent)
    text = f"{text} {count} learned, samples of {width}x{height} px: {name!r} is among the models at the top."
    return view._replace(
        status=run_status(text, None, notes),
        download=gr.update(value=archive, visible=True),
        sample_button=gr.update(visible=True),
        shelf=shelf,
        name=name,
        pictures=shelf.pictures(),
    )
