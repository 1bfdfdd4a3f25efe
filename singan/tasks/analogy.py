"""Structural analogy: the layout of one picture in the matter of another; and the style of one on the other."""

from __future__ import annotations

from functools import partial

import torch
from PIL import Image

from singan.errors import ImageError
from singan.image import image_to_tensor, load_image
from singan.model import SinGAN
from singan.pyramid import resize
from singan.tasks.blending import Picture, titled
from singan.tasks.filters import blur, matched_colors, matched_values
from singan.tasks.injection import OnEvent, Scale
from singan.tasks.steering import Steering, fitting, known, lightness, run_steering

PRIOR = 0.3
FAINT = 0.01  # of the range [-1, 1]: less light and dark is no layout


def analogy(
    matter: SinGAN | Picture,
    layout: Picture,
    *,
    scale: Scale = "auto",
    seed: int = 0,
    size: tuple[int, int] | None = None,
    invert: bool = False,
    on_event: OnEvent | None = None,
) -> list[Image.Image]:
    """What is in `matter`, arranged as light and dark are in `layout`: one RGB image per scale.

    `matter`: a model, or a photo, of which a draft is made. `layout`: a photo, a drawing, a word; of its colours only
    the lightness counts, and of that its order: the darkest of `layout` becomes the darkest of `matter`, or with
    `invert` the lightest. `scale`: where it enters, from 1 (its large shapes alone) to the model's finest (fine ones,
    and less of the matter's own), several, "all", or "auto". `seed` arranges the matter's pieces. `size`: (height,
    width); by default the layout's proportions at the matter's area. Raises `ImageError` for a bad picture or one
    without light and dark, `ConfigError` for a value out of range or a model without a field of patches.
    """
    model, image = known(matter, "The matter"), load_image(layout, name=titled("The layout", layout))
    size = fitting(model, image, size)
    x = lightness(_shown(model, image, size))
    real = lightness(model.real_at(model.num_scales - 1))
    if float(x.std()) < FAINT:
        raise ImageError("The layout is equally light all over: it has no structure. Give one with light and dark.")

    x = -x if invert else x

    def wanted(pixels: float) -> torch.Tensor:
        return matched_values(blur(x, pixels), blur(real, pixels))

    steering = Steering(wanted, size, reach=1.0, usual=3, limit=0.25, judged=5.0, place_prior=PRIOR)
    return run_steering(model, steering, scale, seed, on_event, {"task": "analogy", "invert": invert})


def stylize(
    content: Picture,
    style: SinGAN | Picture,
    *,
    scale: Scale = "auto",
    seed: int = 0,
    size: tuple[int, int] | None = None,
    on_event: OnEvent | None = None,
) -> list[Image.Image]:
    """`content` in the colours and the strokes of `style`: one RGB image per scale.

    `style`: a model, or a picture, of which a draft is made. `scale`: where the content enters, from 1 (broad strokes)
    to the model's finest (its details stay), several, "all", or "auto". `size`: (height, width); by default the
    content's proportions at the area of the style, whose strokes keep their size: a larger one has more of them.
    Raises `ImageError`, `ConfigError` for a value out of range or a model without a field of patches.
    """
    model, image = known(style, "The style"), load_image(content, name=titled("The content", content))
    size = fitting(model, image, size)
    x = matched_colors(_shown(model, image, size), model.real_at(model.num_scales - 1))
    steering = Steering(partial(blur, x), size, reach=0.6, usual=6, limit=0.1, judged=2.5, place_prior=0.0)
    return run_steering(model, steering, scale, seed, on_event, {"task": "style"})


def _shown(model: SinGAN, image: Image.Image, size: tuple[int, int]) -> torch.Tensor:
    """The image as large as the finest scale of a result of `size`: (1, 3, H, W)."""
    at = model.size_at(model.num_scales - 1, size)
    return resize(image_to_tensor(image), at).clamp(-1, 1).to(model.device)
