"""The tab Animate: a walk through the noise makes the picture move."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple

import gradio as gr
from gradio.processing_utils import save_pil_to_cache
from PIL import Image

import singan
from singan.errors import ConfigError
from singan.image import check_file
from singan.ui.chain import Chain, build_chain
from singan.ui.examples import Examples
from singan.ui.frame import (
    SILENT,
    build_buttons,
    build_seed,
    build_status,
    busy,
    framed,
    renew,
    run_anew,
    shown,
    watched,
    wire_buttons,
)
from singan.ui.look import STARTING, STOPPED, run_status
from singan.ui.shelf import SHORT, Shelf
from singan.ui.top import Top, mark, start_range
from singan.ui.uploads import folder_of_uploads
from singan.ui.variation import fit
from singan.ui.work import pick_seed

HINT = "Press Animate, or click an example. A second of animation takes about one to make."
MAX_FRAMES = 200
FORMATS = [("WebP: small, all colours", "webp"), ("GIF", "gif")]
if find_spec("imageio_ffmpeg"):
    FORMATS.append(("MP4", "mp4"))
EXAMPLES = {  # caption -> (pyramid, variation, coarsest scale)
    "Moving waves": ("waves", 0.3, 0),
    "Wind over the gardens": ("tea-gardens", 0.2, 0),
    "A lake in a breeze": ("mountain-lake", 0.1, 0),
}


class View(NamedTuple):
    """What one moment of a run changes on the page."""

    status: Any = gr.skip()
    picture: Any = gr.skip()
    film: Any = gr.skip()
    seed: Any = gr.skip()
    go: Any = gr.skip()
    stop: Any = gr.skip()


def build(top: Top) -> Chain:
    """Make the tab."""
    names = top.shelf.value.names()
    shown = [caption for caption, (pyramid, *_) in EXAMPLES.items() if pyramid in names]
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            variation = gr.Slider(0, 1, 0.1, step=0.05, label="Variation", info="How far things move: 0 stands still.")
            frames = gr.Slider(2, MAX_FRAMES, 40, step=1, label="Frames")
            fps = gr.Slider(1, 30, 10, step=1, label="Frames a second")
            loop = gr.Checkbox(True, label="Loop: the end joins the beginning")
            go, stop = build_buttons("Animate")
            with gr.Accordion("Advanced", open=False):
                start_scale = gr.Slider(
                    0,
                    step=1,
                    label="Start scale",
                    info="Coarsest scale that moves; from 1 on, details only.",
                    **start_range(top.first),
                )
                alpha = gr.Slider(0, 1, 0.1, step=0.01, label="Pull back to the photo")
                beta = gr.Slider(0, 0.99, 0.9, step=0.01, label="Smoothness")
                kind = gr.Radio(FORMATS, value="webp", label="File")
                seed, new_seed = build_seed()
        with gr.Column(scale=2, min_width=320):
            status = build_status(HINT)
            picture, chain = _build_picture()
            film = gr.Video(label="Animation", interactive=False, visible=False, autoplay=True, loop=True)
            examples = gr.Radio(shown, label="Examples: click one to run it", visible=bool(shown), elem_id="animations")

    chosen = [top.shelf, top.name]
    view = View(status, picture, film, seed, go, stop)
    wiring: dict[str, Any] = {
        "fn": animate,
        "inputs": [*chosen, variation, frames, fps, loop, start_scale, alpha, beta, kind, seed, new_seed],
        "outputs": list(view),
        "show_progress": "hidden",
        **SHORT,
    }
    owner = gr.State(top.name.value)  # the pyramid that moves in what is shown
    gr.on([top.here.change, top.renewed.change], fit, chosen, start_scale, **SILENT)
    top.here.change(forget, [top.name, owner], [owner, status, picture, film], queue=False, **SILENT)
    run = run_anew(go, "animate", status)(**wiring, api_name="animate")

    def run_example(shelf: Shelf, number: int, seed: int, new_seed: bool, *settings: Any) -> Iterator[View]:
        inputs: list[Any] = [*settings, seed, new_seed]
        yield from animate(shelf, EXAMPLES[shown[number]][0], *inputs)

    example = Examples(
        tab="animate",
        sources=[(EXAMPLES[caption][0], ()) for caption in shown],
        load=lambda shelf, number: open_example(shelf, shown[number]),
        loaded=[top.name, top.pictures, owner, variation, start_scale],
        run=run_example,
        settings=[seed, new_seed, variation, frames, fps, loop, start_scale, alpha, beta, kind],
        view=list(view),
    ).wire(examples, top, **SHORT)
    wire_buttons(go, stop, [run, example], ("animate", status, STOPPED))
    return chain


def _build_picture() -> tuple[gr.Image, Chain]:
    """Where an animation is shown, and what takes one of its frames to the other tabs."""
    picture = gr.Image(
        label="Animation",
        type="filepath",
        interactive=False,
        visible=False,
        buttons=["download", "fullscreen"],
        image_mode=None,  # or what comes back would be its first frame
        elem_id="animation",
        elem_classes="pair",
    )
    number = gr.Number(
        1,
        label="Frame that goes there",
        precision=0,
        minimum=1,
        maximum=MAX_FRAMES,
        render=False,
        elem_classes="goes",
    )
    chain = build_chain([picture, number], frame, "animate")
    number.render()
    return picture, chain


def frame(animation: str | None, number: int | None) -> str | None:
    """The file of one frame of an animation, the first of which is 1; of the last one, if there are fewer."""
    if animation is None:
        return None
    check_file(Path(animation), "The animation", formats=("WEBP", "GIF"))
    with Image.open(animation) as film:
        film.seek(min(number or 1, getattr(film, "n_frames", 1)) - 1)
        name = f"{Path(animation).stem}-frame-{film.tell() + 1}"
        return save_pil_to_cache(film.convert("RGB"), str(folder_of_uploads()), name, "png")


def animate(
    shelf: Shelf,
    pyramid: str,
    variation: float = 0.1,
    frames: int = 40,
    fps: float = 10,
    loop: bool = True,
    start_scale: int = 0,
    alpha: float = 0.1,
    beta: float = 0.9,
    kind: Literal["gif", "webp", "mp4"] = "webp",
    seed: int | None = 0,
    new_seed: bool = False,
) -> Iterator[View]:
    """Make the picture that a pyramid learned move. Streams a status line; ends with the file and the seed.

    Parameters:
        pyramid: name of a shipped pyramid, or of one trained in this session
        variation: how far things move, 0 to 1
        frames: number of frames, 2 to 200
        fps: frames a second, 1 to 30
        loop: the last frame is followed by the first
        start_scale: coarsest scale that moves, 0 for everything
        alpha: pull back to the photo, 0 to 1
        beta: smoothness of the walk, 0 to 0.99
        kind: "webp", "gif" or, where it is installed, "mp4"
        seed: seed of the walk
        new_seed: take a random seed instead
    """
    first = pick_seed(seed, new_seed)
    start = time.perf_counter()

    def moments(folder: Path) -> Generator[View, None, None]:
        if frames > MAX_FRAMES:
            raise ConfigError(f"frames is {frames}; here it goes up to {MAX_FRAMES}: use the command singan animate.")
        model, path = shelf.load(pyramid), folder / f"{pyramid}-{first}.{kind}"
        walk: dict[str, Any] = {"alpha": alpha, "beta": beta, "variation": variation, "loop": loop, "seed": first}
        walk |= {"frames": frames, "fps": fps, "start_scale": start_scale}
        working = partial(View, **busy())
        yield from watched(lambda on_event: singan.animate(model, path, **walk, on_event=on_event), working)
        text = f"{frames} frames, {path.stat().st_size / 1e6:.1f} MB, in {time.perf_counter() - start:.1f} s."
        moving, still = shown(str(path)), shown(None)
        film, picture = (moving, still) if kind == "mp4" else (still, moving)
        yield View(run_status(text, None, []), picture, film, first)

    yield from framed(View(STARTING, seed=first, **busy()), moments, View, "animate")


def open_example(shelf: Shelf, caption: str) -> tuple[str, dict, str, float, int]:
    """The pyramid and the settings of an example."""
    pyramid, variation, start_scale = EXAMPLES[caption]
    return pyramid, mark(shelf, pyramid), pyramid, variation, start_scale


def forget(pyramid: str, owner: str) -> tuple[Any, ...]:
    """No animation, once another pyramid is chosen: that was of the one before."""
    if pyramid == owner:
        return (gr.skip(),) * 4
    renew("animate")
    return pyramid, run_status(HINT, None, []), shown(None), shown(None)
