"""The knob `variation`: how much of scale 0's noise is fresh, and the curve that makes it even."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from singan.metrics.diversity import diversity

CURVE = 10  # parts of the variation curve
EVEN = [i / CURVE for i in range(CURVE + 1)]  # the curve of a knob that is even by itself
SAMPLES = 4  # that diversity is measured of


def fresh_share(curve: Sequence[float], variation: float) -> float:
    """v of `SinGAN.sample`: `curve` at `variation`, linear between its points."""
    at = variation * CURVE
    i = min(int(at), CURVE - 1)
    low, high = curve[i], curve[i + 1]
    return low + (high - low) * (at - i)


def reordered(variation: float) -> float:
    """How much it counts, in a new order of columns, where each had better stand: from two thirds on the whole."""
    return min(1.0, 1.5 * variation)


def beyond_half(variation: float) -> float:
    """0 up to one half, and 1 at 1."""
    return max(0.0, 2 * variation - 1)


def mix_noise(fresh: torch.Tensor, own: torch.Tensor, share: float) -> torch.Tensor:
    """Noise of scale 0, like `fresh`: (N, 3 or 5, H, W), `share` of that, the rest `own`, (1, 3, any, any), the
    training image's.

    Where content is displaced, by channels 3 and 4, that goes with the square of `share`, and the generator gets the
    eighth power: what it invents keeps neither columns nor reflections together, and is wanted where moving alone is
    not new enough.
    """
    drawn = share**8 if fresh.shape[1] > 3 else share
    own = F.interpolate(own, size=fresh.shape[2:], mode="nearest")
    return torch.cat([drawn * fresh[:, :3] + math.sqrt(1 - drawn**2) * own, share**2 * fresh[:, 3:]], 1)


def measured_curve(draw: Callable[[int, float], torch.Tensor], real: torch.Tensor) -> list[float]:
    """The share of fresh noise for each part of the greatest diversity, after scale 0, whose image is `real`.

    `draw(seed, share)` is a sample, (1, 3, H, W). A well-trained scale 0 takes noise near z_star for z_star, so that
    diversity stays at nothing for small shares and then rises steeply; this makes `variation` an even knob.
    """
    found = [diversity(torch.cat([draw(seed, share) for seed in range(SAMPLES)]), real) for share in EVEN]
    rising = np.maximum.accumulate(found) + 1e-9 * np.arange(CURVE + 1)
    return [float(v) for v in np.interp(np.linspace(0, rising[-1], CURVE + 1), rising, EVEN)]
