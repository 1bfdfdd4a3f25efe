"""A field of sources, and the image that it makes: each patch votes for the pixels of its source."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from singan.patches.search import PATCH, Patches

STRIDE = 2  # pixels between the patches that vote; at 1 no better, at four times the cost
FEW = 1000  # voters whose votes are added one by one; more are added offset by offset, in 49 pieces
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
    (height, width), (count, down, across), (_, w) = _span(field), field.y.shape, field.source
    pixels = patches.image[0].flatten(1)  # (3, h * w)
    index, window = field.y * w + field.x, _window(pixels.device)
    edges = [positions(side, pixels.device, wraps) for side, wraps in zip(field.size, field.wrap, strict=True)]
    # One plane for each place within STRIDE x STRIDE pixels, so that the votes of one offset are added in one piece.
    reach = PATCH // STRIDE
    planes = pixels.new_zeros(STRIDE, STRIDE, 3, count, down + reach, across + reach)
    rows, columns = (many - (side - PATCH) % STRIDE for many, side in zip((down, across), _span(field), strict=True))
    if index.numel() <= FEW:
        rows = columns = 0
    regular = index[:, :rows, :columns]  # without a last row or column off the beat
    for i in range(PATCH if rows else 0):
        for j in range(PATCH):
            (u, p), (v, q) = divmod(i, STRIDE), divmod(j, STRIDE)
            found = pixels.gather(1, (regular + (i * w + j)).view(1, -1).expand(3, -1)).view(3, count, rows, columns)
            planes[p, q, ..., u : u + rows, v : v + columns].add_(found, alpha=float(window[i] * window[j]))
    image = planes.permute(2, 3, 4, 0, 5, 1).reshape(3, count, STRIDE * (down + reach), -1)
    image = image[..., :height, :width].contiguous()
    rest = torch.ones_like(index, dtype=torch.bool)
    rest[:, :rows, :columns] = False
    if rest.any():
        offset, before = (torch.arange(many, device=pixels.device) for many in (PATCH, count))
        corner = (before[:, None, None] * (height * width) + edges[0][:, None] * width + edges[1])[rest]
        votes = pixels[:, index[rest][:, None, None] + offset[:, None] * w + offset] * torch.outer(window, window)
        into = corner[:, None, None] + offset[:, None] * width + offset
        image.view(3, -1).index_add_(1, into.flatten(), votes.flatten(1))
    total = [
        pixels.new_zeros(side).index_add_(
            0, (edge[:, None] + torch.arange(PATCH, device=edge.device)).flatten(), window.repeat(len(edge))
        )
        for side, edge in zip(_span(field), edges, strict=True)
    ]  # of the weights, along height and width
    for axis, side in enumerate(field.size):
        image, total[axis] = folded(image, axis + 2, side), folded(total[axis], 0, side)
    return (image / torch.outer(*total)).transpose(0, 1)


def _span(field: Field) -> tuple[int, int]:
    """The (height, width) that all voters' patches cover."""
    height, width = (spanned(side, wraps) for side, wraps in zip(field.size, field.wrap, strict=True))
    return height, width


def _window(device: torch.device) -> torch.Tensor:
    """The weight of a vote along one side of its patch, (7,)."""
    return torch.exp(-(torch.arange(PATCH, device=device) - PATCH // 2).square() / (2 * SIGMA**2))
