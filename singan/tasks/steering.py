"""Steering: a sample of one picture whose patches are chosen by another picture as well.

The picture has a second look, in which it is comparable with what is wanted: its lightness, or its colours, without
texture. A patch of the result looks for one that in this look is like what is wanted there, and that is itself like
what the result shows so far (image analogies, Hertzmann et al., SIGGRAPH 2001). Where what is wanted is flat so is the
second look of the matter, and not the matter itself: a sky of spices is of spices.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image

from singan.checks import check_seed
from singan.errors import ConfigError, TaskWarning
from singan.image import Picture, load_image, tensor_to_image, titled
from singan.model import SinGAN
from singan.patches.field import carry_field, refine_field
from singan.patches.search import PATCH
from singan.patches.vote import vote
from singan.pyramid import resize
from singan.tasks.filling import draft_of
from singan.tasks.filters import blur
from singan.tasks.guided import PRIOR, vote_guided
from singan.tasks.injection import OnEvent, Scale, TaskEvent, resolve

SEARCHED = 15_000  # pixels of the picture: at larger scales sources are carried on, and not searched for
LIVELY = 0.04  # of the range [-1, 1]: what is wanted differs so much from seed to seed
LIMIT = 0.1  # of the variance of the wanted lightness: if more is lost, things are not seen
JUDGED = 2.5  # pixels of 250: what is finer is the matter's own


@dataclass(frozen=True)
class Steering:
    """What steers, and how far.

    `wanted`, (1, 3, H, W), is what results of `size` are to look like; `looks`, (1, 3, any, any), are the second looks
    of the model's pictures. A difference between these counts `weight`, where one from the result so far counts 1;
    `reuse`: see `search`. "auto" takes the scale `usual`, or the first finer one at which at most LIMIT of the wanted
    lightness is lost; where there is none `advice` says what would help.
    """

    wanted: torch.Tensor
    looks: list[torch.Tensor]
    size: tuple[int, int]
    weight: float
    reuse: float
    usual: int
    advice: str


def known(source: SinGAN | Picture, name: str) -> SinGAN:
    """The model, or a draft of the photo. Raises `ConfigError` for a model without a field of patches."""
    if not isinstance(source, SinGAN):
        return draft_of(load_image(source, name=titled(name, source)))
    if not source.config.field:
        raise ConfigError("This model has no field of patches to draw with: make a draft of the photo (singan.draft).")
    return source


def lightness(x: torch.Tensor) -> torch.Tensor:
    """(1, 3, H, W) -> (1, 1, H, W)."""
    return x.mean(1, keepdim=True)


@torch.inference_mode()
def run_steering(
    model: SinGAN, steering: Steering, scale: Scale, seed: int, on_event: OnEvent | None, settings: dict[str, Any]
) -> list[Image.Image]:
    """The results at the scales asked for, coarsest first, or at the one that "auto" takes.

    Every image's `info` holds `settings`, the size, the scale, the seed, and what is lost; a `TaskWarning` tells if
    that is too much of all that "auto" tries. Raises `ConfigError` on a scale or seed out of range.
    """
    seed = check_seed(seed)
    scales = resolve(model, scale)
    if scale == "auto":
        scales = scales[steering.usual - 1 :] or scales[-1:]
    images = []
    for done, k in enumerate(scales, 1):
        x = _steered(model, steering, k, seed)
        image = tensor_to_image(x.clamp(-1, 1))
        image.info.update(settings, size=f"{image.height}x{image.width}", scale=k, seed=seed)
        image.info["lost"] = round(_lost(x, steering.wanted), 4)
        images.append(image)
        if on_event:
            on_event(TaskEvent(done, len(scales), "scale", image))
        if scale == "auto" and image.info["lost"] <= LIMIT:
            return [image]
    if scale != "auto":
        return images
    warnings.warn(steering.advice, TaskWarning, stacklevel=3)
    return [min(images, key=lambda image: image.info["lost"])]


def _steered(model: SinGAN, steering: Steering, scale: int, seed: int) -> torch.Tensor:
    """A sample, (1, 3, *size), that is steered from scale 1 to `scale`, or if that is the finest, to the end."""
    until = scale + 1 if scale < model.num_scales - 1 else len(model.levels)
    x, found = model.draw([seed], steering.size, 0, model.config.usual_variation, until=1)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed)).to(x.device)
    lively = steering.wanted + LIVELY * resize(noise, (steering.wanted.shape[2], steering.wanted.shape[3]))
    for k in range(1, len(model.levels)):
        here, patches = model.size_at(k, steering.size), model.patches_at(k)
        x = resize(x, here)
        if min(*here, *patches.size) < PATCH:
            continue
        if k < until or found is None:
            new = math.prod(patches.size) <= SEARCHED
            x, found = vote_guided(x, found, patches, steering.looks, lively, new, steering.weight, steering.reuse)
        else:
            found = refine_field(carry_field(found, here, patches), x, patches, PRIOR)
            x = vote(found, patches)
    return x


def _lost(x: torch.Tensor, wanted: torch.Tensor) -> float:
    """The share of the variance of the wanted lightness that no linear map of that of `x`, (1, 3, H, W), explains."""
    shown = [blur(lightness(one), JUDGED) for one in (wanted, resize(x, (wanted.shape[2], wanted.shape[3])))]
    wanted, found = ((one - one.mean()).flatten() for one in shown)
    whole, least = wanted.square().mean(), 1e-6  # of a picture of one colour, of which nothing can be lost
    explained = (wanted * found).mean().clamp_min(0).square() / found.square().mean().clamp_min(least)
    return float((whole - explained).clamp_min(0) / whole.clamp_min(least))
