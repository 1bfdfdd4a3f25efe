"""Training settings: one frozen, flat, JSON-able dataclass, and the presets."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import Field, asdict, dataclass, field, fields, replace
from typing import Any, Literal, TypeVar

from singan.checks import check_range
from singan.errors import ConfigError, shortened

T = TypeVar("T")
VARIATION = 0.5  # of samples, unless another is asked for
DETAIL = 0.51  # of super-resolution: as near to the truth as bicubic interpolation, and far sharper


def at_scale(schedule: tuple[T, ...], scale: int) -> T:
    """A schedule lists a value per scale, coarsest first; the last one holds for all finer scales."""
    return schedule[min(scale, len(schedule) - 1)]


def ranged(default: T, low: float | Callable[[TrainConfig], float], high: float, kind: type = int) -> T:
    """A field whose numbers go from `low`, which fields before it may decide, to `high`; `kind`: see `check_range`."""
    return field(default=default, metadata={"limits": (low, high, kind)})


def chosen(default: T, *choices: T) -> T:
    """A field that is one of the `choices`."""
    return field(default=default, metadata={"choices": choices})


@dataclass(frozen=True)
class TrainConfig:
    """Settings of one training run; the defaults are the preset `fast`.

    Scale 0 is the coarsest (the paper's N). A field of type tuple is a schedule over scales (`at_scale`) and
    may be given as one number. Images have the range [-1, 1]. Raises `ConfigError` on a value out of range.
    """

    # Pyramid (SinGAN sec. 2.2)
    max_size: int = ranged(250, 25, 8192)  # longest side learned, pixels; the short one stays at least 2 * min_size
    min_size: int = ranged(25, 8, 512)  # short side of the coarsest scale, pixels
    # From one scale to the next coarser; adjusted so that the scales end at min_size
    scale_factor: float = ranged(0.75, 0.1, 0.95, float)
    num_scales: int | None = ranged(None, 1, 32)  # fixes the number of scales; scale_factor then follows from it
    photo_size: int = ranged(1024, 25, 4096)  # longest side kept, and of samples, with `field`; pixels
    generators: int | None = ranged(1, 0, 32)  # how many scales, coarsest first, have a generator; None: all
    from_image: bool = False  # scale 0 starts from the training image, a scale_factor smaller, instead of from nothing

    # Networks (SinGAN sec. 2.1)
    width: tuple[int, ...] = ranged((32,), 1, 512)  # channels of the generator
    critic_width: tuple[int, ...] = ranged((32,), 1, 512)  # channels of the critic
    layers: int = ranged(5, 2, 16)  # 3x3 convolutions; the receptive field is 2 * layers + 1 pixels
    # "batch", of older files: drawn by each image's statistics; not trained
    norm: Literal["none", "batch"] = chosen("none", "none", "batch")
    residual: bool = True  # a scale adds to the enlarged coarser image instead of replacing it
    noise_padding: bool = False  # noise, not zeros, outside the image border (for animation)

    # Objective (SinGAN eq. 2 to 5)
    # Weight of the reconstruction loss
    alpha: tuple[float, ...] = ranged((30.0, 30.0, 30.0, 50.0, 50.0, 100.0), 0, 1e6, float)
    penalty: tuple[float, ...] = ranged((0.3, 0.3, 0.3, 0.1), 0, 1e6, float)  # weight of the gradient penalty
    noise_amp: float = ranged(0.1, 0, 100, float)  # of scale k: times RMSE(real, enlarged reconstruction)

    # Optimisation
    steps: tuple[int, ...] = ranged((400, 300), 1, 1_000_000)  # per scale
    critic_updates: int = ranged(1, 1, 100)  # per step
    generator_updates: int = ranged(1, 1, 100)  # per step
    batch_size: tuple[int, ...] = ranged((4,), 1, 256)
    # Train on crops of this side where the scale is larger; None: whole images
    crop_size: int | None = ranged(64, lambda config: config.receptive_field + 1, 8192)
    generator_lr: tuple[float, ...] = ranged((2e-3,), 1e-9, 1, float)
    critic_lr: tuple[float, ...] = ranged((2e-3,), 1e-9, 1, float)
    betas: tuple[float, float] = ranged((0.0, 0.9), 0, 0.99999, float)  # Adam
    warmup_steps: int = ranged(20, 0, 100_000)  # the learning rate rises over these
    # To 0 over the second half | times .1 after step 1600
    lr_decay: Literal["linear", "step"] = chosen("linear", "linear", "step")
    ema_decay: float = ranged(0.99, 0, 0.99999, float)  # average of the generator's weights; 0: use the last weights
    warm_start: bool = True  # start from the weights of the previous scale where shapes agree
    mixed_precision: bool = True  # bfloat16 convolutions where the hardware has them

    # Sampling during training
    pool_size: int = ranged(48, 0, 1024)  # images carried from scale to scale; 0: redraw through all scales each step
    min_variation: float = ranged(0.25, 0, 1, float)  # the pool holds images of all variations from this one to 1
    displacement: float = ranged(1.0, 0, 10, float)  # how far content moves at variation 1 (`warp.displace`)
    candidates: int = ranged(12, 1, 64)  # layouts drawn for a sample; that most like the training image is taken
    grey_noise: bool = False  # one noise channel repeated to three at scale 0, as published

    # The published program's networks, resizing and steps (docs/paper.md); what it does not know stays as PUBLISHED
    published: bool = False

    # Patches (see singan/patches)
    voting_rounds: tuple[int, ...] = ranged((6, 3, 2, 1, 0), 0, 100)  # per scale
    place_prior: float = ranged(1.0, 0, 100, float)  # how much patches hold to their height in the picture; 0: not
    field: bool = True  # finer scales are voted too, and go on to the size of the photograph

    def __post_init__(self) -> None:
        for one in fields(self):
            if str(one.type).startswith("tuple"):
                value = getattr(self, one.name)
                object.__setattr__(self, one.name, tuple(value) if isinstance(value, Iterable) else (value,))
        for one in fields(self):
            self._check(one)
        self._check_together()

    def _check(self, one: Field) -> None:
        """A field by itself: its type, and the limits on its line."""
        name, value, limits, choices = one.name, getattr(self, one.name), *map(one.metadata.get, ("limits", "choices"))
        if limits:
            values = value if isinstance(value, tuple) else (value,)
            if not 1 <= len(values) <= 32:
                raise ConfigError(f"{name} lists {len(values)} values; give 1 to 32, one a scale, coarsest first.")
            for number in values if value is not None or "None" not in str(one.type) else ():
                low, high, kind = limits
                if type(number) not in (int, float) or not -math.inf < number < math.inf:  # as JSON has them
                    whole = "whole " if kind is int else ""
                    raise ConfigError(f"{name} is {shortened(number)}; it takes {whole}numbers.")
                check_range(name, number, low(self) if callable(low) else low, high, kind)
        elif choices:
            if value not in choices:
                raise ConfigError(f"{name} is {shortened(value)}; choose one of {choices}.")
        elif not isinstance(value, bool):
            raise ConfigError(f"{name} is {shortened(value)}; it is True or False.")

    def _check_together(self) -> None:
        """What fields ask of one another."""
        if len(self.betas) != 2:
            raise ConfigError(f"betas has {len(self.betas)} values; Adam takes two.")
        if self.max_size < self.min_size:
            sizes = f"max_size {self.max_size} is under min_size {self.min_size}"
            raise ConfigError(f"{sizes}: raise it or lower min_size.")
        if self.generators != 0 and self.min_size < self.receptive_field:
            raise ConfigError(
                f"min_size {self.min_size} is under the {self.receptive_field} px that {self.layers} layers see: "
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
                mine = shortened(getattr(self, name))
                raise ConfigError(f"{name} is {mine}; the published method has {shown} alone.")

    @property
    def receptive_field(self) -> int:
        """Pixels a side that one pixel of a network's output depends on."""
        return 2 * self.layers + 1

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
        unknown = set(overrides) - set(cls.__dataclass_fields__)
        if unknown:
            raise ConfigError(f"TrainConfig has no field {', '.join(sorted(unknown))}.")
        return replace(PRESETS[name], **overrides)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> TrainConfig:
        """The inverse of `to_dict`. A field that is not there takes the value that does what was done before there was
        such a field, so that older files stay readable; one that is not known is refused."""
        if not isinstance(values, dict):
            raise ConfigError(f"The stored settings are {shortened(values)}; they are an object of names and values.")
        values = {name: value for name, value in values.items() if name not in GONE}
        unknown = sorted(set(values) - set(cls.__dataclass_fields__))
        if unknown:
            odd = shortened(unknown[0])
            raise ConfigError(f"The stored settings have {odd}, unknown to this version: update singan.")
        return cls(**{**BEFORE, **values})

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON values: tuples as lists."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}


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
