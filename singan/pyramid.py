"""The sizes of the scales as pure integers, and the resizing that goes between them."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F

from singan.config import TrainConfig, at_scale
from singan.patches.vote import FLAT, Wrap

MAX_COARSEST_PIXELS = 20_000  # that are searched at scale 0, whatever the shape, since nothing starts without it
MAX_SEARCHED_PIXELS = 5000  # of a finer scale that is; the cost grows with the square
STEP = 1.5  # from one size to the next beyond the pyramid
OTHER = 1.3  # what is to be so much wider, narrower or taller is not stretched evenly


def kept_size(height: int, width: int, config: TrainConfig) -> tuple[int, int]:
    """The (height, width) at which a photograph of this size is kept with the model, and sampled: at most `photo_size`
    a side, but the short side never below 2 * `min_size`. Without `field` it is that at which it is learned."""
    return _shrunk(height, width, config.photo_size if config.field else config.max_size, config)


def learned_size(height: int, width: int, config: TrainConfig) -> tuple[int, int]:
    """The (height, width) at which an image of this size is learned: at most `max_size` a side, but the short side
    never below 2 * `min_size`, so that extreme shapes keep a pyramid (the published formula divides by zero at
    150x2000). Nothing is enlarged."""
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


def voting_scales(config: TrainConfig, sizes: list[tuple[int, int]]) -> int:
    """How many of the coarsest scales vote, and so need the training image: those small enough to be searched."""
    for k, (h, w) in enumerate(sizes):
        limit = MAX_COARSEST_PIXELS if config.field and k == 0 else MAX_SEARCHED_PIXELS
        if not at_scale(config.voting_rounds, k) or h * w > limit:
            return k
    return len(sizes)


def steps_beyond(coarse: tuple[int, int], fine: tuple[int, int]) -> list[tuple[int, int]]:
    """Sizes from `coarse`, left out, to `fine`, in even steps of at most STEP; none if they are the same."""
    count = math.ceil(math.log(max(1.0, *(b / a for a, b in zip(coarse, fine, strict=True)))) / math.log(STEP) - 1e-9)
    shares = [i / count for i in range(1, count)] + [1.0] * (coarse != fine)
    h, w = coarse
    return [(round(h ** (1 - t) * fine[0] ** t), round(w ** (1 - t) * fine[1] ** t)) for t in shares]


def own_size(shape: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """How large, (height, width), an image of that `shape` is to be for one of `size`: that, or, where that is OTHER
    times as wide, as narrow or as tall, of its own width, and where it is as tall of its own height.

    Its own are in proportion: as large as it is at least, unless it is to be lower, and at most as `size` is. Where it
    is to be OTHER times as large both ways, it stays as large as it is.
    """
    (height, width), (high, wide) = shape, size
    if high >= OTHER * height and wide >= OTHER * width:
        return shape
    if high <= height or wide * height >= high * width:  # all of its height, and what width belongs to that
        own = high, max(1, round(width * high / height))
    else:
        own = round(height * max(1, wide / width)), max(width, wide)
    tall = high >= OTHER * own[0]
    other = tall or wide >= OTHER * own[1] or own[1] >= OTHER * wide
    return (own[0] if tall else high, own[1]) if other else size


def published_sizes(height: int, width: int, config: TrainConfig) -> tuple[list[tuple[int, int]], float, float]:
    """As published: the sizes (height, width) of all scales, coarsest first, of an image of this size; the factor from
    a scale to the next coarser; and the factor at which the image is learned.

    Sides are rounded up, and the number of scales is that of the image as it is given, less those which `max_size` cuts
    off. Where that would leave a short side under `min_size` (150x2000, and a division by zero), it stays at least
    2 * `min_size`; an image whose short side is under `min_size` has one scale.
    """
    short = min(height, width)
    whole = min(1.0, config.max_size / max(height, width))
    if short * whole < config.min_size:
        whole = min(1.0, 2 * config.min_size / short)
    height, width = math.ceil(height * whole), math.ceil(width * whole)
    steps = math.ceil(math.log(config.min_size / short, config.scale_factor)) + 1
    steps -= math.ceil(math.log(whole, config.scale_factor))
    if config.num_scales is not None:
        steps = config.num_scales - 1
    if steps == 0 or min(height, width) < config.min_size:
        return [(height, width)], 1.0, whole
    factor = math.pow(config.min_size / min(height, width), 1 / steps)
    return rounded_up(height, width, factor, steps), factor, whole


def rounded_up(height: int, width: int, factor: float, steps: int) -> list[tuple[int, int]]:
    """The published sizes, coarsest first, of an image of this size and of `steps` ever coarser ones."""
    factors = [math.pow(factor, steps - k) for k in range(steps + 1)]
    return [(math.ceil(height * f), math.ceil(width * f)) for f in factors]


def to_bytes(x: torch.Tensor) -> torch.Tensor:
    """Images in [-1, 1] as uint8, cut off as published, not rounded: an image may lose a level each time."""
    return (255 * ((x + 1) / 2).clamp(0, 1)).to(torch.uint8)


def from_bytes(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Values from 0 to 255 as an image in [-1, 1]."""
    return (((x.double() / 255).to(dtype) - 0.5) * 2).clamp(-1, 1)


def published_resize(
    x: torch.Tensor, factor: float, size: tuple[int, int] | None = None, wrap: Wrap = FLAT
) -> torch.Tensor:
    """(N, 3, H, W), in [-1, 1] or uint8, times `factor` in each direction; sizes are rounded up.

    Bicubic with a = -.5 (torch enlarges with -.75), antialiased where it shrinks, from 8-bit values in float64. With
    `size`, what is beyond it at the right and at the bottom is cut off; where the result is smaller, which happens with
    other sizes than the training image's alone, it is stretched to it. A side that is to `wrap` is resized as a whole
    turn, to `size`.
    """
    dtype = torch.get_default_dtype() if x.dtype == torch.uint8 else x.dtype
    out = x if x.dtype == torch.uint8 else to_bytes(x)
    if factor != 1:
        out = (out.cpu() if x.device.type == "mps" else out).double()  # there is no float64 on mps
        for axis in (2, 3):
            before, times = x.shape[axis], factor
            after = math.ceil(before * factor)  # of which only what stays is computed
            after = after if size is None else min(after, size[axis - 2])
            if size is not None and wrap[axis - 2]:
                after, times = size[axis - 2], size[axis - 2] / before
            taps, weights = _published_taps(before, after, times, wrap[axis - 2], out.device)
            shape = [-1 if i == axis else 1 for i in range(4)]
            total = torch.zeros((), device=out.device)
            for tap, weight in zip(taps, weights, strict=True):  # one after the other: equal to the last bit anywhere
                total = total + out.index_select(axis, tap) * weight.view(shape)
            out = total
    out = from_bytes(out, dtype).to(x.device)
    if size is None:
        return out
    out = out[:, :, : size[0], : size[1]]
    return F.interpolate(out, size=size, mode="bilinear", align_corners=True) if out.shape[2:] != size else out


@lru_cache(maxsize=256)
def _published_taps(
    before: int, after: int, factor: float, wraps: bool, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Places, (taps, after), and their weights, float64, by which one axis is resized.

    Beyond the right and the bottom the image is mirrored; before the left and the top it ends, and the other weights
    make up for it: there the published code wraps a negative number round, and finds no weight so far away. An axis
    that `wraps` goes on at its other side.
    """
    shrink = min(1.0, factor)
    centre = np.arange(1, after + 1) / factor + 0.5 * (1 - 1 / factor)  # counted from 1
    first = np.floor(centre - 2 / shrink)
    places = first[:, None] + np.arange(math.ceil(4 / shrink) + 2) - 1
    distance = np.abs(shrink * (centre[:, None] - places - 1))
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = shrink * np.where(distance <= 1, near, np.where(distance <= 2, far, 0))
    if wraps:
        places = places.astype(int) % before
    weights[places < 0] = 0
    weights /= weights.sum(1, keepdims=True)
    places = np.where(places < 0, 0, places).astype(int) % (2 * before)
    places = np.where(places < before, places, 2 * before - 1 - places)
    return torch.from_numpy(places.T.copy()).to(device), torch.from_numpy(weights.T.copy()).to(device)


def resize(x: torch.Tensor, size: tuple[int, int], wrap: Wrap = FLAT) -> torch.Tensor:
    """(N, C, H, W) -> (N, C, *size): bicubic, with antialiasing where it shrinks. Where it is enlarged and is
    to `wrap`, it goes on at its other side."""
    for axis, wraps in zip((2, 3), wrap, strict=True):
        if wraps and size[axis - 2] > x.shape[axis]:
            x = _turn_enlarged(x, axis, size[axis - 2])
    if tuple(x.shape[2:]) == size:
        return x
    shrinks = size[0] < x.shape[2] or size[1] < x.shape[3]
    return F.interpolate(x.float(), size=size, mode="bicubic", antialias=shrinks)


def _turn_enlarged(x: torch.Tensor, axis: int, after: int) -> torch.Tensor:
    """One axis of a tile, (N, C, H, W), enlarged to `after` pixels: bicubic with a = -.75, as torch has it."""
    before = x.shape[axis]
    centre = (torch.arange(after, device=x.device) + 0.5) * (before / after) - 0.5
    total, shape = torch.zeros((), device=x.device), [-1 if i == axis else 1 for i in range(4)]
    for tap in range(-1, 3):
        place = centre.floor() + tap
        d = (centre - place).abs()
        near, far = 1.25 * d**3 - 2.25 * d**2 + 1, -0.75 * d**3 + 3.75 * d**2 - 6 * d + 3
        weight = torch.where(d <= 1, near, far).view(shape)
        total = total + weight * x.index_select(axis, place.long() % before)
    return total
