"""Models of several pictures: how they are searched, mixed, saved and used."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from fuzz_checkpoint import edit, fuzz, reweigh, sign
from PIL import Image

import singan
from singan.cli import main
from singan.errors import CheckpointError, ConfigError, ImageError, TaskWarning
from singan.patches.atlas import Atlas, Mirrored, below_one_another
from singan.patches.field import carry_field, own_field, refine_field, search
from singan.patches.mixture import HOLD, NEAR, alike, costs, evened, panorama, regions, shown
from singan.patches.search import PATCH, Patches, basis
from singan.patches.vote import positions, vote
from singan.storage.card import model_card
from singan.training.start import start_run

SIZES = [(20, 31), (26, 24), (17, 36)]


def noise(size, seed):
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def images():
    return [noise(size, k) for k, size in enumerate(SIZES)]


@pytest.fixture(scope="module")
def atlas(images):
    return Atlas(images, basis(below_one_another(images), 3 * PATCH**2))


def plain(colour, size=(80, 60), seed=0):
    """A picture of grain around one colour."""
    grain = np.random.default_rng(seed).integers(-6, 6, (size[1], size[0], 3))
    return Image.fromarray((np.array(colour) + grain).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def pictures():
    return [plain((200, 60, 60)), plain((60, 200, 60), (50, 90), 1), plain((60, 60, 200), (120, 30), 2)]


@pytest.fixture(scope="module")
def settings():
    return singan.TrainConfig.preset("draft", min_size=16, max_size=60, photo_size=80)


@pytest.fixture(scope="module")
def several(pictures, settings):
    return singan.draft(pictures, settings, shares=(0.5, 0.3, 0.2))


@pytest.fixture(scope="module")
def trained(pictures, tiny_config):
    return singan.train(pictures[:2], tiny_config, shares=(3, 1), seed=1)


# --- patches of several pictures ------------------------------------------------------------------


def test_each_picture_finds_itself_and_votes_itself(images, atlas):
    for k, image in enumerate(images):
        field = search(image, atlas, 0.5, reuse=math.inf)
        assert (field.y // field.source[0] == k).all()
        torch.testing.assert_close(vote(field, atlas), image, rtol=0, atol=1e-5)


def test_one_picture_is_searched_and_carried_as_ever(images):
    filters, x = basis(images[0]), noise((30, 40), 9)
    alone, one = Patches(images[0], filters), Atlas(images[:1], filters)
    a, b = search(x, alone, 1.0), search(x, one, 1.0)
    larger = noise((45, 60), 10)
    for _ in range(2):
        assert torch.equal(a.y, b.y) and torch.equal(a.x, b.x)
        a, b = (refine_field(carry_field(f, (45, 60), p), larger, p, 1.0) for f, p in ((a, alone), (b, one)))


@pytest.mark.parametrize("prior", [0.0, 1.0])
def test_no_patch_of_two_pictures_is_ever_taken(atlas, prior):
    x = noise((33, 35), 5)
    field = search(x, atlas, prior)
    for _ in range(3):
        for k, (height, width) in enumerate(SIZES):
            here = field.y // field.source[0] == k
            assert (field.y[here] - k * field.source[0] <= height - PATCH).all()
            assert (field.x[here] <= width - PATCH).all()
        field = refine_field(carry_field(field, (33, 35), atlas), x, atlas, prior)


@pytest.mark.parametrize("width", [33, 40])
def test_patches_of_an_image_and_of_its_mirror_image_are_found_and_none_of_both(width):
    image = noise((30, width), 4)
    patches = Mirrored(image, basis(torch.cat([image, image.flip(3)], 3), 3 * PATCH**2))
    for own, first in ((image, 0), (image.flip(3), width)):  # each where it stands, by its own place
        field = search(own, patches, 0.5, reuse=math.inf)
        assert torch.equal(field.x[0, 0] - first, search(image, Patches(image, patches.filters), 0.0).x[0, 0])
        torch.testing.assert_close(vote(field, patches), own, rtol=0, atol=1e-5)
    fine = Mirrored(noise((45, 3 * width // 2), 4), patches.filters)
    x, larger = noise((30, width), 5), noise((45, 3 * width // 2), 6)
    field = search(x, patches, 1.0)
    found = refine_field(carry_field(field, (45, 3 * width // 2), fine), larger, fine, 1.0)
    for one, side in ((field, width), (found, 3 * width // 2)):
        assert ((one.x <= side - PATCH) | (one.x >= side)).all()
        assert (one.x < side).any() and (one.x >= side).any()


def test_field_is_carried_within_each_picture_in_its_own_proportion(images, atlas):
    field = search(noise((25, 25), 3), atlas, 0.0)
    larger = [noise((round(1.5 * h), round(1.5 * w)), k) for k, (h, w) in enumerate(SIZES)]
    fine = Atlas(larger, atlas.filters)
    carried = carry_field(field, (25, 25), fine)  # the same voters
    for k, (before, after) in enumerate(zip(SIZES, fine.pictures, strict=True)):
        here = field.y // atlas.size[0] == k
        assert torch.equal(carried.y // fine.size[0] == k, here) and here.any()
        at, then = (f.y[here] - k * f.source[0] for f in (field, carried))
        expected = (at + PATCH / 2) * after[0] / before[0] - PATCH / 2
        assert (then - expected.clamp(0, after[0] - PATCH)).abs().max() <= 0.5


def test_what_is_outside_a_region_stays_the_first_picture(images, atlas):
    region = torch.zeros(1, 1, *SIZES[0])
    own = own_field(SIZES[0], atlas)
    torch.testing.assert_close(vote(own, atlas), images[0], rtol=0, atol=1e-5)
    field = search(noise(SIZES[0], 4), atlas, 0.0, region=region)
    assert torch.equal(field.y, own.y) and field.pictures == own.pictures == tuple(SIZES)
    refined = refine_field(field, noise(SIZES[0], 4), atlas, 0.0, region=region)
    assert torch.equal(refined.y, own.y) and torch.equal(refined.x, own.x)


# --- where each picture stands --------------------------------------------------------------------


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.7, 0.2, 0.1), (0.125,) * 8])
def test_regions_have_just_their_shares(shares):
    where = regions(5, (25, 44), shares, torch.Generator().manual_seed(0))
    assert where.shape == (5, 1, 25, 44)
    for one in where:
        found = torch.bincount(one.flatten(), minlength=len(shares)) / one.numel()
        assert (found - torch.tensor(shares)).abs().max() < 2 / one.numel()
    neighbours = (where[..., 1:] == where[..., :-1]).float().mean()
    assert neighbours > 0.8  # they hang together
    assert not torch.equal(where[0], where[1])


def test_patches_of_a_picture_cost_nothing_in_its_region_alone():
    where = torch.zeros(1, 1, 21, 41, dtype=torch.long)
    where[..., 20:] = 1
    found, corners = costs(where, 3).view(8, 18, 3), positions(41, where.device)
    left = corners + PATCH // 2 - NEAR // 2  # of the middles of patches
    covered = (20 - left).clamp(0, NEAR) / NEAR  # of the first picture, by each
    expected = torch.stack([1 - covered, covered, torch.ones_like(covered)], 1)
    expected = HOLD * (expected - expected.amin(1, keepdim=True))
    for row in found:
        torch.testing.assert_close(row, expected)


@pytest.mark.parametrize("chunk", [16_000_000, 2000])
def test_voters_take_patches_of_the_picture_that_costs_nothing(atlas, chunk, monkeypatch):
    monkeypatch.setattr("singan.patches.search.CHUNK", chunk)
    x = torch.cat([noise((30, 40), seed) for seed in (6, 7)])
    where = torch.randint(3, (2, 13 * 18), generator=torch.Generator().manual_seed(0))
    added = 10 * (1 - torch.nn.functional.one_hot(where, 3).float())
    field = search(x, atlas, 1.0, costs=added)
    assert torch.equal(field.y.flatten(1) // field.source[0], where)
    free, none = search(x, atlas, 1.0), search(x, atlas, 1.0, costs=torch.zeros_like(added))
    assert torch.equal(free.y, none.y) and torch.equal(free.x, none.x) and not torch.equal(free.y, field.y)


def test_panorama_shows_each_picture_in_its_share():
    parts = [torch.full((1, 3, 20, 30), value) for value in (-1.0, 1.0)]
    wide = panorama(parts, (0.75, 0.25))
    assert wide.shape == (1, 3, 20, 60) and abs(float((wide < 0).float().mean()) - 0.75) < 0.02


def test_pictures_are_shrunk_alike():
    assert alike((300, 100), (200, 150), (200, 150)) == (300, 100)
    assert alike((300, 100), (200, 150), (20, 15)) == (30, 10)
    assert alike((300, 100), (200, 150), (10, 8)) == (15, PATCH)


def test_each_picture_stands_in_one_piece():
    where = regions(12, (25, 44), (0.5, 0.3, 0.2), torch.Generator().manual_seed(0)).float()
    for k in range(3):
        mask = (where == k).float()
        piece = mask * (torch.rand(mask.shape, generator=torch.Generator().manual_seed(k)) + 1)
        piece = (piece == piece.amax((2, 3), keepdim=True)).float()  # one of its pixels, and what can be reached
        for _ in range(80):
            piece = mask * torch.nn.functional.max_pool2d(piece, 3, 1, 1)
        assert (piece.sum((1, 2, 3)) / mask.sum((1, 2, 3))).median() == 1
    assert len({tuple(one[0, 12, [0, -1]].tolist()) for one in where}) > 1  # not always the same at the left


def test_smooth_pictures_go_over_into_one_another_and_textured_ones_do_not():
    """A step that is too large to be light: between flat pictures it is spread, between textured ones it stays."""

    def steepest(texture: float) -> float:
        pictures = [value + texture * noise((60, 300), k).sign() for k, value in enumerate((-0.8, 0.8))]
        patches = Atlas(pictures, basis(noise((60, 60), 0)))
        own = own_field((60, 300), patches)
        field = replace(own, y=own.y + 60 * (torch.arange(own.shape[1]) > own.shape[1] // 2))
        return float(evened(vote(field, patches), field, patches).mean((0, 1, 2)).diff().abs().amax())

    assert steepest(0.0) < 0.1 < 0.25 < steepest(0.6)


def test_light_is_evened_out_at_seams_alone():
    """Two flat pictures a step apart: the seam goes, and far from it both stay as they are."""
    flat = [torch.full((1, 3, 60, 300), value) for value in (-0.2, 0.2)]
    patches = Atlas(flat, basis(noise((60, 60), 0)))
    own = own_field((60, 300), patches)
    half = torch.arange(own.shape[1]) > own.shape[1] // 2
    field = replace(own, y=own.y + 60 * half)
    x = vote(field, patches)
    even = evened(x, field, patches)
    assert set(shown(field).unique().tolist()) == {0, 1}

    def step(image):
        return float(image.diff(dim=3).abs().max())

    assert step(x) > 0.08 and step(even) < 0.6 * step(x)
    assert (even - x)[..., :10].abs().max() < 0.1 < (even - x).abs().max()
    alone = replace(own, y=own.y * 1)
    torch.testing.assert_close(evened(vote(alone, patches), alone, patches), flat[0], rtol=0, atol=1e-5)


# --- models ---------------------------------------------------------------------------------------


def measured(model, count):
    """The mean share of each picture among the voters of the last level."""
    with torch.inference_mode():
        fields = [model.draw([seed], model.image_size, 0, model.config.usual_variation)[1] for seed in range(count)]
    which = [(field.y // field.source[0]).flatten() for field in fields]
    return np.mean([[float((one == k).float().mean()) for k in range(len(model.shares))] for one in which], 0)


def by_colour(image):
    """The share of an image's pixels that are mostly red, green, blue."""
    return np.bincount(np.asarray(image).reshape(-1, 3).argmax(1), minlength=3) / (image.width * image.height)


def test_samples_mix_all_pictures_by_their_shares(several):
    assert several.shares == [0.5, 0.3, 0.2] and several.image_size == (60, 80)
    assert [tuple(x.shape) for x in several.others] == [(93, 52, 3), (35, 139, 3)]
    assert np.abs(measured(several, 8) - several.shares).max() < 0.1
    found = np.mean([by_colour(image) for image in several.sample(8)], 0)
    assert found[0] > found[1] > found[2] > 0.05


@pytest.mark.parametrize(("names", "shares"), [
    (("tea-gardens", "mountain-lake"), (0.8, 0.2)),
    (("mountain-lake", "waves"), (0.3, 0.7)),
    (("spices", "tea-gardens"), (0.5, 0.5)),
])  # fmt: skip
def test_photographs_are_mixed_by_their_shares(names, shares):
    """Also where one of them is easier to match than the other."""
    config = singan.TrainConfig.preset("draft", max_size=120, photo_size=120)
    model = singan.draft([singan.SinGAN.from_pretrained(name).training_image for name in names], config, shares=shares)
    assert np.abs(measured(model, 6) - shares).max() < 0.1


def test_shares_are_proportions_and_alike_unless_given(pictures, settings):
    assert singan.draft(pictures[:2], settings).shares == [0.5, 0.5]
    uneven = singan.draft(pictures[:2], settings, shares=(9, 1))
    assert uneven.shares == [0.9, 0.1]
    assert np.mean([by_colour(image) for image in uneven.sample(6)], 0)[0] > 0.75


def test_samples_go_by_the_seed(several):
    a, b = (several.sample(2, seed=s) for s in (4, 5))
    assert a[1].tobytes() == b[0].tobytes() != b[1].tobytes()
    assert several.sample(1, size=(40, 100))[0].size == (100, 40)


def test_list_of_one_is_that_picture(pictures, settings):
    one, same = singan.draft(pictures[0], settings), singan.draft([pictures[0]], settings, shares=[2])
    assert not same.others and not same.shares
    assert one.sample(1)[0].tobytes() == same.sample(1)[0].tobytes()


def test_order_of_pictures_decides_over_the_size_of_samples(pictures, settings):
    assert singan.draft(pictures[1::-1], settings).image_size == (80, 44)


def test_training_learns_from_all_pictures(trained, pictures, tiny_config, tmp_path):
    assert len(trained.generators) == 2 and trained.shares == [0.75, 0.25]
    alone = singan.train(pictures[0], tiny_config, seed=1)
    weights = [next(model.generators[0].parameters()) for model in (trained, alone)]
    assert not torch.equal(*weights)
    again = singan.train(pictures[:2], tiny_config, shares=(3, 1), seed=1)
    assert torch.equal(weights[0], next(again.generators[0].parameters()))
    assert 0.5 < measured(trained, 6)[0] < 0.95


def test_crops_are_as_large_whatever_the_shape_of_a_picture(pictures, tiny_config):
    run = start_run(pictures[0], tiny_config, 0, torch.device("cpu"), pictures[1:], [0.4, 0.3, 0.3])
    for real, others in zip(run.real, run.others, strict=True):
        assert len(others) == 2
        assert all(a <= b for x in others for a, b in zip(real.shape[2:], x.shape[2:], strict=True))


def test_broken_off_run_goes_on_with_the_same_pictures_alone(trained, pictures, tiny_config, tmp_path):
    def stop(event):
        if event.scale == 1:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        singan.train(pictures[:2], tiny_config, shares=(3, 1), seed=1, checkpoint_dir=tmp_path, on_event=stop)
    for others, shares in ((pictures[:1], None), (pictures[::2], (3, 1)), (pictures[:2], (1, 1))):
        with pytest.raises(CheckpointError, match="is from another image"):
            singan.train(others, tiny_config, shares=shares, seed=1, checkpoint_dir=tmp_path, resume=True)
    resumed = singan.train(pictures[:2], tiny_config, shares=(3, 1), seed=1, checkpoint_dir=tmp_path, resume=True)
    assert resumed.sample(1)[0].tobytes() == trained.sample(1)[0].tobytes()


def test_animation_learns_several_pictures_too(pictures):
    config = singan.animation_config(steps=2, width=8, critic_width=8, max_size=40, pool_size=4)
    model = singan.train(pictures[:2], config)
    assert len(list(singan.iter_frames(model, frames=3))) == 3
    assert model.sample(1)[0].size == model.image_size[::-1]


@pytest.mark.parametrize(
    ("count", "options", "error", "message"),
    [
        (0, {}, ConfigError, "pictures is 0; it takes a whole number from 1 to 8|pictures is 0"),
        (9, {}, ConfigError, "pictures is 9"),
        (2, {"shares": (1,)}, ConfigError, "There are 1 shares for 2 pictures: give each picture one, or none any"),
        (2, {"shares": (1, 0)}, ConfigError, "share is 0"),
        (2, {"shares": (1, math.nan)}, ConfigError, "share is nan"),
        (2, {"config": singan.TrainConfig.preset("paper")}, ConfigError, "The published method learns one picture"),
    ],
)
def test_what_cannot_be_learned_together_is_said(count, options, error, message):
    with pytest.raises(error, match=message):
        singan.train([plain((9, 9, 9), (40, 30))] * count, **options)


def test_pictures_that_take_too_much_together_are_refused(settings):
    with pytest.raises(ImageError, match=r"2 pictures of up to \d+x\d+ px are \d+ megapixels, over 17: .* crop the"):
        singan.draft([plain((9, 9, 9), (900, 900)), plain((9, 9, 9), (9000, 30))], replace(settings, photo_size=900))


def test_small_picture_is_said_to_be_enlarged(pictures, settings):
    with pytest.warns(TaskWarning, match="A picture of 30x25 px is enlarged to 76x63 px, as large as the first"):
        singan.draft([pictures[0], plain((9, 9, 9), (30, 25))], settings)


@pytest.mark.filterwarnings("ignore::singan.TaskWarning")
def test_tasks_take_such_a_model(several, trained):
    comp, mask = several.training_image, Image.new("L", several.training_image.size)
    comp.paste((20, 20, 250), (20, 20, 40, 40))
    mask.paste(255, (20, 20, 40, 40))
    for model in (several, trained):
        image, hole = (x.resize(model.image_size[::-1]) for x in (comp, mask))
        for drawn in (
            singan.harmonize(model, image, hole),
            singan.edit(model, image, hole),
            singan.paint_to_image(model, image),
            singan.denoise(model, image, times=2),
            singan.fill(model, hole),
            singan.extend(model, right=0.3),
            singan.retarget(model, width=1.5),
            [singan.variation_map(model, n=2)],
            list(singan.iter_frames(model, frames=2)),
        ):
            assert all(min(one.size) > 50 for one in drawn)
    assert trained.reconstruct().size and trained.sample(1, generators_only=True)
    assert trained.sample(1, start_scale=1)[0].size == trained.image_size[::-1]


# --- files ----------------------------------------------------------------------------------------


@pytest.fixture
def saved(several, tmp_path):
    return several.save_pretrained(tmp_path / "m")


def test_model_of_several_is_read_as_it_was_saved(several, trained, saved, tmp_path):
    for model, folder in ((several, saved), (trained, trained.save_pretrained(tmp_path / "t"))):
        again = singan.SinGAN.from_pretrained(folder)
        assert all(torch.equal(a, b) for a, b in zip(again.others, model.others, strict=True))
        assert again.shares == model.shares
        assert again.sample(1, seed=3)[0].tobytes() == model.sample(1, seed=3)[0].tobytes()
        twice = again.save_pretrained(tmp_path / "twice" / folder.name)
        assert (twice / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()


def test_only_models_of_several_have_the_new_format(several, saved, pictures, settings, tmp_path):
    described = json.loads((saved / "config.json").read_text())
    assert described["format_version"] == 4 and described["other_sizes"] == [[93, 52], [35, 139]]
    assert len(described["other_bytes"]) == 2 and described["shares"] == [0.5, 0.3, 0.2]
    one = singan.draft(pictures[0], settings).save_pretrained(tmp_path / "one")
    described = json.loads((one / "config.json").read_text())
    assert described["format_version"] == 3 and not {"other_sizes", "other_bytes", "shares"} & set(described)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format_version=5), "it has format 5, which takes singan"),
        (lambda d: d.update(format_version=3), "the two do not belong together"),
        (lambda d: d.pop("shares"), "it has no shares"),
        (lambda d: d.pop("other_sizes"), "it has no other_sizes"),
        (lambda d: d.pop("other_bytes"), "it has no other_bytes"),
        (lambda d: d.update(shares=[1]), "it lists 2 other_sizes, 2 other_bytes and 1 shares"),
        (lambda d: d.update(other_sizes=[], other_bytes=[], shares=[1]), "it lists 0 other_sizes"),
        (lambda d: d.update(shares=[0.5, 0.5, 0.5]), "its shares sum to 1.5, not to 1"),
        (lambda d: d.update(shares=[0.5, 0.7, -0.2]), "shares holds something else than a number from 0 to 1"),
        (lambda d: d.update(other_sizes=[[93, 52]] * 9), "other_sizes is not a list of at most 8 values"),
        (lambda d: d["other_sizes"].__setitem__(0, [930, 520]), "a first one of 80x60 px: it takes about as many"),
        (lambda d: d["other_sizes"].__setitem__(0, [5000, 1]), "and at least 7 a side"),
        (lambda d: d["other_sizes"].__setitem__(0, [10**9, 10**9]), r"other_sizes holds something else than a .height"),
        (lambda d: d["other_sizes"].__setitem__(0, [52, 93]), r"the photo in it is not one RGB image of 52x93 px"),
        (lambda d: d["other_bytes"].__setitem__(0, -1), "other_bytes is something else than a whole number from 0 to"),
        (lambda d: d["other_bytes"].__setitem__(0, 10**6), "other_bytes is something else than a whole number from 0"),
        (lambda d: d["other_bytes"].__setitem__(0, 5), "the two do not belong together"),
        (lambda d: d["info"].update(photos=[{"title": 3}]), "title is not a line of printable text"),
        (lambda d: d["info"].update(photos={"title": "x"}), "photos is not a list of at most 8 values"),
    ],
)
def test_description_of_several_that_does_not_fit_is_refused(saved, change, message):
    edit(saved, change)
    with pytest.raises(CheckpointError, match=message):
        singan.SinGAN.from_pretrained(saved)


def test_damaged_other_photo_is_refused(saved):
    reweigh(saved, lambda tensors: tensors["photo.2"].zero_())
    with pytest.raises(CheckpointError, match="the photo in it is damaged"):
        singan.SinGAN.from_pretrained(saved)
    edit(saved, lambda d: d.update(weights_sha256="0"))
    sign(saved)


def test_no_mutated_model_of_several_raises_anything_but_a_checkpoint_error(saved):
    result = fuzz(saved, 150, seed=2)
    assert result.refused > 75 and result.accepted > 0


def test_card_and_repr_name_all_pictures(several):
    named = replace(several, info={**several.info, "photos": [
        {"title": "Red", "author": "Ann", "license": "cc0-1.0"}, {"title": "Green"}, {"title": "Blue"},
    ]})  # fmt: skip
    card = model_card(named._description(), "user/name")
    assert (
        "A SinGAN model of 3 pictures, the first of them, shown here" in card and "| shares | 50%, 30%, 20% |" in card
    )
    assert "| picture 1 | Red, by Ann |" in card and "| picture 3 | Blue |" in card and "license: other" in card
    assert "a photograph and 2 more" in repr(several) and len(repr(several).splitlines()) == 3


# --- the command ----------------------------------------------------------------------------------


def test_command_takes_several_pictures_and_their_shares(pictures, tmp_path, capsys):
    paths = [tmp_path / f"{k}.png" for k in range(2)]
    for path, picture in zip(paths, pictures, strict=False):
        picture.save(path)
    named, out = [str(path) for path in paths], str(tmp_path / "m")
    assert main(["draft", *named, "--share", "0.7", "--share", "0.3", "--out", out, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["shares"] == [0.7, 0.3] and told["images"] == named
    assert main(["info", out]) == 0
    assert "shares: [0.7, 0.3]" in capsys.readouterr().out
    assert main(["train", *named, "--share", "0.7", "--out", str(tmp_path / "n")]) == 1
    assert "There are 1 shares for 2 pictures" in capsys.readouterr().err


@pytest.mark.parametrize("asked", [{"tile": "x"}, {"mirror": "x"}, {"source": True}, {"pin": Image.new("L", (9, 9))}])
def test_what_goes_by_one_picture_is_refused(several, asked):
    with pytest.raises(ConfigError, match="one picture, and this model knows several"):
        several.sample(1, **asked)
