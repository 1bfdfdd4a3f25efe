"""The tab Sample: new pictures from the chosen pyramid."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from singan.config import VARIATION
from singan.errors import ConfigError
from singan.image import save_image
from singan.limits import check_megapixels
from singan.ui import copied, tiles
from singan.ui.chain import Chain, build_gallery_chain
from singan.ui.first import First
from singan.ui.frame import PRIVATE, SILENT, begin, build_seed, renew, run_anew
from singan.ui.link import MAX_SAMPLES, Controls, build_link, wire_link
from singan.ui.look import build_gallery
from singan.ui.shelf import SHORT, Shelf
from singan.ui.toasts import toasts
from singan.ui.top import Top, start_range, usual_settings
from singan.ui.uploads import scratch
from singan.ui.work import pick_seed, short

# To rise there has to be something above.
RISES = "variation => ({ __type__: 'update', visible: variation < 1 })"


def build(demo: gr.Blocks, top: Top, back: Any) -> tuple[Chain, First]:
    """Make the tab. It draws whenever it shows another pyramid; a new page has its first samples. `back`: the event
    that brings back what the page had."""
    first = top.first
    height_px, width_px = first.image_size if first else (None, None)
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=260):
            variation = gr.Slider(
                0, 1, VARIATION, step=0.05, label="Variation", info="0 keeps the photo's layout, 1 invents freely."
            )
            rising = gr.Checkbox(True, label="Rising", info="Each sample varies more than the one before.")
            flips = gr.Checkbox(
                True,
                label="Mirrored parts too",
                info="Newer pictures, but writing is mirrored too.",
                visible=not first or first.can_flip,
            )
            number = gr.Slider(1, MAX_SAMPLES, 6, step=1, label="Number of samples")
            with gr.Row():
                height = gr.Number(height_px, label="Height (px)", precision=0, min_width=100)
                width = gr.Number(width_px, label="Width (px)", precision=0, min_width=100)
            draw = gr.Button("Draw samples", variant="primary")
            with gr.Accordion("Advanced", open=False):
                start_scale = gr.Slider(
                    0,
                    step=1,
                    label="Start scale",
                    info="Coarsest scale to draw anew: details only.",
                    **start_range(first),
                )
                seed, new_seed = build_seed(new=True)
            fold, tile, mirror = tiles.build_controls(height, width)
        with gr.Column(scale=3, min_width=320, elem_classes="first-on-phones"):
            samples = build_gallery("Samples", 3, "samples")
            chain = build_gallery_chain(samples, "sample")
            usual = gr.State(usual_settings(top.shelf.value, top.name.value, first) if first else (VARIATION, True))
            link = Controls(seed, new_seed, variation, rising, flips, number, usual)
            link_row = build_link(top, samples)
            laid = tiles.build_laid()
    chosen = [top.shelf, top.name]
    controls = [number, height, width, variation, start_scale, seed, new_seed, tile, mirror, flips, rising]
    fitting: dict[str, Any] = {"inputs": [*chosen, variation, usual, mirror, flips], "api_visibility": "private"}
    fitting["outputs"] = [height, width, start_scale, variation, usual, flips, link_row, fold, tile, mirror]
    wiring: dict[str, Any] = {"inputs": [*chosen, *controls], "outputs": [samples, seed]}

    drawn = [run_anew(draw, "sample")(sample, **wiring, **SHORT, api_name="sample")]
    changed = gr.on([top.here.change, top.renewed.change], fit, **fitting)
    # A pyramid chosen while another one's samples are drawn comes next. None of this waits for others' training.
    drawn += [changed.then(sample, **wiring, **SHORT, trigger_mode="always_last", api_visibility="private")]
    top.follow(drawn[1])
    wire_link(back, top, link, samples)
    tiles.wire_laid(drawn, samples, laid)
    drawn[1].failure(lambda: (None, tiles.lay(None)), None, [samples, laid], **SILENT)  # they are of the one before
    variation.change(None, variation, rising, js=RISES, **PRIVATE)
    copied.build(top, chain.inputs, drawn)
    start = {"flips": flips.value, "rising": rising.value}
    shown = First(samples, lambda: sample(top.shelf.value, top.name.value, **start) if top.name.value else iter(()))
    demo.load(shown.open_page, [top.shelf, samples], samples, **SILENT)
    return chain, shown


def sample(
    shelf: Shelf,
    pyramid: str,
    number: int = 6,
    height: int | None = None,
    width: int | None = None,
    variation: float = VARIATION,
    start_scale: int = 0,
    seed: int | None = 0,
    new_seed: bool = False,
    tile: str = "none",
    mirror: str = "none",
    flips: bool = False,
    rising: bool = False,
) -> Iterator[tuple[list[tuple[str, str]], int]]:
    """Draw new pictures from a pyramid. Streams their files, each captioned with its seed, and the first seed.

    Parameters:
        pyramid: name of a shipped pyramid, or of one of this session's own
        number: how many pictures
        height: height of the pictures in pixels; empty: the photo's
        width: width of the pictures in pixels; empty: the photo's
        variation: 0 keeps the layout of the photo, 1 invents freely
        start_scale: coarsest scale to draw anew, 0 for everything
        seed: picture k is drawn with seed + k
        new_seed: take a random seed instead
        tile: where the pictures go on at their other side: "x" left and right, "y" above and below, "both" or "none"
        mirror: "x": the right half is the mirror image of the left one, "y": the lower one of the upper one, "both",
            "kaleidoscope", which is square, or "none"
        flips: parts of the photo's mirror image come too; not in tiles, from start scale 0 alone, and not from pyramids
            of several pictures or of the published method
        rising: each picture varies more than the one before, up to halfway from `variation` to 1
    """
    seed = pick_seed(seed, new_seed)
    newest = begin("sample")
    if not newest():
        return
    with toasts(), short, scratch() as folder:  # gradio has its copies after each yield
        if not pyramid:
            raise ConfigError("There is nothing to sample from yet: upload a photo or load a model first.")
        model = shelf.load(pyramid)
        size = (height or model.image_size[0], width or model.image_size[1])
        check_megapixels(number, size)
        model.check_sampling(number, size, start_scale, variation, seed)
        each = risen(variation, number) if rising else [variation] * number
        held: dict[str, Any] = {name: one for name, one in {"tile": tile, "mirror": mirror}.items() if one != "none"}
        if flips and model.can_flip and tile == "none" and not start_scale:
            held["flips"] = True
        pictures = []
        drawn = model.iter_samples(number, size=size, start_scale=start_scale, variation=each, seed=seed, **held)
        for k, image in enumerate(drawn):  # each is shown as soon as it is there
            if not newest():
                return
            settings: dict[str, object] = {"model": pyramid, "seed": seed + k, "variation": each[k]}
            settings |= {"start_scale": start_scale, "size": f"{image.height}x{image.width}", **held}
            path = Path(folder, f"{pyramid}-{seed + k}.png")
            save_image(image, path, settings)
            pictures.append((str(path), f"seed {seed + k}" + f" at {each[k]:g}" * (rising and variation < 1)))
            yield list(pictures), seed


def risen(variation: float, number: int) -> list[float]:
    """So many numbers, evenly from `variation` to halfway from there to 1."""
    return np.linspace(variation, (1 + variation) / 2, number).round(3).tolist()


def fit(
    shelf: Shelf,
    pyramid: str,
    variation: float = VARIATION,
    usual: tuple[float, bool] = (VARIATION, True),
    mirror: str = "none",
    flips: bool = True,
) -> tuple[Any, ...]:
    """The controls for a pyramid: its photo's height and width, for a kaleidoscope twice the shorter of them, its
    scales to start from, its usual variation and mirrored parts if what is set is what is `usual` for the pyramid
    before, and what is usual for this one; a link if it is a shipped one, and tiles if it knows one picture.

    What is drawn of another one is not shown any more.
    """
    renew("sample")
    with toasts():
        model = shelf.load(pyramid)
    one = not model.others
    mirror, held = (mirror, (gr.skip(), gr.skip())) if one else ("none", ("none", "none"))
    size, own = tiles.squared(mirror, *model.image_size), usual_settings(shelf, pyramid, model)
    varied = own[0] if variation == usual[0] else gr.skip()
    turned = own[1] if flips == usual[1] else flips
    controls = gr.update(**start_range(model)), varied, own, gr.update(value=turned, visible=model.can_flip)
    return *size, *controls, gr.update(visible=pyramid in shelf.shipped()), gr.update(visible=one), *held
