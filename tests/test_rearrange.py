"""Columns in a new order, and rows that are drawn out."""

import math
from itertools import pairwise, product

import numpy as np
import pytest
import torch

from singan.patches import rearrange
from singan.patches.rearrange import (
    EACH,
    FINE,
    MOST,
    NEAR,
    PATHS,
    SMOOTH,
    TURN,
    at_heights,
    cuts,
    drawn_out,
    flipped_order,
    order,
    rarity,
)


def noise(n: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 1, height, width, generator=torch.Generator().manual_seed(seed))


def posts(width: int = 60, places: tuple[int, ...] = (10, 28, 46)) -> torch.Tensor:
    """A plain with posts on it, each 4 columns wide and another colour: (1, 3, 25, width)."""
    x = torch.zeros(1, 3, 25, width)
    x[:, :, 18:] = -0.5
    for i, place in enumerate(places):
        x[:, i % 3, 8:18, place : place + 4] = 1
    return x


def cost(x: torch.Tensor) -> torch.Tensor:
    """Of an image whose pixels are as wide as its columns."""
    return cuts(x.repeat_interleave(FINE, 2).repeat_interleave(FINE, 3))


def test_without_noise_every_column_stays():
    x = torch.randn(1, 3, 25, 33, generator=torch.Generator().manual_seed(1))
    assert order(cost(x), torch.zeros(3, 1, 25, 33)).tolist() == [list(range(33))] * 3


@pytest.mark.parametrize(("width", "places"), [(7, 7), (33, 33), (90, 90), (7, 30), (2, 9), (40, 100), (40, 20)])
def test_columns_come_in_runs(width, places):
    x, z = torch.randn(1, 3, 25, width, generator=torch.Generator().manual_seed(1)), 3 * noise(2, 25, places)
    found = order(cost(x), z)
    assert found.shape == (2, places) and found.min() >= 0 and found.max() < width
    near = min(NEAR, (width + 1) // 3)
    assert set((found.diff(dim=1) - 1).abs().unique().tolist()) <= {0, *range(near, width + 1)}
    assert torch.equal(order(cost(x), z), found)  # again
    assert torch.equal(order(cost(x), z[1:]), found[1:])  # alone


def towers(*places: int) -> torch.Tensor:
    """A plain with towers on it, all alike, whose 7 columns differ little from one to the next."""
    x = posts(60, ())
    for place in places:
        x[:, :, 4:22, place : place + 7] = torch.tensor([0.3, 0.6, 0.8, 1.0, 0.8, 0.6, 0.3])
    return x


def test_what_is_nowhere_else_at_its_height_is_rare():
    alone, two = rarity(towers(28)), rarity(towers(8, 28))
    assert alone[28:35].min() > MOST and alone[:20].max() == 0
    assert not two.any()  # each has its like, and the plain too
    assert not rarity(torch.zeros(1, 3, 25, 30)).any()  # and not 0 / 0
    assert rarity(towers(28)[..., :2]).isfinite().all()


@pytest.mark.parametrize("place", [0, 3, 28, 53])
@pytest.mark.parametrize("seed", range(4))
def test_a_wider_picture_shows_once_and_whole_what_is_there_once(seed, place):
    x = towers(place)
    z = 0.3 * noise(3, 25, 120, seed)
    once, often = order(cost(x), z, rarity(x)), order(cost(x), z)
    assert (once[:, 0] == 0).all() and (once[:, -1] == 59).all()
    for found in once:
        assert [found.tolist().count(column) for column in range(place, place + 7)] == [1] * 7
    assert place != 28 or (often == place + 3).sum(1).tolist() != [1] * 3


@pytest.mark.parametrize("column", range(4))
@pytest.mark.parametrize("places", [4, 5, 7])
def test_best_path_by_the_dearest_column_is_found(places, column):
    """Against all paths, though each would be better without it."""
    width, rng = 4, torch.Generator().manual_seed(places)
    leaps, worth = 3 * torch.rand(width, width, generator=rng), torch.rand(2, places, width, generator=rng)
    leaps[rearrange._near(width, leaps.device)] = math.inf
    worth[:, :, column] -= 9
    paths = [path for path in product(range(width), repeat=places) if column in path and (path[0], path[-1]) == (0, 3)]
    for found, values in zip(rearrange._path_by(column, worth, leaps).tolist(), worth, strict=True):

        def value(path: tuple[int, ...], values: torch.Tensor = values) -> float:
            steps = sum(0 if b == a + 1 else float(leaps[a, b]) for a, b in pairwise(path))
            return sum(float(values[place, one]) for place, one in enumerate(path)) - steps

        assert tuple(found) in paths and value(tuple(found)) == pytest.approx(max(map(value, paths)))


def test_more_noise_moves_more():
    costs, z = cost(posts()), noise(12, 25, 60)
    moved = [(order(costs, amount * z) != torch.arange(60)).float().mean().item() for amount in (0.1, 0.5, 1.0)]
    assert moved[0] < moved[1] < moved[2] and moved[1] > 0.3


def test_nothing_is_cut_where_it_would_show():
    """Posts stay whole, though the order of the columns is new; but for those that the border cuts."""
    x = posts()
    height = (x[0, :, 12] > 0).any(0)
    for found in order(cost(x), noise(20, 25, 60)):
        shown = height[found].tolist()
        lengths = [len(run) for run in "".join("#" if one else " " for one in shown).split()]
        if shown[0]:
            lengths = lengths[1:]
        if shown[-1]:
            lengths = lengths[:-1]
        assert set(lengths) <= {4}


def test_small_thing_counts_as_much_as_it_is_seen():
    """A post over a tenth of the height."""
    x = posts(places=(10,))
    x[:, :, 8:16] = 0
    found = order(cost(x), noise(20, 25, 60))
    inside = torch.tensor([0 < k - 10 < 4 for k in range(60)])
    leaps = found.diff(dim=1) != 1
    assert leaps.any() and not (leaps & inside[found[:, 1:]]).any()


def test_wider_picture_of_whole_posts_from_the_first_column_to_the_last():
    x = posts()
    height = (x[0, :, 12] > 0).any(0)
    (found,) = order(cost(x), torch.zeros(1, 1, 25, 150))
    assert found[0] == 0 and found[-1] == 59
    assert {len(run) for run in "".join("#" if one else " " for one in height[found].tolist()).split()} == {4}
    assert (found - torch.linspace(0, 59, 150)).abs().max() < 25  # each thing about where it stands


@pytest.mark.parametrize("places", [8, 14])
def test_best_order_is_found(places):
    """Against all orders, by another program."""
    width, generator = 8, torch.Generator().manual_seed(2)
    costs, z = 3 * torch.rand(width, width, generator=generator), noise(1, 25, places)
    few = torch.nn.functional.adaptive_avg_pool2d(z, SMOOTH) * math.sqrt(z[0].numel() / math.prod(SMOOTH))
    worth = rearrange._worth(few, width, places)[0]
    found = order(costs, z)[0].tolist()

    def leap(one: int, other: int) -> float:
        if other == one + 1:
            return 0.0
        return float(costs[one, other]) if abs(other - one - 1) >= 3 else math.inf

    best = np.array([-float(worth[0, k]) for k in range(width)])
    for place in range(1, places):
        reached = [min(best[s] + leap(s, t) for s in range(width)) for t in range(width)]
        best = np.array(reached) - worth[place].numpy()
    total = sum(leap(*pair) for pair in pairwise(found)) - sum(float(worth[p, k]) for p, k in enumerate(found))
    assert total == pytest.approx(best.min(), abs=1e-5)


def both(x: torch.Tensor) -> torch.Tensor:
    """The cost of cuts of an image and its mirror image beside each other."""
    return cost(torch.cat([x, x.flip(3)], 3))


def turns(n: int, seed: int = 0, paths: int = PATHS) -> torch.Tensor:
    return torch.randn(n, paths, 2, *SMOOTH, generator=torch.Generator().manual_seed(seed))


def test_without_noise_no_column_is_mirrored():
    x = torch.randn(1, 3, 25, 33, generator=torch.Generator().manual_seed(1))
    assert flipped_order(both(x), 0 * turns(3), 33).tolist() == [list(range(33))] * 3
    little = flipped_order(both(posts()), 0.1 * turns(12), 60)
    assert not (little >= 60).all(1).any()  # nothing is the mirror image, whole


@pytest.mark.parametrize(("width", "places"), [(7, 7), (33, 33), (90, 90), (40, 100), (40, 20)])
def test_columns_and_mirrored_ones_come_in_runs_that_do_not_turn_round(width, places):
    x, z = torch.randn(1, 3, 25, width, generator=torch.Generator().manual_seed(1)), 3 * turns(4)
    found = flipped_order(both(x), z, places)
    assert found.shape == (4, places) and found.min() >= 0 and found.max() < 2 * width
    assert torch.equal(flipped_order(both(x), z[1:], places), found[1:])  # alone
    near = min(NEAR, (width + 1) // 3)
    for path in found.tolist():
        for one, other in pairwise(path):
            if (one < width) == (other < width):
                assert other == one + 1 or abs(other - one - 1) >= near
            else:
                shown = [k if k < width else 2 * width - 1 - k for k in (one, other)]
                assert abs(shown[0] - shown[1]) >= TURN * width


def test_some_of_both_is_there_and_what_is_cut_shows_least():
    costs, many, width = both(torch.randn(1, 3, 25, 60, generator=torch.Generator().manual_seed(1))), turns(12), 60
    found = flipped_order(costs, many, width)
    single = torch.cat([flipped_order(costs, many[:, k : k + 1], width) for k in range(PATHS)])

    def mixed(paths: torch.Tensor) -> torch.Tensor:
        share = (paths >= width).float().mean(1)
        return (share > EACH) & (share < 1 - EACH)

    def worst(paths: torch.Tensor) -> float:
        return float(np.mean([max(costs[a, b].item() for a, b in pairwise(p) if b != a + 1) for p in paths.tolist()]))

    assert mixed(found).all() and not mixed(single).all()
    assert worst(found) < worst(single[mixed(single)])


def test_nothing_is_cut_where_it_would_show_among_mirrored_columns_either():
    x = posts()
    height = (torch.cat([x, x.flip(3)], 3)[0, :, 12] > 0).any(0)
    for found in flipped_order(both(x), turns(20), 60):
        runs = "".join("#" if one else " " for one in height[found].tolist()).strip("#").split()
        assert {len(run) for run in runs} <= {4}


def test_cut_costs_less_where_there_is_texture():
    """The same step, in a smooth picture and in one that has such steps everywhere."""
    smooth = torch.linspace(-0.5, 0.5, 120).expand(1, 3, 75, 120).contiguous()
    grain = torch.randn(smooth.shape, generator=torch.Generator().manual_seed(4)).clamp(-1, 1)
    assert cuts(smooth)[5, 30] > 5 * cuts(0.3 * grain + smooth)[5, 30]


def test_cost_of_a_cut_is_that_of_what_meets_there():
    """Worked out cut by cut."""
    x = torch.randn(1, 3, 18, 36, generator=torch.Generator().manual_seed(3))
    around = torch.nn.functional.pad(x, (1, 1, 1, 1), mode="replicate")
    steps = ((around[:, :, 1:-1, 2:] - around[:, :, 1:-1, :-2]) / 2) ** 2
    steps += ((around[:, :, 2:, 1:-1] - around[:, :, :-2, 1:-1]) / 2) ** 2
    beside = torch.nn.functional.avg_pool2d(steps.mean(1), 7, 1, 3, count_include_pad=False)
    weight = 1 / (beside + rearrange.FAINT**2).sqrt()  # (1, 18, 36)
    padded = torch.nn.functional.pad(torch.cat([x[0], weight]), (6, 6), mode="replicate").double()  # (4, 18, 48)

    def worked_out(after: int, before: int) -> float:
        one, two = (padded[..., 3 * k : 3 * k + 12] for k in (after + 1, before))  # two columns on either side
        seen = (one[3] * two[3] * (one[:3] - two[:3]) ** 2).mean((0, 2)).view(2, 9).mean(1)  # three rows at a time
        return float(rearrange.CUT * seen.pow(3).mean() + rearrange.LEAP)

    wanted = torch.tensor([[worked_out(s, t) for t in range(12)] for s in range(12)])
    torch.testing.assert_close(cuts(x), wanted, rtol=1e-3, atol=1e-3)


# --- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [25, 26, 40, 100])
def test_rows_keep_their_order_and_fill_the_height(height):
    x = torch.randn(1, 3, 25, 33, generator=torch.Generator().manual_seed(1))
    heights = drawn_out(x, height)
    assert heights.shape == (height,) and 0 < heights[0] <= 1 / 50 and 1 - 1 / 50 <= heights[-1] < 1
    assert (heights.diff() > 0).all() and (heights.diff() <= 1 / 25 + 1e-6).all()  # none is lower than it was


def test_what_is_as_high_as_it_was_stays():
    x = torch.randn(2, 3, 25, 33, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(at_heights(x, drawn_out(x[:1], 25)), x, rtol=0, atol=1e-5)


def test_calm_rows_are_drawn_out_and_posts_are_not():
    """The sky is 8 rows high and the plain 7, of 25, and between them stand posts, which are as high as they were."""
    x = posts() + 0.1 * torch.randn(1, 3, 25, 60, generator=torch.Generator().manual_seed(0))
    x[:, :, :8] *= 0.1
    for height in (40, 60):
        rows = 25 * drawn_out(x, height)
        high = [int(((rows >= a) & (rows < b)).sum()) for a, b in ((0, 8), (8, 18), (18, 25))]
        assert high[1] <= 13 and high[0] > 0.8 * (height - 17)
        shown = at_heights(x, rows / 25)
        assert shown.shape == (1, 3, height, 60)
        assert 8 <= int((shown[0, 0, :, 11] > 0.5).sum()) <= 13


def test_a_small_thing_counts_among_the_rows_too():
    """A moon, a thirtieth of the width."""
    x = torch.linspace(-0.1, 0.1, 30)[:, None].expand(1, 3, 30, 60).clone()
    x[:, :, 10:12, 30:32] = 1
    rows = 30 * drawn_out(x, 60)
    assert int(((rows >= 10) & (rows < 12)).sum()) == 2


def test_a_post_is_as_high_as_it_was_though_nothing_changes_up_and_down_it():
    x = torch.zeros(1, 3, 30, 60)
    x[:, :, 10:, 30:33] = 1
    rows = 30 * drawn_out(x, 60)
    assert int((rows >= 10).sum()) == 20


def test_plain_pictures_are_drawn_out_evenly():
    for x in (torch.zeros(1, 3, 20, 30), torch.linspace(-1, 1, 20)[:, None].expand(1, 3, 20, 30)):
        torch.testing.assert_close(drawn_out(x, 50), (torch.arange(50) + 0.5) / 50)


def test_long_pictures_are_gone_through_in_parts_to_the_same_end(monkeypatch):
    shown = cost(torch.cat([posts(), posts().flip(3)], 3))
    drawn = torch.randn(3, PATHS, 2, *SMOOTH, generator=torch.Generator().manual_seed(0))
    whole = flipped_order(shown, drawn, 60)
    monkeypatch.setattr(rearrange, "AT_ONCE", 5 * 120 * 60)
    assert torch.equal(flipped_order(shown, drawn, 60), whole)
