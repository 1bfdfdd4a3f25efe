"""The events of a run on a server, in as many calls as its GPU is lent for."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from singan.config import TrainConfig
from singan.errors import SinGANError
from singan.files import STATE_FILE
from singan.training.events import TrainEvent
from singan.training.loop import iter_train
from singan.ui import zerogpu
from singan.ui.work import short

PREVIEW_STEPS = 50  # between two previews of the scale that is being learned


@zerogpu.borrow_gpu
def learn(
    images: list[Image.Image],
    config: TrainConfig,
    seed: int,
    folder: Path,
    model: Path,
    preview_every: int,
    shares: list[float] | None,
) -> Generator[TrainEvent | SinGANError, None, None]:
    """The events of a run that is kept in `folder`; the finished scales are saved in `model`.

    On ZeroGPU a call ends after a scale, and goes on in the next one. An error is a value: as an exception it would
    lose its text on the way out of the worker.
    """
    resuming, started = (folder / STATE_FILE).exists(), time.monotonic()
    seen: Image.Image | None = None  # of the finished scales
    kept: dict[str, Any] = {"checkpoint_dir": folder, "resume": resuming}
    events = iter_train(images, config, shares=shares, seed=seed, preview_every=preview_every, **kept)
    with closing(events):
        try:
            for event in events:
                if event.kind == "start":
                    started = time.monotonic()  # so that a call does at least one step
                if event.kind == "scale" and event.model:
                    event.model.save_pretrained(model)
                shown = seen if event.kind == "done" and seen else event.preview
                yield replace(event, model=None, shown=shown)
                seen = shown if event.kind == "scale" else seen
                if not zerogpu.ON:  # a worker, which was forked, never hears that a short job has ended
                    short.give_way()
                finished = event.kind == "scale" and event.scale < event.scales - 1
                over = event.kind == "step" and time.monotonic() - started > zerogpu.CALL_SECONDS
                if zerogpu.ON and (finished or over):
                    return
        except SinGANError as error:
            yield type(error)(str(error))


def learn_all(
    images: list[Image.Image],
    config: TrainConfig,
    seed: int,
    folder: Path,
    model: Path,
    preview_every: int = PREVIEW_STEPS,
    shares: list[float] | None = None,
) -> Generator[TrainEvent, None, None]:
    """The events of a whole run, in as many calls as it takes. Raises what went wrong in one of them."""
    while True:
        with closing(learn(images, config, seed, folder, model, preview_every, shares)) as events:
            for event in events:
                if isinstance(event, SinGANError):
                    raise event
                yield event
                if event.kind == "done":
                    return
