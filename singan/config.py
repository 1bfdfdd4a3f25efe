"""Training settings: one frozen, flat, JSON-able dataclass, and the presets."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypeVar

from singan.errors import ConfigError

T = TypeVar("T")
VARIATION = 0.5  # of samples, unless another is asked for
DETAIL = 0.52  # of super-resolution: as near to the truth as bicubic interpolation, and far sharper


def at_scale(schedule: tuple[T, ...], scale: int) -> T:
    """A schedule lists a value per scale, coarsest first; the last one holds for all finer scales."""
    return schedule[min(scale, len(schedule) - 1)]


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training run; the defaults are the preset `fast`.

    Scale 0 is the coarsest (the paper's N). A field of type tuple is a schedule over scales (`at_scale`) and
    may be given as one number. Images have the range [-1, 1]. Raises `ConfigError` on a value out of range.
    """

    # Pyramid (SinGAN sec. 2.2)
    max_size: int = 250  # longest side that is learned, pixels; the short side stays at least 2 * min_size
    min_size: int = 25  # short side of the coarsest scale, pixels
    scale_factor: float = 0.75  # from one scale to the next coarser; adjusted so that the scales end at min_size
    num_scales: int | None = None  # fixes the number of scales; scale_factor then follows from it
    photo_size: int = 1024  # longest side at which the photograph is kept, and samples come, with `field`; pixels
    generators: int | None = 1  # how many scales, coarsest first, have a generator; None: all
    from_image: bool = False  # scale 0 starts from the training image, a scale_factor smaller, instead of from nothing

    # Networks (SinGAN sec. 2.1)
    width: tuple[int, ...] = (32,)  # channels of the generator
    critic_width: tuple[int, ...] = (32,)  # channels of the critic
    layers: int = 5  # 3x3 convolutions; the receptive field is 2 * layers + 1 pixels
    norm: Literal["none", "batch"] = "none"  # "batch", of older files: drawn by each image's statistics; not trained
    residual: bool = True  # a scale adds to the enlarged coarser image instead of replacing it
    noise_padding: bool = False  # noise, not zeros, outside the image border (for animation)

    # Objective (SinGAN eq. 2 to 5)
    alpha: tuple[float, ...] = (30.0, 30.0, 30.0, 50.0, 50.0, 100.0)  # weight of the reconstruction loss
    penalty: tuple[float, ...] = (0.3, 0.3, 0.3, 0.1)  # weight of the gradient penalty
    noise_amp: float = 0.1  # noise amplitude of scale k is this times RMSE(real, enlarged reconstruction)

    # Optimisation
    steps: tuple[int, ...] = (400, 300)  # per scale
    critic_updates: int = 1  # per step
    generator_updates: int = 1  # per step
    batch_size: tuple[int, ...] = (4,)
    crop_size: int | None = 64  # train on crops of this side where the scale is larger; None: whole images
    generator_lr: tuple[float, ...] = (2e-3,)
    critic_lr: tuple[float, ...] = (2e-3,)
    betas: tuple[float, float] = (0.0, 0.9)  # Adam
    warmup_steps: int = 20  # the learning rate rises over these
    lr_decay: Literal["linear", "step"] = "linear"  # to 0 over the second half | times .1 after step 1600
    ema_decay: float = 0.99  # moving average of the generator's weights; 0: use the last weights
    warm_start: bool = True  # start from the weights of the previous scale where shapes agree
    mixed_precision: bool = True  # bfloat16 convolutions where the hardware has them

    # Sampling during training
    pool_size: int = 48  # images carried from scale to scale; 0: redraw through all scales at each step
    min_variation: float = 0.25  # the pool holds images of all variations from this one to 1
    displacement: float = 1.0  # how far the content of scale 0 moves at variation 1 (`pyramid.displace`)
    candidates: int = 12  # layouts that are drawn for a sample; the one composed most like the training image is taken
    grey_noise: bool = False  # one noise channel repeated to three at scale 0, as published

    # The published program's networks, resizing and steps (docs/paper.md); what it does not know stays as PUBLISHED
    published: bool = False

    # Patches (see singan/patches)
    voting_rounds: tuple[int, ...] = (6, 3, 2, 1, 0)  # per scale
    place_prior: float = 1.0  # how much patches hold to their height in the picture; 0: not at all
    field: bool = True  # finer scales are voted too, and go on to the size of the photograph

    def __post_init__(self) -> None:
        for field in fields(self):
            if str(field.type).startswith("tuple"):
                value = getattr(self, field.name)
                value = tuple(value) if isinstance(value, Iterable) else (value,)
                object.__setattr__(self, field.name, value)
        self._check()

    def _check(self) -> None:
        whole = {"max_size": (25, 8192), "min_size": (8, 512), "layers": (2, 16), "pool_size": (0, 1024)}
        whole |= {"width": (1, 512), "critic_width": (1, 512), "steps": (1, 1_000_000)}
        whole |= {"critic_updates": (1, 100), "generator_updates": (1, 100), "batch_size": (1, 256)}
        whole |= {
            "warmup_steps": (0, 100_000),
            "voting_rounds": (0, 100),
            "photo_size": (25, 4096),
            "candidates": (1, 64),
        }
        real = {"scale_factor": (0.1, 0.95), "alpha": (0, 1e6), "penalty": (0, 1e6), "noise_amp": (0, 100)}
        real |= {"generator_lr": (1e-9, 1), "critic_lr": (1e-9, 1)}
        real |= {
            "ema_decay": (0, 0.99999),
            "min_variation": (0, 1),
            "betas": (0, 0.99999),
            "place_prior": (0, 100),
            "displacement": (0, 10),
        }
        for name, limits in whole.items():
            self._check_range(name, *limits, int)
        for name, bounds in real.items():
            self._check_range(name, *bounds, (int, float))
        if self.num_scales is not None:
            self._check_range("num_scales", 1, 32, int)
        if self.generators is not None:
            self._check_range("generators", 0, 32, int)
        if self.crop_size is not None:
            self._check_range("crop_size", 2 * self.layers + 2, 8192, int)
        for name in (
            "residual",
            "noise_padding",
            "warm_start",
            "mixed_precision",
            "grey_noise",
            "field",
            "from_image",
            "published",
        ):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} is {_short(getattr(self, name))}; it is True or False.")
        for name, choices in (("norm", ("none", "batch")), ("lr_decay", ("linear", "step"))):
            if getattr(self, name) not in choices:
                raise ConfigError(f"{name} is {_short(getattr(self, name))}; choose one of {choices}.")
        if len(self.betas) != 2:
            raise ConfigError(f"betas has {len(self.betas)} values; Adam takes two.")
        if self.max_size < self.min_size:
            raise ConfigError(
                f"max_size {self.max_size} is under min_size {self.min_size}: raise it or lower min_size."
            )
        if self.generators != 0 and self.min_size < 2 * self.layers + 1:
            raise ConfigError(
                f"min_size {self.min_size} is under the {2 * self.layers + 1} px that {self.layers} layers see: "
                "raise it, or lower layers."
            )
        if self.field and not self.voting_rounds[0]:
            raise ConfigError("field continues what is voted at the coarsest scale: set voting_rounds, or field off.")
        if not (self.field or self.generators is None):
            raise ConfigError("Without field every scale needs a generator: leave generators at None, or set field.")
        if self.norm == "batch" and self.crop_size is not None:
            raise ConfigError('norm "batch" needs whole images: set crop_size to None.')
        for name, value in PUBLISHED.items() if self.published else ():
            if getattr(self, name) != value:
                shown = value[0] if isinstance(value, tuple) and len(value) == 1 else value
                raise ConfigError(f"{name} is {_short(getattr(self, name))}; the published method has {shown} alone.")

    def _check_range(self, name: str, low: float, high: float, kind: Any) -> None:
        value = getattr(self, name)
        values = value if isinstance(value, tuple) else (value,)
        if not 1 <= len(values) <= 32:
            raise ConfigError(f"{name} lists {len(values)} values; give 1 to 32, one a scale, coarsest first.")
        for one in values:
            if isinstance(one, bool) or not isinstance(one, kind) or abs(one) == math.inf or one != one:
                raise ConfigError(f"{name} is {_short(one)}; it takes {'whole ' if kind is int else ''}numbers.")
            if not low <= one <= high:
                shown = max(-1e300, min(one, 1e300))  # a longer integer has no :g
                raise ConfigError(f"{name} is {shown:g}; it goes from {low:g} to {high:g}.")

    @property
    def usual_variation(self) -> float:
        """`variation` of samples, unless another is asked for: the published noise of scale 0 is all fresh."""
        return 1.0 if self.published else VARIATION

    @property
    def usual_detail(self) -> float:
        """`detail` of super-resolution, unless another is asked for."""
        return 1.0 if self.published else DETAIL

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> TrainConfig:
        """The preset `name` ("draft", "fast" or "paper") with some fields replaced."""
        if name not in PRESETS:
            raise ConfigError(f"There is no preset {name!r}; choose one of {', '.join(PRESETS)}.")
        unknown = set(overrides) - {field.name for field in fields(cls)}
        if unknown:
            raise ConfigError(f"TrainConfig has no field {', '.join(sorted(unknown))}.")
        return replace(PRESETS[name], **overrides)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainConfig:
        """The inverse of `to_dict`. A field that is not there takes the value that does what was done before there was
        such a field, so that older files stay readable; one that is not known is refused."""
        if not isinstance(values, dict):
            raise ConfigError(f"The stored settings are {_short(values)}; they are an object of names and values.")
        values = {name: value for name, value in values.items() if name not in GONE}
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise ConfigError(f"The stored settings have {_short(unknown[0])}, unknown to this version: update singan.")
        return cls(**{**BEFORE, **values})

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values: tuples as lists."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


def _short(value: object) -> str:
    """`value` as messages show it."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


# Fields of older files that only training went by.
GONE = {"composition"}
# What files do that were written before there was such a field.
BEFORE: dict[str, Any] = {
    "generators": None,
    "from_image": False,
    "place_prior": 0.0,
    "displacement": 0.0,
    "candidates": 1,
    "field": False,
    "published": False,
}
# What the published method leaves no choice of: such crops, pools and patches it does not have.
PUBLISHED: dict[str, Any] = {
    "norm": "none",  # it has its own networks
    "batch_size": (1,),
    "crop_size": None,
    "warmup_steps": 0,
    "lr_decay": "step",
    "ema_decay": 0.0,
    "pool_size": 0,
    "min_variation": 1.0,
    "displacement": 0.0,
    "candidates": 1,
    "grey_noise": True,
    "from_image": False,
    "generators": None,
    "voting_rounds": (0,),
    "place_prior": 0.0,
    "field": False,
}

PRESETS: dict[str, TrainConfig] = {
    # No training: the coarsest image is displaced at random, and patches turn that into a picture.
    "draft": TrainConfig(generators=0, from_image=True),
    # A generator for the layout, at the coarsest scale; what is finer, patches know better (docs/engine.md).
    "fast": TrainConfig(),
    # The published method to the last constant (docs/paper.md).
    "paper": TrainConfig(
        **PUBLISHED,
        published=True,
        width=(32, 32, 32, 32, 64, 64, 64, 64, 128),
        critic_width=(32, 32, 32, 32, 64, 64, 64, 64, 128),
        alpha=(10.0,),
        penalty=(0.1,),
        steps=(2000,),
        critic_updates=3,
        generator_updates=3,
        generator_lr=(5e-4,),
        critic_lr=(5e-4,),
        betas=(0.5, 0.999),
        mixed_precision=False,
    ),
}
