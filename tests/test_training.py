"""Training: events, crops, resume after a kill, divergence, odd inputs, the paper's preset."""

import itertools
import math
import multiprocessing
import os
import random
import signal
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import singan
from singan import files
from singan import model as model_module
from singan.config import at_scale
from singan.errors import CheckpointError, ConfigError, ImageError, TaskWarning, TrainingError
from singan.image import image_to_tensor
from singan.pyramid import resize
from singan.scale import refine
from singan.storage.card import card_is_edited
from singan.training import loop, resume, step
from singan.training.loop import iter_train, train
from singan.training.retrain import retrain_scale
from singan.training.start import begin_scale, scale_trainer, start_run
from singan.training.state import ScaleState
from singan.training.step import CropTrainer


def weights(model: singan.SinGAN) -> dict[str, torch.Tensor]:
    networks = {f"scales.{k}": generator for k, generator in enumerate(model.generators)}
    tensors = {f"{name}.{key}": t for name, network in networks.items() for key, t in network.state_dict().items()}
    return tensors | {"z_star": model.z_star, "photo": model.photo}


def same(a: singan.SinGAN, b: singan.SinGAN) -> bool:
    one, other = weights(a), weights(b)
    equal = one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)
    return equal and a.noise_amps == b.noise_amps and a.variation_curve == b.variation_curve


@pytest.fixture(scope="module")
def tiny_config(tiny_config) -> singan.TrainConfig:
    """That of the other tests with four generators in place of two, for six scales."""
    return replace(tiny_config, generators=4, voting_rounds=(2, 1, 1))


@pytest.fixture(scope="module")
def tiny_model(tiny_picture, tiny_config) -> singan.SinGAN:
    return train(tiny_picture, tiny_config, seed=1)


# --- events ---------------------------------------------------------------------------------------


def test_events_count_every_step_and_end_with_the_model(tiny_picture, tiny_config):
    events = list(iter_train(tiny_picture, tiny_config, preview_every=5))
    scales = events[0].scales
    assert scales == 4
    assert [e.kind for e in events] == ["start", *(["step"] * 6 + ["scale"]) * scales, "done"]
    steps = [e for e in events if e.kind == "step"]
    assert [e.total_step for e in steps] == list(range(1, 6 * scales + 1))
    assert all(e.total_steps == 6 * scales and 1 <= e.step <= e.steps == 6 for e in steps)
    assert [e.preview is not None for e in steps] == [e.step == 5 for e in steps]
    assert set(steps[0].losses) == {"critic_real", "critic_fake", "penalty", "reconstruction"}
    finished = [e for e in events if e.kind == "scale"]
    assert [len(e.model.generators) for e in finished] == list(range(1, scales + 1))
    assert [e.size for e in finished] == events[-1].model.scale_sizes[:scales]
    assert all(e.preview.size == tiny_picture.size for e in events if e.preview)  # as patches make it
    assert len(events[-1].model.generators) == scales and events[-1].seconds_left == 0
    assert all(b.seconds >= a.seconds for a, b in itertools.pairwise(events))


def test_without_field_previews_and_models_are_as_large_as_the_last_scale(tiny_picture, tiny_config):
    config = replace(tiny_config, generators=None, field=False, num_scales=3, steps=(1,))
    events = list(iter_train(tiny_picture, config, preview_every=1))
    assert all(e.preview.size == e.size[::-1] for e in events if e.preview)
    finished = [e for e in events if e.kind == "scale"]
    assert [e.model.num_scales for e in finished] == [len(e.model.generators) for e in finished] == [1, 2, 3]
    assert all(e.model.image_size == e.size for e in finished)


def test_without_generators_there_is_one_start_and_one_end(tiny_picture, tiny_config):
    start, done = iter_train(tiny_picture, replace(tiny_config, generators=0))
    assert (start.kind, done.kind, done.total_steps, done.model.generators) == ("start", "done", 0, [])
    assert done.preview.size == tiny_picture.size


def test_bar_is_shown_where_somebody_sees_it_unless_told_not_to(tiny_picture, tiny_config, capsys, monkeypatch):
    config = replace(tiny_config, steps=(2,))
    train(tiny_picture, config)
    assert capsys.readouterr().out == ""  # no terminal
    monkeypatch.setenv("FORCE_COLOR", "1")  # which rich takes for one
    train(tiny_picture, config, progress=False)
    assert capsys.readouterr().out == ""
    train(tiny_picture, config)
    assert "scale 1/4" in capsys.readouterr().out


def test_more_generators_than_scales_are_as_many_as_there_are(tiny_picture, tiny_config):
    model = train(tiny_picture, replace(tiny_config, generators=32, steps=(1,)))
    assert len(model.generators) == model.num_scales == 6


def test_same_seed_gives_the_same_weights(tiny_picture, tiny_config, tiny_model):
    torch.manual_seed(99)  # the global state is not used
    again = train(tiny_picture, tiny_config, seed=1)
    assert same(again, tiny_model)
    assert not same(train(tiny_picture, tiny_config, seed=2), tiny_model)


def test_previews_do_not_change_the_result(tiny_picture, tiny_config, tiny_model):
    *_, last = iter_train(tiny_picture, tiny_config, seed=1, preview_every=1)
    assert same(last.model, tiny_model)


def test_what_previews_compare_is_made_once(tiny_picture, tiny_config, monkeypatch):
    """The photograph's patches are the same whatever generators there are."""
    made, patches = [], model_module.Patches
    monkeypatch.setattr(model_module, "Patches", lambda *args: made.append(args) or patches(*args))
    seen = [e for e in iter_train(tiny_picture, replace(tiny_config, steps=4), preview_every=1) if e.preview]
    assert len(seen) > 6 and len(made) == len(seen[-1].model.levels)


def test_previews_are_drawn_once_and_only_if_somebody_looks_at_them(tiny_picture, tiny_config, monkeypatch):
    drawn, sample = [], singan.SinGAN.sample
    monkeypatch.setattr(singan.SinGAN, "sample", lambda model, *args: drawn.append(model) or sample(model, *args))
    *_, last = iter_train(tiny_picture, replace(tiny_config, steps=(1,)), seed=1)
    assert drawn == []
    assert last.preview is last.preview and drawn == [last.model]


def test_pictures_are_the_first_sample_of_what_is_learned_so_far(tiny_picture, tiny_config):
    """So that none jumps when a scale is done, or the run."""
    events = list(iter_train(tiny_picture, tiny_config, seed=1, preview_every=6))
    for event in events:
        if event.model:
            assert event.preview.tobytes() == event.model.sample(1, seed=0)[0].tobytes()
    for last, scale in itertools.pairwise(events):
        if scale.kind == "scale":  # of the same weights
            assert last.preview.tobytes() == scale.preview.tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": -1}, "^seed is -1; it goes from 0 to 2.63"),
        ({"seed": 1.5}, "^seed is 1.5; it takes whole numbers"),
        ({"preview_every": 0}, "^preview_every is 0; it goes from 1"),
        ({"preview_every": True}, "^preview_every is True; it takes whole numbers"),
    ],
)
def test_number_out_of_range_is_refused_before_a_step(tiny_picture, tiny_config, options, message):
    with pytest.raises(ConfigError, match=message):
        iter_train(tiny_picture, tiny_config, **options)


def test_reconstruction_gets_better(tiny_picture, tiny_config):
    def error(steps):
        model = train(tiny_picture, replace(tiny_config, steps=(steps,), width=(16,)))
        return (image_to_tensor(model.reconstruct()) - model.real_at(3)).square().mean().sqrt().item()

    assert error(50) < 0.5 * error(2)


def test_stop_keeps_the_finished_scales(tiny_picture, tiny_config, tiny_model):
    steps = itertools.count()
    model = train(tiny_picture, tiny_config, seed=1, stop=lambda: next(steps) == 15)
    assert len(model.generators) == 2 and model.num_scales == 6 and model.sample(1)[0].size == model.image_size[::-1]
    stored = weights(model)
    assert all(torch.equal(value, weights(tiny_model)[name]) for name, value in stored.items())


def test_stop_before_the_first_scale_is_an_error(tiny_picture, tiny_config):
    with pytest.raises(TrainingError, match="stopped before its first scale was finished"):
        train(tiny_picture, tiny_config, stop=lambda: True)


# --- crops ----------------------------------------------------------------------------------------


def trainer_at(picture, config, scale) -> CropTrainer:
    run = start_run(picture, config, 0, torch.device("cpu"))
    for _ in range(scale):
        run.state = begin_scale(run)
        run.finished = scale_trainer(run).finish()
    run.state = begin_scale(run)
    return scale_trainer(run)


def test_training_on_a_crop_sees_what_the_whole_image_shows(tiny_picture, tiny_config):
    """Generator, padding and windows together: the crop of the whole image's output, at every place."""
    config = replace(tiny_config, mixed_precision=False, crop_size=20)
    trainer = trainer_at(tiny_picture, config, 2)
    height, width = trainer.size
    assert trainer.crop == (20, 20) and height > 20
    m = trainer.margin
    base = trainer.previous[:1]
    noise = torch.randn(base.shape, generator=torch.Generator().manual_seed(0)) * trainer.inside
    with torch.no_grad():
        whole = trainer.state.generator(base + noise) + base[:, :, m:-m, m:-m]
        for window in ((0, 0), (3, 7), (height - 20, width - 20)):
            crops = trainer._crops([base], [window], m), trainer._crops([noise], [window], m)
            part = trainer._generate(*crops)
            expected = trainer._crops([whole], [window], 0)
            torch.testing.assert_close(part, expected, rtol=0, atol=1e-5)


def test_noise_stays_inside_the_image_unless_it_shall_pad_it(tiny_picture, tiny_config):
    for padded in (False, True):
        trainer = trainer_at(tiny_picture, replace(tiny_config, noise_padding=padded), 1)
        noise, _ = trainer._draw_noise()
        outside = F.pad(torch.zeros(1, 1, *trainer.size), (trainer.margin,) * 4, value=1.0)
        assert bool((noise[:-1] * outside).abs().sum() > 0) == padded
        assert noise[-1].abs().max() == 0  # the reconstruction's


def test_pixels_near_the_border_are_trained_on_too(tiny_picture, tiny_config):
    trainer = trainer_at(tiny_picture, replace(tiny_config, crop_size=20), 3)
    windows = trainer._draw_windows(4000)
    seen = np.zeros(trainer.size)
    for top, left in windows:
        seen[top : top + 20, left : left + 20] += 1
    assert seen.min() > 0.15 * seen.mean()  # drawn plainly, a corner would be seen once in 800 crops


# --- resume ---------------------------------------------------------------------------------------

# Forks processes from one that has imported torch already, so that each is there at once.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["torch", "singan.training.loop"])


def train_and_save(folder: Path, checkpoints: str, out: str, how: str) -> None:
    """What a process of its own does: a run that is kept at every step."""
    torch.set_num_threads(1)
    loop.CHECKPOINT_SECONDS = 0.0
    config = singan.TrainConfig(
        steps=12, width=8, critic_width=8, crop_size=40, pool_size=6, min_size=16, generators=6, voting_rounds=1
    )
    model = train(folder / "picture.png", config, seed=1, checkpoint_dir=folder / checkpoints, resume=how == "resume")
    model.save_pretrained(folder / out)


def run_apart(tiny_picture, folder, *settings):
    """`train_and_save` in a process of its own."""
    tiny_picture.save(folder / "picture.png")
    process = FORKS.Process(target=train_and_save, args=(folder, *settings))
    process.start()
    return process


def exit_code(process) -> int:
    process.join()
    return process.exitcode


@pytest.fixture(scope="module")
def whole(tiny_picture, tmp_path_factory):
    """What such a run gives if nobody kills it."""
    folder = tmp_path_factory.mktemp("whole")
    assert exit_code(run_apart(tiny_picture, folder, "checkpoint", "whole", "start")) == 0
    return singan.SinGAN.from_pretrained(folder / "whole")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("kills", [(0.0,), (0.4, 0.9)])
def test_killed_run_resumes_and_ends_with_the_same_bits(tiny_picture, whole, tmp_path, kills):
    """A real process, really killed, at moments that no one chose; twice in a row in the second case."""
    state = tmp_path / "checkpoint" / "state.safetensors"
    for number, delay in enumerate(kills):
        process = run_apart(tiny_picture, tmp_path, "checkpoint", "killed", "resume" if number else "start")
        while not state.exists():
            assert process.exitcode is None
            time.sleep(0.01)
        before = state.stat().st_mtime_ns
        while state.stat().st_mtime_ns == before:  # it got on, so there is what to lose
            assert process.exitcode is None
            time.sleep(0.005)
        time.sleep(delay)
        process.kill()
        assert exit_code(process) == -signal.SIGKILL
    assert exit_code(run_apart(tiny_picture, tmp_path, "checkpoint", "resumed", "resume")) == 0
    assert same(whole, singan.SinGAN.from_pretrained(tmp_path / "resumed"))


@pytest.mark.parametrize("after", [1, 5, 6, 7, 13, 20])
def test_closed_run_resumes_at_any_step(tiny_picture, tiny_config, tiny_model, tmp_path, after):
    events = iter_train(tiny_picture, tiny_config, seed=1, checkpoint_dir=tmp_path)
    for event in events:
        if event.total_step == after:
            break
    events.close()
    again = list(iter_train(tiny_picture, tiny_config, seed=1, checkpoint_dir=tmp_path, resume=True))
    assert again[0].kind == "start" and again[0].total_step in (after, after - 1)
    assert same(again[-1].model, tiny_model)


def test_finished_run_resumes_to_its_end(tiny_picture, tiny_config, tiny_model, tmp_path):
    train(tiny_picture, tiny_config, seed=1, checkpoint_dir=tmp_path)
    assert same(train(tiny_picture, tiny_config, seed=1, checkpoint_dir=tmp_path, resume=True), tiny_model)


def test_stopped_run_can_be_resumed(tiny_picture, tiny_config, tiny_model, tmp_path):
    steps = itertools.count()
    train(tiny_picture, tiny_config, seed=1, checkpoint_dir=tmp_path, stop=lambda: next(steps) == 15)
    assert same(train(tiny_picture, tiny_config, seed=1, checkpoint_dir=tmp_path, resume=True), tiny_model)


def test_kept_run_is_not_overwritten(tiny_picture, tiny_config, tmp_path):
    next(iter_train(tiny_picture, tiny_config, checkpoint_dir=tmp_path))
    with pytest.raises(CheckpointError, match="holds a broken-off run: resume it, or remove"):
        next(iter_train(tiny_picture, tiny_config, checkpoint_dir=tmp_path))


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")
def test_folder_of_a_name_that_is_no_text_takes_a_model_and_a_run(tiny_picture, tiny_config, tiny_model, tmp_path):
    odd = tmp_path / os.fsdecode(b"caf\xe9")
    next(iter_train(tiny_picture, tiny_config, checkpoint_dir=odd))
    next(iter_train(tiny_picture, tiny_config, checkpoint_dir=odd, resume=True))
    for _ in range(2):  # the second one over a card that is not by hand
        assert same(singan.SinGAN.from_pretrained(tiny_model.save_pretrained(odd)), tiny_model)
        assert not card_is_edited(odd)


def test_resume_of_another_run_is_refused(tiny_picture, tiny_config, tmp_path):
    for folder in (tmp_path, None):
        with pytest.raises(CheckpointError, match="nothing to resume"):
            next(iter_train(tiny_picture, tiny_config, checkpoint_dir=folder, resume=True))
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match="file cannot be a folder .*: choose another one"):
        next(iter_train(tiny_picture, tiny_config, checkpoint_dir=tmp_path / "file"))
    next(iter_train(tiny_picture, tiny_config, checkpoint_dir=tmp_path))
    others = [
        (tiny_picture.rotate(180), tiny_config, 0),
        (tiny_picture, replace(tiny_config, alpha=(1.0,)), 0),
        (tiny_picture, tiny_config, 1),
    ]
    for picture, config, seed in others:
        with pytest.raises(CheckpointError, match="is from another image, seed, size or other settings"):
            next(iter_train(picture, config, seed=seed, checkpoint_dir=tmp_path, resume=True))


def test_every_flipped_bit_of_the_state_is_refused(tiny_picture, tiny_config, tmp_path):
    events = iter_train(tiny_picture, tiny_config, checkpoint_dir=tmp_path)
    next(event for event in events if event.total_step == 8)
    events.close()
    state, rng = tmp_path / files.STATE_FILE, random.Random(0)
    data = state.read_bytes()
    for _ in range(200):
        broken = bytearray(data)
        broken[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        state.write_bytes(broken)
        with pytest.raises(CheckpointError, match="is damaged"):
            next(iter_train(tiny_picture, tiny_config, checkpoint_dir=tmp_path, resume=True))


def test_resume_on_another_number_of_threads_is_told(tiny_picture, tiny_config, tmp_path):
    next(iter_train(tiny_picture, tiny_config, checkpoint_dir=tmp_path))
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)
        with pytest.warns(
            TaskWarning, match=rf"goes on on .*, {threads + 1} threads: it will not end with the same bits"
        ):
            next(iter_train(tiny_picture, tiny_config, checkpoint_dir=tmp_path, resume=True))
    finally:
        torch.set_num_threads(threads)


# Places where Ctrl-C may come while a scale is finished, or just before or after: before or after a call of these.
PLACES = [
    (resume, "save"), (CropTrainer, "finish"), (CropTrainer, "carry"), (step, "clone"), (step, "refine"),
    (loop, "begin_scale"), (CropTrainer, "step"), (singan.SinGAN, "apply_scale"),
]  # fmt: skip


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("where", range(len(PLACES)), ids=[name for _, name in PLACES])
def test_run_broken_off_while_a_scale_is_finished_ends_the_same(
    tiny_picture, tiny_config, tiny_model, tmp_path, monkeypatch, where, after
):
    (owner, name), calls = PLACES[where], itertools.count()
    original = getattr(owner, name)
    number = {"step": 8, "save": 3, "apply_scale": 11}.get(name, 1)  # while the second scale is trained or finished

    def interrupted(*args, **kwargs):
        at = next(calls) == number
        if at and not after:
            raise KeyboardInterrupt
        result = original(*args, **kwargs)
        if at:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, interrupted)
        with pytest.raises(KeyboardInterrupt):
            train(tiny_picture, tiny_config, seed=1, checkpoint_dir=tmp_path)
    assert same(train(tiny_picture, tiny_config, seed=1, checkpoint_dir=tmp_path, resume=True), tiny_model)


def test_damaged_state_is_refused(tiny_picture, tiny_config, tmp_path):
    next(iter_train(tiny_picture, tiny_config, checkpoint_dir=tmp_path))
    state = tmp_path / files.STATE_FILE
    data = state.read_bytes()
    for broken in (b"", data[:-100], b"\x00" * 100):
        state.write_bytes(broken)
        with pytest.raises(CheckpointError, match="is damaged"):
            next(iter_train(tiny_picture, tiny_config, checkpoint_dir=tmp_path, resume=True))


@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_image_so_long_that_much_of_it_would_be_learned_is_refused(preset):
    """A few kilobytes of file; its short side would be kept whole."""
    with pytest.raises(ImageError, match=r"16000x25 px, so long that 0.4 megapixels of it would be learned.*: crop it"):
        next(iter_train(Image.new("L", (16_000, 25)), singan.TrainConfig.preset(preset)))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"scale_factor": 0.95, "min_size": 8, "layers": 3}, ConfigError, "have .. scales; a model ends at 32: lower"),
        ({"layers": 13, "min_size": 60}, ImageError, "is 25x25 px, and 13 layers see 27 px a side: enlarge it, or low"),
    ],
)
def test_picture_that_could_not_be_learned_or_saved_is_refused_at_once(tiny_config, changes, error, message):
    picture = Image.new("RGB", (25, 25) if error is ImageError else (300, 200))
    with pytest.raises(error, match=message):
        next(iter_train(picture, replace(tiny_config, **changes)))


# --- divergence -----------------------------------------------------------------------------------


def spoil(monkeypatch, bad_steps):
    """Make a loss of the given steps not finite."""
    update, calls = CropTrainer.update, itertools.count()

    def spoilt(self):
        real, fake, *rest = update(self)
        return real, fake * math.nan if next(calls) in bad_steps else fake, *rest

    monkeypatch.setattr(CropTrainer, "update", spoilt)


def test_scale_that_diverges_is_retried_once_at_half_the_rate(tiny_picture, tiny_config, monkeypatch):
    rates = []
    original = ScaleState.set_rates

    def record(self, config, scale):
        original(self, config, scale)
        rates.append((scale, self.step, self.generator_opt.param_groups[0]["lr"]))

    monkeypatch.setattr(ScaleState, "set_rates", record)
    spoil(monkeypatch, {8})  # the third step of scale 1
    model = train(tiny_picture, replace(tiny_config, warmup_steps=0))
    assert len(model.generators) == 4
    first, second = [lr for k, step, lr in rates if (k, step) == (1, 0)]
    assert second == first / 2
    assert [lr for k, step, lr in rates if (k, step) == (2, 0)] == [first]


def test_scale_that_diverges_twice_keeps_the_finished_ones(tiny_picture, tiny_config, monkeypatch, tmp_path):
    spoil(monkeypatch, {8, 11})
    with pytest.raises(TrainingError, match=r"Scale 1 diverged twice, .*; the 1 coarser scales are finished") as error:
        train(tiny_picture, tiny_config, checkpoint_dir=tmp_path)
    assert len(error.value.model.generators) == 1 and error.value.model.sample(1)
    assert next(iter_train(tiny_picture, tiny_config, checkpoint_dir=tmp_path, resume=True)).scale == 1


def test_absurd_learning_rate_is_a_clear_error(tiny_picture, tiny_config):
    with pytest.raises(TrainingError, match=r"Scale \d diverged twice.*lower generator_lr"):
        train(tiny_picture, replace(tiny_config, generator_lr=(1.0,), critic_lr=(1.0,), steps=(100,), alpha=(1e6,)))


# --- inputs and settings --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(150, 2000), (2000, 150), (25, 25), (26, 300)])
def test_extreme_shapes_train(size):
    height, width = size
    picture = Image.effect_noise((width, height), 80).convert("RGB")
    tiny = {"steps": 1, "width": 8, "critic_width": 8, "pool_size": 4, "min_size": 12, "max_size": 100}
    model = train(picture, singan.TrainConfig(**tiny, photo_size=400, voting_rounds=(1, 0)))
    assert max(model.image_size) == min(400, max(size))
    assert max(size) / min(size) == pytest.approx(max(model.image_size) / min(model.image_size), rel=0.05)
    assert model.sample(1)[0].size == model.image_size[::-1]


def test_image_that_is_learned_larger_than_max_size_is_told():
    picture = Image.effect_noise((250, 141), 80).convert("RGB")
    with pytest.warns(TaskWarning, match="learned at 89x50 px, over max_size 60: its short side stays at least 50 px"):
        train(picture, singan.TrainConfig(max_size=60, generators=1, steps=1, width=8, critic_width=8))
    with warnings.catch_warnings(action="error"):  # a draft learns nothing
        train(picture, singan.TrainConfig.preset("draft", max_size=60))


def test_coarsest_scale_that_would_take_forever_to_search_is_refused():
    picture = Image.effect_noise((4000, 50), 80).convert("RGB")
    message = "is 4000x50 px, so long that its coarsest scale has 2000x25 px, .*; 20000 px can be: crop it, or lower"
    with pytest.raises(ConfigError, match=message):
        train(picture, singan.TrainConfig(photo_size=4096))


def test_path_array_and_image_are_the_same_input(tiny_picture, tiny_config, tiny_model, tmp_path):
    tiny_picture.save(tmp_path / "p.png")
    assert same(train(tmp_path / "p.png", tiny_config, seed=1), tiny_model)
    assert same(train(np.asarray(tiny_picture), tiny_config, seed=1), tiny_model)


@pytest.mark.parametrize(
    "changes",
    [
        {"residual": False},
        {"noise_padding": True},
        {"ema_decay": 0.0},
        {"num_scales": 2},
        {"layers": 3},
        {"layers": 16, "min_size": 33, "generators": 1},
        {"betas": (0, 0.9)},
        {"pool_size": 0},
        {"voting_rounds": (0,), "field": False, "generators": None},
        {"field": False, "generators": None},
        {"generators": 0},
        {"generators": None},
        {"from_image": True},
        {"photo_size": 40},
        {"place_prior": 0.0},
        {"displacement": 0.0},
        {"displacement": 2.0, "generators": 0, "from_image": True},
        {"mixed_precision": False},
        {"critic_updates": 2, "generator_updates": 3},
        {"lr_decay": "step"},
        {"warm_start": False},
        {"crop_size": None},
        {"width": (8, 12), "critic_width": (10,)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_every_knob_trains_samples_and_saves(tiny_picture, tiny_config, tmp_path, changes):
    model = train(tiny_picture, replace(tiny_config, **{"steps": (3,), "max_size": 45, **changes}))
    loaded = singan.SinGAN.from_pretrained(model.save_pretrained(tmp_path))
    assert loaded.sample(1, seed=2)[0].tobytes() == model.sample(1, seed=2)[0].tobytes()


def test_paper_preset_trains_samples_resumes(tiny_picture, tmp_path):
    config = singan.TrainConfig.preset("paper", steps=2, width=8, critic_width=8)
    model = train(tiny_picture, config, checkpoint_dir=tmp_path / "c")
    assert model.memory == [] and model.sample(1)[0].size == tiny_picture.size
    half = iter_train(tiny_picture, config, checkpoint_dir=tmp_path / "half")
    for event in half:
        if event.total_step == 3:
            break
    half.close()
    assert same(train(tiny_picture, config, checkpoint_dir=tmp_path / "half", resume=True), model)


def test_shared_pictures_train_where_they_are(tiny_config):
    folder = Path(__file__).resolve().parents[2] / "shared" / "data" / "images"
    if not folder.is_dir():
        pytest.skip(f"the comparison pictures are not at {folder}")
    for path in sorted(folder.iterdir())[:3]:
        model = train(path, replace(tiny_config, steps=(1,), max_size=60, photo_size=80))
        assert max(model.image_size) == 80 and model.sample(1)[0].size == model.image_size[::-1]


# --- one scale on ---------------------------------------------------------------------------------


def retrain(model, scale, transform, **options):
    """The steps, and the model that is returned."""
    steps = []
    trained = retrain_scale(model, scale, transform, on_step=lambda step, of: steps.append((step, of)), **options)
    assert {of for _, of in steps} == {at_scale(model.config.steps, scale)}
    return [step for step, _ in steps], trained


def test_retrained_scale_is_the_only_one_that_changes_and_the_model_is_left_alone(tiny_model):
    before = {name: tensor.clone() for name, tensor in weights(tiny_model).items()}
    amps = list(tiny_model.noise_amps)
    steps, model = retrain(tiny_model, 2, lambda images: images.round())
    assert steps == [1, 2, 3, 4, 5, 6]
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(tiny_model).items())
    assert tiny_model.noise_amps == amps
    changed = {name.split(".convs")[0] for name, t in weights(model).items() if not torch.equal(t, before[name])}
    assert changed == {"scales.2"}
    assert [k for k in range(4) if model.noise_amps[k] != amps[k]] == [2]
    assert model.num_scales == 6 and model.levels == tiny_model.levels
    assert not any(p.requires_grad for p in model.generators[2].parameters())


def test_retraining_goes_by_its_seed(tiny_model):
    first, again, other = (retrain(tiny_model, 1, torch.round, seed=seed)[1] for seed in (3, 3, 4))
    assert same(first, again) and not same(first, other)


@pytest.mark.parametrize("pool_size", [0, 6])
def test_retraining_starts_from_transformed_images_only(tiny_model, pool_size, monkeypatch):
    model = replace(tiny_model, config=replace(tiny_model.config, pool_size=pool_size))
    draw, drawn = CropTrainer._draw_base, []
    monkeypatch.setattr(CropTrainer, "_draw_base", lambda *args: drawn.append(draw(*args)) or drawn[-1])
    retrain(model, 2, lambda images: torch.full_like(images, 0.25))
    assert len(drawn) == 6
    m = model.config.layers
    assert all((base[:, :, m:-m, m:-m] == 0.25).all() for base in drawn)


def test_retraining_learns_to_undo_the_transform(tiny_picture, tiny_config):
    config = replace(tiny_config, generators=None, voting_rounds=(0,), field=False)
    model = train(tiny_picture, replace(config, steps=(60,), max_size=45, num_scales=2))

    def darker(images):
        return images - 0.5

    base = darker(resize(model.reconstruct_tensor(1), model.scale_sizes[1]))
    errors = [
        float((refine(m.generators[1], base, None, m.config) - m.real_at(1)).square().mean())
        for m in (model, retrain(model, 1, darker)[1])
    ]
    assert errors[1] < 0.5 * errors[0]


def test_retraining_that_diverges_is_an_error(tiny_model, monkeypatch):
    spoil(monkeypatch, {0})
    with pytest.raises(TrainingError, match="^Retraining scale 2 diverged at step 0: try another seed"):
        retrain(tiny_model, 2, torch.round)
