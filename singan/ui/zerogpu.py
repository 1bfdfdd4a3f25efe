"""A Space on ZeroGPU, which lends its GPU to one call at a time: that runs in a forked worker, whose arguments and
results are pickled and whose changes to variables are lost. Elsewhere a call is a call."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T", bound=Callable)

ON = bool(os.environ.get("SPACES_ZERO_GPU"))
LENT_SECONDS = 60  # asked for a call; what a visitor has is counted in minutes a day
CALL_SECONDS = LENT_SECONDS - 15 if ON else math.inf  # after which a call puts its state into files and ends
DEVICE = "cpu" if ON else None  # of what runs outside such calls; None: the best there is

if ON:
    import spaces  # type: ignore[import-not-found]

    borrow_gpu: Callable[[T], T] = spaces.GPU(duration=LENT_SECONDS)
else:

    def borrow_gpu(function: T) -> T:
        """Run the generator `function` where the GPU is."""
        return function
