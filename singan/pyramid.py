"""The sizes of the scales as pure integers, and the resizing that goes between them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from singan.config import TrainConfig


def learned_size(height: int, width: int, config: TrainConfig) -> tuple[int, int]:
    """The (height, width) at which an image of this size is learned.

    The longest side is shrunk to `max_size`, but the short side never below 2 * `min_size`, so that extreme
    shapes keep a pyramid (the published formula divides by zero at 150x2000). Nothing is enlarged.
    """
    factor = max(config.max_size / max(height, width), 2 * config.min_size / min(height, width))
    return (height, width) if factor >= 1 else (round(height * factor), round(width * factor))


def scale_sizes(height: int, width: int, config: TrainConfig) -> list[tuple[int, int]]:
    """Sizes (height, width) of all scales, coarsest first; the last one is (height, width) itself.

    The short side of the coarsest is `min_size`, unless the image is smaller, and the ratio between neighbours
    is constant and as near to `scale_factor` as that allows (SinGAN supplementary, sec. 1).
    """
    short = min(height, width)
    total = min(1.0, config.min_size / short)  # the coarsest scale over the finest
    if config.num_scales is not None:
        steps = config.num_scales - 1 if total < 1 else 0
    else:
        steps = math.ceil(math.log(total) / math.log(config.scale_factor) - 1e-9)
    factors = [total ** (1 - k / steps) for k in range(steps)] + [1.0]
    return [(max(1, round(height * f)), max(1, round(width * f))) for f in factors]


def resize(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(N, C, H, W) -> (N, C, *size): bicubic, with antialiasing where it shrinks."""
    if tuple(x.shape[2:]) == size:
        return x
    shrinks = size[0] < x.shape[2] or size[1] < x.shape[3]
    return F.interpolate(x.float(), size=size, mode="bicubic", antialias=shrinks)
