"""A picture of where each pixel of a sample was copied from."""

from __future__ import annotations

import colorsys
import math

import numpy as np
from PIL import Image

from singan.errors import ConfigError

SECTORS = 360  # hues


def color_sources(source: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Colour each pixel by how far its source in the photograph is from its own place; an RGB image of W x H pixels.

    `source`: (H, W, 2) integers, row and column in a photograph of `size`, (h, w). White: from the same place. The hue
    is the direction in which the source lies: red right, yellow below right, green below left, cyan left, blue above
    left, magenta above right (0, 60, 120, 180, 240, 300 degrees, clockwise). The further, the deeper the colour, by the
    root of how far, so that small moves are seen; full at half the photograph's longer side. An area of one colour was
    copied as one piece, and its edges are where pieces meet.

    Raises `ConfigError` if `source` has another form, or leads out of the photograph.
    """
    if source.ndim != 3 or source.shape[2] != 2 or source.dtype.kind not in "iu":
        raise ConfigError(f"source has shape {source.shape} and type {source.dtype}; it is whole numbers (H, W, 2).")
    if source.size and (source.min() < 0 or (source.max((0, 1)) >= size).any()):
        raise ConfigError(f"source leads out of the photograph, which is {size[0]}x{size[1]} px high and wide.")
    return _colored(source - np.moveaxis(np.indices(source.shape[:2]), 0, 2), max(size) / 2)


def color_legend(side: int = 120) -> Image.Image:
    """A disc on grey: the colour at each place is that of a pixel in the middle that was taken from there, the rim
    standing for half the photograph's longer side."""
    offsets = np.moveaxis(np.indices((side, side)), 0, 2) - (side - 1) / 2
    disc = Image.fromarray(np.hypot(*offsets.transpose(2, 0, 1)) <= side / 2)
    return Image.composite(_colored(offsets, side / 2), Image.new("RGB", (side, side), "#808080"), disc)


def _colored(offsets: np.ndarray, reach: float) -> Image.Image:
    """(H, W, 2), down and to the right, of which `reach` and more have the full colour."""
    down, across = offsets[..., 0], offsets[..., 1]
    depth = np.sqrt(np.minimum(np.hypot(down, across) / reach, 1))[..., None]
    sector = np.rint(np.arctan2(down, across) / (2 * math.pi) * SECTORS).astype(int) % SECTORS
    hues = np.array([colorsys.hsv_to_rgb(k / SECTORS, 1, 1) for k in range(SECTORS)]) * 255
    return Image.fromarray(np.rint(255 + depth * (hues[sector] - 255)).astype(np.uint8))
