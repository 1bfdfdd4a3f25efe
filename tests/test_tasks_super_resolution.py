"""Super-resolution: sizes, corrections, and the training that it takes."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import singan
from singan import TrainConfig, super_resolution_config, super_resolve
from singan.errors import ConfigError, ImageError, TaskWarning
from singan.image import image_to_tensor, tensor_to_image
from singan.pyramid import learned_size, resize, scale_sizes
from singan.tasks.super_resolution import enlarge, passes


@pytest.fixture(scope="module")
def tiny_model(whole_model) -> singan.SinGAN:
    """With a generator at every scale: what the published tasks take."""
    return whole_model


@pytest.fixture
def tiny_presets(monkeypatch):
    """Super-resolution with next to no training."""
    for name in ("fast",):
        tiny = TrainConfig(steps=2, width=8, critic_width=8, crop_size=40, pool_size=4)
        monkeypatch.setitem(singan.config.PRESETS, name, tiny)
    monkeypatch.setattr("singan.tasks.super_resolution.STEPS", 2)


def shrunk_error(result: Image.Image, given: Image.Image) -> float:
    """RMSE in levels between `given` and `result` shrunk to its size."""
    small = resize(image_to_tensor(result), (given.height, given.width))
    return float((small - image_to_tensor(given)).square().mean().sqrt()) * 127.5


# --- enlarging ------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [1, 1.3, 2, 4, 8])
@pytest.mark.parametrize("size", [(70, 54), (33, 27)])
def test_result_is_exactly_so_many_times_as_large(tiny_model, tiny_picture, factor, size):
    image = enlarge(tiny_model, tiny_picture.resize(size), factor)
    assert image.size == (round(factor * size[0]), round(factor * size[1]))


@pytest.mark.parametrize(("factor", "count"), [(1, 1), (1.05, 1), (1.26, 1), (1.6, 2), (2, 3), (4, 6), (8, 9)])
def test_passes_enlarge_by_the_cube_root_of_two_about(tiny_model, tiny_picture, factor, count):
    events = []
    enlarge(tiny_model, tiny_picture, factor, on_event=events.append)
    assert passes(factor) == count
    assert [(event.done, event.total, event.unit) for event in events] == [
        (k, count, "pass") for k in range(1, count + 1)
    ]


def test_same_seed_gives_same_image(tiny_model, tiny_picture):
    first, again, other = (enlarge(tiny_model, tiny_picture, 2, seed=s).tobytes() for s in (1, 1, 2))
    assert first == again != other


def test_noise_has_the_amplitude_of_the_finest_scale(tiny_model, tiny_picture):
    """Without it there is nothing that a seed could change, whatever the other scales have."""
    still = replace(tiny_model, noise_amps=[*tiny_model.noise_amps[:-1], 0.0])
    first, other = (enlarge(still, tiny_picture, 2, seed=s).tobytes() for s in (1, 2))
    assert first == other


@pytest.mark.parametrize("detail", [0.5, 1.0])
def test_result_shrinks_back_to_the_given_picture(tiny_model, tiny_picture, monkeypatch, detail):
    """A hardly trained generator spoils it; the corrections undo that."""
    corrected = shrunk_error(enlarge(tiny_model, tiny_picture, 4, detail=detail), tiny_picture)
    monkeypatch.setattr("singan.tasks.super_resolution.CORRECTIONS", 0)
    published = shrunk_error(enlarge(tiny_model, tiny_picture, 4, detail=detail), tiny_picture)
    assert published > 8 and corrected < 0.25 * published


def test_without_detail_it_is_interpolation_alone(tiny_model, tiny_picture):
    """The generator has no say: neither it nor the seed matters, and a smooth picture stays near plain bicubic."""
    first, other = (enlarge(tiny_model, tiny_picture, 3, detail=0, seed=s) for s in (0, 1))
    assert first.tobytes() == other.tobytes()
    bicubic = tensor_to_image(resize(image_to_tensor(tiny_picture), (162, 210)))
    assert np.abs(np.asarray(first, float) - np.asarray(bicubic, float)).mean() < 1


def test_detail_goes_evenly_from_none_to_all(tiny_model, tiny_picture, monkeypatch):
    """In one pass without corrections, half the detail is half way."""
    monkeypatch.setattr("singan.tasks.super_resolution.CORRECTIONS", 0)
    none, half, full = (np.asarray(enlarge(tiny_model, tiny_picture, 1.25, detail=d), float) for d in (0, 0.5, 1))
    inside = ((none > 0) & (none < 255) & (full > 0) & (full < 255)).all(2)  # what is not cut off
    assert inside.mean() > 0.2 and np.abs(full - none)[inside].mean() > 3
    np.testing.assert_allclose(half[inside], (none + full)[inside] / 2, atol=1.01)


def test_strips_give_the_whole_image(tiny_model, tiny_picture, monkeypatch):
    whole = np.asarray(enlarge(tiny_model, tiny_picture, 3, detail=1), int)
    monkeypatch.setattr("singan.scale.STRIP_PIXELS", 210 * 7)
    assert np.abs(np.asarray(enlarge(tiny_model, tiny_picture, 3, detail=1), int) - whole).max() <= 1


def test_info_carries_the_settings(tiny_model, tiny_picture):
    image = enlarge(tiny_model, tiny_picture, 2, detail=0.25, seed=7)
    assert image.info == {"task": "super-resolution", "factor": 2, "detail": 0.25, "seed": 7}


# --- a model, or a picture ------------------------------------------------------------------------


def test_model_trained_for_sampling_is_warned_of_in_the_callers_line(tiny_model):
    with pytest.warns(TaskWarning, match=r"trained for sampling \(alpha 30, where super-resolution has 100\)") as notes:
        image = super_resolve(tiny_model, 2, seed=3)
    assert [note.filename for note in notes] == [__file__]
    assert image.tobytes() == enlarge(tiny_model, tiny_model.training_image, 2, seed=3).tobytes()


def test_picture_is_learned_at_its_full_size_and_enlarged(tiny_presets):
    """Without a warning; its model, given again, makes the same image."""
    large = Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 300, 3), np.uint8))
    trained, events = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("error", TaskWarning)
        image = super_resolve(large, 1.5, seed=2, on_event=events.append, on_train_event=trained.append)
        model = trained[-1].model
        again = super_resolve(model, 1.5, seed=2)
    assert image.size == (450, 45) and model.image_size == (30, 300) and model.info["seed"] == 2
    assert again.tobytes() == image.tobytes()
    assert trained[0].kind == "start" and trained[-1].kind == "done" and [e.unit for e in events] == ["pass"] * 2
    assert model.config == super_resolution_config(1.5, large.size)


@pytest.mark.parametrize("preset", ["fast", "paper"])
@pytest.mark.parametrize(("factor", "ratio"), [(4, 4 ** (1 / 6)), (2, 2 ** (1 / 3)), (8, 8 ** (1 / 9)), (1, 1 / 0.95)])
def test_config_is_the_preset_with_the_published_changes(preset, factor, ratio):
    config = super_resolution_config(factor, (640, 480), preset)
    changes = {"alpha": (100,), "max_size": 640, "scale_factor": config.scale_factor}
    if preset == "paper":
        assert config == TrainConfig.preset(preset, min_size=18, **changes)
    else:
        assert config.alpha == (100,) and config.max_size == 640 and config.from_image and not config.field
        assert config.num_scales == 1 and config.generators is None and config.voting_rounds == (0,)
    assert config.scale_factor == pytest.approx(1 / ratio)


@pytest.mark.parametrize(("preset", "coarsest"), [("fast", None), ("paper", 18)])
@pytest.mark.parametrize("size", [(640, 480), (30, 600), (25, 25)])
def test_scales_of_the_config_end_at_the_full_picture(size, preset, coarsest):
    """Of `fast` it is the only one, the only one that is applied."""
    config = super_resolution_config(4, size, preset)
    assert learned_size(size[1], size[0], config) == size[::-1]
    sizes = scale_sizes(size[1], size[0], config)
    assert sizes[-1] == size[::-1] and (min(sizes[0]) == coarsest if coarsest else len(sizes) == 1)


def test_generator_learns_from_the_picture_shrunk_by_one_pass(tiny_presets):
    """What it starts from is the true coarser image, not what coarser generators make of it."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    model = singan.train(picture, super_resolution_config(2, picture.size), seed=0)
    small = round(40 * 2 ** (-1 / 3)), round(60 * 2 ** (-1 / 3))
    base = resize(resize(image_to_tensor(picture), small), (40, 60))
    assert torch.equal(model.reconstruct_tensor(0), base)
    error = (base - image_to_tensor(picture)).square().mean().sqrt()
    assert model.noise_amps == [pytest.approx(0.1 * float(error), rel=1e-4)]


def test_model_without_a_generator_at_its_finest_scale_is_refused(tiny_picture, tiny_config):
    model = singan.draft(tiny_picture)
    with pytest.raises(ConfigError, match="no generator at its finest scale, which super-resolution applies: give the"):
        super_resolve(model, 2)


@pytest.mark.filterwarnings("ignore::singan.TaskWarning")
def test_one_generator_that_makes_a_picture_of_noise_is_refused(tiny_picture, tiny_config):
    model = singan.train(tiny_picture, replace(tiny_config, num_scales=1, steps=2), seed=0)
    with pytest.raises(ConfigError, match="one generator, which makes its picture of noise, and none that adds detail"):
        super_resolve(model, 2)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"factor": 0.9}, "^factor is 0.9; it goes from 1 to 8"),
        ({"factor": 8.5}, "^factor is 8.5; it goes from 1 to 8"),
        ({"factor": float("nan")}, "^factor is nan"),
        ({"factor": float("inf")}, "^factor is inf"),
        ({"detail": -0.1}, "^detail is -0.1; it goes from 0 to 1"),
        ({"detail": 1.1}, "^detail is 1.1; it goes from 0 to 1"),
        ({"detail": float("nan")}, "^detail is nan"),
        ({"seed": -1}, "^seed is -1; it goes from 0"),
    ],
)
def test_setting_out_of_range_is_refused_before_anything_is_learned(
    tiny_model, tiny_picture, monkeypatch, values, message
):
    monkeypatch.setattr("singan.tasks.super_resolution.train", None)  # would fail if it were called
    for source in (tiny_model, tiny_picture):
        with pytest.raises(ConfigError, match=message):
            super_resolve(source, **values)
    with pytest.raises(ConfigError, match=message):
        enlarge(tiny_model, tiny_picture, **{"factor": 2, **values})
    if "factor" in values:
        with pytest.raises(ConfigError, match=message):
            super_resolution_config(values["factor"], (70, 54))


def test_result_too_large_to_be_made_is_refused_before_anything_is_learned(tiny_model, monkeypatch):
    monkeypatch.setattr("singan.tasks.super_resolution.train", None)
    large = Image.new("RGB", (2000, 1000))
    with pytest.raises(ConfigError, match="size is 8000x16000 px; .* the area ends at 100 megapixels"):
        super_resolve(large, 8)
    with pytest.raises(ConfigError, match="size is 8000x16000 px"):
        enlarge(tiny_model, large, 8)


def test_bad_picture_is_refused(tmp_path):
    with pytest.raises(ImageError, match="nowhere.png does not exist"):
        super_resolve(tmp_path / "nowhere.png")
