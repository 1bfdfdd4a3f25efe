"""Search and vote against plain loops."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from singan.patches import search as searching
from singan.patches.field import identity, refine_field, search, voting
from singan.patches.search import (
    PATCH,
    REUSE,
    SIDEWAYS,
    TILES,
    Patches,
    basis,
    distances_to,
    nearest,
    prepare,
    project,
)
from singan.patches.vote import SIGMA, STRIDE, Field, positions, vote, voters

ALL = 3 * PATCH**2  # directions: none is left out
CPU = torch.device("cpu")


def picture(seed, height, width) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def smooth(seed, height, width) -> torch.Tensor:
    """As a photograph is: neighbours are alike."""
    return F.interpolate(picture(seed, height // 5 + 2, width // 5 + 2), size=(height, width), mode="bicubic")


def exact(image) -> Patches:
    return Patches(image, basis(image, ALL))


def patches_of(x: torch.Tensor) -> np.ndarray:
    return F.unfold(x, PATCH)[0].T.numpy().astype(float)


def corners(side: int) -> list[int]:
    """The edges of the patches that vote, in words: every second, and the last."""
    return sorted({*range(0, side - PATCH, STRIDE), side - PATCH})


# --- the directions -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(20, 30), (7, 7), (150, 290), (205, 411)])
def test_directions_are_those_of_patches_at_even_steps(size):
    image = smooth(3, *size)
    patches = F.unfold(image, PATCH)[0].T.double()
    some = patches[:: max(1, len(patches) // searching.BASIS_PATCHES)]
    some = some - some.mean(0)
    found = torch.linalg.eigh(some.T @ some).eigenvectors.T.flip(0)[: searching.DIRECTIONS]
    assert torch.allclose(basis(image).flatten(1), (found / math.sqrt(ALL)).float(), atol=1e-6)


def test_distances_on_all_directions_are_mean_squared_differences():
    real, x = smooth(0, 20, 30), smooth(1, 17, 22)
    keys, filters = Patches(real, basis(real, ALL)).keys, basis(real, ALL)
    queries = F.conv2d(x, filters)[0].flatten(1).T
    found = torch.cdist(queries.double(), keys.double()).square().numpy()
    expected = ((patches_of(x)[:, None] - patches_of(real)[None]) ** 2).mean(2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_few_directions_hold_nearly_all_of_a_photographs_patches():
    real = smooth(0, 40, 50)
    patches = patches_of(real)
    variance = ((patches - patches.mean(0)) ** 2).mean()
    keys = Patches(real, basis(real)).keys.double()
    assert keys.shape[1] < ALL / 5
    kept = float((keys - keys.mean(0)).square().sum(1).mean())
    assert 0.97 < kept / variance <= 1 + 1e-6


@pytest.mark.parametrize("size", [(20, 30), (21, 30), (20, 31), (21, 31), (7, 8), (8, 7), (7, 7)])
def test_projected_are_the_patches_that_vote_one_by_one(size):
    image, filters = picture(0, *size), basis(picture(1, 20, 20), 10)
    rows, columns = (corners(side) for side in size)
    assert [voters(side) for side in size] == [len(rows), len(columns)]
    assert [positions(side, CPU).tolist() for side in size] == [rows, columns]
    found = voting(image, filters)
    assert found.shape == (1, len(rows), len(columns), 10)
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            patch = image[:, :, top : top + PATCH, left : left + PATCH]
            torch.testing.assert_close(found[0, i, j], F.conv2d(patch, filters)[0, :, 0, 0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tiles", [(1,), (3,), (2, 5), TILES])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("size", [(7, 7), (8, 9), (20, 31), (38, 39), (70, 75)])
def test_projecting_in_tiles_is_one_convolution(monkeypatch, size, stride, tiles):
    monkeypatch.setattr(searching, "TILES", tiles)
    image, filters = torch.cat([picture(0, *size), picture(2, *size)]), basis(picture(1, 20, 20), 10)
    whole = F.conv2d(image, filters, stride=stride).movedim(1, 3)
    torch.testing.assert_close(project(image, filters, stride), whole, rtol=1e-4, atol=1e-5)


def test_projections_take_no_more_than_what_is_kept_of_them():
    """Of 5 megapixels, whole tiles in float32 and a copy of them took 400 MB more."""
    image, filters = picture(0, 70, 75), basis(picture(1, 20, 20), 10)
    found = project(image, filters, dtype=torch.float16)
    assert found.is_contiguous() and found.untyped_storage().nbytes() == 64 * 69 * 10 * 2
    assert torch.equal(found, project(image, filters).to(torch.float16))


def test_bytes_of_patches_count_what_is_prepared_for_a_search():
    patches = Patches(picture(0, 40, 50), basis(picture(1, 20, 20), 10))
    before = patches.nbytes
    assert patches.nbytes == before < before + patches.placed(0.1).values.nbytes == patches.nbytes


# --- the search -----------------------------------------------------------------------------------


def nearest_by_hand(queries: np.ndarray, keys: np.ndarray, reuse=REUSE) -> np.ndarray:
    distances = ((queries[:, None] - keys[None]) ** 2).sum(2)
    return (distances / (distances.min(0) + reuse)).argmin(1)


@pytest.mark.parametrize("length", [1, 5, searching.RUN, searching.RUN + 1, 3 * searching.RUN, 1001])
def test_least_of_each_row_is_the_first_one_of_several(length):
    matrix = torch.randint(0, 40, (50, length), generator=torch.Generator().manual_seed(length)).float()
    first = [row.index(min(row)) for row in matrix.tolist()]
    assert searching.least(matrix).tolist() == first


@pytest.mark.parametrize("chunk", [1, 1000, 10**7])
def test_nearest_patches_are_those_of_a_plain_search_whatever_the_memory(monkeypatch, chunk):
    monkeypatch.setattr(searching, "CHUNK", chunk)
    rng = np.random.default_rng(0)
    queries, keys = rng.normal(size=(60, 26)).astype("f"), rng.normal(size=(41, 26)).astype("f")
    ours = nearest(torch.from_numpy(queries).view(3, 20, 26), prepare(torch.from_numpy(keys)), REUSE)
    assert ours.tolist() == [nearest_by_hand(part, keys).tolist() for part in queries.reshape(3, 20, 26)]


@pytest.mark.parametrize("chunk", [1, 1000, 10**7])
@pytest.mark.parametrize("reuse", [0.003, 0.1, math.inf])
@pytest.mark.parametrize("prior", [0.0, 0.7, 5.0])
def test_search_is_a_plain_search_with_place_and_reuse(monkeypatch, prior, reuse, chunk):
    monkeypatch.setattr(searching, "CHUNK", chunk)
    real, x = smooth(0, 16, 21), smooth(1, 18, 15) + 0.1 * picture(2, 18, 15)
    rows, columns = corners(18), corners(15)
    expected_y, expected_x = np.zeros((len(rows), len(columns)), int), np.zeros((len(rows), len(columns)), int)
    image, training = (t[0].numpy().astype(float) for t in (x, real))
    distances = np.zeros((len(rows), len(columns), 16 - PATCH + 1, 21 - PATCH + 1))
    for i, top in enumerate(rows):
        for j, left in enumerate(columns):
            patch = image[:, top : top + PATCH, left : left + PATCH]
            for y in range(distances.shape[2]):
                for z in range(distances.shape[3]):
                    distances[i, j, y, z] = ((patch - training[:, y : y + PATCH, z : z + PATCH]) ** 2).mean()
                    away = (top / 18 - y / 16) ** 2 + SIDEWAYS**2 * (left / 15 - z / 21) ** 2
                    distances[i, j, y, z] += prior**2 * away
    if reuse < math.inf:
        distances /= distances.min((0, 1)) + reuse
    for i, j in np.ndindex(len(rows), len(columns)):
        expected_y[i, j], expected_x[i, j] = np.unravel_index(distances[i, j].argmin(), distances.shape[2:])
    field = search(x, exact(real), prior, reuse=reuse)
    assert (field.size, field.source) == ((18, 15), (16, 21))
    assert field.y.tolist() == [expected_y.tolist()] and field.x.tolist() == [expected_x.tolist()]


def test_infinite_reuse_takes_the_nearest_patch_and_a_low_one_spreads_the_choice():
    rng = np.random.default_rng(0)
    queries, keys = rng.normal(size=(60, 147)).astype("f"), rng.normal(size=(41, 147)).astype("f")
    keys[0] = 0  # near to everything
    plain = ((queries[:, None] - keys[None]) ** 2).mean(2).argmin(1)
    chosen = nearest(torch.from_numpy(queries)[None], prepare(torch.from_numpy(keys)), math.inf)
    assert chosen.tolist() == [plain.tolist()]
    spread = nearest(torch.from_numpy(queries)[None], prepare(torch.from_numpy(keys)), 147 * 1e-4)
    assert len(set(spread[0].tolist())) > 5 * len(set(plain.tolist()))


def test_training_image_finds_itself():
    real = picture(0, 20, 31)
    for prior in (0.0, 1.0):
        field = search(real, exact(real), prior)
        own = identity((20, 31), (20, 31), CPU)
        assert torch.equal(field.y, own.y) and torch.equal(field.x, own.x)


def test_strong_place_prior_keeps_patches_at_their_height_and_lets_them_move_sideways():
    real, x = smooth(0, 30, 30), smooth(1, 30, 30)
    rows = positions(30, CPU)[:, None]
    free, held = (search(x, exact(real), prior) for prior in (0.0, 10.0))
    assert (held.y - rows).abs().float().mean() < 0.3 * (free.y - rows).abs().float().mean()
    assert (held.x - rows.T).abs().float().mean() > (held.y - rows).abs().float().mean()


@pytest.mark.parametrize("side", [40, 57])
def test_place_prior_goes_by_where_rows_belong(side):
    """Here the upper half of the training image takes three quarters of the image. In words: of each patch the middle,
    from row to row, and never beyond the training image."""
    real, x = smooth(0, 30, 30), smooth(1, side, 30)
    heights = torch.from_numpy(np.interp((np.arange(20) + 0.5) / 20, [0, 0.75, 1], [0, 0.5, 1])).float()
    held = search(x, exact(real), 100.0, heights=heights)
    for i, top in enumerate(corners(side)):
        middle = np.interp((top + PATCH / 2) / side, (np.arange(20) + 0.5) / 20, heights)
        wanted = np.clip(30 * middle - PATCH / 2, 0, 30 - PATCH)
        assert np.abs(held.y[0, i].numpy() - wanted).max() <= 0.51
    again = refine_field(held, x, exact(real), 100.0, heights=heights)
    assert (again.y - held.y).abs().max() <= 1
    free = search(x, exact(real), 100.0)
    assert (free.y - held.y).max() > 3 * 30 / side


def test_region_of_ones_is_no_region():
    x, real = picture(1, 22, 31), picture(0, 20, 30)
    for reuse in (0.003, math.inf):
        whole = search(x, exact(real), 0.5, reuse=reuse)
        within = search(x, exact(real), 0.5, reuse=reuse, region=torch.ones(1, 1, 22, 31))
        assert torch.equal(within.y, whole.y) and torch.equal(within.x, whole.x)


def test_only_patches_that_touch_the_region_are_searched_for_and_others_stay_at_their_own_place():
    x, real = picture(1, 40, 40), picture(0, 20, 30)
    region = torch.zeros(1, 1, 40, 40)
    region[..., 16:24, 16:24] = 0.1  # anything over 0 counts
    found, whole = (search(x, exact(real), 0.0, reuse=math.inf, region=r) for r in (region, None))
    own = identity((40, 40), (20, 30), CPU)
    for i, top in enumerate(corners(40)):
        for j, left in enumerate(corners(40)):
            touches = top + PATCH > 16 and top < 24 and left + PATCH > 16 and left < 24
            expected = whole if touches else own
            assert (found.y[0, i, j], found.x[0, i, j]) == (expected.y[0, i, j], expected.x[0, i, j])


def test_empty_region_leaves_all_at_their_own_place():
    x, real = picture(1, 22, 31), picture(0, 20, 30)
    found, own = search(x, exact(real), 0.0, region=torch.zeros(1, 1, 22, 31)), identity((22, 31), (20, 30), CPU)
    assert torch.equal(found.y, own.y) and torch.equal(found.x, own.x)


# --- the vote -------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(20, 30), (21, 30), (20, 31), (21, 31), (7, 30), (8, 9), (7, 7)])
def test_vote_from_the_identity_field_is_the_training_image(size):
    real = picture(0, *size)
    out = vote(identity(size, size, CPU), Patches(real, basis(real, 10)))
    torch.testing.assert_close(out, real, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(20, 30), (21, 30), (20, 31), (21, 31), (7, 14), (8, 7)])
def test_vote_is_a_plain_loop_over_patches(size):
    height, width = size
    rng, real = np.random.default_rng(0), picture(0, 17, 15)
    shape = 2, voters(height), voters(width)
    y, x = rng.integers(0, 17 - PATCH + 1, shape), rng.integers(0, 15 - PATCH + 1, shape)
    out = vote(Field(size, (17, 15), torch.from_numpy(y), torch.from_numpy(x)), Patches(real, basis(real, 10)))
    window = np.exp(-((np.arange(PATCH) - PATCH // 2) ** 2) / (2 * SIGMA**2))
    weight, pixels = np.outer(window, window), real[0].numpy()
    for k in range(2):
        total, votes = np.zeros(size), np.zeros((3, *size))
        for i, top in enumerate(corners(height)):
            for j, left in enumerate(corners(width)):
                at, a, b = (slice(top, top + PATCH), slice(left, left + PATCH)), y[k, i, j], x[k, i, j]
                total[at] += weight
                votes[:, at[0], at[1]] += weight * pixels[:, a : a + PATCH, b : b + PATCH]
        np.testing.assert_allclose(out[k].numpy(), votes / total, rtol=0, atol=1e-5)


def test_image_made_of_the_training_image_is_left_as_it_is():
    real = picture(0, 20, 30)
    for part in (real, real[..., 5:25], real[:, :, 3:16, 4:27]):
        torch.testing.assert_close(vote(search(part, exact(real), 0.0), exact(real)), part, rtol=0, atol=1e-5)


def test_votes_come_from_the_training_image_alone():
    real = torch.cat([torch.full((1, 3, 16, 10), -0.5), torch.full((1, 3, 16, 10), 0.75)], 3)
    out = vote(search(picture(1, 24, 24), exact(real), 1.0), exact(real))
    assert out.shape == (1, 3, 24, 24) and out.min() >= -0.5 - 1e-5 and out.max() <= 0.75 + 1e-5


# --- distances to the training image --------------------------------------------------------------


@pytest.mark.parametrize("chunk", [1, 1000, 10**7])
def test_distances_are_those_of_a_plain_search_whatever_the_memory(monkeypatch, chunk):
    monkeypatch.setattr(searching, "CHUNK", chunk)
    x, real = picture(1, 12, 14), picture(0, 11, 15)
    by_hand = ((patches_of(x)[:, None] - patches_of(real)[None]) ** 2).mean(2).min(1)
    np.testing.assert_allclose(distances_to(real, x).numpy(), by_hand, rtol=1e-4, atol=1e-6)


def test_at_most_so_many_distances_are_spread_evenly():
    x, real = picture(1, 12, 14), picture(0, 11, 15)
    every = distances_to(real, x)
    found = distances_to(real, x, at_most=5)
    torch.testing.assert_close(found, every[torch.linspace(0, len(every) - 1, 5).long()])
    torch.testing.assert_close(distances_to(real, x, at_most=len(every)), every)


def test_distances_within_a_region_are_those_of_the_patches_that_touch_it():
    x, real = picture(1, 12, 14), picture(0, 11, 15)
    region = torch.zeros(1, 1, 12, 14)
    region[..., 3, 13] = 1  # in the last column: only the patches at its left, in rows 0 to 3
    everywhere = distances_to(real, x).view(12 - PATCH + 1, 14 - PATCH + 1)
    torch.testing.assert_close(distances_to(real, x, region), everywhere[:4, -1])


def test_distance_of_part_of_the_training_image_is_zero():
    real = picture(0, 20, 30)
    torch.testing.assert_close(distances_to(real, real[..., 4:, 2:20]), torch.zeros(10 * 12), rtol=0, atol=1e-5)


def test_no_patch_has_no_distance():
    large, small = picture(0, 20, 30), picture(1, PATCH - 1, 30)
    for distances in (
        distances_to(large, small),
        distances_to(small, large),
        distances_to(large, large, torch.zeros(1, 1, 20, 30)),
    ):
        assert distances.tolist() == [0]
