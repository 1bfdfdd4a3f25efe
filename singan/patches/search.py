"""The patches of the training image at one scale, and which of them are nearest to others.

A 7x7 patch is 147 numbers, of which a photograph uses some two dozen directions. Patches are compared on these
(`basis`), so that one convolution projects an image, and a comparison costs a sixth. Two more coordinates hold a
patch's place in its image. With a place prior g, a displacement by the whole height adds g^2 to the mean squared
difference of values in [-1, 1], and one by the whole width SIDEWAYS^2 of that: parts of a picture belong at a height,
sky above and floor below, and may move sideways.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F

PATCH = 7
DIRECTIONS = 24  # they hold some 98 % of the variance of a photograph's patches
SIDEWAYS = 0.3
REUSE = 0.003  # lower: more weight on showing all of the training image
BASIS_PATCHES = 20_000  # of the image, from which the directions are found
TILES = (1, 8, 16, 32, 64, 128)  # patches down or across that are projected at once
RUN = 64  # numbers of which the least one is found at once
CHUNK = 4_000_000  # distances held in memory at once, 16 MB: more take no less time, and leave holes in the heap


def basis(image: torch.Tensor, directions: int = DIRECTIONS) -> torch.Tensor:
    """The principal directions of the patches of `image`, (1, 3, H, W), as filters (directions, 3, 7, 7).

    Scaled so that squared distances of projected patches are mean squared differences of patches; all 147
    directions lose nothing.
    """
    windows = image[0].float().cpu().unfold(1, PATCH, 1).unfold(2, PATCH, 1).permute(0, 3, 4, 1, 2)  # (3, 7, 7, H, W)
    rows, columns = windows.shape[3:]
    at = torch.arange(0, rows * columns, max(1, rows * columns // BASIS_PATCHES))
    patches = windows[..., at // columns, at % columns].reshape(3 * PATCH**2, -1).T.double()  # (patches, 147)
    centred = patches - patches.mean(0)
    vectors = torch.linalg.eigh(centred.T @ centred).eigenvectors.T.flip(0)[:directions]  # the largest first
    return (vectors / math.sqrt(len(vectors.T))).float().reshape(-1, 3, PATCH, PATCH).to(image.device)


def project(
    image: torch.Tensor, filters: torch.Tensor, stride: int = 1, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """The patches of `image`, (N, 3, H, W), on the directions of `filters`, every `stride`-th: (N, rows, columns,
    directions), of `dtype`, or else the image's.

    In tiles of few shapes: for every new shape of a convolution the library keeps a compiled kernel, and images come
    in hundreds of sizes.
    """
    counts = [(side - PATCH) // stride + 1 for side in image.shape[2:]]  # rows and columns
    high, wide = tile = [next((side for side in TILES if count <= side), TILES[-1]) for count in counts]
    rows, columns = whole = [-(-count // side) * side for count, side in zip(counts, tile, strict=True)]
    span, needed = ([stride * (side - 1) + PATCH for side in sides] for sides in (tile, whole))  # pixels
    missing = [max(0, most - side) for most, side in zip(needed, image.shape[2:], strict=True)]
    padded = F.pad(image, (0, missing[1], 0, missing[0])).contiguous(memory_format=torch.channels_last)
    filters = filters.contiguous(memory_format=torch.channels_last)
    features = image.new_empty(len(image), *counts, len(filters), dtype=dtype)
    for top in range(0, rows, high):
        for left in range(0, columns, wide):
            y, x = stride * top, stride * left
            part = F.conv2d(padded[:, :, y : y + span[0], x : x + span[1]], filters, stride=stride)
            into = features[:, top : top + high, left : left + wide]
            into.copy_(part[:, :, : into.shape[1], : into.shape[2]].movedim(1, 3))
    return features


class Patches:
    """All patches of an image (1, 3, h, w), projected on `filters`; `dtype` is what the projections are kept in."""

    pictures: tuple[tuple[int, int], ...] = ()  # their sizes, where there are several (`atlas.Atlas`)

    def __init__(self, image: torch.Tensor, filters: torch.Tensor, dtype: torch.dtype = torch.float32) -> None:
        self.image, self.filters, self.images = image, filters, [image]
        self.size: tuple[int, int] = (image.shape[2], image.shape[3])
        self.shape = self.size[0] - PATCH + 1, self.size[1] - PATCH + 1  # rows and columns of patches
        self.keys = project(image, filters, dtype=dtype).flatten(0, 2)  # (rows * columns, directions)
        self._prepared: dict[float, Keys] = {}

    @property
    def nbytes(self) -> int:
        return self.image.nbytes + self.keys.nbytes + sum(one.values.nbytes for one in self._prepared.values())

    def placed(self, g: float) -> Keys:
        """The projected patches, with the coordinates of their place: (n, directions + 2)."""
        if g not in self._prepared:
            rows, columns = (torch.arange(side, device=self.keys.device) for side in self.shape)
            keys = torch.cat([self.keys.float(), place(rows, columns, self.size, g)], 1)
            self._prepared[g] = prepare(keys)
        return self._prepared[g]

    def numbers(self, found: torch.Tensor) -> torch.Tensor:
        """The numbers among `keys` of those that are `found` by their numbers among `placed`."""
        return found

    def within(self, y: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """How far down and across their picture patches at rows `y` and columns `x` are, as shares of its sides."""
        return y / self.size[0], x / self.size[1]


def place(rows: torch.Tensor, columns: torch.Tensor, size: tuple[int, int], g: float) -> torch.Tensor:
    """The coordinates of the places of patches in an image of `size`: (rows * columns, 2)."""
    y, x = torch.meshgrid(g / size[0] * rows, SIDEWAYS * g / size[1] * columns, indexing="ij")
    return torch.stack([y.flatten(), x.flatten()], 1)


def belonging(rows: torch.Tensor, side: int, heights: torch.Tensor | None, patches: Patches) -> torch.Tensor:
    """Where patches at those rows of an image of `side` rows would be if it were in proportion to the training image:
    there, or by `heights`, (any,), which say how far down that what is in the image is, from its first row to its last,
    as shares. A patch belongs where its middle does, or as near to that as there is one."""
    if heights is None:
        return rows
    share, own = between(heights, (rows + PATCH / 2) * (len(heights) / side) - 0.5), patches.size[0]
    return side * (share - PATCH / 2 / own).clamp(0, 1 - PATCH / own)


def between(x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
    """`x`, (..., length), `at` places along it, any shape, linear between them: (..., *at.shape)."""
    last = x.shape[-1] - 1
    at = at.clamp(0, last)
    low = at.long()
    return x[..., low].lerp_(x[..., (low + 1).clamp(max=last)], at - low)


class Keys(NamedTuple):
    """What many queries are compared with: m of d numbers each. Where there are several pictures, queries may have so
    many more: what is added to the distance from a key of each picture."""

    centre: torch.Tensor  # (d,)
    values: torch.Tensor  # less the centre, which loses less in products; then their squares' sums and 1: (d + 2, m)
    picture: torch.Tensor | None = None  # that each is of, (m,)

    @property
    def many(self) -> int:
        return self.values.shape[1]


def prepare(keys: torch.Tensor) -> Keys:
    centre = keys.mean(0)
    values = keys - centre
    squares = values.square().sum(1, keepdim=True)
    return Keys(centre, torch.cat([values, squares, torch.ones_like(squares)], 1).T.contiguous())


def nearest(queries: torch.Tensor, keys: Keys, reuse: float) -> torch.Tensor:
    """(N, n, d), (m, d) -> (N, n): the key with the least distance to each query, weighted by reuse.

    A distance is divided by that of the key to the nearest of the n queries, plus `reuse`; infinity: it is not.
    """
    count, each, _ = queries.shape
    if count > 1 and count * each * keys.many > CHUNK:
        some = max(1, CHUNK // (each * keys.many))
        return torch.cat([nearest(part, keys, reuse) for part in queries.split(some)])
    measure, parts = _measure(queries, keys)

    def chosen(matrix: torch.Tensor) -> torch.Tensor:
        return least(matrix.flatten(0, 1)).view(count, -1)

    if reuse == math.inf:
        return torch.cat([chosen(measure(part)) for part in parts], 1)

    def weight(closest: torch.Tensor) -> torch.Tensor:
        return 1 / (closest.clamp_min(0) + reuse)

    if len(parts) == 1:
        matrix = measure(parts[0])
        return chosen(matrix.mul_(weight(matrix.amin(1, keepdim=True))))
    weights = weight(torch.stack([measure(part).amin(1, keepdim=True) for part in parts]).amin(0))
    return torch.cat([chosen(measure(part).mul_(weights)) for part in parts], 1)


def least(matrix: torch.Tensor) -> torch.Tensor:
    """(n, m) -> (n,): where in each row the first of its least numbers is.

    `argmin` takes three times as long on some processors: the minima of runs are taken many numbers at once, and only
    in the run that has the least one is its place looked for.
    """
    if matrix.device.type != "cpu":
        return matrix.argmin(1)
    rows, length = matrix.shape
    run = min(RUN, length)
    whole, end = matrix.split([length - length % run, length % run], 1)
    minima = whole.unflatten(1, (-1, run)).amin(2)
    if end.numel():
        minima = torch.cat([minima, end.amin(1, keepdim=True)], 1)
    first = (run * minima.argmin(1)).clamp_(max=length - run)
    starts = torch.arange(0, rows * length, length, device=matrix.device) + first
    return first + matrix.flatten().unfold(0, run, 1).index_select(0, starts).argmin(1)


def distances_to(
    real: torch.Tensor, x: torch.Tensor, region: torch.Tensor | None = None, at_most: int | None = None
) -> torch.Tensor:
    """Mean squared difference of each patch of `x`, (1, 3, H, W), to its nearest one of `real`, (1, 3, h, w): (n,).

    With a `region`, (1, 1, H, W), of the patches that touch what is over 0; of `at_most` so many of them, evenly
    spread. No patch: one distance of 0.
    """
    if min(*x.shape[2:], *real.shape[2:]) < PATCH:
        return torch.zeros(1, device=x.device)
    queries, keys = (F.unfold(image.float(), PATCH)[0].T / PATCH / math.sqrt(3) for image in (x, real))
    if region is not None:
        queries = queries[F.max_pool2d(region.float(), PATCH, 1).flatten() > 0]
    if at_most is not None and len(queries) > at_most:
        queries = queries[torch.linspace(0, len(queries) - 1, at_most).long()]
    return distances(queries[None], prepare(keys))[0] if len(queries) else queries.new_zeros(1)


def distances(queries: torch.Tensor, keys: Keys) -> torch.Tensor:
    """(N, n, d), (m, d) -> (N, n): the squared distance of each query to the key that is nearest to it."""
    measure, parts = _measure(queries, keys)
    return torch.cat([measure(part).amin(2) for part in parts], 1).clamp_min_(0)


def _measure(
    queries: torch.Tensor, keys: Keys
) -> tuple[Callable[[torch.Tensor], torch.Tensor], tuple[torch.Tensor, ...]]:
    """A function from some queries of (N, n, d) to their squared distances to all keys, (N, some, m), which rounding
    leaves a little under 0 where they are alike, and the parts of the queries to give it one by one, so that CHUNK
    holds. Those of one image are the same to the last bit however many there are."""

    directions = len(keys.centre)

    def measure(part: torch.Tensor) -> torch.Tensor:
        part, added = part[..., :directions] - keys.centre, part[..., directions:]
        squares = part.square().sum(2, keepdim=True)
        part = torch.cat([-2 * part, torch.ones_like(squares), squares], 2)  # times all that is to be added
        matrix = part.bmm(keys.values.expand(len(part), -1, -1))
        return matrix.add_(added[..., keys.picture]) if added.shape[2] else matrix

    return measure, queries.split(max(1, CHUNK // (len(queries) * keys.many)), 1)
