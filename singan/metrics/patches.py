"""What the 7x7 patches of an image tell, next to those of the image that it is to be like."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from singan.errors import ImageError

PATCH = 7
PROJECTIONS, OCTAVES = 64, 4
DIRECTIONS = 16  # of them at once
BINS = 65_536  # of a distribution; coarser by eight, swd is 1e-4 off
STEP = 4  # between the patches whose neighbours are looked at
COHERENCE_SIDE = 256  # pixels: all patches are compared with all, which takes minutes at 1024
MISPLACED_SIDE = 128
REACH = 0.15  # of the height
CHUNK = 16_000_000  # distances held in memory at once, 64 MB


def swd(x: torch.Tensor, real: torch.Tensor) -> float:
    """Sliced Wasserstein distance of the patches (Rabin et al. 2011): 0 for the image itself; lower is nearer.

    Patches of both are projected on 64 random directions (of length 1, from seed 0). On each the distance is the mean
    difference of the sorted values; taken is the mean over the directions, and over up to four octaves, 7 to 56 px.
    `x`, `real`: (1, 3, H, W) in [-1, 1], of one size or not.
    """
    _check(x, real)
    draws = torch.randn(PROJECTIONS, 3 * PATCH**2, generator=torch.Generator().manual_seed(0))
    directions = F.normalize(draws, dim=1).view(-1, 3, PATCH, PATCH).to(real.device)
    distances: list[float] = []
    while len(distances) < OCTAVES and min(*x.shape[2:], *real.shape[2:]) >= PATCH + 2:
        parts = [_apart(x, real, some) for some in directions.split(DIRECTIONS)]
        distances.append(sum(parts) / PROJECTIONS)
        x, real = (F.interpolate(image, scale_factor=0.5, mode="bicubic", antialias=True) for image in (x, real))
    return sum(distances) / len(distances)


def _apart(x: torch.Tensor, real: torch.Tensor, directions: torch.Tensor) -> float:
    """The area between the distribution functions, summed over the directions: what sorting gives, in a sixth of the
    time, and of images of any two sizes."""
    a, b = (F.conv2d(image, directions)[0].flatten(1).cpu() for image in (x, real))
    low, high = min(float(a.min()), float(b.min())), max(float(a.max()), float(b.max()))
    if low == high:
        return 0.0
    shares = [torch.stack([one.histc(BINS, low, high) for one in some]).double() / some.shape[1] for some in (a, b)]
    return float((shares[0] - shares[1]).cumsum(1).abs().sum()) * (high - low) / BINS


def coherence(x: torch.Tensor, real: torch.Tensor) -> float:
    """How much of `x` is copied in one piece: the share of neighbouring patches whose nearest patches in `real` are
    the same neighbours. 1 is a copy; what is put together of small pieces, or made anew, has less.

    Looked at is every fourth patch across and down, with the one to its right and the one below. Both images, (1, 3, H,
    W) in [-1, 1], are shrunk alike if one is longer than 256 px: at 1024 px, patches of some 30 px are compared.
    """
    _check(x, real)
    share = min(1.0, COHERENCE_SIDE / max(*x.shape[2:], *real.shape[2:]))
    sizes = ([max(PATCH + 1, round(side * share)) for side in image.shape[2:]] for image in (x, real))
    x, real = (_resized(image, size) for image, size in zip((x, real), sizes, strict=True))
    width = real.shape[3] - PATCH + 1
    targets = _patches(real)
    rows, columns = (side - PATCH for side in x.shape[2:])  # of patches that have a neighbour
    patches = F.unfold(x, PATCH)[0].view(-1, rows + 1, columns + 1)
    here, right, below = (
        _nearest(patches[:, down : rows + down : STEP, across : columns + across : STEP], targets)
        for down, across in ((0, 0), (0, 1), (1, 0))
    )
    return float(torch.cat([right == here + 1, below == here + width]).float().mean())


def _nearest(grid: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(d, rows, columns), (m, d) -> (rows * columns,): the target that is nearest to each."""
    squares = targets.square().sum(1)
    queries = grid.flatten(1).T
    parts = queries.split(max(1, CHUNK // len(targets)))
    return torch.cat([torch.addmm(squares, part, targets.T, alpha=-2).argmin(1) for part in parts])


def misplaced(x: torch.Tensor, real: torch.Tensor) -> float:
    """The share of patches that are like a part of `real` from another height only, as a window in the floor: 0 for
    the image itself; lower is better.

    So is a patch that is more than twice as far, and .05 more, from the patches of `real` within 15 % of the height as
    from the best of them all (root mean square of values in [-1, 1]). Both images, (1, 3, H, W), are taken to a quarter
    of the size of `real`, or to 128 px where that is longer.
    """
    _check(x, real)
    share = min(0.25, MISPLACED_SIDE / max(real.shape[2:]))
    size = [max(PATCH + 2, round(side * share)) for side in real.shape[2:]]
    rows, columns = (side - PATCH + 1 for side in size)
    queries, targets = (_patches(_resized(image, size)) for image in (x, real))
    squares, reach, wrong = targets.square().sum(1), int(REACH * size[0]), 0
    for row, part in enumerate(queries.split(columns)):
        apart = torch.addmm(squares, part, targets.T, alpha=-2)
        near = apart[:, max(0, row - reach) * columns : min(rows, row + reach + 1) * columns]
        minima = torch.stack([apart.amin(1), near.amin(1)]) + part.square().sum(1)
        anywhere, in_place = minima.clamp_min(0).div(part.shape[1]).sqrt()
        wrong += int((in_place > 2 * anywhere + 0.05).sum())
    return wrong / len(queries)


def _patches(image: torch.Tensor) -> torch.Tensor:
    """(1, 3, H, W) -> (rows * columns, 147)."""
    return F.unfold(image, PATCH)[0].T.contiguous()


def _resized(image: torch.Tensor, size: list[int]) -> torch.Tensor:
    if list(image.shape[2:]) == size:
        return image
    return F.interpolate(image, size=size, mode="bicubic", antialias=True)


def _check(*images: torch.Tensor) -> None:
    for image in images:
        if image.ndim != 4 or tuple(image.shape[:2]) != (1, 3) or min(image.shape[2:]) < PATCH + 2:
            raise ImageError(f"A tensor is {tuple(image.shape)}; an image is (1, 3, H, W), of {PATCH + 2} px or more.")
