"""Editing: parts of the training image that were moved, copied or erased become a picture again (SinGAN sec. 4.3).

What was put in stays what it is, in a light a little nearer to that around it. Only a band along its edge is stitched
anew, from what was put in, the photograph as it was, and copies of other parts of it, so that the seam goes where it
shows least; what was painted over with one colour is filled in the same way. What is blurred gets the grain of the
photograph's patches that are like it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from PIL import Image

from singan.checks import check_seed
from singan.image import Picture
from singan.model import SinGAN
from singan.patches.light import lit
from singan.patches.stitch import OFFSETS, stitch
from singan.tasks.blending import fit, load_mask, published, without_voting
from singan.tasks.filling import last_small, stitched_sizes
from singan.tasks.filters import blur, grow, highest
from singan.tasks.injection import Injection, OnEvent, Scale, inject, resolve, run_injection

RADIUS = 20  # pixels that the mask is widened by without voting, at 250 px
BAND = 8  # pixels at 250 px: half of the band
GAP = 4  # pixels at 250 px: half of what may be between two bands that are one
KEPT = 0.4  # of what was put in is to be within the band; it is narrower around narrow things
LIGHT = 0.8  # of the range [-1, 1]: a larger step across a cut stays
BUSY = 0.09  # by what steps from pixel to pixel around it less of it is light
SHADE = 0.5  # of the range [-1, 1]: a step along the mask's edge that is larger is another thing, not another light
MOST, DEEP = 0.075, 10.0  # root mean square of what may change, and how deep inside, pixels at 250 px
FINE = 0.8  # pixels at 250 px: what is fine;
BLURRED = 0.8  # of what the photograph has of it there: what has less is blurred
SMOOTH = 0.5  # of the same: what has less even from the photograph's own patches is none of its fine things
STRUCTURE = 1.5  # pixels at 250 px: what is coarser stays while it is voted,
ROUNDS = (2, 2, 1)  # so often
COPIES = 3  # offsets on offer where nothing was erased; with more, things grow second summits
ERASED = 2.5  # pixels at 250 px: what is of one colour within as many is taken for painted over
CELLS = 128  # of a channel's range: colours of neighbouring ones are one, as if two or three levels of 255 apart
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
    stays as it is, but for its light, unless it is of one colour: that was erased, and is filled; what is blurred gets
    the picture's grain. As far outside, and 12 between parts of the mask, all is the training image to the last bit.
    `scale`: where stitching begins, from 1 (free) to the model's finest (faithful), several, "all", or "auto", the
    last one that is small. `voting=False` leaves patch voting out, as published, and is what a model with
    `config.published` does unless told. Raises `ImageError` for a bad picture or mask, `ConfigError` for a scale or
    seed out of range.
    """
    resolve(model, scale)  # what is wrong is refused before anything is computed
    seed = check_seed(seed)
    changed, white = fit(model, edited, "The edited image"), load_mask(model, mask)
    real = model.real_at(-1)
    if without_voting(model, voting):
        injection = published(model, changed, white, RADIUS)
    else:
        erased = find_erased(torch.where(white > 0, changed, real), white, real)
        usual = last_small(model, real)
        put_in = torch.where(white > 0, levelled(changed, white, real), real)
        put_in = sharpened(model, put_in, changed, white * (1 - erased), usual)
        half = next((r for r in range(BAND, 1, -1) if grow(white, -r).sum() >= KEPT * white.sum()), 1)
        band = torch.maximum(gapless(grow(white, half)) - grow(white, -half), grow(erased, 1))
        most = OFFSETS if erased.any() else COPIES
        sources, usable = torch.cat([real, put_in]), torch.cat([1 - erased, white * (1 - erased)])

        def stitched(scale: int) -> torch.Tensor:
            sizes = stitched_sizes(model, real, scale - 1)
            return stitch(put_in, band, sources, usable, sizes, seed, LIGHT, most, busy=BUSY)

        injection = Injection(put_in, (), region=band, draw=stitched, usual=usual)
    return run_injection(model, injection, scale, seed, voting=voting, on_event=on_event, settings={"task": "edit"})


def gapless(mask: torch.Tensor) -> torch.Tensor:
    """A mask, (1, 1, H, W) of 0 and 1, with the gaps between its parts closed."""
    wide = grow(mask, GAP)
    wide[..., [0, -1], :], wide[..., [0, -1]] = 0, 0  # not those between it and the border
    return torch.maximum(grow(wide, -GAP), mask)


def levelled(changed: torch.Tensor, mask: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """`changed`, (1, 3, H, W), with the light of what stands in `mask`, (1, 1, H, W), nearer to that of `real` around
    it, as far as what was put in stays what it is."""
    lighter = (lit(real, changed, mask, SHADE) - changed) * mask
    return changed + _at_most(MOST, lighter, grow(mask, -DEEP))


def sharpened(model: SinGAN, x: torch.Tensor, given: torch.Tensor, mask: torch.Tensor, scale: int) -> torch.Tensor:
    """`x`, (1, 3, H, W), with the grain of the photograph's patches on what stands in `mask`, (1, 1, H, W), if that is
    blurred beside what the photograph has there: as strong as that, as far as it stays what was `given`, (1, 3, H, W).
    """

    def fine(image: torch.Tensor) -> torch.Tensor:
        return image - blur(image, FINE)

    inside, real = grow(mask, -1), model.real_at(-1)
    own = fine(x)
    there, usual = (_mean(image.square(), inside) for image in (own, fine(real)))
    coarser, around = (_mean(fine(blur(image, FINE)).square(), inside) for image in (x, real))
    plain = (coarser / around.clamp_min(1e-9)).clamp(max=1)  # of which all is less, and not what is finest alone
    if there >= BLURRED**2 * usual * plain:
        return x
    voted = inject(model, Injection(x, ROUNDS, region=mask, structure=STRUCTURE, texture_only=True), scale, 0)
    if _mean(fine(voted).square(), inside) < SMOOTH**2 * usual:  # a smooth thing over what is not: so it is
        return x
    grain = fine(voted - x) * mask
    added = fine(grain)
    alone, shared = _mean(added.square(), inside), _mean(added * own, inside)
    # so many times: alone * times ** 2 + 2 * shared * times + there = usual
    times = ((shared.square() + alone * (usual - there)).sqrt() - shared) / alone.clamp_min(1e-9)
    deep = grow(mask, -DEEP)
    left = (MOST**2 - _strength((x - given) * mask, deep).square()).clamp(min=0).sqrt()
    return x + _at_most(left, times * grain, deep)


def _mean(x: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """The mean of `x`, (1, 3, H, W), where `inside`, (1, 1, H, W), is 1."""
    return (x.mean(1, keepdim=True) * inside).sum() / inside.sum().clamp(min=1)


def _strength(x: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """The root mean square of `x`, (1, 3, H, W), where `inside`, (1, 1, H, W), is 1."""
    return _mean(x.square(), inside).sqrt()


def _at_most(most: torch.Tensor | float, x: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
    """`x`, (1, 3, H, W), weakened so that its root mean square `inside` is at most that."""
    return x * (most / _strength(x, inside).clamp_min(1e-6)).clamp(max=1)


def find_erased(edited: torch.Tensor, mask: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Where `edited`, (1, 3, H, W), was painted over with one colour inside `mask`, (1, 1, H, W): of 0 and 1. Not with
    one that areas of the photograph, `real`, have: a silhouette, or a drawing, was put in."""
    flat = _flat(edited) & (highest(1 - mask, ERASED) == 0)
    own = torch.zeros(CELLS, CELLS, CELLS, device=real.device)
    own[_cells(real, _flat(real))] = 1
    near = F.max_pool3d(own[None], 3, 1, 1)[0] > 0
    erased = flat.clone()
    erased[flat] = ~near[_cells(edited, flat)]
    return torch.minimum(highest(erased.float(), ERASED), mask)


def _flat(image: torch.Tensor) -> torch.Tensor:
    """Where `image`, (1, 3, H, W), is of one colour all around: (1, 1, H, W)."""
    return (highest(image, ERASED) + highest(-image, ERASED)).amax(1, keepdim=True) <= ONE_COLOR


def _cells(image: torch.Tensor, where: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """The colours of `image`, (1, 3, H, W), `where`, (1, 1, H, W), among CELLS of each channel."""
    found = image[0].movedim(0, 2)[where[0, 0]]
    return ((found + 1) / 2 * CELLS).long().clamp(0, CELLS - 1).unbind(1)
