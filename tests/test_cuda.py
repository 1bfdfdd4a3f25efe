"""What a GPU computes: everything, the same each time, and nearly what the CPU computes. The rest of the suite runs on
the CPU."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from test_tasks_photographs import SMALL, TASKS, composite, mask, photograph

import singan

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

CONFIGS = {
    "draft": singan.TrainConfig.preset("draft", max_size=100),
    "fast": singan.TrainConfig.preset("fast", **SMALL, crop_size=40, pool_size=4),
    "paper": singan.TrainConfig.preset("paper", **SMALL),
}


SAMPLES: dict[str, dict[str, Any]] = {
    "as it is": {},
    "in a new order": {"variation": 0.9},
    "larger": {"size": (260, 500)},
    "generators only": {"generators_only": True},
    "a tile": {"tile": "both"},
    "mirrored": {"mirror": "x"},
}


@pytest.fixture(scope="module")
def models(photograph) -> dict[str, singan.SinGAN]:
    return {name: singan.train(photograph, config, device="cuda") for name, config in CONFIGS.items()}


@pytest.mark.parametrize("preset", CONFIGS)
@pytest.mark.parametrize("task", TASKS)
def test_every_task_runs_and_repeats(models, composite, mask, preset, task):
    model, size = models[preset], models[preset].image_size[::-1]
    assert model.device.type == "cuda"
    given = [image.resize(size, Image.Resampling.NEAREST) for image in (composite, mask)]
    first, again = (TASKS[task](model, *given) for _ in range(2))
    assert first and all((image.size, image.mode) == (size, "RGB") for image in first)
    for one, two in zip(first, again, strict=True):
        assert np.abs(np.asarray(one, int) - np.asarray(two, int)).mean() < 0.5


@pytest.mark.parametrize("kind", SAMPLES)
def test_every_kind_of_sample_is_drawn_and_repeats(models, kind):
    first, again = (models["fast"].sample(2, **SAMPLES[kind]) for _ in range(2))
    for one, two in zip(first, again, strict=True):
        assert np.abs(np.asarray(one, int) - np.asarray(two, int)).mean() < 0.5


def test_what_is_pinned_stays_and_sources_are_told(models, photograph, mask):
    (drawn,) = models["fast"].sample(1, pin=mask, source=True)
    white = np.asarray(mask) > 0
    assert np.array_equal(np.asarray(drawn.image)[white], np.asarray(photograph)[white])
    assert drawn.source.shape[:2] == white.shape


def test_filling_extending_and_super_resolution_run(models, mask):
    assert singan.fill(models["fast"], mask)[0].size == mask.size
    assert singan.extend(models["draft"], right=0.2)[0].size == (252, 154)
    small = models["fast"].training_image.resize((60, 44))
    assert singan.super_resolve(small, 2, device="cuda").size == (120, 88)


def test_several_pictures_are_mixed(photograph):
    turned = photograph.transpose(Image.Transpose.ROTATE_180)
    for config in (CONFIGS["draft"], CONFIGS["fast"]):
        model = singan.train([photograph, turned], config, device="cuda")
        assert model.sample(1)[0].size == photograph.size


def test_one_picture_is_drawn_in_the_matter_of_another(models):
    disc = Image.new("L", (120, 90), 20)
    ImageDraw.Draw(disc).ellipse((30, 15, 90, 75), fill=230)
    assert singan.analogy(models["draft"], disc, scale=2)[0].mode == "RGB"
    assert singan.stylize(disc, models["draft"], scale=2)[0].mode == "RGB"


@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_recorded_steps_are_the_steps(photograph, monkeypatch, preset):
    config = replace(CONFIGS[preset], steps=8, critic_updates=2 if preset == "fast" else 3)
    recorded = singan.train(photograph, config, device="cuda")
    monkeypatch.setattr("singan.training.graph.WARM", 10**9)
    plain = singan.train(photograph, config, device="cuda")
    for one, two in zip(recorded.generators, plain.generators, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


@pytest.mark.parametrize("preset", ["fast", "paper"])
def test_saved_model_remembers_on_the_cpu_what_it_did_here(models, preset, tmp_path):
    """Samples may differ: the last bits decide which of two patches, or layouts, that are as good is taken."""
    models[preset].save_pretrained(tmp_path)
    there = singan.SinGAN.from_pretrained(tmp_path, device="cpu")
    one, two = (np.asarray(model.reconstruct(), int) for model in (models[preset], there))
    assert np.abs(one - two).mean() < 2


def test_run_that_was_broken_off_goes_on(photograph, tmp_path):
    events = singan.iter_train(photograph, CONFIGS["fast"], device="cuda", checkpoint_dir=tmp_path)
    next(events), next(events)
    events.close()
    model = singan.train(photograph, CONFIGS["fast"], device="cuda", checkpoint_dir=tmp_path, resume=True)
    whole = singan.train(photograph, CONFIGS["fast"], device="cuda")
    weights = [list(one.generators[0].parameters()) for one in (model, whole)]
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(*weights, strict=True))
