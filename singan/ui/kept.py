"""What a visitor made is there again when the page is opened again: shelves, by a secret that the browser keeps."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import replace
from typing import Any

import gradio as gr

from singan.ui.frame import SILENT
from singan.ui.shelf import KEEP_OWN, KEEP_SECONDS, Shelf
from singan.ui.top import Top

MAX_KEPT = 64  # shelves; of their pyramids, those that were used last stay in memory (`Own`)
_kept: dict[str, tuple[float, Shelf]] = {}
_lock = threading.Lock()


def build(demo: gr.Blocks, top: Top) -> Any:
    """Keep the shelf of each page, and give it back. Returns the event of that."""
    secret = gr.BrowserState()
    outputs = [secret, top.shelf, top.name, top.pictures]
    gr.on([top.name.change, top.renewed.change], remember, [top.shelf, secret], None, queue=False, **SILENT)
    return demo.load(bring_back, [top.shelf, secret], outputs, **SILENT)


def remember(shelf: Shelf, secret: str | None) -> None:
    """Keep the shelf for the page that knows the secret, if there is anything on it, with what was kept for another
    window of that browser: what is new on it comes to that. What was kept before and is not now had to give way."""
    if not isinstance(secret, str) or not 20 < len(secret) < 100 or not shelf.own:  # a page may send anything
        return
    with _lock:
        own, photos = dict(shelf.own), dict(shelf.photos)
        if secret in _kept:
            _, before = _kept[secret]
            new = {name: made for name, made in own.items() if not made.kept}
            own = {**{name: made for name, made in before.own.items() if name not in new}, **new}
            photos = {**photos, **before.photos, **{name: photos[name] for name in new if name in photos}}
            last = sorted(own, key=lambda name: own[name].used)[-KEEP_OWN:]
            own = {name: made for name, made in own.items() if name in last}
        for made in own.values():
            made.kept = True
        shelf = replace(shelf, own=own, photos={name: files for name, files in photos.items() if name in own})
        _kept[secret] = time.monotonic(), shelf
        by_use = sorted(_kept, key=lambda one: _last_used(*_kept[one]))
        for k, one in enumerate(by_use):
            if k < len(by_use) - MAX_KEPT or _last_used(*_kept[one]) < time.monotonic() - KEEP_SECONDS:
                del _kept[one]


def _last_used(kept: float, shelf: Shelf) -> float:
    """When that shelf was kept, or something on it used after that."""
    return max(kept, *(one.used for one in shelf.own.values()))


def bring_back(shelf: Shelf, secret: str | None) -> tuple[Any, ...]:
    """The secret of the page, a new one if it has none; and its shelf, with the newest pyramid on it chosen."""
    found = _kept.get(secret) if isinstance(secret, str) else None
    if found is None or _last_used(*found) < time.monotonic() - KEEP_SECONDS:
        return secrets.token_urlsafe() if not isinstance(secret, str) else gr.skip(), *(gr.skip(),) * 3
    own = {name: one for name, one in found[1].own.items() if one.model}
    if not own:
        return (gr.skip(),) * 4
    shelf = replace(shelf, own=own, photos=found[1].photos)
    newest = shelf.names()[0]
    return gr.skip(), shelf, newest, gr.update(value=shelf.pictures(), selected_index=0)
