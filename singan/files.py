"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from singan import __version__


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """`with atomic_path(path) as part:` write to `part`; it then takes the place of `path`, or is removed."""
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")  # some writers go by the suffix
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def save_png(image: Image.Image, path: Path, settings: Mapping[str, object]) -> None:
    """Write a PNG that carries `settings`, and the version of this package, as text chunks."""
    text = PngInfo()
    for key, value in {**settings, "singan": __version__}.items():
        text.add_text(key, str(value))
    with atomic_path(path) as part:
        image.save(part, "PNG", pnginfo=text, compress_level=1)  # a third of the time for a tenth more bytes
