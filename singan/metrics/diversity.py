"""How much samples differ from one another."""

from __future__ import annotations

import torch


def diversity(samples: torch.Tensor, real: torch.Tensor) -> float:
    """Standard deviation of each pixel over the samples, averaged, over that of the image (SinGAN sec. 3.1).

    `samples`: (N, 3, H, W), N at least 2; `real`: (1, 3, H, W) or of another size. 0: they are all the same.
    """
    return float(samples.mean(1).std(0).mean() / real.mean(1).std().clamp_min(1e-6))
