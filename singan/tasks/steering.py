"""Steering: a sample of one picture that has, in what is coarse, what another picture has there.

A sample of the model is drawn up to some scale. From then on, after every vote, what is coarser than about a pixel of
that scale is made what the other picture wants there, and what is finer stays the voted patches'. The search so sees
both: it takes patches of the wanted lightness or colour whose texture goes with that of their neighbours (texture
transfer, Efros and Freeman, SIGGRAPH 2001). The last scales are voted freely: what comes out is the photograph's own.

It starts from a sample, not from the other picture: where that is flat the nearest patches are the flattest ones, and
a sky of spices would be smooth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from singan.checks import check_seed, check_size
from singan.errors import ConfigError
from singan.image import load_image, tensor_to_image
from singan.model import SinGAN
from singan.patches.vote import Field
from singan.pyramid import resize
from singan.tasks.blending import Picture, at_its_area, titled
from singan.tasks.filling import draft_of
from singan.tasks.filters import UNIT, blur
from singan.tasks.injection import OnEvent, Scale, TaskEvent, resolve

ROUNDS = (3, 2, 2, 1)  # of voting from the scale before the injection on, each steered


@dataclass(frozen=True)
class Steering:
    """What steers, and how its results are judged.

    `wanted` gives what is to be there, blurred by so many pixels of 250: (1, 3, H, W), or (1, 1, H, W) for lightness
    alone, as large as the finest scale of a result of `size`. What is coarser than `reach` pixels of the scale where
    it enters is steered. "auto" takes the scale `usual`, or the first finer one at which at most `limit` of the wanted
    lightness, blurred by `judged` pixels of 250, is lost. `place_prior`: see `TrainConfig`.
    """

    wanted: Callable[[float], torch.Tensor]
    size: tuple[int, int]
    reach: float
    usual: int
    limit: float
    judged: float
    place_prior: float


def known(source: SinGAN | Picture, name: str) -> SinGAN:
    """The model, or a draft of the photo. Raises `ConfigError` for a model without a field of patches."""
    if not isinstance(source, SinGAN):
        return draft_of(load_image(source, name=titled(name, source)))
    if not source.config.field:
        raise ConfigError("This model has no field of patches to draw with: make a draft of the photo (singan.draft).")
    return source


def fitting(model: SinGAN, image: Image.Image, size: tuple[int, int] | None) -> tuple[int, int]:
    """`size`, checked, or the proportions of `image` at the training image's area: (height, width)."""
    size = at_its_area(model, image) if size is None else size
    check_size(size)
    return size


def lightness(x: torch.Tensor) -> torch.Tensor:
    """(1, 3, H, W) -> (1, 1, H, W)."""
    return x.mean(1, keepdim=True)


@torch.inference_mode()
def run_steering(
    model: SinGAN, steering: Steering, scale: Scale, seed: int, on_event: OnEvent | None, settings: dict[str, Any]
) -> list[Image.Image]:
    """The results at the scales asked for, coarsest first, or at the one that "auto" takes.

    Every image's `info` holds `settings`, the size, the scale, the seed, and what is lost. Raises `ConfigError` on a
    scale or seed out of range.
    """
    check_seed(seed)
    scales = resolve(model, scale)
    model = model.with_place_prior(steering.place_prior)
    if scale == "auto":
        scales = [_coarsest(model, steering, scales[steering.usual - 1 :] or scales[-1:], seed)]
    images = []
    for done, k in enumerate(scales, 1):
        x, found = _steered(model, steering, k, seed)
        x = model.generate(x, model.num_scales, steering.size, _none, found=found)
        image = tensor_to_image(x.clamp(-1, 1))
        image.info.update(settings, size=f"{image.height}x{image.width}", scale=k, seed=seed)
        image.info["lost"] = round(_lost(x, steering), 4)
        images.append(image)
        if on_event:
            on_event(TaskEvent(done, len(scales), "scale", image))
    return images


def _none(scale: int, size: tuple[int, int]) -> torch.Tensor:
    """The noise beyond the finest scale, where there is none."""
    raise ValueError(f"scale {scale} of {size} takes no noise")


def _coarsest(model: SinGAN, steering: Steering, scales: list[int], seed: int) -> int:
    """The first scale at which no more than the limit is lost, or that at which the least is."""
    lost: dict[int, float] = {}
    for k in scales:
        lost[k] = _lost(_steered(model, steering, k, seed)[0], steering)
        if lost[k] <= steering.limit:
            return k
    return min(scales, key=lambda k: lost[k])


def _steered(model: SinGAN, steering: Steering, scale: int, seed: int) -> tuple[torch.Tensor, Field | None]:
    """A sample that is steered from the scale before `scale` on, as it leaves the finest scale; and its field."""
    blurred = steering.reach * UNIT / max(model.scale_sizes[scale - 1])
    wanted = steering.wanted(blurred)
    x = model.sample_tensor(seed, steering.size, 0, model.config.usual_variation, until=scale)
    x, found = _settle(wanted, (x.shape[2], x.shape[3]), blurred)(x), None
    for k in range(scale - 1, model.num_scales):
        here, at = model.size_at(k, steering.size), k + 1 - scale
        steers = at < len(ROUNDS)
        x, found = model.apply_scale(
            k,
            model.resized(x, here),
            None,
            found,
            rounds=ROUNDS[at] if steers else None,
            settle=_settle(wanted, here, blurred) if steers else None,
        )
    return x, found


def _settle(wanted: torch.Tensor, size: tuple[int, int], blurred: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """What gives an image of `size` what is `wanted`, in place of what it has itself when it is as `blurred`."""
    there = resize(wanted, size)
    return lambda x: x + there - blur(x if there.shape[1] == 3 else lightness(x), blurred)


def _lost(x: torch.Tensor, steering: Steering) -> float:
    """The share of the variance of the wanted lightness that no linear map of that of `x`, (1, 3, H, W), explains."""
    wanted = lightness(steering.wanted(steering.judged))
    found = blur(lightness(resize(x, (wanted.shape[2], wanted.shape[3]))), steering.judged)
    wanted, found = ((one - one.mean()).flatten() for one in (wanted, found))
    whole, least = wanted.square().mean(), 1e-6  # of a picture of one colour, of which nothing can be lost
    explained = (wanted * found).mean().clamp_min(0).square() / found.square().mean().clamp_min(least)
    return float((whole - explained).clamp_min(0) / whole.clamp_min(least))
