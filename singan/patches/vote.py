"""A field of sources, and the image that it makes: each patch votes for the pixels of its source."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from singan.patches.search import PATCH, Patches

STRIDE = 2  # pixels between the patches that vote; at 1 no better, at four times the cost
FEW = 1000  # voters whose votes are added one by one; more are added offset by offset, in 49 pieces
SIGMA = 2.0  # pixels: a vote counts most at the centre of its patch, which keeps edges sharp


@dataclass(frozen=True)
class Field:
    """For each patch that votes, the place of its source in the training image.

    Voters stand on every STRIDE-th row and column of N images of `size`, and on the last. `y` and `x`, (N, voters
    down, voters across), are top left corners of patches in a training image of size `source`. Where there are several
    `pictures`, of these sizes, `source` is that of a slot of theirs, and `y` counts through all slots (`atlas.Atlas`).
    """

    size: tuple[int, int]
    source: tuple[int, int]
    y: torch.Tensor
    x: torch.Tensor
    pictures: tuple[tuple[int, int], ...] = ()

    @property
    def shape(self) -> tuple[int, int]:
        return self.y.shape[1], self.y.shape[2]

    def one(self, k: int) -> Field:
        """That of image `k` alone."""
        return replace(self, y=self.y[k : k + 1], x=self.x[k : k + 1])


def voters(side: int) -> int:
    """How many patches vote along a side of so many pixels."""
    return -(-(side - PATCH) // STRIDE) + 1


def positions(side: int, device: torch.device) -> torch.Tensor:
    """The top or left edges of the patches that vote."""
    return (STRIDE * torch.arange(voters(side), device=device)).clamp_(max=side - PATCH)


def vote(field: Field, patches: Patches) -> torch.Tensor:
    """The images that the field makes of the training image: (N, 3, *field.size)."""
    (height, width), (count, down, across), (_, w) = field.size, field.y.shape, field.source
    pixels = patches.image[0].flatten(1)  # (3, h * w)
    index, window = field.y * w + field.x, _window(pixels.device)
    edges = [positions(side, pixels.device) for side in field.size]
    # One plane for each place within STRIDE x STRIDE pixels, so that the votes of one offset are added in one piece.
    reach = PATCH // STRIDE
    planes = pixels.new_zeros(STRIDE, STRIDE, 3, count, down + reach, across + reach)
    rows, columns = (many - (side - PATCH) % STRIDE for many, side in zip((down, across), field.size, strict=True))
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
        for side, edge in zip(field.size, edges, strict=True)
    ]  # of the weights, along height and width
    return (image / torch.outer(*total)).transpose(0, 1)


def _window(device: torch.device) -> torch.Tensor:
    """The weight of a vote along one side of its patch, (7,)."""
    return torch.exp(-(torch.arange(PATCH, device=device) - PATCH // 2).square() / (2 * SIGMA**2))
