"""Patch voting against a plain search."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from singan import patches
from singan.patches import PATCH, distances_to, vote


def picture(seed, height, width) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def nearest_by_hand(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    distances = ((queries[:, None] - keys[None]) ** 2).mean(2)
    return (distances / (distances.min(0) + patches.COMPLETENESS)).argmin(1)


def test_image_made_of_the_training_image_is_left_as_it_is():
    real = picture(0, 20, 30)
    torch.testing.assert_close(vote(real, real, 3), real, rtol=0, atol=1e-5)
    torch.testing.assert_close(vote(real[..., 5:25], real, 1), real[..., 5:25], rtol=0, atol=1e-5)


@pytest.mark.parametrize("chunk", [1, 1000, 10**7])
def test_nearest_patches_are_those_of_a_plain_search_whatever_the_memory(monkeypatch, chunk):
    monkeypatch.setattr(patches, "CHUNK", chunk)
    rng = np.random.default_rng(0)
    queries, keys = rng.normal(size=(60, 147)).astype("f"), rng.normal(size=(41, 147)).astype("f")
    ours = patches._nearest(torch.from_numpy(queries), torch.from_numpy(keys), patches.COMPLETENESS)
    assert ours.tolist() == nearest_by_hand(queries, keys).tolist()


def test_votes_come_from_the_training_image_alone():
    real = torch.cat([torch.full((1, 3, 16, 10), -0.5), torch.full((1, 3, 16, 10), 0.75)], 3)
    out = vote(picture(1, 24, 24), real, 4)
    assert out.shape == (1, 3, 24, 24) and out.min() >= -0.5 - 1e-5 and out.max() <= 0.75 + 1e-5


def test_each_image_of_a_batch_is_voted_alone():
    real, batch = picture(0, 20, 20), torch.cat([picture(1, 22, 18), picture(2, 22, 18)])
    together = vote(batch, real, 2)
    for k in range(2):
        assert torch.equal(together[k : k + 1], vote(batch[k : k + 1], real, 2))


def test_no_rounds_and_images_smaller_than_a_patch_change_nothing():
    small = picture(0, PATCH - 1, 30)
    assert vote(small, picture(1, 30, 30), 2) is small
    large = picture(0, 30, 30)
    assert vote(large, large, 0) is large


def patches_of(x: torch.Tensor) -> np.ndarray:
    return F.unfold(x, PATCH)[0].T.numpy().astype(float)


def test_infinite_completeness_takes_the_nearest_patch_and_a_low_one_spreads_the_choice():
    rng = np.random.default_rng(0)
    queries, keys = rng.normal(size=(60, 147)).astype("f"), rng.normal(size=(41, 147)).astype("f")
    keys[0] = 0  # near to everything
    plain = ((queries[:, None] - keys[None]) ** 2).mean(2).argmin(1)
    chosen = patches._nearest(torch.from_numpy(queries), torch.from_numpy(keys), math.inf)
    assert chosen.tolist() == plain.tolist()
    spread = patches._nearest(torch.from_numpy(queries), torch.from_numpy(keys), 1e-4)
    assert len(set(spread.tolist())) > 5 * len(set(plain.tolist()))


def test_region_of_ones_is_no_region():
    x, real = picture(1, 22, 31), picture(0, 20, 30)
    for completeness in (0.003, math.inf):
        whole = vote(x, real, 2, completeness=completeness)
        assert torch.equal(vote(x, real, 2, completeness=completeness, region=torch.ones(1, 1, 22, 31)), whole)


def test_only_patches_that_touch_the_region_vote():
    """Nothing further from it than a patch is wide changes, and in its middle all that would vote without it does."""
    x, real = picture(1, 40, 40), picture(0, 20, 30)
    region = torch.zeros(1, 1, 40, 40)
    region[..., 16:24, 16:24] = 0.1  # anything over 0 counts
    out, whole = (vote(x, real, 1, completeness=math.inf, region=r) for r in (region, None))
    near = F.max_pool2d(region, 2 * PATCH - 1, 1, PATCH - 1)[0, 0] > 0
    changed = (out != x).any(1)[0]
    assert not changed[~near].any() and changed[16:24, 16:24].all()
    assert torch.equal(out[..., 16:24, 16:24], whole[..., 16:24, 16:24])


def test_empty_region_changes_nothing():
    x = picture(1, 22, 31)
    assert vote(x, picture(0, 20, 30), 2, region=torch.zeros(1, 1, 22, 31)) is x


@pytest.mark.parametrize("chunk", [1, 1000, 10**7])
def test_distances_are_those_of_a_plain_search_whatever_the_memory(monkeypatch, chunk):
    monkeypatch.setattr(patches, "CHUNK", chunk)
    x, real = picture(1, 12, 14), picture(0, 11, 15)
    by_hand = ((patches_of(x)[:, None] - patches_of(real)[None]) ** 2).mean(2).min(1)
    np.testing.assert_allclose(distances_to(real, x).numpy(), by_hand, rtol=1e-4, atol=1e-6)


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
