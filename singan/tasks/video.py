"""Animations as files, written frame by frame, so that their length does not cost memory."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

import imageio.v2 as imageio
import numpy as np
from PIL import Image

from singan.errors import ConfigError
from singan.files import check_side

Writer = Callable[[Path, Iterable[Image.Image], float], None]


def writer(path: Path) -> Writer:
    """The function that writes frames of one size as the kind of file that `path` names.

    Raises `ConfigError` for another kind than .gif, .webp and .mp4, and if what MP4 needs is not installed.
    """
    writers: dict[str, Writer] = {".gif": write_gif, ".webp": write_webp, ".mp4": write_mp4}
    kind = path.suffix.lower()
    if kind not in writers:
        raise ConfigError(f"{path.name} has no ending that says which animation it is: use .gif, .webp or .mp4.")
    if kind == ".mp4":
        try:
            import_module("imageio_ffmpeg")
        except ImportError:
            raise ConfigError(
                "MP4 needs the package imageio-ffmpeg: install it (pip install imageio-ffmpeg), or write .gif or .webp."
            ) from None
    return writers[kind]


def write_gif(path: Path, frames: Iterable[Image.Image], fps: float) -> None:
    """Pillow's saver collects all frames first, and imageio's works with some versions of Pillow only. So Pillow
    encodes the stills and this strings them together (GIF89a specification). All have the palette of the first:
    finding one takes as long as all else, and frames of one pyramid share their colours."""
    palette: Image.Image | None = None
    with path.open("wb") as file:
        for frame in frames:
            check_side(frame.size, "GIF")
            first = palette is None
            palette = palette or frame.quantize(256, method=Image.Quantize.MEDIANCUT)
            reduced = frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)  # or skies have bands
            reduced.info.clear()
            still = io.BytesIO()
            reduced.save(still, "GIF", interlace=False, optimize=False)
            data = still.getvalue()
            start = 13 + 3 * 2 ** ((data[10] & 7) + 1)  # where header and palette end
            if first:
                file.write(b"GIF89a" + data[6:start])
                file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")  # for ever
            file.write(b"\x21\xf9\x04\x04" + struct.pack("<H", round(100 / fps)) + b"\0\0")  # 4: left in place
            file.write(data[start:-1])
        file.write(b";")


def write_mp4(path: Path, frames: Iterable[Image.Image], fps: float) -> None:
    """H.264 takes even sides only: the last row or column of odd ones is doubled."""
    with imageio.get_writer(path, format="FFMPEG", mode="I", fps=fps, macro_block_size=2, quality=8) as file:
        for frame in frames:
            file.append_data(_even(frame))  # type: ignore[attr-defined]


def _even(frame: Image.Image) -> np.ndarray:
    return np.pad(np.asarray(frame), ((0, frame.height % 2), (0, frame.width % 2), (0, 0)), mode="edge")


def write_webp(path: Path, frames: Iterable[Image.Image], fps: float) -> None:
    """Pillow's saver collects all frames first. The container is simple: stills, each in a chunk of its own
    (WebP Container Specification, Google), so Pillow encodes the stills and this strings them together."""
    with path.open("wb") as file:
        file.write(b"RIFF\0\0\0\0WEBP")
        for number, frame in enumerate(frames):
            check_side(frame.size, "WEBP")
            width, height = (struct.pack("<I", side - 1)[:3] for side in frame.size)
            if number == 0:
                _chunk(file, b"VP8X", b"\x02\0\0\0" + width + height)  # 2: it is an animation
                _chunk(file, b"ANIM", b"\xff\xff\xff\xff" + b"\0\0")  # on white, for ever
            still = io.BytesIO()
            frame.save(still, "WEBP", quality=85, method=4)
            duration = struct.pack("<I", round(1000 / fps))[:3]
            place = b"\0" * 6  # left and top
            _chunk(file, b"ANMF", place + width + height + duration + b"\x02" + still.getvalue()[12:])  # 2: replace
        size = file.tell() - 8
        file.seek(4)
        file.write(struct.pack("<I", size))


def _chunk(file: io.BufferedWriter, name: bytes, data: bytes) -> None:
    file.write(name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2))
