"""What harmonising and editing share: a composite, a mask, its soft edge, and blending by it."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from singan.errors import ImageError, ImageWarning
from singan.image import image_to_tensor, load_image, read_image
from singan.model import SinGAN
from singan.pyramid import resize
from singan.tasks.filters import blur, grow, unit
from singan.tasks.injection import Injection

Picture = Image.Image | np.ndarray | str | os.PathLike[str]

FEATHER = 5.0  # standard deviation of a mask's soft edge, in pixels of an image of 250 px
NOTHING = 1e-4  # of 1: a weight below it counts as none


def at_its_area(model: SinGAN, image: Image.Image) -> tuple[int, int]:
    """The proportions of `image` at the training image's area: (height, width)."""
    height, width = model.image_size
    factor = (height * width / (image.height * image.width)) ** 0.5
    return round(image.height * factor), round(image.width * factor)


def titled(what: str, picture: Picture) -> str:
    """What messages call a picture: with the name of its file, if it has one."""
    return f"{what} {Path(picture).name}" if isinstance(picture, (str, os.PathLike)) else what


def fit(model: SinGAN, picture: Picture, name: str) -> torch.Tensor:
    """`picture` at the size of the training image, (1, 3, H, W); an `ImageWarning` says so if that resizes it."""
    image = load_image(picture, name=titled(name, picture))
    size = model.image_size
    if (image.height, image.width) != size:
        warnings.warn(
            f"{name} is {image.width}x{image.height} px and is resized to the {size[1]}x{size[0]} px of the "
            "training image.",
            ImageWarning,
            stacklevel=3,
        )
    return resize(image_to_tensor(image), size).to(model.device)


def load_mask(model: SinGAN, mask: Picture) -> torch.Tensor:
    """A mask, white where something was changed, in the training image's size: (1, 1, H, W) of 0 and 1.

    Any image that `load_image` takes; what is transparent counts as black. Raises `ImageError` if the mask is
    black or white all over.
    """
    # Without its notes: a painted layer is transparent where nothing was painted.
    grey = read_image(mask, name=titled("The mask", mask), background="black")[0].convert("L")
    small = grey.resize(model.image_size[::-1], Image.Resampling.NEAREST)
    white = torch.from_numpy(np.array(small))[None, None] >= 128
    if not white.any():
        raise ImageError(
            f"The mask is black all over (its brightest value is {grey.getextrema()[1]} of 255): "
            "paint what was changed in white."
        )
    if white.all():
        raise ImageError("The mask is white all over: leave black what must stay as it is.")
    return white.float().to(model.device)


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
