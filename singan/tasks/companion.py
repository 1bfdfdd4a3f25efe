"""Companion maps: what belongs to each pixel of the photograph, as heights or normals, moved along with a sample."""

from __future__ import annotations

import os
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
from PIL import Image

from singan.errors import ConfigError, ImageError, one_line
from singan.files import atomic_path
from singan.model import SinGAN

MAPS = (".png", ".tif", ".tiff", ".npy")  # that companion maps are read from and written to
PNG_MODES = ("L", "LA", "RGB", "RGBA", "I;16")  # that Pillow reads and writes to the bit, of 8 bits but for the last
DEEP = {3: 2, 4: 6}  # channels of 16 bits, which Pillow does not write, and what a PNG calls them
PNG_KINDS = [("uint8", shape) for shape in ((), (2,), (3,), (4,))] + [("uint16", shape) for shape in ((), (3,), (4,))]
MAX_CHANNELS = 64


def rearrange(companion: np.ndarray, source: np.ndarray) -> np.ndarray:
    """A map of the photograph, (H, W) or (H, W, C) of any type, with its values where the sample has its pixels.

    `source`, (h, w, 2): `Sample.source`. Nothing is mixed: each value, (h, w) or (h, w, C), is one of the map's, to the
    bit. Raises `ConfigError` if the map is smaller than the photograph that `source` is of.
    """
    if companion.ndim not in (2, 3) or source.ndim != 3 or source.shape[2] != 2 or source.dtype.kind not in "iu":
        raise ConfigError(
            f"The map has shape {companion.shape} and source {source.shape}, {source.dtype}; they are (H, W) or "
            "(H, W, C), and (h, w, 2) of whole numbers."
        )
    height, width = (int(most) + 1 for most in source.max((0, 1)))
    if source.min() < 0 or height > companion.shape[0] or width > companion.shape[1]:
        raise ConfigError(
            f"The map is {companion.shape[1]}x{companion.shape[0]} px, and the sample has pixels from {width}x{height} "
            "px of the photograph: give a map of the photograph's size."
        )
    return companion[source[..., 0], source[..., 1]]


def load_map(path: str | os.PathLike[str], model: SinGAN) -> np.ndarray:
    """A map of the photograph's size from a PNG, TIFF or .npy: (H, W) or (H, W, C), as it is stored, to the bit.

    Raises `ImageError` for a file that is no such map, or of which not every bit can be read.
    """
    file = Path(path)
    name = f"The map {file.name}"
    if file.suffix.lower() not in MAPS:
        raise ImageError(f"{name} is none of {', '.join(MAPS)}: save it as one of them.")
    if not file.is_file():
        raise ImageError(f"{name} does not exist, or is no file; check the path.")
    read = {".png": _read_png, ".npy": _read_npy}.get(file.suffix.lower(), _read_tiff)
    try:
        companion = read(file, name, model.photo_size)
    except ImageError:
        raise
    except Exception as error:  # on damaged files the readers raise almost anything
        raise ImageError(f"{name} cannot be read ({one_line(error)}); save it again.") from error
    _check_shape(companion.shape, name, model.photo_size)
    return companion


def save_map(companion: np.ndarray, path: str | os.PathLike[str]) -> None:
    """Write a map as `load_map` reads it: PNG, TIFF or .npy, as `path` ends. Raises `ConfigError` for a PNG of what is
    not kept by one to the bit, or another ending."""
    path = Path(path)
    kind = (companion.dtype.name, companion.shape[2:])
    if path.suffix.lower() not in MAPS or (path.suffix.lower() == ".png" and kind not in PNG_KINDS):
        raise ConfigError(
            f"{path.name} cannot hold a map of {companion.dtype}, {companion.shape[2:] or 'one channel'}, to the bit: "
            "name it .npy or .tif; a PNG holds 8 bits with 1 to 4 channels, or 16 with 1, 3 or 4."
        )
    with atomic_path(path) as part:
        if path.suffix.lower() == ".npy":
            np.save(part, companion, allow_pickle=False)
        elif path.suffix.lower() == ".png" and companion.dtype == np.uint16 and companion.ndim == 3:
            part.write_bytes(_deep_png(companion))
        elif path.suffix.lower() == ".png":
            Image.fromarray(companion).save(part, "PNG", compress_level=1)
        else:
            iio.imwrite(part, companion, plugin="TIFF")


def _read_png(file: Path, name: str, size: tuple[int, int]) -> np.ndarray:
    with Image.open(file, formats=["PNG"]) as image:
        _check_shape((image.height, image.width), name, size)
        stored = str(image.tile[0][3]) if image.tile else ""  # how its pixels are packed, before they are read
        deep = image.mode in ("RGB", "RGBA") and stored == f"{image.mode};16B"
        if image.mode not in PNG_MODES or (image.mode != "I;16" and ";16" in stored and not deep):
            of = "16 bits, grey with transparency" if ";16" in stored else f"mode {image.mode}"
            raise ImageError(
                f"{name} is a PNG of {of}, which cannot be kept to the bit: save it as TIFF or .npy, or as PNG of 8 "
                "bits a channel, or of 16 with 1, 3 or 4 channels."
            )
        high = np.array(image)
    if not deep:
        return high
    # Pillow keeps the first byte of two; told that they are the other way round, it keeps the second.
    with Image.open(file, formats=["PNG"]) as image:
        image.tile = [tile._replace(args=f"{image.mode};16L") for tile in image.tile]
        return high.astype(np.uint16) << 8 | np.array(image)


def _deep_png(companion: np.ndarray) -> bytes:
    """A map, (H, W, 3 or 4) uint16, as PNG (ISO 15948), each row as its difference from the one above."""
    height, width, channels = companion.shape
    rows = companion.astype(">u2").reshape(height, -1).view(np.uint8)
    packed = np.full((height, 1 + rows.shape[1]), 2, np.uint8)  # the filter "up", and the row
    packed[:, 1:] = np.diff(rows, axis=0, prepend=np.zeros_like(rows[:1]))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 16, DEEP[channels], 0, 0, 0)),
        (b"IDAT", zlib.compress(packed.tobytes(), 1)),
        (b"IEND", b""),
    )
    parts = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def _read_tiff(file: Path, name: str, size: tuple[int, int]) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        _check_shape(iio.improps(file, plugin="TIFF").shape, name, size)  # before anything is decoded
        return np.asarray(iio.imread(file, plugin="TIFF"))


def _read_npy(file: Path, name: str, size: tuple[int, int]) -> np.ndarray:
    companion = np.load(file, mmap_mode="r", allow_pickle=False)
    _check_shape(companion.shape, name, size)
    if companion.dtype.kind not in "uifb":
        raise ImageError(f"{name} is of {companion.dtype}; a map is of numbers.")
    return np.array(companion)


def _check_shape(shape: tuple[Any, ...], name: str, size: tuple[int, int]) -> None:
    """Raise `ImageError` unless a map of this shape is one of a photograph of that size."""
    height, width = size
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] > MAX_CHANNELS):
        raise ImageError(
            f"{name} has shape {tuple(shape)}; a map is (H, W), or (H, W, C) of up to {MAX_CHANNELS} channels."
        )
    if tuple(shape[:2]) != size:
        raise ImageError(
            f"{name} is {shape[1]}x{shape[0]} px, and the model keeps its photograph at {width}x{height}: scale the "
            f"map to that, or make the model with photo_size {min(4096, max(shape[:2]))}."
        )
