"""Where copies come from: the offsets that are on offer where a hole is stitched."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F

from singan.patches.search import CHUNK, least
from singan.patches.shiftmap import WINDOW, Level

FAR = 0.12  # of the longest side: nearer repetitions are the thing itself
ASKED = 6000  # windows at most, of which repetitions are looked for
COLUMNS = 2  # pixels from one offset sideways to the next


def sideways(level: Level) -> torch.Tensor:
    """Offsets from columns all over the first source, in the same rows: (m, 3)."""
    across = torch.arange(-level.size[1], level.size[1], COLUMNS, device=level.nodes.device)
    across = across[across.abs() >= FAR * max(level.size)]
    return F.pad(across[:, None], (1, 1))


def continuing(level: Level, most: int) -> torch.Tensor:
    """The offsets at which the sources continue what is around the hole: (at most `most` of each source, 3)."""
    known, reach = level.known[None, None].float(), WINDOW // 2
    near = F.max_pool2d(known, WINDOW, 1, reach)[0, 0][level.nodes[:, 0], level.nodes[:, 1]] > 0
    places = level.nodes[near]
    places = places[:: max(1, len(places) // 400)]
    at = places[:, 0] * level.size[1] + places[:, 1]
    seen = F.unfold(known, WINDOW, padding=reach)[0][:, at].T.repeat(1, 3)  # (places, 147)
    windows = F.unfold(level.image, WINDOW, padding=reach)[0][:, at].T * seen
    offered, keys = level.windows
    found = []
    for part in torch.arange(len(places), device=at.device).split(max(1, CHUNK // max(1, len(keys)))):
        away = seen[part] @ keys.square().T - 2 * windows[part] @ keys.T
        away += windows[part].square().sum(1, keepdim=True)
        moved = (offered[:, 0] - places[part, :1]) / level.size[0]
        away = away / seen[part].sum(1, keepdim=True) + moved.square()
        best = away.topk(min(3, len(keys)), largest=False).indices
        found.append(offered[best] - F.pad(places[part], (0, 1))[:, None])
    return _frequent(level, torch.cat(found).flatten(0, 1), most) if found else offered[:0]


def repeating(level: Level, most: int) -> torch.Tensor:
    """The offsets at which the first source repeats itself: (at most `most`, 3)."""
    offered, keys = level.windows
    first = offered[:, 2] == 0
    offered, keys = offered[first], keys[first]
    if len(keys) < 2 or not most:
        return offered[:0]
    keys, found = keys - keys.mean(0), []
    places, squares = offered[:, :2].float(), keys.square().sum(1)
    asked = torch.arange(0, len(keys), math.ceil(len(keys) / ASKED), device=keys.device)
    for part in asked.split(max(1, CHUNK // len(keys))):
        away = torch.addmm(squares, keys[part], keys.T, alpha=-2)
        found.append(least(away.masked_fill_(torch.cdist(places[part], places) < FAR * max(level.size), math.inf)))
    return _frequent(level, offered[torch.cat(found)] - F.pad(offered[asked, :2], (0, 1)), most)


def _frequent(level: Level, offsets: torch.Tensor, most: int) -> torch.Tensor:
    """Those of `offsets`, (m, 3), that are there most often, with the ones a pixel or so beside them."""
    (height, width), kept = level.size, []
    bell = torch.exp(-torch.arange(-2, 3, device=offsets.device).square() / 2)
    for source in range(len(level.sources)):
        down, across = offsets[offsets[:, 2] == source][:, :2].T
        counts = torch.zeros(1, 1, 2 * height + 1, 2 * width + 1, device=offsets.device)
        one = torch.ones(len(down), device=offsets.device)
        counts[0, 0].index_put_((down + height, across + width), one, accumulate=True)
        counts = F.conv2d(counts, torch.outer(bell, bell)[None, None], padding=2)[0]
        peaks = counts * (counts == F.max_pool2d(counts, 5, 1, 2))
        top = peaks.flatten().topk(min(most, peaks.numel()))
        at = top.indices[top.values > 0]
        kept.append(torch.stack([at // (2 * width + 1) - height, at % (2 * width + 1) - width, 0 * at + source], 1))
    return torch.cat(kept)
