"""Pictures to click that come with the app."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import gradio as gr

from singan.ui.shelf import Top


def example_pictures(folder: Path, top: Top) -> list[Path]:
    """The examples in a folder: pictures that are called after pyramids, of those that are there."""
    found = {path.stem: path for path in pictures_in(folder)}
    return [found[name] for name in top.shelf.value.names() if name in found]


def pictures_in(folder: Path) -> list[Path]:
    """The PNG and WebP files in a folder, by name."""
    return sorted(path for path in folder.glob("*") if path.suffix in (".png", ".webp"))


def build_examples(pictures: Sequence[Path]) -> gr.Gallery:
    """Examples to click."""
    return gr.Gallery(
        [(path, path.stem) for path in pictures],
        columns=3,
        label="Examples: click one to run it",
        format="png",
        allow_preview=False,
        buttons=[],
        interactive=False,
        visible=bool(pictures),
        elem_classes=["grow", "examples"],
    )
