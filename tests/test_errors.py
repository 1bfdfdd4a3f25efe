"""What every error has in common."""

import pytest

import singan
from singan.errors import TrainingError


@pytest.mark.parametrize("name", ["ImageError", "ConfigError", "CheckpointError", "HubError", "TrainingError"])
def test_every_error_is_caught_as_singan_error(name):
    with pytest.raises(singan.SinGANError, match="^what and why$"):
        raise getattr(singan, name)("what and why")


def test_training_error_carries_the_finished_scales():
    finished = object()
    assert TrainingError("text", model=finished).model is finished
    assert TrainingError("text").model is None


@pytest.mark.parametrize("name", ["ImageWarning", "TaskWarning"])
def test_warnings_are_shown_by_default(name):
    """Python hides some kinds of warning by default; a UserWarning is shown."""
    assert issubclass(getattr(singan, name), UserWarning)
    assert not issubclass(getattr(singan, name), singan.SinGANError)
