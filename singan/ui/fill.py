"""The tab Fill: what is painted over in a picture is drawn anew from the rest of it, or what lies beyond its border, or
all else."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import gradio as gr
from PIL import Image

import singan
from singan.config import VARIATION
from singan.errors import ConfigError, ImageError
from singan.image import save_image
from singan.limits import MAX_CALL_PIXELS
from singan.model import SinGAN
from singan.tasks.filling import draft_of
from singan.tasks.injection import OnEvent, TaskEvent
from singan.ui import canvas
from singan.ui.chain import Chain, build_gallery_chain
from singan.ui.editor import MASK_BRUSH, Value, any_picture, build_editor, on_canvas
from singan.ui.examples import Examples, build_examples, example_pictures, sources
from singan.ui.frame import SILENT, build_seed, build_status, framed, renew, run_anew, watched
from singan.ui.look import STARTING, build_gallery, run_status
from singan.ui.shelf import SHORT, Shelf
from singan.ui.toasts import toasts
from singan.ui.top import Top, mark
from singan.ui.work import pick_seed

HINT = "Paint over what shall go, or what alone shall stay, or click an example; or say how far it shall grow."
PAINT = (249, 115, 22, 153)  # of what is painted over in an example
MAX_RESULTS = 8
Job = Callable[[SinGAN, int, OnEvent], list[Image.Image]]  # with a draft and the first seed


class View(NamedTuple):
    """What one moment of a run changes on the page."""

    status: Any = gr.skip()
    results: Any = gr.skip()
    seed: Any = gr.skip()


def build(top: Top, examples: Path) -> Chain:
    """Make the tab. Its canvas starts from the picture of the chosen pyramid."""
    pictures = example_pictures(examples, top)
    owner = gr.State(top.name.value)  # the pyramid whose picture is on the canvas
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            editor = build_editor("Picture", MASK_BRUSH, "fill-canvas", top.picture)
            with gr.Row():
                upload = gr.UploadButton("Upload a picture", size="sm", min_width=100)
                clear = gr.Button("Start over", size="sm", min_width=100)
            number = gr.Slider(1, MAX_RESULTS, 3, step=1, label="Number of results")
            go = gr.Button("Fill what is painted over", variant="primary")
            with gr.Accordion("Grow beyond the border", open=False):
                sides = [
                    gr.Slider(0, 100, 0, step=5, label=f"{side} (%)") for side in ("Top", "Right", "Bottom", "Left")
                ]
                grow = gr.Button("Grow the picture")
            with gr.Accordion("Keep what is painted over, draw the rest anew", open=False):
                kept = build_kept()
                keep = gr.Button("Draw the rest anew")
            with gr.Accordion("Advanced", open=False):
                seed, new_seed = build_seed()
        with gr.Column(scale=1, min_width=320):
            status = build_status(HINT)
            results = build_gallery("Results", 2, "fill-results")
            chain = build_gallery_chain(results, "fill")
            gallery = build_examples(pictures)

    def load_example(shelf: Shelf, number: int) -> tuple[Any, ...]:
        name = pictures[number].stem
        return name, mark(shelf, name), name, example_canvas(shelf, pictures[number]), run_status(HINT, None, []), None

    def run_example(shelf: Shelf, example: int, seed: int, new_seed: bool, number: int) -> Iterator[View]:
        yield from fill(shelf, example_canvas(shelf, pictures[example]), number, seed, new_seed)

    chosen, shown = [top.shelf, top.name], [status, results, seed]
    fresh = [owner, editor, status, results]
    last = [number, seed, new_seed]
    wiring: dict[str, Any] = {"outputs": shown, **SHORT, "show_progress": "hidden"}
    run_anew(go, "fill", status)(fill, [top.shelf, editor, *last], **wiring, api_name="fill")
    run_anew(keep, "fill", status)(pin, [top.shelf, editor, *kept, *last], **wiring, api_name="pin")
    run_anew(grow, "fill", status)(extend, [top.shelf, editor, *sides, *last], **wiring, api_name="extend")
    Examples(
        tab="fill",
        sources=sources(pictures),
        load=load_example,
        loaded=[top.name, top.pictures, *fresh],
        run=run_example,
        settings=[seed, new_seed, number],
        view=shown,
    ).wire(gallery, top, **SHORT)
    top.here.change(fresh_picture, [*chosen, owner], fresh, **SILENT)
    clear.click(fresh_picture, chosen, fresh, **SILENT)
    upload.upload(upload_picture, [top.shelf, upload], [editor, status, results], **SILENT)
    return chain


def build_kept() -> list[Any]:
    """What `pin` is asked: how new the rest is, and whether and where what is kept is put elsewhere."""
    new = gr.Slider(0, 1, VARIATION, step=0.05, label="How new is the rest?", info="1 invents freely.")
    moved = gr.Checkbox(False, label="Put it elsewhere")
    return [
        new,
        moved,
        *(gr.Slider(0, 100, 50, step=1, label=f"Its middle {way} (%)") for way in ("down", "across")),
    ]


def fresh_picture(shelf: Shelf, pyramid: str, owner: str = "") -> tuple[Any, ...]:
    """The canvas with the pyramid's own picture, unless it holds one that belongs to it; no results."""
    if not pyramid or owner == pyramid:
        return (gr.skip(),) * 4
    renew("fill")
    with toasts():
        model = shelf.load(pyramid)
    return pyramid, on_canvas(model.training_image), run_status(HINT, None, []), None


def example_canvas(shelf: Shelf, path: Path) -> Value:
    """The picture of the pyramid that an example is called after, painted over where its mask is white."""
    with toasts():
        picture = shelf.load(path.stem).training_image
    layer = Image.new("RGBA", picture.size)
    layer.paste(PAINT, mask=Image.open(path.with_suffix(".mask.png")).convert("1").resize(picture.size))
    return {**on_canvas(picture), "layers": [layer]}


def upload_picture(shelf: Shelf, path: str) -> tuple[Any, ...]:
    """The canvas with an uploaded picture, and no results."""
    renew("fill")
    return any_picture(shelf, path), run_status(HINT, None, []), None


def fill(shelf: Shelf, edited: Value, number: int = 3, seed: int | None = 0, new_seed: bool = False) -> Iterator[View]:
    """Draw anew what is painted over in a picture, from the rest of it.

    Streams a status line; ends with the files of the results, each captioned with its seed, and the first seed.

    Parameters:
        edited: the picture, as background, with what shall go painted over on layers
        number: how many results, 1 to 8
        seed: result k is drawn with seed + k; that of seed 0 is likely the best
        new_seed: take a random seed instead
    """

    def begin(picture: Image.Image) -> Job:
        mask = _painted_over(edited, picture, "what shall go")
        return lambda model, seed, on_event: singan.fill(model, mask, n=number, seed=seed, on_event=on_event)

    yield from _run(edited, begin, number, 1.0, pick_seed(seed, new_seed))


def extend(
    shelf: Shelf,
    edited: Value,
    top: float = 0,
    right: float = 0,
    bottom: float = 0,
    left: float = 0,
    number: int = 3,
    seed: int | None = 0,
    new_seed: bool = False,
) -> Iterator[View]:
    """Draw more of a picture beyond its border.

    Streams a status line; ends with the files of the results, each captioned with its seed, and the first seed.

    Parameters:
        edited: the picture, as background
        top: by how many percent of its height it grows at the top, 0 to 100
        right: by how many percent of its width at the right
        bottom: by how many percent of its height at the bottom
        left: by how many percent of its width at the left
        number: how many results, 1 to 8
        seed: result k is drawn with seed + k; that of seed 0 is likely the best
        new_seed: take a random seed instead
    """
    shares = {"top": top / 100, "right": right / 100, "bottom": bottom / 100, "left": left / 100}

    def begin(picture: Image.Image) -> Job:
        return lambda model, seed, on_event: singan.extend(model, **shares, n=number, seed=seed, on_event=on_event)

    grown = (1 + shares["top"] + shares["bottom"]) * (1 + shares["left"] + shares["right"])
    yield from _run(edited, begin, number, grown, pick_seed(seed, new_seed))


def pin(
    shelf: Shelf,
    edited: Value,
    variation: float = VARIATION,
    moved: bool = False,
    down: float = 50,
    across: float = 50,
    number: int = 3,
    seed: int | None = 0,
    new_seed: bool = False,
) -> Iterator[View]:
    """Keep what is painted over in a picture, to the last bit, and draw samples of all else around it.

    Streams a status line; ends with the files of the results, each captioned with its seed, and the first seed.

    Parameters:
        edited: the picture, as background, with what shall stay painted over on layers
        variation: 0 keeps the layout of the picture, 1 invents freely
        moved: what stays is put elsewhere
        down: where its middle goes then, in percent of the height
        across: the same in percent of the width
        number: how many results, 1 to 8
        seed: result k is drawn with seed + k
        new_seed: take a random seed instead
    """

    def begin(picture: Image.Image) -> Job:
        mask = _painted_over(edited, picture, "what shall stay")
        to = (down / 100, across / 100) if moved else None

        def job(model: SinGAN, seed: int, on_event: OnEvent) -> list[Image.Image]:
            images: list[Image.Image] = []
            for image in model.iter_samples(number, variation=variation, seed=seed, pin=mask, pin_to=to):
                image.info = {"task": "pin", "seed": seed + len(images), "variation": variation}
                image.info |= {"pin_to": to} if to else {}
                images.append(image)
                on_event(TaskEvent(len(images), number, "sample"))
            return images

        return job

    yield from _run(edited, begin, number, 1.0, pick_seed(seed, new_seed))


def _painted_over(edited: Value, picture: Image.Image, what: str) -> Image.Image:
    """White where there is paint, of the picture's size. Raises `ImageError` if there is none."""
    white = canvas.painted(edited)
    if white is None:
        raise ImageError(f"Nothing is painted over yet: paint over {what}.")
    return white.resize(picture.size, Image.Resampling.NEAREST)


def _run(
    edited: Value,
    begin: Callable[[Image.Image], Job],
    number: int,
    grown: float,
    seed: int,
) -> Iterator[View]:
    """`grown`: the area of a result over that of the picture."""

    def moments(folder: Path) -> Generator[View, None, None]:
        picture = canvas.backdrop(edited)
        megapixels = number * grown * picture.width * picture.height / 1e6
        if not 1 <= number <= MAX_RESULTS or megapixels > MAX_CALL_PIXELS / 1e6:
            raise ConfigError(
                f"{number} results are {megapixels:.3g} megapixels together; the limits are {MAX_RESULTS} results "
                f"and {MAX_CALL_PIXELS / 1e6:g} megapixels: ask for fewer or smaller ones."
            )
        job = begin(picture)
        files = []
        for image in (yield from watched(lambda on_event: job(draft_of(picture), seed, on_event), View)):
            path = folder / f"{image.info['task']}-{image.info['seed']}.png"
            save_image(image, path, image.info)
            files.append((str(path), f"seed {image.info['seed']}"))
        yield View(run_status("The results are in full size; another seed gives others.", None, []), files, seed)

    yield from framed(View(STARTING, None, seed), moments, View, "fill")
