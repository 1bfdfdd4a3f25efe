"""Stitching holes from shifted copies."""

from dataclasses import replace
from itertools import pairwise, product

import pytest
import torch
import torch.nn.functional as F

from singan.patches import light
from singan.patches.belief import propagate
from singan.patches.field import own_field
from singan.patches.light import agreed, lit, solved
from singan.patches.offsets import sideways
from singan.patches.quilt import continued, cut
from singan.patches.search import Patches, basis
from singan.patches.shiftmap import NEARBY, REPEATED, Level
from singan.patches.stitch import stitch
from singan.patches.vote import vote

SIZES = [(30, 42), (40, 56)]


def hole(top: int, left: int, bottom: int, right: int) -> torch.Tensor:
    mask = torch.zeros(1, 1, *SIZES[-1])
    mask[..., top:bottom, left:right] = 1
    return mask


@pytest.fixture(scope="module")
def wallpaper() -> torch.Tensor:
    """A tile of 8x14 pixels, repeated: what is behind a hole is known."""
    tile = torch.rand(1, 3, 8, 14, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return tile.tile(1, 1, 5, 4)


@pytest.mark.parametrize("sizes", [SIZES, SIZES[1:]])
def test_what_repeats_itself_is_restored(wallpaper, sizes):
    mask = hole(12, 20, 27, 36)
    filled = stitch(wallpaper.masked_fill(mask > 0, 0.9), mask, wallpaper, 1 - mask, sizes)
    torch.testing.assert_close(filled, wallpaper, atol=0.02, rtol=0)
    outside = (mask == 0).expand_as(filled)
    assert torch.equal(filled[outside], wallpaper[outside])


def test_what_is_not_usable_is_not_copied(wallpaper):
    mask = hole(12, 20, 27, 36)
    poisoned = wallpaper.masked_fill(mask > 0, 1e6)
    assert stitch(poisoned, mask, poisoned, 1 - mask, SIZES).abs().max() <= 1
    marked, usable = wallpaper.clone(), 1 - mask
    marked[..., :8, :], usable[..., :8, :] = 1.0, 0.0
    filled = stitch(marked, mask, marked, usable, SIZES[1:])
    assert (filled[..., 12:27, 20:36] == 1).float().mean() < 0.01


def test_seeds_differ_and_repeat(wallpaper):
    noise = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(1)) * 2 - 1
    mask = hole(10, 15, 30, 40)
    first, again, other = (stitch(noise, mask, noise, 1 - mask, SIZES, seed) for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_a_second_source_is_taken_where_it_fits(wallpaper):
    mask = hole(12, 20, 27, 36)
    first, second = -wallpaper.flip(3), wallpaper
    sources, usable = torch.cat([first, second]), torch.cat([torch.ones_like(mask), torch.ones_like(mask)])
    filled = stitch(wallpaper, mask, sources, usable, SIZES[1:])
    torch.testing.assert_close(filled, wallpaper, atol=0.02, rtol=0)


def test_cuts_may_leave_the_edge_of_the_hole_within_a_band_and_all_beyond_it_stays(wallpaper):
    inner, band = hole(14, 24, 25, 34), hole(8, 16, 31, 42)
    stained = wallpaper.clone()
    stained[..., 13, 28:30] = 1.0  # which the edge of the hole would cut in two
    kept, freed = (stitch(stained, inner, stained, 1 - inner, SIZES, band=some) for some in (None, band))
    outside = (band == 0).expand_as(stained)
    assert torch.equal(freed[outside], stained[outside]) and torch.equal(kept[..., 13, 28:30], stained[..., 13, 28:30])
    torch.testing.assert_close(freed[..., 9:30, 18:40], wallpaper[..., 9:30, 18:40], atol=0.1, rtol=0)


def test_what_the_photograph_shows_in_the_band_costs_nothing_and_all_else_the_more_it_differs(wallpaper):
    inner, band = hole(14, 24, 25, 34), hole(8, 16, 31, 42)
    level = Level(wallpaper, band, wallpaper, 1 - inner, SIZES[-1], inner)
    nodes = torch.tensor([[12, 20], [20, 28]])  # in the band, and in the hole
    offsets = torch.tensor([[0, 0, 0], [-4, -14, 0]]).expand(2, -1, -1)
    (own, other), (missing, copied) = level.alone(nodes, offsets).tolist()
    assert own == 0 < 0.05 < other and missing > 1 > copied
    assert level.around.sum() == (band - inner).sum()


def test_offsets_sideways_stay_in_their_row(wallpaper):
    mask = hole(12, 20, 27, 36)
    down, across, source = sideways(Level(wallpaper, mask, wallpaper, 1 - mask, SIZES[-1])).T
    assert not down.any() and not source.any() and across.abs().min() >= 6 and across.abs().max() >= 54


def test_light_is_evened_out_but_other_things_stay():
    """The left half a little darker than the right one, of which the hole must be filled."""
    for step, evened in ((0.2, True), (1.4, False)):
        image = torch.full((1, 3, 40, 56), step / 2)
        image[..., :28] = -step / 2
        mask = hole(15, 20, 25, 36)
        level = Level(image, mask, image, 1 - mask, (40, 56))
        left = torch.tensor([0, -18, 0]).expand(len(level.nodes), 3)  # all of it is copied from the left
        right_edge = level.evened(left, light.LIGHT)[0, 0, 20, 35:37].diff().abs()
        assert (right_edge < 0.1) == evened


def test_of_two_copies_as_good_the_one_from_farther_away_costs_less(wallpaper):
    wide = wallpaper.tile(1, 1, 1, 3)  # of which 14 columns are near, and 42 are not
    mask = torch.zeros(1, 1, 40, 168)
    mask[..., 12:27, 80:96] = 1
    level = Level(wide, mask, wide, 1 - mask, (40, 168))
    offsets = torch.tensor([[0, -28, 0], [0, -42, 0]]).expand(len(level.nodes), -1, -1)
    near, far = level.alone(level.nodes, offsets).unbind(1)
    assert (far < near).all()


def test_a_copy_of_what_is_right_beside_costs_something_if_there_is_something_to_see():
    """A plain picture with a post in it, which one would see come again."""
    image, mask = torch.zeros(1, 3, 40, 60), torch.zeros(1, 1, 40, 60)
    image[:, :, 10:30, 20:24], mask[:, :, 15:25, 28:32] = 1, 1
    level, blind = (Level(image, mask, image, 1 - mask, (40, 60), distinct=d) for d in (None, torch.zeros(1, 1, 5, 5)))
    offsets = torch.tensor([[0, 8, 0], [0, -8, 0]]).expand(len(level.nodes), -1, -1)
    plain, post = (level.alone(level.nodes, offsets) - blind.alone(level.nodes, offsets)).unbind(1)
    near = REPEATED * (1 - 8 / 60 / NEARBY)
    assert plain.abs().max() < 1e-6 and post.min() == pytest.approx(near, rel=0.01) and post.max() < 1.01 * near
    assert level.distinct.shape[2:] == (40, 60) and level.distinct.min() == 0


def test_what_was_drawn_otherwise_takes_on_the_light_along_its_edge():
    image, x, mask = torch.full((1, 3, 40, 56), 0.5), torch.full((1, 3, 40, 56), 0.3), hole(15, 20, 25, 36)
    out = lit(image, x, mask)
    torch.testing.assert_close(out, image, atol=0.05, rtol=0)
    beyond = lit(image, x, hole(0, 28, 40, 56))
    assert abs(float(beyond[0, 0, 20, 28]) - 0.5) < 0.03 and float(beyond[0, 0, 20, -1]) < 0.45  # which fades


def test_light_does_not_depend_on_the_number_of_threads(three_threads, monkeypatch):
    monkeypatch.setattr(light, "ITERATIONS", 2)  # beside other processes threads wait for one another
    right = torch.rand(1, 3, 190, 260, generator=torch.Generator().manual_seed(0)) - 0.5
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append(solved(right, torch.ones(1, 1, 190, 260)))
    assert torch.equal(found[0], found[1]) and torch.equal(found[0], found[2])


@pytest.mark.parametrize("size", [(9, 11), (70, 90)])
def test_poisson_is_solved(size, monkeypatch):
    monkeypatch.setattr(light, "TOLERANCE", 1e-12)
    monkeypatch.setattr(light, "ITERATIONS", 500)
    height, width = size
    unknown = torch.zeros(1, 1, *size)
    unknown[..., 2 : height - 3, : width - 4] = 1  # up to the border at one side
    right = torch.randn(1, 1, *size, generator=torch.Generator().manual_seed(0)) * unknown
    matrix = torch.zeros(height * width, height * width)
    index = torch.arange(height * width).view(size)
    for a, b in ((index[1:], index[:-1]), (index[:, 1:], index[:, :-1])):
        for i, j in ((a.flatten(), b.flatten()), (b.flatten(), a.flatten())):
            matrix[i, i] += 1
            matrix[i, j] -= 1
    at = unknown.flatten() > 0
    if height * width > 2000:  # the residual is looked at instead
        found = solved(right, unknown).flatten()
        assert ((matrix @ found) - right.flatten())[at].abs().max() < 1e-3
    else:
        wanted = torch.linalg.solve(matrix[at][:, at], right.flatten()[at])
        torch.testing.assert_close(solved(right, unknown).flatten()[at], wanted, atol=1e-4, rtol=1e-4)
    assert not solved(right, unknown).flatten()[~at].any()


@pytest.mark.parametrize("columns", [128, 99, 33])
def test_light_beside_a_long_straight_edge_is_that_of_the_equation(columns):
    """By two halvings a source at the edge once counted four times, or not at all."""
    hole, right = torch.zeros(1, 1, 140, 200), torch.zeros(1, 1, 140, 200)
    hole[..., :columns], right[..., columns - 1] = 1, 0.06
    matrix = torch.diag(torch.full((columns,), 2 + 50.0**-2)) - torch.diag(torch.ones(columns - 1), 1)
    matrix[0, 0] -= 1  # nothing is beyond the border
    matrix -= torch.diag(torch.ones(columns - 1), -1)
    wanted = torch.linalg.solve(matrix, right[0, 0, 0, :columns])
    found = solved(right, hole, 50.0)[0, 0, :, :columns]
    torch.testing.assert_close(found, wanted.expand(140, -1), atol=0.002, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_cut_is_the_cheapest_path(seed):
    costs = torch.rand(5, 4, generator=torch.Generator().manual_seed(seed))
    paths = [path for path in product(range(4), repeat=5) if all(abs(a - b) < 2 for a, b in pairwise(path))]
    least = min(paths, key=lambda path: sum(float(costs[row, at]) for row, at in enumerate(path)))
    assert cut(costs).tolist() == list(least)


def test_mirror_image_goes_on_where_it_is_plain_and_what_was_drawn_is_not_like_it():
    x = torch.zeros(1, 3, 60, 200)
    mirror = torch.zeros_like(x)
    x[..., 120:] = 0.3  # what was drawn beyond column 120
    x[:, :, :30, 128:] = 0  # above, that is like the mirror image from column 128 on
    mirror[:, :, 30:] = (torch.rand(1, 1, 30, 200, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    goes_on = continued(x, mirror, (slice(0, 60), slice(0, 120)))[0, 0]
    assert goes_on[:25, 120:128].all() and not goes_on[:25, 137:].any() and not goes_on[:, :120].any()
    assert goes_on[40:].sum(1).max() <= 3  # busy, below
    two = continued(x, mirror, (slice(10, 60), slice(0, 120)))[0, 0]  # something is added above, too
    assert not two[:10, 120:].any() and two[10, 120:].sum() == 0 and two[15, 120:].sum() <= 5


def test_propagation_finds_the_cheapest_on_a_chain():
    rng = torch.Generator().manual_seed(0)
    alone, cuts = torch.rand(6, 3, generator=rng), torch.rand(5, 3, 3, generator=rng)
    edges = torch.stack([torch.arange(5), torch.arange(1, 6)], 1)
    costs = {}
    for choice in torch.cartesian_prod(*[torch.arange(3)] * 6):
        paid = alone[torch.arange(6), choice].sum() + cuts[torch.arange(5), choice[:-1], choice[1:]].sum()
        costs[tuple(choice.tolist())] = float(paid)
    assert tuple(propagate(alone, cuts, edges, 40).tolist()) == min(costs, key=lambda choice: costs[choice])


@pytest.mark.parametrize(
    ("step", "most", "evened"),
    [(0.1, {}, True), (1.2, {}, False), (0.5, {}, False), (0.5, {"seam": 0.3, "plain": 0.06}, True)],
)
def test_light_is_evened_out_where_patches_of_different_sources_meet(step, most, evened):
    """A picture whose left half is darker; a field that takes the middle third of the right half from the left."""
    photo = torch.full((1, 3, 40, 80), step / 2)
    photo[..., :40] = -step / 2
    photo += 0.01 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    patches = Patches(photo, basis(photo))
    own = own_field((40, 80), patches)
    torch.testing.assert_close(agreed(vote(own, patches), own, photo), photo, atol=1e-5, rtol=0)
    x = own.x.clone()
    x[..., 22:34] -= 40  # voters 2 px apart
    field = replace(own, x=x)
    before = vote(field, patches)
    after = agreed(before, field, photo, **most)

    beyond = slice(46, None)  # of the picture's own step

    def largest(image):
        return float(image[..., beyond].diff(dim=3).mean((0, 1, 2)).abs().max())

    assert (largest(after) < 0.5 * largest(before)) == evened


@pytest.mark.parametrize(("size", "most"), [((20, 31), 31), ((33, 24), 33), ((33, 24), 32), ((20, 31), 30)])
def test_evened_light_is_what_poissons_equation_says_of_the_image_and_its_mirror_images(monkeypatch, size, most):
    """By matrices only as large as may be: of a strip of 16,384 pixels they would take gigabytes."""
    made, cosines = [], light._cosines
    monkeypatch.setattr(light, "_cosines", lambda side: made.append(side) or cosines(side))
    monkeypatch.setattr(light, "LONG", most)
    right = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0)) * 0.01
    monkeypatch.setattr(light, "_steps", lambda *_: right.clone())
    x, fade = torch.zeros(2, 3, *size), light.FADE * max(size) / 250
    found = agreed(x, own_field(size, Patches(x[:1], basis(torch.rand(1, 3, 20, 20)))), x[:1])
    beyond = F.pad(found, (1, 1, 1, 1), mode="replicate")  # the first pixels of the mirror images
    around = beyond[:, :, 2:, 1:-1] + beyond[:, :, :-2, 1:-1] + beyond[:, :, 1:-1, 2:] + beyond[:, :, 1:-1, :-2]
    torch.testing.assert_close((4 + fade**-2) * found - around, right, atol=1e-6, rtol=0)
    assert made == (list(size) if max(size) <= most else [])
