"""One scale of a finished model, trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch

from singan.errors import TrainingError
from singan.model import SinGAN
from singan.training.start import begin_scale, scale_trainer
from singan.training.state import Diverged, Finished, TrainingRun
from singan.training.step import POOL_MIN, Transform

MOST = 16  # of the pool, which is drawn anew


def retrain_scale(
    model: SinGAN, scale: int, transform: Transform, *, seed: int = 0, on_step: Callable[[int, int], object]
) -> SinGAN:
    """The model with one scale trained on, from enlarged coarser images that went through `transform`. `on_step` is
    called with the number of each step, and with that of all. Raises `TrainingError` if it diverges."""
    config, k = model.config, scale
    sizes = model.scale_sizes if config.field else model.scale_sizes[:k]
    coarser = replace(model, scale_sizes=sizes, generators=model.generators[:k], noise_amps=model.noise_amps[:k])
    count = max(POOL_MIN, min(config.pool_size, MOST))
    spread = torch.linspace(config.min_variation, 1, count).tolist()
    pool = torch.cat([coarser.sample_tensor(seed + i, coarser.image_size, 0, v, until=k) for i, v in enumerate(spread)])
    finished = Finished(coarser, pool, coarser.reconstruct_tensor(k), scales=k)
    real = [model.real_at(i) for i in range(len(model.generators))]
    run = TrainingRun(config, seed, model.device, real, torch.Generator().manual_seed(seed), finished)
    run.state = state = begin_scale(run)
    state.generator.load_state_dict(model.generators[k].state_dict())
    for average, weight in zip(state.ema, state.weights, strict=True):
        average.copy_(weight.detach())
    trainer = scale_trainer(run, transform)
    try:
        while state.step < run.steps[k]:
            trainer.step()
            on_step(state.step, run.steps[k])
        trained = trainer.so_far().model
    except Diverged:
        raise TrainingError(f"Retraining scale {k} diverged at step {state.step}: try another seed.") from None
    generators, amps = list(model.generators), list(model.noise_amps)
    generators[k], amps[k] = trained.generators[k], trained.noise_amps[k]
    return replace(model, generators=generators, noise_amps=amps)
