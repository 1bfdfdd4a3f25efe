"""How far an image is from the one that it should be, pixel by pixel: for super-resolution, denoising, reconstructions.

All compare 8-bit values, 0 to 255, of all three channels: what a PNG holds.
"""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F

from singan.errors import ImageError

WINDOW, SIGMA = 11, 1.5  # of SSIM, in pixels
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def rmse(x: torch.Tensor, truth: torch.Tensor) -> float:
    """Root mean square error, 0 to 255; lower is nearer. `x`, `truth`: (1, 3, H, W) in [-1, 1], of one size.

    This and the others raise `ImageError` for images of different sizes.
    """
    a, b = _pixels(x, truth)
    return float((a - b).square().mean().sqrt())


def psnr(x: torch.Tensor, truth: torch.Tensor) -> float:
    """Peak signal-to-noise ratio in decibels, 20 log10(255 / rmse); infinity for equal images; higher is nearer."""
    error = rmse(x, truth)
    return 20 * math.log10(255 / error) if error else math.inf


def ssim(x: torch.Tensor, truth: torch.Tensor) -> float:
    """Structural similarity (Wang et al. 2004), up to 1; higher is nearer.

    Gaussian window of 11 px and sigma 1.5, K 0.01 and 0.03, where the window is inside the image; the mean of the
    three channels. Published figures are often of luma alone, or of a square window: they differ in the second digit.
    """
    a, b = (image.transpose(0, 1) for image in _pixels(x, truth))  # (3, 1, H, W)
    if min(a.shape[2:]) < WINDOW:
        raise ImageError(f"SSIM looks through a window of {WINDOW} px, and an image is {a.shape[3]}x{a.shape[2]} px.")
    blur = partial(blurred, window=WINDOW, sigma=SIGMA)
    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, both = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    means = (2 * mean_a * mean_b + C1) / (mean_a**2 + mean_b**2 + C1)
    return float((means * (2 * both + C2) / (var_a + var_b + C2)).mean())


def blurred(x: torch.Tensor, window: int, sigma: float) -> torch.Tensor:
    """Means of `x`, (N, 1, H, W) float64, in a Gaussian window: (N, 1, H - window + 1, W - window + 1)."""
    offsets = torch.arange(window, dtype=torch.float64, device=x.device) - window // 2
    weights = torch.exp(-offsets.square() / (2 * sigma**2))
    weights = weights / weights.sum()
    return F.conv2d(F.conv2d(x, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))


def _pixels(x: torch.Tensor, truth: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    if x.shape != truth.shape:
        sizes = [f"{image.shape[-1]}x{image.shape[-2]}" for image in (x, truth)]
        raise ImageError(f"Images of {sizes[0]} and {sizes[1]} px cannot be compared pixel by pixel: resize one.")
    a, b = (((image.double() + 1) * 127.5).clamp(0, 255).round() for image in (x, truth))
    return a, b
