"""Super-resolution: the finest generator, applied again and again to an ever larger image (SinGAN sec. 4.1)."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from PIL import Image

from singan.checks import check_range, check_seed, check_size
from singan.config import TrainConfig
from singan.errors import ConfigError, TaskWarning
from singan.image import Picture, image_to_tensor, load_image, tensor_to_image
from singan.model import SinGAN
from singan.pyramid import published_resize, resize
from singan.scale import draw_noise, refine
from singan.tasks.injection import OnEvent, TaskEvent
from singan.training.events import TrainEvent
from singan.training.loop import train

MAX_FACTOR = 8
STEP = 2 ** (1 / 3)  # enlargement by which one pass of the generator goes, about
MAX_SIDE = 8192  # of the picture; its enlargement would be over the limit anyway if it were not narrow
STEPS, CROP = 800, 48  # of training; the side of its crops, pixels
CORRECTIONS = 3  # after each pass, towards an image that shrinks to the given one


def super_resolve(
    source: Picture | SinGAN,
    factor: float = 4.0,
    *,
    detail: float | None = None,
    preset: str = "fast",
    seed: int = 0,
    device: str | torch.device | None = None,
    on_event: OnEvent | None = None,
    on_train_event: Callable[[TrainEvent], object] | None = None,
) -> Image.Image:
    """Enlarge a picture `factor` times, 1 to 8, to exactly round(factor * its height and width).

    `source`: the picture, which is learned first with `super_resolution_config`, or a model that was trained so,
    whose training image is then enlarged. A model trained for sampling at all its scales works too, less well: a
    `TaskWarning` says so. `detail`: see `enlarge`. Raises `ImageError`, and `ConfigError` for a value out of range or a
    model without a generator that adds detail at its finest scale.
    """
    check_factor(factor)
    check_seed(seed)
    if isinstance(source, SinGAN):
        model = source
        if min(model.config.alpha) < 100 and len(model.generators) == model.num_scales:
            warnings.warn(
                f"This model was trained for sampling (alpha {min(model.config.alpha):g}, where super-resolution "
                "has 100): give the picture itself, or train with super_resolution_config.",
                TaskWarning,
                stacklevel=2,
            )
    else:
        image = load_image(source)
        config = super_resolution_config(factor, image.size, preset)
        check_enlarging(image.size, factor, detail, seed)
        model = train(image, config, seed=seed, device=device, on_event=on_train_event)
    return enlarge(model, model.training_image, factor, detail=detail, seed=seed, on_event=on_event)


def super_resolution_config(factor: float, size: tuple[int, int], preset: str = "fast") -> TrainConfig:
    """The preset changed to learn a picture of `size` (width, height) for super-resolution: one generator at its full
    size, from the picture shrunk by one pass; of the published method the whole pyramid."""
    check_factor(factor)
    if max(size) > MAX_SIDE:
        raise ConfigError(f"The picture is {size[0]}x{size[1]} px; {MAX_SIDE} px a side can be learned: shrink it.")
    ratio = factor ** (1 / passes(factor))
    config = TrainConfig.preset(
        preset, alpha=100, scale_factor=min(0.95, 1 / ratio), max_size=max(25, *size), displacement=0.0
    )
    if config.published:
        return replace(config, min_size=18)
    alone: dict[str, Any] = {"num_scales": 1, "from_image": True, "generators": None, "pool_size": 1, "penalty": 0.1}
    patchless: dict[str, Any] = {"voting_rounds": 0, "field": False, "place_prior": 0.0}
    return replace(config, crop_size=CROP, steps=(STEPS,), **alone, **patchless)


def passes(factor: float) -> int:
    """How often the generator is applied: 6 times for 4, 3 times for 2."""
    return max(1, round(math.log(factor) / math.log(STEP)))


def enlarge(
    model: SinGAN,
    image: Image.Image,
    factor: float,
    *,
    detail: float | None = None,
    seed: int = 0,
    on_event: OnEvent | None = None,
) -> Image.Image:
    """`image`, of the kind that `model` learned, `factor` times as large; in strips, so that memory stays bounded.

    `detail`, from 0 to 1: how much of what the generator adds is used in each pass, from faithful and soft to
    sharp and invented; by default `config.usual_detail`. After each pass the image is corrected so that it shrinks to
    the given one again: errors otherwise grow from pass to pass (docs/tasks.md). With `config.published` it is not,
    each pass enlarges by the same factor, and what is over at the right and at the bottom is cut off.
    """
    published = model.config.published
    detail = model.config.usual_detail if detail is None else detail
    check_enlarging(image.size, factor, detail, seed)
    lacks = None
    if len(model.generators) < model.num_scales:
        lacks = "has no generator at its finest scale, which super-resolution applies"
    elif model.num_scales == 1 and not model.config.from_image:
        lacks = "has one generator, which makes its picture of noise, and none that adds detail to one"
    if lacks:
        raise ConfigError(f"This model {lacks}: give the picture itself, or train with super_resolution_config.")
    height, width = round(factor * image.height), round(factor * image.width)
    rng, count = torch.Generator().manual_seed(int(seed)), passes(factor)
    given = image_to_tensor(image).to(model.device)
    x = given
    for i in range(1, count + 1):
        grown = factor ** (i / count)
        size = (height, width) if i == count else (round(grown * image.height), round(grown * image.width))
        x = published_resize(x, factor ** (1 / count)) if published else resize(x, size)
        scale = 0 if published and i == 1 else model.num_scales - 1  # the first noise is grey there
        noise = draw_noise(1, (x.shape[2], x.shape[3]), scale, model.config, rng).to(model.device)
        x = x + detail * (refine(model.generators[-1], x, model.noise_amps[-1] * noise, model.config) - x)
        for _ in range(0 if published else CORRECTIONS):
            x = x + resize(given - resize(x, (image.height, image.width)), size)
        if on_event:
            on_event(TaskEvent(i, count, "pass"))
    result = tensor_to_image(x[:, :, :height, :width])
    result.info = {"task": "super-resolution", "factor": factor, "detail": detail, "seed": seed}
    return result


def check_enlarging(size: tuple[int, int], factor: float, detail: float | None, seed: int) -> None:
    """Raise `ConfigError` unless a picture of `size` (width, height) can be enlarged so."""
    check_factor(factor)
    if detail is not None:
        check_range("detail", detail, 0, 1)
    check_seed(seed)
    check_size((round(factor * size[1]), round(factor * size[0])))


def check_factor(factor: float) -> None:
    check_range("factor", factor, 1, MAX_FACTOR)
