"""How the knob `variation` is made even: measured after the first scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from singan.checkpoint import CURVE
from singan.model import SinGAN, diversity


def variation_curve(model: SinGAN, real: torch.Tensor) -> list[float]:
    """The share of fresh noise for each part of the greatest diversity, after scale 0.

    A well-trained scale 0 takes noise near z_star for z_star, so that diversity stays at nothing for small shares
    and then rises steeply; this makes `variation` an even knob. Where content is displaced it is one without: how far
    things move goes by the share alone, whatever the photograph.
    """
    shares = [i / CURVE for i in range(CURVE + 1)]
    if model.config.displacement:
        return shares
    rounds = tuple(min(rounds, 2) for rounds in model.config.voting_rounds)
    fewer = replace(model.config, voting_rounds=rounds, candidates=1)  # for speed: a draft takes this long
    model = replace(model, config=fewer, variation_curve=shares)
    found = [
        diversity(torch.cat([model.sample_tensor(seed, model.image_size, 0, v, until=1) for seed in range(4)]), real)
        for v in shares
    ]
    rising = np.maximum.accumulate(found) + 1e-9 * np.arange(CURVE + 1)
    return [float(v) for v in np.interp(np.linspace(0, rising[-1], CURVE + 1), rising, shares)]
