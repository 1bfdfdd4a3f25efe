"""A field of sources, and the image that it makes: each patch votes for the pixels of its source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from singan.patches.search import PATCH, Patches

STRIDE = 2  # pixels between the patches that vote; at 1 no better, at four times the cost
PIECE = 64  # voters down or across whose votes are added at once
Wrap = tuple[bool, bool]  # whether what is beyond the border is what stands at the other side: down, across
FLAT: Wrap = (False, False)
SIGMA = 2.0  # pixels: a vote counts most at the centre of its patch, which keeps edges sharp


@dataclass(frozen=True)
class Field:
    """For each patch that votes, the place of its source in the training image.

    Voters stand on every STRIDE-th row and column of N images of `size`, and on the last. `y` and `x`, (N, voters
    down, voters across), are top left corners of patches in a training image of size `source`. Where it is to `wrap`,
    down or across, the images are tiles: they go on at their other side, and there are voters all the way round. Where
    there are several `pictures`, of these sizes, `source` is that of a slot of theirs, and `y` counts through all slots
    (`atlas.Atlas`).
    """

    size: tuple[int, int]
    source: tuple[int, int]
    y: torch.Tensor
    x: torch.Tensor
    wrap: Wrap = FLAT
    pictures: tuple[tuple[int, int], ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        return self.y.shape[1], self.y.shape[2]

    def one(self, k: int) -> Field:
        """That of image `k` alone."""
        return replace(self, y=self.y[k : k + 1], x=self.x[k : k + 1])


def voters(side: int, wraps: bool = False) -> int:
    """How many patches vote along a side of so many pixels."""
    return -(-side // STRIDE) if wraps else -(-(side - PATCH) // STRIDE) + 1


def positions(side: int, device: torch.device, wraps: bool = False) -> torch.Tensor:
    """The top or left edges of the patches that vote."""
    edges = STRIDE * torch.arange(voters(side, wraps), device=device)
    return edges if wraps else edges.clamp_(max=side - PATCH)


def spanned(side: int, wraps: bool) -> int:
    """The pixels along a side from the first voter's to the last one's, which may stand over the border."""
    return STRIDE * (voters(side, True) - 1) + PATCH if wraps else side


def around(image: torch.Tensor, wrap: Wrap) -> torch.Tensor:
    """`image`, (N, C, H, W), and beyond its right and lower border as much of its other side as voters reach."""
    for axis, wraps in zip((2, 3), wrap, strict=True):
        side = image.shape[axis]
        if wraps:
            image = torch.cat([image, image.narrow(axis, 0, spanned(side, wraps) - side)], axis)
    return image


def sources(field: Field) -> torch.Tensor:
    """The (row, column) in the training image at which the source of each pixel lies, (N, *field.size, 2): by the patch
    whose centre is nearest to it, and whose vote counts most."""
    (y, i), (x, j) = (
        _heaviest(side, wraps, field.y.device) for side, wraps in zip(field.size, field.wrap, strict=True)
    )
    return torch.stack([field.y[:, i][..., j] + y[:, None], field.x[:, i][..., j] + x], 3)


def _heaviest(side: int, wraps: bool, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """For each pixel along a side: its place in the patch of the voter whose centre is nearest, and which that is."""
    pixel, edges = torch.arange(side, device=device), positions(side, device, wraps)
    corner = pixel - PATCH // 2  # of the patch that would have it in its middle
    if wraps:
        index = (corner % side + STRIDE // 2) // STRIDE % len(edges)
        return (pixel - edges[index]) % side, index
    index = ((corner + STRIDE // 2).clamp(min=0) // STRIDE).clamp(max=len(edges) - 1)
    return pixel - edges[index], index


def folded(total: torch.Tensor, axis: int, side: int) -> torch.Tensor:
    """What was added up beyond `side` pixels along an axis, added at its other side, where it belongs."""
    total.narrow(axis, 0, total.shape[axis] - side).add_(total.narrow(axis, side, total.shape[axis] - side))
    return total.narrow(axis, 0, side)


def vote(field: Field, patches: Patches) -> torch.Tensor:
    """The images that the field makes of the training image: (N, 3, *field.size)."""
    height, width = (spanned(side, wraps) for side, wraps in zip(field.size, field.wrap, strict=True))
    (count, down, across), (_, w) = field.y.shape, field.source
    pixels = patches.image[0].flatten(1).expand(count, -1, -1)  # (N, 3, h * w)
    index, offset = field.y * w + field.x, torch.arange(PATCH, device=pixels.device)
    window = torch.exp(-(offset - PATCH // 2).square() / (2 * SIGMA**2))  # of votes along a side of their patch, (7,)
    edges = [positions(side, pixels.device, wraps) for side, wraps in zip(field.size, field.wrap, strict=True)]
    offsets, weights = (offset[:, None] * w + offset).view(-1, 1), torch.outer(window, window).view(-1, 1)
    image = pixels.new_zeros(count, 3, height, width)
    for row, rows, y in _pieces(down, height):
        for column, columns, x in _pieces(across, width):
            corner = index[:, row : row + rows, column : column + columns].reshape(count, 1, -1)
            at = (corner + offsets).view(count, 1, -1).expand(-1, 3, -1)
            votes = pixels.gather(2, at).view(count, 3, PATCH**2, -1).mul_(weights).flatten(1, 2)
            high, wide = (STRIDE * (many - 1) + PATCH for many in (rows, columns))
            image[:, :, y : y + high, x : x + wide] += F.fold(votes, (high, wide), PATCH, stride=STRIDE)
    total = [
        pixels.new_zeros(side).index_add_(0, (edge[:, None] + offset).flatten(), window.repeat(len(edge)))
        for side, edge in zip((height, width), edges, strict=True)
    ]  # of the weights, along height and width
    for axis, side in enumerate(field.size):
        image, total[axis] = folded(image, axis + 2, side), folded(total[axis], 0, side)
    return image / torch.outer(*total)


def _pieces(many: int, side: int) -> Iterator[tuple[int, int, int]]:
    """The voters along a side of so many pixels in pieces, each with as many pixels between its voters: the number of
    the first one, how many they are, and the first pixel."""
    off = (side - PATCH) % STRIDE > 0  # the last one stands off the beat
    for first in range(0, many - off, PIECE):
        yield first, min(PIECE, many - off - first), STRIDE * first
    if off:
        yield many - 1, 1, side - PATCH
