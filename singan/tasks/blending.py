"""What harmonising and editing share: a composite, a mask, its soft edge, and blending by it."""

from __future__ import annotations

import math
import warnings

import torch
from PIL import Image

from singan.checks import MIN_SIDE, check_size
from singan.errors import ImageError, ImageWarning
from singan.image import Picture, image_to_tensor, load_image, read_mask, titled
from singan.model import SinGAN
from singan.pyramid import resize
from singan.tasks.filters import blur, grow, unit
from singan.tasks.injection import Injection

FEATHER = 5.0  # standard deviation of a mask's soft edge, in pixels of an image of 250 px
NOTHING = 1e-4  # of 1: a weight below it counts as none


def fitting(model: SinGAN, image: Image.Image, size: tuple[int, int] | None) -> tuple[int, int]:
    """`size`, checked, or the proportions of `image` at the training image's area: (height, width)."""
    if size is None:
        factor = (math.prod(model.image_size) / (image.height * image.width)) ** 0.5
        size = round(image.height * factor), round(image.width * factor)
        if min(size) < MIN_SIDE:
            raise ImageError(
                f"The picture is {image.width}x{image.height} px, which is {size[1]}x{size[0]} px at the area of the "
                f"model's: crop it, since sides start at {MIN_SIDE} px."
            )
    check_size(size)
    return size


def fit(model: SinGAN, picture: Picture, name: str, keep_shape: bool = False) -> torch.Tensor:
    """`picture` at the size of the training image, (1, 3, H, W), or, to `keep_shape`, at its area; an `ImageWarning`
    says so if that resizes it."""
    image = load_image(picture, name=titled(name, picture))
    height, width = size = model.image_size
    if keep_shape and abs(image.height * width / image.width - height) > 1:
        size = fitting(model, image, None)
    if (image.height, image.width) != size:
        of = "of the training image" if size == model.image_size else "that the training image has in this shape"
        warnings.warn(
            f"{name} is {image.width}x{image.height} px and is resized to the {size[1]}x{size[0]} px {of}.",
            ImageWarning,
            stacklevel=3,
        )
    return resize(image_to_tensor(image), size).to(model.device)


def load_mask(model: SinGAN, mask: Picture) -> torch.Tensor:
    """A mask, white where something was changed, in the training image's size: (1, 1, H, W) of 0 and 1. Any image that
    `read_mask` takes, which says what it raises."""
    return read_mask(mask, model.image_size)[None, None].float().to(model.device)


def feather(mask: torch.Tensor, radius: float, sigma: float = FEATHER) -> torch.Tensor:
    """The mask, (1, 1, H, W), widened and given a soft edge, from 0 to 1; exactly 0 beyond that edge.

    `radius` and `sigma`, the deviation of that edge, are in pixels of an image whose longest side is 250 px.
    """
    soft = blur(grow(mask, radius), sigma)
    soft = soft / soft.max()  # a mask of a few pixels counts in full too
    return torch.where(soft > NOTHING, soft, 0).clamp(max=1)


def without_voting(model: SinGAN, voting: bool | None) -> bool:
    """Whether a composite is injected without voting, as published: if that is asked for, or what the model is for."""
    return not voting if voting is not None else model.config.published


def published(model: SinGAN, image: torch.Tensor, mask: torch.Tensor, radius: float) -> Injection:
    """The injection of a composite without voting, blended into the training image where the mask is, widened by
    `radius`; that and the soft edge are of 250 px, and with `config.published`, as published, of any image."""
    real = model.real_at(-1)
    share = 1 / unit(real) if model.config.published else 1.0
    soft = feather(mask, share * radius, share * FEATHER)
    return Injection(image, (), region=soft, finish=lambda x: blend(real, x, soft))


def blend(real: torch.Tensor, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """`x` where `weight`, (1, 1, H, W), is 1, and `real`, to the last bit, where it is 0."""
    return torch.where(weight > 0, real + weight * (x - real), real)
