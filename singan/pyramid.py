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
DOWN, ACROSS = 0.04, 0.4  # how far content moves where displacement is 1, of the height and of the width
SMOOTH = 4  # pixels that move together, about
OTHER = 1.3  # what is to be so much wider, narrower or taller is not stretched evenly
END = 5  # pixels of two ends that are compared, to see where an image goes on at its other side
SHORTEST, SHORTER = 0.65, 0.05  # what stays of it at least, and the squared difference that all of it would be worth
FADED = 0.25  # of the width: within it a step from side to side fades
NARROW, WIDE = 0.7, 2.0  # steps from column to column, over those of the image as it is, where nothing is seen of it
GIVES, STIFF = 0.5, 3  # how much of that columns give in which the usual amount changes, and the power of the others
HELD = 3  # times that the steps are held to what the columns at which they have arrived give


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


def spread(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """`x`, (N, C, H, W), resized; where it would be OTHER times as wide or more for its height, it goes on to both
    sides as its mirror image instead: what is there comes twice, and is not stretched."""
    width = max(1, round(x.shape[3] * size[0] / x.shape[2]))
    if size[1] < OTHER * width:
        return resize(x, size)
    return resize(x, (size[0], width))[..., mirrored((size[1] - width) // 2, width, size[1]).to(x.device)]


def mirrored(before: int, side: int, whole: int) -> torch.Tensor:
    """Which of the pixels 0 to `side` - 1 stand at 0 to `whole` - 1, if the first is at `before` and what is beyond
    them is their mirror image: (whole,)."""
    return reflected(torch.arange(whole) - before, side)


def reflected(at: torch.Tensor, side: int) -> torch.Tensor:
    """Places along a side of so many pixels that goes on beyond both its ends as its mirror image."""
    at = at % (2 * side)
    return torch.where(at < side, at, 2 * side - 1 - at)


def closed(x: torch.Tensor, wrap: Wrap) -> torch.Tensor:
    """Images, (N, C, H, W), as tiles: of a side that is to `wrap` the part that goes on best at its other end,
    stretched to the whole. Sideways, what is left of the step between the ends is spread; one from floor to sky stays.
    """
    for axis in (2, 3):
        if wrap[axis - 2] and x.shape[axis] > 3 * END:
            x = torch.cat([_cut(one, axis) for one in x.split(1)])
    if not wrap[1] or x.shape[3] <= 3 * END:
        return x
    at, reach = torch.arange(x.shape[3], device=x.device) + 0.5, FADED * x.shape[3]
    share = torch.exp(-at / reach) - torch.exp((at - x.shape[3]) / reach)
    return x + share / 2 * (x[..., -2:].mean(3, keepdim=True) - x[..., :2].mean(3, keepdim=True))


def _cut(x: torch.Tensor, axis: int) -> torch.Tensor:
    """One image, cut along that axis where what is around both cuts is most alike, and stretched to its size."""
    ends = x[0].movedim(axis - 1, -1).flatten(0, 1).unfold(1, END, 1).movedim(1, 0).flatten(1)  # (places, values)
    away = torch.cdist(ends, ends).square() / ends.shape[1]
    place = torch.arange(len(ends), device=x.device)
    length = place - place[:, None]
    away = away - SHORTER * length / x.shape[axis]
    first, last = divmod(int(away.masked_fill(length < SHORTEST * x.shape[axis], math.inf).argmin()), len(ends))
    return resize(x.narrow(axis, first + END // 2, last - first), (x.shape[2], x.shape[3]))


def displace(x: torch.Tensor, noise: torch.Tensor, wrap: Wrap = FLAT) -> torch.Tensor:
    """`x`, (N, C, H, W), with its content moved, smoothly and at random.

    `noise`: (N, 2, H, W), down and across; of standard deviation 1 it moves content by DOWN of the height and ACROSS
    of the width, in standard deviation. Objects are moved and left out. Sideways, a column moves as one: else the foot
    of a thing goes one way and its top another, and reflections leave what they mirror; and rows and columns keep their
    order, and are at most 1 / NARROW times as wide, or WIDE times as narrow: what is stretched more is smeared, and
    what is turned round has its other half missing. The more changes from column to column, the less they are
    stretched: sky is, what stands in it is not (as in Wang et al., SIGGRAPH Asia 2008). Where the image is to `wrap`,
    content that leaves it at one side comes in at the other.
    """
    height, width = x.shape[2:]
    if min(height, width) < 2:  # there is nowhere to go
        return x
    noise = noise[:, :, :height, :width]  # there may be some beyond the border
    down, across = _smooth(noise[:, :1], (SMOOTH, SMOOTH)), _smooth(noise[:, 1:], (height, SMOOTH))[:, :1]
    whole = x.new_ones(len(x), 1)  # rows give all that there is to give
    if wrap[0]:
        rows, x = _turned(height * DOWN * down.mT, whole).mT, torch.cat([x, x[:, :, :1]], 2)
    else:
        places = torch.linspace(-1, 1, height, device=x.device)[:, None] + 2 * DOWN * down
        rows = _in_order(places.mT, whole).mT
    if wrap[1]:
        x = torch.cat([x, x[..., :1]], 3)
        columns = _turned(width * ACROSS * across, _give(x))
    else:
        columns = _in_order(_within(torch.linspace(-1, 1, width, device=x.device), 2 * ACROSS * across), _give(x))
    grid = torch.stack([columns.expand_as(rows), rows], 3)  # (N, H, W, 2), as grid_sample wants it
    return F.grid_sample(x, grid, padding_mode="reflection", align_corners=True)


def _give(x: torch.Tensor) -> torch.Tensor:
    """How much of the stretching that NARROW and WIDE allow there is to be between the columns of `x`, (N, C, H, W):
    (N, W - 1), from 0 to 1, less where more changes from each to the next."""
    changes = x.diff(dim=3).abs().mean((1, 2))
    around = F.avg_pool1d(F.pad(changes[:, None], (1, 1), mode="replicate"), 3, 1)[:, 0]
    return (GIVES * (around.mean(1, keepdim=True) / around.clamp_min(1e-6)) ** STIFF).clamp(max=1)


def _held(steps: torch.Tensor, places: torch.Tensor, give: torch.Tensor) -> torch.Tensor:
    """Steps along the last dimension, 1 where nothing moves, kept from NARROW to WIDE, and the nearer to 1 the less
    there is to `give`, (N, any), where they are: at `places` from -1 to 1, the whole way."""
    at = ((places + 1) / 2 * give.shape[1]).long().clamp(0, give.shape[1] - 1)
    share = give[:, None].expand(-1, at.shape[1], -1).gather(2, at)
    return steps.clamp(1 - (1 - NARROW) * share, 1 + (WIDE - 1) * share)


def _within(place: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
    """`place` + `step`, but the step shortened so that it stays within -1 and 1: beyond the border the image would be
    mirrored, and half a mountain stand beside its own half."""
    room = 1 - place * step.sign()
    return place + step * room / (room + step.abs()).clamp_min(1e-6)


def _in_order(places: torch.Tensor, give: torch.Tensor) -> torch.Tensor:
    """Places along the last dimension, from -1 to 1, (N, any, length), with the steps between them `_held` to those of
    an image that does not move. Their mean stays, where that does not lead beyond the border."""
    even, held = 2 / (places.shape[-1] - 1), places
    for _ in range(HELD):
        steps = even * _held(places.diff(dim=-1) / even, (held[..., 1:] + held[..., :-1]) / 2, give)
        moved = F.pad(steps.cumsum(-1), (1, 0))
        moved = moved + (places - moved).mean(-1, keepdim=True)
        over = (moved[..., -1:] - 1).clamp(min=0) + (moved[..., :1] + 1).clamp(max=0)
        held = (moved - over).clamp(-1, 1)
    return held


def _turned(moved: torch.Tensor, give: torch.Tensor) -> torch.Tensor:
    """Places along the last dimension, a circle, of what is `moved` by so many pixels, (N, any, length), with the steps
    between them about `_held` to one pixel: from -1, pixel 0, to 1, where that comes again."""
    side = moved.shape[-1]
    free, own = 1 + moved.roll(-1, -1) - moved, torch.arange(side, device=moved.device)
    places = own + moved
    for _ in range(HELD):
        steps = _held(free, 2 / side * (places % side) - 1, give)
        steps = steps * (side / steps.sum(-1, keepdim=True))
        places = steps.cumsum(-1) - steps
        places = places + (moved + own - places).mean(-1, keepdim=True)
    return 2 / side * (places % side) - 1


def _smooth(noise: torch.Tensor, pixels: tuple[int, int]) -> torch.Tensor:
    """`noise`, (N, 1, H, W), smoothed over so many pixels down and across, of the same deviation: (N, H, W)."""
    size = [min(one, side) for one, side in zip(pixels, noise.shape[2:], strict=True)]
    coarse = F.avg_pool2d(noise, size, ceil_mode=True, count_include_pad=False) * math.sqrt(math.prod(size))
    return F.interpolate(coarse, size=noise.shape[2:], mode="bicubic")[:, 0]


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
