"""Harmonisation: a pasted object takes on the training image's colours and texture (SinGAN sec. 4.4).

Its shape, its edges and what is drawn on it stay. Its colours move towards those of the picture, and the picture's
grain, brush strokes or hatching come over it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import torch
import torch.nn.functional as F
from PIL import Image

from singan.checks import check_range
from singan.errors import ConfigError, ImageError
from singan.image import Picture
from singan.model import SinGAN
from singan.tasks.blending import NOTHING, blend, feather, fit, load_mask, published, without_voting
from singan.tasks.filling import last_small
from singan.tasks.filters import blur, highest, touching, towards_colors, unit, without_texture
from singan.tasks.injection import Injection, OnEvent, Scale, run_injection

RADIUS = 7  # pixels that the mask is widened by without voting, at 250 px
NEAR = 4  # pixels around the object whose patches look for sources too
STAIRS, EDGE = 1.2, 0.5  # deviation that smooths the mask's outline: pixels, or pixels at 250 px if that is more
ROUNDS = (2, 2, 1)
TINT = 0.6  # of the colour of the light around the object that falls on it
AROUND = 30.0  # pixels at 250 px: how far around it that light is looked at
UNLIKE = 0.3  # of the range [-1, 1]: what differs less from the picture there is in its light already
BLACK = 0.004  # of the range from 0 to 2: surroundings that are darker, by half a level of 255, are black
COLORS = 0.95  # how far colours move to the picture's nearest ones, unless told
FAR = 0.06  # what a colour costs that is nowhere near the object, as squared distance
STRUCTURE = 2.5  # pixels at 250 px: what is coarser stays the object's while its texture is voted
TEXTURE = 3.0  # pixels at 250 px: what is smaller, and fainter than one of
CONTRASTS = (0.02, 0.05, 0.08, 0.12, 0.2)  # of the range [-1, 1], counts as texture: the first by which is left at most
USUAL, DRAWN = 1.18, 0.05  # times the picture's grain; where none does, things are drawn that fine, and this
DETAIL = 2.0  # pixels at 250 px: what is finer is taken from the picture, without its colours,
STRONGEST = 1.0  # and times what is usual there: what is stronger is no grain, but an edge of something
FRINGE = 0.6  # pixels at 250 px along the object's edge, where it may show what it was cut out of
LIMIT = 0.25  # of the object's structure that may be lost
VISIBLE, FAINT = 0.15, 0.06  # of the range [-1, 1]: 19 of 255 levels, and 8
GAP = 5.0  # pixels at 250 px: holes in an object that are narrower than twice that are parts of it


def harmonize(
    model: SinGAN,
    composite: Picture,
    mask: Picture | None = None,
    *,
    scale: Scale = "auto",
    seed: int = 0,
    voting: bool | None = None,
    recolor: float | None = None,
    on_event: OnEvent | None = None,
) -> list[Image.Image]:
    """Make the object pasted into `composite` look like part of the training image: one RGB image per scale.

    `composite`: the training image with something pasted in; another size is resized, with an `ImageWarning`.
    `mask`: white where it was pasted; without one, it is where the composite visibly differs from the training
    image. What is beyond the mask and its soft edge is the training image to the last bit. `scale`: the injection
    scale, from 1 (free) to the model's finest (faithful), several, "all", or "auto": the last one that is small, as all
    are alike, or of a model without a field the one that fits best. `voting=False` leaves patch voting out, as
    published, and is what a model with `config.published` does unless told. `recolor`: how far its colours move to the
    picture's nearest ones, from 0 to 1; by default nearly all the way, as a painting asks for. At 0 it is in the light
    of the picture alone, and a red cup stays red.
    Raises `ImageError` for a bad picture or mask, `ConfigError` for a scale or seed out of range, or for `recolor`
    without voting, where the generators alone colour it.
    """
    share = COLORS if recolor is None else recolor
    check_range("recolor", share, 0, 1)
    pasted = fit(model, composite, "The composite")
    white = find_mask(model, pasted) if mask is None else load_mask(model, mask)
    real = model.real_at(-1)
    if without_voting(model, voting):
        if recolor is not None:
            raise ConfigError("Without patch voting the generators alone colour what was pasted in: leave out recolor.")
        injection = replace(published(model, pasted, white, RADIUS), limit=LIMIT)
    else:
        injection = _injection(model, pasted, white, real, share)
    settings = {"task": "harmonize"} | ({} if recolor is None else {"recolor": recolor})
    return run_injection(model, injection, scale, seed, voting=voting, on_event=on_event, settings=settings)


def _injection(
    model: SinGAN, pasted: torch.Tensor, mask: torch.Tensor, real: torch.Tensor, recolor: float
) -> Injection:
    pasted = without_fringe(pasted, mask)
    near = blur(mask, AROUND)
    far = 1 - near / near.max().clamp_min(NOTHING)
    moved = towards_colors(tinted(pasted, mask, real), real, recolor, FAR * far)
    if bool((real == real[:, :1]).all()):  # black and white
        moved = moved.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    recolored = beyond_edge(torch.where(mask > 0, moved, pasted), mask)
    edge = smooth_outline(mask)

    def grain(x: torch.Tensor, size: float = DETAIL) -> torch.Tensor:
        grey = x.mean(1, keepdim=True)
        return grey - blur(grey, size)

    usual = grain(real).abs().median()  # not the mean, which the windows of a city make large
    pixel = 1 / unit(real)
    most = USUAL * grain(real, pixel).abs().mean() * mask.sum()

    @cache
    def shape(contrast: float) -> torch.Tensor:
        return without_texture(recolored, TEXTURE, contrast)

    def finish(x: torch.Tensor) -> torch.Tensor:
        found = grain(x).clamp(-STRONGEST * usual, STRONGEST * usual)
        there = (found.abs() * mask).sum() / mask.sum()
        found = (usual / there.clamp_min(1e-6)).clamp(max=1) * found
        for contrast in (*CONTRASTS, DRAWN):
            result = blend(real, shape(contrast) + found, edge)
            if (grain(result, pixel).abs() * mask).sum() <= most:
                break
        return result

    return Injection(
        recolored,
        ROUNDS,
        given=pasted,
        limit=LIMIT,
        region=feather(mask, NEAR),
        structure=STRUCTURE,
        texture_only=True,
        finish=finish,
        usual=last_small(model, real) if model.config.field else None,
    )


def tinted(pasted: torch.Tensor, mask: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """`pasted`, (1, 3, H, W), with the object in `mask`, (1, 1, H, W), in the light of what is around it in `real`:
    white takes its mean hue. What is in the picture already, like haze before the object, stays."""
    weight = (1 - mask) * (blur(mask, AROUND) + NOTHING)
    light = 1 + (real * weight).sum((2, 3), keepdim=True) / weight.sum().clamp_min(NOTHING)  # 0 to 2
    if float(light.mean()) < BLACK:  # of which there is no hue
        return pasted
    light = light / light.mean(1, keepdim=True).clamp_min(NOTHING)
    unlike = blur((pasted - real).abs().amax(1, keepdim=True), 1.0)
    share = TINT * mask * (unlike / UNLIKE).clamp(max=1)
    return ((pasted + 1) * (1 + share * (light - 1)) - 1).clamp(-1, 1)


def smooth_outline(mask: torch.Tensor) -> torch.Tensor:
    """A mask of 0 and 1, (1, 1, H, W), without its stairs: from 0 to 1. What is narrow stays."""
    pixels = _outline(mask)
    soft = blur(mask, pixels / unit(mask))
    most = highest(soft, (2 * round(pixels) + 1) / unit(mask)).clamp_min(NOTHING)
    return torch.where(soft > NOTHING, 1.6 * (soft / most - 0.5) + 0.45, 0).clamp(0, 1)


def without_fringe(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """`x`, (1, 3, H, W), with the colours of the inside of `mask`, (1, 1, H, W), along its edge too, where it has an
    inside: what was cut out roughly has a line of its old surroundings around it."""
    inside, reach = -highest(-mask, FRINGE), max(1, round(FRINGE * unit(x)))
    mean, near = _mean_in(inside, x, 2 * reach)
    return torch.where((mask > inside) & (near > 0.3), mean, x)


def beyond_edge(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """`x`, (1, 3, H, W), where the object in `mask`, (1, 1, H, W), goes on as far as its soft outline: that would show
    what is beyond the mask there, and the stairs of its edge."""
    mean, near = _mean_in(mask, x, 2 * round(_outline(x)))
    return torch.where((mask == 0) & (near > NOTHING), mean, x)


def _outline(x: torch.Tensor) -> float:
    """The standard deviation, in pixels, of the soft outline of an object in `x`."""
    return max(STAIRS, EDGE * unit(x))


def _mean_in(mask: torch.Tensor, x: torch.Tensor, reach: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean of what is in the mask of `x` within so many pixels, and what share of these is in it."""

    def mean(t: torch.Tensor) -> torch.Tensor:
        t = F.avg_pool2d(t, (2 * reach + 1, 1), 1, (reach, 0))
        return F.avg_pool2d(t, (1, 2 * reach + 1), 1, (0, reach))

    near = mean(mask)
    return mean(x * mask) / near.clamp_min(1e-6), near


def find_mask(model: SinGAN, composite: torch.Tensor) -> torch.Tensor:
    """Where `composite`, (1, 3, H, W), visibly differs from the training image: (1, 1, H, W) of 0 and 1.

    Averages over 5x5 pixels are compared, so that compression noise does not count. What differs faintly belongs to an
    object that it touches, and so does what the object has around it and is narrow. Raises `ImageError` if nothing
    differs.
    """
    difference = composite - model.real_at(-1)
    mean = F.avg_pool2d(difference, 5, 1, 2, count_include_pad=False).abs().amax(1, keepdim=True)
    visible = (mean > VISIBLE).float()
    if not visible.any():
        raise ImageError(
            "Nothing in the composite differs from the model's picture: add an object, or give a mask of where it is."
        )
    faint = torch.minimum(mean, difference.abs().amax(1, keepdim=True)) > FAINT
    mask = touching(visible, torch.maximum(visible, faint.float()))
    border = F.pad(torch.zeros_like(mask[..., 1:-1, 1:-1]), (1, 1, 1, 1), value=1.0)
    enclosed = 1 - mask - touching(border, 1 - mask)
    return torch.maximum(mask, enclosed * -highest(-highest(mask, GAP), GAP))
