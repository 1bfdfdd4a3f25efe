"""Harmonisation: a pasted object takes on the training image's colours and texture (SinGAN sec. 4.4)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from PIL import Image

from singan.errors import ImageError
from singan.model import SinGAN
from singan.tasks.blending import Picture, blended, fit, load_mask
from singan.tasks.injection import OnEvent, Scale, run

RADIUS = 7  # pixels that the mask is widened by, at 250 px
ROUNDS = (1, 1)  # light voting: the object must stay what it is
KEEP = 1.5
VISIBLE = 0.15  # of the range [-1, 1]: 19 of 255 levels


def harmonize(
    model: SinGAN,
    composite: Picture,
    mask: Picture | None = None,
    *,
    scale: Scale = "auto",
    seed: int = 0,
    voting: bool | None = None,
    on_event: OnEvent | None = None,
) -> list[Image.Image]:
    """Make the object pasted into `composite` look like part of the training image: one RGB image per scale.

    `composite`: the training image with something pasted in; another size is resized, with an `ImageWarning`.
    `mask`: white where it was pasted; without one, it is where the composite visibly differs from the training
    image. What is beyond the mask and its soft edge is the training image to the last bit. `scale`: the injection
    scale, from 1 (free) to the model's finest (faithful), several, "all", or "auto". `voting=False` leaves patch voting
    out, as published.
    Raises `ImageError` for a bad picture or mask, `ConfigError` for a scale or seed out of range.
    """
    pasted = fit(model, composite, "The composite")
    white = find_mask(model, pasted) if mask is None else load_mask(model, mask)
    injection = blended(model, pasted, white, RADIUS, ROUNDS, KEEP)
    return run(model, injection, scale, seed, voting=voting, on_event=on_event, settings={"task": "harmonize"})


def find_mask(model: SinGAN, composite: torch.Tensor) -> torch.Tensor:
    """Where `composite`, (1, 3, H, W), visibly differs from the training image: (1, 1, H, W) of 0 and 1.

    Averages over 5x5 pixels are compared, so that compression noise does not count. Raises `ImageError` if
    nothing differs.
    """
    difference = F.avg_pool2d(composite - model.real_at(-1), 5, 1, 2, count_include_pad=False)
    mask = (difference.abs().amax(1, keepdim=True) > VISIBLE).float()
    if not mask.any():
        raise ImageError(
            "The composite shows nothing that differs from the training image: paste something, or give a mask."
        )
    return mask
