"""In the tab Sample: tiles and mirror images, and how a tile looks beside itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from singan.ui.frame import SILENT
from singan.ui.toasts import toasts
from singan.ui.work import open_sample

TILES = [("none", "none"), ("left and right", "x"), ("above and below", "y"), ("both", "both")]
MIRRORS = [*TILES, ("kaleidoscope", "kaleidoscope")]
LAID = {"x": (1, 3), "y": (3, 1), "both": (3, 3)}  # rows and columns of the same tile
LAID_SIDE = 1200  # of all of them together


def build_controls(height: gr.Number, width: gr.Number) -> tuple[gr.Accordion, gr.Dropdown, gr.Dropdown]:
    """The fold with the choice of a tile and of a mirror image; a kaleidoscope makes the height and the width equal."""
    with gr.Accordion("Tiles and mirrors", open=False) as fold:
        tile = gr.Dropdown(TILES, value="none", label="Tile", info="Goes on without a seam at its other side.")
        mirror = gr.Dropdown(MIRRORS, value="none", label="Mirror", info="One half is the other's mirror image.")
    mirror.input(squared, [mirror, height, width], [height, width], queue=False, **SILENT)
    return fold, tile, mirror


def squared(mirror: str, height: int | None, width: int | None) -> tuple[int | None, int | None]:
    """The height and the width; of a kaleidoscope twice the shorter of them."""
    if mirror != "kaleidoscope" or not height or not width:
        return height, width
    return min(height, width), min(height, width)


def build_laid() -> gr.Image:
    """Where tiles are shown side by side. That is no sample: it is in no gallery, and no tab goes on with it."""
    return gr.Image(
        format="webp", interactive=False, visible=False, buttons=["fullscreen"], elem_id="laid", elem_classes="pair"
    )


def wire_laid(drawn: Iterable[Any], samples: gr.Gallery, laid: gr.Image) -> None:
    """After each of the events that have `drawn` samples, show the first one beside itself if it is a tile."""
    for event in drawn:
        event.success(lay, samples, laid, **SILENT)


def lay(pictures: list[tuple[str, str]] | None) -> dict:
    """The first picture of a gallery three times across, down, or both, as it goes on there; else nothing."""
    for path, _ in (pictures or [])[:1]:
        with toasts(), open_sample(path) as image:
            rows, columns = LAID.get(str(image.info.get("tile")), (1, 1))
            if rows * columns > 1:
                side = max(rows * image.height, columns * image.width)
                small = np.asarray(image.convert("RGB").reduce(-(-side // LAID_SIDE)))  # of whole blocks: no new border
                label = f"{Path(path).stem}, laid {columns} x {rows}"
                return gr.update(value=np.tile(small, (rows, columns, 1)), label=label, visible=True)
    return gr.update(value=None, visible=False)
