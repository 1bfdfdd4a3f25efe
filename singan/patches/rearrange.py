"""A picture of other proportions. Its columns stand in a new order, more or fewer of them: it goes on elsewhere where
that shows least, as seamless loops of video do. Its rows keep their order, and the calm ones are drawn out."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from singan.patches.light import mean
from singan.patches.search import between

FINE = 3  # pixels that a column is wide where cuts are looked at
BESIDE = 2  # columns on either side of a cut that are compared
ROWS = 3  # columns' widths of height that are compared together: what does not fit in a few rows shows
AROUND = 7  # pixels, of those, whose steps say what is seen
FAINT = 0.08  # a step from pixel to pixel that is not seen, of the range [-1, 1]
CUT, LEAP = 0.3, 0.5  # what a cut costs where things differ as pixel from pixel beside it, and any
NEAR = 6  # columns: to leap less far would only make a thing longer or shorter
SOURCES = 16  # columns from which each one may be leapt to: the cheapest
STAY = 0.02  # what a column costs for each pixel that it is from its own place
GAIN = 2.0  # deviation of what it is worth to have a column somewhere
SMOOTH = 6, 8  # values that this has, over the offsets and across
BUSY, GIVE = 4, 3  # the power of a row's changes, of which great ones count most; by which busy rows are drawn out less


def cuts(x: torch.Tensor) -> torch.Tensor:
    """What it costs to go on with each column after each, (W, W), of an image (1, 3, FINE * H, FINE * W).

    By the difference of what would meet there to what is beside it, over the steps from pixel to pixel around both: a
    little shows in a smooth sky, in grass it does not.
    """
    edges = F.pad(x, (1, 1, 1, 1), mode="replicate")
    across, down = edges[:, :, 1:-1, 2:] - edges[:, :, 1:-1, :-2], edges[:, :, 2:, 1:-1] - edges[:, :, :-2, 1:-1]
    steps = (across.square() + down.square()).mean(1, keepdim=True) / 4
    weight = (mean(steps, AROUND) + FAINT**2).rsqrt().expand_as(x)
    height, width, side = x.shape[2], x.shape[3] // FINE, BESIDE * FINE
    wider = (F.pad(t, (side, side, 0, 0), mode="replicate") for t in (x, weight))
    parts = (t[0].unflatten(2, (-1, FINE)).movedim(3, 1).split(ROWS * FINE, 2) for t in wider)
    total = x.new_zeros(width, width)
    for part, heavy in zip(*parts, strict=True):
        share = part.shape[2] / height
        part, heavy = part.flatten(0, 2), heavy.flatten(0, 2)  # (values, W + 4)
        first, both = heavy * part**2, heavy * part
        one = first.mT @ heavy - 2 * both.mT @ both + heavy.mT @ first
        beside = torch.stack([one[k : k + width + 1, k : k + width + 1] for k in range(2 * BESIDE)]).mean(0)
        total += share * (beside[1:, :-1] / len(part)).clamp_min(0) ** 3  # after a column, before a column
    return CUT * total + LEAP


def order(cost: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Which of W columns stands at which place, (N, places): runs of them, which leap where it shows least.

    `cost`, (W, W), as `cuts` gives it. `noise`, (N, 1, H, places), says where which columns had better be: standard
    normal times how much it counts; by 0 each stays, or as near to its share of the places as cuts allow. Of all orders
    the one is taken whose worth less the cost of its cuts is greatest (Viterbi). As a column moves as one, things stay
    whole and on what they stand on; they come twice, or not at all.
    """
    width = len(cost)
    worth, column = _worth(noise, width), torch.arange(width, device=cost.device)
    near = (column - column[:, None] - 1).abs() < min(NEAR, (width + 1) // 3)
    barred = cost.masked_fill(near, math.inf)
    leap, source = barred.topk(min(SOURCES, width), 0, largest=False)  # (sources, W)
    total, before = -worth[:, 0], []
    for place in range(1, noise.shape[3]):
        leapt, which = (total[:, source] + leap).min(1)
        on = F.pad(total[:, :-1], (1, 0), value=math.inf)
        before.append(torch.where(on <= leapt, column - 1, source[which, column]))
        total = torch.minimum(on, leapt) - worth[:, place]
    found = [total.argmin(1, keepdim=True)]
    for back in reversed(before):
        found.append(back.gather(1, found[-1]))
    return torch.cat(found[::-1], 1)


def placed(x: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Images, (N, C, H, W) or one, with those `columns`, (N, places), of each: (N, C, H, places)."""
    shape = len(columns), *x.shape[1:3], columns.shape[1]
    return x.expand(len(columns), -1, -1, -1).gather(3, columns[:, None, None].expand(shape))


def drawn_out(x: torch.Tensor, height: int) -> torch.Tensor:
    """How far down an image, (1, C, H, W), what stands in each of `height` rows is, more than H: (height,), a share.

    The less changes in a row, and to those beside it, the more it is drawn out: sky and water, not what stands in them
    (as in resizing by content, Wang et al., SIGGRAPH Asia 2008).
    """
    down, across = (x.diff(dim=axis).abs().mean((0, 1)).pow(BUSY).mean(1).pow(1 / BUSY) for axis in (2, 3))
    busy = torch.stack([F.pad(down, (1, 0)), F.pad(down, (0, 1)), across]).amax(0).clamp_min(1e-4)  # (H,)
    calm = (busy / busy.mean()) ** -GIVE
    length = 1 + (height - x.shape[2]) / calm.sum() * calm
    edges, place = F.pad(length.cumsum(0), (1, 0)), torch.arange(height, device=x.device) + 0.5
    row = (torch.searchsorted(edges, place, right=True) - 1).clamp(0, x.shape[2] - 1)
    return (row + (place - edges[row]) / length[row]) / x.shape[2]


def at_heights(x: torch.Tensor, heights: torch.Tensor) -> torch.Tensor:
    """Images, (N, C, H, W), with what is so far down them, (rows,), shares of H: (N, C, rows, W)."""
    return between(x.mT, heights * x.shape[2] - 0.5).mT


def _worth(noise: torch.Tensor, width: int) -> torch.Tensor:
    """What each place has of each of `width` columns, (N, places, width): smooth in the place and in how far it is from
    the column's own."""
    places = noise.shape[3]
    few = F.adaptive_avg_pool2d(noise, SMOOTH) * math.sqrt(noise[0].numel() / math.prod(SMOOTH))
    smooth = F.interpolate(few, (2 * width - 1, places), mode="bicubic", align_corners=True)[:, 0]
    place, column = (torch.arange(length, device=noise.device) for length in (places, width))
    away = column - torch.linspace(0, width - 1, places, device=noise.device)[:, None]
    return GAIN * smooth[:, away.round().long() + width - 1, place[:, None]] - STAY * away.abs()
