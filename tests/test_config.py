"""Settings: ranges, presets, JSON."""

import json
import math
import re
from dataclasses import FrozenInstanceError

import pytest

from singan.config import PRESETS, TrainConfig, at_scale
from singan.errors import ConfigError


def test_last_value_of_a_schedule_holds_for_all_finer_scales():
    assert [at_scale((3, 2, 1), k) for k in range(5)] == [3, 2, 1, 1, 1]


def test_one_number_stands_for_a_schedule():
    config = TrainConfig(steps=10, alpha=5, width=[16, 32])
    assert (config.steps, config.alpha, config.width) == ((10,), (5,), (16, 32))


def test_settings_are_frozen():
    with pytest.raises(FrozenInstanceError):
        TrainConfig().steps = 5


@pytest.mark.parametrize("name", PRESETS)
def test_presets_go_through_json_unchanged(name):
    config = TrainConfig.preset(name)
    assert TrainConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


def test_default_is_fast_and_overrides_replace_fields():
    assert TrainConfig() == TrainConfig.preset("fast")
    assert TrainConfig.preset("draft", max_size=500).max_size == 500


def test_paper_is_the_published_method():
    """Every constant as published; what the networks, sizes and steps are: test_published.py."""
    c = TrainConfig.preset("paper")
    assert [at_scale(c.width, k) for k in (0, 3, 4, 7, 8, 20)] == [32, 32, 64, 64, 128, 128]
    assert c.critic_width == c.width
    assert (c.min_size, c.max_size, c.scale_factor, c.layers, c.noise_amp) == (25, 250, 0.75, 5, 0.1)
    assert (c.steps, c.critic_updates, c.generator_updates, c.alpha, c.penalty) == ((2000,), 3, 3, (10.0,), (0.1,))
    assert (c.generator_lr, c.critic_lr, c.betas) == ((5e-4,), (5e-4,), (0.5, 0.999))
    assert c.published and not c.mixed_precision
    assert not TrainConfig().published and not TrainConfig.preset("draft").published


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"batch_size": 4}, "batch_size is (4,); the published method has 1 alone"),
        ({"field": True, "voting_rounds": 2}, "voting_rounds is (2,); the published method has 0 alone"),
        ({"crop_size": 64}, "crop_size is 64; the published method has None alone"),
        ({"lr_decay": "linear"}, "lr_decay is 'linear'; the published method has step alone"),
    ],
)
def test_what_the_published_method_does_not_know_is_refused(values, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        TrainConfig.preset("paper", **values)


def test_draft_has_no_generators_and_starts_from_the_image():
    draft = TrainConfig.preset("draft")
    assert draft.generators == 0 and draft.from_image and draft.field


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "steps is 0; it goes from 1 to"),
        ({"steps": (10, -1)}, "steps is -1"),
        ({"steps": 1.5}, "steps is 1.5; it takes whole numbers"),
        ({"steps": True}, "steps is True; it takes whole numbers"),
        ({"alpha": "high"}, "alpha is 'h'; it takes numbers"),
        ({"alpha": ()}, "alpha lists 0 values; give 1 to 32"),
        ({"alpha": float("nan")}, "alpha is nan; it takes numbers"),
        ({"scale_factor": 1.0}, "scale_factor is 1; it goes from 0.1 to 0.95"),
        ({"width": 10**9}, "width is 1000000000; it goes from 1 to 512"),
        ({"max_size": 3}, "max_size is 3; it goes from 25 to 8192"),
        ({"max_size": 30, "min_size": 40}, "max_size 30 is under min_size 40"),
        ({"num_scales": 0}, "num_scales is 0; it goes from 1 to 32"),
        ({"crop_size": 5}, "crop_size is 5; it goes from 12"),
        ({"norm": "layer"}, "norm is 'layer'; choose one of"),
        ({"lr_decay": "cosine"}, "lr_decay is 'cosine'; choose one of"),
        ({"residual": 1}, "residual is 1; it is True or False"),
        ({"betas": (0.5,)}, "betas has 1 values; Adam takes two"),
        ({"betas": None}, "betas is None; it takes numbers"),
        ({"layers": 10**4000}, "layers is 1e.300; it goes from 2 to 16"),
        ({"alpha": math.inf}, "alpha is inf; it takes numbers"),
        ({"norm": "x" * 10**6}, "norm is 'x{56}...; choose one of"),
        ({"generators": -1}, "generators is -1; it goes from 0 to 32"),
        ({"generators": 1.5}, "generators is 1.5; it takes whole numbers"),
        ({"generators": False}, "generators is False; it takes whole numbers"),
        ({"photo_size": 24}, "photo_size is 24; it goes from 25 to 4096"),
        ({"photo_size": 5000}, "photo_size is 5000; it goes from 25 to 4096"),
        ({"place_prior": -1}, "place_prior is -1; it goes from 0 to 100"),
        ({"displacement": 11}, "displacement is 11; it goes from 0 to 10"),
        ({"field": 1}, "field is 1; it is True or False"),
        ({"from_image": None}, "from_image is None; it is True or False"),
        ({"voting_rounds": (0, 2)}, "field continues what is voted at the coarsest scale: set voting_rounds, or field"),
        ({"field": False, "generators": 2}, "Without field every scale needs a generator: leave generators at None"),
        ({"field": False, "generators": 0}, "Without field every scale needs a generator"),
        ({"norm": "batch"}, 'norm "batch" needs whole images: set crop_size to None'),
    ],
)
def test_setting_out_of_range_names_value_and_limit(values, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**values)


def test_unknown_names_are_refused():
    with pytest.raises(ConfigError, match="There is no preset 'quick'; choose one of draft, fast, paper"):
        TrainConfig.preset("quick")
    with pytest.raises(ConfigError, match="There is no preset 'best'"):
        TrainConfig.preset("best")
    with pytest.raises(ConfigError, match="TrainConfig has no field stepps"):
        TrainConfig.preset("fast", stepps=3)


def test_stored_settings_from_before_a_field_was_added_take_its_default():
    stored = TrainConfig(width=16, crop_size=32, alpha=5).to_dict()
    del stored["width"], stored["crop_size"]
    loaded = TrainConfig.from_dict(stored)
    assert loaded == TrainConfig(alpha=5)


@pytest.mark.parametrize("name", PRESETS)
def test_stored_settings_from_before_there_were_photographs_do_what_was_done_then(name):
    stored = TrainConfig.preset(name).to_dict()
    for later in ("generators", "from_image", "place_prior", "displacement", "candidates", "field", "photo_size"):
        del stored[later]
    loaded = TrainConfig.from_dict(stored | {"composition": [100.0, 0.0]})  # which only training went by
    assert loaded.generators is None and not loaded.from_image and loaded.place_prior == loaded.displacement == 0
    assert not loaded.field and loaded.candidates == 1
    assert loaded.voting_rounds == TrainConfig.preset(name).voting_rounds


def test_stored_settings_of_a_later_version_are_refused():
    with pytest.raises(ConfigError, match="The stored settings have 'extra', unknown to this version: update singan"):
        TrainConfig.from_dict(TrainConfig().to_dict() | {"extra": 1})


def test_stored_settings_that_are_no_object_are_refused():
    with pytest.raises(ConfigError, match="The stored settings are None; they are an object"):
        TrainConfig.from_dict(None)
