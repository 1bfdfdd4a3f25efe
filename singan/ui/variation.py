"""Under the samples: a map of how much each pixel differs from sample to sample."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr

import singan
from singan.config import VARIATION
from singan.image import save_image
from singan.ui.frame import SILENT, build_status, framed, renew, run_anew, watched
from singan.ui.look import STARTING, run_status
from singan.ui.shelf import LONG, Shelf
from singan.ui.toasts import toasts
from singan.ui.top import Top, start_range
from singan.ui.work import MAX_SEED, pick_seed

HINT = "Black does not change from sample to sample, white changes the most."


class View(NamedTuple):
    """What one moment of a run changes on the page."""

    status: Any = gr.skip()
    heat: Any = gr.skip()
    seed: Any = gr.skip()


def build(top: Top) -> None:
    """Make the folded part of the tab Sample."""
    with gr.Accordion("What varies", open=False), gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=260):
            number = gr.Slider(2, 100, 50, step=1, label="Samples to compare")
            variation = gr.Slider(0, 1, VARIATION, step=0.05, label="Variation of the samples")
            start_scale = gr.Slider(0, step=1, label="Start scale of the samples", **start_range(top.first))
            seed = gr.Number(0, label="Seed of the first sample", precision=0, minimum=0, maximum=MAX_SEED)
            go = gr.Button("Draw the map")
        with gr.Column(scale=2, min_width=320):
            status = build_status(HINT)
            heat = gr.Image(
                label="Variation map",
                format="png",
                interactive=False,
                buttons=["download", "fullscreen"],
                elem_id="map",
                elem_classes="pair",
            )
    inputs = [top.shelf, top.name, number, variation, start_scale, seed]
    changed = [top.here.change, top.renewed.change]
    gr.on(changed, fit, [top.shelf, top.name], start_scale, **SILENT)
    gr.on(changed, forget, None, [status, heat, seed], queue=False, **SILENT)
    run, outputs = run_anew(go, "map", status), [status, heat, seed]
    run(variation_map, inputs, outputs, **LONG, show_progress="hidden", api_name="variation_map")


def variation_map(
    shelf: Shelf,
    pyramid: str,
    number: int = 50,
    variation: float = VARIATION,
    start_scale: int = 0,
    seed: int | None = 0,
) -> Iterator[View]:
    """Draw a heat map of how much each pixel differs from sample to sample. Ends with its file and the seed.

    Parameters:
        pyramid: name of a shipped pyramid, or of one trained in this session
        number: how many samples are compared, 2 to 100
        variation: of the samples: 0 keeps the layout of the photo, 1 invents freely
        start_scale: of the samples: coarsest scale to draw anew, 0 for everything
        seed: sample k is drawn with seed + k
    """
    first = pick_seed(seed, False)

    def moments(folder: Path) -> Generator[View, None, None]:
        model = shelf.load(pyramid)
        options: dict[str, Any] = {"n": number, "start_scale": start_scale, "variation": variation, "seed": first}
        heat = yield from watched(
            lambda on_event: singan.variation_map(model, **options, on_event=on_event), View, long=True
        )
        path = folder / f"{pyramid}-variation.png"
        save_image(heat, path, {"model": pyramid, **heat.info})
        text = f"{HINT} White stands for a standard deviation of {heat.info['white']:g} of 255."
        yield View(run_status(text, None, []), str(path), first)

    yield from framed(View(STARTING, seed=first), moments, View, "map", long=True)


def forget() -> View:
    """No map, once there is another pyramid: it was of the one before."""
    renew("map")
    return View(run_status(HINT, None, []), None)


def fit(shelf: Shelf, pyramid: str) -> dict:
    """The scales of a pyramid to start from."""
    with toasts():
        return gr.update(**start_range(shelf.load(pyramid)))
