"""Injection: an image enters the pyramid at some scale, and the finer scales make it one of the training image's kind
(SinGAN sec. 4). Painting, harmonising, editing and denoising differ in what goes in and in what is done with the
result; where it goes in is chosen here.

Published, the image is shrunk to the scale before and refined from there. That relies on generators which pull
anything towards the training image; ours reconstruct too well for it. So the shrunk image
first goes through the same patch voting as a sample of that scale would, and so do the next scales' results. What a
task must keep it gives back to the image after every vote: all that is outside a region, and coarse structure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from PIL import Image

from singan.checks import check_seed
from singan.errors import ConfigError
from singan.image import tensor_to_image
from singan.model import SinGAN
from singan.patches.search import distances_to
from singan.pyramid import MAX_SEARCHED_PIXELS, resize
from singan.sampling import Settle, unheld
from singan.scale import draw_noise
from singan.tasks.filters import blur

Scale = int | Sequence[int] | Literal["auto", "all"]

NEGLIGIBLE = 1e-4  # squared distance below which the input's patches count as the training image's own
MAX_JUDGED = 20_000_000  # comparisons of patches by which the fit of a result is measured


@dataclass(frozen=True)
class TaskEvent:
    """Progress of a task that takes more than a moment."""

    done: int  # of `total`
    total: int
    unit: Literal["scale", "frame", "pass", "sample", "step"]
    image: Image.Image | None = None  # what was just made


OnEvent = Callable[[TaskEvent], object]


@dataclass(frozen=True)
class Injection:
    """What enters the pyramid, and how the results are treated.

    `image`: (1, 3, H, W) in [-1, 1]; the result has its size. `given`: what the user gave, if that is another image:
    results are judged by it. `rounds` of voting at the scale before the injection, at it, and so on. `reuse`:
    see `patches.field.search`. `region`, (1, 1, H, W), 0 to 1: how far the result may leave `image`; where it is 0
    nothing is voted or judged. `structure`: what is coarser than so many pixels, of 250, stays the image's during the
    `rounds`, with `texture_only` to the end. `limit` of the structure that may be lost, how much its loss weighs
    against misfit (`keep`), and whether to take the `coarsest` within the limit, the last that is made then.
    `joins`: sources end up side by side, as in samples.
    `judge_finest`: what has to go is fine, like noise, so that misfit is judged at the finest scale too. `palette`,
    (colours, 3): the enlarged image is reduced to these at the injection scale. `finish` makes the result of what the
    pyramid returns, both (1, 3, H, W). `draw` is asked for a scale's result instead of the pyramid; `usual`: the scale
    that is taken without comparing.
    """

    image: torch.Tensor
    rounds: tuple[int, ...]
    given: torch.Tensor | None = None
    keep: float = 0.0
    limit: float = 1.0
    coarsest: bool = False
    reuse: float = math.inf
    region: torch.Tensor | None = None
    structure: float = 0.0
    texture_only: bool = False
    joins: bool = False
    judge_finest: bool = False
    palette: torch.Tensor | None = None
    finish: Callable[[torch.Tensor], torch.Tensor] = lambda x: x
    draw: Callable[[int], torch.Tensor] | None = None
    usual: int | None = None


def run_injection(
    model: SinGAN,
    injection: Injection,
    scale: Scale,
    seed: int,
    *,
    voting: bool | None = None,
    on_event: OnEvent | None = None,
    settings: Mapping[str, Any],
) -> list[Image.Image]:
    """The results at the scales asked for, coarsest first, or at the one that `choose` picks for "auto".

    `voting`: None does as in training. Every image's `info` holds `settings`, the seed, the scale, and what the
    choice of a scale goes by: misfit and lost. Raises `ConfigError` on a scale or seed out of range.
    """
    seed = check_seed(seed)
    scales = resolve(model, scale)
    if scale == "auto" and injection.usual is not None:
        scales = [injection.usual]
    voting = any(model.config.voting_rounds) if voting is None else voting
    injection = injection if voting else replace(injection, rounds=())
    judged, images = judge(model, injection), []
    for done, k in enumerate(scales, 1):
        drawn = injection.draw(k) if injection.draw else inject(model, injection, k, seed)
        result = injection.finish(drawn).clamp(-1, 1)
        image = tensor_to_image(result)
        scores = {name: round(value, 4) for name, value in judged(result).items()}
        image.info.update(settings, scale=k, seed=seed, **scores)
        images.append(image)
        if on_event:
            on_event(TaskEvent(done, len(scales), "scale", image))
        if scale == "auto" and injection.coarsest and scores["lost"] <= injection.limit:
            break
    return [choose(images, injection)] if scale == "auto" else images


def resolve(model: SinGAN, scale: Scale) -> list[int]:
    """The injection scales asked for, each 1 to `num_scales` - 1, coarsest first."""
    last = model.num_scales - 1
    if last < 1:
        raise ConfigError(
            "The model has 1 scale; an injection needs at least 2: enlarge the picture to 26 px or more, or train it "
            "with a smaller min_size."
        )
    if isinstance(scale, str):
        if scale not in ("auto", "all"):
            raise ConfigError(f"Injection scale {scale!r} is not there; choose from 1 to {last}, auto or all.")
        return list(range(1, last + 1))
    scales: list[Any] = list(scale) if isinstance(scale, Sequence) else [scale]
    wrong = [k for k in scales if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= last]
    if wrong or not scales:
        shown = wrong[0] if wrong else scales
        raise ConfigError(f"Injection scale {shown!r} is not there; choose from 1 to {last}, auto or all.")
    return sorted(set(scales))


def inject(model: SinGAN, injection: Injection, scale: int, seed: int) -> torch.Tensor:
    """The image, shrunk to the scale before `scale` and refined from there on: (1, 3, H, W) as it came in."""
    rng = torch.Generator().manual_seed(seed)
    size = injection.image.shape[2], injection.image.shape[3]
    x, found = injection.image, None
    for k in range(scale - 1, len(model.levels)):
        x = model.resized(x, model.size_at(k, size), k + 1 - len(model.levels) if k == scale - 1 else 1)
        if k == scale and injection.palette is not None:
            x = quantize(x, injection.palette)
        here = x.shape[2], x.shape[3]
        noise = None
        if scale <= k < len(model.generators):
            noise = draw_noise(1, here, k, model.config, rng).to(model.device)
        x, found = model.apply_scale(
            k,
            x,
            noise,
            found,
            rounds=_rounds(model, injection, k, k - scale + 1),
            reuse=injection.reuse,
            region=None if injection.region is None else F.adaptive_max_pool2d(injection.region, here),
            joins=injection.joins,
            settle=_settle(injection, here, k - scale + 1),
        )
    return x


def _settle(injection: Injection, size: tuple[int, int], at: int) -> Settle:
    """What a vote at an image of `size`, the `at`-th from the one before the injection, must leave to the image."""
    structure = injection.structure if injection.texture_only or at < len(injection.rounds) else 0.0
    if injection.region is None and not structure:
        return unheld
    entered = resize(injection.image, size)
    weight = None if injection.region is None else resize(injection.region, size).clamp(0, 1)

    def settle(x: torch.Tensor) -> torch.Tensor:
        if structure:
            x = x + blur(entered - x, structure)
        return x if weight is None else entered + weight * (x - entered)

    return settle


def _rounds(model: SinGAN, injection: Injection, level: int, at: int) -> int:
    """How often to vote at a level, which is the `at`-th from the one before the injection."""
    if at < len(injection.rounds):
        return injection.rounds[at]
    return int(bool(injection.rounds) and model.config.field and level >= model.voting_scales)


def quantize(x: torch.Tensor, palette: torch.Tensor) -> torch.Tensor:
    """Each pixel of `x`, (N, 3, H, W), replaced by the nearest colour of `palette`, (colours, 3)."""
    pixels = x.movedim(1, -1)  # (N, H, W, 3)
    return palette[torch.cdist(pixels, palette).argmin(-1)].movedim(-1, 1)


def judge(model: SinGAN, injection: Injection) -> Callable[[torch.Tensor], dict[str, float]]:
    """A function from a result, (1, 3, H, W), to what a choice of scale can go by without knowing the truth: both
    numbers are near 0 at best and near 1 at worst.

    `misfit`: mean squared distance of the result's patches to their nearest ones in the training image, over that
    of the input's patches. `lost`: the share of the input's variance that no linear map of the result's colours
    explains. Both are taken at the finest scale that is small enough to be searched: patches there are large
    enough to hold structure.
    """
    given = injection.image if injection.given is None else injection.given
    size = given.shape[2], given.shape[3]
    coarse = max((k for k, (h, w) in enumerate(model.scale_sizes) if h * w <= MAX_SEARCHED_PIXELS), default=0)
    sizes = {
        k: model.size_at(k, size) for k in ({coarse, model.num_scales - 1} if injection.judge_finest else {coarse})
    }
    whole = injection.region
    regions = {k: None if whole is None else F.adaptive_max_pool2d(whole, at) for k, at in sizes.items()}
    reals = {k: model.real_at(k) for k in sizes}

    def away(x: torch.Tensor, k: int) -> float:
        count = max(1, MAX_JUDGED // math.prod(model.scale_sizes[k]))
        return float(distances_to(reals[k], x, regions[k], count).mean())

    entered = {k: resize(given, at) for k, at in sizes.items()}
    before = {k: max(away(x, k), NEGLIGIBLE) for k, x in entered.items()}

    def judged(result: torch.Tensor) -> dict[str, float]:
        shown = {k: resize(result, at) for k, at in sizes.items()}
        misfits = [away(x, k) / before[k] for k, x in shown.items()]
        lost = _unexplained(entered[coarse], shown[coarse], regions[coarse])
        return {"misfit": sum(misfits) / len(misfits), "lost": lost}

    return judged


def _unexplained(before: torch.Tensor, after: torch.Tensor, region: torch.Tensor | None) -> float:
    inside = slice(None) if region is None else region.flatten() > 0
    columns = [x.float()[0].flatten(1).T[inside].cpu() for x in (before, after)]
    wanted, given = (c - c.mean(0) for c in columns)  # (pixels, 3)
    left = wanted - given @ torch.linalg.lstsq(given, wanted, driver="gelsd").solution
    return float(left.square().sum() / wanted.square().sum().clamp_min(1e-6))


def choose(images: Sequence[Image.Image], injection: Injection) -> Image.Image:
    """By their `info`: of the images, coarsest first, that lost at most `injection.limit`, or of all if there is none,
    the one with the least misfit + keep * lost. What none could keep weighs as much as misfit. Where it is the coarsest
    that is looked for, the first; of none, the one that lost least."""
    kept = [image for image in images if image.info["lost"] <= injection.limit]
    if injection.coarsest:
        return kept[0] if kept else min(images, key=lambda image: image.info["lost"])
    weight = injection.keep if kept else 1.0
    return min(kept or images, key=lambda image: image.info["misfit"] + weight * image.info["lost"])
