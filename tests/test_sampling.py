"""Tiles, mirror images, pins and sources of samples."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from test_patches import exact, smooth

import singan
from singan import model
from singan.errors import ConfigError, ImageError
from singan.patches.field import enlarge, identity, refine_field, search
from singan.patches.light import has_sky, joined, over_into_sky
from singan.patches.rearrange import at_heights
from singan.patches.search import PATCH
from singan.patches.vote import around, positions, sources, vote
from singan.pyramid import published_resize, resize
from singan.sampling import WRAPS, Constraints, mirrored, pinned
from singan.scale import refine
from singan.warp import closed, displace

CPU = torch.device("cpu")
TILES = list(WRAPS)


@pytest.fixture(scope="module")
def draft(tiny_picture) -> singan.SinGAN:
    return singan.draft(tiny_picture, singan.TrainConfig.preset("draft", min_size=16, candidates=3))


@pytest.fixture(scope="module")
def paper(tiny_picture) -> singan.SinGAN:
    config = singan.TrainConfig.preset("paper", steps=2, max_size=60, width=8, critic_width=8)
    return singan.train(tiny_picture, config, seed=0)


def square(size: tuple[int, int], top: int, left: int, bottom: int, right: int) -> Image.Image:
    mask = np.zeros(size, bool)
    mask[top:bottom, left:right] = True
    return Image.fromarray(mask)


def steps(image: Image.Image, axis: int) -> np.ndarray:
    """The mean step from each line to the next, the last of them across the border."""
    pixels = np.asarray(image, float)
    return np.abs(np.roll(pixels, -1, axis) - pixels).mean((1 - axis, 2))


# --- what a tile is made of -------------------------------------------------------------------------


@pytest.mark.parametrize("side", [7, 8, 20, 21])
def test_voters_of_a_tile_stand_all_the_way_round(side):
    edges = positions(side, CPU, True).tolist()
    assert edges == list(range(0, side, 2))
    seen = {(edge + i) % side for edge in edges for i in range(PATCH)}
    assert seen == set(range(side))


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("size", [(20, 24), (60, 80)])  # few votes and many
def test_a_tile_that_is_turned_gives_the_same_tile_turned(tile, size):
    """Search, refinement and votes know no border: a tile turned by two voters has the same field, turned."""
    real, image, wrap = exact(smooth(0, 30, 33)), smooth(1, *size), WRAPS[tile]
    by = [4 * wraps for wraps in wrap]
    turned = image.roll(by, (2, 3))
    found, again = (search(x, real, 0.0, wrap=wrap) for x in (image, turned))
    finer, finer_again = (refine_field(f, x, real, 0.0) for f, x in ((found, image), (again, turned)))
    for one, other in ((found, again), (finer, finer_again)):
        torch.testing.assert_close(vote(one, real).roll(by, (2, 3)), vote(other, real), atol=1e-5, rtol=0)
    assert not torch.equal(finer.y, found.y) or not torch.equal(finer.x, found.x)


@pytest.mark.parametrize("size", [(20, 24), (21, 25), (7, 9)])
def test_votes_of_a_tile_are_those_of_plain_loops(size):
    real = exact(smooth(0, 30, 33))
    field = search(smooth(1, *size), real, 0.0, wrap=(True, True))
    total, weight = np.zeros((*size, 3)), np.zeros((*size, 1))
    pixels = real.image[0].movedim(0, 2).numpy()
    for i, top in enumerate(range(0, size[0], 2)):
        for j, left in enumerate(range(0, size[1], 2)):
            y, x = int(field.y[0, i, j]), int(field.x[0, i, j])
            for a in range(PATCH):
                for b in range(PATCH):
                    w = np.exp(-((a - 3) ** 2 + (b - 3) ** 2) / 8)
                    at = (top + a) % size[0], (left + b) % size[1]
                    total[at] += w * pixels[y + a, x + b]
                    weight[at] += w
    np.testing.assert_allclose(vote(field, real)[0].movedim(0, 2).numpy(), total / weight, atol=1e-4)


def test_a_tile_is_enlarged_as_the_middle_of_many():
    x = smooth(0, 20, 30)
    many = torch.cat([torch.cat([x] * 3, 2)] * 3, 3)
    expected = resize(many, (99, 141))[..., 33:66, 47:94]
    torch.testing.assert_close(resize(x, (33, 47), (True, True)), expected, atol=1e-4, rtol=0)
    large = published_resize(many.clamp(-1, 1), 1.5)[..., 30:60, 45:90]
    assert torch.equal(published_resize(x.clamp(-1, 1), 1.5, (30, 45), (True, True)), large)


def test_a_field_that_goes_round_keeps_its_offsets_when_it_is_enlarged():
    """Of a tile that is the training image turned by 8 pixels, in which every patch inside comes from 8 before."""
    real = exact(smooth(0, 41, 40))
    field = search(real.image.roll(8, 3), real, 0.0, wrap=(False, True))
    large = enlarge(field, (82, 80), (82, 80))
    at = positions(80, CPU, True)
    inside = (at >= 20) & (at <= 80 - PATCH - 4)
    assert ((large.x[0, 4:-4] - (at - 16))[:, inside].abs() <= 1).all()


def test_generators_see_the_other_side_beyond_the_border(whole_model):
    x, noise = smooth(0, 30, 41), smooth(1, 30, 41)
    for wrap in ((True, True), (False, True)):
        by = [5 * wraps for wraps in wrap]
        once, again = (
            refine(whole_model.generators[1], a, b, whole_model.config, wrap)
            for a, b in ((x, noise), (x.roll(by, (2, 3)), noise.roll(by, (2, 3))))
        )
        torch.testing.assert_close(once.roll(by, (2, 3)), again, atol=2e-2, rtol=0)  # sums in bfloat16


def test_displaced_tile_goes_on_at_its_other_side():
    y, x = torch.meshgrid(*(torch.arange(side) * 2 * np.pi / side for side in (24, 40)), indexing="ij")
    wave = torch.stack([x.sin(), y.sin(), (x + y).cos()])[None].float()
    moved = displace(wave, torch.randn(1, 2, 24, 40, generator=torch.Generator().manual_seed(0)), (True, True))
    assert (moved - wave).abs().max() > 0.3
    for axis in (2, 3):
        step = (moved.roll(-1, axis) - moved).abs().mean((1, 5 - axis))[0]
        assert step[-1] <= 1.3 * step.max()


def test_closed_takes_the_part_that_goes_on_at_its_other_end():
    """Of two and a third waves two are left, so that the ends meet."""
    x = torch.arange(42) * 2 * np.pi / 18
    image = torch.stack([x.sin(), x.cos(), x.sin()])[None, :, None].expand(-1, -1, 20, -1).float()
    tile = closed(image, (False, True))
    assert tile.shape == image.shape
    step = (tile.roll(-1, 3) - tile).abs().mean((1, 2))[0]
    assert step[-1] <= 1.3 * step.median()
    assert torch.equal(closed(image, (False, False)), image)


@pytest.mark.parametrize("wrap", [(False, True), (True, False), (True, True)])
def test_light_of_a_tile_goes_on_over_its_border_and_its_texture_stays(wrap):
    """Of a texture that grows lighter towards one end, the step of light at the border goes, and nothing else much."""
    down, across = torch.meshgrid(torch.linspace(-0.4, 0.4, 60), torch.linspace(-0.4, 0.4, 80), indexing="ij")
    texture = 0.1 * torch.rand(1, 3, 60, 80, generator=torch.Generator().manual_seed(0))
    image = texture + down * wrap[0] + across * wrap[1]
    tile = joined(image, wrap)
    for axis, wraps in zip((2, 3), wrap, strict=True):
        places = torch.arange(-PATCH, PATCH)  # within a patch of the border
        before, after = ((x.roll(-1, axis) - x).index_select(axis, places % x.shape[axis]) for x in (image, tile))
        steps = [x.mean((0, 1, 5 - axis)) for x in (before, after)]
        if wraps:
            assert steps[0].amin() < -0.7
            assert steps[1].abs().max() < 0.1
    rough = [x - F.avg_pool2d(x, 5, 1, 2, count_include_pad=False) for x in (image, tile)]
    assert (rough[0] - rough[1])[..., 8:-8, 8:-8].abs().max() < 0.02
    middle = (tile - image)[..., 20:40, 30:50].abs().mean()
    assert middle < 0.05  # it fades


# --- tiles ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("size", [None, (41, 47)])
@pytest.mark.parametrize("kind", ["draft", "tiny_model", "whole_model", "paper"])
def test_border_of_a_tile_is_a_line_like_others(request, kind, tile, size):
    model = request.getfixturevalue(kind)
    images = model.sample(2, tile=tile, size=size, seed=3)
    assert images[0].tobytes() == model.sample(1, tile=tile, size=size, seed=3)[0].tobytes()
    for image in images:
        assert (image.height, image.width) == (size or model.image_size)
        for axis, wraps in enumerate(WRAPS[tile]):
            if wraps:
                found = steps(image, axis)
                assert found[-1] <= 1.3 * np.percentile(found, 95)


def test_without_tile_the_border_is_a_line_of_its_own(draft):
    found = [steps(draft.sample(1, seed=k)[0], 1) for k in range(3)]
    assert max(one[-1] / np.percentile(one, 95) for one in found) > 1.3


def test_a_tile_leaves_the_model_as_it_was(draft):
    before = draft.sample(1)[0].tobytes()
    draft.sample(1, tile="both")
    assert draft.sample(1)[0].tobytes() == before


def landscape() -> Image.Image:
    """160x120 px: a clear sky, a dark band at its height, and rough ground."""
    pixels = np.full((120, 160, 3), (120, 160, 220), float)
    pixels[60:72] = (20, 20, 20)
    pixels[72:] = np.random.default_rng(0).normal((60, 120, 40), 30, (48, 160, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("tile", ["y", "both"])
def test_what_stands_in_a_landscape_keeps_its_height_in_a_tile_and_ground_goes_over_into_sky(tile):
    model = singan.draft(landscape(), singan.TrainConfig.preset("draft", candidates=3))
    for image in model.sample(2, tile=tile):
        pixels = np.asarray(image, float).mean(1)  # a colour for each row
        assert np.abs(pixels[24:54] - (120, 160, 220)).max() < 30  # sky, without pieces of anything else
        assert 56 <= pixels.mean(1).argmin() <= 76  # the band
        assert np.abs(np.diff(pixels[-24:], axis=0)).max() < 20 and np.abs(pixels[0] - pixels[-1]).max() < 12


def test_a_sky_is_what_is_smooth_above(tiny_picture):
    def seen(image: Image.Image) -> bool:
        return has_sky(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None] / 127.5 - 1)

    assert seen(landscape()) and not seen(landscape().transpose(Image.Transpose.FLIP_TOP_BOTTOM))


def test_ends_go_over_into_one_another_and_the_middle_stays():
    x = torch.linspace(-1, 1, 50).view(1, 1, 50, 1).expand(1, 3, 50, 4)
    tile = over_into_sky(x)
    assert torch.equal(tile[:, :, 0], tile[:, :, -1]) and torch.equal(tile[:, :, 10:40], x[:, :, 10:40])
    assert tile.diff(dim=2).abs().max() < 0.4


# --- mirror images --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(6, 8), (7, 9), (8, 8), (9, 9)])
def test_mirrored_images_are_symmetric_and_keep_one_part(size):
    x = torch.arange(3 * size[0] * size[1]).view(1, 3, *size)
    for mirror in ("x", "both"):
        assert torch.equal(mirrored(x, mirror), mirrored(x, mirror).flip(3))
    for mirror in ("y", "both"):
        assert torch.equal(mirrored(x, mirror), mirrored(x, mirror).flip(2))
    assert torch.equal(mirrored(x, "x")[..., : size[1] // 2], x[..., : size[1] // 2])
    if size[0] == size[1]:
        kaleidoscope = mirrored(x, "kaleidoscope")
        assert torch.equal(kaleidoscope, kaleidoscope.mT) and torch.equal(kaleidoscope, kaleidoscope.flip(2))


@pytest.mark.parametrize("kind", ["draft", "whole_model", "paper"])
def test_mirrored_samples_are_symmetric_to_the_last_bit(request, kind):
    model = request.getfixturevalue(kind)
    for mirror, axes in (("x", [1]), ("y", [0]), ("both", [0, 1]), ("kaleidoscope", [0, 1])):
        image = model.sample(1, mirror=mirror, size=(45, 45), seed=1)[0]
        pixels = np.asarray(image)
        assert all(np.array_equal(pixels, np.flip(pixels, axis)) for axis in axes)
        if mirror == "kaleidoscope":
            assert np.array_equal(pixels, pixels.swapaxes(0, 1))
        else:
            assert image.tobytes() != model.sample(1, size=(45, 45), seed=1)[0].tobytes()


def test_mirrored_tile_is_both(draft):
    image = draft.sample(1, mirror="x", tile="y", size=(44, 44))[0]
    found, pixels = steps(image, 0), np.asarray(image)
    assert np.array_equal(pixels, pixels[:, ::-1]) and found[-1] <= 1.3 * np.percentile(found, 95)


# --- mirrored parts -------------------------------------------------------------------------------


def ramps() -> Image.Image:
    """160x120 px: hills that rise slowly to the right and fall steeply, under a plain sky."""
    y, x = np.mgrid[:120, :160]
    top = 90 - (x % 40)
    pixels = np.where((y < top)[..., None], (150, 190, 230), (60, 40, 20))
    rough = np.random.default_rng(0).normal(0, 6, (120, 160, 1)) * (y >= top)[..., None]
    return Image.fromarray((pixels + rough).clip(0, 255).astype(np.uint8))


def falling(image: Image.Image) -> float:
    """The share of the ridge that falls slowly to the right, as the photograph's nowhere does."""
    ridge = (np.asarray(image, float)[..., 2] < 120).argmax(0)
    step = ridge[4:] - ridge[:-4]  # downwards is positive
    return float(((step > 1) & (step < 8)).mean())


@pytest.fixture(scope="module")
def hills() -> singan.SinGAN:
    return singan.draft(ramps())


def test_mirrored_parts_are_there_where_they_are_asked_for(hills):
    plain, flipped = (hills.sample(6, variation=0.7, seed=1, flips=flips) for flips in (False, True))
    assert np.mean([falling(image) for image in plain]) < 0.03
    assert np.mean([falling(image) for image in flipped]) > 0.12
    assert hills.sample(1, variation=0.7, seed=3, flips=True)[0].tobytes() == flipped[2].tobytes()
    assert hills.sample(1, variation=0.7, seed=1)[0].tobytes() == plain[0].tobytes()  # as before
    still = hills.sample(1, variation=0, flips=True)[0]
    assert np.abs(np.asarray(still, float) - np.asarray(hills.training_image)).mean() < 3


@pytest.mark.parametrize("size", [(180, 160), (120, 320), (120, 90)])
def test_mirrored_parts_of_other_proportions(hills, size):
    images = hills.sample(2, size=size, variation=0.7, flips=True)
    assert [image.size for image in images] == [size[::-1]] * 2
    assert np.mean([falling(image) for image in images]) > 0.05


def test_mirrored_parts_are_those_of_layouts(hills, tiny_model, tiny_picture):
    for one, options in ((hills, {"tile": "x"}), (tiny_model, {"start_scale": 1})):
        with pytest.raises(ConfigError, match="leave them out, or tile and start_scale"):
            one.sample(1, flips=True, **options)
    with pytest.raises(ConfigError, match="leave out flips, or make a draft"):
        tiny_model.sample(1, generators_only=True, flips=True)
    with pytest.raises(ConfigError, match="leave out flips, or make a draft"):
        singan.draft([tiny_picture, ramps()]).sample(1, flips=True)


# --- pins -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["draft", "tiny_model", "whole_model", "paper"])
def test_pinned_region_stays_to_the_last_bit_and_the_rest_does_not(request, kind):
    model = request.getfixturevalue(kind)
    photo = np.asarray(model.training_image)
    mask = np.zeros(photo.shape[:2], bool)
    mask[10:20, 25:33] = mask[16:22, 30:38] = True
    drawn = [np.asarray(image) for image in model.sample(8, pin=mask, variation=1.0)]
    assert all(np.array_equal(pixels[mask], photo[mask]) for pixels in drawn)
    assert max(np.abs(pixels[~mask].astype(float) - photo[~mask]).mean() for pixels in drawn) > 1


@pytest.mark.parametrize("width", [100, 200])
def test_pinned_region_goes_where_it_is_told_to_in_other_sizes_too(draft, width):
    photo, size = np.asarray(draft.training_image), (60, width)
    mask = square(draft.photo_size, 12, 20, 26, 36)
    image, source = draft.sample(1, size=size, pin=mask, pin_to=(0.5, 25 / width), source=True)[0]
    top, left = 30 - 7, 25 - 8
    assert np.array_equal(np.asarray(image)[top : top + 14, left : left + 16], photo[12:26, 20:36])
    rows, columns = np.mgrid[12:26, 20:36]
    assert np.array_equal(source[top : top + 14, left : left + 16], np.stack([rows, columns], 2))


def test_pinned_region_leads_into_what_is_around_it(draft):
    """The step across its edge is not over the usual one where the photograph has it."""
    mask = square(draft.photo_size, 15, 20, 35, 45)
    inside = np.asarray(mask)
    photo = np.asarray(draft.training_image, float)
    for image in draft.sample(4, pin=mask, variation=1.0):
        pixels = np.asarray(image, float)
        edges = [np.diff(inside, axis=axis) for axis in (0, 1)]
        across, usual = (
            np.mean([np.abs(np.diff(x, axis=axis))[edge].mean() for axis, edge in enumerate(edges)])
            for x in (pixels, photo)
        )
        assert across < 1.5 * usual + 1


def test_mask_of_the_photographs_shape_may_be_larger(draft):
    height, width = draft.photo_size
    small, large = square((height, width), 10, 20, 30, 40), square((3 * height, 3 * width), 30, 60, 90, 120)
    assert draft.sample(1, pin=small)[0].tobytes() == draft.sample(1, pin=large)[0].tobytes()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tile": "z"}, ConfigError, "tile is 'z'; choose one of x, y, both"),
        ({"tile": True}, ConfigError, "tile is True"),
        ({"mirror": "z"}, ConfigError, "mirror is 'z'; choose one of x, y, both, kaleidoscope"),
        ({"mirror": "kaleidoscope"}, ConfigError, "square, and size is 54x70 px: give a size as (54, 54)"),
        ({"mirror": "x", "pin": square((54, 70), 1, 1, 9, 9)}, ConfigError, "leave out pin or mirror"),
        ({"pin_to": (0.5, 0.5)}, ConfigError, "give pin too"),
        ({"pin": square((54, 70), 0, 0, 0, 0)}, ImageError, "black all over"),
        ({"pin": square((54, 70), 0, 0, 54, 70)}, ImageError, "white all over: leave black"),
        ({"pin": square((54, 54), 1, 1, 9, 9)}, ImageError, "The mask is 54x54 px and the photograph 70x54"),
        ({"pin": "gone.png"}, ImageError, "The mask gone.png does not exist"),
        ({"pin": square((54, 70), 1, 1, 9, 9), "pin_to": (0, 0.5)}, ConfigError, "8x8 px, with its middle at (0, 0.5)"),
        ({"pin": square((54, 70), 1, 1, 9, 9), "pin_to": (2, 0)}, ConfigError, "from 0 to 1"),
        ({"pin": square((54, 70), 1, 1, 9, 9), "pin_to": 0.5}, ConfigError, "give (down, across)"),
        ({"pin": square((54, 70), 1, 1, 50, 60), "size": (30, 40)}, ConfigError, "not lie within the 30x40 px"),
        ({"source": True, "generators_only": True}, ConfigError, "leave out generators_only"),
    ],
)
def test_what_cannot_be_kept_is_a_clear_error(tiny_model, options, error, message):
    assert tiny_model.photo_size == (54, 70)
    with pytest.raises(error) as caught:
        tiny_model.sample(1, **options)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_a_tile_needs_all_scales_and_sources_a_field(whole_model):
    with pytest.raises(ConfigError, match="leave start_scale at 0"):
        whole_model.sample(1, tile="x", start_scale=1)
    with pytest.raises(ConfigError, match="no field of patches"):
        whole_model.sample(1, source=True)


def test_pin_at_a_larger_scale_holds_the_surroundings():
    """A pixel of a smaller image is pinned if any of it is."""
    photo, mask = smooth(0, 40, 40), square((40, 40), 10, 10, 12, 12)
    pin = pinned(mask, photo, (40, 40))
    settle = Constraints(pin=pin).settle((10, 10))
    kept = settle(torch.full((1, 3, 10, 10), 9.0))
    assert (kept[0, 0] != 9).nonzero().tolist() == [[2, 2]]
    assert torch.equal(pin.shown, photo) and float(F.relu(pin.mask).sum()) == 4


# --- wider than the photograph --------------------------------------------------------------------


def coast(width: int = 96) -> Image.Image:
    """A grainy sky that is blue at the left and red at the right, over waves: 64 px high."""
    rows, columns = np.mgrid[0:64, 0:width]
    pixels = np.stack([40 + 160 * columns / width, np.full(rows.shape, 90), 200 - 160 * columns / width], 2)
    pixels += np.random.default_rng(0).normal(0, 6, pixels.shape)
    waves = 60 + 50 * np.sin(columns / 2.0 + 3 * np.sin(rows / 3.0))
    pixels[40:] = waves[40:, :, None]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def shore() -> singan.SinGAN:
    return singan.draft(coast(), singan.TrainConfig.preset("draft", max_size=64))


@pytest.mark.parametrize("size", [(64, 192), (64, 300), (96, 200)])
def test_wider_sample_goes_from_the_photographs_left_side_to_its_right_one(shore, size):
    for image in shore.sample(3, size=size, variation=0.2):
        sky = np.asarray(image, float)[: size[0] // 3].mean(0)
        assert image.size == size[::-1]
        assert sky[:8, 0].mean() < 80 < 160 < sky[-8:, 0].mean()  # its mirror images to both sides began in the middle


@pytest.mark.parametrize("most", [2**22, 100 * 100])
def test_light_of_a_wider_sample_is_evened_out_but_not_in_what_is_pinned(monkeypatch, shore, most):
    """At its own size, or, of a large one, at a smaller one."""
    mask, size = square(shore.photo_size, 12, 20, 26, 36), (64, 256)
    monkeypatch.setattr(model, "MAX_LIT_PIXELS", most)
    seen, differs = [], {}
    for light in (0.0, 0.2):
        monkeypatch.setattr(model, "agreed", lambda x, *_, light=light: seen.append(x.shape[2:]) or x + light)
        for pin in (None, mask):
            shown = np.asarray(shore.sample(1, size=size, pin=pin)[0], float)
            differs[pin is None] = shown - differs.get(pin is None, 0)
    shore.sample(1), shore.sample(1, size=(64, 100)), shore.sample(1, size=(64, 256), tile="x")  # these not
    assert len(seen) == 4 and all(math.prod(at) <= most for at in seen) and (seen[0] == size) == (most > 100 * 100)
    assert np.abs(differs[True] - 25.5).max() < 1.1
    kept = np.abs(differs[False]).max(2) == 0
    assert kept.sum() == 14 * 16


def test_sky_that_is_drawn_out_keeps_its_colours():
    """Its steps from row to row, of sources that come again and again, are not added up."""
    pixels = np.linspace(90, 180, 96)[:, None, None] * np.ones((1, 128, 1)) * [0.6, 0.9, 1.1]
    pixels[60:] = np.random.default_rng(0).integers(0, 120, (36, 128, 3))
    sky = pixels[:60].astype(np.uint8)
    image = singan.draft(Image.fromarray(pixels.astype(np.uint8))).sample(1, size=(288, 256), seed=1)[0]
    drawn = np.asarray(image)[:120]
    assert (drawn.min((0, 1)) > sky.min((0, 1)) - 5.0).all() and (drawn.max((0, 1)) < sky.max((0, 1)) + 5.0).all()


def test_light_is_evened_out_where_more_than_half_varies(monkeypatch, shore):
    """Columns leap there, from one sky to another."""
    lit = []
    monkeypatch.setattr(model, "agreed", lambda x, *_: lit.append(len(x)) or x)
    shore.sample(1, variation=0.5), shore.sample(1, variation=0.75, tile="x")
    assert lit == []
    shore.sample(1, variation=0.75)
    assert lit == [1]


def test_tiles_are_stretched_to_any_size(shore):
    height, width = shore.scale_sizes[0]
    for size in ((height, 3 * width), (3 * height, width), (height, width // 2)):
        assert shore._own_size(size) == (height, width)
        assert shore.tiled((False, True))._own_size(size) == size


# --- taller and narrower ---------------------------------------------------------------------------


def lighthouse(height: int = 72, width: int = 96) -> Image.Image:
    """A white tower with a red top, 28 px high, on a grainy lawn under a plain sky."""
    pixels = np.full((height, width, 3), (90, 140, 220), float)
    pixels[48:] = (40, 130, 50)
    pixels[48:] += np.random.default_rng(0).normal(0, 25, (height - 48, width, 1))
    pixels[28:52, 44:50], pixels[24:30, 42:52] = 255, (220, 30, 30)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def coastguard() -> singan.SinGAN:
    return singan.draft(lighthouse(), singan.TrainConfig.preset("draft", max_size=96, photo_size=96))


def towers(image: Image.Image) -> list[tuple[int, int]]:
    """The heights of what is red and white in each run of columns that has any, and how far down it begins."""
    pixels = np.asarray(image, float)
    bright = pixels[..., 0] > 180
    columns = np.flatnonzero(bright.any(0))
    runs = np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1) if len(columns) else []
    rows = [np.flatnonzero(bright[:, run].any(1)) for run in runs if len(run) > 3]
    return [(int(one[-1] - one[0] + 1), int(one[0])) for one in rows]


@pytest.mark.parametrize("size", [(108, 96), (144, 96), (128, 72)])
def test_in_a_taller_sample_the_sky_is_higher_and_what_stands_in_it_is_not(coastguard, size):
    images = coastguard.sample(6, size=size, variation=0.3)
    assert {image.size for image in images} == {size[::-1]}
    found = [tower for image in images for tower in towers(image)]
    assert len(found) >= 3 and all(26 <= height <= 30 for height, _ in found)  # 28; stretched it was 42, 56 and 50
    assert all(abs(top - (24 + size[0] - 72)) < 4 for _, top in found)


def test_patches_of_a_taller_sample_belong_where_its_rows_do(coastguard):
    """Held to their place in proportion, they would put a second top into the middle of the sky."""
    size = coastguard.size_at(0, (144, 96))
    photo = coastguard.patches_at(0).images[0]
    taller, _, found = coastguard.taller(photo, size, Constraints())
    assert taller._heights.shape == size[:1] and coastguard._heights is None
    free = coastguard.apply_scale(0, at_heights(photo, taller._heights), None)[1]
    away = [
        (sources(one)[0, :, :, 0] / photo.shape[2] - taller._heights[:, None]).abs().mean() for one in (found, free)
    ]
    assert away[0] < 0.5 * away[1]


@pytest.mark.parametrize("size", [(72, 48), (72, 60), (36, 24)])
def test_narrower_sample_has_whole_columns_and_nothing_is_narrower(coastguard, size):
    for image in coastguard.sample(4, size=size, variation=0.3):
        assert image.size == size[::-1]
        pixels = np.asarray(image, float)
        red = (pixels[..., 0] > 180) & (pixels[..., 1] < 100)
        columns = np.flatnonzero(red.any(0))
        inside = len(columns) and columns[0] > 0 and columns[-1] < size[1] - 1
        assert not inside or len(columns) >= 0.8 * 10 * size[0] / 72  # squeezed there were 5 of 10


def test_narrower_samples_show_several_parts_of_the_photograph():
    photo = singan.SinGAN.from_pretrained("skyline").training_image.resize((256, 144))
    drawn = singan.draft(photo).sample(6, size=(144, 128), source=True)
    middles = [one.source[..., 1].mean() for one in drawn]
    assert max(middles) - min(middles) > 256 / 6  # the best of twelve layouts: half of that


@pytest.mark.parametrize("size", [(16, 400), (400, 16), (16, 16), (17, 96), (300, 40)])
def test_extreme_sizes_are_drawn(coastguard, size):
    assert coastguard.sample(1, size=size)[0].size == size[::-1]


def test_several_samples_of_a_taller_size_differ_and_come_again(coastguard):
    first, second = coastguard.sample(2, size=(120, 60), seed=3, variation=0.6)
    assert first.tobytes() != second.tobytes()
    assert coastguard.sample(1, size=(120, 60), seed=4, variation=0.6)[0].tobytes() == second.tobytes()


# --- sources --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(20, 30), (21, 31), (7, 8)])
def test_source_of_the_training_image_is_each_pixel_itself(size):
    rows, columns = np.mgrid[: size[0], : size[1]]
    found = sources(identity(size, size, CPU))[0].numpy()
    assert np.array_equal(found, np.stack([rows, columns], 2))


@pytest.mark.parametrize("wrap", [(False, False), (True, True)])
@pytest.mark.parametrize("size", [(22, 31), (21, 30)])
def test_source_is_that_of_the_heaviest_vote(wrap, size):
    real = exact(smooth(0, 25, 28))
    field = search(smooth(1, *size), real, 0.0, wrap=wrap)
    found = sources(field)[0]
    edges = [positions(side, CPU, wraps).tolist() for side, wraps in zip(size, wrap, strict=True)]
    for y in range(size[0]):
        for x in range(size[1]):
            votes = []
            for i, top in enumerate(edges[0]):
                for j, left in enumerate(edges[1]):
                    a, b = (y - top) % size[0], (x - left) % size[1]
                    if a < PATCH and b < PATCH:
                        place = int(field.y[0, i, j]) + a, int(field.x[0, i, j]) + b
                        votes.append(((a - 3) ** 2 + (b - 3) ** 2, place))
            nearest = min(votes)[0]
            assert tuple(found[y, x].tolist()) in [place for away, place in votes if away == nearest]


@pytest.mark.parametrize("options", [{}, {"tile": "both"}, {"mirror": "both"}, {"size": (70, 91)}, {"flips": True}])
def test_sources_are_where_the_pixels_are_from(tiny_model, options):
    photo = np.asarray(tiny_model.training_image, float)
    for image, source in tiny_model.sample(2, source=True, **options):
        assert source.dtype == np.int32 and source.shape == (image.height, image.width, 2)
        assert source.min() >= 0 and (source.max((0, 1)) < photo.shape[:2]).all()
        moved = photo[source[..., 0], source[..., 1]]
        near = 0.35 if "tile" in options else 0.3  # the light of a tile fades into both sides of its border
        assert np.abs(moved - np.asarray(image)).mean() < near * np.abs(photo - photo.mean((0, 1))).mean()


def test_sample_with_its_source_is_the_sample_without(tiny_model):
    with_source = tiny_model.sample(2, source=True, seed=4)
    assert [one.image.tobytes() for one in with_source] == [one.tobytes() for one in tiny_model.sample(2, seed=4)]


def test_constraints_that_are_none_change_nothing(draft):
    nothing = draft.sample(1, tile=None, mirror=None, pin=None)[0]
    assert nothing.tobytes() == draft.sample(1)[0].tobytes()
    fewer = replace(draft, config=replace(draft.config, candidates=1))
    assert fewer.sample(1)[0].size == nothing.size and around(smooth(0, 9, 9), (False, False)).shape[2:] == (9, 9)


@pytest.mark.parametrize(
    ("size", "options"), [((32, 32), {}), ((16, 700), {"tile": "x"}), ((700, 16), {"tile": "both"}), ((64, 20), {})]
)
@pytest.mark.parametrize("shape", [(1024, 683), (350, 700)])
def test_small_and_thin_samples_of_a_large_photograph(size, options, shape):
    """Of which there is a pixel, or none, at the coarsest scale."""
    large = singan.draft(Image.effect_noise(shape, 90).convert("RGB"), singan.TrainConfig.preset("draft", candidates=2))
    assert large.sample(1, size=size, **options)[0].size == size[::-1]
