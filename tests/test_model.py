"""Sampling."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from singan.config import TrainConfig
from singan.errors import ConfigError
from singan.image import image_to_tensor, tensor_to_image
from singan.model import SinGAN, diversity, draw_noise, pick_device, refine
from singan.networks import PatchNet
from singan.pyramid import resize
from singan.trainer import train


def pixels(image) -> np.ndarray:
    return np.asarray(image, dtype=float)


# --- sampling -------------------------------------------------------------------------------------


def test_same_seed_gives_same_image_in_any_batch(tiny_model):
    batch = tiny_model.sample(3, seed=5)
    for k in range(3):
        assert tiny_model.sample(1, seed=5 + k)[0].tobytes() == batch[k].tobytes()
    assert batch[0].tobytes() != batch[1].tobytes()


def test_sampling_leaves_global_randomness_alone(tiny_model):
    before = torch.get_rng_state()
    tiny_model.sample(1)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("size", [(54, 70), (100, 40), (16, 200), (33, 17)])
def test_any_size_is_met_exactly(tiny_model, size):
    assert tiny_model.sample(1, size=size)[0].size == size[::-1]


def test_strips_give_the_whole_image(tiny_model, monkeypatch):
    whole = tiny_model.sample_tensor(3, (54, 70), 0, 1.0)
    monkeypatch.setattr("singan.model.STRIP_PIXELS", 70 * 7)
    torch.testing.assert_close(tiny_model.sample_tensor(3, (54, 70), 0, 1.0), whole, rtol=0, atol=1e-5)


def test_no_variation_keeps_what_the_noise_of_finer_scales_leaves(tiny_model):
    still = torch.cat([tiny_model.sample_tensor(s, (54, 70), 0, 0.0) for s in range(4)])
    free = torch.cat([tiny_model.sample_tensor(s, (54, 70), 0, 1.0) for s in range(4)])
    real = image_to_tensor(tiny_model.reconstruct())
    assert diversity(still, real) < 0.8 * diversity(free, real)
    first = replace(tiny_model, scale_sizes=tiny_model.scale_sizes[:1], generators=tiny_model.generators[:1])
    assert torch.equal(*(first.sample_tensor(s, (54, 70), 0, 0.0) for s in range(2)))


def test_diversity_grows_with_variation(tiny_model):
    real = image_to_tensor(tiny_model.reconstruct())
    found = [
        diversity(torch.cat([tiny_model.sample_tensor(s, (54, 70), 0, v) for s in range(8)]), real)
        for v in (0.0, 0.35, 0.7, 1.0)
    ]
    assert found == sorted(found)


def test_variation_curve_is_rising_from_zero_to_one(tiny_model):
    curve = tiny_model.variation_curve
    assert curve[0] == 0 and curve == sorted(curve) and 0 < curve[-1] <= 1
    shares = [tiny_model.fresh_share(v) for v in (0.0, 0.1, 1.0)]
    assert shares == pytest.approx([0.0, curve[1], curve[-1]])


def test_later_start_scale_stays_nearer_to_the_training_image(tiny_model):
    reconstruction = pixels(tiny_model.reconstruct())

    def distance(scale):
        return np.abs(pixels(tiny_model.sample(1, start_scale=scale)[0]) - reconstruction).mean()

    assert distance(tiny_model.num_scales - 1) < distance(0)


def test_start_scale_above_zero_takes_any_size_too(tiny_model):
    assert tiny_model.sample(1, start_scale=2, size=(80, 60))[0].size == (60, 80)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"n": 0}, "n is 0; draw at least 1"),
        ({"start_scale": 9}, r"start_scale is 9; this model has the scales 0 to \d"),
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

    start = tiny_model.reconstruct_tensor(2)
    out = tiny_model.generate(start, 2, (60, 50), noise)
    assert torch.equal(out, tiny_model.sample_tensor(5, (60, 50), 2, 1.0))
    assert asked == [(k, tiny_model.size_at(k, (60, 50))) for k in range(2, 6)]


def test_coarse_scales_vote_and_finer_ones_do_not(tiny_model, monkeypatch):
    """What the tests of sampling and of the tasks stand on: voting is on in the tiny model."""
    rounds = []
    monkeypatch.setattr("singan.model.vote", lambda x, real, n: rounds.append((tuple(real.shape[2:]), n)) or x)
    tiny_model.sample(1)
    assert rounds == list(zip(tiny_model.scale_sizes, (4, 2, 2, 1), strict=False))


def test_mixed_noise_has_the_training_images_own_at_no_share_and_keeps_its_deviation(tiny_model):
    fresh = torch.randn(1, 3, 16, 21, generator=torch.Generator().manual_seed(3))
    assert torch.equal(tiny_model.mix_noise(fresh, 0.0), tiny_model.z_star)
    assert torch.equal(tiny_model.mix_noise(fresh, 1.0), fresh)
    assert tiny_model.mix_noise(fresh, 0.6).std() == pytest.approx(1, abs=0.05)


# --- the training image ---------------------------------------------------------------------------


def test_training_image_is_kept_to_the_last_bit(tiny_model, tiny_picture, tmp_path):
    loaded = SinGAN.from_pretrained(tiny_model.save_pretrained(tmp_path))
    for model in (tiny_model, loaded):
        assert model.training_image.tobytes() == tiny_picture.tobytes()
    assert torch.equal(loaded.real, tiny_model.real)
    assert all(torch.equal(a, b) for a, b in zip(loaded.memory, tiny_model.memory, strict=True))


def test_training_image_of_a_larger_photo_is_the_shrunk_photo_in_whole_levels(tiny_picture, tiny_config, tmp_path):
    model = train(tiny_picture, replace(tiny_config, max_size=45, steps=(1,)))
    expected = resize(image_to_tensor(tiny_picture), model.image_size)
    assert model.image_size == (35, 45) and model.training_image.tobytes() == tensor_to_image(expected).tobytes()
    assert torch.equal(model.real, image_to_tensor(model.training_image))


def test_training_image_at_a_scale_is_the_finest_one_shrunk(tiny_model):
    for k, size in enumerate(tiny_model.scale_sizes):
        assert torch.equal(tiny_model.real_at(k), resize(tiny_model.real, size))


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
    with pytest.raises(ConfigError, match="Device 'gpu' cannot be used"):
        pick_device("gpu")
