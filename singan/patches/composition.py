"""How differently two images are composed: what patches they have, and how many of each."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from singan.patches.search import PATCH, project
from singan.pyramid import resize

OCTAVES = 2  # of sizes at which patches are compared
DIRECTIONS = 16


class Composition:
    """What an image, (1, 3, H, W), is composed of: the projections of its patches, sorted."""

    def __init__(self, image: torch.Tensor) -> None:
        directions = torch.randn(DIRECTIONS, 3, PATCH, PATCH, generator=torch.Generator().manual_seed(0))
        self.filters = F.normalize(directions.flatten(1), dim=1).view_as(directions).to(image.device)
        self.octaves = [_sorted(image, octave, self.filters) for octave in range(OCTAVES)]


def composition_distance(images: list[torch.Tensor], real: Composition) -> list[float]:
    """The sliced Wasserstein distance of the patches of each image, (1, 3, any, any), to those of `real`.

    On random directions, the same in every call, the mean difference of sorted projections (Rabin et al., SSVM 2011):
    0 where every kind of patch is there as often as in `real`, wherever it is.
    """
    distances = [0.0] * len(images)
    for octave, wanted in enumerate(real.octaves):
        for i, image in enumerate(images):
            found = _sorted(image, octave, real.filters)
            if found.shape != wanted.shape:
                found = F.interpolate(found[None], size=wanted.shape[1], mode="linear")[0]
            distances[i] += float((found - wanted).abs().mean()) / OCTAVES
    return distances


def _sorted(image: torch.Tensor, octave: int, filters: torch.Tensor) -> torch.Tensor:
    """The projections of the patches, from the least to the greatest: (directions, patches)."""
    size = [max(PATCH, side >> octave) for side in image.shape[2:]]
    return project(resize(image, (size[0], size[1])), filters).flatten(0, 1).T.sort(1).values
