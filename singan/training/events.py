"""What training tells of itself."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from PIL import Image

from singan.config import at_scale
from singan.model import SinGAN
from singan.training.state import TrainingRun

STEP_OVERHEAD = 2000  # what a step costs beyond its arithmetic, in pixels of width 32; for the time estimate

Kind = Literal["start", "step", "scale", "done"]


@dataclass(frozen=True)
class TrainEvent:
    """One moment of a run. `kind` is "start", "step", "scale" (a scale is finished) or "done" (the last event)."""

    kind: Kind
    scale: int  # 0 is the coarsest
    scales: int
    step: int  # within the scale, 1 to `steps`
    steps: int
    total_step: int  # over all scales
    total_steps: int
    size: tuple[int, int]  # (height, width) of this scale
    losses: dict[str, float]  # critic_real D(x), critic_fake D(G(z)), penalty, reconstruction (RMSE, 0 to 255)
    seconds: float  # since the start, those before a resume included
    seconds_left: float | None
    model: SinGAN | None = None  # the finished scales: on "scale" and "done"
    shown: Image.Image | None = None  # a preview that is drawn already

    @cached_property
    def preview(self) -> Image.Image | None:
        """The first sample of what is learned so far: on "scale", "done", and steps if asked for; of a draft its photo.
        Drawn when it is first looked at."""
        if self.shown or not self.model:
            return self.shown
        return self.model.sample()[0] if self.model.generators else self.model.training_image


def make_event(
    kind: Kind, run: TrainingRun, scale: int, step: int, *, shown: Image.Image | None = None, model: bool = False
) -> TrainEvent:
    """An event of that step of that scale; with the `model` or without."""
    steps = run.steps or [0]  # none: a draft
    return TrainEvent(
        kind=kind,
        scale=scale,
        scales=len(steps),
        step=step,
        steps=steps[scale],
        total_step=sum(steps[:scale]) + step,
        total_steps=sum(steps),
        size=run.sizes[scale] if run.real else run.model.scale_sizes[0],
        losses=dict(run.losses),
        seconds=run.seconds,
        seconds_left=_seconds_left(run, scale, step),
        model=run.model if model else None,
        shown=shown,
    )


def _seconds_left(run: TrainingRun, scale: int, step: int) -> float | None:
    """By what the steps cost until now; None before the first one."""
    config = run.config
    areas = [min(h * w, (config.crop_size or 10_000) ** 2) for h, w in run.sizes]
    costs = [
        area * (at_scale(config.width, k) / 32) ** 2 * at_scale(config.batch_size, k) / 4 + STEP_OVERHEAD
        for k, area in enumerate(areas)
    ]
    total = sum(cost * steps for cost, steps in zip(costs, run.steps, strict=True))
    done = sum(cost * steps for cost, steps in zip(costs[:scale], run.steps, strict=False))
    done += costs[scale] * step if costs else 0
    return run.seconds * (total - done) / done if done and run.seconds else None
