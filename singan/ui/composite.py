"""What the tabs Edit and Harmonize share: a canvas that starts from the picture of the chosen pyramid, its mask, and
the stage on which objects are dragged over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from singan.ui import canvas, injected
from singan.ui.editor import (
    MASK_BRUSH,
    Value,
    build_editor,
    build_mask,
    fresh_canvas,
    on_canvas,
    open_example,
    own_picture,
)
from singan.ui.examples import Examples, build_examples, example_pictures, sources
from singan.ui.frame import PRIVATE, SILENT, renew, run_anew, shown
from singan.ui.look import run_status
from singan.ui.shelf import SHORT, Shelf
from singan.ui.stage import Scene, add, build_stage, put
from singan.ui.toasts import toasts
from singan.ui.top import Top


@dataclass
class Composite:
    """The widgets of such a tab; `drawn` are the canvas and the mask, once the tab is built. What is in `flat`, the
    canvas, gives way to the stage while there are objects. The canvas and the mask of the task are what `prepare` gives
    for them and the values of `asked`; the task itself takes those of `more`, last."""

    flat: gr.Column
    editor: gr.ImageEditor
    stage: gr.HTML
    drawn: list[Any]
    thing: Any = None
    paint: Any = None
    upload: Any = None
    clear: Any = None
    chain: Any = None
    prepare: Callable[..., tuple[Value, Image.Image | None]] | None = None
    asked: list[Any] = field(default_factory=list)
    more: list[Any] = field(default_factory=list)

    def build_buttons(self, upload: str) -> None:
        """What brings objects, or another picture, and what clears them."""
        with gr.Row():
            self.thing = gr.UploadButton("Add an object", size="sm", min_width=90)
            self.paint = gr.Button("Paint over it", size="sm", min_width=90, visible=False)
            self.upload = gr.UploadButton(upload, size="sm", min_width=90)
            self.clear = gr.Button("Start over", size="sm", min_width=90)

    @property
    def staged(self) -> list[Any]:
        """What changes when there are objects, or none any more, in the order of `on_stage`."""
        return [self.stage, self.flat, self.paint]

    def wire(self, top: Top) -> None:
        """Objects come onto the stage, and are painted onto the canvas."""
        seen, changed = [*self.drawn, self.stage], [*self.drawn, *self.staged]
        self.thing.upload(adding(self.prepare), [top.shelf, *seen, self.thing, *self.asked], changed, **SILENT)
        self.paint.click(paint_over, seen, changed, **SILENT)


def on_stage(scene: Scene | None) -> tuple[dict, dict, dict]:
    """The stage in place of the canvas, or without a scene the canvas."""
    seen = scene is not None
    return gr.update(value=scene, visible=seen), gr.update(visible=not seen), gr.update(visible=seen)


@contextmanager
def build_composite(
    top: Top, examples: Path, task: Callable, *, label: str, hint: str, button: str
) -> Iterator[Composite]:
    """Make the tab of `task`; what the caller builds meanwhile comes under the canvas, with `build_buttons` in it."""
    name, pictures = task.__name__, example_pictures(examples, top)
    owner = gr.State(top.name.value)  # the pyramid whose picture is on the canvas
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            with gr.Column() as flat:
                editor = build_editor(label, MASK_BRUSH, f"{name}-canvas", top.picture)
            tab = Composite(flat, editor, build_stage(f"{name}-stage"), [])
            yield tab
            go = gr.Button(button, variant="primary")
            controls, advanced = injected.build_controls(top.first)
            with advanced:
                tab.drawn = [tab.editor, build_mask(f"{name}-mask")]
        with gr.Column(scale=1, min_width=320):
            results = injected.build_results(hint, controls, name)
            gallery = build_examples(pictures)
            tab.chain = results.chain

    def load_example(shelf: Shelf, number: int) -> tuple[Any, ...]:
        return *open_example(shelf, pictures[number]), run_status(hint, None, []), *on_stage(None)

    def run_example(
        shelf: Shelf, number: int, seed: int, new_seed: bool, scale: str, *more: Any
    ) -> Iterator[injected.View]:
        path = pictures[number]
        picture, mask = Image.open(path), Image.open(path.with_suffix(".mask.png")).convert("L")
        yield from task(shelf, path.stem, on_canvas(picture), mask, scale, seed, new_seed, *more)

    def start_over(shelf: Shelf, pyramid: str, owner: str = "") -> tuple[Any, ...]:
        if not pyramid or owner == pyramid:
            return (gr.skip(),) * len(fresh)
        renew(name)
        return *fresh_canvas(shelf, pyramid), run_status(hint, None, []), *on_stage(None)

    def take_upload(shelf: Shelf, pyramid: str, path: str) -> tuple[Any, ...]:
        renew(name)
        taken = own_picture(shelf, pyramid, path)
        return *taken, run_status(hint, None, []), shown(None), shown(None), *on_stage(None)

    chosen = [top.shelf, top.name]
    outputs = {"outputs": results.view, **SHORT, "show_progress": "hidden"}
    fresh = [owner, *tab.drawn, controls.scale, results.pair, results.strip, results.status, *tab.staged]
    given = [*chosen, *tab.drawn, tab.stage, *tab.asked, *controls, *tab.more]
    run_anew(go, name, results.status)(as_drawn(task, tab.prepare, len(tab.asked)), given, **outputs, **PRIVATE)
    gr.on([], task, [*chosen, *tab.drawn, *controls, *tab.more], **outputs, api_name=name)
    Examples(
        tab=name,
        sources=sources(pictures),
        load=load_example,
        loaded=[top.name, top.pictures, *fresh],
        run=run_example,
        settings=[controls.seed, controls.new_seed, controls.scale, *tab.more],
        view=results.view,
    ).wire(gallery, top, **SHORT)
    top.here.change(start_over, [*chosen, owner], fresh, **SILENT)
    tab.clear.click(start_over, chosen, fresh, **SILENT)
    cleared = [*tab.drawn, results.status, results.pair, results.strip, *tab.staged]
    tab.upload.upload(take_upload, [*chosen, tab.upload], cleared, **SILENT)
    tab.wire(top)


def as_drawn(
    task: Callable[..., Iterator[injected.View]],
    prepare: Callable[..., tuple[Value, Image.Image | None]] | None,
    asked: int,
) -> Callable[..., Iterator[injected.View]]:
    """The task of what is on the canvas, with what stands on the stage as part of it, once that is prepared by so many
    values as are `asked` for."""

    def run(
        shelf: Shelf, pyramid: str, value: Value, mask: Image.Image | None, scene: Scene | None, *rest: Any
    ) -> Iterator[injected.View]:
        value, mask = flatten(value, mask, scene)
        value, mask = prepare(value, mask, *rest[:asked]) if prepare else (value, mask)
        yield from task(shelf, pyramid, value, mask, *rest[asked:])

    return run


def adding(prepare: Callable[..., tuple[Value, Image.Image | None]] | None) -> Callable[..., tuple[Any, ...]]:
    """`add_object`, before the first of which the canvas is prepared: what was painted over is copied, moved or erased,
    as it is to be, and not only masked."""

    def add(
        shelf: Shelf, value: Value, mask: Image.Image | None, scene: Scene | None, path: str | None, *asked: Any
    ) -> tuple[Any, ...]:
        if scene is None and prepare:
            value, mask = prepare(value, mask, *asked)
        return add_object(shelf, value, mask, scene, path)

    return add


def add_object(
    shelf: Shelf, value: Value, mask: Image.Image | None, scene: Scene | None, path: str | None
) -> tuple[Any, ...]:
    """One more object on the stage. The first one takes the canvas there, with what was painted on it as its mask."""
    with toasts():
        staged = on_stage(add(scene, canvas.flattened(value), path, shelf.limits))
        kept = (gr.skip(),) * 2 if scene else (on_canvas(canvas.backdrop(value)), canvas.painted(value, mask))
    return *kept, *staged


def paint_over(value: Value, mask: Image.Image | None, scene: Scene | None) -> tuple[Any, ...]:
    """The canvas again, with the objects as part of its picture."""
    return *flatten(value, mask, scene), *on_stage(None)


def flatten(value: Value, mask: Image.Image | None, scene: Scene | None) -> tuple[Value, Image.Image | None]:
    """The canvas with the objects in its picture, and in the mask."""
    if scene is None:
        return value, mask
    with toasts():
        picture, mask = put(canvas.backdrop(value), canvas.painted(value, mask), scene)
    return on_canvas(picture), mask
