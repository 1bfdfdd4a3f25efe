"""How far the features of two images are apart as distributions, wherever in the images they are."""

from __future__ import annotations

from typing import NamedTuple

import torch

from singan.metrics.inception import Inception

PART = 65_536  # features in double precision at once


class Gaussian(NamedTuple):
    """What a Fréchet distance knows of features: float64."""

    mean: torch.Tensor  # (d,)
    covariance: torch.Tensor  # (d, d), of a sample: over n - 1


def fit_gaussian(features: torch.Tensor) -> Gaussian:
    """(n, d), n at least 2."""
    count, channels = features.shape
    mean = sum((part.double().sum(0) for part in features.split(PART)), features.new_zeros(channels).double()) / count
    products = torch.zeros(channels, channels, dtype=torch.float64, device=features.device)
    for part in features.split(PART):
        centred = part.double() - mean
        products += centred.T @ centred
    return Gaussian(mean, products / (count - 1))


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """|m_a - m_b|^2 + tr(A + B - 2 (A B)^(1/2)) (Dowson and Landau 1982), by the eigenvalues of A^(1/2) B A^(1/2):
    they are those of A B, and never complex."""
    values, vectors = torch.linalg.eigh(a.covariance)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    shared = torch.linalg.eigvalsh(root @ b.covariance @ root).clamp_min(0).sqrt().sum()
    means = (a.mean - b.mean).square().sum()
    return max(0.0, float(means + a.covariance.trace() + b.covariance.trace() - 2 * shared))


def sifid(x: torch.Tensor, real: torch.Tensor, inception: Inception, channels: int = 192) -> float:
    """Single Image Fréchet Inception Distance (SinGAN sec. 3.1): 0 for the image itself; lower is nearer.

    `x`, `real`: (1, 3, H, W) in [-1, 1], of one size or not, each at least 25 px. `channels`: 192, the features before
    the second pooling, as in the paper, or 64, those before the first, as in the first version of its code.
    """
    a, b = (fit_gaussian(inception.maps(image, channels)[0].flatten(1).T) for image in (x, real))
    return frechet_distance(a, b)
