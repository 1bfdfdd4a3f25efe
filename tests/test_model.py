"""Sampling, drafts, and the photograph that a model keeps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import singan
from singan.config import PRESETS, VARIATION, TrainConfig, at_scale
from singan.device import pick_device
from singan.errors import ConfigError
from singan.image import image_to_tensor, tensor_to_image
from singan.metrics.diversity import diversity
from singan.model import OWN_REUSE, ROOMY_REUSE, SinGAN
from singan.networks import PatchNet
from singan.patches.composition import Composition, column_distance, composition_distance, most_alike
from singan.patches.rearrange import order
from singan.patches.search import REUSE
from singan.patches.vote import voters
from singan.pyramid import resize
from singan.scale import draw_noise, make_generator, refine
from singan.training.loop import train
from singan.variation import fresh_share, mix_noise
from singan.warp import displace


def pixels(image) -> np.ndarray:
    return np.asarray(image, dtype=float)


@pytest.fixture(scope="module")
def large_picture(tiny_picture) -> Image.Image:
    """150x117 px, with detail that the tiny picture has not."""
    grain = np.random.default_rng(1).normal(0, 8, (117, 150, 1))
    large = np.asarray(tiny_picture.resize((150, 117), Image.Resampling.BICUBIC), float) + grain
    return Image.fromarray(large.clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def grown_model(large_picture, tiny_config) -> SinGAN:
    """Learned at 55x70 px, of a photograph of 117x150 px."""
    return train(large_picture, replace(tiny_config, max_size=70), seed=1)


@pytest.fixture(scope="module")
def draft(tiny_picture, tiny_config) -> SinGAN:
    return singan.draft(tiny_picture, replace(tiny_config, generators=0, from_image=True))


# --- sampling -------------------------------------------------------------------------------------


def test_same_seed_gives_same_image_in_any_batch(tiny_model):
    batch = tiny_model.sample(3, seed=5)
    for k in range(3):
        assert tiny_model.sample(1, seed=5 + k)[0].tobytes() == batch[k].tobytes()
    assert batch[0].tobytes() != batch[1].tobytes()


@pytest.mark.parametrize("name", ["normed", "whole", "several", "one layout"])
def test_same_seed_gives_same_image_in_any_batch_of_any_model(tiny_picture, tiny_model, whole_model, name):
    """Batch norm, of which models of older versions have some, takes the statistics of all that it is given."""
    model = whole_model
    if name == "normed":
        torch.manual_seed(0)
        config = replace(whole_model.config, norm="batch", crop_size=None)
        model = replace(whole_model, config=config, generators=[make_generator(config, k) for k in range(6)])
    elif name == "several":
        model = singan.draft([tiny_picture, tiny_picture.transpose(Image.Transpose.ROTATE_180)])
    elif name == "one layout":
        model = replace(tiny_model, config=replace(tiny_model.config, candidates=1))
    for size in (model.image_size, (54, 120), (108, 70)):
        batch = [image.tobytes() for image in model.sample(4, size=size)]
        assert len(set(batch)) > 1
        assert batch == [model.sample(1, seed=k, size=size)[0].tobytes() for k in range(4)]


def test_seeds_and_shares_may_be_numpys(tiny_picture, tiny_model, draft, tmp_path):
    seed = np.int32(30_000)
    assert tiny_model.sample(1, seed=seed)[0].tobytes() == tiny_model.sample(1, seed=30_000)[0].tobytes()
    mixed = singan.draft([tiny_picture] * 2, draft.config, shares=np.array([0.7, 0.3], np.float32), seed=seed)
    assert singan.SinGAN.from_pretrained(mixed.save_pretrained(tmp_path)).info["seed"] == 30_000
    singan.extend(draft, right=0.2, seed=seed)
    mask = Image.fromarray(np.pad(np.full((14, 14), 255, np.uint8), ((20, 20), (28, 28))))
    singan.edit(draft, tiny_picture.transpose(Image.Transpose.ROTATE_180), mask, seed=seed)
    singan.paint_to_image(tiny_model, tiny_picture, scale=1, colors=2, voting=False, seed=seed)
    singan.variation_map(tiny_model, n=2, seed=seed)
    assert len(list(singan.iter_frames(tiny_model, frames=2, seed=seed))) == 2


def test_sampling_leaves_global_randomness_alone(tiny_model):
    before = torch.get_rng_state()
    tiny_model.sample(1)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("size", [(54, 70), (100, 40), (16, 200), (33, 17)])
def test_any_size_is_met_exactly(tiny_model, size):
    assert tiny_model.sample(1, size=size)[0].size == size[::-1]


def test_strips_give_the_whole_image(tiny_model, monkeypatch):
    whole = tiny_model.sample_tensor(3, (54, 70), 0, 1.0)
    monkeypatch.setattr("singan.scale.STRIP_PIXELS", 70 * 7)
    torch.testing.assert_close(tiny_model.sample_tensor(3, (54, 70), 0, 1.0), whole, rtol=0, atol=1e-5)


def test_no_variation_keeps_what_the_noise_of_finer_scales_leaves(tiny_model):
    still = torch.cat([tiny_model.sample_tensor(s, (54, 70), 0, 0.0) for s in range(4)])
    free = torch.cat([tiny_model.sample_tensor(s, (54, 70), 0, 1.0) for s in range(4)])
    assert diversity(still, tiny_model.photo_tensor) < 0.8 * diversity(free, tiny_model.photo_tensor)
    assert torch.equal(*(tiny_model.sample_tensor(s, (54, 70), 0, 0.0, until=1) for s in range(2)))


@pytest.mark.parametrize(("made", "variations"), [("tiny_model", (0.0, 0.15, 0.3)), ("draft", (0.0, 0.3, 1.0))])
def test_diversity_grows_with_variation(made, variations, request):
    """Until things move by more than their own width, which differs no more."""
    model = request.getfixturevalue(made)
    found = [
        diversity(torch.cat([model.sample_tensor(s, (54, 70), 0, v) for s in range(8)]), model.photo_tensor)
        for v in variations
    ]
    assert found == sorted(found) and found[0] == 0 < found[1] and found[-1] > 0.05


@pytest.mark.parametrize("made", ["tiny_model", "draft"])
def test_the_candidate_that_is_composed_most_like_the_photograph_is_taken(made, request):
    model = request.getfixturevalue(made)
    real = Composition(model.real_at(0))
    first = replace(model, config=replace(model.config, candidates=1))
    far, near = (
        composition_distance(
            torch.cat([m.sample_tensor(s, m.image_size, 0, VARIATION, until=1) for s in range(8)]), real
        ).sum()
        for m in (first, model)
    )
    assert near < 0.9 * far


def test_what_stands_on_what_counts_unless_all_is_to_vary(draft):
    real = Composition(draft.real_at(0))
    one = replace(draft, config=replace(draft.config, candidates=1))
    columns = [
        sum(float(column_distance(m.sample_tensor(s, m.image_size, 0, 0.5, until=1), real)) for s in range(12))
        for m in (one, draft)
    ]
    assert columns[1] < 0.9 * columns[0]


def test_a_draft_of_much_variation_is_chosen_among_few(draft):
    """The best of many layouts are alike, and nothing but displacement makes a draft's differ."""

    def layouts(candidates):
        m = replace(draft, config=replace(draft.config, candidates=candidates))
        return torch.cat([m.sample_tensor(s, m.image_size, 0, 1.0, until=1) for s in range(8)])

    assert torch.equal(layouts(4), layouts(1)) and not torch.equal(layouts(8), layouts(1))


@pytest.fixture
def votes(draft, monkeypatch):
    """A draft of six rounds at scale 0, and of each of its levels: which, rounds, what it was given and made."""
    went, whole = [], SinGAN.apply_scale

    def watched(self, level, x, noise, found=None, **how):
        drawn, field = whole(self, level, x, noise, found, **how)
        went.append((level, how.get("rounds"), x, drawn))
        return drawn, field

    monkeypatch.setattr(SinGAN, "apply_scale", watched)
    return replace(draft, config=replace(draft.config, voting_rounds=(6, 1, 0))), went


@pytest.mark.parametrize("held", [{"tile": "x"}, {"mirror": "x"}, {"size": (54, 130)}, {"flips": True}, {"pin": True}])
def test_layouts_that_are_held_to_something_are_all_voted_to_the_end(votes, held):
    """After two rounds the one that will be best is not to be seen: a pinned sky had a step, a tile was blurred."""
    model, went = votes
    if "pin" in held:
        held = {"pin": Image.fromarray(np.arange(54 * 70).reshape(54, 70) % 70 > 50)}
    model.sample(1, **held)
    assert [rounds for level, rounds, *_ in went if not level] == [None]


@pytest.mark.parametrize(("variation", "voted"), [(0.5, [(12, 2), (3, 4)]), (0.9, [(5, None)])])
def test_up_to_one_half_only_the_best_layouts_are_voted_to_the_end(votes, variation, voted):
    """And of these the one that is composed most like the photograph after all rounds is taken."""
    model, went = votes
    image = model.real_at(0)
    real = Composition(image)
    sample = model.sample_tensor(5, model.image_size, 0, variation, until=1)
    assert [(len(x), rounds) for _, rounds, x, _ in went] == voted
    *before, (_, _, entered, drawn) = went
    assert torch.equal(sample[0], drawn[most_alike(drawn, image, real, variation)[0]])
    for *_, layouts in before:
        assert torch.equal(entered, layouts[most_alike(layouts, image, real, variation, many=3)])


def test_a_copy_of_the_photograph_is_not_chosen(draft):
    still = replace(draft, config=replace(draft.config, candidates=1))
    real = draft.real_at(0)

    def away(m, seed):
        return float((m.sample_tensor(seed, m.image_size, 0, 0.9, until=1) - real).abs().mean())

    assert min(away(draft, s) for s in range(12)) > 2 * min(away(still, s) for s in range(12 * draft.config.candidates))


def test_variation_is_that_of_the_constant_unless_another_is_asked_for(tiny_model):
    default, given, other = (
        tiny_model.sample(1, **v)[0].tobytes() for v in ({}, {"variation": VARIATION}, {"variation": 1})
    )
    assert default == given != other


def test_variation_curve_is_rising_from_zero_to_one(tiny_model):
    curve = tiny_model.variation_curve
    assert curve[0] == 0 and curve == sorted(curve) and 0 < curve[-1] <= 1
    shares = [fresh_share(tiny_model.variation_curve, v) for v in (0.0, 0.1, 1.0)]
    assert shares == pytest.approx([0.0, curve[1], curve[-1]])


def test_later_start_scale_stays_nearer_to_the_training_image(tiny_picture, tiny_config):
    model, real = train(tiny_picture, replace(tiny_config, steps=(60,), width=(16,))), pixels(tiny_picture)

    def distance(scale):
        drawn = model.sample(3, start_scale=scale, variation=1.0)
        return np.mean([np.abs(pixels(image) - real).mean() for image in drawn])

    assert distance(1) < 0.8 * distance(0)


def test_start_scale_above_zero_takes_any_size_too(tiny_model):
    assert tiny_model.sample(1, start_scale=1, size=(80, 60))[0].size == (60, 80)


def test_start_scale_beyond_the_generators_says_where_they_are(tiny_model, draft):
    with pytest.raises(ConfigError, match="start_scale is 2; this model has generators at the scales 0 to 1"):
        tiny_model.sample(1, start_scale=2)
    with pytest.raises(ConfigError, match="start_scale is 1; this model starts at scale 0 alone"):
        draft.sample(1, start_scale=1)
    assert draft.sample(1, start_scale=0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n": 0}, "n is 0; draw at least 1"),
        ({"start_scale": 9}, r"start_scale is 9; this model has generators at the scales 0 to 1"),
        ({"start_scale": -1}, "start_scale is -1"),
        ({"variation": 1.5}, "variation is 1.5; it goes from 0 to 1"),
        ({"variation": float("nan")}, "variation is nan"),
        ({"seed": -1}, "seed is -1; it goes from 0"),
        ({"size": (8, 100)}, "size is 8x100 px; sides start at 16 px"),
        ({"size": (20_000, 20_000)}, "the area ends at 100 megapixels"),
    ],
)
def test_sampling_out_of_range_names_value_and_limit(tiny_model, values, message):
    with pytest.raises(ConfigError, match=message):
        tiny_model.sample(**{"n": 1, **values})


def test_generate_is_what_a_sample_is_made_with(tiny_model):
    """The same noise, given scale by scale, makes the same sample; `x` may have any size."""
    rng, asked = torch.Generator().manual_seed(5), []

    def noise(scale, size):
        asked.append((scale, size))
        return draw_noise(1, size, scale, tiny_model.config, rng)

    start = tiny_model.reconstruct_tensor(1)
    out, _ = tiny_model.go_on(start, 1, (60, 50), noise)
    assert torch.equal(out, tiny_model.sample_tensor(5, (60, 50), 1, 1.0))
    assert asked == [(1, tiny_model.size_at(1, (60, 50)))]  # finer scales have no generator


@pytest.mark.parametrize("made", ["tiny_model", "grown_model", "draft"])
def test_every_level_votes_as_often_as_it_should_and_searches_where_it_is_small(made, request, monkeypatch):
    """What the tests of sampling and of the tasks stand on: voting is on in the tiny models."""
    model, voted, searched = request.getfixturevalue(made), [], []
    vote, search = singan.model.vote, singan.model.search
    monkeypatch.setattr("singan.model.vote", lambda field, p: voted.append(p.size) or vote(field, p))
    monkeypatch.setattr("singan.model.search", lambda x, p, *a, **k: searched.append(p.size) or search(x, p, *a, **k))
    model.sample(1)
    few = model.voting_scales
    assert few == sum(h * w <= 5000 for h, w in model.scale_sizes)
    rounds = [at_scale(model.config.voting_rounds, k) if k < few else 1 for k in range(len(model.levels))]
    assert voted == [size for size, n in zip(model.levels, rounds, strict=True) for _ in range(n)]
    assert searched == voted[: sum(rounds[:few])]


def test_one_level_is_refined_then_voted_and_leaves_its_field(tiny_model):
    x, noise = torch.rand(1, 3, 30, 40), torch.randn(1, 3, 30, 40)
    plain, none = tiny_model.apply_scale(1, x, noise, rounds=0)
    assert none is None
    assert torch.equal(plain, refine(tiny_model.generators[1], x, tiny_model.noise_amps[1] * noise, tiny_model.config))
    voted, field = tiny_model.apply_scale(1, x, noise, rounds=1)
    assert (field.size, field.source) == ((30, 40), tiny_model.levels[1])
    again, _ = tiny_model.apply_scale(1, plain, None, rounds=1)
    assert torch.equal(voted, again) and not torch.equal(voted, plain)


def test_field_of_an_image_at_any_level_is_that_of_its_parts(grown_model):
    """Of the photograph itself nearly all patches are found where they are."""
    last = len(grown_model.levels) - 1
    field = grown_model.find_field(last, grown_model.photo_tensor)
    assert (field.size, field.source) == (grown_model.photo_size,) * 2
    assert field.shape == tuple(voters(side) for side in grown_model.photo_size)
    rows = 2 * torch.arange(field.shape[0])
    assert ((field.y - rows[:, None]).abs() <= 2).float().mean() > 0.9
    out, _ = grown_model.apply_scale(last, grown_model.photo_tensor, None)
    assert (out - grown_model.photo_tensor).abs().mean() < 0.05


def test_content_moves_as_far_as_displacement_says_and_not_at_all_at_no_variation(tiny_model):
    """Two more channels of the noise of scale 0 move it, after the generator."""
    config, rng = replace(tiny_model.config, displacement=0.7), torch.Generator().manual_seed(0)
    model, (size, *_) = replace(tiny_model, config=config), tiny_model.scale_sizes
    z = draw_noise(1, size, 0, config, rng)
    assert z.shape == (1, 5, *size) and draw_noise(1, size, 1, config, rng).shape[1] == 3
    still, moved = (model.apply_scale(0, model.real_at(0), noise, rounds=0)[0] for noise in (z[:, :3], z))
    assert torch.equal(moved, displace(still, 0.7 * z[:, 3:])) and not torch.equal(moved, still)
    assert draw_noise(1, size, 0, replace(config, displacement=0.0), rng).shape[1] == 3
    assert mix_noise(z.clone(), model.z_star, 0.0)[:, 3:].abs().max() == 0
    assert torch.equal(mix_noise(z.clone(), model.z_star, 1.0), z)


def test_each_sample_may_have_its_own_variation(tiny_model):
    together = tiny_model.sample(3, seed=2, variation=[0.2, 0.5, 0.9])
    alone = [tiny_model.sample(1, seed=2 + k, variation=v)[0] for k, v in enumerate((0.2, 0.5, 0.9))]
    assert [one.tobytes() for one in together] == [one.tobytes() for one in alone]
    for numbers in ([0.2, 0.5], []):
        with pytest.raises(ConfigError, match=f"variation is {len(numbers)} numbers for 3 samples"):
            tiny_model.sample(3, variation=numbers)
    with pytest.raises(ConfigError, match="variation is 2"):
        tiny_model.sample(2, variation=[0.2, 2])


def test_of_what_is_there_once_a_wider_sample_shows_one():
    """A sun over a plain that is alike everywhere; of many suns it may show more."""
    rng = np.random.default_rng(0)
    plain = np.full((120, 200, 3), (90, 120, 170)) + np.linspace(0, 50, 120)[:, None, None]
    plain[80:] = np.array((70, 60, 40)) + rng.normal(0, 25, (40, 200, 1))
    down, across = np.mgrid[:120, :200]
    alone, many = plain.copy(), plain.copy()
    for photo, places in ((alone, [70]), (many, range(20, 200, 40))):
        for place in places:
            photo[(down - 50) ** 2 + (across - place) ** 2 < 14**2] = (255, 240, 200)

    def suns(image: Image.Image) -> int:
        bright = (np.asarray(image)[40:60, :, 0] > 220).any(0)
        return int((np.diff(bright.astype(int)) == 1).sum() + bright[0])

    one, herd = (singan.draft(Image.fromarray(photo.clip(0, 255).astype(np.uint8))) for photo in (alone, many))
    assert [suns(image) for image in one.sample(3, size=(120, 400))] == [1, 1, 1]
    assert min(suns(image) for image in herd.sample(2, size=(120, 400))) > 5
    own, width = one._own_size(one.size_at(0, (120, 400))), one.size_at(0, (120, 400))[1]
    dear, cheap = one._dear(own, width), herd._dear(own, width)
    assert dear is not None and cheap is None
    assert one._reuse_at(own, width, dear) == ROOMY_REUSE and herd._reuse_at(own, width, cheap) == REUSE
    assert one._reuse_at(own, own[1], None) == OWN_REUSE


@pytest.mark.parametrize("made", ["grown_model", "draft"])
def test_columns_stand_in_a_new_order_the_more_so_up_to_two_thirds_of_variation(made, request, monkeypatch):
    model, asked = replace(request.getfixturevalue(made)), []
    monkeypatch.setattr("singan.model.order", lambda cost, z, dear: asked.append(z) or order(cost, z, dear))
    model.sample(1, variation=0), model.sample(1, tile="x", variation=1)
    assert not asked
    size = model.scale_sizes[0]
    for variation in (1 / 3, 2 / 3, 1.0):
        assert model.sample_tensor(0, model.image_size, 0, variation).shape[2:] == model.image_size
    assert all(z.shape[1:] == (1, *size) for z in asked)
    little, *whole = (float(z.std()) for z in asked)
    assert [little, whole[0]] == pytest.approx([whole[1] / 2, whole[1]], rel=0.3)
    height, width = model.image_size
    wide = model.sample(1, size=(height, 3 * width), variation=1)[0]  # cut elsewhere
    assert wide.size == (3 * width, height) and asked[-1].shape[3] > 2 * size[1]


def test_mixed_noise_has_the_training_images_own_at_no_share_and_keeps_its_deviation(tiny_model):
    fresh = torch.randn(1, 3, 16, 21, generator=torch.Generator().manual_seed(3))
    assert torch.equal(mix_noise(fresh, tiny_model.z_star, 0.0), tiny_model.z_star)
    assert torch.equal(mix_noise(fresh, tiny_model.z_star, 1.0), fresh)
    assert mix_noise(fresh, tiny_model.z_star, 0.6).std() == pytest.approx(1, abs=0.05)


# --- sizes ----------------------------------------------------------------------------------------


def test_samples_come_at_the_size_of_the_photograph_or_at_any_other(grown_model, large_picture):
    assert grown_model.image_size == grown_model.photo_size == (117, 150)
    assert grown_model.sample(1)[0].size == large_picture.size
    for size in ((50, 60), (234, 300), (117, 400)):
        assert grown_model.sample(1, size=size)[0].size == size[::-1]


@pytest.mark.parametrize("size", [(16, 16), (16, 150), (150, 16), (20, 400)])
def test_smallest_sizes_are_met_too(grown_model, size):
    """At which coarse scales, and perhaps all that are searched, are smaller than a patch."""
    for rounds in ((3, 2, 1), (2, 0)):
        model = replace(grown_model, config=replace(grown_model.config, voting_rounds=rounds))
        assert model.sample(1, size=size)[0].size == size[::-1]


@pytest.mark.parametrize("size", [(117, 150), (25, 25), (400, 26), (333, 500), (70, 55)])
def test_levels_grow_by_at_most_half_up_to_the_photograph(size, tiny_config):
    blank = torch.zeros(*size, 3, dtype=torch.uint8)
    config = replace(tiny_config, max_size=60)
    sizes = singan.pyramid.scale_sizes(*singan.pyramid.learned_size(*size, config), config)
    model = SinGAN(config, sizes, [], [1.0], [i / 10 for i in range(11)], torch.zeros(1, 3, *sizes[0]), blank)
    levels = model.levels
    assert levels[: len(sizes)] == sizes and levels[-1] == model.image_size == size
    for small, large in zip(levels[len(sizes) - 1 :], levels[len(sizes) :], strict=False):
        assert all(a <= b <= 1.5 * a + 1 for a, b in zip(small, large, strict=True)) and small != large
    assert [model.size_at(k, size) for k in range(len(levels))] == levels


def test_detail_of_the_photograph_comes_back(grown_model, large_picture):
    """Not only the size of the photograph is met, but its sharpness too, which nothing has learned."""

    def sharpness(image):
        return np.abs(np.diff(pixels(image), axis=1)).mean()

    (drawn,) = grown_model.sample(1, seed=3)
    small = large_picture.resize((70, 55), Image.Resampling.BICUBIC).resize((150, 117), Image.Resampling.BICUBIC)
    real = sharpness(large_picture)
    assert sharpness(small) < 0.6 * real and 0.7 * real < sharpness(drawn) < 1.2 * real


def test_photo_size_limits_what_is_kept(large_picture, tiny_config):
    model = train(large_picture, replace(tiny_config, max_size=60, photo_size=100, steps=(1,)))
    assert model.photo_size == model.image_size == (78, 100) and model.scale_sizes[-1] == (47, 60)
    assert model.sample(1)[0].size == (100, 78)
    shrunk = large_picture.resize((100, 78), Image.Resampling.BICUBIC)
    assert model.training_image.tobytes() == shrunk.tobytes()
    assert model.info["source_size"] == [117, 150]


def test_photograph_that_is_kept_small_is_learned_no_larger(large_picture, tiny_config):
    for size in ((39, 50), (47, 60)):
        config = replace(tiny_config, max_size=60, photo_size=size[1], generators=0, from_image=True)
        model = singan.draft(large_picture, config)
        assert model.photo_size == model.scale_sizes[-1] == size and model.levels == model.scale_sizes


def test_without_field_the_photograph_is_kept_as_it_is_learned(large_picture, tiny_config):
    model = train(large_picture, replace(tiny_config, max_size=60, steps=(1,), generators=None, field=False))
    assert model.photo_size == model.image_size == (47, 60) and model.levels == model.scale_sizes
    assert model.sample(1)[0].size == (60, 47)


# --- generators alone -----------------------------------------------------------------------------


def test_generators_alone_make_what_they_learned_without_patches(tiny_model, monkeypatch):
    bare = tiny_model.bare()
    assert bare.scale_sizes == bare.levels == tiny_model.scale_sizes[:2] and bare.image_size == tiny_model.levels[1]
    assert not bare.config.field and bare.voting_scales == 0 and bare.generators == tiny_model.generators
    monkeypatch.setattr("singan.model.vote", None)  # not called
    (drawn,) = tiny_model.sample(1, seed=4, variation=1.0, generators_only=True)
    assert drawn.size == bare.image_size[::-1] and drawn.tobytes() == bare.sample(1, seed=4, variation=1.0)[0].tobytes()
    rng, x = torch.Generator().manual_seed(4), torch.zeros(1, 3, *tiny_model.scale_sizes[0])
    for k in range(2):
        x = resize(x, tiny_model.scale_sizes[k])
        z = draw_noise(1, tiny_model.scale_sizes[k], k, bare.config, rng)
        z = mix_noise(z, tiny_model.z_star, fresh_share(tiny_model.variation_curve, 1.0)) if k == 0 else z
        x = refine(tiny_model.generators[k], x, tiny_model.noise_amps[k] * z, tiny_model.config)
    assert drawn.tobytes() == tensor_to_image(x).tobytes()


def test_generators_alone_take_any_size_and_start_scale(tiny_model):
    assert tiny_model.sample(1, size=(33, 80), start_scale=1, generators_only=True)[0].size == (80, 33)
    assert tiny_model.config.field  # the model itself is left as it was
    assert tiny_model.sample(1)[0].size == (70, 54)


def test_draft_has_no_generators_to_be_alone(draft):
    with pytest.raises(ConfigError, match="A draft has no generators, only the photograph's patches: train the photo"):
        draft.sample(1, generators_only=True)


# --- drafts ---------------------------------------------------------------------------------------


def test_draft_is_training_with_the_preset_draft(tiny_picture):
    config = TrainConfig.preset("draft")
    assert config == PRESETS["draft"]
    drafted, trained = singan.draft(tiny_picture, seed=3), train(tiny_picture, config, seed=3)
    assert drafted.config == config and drafted.generators == [] and drafted.num_parameters == 0
    assert drafted.info["seed"] == 3 and drafted.device == torch.device("cpu")
    assert drafted.sample(1, seed=5)[0].tobytes() == trained.sample(1, seed=5)[0].tobytes()


def test_draft_of_trained_settings_is_refused(tiny_picture, tiny_config):
    with pytest.raises(ConfigError, match="A draft has no generators: set generators to 0, or train"):
        singan.draft(tiny_picture, tiny_config)


def test_drafts_go_by_their_seed_and_leave_global_randomness_alone(tiny_picture, draft):
    before = torch.get_rng_state()
    again = singan.draft(tiny_picture, draft.config, device="cpu")
    assert torch.equal(before, torch.get_rng_state())
    assert again.variation_curve == draft.variation_curve and again.noise_amps == draft.noise_amps
    first, second, other = (
        model.sample(1, variation=1, seed=s)[0].tobytes() for model, s in ((draft, 2), (again, 2), (again, 3))
    )
    assert first == second != other


def test_draft_at_no_variation_is_nearly_the_photograph_and_differs_from_it_at_full(draft, tiny_picture):
    real = pixels(tiny_picture)

    def error(variation):
        return np.mean([np.abs(pixels(image) - real).mean() for image in draft.sample(4, variation=variation)])

    assert draft.sample(2, variation=0)[0].tobytes() == draft.sample(2, variation=0)[1].tobytes()
    assert error(0.0) < 8 and error(1.0) > 3 * error(0.0)


@pytest.mark.parametrize("size", [(54, 70), (100, 40), (16, 200), (33, 17)])
def test_draft_draws_any_size(draft, size):
    assert draft.sample(1, size=size)[0].size == size[::-1]


def test_draft_is_made_of_the_photographs_own_patches(draft):
    """Every value of a flat picture's draft is in it."""
    two = np.full((54, 70, 3), 40, np.uint8)
    two[:, 35:] = 200
    drawn = pixels(singan.draft(two, draft.config).sample(1, variation=1.0)[0])
    assert drawn.min() >= 30 and drawn.max() <= 210  # resized edges overshoot a little


@pytest.mark.parametrize("made", ["tiny_model", "grown_model", "draft"])
def test_saved_loaded_and_pushed_models_draw_the_same(made, request, tmp_path, hub_server):
    model = request.getfixturevalue(made)
    expected = [model.sample(1, seed=7, variation=v)[0].tobytes() for v in (0.0, 0.5, 1.0)]
    loaded = SinGAN.from_pretrained(model.save_pretrained(tmp_path / "m"))
    model.push_to_hub("alice/model")
    for again in (loaded, SinGAN.from_pretrained("alice/model")):
        assert [again.sample(1, seed=7, variation=v)[0].tobytes() for v in (0.0, 0.5, 1.0)] == expected
        assert again.levels == model.levels and again.sample(1, size=(40, 90))[0].size == (90, 40)


# --- the photograph -------------------------------------------------------------------------------


def test_photograph_is_kept_to_the_last_bit(tiny_model, tiny_picture, grown_model, large_picture, tmp_path):
    for model, picture, name in ((tiny_model, tiny_picture, "a"), (grown_model, large_picture, "b")):
        for kept in (model, SinGAN.from_pretrained(model.save_pretrained(tmp_path / name))):
            assert kept.training_image.tobytes() == picture.tobytes()
            assert kept.photo.dtype == torch.uint8 and torch.equal(kept.photo, torch.from_numpy(np.array(picture)))


def test_training_image_at_a_level_is_the_photograph_shrunk(grown_model, large_picture):
    photo = image_to_tensor(large_picture)
    torch.testing.assert_close(grown_model.photo_tensor, photo, rtol=0, atol=1e-6)
    for k, size in enumerate(grown_model.levels):
        assert torch.equal(grown_model.real_at(k), resize(grown_model.photo_tensor, size))


def test_reconstruction_is_as_large_as_the_last_generator(tiny_model):
    assert tiny_model.reconstruct().size == tiny_model.scale_sizes[1][::-1]


def test_refine_without_residual_replaces_the_image():
    config = TrainConfig(residual=False, width=8)
    net = PatchNet(3, 8, 3, 5)
    net.initialise(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for p in net.parameters():
            p.zero_()
    ones = torch.ones(1, 3, 20, 20)
    assert refine(net, ones, None, config).abs().max() == 0
    assert torch.equal(refine(net, ones, None, replace(config, residual=True)), ones)


def test_unknown_device_is_refused():
    with pytest.raises(ConfigError, match="Device 'cuda:99' cannot be used .*; try cpu"):
        pick_device("cuda:99")


def test_environment_names_the_device_unless_one_is_asked_for(monkeypatch):
    monkeypatch.setenv("SINGAN_DEVICE", "cpu:0")
    assert (str(pick_device(None)), str(pick_device("cpu"))) == ("cpu:0", "cpu")
    monkeypatch.setenv("SINGAN_DEVICE", "gpu")
    with pytest.raises(ConfigError, match="Device 'gpu' cannot be used .*; try cpu"):
        pick_device(None)
    with pytest.raises(ConfigError, match="Device 'gpu' cannot be used"):
        pick_device("gpu")


def test_changed_copy_keeps_the_training_image_that_the_file_held():
    """Of format 1, whose coarse images follow from nothing else in the file."""
    model = singan.SinGAN.from_pretrained(Path(__file__).parent / "data" / "format1")
    assert model.memory
    changed = replace(model, noise_amps=[2 * amp for amp in model.noise_amps])
    assert all(a is b for a, b in zip(changed.memory, model.memory, strict=True))


def test_repr_is_three_short_lines_and_notebooks_show_the_picture(tiny_model):
    shown = repr(tiny_model)
    assert len(shown.splitlines()) == 3 and len(shown) <= 300
    assert "54x70 px" in shown and "2 generators up to" in shown and "on cpu" in shown
    titled = replace(tiny_model, info={"photo": {"title": "<b>" * 300}})
    assert len(repr(titled)) <= 300
    page = titled._repr_html_()
    assert page.startswith('<img src="data:image/png;base64,') and "<b>" not in page


@pytest.mark.parametrize("size", [300, (300,), (30.5, 40), "30x40"])
def test_size_that_is_none_is_refused(tiny_model, size):
    with pytest.raises(ConfigError, match="^size is .*; give .height, width. in whole pixels"):
        tiny_model.sample(size=size)


def test_what_another_thread_drops_while_a_sample_is_drawn_is_not_missed(tiny_model, monkeypatch):
    """As the app does with the patches of those whose model was not used last."""
    expected = tiny_model.sample(1, seed=3)[0]
    around = singan.model.around
    monkeypatch.setattr(singan.model, "around", lambda *given: (tiny_model.to("cpu"), around(*given))[1])
    assert tiny_model.sample(1, seed=3)[0].tobytes() == expected.tobytes()
