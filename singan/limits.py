"""How large a picture may be, and what one visitor of the app may ask of the machine, set by environment variables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from singan.errors import ConfigError

MAX_INPUT_PIXELS = 100_000_000  # a 100-megapixel photo takes 300 MB as RGB
MAX_CALL_PIXELS = 40_000_000  # of all samples or results of one call
SPACE_SECONDS = 900  # of a run on a Space, unless it says otherwise


def check_megapixels(number: int, size: tuple[int, int]) -> None:
    """Raise `ConfigError` if so many samples of that size, (height, width), are more than a call may ask for."""
    megapixels = number * size[0] * size[1] / 1e6
    if megapixels > MAX_CALL_PIXELS / 1e6:
        raise ConfigError(
            f"{number} samples of {size[1]}x{size[0]} px are {megapixels:.3g} megapixels; "
            f"the limit is {MAX_CALL_PIXELS / 1e6:g}: ask for fewer or smaller ones."
        )


@dataclass(frozen=True)
class Limits:
    """The defaults are those of `python app.py` on one's own machine."""

    max_seconds: float = math.inf  # of one training run, resumed or not
    max_upload_megapixels: float = 25
    allow_training: bool = True

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Limits:
        """Read SINGAN_MAX_SECONDS, SINGAN_MAX_UPLOAD_MEGAPIXELS and SINGAN_ALLOW_TRAINING; empty is unset.

        Raises `ConfigError` on a value that is out of range.
        """
        allow = environment.get("SINGAN_ALLOW_TRAINING") or "1"
        if allow not in ("0", "1"):
            raise ConfigError(f"SINGAN_ALLOW_TRAINING is {allow!r}; give 0 or 1.")
        on_space = "SPACE_ID" in environment
        return cls(
            max_seconds=_number(environment, "SINGAN_MAX_SECONDS", SPACE_SECONDS if on_space else math.inf, math.inf),
            max_upload_megapixels=_number(
                environment, "SINGAN_MAX_UPLOAD_MEGAPIXELS", cls.max_upload_megapixels, MAX_INPUT_PIXELS / 1e6
            ),
            allow_training=allow == "1",
        )


def _number(environment: Mapping[str, str], name: str, default: float, most: float) -> float:
    text = environment.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= most:
        bound = "" if math.isinf(most) else f", at most {most:g}"
        raise ConfigError(f"{name} is {text!r}; give a number above 0{bound}.")
    return value
