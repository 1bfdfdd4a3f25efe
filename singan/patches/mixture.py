"""Several pictures in one: where each of them is to stand in a sample, and how they meet there.

The sample is cut into as many pieces as there are pictures, side by side in a random direction and order, each with
just its share; seams waver. At the coarsest scale every region starts as its picture does when it is alone, displaced
by itself; the patches of all then vote at the seams, and within a region those of its picture alone. In the end the
light is evened out across these, and where it is smooth on both sides, as in skies, one goes over into the other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from singan.patches.light import calm, light_of, mean, solved
from singan.patches.search import PATCH, Patches
from singan.patches.vote import STRIDE, Field, positions, sources
from singan.pyramid import resize
from singan.warp import displace, reflected, spread

REGION, WAVERING = 0.65, 0.25  # of the short side: the length of the waves of a seam; of half the width: their height
LEVEL = 2  # a step down or up counts as so many sideways: seams stand rather than lie
SOFT = 7  # pixels at scale 0, an odd number, within which a picture goes over into the next before the first vote
HOLD = 1.0  # what is added to the distance from a patch of another picture; distances are about 0.01 to 0.3
NEAR = 3  # pixels, an odd number: the middle of a patch, which says of which region it is; wider, small ones shrink
SMALL = 250  # pixels: the longest side at which light is evened out
LIGHT, FADE = 1.2, 80.0  # as in `light`: a larger step from a picture to the next stays; pixels until it has faded
WIDE = 6.0  # pixels of SMALL over which smooth pictures go over into one another
LITTLE = 0.1  # a weight that is not seen
DEEP = 5  # pixels from a seam, where a picture's own sources are nearest to what it was
BESIDE = 4  # pixels on either side of a seam whose colours are compared


def alike(size: tuple[int, int], first: tuple[int, int], level: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a picture of `size` where the first one, of size `first`, is as large as `level`: shrunk by
    the same factor, so that what is as large in both stays so."""
    factor = math.sqrt(math.prod(level) / math.prod(first))
    return max(PATCH, round(factor * size[0])), max(PATCH, round(factor * size[1]))


def regions(n: int, size: tuple[int, int], shares: Sequence[float], rng: torch.Generator) -> torch.Tensor:
    """Which picture stands where in `n` images of `size`: (n, 1, *size), each number in its share of the pixels.

    What is cut is a slope in a random direction, a little uneven: one piece of each picture, since many pieces are
    slivers, whose seams are everywhere.
    """
    cell = max(1, round(REGION * min(size)))
    coarse = torch.randn(n, 1, *(-(-side // cell) + 1 for side in size), generator=rng)
    uneven = F.interpolate(coarse, size=size, mode="bicubic", align_corners=True)
    turn = 2 * math.pi * torch.rand(n, 1, 1, 1, generator=rng)
    down, across = (torch.linspace(-1, 1, side) for side in size)
    smooth = WAVERING * uneven + turn.sin() / LEVEL * down[:, None] + turn.cos() * across
    rank = smooth.flatten(1).argsort(dim=1, stable=True).argsort(1)  # of each pixel among all
    order = torch.randperm(len(shares), generator=rng)
    edges = torch.tensor(shares)[order].cumsum(0)[:-1] * math.prod(size)
    return order[torch.bucketize(rank.float(), edges, right=True)].view(n, 1, *size)


def mixed(
    first: torch.Tensor, others: Sequence[torch.Tensor], where: torch.Tensor, moved: float, rng: torch.Generator
) -> torch.Tensor:
    """What scale 0 votes on, (N, 3, H, W): `first`, of that shape, and the `others`, (1, 3, any, any), each in its
    regions, `where` as `regions` gives it, with its content displaced by `moved` (`warp.displace`)."""
    n, size = len(first), (first.shape[2], first.shape[3])
    total = mean((where == 0).float(), SOFT) * first
    for k, other in enumerate(others, 1):
        noise = moved * torch.randn(n, 2, *size, generator=rng).to(first.device)
        total += mean((where == k).float(), SOFT) * displace(spread(other, size).expand(n, -1, -1, -1), noise)
    return total


def costs(where: torch.Tensor, count: int) -> torch.Tensor:
    """What each voter pays for a patch of each of so many pictures where `where`, (N, 1, H, W), says which one stands:
    HOLD times what there is of the others in the middle of its patch, less that of the cheapest: (N, voters, count)."""
    rows, columns = (positions(side, where.device) + PATCH // 2 for side in where.shape[2:])
    own = torch.cat([mean((where == k).float(), NEAR) for k in range(count)], 1)[:, :, rows][..., columns]
    return HOLD * (own.amax(1, keepdim=True) - own).flatten(2).mT


def panorama(images: Sequence[torch.Tensor], shares: Sequence[float]) -> torch.Tensor:
    """Images (1, 3, any, any) beside one another, as high as the first, each as wide as its share says: what mixtures
    of them are composed of, (1, 3, height, any)."""
    height, whole = images[0].shape[2], len(images) * images[0].shape[3]
    parts = [
        resize(image, (height, max(PATCH, round(share * whole)))) for image, share in zip(images, shares, strict=True)
    ]
    return torch.cat(parts, 3)


def shown(field: Field) -> torch.Tensor:
    """Which picture each pixel is of, by the voter in whose middle it is: (N, *field.size)."""
    rows, columns = (
        ((torch.arange(side, device=field.y.device) - PATCH // 2) / STRIDE).round().long().clamp(0, many - 1)
        for side, many in zip(field.size, field.shape, strict=True)
    )
    return (field.y // field.source[0])[:, rows][..., columns]


def evened(x: torch.Tensor, field: Field, patches: Patches) -> torch.Tensor:
    """`x`, (1, 3, H, W), voted from `field`, with the light evened out where its pictures meet.

    The mean colours on either side of a seam are brought together, and the difference fades into both pictures. That is
    smooth within each, and computed on a small image. Where both are smooth, as skies are, one goes over into the other
    by and by: each goes on beyond its seam with what is beside it in the photograph.
    """
    where, size = shown(field)[:, None], (x.shape[2], x.shape[3])  # (1, 1, H, W)
    small = min(1.0, SMALL / max(size))
    at = max(1, round(small * size[0])), max(1, round(small * size[1]))
    coarse, little = F.interpolate(where.float(), at).long(), resize(x, at)  # the nearest
    lighter, count = _lighter(little, coarse, len(field.pictures)), len(field.pictures)
    beside = {k: _nearest(coarse[0, 0] == k) for k in range(count) if (coarse == k).any()}
    within = {k: -F.max_pool2d(-(coarse == k).float(), 2 * DEEP + 1, 1, DEEP)[0, 0] > 0 for k in beside}
    on = {k: _beyond(_nearest(one) if one.any() else beside[k], k, field, patches) for k, one in within.items()}
    away = torch.stack([_away(near) for near in beside.values()], 1)
    weights = torch.softmax(-away / (WIDE * max(at) / SMALL), 1)
    smooth = torch.cat([calm(resize(image, at)) for image in on.values()], 1)
    soft = torch.maximum(smooth, 1 - weights / LITTLE).amin(1, keepdim=True)
    weights, soft = (F.interpolate(one, size, mode="bilinear") for one in (weights, soft))
    total = torch.zeros_like(x)
    for weight, (k, near) in zip(weights[0], beside.items(), strict=True):
        own = mean(lighter[0].flatten(1)[:, near.flatten()].view_as(lighter), PATCH)
        own = F.interpolate(own, size, mode="bilinear")
        narrow = mean((where == k).float(), PATCH)  # as soft as a vote
        total += (1 - soft) * narrow * own + soft * weight * (on[k] - x + own)
    return (x + total).clamp(-1, 1)


def _nearest(mask: torch.Tensor) -> torch.Tensor:
    """The number of the pixel that is nearest to each one, of those in `mask`, (H, W), bool: (H, W)."""
    height, width = mask.shape
    row, column = (torch.arange(side, device=mask.device) for side in (height, width))
    away = (column[:, None] - column).abs() + (~mask[:, None]) * (2 * (height + width))  # (H, W, W)
    least, left = away.min(2)
    top = ((LEVEL * (row[:, None] - row))[..., None].square() + least.square()).argmin(1)  # (H, W)
    return top * width + left.gather(0, top)


def _away(near: torch.Tensor) -> torch.Tensor:
    """How far it is from each pixel to that of the number in `near`, (H, W): (1, H, W)."""
    row, column = (torch.arange(side, device=near.device) for side in near.shape)
    down, across = near // near.shape[1] - row[:, None], near % near.shape[1] - column
    return (down.square() + across.square()).float().sqrt()[None]


def _beyond(beside: torch.Tensor, k: int, field: Field, patches: Patches) -> torch.Tensor:
    """Picture `k` all over an image of the field's size: what stands in the photograph as far from the source of the
    nearest pixel of that picture, `beside`, (h, w) of numbers, as it does here: (1, 3, H, W)."""
    (height, width), source, (h, w) = field.size, sources(field)[0], beside.shape
    down, across = (torch.arange(side, device=source.device) for side in field.size)
    i, j = (down * h // height)[:, None], (across * w // width)[None]
    there = beside[i, j]  # (H, W)
    y, x = ((2 * (there // w) + 1) * height // (2 * h)), ((2 * (there % w) + 1) * width // (2 * w))
    row, column = (source[y, x] + torch.stack([down[:, None] - y, across - x], 2)).unbind(2)
    row = reflected(row - k * field.source[0], field.pictures[k][0]) + k * field.source[0]
    return patches.image[:, :, row, reflected(column, field.pictures[k][1])]


def _lighter(x: torch.Tensor, where: torch.Tensor, count: int) -> torch.Tensor:
    """What is to be added to `x`, (1, 3, H, W), of picture `where`, (1, 1, H, W), of so many, for no step in light from
    one to another."""
    own = torch.zeros_like(x)  # the mean colour around each pixel, of its own picture
    for k in range(count):
        mask = (where == k).float()
        own += mask * mean(mask * x, 2 * BESIDE + 1) / mean(mask, 2 * BESIDE + 1).clamp_min(1e-3)
    right = torch.zeros_like(x)  # of Poisson's equation
    for low, high in (
        ((..., slice(None, -1), slice(None)), (..., slice(1, None), slice(None))),
        ((..., slice(None, -1)), (..., slice(1, None))),
    ):
        jump = (where[low] != where[high]) * light_of(own[high] - own[low], LIGHT)
        right[low] += jump
        right[high] -= jump
    lighter = solved(right, torch.ones_like(x[:, :1]), FADE)
    return lighter - lighter.mean((2, 3), keepdim=True)  # what is added on one side is taken from the other
