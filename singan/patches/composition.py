"""How unlike two images are in what they are composed of, in how that stands one above the other, and in what is
whole."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

from singan.patches.search import PATCH, Keys, distances, prepare, project
from singan.pyramid import resize
from singan.variation import beyond_half

OCTAVES = 2  # of sizes at which patches are compared
DIRECTIONS = 16
STRIP = 5  # pixels: the width of the columns that are compared
LOWER = 2  # pixels: as far up or down they may stand
LARGE, EVERY = 9, 2  # pixels: the side of the patches that are to be whole, and from one that is looked at to the next
WORST = 8  # the power of their differences that counts: a moon that is two is small, and is seen
KEPT = 2.0  # weight of columns and of large patches in the choice of a layout, at no variation
TRIED = 0.25  # share of the layouts that are drawn at variation 1
SAME = 0.001  # of the range [-1, 1]: what differs less is the photograph, however few of the layouts differ more
COPY, NEW = 0.4, 0.9  # of the median difference from the training image: less is a copy, and not chosen; at variation 1


class Composition:
    """What an image, (1, 3, H, W), is composed of: the projections of its patches, sorted, and its columns."""

    def __init__(self, image: torch.Tensor) -> None:
        directions = torch.randn(DIRECTIONS, 3, PATCH, PATCH, generator=torch.Generator().manual_seed(0))
        self.filters = F.normalize(directions.flatten(1), dim=1).view_as(directions).to(image.device)
        self.octaves = [_sorted(image, octave, self.filters)[0] for octave in range(OCTAVES)]
        self.height = image.shape[2]
        taller = F.pad(image, (0, 0, LOWER, LOWER), mode="replicate")
        self.columns: Keys = prepare(_parts(taller, self.height, STRIP)[0])
        self.side = min(LARGE, *image.shape[2:])
        large = _parts(image, self.side, self.side)[0]
        self.large: Keys = prepare(large)
        self.some = large[::EVERY]


def most_alike(
    images: torch.Tensor, image: torch.Tensor, real: Composition, variation: float, whole: bool = False, many: int = 1
) -> list[int]:
    """Which `many` of `images`, (N, 3, H, W), are composed most like `real`, that of `image`, (1, 3, h, w), the best
    first. Others lack some of its parts, repeat them, or have something that does not belong there under them or in
    them, which counts less the more `variation` is asked for. Where the `whole` of it is to be there, however often, it
    counts besides what they lack altogether. What is nearly `image` itself comes last. A choice of many leaves out what
    parts they lack or repeat, in two thirds of the time: at little variation that does not tell them apart."""
    distance = KEPT * (1 - variation) * (column_distance(images, real) + oddness(images, real))
    if many == 1:
        distance = distance + composition_distance(images, real)
    if whole:
        distance = distance + lack(images, real)
    away = (images - resize(image, (images.shape[2], images.shape[3]))).abs().mean((1, 2, 3))
    least = COPY + (NEW - COPY) * beyond_half(variation)
    copies = away < (least * away.median()).clamp_min(SAME)
    return distance.masked_fill(copies, math.inf).argsort(stable=True)[:many].tolist()


def tried(candidates: int, variation: float) -> int:
    """How many layouts are drawn, of which one is chosen: fewer the more `variation` over one half is asked for, since
    the best ones of many are alike."""
    return max(1, round(candidates * (1 - (1 - TRIED) * beyond_half(variation))))


def composition_distance(images: torch.Tensor, real: Composition) -> torch.Tensor:
    """The sliced Wasserstein distance of the patches of each image, (N, 3, any, any), to those of `real`: (N,).

    On random directions, the same in every call, the mean difference of sorted projections (Rabin et al., SSVM 2011):
    0 where every kind of patch is there as often as in `real`, wherever it is.
    """
    distance = images.new_zeros(len(images))
    for octave, wanted in enumerate(real.octaves):
        found = _sorted(images, octave, real.filters)
        if found.shape[1:] != wanted.shape:
            found = F.interpolate(found, size=wanted.shape[1], mode="linear")
        distance += (found - wanted).abs().mean((1, 2)) / OCTAVES
    return distance


def column_distance(images: torch.Tensor, real: Composition) -> torch.Tensor:
    """How far each image, (N, 3, any, any), is from standing as `real` does, from top to bottom: (N,).

    Of its columns, STRIP pixels wide and as high as the image, the root mean square difference to the nearest column of
    `real`, anywhere across, up to LOWER pixels up or down; the mean of them. 0 where everything has beneath it what it
    has in `real`: a mountain its reflection, a trunk its root.
    """
    columns = _parts(resize(images, (real.height, images.shape[3])), real.height, STRIP)
    return _differences(columns, real.columns).mean(1)


def oddness(images: torch.Tensor, real: Composition) -> torch.Tensor:
    """How far each image, (N, 3, any, any), is from being made of what is in `real`, at its worst: (N,).

    Of its patches, LARGE pixels a side, EVERY pixels apart, the root mean square difference to the nearest one of
    `real`; of these the mean to the power WORST. 0 where nothing is stretched, cut off or grown into something else.
    """
    side = real.side
    large = F.pad(images, (0, max(0, side - images.shape[3]), 0, max(0, side - images.shape[2])), mode="replicate")
    return _worst(_differences(_parts(large, side, side, EVERY), real.large))


def lack(images: torch.Tensor, real: Composition) -> torch.Tensor:
    """How far what is in `real` is from being in each image, (N, 3, any, any), at its worst: (N,).

    As `oddness`, the other way round (Simakov et al., CVPR 2008): 0 where nothing of `real` is left out.
    """
    all_of_it, alone = real.some[None], images.split(1)  # one by one: the parts of all are many times as large
    return torch.cat([_worst(_differences(all_of_it, prepare(_parts(one, real.side, real.side)[0]))) for one in alone])


def _worst(differences: torch.Tensor) -> torch.Tensor:
    """The mean to the power WORST of each row, (N, n): (N,)."""
    return differences.pow(WORST).mean(1).pow(1 / WORST)


def _differences(parts: torch.Tensor, real: Keys) -> torch.Tensor:
    """The root mean square difference of each of (N, n, values) to the nearest of `real`: (N, n)."""
    return (distances(parts, real) / parts.shape[2]).sqrt()


def _sorted(images: torch.Tensor, octave: int, filters: torch.Tensor) -> torch.Tensor:
    """The projections of the patches, from the least to the greatest: (N, directions, patches)."""
    size = [max(PATCH, side >> octave) for side in images.shape[2:]]
    found = project(resize(images, (size[0], size[1])), filters).flatten(1, 2).mT.contiguous()
    if found.device.type != "cpu":
        return found.sort(2).values
    return torch.from_numpy(np.sort(found.numpy(), 2))  # a tenth of torch's time, which sorts places too


def _parts(images: torch.Tensor, height: int, width: int, stride: int = 1) -> torch.Tensor:
    """The parts of (N, 3, H, W) that are so high and wide, so many pixels apart, as (N, parts, 3 * height * width)."""
    return F.unfold(images.float(), (height, width), stride=stride).mT
