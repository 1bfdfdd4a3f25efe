"""The tab Super-resolution: a small picture is learned, and enlarged by what was learned."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, NamedTuple

import gradio as gr
from PIL import Image

from singan import tasks
from singan.errors import ConfigError, ImageError, SinGANError
from singan.files import save_png
from singan.model import SinGAN
from singan.tasks.super_resolution import enlarge
from singan.trainer import TrainEvent, iter_train
from singan.ui import train
from singan.ui.injected import build_examples, build_pair, example_pictures, progress, shown
from singan.ui.limits import Limits
from singan.ui.look import clock, run_status
from singan.ui.shelf import COMPUTE, Shelf, Top, toasts
from singan.ui.work import pick_seed, watch

HINT = (
    "Upload a small picture, or click an example: it is learned first, which takes one to five minutes. "
    "Without one, the chosen model's own picture is enlarged at once."
)
MAX_PIXELS = 70_000  # of the picture: 250x250 px are learned in about three minutes
NO_LEARNING = (
    "Learning pictures is switched off here: leave the picture out to enlarge the chosen model's own, or run this app "
    "on your own machine."
)
SHOW_SECONDS = 0.5  # between two updates of the page


class View(NamedTuple):
    """What one moment of a run changes on the page."""

    status: Any = gr.skip()
    pair: Any = gr.skip()
    seed: Any = gr.skip()
    go: Any = gr.skip()
    stop: Any = gr.skip()


def build(top: Top, examples: Path) -> None:
    """Make the tab."""
    pictures = example_pictures(examples, top)
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            photo = gr.File(label="Picture", height=140, elem_id="small")
            factor = gr.Slider(1, 8, 4, step=0.5, label="Factor")
            detail = gr.Slider(
                0, 1, 0.5, step=0.05, label="Detail", info="0 is faithful and soft, 1 sharp and invented."
            )
            with gr.Accordion("Advanced", open=False):
                preset = gr.Radio(["fast", "best"], value="fast", label="Preset")
                seed = gr.Number(0, label="Seed", precision=0, minimum=0)
                new_seed = gr.Checkbox(False, label="New seed each time")
            with gr.Row():
                go = gr.Button("Enlarge", variant="primary", min_width=100)
                stop = gr.Button("Stop", interactive=False, min_width=100)
        with gr.Column(scale=2, min_width=320):
            status = gr.HTML(run_status(HINT, None, []), container=True, padding=True)
            pair = build_pair("Bicubic (left) and learned (right)")
            gallery = build_examples(pictures)

    def load_example(event: gr.SelectData) -> str:
        return str(pictures[event.index])

    view = View(status, pair, seed, go, stop)
    private: dict[str, Any] = {"api_visibility": "private"}
    wiring: dict[str, Any] = {
        "fn": super_resolve,
        "inputs": [top.shelf, top.name, photo, factor, detail, preset, seed, new_seed],
        "outputs": list(view),
        "show_progress": "hidden",
        **COMPUTE,
    }
    run = go.click(**wiring, api_name="super_resolve")
    example = gallery.select(load_example, None, photo, **private).then(**wiring, **private)
    for ended in (run.success, run.failure, example.success, example.failure):
        ended(idle, None, [go, stop], queue=False, **private)
    stop.click(stopped, None, list(view), cancels=[run, example], queue=False, **private)


def super_resolve(
    shelf: Shelf,
    pyramid: str,
    photo: str | None,
    factor: float = 4,
    detail: float = 0.5,
    preset: Literal["fast", "best"] = "fast",
    seed: int | None = 0,
    new_seed: bool = False,
) -> Iterator[View]:
    """Enlarge a picture. It is learned first, which takes one to five minutes.

    Streams a status line; ends with the files of the picture enlarged by bicubic interpolation and by what was
    learned, and the seed.

    Parameters:
        pyramid: name of the pyramid whose own picture is enlarged if no other one is given
        photo: the file of the picture, up to 70,000 pixels; empty: the pyramid's own, without learning anything
        factor: enlargement, 1 to 8
        detail: from 0, faithful and soft, to 1, sharp and invented
        preset: "fast", or "best", which takes three times as long
        seed: seed of all randomness
        new_seed: take a random seed instead
    """
    seed = pick_seed(seed, new_seed)
    yield View(
        run_status("Starting", 0, []), seed=seed, go=gr.update(interactive=False), stop=gr.update(interactive=True)
    )
    start = time.perf_counter()
    with toasts(), TemporaryDirectory(prefix="singan-") as folder:  # gradio has its copies after the yield
        try:
            if photo is None:
                model, notes = (
                    shelf.load(pyramid),
                    ["This model was trained for sampling; a picture is better learned."],
                )
            else:
                if not shelf.limits.allow_training:
                    raise ConfigError(NO_LEARNING)
                image, notes = open_small(photo, shelf.limits)
                model = yield from _learn(image, factor, preset, seed, shelf.limits.max_seconds)
            small = model.training_image
            result = yield from watch(
                lambda on_event: enlarge(model, small, factor, detail=detail, seed=seed, on_event=on_event),
                lambda event: View(progress(event)) if event else View(),
            )
            paths = str(Path(folder, "bicubic.png")), str(Path(folder, "super-resolution.png"))
            save_png(small.resize(result.size, Image.Resampling.BICUBIC), Path(paths[0]), {"factor": factor})
            save_png(result, Path(paths[1]), {str(key): value for key, value in result.info.items()})
            text = (
                f"From {small.width}x{small.height} to {result.width}x{result.height} px "
                f"in {clock(time.perf_counter() - start)}."
            )
            yield View(run_status(text, None, notes), shown(paths), seed)
        except SinGANError as error:
            yield View(run_status(str(error), None, []))
            raise


def open_small(photo: str, limits: Limits) -> tuple[Image.Image, list[str]]:
    """An uploaded picture, and what has to be said of it. Raises `ImageError`, also if it is too large."""
    image, notes = train.open_photo(photo, limits)
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"{Path(photo).name} is {image.width}x{image.height} px; here it goes up to {MAX_PIXELS:,} pixels, "
            "such as 300x233: crop or shrink it, or use the command singan sr."
        )
    return image, notes


def idle() -> tuple[dict, dict]:
    """The two buttons when no run is in progress."""
    return gr.update(interactive=True), gr.update(interactive=False)


def stopped() -> View:
    """What a run that was stopped leaves: nothing."""
    go, stop = idle()
    return View(run_status("Stopped; nothing is kept.", None, []), go=go, stop=stop)


def _learn(
    image: Image.Image, factor: float, preset: str, seed: int, max_seconds: float
) -> Generator[View, None, SinGAN]:
    """Learn the picture, and show how far it is. Raises `ConfigError` if that takes too long."""
    last = 0.0
    config = tasks.super_resolution_config(factor, image.size, preset)
    with closing(iter_train(image, config, seed=seed)) as events:  # also when the visitor stops it, or goes away
        for event in events:
            if event.seconds > max_seconds and event.model is None:
                raise ConfigError(f"Learning takes over {max_seconds:g} s, the limit here: take a smaller picture.")
            if event.kind != "step" or time.monotonic() - last >= SHOW_SECONDS:
                last = time.monotonic()
                yield View(run_status(_where(event), event.total_step / max(1, event.total_steps), []))
    assert event.model is not None  # the last event always carries it
    return event.model


def _where(event: TrainEvent) -> str:
    left = "" if event.seconds_left is None else f" · {clock(event.seconds_left)} left"
    return f"Learning: scale {event.scale + 1} of {event.scales} · {clock(event.seconds)} gone{left}"
