"""What the tabs Edit and Harmonize share: a canvas that starts from the picture of the chosen pyramid, and its mask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from singan.ui import injected
from singan.ui.editor import MASK_BRUSH, build_editor, build_mask, fresh_canvas, open_example, own_picture
from singan.ui.examples import build_examples, example_pictures
from singan.ui.frame import PRIVATE, SILENT, renew, run_anew, shown
from singan.ui.look import run_status
from singan.ui.shelf import SHORT, Shelf, Top


@dataclass
class Composite:
    """The widgets of such a tab; `drawn` are the canvas and the mask, once the tab is built."""

    editor: gr.ImageEditor
    drawn: list[Any]
    upload: Any = None
    clear: Any = None
    chain: Any = None

    def build_buttons(self, upload: str) -> None:
        """What brings another picture to the canvas, and what clears it; in a row of the caller's."""
        self.upload = gr.UploadButton(upload, size="sm", min_width=90)
        self.clear = gr.Button("Start over", size="sm", min_width=90)


@contextmanager
def build_composite(
    demo: gr.Blocks, top: Top, examples: Path, task: Callable, *, label: str, hint: str, button: str
) -> Iterator[Composite]:
    """Make the tab of `task`; what the caller builds meanwhile comes under the canvas, with `build_buttons` in it."""
    name = task.__name__
    pictures = example_pictures(examples, top)
    owner = gr.State("")  # the pyramid whose picture is on the canvas
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=300):
            tab = Composite(build_editor(label, MASK_BRUSH, f"{name}-canvas"), [])
            yield tab
            controls, advanced = injected.build_controls()
            with advanced:
                tab.drawn = [tab.editor, build_mask(f"{name}-mask")]
            go = gr.Button(button, variant="primary")
        with gr.Column(scale=1, min_width=320):
            results = injected.build_results(hint, controls, name)
            gallery = build_examples(pictures)
            tab.chain = results.chain

    def load_example(shelf: Shelf, event: gr.SelectData) -> tuple[Any, ...]:
        renew(name)
        return *open_example(shelf, pictures[event.index]), run_status(hint, None, [])

    def start_over(shelf: Shelf, pyramid: str, owner: str = "") -> tuple[Any, ...]:
        if not pyramid or owner == pyramid:
            return (gr.skip(),) * len(fresh)
        renew(name)
        return *fresh_canvas(shelf, pyramid), run_status(hint, None, [])

    def take_upload(shelf: Shelf, pyramid: str, path: str) -> tuple[Any, ...]:
        renew(name)
        return *own_picture(shelf, pyramid, path), run_status(hint, None, []), shown(None), shown(None)

    chosen = [top.shelf, top.name]
    wiring: dict[str, Any] = {"inputs": [*chosen, *tab.drawn, *controls], "outputs": results.view(controls)}
    wiring |= {**SHORT, "show_progress": "hidden"}
    fresh = [owner, *tab.drawn, controls.scale, results.pair, results.strip, results.status]
    run_anew(go, name)(task, **wiring, api_name=name)
    gallery.select(load_example, top.shelf, [top.name, top.pictures, *fresh], **PRIVATE).success(
        task, **wiring, **PRIVATE
    )
    gr.on([top.name.change, demo.load], start_over, [*chosen, owner], fresh, **SILENT)
    tab.clear.click(start_over, chosen, fresh, **SILENT)
    cleared = [results.status, results.pair, results.strip]
    tab.upload.upload(take_upload, [*chosen, tab.upload], [*tab.drawn, *cleared], **SILENT)
