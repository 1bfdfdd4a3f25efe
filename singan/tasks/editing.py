"""Editing: parts of the training image that were moved, copied or erased become a picture again (SinGAN sec. 4.3).

What was put in stays what it is, in a light a little nearer to that around it. Only a band along its edge is stitched
anew, from what was put in, the photograph as it was, and copies of other parts of it, so that the seam goes where it
shows least; what was painted over with one colour is filled in the same way.
"""

from __future__ import annotations

import torch
from PIL import Image

from singan.model import SinGAN
from singan.patches.light import lit
from singan.patches.stitch import OFFSETS, stitch
from singan.tasks.blending import Picture, fit, load_mask, published, without_voting
from singan.tasks.filling import stitched_sizes
from singan.tasks.filters import grow, highest
from singan.tasks.injection import Injection, OnEvent, Scale, run_injection

RADIUS = 20  # pixels that the mask is widened by without voting, at 250 px
BAND = 8  # pixels at 250 px: half of the band
KEPT = 0.4  # of what was put in is to be within the band; it is narrower around narrow things
LIGHT = 0.6  # of the range [-1, 1]: a larger step across a cut stays
SHADE = 0.5  # of the range [-1, 1]: a step along the mask's edge that is larger is another thing, not another light
MOST_LIGHTER, DEEP = 0.075, 10.0  # root mean square of what light may change, and how deep inside, pixels at 250 px
COPIES = 3  # offsets on offer where nothing was erased; with more, things grow second summits
ERASED = 2.5  # pixels at 250 px: what is of one colour within as many is taken for painted over
ONE_COLOR = 1 / 127.5  # of the range [-1, 1]


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
    `ImageWarning`. `mask`: white where it was changed. Ten pixels inside its edge, of an image of 250, what was put in
    stays as it is, but for its light, unless it is of one colour: that was erased, and is filled. As far outside
    all is the training image to the last bit. `scale`: where stitching begins, from 1 (free) to the model's finest
    (faithful), several, "all", or "auto", the last one that is small. `voting=False` leaves patch voting out, as
    published, and is what a model with `config.published` does unless told. Raises `ImageError` for a bad picture or
    mask, `ConfigError` for a scale or seed out of range.
    """
    changed, white = fit(model, edited, "The edited image"), load_mask(model, mask)
    real = model.real_at(-1)
    if without_voting(model, voting):
        injection = published(model, changed, white, RADIUS)
    else:
        erased = find_erased(torch.where(white > 0, changed, real), white)
        put_in = torch.where(white > 0, levelled(changed, white, real), real)
        half = next((r for r in range(BAND, 1, -1) if grow(white, -r).sum() >= KEPT * white.sum()), 1)
        band = torch.maximum(grow(white, half) - grow(white, -half), grow(erased, 1))
        most = OFFSETS if erased.any() else COPIES
        sources, usable = torch.cat([real, put_in]), torch.cat([1 - erased, white * (1 - erased)])

        def stitched(scale: int) -> torch.Tensor:
            return stitch(put_in, band, sources, usable, stitched_sizes(model, real, scale - 1), seed, LIGHT, most)

        usual = 1 + len(model.levels) - len(stitched_sizes(model, real))
        injection = Injection(put_in, (), region=band, draw=stitched, usual=min(usual, model.num_scales - 1))
    return run_injection(model, injection, scale, seed, voting=voting, on_event=on_event, settings={"task": "edit"})


def levelled(changed: torch.Tensor, mask: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """`changed`, (1, 3, H, W), with the light of what stands in `mask`, (1, 1, H, W), nearer to that of `real` around
    it, as far as what was put in stays what it is."""
    lighter = lit(real, changed, mask, SHADE) - changed
    inside = grow(mask, -DEEP)
    strength = ((lighter.square().mean(1, keepdim=True) * inside).sum() / inside.sum().clamp(min=1)).sqrt()
    return changed + (MOST_LIGHTER / strength.clamp_min(1e-6)).clamp(max=1) * lighter * mask


def find_erased(edited: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Where `edited`, (1, 3, H, W), was painted over with one colour inside `mask`, (1, 1, H, W): of 0 and 1."""
    spread = highest(edited, ERASED) + highest(-edited, ERASED)
    flat = (spread.amax(1, keepdim=True) <= ONE_COLOR) & (highest(1 - mask, ERASED) == 0)
    return torch.minimum(highest(flat.float(), ERASED), mask)
