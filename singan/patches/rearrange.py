"""A picture of other proportions. Its columns stand in a new order, more or fewer of them: it goes on elsewhere where
that shows least, as seamless loops of video do. Its rows keep their order, and the calm ones are drawn out."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from singan.patches.light import mean
from singan.patches.search import between
from singan.warp import reflected

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
PATHS = 16  # of which one is taken, where there is a picture's mirror image too
AT_ONCE = 2**21  # columns at places that paths are sought through at once: 16 MB for where each came from
BOTH, WORST = 3.0, 0.3  # what it is worth to have some of both, in parts of the picture, and what a cut is that shows
MIRRORED = 0.15  # what a mirrored column costs: at little variation not all of a picture is
TURN, EACH = 0.2, 0.15  # of its width: as far a path leaps that turns round; as much there is to be of either
ALIKE, APART = 5, 0.12  # pixels that are compared; of the width: what is nearer is the thing itself
SEEN = 0.03  # of the variance: a squared difference that tells one thing from another
RARE, MOST = 1.0, 2.0  # what a column costs a wider picture that is twice as rare as others, and any at most
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


def rarity(x: torch.Tensor) -> torch.Tensor:
    """What each column of an image, (1, 3, H, W), costs a wider one, (W,): RARE if it is twice as rare as they are in
    the mean, and nothing if it is not rarer.

    By how unlike what stands elsewhere at its height it is, in the mean of its patches. So what comes again is what
    there is more of, and of a thing that is there once, the sun or a tower, there is one.
    """
    (height, width), reach = x.shape[2:], ALIKE // 2
    patches = F.unfold(F.pad(x, (reach,) * 4, mode="replicate"), ALIKE)[0].T.unflatten(0, (height, width))
    rows, column = (torch.arange(side, device=x.device) for side in (height, width))
    beside = (column - column[:, None]).abs() < APART * width
    away = torch.full((), math.inf, device=x.device)
    for down in (-1, 0, 1):
        other = patches[(rows + down).clamp(0, height - 1)]
        away = torch.minimum(away, torch.cdist(patches, other).masked_fill_(beside, math.inf).amin(2))
    rare = (away.square() / patches.shape[2] / x.var().clamp_min(1e-6)).clamp(max=1).mean(0)
    return RARE * (rare / rare.mean().clamp_min(SEEN) - 1).clamp_min(0).square()


def order(cost: torch.Tensor, noise: torch.Tensor, dear: torch.Tensor | None = None) -> torch.Tensor:
    """Which of W columns stands at which place, (N, places): runs of them, which leap where it shows least.

    `cost`, (W, W), as `cuts` gives it. `noise`, (N, 1, H, places), says where which columns had better be: standard
    normal times how much it counts; by 0 each stays, or as near to its share of the places as cuts allow. `dear`, (W,),
    is what each costs a wider picture, up to MOST: that goes from the first column to the last, and comes by the
    dearest. Of all orders the one is taken whose worth less its costs is greatest. As a column moves as one, things
    stay whole and on what they stand on; they come twice, or not at all.
    """
    width, device = len(cost), cost.device
    few = F.adaptive_avg_pool2d(noise, SMOOTH) * math.sqrt(noise[0].numel() / math.prod(SMOOTH))
    leaps = cost.masked_fill(_near(width, device), math.inf)
    worth = _worth(few, width, noise.shape[3])
    if dear is None:
        return _path(worth, leaps, torch.zeros(width, device=device))
    return _path_by(int(dear.argmax()), worth - dear.clamp(max=MOST), leaps)


def flipped_order(cost: torch.Tensor, noise: torch.Tensor, places: int) -> torch.Tensor:
    """As `order`, of the columns of a picture and of its mirror image beside it: (N, places), from 0 to 2 * W - 1.

    `cost`, (2 * W, 2 * W), is that of both beside each other. `noise`, (N, paths, 2, *SMOOTH), says where columns of
    either had better be. Of so many paths the one is taken that has some of both, shows most of the picture, and whose
    worst cut shows least. Where a path leaps to the mirror image of what is there it would turn round, and both its
    halves be alike: it has to leap farther.
    """
    (count, paths), width, device = noise.shape[:2], len(cost) // 2, cost.device
    column = torch.arange(2 * width, device=device)
    shown, side = reflected(column, width), column // width
    turned = (shown - shown[:, None]).abs() < TURN * width
    barred = torch.where(side == side[:, None], _near(width, device).repeat(2, 2), turned)
    going = torch.zeros(2 * width, device=device).masked_fill(column == width, math.inf)
    worth = torch.cat([_worth(one, width, places) for one in noise.flatten(0, 1).split(1, 1)], 2)
    leaps, few = cost.masked_fill(barred, math.inf), max(1, AT_ONCE // (2 * width * places))
    columns = torch.cat([_path(some - MIRRORED * side, leaps, going) for some in worth.split(few)])
    part = torch.zeros(len(columns), width, device=device).scatter_(1, shown[columns], 1.0).mean(1)
    share = side[columns].float().mean(1)
    both = (share > EACH) & (share < 1 - EACH)
    leapt = columns[:, 1:] != columns[:, :-1] + 1
    worst = (leapt * cost[columns[:, :-1], columns[:, 1:]]).amax(1)
    best = (part + BOTH * both - WORST * worst).view(count, paths).argmax(1)
    return columns.view(count, paths, places)[torch.arange(count, device=device), best]


def _near(width: int, device: torch.device) -> torch.Tensor:
    """Where a leap from column to column, (W, W), would only make a thing longer or shorter."""
    column = torch.arange(width, device=device)
    return (column - column[:, None] - 1).abs() < min(NEAR, (width + 1) // 3)


def _path(worth: torch.Tensor, leaps: torch.Tensor, going: torch.Tensor) -> torch.Tensor:
    """The columns, (N, places), whose `worth`, (N, places, W), less what it costs to get there is greatest (Viterbi):
    `leaps`, (W, W), from any to any, and `going` on, (W,), to each from the one before it."""
    column = torch.arange(len(leaps), device=leaps.device)[:, None]
    leap, source = leaps.topk(min(SOURCES, len(leaps)), 0, largest=False)  # (sources, W)
    cost = -worth.permute(1, 2, 0).contiguous()  # (places, W, N)
    total, before = cost[0], []
    for place in range(1, len(cost)):
        leapt, which = (total.index_select(0, source.flatten()).view(*source.shape, -1) + leap[..., None]).min(0)
        on = F.pad(total[:-1], (0, 0, 1, 0), value=math.inf) + going[:, None]
        before.append(torch.where(on <= leapt, column - 1, source[which, column]))
        total = torch.minimum(on, leapt) + cost[place]
    found = [total.argmin(0, keepdim=True)]
    for back in reversed(before):
        found.append(back.gather(0, found[-1]))
    return torch.cat(found[::-1]).T


def _path_by(column: int, worth: torch.Tensor, leaps: torch.Tensor) -> torch.Tensor:
    """As `_path`, of those from the first column to the last that come by that one. Columns are there twice: those
    before it and those from it on."""
    width, going = len(leaps), leaps.new_zeros(2 * len(leaps))
    twice = leaps.new_full((2 * width, 2 * width), math.inf)
    twice[:width, :width] = twice[width:, width:] = leaps
    twice[:width, width + column], twice[:, column] = leaps[:, column], math.inf
    twice[max(0, column - 1), width + column] = 0 if column else math.inf
    going[column] = going[width] = math.inf
    worth, first = worth.repeat(1, 1, 2), 0 if column else width
    start, end = worth[:, 0, first].clone(), worth[:, -1, -1].clone()
    worth[:, [0, -1]] = -math.inf
    worth[:, 0, first], worth[:, -1, -1] = start, end
    return _path(worth, twice, going) % width


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


def _worth(noise: torch.Tensor, width: int, places: int) -> torch.Tensor:
    """What each of so many places has of each of `width` columns, (N, places, width), by `noise`, (N, 1, *SMOOTH):
    smooth in the place and in how far it is from the column's own."""
    smooth = F.interpolate(noise, (2 * width - 1, places), mode="bicubic", align_corners=True)[:, 0]
    place, column = (torch.arange(length, device=noise.device) for length in (places, width))
    away = column - torch.linspace(0, width - 1, places, device=noise.device)[:, None]
    return GAIN * smooth[:, away.round().long() + width - 1, place[:, None]] - STAY * away.abs()
