"""NIQE, a no-reference image quality (Mittal, Soundararajan and Bovik, IEEE Signal Processing Letters 2013).

How far an image's statistics of locally normalised brightness are from those of natural photographs; lower is
better. The statistics of the photographs are the authors' own (niqe_image_params.mat).
"""

import numpy as np
from PIL import Image
from scipy.io import loadmat
from scipy.ndimage import correlate1d
from scipy.special import gamma

BLOCK = 96  # pixels
SHAPES = np.arange(0.2, 10.001, 0.001)
RATIOS = gamma(2 / SHAPES) ** 2 / (gamma(1 / SHAPES) * gamma(3 / SHAPES))


def niqe(image, parameters):
    """The score of an RGB image; `parameters` is the path of the authors' file."""
    stored = loadmat(parameters)
    mean, cov = stored["pop_mu"].ravel(), stored["pop_cov"]
    grey = np.asarray(image.convert("RGB"), dtype=float) @ (0.298936, 0.587043, 0.114021)
    grey = np.round(grey)[: grey.shape[0] // BLOCK * BLOCK, : grey.shape[1] // BLOCK * BLOCK]
    half = Image.fromarray(grey.astype("f")).resize((grey.shape[1] // 2, grey.shape[0] // 2), Image.Resampling.BICUBIC)
    features = np.hstack([block_features(grey, BLOCK), block_features(np.asarray(half, dtype=float), BLOCK // 2)])
    apart = mean - np.nanmean(features, 0)
    cov_here = np.cov(features[~np.isnan(features).any(1)], rowvar=False)
    return float(np.sqrt(apart @ np.linalg.pinv((cov + cov_here) / 2) @ apart))


def block_features(grey, side):
    """(blocks, 18): shape and scale of the normalised brightness and of its products with four neighbours."""
    normal = normalise(grey)
    rows, columns = normal.shape[0] // side, normal.shape[1] // side
    blocks = normal[: rows * side, : columns * side].reshape(rows, side, columns, side).swapaxes(1, 2)
    return np.array([describe(block) for block in blocks.reshape(-1, side, side)])


def normalise(grey):
    """Brightness minus its local mean, over its local deviation (Gaussian window of 7x7)."""
    window = np.exp(-(np.arange(-3, 4) ** 2) / (2 * (7 / 6) ** 2))
    window /= window.sum()

    def blur(x):
        return correlate1d(correlate1d(x, window, 0, mode="nearest"), window, 1, mode="nearest")

    mean = blur(grey)
    return (grey - mean) / (np.sqrt(np.abs(blur(grey**2) - mean**2)) + 1)


def describe(block):
    shape, left, right = asymmetric_fit(block)
    values = [shape, (left + right) / 2]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        shape, left, right = asymmetric_fit(block * np.roll(block, shift, (0, 1)))
        mean = (right - left) * gamma(2 / shape) / np.sqrt(gamma(1 / shape) * gamma(3 / shape))
        # As the parameters were made: the left scale of diagonal neighbours stands there twice.
        values += [shape, mean, left, left if all(shift) else right]
    return values


def asymmetric_fit(x):
    """Shape, left and right scale of an asymmetric generalised Gaussian, by moments."""
    x = x.ravel()
    left, right = np.sqrt((x[x < 0] ** 2).mean()), np.sqrt((x[x > 0] ** 2).mean())
    skew = left / right
    ratio = np.abs(x).mean() ** 2 / (x**2).mean()
    ratio *= (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = SHAPES[((RATIOS - ratio) ** 2).argmin()]
    scale = np.sqrt(gamma(1 / shape) / gamma(3 / shape))
    return shape, left * scale, right * scale
