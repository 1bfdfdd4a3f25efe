"""Structural analogy: the layout of one picture in the matter of another; and the style of one on the other."""

from __future__ import annotations

import math

import torch
from PIL import Image

from singan.errors import ImageError
from singan.image import Picture, image_to_tensor, load_image, titled
from singan.model import SinGAN
from singan.patches.mixture import panorama
from singan.pyramid import resize
from singan.tasks.blending import fitting
from singan.tasks.filters import blur, matched_values
from singan.tasks.guided import REUSE, transported
from singan.tasks.injection import OnEvent, Scale
from singan.tasks.steering import Steering, known, lightness, run_steering

FAINT = 0.01  # of the range [-1, 1]: less light and dark is no layout
GRAIN = 1.2  # pixels of 250: what is finer in matter is its texture, and no light and dark of its own,
STROKE = 1.0  # and in a style its strokes
UNREAD = "Part of the layout is not to be seen: it has too fine things for this matter. Larger shapes will come out."
UNSEEN = "Part of the content is not to be seen: it has too fine things for this style. Ask for a larger size."
SMOOTH = 0.06  # of the transport of colours; where it is sharper a clear sky is cut into two colours


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
    `invert` the lightest. `scale`: up to which it steers, from 1 (its large shapes alone) to the model's finest (fine
    ones, and less of the matter's own), several, "all", or "auto", which warns (`TaskWarning`) where things are too
    fine to be seen. `seed` arranges the matter's pieces. `size`: (height,
    width); by default the layout's proportions at the matter's area. Raises `ImageError` for a bad picture or one
    without light and dark, `ConfigError` for a value out of range or a model without a field of patches.
    """
    model, image = known(matter, "The matter"), load_image(layout, name=titled("The layout", layout))
    size = fitting(model, image, size)
    x = lightness(_shown(model, image, size))
    if float(x.std()) < FAINT:
        raise ImageError("The layout is equally light all over: it has no structure. Give one with light and dark.")
    looks = [blur(lightness(real), GRAIN) for real in model.pictures_at(model.num_scales - 1)]
    values = torch.cat([look.flatten() for look in looks])
    wanted = matched_values(blur(-x if invert else x, GRAIN), values)
    looks, wanted = [look.expand(-1, 3, -1, -1) for look in looks], wanted.expand(-1, 3, -1, -1)
    steering = Steering(wanted, looks, size, weight=5.0, reuse=REUSE, usual=5, advice=UNREAD)
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

    `style`: a model, or a picture, of which a draft is made. `scale`: up to which the content steers, from 1 (broad
    strokes) to the model's finest (its details stay), several, "all", or "auto", the finest, which warns
    (`TaskWarning`) where things are too fine to be seen. `size`: (height, width); by default the content's proportions
    at the area of the style, whose strokes keep their size: a larger one has more of them.
    Raises `ImageError`, `ConfigError` for a value out of range or a model without a field of patches.
    """
    model, image = known(style, "The style"), load_image(content, name=titled("The content", content))
    size = fitting(model, image, size)
    last = model.num_scales - 1
    real, x = model.pictures_at(last), resize(image_to_tensor(image), size).clamp(-1, 1).to(model.device)
    small = _shown(model, image, size)
    painted = transported([small], panorama(real, model.shares or (1.0,)), lightness=1.0, height=0.0, sharp=SMOOTH)[0]
    wanted = resize(painted, size) + lightness(x - resize(small, size))
    looks = [blur(one, STROKE) for one in real]
    steering = Steering(wanted.clamp(-1, 1), looks, size, weight=10.0, reuse=math.inf, usual=last, advice=UNSEEN)
    return run_steering(model, steering, scale, seed, on_event, {"task": "style"})


def _shown(model: SinGAN, image: Image.Image, size: tuple[int, int]) -> torch.Tensor:
    """The image as large as the finest scale of a result of `size`: (1, 3, H, W)."""
    at = model.size_at(model.num_scales - 1, size)
    return resize(image_to_tensor(image), at).clamp(-1, 1).to(model.device)
