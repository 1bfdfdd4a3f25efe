"""Filling: a hole in a photograph, or what lies beyond its border, is drawn from the rest of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from singan.config import TrainConfig
from singan.errors import ConfigError, ImageError
from singan.image import tensor_to_image
from singan.model import SinGAN, check_seed, check_size
from singan.pyramid import resize
from singan.tasks.blending import Picture, blend, feather, load_mask
from singan.tasks.filters import blur, grow
from singan.tasks.injection import Injection, OnEvent, TaskEvent, inject
from singan.trainer import draft

ROUNDS = (8, 6, 4, 3)  # of voting, from the coarsest scale on
RING = 1.0  # pixels at 250 px on either side of the hole's edge whose colours are brought together
SMOOTH = 4.0  # pixels at 250 px: what they are shifted by varies no faster
MAX_SHIFT = 0.08  # of the range [-1, 1]; what differs more is not light but things
SOFT = 1.0  # deviation of the hole's edge, pixels at 250 px
GUESS = 0.5  # of the picture's deviation: how far the first guesses of two seeds are apart
MAX_FILLED = 0.6  # of the picture
MAX_EXTENSION = 1.0  # of a side, at each end
MAX_KEPT = 4096  # pixels a side that a model can keep


def fill(
    model: SinGAN, mask: Picture, *, n: int = 1, seed: int = 0, on_event: OnEvent | None = None
) -> list[Image.Image]:
    """`n` RGB images of the training image's size with what `mask` hides drawn anew from the rest; a draft will do.

    `mask`: white where the hole is; result k depends on `seed` + k alone. What is beyond the mask and its soft edge is
    the training image to the last bit. Raises `ImageError` for a bad mask, `ConfigError` for a value out of range.
    """
    hole = load_mask(model, mask)
    covered = float(hole.mean())
    if covered > MAX_FILLED:
        raise ImageError(
            f"The mask covers {covered:.0%} of the picture; at most {MAX_FILLED:.0%} can be filled from the rest."
        )
    return _filled(model, model.real_at(-1), hole, n, seed, on_event, {"task": "fill"})


def extend(
    model: SinGAN,
    *,
    top: float = 0.0,
    right: float = 0.0,
    bottom: float = 0.0,
    left: float = 0.0,
    n: int = 1,
    seed: int = 0,
    on_event: OnEvent | None = None,
) -> list[Image.Image]:
    """`n` RGB images of the training image with more around it; a draft will do.

    Each side grows by a share of the height (`top`, `bottom`) or the width (`left`, `right`), 0 to 1. The training
    image is in the middle, all of it, but for a soft edge. Raises `ConfigError` on a value out of range.
    """
    sides = {"top": top, "right": right, "bottom": bottom, "left": left}
    for name, share in sides.items():
        if not 0 <= share <= MAX_EXTENSION:
            raise ConfigError(f"{name} is {share:g}; a side grows by 0 to {MAX_EXTENSION:g} of the picture.")
    height, width = model.image_size
    above, below, before, after = (
        round(share * side) for share, side in ((top, height), (bottom, height), (left, width), (right, width))
    )
    if not any((above, below, before, after)):
        raise ConfigError("Nothing is to be added: give one of top, right, bottom, left a share over 0.")
    size = above + height + below, before + width + after
    check_size(size)
    real = model.real_at(-1)
    canvas = real.new_zeros(1, 3, *size)
    hole = real.new_ones(1, 1, *size)
    inside = slice(above, above + height), slice(before, before + width)
    canvas[:, :, inside[0], inside[1]], hole[:, :, inside[0], inside[1]] = real, 0
    settings = {"task": "extend", **{name: share for name, share in sides.items() if share}}
    return _filled(model, canvas, hole, n, seed, on_event, settings, whole=True)


def draft_of(photo: Image.Image) -> SinGAN:
    """A draft that keeps the photo at its own size, up to MAX_KEPT pixels a side."""
    return draft(photo, TrainConfig.preset("draft", photo_size=min(MAX_KEPT, max(25, *photo.size))))


def _filled(
    model: SinGAN,
    image: torch.Tensor,
    hole: torch.Tensor,
    n: int,
    seed: int,
    on_event: OnEvent | None,
    settings: dict[str, object],
    *,
    whole: bool = False,
) -> list[Image.Image]:
    """`whole`: the training image has no hole, all its patches may be used."""
    if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= 64:
        raise ConfigError(f"n is {n!r}; it goes from 1 to 64.")
    check_seed(seed)
    if not model.config.field:
        raise ConfigError("This model has no field of patches to fill from: make a draft of the photo (singan.draft).")
    guess, weight = fill_in(image, hole), torch.maximum(feather(hole, 0, SOFT), hole)
    source = model if whole else without(model, hole, guess)
    images = []
    for k in range(n):
        rng = torch.Generator().manual_seed(seed + k)
        noise = torch.randn(1, 3, 16, 16, generator=rng).to(image.device) * GUESS * image.std()
        start = guess + hole * resize(noise, (image.shape[2], image.shape[3]))
        injection = Injection(start, ROUNDS, region=weight)
        x = inject(source, injection, 1, seed + k)
        x = blend(image, x + light(image, x, hole), weight).clamp(-1, 1)
        images.append(tensor_to_image(x))
        images[-1].info.update(settings, seed=seed + k)
        if on_event:
            on_event(TaskEvent(k + 1, n, "sample", images[-1]))
    return images


def light(image: torch.Tensor, x: torch.Tensor, hole: torch.Tensor) -> torch.Tensor:
    """What must be added to `x` in `hole` for its colours to meet those of `image` around it, (1, 3, H, W): smooth, as
    the membrane of Poisson blending (Perez et al., SIGGRAPH 2003)."""
    outer, inner = grow(hole, RING) - hole, hole - grow(hole, -RING)

    def colors(x: torch.Tensor, ring: torch.Tensor) -> torch.Tensor:
        return blur(x * ring, SMOOTH) / blur(ring, SMOOTH).clamp_min(1e-4)

    step = (colors(image, outer) - colors(x, inner)).clamp(-MAX_SHIFT, MAX_SHIFT)
    return fill_in(step * inner, 1 - inner, SMOOTH)


def without(model: SinGAN, hole: torch.Tensor, guess: torch.Tensor) -> SinGAN:
    """`model` whose patches are those that do not touch `hole`, (1, 1, H, W) of its photograph's proportions.

    `guess`: the photograph, (1, 3, H, W), with something else in the hole, so that none of its colours is left in
    shrunk images. Raises `ImageError` if no patch is left at some level.
    """
    photo = torch.from_numpy(np.array(tensor_to_image(guess))).to(model.device)
    other = replace(model, photo=photo, memory=[])
    for level, size in enumerate(other.levels):
        patches = other.patches_at(level)
        patches.leave_out(F.adaptive_max_pool2d(hole, size))
        if patches.valid is not None and not len(patches.valid):
            raise ImageError("The mask leaves no part of the picture to fill from: make it smaller.")
    return other


def fill_in(image: torch.Tensor, hole: torch.Tensor, finest: float = 0.5) -> torch.Tensor:
    """`image`, (1, C, H, W), with smooth colours from around it in `hole`, (1, 1, H, W) of 0 and 1; they are averages
    over `finest` pixels at 250 px or more."""
    result, known = image * (1 - hole), 1 - hole
    filled, sure = torch.zeros_like(image), torch.zeros_like(known)
    sigma = finest
    while sigma < 500 and not sure.all():  # the nearest known colours first, then those from further away
        weight = blur(known, sigma)
        here = ((weight > 0.02) & (sure == 0)).float()
        filled = filled + here * blur(result, sigma) / weight.clamp_min(0.02)
        sure = sure + here
        sigma *= 2
    return torch.where(hole > 0, filled, image)
