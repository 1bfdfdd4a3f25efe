"""What a study is like: its limits, its settings, and what its answers are made of."""

from __future__ import annotations

import math
from dataclasses import dataclass

from singan.checks import check_range, check_seed
from singan.errors import ConfigError

FORMAT_VERSION = 1  # of the answers
SHOWN = {  # by kind: what may be shown, place by place, and what may be said of it
    "paired": [["generated", "real"], ["real", "generated"]],
    "unpaired": [["real"], ["generated"]],
}
MAX_TRIALS, MAX_PRACTICE = 50, 10
PARTS = (1, 4, 9)  # that a photograph may be cut into
MIN_SIDE, MAX_SIDE = 64, 2048  # pixels of what is shown
MIN_SECONDS, MAX_SECONDS = 0.05, 60
MAX_NAME = 300  # letters of the name of a method or a model


def is_name(value: object) -> bool:
    """Whether that may be what a method or a model is called: one line that breaks no terminal."""
    return isinstance(value, str) and value.isprintable() and 0 < len(value) <= MAX_NAME


@dataclass(frozen=True)
class Settings:
    """How a study is made. `kinds`: of SHOWN; `trials` and `practice`: the most of them; `parts`: of each photograph;
    `max_side`: of a part, in pixels. Raises `ConfigError` on a value out of range."""

    kinds: tuple[str, ...] = tuple(SHOWN)
    trials: int = MAX_TRIALS
    practice: int = 5
    parts: int = 1
    max_side: int = 512
    seconds: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("trials", self.trials, 1, MAX_TRIALS, int)
        check_range("practice", self.practice, 0, MAX_PRACTICE, int)
        check_range("max_side", self.max_side, MIN_SIDE, MAX_SIDE, int)
        check_range("seconds", self.seconds, MIN_SECONDS, MAX_SECONDS)
        check_seed(self.seed, MAX_TRIALS + MAX_PRACTICE)
        if self.parts not in PARTS:
            raise ConfigError(f"parts is {self.parts}; a photograph is shown in 1, 4 or 9 parts.")

    @property
    def longest(self) -> int:
        """Of a photograph, the longest side in pixels."""
        return self.max_side * math.isqrt(self.parts)
