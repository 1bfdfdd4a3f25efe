"""SinGAN: learn one photograph, sample new ones from it.

    import singan
    model = singan.train("photo.jpg")
    model.sample(4)[0].save("sample.png")

The names below are loaded when first used: `import singan` and `singan --help` do not wait for PyTorch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from singan.config import PRESETS, TrainConfig
    from singan.errors import (
        CheckpointError,
        ConfigError,
        HubError,
        ImageError,
        ImageWarning,
        SinGANError,
        TaskWarning,
        TrainingError,
    )
    from singan.image import load_image
    from singan.model import SinGAN
    from singan.tasks import (
        TaskEvent,
        animate,
        animation_config,
        denoise,
        edit,
        extend,
        fill,
        harmonize,
        iter_frames,
        paint_to_image,
        retarget,
        super_resolution_config,
        super_resolve,
        variation_map,
    )
    from singan.trainer import TrainEvent, draft, iter_train, train

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "CheckpointError",
    "ConfigError",
    "HubError",
    "ImageError",
    "ImageWarning",
    "SinGAN",
    "SinGANError",
    "TaskEvent",
    "TaskWarning",
    "TrainConfig",
    "TrainEvent",
    "TrainingError",
    "__version__",
    "animate",
    "animation_config",
    "denoise",
    "draft",
    "edit",
    "extend",
    "fill",
    "harmonize",
    "iter_frames",
    "iter_train",
    "load_image",
    "paint_to_image",
    "retarget",
    "super_resolution_config",
    "super_resolve",
    "train",
    "variation_map",
]

_HOME = {
    "PRESETS": "config",
    "TrainConfig": "config",
    "CheckpointError": "errors",
    "ConfigError": "errors",
    "HubError": "errors",
    "ImageError": "errors",
    "ImageWarning": "errors",
    "SinGANError": "errors",
    "TrainingError": "errors",
    "load_image": "image",
    "SinGAN": "model",
    "TaskWarning": "errors",
    "TrainEvent": "trainer",
    "draft": "trainer",
    "iter_train": "trainer",
    "train": "trainer",
    "TaskEvent": "tasks",
    "animate": "tasks",
    "animation_config": "tasks",
    "denoise": "tasks",
    "edit": "tasks",
    "extend": "tasks",
    "fill": "tasks",
    "harmonize": "tasks",
    "iter_frames": "tasks",
    "paint_to_image": "tasks",
    "retarget": "tasks",
    "super_resolution_config": "tasks",
    "super_resolve": "tasks",
    "variation_map": "tasks",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'singan' has no attribute {name!r}")
    return getattr(import_module(f"singan.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
