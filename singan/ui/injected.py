"""What the tabs share whose picture enters the pyramid at some scale: controls, result, strip of scales."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import gradio as gr
from PIL import Image

from singan.image import save_image
from singan.model import SinGAN
from singan.tasks.injection import OnEvent, TaskEvent
from singan.ui.chain import Chain, build_chain, second
from singan.ui.frame import PRIVATE, SILENT, build_seed, build_status, framed, progress, renew, shown
from singan.ui.look import STARTING, run_status
from singan.ui.shelf import Shelf
from singan.ui.toasts import toasts
from singan.ui.top import Top
from singan.ui.work import pick_seed, watch

STRIP_SIDE = 256  # of the pictures in the strip of scales


class Task(NamedTuple):
    """What is to be done with a pyramid."""

    before: Image.Image  # what the result is compared with
    job: Callable[[Any, int, OnEvent], list[Image.Image]]  # (scale, seed, on_event): the results
    notes: list[str] = []  # noqa: RUF012  what has to be said of the input


class View(NamedTuple):
    """What one moment of a task changes on the page."""

    status: Any = gr.skip()
    pair: Any = gr.skip()
    strip: Any = gr.skip()
    full: Any = gr.skip()
    seed: Any = gr.skip()


class Controls(NamedTuple):
    """The inputs that these tasks have in common."""

    scale: gr.Dropdown
    seed: gr.Number
    new_seed: gr.Checkbox


@dataclass(frozen=True)
class Results:
    """Where a task is shown."""

    status: gr.HTML
    pair: gr.ImageSlider
    strip: gr.Gallery
    chain: Chain
    view: list[Any]  # the components that a `View` changes, in its order


def build_controls(
    first: SinGAN | None, scale_info: str = "1 is free, the last is faithful."
) -> tuple[Controls, gr.Accordion]:
    """The choice of a scale of the `first` pyramid, and what is folded away, with the seed in it."""
    with gr.Accordion("Advanced", open=False) as advanced:
        scale = gr.Dropdown(
            _scales(first), value="auto", allow_custom_value=True, label="Scale to start from", info=scale_info
        )
        seed, new_seed = build_seed()
    return Controls(scale, seed, new_seed), advanced


def build_results(hint: str, controls: Controls, here: str) -> Results:
    """The slider of before and after, and under it the results of all scales; a click on one chooses it."""
    status = build_status(hint)
    pair = build_pair("Before and after")
    chain = build_chain([pair], second, here)
    strip = gr.Gallery(
        label="All scales: click one to choose it",
        type="filepath",
        format="png",
        columns=4,
        allow_preview=False,
        buttons=[],
        interactive=False,
        visible=False,
        elem_classes=["grow", "strip"],
    )
    full = gr.File(label="All scales at full size", file_count="multiple", visible=False)
    strip.select(pick, [pair, strip, full], [pair, controls.scale, status], queue=False, **PRIVATE)
    return Results(status, pair, strip, chain, list(View(status, pair, strip, full, controls.seed)))


def wire_forgetting(top: Top, tab: str, hint: str, controls: Controls, results: Results) -> gr.State:
    """Once another pyramid is chosen, its scales, and no result: that was of the one before. Returns the state that
    says of which one it is, for an example to set with the pyramid that it chooses."""
    owner = gr.State(top.name.value)
    fresh = [owner, controls.scale, results.pair, results.strip, results.status]

    def forget(shelf: Shelf, pyramid: str, owner: str) -> tuple[Any, ...]:
        if pyramid == owner:
            return (gr.skip(),) * len(fresh)
        renew(tab)
        with toasts():
            return pyramid, scales(shelf.load(pyramid)), shown(None), shown(None), run_status(hint, None, [])

    top.here.change(forget, [top.shelf, top.name, owner], fresh, queue=False, **SILENT)
    return owner


def build_pair(label: str) -> gr.ImageSlider:
    """A slider between two pictures, which appears with the first result."""
    return gr.ImageSlider(
        label=label,
        type="filepath",
        format="png",
        interactive=False,
        visible=False,
        max_height=700,
        elem_classes="pair",
    )


def pick(
    pair: tuple[str, str], strip: list[tuple[str, str]], full: list[str], event: gr.SelectData
) -> tuple[tuple[str, str], str, str]:
    """Show the result of the scale that was clicked, at full size, and choose that scale."""
    _, caption = strip[event.index]
    scale = caption.split()[1]
    return (pair[0], full[event.index]), scale, run_status(f"Scale {scale}, which you chose.", None, [])


def show_task(
    shelf: Shelf,
    pyramid: str,
    begin: Callable[[SinGAN], Task],
    scale: str | None,
    seed: int | None,
    new_seed: bool,
    tab: str,
    *,
    strip: bool = True,
) -> Iterator[View]:
    """Do the task that `begin` makes for a pyramid, and show it; a scale that was cleared is picked automatically.

    With `strip`, all scales are shown beside the one that is asked for, as they are beside the one picked. Of a
    single one there is nothing to choose.
    """
    scale = scale or "auto"
    first = pick_seed(seed, new_seed)
    start = perf_counter()

    def moments(folder: Path) -> Generator[View, None, None]:
        model = shelf.load(pyramid)
        task = begin(model)
        one = int(scale) if scale.isdecimal() else None
        wanted = scale if one is None else "all" if strip and 1 <= one < model.num_scales else one
        made: list[Image.Image] = []

        def show(event: TaskEvent | None) -> View:
            if event is None:
                return View()
            if event.unit == "scale" and event.image:
                if event.done == 1:  # of another round, if there was one
                    made.clear()
                made.append(event.image)
            return View(status=progress(event))

        results = yield from watch(lambda on_event: task.job(wanted, first, on_event), show)
        best = next((image for image in results if image.info["scale"] == one), results[0])
        kept = made if any(image is best for image in made) else results
        paths, small = _save(kept, pyramid, folder)
        before = folder / "before.png"
        save_image(task.before.convert("RGB").resize(best.size, Image.Resampling.BICUBIC), before, {"model": pyramid})
        chosen = next(path for path, image in zip(paths, kept, strict=True) if image is best)
        at, auto = best.info["scale"], ", picked automatically" if scale == "auto" else ""
        text = f"Scale {at} of {model.num_scales - 1}{auto}. Done in {perf_counter() - start:.1f} s."
        names = [f"Scale {image.info['scale']}{' ✓' if image is best else ''}" for image in kept]
        captioned = list(zip(small, names, strict=True)) if len(kept) > 1 else None
        yield View(run_status(text, None, task.notes), shown((str(before), chosen)), shown(captioned), paths, first)

    yield from framed(View(status=STARTING, seed=first), moments, View, tab)


def _save(images: list[Image.Image], pyramid: str, folder: Path) -> tuple[list[str], list[str]]:
    """The files of the images, and of small ones for the strip."""
    paths, small = [], []
    for image in images:
        path = folder / f"{pyramid}-{image.info['task']}-{image.info['scale']}.png"
        save_image(image, path, {"model": pyramid, **image.info})
        paths.append(str(path))
        preview = image.copy()
        preview.thumbnail((STRIP_SIDE, STRIP_SIDE), Image.Resampling.BOX)
        path = path.with_stem(f"{path.stem}-small")
        save_image(preview, path, {"model": pyramid, "scale": image.info["scale"]})
        small.append(str(path))
    return paths, small


def scales(model: SinGAN) -> dict:
    """The choice of a scale for a pyramid."""
    return gr.update(choices=_scales(model), value="auto")


def _scales(model: SinGAN | None) -> list[str]:
    return ["auto", *map(str, range(1, model.num_scales if model else 1))]


def size_notes(image: Image.Image, model: SinGAN) -> list[str]:
    """What has to be said of a picture that takes the size of the pyramid's own."""
    height, width = model.image_size
    if image.size == (width, height):
        return []
    return [f"Resized from {image.width}x{image.height} to {width}x{height} px, the size of the model's picture."]
