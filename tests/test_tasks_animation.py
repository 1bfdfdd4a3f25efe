"""The walk through the noise, and the frames it makes."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

import singan
from singan import TrainConfig, animate, animation_config, iter_frames
from singan.errors import ConfigError
from singan.tasks import animation
from singan.tasks.animation import Walk


def steps(walk: Walk, count: int, pixels: int = 4000, scale: int = 0) -> torch.Tensor:
    """The first `count` steps of the walk's noise: (count, pixels)."""
    noise = walk.noise(lambda rng: torch.randn(pixels, generator=rng), scale)
    return torch.stack(list(itertools.islice(noise, count)))


def correlation(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a * b).mean() / (a.std() * b.std()))


def levels(frames) -> np.ndarray:
    return np.stack([np.asarray(frame, float) for frame in frames])


@pytest.fixture(scope="module")
def animated(tiny_picture, tiny_config) -> singan.SinGAN:
    """A tiny model trained for animation."""
    config = replace(
        tiny_config,
        min_size=20,
        noise_padding=True,
        generators=None,
        voting_rounds=(0,),
        place_prior=0.0,
        displacement=0.0,
        field=False,
    )
    return singan.train(tiny_picture, config, seed=1)


# --- the walk -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 0.9), (0.5, 0.0), (0.02, 0.5), (0.01, 0.99), (0.9, 0.9)])
@pytest.mark.parametrize("period", [5, 40])
def test_walk_closes_with_its_period(alpha, beta, period):
    walked = steps(Walk(alpha, beta, period, 0), 2 * period, pixels=300)
    assert (walked[period:] - walked[:period]).abs().max() < 1e-3 * max(1, float(walked.abs().max()))


@pytest.mark.parametrize(("alpha", "beta"), [(0.1, 0.9), (0.5, 0.0), (0.3, 0.6)])
def test_walk_has_zero_mean_and_unit_deviation_at_every_step(alpha, beta):
    """With a period of many steps, and without one once its start at zero is forgotten."""
    looped = steps(Walk(alpha, beta, 200, 0), 4)
    free = steps(Walk(alpha, beta, None, 0), 124)[120:]
    for walked in (*looped, *free):
        assert walked.mean() == pytest.approx(0, abs=0.06) and walked.std() == pytest.approx(1, abs=0.06)


def test_walk_without_a_period_starts_at_nothing_and_goes_from_it_slowly():
    walked = steps(Walk(0.1, 0.9, None, 0), 12)
    assert (walked[0] == 0).all()
    deviation = walked.std(1)
    assert (deviation[:8].diff() > 0).all() and deviation[2] < 0.5


def test_walk_that_is_not_pulled_back_goes_on():
    deviation = steps(Walk(0.0, 0.5, None, 0), 200).std(1)
    assert deviation[50] < deviation[100] < deviation[199] and deviation.isfinite().all()


def test_walk_that_is_pulled_back_wholly_stays_at_nothing():
    for period in (None, 6):
        assert (steps(Walk(1.0, 0.9, period, 0), 8) == 0).all()


@pytest.mark.parametrize("period", [None, 60])
def test_walk_is_smooth_and_beta_makes_it_smoother(period):
    def likeness(beta):
        walked = steps(Walk(0.1, beta, period, 0), 52)
        return correlation(walked[50], walked[51])

    assert likeness(0.9) > 0.93 and likeness(0.9) > likeness(0.0) + 0.02


def test_walk_forgets_where_it_was():
    walked = steps(Walk(0.3, 0.3, 200, 0), 30)
    assert abs(correlation(walked[0], walked[29])) < 0.06


def test_walks_of_other_seeds_and_scales_have_nothing_in_common():
    first, again, other = (steps(Walk(0.1, 0.9, 30, seed), 5)[4] for seed in (0, 0, 1))
    finer = steps(Walk(0.1, 0.9, 30, 0), 5, scale=1)[4]
    assert torch.equal(first, again)
    assert all(abs(correlation(a, b)) < 0.06 for a, b in itertools.combinations((first, other, finer), 2))


def test_largest_seed_walks():
    assert steps(Walk(0.1, 0.9, 4, 2**63 - 2), 2).isfinite().all()


# --- frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [None, (33, 47), (64, 40)])
def test_frames_have_number_and_size_asked_for(tiny_model, size):
    frames = list(iter_frames(tiny_model, frames=3, size=size))
    assert len(frames) == 3
    assert {(frame.height, frame.width) for frame in frames} == {size or (54, 70)}


def test_same_seed_gives_the_same_frames(animated):
    first, again, other = (levels(iter_frames(animated, frames=3, seed=seed)) for seed in (2, 2, 3))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_frames_leave_global_randomness_alone(tiny_model):
    before = torch.get_rng_state()
    list(iter_frames(tiny_model, frames=2))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("seed", [0, 1])
def test_last_frame_goes_on_to_the_first_as_any_does_to_the_next(animated, seed):
    frames = levels(iter_frames(animated, frames=24, variation=0.5, seed=seed))
    jumps = np.abs(frames - np.roll(frames, -1, axis=0)).mean((1, 2, 3))
    assert jumps[:-1].max() > 0 and jumps[-1] <= 1.5 * jumps[:-1].max()


def test_open_walk_does_not_return(animated):
    """What the test above would show of a walk that is not closed."""
    frames = levels(iter_frames(animated, frames=24, variation=0.5, loop=False))
    jumps = np.abs(frames - np.roll(frames, -1, axis=0)).mean((1, 2, 3))
    assert jumps[-1] > 1.5 * jumps[:-1].max()


def test_open_walk_starts_at_the_training_image_as_it_is_remembered(animated):
    """Its first frame has no noise but z_star's, of which `variation` takes a part."""
    first = next(iter(iter_frames(animated, frames=2, variation=0, loop=False)))
    assert np.abs(levels([first]) - levels([animated.reconstruct()])).max() <= 1


def test_frames_of_a_later_start_scale_stay_nearer_to_the_training_image(animated):
    remembered = levels([animated.reconstruct()])
    far, near = (
        np.abs(levels(iter_frames(animated, frames=4, start_scale=k, variation=1)) - remembered).mean()
        for k in (0, animated.num_scales - 1)
    )
    assert 0 < near < 0.7 * far


def test_variation_takes_the_frames_further(animated):
    still, wild = (levels(iter_frames(animated, frames=6, variation=v)) for v in (0, 1))
    assert still.std(0).mean() < 0.7 * wild.std(0).mean()


def test_frames_are_made_when_they_are_asked_for(tiny_model, monkeypatch):
    made = []
    to_image = animation.tensor_to_image
    monkeypatch.setattr(animation, "tensor_to_image", lambda x: made.append(1) or to_image(x))
    frames = iter_frames(tiny_model, frames=10_000)
    assert len(made) == 0
    next(frames), next(frames)
    assert len(made) == 2


@pytest.fixture(scope="module")
def draft(tiny_picture):
    return singan.draft(tiny_picture)


def test_content_of_a_model_with_a_field_sways_evenly_and_stays_in_its_place(draft):
    """Where frames are drawn by votes the largest step is some times the mean one."""
    frames = levels(iter_frames(draft, frames=30, variation=0.5))
    steps = np.abs(np.diff([*frames, frames[0]], axis=0)).mean((1, 2, 3))
    assert steps.min() > 0 and steps.max() < 1.6 * steps.mean()
    real = np.asarray(draft.training_image, float)
    assert np.abs(frames.mean(0) - real).mean() < np.abs(frames - real).mean()
    border = [frames[:, 0], frames[:, -1], frames[:, :, 0], frames[:, :, -1]]
    assert all(line.std(0).mean() < 0.3 * frames.std(0).mean() for line in border)


def test_swaying_models_stand_still_at_no_variation_and_take_other_sizes(draft):
    still = levels(iter_frames(draft, frames=3, variation=0))
    assert np.array_equal(still[0], still[2])
    assert next(iter(iter_frames(draft, size=(40, 90)))).size == (90, 40)


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frames": 1}, "^frames is 1; it goes from 2 to 10000"),
        ({"frames": 10_001}, "^frames is 10001"),
        ({"start_scale": 6}, "^start_scale is 6; this model has generators at the scales 0 to 1"),
        ({"start_scale": -1}, "^start_scale is -1"),
        ({"alpha": -0.1}, "^alpha is -0.1; it goes from 0 to 1"),
        ({"alpha": 1.1}, "^alpha is 1.1"),
        ({"beta": 1.0}, "^beta is 1; it goes from 0 to 0.99"),
        ({"beta": -0.5}, "^beta is -0.5"),
        ({"variation": 2}, "^variation is 2; it goes from 0 to 1"),
        ({"variation": float("nan")}, "^variation is nan"),
        ({"alpha": 0}, "^alpha is 0; a walk that closes needs 0.01 or more: raise it, or turn loop off"),
        ({"seed": -1}, "^seed is -1; it goes from 0"),
        ({"size": (8, 100)}, "^size is 8x100 px; sides start at 16 px"),
    ],
)
def test_setting_out_of_range_is_refused_at_once(tiny_model, tmp_path, values, message):
    with pytest.raises(ConfigError, match=message):
        iter_frames(tiny_model, **values)  # without asking for a frame
    with pytest.raises(ConfigError, match=message):
        animate(tiny_model, tmp_path / "new" / "a.gif", **values)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fps", [0, 0.5, 61, float("nan"), -1])
def test_rate_out_of_range_is_refused(tiny_model, tmp_path, fps):
    with pytest.raises(ConfigError, match=f"^fps is {fps:g}; it goes from 1 to 60"):
        animate(tiny_model, tmp_path / "a.gif", fps=fps)
    assert list(tmp_path.iterdir()) == []


def test_walk_without_a_pull_is_fine_as_long_as_it_need_not_close(tiny_model):
    assert len(list(iter_frames(tiny_model, frames=2, alpha=0, loop=False))) == 2


@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_config_has_noise_beyond_the_border_and_a_coarser_start(preset):
    plain = {"generators": None, "place_prior": 0.0, "displacement": 0.0, "field": False, "voting_rounds": 0}
    steps = {} if preset == "paper" else {"steps": (600, 500, 400, 300)}
    expected = TrainConfig.preset(preset, min_size=20, noise_padding=True, **plain, **steps)
    assert animation_config(preset) == expected
    assert animation_config(preset, steps=7, min_size=30) == replace(expected, steps=(7,), min_size=30)


def test_paper_preset_learns_to_be_animated(tiny_picture):
    config = animation_config("paper", steps=1, width=8, critic_width=8, max_size=45)
    model = singan.train(tiny_picture, config)
    assert len(model.generators) > 2 and len(list(iter_frames(model, frames=2))) == 2


def test_config_takes_known_settings_only():
    with pytest.raises(ConfigError, match="TrainConfig has no field stride"):
        animation_config(stride=2)


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_animation_is_written_with_an_event_for_each_frame(tiny_model, tmp_path, suffix):
    events, out = [], tmp_path / "new" / f"a{suffix}"
    path = animate(tiny_model, str(out), frames=4, fps=5, size=(40, 50), seed=3, on_event=events.append)
    assert path == out and [p.name for p in out.parent.iterdir()] == [out.name]
    assert [(event.done, event.total, event.unit) for event in events] == [(k, 4, "frame") for k in range(1, 5)]
    frames = levels(iter_frames(tiny_model, frames=4, size=(40, 50), seed=3))
    assert np.array_equal(levels(event.image for event in events), frames)
    with Image.open(path) as file:
        assert (file.n_frames, file.size) == (4, (50, 40))


def test_animation_that_fails_leaves_the_old_file_and_no_part_of_a_new_one(tiny_model, tmp_path):
    (tmp_path / "a.gif").write_text("mine")

    def gives_up(event):
        if event.done == 2:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        animate(tiny_model, tmp_path / "a.gif", frames=4, on_event=gives_up)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.gif", "mine")]


def test_unknown_ending_is_refused_before_a_frame_is_made(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(singan.SinGAN, "go_on", None)  # would fail if it were called
    with pytest.raises(ConfigError, match="^a.avi has no ending that says which animation it is"):
        animate(tiny_model, tmp_path / "new" / "a.avi")
    assert list(tmp_path.iterdir()) == []


def test_size_may_be_a_list(tiny_model):
    size = tiny_model.image_size
    frames = [list(iter_frames(tiny_model, frames=2, size=kind(size), seed=1)) for kind in (tuple, list)]
    assert np.array_equal(levels(frames[0]), levels(frames[1]))
