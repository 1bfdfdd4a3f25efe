"""Checks of numbers that a caller gives: ranges, seeds and sizes, each worded in one place."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from singan.errors import ConfigError, shortened

MIN_SIDE, MAX_OUTPUT_PIXELS = 16, 100_000_000  # of an image that is made


def check_range(name: str, value: Any, low: float, high: float, kind: type = float, *, says: str | None = None) -> None:
    """Raise `ConfigError` unless `value` is a number, a whole one where `kind` is int, from `low` to `high`; `says`:
    what to say if it is out of that range."""
    number: Any = Integral if kind is int else Real
    if isinstance(value, bool) or not isinstance(value, number):
        raise ConfigError(f"{name} is {shortened(value)}; it takes {'whole ' if kind is int else ''}numbers.")
    if not low <= value <= high:  # so that NaN is out of it
        if isinstance(value, Integral):
            shown = str(value) if abs(int(value)) < 10**20 else f"{max(-(10**300), min(int(value), 10**300)):g}"
        else:
            shown = f"{value:g}"
        raise ConfigError(f"{name} is {shown}; {says or f'it goes from {low:g} to {high:g}'}.")


def check_seed(seed: int, n: int = 1) -> int:
    """`seed`, which may be NumPy's, as PyTorch takes it. Raises `ConfigError` unless it and the n - 1 after it are
    seeds."""
    check_range("seed", seed, 0, 2**63 - 1 - n, int, says="it goes from 0 to 2^63")
    return int(seed)


def check_size(size: Any) -> None:
    """Raise `ConfigError` unless `size` is a (height, width) in which an image can be made."""
    whole = isinstance(size, (tuple, list)) and all(isinstance(side, Integral) for side in size)
    if not whole or len(size) != 2:
        raise ConfigError(f"size is {shortened(size)}; give (height, width) in whole pixels.")
    height, width = size
    if min(size) < MIN_SIDE or height * width > MAX_OUTPUT_PIXELS:
        raise ConfigError(
            f"size is {height}x{width} px; sides start at {MIN_SIDE} px "
            f"and the area ends at {MAX_OUTPUT_PIXELS / 1e6:g} megapixels."
        )
