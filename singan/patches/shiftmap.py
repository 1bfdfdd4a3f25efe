"""The hole of an image as a graph: what each of its pixels may take, what that costs, and what is chosen (stitch)."""

from __future__ import annotations

import math
from functools import cached_property

import torch
import torch.nn.functional as F

from singan.device import deviation, total
from singan.patches.belief import pieces, propagate
from singan.patches.light import FADE, light_of, mean, solved
from singan.pyramid import resize

WINDOW = 7  # pixels a side: what is compared to find offsets
KEPT = 40  # offsets, after a first look
AT_ONCE = 30_000  # nodes at most whose offsets are looked at together
COLOR, STEP = 0.7, 1.0  # weights of the difference of colours, and of that of steps to the next pixel
CONTRAST = 0.5  # deviation that images are brought to before they are compared
MOST = 0.7  # of a squared difference: what differs more differs, and is no worse
CUT = 0.002  # what any cut costs
NEVER = 8.0  # what a pixel costs that is not there
EDGE, REACH = 30.0, 2  # weight of what does not continue the surroundings, looked at so many pixels around
HEIGHT, WIDTH = 0.3, 0.03  # what an offset by the whole height costs, and one by the whole width
REPEATED, NEARBY = 0.008, 0.2  # what a copy of what is right beside it costs, and from what share of the sides on not
DISTINCT = 0.25  # deviation, within a window, of what costs all of that: plain sky may come again
CHANGED = 0.4  # weight of what differs from the photograph where a band around the hole is drawn anew
CHANCE = 0.03  # how much seeds may make an offset dearer
PASSES, SWEEPS = 30, 6  # of belief propagation: on the coarsest image, and on each finer one
MANY_NODES = 6000  # more of them are offered less
BUSY = 0.22  # steps from pixel to pixel by which less of a step across a cut is light
SOFT = 0.5  # pixels at 250 px on either side of a cut where both sides are seen
MARGIN = 5  # pixels around the hole that its light depends on
NOWHERE = -(2**20)  # an offset that stands for none
SPAN = 2**21  # more than two offsets differ


class Level:
    """The hole at one size: a graph whose nodes are its n pixels. Offsets, (..., 3), are rows down, columns across, and
    the number of the source."""

    def __init__(
        self,
        image: torch.Tensor,
        hole: torch.Tensor,
        sources: torch.Tensor,
        usable: torch.Tensor,
        size: tuple[int, int],
        inner: torch.Tensor | None = None,
        distinct: torch.Tensor | None = None,
    ) -> None:
        """`inner`, (1, 1, H, W): what of the hole must be drawn; the rest should differ little from the photograph.
        `distinct`, (S, 1, any, any): that of a coarser level, if there is one."""
        self.size = size
        self.known = F.adaptive_max_pool2d(hole, size)[0, 0] == 0  # (height, width)
        needed = self.known if inner is None else F.adaptive_max_pool2d(inner, size)[0, 0] == 0
        self.around = needed & ~self.known  # what of the hole need not be drawn
        self.usable = F.adaptive_max_pool2d(1 - usable, size)[:, 0] == 0  # (S, height, width)
        self.image, self.sources = _shrunk(image, 1 - hole, size), _shrunk(sources, usable, size)
        scale = CONTRAST / float(deviation(self.image).clamp_min(0.02))
        self.shown = _planes(scale * self.image)
        self.offered = self.shown if self.sources is self.image else _planes(scale * self.sources)
        if distinct is None:
            distinct = (_deviation(scale * self.sources, self.usable[:, None].float()) / DISTINCT).clamp_(max=1)
        self.distinct = resize(distinct, size)  # how much of something there is to see in the sources, from 0 to 1
        sure = self.known.clone()  # where the steps to the next pixels are known too
        sure[:, :-1] &= self.known[:, 1:]
        sure[:-1] &= self.known[1:]
        self.sure = sure
        self.nodes = (~self.known).nonzero()  # (n, 2)
        self.index = torch.full(size, -1, dtype=torch.int32, device=image.device)
        self.index[~self.known] = torch.arange(len(self.nodes), dtype=torch.int32, device=image.device)
        edges = []
        for a, b in ((self.index[:, :-1], self.index[:, 1:]), (self.index[:-1], self.index[1:])):
            inside = (a >= 0) & (b >= 0)
            edges.append(torch.stack([a[inside], b[inside]], 1).long())
        self.edges = torch.cat(edges)  # (edges, 2): the numbers of two neighbours

    def staying(self) -> torch.Tensor:
        """The offsets of what stands in the hole itself, in each of the sources: (S, 3)."""
        return torch.tensor([[0, 0, source] for source in range(len(self.sources))], device=self.nodes.device)

    @cached_property
    def windows(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The whole windows of the sources: their centres, (m, 3), and pixels, (m, 147)."""
        reach = WINDOW // 2
        missing = F.pad((~self.usable)[:, None].float(), (reach,) * 4, value=1.0)
        whole = F.max_pool2d(missing, WINDOW, 1)[:, 0] == 0  # (S, height, width)
        keys = F.unfold(self.sources, WINDOW, padding=reach).mT  # (S, height * width, 147)
        return whole.nonzero()[:, [1, 2, 0]], keys[whole.flatten(1)]

    def look(self, at: torch.Tensor, offsets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What stands at `offsets`, (m, L, 3), from the places `at`, (m, 2): their numbers among all pixels of the
        sources, and whether they are there, both (m, L)."""
        (height, width), (down, across, source) = self.size, offsets.unbind(-1)
        rows, columns = at[:, :1] + down, at[:, 1:] + across
        there = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        number = (source * height + rows.clamp(0, height - 1)) * width + columns.clamp(0, width - 1)
        return number, there & self.usable.view(-1)[number]

    def features(self, planes: torch.Tensor, number: torch.Tensor) -> torch.Tensor:
        """What is compared of some pixels of images of this size, `planes`, (3, any), by their numbers, (...): their
        colours, and the steps to the next ones: (..., 9)."""
        height, width = self.size
        place = number % (height * width)
        right, below = place % width < width - 1, place < (height - 1) * width
        here, across, down = (planes[:, at] for at in (number, number + right, number + width * below))
        return torch.cat([COLOR * here, STEP * (across - here), STEP * (down - here)]).movedim(0, -1).contiguous()

    def alone(self, nodes: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """What the `offsets`, (m, L, 3), of `nodes`, (m, 2), cost by themselves: (m, L)."""
        number, there = self.look(nodes, offsets)
        share = offsets[..., :2] / torch.tensor(self.size, device=offsets.device)
        near = (1 - share.square().sum(2).sqrt() / NEARBY).clamp(min=0)
        near *= (offsets[..., :2] != 0).any(2)
        cost = (
            REPEATED * near * self.distinct.view(-1)[number]
            + NEVER * (~there).float()
            + share.square() @ torch.tensor([HEIGHT, WIDTH], device=offsets.device)
        )
        free = self.around[nodes[:, 0], nodes[:, 1]].nonzero()[:, 0]
        if len(free):
            own = self.features(self.offered, nodes[free, 0] * self.size[1] + nodes[free, 1])
            away = (self.features(self.offered, number[free]) - own[:, None]).square().mean(2).clamp_(max=MOST)
            cost[free] += CHANGED * away
        around = [(i, j) for i in range(-REACH, REACH + 1) for j in range(-REACH, REACH + 1)]
        bell = {(i, j): math.exp(-(i * i + j * j) / 4) for i, j in around}
        for shift, weight in bell.items():
            place = nodes + torch.tensor(shift, device=offsets.device)
            inside = (place >= 0).all(1) & (place < torch.tensor(self.size, device=offsets.device)).all(1)
            beside = inside.nonzero()[:, 0]
            beside = beside[self.sure[place[beside, 0], place[beside, 1]]]
            if len(beside):
                number, there = self.look(place[beside], offsets[beside])
                wanted = self.features(self.shown, place[beside, 0] * self.size[1] + place[beside, 1])
                away = (self.features(self.offered, number) - wanted[:, None]).square().mean(2).clamp_(max=MOST)
                cost[beside] += (EDGE * weight / sum(bell.values())) * torch.where(there, away, MOST / 2)
        return cost

    def cuts(self, nodes: torch.Tensor, offsets: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        """What it costs that one of `nodes`, (m, 2), takes one of its `offsets`, (m, L, 3), and its neighbour, by
        `edges`, (e, 2), one of its own: (e, L, L)."""
        left, right = offsets[edges].unbind(1)  # (e, L, 3)
        seen = [
            [self.features(self.offered, self.look(nodes[end], side)[0]) for side in (left, right)] for end in edges.T
        ]
        left, right = _numbers(left), _numbers(right)
        cost = torch.empty(*left.shape, right.shape[1], device=offsets.device)
        for at in pieces(*left.shape):
            away = [torch.cdist(a[at], b[at]).square_().div_(a.shape[2]) for a, b in seen]
            same = left[at, :, None] == right[at, None]
            torch.add(*away, out=cost[at]).clamp_(max=MOST).add_(CUT).masked_fill_(same, 0)
        return cost

    def cost(self, chosen: torch.Tensor) -> float:
        """What is paid for one offset of each node, (n, 3)."""
        cuts = self.cuts(self.nodes, chosen[:, None], self.edges)
        return float(total(self.alone(self.nodes, chosen[:, None])) + total(cuts))

    def choose_first(self, offsets: torch.Tensor, seed: int, most: int = KEPT, each: int = KEPT) -> torch.Tensor:
        """One of `offsets`, (L, 3), for each node, (n, 3): of `most` that cost least somewhere, as far as some of a
        great many nodes tell, and of these of the `each` that cost the node least alone, by what they cost."""
        dearer = (CHANCE if seed else 0) * torch.rand(len(offsets), generator=torch.Generator().manual_seed(seed))

        def alone(nodes: torch.Tensor, offsets: torch.Tensor, dearer: torch.Tensor) -> torch.Tensor:
            parts = nodes.split(AT_ONCE)
            return torch.cat([self.alone(part, offsets.expand(len(part), -1, -1)) for part in parts]) + dearer

        dearer, some = dearer.to(offsets.device), self.nodes[:: math.ceil(len(self.nodes) / AT_ONCE)]
        cost = alone(some, offsets, dearer)
        if len(offsets) > most:
            there = cost < NEVER
            worth = torch.where(there, cost, NEVER).mean(0) + cost.amin(0)
            wins = torch.bincount(cost.argmin(1), minlength=len(offsets)) / len(some)
            kept = (worth - wins).topk(most, largest=False).indices
            offsets, cost, dearer = offsets[kept], cost[:, kept], dearer[kept]
        if len(some) < len(self.nodes):
            cost = alone(self.nodes, offsets, dearer)
        offered = offsets.expand(len(self.nodes), -1, -1)
        if each < len(offsets):
            cost, cheapest = cost.topk(each, largest=False)
            offered = offsets[cheapest]
        best = propagate(cost, self.cuts(self.nodes, offered, self.edges), self.edges, PASSES)
        return offered[torch.arange(len(best)), best]

    def choose(self, offsets: torch.Tensor) -> torch.Tensor:
        """One of its `offsets`, (n, L, 3), for each node: (n, 3). Where a node and its neighbours are offered a single
        one they take it."""
        several = (offsets != offsets[:, :1]).flatten(1).any(1)
        open_, edges = self.edges[several[self.edges].any(1)].unique(return_inverse=True)  # nodes, and edges of them
        chosen = offsets[:, 0].clone()
        if len(open_):
            nodes, offered = self.nodes[open_], offsets[open_]
            best = propagate(self.alone(nodes, offered), self.cuts(nodes, offered, edges), edges, SWEEPS)
            chosen[open_] = offered[torch.arange(len(best), device=best.device), best]
        return chosen.long()

    def carried(self, coarser: Level, chosen: torch.Tensor) -> torch.Tensor:
        """What nodes are offered here, (n, L, 3): what the coarser level has chosen, (m, 3), where they are, the same a
        pixel aside, and what it has chosen around."""
        height, width = coarser.size
        ratio = torch.tensor([self.size[0] / height, self.size[1] / width, 1.0], device=chosen.device)
        at = (self.nodes + 0.5) / ratio[:2] - 0.5
        table = torch.full((height, width, 3), NOWHERE, dtype=torch.int32, device=chosen.device)
        table[coarser.nodes[:, 0], coarser.nodes[:, 1]] = chosen.int()

        def offered(i: int, j: int) -> torch.Tensor:
            rows, columns = (at + torch.tensor([i, j], device=at.device)).round().long().unbind(1)
            found = table[rows.clamp(0, height - 1), columns.clamp(0, width - 1)]
            return torch.where(found == NOWHERE, NOWHERE, (found * ratio).round().int())

        around = [(i, j) for r in (1, 2) for i, j in ((r, 0), (-r, 0), (0, r), (0, -r))]
        few = len(self.nodes) > MANY_NODES
        own, others = offered(0, 0), []
        for number, place in enumerate(around):
            other = offered(*place)
            own = torch.where(own == NOWHERE, other, own)  # a node that the coarser level has not
            if number > 3 or not few:
                others.append(other)
        own = torch.where(own == NOWHERE, 0, own)
        aside = [] if few else [own + torch.tensor([i, j, 0]).to(own) for i, j in around[:4]]
        for other in others:
            missing = other == NOWHERE
            other[missing] = own[missing]
        return torch.stack([own, *aside, *others], 1)

    def softened(
        self, chosen: torch.Tensor, colors: torch.Tensor, lighter: torch.Tensor, corner: torch.Tensor
    ) -> torch.Tensor:
        """The colours of the nodes, (n, 3): the mean of what the offsets of a node and of its neighbours show there, so
        that cuts are as soft as the edges of things. `colors`, (3, any): of the sources; `lighter`, (any, any, 3): what
        is added to the copies of each node, from the `corner`, (2,), of the image on."""
        reach, side = max(1, round(SOFT * max(self.size) / 250)), torch.tensor(self.size, device=chosen.device)
        at = tuple((self.nodes - corner).T)
        label = lighter.new_full((1, 1, *lighter.shape[:2]), -1)
        label[0, 0][at] = _numbers(chosen).unique(return_inverse=True)[1].to(label)
        both = F.pad(torch.cat([label, -label]), (reach,) * 4, mode="replicate")
        most, least = F.max_pool2d(F.max_pool2d(both, (2 * reach + 1, 1), 1), (1, 2 * reach + 1), 1)[:, 0]
        near = (most != -least)[at].nonzero()[:, 0]  # the nodes that have a cut around them
        wide = F.pad(lighter.movedim(2, 0)[None], (reach,) * 4, mode="replicate")
        mean = F.avg_pool2d(F.avg_pool2d(wide, (2 * reach + 1, 1), 1), (1, 2 * reach + 1), 1)[0].movedim(0, 2)
        own = self.look(self.nodes, chosen[:, None])[0][:, 0]
        result, nodes, own = colors[:, own].T + mean[at], self.nodes[near], own[near]
        total = torch.zeros(len(near), 3, device=chosen.device)
        for i in range(-reach, reach + 1):
            for j in range(-reach, reach + 1):
                places = (nodes + torch.tensor([i, j], device=nodes.device)).clamp(min=0).minimum(side - 1)
                beside = self.index[places[:, 0], places[:, 1]]
                number, there = self.look(nodes, chosen[beside][:, None])
                there = there[:, 0] & (beside >= 0)
                places = torch.where(there[:, None], places, nodes) - corner
                total += colors[:, torch.where(there, number[:, 0], own)].T + lighter[places[:, 0], places[:, 1]]
        result[near] = total / (2 * reach + 1) ** 2
        return result

    def evened(self, chosen: torch.Tensor, light: float, usual: float = BUSY) -> torch.Tensor:
        """The image, (1, 3, height, width), with what was `chosen`, (n, 3), in its hole, and the light evened out."""
        corner, end = (self.nodes.amin(0) - MARGIN).clamp(min=0), self.nodes.amax(0) + 1 + MARGIN
        box, at = tuple(map(slice, corner.tolist(), end.tolist())), tuple((self.nodes - corner).T)
        known, colors = self.known[box], _planes(self.sources)
        (height, width), device = known.shape, chosen.device  # of the box
        offsets = torch.zeros(height, width, 3, dtype=torch.long, device=device)
        offsets[at] = chosen
        filled = self.image[0].movedim(0, 2)[box].clone()  # (height, width, 3)
        filled[at] = colors[:, self.look(self.nodes, chosen[:, None])[0][:, 0]].T
        rows, columns = (torch.arange(side, device=device) for side in known.shape)
        grid = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), 2) + corner
        pairs = (
            ((slice(0, height - 1), slice(None)), (slice(1, height), slice(None))),
            ((slice(None), slice(0, width - 1)), (slice(None), slice(1, width))),
        )
        cuts = [(offsets[low] != offsets[high]).any(2) | (known[low] != known[high]) for low, high in pairs]
        steps = filled.new_zeros(height, width)  # but those of the cuts
        for (low, high), cut in zip(pairs, cuts, strict=True):
            steps[low] += (filled[high] - filled[low]).abs().mean(2).masked_fill_(cut, 0)
        busy = F.avg_pool2d(steps[None, None], 5, 1, 2, count_include_pad=False)[0, 0, :, :, None]
        right = torch.zeros_like(filled)  # by how much the steps of the sources differ from those here
        for (low, high), cut in zip(pairs, cuts, strict=True):
            step = filled[high][cut] - filled[low][cut]
            total, count = torch.zeros_like(step), torch.zeros_like(step[:, :1])
            for here, there, sign in ((low, high, 1), (high, low, -1)):
                number, found = self.look(grid[there][cut], offsets[here][cut][:, None])
                copied = (found[:, 0] & ~known[here][cut])[:, None].float()
                total += copied * sign * (colors[:, number[:, 0]].T - filled[here][cut])
                count += copied
            jump = torch.where(count > 0, total / count.clamp(min=1) - step, 0)
            limit = light * torch.exp(-(busy[low][cut] + busy[high][cut]) / usual)
            jump = light_of(jump, limit)
            right[high][cut] += jump
            right[low][cut] -= jump
        lighter = solved(right.movedim(2, 0)[None], (~known)[None, None].float(), FADE * max(self.size) / 250)
        result = self.image.clone()
        places = self.nodes[:, 0], self.nodes[:, 1]
        result[0, :, places[0], places[1]] = self.softened(chosen, colors, lighter[0].movedim(0, 2), corner).T
        return result.clamp_(-1, 1)


def _shrunk(images: torch.Tensor, known: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """`images`, (N, 3, H, W), at another size, without what is not `known`, (N, 1, H, W), in the pixels beside it."""
    if images.shape[2:] == size:
        return images
    return resize(images * known, size) / resize(known, size).clamp_min(0.05)


def _deviation(images: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """The standard deviation of what is `known`, (N, 1, H, W), in the window around each pixel of (N, 3, H, W):
    (N, 1, H, W)."""
    share = mean(known, WINDOW).clamp_min(0.5 / WINDOW**2)
    variance = mean(known * images.square(), WINDOW) / share - (mean(known * images, WINDOW) / share).square()
    return variance.clamp_min(0).mean(1, keepdim=True).sqrt()


def _numbers(offsets: torch.Tensor) -> torch.Tensor:
    """A number for each of `offsets`, (..., 3), the same for the same."""
    down, across, source = offsets.long().unbind(-1)
    return (source * SPAN + down) * SPAN + across


def _planes(images: torch.Tensor) -> torch.Tensor:
    """The pixels of (N, 3, H, W), as they are numbered: (3, N * H * W)."""
    return images.movedim(1, 0).flatten(1)
