"""How the content of an image is moved before patches vote: displaced, mirrored beyond its border, closed to a tile."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from singan.patches.vote import FLAT, Wrap
from singan.pyramid import OTHER, resize

DOWN, ACROSS = 0.04, 0.4  # how far content moves where displacement is 1, of the height and of the width
SMOOTH = 4  # pixels that move together, about
END = 5  # pixels of two ends that are compared, to see where an image goes on at its other side
SHORTEST, SHORTER = 0.65, 0.05  # what stays of it at least, and the squared difference that all of it would be worth
FADED = 0.25  # of the width: within it a step from side to side fades
NARROW, WIDE = 0.7, 2.0  # steps from column to column, over those of the image as it is, where nothing is seen of it
GIVES, STIFF = 0.5, 3  # how much of that columns give in which the usual amount changes, and the power of the others
HELD = 3  # times that the steps are held to what the columns at which they have arrived give


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
