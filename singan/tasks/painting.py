"""Paint to image: clip-art or a sketch becomes a picture of the training image's kind (SinGAN sec. 4.2).

Where a model has a field of patches the painting guides which of them go where (`guided`); else it is injected.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
from PIL import Image

from singan.checks import check_range
from singan.image import Picture, image_to_tensor, load_image, tensor_to_image, titled
from singan.model import SinGAN
from singan.pyramid import resize
from singan.tasks.blending import fitting, without_voting
from singan.tasks.filters import towards_colors
from singan.tasks.guided import draw_guided
from singan.tasks.injection import Injection, OnEvent, Scale, TaskEvent, quantize, run_injection
from singan.training.retrain import retrain_scale

ROUNDS = (4, 3, 2, 2, 1)
REUSE = 0.003
STRUCTURE = 5.0  # pixels at 250 px: what is coarser stays the painting's while its objects are voted
LIMIT = 0.8  # of the painting's layout that may be lost; flat colours lose much to texture alone
GUIDED_LIMIT = 0.45  # the same where the painting guides


def paint_to_image(
    model: SinGAN,
    painting: Picture,
    *,
    scale: Scale = "auto",
    seed: int = 0,
    size: tuple[int, int] | None = None,
    colors: int | None = None,
    voting: bool | None = None,
    on_event: OnEvent | None = None,
) -> list[Image.Image]:
    """Turn `painting` into a picture with its layout and the training image's contents: one RGB image per scale.

    `size`: (height, width); by default the painting's proportions at the training image's area, or, with
    `config.published`, the training image's size. All pixels are the training image's, but for their light, and not
    where `voting=False` leaves patch voting out, as published and as a model with `config.published` does unless told.
    `scale`: the injection scale, from 1 (free) to the model's finest (faithful), several, "all", or "auto". `colors`, 2
    to 64 (published: 5), reduces the painting to the training image's palette and, where it does not guide, trains each
    scale asked for that has a generator on palette images first, which takes some seconds; "auto" then picks the scale
    before that.
    Raises `ImageError`, `ConfigError` for a value out of range.
    """
    image = load_image(painting, name=titled("The painting", painting))
    size = fitting(model, image, size or (model.image_size if model.config.published else None))
    if colors is not None:
        check_range("colors", colors, 2, 64, int, says="a palette has 2 to 64")
    x = resize(image_to_tensor(image), size).to(model.device)
    if not without_voting(model, voting) and model.config.field:
        injection = Injection(x, ROUNDS, limit=GUIDED_LIMIT, coarsest=True, draw=partial(draw_guided, model, x))
    else:
        injection = Injection(
            x if without_voting(model, voting) else towards_colors(x, model.real_at(-1), 1.0),
            ROUNDS,
            given=x,
            limit=LIMIT,
            coarsest=True,
            reuse=REUSE,
            structure=STRUCTURE,
        )
    settings: dict[str, object] = {"task": "paint2image", "size": f"{size[0]}x{size[1]}"}
    images = run_injection(model, injection, scale, seed, voting=voting, on_event=on_event, settings=settings)
    if colors is None:
        return images
    settings["colors"] = colors
    return [
        _quantized(model, injection, image.info["scale"], seed, colors, voting, on_event, settings) for image in images
    ]


def _quantized(
    model: SinGAN,
    injection: Injection,
    scale: int,
    seed: int,
    colors: int,
    voting: bool | None,
    on_event: OnEvent | None,
    settings: dict[str, object],
) -> Image.Image:
    palette = find_palette(model.real_at(scale), colors)
    if injection.draw:
        few = quantize(towards_colors(injection.image, model.real_at(-1), 1.0), palette)
        injection = replace(injection, draw=partial(draw_guided, model, few))
    injection = replace(injection, palette=palette)
    if injection.draw or scale >= len(model.generators):  # nothing to train there
        return run_injection(model, injection, scale, seed, voting=voting, settings=settings)[0]

    def on_step(step: int, steps: int) -> None:
        if on_event:
            on_event(TaskEvent(step, steps, "step"))

    retrained = retrain_scale(model, scale, lambda images: quantize(images, palette), seed=int(seed), on_step=on_step)
    # What was trained on palette images needs no voting before it.
    injection = replace(injection, rounds=(0, *ROUNDS[1:]))
    return run_injection(retrained, injection, scale, seed, voting=voting, settings=settings)[0]


def find_palette(real: torch.Tensor, colors: int) -> torch.Tensor:
    """The `colors` most telling colours of an image, (1, 3, H, W), by k-means: (colors or fewer, 3) in [-1, 1]."""
    reduced = tensor_to_image(real).quantize(colors, method=Image.Quantize.MEDIANCUT, kmeans=10)
    used = reduced.getpalette() or []
    count = len(reduced.getcolors() or [])
    return torch.tensor(used[: 3 * count], device=real.device).view(-1, 3) / 127.5 - 1


def hex_palette(model: SinGAN, colors: int) -> list[str]:
    """The most telling colours of the training image as #rrggbb; of a small one, which has them all."""
    palette = find_palette(model.real_at(model.num_scales // 2), colors)
    return ["#" + bytes(rgb).hex() for rgb in ((palette + 1) * 127.5).round().int().tolist()]
