"""Several pictures in one: where each of them is to stand in a sample, and how they meet there.

A smooth random image is cut into as many levels as there are pictures, so that each covers just its share. At the
coarsest scale every region starts as its picture does when it is alone, displaced by itself; the patches of all then
vote at the seams, and within a region those of its picture alone. In the end the light is evened out across these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from singan.patches.light import light_of, solved
from singan.patches.search import PATCH
from singan.patches.vote import STRIDE, Field, positions
from singan.pyramid import displace, resize, spread

REGION = 0.65  # of the short side: how far apart the middles of regions are, about
SOFT = 7  # pixels at scale 0, an odd number, within which a picture goes over into the next before the first vote
HOLD = 1.0  # what is added to the distance from a patch of another picture; distances are about 0.01 to 0.3
NEAR = 3  # pixels, an odd number: the middle of a patch, which says of which region it is; wider, small ones shrink
SMALL = 250  # pixels: the longest side at which light is evened out
LIGHT, FADE = 1.2, 80.0  # as in `light`: a larger step from a picture to the next stays; pixels until it has faded
BESIDE = 4  # pixels on either side of a seam whose colours are compared


def alike(size: tuple[int, int], first: tuple[int, int], level: tuple[int, int]) -> tuple[int, int]:
    """(height, width) of a picture of `size` where the first one, of size `first`, is as large as `level`: shrunk by
    the same factor, so that what is as large in both stays so."""
    factor = math.sqrt(math.prod(level) / math.prod(first))
    return max(PATCH, round(factor * size[0])), max(PATCH, round(factor * size[1]))


def regions(n: int, size: tuple[int, int], shares: Sequence[float], rng: torch.Generator) -> torch.Tensor:
    """Which picture stands where in `n` images of `size`: (n, 1, *size), each number in its share of the pixels."""
    cell = max(1, round(REGION * min(size)))
    coarse = torch.randn(n, 1, *(-(-side // cell) + 1 for side in size), generator=rng)
    smooth = F.interpolate(coarse, size=size, mode="bicubic", align_corners=True)
    rank = smooth.flatten(1).argsort(dim=1, stable=True).argsort(1)  # of each pixel among all
    edges = torch.tensor(shares).cumsum(0)[:-1] * math.prod(size)
    return torch.bucketize(rank.float(), edges, right=True).view(n, 1, *size)


def mixed(
    first: torch.Tensor, others: Sequence[torch.Tensor], where: torch.Tensor, moved: float, rng: torch.Generator
) -> torch.Tensor:
    """What scale 0 votes on, (N, 3, H, W): `first`, of that shape, and the `others`, (1, 3, any, any), each in its
    regions, `where` as `regions` gives it, with its content displaced by `moved` (`pyramid.displace`)."""
    n, size = len(first), (first.shape[2], first.shape[3])
    total = _mean((where == 0).float(), SOFT) * first
    for k, other in enumerate(others, 1):
        noise = moved * torch.randn(n, 2, *size, generator=rng).to(first.device)
        total += _mean((where == k).float(), SOFT) * displace(spread(other, size).expand(n, -1, -1, -1), noise)
    return total


def costs(where: torch.Tensor, count: int) -> torch.Tensor:
    """What each voter pays for a patch of each of so many pictures where `where`, (N, 1, H, W), says which one stands:
    HOLD times what there is of the others in the middle of its patch, less that of the cheapest: (N, voters, count)."""
    rows, columns = (positions(side, where.device) + PATCH // 2 for side in where.shape[2:])
    own = torch.cat([_mean((where == k).float(), NEAR) for k in range(count)], 1)[:, :, rows][..., columns]
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


def evened(x: torch.Tensor, field: Field) -> torch.Tensor:
    """`x`, (1, 3, H, W), voted from `field`, with the light evened out where its pictures meet.

    The mean colours on either side of a seam are brought together, and the difference fades into both pictures. That is
    smooth within each, and computed on a small image.
    """
    where, size = shown(field)[:, None], (x.shape[2], x.shape[3])  # (1, 1, H, W)
    small = min(1.0, SMALL / max(size))
    at = max(1, round(small * size[0])), max(1, round(small * size[1]))
    masks = [(where == k).float() for k in range(len(field.pictures))]
    coarse = F.interpolate(where.float(), at).long()  # the nearest
    lighter = _lighter(resize(x, at), coarse, len(masks))
    for k, mask in enumerate(masks):
        one = (coarse == k).float()
        own = _mean(lighter * one, PATCH) / _mean(one, PATCH).clamp_min(1e-3)  # goes on a little beyond its seams
        x = x + _mean(mask, PATCH) * F.interpolate(own, size, mode="bilinear")  # as soft as a vote
    return x.clamp(-1, 1)


def _lighter(x: torch.Tensor, where: torch.Tensor, count: int) -> torch.Tensor:
    """What is to be added to `x`, (1, 3, H, W), of picture `where`, (1, 1, H, W), of so many, for no step in light from
    one to another."""
    own = torch.zeros_like(x)  # the mean colour around each pixel, of its own picture
    for k in range(count):
        mask = (where == k).float()
        own += mask * _mean(mask * x, 2 * BESIDE + 1) / _mean(mask, 2 * BESIDE + 1).clamp_min(1e-3)
    right = torch.zeros_like(x)  # of Poisson's equation
    for low, high in (
        ((..., slice(None, -1), slice(None)), (..., slice(1, None), slice(None))),
        ((..., slice(None, -1)), (..., slice(1, None))),
    ):
        jump = (where[low] != where[high]) * light_of(own[high] - own[low], LIGHT)
        right[low] += jump
        right[high] -= jump
    return solved(right, torch.ones_like(x[:, :1]), FADE)


def _mean(x: torch.Tensor, side: int) -> torch.Tensor:
    """Of the pixels around each pixel of (N, C, H, W), in a square of `side`, an odd number."""
    down = F.avg_pool2d(x, (side, 1), 1, (side // 2, 0), count_include_pad=False)
    return F.avg_pool2d(down, (1, side), 1, (0, side // 2), count_include_pad=False)
