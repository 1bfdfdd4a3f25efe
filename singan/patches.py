"""Patch voting: redraw a coarse image from the training image's own patches.

A generator with a receptive field of 11 pixels invents layouts whose parts do not quite fit. At the coarsest
scales, where an image has a thousand pixels, every 7x7 patch can be compared with every patch of the training
image: each votes for the pixels of its nearest one, and the votes are averaged. What follows a few such rounds
is made of whole objects, and all finer generators start from something they know. Distances are divided by how
near the training patch is to anything in the image (bidirectional similarity: Granot et al., "Drop the GAN",
CVPR 2022), so that no part of the picture is left out.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

PATCH = 7
STRIDE = 2  # pixels between the patches that vote; at 1 a little better, at four times the cost
COMPLETENESS = 0.003  # lower: more weight on showing all of the training image
SIGMA = 2.0  # pixels: a vote counts most at the centre of its patch, which keeps edges sharp
MAX_PIXELS = 5000  # of a training image that is searched; the cost grows with the square
CHUNK = 32_000_000  # distances held in memory at once, 128 MB


@torch.inference_mode()
def vote(x: torch.Tensor, real: torch.Tensor, rounds: int) -> torch.Tensor:
    """(N, 3, H, W), any size, with the training image (1, 3, h, w) at the same scale -> (N, 3, H, W), float32.

    Under autocast the distances are computed in bfloat16, ten times faster and as good.
    """
    if rounds == 0 or min(*x.shape[2:], *real.shape[2:]) < PATCH:
        return x
    keys = F.unfold(real.float(), PATCH)[0].T.contiguous()  # (h * w, 147)
    size = (x.shape[2], x.shape[3])
    chosen, weight = _voters(size).to(x.device), _window(x.device)  # (n,), (147, 1)
    blank = torch.zeros(len(weight), (size[0] - PATCH + 1) * (size[1] - PATCH + 1), device=x.device)
    total = F.fold(blank.index_fill(1, chosen, 1.0)[None] * weight, size, PATCH)
    images = []
    for image in x.float().split(1):
        for _ in range(rounds):
            queries = F.unfold(image, PATCH)[0][:, chosen].T
            votes = keys[_nearest(queries, keys)].T * weight
            image = F.fold(blank.index_copy(1, chosen, votes)[None], size, PATCH) / total
        images.append(image)
    return torch.cat(images)


def _voters(size: tuple[int, int]) -> torch.Tensor:
    """Indices of the patches that vote, among all of an image: every STRIDE-th, and the last of each row and column."""
    rows, columns = (sorted({*range(0, side - PATCH, STRIDE), side - PATCH}) for side in size)
    return (torch.tensor(rows)[:, None] * (size[1] - PATCH + 1) + torch.tensor(columns)).flatten()


def _nearest(queries: torch.Tensor, keys: torch.Tensor) -> torch.Tensor:
    """(n, d), (m, d) -> (n,): the key with the least completeness-weighted distance to each query."""
    centre = keys.mean(0)  # smaller numbers, so that bfloat16 products lose less
    queries, keys = queries - centre, keys - centre
    squares = keys.square().mean(1)

    def distances(part: torch.Tensor) -> torch.Tensor:  # mean squared differences (rows, m)
        return torch.add(squares, part @ keys.T, alpha=-2 / keys.shape[1]).add_(part.square().mean(1, keepdim=True))

    parts = queries.split(max(1, CHUNK // len(keys)))
    if len(parts) == 1:
        matrix = distances(queries)
        return matrix.mul_(_completeness(matrix.amin(0))).argmin(1)
    weight = _completeness(torch.stack([distances(part).amin(0) for part in parts]).amin(0))
    return torch.cat([distances(part).mul_(weight).argmin(1) for part in parts])


def _completeness(closest: torch.Tensor) -> torch.Tensor:
    """The weight of each training patch by its distance to the nearest patch of the image."""
    return 1 / (closest.clamp_min(0) + COMPLETENESS)


def _window(device: torch.device) -> torch.Tensor:
    offset = torch.arange(PATCH, device=device) - (PATCH - 1) / 2
    line = torch.exp(-offset.square() / (2 * SIGMA**2))
    return (line[:, None] * line[None]).flatten().repeat(3)[:, None]
