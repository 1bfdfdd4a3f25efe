"""Scale sizes and resizing."""

from itertools import pairwise

import pytest
import torch

from singan.config import TrainConfig
from singan.patches.vote import FLAT
from singan.pyramid import STEP, kept_size, learned_size, own_size, resize, scale_sizes, steps_beyond
from singan.warp import NARROW, SMOOTH, WIDE, _smooth, displace

CONFIG = TrainConfig()


def test_scales_of_the_published_example():
    """166x250 gives 9 scales of ratio .789 in the published code."""
    sizes = scale_sizes(166, 250, TrainConfig(num_scales=9))
    assert sizes[0] == (25, 38) and sizes[-1] == (166, 250) and len(sizes) == 9
    assert sizes[1][0] / sizes[0][0] == pytest.approx(1 / 0.789, rel=0.02)


@pytest.mark.parametrize(
    ("size", "own"),
    [
        ((30, 40), (30, 40)),
        ((60, 80), (30, 40)),
        ((38, 40), (38, 40)),  # a little taller, wider, or narrower: stretched
        ((30, 51), (30, 51)),
        ((30, 31), (30, 31)),
        ((33, 36), (33, 36)),
        ((39, 40), (30, 40)),  # taller
        ((90, 40), (30, 40)),
        ((90, 80), (30, 40)),  # larger both ways: more of the same, not larger
        ((53, 30), (30, 40)),  # and narrower
        ((39, 39), (30, 40)),
        ((30, 52), (30, 40)),  # wider
        ((60, 160), (30, 40)),
        ((15, 40), (15, 20)),  # lower, and so wider
        ((30, 20), (30, 40)),  # narrower
        ((36, 20), (36, 40)),
        ((15, 10), (15, 20)),
        ((15, 8), (15, 20)),
        ((60, 30), (30, 40)),
    ],
)
def test_own_size_keeps_proportions_where_stretching_would_be_seen(size, own):
    assert own_size((30, 40), size) == own


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


@pytest.mark.parametrize(
    ("size", "kept"),
    [((500, 400), (500, 400)), ((2048, 1024), (1024, 512)), ((30, 40), (30, 40)), ((80, 4000), (50, 2500))],
)
def test_photograph_is_kept_up_to_photo_size_but_never_smaller_than_it_is_learned(size, kept):
    assert kept_size(*size, TrainConfig(photo_size=1024)) == kept
    assert kept_size(*size, TrainConfig(generators=None, field=False)) == learned_size(*size, CONFIG)


@pytest.mark.parametrize(
    "fine", [(186, 248), (187, 248), (200, 248), (279, 372), (683, 1024), (4096, 3000), (190, 4000)]
)
def test_steps_beyond_are_even_and_at_most_half_as_large_again(fine):
    steps = steps_beyond((186, 248), fine)
    assert (steps == []) == (fine == (186, 248)) and [*steps, fine][-1] == fine and (not steps or steps[-1] == fine)
    for small, large in pairwise([(186, 248), *steps]):
        assert all(a <= b <= STEP * a + 1 for a, b in zip(small, large, strict=True)) and small != large
    if steps:
        growth = [max(b / a for a, b in zip(*pair, strict=True)) for pair in pairwise([(186, 248), *steps])]
        assert max(growth) / min(growth) < 1.02


def test_displaced_content_comes_from_the_image_and_stays_without_noise():
    x = torch.rand(1, 3, 25, 33, generator=torch.Generator().manual_seed(0))
    noise = torch.randn(1, 2, 25, 33, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(displace(x, torch.zeros_like(noise)), x, rtol=0, atol=1e-5)
    moved = displace(x, noise)
    assert moved.shape == x.shape and moved.min() >= x.min() - 1e-5 and moved.max() <= x.max() + 1e-5
    assert (moved - x).abs().mean() > (displace(x, 0.02 * noise) - x).abs().mean() > 0


def test_columns_keep_their_order_and_are_not_smeared():
    x = torch.linspace(-1, 1, 40).expand(20, 1, 40, 40).contiguous()
    noise = torch.randn(20, 2, 40, 40, generator=torch.Generator().manual_seed(1))
    moved = displace(x, noise)[:, 0, 20]
    steps, even = moved.diff(dim=1), 2 / 39
    assert (moved[:, 0] >= -1 - 1e-5).all() and (moved[:, -1] <= 1 + 1e-5).all()
    inside = (moved[:, 1:].abs() < 0.999) & (moved[:, :-1].abs() < 0.999)  # not at the border, where they end
    assert steps.min() > -1e-5 and steps.max() < WIDE * even + 1e-5
    assert inside.float().mean() > 0.7 and steps[inside].min() > NARROW * even - 1e-5
    assert (moved - x[:, 0, 20]).abs().mean() > 0.05


@pytest.mark.parametrize("wrap", [FLAT, (False, True)])
def test_what_stands_in_the_sky_is_stretched_less_than_the_sky(wrap):
    x = torch.linspace(-0.1, 0.1, 60).repeat(50, 1, 40, 1)
    x[:, :, 15:25, 25:35:2] = 1.0  # a fence
    noise = torch.randn(50, 2, 40, 60, generator=torch.Generator().manual_seed(0))
    noise[:, 0] = 0
    places = torch.arange(60.0).expand(50, 1, 40, 60) / 6000
    at = 6000 * displace(torch.cat([x, places], 1), noise, wrap)[:, 1, 5]
    steps, middle = at.diff(dim=1), (at[:, 1:] + at[:, :-1]) / 2
    fence, sky = ((middle > a) & (middle < b) & (steps.abs() < 5) for a, b in ((26, 33), (5, 20)))
    assert (steps[fence] - 1).abs().mean() < 0.5 * (steps[sky] - 1).abs().mean()


def test_the_rows_of_a_thing_move_sideways_together():
    columns = torch.linspace(-1, 1, 40).expand(1, 1, 40, 40).contiguous()
    noise = torch.randn(1, 2, 40, 40, generator=torch.Generator().manual_seed(1))
    noise[:, 0] = 0
    by = (displace(columns, 0.2 * noise) - columns)[0, 0]
    torch.testing.assert_close(by, by[:1].expand(40, 40), rtol=0, atol=1e-5)
    assert by[0].std() > 0


def test_displacement_has_one_deviation_whatever_it_is_smoothed_over():
    noise = torch.randn(1, 1, 480, 480, generator=torch.Generator().manual_seed(0))
    for pixels in ((SMOOTH, SMOOTH), (480, SMOOTH)):
        # what lies between the points that are drawn is between them, and varies less
        assert _smooth(noise, pixels).std() == pytest.approx(0.85, abs=0.15)


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
