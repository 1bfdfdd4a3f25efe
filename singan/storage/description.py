"""What config.json says of a model, as plain values, checked in full (docs/checkpoint.md).

Nothing that it says is believed before it is checked, and no memory is taken for what has not been checked.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch

from singan.config import TrainConfig
from singan.errors import CheckpointError, ConfigError, ImageError, one_line
from singan.files import MAX_SIDES
from singan.limits import MAX_INPUT_PIXELS
from singan.patches.search import PATCH
from singan.pyramid import voting_scales
from singan.scale import generator_tensors, make_generator, noise_size
from singan.variation import CURVE
from singan.version import __version__

FORMAT_VERSION = 4  # of models of several pictures; of one it is ONE_PICTURE, which older versions read
ONE_PICTURE = 3
MIN_PUBLISHED = 8  # pixels a side of the coarsest scale
MAX_SCALES = 32
MAX_PHOTO_SIDE, MAX_PHOTO_PIXELS = MAX_SIDES["WEBP"], 4096 * 4096  # WebP is how it is packed
MAX_PIXELS_FORMAT_1 = 10**6  # whose files hold no image that would bound the size of the scales
MAX_PICTURES = 8
LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]*")
Size = tuple[int, int]  # (height, width)


@dataclass(frozen=True)
class Description:
    """What config.json says; the fields are those of `SinGAN`, or explained in docs/checkpoint.md."""

    config: TrainConfig
    scale_sizes: list[Size]
    noise_amps: list[float]
    variation_curve: list[float]
    photo_size: Size | None  # of the photograph; None in format 1, which does not hold it
    num_generators: int
    photo_bytes: int = 0  # of the photograph as it is packed in model.safetensors; not packed in format 2
    stores_memory: bool = False  # the coarse training images cannot be computed from the learned one
    info: dict[str, Any] = field(default_factory=dict)
    factor: float = 1.0
    other_sizes: list[Size] = field(default_factory=list)  # of the photographs but the first
    other_bytes: list[int] = field(default_factory=list)  # of them, packed
    shares: list[float] = field(default_factory=list)  # of all photographs, where there are several
    weights_sha256: str = ""
    format_version: int = ONE_PICTURE
    singan_version: str = __version__

    @property
    def num_parameters(self) -> int:
        return sum(math.prod(shape) for name, shape in tensor_shapes(self).items() if name.startswith("scales."))

    def to_dict(self) -> dict[str, Any]:
        """As config.json holds it."""
        others = {"other_sizes": self.other_sizes, "other_bytes": self.other_bytes, "shares": self.shares}
        return {
            "format_version": FORMAT_VERSION if self.other_sizes else self.format_version,
            "singan_version": self.singan_version,
            "photo_size": self.photo_size,
            "photo_bytes": self.photo_bytes,
            "scale_sizes": self.scale_sizes,
            "generators": self.num_generators,
            "noise_amps": self.noise_amps,
            "variation_curve": self.variation_curve,
            "stores_memory": self.stores_memory,
            **({"factor": self.factor} if self.config.published else {}),
            **(others if self.other_sizes else {}),
            "weights_sha256": self.weights_sha256,
            "config": self.config.to_dict(),
            "info": self.info,
        }

    def checked(self) -> Description:
        """This description as it will be read again. Raises `CheckpointError` if it would be refused."""
        try:
            return Description.from_dict(json.loads(json.dumps(self.to_dict(), allow_nan=False)))
        except (CheckpointError, ConfigError, TypeError, ValueError) as error:
            raise CheckpointError(f"The model cannot be saved: {one_line(error)}.") from None

    @classmethod
    def from_dict(cls, described: Any) -> Description:
        """The inverse of `to_dict`, of this format or an older one. Raises `CheckpointError` or `ConfigError`."""
        version, writer = _version(described)
        photo = "photo_size" if version > 2 else "learned_size"
        three = {photo, "stores_memory", "photo_bytes", "generators"}
        several = {"other_sizes", "other_bytes", "shares"}
        new = [set(), {photo, "stores_memory"}, three, three | several][version - 1]
        names = {"scale_sizes", "noise_amps", "variation_curve", "weights_sha256", "config", "info"} | new
        missing = sorted(names - set(described))
        if missing:
            raise CheckpointError(f"it has no {missing[0]}")
        sizes = [_size(size, "scale_sizes") for size in _list(described["scale_sizes"], "scale_sizes", MAX_SCALES)]
        whole = _size(described[photo], photo) if version > 1 else None
        packed = described["photo_bytes"] if version > 2 else 0
        amps = _list(described["noise_amps"], "noise_amps", MAX_SCALES)
        curve = _list(described["variation_curve"], "variation_curve", CURVE + 1)
        if len(curve) != CURVE + 1:
            raise CheckpointError(f"variation_curve has {len(curve)} values, not {CURVE + 1}")
        config = TrainConfig.from_dict(described["config"])
        if config.published and "factor" not in described:
            raise CheckpointError("it has no factor")
        sides, lengths, shares = (
            _list(described[name], name, MAX_PICTURES) if version > 3 else []
            for name in ("other_sizes", "other_bytes", "shares")
        )
        others = [_size(size, "other_sizes") for size in sides]
        if version > 3 and not len(others) + 1 == len(lengths) + 1 == len(shares) > 1:
            lists = f"{len(others)} other_sizes, {len(lengths)} other_bytes and {len(shares)} shares"
            raise CheckpointError(f"it lists {lists}")
        description = cls(
            config=config,
            scale_sizes=sizes,
            num_generators=described["generators"] if version > 2 else len(sizes),
            noise_amps=[_number(amp, "noise_amps", 0, 1e6) for amp in amps],
            variation_curve=[_number(v, "variation_curve", 0, 1) for v in curve],
            photo_size=whole,
            photo_bytes=_packed(packed, whole or (), "photo_bytes"),
            stores_memory=described["stores_memory"] if version > 1 else True,
            info=_info(described["info"]),
            factor=_number(described["factor"], "factor", 0.1, 1) if config.published else 1.0,
            other_sizes=others,
            other_bytes=[_packed(*both, "other_bytes") for both in zip(lengths, others, strict=True)],
            shares=[_number(share, "shares", 0, 1) for share in shares],
            weights_sha256=_text(described["weights_sha256"], "weights_sha256"),
            format_version=version,
            singan_version=writer,
        )
        description._check_together(photo)
        return description

    def _check_together(self, photo: str) -> None:
        """What the values ask of one another; `photo` is what the file calls the photograph's size."""
        config, sizes, whole = self.config, self.scale_sizes, self.photo_size
        count = _integer_in(self.num_generators, "generators", 0, len(sizes))
        if not isinstance(self.stores_memory, bool):
            raise CheckpointError("stores_memory is neither true nor false")
        if not sizes or len(self.noise_amps) != max(1, count):
            amps = f"{len(self.noise_amps)} noise amplitudes"
            raise CheckpointError(f"it lists {len(sizes)} scales, {count} generators and {amps}")
        if self.format_version > 2 and whole and (max(whole) > MAX_PHOTO_SIDE or math.prod(whole) > MAX_PHOTO_PIXELS):
            raise CheckpointError(
                f"photo_size is {whole[0]}x{whole[1]}; it ends at {MAX_PHOTO_SIDE} px a side and "
                f"{MAX_PHOTO_PIXELS / 1e6:.0f} megapixels"
            )
        # A scale costs time and memory by its size: none is larger than the image that is in the file.
        if any(h > height or w > width for (h, w), (height, width) in pairwise([*sizes, whole or sizes[-1]])):
            raise CheckpointError(f"scale_sizes does not grow up to {photo}")
        if whole is None and math.prod(sizes[-1]) > MAX_PIXELS_FORMAT_1:
            raise CheckpointError(f"scale_sizes ends over {MAX_PIXELS_FORMAT_1:.0e} pixels, unheard of in format 1")
        coarsest = f"its coarsest scale, {sizes[0][0]}x{sizes[0][1]} px,"
        if config.field and min(sizes[0]) < PATCH:
            raise CheckpointError(f"{coarsest} is too small to be searched")
        if config.field and not voting_scales(config, sizes):
            raise CheckpointError(f"{coarsest} is too large to be searched")
        if not config.field and count != len(sizes):
            raise CheckpointError(f"it lists {count} generators for {len(sizes)} scales, and has no field")
        if config.published:
            _check_steps(sizes, self.factor)
        if self.other_sizes and whole:
            self._check_several(whole)

    def _check_several(self, first: Size) -> None:
        """What several pictures ask of one another."""
        if self.config.published or self.stores_memory:
            raise CheckpointError("it has several photos, which neither the published method nor stores_memory knows")
        if abs(sum(self.shares) - 1) > 1e-3:
            raise CheckpointError(f"its shares sum to {sum(self.shares):g}, not to 1")
        try:
            check_together([first, *self.other_sizes])
        except ImageError as error:
            raise CheckpointError(str(error).rstrip(".")) from None


def check_together(sizes: Sequence[Size]) -> None:
    """Raise `ImageError` unless pictures of these sizes, the first before the others, can be searched together: each
    about as large as the first, and all in slots that hold the widest and the highest (`patches.atlas`)."""
    height, width = (max(sides) for sides in zip(*sizes, strict=True))
    total = len(sizes) * height * width
    if len(sizes) > 1 and total > MAX_PHOTO_PIXELS:
        raise ImageError(
            f"{len(sizes)} pictures of up to {width}x{height} px are {total / 1e6:.0f} megapixels, over "
            f"{MAX_PHOTO_PIXELS / 1e6:.0f}: lower photo_size, give fewer, or crop the longest."
        )
    first = math.prod(sizes[0])
    for height, width in sizes[1:]:
        if min(height, width) < PATCH or not first / 2 <= height * width <= 2 * first:
            raise ImageError(
                f"A picture of {width}x{height} px does not go with a first one of {sizes[0][1]}x{sizes[0][0]} px: it "
                f"takes about as many pixels, and at least {PATCH} a side."
            )


def _version(described: Any) -> tuple[int, str]:
    """The format of the file, and the version of this package that wrote it."""
    if not isinstance(described, dict) or type(described.get("format_version")) is not int:
        raise CheckpointError("it has no format_version")
    version, writer = described["format_version"], _text(described.get("singan_version"), "singan_version")
    if version > FORMAT_VERSION:
        raise CheckpointError(
            f"it has format {version}, which takes singan {writer} or later; this is {__version__} "
            f"and reads up to format {FORMAT_VERSION}: update singan"
        )
    if version < 1:
        raise CheckpointError(f"it has format {version}; the first one was 1")
    return version, writer


def _check_steps(sizes: list[Size], factor: float) -> None:
    """Raise `CheckpointError` unless the scales are a factor apart, as rounded up: images are resized by its powers."""
    if min(sizes[0]) < MIN_PUBLISHED:
        raise CheckpointError(f"its coarsest scale, {sizes[0][0]}x{sizes[0][1]} px, is under {MIN_PUBLISHED} px a side")
    if any(abs(a - factor * b) > 1.5 for coarse, fine in pairwise(sizes) for a, b in zip(coarse, fine, strict=True)):
        raise CheckpointError(f"its scales are not the factor {factor:g} apart")


def tensor_shapes(description: Description) -> dict[str, tuple[int, ...]]:
    """Name and shape of all that model.safetensors must hold: `is_photo` are uint8, the others are float32."""
    config, sizes = description.config, description.scale_sizes
    shapes: dict[str, tuple[int, ...]] = {"z_star": (1, 3, *noise_size(sizes[0], config))}
    if description.format_version > 2:
        shapes["photo"] = (description.photo_bytes,)
        shapes |= {f"photo.{k}": (length,) for k, length in enumerate(description.other_bytes, 1)}
    elif description.photo_size:
        shapes["image"] = (*description.photo_size, 3)
    if description.stores_memory:
        shapes |= {f"memory.{k}": (1, 3, *sizes[k]) for k in range(voting_scales(config, sizes))}
    with torch.device("meta"):  # where tensors take no memory
        generators = [make_generator(config, k) for k in range(description.num_generators)]
    return shapes | {name: tuple(tensor.shape) for name, tensor in generator_tensors(generators).items()}


def is_photo(name: str) -> bool:
    """Whether a tensor of that name holds pixels, or packed ones."""
    return name == "image" or name.partition(".")[0] == "photo"


def _packed(value: Any, size: tuple[int, ...], name: str) -> int:
    """The bytes of a packed photograph of that size."""
    return _integer_in(value, name, 0, 4 * math.prod(size) + 10_000)


def _info(value: Any) -> dict[str, Any]:
    """How the model was trained: names of printable text, numbers, lists and objects of them."""
    if not isinstance(value, dict):
        raise CheckpointError("info is not an object of names and values")
    for name, kind in INFO.items():
        if name in value:
            kind(value[name], name)
    _plain(value, "info", depth=3)
    return value


def _plain(value: Any, name: str, depth: int) -> None:
    """Nothing that breaks a terminal, a model card or arithmetic."""
    if isinstance(value, (dict, list)):
        if depth == 0 or len(value) > 100:
            raise CheckpointError(f"{name} is too large or nested too deeply")
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            _plain(inner, _text(str(key), name), depth - 1)
    elif isinstance(value, str):
        _text(value, name)
    elif value is not None and not isinstance(value, bool):
        _number(value, name, -1e19, 1e19)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > 1000 or not value.isprintable():
        raise CheckpointError(f"{name} is not a line of printable text")
    return value


def _list(value: Any, name: str, longest: int) -> list[Any]:
    if not isinstance(value, list) or len(value) > longest:
        raise CheckpointError(f"{name} is not a list of at most {longest} values")
    return value


def _number(value: Any, name: str, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise CheckpointError(f"{name} holds something else than a number from {low:g} to {high:g}")
    return float(value)


def _size(value: Any, name: str) -> Size:
    sides = _list(value, name, 2)
    whole = len(sides) == 2 and all(type(side) is int and side > 0 for side in sides)
    if not whole or math.prod(sides) > MAX_INPUT_PIXELS:
        most = f"at most {MAX_INPUT_PIXELS:.0g} pixels"
        raise CheckpointError(f"{name} holds something else than a (height, width) of {most}")
    return sides[0], sides[1]


def _photo(value: Any, name: str) -> None:
    if not isinstance(value, dict):
        raise CheckpointError(f"{name} is not an object of names and texts")
    for key, inner in value.items():
        _text(inner, _text(key, name))
    if not LICENCE.fullmatch(value.get("license", "unknown")):
        raise CheckpointError(f"license is {value['license']!r:.60}; give the Hub's identifier for it, as in cc0-1.0")


def _photos(value: Any, name: str) -> None:
    for one in _list(value, name, MAX_PICTURES):
        _photo(one, name)


INFO: dict[str, Any] = {  # what is known of info, all of it optional; later versions may add to it
    "seed": lambda value, name: _number(value, name, -(2**63), 2**64),
    "source_size": _size,
    "seconds": lambda value, name: _number(value, name, 0, 1e9),
    "device": _text,
    "singan_version": _text,
    "torch_version": _text,
    "converted_from": _text,
    "photo": _photo,
    "photos": _photos,
}


def _integer_in(value: Any, name: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise CheckpointError(f"{name} is something else than a whole number from {low} to {high}")
    return value
