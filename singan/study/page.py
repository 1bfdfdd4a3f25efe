"""The page of a study: one file that needs nothing else and talks to nobody."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from singan.study.design import FORMAT_VERSION, Settings
from singan.study.trials import Item, Version

POLICY = (
    "default-src 'none'; img-src data:; style-src {style}; script-src {script}; base-uri 'none'; form-action 'none'"
)


def page(items: Sequence[Item], settings: Settings) -> tuple[str, str]:
    """The HTML of a study of `items`, and the study's id, which is that of its pictures and settings."""
    described = describe(items, settings)
    parts = {"style": _file("page.css"), "script": _file("page.js"), "study": json_in_html(described)}
    parts["policy"] = POLICY.format(style=_hash(parts["style"]), script=_hash(parts["script"]))
    return re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], _file("page.html")), described["study"]


def describe(items: Sequence[Item], settings: Settings) -> dict[str, Any]:
    """All that the page is made of; pictures by number, since versions of one size share a photograph."""
    pictures: dict[bytes, int] = {}
    for item in items:
        for version in item.versions:
            for picture in (version.real, version.generated):
                pictures.setdefault(picture, len(pictures))
    described = {
        "format_version": FORMAT_VERSION,
        "kinds": list(settings.kinds),
        "seconds": settings.seconds,
        "parts": settings.parts,
        "items": [
            {"photo": one.photo, "practice": one.practice, "versions": [_version(v, pictures) for v in one.versions]}
            for one in items
        ],
        "credits": sorted({version.source.credit for item in items for version in item.versions} - {""}),
        "pictures": [f"data:image/webp;base64,{base64.b64encode(picture).decode()}" for picture in pictures],
    }
    return {**described, "study": hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]}


def json_in_html(value: Any) -> str:
    """JSON that may stand in a script element: titles of strangers end neither it nor a line of it."""
    escapes = {ord(letter): f"\\u{ord(letter):04x}" for letter in "<>&"}  # all others over 126 are escaped anyhow
    return json.dumps(value).translate(escapes)


def _version(version: Version, pictures: dict[bytes, int]) -> dict[str, Any]:
    shown = {"real": pictures[version.real], "generated": pictures[version.generated]}
    return {name: getattr(version.source, name) for name in ("method", "model", "start_scale", "variation")} | shown


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """What a content security policy calls an element of that text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
