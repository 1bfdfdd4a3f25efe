"""The tab Train: learn a photo while the visitor watches."""

from __future__ import annotations

import shutil
import threading
import time
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import gradio as gr
from PIL import Image

from singan.config import TrainConfig
from singan.errors import ImageError, ImageWarning, SinGANError, TrainingError
from singan.image import load_image
from singan.model import SinGAN
from singan.pyramid import learned_size, scale_sizes
from singan.trainer import TrainEvent, iter_train
from singan.ui.look import Curves, clock, run_status
from singan.ui.shelf import COMPUTE, Shelf, Top, toasts

SHOW_SECONDS = 0.5  # between two updates of the page
PREVIEW_STEPS = 50  # between two previews of the scale that is being learned

_loading = threading.Lock()  # warnings are caught process-wide


class View(NamedTuple):
    """What one moment of a run changes on the page: the outputs of `train`, in their order."""

    status: Any = gr.skip()
    now: Any = gr.skip()
    scales: Any = gr.skip()
    curves: Any = gr.skip()
    stop: Any = gr.skip()
    train_button: Any = gr.skip()
    stop_button: Any = gr.skip()
    download: Any = gr.skip()
    sample_button: Any = gr.skip()
    shelf: Any = gr.skip()
    name: Any = gr.skip()
    pictures: Any = gr.skip()


def build(top: Top, tabs: gr.Tabs) -> None:
    """Make the tab. A run that is done, or stopped, puts its pyramid on the shelf and chooses it."""
    stop = gr.State()  # the threading.Event of the run in progress
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=260):
            photo = gr.File(label="Photo", height=140, elem_id="photo")
            preset = gr.Radio(
                [("Fast: a minute or two", "fast"), ("Best: about five minutes", "best")],
                value="fast",
                label="Preset",
            )
            max_size = gr.Slider(50, 1000, 250, step=10, label="Longest side to learn (px)")
            with gr.Accordion("Advanced", open=False):
                seed = gr.Number(0, label="Seed", precision=0, minimum=0)
                steps = gr.Number(None, label="Steps per scale", info="Empty: the preset's.", precision=0, minimum=1)
                paper = gr.Checkbox(
                    False,
                    label="Method of the paper, instead of the preset",
                    info="The published constants, for comparisons. Takes hours on a CPU.",
                )
            with gr.Row():
                train_button = gr.Button("Train", variant="primary", min_width=100)
                stop_button = gr.Button("Stop", interactive=False, min_width=100)
            download = gr.DownloadButton("Download model", visible=False)
            sample_button = gr.Button("Sample from it", visible=False)
        with gr.Column(scale=3, min_width=320):
            status = gr.HTML(
                run_status("Upload a photo, then press Train.", None, []),
                container=True,
                padding=True,
                elem_id="status",
            )
            now = gr.Image(
                label="Learning",
                format="png",
                interactive=False,
                height=320,
                buttons=["fullscreen"],
                elem_id="now",
            )
            curves = gr.HTML(container=True, padding=True, visible=False)
            scales = gr.Gallery(
                label="Finished scales",
                format="png",
                columns=6,
                visible=False,
                buttons=["download", "fullscreen"],
                interactive=False,
                elem_id="scales",
                elem_classes="grow",
            )
    view = View(
        status, now, scales, curves, stop, train_button, stop_button, download, sample_button,
        top.shelf, top.name, top.pictures,
    )  # fmt: skip
    inputs = [top.shelf, photo, preset, max_size, seed, steps, paper]
    photo.upload(look, [photo, max_size], [status, now], show_progress="hidden", api_visibility="private")
    run = train_button.click(
        train, inputs, list(view), **COMPUTE, show_progress="minimal", show_progress_on=status, api_name="train"
    )
    for ended in (run.success, run.failure):
        ended(idle, None, [train_button, stop_button], queue=False, api_visibility="private")
    stop_button.click(ask_to_stop, stop, stop_button, queue=False, api_visibility="private")
    sample_button.click(lambda: gr.Tabs(selected="sample"), None, tabs, queue=False, api_visibility="private")


def look(photo: str, max_size: int) -> tuple[str, Image.Image]:
    """Show an uploaded photo as it will be learned, or say what is wrong with it."""
    with toasts():
        image, notes = open_photo(photo)
        height, width = learned_size(image.height, image.width, TrainConfig(max_size=max_size))
        scales = len(scale_sizes(height, width, TrainConfig(max_size=max_size)))
    text = f"Learned at {height}x{width} px, in {scales} scales. Press Train."
    return run_status(text, None, notes), image.resize((width, height), Image.Resampling.LANCZOS)


def train(
    shelf: Shelf,
    photo: str | None,
    preset: Literal["fast", "best"] = "fast",
    max_size: int = 250,
    seed: int | None = 0,
    steps: int | None = None,
    paper: bool = False,
) -> Iterator[View]:
    """Learn one photo. Streams a status line, previews and loss curves; ends with the model as a zip file.

    Parameters:
        photo: the file of the photo
        preset: "fast" takes a minute or two, "best" about five
        max_size: longest side that is learned, in pixels
        seed: seed of all randomness
        steps: training steps per scale; empty: the preset's
        paper: the published method instead of a preset; takes hours
    """
    stop = threading.Event()
    yield View(
        status=run_status("Starting", 0, []),
        scales=gr.update(value=None, visible=False),
        curves=gr.update(value="", visible=False),
        stop=stop,
        train_button=gr.update(interactive=False),
        stop_button=gr.update(interactive=True),
        download=gr.update(visible=False),
        sample_button=gr.update(visible=False),
    )
    notes: list[str] = []
    with toasts(), TemporaryDirectory(prefix="singan-") as folder:
        try:
            image, notes = open_photo(photo)
            name = " ".join(Path(photo or "").stem.split()).strip(". ") or "photo"
            chosen: dict[str, Any] = {"max_size": max_size} | ({"steps": steps} if steps else {})
            config = TrainConfig.preset("paper" if paper else preset, **chosen)
            events = iter_train(image, config, seed=seed or 0, preview_every=PREVIEW_STEPS, stop=stop.is_set)
            with closing(events):  # also when the visitor goes away: gradio then closes this generator
                last = yield from _watch(events, Path(folder), notes)
            assert last.model is not None  # the last event always carries it
            text = f"{'Stopped' if stop.is_set() else 'Done'} after {clock(last.seconds)}."
            yield _finish(last.model, shelf, name, text, notes, Path(folder))
        except SinGANError as error:
            if isinstance(error, TrainingError) and error.model is not None:
                yield _finish(error.model, shelf, name, str(error), notes, Path(folder))
            else:
                yield View(status=run_status(str(error), None, notes))
            raise


def ask_to_stop(stop: threading.Event | None) -> dict:
    """Let the run in progress end after its current step."""
    if stop is not None:
        stop.set()
    return gr.update(interactive=False)


def idle() -> tuple[dict, dict]:
    """The two buttons when no run is in progress."""
    return gr.update(interactive=True), gr.update(interactive=False)


def open_photo(photo: str | None) -> tuple[Image.Image, list[str]]:
    """The uploaded photo as RGB, and the `ImageWarning`s it gave. Raises `ImageError`."""
    if photo is None:
        raise ImageError("There is no photo yet: upload one first.")
    with _loading, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ImageWarning)
        image = load_image(photo, name=Path(photo).name)
    return image, [str(one.message) for one in caught]


def _watch(events: Iterator[TrainEvent], folder: Path, notes: list[str]) -> Generator[View, None, TrainEvent]:
    """Show the events of a run as they come, at most every `SHOW_SECONDS`. Returns the last one.

    Previews go to gradio as files, which it copies once. An image object it would write again, to the same
    place, each time it is shown, perhaps while the browser is reading it.
    """
    curves, scales, shown = Curves(), list[tuple[str, str]](), 0.0
    preview = None
    for event in events:
        curves.add(event)
        if event.preview:
            preview = str(folder / f"scale-{event.scale}-step-{event.step}.png")
            event.preview.save(preview)
        if event.kind == "scale" and preview:
            scales.append((preview, f"{event.size[0]}x{event.size[1]}"))
        if event.kind == "step" and time.monotonic() - shown < SHOW_SECONDS:
            continue
        shown = time.monotonic()
        yield View(
            status=run_status(_where(event), event.total_step / max(1, event.total_steps), notes),
            now=preview or gr.skip(),
            scales=gr.update(value=list(scales), visible=True) if event.kind == "scale" else gr.skip(),
            curves=gr.update(value=curves.html(), visible=event.kind != "start"),
        )
        preview = None
    return event


def _where(event: TrainEvent) -> str:
    left = "" if event.seconds_left is None else f" · {clock(event.seconds_left)} left"
    return (
        f"Scale {event.scale + 1} of {event.scales} · {event.size[0]}x{event.size[1]} px · "
        f"step {event.step} of {event.steps} · {clock(event.seconds)} gone{left}"
    )


def _finish(model: SinGAN, shelf: Shelf, name: str, text: str, notes: list[str], folder: Path) -> View:
    """Put the pyramid on the shelf, choose it, and offer it as a zip file."""
    shelf, name = shelf.add(name, model)
    height, width = model.image_size
    count = "1 scale" if model.num_scales == 1 else f"{model.num_scales} scales"
    text += f" {count} kept, up to {height}x{width} px: {name!r} is now chosen for all tabs."
    model.save_pretrained(folder / "model" / name)
    return View(
        status=run_status(text, None, notes),
        download=gr.update(value=shutil.make_archive(str(folder / name), "zip", folder / "model"), visible=True),
        sample_button=gr.update(visible=True),
        shelf=shelf,
        name=name,
        pictures=gr.update(value=shelf.pictures(), selected_index=0),
    )
