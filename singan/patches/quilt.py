"""Quilting: where an image goes over into another one, it is cut where the cut shows least (Efros and Freeman, SIGGRAPH
2001)."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

REACH = 0.08  # of the longer side: how far a mirror image goes on at most
BUSY = 0.2  # what the squared steps in it cost, over that of a cut: what is mirrored is seen where it is no sky


def continued(x: torch.Tensor, mirror: torch.Tensor, inside: tuple[slice, slice]) -> torch.Tensor:
    """Where the `mirror` image of what is `inside`, rows and columns of `x`, goes on beyond the border of that, until
    `x` itself does: (1, 1, H, W) of 0 and 1. Both images are (1, 3, H, W)."""
    goes_on, reach = torch.zeros_like(x[:, :1]), max(1, round(REACH * max(x.shape[2:])))
    for axis, part, along in zip((2, 3), inside, inside[::-1], strict=True):
        after = range(part.stop, min(x.shape[axis], part.stop + reach))
        before = range(part.start - 1, max(-1, part.start - 1 - reach), -1)
        for at in (list(after), list(before)):  # from the border on
            if at:
                # (3, along the border, from it)
                one, other = (image.transpose(axis, 3)[0, :, along, at] for image in (x, mirror))
                steps = F.pad(other.diff(dim=2), (1, 0)).square().sum(0).cumsum(1)
                costs = (one - other).square().sum(0) + BUSY * steps
                if along.start > 0:  # where two sides are added to, nothing is mirrored in their corner
                    costs[0, 1:] = math.inf
                if along.stop < x.shape[5 - axis]:
                    costs[-1, 1:] = math.inf
                mask = torch.arange(len(at), device=x.device) < cut(costs)[:, None]
                goes_on.transpose(axis, 3)[0, 0, along, at] = mask.float()
    return goes_on


def cut(costs: torch.Tensor) -> torch.Tensor:
    """The path through `costs`, (rows, columns), from the first row to the last, by at most one column from each to the
    next, whose sum is least: the column in each row, (rows,)."""
    total, ways = costs[0].cpu(), []
    for row in costs[1:].cpu():
        beside = F.pad(total, (1, 1), value=math.inf)
        least, way = torch.stack([beside[:-2], total, beside[2:]]).min(0)
        total = row + least
        ways.append((way - 1).tolist())
    path = [int(total.argmin())]
    for way in reversed(ways):
        path.append(path[-1] + way[path[-1]])
    return torch.tensor(path[::-1], device=costs.device)
