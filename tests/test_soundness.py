"""Training in bfloat16 reads nothing that nobody wrote.

On CPUs with AMX, torch's bfloat16 gradient of a 3x3 convolution reads unwritten memory where the output has certain
widths (singan/networks.py). So no step may have such a width, and a step amid memory full of NaN gives finite gradients
that agree with those of float32. Both are looked at in the same steps, with the crops of such a CPU. Without one the
second holds whatever the widths are; the first tells anywhere.
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

import singan
from singan import networks
from singan.config import TrainConfig
from singan.device import half_precision
from singan.networks import SOUND_WIDTHS, sound_width
from singan.tasks.animation import animation_config
from singan.tasks.super_resolution import super_resolution_config
from singan.training import step
from singan.training.start import begin_scale, scale_trainer, start_run

TINY = {"steps": 1, "pool_size": 2, "batch_size": 1, "width": 16, "critic_width": 16}  # the fault takes 16 channels
# Of a whole gradient, relative to that in float32; rounding alone makes up to 0.09, with batch norm 0.55; NaN is far
# beyond.
TOLERANCE, TOLERANCE_PAPER = 0.15, 0.7

# (height, width): portrait, landscape, square, panoramas, odd ones, those at which unsound widths would be met
SIZES = [
    (768, 1024), (1024, 683), (577, 1023), (341, 1024), (1024, 300), (54, 70), (61, 62), (91, 94), (93, 61),
    (40, 92), (25, 63), (33, 257), (129, 71),
]  # fmt: skip
SMALL = SIZES[6::2]  # steps of which are soon made

# Its first steps would part ways in the two precisions, and each scale starts from the one before: so tiny ones.
PAPER = {"steps": 1, "width": 16, "critic_width": 16, "mixed_precision": True, "generator_lr": 1e-9, "critic_lr": 1e-9}
CONFIGS = {
    "paper": lambda size: singan.TrainConfig.preset("paper", **PAPER, critic_updates=1, generator_updates=1),
    "fast": lambda size: singan.TrainConfig.preset("fast", **TINY),
    "animation": lambda size: animation_config(**TINY),
    "super-resolution": lambda size: replace(super_resolution_config(4, size[::-1]), **TINY),
}


def picture(height: int, width: int) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height // 6 + 2, width // 6 + 2, 3), np.uint8)
    return Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC)


def trainers(size, config):
    """A trainer for each scale; but for the published one, all from the same blank images."""
    run = start_run(picture(*size), config, 0, torch.device("cpu"))
    for k in range(len(run.real)):
        if not config.published:
            run.finished = replace(run.finished, scales=k)
        run.state = begin_scale(run)
        trainer = scale_trainer(run)
        yield trainer
        if config.published:
            run.finished = trainer.finish()


def recorded(monkeypatch) -> set[int]:
    """The widths of what 3x3 convolutions put out, and of what transposed ones take in, from now on."""
    found = set()
    convolve, transposed = F.conv2d, F.conv_transpose2d

    def record(x, weight, *args, **kwargs):
        out = convolve(x, weight, *args, **kwargs)
        if weight.shape[-1] == 3 and torch.is_grad_enabled():
            found.add(out.shape[-1])
        return out

    def record_transposed(x, weight, *args, **kwargs):
        found.add(x.shape[-1])
        return transposed(x, weight, *args, **kwargs)

    monkeypatch.setattr(F, "conv2d", record)
    monkeypatch.setattr(F, "conv_transpose2d", record_transposed)
    return found


def fill_free_memory_with_nan() -> None:
    """Take memory in pieces of many sizes, write NaN into it, and give it back."""
    pieces = [torch.full((2**k * m // 4,), math.nan) for k in range(8, 19) for m in (4, 5, 6, 7) for _ in range(3)]
    del pieces


class Step(NamedTuple):
    """A step of one scale: its size, its widths, and all gradients of the generator, and of the critic."""

    size: tuple[int, int]
    widths: set[int]
    gradients: list[torch.Tensor]


def steps(size, config, half: bool) -> list[Step]:
    """One of each scale, amid NaN, with the crops that a CPU with AMX gets."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "amx_in_use", lambda device: True)
        widths = recorded(patch)
        for trainer in trainers(size, config):
            trainer.precision = half_precision(torch.device("cpu"), half)
            fill_free_memory_with_nan()
            widths.clear()
            losses = trainer.step()
            assert all(map(math.isfinite, losses.values())), (trainer.run.scale, losses)
            both = (trainer.state.generator, trainer.state.critic)
            gradients = [torch.cat([p.grad.flatten() for p in network.parameters()]).clone() for network in both]
            found.append(Step(trainer.size, set(widths), gradients))
    return found


@pytest.fixture(scope="module", params=[(size, name) for size in SIZES for name in CONFIGS], ids=str)
def taken(request) -> tuple[TrainConfig, list[Step], list[Step]]:
    """A config, and the steps of each scale of a picture in bfloat16, and in float32, on the same crops and noise."""
    size, name = request.param
    config = CONFIGS[name](size)
    return config, steps(size, config, True), steps(size, config, False)


def test_no_step_has_a_width_that_is_not_sound(taken):
    config, half, _ = taken
    for scale, step_ in enumerate(half):
        # Of generator, critic and penalty; columns of several layers may be as wide as one another.
        assert len(step_.widths) >= (2 if config.published else 2 * config.layers - 2)
        assert step_.widths <= SOUND_WIDTHS, f"scale {scale}, {step_.size}: {sorted(step_.widths - SOUND_WIDTHS)}"


def test_gradients_amid_nan_agree_with_those_of_float32(taken):
    config, *both = taken
    for scale, steps_ in enumerate(zip(*both, strict=True)):
        for kind, half, full in zip(("generator", "critic"), *(one.gradients for one in steps_), strict=True):
            assert half.isfinite().all() and full.isfinite().all(), (scale, kind)
            error = float((half - full).norm() / full.norm())
            assert error < (TOLERANCE_PAPER if config.published else TOLERANCE), f"scale {scale}, {kind}: {error:.3f}"


def test_widths_would_not_be_sound_if_crops_were_as_wide_as_they_could_be(monkeypatch):
    """What the test above is worth: with each config, and the crops that TrainConfig has, most sizes would fail."""
    widths = recorded(monkeypatch)
    monkeypatch.setattr(step, "sound_width", lambda width, layers: width)
    monkeypatch.setattr(networks, "amx_in_use", lambda device: False)
    for name, config in CONFIGS.items():
        failing = 0
        for size in SMALL:
            widths.clear()
            chosen = replace(config(size), width=(2,), critic_width=(2,))
            chosen = chosen if chosen.published else replace(chosen, crop_size=TrainConfig().crop_size)
            for trainer in trainers(size, chosen):
                trainer.step()
            failing += not widths <= SOUND_WIDTHS
        assert failing >= (1 if name == "fast" else len(SMALL) // 2), name


def test_in_float32_crops_are_as_wide_as_they_can_be():
    config = CONFIGS["super-resolution"]((100, 94))
    (whole,), (sound,) = (
        [t.crop for t in trainers((100, 94), replace(config, crop_size=None, mixed_precision=on))]
        for on in (False, True)
    )
    assert whole == (100, 94) and sound[0] == 100 and sound[1] < 94


@pytest.mark.parametrize("layers", [2, 3, 5, 8])
def test_sound_width_is_the_widest_that_is(layers):
    def sound(width):
        outputs = [width + 2 * layers - 2 * i for i in range(1, layers + 1)]  # the generator's
        outputs += [width - 2 * i for i in range(1, layers + 1)]  # the critic's, and the penalty's way back
        return all(w in SOUND_WIDTHS for w in [*outputs, width] if w > 0)

    for width in range(2 * layers + 2, 200):
        chosen = sound_width(width, layers)
        assert chosen <= width and sound(chosen) and not any(sound(w) for w in range(chosen + 1, width + 1))


def test_three_runs_from_one_seed_give_the_same_weights_to_the_last_bit():
    config = singan.TrainConfig.preset("fast", **{**TINY, "steps": 3}, voting_rounds=1, max_size=80)
    runs = []
    for _ in range(3):
        fill_free_memory_with_nan()
        model = singan.train(picture(93, 127), config, seed=4, device="cpu")
        runs.append([p for generator in model.generators for p in generator.parameters()])
        assert all(p.isfinite().all() for p in runs[-1])
    assert len(runs[0]) > 0
    for again in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0], again, strict=True))
