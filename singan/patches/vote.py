"""A field of sources, and the image that it makes: each patch votes for the pixels of its source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from singan.patches.search import PATCH, Patches

STRIDE = 2  # pixels between the patches that vote; at 1 no better, at four times the cost
SPAN = -(-PATCH // STRIDE)  # strides that a patch covers along a side
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

    def only(self, which: list[int]) -> Field:
        """That of some of the images."""
        return replace(self, y=self.y[which], x=self.x[which])


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
    """The images that the field makes of the training image: (N, 3, *field.size).

    Votes are added in blocks of STRIDE x STRIDE pixels, of which a patch covers SPAN x SPAN.
    """
    height, width = (spanned(side, wraps) for side, wraps in zip(field.size, field.wrap, strict=True))
    (count, down, across), (_, w) = field.y.shape, field.source
    blocks, corners = _blocks(patches.image), field.y * w + field.x
    window = patches.image.new_zeros(SPAN * STRIDE)  # of votes along a side of their patch, which ends at PATCH
    window[:PATCH] = torch.exp(-(torch.arange(PATCH, device=window.device) - PATCH // 2).square() / (2 * SIGMA**2))
    weights = torch.outer(window, window).view(SPAN, STRIDE, SPAN, STRIDE, 1).transpose(1, 2)
    weights = weights.expand(-1, -1, -1, -1, 3).reshape(SPAN, SPAN, 1, -1)  # of each block of a patch, pixel by pixel
    image = blocks.new_zeros(count, 3, height, width)
    for row, rows, y in _pieces(down, height):
        for column, columns, x in _pieces(across, width):
            corner = corners[:, row : row + rows, column : column + columns].flatten()
            weighted = weights.repeat(1, 1, columns, 1)  # as many as are added at once
            total = blocks.new_zeros(count, rows + SPAN - 1, columns + SPAN - 1, blocks.shape[1])
            for i in range(SPAN):
                at = torch.cat([corner + STRIDE * (i * w + j) for j in range(SPAN)])  # one row of a patch's blocks
                votes = blocks.index_select(0, at).view(SPAN, count, rows, columns, -1)
                for j in range(SPAN):
                    total[:, i : i + rows, j : j + columns].addcmul_(votes[j], weighted[i, j])
            pixels = total.unflatten(3, (STRIDE, STRIDE, 3)).permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)
            high, wide = (STRIDE * (many - 1) + PATCH for many in (rows, columns))
            image[:, :, y : y + high, x : x + wide] += pixels[:, :, :high, :wide]
    shares = []
    for axis, (side, wraps) in enumerate(zip(field.size, field.wrap, strict=True)):
        image, share = folded(image, axis + 2, side), folded(_shares(side, wraps, window[:PATCH]), 0, side)
        shares.append(share)
    return image / torch.outer(*shares)


def _shares(side: int, wraps: bool, window: torch.Tensor) -> torch.Tensor:
    """The sum of the weights of all votes along a side of so many pixels, and of those that stand over it."""
    edges, offset = positions(side, window.device, wraps), torch.arange(PATCH, device=window.device)
    places = (edges[:, None] + offset).flatten()
    return window.new_zeros(spanned(side, wraps)).index_add_(0, places, window.repeat(len(edges)))


def _blocks(image: torch.Tensor) -> torch.Tensor:
    """The blocks of STRIDE x STRIDE pixels of an image, (1, 3, h, w), from each of its pixels on; what is beyond it is
    0: (h * w, STRIDE * STRIDE * 3)."""
    height, width = image.shape[2:]
    pixels = F.pad(image[0].movedim(0, 2), (0, 0, 0, STRIDE - 1, 0, STRIDE - 1))
    shifted = [pixels[y : y + height, x : x + width] for y in range(STRIDE) for x in range(STRIDE)]
    return torch.cat(shifted, 2).flatten(0, 1)


def _pieces(many: int, side: int) -> Iterator[tuple[int, int, int]]:
    """The voters along a side of so many pixels in pieces, each with as many pixels between its voters: the number of
    the first one, how many they are, and the first pixel."""
    off = (side - PATCH) % STRIDE > 0  # the last one stands off the beat
    for first in range(0, many - off, PIECE):
        yield first, min(PIECE, many - off - first), STRIDE * first
    if off:
        yield many - 1, 1, side - PATCH
