"""Where the patches of an image come from: found, and carried to larger sizes.

At coarse scales every patch of an image is compared with every patch of the training image, and takes the nearest
(`search`). The field so found is enlarged with the image: each patch keeps its offset, and chooses again among its
own, those of its neighbours, and steps of one pixel (`enlarge`, `refine_field`; after PatchMatch, Barnes et al.,
SIGGRAPH 2009, and k-coherence, Tong et al., SIGGRAPH 2002). That takes time in proportion to the area, and goes on past
the size that was learned to that of the photograph, whose texture and sharpness the votes then have.
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F

from singan.patches.search import PATCH, REUSE, SIDEWAYS, Patches, belonging, nearest, place, project
from singan.patches.vote import FLAT, STRIDE, Field, Wrap, around, positions, voters

REACH = 2  # how far away at most, in voters, the neighbours are whose offsets a patch may take
STEPS = ((1, 0), (-1, 0), (0, 1), (0, -1))  # down, up, right, left
NEIGHBOURS = [(0, 0), *((k * i, k * j) for k in range(1, REACH + 1) for i, j in STEPS)]  # the first is the patch's own
NEAR = 1 + len(STEPS)  # of these, where sources need not stand side by side: more find nothing better then
FAR_APART = 2**32  # more than there are columns
BLOCK = 32, 128  # voters down and across that are compared at once


def voting(image: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """The patches of `image`, (N, 3, H, W), that vote, projected: (N, voters down, voters across, directions)."""
    odd = [(side - PATCH) % STRIDE > 0 for side in image.shape[2:]]  # the last voter stands off the beat

    def down(strip: torch.Tensor) -> torch.Tensor:
        column = project(strip, filters, STRIDE)
        return torch.cat([column, project(strip[:, :, -PATCH:], filters, STRIDE)], 1) if odd[0] else column

    return torch.cat([down(image), down(image[..., -PATCH:])], 2) if odd[1] else down(image)


def search(
    image: torch.Tensor,
    patches: Patches,
    place_prior: float,
    *,
    reuse: float = REUSE,
    region: torch.Tensor | None = None,
    wrap: Wrap = FLAT,
    costs: torch.Tensor | None = None,
    heights: torch.Tensor | None = None,
) -> Field:
    """The field of `image`, (N, 3, H, W), by comparing all patches with all.

    `region`, (1, 1, H, W) of 0 and more, for one image that does not `wrap`: only patches that touch what is over 0 are
    searched for; the others stay at their own place. `costs`, (N, voters, pictures): what is added for each voter to
    the distance from a patch of each picture (`mixture.costs`). `heights`: where rows belong (`belonging`).
    """
    size, device = (image.shape[2], image.shape[3]), image.device
    rows, columns = (positions(side, device, wraps) for side, wraps in zip(size, wrap, strict=True))
    projected = voting(around(image, wrap), patches.filters).flatten(1, 2)
    places = place(belonging(rows, size[0], heights, patches), columns, size, place_prior)
    queries = torch.cat([projected, places.expand(len(image), -1, -1)], 2)  # (N, voters, directions + 2)
    queries = queries if costs is None else torch.cat([queries, costs], 2)
    keys, across = patches.placed(place_prior), patches.shape[1]

    if region is None:
        found = patches.numbers(nearest(queries, keys, reuse)).view(-1, len(rows), len(columns))
        return Field(size, patches.size, found // across, found % across, wrap, patches.pictures)
    field, chosen = own_field(size, patches), touched(region).flatten()
    if chosen.any():
        found = patches.numbers(nearest(queries[:, chosen], keys, reuse)[0])
        field.y.view(-1)[chosen], field.x.view(-1)[chosen] = found // across, found % across
    return field


def identity(size: tuple[int, int], source: tuple[int, int], device: torch.device) -> Field:
    """The field of the training image itself."""
    blank = torch.zeros(1, 1, 1, dtype=torch.long, device=device)
    return enlarge(Field((PATCH, PATCH), (PATCH, PATCH), blank, blank), size, source)


def own_field(size: tuple[int, int], patches: Patches) -> Field:
    """The field of the training image itself, the first where there are several, at another `size`."""
    pictures = patches.pictures
    field = identity(size, pictures[0] if pictures else patches.size, patches.image.device)
    return replace(field, source=patches.size, pictures=pictures)


def touched(region: torch.Tensor) -> torch.Tensor:
    """The voters whose patches touch what is over 0 in `region`, (1, 1, H, W): (voters down, voters across), bool."""
    rows, columns = (positions(side, region.device) for side in region.shape[2:])
    down = F.max_pool2d(region.float(), (PATCH, 1), 1)[:, :, rows]
    return F.max_pool2d(down, (1, PATCH), 1)[0, 0][:, columns] > 0


def enlarge(field: Field, size: tuple[int, int], source: tuple[int, int]) -> Field:
    """The field for an image of `size` and the training image at `source`: each patch keeps its offset, in
    proportion."""
    (y, i), (x, j) = (
        _carried(new, old, field.y.device, wraps) for new, old, wraps in zip(size, field.size, field.wrap, strict=True)
    )  # which old voter, and how far from it, in old pixels
    y, x = field.y[:, i][..., j] + y[:, None], field.x[:, i][..., j] + x
    y, x = (
        ((at + PATCH / 2) * (long / short) - PATCH / 2).round().long().clamp_(0, long - PATCH)
        for at, long, short in zip((y, x), source, field.source, strict=True)
    )
    return Field(size, source, y, x, field.wrap)


def carry_field(field: Field, size: tuple[int, int], patches: Patches) -> Field:
    """As `enlarge`, to where the training image is `patches`; of several pictures, each in its own proportion."""
    if not field.pictures:
        return enlarge(field, size, patches.size)
    (_, i), (_, j) = (
        _carried(new, old, field.y.device, wraps) for new, old, wraps in zip(size, field.size, field.wrap, strict=True)
    )
    which = field.y[:, i][..., j] // field.source[0]
    y, x = torch.zeros_like(which), torch.zeros_like(which)
    for k, (before, after) in enumerate(zip(field.pictures, patches.pictures, strict=True)):
        alone = replace(field, source=before, y=field.y - k * field.source[0])
        there, one = which == k, enlarge(alone, size, after)
        y, x = torch.where(there, one.y + k * patches.size[0], y), torch.where(there, one.x, x)
    return Field(size, patches.size, y, x, field.wrap, patches.pictures)


def refine_field(
    field: Field,
    image: torch.Tensor,
    patches: Patches,
    place_prior: float,
    *,
    region: torch.Tensor | None = None,
    together: float = 0.0,
    projected: torch.Tensor | None = None,
    heights: torch.Tensor | None = None,
) -> Field:
    """Each patch of `image`, (N, 3, *field.size), takes the nearest of a few sources: its own, those of its neighbours
    shifted back, and one pixel beside its own. With a `region`, (1, 1, *field.size), for one image that does not wrap,
    only those that touch what is over 0 do; the others go to their own place. `together`: what a source costs, as mean
    squared difference, that no neighbour has too, shifted back; where some have it, in proportion less.
    `projected`: the patches of `image`, as `voting` gives them, where they are at hand. `heights`: see `search`."""
    image = around(image, field.wrap)

    def refined(top: int, bottom: int) -> tuple[torch.Tensor, torch.Tensor]:
        ends = [(row, min(row + BLOCK[0], bottom)) for row in range(top, bottom, BLOCK[0])]
        strips = [  # so few voters that a candidate's projected patches stay in a core's cache
            _refine_rows(field, image, patches, place_prior, *end, together, projected, heights) for end in ends
        ]
        return torch.cat([y for y, _ in strips], 1), torch.cat([x for _, x in strips], 1)

    if region is None:
        y, x = refined(0, field.shape[0])
        return replace(field, y=y, x=x)
    own, inside = own_field(field.size, patches), touched(region)
    rows = inside.any(1).nonzero().flatten().tolist()
    if rows:
        part = slice(rows[0], rows[-1] + 1)
        y, x = refined(part.start, part.stop)
        own.y[:, part] = torch.where(inside[part], y, own.y[:, part])
        own.x[:, part] = torch.where(inside[part], x, own.x[:, part])
    return own


def side_by_side(
    field: Field,
    image: torch.Tensor,
    patches: Patches,
    place_prior: float,
    cost: float,
    times: int,
    heights: torch.Tensor | None = None,
) -> Field:
    """`refine_field`, so many times, where a source that no neighbour has too costs so much: such sources are passed on
    from patch to patch, and texture is whole."""
    projected = voting(around(image, field.wrap), patches.filters)
    for _ in range(times):
        field = refine_field(field, image, patches, place_prior, together=cost, projected=projected, heights=heights)
    return field


def _refine_rows(
    field: Field,
    image: torch.Tensor,
    patches: Patches,
    place_prior: float,
    top: int,
    bottom: int,
    together: float,
    projected: torch.Tensor | None,
    heights: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`refine_field` for the voters of rows `top` to `bottom`: (N, rows, columns) twice."""
    (height, width), (most_down, most_across), device = field.size, patches.shape, image.device
    rows, columns = (positions(side, device, wraps) for side, wraps in zip(field.size, field.wrap, strict=True))
    row = rows[top:bottom, None]
    belongs = belonging(row, height, heights, patches)
    if projected is None:
        queries = voting(image[:, :, int(row[0]) : int(row[-1]) + PATCH], patches.filters)
    else:
        queries = projected[:, top:bottom]
    # How far each voter's source is from it, and those of the neighbours above and below, left and right.
    above = torch.arange(top - REACH, bottom + REACH, device=device)
    before = torch.arange(-REACH, len(columns) + REACH, device=device)
    (down, i), (across, j) = _there(above, height, field.wrap[0]), _there(before, width, field.wrap[1])
    offsets = torch.stack([field.y[:, i][..., j] - down[:, None], field.x[:, i][..., j] - across])
    steps = torch.tensor(STEPS, device=device).T[..., None, None, None]  # (2, 4, 1, 1, 1)

    def block(left: int, right: int) -> tuple[torch.Tensor, torch.Tensor]:
        """So few columns that the candidates' projected patches stay in a core's cache."""
        shown = [
            offsets[:, :, REACH + down : REACH + down + len(row), REACH + over + left : REACH + over + right]
            for down, over in (NEIGHBOURS if together else NEIGHBOURS[:NEAR])
        ]
        offered = torch.cat([torch.stack(shown, 1), shown[0][:, None] + steps], 1)
        y, x = offered  # (candidates, N, rows, columns)
        column = columns[left:right]
        y, x = (y + row).clamp_(0, most_down - 1), (x + column).clamp_(0, most_across - 1)
        found = patches.keys.index_select(0, (y * patches.shape[1] + x).flatten()).float().view(*y.shape, -1)
        distance = torch.linalg.vector_norm(found.sub_(queries[:, :, left:right]), dim=-1).square_()
        down, across = patches.within(y, x)
        moved = (down - belongs / height).square_() + SIDEWAYS**2 * (across - column / width).square_()
        distance.add_(moved, alpha=place_prior**2)
        if together:
            numbers = offered[0] * FAR_APART + offered[1]  # one for each offset
            alone = numbers != numbers[1 : len(shown), None]  # (neighbours, candidates, N, rows, columns)
            distance.add_(alone.float().mean(0), alpha=together)
        best = distance.min(0, keepdim=True)[1]
        return y.gather(0, best)[0], x.gather(0, best)[0]

    blocks = [block(left, min(left + BLOCK[1], len(columns))) for left in range(0, len(columns), BLOCK[1])]
    return torch.cat([y for y, _ in blocks], 2), torch.cat([x for _, x in blocks], 2)


def _carried(new: int, old: int, device: torch.device, wraps: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """For each voter along a side of `new` pixels: how far it is from the nearest one of a side of `old` pixels, in
    old pixels, and which one that is."""
    at = (positions(new, device, wraps) + PATCH / 2) * (old / new) - PATCH / 2
    edges, index = _there((at / STRIDE).round().long(), old, wraps)
    return at - edges, index


def _there(index: torch.Tensor, side: int, wraps: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The edges of the voters that stand at those numbers along a side, and their own numbers: beyond the ends the last
    one's, or where it wraps those from the other side, a turn away."""
    edges, many = positions(side, index.device, wraps), voters(side, wraps)
    if not wraps:
        index = index.clamp(0, many - 1)
        return edges[index], index
    turns = index.div(many, rounding_mode="floor")
    return edges[index % many] + side * turns, index % many
