"""Training as a stream of events."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Sequence
from typing import Any

import torch

from singan.checks import check_range, check_seed
from singan.config import TrainConfig
from singan.device import pick_device
from singan.errors import ConfigError, TrainingError
from singan.image import Picture, load_image
from singan.model import SinGAN
from singan.storage.description import MAX_PICTURES
from singan.training.events import TrainEvent, make_event
from singan.training.progress import with_bar
from singan.training.resume import Keeper
from singan.training.start import begin_scale, scale_trainer, start_run
from singan.training.state import Diverged, TrainingRun

CHECKPOINT_SECONDS = 30.0

Pictures = Picture | Sequence[Picture]


def train(
    image: Pictures,
    config: TrainConfig | None = None,
    *,
    shares: Sequence[float] | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    on_event: Callable[[TrainEvent], object] | None = None,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    stop: Callable[[], bool] | None = None,
    progress: bool | None = None,
) -> SinGAN:
    """Learn one image or several; `iter_train` run to its end, with the same arguments. `on_event` is shown all events.

    `progress`: show a bar; by default where somebody sees it, on a terminal and in a notebook.
    """
    kept: dict[str, Any] = {"checkpoint_dir": checkpoint_dir, "resume": resume, "stop": stop}
    events = iter_train(image, config, shares=shares, seed=seed, device=device, **kept)
    for event in with_bar(events, progress):
        if on_event:
            on_event(event)
    assert event.model is not None  # the last event carries it
    return event.model


def draft(
    image: Pictures,
    config: TrainConfig | None = None,
    *,
    shares: Sequence[float] | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
) -> SinGAN:
    """A model without training, in a fraction of a second: `train` with the preset "draft".

    Its samples are the photograph's own patches, put together anew after its coarsest image was displaced at random.
    `image`, `shares`: as `iter_train` takes them. `config`: another one without generators. Raises `ImageError`,
    `ConfigError`.
    """
    config = config or TrainConfig.preset("draft")
    if config.generators != 0:
        raise ConfigError("A draft has no generators: set generators to 0, or train.")
    return train(image, config, shares=shares, seed=seed, device=device, progress=False)


def iter_train(
    image: Pictures,
    config: TrainConfig | None = None,
    *,
    shares: Sequence[float] | None = None,
    seed: int = 0,
    device: str | torch.device | None = None,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    preview_every: int | None = None,
    stop: Callable[[], bool] | None = None,
) -> Generator[TrainEvent, None, None]:
    """Learn one image, or several together, yielding an event a step.

    `image`: anything `load_image` takes, or a list of 2 to 8 of these, whose parts samples mix: the first gives their
    size, and the others are brought to as many pixels. `shares`: how much of a sample is of each picture, in
    proportion to one another; by default the same of all. `seed` fixes all randomness: the same seed on the same
    machine gives the same weights to the last bit. `checkpoint_dir`: the run is kept there, at the start, every 30 s,
    after each scale, and when it is broken off in any way; `resume` continues it and ends with the weights of an
    uninterrupted run. `preview_every`: a preview every so many steps. `stop` is asked at every step; once it
    returns True the run ends with the scales finished so far.

    Raises `ImageError`; `ConfigError` on a seed, `preview_every` or shares out of range; `CheckpointError` if there is
    nothing to resume, or something that would be overwritten; `TrainingError` if a scale diverges twice (its `model`
    holds the finished scales) or the run is stopped before the first scale is finished.
    """
    seed = check_seed(seed)
    if preview_every is not None:
        check_range("preview_every", preview_every, 1, 10**9, int)
    pictures: list[Any] = list(image) if isinstance(image, list | tuple) else [image]
    parts = checked_shares(len(pictures), shares)
    images = [load_image(one) for one in pictures]

    def events() -> Generator[TrainEvent, None, None]:
        run = start_run(images[0], config or TrainConfig(), seed, pick_device(device), images[1:], parts)
        images.clear()  # which may be of a hundred megapixels
        yield from _learn(run, Keeper(run, checkpoint_dir, resume), preview_every, stop)

    return events()


def checked_shares(count: int, shares: Sequence[float] | None) -> list[float]:
    """The shares of so many pictures, which sum to 1. Raises `ConfigError`."""
    check_range("pictures", count, 1, MAX_PICTURES, int)
    shares = [1.0] * count if shares is None else list(shares)
    if len(shares) != count:
        raise ConfigError(f"There are {len(shares)} shares for {count} pictures: give each picture one, or none any.")
    for share in shares:
        check_range("share", share, 0.01, 100)
    return [float(share / sum(shares)) for share in shares]


def _learn(
    run: TrainingRun, keeper: Keeper, preview_every: int | None, stop: Callable[[], bool] | None
) -> Generator[TrainEvent, None, None]:
    """All scales that are not learned yet."""
    start = time.monotonic() - run.seconds
    last = len(run.real) - 1
    yield make_event("start", run, max(0, min(run.scale, last)), run.state.step if run.state else 0)
    with keeper:
        while run.scale <= last:
            run.state = run.state or begin_scale(run)
            try:
                stopped = yield from _learn_scale(run, keeper, start, preview_every, stop)
            except Diverged:  # nothing of it is worth a checkpoint
                run.state = begin_scale(run, run.state.attempt + 1)
                continue
            if stopped:
                yield make_event("done", run, run.scale, run.state.step, model=True)
                return
            yield make_event("scale", run, run.scale - 1, run.steps[run.scale - 1], model=True)
        yield make_event("done", run, max(0, last), sum(run.steps[-1:]), model=True)


def _learn_scale(
    run: TrainingRun, keeper: Keeper, start: float, preview_every: int | None, stop: Callable[[], bool] | None
) -> Generator[TrainEvent, None, bool]:
    """The steps of the scale that the run is at, and its end. Returns True if it was stopped; raises `Diverged`."""
    state, trainer = run.state, scale_trainer(run)
    assert state is not None
    while state.step < run.steps[run.scale]:
        if stop and stop():
            if run.scale == 0:
                raise TrainingError("The run was stopped before its first scale was finished: nothing to keep.")
            return True
        with keeper.changing():
            run.losses = trainer.step()
        run.seconds = time.monotonic() - start
        keeper.save(CHECKPOINT_SECONDS)
        look = preview_every is not None and state.step % preview_every == 0
        yield make_event("step", run, run.scale, state.step, shown=trainer.so_far().model.sample()[0] if look else None)
    keeper.save()  # where it goes on from if it is broken off in the next line
    with keeper.changing():
        run.finished, run.state = trainer.finish(), None
    run.seconds = time.monotonic() - start
    keeper.save()
    return False
