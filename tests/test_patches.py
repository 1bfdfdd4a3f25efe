"""Patch voting against a plain search."""

import numpy as np
import pytest
import torch

from singan import patches
from singan.patches import PATCH, vote


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
