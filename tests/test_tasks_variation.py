"""Retargeting, and the map of how much each pixel varies."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from singan import retarget, variation_map
from singan.errors import ConfigError


@pytest.mark.parametrize(
    ("times", "size"),
    [({"width": 2}, (140, 54)), ({"height": 1.5}, (70, 81)), ({"width": 0.5, "height": 0.5}, (35, 27))],
)
def test_picture_is_made_wider_and_higher(tiny_model, times, size):
    assert retarget(tiny_model, **times)[0].size == size


def test_retargeted_images_are_samples_of_that_size(tiny_model):
    images = retarget(tiny_model, width=1.3, n=2, start_scale=1, variation=0.3, seed=4)
    samples = tiny_model.sample(2, size=(54, 91), start_scale=1, variation=0.3, seed=4)
    assert [image.tobytes() for image in images] == [sample.tobytes() for sample in samples]


@pytest.mark.parametrize("name", ["width", "height"])
@pytest.mark.parametrize("times", [0, -1, float("nan"), float("inf")])
def test_no_number_of_times_is_refused(tiny_model, name, times):
    with pytest.raises(ConfigError, match=f"^{name} is {times:g}; it is a number over 0: 2 makes the picture twice"):
        retarget(tiny_model, **{name: times})


def test_retargeting_too_small_or_wrongly_is_refused_as_sampling_is(tiny_model):
    with pytest.raises(ConfigError, match="size is 5x70 px; sides start at 16 px"):
        retarget(tiny_model, height=0.1)
    with pytest.raises(ConfigError, match="start_scale is 9"):
        retarget(tiny_model, start_scale=9)


# --- the map --------------------------------------------------------------------------------------


def grey_of(heat: Image.Image) -> np.ndarray:
    """0 to 255 again, by the luminance that rises from black over orange to white."""
    return np.asarray(heat.convert("L"), float)


def deviation_of(model, n, seed, **options) -> np.ndarray:
    pictures = [np.asarray(image, float).mean(2) for image in model.sample(n, seed=seed, **options)]
    return np.std(pictures, axis=0, ddof=1)


@pytest.mark.parametrize("options", [{}, {"start_scale": 1}, {"variation": 0.5}])
def test_white_is_the_largest_deviation_of_the_samples(tiny_model, options):
    heat = variation_map(tiny_model, n=6, seed=3, **options)
    deviation = deviation_of(tiny_model, 6, 3, **options)
    assert heat.size == (70, 54) and heat.mode == "RGB"
    assert heat.info["white"] == pytest.approx(deviation.max(), abs=0.6)
    grey = grey_of(heat)
    assert grey.max() == 255 and grey.flatten()[deviation.argmax()] > 245


def test_map_is_brighter_the_more_a_pixel_varies(tiny_model):
    """Ranks agree: the colours rise in luminance, and only rounding may swap neighbours."""
    heat, deviation = grey_of(variation_map(tiny_model, n=6)), deviation_of(tiny_model, 6, 0)
    order = heat.flatten()[np.argsort(deviation.flatten())]
    assert np.diff(order).min() > -8 and order[-1] - order[0] > 100


def test_what_is_cut_off_in_the_samples_does_not_vary(whole_model):
    """Noise that drives every pixel far beyond black and white leaves only these two to differ between."""
    loud = replace(whole_model, noise_amps=[*whole_model.noise_amps[:-1], 1000.0])
    heat = variation_map(loud, n=4)
    assert 100 < heat.info["white"] <= 127.5 * (4 / 3) ** 0.5 + 0.01  # two of four samples black, two white
    assert heat.info["white"] == pytest.approx(deviation_of(loud, 4, 0).max(), abs=0.6)


def test_nothing_that_varies_is_black(tiny_model):
    still = replace(tiny_model, noise_amps=[0.0] * tiny_model.num_scales)
    heat = variation_map(still, n=3, variation=0)
    assert heat.getextrema() == ((0, 0),) * 3 and heat.info["white"] == 0


def test_same_seed_gives_same_map_and_info_carries_the_settings(tiny_model):
    first, again, other = (variation_map(tiny_model, n=2, seed=s, variation=0.8, start_scale=1) for s in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()
    expected = {"task": "variation-map", "n": 2, "start_scale": 1, "variation": 0.8, "seed": 1}
    assert {**first.info, "white": 0} == {**expected, "white": 0} and first.info["white"] > 0


def test_events_count_the_samples(tiny_model):
    events = []
    variation_map(tiny_model, n=3, on_event=events.append)
    assert [(event.done, event.total, event.unit) for event in events] == [(k, 3, "sample") for k in (1, 2, 3)]


@pytest.mark.parametrize("n", [1, 0, 1001])
def test_number_of_samples_out_of_range_is_refused(tiny_model, n):
    with pytest.raises(ConfigError, match=f"^n is {n}; a map takes 2 to 1000 samples"):
        variation_map(tiny_model, n=n)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"start_scale": 6}, "start_scale is 6"),
        ({"variation": 1.5}, "variation is 1.5"),
        ({"seed": 2**63 - 2}, "seed is 9223372036854775806"),
    ],
)
def test_setting_out_of_range_is_refused_before_a_sample_is_drawn(tiny_model, values, message):
    events = []
    with pytest.raises(ConfigError, match=message):
        variation_map(tiny_model, n=5, on_event=events.append, **values)
    assert events == []
