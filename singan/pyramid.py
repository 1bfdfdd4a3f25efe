"""The sizes of the scales as pure integers, and the resizing that goes between them."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from singan.config import TrainConfig

STEP = 1.5  # from one size to the next beyond the pyramid
DOWN, ACROSS = 0.1, 0.4  # how far content moves where displacement is 1, of the height and of the width
SMOOTH = 4  # pixels that move together, about


def kept_size(height: int, width: int, config: TrainConfig) -> tuple[int, int]:
    """The (height, width) at which a photograph of this size is kept with the model, and sampled: at most `photo_size`
    a side, but the short side never below 2 * `min_size`. Without `field` it is that at which it is learned."""
    return _shrunk(height, width, config.photo_size if config.field else config.max_size, config)


def learned_size(height: int, width: int, config: TrainConfig) -> tuple[int, int]:
    """The (height, width) at which an image of this size is learned.

    The longest side is shrunk to `max_size`, but the short side never below 2 * `min_size`, so that extreme
    shapes keep a pyramid (the published formula divides by zero at 150x2000). Nothing is enlarged.
    """
    return _shrunk(height, width, config.max_size, config)


def _shrunk(height: int, width: int, longest: int, config: TrainConfig) -> tuple[int, int]:
    factor = max(longest / max(height, width), 2 * config.min_size / min(height, width))
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


def steps_beyond(coarse: tuple[int, int], fine: tuple[int, int]) -> list[tuple[int, int]]:
    """Sizes from `coarse`, left out, to `fine`, in even steps of at most STEP; none if they are the same."""
    count = math.ceil(math.log(max(1.0, *(b / a for a, b in zip(coarse, fine, strict=True)))) / math.log(STEP) - 1e-9)
    shares = [i / count for i in range(1, count)] + [1.0] * (coarse != fine)
    h, w = coarse
    return [(round(h ** (1 - t) * fine[0] ** t), round(w ** (1 - t) * fine[1] ** t)) for t in shares]


def displace(x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """`x`, (N, C, H, W), with its content moved, smoothly and at random.

    `noise`: (N, 2, H, W), down and across; of standard deviation 1 it moves content by DOWN of the height and ACROSS
    of the width, in standard deviation. Objects are stretched, left out, and shown twice; the border mirrors them.
    Sideways, a column moves as one: else the foot of a thing goes one way and its top another, and reflections leave
    what they mirror.
    """
    height, width = x.shape[2:]
    noise = noise[:, :, :height, :width]  # there may be some beyond the border
    down, across = _smooth(noise[:, :1], (SMOOTH, SMOOTH)), _smooth(noise[:, 1:], (height, SMOOTH))
    rows = torch.linspace(-1, 1, height, device=x.device)[:, None] + 2 * DOWN * down
    columns = _within(torch.linspace(-1, 1, width, device=x.device), 2 * ACROSS * across)
    grid = torch.stack([columns, rows], 3)  # (N, H, W, 2), as grid_sample wants it
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=True)


def _within(place: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """`place` + `step`, but the step shortened so that it stays within -1 and 1: beyond the border the image would be
    mirrored, and half a mountain stand beside its own half."""
    room = 1 - place * step.sign()
    return place + step * room / (room + step.abs()).clamp_min(1e-6)


def _smooth(noise: torch.Tensor, pixels: tuple[int, int]) -> torch.Tensor:
    """`noise`, (N, 1, H, W), smoothed over so many pixels down and across, of the same deviation: (N, H, W)."""
    size = [min(one, side) for one, side in zip(pixels, noise.shape[2:], strict=True)]
    coarse = F.avg_pool2d(noise, size, ceil_mode=True, count_include_pad=False) * math.sqrt(math.prod(size))
    return F.interpolate(coarse, size=noise.shape[2:], mode="bicubic")[:, 0]


def resize(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """(N, C, H, W) -> (N, C, *size): bicubic, with antialiasing where it shrinks."""
    if tuple(x.shape[2:]) == size:
        return x
    shrinks = size[0] < x.shape[2] or size[1] < x.shape[3]
    return F.interpolate(x.float(), size=size, mode="bicubic", antialias=shrinks)
