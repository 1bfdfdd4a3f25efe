"""A painting's layout in the photograph's own pixels: image analogies (Hertzmann et al., SIGGRAPH 2001).

The photograph is painted in the painting's colours, by the optimal transport of colours and their heights from one to
the other; what there is unlike all else in a colour keeps its difference, as no one has painted it. A patch of the
result then looks for a patch of the photograph that, so painted, is like the painting there, and that is itself like
what the result shows so far. The painting's pixels never enter the result. In the end the light is evened out where
patches of different sources meet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from singan.model import SinGAN
from singan.patches.atlas import Atlas
from singan.patches.field import carry_field, refine_field, search, side_by_side
from singan.patches.light import agreed
from singan.patches.search import CHUNK, PATCH, Patches, basis
from singan.patches.vote import Field, vote
from singan.pyramid import resize
from singan.tasks.filters import blur, some, unit

ROUNDS = 3  # of voting at the first scale, the first by the painting alone,
LATER = 2  # at others that are searched, and one at those beyond
WEIGHT = 2.5  # of a difference from the painting, where one from the result so far counts 1,
BEYOND = 16.0  # and at scales that are not searched
PRIOR = 0.6  # place prior: the painting has said what stands where, and only sizes go by the height
REUSE = 0.1  # less would show all of the photograph, also what was not painted
TOGETHER, SPREAD = 0.05, 3  # what patches of different sources side by side cost; how often that is passed on
SMOOTH = 1.0  # pixels of the last scale that is searched: what is finer in the photograph is no thing of its own
POINTS = 800  # pixels of either picture between which colours are transported
LIGHTNESS = 0.5  # what a difference of lightness counts there: a cow is a cow in the shade too
HEIGHT = 0.5  # what one of the whole height counts there, of the range [-1, 1]
SHARP = 0.01  # squared distance over which a pixel's mass is spread
ITERATIONS = 50  # of Sinkhorn's
STRANGE = 1.4  # times the usual deviation in a colour: what is further away is another thing than what was painted
LINEAR = 0.25  # weight of a linear map of colours in how the photograph is painted


@torch.inference_mode()
def draw_guided(model: SinGAN, painting: torch.Tensor, scale: int) -> torch.Tensor:
    """What `painting`, (1, 3, H, W), becomes where it guides from the scale before `scale` on: the same shape.

    It guides at all scales that are searched, and to the scale before `scale` if that is finer.
    """
    size, searched = (painting.shape[2], painting.shape[3]), model.voting_scales
    sizes = [model.size_at(k, size) for k in range(len(model.levels))]
    smooth = [blur(image, SMOOTH / unit(image)) for image in model.pictures_at(searched - 1)]
    painted = painted_as(smooth, resize(painting, sizes[searched - 1]))
    x, found = painting, None
    for k in range(min(scale, searched) - 1, len(sizes)):
        x, patches = resize(x, sizes[k]), model.patches_at(k)
        if min(*sizes[k], *patches.size) < PATCH:
            continue
        if k < max(scale, searched):
            new = k < searched
            x, found = vote_guided(x, found, patches, painted, painting, new, WEIGHT if new else BEYOND, REUSE)
        else:
            found = search(x, patches, PRIOR) if found is None else carry_field(found, sizes[k], patches)
            found = refine_field(found, x, patches, PRIOR)
            x = vote(found, patches)
    return x if found is None else agreed(x, found, patches.image)


def vote_guided(
    x: torch.Tensor,
    found: Field | None,
    patches: Patches,
    painted: list[torch.Tensor],
    wanted: torch.Tensor,
    new: bool,
    weight: float,
    reuse: float,
) -> tuple[torch.Tensor, Field]:
    """The image and its field after some votes, guided by `wanted` as the photographs are `painted`, both of any size.
    Sources are searched for where that is to be anew, or where there is no field; then `x` does not count yet. A
    difference from what is `wanted` counts `weight`, where one from `x` counts 1. `reuse`: see `search`."""
    dtype, loud = patches.keys.dtype, math.sqrt(weight)
    sizes = [(image.shape[2], image.shape[3]) for image in patches.images]
    painted = [loud * resize(image, size) for image, size in zip(painted, sizes, strict=True)]
    wanted = loud * resize(wanted, (x.shape[2], x.shape[3]))
    filters = basis(painted[0])
    guide = _patches(painted, filters, dtype) if found is None else None  # what to search by before there is an image
    both = _patches(
        [torch.cat(pair, 1) for pair in zip(patches.images, painted, strict=True)],
        torch.cat([F.pad(patches.filters, (0, 0, 0, 0, 0, 3)), F.pad(filters, (0, 0, 0, 0, 3, 0))]),
        dtype,
    )
    for _ in range(ROUNDS if found is None else LATER if new else 1):
        known, image = (guide, wanted) if guide and found is None else (both, torch.cat([x, wanted], 1))
        if found is None or new:
            found = search(image, known, PRIOR, reuse=reuse)
        else:
            found = carry_field(found, (x.shape[2], x.shape[3]), patches)
        found = side_by_side(found, image, known, PRIOR, TOGETHER, SPREAD)
        x = vote(found, patches)
    assert found is not None
    return x, found


def _patches(images: list[torch.Tensor], filters: torch.Tensor, dtype: torch.dtype) -> Patches:
    return Patches(images[0], filters, dtype) if len(images) == 1 else Atlas(images, filters, dtype)


def painted_as(photos: Sequence[torch.Tensor], painting: torch.Tensor) -> list[torch.Tensor]:
    """The photographs, (1, 3, any, any), as they are compared with `painting`, (1, 3, H, W).

    The transport makes all of a photograph something of the painting's: a black cow becomes grass where no one has
    painted one. So colours that are far from what becomes the same colour elsewhere keep what is too much of their
    difference. A linear map of all colours, which is no transport's, keeps what else differs a little apart.
    """
    moved = transported(photos, painting)
    colors, becomes = (torch.cat([image[0].flatten(1).T for image in images]) for images in (photos, moved))
    some_of = some(colors, POINTS)
    shown, seen = colors[some_of], becomes[some_of]

    def likeness(part: torch.Tensor) -> torch.Tensor:
        return torch.softmax(-torch.cdist(part, seen).square() / (3 * SHARP), 1)

    deviation = (shown - likeness(seen) @ shown).square().mean(1, keepdim=True)
    known = F.pad(colors, (0, 1), value=1.0)
    linear = torch.linalg.pinv(known.T @ known, hermitian=True) @ (known.T @ becomes)
    strange = []
    for color, color_becomes in zip(colors.split(CHUNK // POINTS), becomes.split(CHUNK // POINTS), strict=True):
        alike = likeness(color_becomes)
        away = color - alike @ shown
        usual = STRANGE * (alike @ deviation).sqrt()
        strange.append(away * (1 - usual / away.square().mean(1, keepdim=True).sqrt().clamp_min(1e-6)).clamp(min=0))
    return _as_images(torch.lerp(becomes, known @ linear, LINEAR) + torch.cat(strange), photos)


def transported(
    photos: Sequence[torch.Tensor],
    painting: torch.Tensor,
    lightness: float = LIGHTNESS,
    height: float = HEIGHT,
    sharp: float = SHARP,
) -> list[torch.Tensor]:
    """The photographs, (1, 3, any, any), each in the colours of `painting`, (1, 3, H, W).

    Each pixel is the mean of where its mass goes in the cheapest transport of all colours with their heights: entropic,
    between some pixels of either (Cuturi, NeurIPS 2013). What is as frequent in both goes together, so that colours
    need not be alike. A difference of `lightness` and of the whole `height` counts so much; a larger `sharp` is
    a smoother map.
    """
    sources, targets = (
        torch.cat([_placed(photo, lightness, height) for photo in photos]),
        _placed(painting, lightness, height),
    )
    here, there = (some(points, POINTS) for points in (sources, targets))
    cost = torch.cdist(sources[here], targets[there]).square().double()
    kernel = (-(cost - cost.amin(1, keepdim=True)) / sharp).exp()
    share = torch.ones_like(kernel[0])
    for _ in range(ITERATIONS):
        share = 1 / (kernel.T @ (1 / (kernel @ share)))
    potential = sharp * (share / share.mean()).log().float()
    colors = painting[0].flatten(1).T[there]
    moved = [
        torch.softmax((potential - torch.cdist(part, targets[there]).square()) / sharp, 1) @ colors
        for part in sources.split(CHUNK // len(colors))
    ]
    return _as_images(torch.cat(moved), photos)


def _as_images(pixels: torch.Tensor, photos: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The `pixels`, (any, 3), of images that are as large as the `photos`."""
    parts = pixels.split([photo.shape[2] * photo.shape[3] for photo in photos])
    return [part.T.reshape(photo.shape) for part, photo in zip(parts, photos, strict=True)]


def _placed(image: torch.Tensor, lightness: float, height: float) -> torch.Tensor:
    """The pixels of (1, 3, H, W) as points, (H * W, 4), between which distances count: colours and heights."""
    colors = image[0].flatten(1).T
    colors = (colors + (lightness - 1) * colors.mean(1, keepdim=True)) / math.sqrt(3)
    row = torch.arange(image.shape[2], device=image.device) / image.shape[2]
    return torch.cat([colors, height * row.repeat_interleave(image.shape[3])[:, None]], 1)
