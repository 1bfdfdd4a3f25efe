"""Scale sizes and resizing."""

from itertools import pairwise

import pytest
import torch

from singan.config import TrainConfig
from singan.pyramid import learned_size, resize, scale_sizes

CONFIG = TrainConfig()


def test_scales_of_the_published_example():
    """166x250 gives 9 scales of ratio .789 in the published code."""
    sizes = scale_sizes(166, 250, TrainConfig(num_scales=9))
    assert sizes[0] == (25, 38) and sizes[-1] == (166, 250) and len(sizes) == 9
    assert sizes[1][0] / sizes[0][0] == pytest.approx(1 / 0.789, rel=0.02)


@pytest.mark.parametrize("size", [(186, 248), (50, 667), (667, 50), (25, 25), (26, 400), (1000, 1000), (33, 34)])
def test_scales_grow_from_min_size_to_the_image(size):
    sizes = scale_sizes(*size, CONFIG)
    assert sizes[-1] == size and min(sizes[0]) == 25
    assert all(small[0] <= large[0] and small[1] <= large[1] for small, large in pairwise(sizes))
    ratios = [max(large) / max(small) for small, large in pairwise(sizes)]
    assert all(1 < ratio < 1.4 for ratio in ratios)


def test_number_of_scales_can_be_fixed():
    assert len(scale_sizes(186, 248, TrainConfig(num_scales=4))) == 4
    assert scale_sizes(186, 248, TrainConfig(num_scales=1)) == [(186, 248)]


def test_smaller_factor_gives_fewer_scales():
    counts = [len(scale_sizes(186, 248, TrainConfig(scale_factor=f))) for f in (0.5, 0.75, 0.9)]
    assert counts == sorted(counts) and counts[0] < counts[2]


@pytest.mark.parametrize(
    ("size", "learned"),
    [((500, 400), (250, 200)), ((186, 248), (186, 248)), ((150, 2000), (50, 667)), ((30, 40), (30, 40))],
)
def test_long_side_shrinks_to_max_size_but_the_short_one_keeps_a_pyramid(size, learned):
    assert learned_size(*size, CONFIG) == learned


def test_resize_keeps_constant_images_and_same_sizes():
    x = torch.full((2, 3, 40, 30), 0.25)
    assert resize(x, (40, 30)) is x
    for size in ((20, 17), (80, 61)):
        out = resize(x, size)
        assert out.shape == (2, 3, *size)
        torch.testing.assert_close(out, torch.full_like(out, 0.25))


def test_shrinking_does_not_alias():
    stripes = torch.zeros(1, 3, 64, 64)
    stripes[..., ::2] = 1
    assert resize(stripes, (16, 16))[..., 4:-4].std() < 0.01
