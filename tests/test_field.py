"""The field of nearest patches, carried to larger sizes: against plain loops."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from test_patches import CPU, corners, exact, picture, smooth

from singan.patches import field as carrying
from singan.patches.field import REACH, enlarge, identity, refine_field, touched
from singan.patches.search import PATCH, SIDEWAYS, Patches, basis
from singan.patches.vote import Field, positions, voters


def random_field(seed, size, source) -> Field:
    rng, shape = np.random.default_rng(seed), tuple(voters(side) for side in size)
    y, x = (torch.from_numpy(rng.integers(0, side - PATCH + 1, (1, *shape))) for side in source)
    return Field(size, source, y, x)


# --- enlarging ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(20, 30), (21, 31), (7, 8)])
def test_identity_is_each_patch_at_its_own_place(size):
    field = identity(size, size, CPU)
    for i, top in enumerate(corners(size[0])):
        for j, left in enumerate(corners(size[1])):
            assert (field.y[0, i, j], field.x[0, i, j]) == (top, left)


def test_field_at_its_own_size_stays_as_it_is():
    field = random_field(0, (21, 30), (19, 25))
    again = enlarge(field, (21, 30), (19, 25))
    assert torch.equal(again.y, field.y) and torch.equal(again.x, field.x)


@pytest.mark.parametrize("factor", [1.25, 1.5, 2, 3.1])
def test_identity_enlarges_to_identity(factor):
    small, large = (24, 33), (round(24 * factor), round(33 * factor))
    field, own = enlarge(identity(small, small, CPU), large, large), identity(large, large, CPU)
    assert (field.y - own.y).abs().max() <= 1 and (field.x - own.x).abs().max() <= 1


@pytest.mark.parametrize("factor", [1.25, 1.5, 2, 3.1])
def test_offsets_grow_with_the_training_image(factor):
    """The image and the training image may differ in size, and each offset is kept in proportion."""
    down, left = 6, -4  # where all patches come from, in pixels of the smaller size
    rows, columns = (positions(side, CPU) for side in (20, 24))
    y, x = torch.meshgrid(rows + down, columns + 10 + left, indexing="ij")
    source = 40, 50
    size, larger = ((round(h * factor), round(w * factor)) for h, w in ((20, 24), source))
    field = enlarge(Field((20, 24), source, y[None], x[None]), size, larger)
    ys, xs = (positions(side, CPU) for side in size)
    assert (field.y - (ys[:, None] + down * factor)).abs().max() <= 1.5
    assert (field.x - (xs + (10 + left) * factor)).abs().max() <= 1.5


def test_each_patch_takes_the_offset_of_the_nearest_smaller_one():
    """Two halves with different offsets; away from the seam each keeps its own."""
    size, source = (20, 40), (20, 80)
    rows, columns = (positions(side, CPU) for side in size)
    right = columns >= 20
    x = (columns + torch.where(right, 30, 2)).expand(1, len(rows), -1).clone()
    field = enlarge(Field(size, source, rows[None, :, None].expand_as(x).clone(), x), (40, 80), (40, 160))
    at = positions(80, CPU)
    offsets = field.x - at
    assert (offsets[..., at < 36] - 4).abs().max() <= 1 and (offsets[..., at > 44] - 60).abs().max() <= 1


@pytest.mark.parametrize("size", [(7, 7), (9, 60), (41, 33), (100, 80)])
@pytest.mark.parametrize("source", [(7, 9), (25, 20), (61, 90)])
def test_enlarged_field_stays_inside_the_training_image(size, source):
    for seed in range(5):
        field = enlarge(random_field(seed, (22, 31), (18, 25)), size, source)
        assert field.shape == tuple(voters(side) for side in size)
        assert field.y.min() >= 0 and field.y.max() <= source[0] - PATCH
        assert field.x.min() >= 0 and field.x.max() <= source[1] - PATCH


# --- refining -------------------------------------------------------------------------------------


def cost_by_hand(image, real, top, left, y, x, prior) -> float:
    (height, width), (h, w) = image.shape[1:], real.shape[1:]
    patches = image[:, top : top + PATCH, left : left + PATCH], real[:, y : y + PATCH, x : x + PATCH]
    away = (top / height - y / h) ** 2 + SIDEWAYS**2 * (left / width - x / w) ** 2
    return float(((patches[0] - patches[1]) ** 2).mean() + prior**2 * away)


def candidates_by_hand(field, i, j, reach) -> list[tuple[int, int]]:
    """Own source, those of the neighbours shifted back, and one pixel beside the own; inside the training image."""
    rows, columns = (corners(side) for side in field.size)
    found = [(int(field.y[0, i, j]), int(field.x[0, i, j]))]
    for hop in range(1, reach + 1):
        for down, across in ((hop, 0), (-hop, 0), (0, hop), (0, -hop)):
            a, b = min(max(i + down, 0), len(rows) - 1), min(max(j + across, 0), len(columns) - 1)
            found.append((int(field.y[0, a, b]) + rows[i] - rows[a], int(field.x[0, a, b]) + columns[j] - columns[b]))
    found += [(found[0][0] + down, found[0][1] + across) for down, across in ((1, 0), (-1, 0), (0, 1), (0, -1))]
    (h, w) = field.source
    return [(min(max(y, 0), h - PATCH), min(max(x, 0), w - PATCH)) for y, x in found]


@pytest.mark.parametrize(("together", "reach"), [(0.0, 1), (1e-12, REACH)])
@pytest.mark.parametrize("tile", [1, 2, 10**6])
@pytest.mark.parametrize(("size", "prior"), [((18, 23), 0.0), ((19, 22), 1.0), ((18, 22), 4.0), ((7, 25), 0.5)])
def test_refined_field_takes_the_best_of_its_candidates_whatever_the_tile(
    monkeypatch, size, prior, tile, together, reach
):
    monkeypatch.setattr(carrying, "BLOCK", (tile, tile))
    image, real, field = smooth(0, *size), smooth(1, 17, 26), random_field(2, size, (17, 26))
    refined = refine_field(field, image, exact(real), prior, together=together)
    pictures = [t[0].numpy().astype(float) for t in (image, real)]
    moved = 0
    for i, top in enumerate(corners(size[0])):
        for j, left in enumerate(corners(size[1])):
            options = candidates_by_hand(field, i, j, reach)
            costs = [cost_by_hand(*pictures, top, left, y, x, prior) for y, x in options]
            chosen = int(refined.y[0, i, j]), int(refined.x[0, i, j])
            assert chosen in options
            assert cost_by_hand(*pictures, top, left, *chosen, prior) == pytest.approx(min(costs), abs=1e-6)
            moved += chosen != options[0]
    assert moved > field.y.numel() / 2


def test_strips_do_not_change_the_field_at_any_size(monkeypatch):
    image, patches, field = smooth(0, 60, 71), exact(smooth(1, 50, 64)), random_field(2, (60, 71), (50, 64))
    whole = refine_field(field, image, patches, 1.0)
    for tile in (1, 5, 14):
        monkeypatch.setattr(carrying, "BLOCK", (tile, tile + 2))
        again = refine_field(field, image, patches, 1.0)
        assert torch.equal(again.y, whole.y) and torch.equal(again.x, whole.x)


def test_refining_finds_the_training_image_from_nearby():
    """Every patch starts one pixel beside its own place, or better; a step brings it there."""
    real = smooth(0, 30, 41)
    own = identity((30, 41), (30, 41), CPU)
    beside = Field(own.size, own.source, own.y, (own.x + 1).clamp(max=41 - PATCH))
    found = refine_field(beside, real, exact(real), 0.0)
    assert torch.equal(found.y, own.y) and torch.equal(found.x, own.x)


def test_patches_kept_in_half_the_bytes_choose_nearly_the_same():
    image, real, field = smooth(0, 40, 51), smooth(1, 37, 46), random_field(2, (40, 51), (37, 46))
    filters = basis(real)
    full, half = (refine_field(field, image, Patches(real, filters, d), 1.0) for d in (torch.float32, torch.float16))
    assert ((full.y == half.y) & (full.x == half.x)).float().mean() > 0.95


def test_several_images_are_each_refined_as_alone():
    images, patches = torch.cat([smooth(k, 40, 41) for k in range(3)]), exact(smooth(5, 30, 35))
    fields = [random_field(k, (40, 41), (30, 35)) for k in range(3)]
    y, x = (torch.cat([getattr(field, name) for field in fields]) for name in "yx")
    together = refine_field(Field((40, 41), (30, 35), y, x), images, patches, 1.0)
    larger = enlarge(together, (60, 62), (45, 52))
    for k, field in enumerate(fields):
        alone = refine_field(field, images[k : k + 1], patches, 1.0)
        assert torch.equal(together.only([k]).y, alone.y) and torch.equal(together.only([k]).x, alone.x)
        assert torch.equal(larger.only([k]).y, enlarge(alone, (60, 62), (45, 52)).y)


# --- a region -------------------------------------------------------------------------------------


def test_touched_are_the_patches_that_reach_into_the_region():
    region = torch.zeros(1, 1, 21, 30)
    region[..., 9:12, 20] = 0.2
    found = touched(region)
    for i, top in enumerate(corners(21)):
        for j, left in enumerate(corners(30)):
            assert found[i, j] == bool(region[..., top : top + PATCH, left : left + PATCH].max() > 0)


def test_region_keeps_others_at_their_own_place():
    image, patches, field = smooth(0, 40, 41), exact(smooth(1, 30, 35)), random_field(2, (40, 41), (30, 35))
    region = F.pad(torch.full((1, 1, 8, 9), 0.1), (16, 16, 14, 18))
    within, whole = (refine_field(field, image, patches, 1.0, region=r) for r in (region, None))
    own, inside = identity((40, 41), (30, 35), CPU), touched(region)
    assert 0 < inside.sum() < inside.numel()
    for found, refined, place in ((within.y, whole.y, own.y), (within.x, whole.x, own.x)):
        assert torch.equal(found, torch.where(inside, refined, place))


def test_region_of_ones_is_no_region():
    image, patches, field = picture(0, 22, 31), exact(picture(1, 20, 30)), random_field(2, (22, 31), (20, 30))
    within = refine_field(field, image, patches, 0.5, region=torch.ones(1, 1, 22, 31))
    whole = refine_field(field, image, patches, 0.5)
    assert torch.equal(within.y, whole.y) and torch.equal(within.x, whole.x)
