"""The tab Super-resolution: a small picture is learned, and enlarged by what was learned."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from PIL import Image

import singan
from singan.config import DETAIL
from singan.errors import ConfigError, ImageError
from singan.image import save_image
from singan.model import SinGAN
from singan.tasks.super_resolution import STEP, check_enlarging, enlarge
from singan.training.events import TrainEvent
from singan.training.progress import clock
from singan.ui import zerogpu
from singan.ui.chain import Chain, build_chain, second
from singan.ui.examples import Examples, build_examples, example_pictures, sources
from singan.ui.frame import (
    build_buttons,
    build_seed,
    build_status,
    busy,
    framed,
    shown,
    watched,
    wire_buttons,
)
from singan.ui.injected import build_pair
from singan.ui.learning import learn_all
from singan.ui.look import STARTING, STOPPED, run_status
from singan.ui.photo import open_photo
from singan.ui.shelf import LONG, Shelf
from singan.ui.top import Top
from singan.ui.work import pick_seed

HINT = (
    "Upload a picture, click an example, or leave it out to enlarge the chosen model's photo. "
    "It is learned first, which takes 10 to 20 seconds."
)
MAX_ENLARGED_PIXELS = 17_000_000  # of the result, which then takes a minute: 512x512 px 8 times, 1024x1024 px 4 times
NO_LEARNING = (
    "Learning pictures is switched off here: run this app on your own machine, or choose a model that was trained for "
    "super-resolution and leave the picture out."
)
SHOW_SECONDS = 0.5  # between two updates of the page
PREVIEW_STEPS = 200  # between two previews
PREVIEW = "the slider shows the picture itself by now, drawn from a smaller one; its enlargement comes at the end."
LABEL = "Bicubic (left) and learned (right)"


class View(NamedTuple):
    """What one moment of a run changes on the page."""

    status: Any = gr.skip()
    pair: Any = gr.skip()
    seed: Any = gr.skip()
    go: Any = gr.skip()
    stop: Any = gr.skip()


def build(top: Top, examples: Path) -> tuple[Chain, gr.File]:
    """Make the tab. Returns also where its picture is put."""
    pictures = example_pictures(examples, top)
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            photo = gr.File(label="Picture", height=140, elem_id="small")
            factor = gr.Slider(1, 8, 4, step=0.5, label="Factor")
            detail = gr.Slider(
                0, 1, DETAIL, step=0.01, label="Detail", info="0 is faithful and soft, 1 sharp and invented."
            )
            go, stop = build_buttons("Enlarge")
            with gr.Accordion("Advanced", open=False):
                seed, new_seed = build_seed()
        with gr.Column(scale=2, min_width=320):
            status = build_status(HINT)
            pair = build_pair(LABEL)
            chain = build_chain([pair], second, "super-resolution")
            gallery = build_examples(pictures)

    def run_example(
        shelf: Shelf, number: int, seed: int, new_seed: bool, factor: float, detail: float
    ) -> Iterator[View]:
        yield from super_resolve(shelf, "", str(pictures[number]), factor, detail, seed, new_seed)

    view = View(status, pair, seed, go, stop)
    wiring: dict[str, Any] = {
        "fn": super_resolve,
        "inputs": [top.shelf, top.name, photo, factor, detail, seed, new_seed],
        "outputs": list(view),
        "show_progress": "hidden",
        **LONG,
    }
    run = go.click(**wiring, api_name="super_resolve")
    example = Examples(
        tab="enlarge",
        sources=sources(pictures),
        load=lambda _, number: (str(pictures[number]),),
        loaded=[photo],
        run=run_example,
        settings=[seed, new_seed, factor, detail],
        view=list(view),
    ).wire(gallery, top, **LONG)
    wire_buttons(go, stop, [run, example], ("enlarge", status, STOPPED))
    return chain, photo


def super_resolve(
    shelf: Shelf,
    pyramid: str,
    photo: str | None,
    factor: float = 4,
    detail: float = DETAIL,
    seed: int | None = 0,
    new_seed: bool = False,
) -> Iterator[View]:
    """Enlarge a picture. It is learned first, which takes 10 to 20 seconds.

    Streams a status line; ends with the files of the picture enlarged by bicubic interpolation and by what was
    learned, and the seed.

    Parameters:
        pyramid: name of the pyramid whose photo is enlarged if no picture is given
        photo: the file of the picture; empty: the pyramid's photo, at once if it was trained for super-resolution
        factor: enlargement, 1 to 8; the result has up to 17 megapixels
        detail: from 0, faithful and soft, to 1, sharp and invented
        seed: seed of all randomness
        new_seed: take a random seed instead
    """
    first = pick_seed(seed, new_seed)
    start = time.perf_counter()

    def moments(folder: Path) -> Generator[View, None, None]:
        notes: list[str] = []
        given = shelf.load(pyramid) if photo is None else None
        if given is not None:
            small, name = given.training_image, f"The photo of {pyramid!r}"
        else:
            small, notes = open_photo(photo or "", shelf.limits)
            name = Path(photo or "").name
        check_size(small, name, factor)
        check_enlarging(small.size, factor, detail, first)
        if given is not None and len(given.generators) == len(given.levels):
            model = given
            if min(model.config.alpha) < 100:
                notes = ["This model was trained for sampling; a picture is better learned."]
        elif not shelf.limits.allow_training:
            raise ConfigError(NO_LEARNING)
        else:
            model = yield from _learn(small, factor, first, shelf.limits.max_seconds, folder)
        result = yield from watched(
            lambda on_event: enlarge(model, small, factor, detail=detail, seed=first, on_event=on_event),
            partial(View, **busy()),
        )
        plain, learned = folder / "bicubic.png", folder / "super-resolution.png"
        save_image(small.resize(result.size, Image.Resampling.BICUBIC), plain, {"factor": factor})
        save_image(result, learned, result.info)
        text = (
            f"From {small.width}x{small.height} to {result.width}x{result.height} px "
            f"in {clock(time.perf_counter() - start)}."
        )
        yield View(run_status(text, None, notes), {**shown((str(plain), str(learned))), "label": LABEL}, first)

    yield from framed(View(STARTING, seed=first, **busy()), moments, View, "enlarge", long=True)


def check_size(image: Image.Image, name: str, factor: float) -> None:
    """Raise `ImageError` if the picture is too large to be enlarged so here."""
    megapixels = factor**2 * image.width * image.height / 1e6
    if megapixels > MAX_ENLARGED_PIXELS / 1e6:
        most = math.floor(2 * math.sqrt(MAX_ENLARGED_PIXELS / (image.width * image.height))) / 2
        cure = f"lower the factor to {most:g}" if most > 1 else "crop or shrink it"
        raise ImageError(
            f"{name} is {image.width}x{image.height} px, which makes {megapixels:.3g} megapixels; "
            f"here it goes up to {MAX_ENLARGED_PIXELS / 1e6:g}: {cure}, or use the command singan sr."
        )


def _learn(
    image: Image.Image, factor: float, seed: int, max_seconds: float, folder: Path
) -> Generator[View, None, SinGAN]:
    """Learn the picture in the folder, and show how far it is. Raises `ConfigError` if that takes too long."""
    last, notes = 0.0, list[str]()
    config, learned = singan.super_resolution_config(factor, image.size), folder / "learned"
    with closing(learn_all([image], config, seed, folder, learned, PREVIEW_STEPS)) as events:  # also when it is stopped
        for event in events:
            if event.seconds > max_seconds and event.kind == "step":
                raise ConfigError(f"Learning takes over {max_seconds:g} s, the limit here: take a smaller picture.")
            if event.preview or time.monotonic() - last >= SHOW_SECONDS:
                last = time.monotonic()
                notes = [PREVIEW] if event.preview else notes
                status = run_status(_where(event), event.total_step / max(1, event.total_steps), notes)
                picture = _so_far(image, event, folder) if event.preview else gr.skip()
                yield View(status, picture, **busy())
    return SinGAN.from_pretrained(learned, device=zerogpu.DEVICE)


def _so_far(image: Image.Image, event: TrainEvent, folder: Path) -> dict:
    """The picture as what is learned by now draws it from a smaller one, beside that one enlarged by interpolation."""
    assert event.preview is not None
    files = []
    for name, picture in (("smaller", _softened(image, event.preview.size)), ("preview", event.preview)):
        files.append(folder / f"{name}-{event.step}-{event.kind}.png")
        picture.save(files[-1])
    return {**shown(tuple(map(str, files))), "label": "Not yet enlarged: what it learns from (left), and how far it is"}


def _softened(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture as one pass finds it: shrunk, and enlarged again by interpolation."""
    small = (max(1, round(image.width / STEP)), max(1, round(image.height / STEP)))
    return image.resize(small, Image.Resampling.BICUBIC).resize(size, Image.Resampling.BICUBIC)


def _where(event: TrainEvent) -> str:
    left = "" if event.seconds_left is None else f" · {clock(event.seconds_left)} left"
    return f"Learning: step {event.step} of {event.steps} · {clock(event.seconds)} gone{left}"
