"""The distance by which layouts are chosen."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from singan.patches.composition import (
    COPY,
    DIRECTIONS,
    EVERY,
    LARGE,
    LOWER,
    NEW,
    OCTAVES,
    STRIP,
    WORST,
    Composition,
    column_distance,
    composition_distance,
    lack,
    most_alike,
    oddness,
    tried,
)
from singan.patches.search import PATCH
from singan.pyramid import resize
from singan.variation import beyond_half, reordered

RNG = torch.Generator().manual_seed(0)
REAL = F.interpolate(torch.rand(1, 3, 6, 8, generator=RNG) * 2 - 1, size=(24, 32), mode="bicubic")


def test_it_is_the_mean_difference_of_sorted_projections():
    image = (REAL.flip(2) * 0.8 + 0.1).contiguous()
    directions = torch.randn(DIRECTIONS, 147, generator=torch.Generator().manual_seed(0)).numpy()
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    wanted = 0.0
    for octave in range(OCTAVES):
        a, b = (
            np.sort(directions @ F.unfold(resize(x, (24 >> octave, 32 >> octave)), PATCH)[0].numpy(), 1)
            for x in (image, REAL)
        )
        wanted += np.abs(a - b).mean() / OCTAVES
    assert composition_distance(image, Composition(REAL)).tolist() == [pytest.approx(wanted, rel=1e-4)]


def test_the_same_things_elsewhere_are_nearer_than_other_things():
    moved, flat = REAL.roll(9, 3), REAL.mean((2, 3), keepdim=True).expand_as(REAL)
    same, near, far = composition_distance(torch.cat([REAL, moved, flat]), Composition(REAL))
    assert same == 0 and near < 0.4 * far


def test_images_of_another_size_are_compared_by_shares():
    wide = torch.cat([REAL, REAL], 3)
    near, far = composition_distance(torch.cat([wide, -wide]), Composition(REAL))
    assert 0 < near < 0.3 * far


def test_an_image_that_is_hardly_larger_than_a_patch_is_compared_too():
    small = REAL[:, :, :9, :8].contiguous()
    assert composition_distance(small, Composition(small)).tolist() == [0]
    assert column_distance(small, Composition(small)) < 1e-3


def test_columns_may_move_but_must_stand_on_what_they_stand_on():
    moved, other = REAL.roll(9, 3), torch.cat([REAL[:, :, :12], REAL[:, :, 12:].roll(16, 3)], 2)
    same, near, far = column_distance(torch.cat([REAL, moved, other]), Composition(REAL))
    assert same < 1e-3 and near < 0.4 * far


def test_columns_are_those_of_a_plain_search():
    image = (REAL.flip(3) * 0.9).contiguous()
    taller = F.pad(REAL, (0, 0, LOWER, LOWER), mode="replicate")[0]
    strips = [taller[:, y : y + 24, x : x + STRIP] for y in range(2 * LOWER + 1) for x in range(32 - STRIP + 1)]
    wanted = [
        min(float((image[0, :, :, x : x + STRIP] - strip).square().mean()) for strip in strips) ** 0.5
        for x in range(32 - STRIP + 1)
    ]
    found = column_distance(torch.cat([image, image]), Composition(REAL))
    assert found.tolist() == [pytest.approx(np.mean(wanted), rel=1e-3)] * 2


def test_the_worst_of_large_patches_count_and_are_those_of_a_plain_search():
    image, there = REAL.clone(), REAL.unfold(2, LARGE, 1).unfold(3, LARGE, 1)
    there = there.permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, LARGE, LARGE)
    image[:, :, 8:14, 10:16] = 1 - image[:, :, 8:14, 10:16]
    wanted = []
    for y in range(0, 24 - LARGE + 1, EVERY):
        for x in range(0, 32 - LARGE + 1, EVERY):
            part = image[:, :, y : y + LARGE, x : x + LARGE]
            wanted.append(float((there - part).square().mean((1, 2, 3)).min()) ** 0.5)
    real = Composition(REAL)
    found = oddness(torch.cat([image, REAL]), real).tolist()
    assert found[0] == pytest.approx(np.mean(np.array(wanted) ** WORST) ** (1 / WORST), rel=1e-3)
    assert found[1] < 1e-3 < np.mean(wanted) < found[0]
    assert oddness(REAL[..., 5:27], real) < 1e-3
    assert oddness(REAL[:, :, :8, :8], real) > 0  # smaller than such a patch


def test_what_is_left_out_counts_however_often_the_rest_is_there():
    image, wide = REAL.clone(), torch.cat([REAL, REAL[..., 8:], REAL], 3)
    image[:, :, 8:20, 10:22] = 0
    real = Composition(REAL)
    assert lack(wide, real) < 1e-3
    found = lack(torch.cat([image, REAL]), real).tolist()
    there = image.unfold(2, LARGE, 1).unfold(3, LARGE, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, LARGE, LARGE)
    parts = REAL.unfold(2, LARGE, 1).unfold(3, LARGE, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, LARGE, LARGE)[::EVERY]
    wanted = [float((part - there).square().mean((1, 2, 3)).min()) ** 0.5 for part in parts]
    assert found[0] == pytest.approx(np.mean(np.array(wanted) ** WORST) ** (1 / WORST), rel=1e-3) and found[1] < 1e-3


def test_of_wider_ones_the_one_is_chosen_that_lacks_nothing():
    """One shows twice the first three quarters of the photograph, the other all of it and its first half twice more."""
    real, layouts = Composition(REAL), [REAL[..., :24].tile(1, 1, 1, 3), torch.cat([REAL, *2 * [REAL[..., :16]]], 3)]
    layouts = torch.cat([one[..., :64] for one in layouts])
    assert lack(layouts, real)[1] < 1e-3 and most_alike(layouts, REAL, real, 0.5, whole=True) == [1]


def test_what_is_nearly_a_copy_is_not_chosen_and_more_of_it_at_much_variation():
    """Three layouts, each composed as the photograph is, the more it moved the less so."""
    real = Composition(REAL)
    layouts = torch.cat([REAL.roll(2, 3), REAL.roll(4, 3), REAL.roll(12, 3).flip(2)])
    away = (layouts - REAL).abs().mean((1, 2, 3))
    assert COPY * away.median() < away[0] < NEW * away.median()
    assert most_alike(layouts, REAL, real, 0.5, many=3) == [0, 1, 2] and most_alike(layouts, REAL, real, 1.0) == [1]
    assert most_alike(torch.cat([REAL, REAL, layouts[2:]]), REAL, real, 0.5) == [2]  # the median differs by nothing
    assert [beyond_half(v) for v in (0.0, 0.5, 0.75, 1.0)] == [0, 0, 0.5, 1]
    assert [reordered(v) for v in (0.0, 0.2, 0.4, 0.9, 1.0)] == pytest.approx([0, 0.3, 0.6, 1, 1])


def test_fewer_layouts_are_compared_the_more_is_to_vary():
    assert [tried(12, v) for v in (0.0, 0.5, 0.75, 1.0)] == [12, 12, round(12 * 0.625), 3]
    assert tried(1, 1.0) == 1
