"""Min-sum belief propagation: which choice each node of a graph makes, so that little is paid."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from singan.device import total

PIECE = 2**17  # numbers that are added up and looked through at once


def propagate(alone: torch.Tensor, cuts: torch.Tensor, edges: torch.Tensor, sweeps: int) -> torch.Tensor:
    """Which choice, of L, each of n nodes makes, (n,), so that little is paid: `alone`, (n, L), and at `edges`, (e, 2),
    `cuts`, (e, L, L). Min-sum belief propagation, damped; of what it comes by, the cheapest, or the first of all."""
    left, right = edges.T
    forth, back = (alone.new_zeros(len(left), alone.shape[1]) for _ in range(2))
    node, edge = torch.arange(len(alone), device=left.device), torch.arange(len(left), device=left.device)

    def cost(choice: torch.Tensor) -> float:
        return float(total(alone[node, choice]) + total(cuts[edge, choice[left], choice[right]]))

    best = node * 0
    least = cost(best)
    for sweep in range(sweeps):
        belief = alone.index_add(0, right, forth).index_add_(0, left, back)
        if sweep % 4 == 3 or sweep == sweeps - 1:
            choice = belief.argmin(1)
            if (now := cost(choice)) < least:
                best, least = choice, now
        onward, backward = _least(cuts, belief[left] - back, belief[right] - forth)
        forth = (forth + onward - onward.amin(1, keepdim=True)) / 2
        back = (back + backward - backward.amin(1, keepdim=True)) / 2
    return best


def _least(cuts: torch.Tensor, onward: torch.Tensor, backward: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The least that each choice costs the node at the other end, both ways: (e, L)."""
    forth, back = torch.empty_like(onward), torch.empty_like(backward)
    for at in pieces(*onward.shape):
        forth[at] = (cuts[at] + onward[at, :, None]).amin(1)
        back[at] = (cuts[at] + backward[at, None]).amin(2)
    return forth, back


def pieces(edges: int, choices: int) -> Iterator[slice]:
    """The parts of so many edges that are looked at one by one: what all pairs of choices cost there stays in the
    cache."""
    count = max(1, PIECE // choices**2)
    return (slice(start, start + count) for start in range(0, edges, count))
