"""Denoising: it must take noise away, and know when a model learned that noise."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import singan
from singan import denoise
from singan.errors import ConfigError, ImageError, ImageWarning


@pytest.fixture(scope="module")
def tiny_model(whole_model) -> singan.SinGAN:
    """With a generator at every scale: what the published tasks take."""
    return whole_model


def with_noise(picture: Image.Image, deviation: float, seed: int = 1) -> Image.Image:
    pixels = np.asarray(picture, float)
    noise = np.random.default_rng(seed).normal(0, deviation, pixels.shape)
    return Image.fromarray((pixels + noise).clip(0, 255).round().astype(np.uint8))


def psnr(image: Image.Image, truth: Image.Image) -> float:
    error = np.square(np.asarray(image, float) - np.asarray(truth, float)).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))  # the picture itself may come back


@pytest.fixture(scope="module")
def noisy(tiny_picture) -> Image.Image:
    return with_noise(tiny_picture, 25)


@pytest.fixture(scope="module")
def trained(tiny_picture, tiny_config) -> singan.SinGAN:
    """Trained long enough, for some seconds, to remember the picture."""
    return singan.train(tiny_picture, replace(tiny_config, steps=100, num_scales=3, width=16, batch_size=2), seed=1)


@pytest.mark.parametrize("deviation", [20, 40])
def test_noisy_picture_comes_back_nearer_to_the_clean_one(trained, tiny_picture, deviation):
    noisy = with_noise(tiny_picture, deviation)
    (image,) = denoise(trained, noisy)
    assert psnr(image, tiny_picture) > psnr(noisy, tiny_picture) + 5


def test_settings_reach_the_injection(tiny_model, noisy):
    first, again, other, plain = (
        denoise(tiny_model, noisy, scale=2, **options)[0]
        for options in ({"seed": 1}, {"seed": 1}, {"seed": 2}, {"seed": 1, "voting": False})
    )
    assert first.tobytes() == again.tobytes() and len({x.tobytes() for x in (first, other, plain)}) == 3
    assert (first.info["task"], first.info["times"], first.info["scale"], first.info["seed"]) == ("denoise", 1, 2, 1)


def test_without_a_picture_it_is_the_training_image_that_is_denoised(tiny_model):
    (image,) = denoise(tiny_model, scale=3)
    assert image.tobytes() == denoise(tiny_model, tiny_model.training_image, scale=3)[0].tobytes()


def test_auto_is_the_freest_scale_where_the_model_learned_the_picture_itself(tiny_model, tiny_picture):
    """Also if it was stored as a JPEG meanwhile, say."""
    events = []
    nearly = with_noise(tiny_picture, 1)
    for picture in (None, tiny_picture, nearly):
        (image,) = denoise(tiny_model, picture, on_event=events.append)
        assert image.info["scale"] == 1
    assert [(event.done, event.total) for event in events] == [(1, 1)] * 3  # no other scale is tried


def test_auto_tries_every_scale_on_another_picture_once(tiny_model, noisy):
    """Injected again, the result goes in where it went in before."""
    events = []
    (image,) = denoise(tiny_model, noisy, times=2, on_event=events.append)
    costs = [event.image.info["misfit"] + 1.5 * event.image.info["lost"] for event in events]
    assert len(events) == 5 and image.info["scale"] == 1 + int(np.argmin(costs))


def test_times_inject_the_result_again(tiny_model, noisy):
    once = denoise(tiny_model, noisy, scale=4, voting=False)[0]
    twice = denoise(tiny_model, noisy, scale=4, voting=False, times=2)[0]
    assert twice.tobytes() == denoise(tiny_model, once, scale=4, voting=False, seed=1)[0].tobytes() != once.tobytes()
    assert twice.info["times"] == 2 and twice.info["scale"] == 4


def test_average_is_the_mean_over_the_scales(tiny_model, noisy):
    images = denoise(tiny_model, noisy, scale=[1, 4, 5], seed=4)
    (mean,) = denoise(tiny_model, noisy, scale=[1, 4, 5], seed=4, average=True)
    expected = np.mean([np.asarray(image, float) for image in images], axis=0)
    assert np.abs(np.asarray(mean, float) - expected).max() <= 0.5
    assert mean.info["scale"] == [1, 4, 5] and mean.info["seed"] == 4
    assert "average" not in images[0].info


def test_average_of_one_scale_is_its_image(tiny_model, noisy):
    alone, mean = (denoise(tiny_model, noisy, scale=3, average=average)[0] for average in (False, True))
    assert alone.tobytes() == mean.tobytes()


def test_picture_of_another_size_is_resized_with_a_warning_for_the_caller(tiny_model, noisy):
    with pytest.warns(ImageWarning, match="^The noisy picture is 140x108 px and is resized to the 70x54") as notes:
        (image,) = denoise(tiny_model, noisy.resize((140, 108)), scale=5)
    assert image.size == (70, 54) and [note.filename for note in notes] == [__file__]


def test_picture_of_another_shape_keeps_it(tiny_model, noisy):
    turned = noisy.rotate(90, expand=True)
    with pytest.warns(
        ImageWarning, match="is 108x140 px and is resized to the 54x70 px that the training image has in"
    ):
        (image,) = denoise(tiny_model, turned.resize((108, 140)), scale=2)
    assert image.size == (54, 70)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert denoise(tiny_model, turned, scale=2)[0].size == (54, 70)


def test_long_picture_is_injected_again_or_refused_with_the_size_that_it_would_have(tiny_model):
    long = Image.new("RGB", (300, 25), (90, 40, 10))
    with pytest.warns(ImageWarning, match="is resized to the 213x18 px that"):
        assert denoise(tiny_model, long, scale=2, times=2)[0].size == (213, 18)
    with pytest.raises(ImageError, match="is 600x25 px, which is 301x13 px at the area of the model's: crop it"):
        denoise(tiny_model, long.resize((600, 25)))


def test_average_of_no_named_scales_is_that_of_all(tiny_model, noisy):
    mean, every = denoise(tiny_model, noisy, average=True)[0], denoise(tiny_model, noisy, scale="all", average=True)[0]
    assert mean.info["scale"] == every.info["scale"] == list(range(1, tiny_model.num_scales))
    assert mean.tobytes() == every.tobytes()


@pytest.mark.parametrize("times", [0, 11, -1])
def test_times_out_of_range_are_refused(tiny_model, times):
    with pytest.raises(ConfigError, match=f"^times is {times}; it goes from 1 to 10"):
        denoise(tiny_model, times=times)


def test_bad_scale_and_picture_are_refused(tiny_model, tmp_path):
    with pytest.raises(ConfigError, match="Injection scale 6 is not there"):
        denoise(tiny_model, scale=6)
    with pytest.raises(ImageError, match="^The noisy picture nowhere.png does not exist"):
        denoise(tiny_model, tmp_path / "nowhere.png")
    with pytest.raises(ConfigError, match="seed is -1"):
        denoise(tiny_model, seed=-1)


def test_model_and_global_randomness_are_left_alone(tiny_model, noisy):
    before = [p.clone() for generator in tiny_model.generators for p in generator.parameters()]
    state = torch.get_rng_state()
    denoise(tiny_model, noisy, scale=1, times=2)
    assert torch.equal(state, torch.get_rng_state())
    assert all(map(torch.equal, before, (p for g in tiny_model.generators for p in g.parameters())))
