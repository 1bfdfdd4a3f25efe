"""Patch voting: redraw a coarse image from the training image's own patches.

A generator with a receptive field of 11 pixels invents layouts whose parts do not quite fit. At the coarsest
scales, where an image has a thousand pixels, every 7x7 patch can be compared with every patch of the training
image: each votes for the pixels of its nearest one, and the votes are averaged. What follows a few such rounds
is made of whole objects, and all finer generators start from something they know. Distances are divided by how
near the training patch is to anything in the image (bidirectional similarity: Granot et al., "Drop the GAN",
CVPR 2022), so that no part of the picture is left out.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

PATCH = 7
STRIDE = 2  # pixels between the patches that vote; at 1 a little better, at four times the cost
COMPLETENESS = 0.003  # lower: more weight on showing all of the training image
SIGMA = 2.0  # pixels: a vote counts most at the centre of its patch, which keeps edges sharp
MAX_PIXELS = 5000  # of a training image that is searched; the cost grows with the square
CHUNK = 32_000_000  # distances held in memory at once, 128 MB


@torch.inference_mode()
def vote(
    x: torch.Tensor,
    real: torch.Tensor,
    rounds: int,
    *,
    completeness: float = COMPLETENESS,
    region: torch.Tensor | None = None,
) -> torch.Tensor:
    """(N, 3, H, W), any size, with the training image (1, 3, h, w) at the same scale -> (N, 3, H, W), float32.

    `completeness`: lower puts more weight on showing all of the training image, infinity none. `region`,
    (1, 1, H, W) of 0 and more: only patches that touch what is over 0 vote, and what none reaches is kept.
    Under autocast the distances are computed in bfloat16, ten times faster and as good.
    """
    if rounds == 0 or min(*x.shape[2:], *real.shape[2:]) < PATCH:
        return x
    keys = F.unfold(real.float(), PATCH)[0].T.contiguous()  # (h * w, 147)
    size = (x.shape[2], x.shape[3])
    chosen, weight = _voters(size).to(x.device), _window(x.device)  # (n,), (147, 1)
    if region is not None:
        chosen = chosen[F.max_pool2d(region.float(), PATCH, 1).flatten()[chosen] > 0]
        if len(chosen) == 0:
            return x
    blank = torch.zeros(len(weight), (size[0] - PATCH + 1) * (size[1] - PATCH + 1), device=x.device)
    total = F.fold(blank.index_fill(1, chosen, 1.0)[None] * weight, size, PATCH)
    images = []
    for image in x.float().split(1):
        for _ in range(rounds):
            queries = F.unfold(image, PATCH)[0][:, chosen].T
            votes = keys[_nearest(queries, keys, completeness)].T * weight
            voted = F.fold(blank.index_copy(1, chosen, votes)[None], size, PATCH) / total
            image = voted if region is None else torch.where(total > 0, voted, image)
        images.append(image)
    return torch.cat(images)


def _voters(size: tuple[int, int]) -> torch.Tensor:
    """Indices of the patches that vote, among all of an image: every STRIDE-th, and the last of each row and column."""
    rows, columns = (sorted({*range(0, side - PATCH, STRIDE), side - PATCH}) for side in size)
    return (torch.tensor(rows)[:, None] * (size[1] - PATCH + 1) + torch.tensor(columns)).flatten()


def distances_to(
    real: torch.Tensor, x: torch.Tensor, region: torch.Tensor | None = None, at_most: int | None = None
) -> torch.Tensor:
    """Mean squared difference of each patch of `x`, (1, 3, H, W), to its nearest one of `real`, (1, 3, h, w): (n,).

    With a `region`, (1, 1, H, W), of the patches that touch what is over 0; of `at_most` so many of them, evenly
    spread. No patch: one distance of 0.
    """
    if min(*x.shape[2:], *real.shape[2:]) < PATCH:
        return torch.zeros(1, device=x.device)
    queries, keys = (F.unfold(image.float(), PATCH)[0].T for image in (x, real))
    if region is not None:
        queries = queries[F.max_pool2d(region.float(), PATCH, 1).flatten() > 0]
    if at_most is not None and len(queries) > at_most:
        queries = queries[torch.linspace(0, len(queries) - 1, at_most).long()]
    measure, parts = _measure(queries, keys)
    return torch.cat([measure(part).amin(1).clamp_min(0) for part in parts]) if parts else queries.new_zeros(1)


def _nearest(queries: torch.Tensor, keys: torch.Tensor, completeness: float) -> torch.Tensor:
    """(n, d), (m, d) -> (n,): the key with the least completeness-weighted distance to each query."""
    measure, parts = _measure(queries, keys)
    if completeness == math.inf:
        return torch.cat([measure(part).argmin(1) for part in parts])

    def weight(closest: torch.Tensor) -> torch.Tensor:  # of each key, by its distance to the nearest query
        return 1 / (closest.clamp_min(0) + completeness)

    if len(parts) == 1:
        matrix = measure(parts[0])
        return matrix.mul_(weight(matrix.amin(0))).argmin(1)
    weights = weight(torch.stack([measure(part).amin(0) for part in parts]).amin(0))
    return torch.cat([measure(part).mul_(weights).argmin(1) for part in parts])


def _measure(
    queries: torch.Tensor, keys: torch.Tensor
) -> tuple[Callable[[torch.Tensor], torch.Tensor], tuple[torch.Tensor, ...]]:
    """A function from some queries to their mean squared differences to all keys, (rows, m), and the parts of the
    queries to give it one by one, so that CHUNK holds."""
    centre = keys.mean(0)  # smaller numbers, so that bfloat16 products lose less
    queries, keys = queries - centre, keys - centre
    squares = keys.square().mean(1)

    def measure(part: torch.Tensor) -> torch.Tensor:
        return torch.add(squares, part @ keys.T, alpha=-2 / keys.shape[1]).add_(part.square().mean(1, keepdim=True))

    return measure, queries.split(max(1, CHUNK // len(keys))) if len(queries) else ()


def _window(device: torch.device) -> torch.Tensor:
    offset = torch.arange(PATCH, device=device) - (PATCH - 1) / 2
    line = torch.exp(-offset.square() / (2 * SIGMA**2))
    return (line[:, None] * line[None]).flatten().repeat(3)[:, None]
