"""What harmonising and editing share: a composite and a mask, and blending the result into the training image."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from singan.errors import ImageError, ImageWarning
from singan.image import image_to_tensor, load_image
from singan.model import SinGAN
from singan.pyramid import resize
from singan.tasks.injection import Injection

Picture = Image.Image | np.ndarray | str | os.PathLike[str]

FEATHER = 5  # standard deviation of the mask's soft edge, in pixels of an image of 250 px


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImageWarning)  # a painted layer is transparent where nothing was painted
        grey = load_image(mask, name=titled("The mask", mask), background="black").convert("L")
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


def feather(mask: torch.Tensor, radius: int) -> torch.Tensor:
    """The mask, (1, 1, H, W), widened by a disk and given a soft edge, from 0 to 1; exactly 0 beyond that edge.

    `radius` is in pixels of an image whose longest side is 250 px, and FEATHER too.
    """
    unit = max(mask.shape[2:]) / 250
    small = F.adaptive_max_pool2d(mask, [min(side, round(side / unit)) for side in mask.shape[2:]])
    reach = max(1, round(radius * min(1.0, unit)))  # at 250 px: a disk of its full size would take seconds
    offset = torch.arange(-reach, reach + 1, device=mask.device)
    disk = (offset[:, None].square() + offset.square() <= reach**2).float()
    wide = (F.conv2d(small, disk[None, None], padding=reach) > 0.5).float()
    wide = F.interpolate(wide, size=mask.shape[2:], mode="nearest")
    sigma = FEATHER * unit
    half = max(1, round(4 * sigma))
    bell = torch.exp(-torch.arange(-half, half + 1, device=mask.device).square() / (2 * sigma**2))
    bell = bell / bell.sum()
    padded = F.pad(wide, (half,) * 4, mode="replicate")
    soft = F.conv2d(F.conv2d(padded, bell[None, None, :, None]), bell[None, None, None])
    return (soft / soft.max()).clamp(max=1)  # a mask of a few pixels counts in full too


def blended(
    model: SinGAN, composite: torch.Tensor, mask: torch.Tensor, radius: int, rounds: tuple[int, ...], keep: float
) -> Injection:
    """The injection of a composite, (1, 3, H, W), whose result is blended into the training image where the mask,
    (1, 1, H, W), is white, widened by `radius`."""
    soft = feather(mask, radius)
    real = model.real_at(-1)

    def blend(x: torch.Tensor) -> torch.Tensor:
        return torch.where(soft > 0, real + soft * (x - real), real)

    return Injection(composite, rounds, keep, region=(soft >= 0.5).float(), finish=blend)
