"""Editing: parts of the training image that were moved, copied or erased become a picture again (SinGAN sec. 4.3)."""

from __future__ import annotations

from PIL import Image

from singan.model import SinGAN
from singan.tasks.blending import Picture, blended, fit, load_mask
from singan.tasks.injection import OnEvent, Scale, run

RADIUS = 20  # pixels that the mask is widened by, at 250 px
ROUNDS = (3, 2, 2)
KEEP = 0.25


def edit(
    model: SinGAN,
    edited: Picture,
    mask: Picture,
    *,
    scale: Scale = "auto",
    seed: int = 0,
    voting: bool | None = None,
    on_event: OnEvent | None = None,
) -> list[Image.Image]:
    """Make a roughly edited training image seamless: one RGB image per scale.

    `edited`: the training image with parts moved, copied or painted over; another size is resized, with an
    `ImageWarning`. `mask`: white where it was changed; what is beyond the mask and its soft edge is the training
    image to the last bit. `scale`: the injection scale, from 1 (free) to the model's finest (faithful), several,
    "all", or "auto". `voting=False` leaves patch voting out, as published.
    Raises `ImageError` for a bad picture or mask, `ConfigError` for a scale or seed out of range.
    """
    changed = fit(model, edited, "The edited image")
    injection = blended(model, changed, load_mask(model, mask), RADIUS, ROUNDS, KEEP)
    return run(model, injection, scale, seed, voting=voting, on_event=on_event, settings={"task": "edit"})
