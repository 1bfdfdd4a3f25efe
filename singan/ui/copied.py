"""Under the samples: how different they are, and which pieces of the photo one of them was made of."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
import torch
from PIL import Image

from singan import metrics
from singan.errors import ConfigError, ImageError
from singan.image import image_to_tensor, save_image
from singan.limits import check_megapixels
from singan.model import SinGAN
from singan.ui.chain import nth
from singan.ui.frame import SILENT, build_status, framed, renew, run_anew, shown
from singan.ui.look import run_status
from singan.ui.shelf import SHORT, Shelf
from singan.ui.top import Top
from singan.ui.work import NO_SAMPLE, open_sample

HINT = "Of the sample that you clicked, or of the first one."
MAP_HINT = (
    "One flat colour is one piece of the photo, copied whole; where colours meet, pieces were joined, and where one "
    "runs into another sideways, a piece is mirrored. White was not moved. The disc tells from where: a pixel in its "
    "middle was taken from the place that has its colour, and the rim is half the photo's longer side away."
)


class View(NamedTuple):
    """What one moment of a run changes on the page."""

    status: Any = gr.skip()
    sources: Any = gr.skip()
    legend: Any = gr.skip()


def build(top: Top, samples: list[Any], drawn: Iterable[Any]) -> None:
    """Make the folded part of the tab Sample. `samples`: the gallery, and the number of the picture that was clicked
    in it; the events that have `drawn` others take away what is said of those before."""
    with gr.Accordion("How new are these?", open=False):
        go = gr.Button("Show what was copied")
        status = build_status(HINT)
        with gr.Row(equal_height=False):
            sources = gr.Image(
                format="png",
                interactive=False,
                visible=False,
                buttons=["download", "fullscreen"],
                elem_id="sources",
                elem_classes="pair",
                scale=3,
                min_width=260,
            )
            legend = gr.Image(
                metrics.color_legend(160),
                label="Legend",
                show_label=False,
                format="png",
                interactive=False,
                visible=False,
                buttons=[],
                height=176,
                min_width=160,
            )
    outputs = [status, sources, legend]
    run_anew(go, "copied", status)(
        show_copied, [top.shelf, *samples], outputs, **SHORT, show_progress="hidden", api_visibility="private"
    )
    for event in drawn:
        event.success(forget, None, outputs, queue=False, **SILENT)


def forget() -> View:
    """Nothing is said of samples that are not there any more."""
    renew("copied")
    return View(run_status(HINT, None, []), shown(None), gr.update(visible=False))


def show_copied(shelf: Shelf, pictures: list[tuple[str, str]] | None, number: int = 0) -> Iterator[View]:
    """How different the pictures of the gallery are, and where one of them has its pixels from: it is drawn again."""

    def moments(folder: Path) -> Generator[View, None, None]:
        path = nth(pictures, number)
        if path is None:
            raise ConfigError("There are no samples yet: draw some first.")
        paths = [one for one, _ in pictures or []]
        if not all(Path(one).exists() for one in paths):  # the page has been open for long
            raise ImageError("These samples are not kept any more: draw them anew, by the same seed.")
        with open_sample(path) as image:
            size = image.height, image.width
            settings = {str(key): value for key, value in image.info.items()}
        model = shelf.load(str(settings.get("model")))
        told = diversity(paths, model)
        try:
            colored = _sources(model, size, settings)
        except ConfigError as error:  # of what the model does not know; how different they are is known all the same
            yield View(run_status(" ".join([*told, str(error)]), None, []), shown(None), gr.update(visible=False))
            return
        file = folder / f"{Path(path).stem}-copied.png"
        save_image(colored, file, settings)
        pair = gr.update(value=str(file), label=f"Where seed {settings['seed']} is from", visible=True)
        yield View(run_status(" ".join([*told, MAP_HINT]), None, []), pair, gr.update(visible=True))

    yield from framed(View(run_status("Drawing it again", 0, [])), moments, View, "copied")


def diversity(paths: list[str], model: SinGAN) -> list[str]:
    """A sentence on how different samples are; none of a single one, or of unequal sizes."""
    sizes = set()
    for path in paths:
        with open_sample(path) as image:
            sizes.add((image.height, image.width))
    if len(paths) < 2 or len(sizes) > 1:
        return []
    check_megapixels(len(paths), sizes.pop())
    greys = []
    for path in paths:
        with open_sample(path) as image:
            greys.append(image_to_tensor(image.convert("RGB")).mean(1, keepdim=True))
    score = metrics.diversity(torch.cat(greys), image_to_tensor(model.training_image))
    return [
        f"Diversity {score:.2f}: a pixel differs so much from sample to sample; 0 is not at all, and 1 as much as from "
        "place to place in the photo."
    ]


def _sources(model: SinGAN, size: tuple[int, int], settings: dict[str, Any]) -> Image.Image:
    """Where the sample that was made with those settings, which its file holds, has its pixels from."""
    check_megapixels(1, size)
    held: dict[str, Any] = {name: settings[name] for name in ("tile", "mirror") if name in settings}
    held |= {"flips": True} if "flips" in settings else {}
    try:
        kinds = (("seed", int), ("start_scale", int), ("variation", float))
        held |= {name: kind(settings[name]) for name, kind in kinds}
    except (KeyError, ValueError):
        raise ConfigError(NO_SAMPLE) from None
    ((_, source),) = model.sample(1, size=size, source=True, **held)
    return metrics.color_sources(source, model.photo_size)
