"""Stitching: a hole in an image is filled with shifted copies of what is around it, cut where the cuts show least.

Each pixel of the hole takes the pixel that stands at some offset from it (a shift-map, Pritch et al., ICCV 2009). Two
neighbours with the same offset are neighbours in the photograph too, so that only cuts cost: the squared difference of
what the two offsets show there, of colours and of steps. The offsets are those at which the photograph repeats itself
(He and Sun, ECCV 2012), and those that continue what is around the hole. Min-sum belief propagation chooses among all
of them on a small image, and among those of the neighbourhood on each larger one. A band around the hole may be drawn
anew too, so that cuts need not follow its edge. In the end the light is evened out across the cuts (gradient domain,
Perez et al., SIGGRAPH 2003).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from singan.errors import ImageError
from singan.patches.light import LIGHT
from singan.patches.offsets import continuing, repeating, sideways
from singan.patches.shiftmap import BUSY, KEPT, WINDOW, Level

OFFSETS = 40  # of each of the two kinds, at most
CHEAPER = 0.92  # of the cost is the most that may be left with offsets sideways, or they are not taken
WHOLE = 0.02  # of the pixels of the coarsest image, of which windows must be whole to find offsets there
AGAIN = 8  # times at most that what nothing reached is stitched
MAX_NODES = 3000  # of the coarsest image
MAX_NET_NODES = 600_000  # of a net, with which that may be the whole image
NET_OFFSETS, FEWEST = 800_000, 8  # that all its nodes are offered together, and each of them


def stitch(
    image: torch.Tensor,
    hole: torch.Tensor,
    sources: torch.Tensor,
    usable: torch.Tensor,
    sizes: Sequence[tuple[int, int]],
    seed: int = 0,
    light: float = LIGHT,
    most: int = OFFSETS,
    band: torch.Tensor | None = None,
    busy: float = BUSY,
    again: int = AGAIN,
) -> torch.Tensor:
    """`image`, (1, 3, H, W) in [-1, 1], with its `hole`, (1, 1, H, W) of 0 and 1, stitched from `sources`.

    What no offset reaches, deep in a hole across the image, is stitched `again`, from what there is by then. Raises
    `ImageError` where nothing reaches it, or for a net that is too fine.
    `sources`, (S, 3, H, W), may be copied from where `usable`, (S, 1, H, W), is 1. `sizes` go from the coarsest, where
    offsets are found, to (H, W). Any `seed` but 0 makes some offsets dearer than others. Outside the hole the image
    stays to the last bit; with a `band`, (1, 1, H, W) of 0 and 1, which holds the hole, outside that.
    """
    first, steps, net = _first(image, hole, sources, usable, sizes)
    each = max(FEWEST, min(KEPT, NET_OFFSETS // len(first.nodes))) if net else KEPT
    offsets = torch.cat([first.staying(), continuing(first, most), repeating(first, most)]).unique(dim=0)
    level, chosen, inner = first, first.choose_first(offsets, seed, each=each), None
    if band is not None and not net:
        hole, inner = band, hole
        level = Level(image, band, sources, usable, steps[0], inner, first.distinct)
        wide = first.choose_first(torch.cat([offsets, sideways(first)]).unique(dim=0), seed)
        few = torch.cat([level.staying(), chosen]).unique(dim=0)
        many = torch.cat([few, wide]).unique(dim=0)
        chosen, other = (level.choose_first(some, seed, len(some)) for some in (few, many))
        chosen = other if level.cost(other) < CHEAPER * level.cost(chosen) else chosen
    for size in steps[1:]:
        finer = Level(image, hole, sources, usable, size, inner, first.distinct)
        offered, level = finer.carried(level, chosen), finer  # so that the coarser one is forgotten before the choice
        chosen = level.choose(offered)
    result = level.evened(chosen, light, busy)
    missing = level.nodes[~level.look(level.nodes, chosen[:, None])[1][:, 0]]
    if not len(missing):
        return result
    if not again or len(missing) == len(level.nodes):
        raise ImageError(
            f"{len(missing)} px of the mask are out of reach of what is whole, which is the picture where {WINDOW}x"
            f"{WINDOW} px are not masked: make its lines thinner, or fill a part at a time."
        )
    left = torch.zeros_like(hole)
    left[0, 0, missing[:, 0], missing[:, 1]] = 1
    return stitch(result, left, result, 1 - left, sizes, seed, light, most, None, busy, again - 1)


def _first(
    image: torch.Tensor,
    hole: torch.Tensor,
    sources: torch.Tensor,
    usable: torch.Tensor,
    sizes: Sequence[tuple[int, int]],
) -> tuple[Level, Sequence[tuple[int, int]], bool]:
    """The level where offsets are found, the sizes from there on, and whether the hole is a net, in which windows are
    whole at a larger size alone."""
    first, net = Level(image, hole, sources, usable, sizes[0]), False
    while len(sizes) > 1 and len(first.windows[0]) < WHOLE * first.usable.numel():
        sizes, net = sizes[1:], True
        first = Level(image, hole, sources, usable, sizes[0])
    if net and len(first.nodes) > MAX_NET_NODES:
        raise ImageError(
            f"The mask is a net so fine that its {len(first.nodes)} px have to be filled at {first.size[1]}x"
            f"{first.size[0]} px; up to {MAX_NET_NODES} px can be: fill a smaller picture, or a part at a time."
        )
    while not net and len(first.nodes) > MAX_NODES and min(first.size) > 4 * WINDOW:
        height, width = (3 * side // 4 for side in first.size)
        sizes = [(height, width), *sizes]
        first = Level(image, hole, sources, usable, sizes[0])
    return first, sizes, net
