"""Error types. Every message states the value, the limit and the cure on one line."""

from __future__ import annotations

from typing import Any


class SinGANError(Exception):
    """Base of every error that a caller can cause or cure; its text is one plain line."""


class ImageError(SinGANError):
    """The input is not an image that SinGAN can learn from."""


class ConfigError(SinGANError):
    """A setting is outside its range, or settings contradict one another."""


class CheckpointError(SinGANError):
    """A saved model or resume state is missing, damaged, or belongs to another run."""


class HubError(SinGANError):
    """The Hugging Face Hub could not be reached, or refused; what was asked for was not done, not even in part."""


class TrainingError(SinGANError):
    """Training could not go on. `model` holds the scales finished before it, or None if there are none."""

    def __init__(self, message: str, *, model: Any = None) -> None:
        super().__init__(message)
        self.model = model


class Interrupted(SinGANError):
    """The user pressed Ctrl-C; the text says what is kept and how to go on."""


class ImageWarning(UserWarning):
    """The image was accepted, but part of it (transparency, later frames) was not used as it stands."""


class TaskWarning(UserWarning):
    """The task was done, but could have been done better; the text says how."""


def one_line(error: object, most: int = 200) -> str:
    """What an error says, on one line of at most so many letters; or else what it is called."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def shortened(value: object) -> str:
    """`value` as messages show it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
