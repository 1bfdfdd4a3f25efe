"""The tab Denoise: a noisy picture is cleaned with a pyramid of its kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

import singan
from singan.errors import ImageError
from singan.model import SinGAN
from singan.tasks.injection import OnEvent, Scale
from singan.ui import injected
from singan.ui.chain import Chain
from singan.ui.examples import Examples, build_examples, example_pictures, sources
from singan.ui.frame import run_anew
from singan.ui.injected import Task, View
from singan.ui.photo import open_photo
from singan.ui.shelf import SHORT, Shelf
from singan.ui.top import Top, mark

HINT = "Upload a noisy picture, choose a model that learned a clean one of its kind, and press Denoise."


def build(top: Top, examples: Path) -> Chain:
    """Make the tab."""
    pictures = example_pictures(examples, top)
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            noisy = gr.File(label="Noisy picture", height=140, elem_id="noisy")
            go = gr.Button("Denoise", variant="primary")
            controls, advanced = injected.build_controls(top.first, "1 is smooth, the last is faithful.")
            with advanced:
                times = gr.Slider(1, 5, 1, step=1, label="Rounds", info="More are smoother.")
        with gr.Column(scale=2, min_width=320):
            results = injected.build_results(HINT, controls, "denoise")
            gallery = build_examples(pictures)

    def load_example(shelf: Shelf, number: int) -> tuple[Any, ...]:
        name = pictures[number].stem
        return name, mark(shelf, name), name, str(pictures[number]), injected.scales(shelf.load(name))

    def run_example(shelf: Shelf, number: int, seed: int, new_seed: bool, scale: str, times: int) -> Iterator[View]:
        yield from denoise(shelf, pictures[number].stem, str(pictures[number]), times, scale, seed, new_seed)

    owner = injected.wire_forgetting(top, "denoise", HINT, controls, results)
    run = run_anew(go, "denoise", results.status)
    inputs = [top.shelf, top.name, noisy, times, *controls]
    run(denoise, inputs, results.view, **SHORT, show_progress="hidden", api_name="denoise")
    Examples(
        tab="denoise",
        sources=sources(pictures),
        load=load_example,
        loaded=[top.name, top.pictures, owner, noisy, controls.scale],
        run=run_example,
        settings=[controls.seed, controls.new_seed, controls.scale, times],
        view=results.view,
    ).wire(gallery, top, **SHORT)
    return results.chain


def denoise(
    shelf: Shelf,
    pyramid: str,
    noisy: str | None,
    times: int = 1,
    scale: str = "auto",
    seed: int | None = 0,
    new_seed: bool = False,
) -> Iterator[View]:
    """Remove the noise of a picture, with a pyramid that learned a clean one of its kind.

    Streams a status line; ends with the files of both pictures, those of all scales, and the seed.

    Parameters:
        pyramid: name of a shipped pyramid, or of one trained in this session
        noisy: the file of the noisy picture, which is resized to the pyramid's own
        times: how often it goes through the pyramid, 1 to 5
        scale: where it enters the pyramid, from "1" (smooth) to its last scale (faithful), or "auto"
        seed: seed of the noise that the pyramid adds
        new_seed: take a random seed instead
    """

    def begin(model: SinGAN) -> Task:
        if noisy is None:
            raise ImageError("There is no noisy picture yet: upload one first.")
        picture, notes = open_photo(noisy, shelf.limits)
        notes += injected.size_notes(picture, model)
        picture = picture.resize(model.image_size[::-1], Image.Resampling.BICUBIC)  # large, it would take a gigabyte

        def job(scale: Scale, seed: int, on_event: OnEvent) -> list[Image.Image]:
            return singan.denoise(model, picture, scale=scale, seed=seed, times=times, on_event=on_event)

        return Task(picture, job, notes)

    yield from injected.show_task(shelf, pyramid, begin, scale, seed, new_seed, "denoise")
