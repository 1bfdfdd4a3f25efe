"""What is said in toasts: errors, and notes."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import gradio as gr

from singan.errors import SinGANError
from singan.ui.shelf import KEEP_OWN, Shelf


@contextmanager
def toasts() -> Iterator[None]:
    """Show a `SinGANError` as a toast, which takes it for HTML; it may quote the name of an uploaded file."""
    try:
        yield
    except SinGANError as error:
        raise gr.Error(html.escape(str(error)), print_exception=False) from error


def show_dropped(before: Shelf, after: Shelf) -> None:
    """Say which pyramids of the visitor's own gave way to newer ones."""
    gone = [name for name in before.own if name not in after.own and len(after.own) >= len(before.own)]
    show_notes(f"{name!r} gave way: {KEEP_OWN} of your own are kept here." for name in gone)


def show_notes(notes: Iterable[str]) -> None:
    """Show notes as toasts."""
    for text in notes:
        gr.Info(html.escape(text))
