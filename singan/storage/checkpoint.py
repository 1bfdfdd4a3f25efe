"""A model on disk: config.json and model.safetensors, checked in full (docs/checkpoint.md)."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NoReturn, TypeVar

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError, deserialize
from safetensors.torch import load as safetensors_load
from safetensors.torch import save as safetensors_bytes

from singan.errors import CheckpointError, ConfigError, one_line
from singan.files import CARD_FILE, CONFIG_FILE, PREVIEW_FILE, WEIGHTS_FILE, files_in, stamp
from singan.storage.description import Description, Size, is_photo, tensor_shapes

T = TypeVar("T")
MAX_BYTES = {CONFIG_FILE: 10**6, WEIGHTS_FILE: 4 * 10**8, PREVIEW_FILE: 4 * 10**8, CARD_FILE: 10**6}
READS = 20  # of a model that is being saved, before it is given up
MAX_HEADER_BYTES = 10**6  # of model.safetensors; 32 scales of 16 layers with batch norm take 250 kB


def describe(folder: Path) -> Description:
    """Read config.json. Raises `CheckpointError` if it is not there or describes no model."""
    return _steady(folder, _describe)


def _steady(folder: Path, reader: Callable[[Path], T]) -> T:
    """What `reader` makes of the files of a model; again, if a writer was at work in the folder meanwhile."""
    for _ in range(READS):
        before = stamp(folder, MAX_BYTES)
        try:
            return reader(files_in(folder))
        except CheckpointError:
            if stamp(folder, MAX_BYTES) == before:
                raise
    return reader(files_in(folder))


def _describe(folder: Path) -> Description:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no trained model: there is no {CONFIG_FILE} in it; check the path.")
    try:
        if path.stat().st_size > MAX_BYTES[CONFIG_FILE]:
            raise CheckpointError(f"it has {path.stat().st_size} bytes, over a million")
        described = json.loads(path.read_bytes().decode("utf-8"), parse_constant=_not_finite, parse_int=_integer)
        return Description.from_dict(described)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON ({one_line(error)}); save or download the model again.") from None
    except (CheckpointError, ConfigError) as error:
        raise CheckpointError(f"{path} is not a SinGAN configuration: {str(error).rstrip('.')}.") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); check its permissions.") from None


def read(folder: Path) -> tuple[Description, dict[str, torch.Tensor]]:
    """Read a model directory; the photograph is among the tensors as "photo", (H, W, 3) uint8, but for format 1.
    Raises `CheckpointError` unless both files agree to the last tensor.

    Files beside the two are not looked at. Symbolic links are followed: the Hub's cache is made of them, and what
    they lead to passes the same checks.
    """
    return _steady(folder, _read)


def _read(folder: Path) -> tuple[Description, dict[str, torch.Tensor]]:
    description = _describe(folder)
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no {WEIGHTS_FILE}; save or download the model again.")
    try:
        tensors = _read_weights(path, description)
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged ({one_line(error)}); save or download the model again.") from None
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read ({error.strerror}); check its permissions.") from None
    if "image" in tensors:  # format 2
        tensors["photo"] = tensors.pop("image")
    elif description.photo_size:
        try:
            tensors |= {name: unpack(tensors[name], size) for name, size in _photo_sizes(description)}
        except CheckpointError as error:
            raise CheckpointError(f"{path}: {error}") from None
    return description, tensors


def _photo_sizes(description: Description) -> list[tuple[str, Size]]:
    """The names of the packed photographs, and their sizes."""
    others = [(f"photo.{k}", size) for k, size in enumerate(description.other_sizes, 1)]
    return [("photo", description.photo_size), *others] if description.photo_size else []


def pack(photo: torch.Tensor) -> torch.Tensor:
    """A photograph, (H, W, 3) uint8, without loss as the bytes of a WebP file, (n,) uint8."""
    packed = io.BytesIO()
    Image.fromarray(photo.cpu().numpy()).save(packed, "WEBP", lossless=True, exact=True, quality=75, method=4)
    return torch.frombuffer(bytearray(packed.getvalue()), dtype=torch.uint8)


def unpack(packed: torch.Tensor, size: Size) -> torch.Tensor:
    """The inverse of `pack`, of which nothing is believed. Raises `CheckpointError`."""
    try:
        with Image.open(io.BytesIO(packed.numpy().tobytes()), formats=["WEBP"]) as image:
            if image.size != size[::-1] or image.mode != "RGB" or getattr(image, "n_frames", 1) != 1:
                raise CheckpointError(f"the photo in it is not one RGB image of {size[0]}x{size[1]} px.")
            return torch.from_numpy(np.array(image))
    except CheckpointError:
        raise
    except Exception as error:  # on damaged data the decoder raises almost anything
        raise CheckpointError(f"the photo in it is damaged ({one_line(error)}).") from None


def contents(description: Description, tensors: Mapping[str, torch.Tensor], preview: Image.Image) -> dict[str, bytes]:
    """config.json, model.safetensors and preview.png of a model. `tensors` are as `read` gives them. Raises
    `CheckpointError` if the model is too large."""
    packed = {name: pack(tensors[name]) for name, _ in _photo_sizes(description)}
    owned = {name: value.detach().cpu().contiguous() for name, value in {**tensors, **packed}.items()}
    weights = safetensors_bytes(owned)
    if len(weights) > MAX_BYTES[WEIGHTS_FILE]:
        taken = f"{len(weights) / 1e6:.0f} MB"
        raise CheckpointError(f"The model takes {taken}; the limit is 400: lower photo_size or width.")
    digest = hashlib.sha256(weights).hexdigest()
    lengths = [len(one) for one in packed.values()]
    described = replace(description, weights_sha256=digest, photo_bytes=lengths[0], other_bytes=lengths[1:]).to_dict()
    shown = io.BytesIO()
    preview.save(shown, "PNG")
    config = json.dumps(described, indent=1) + "\n"
    return {CONFIG_FILE: config.encode(), WEIGHTS_FILE: weights, PREVIEW_FILE: shown.getvalue()}


def _read_weights(path: Path, description: Description) -> dict[str, torch.Tensor]:
    shapes = tensor_shapes(description)
    need = sum(math.prod(shape) * (1 if is_photo(name) else 4) for name, shape in shapes.items())
    with path.open("rb") as file:  # once: another file may take its place at any time
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        header = int.from_bytes(start, "little")
        if size > MAX_BYTES[WEIGHTS_FILE] or header > MAX_HEADER_BYTES or size != 8 + header + need:
            raise CheckpointError(
                f"{path} has {size} bytes where {CONFIG_FILE} asks for {need:.9g} and a header; "
                "the two do not belong together."
            )
        data = start + file.read(size - 8)
    if hashlib.sha256(data).hexdigest() != description.weights_sha256:
        raise CheckpointError(f"{path} is not the file that {CONFIG_FILE} was saved with; save or download both again.")
    found = {name: (view["dtype"], tuple(view["shape"])) for name, view in deserialize(data)}
    if found.keys() != shapes.keys():
        odd = sorted(found.keys() ^ shapes.keys())[0]
        raise CheckpointError(f"{path} does not hold the tensors of {CONFIG_FILE}: see {odd!r:.60}.")
    for name, shape in shapes.items():
        kind, (dtype, its_shape) = "U8" if is_photo(name) else "F32", found[name]
        if (dtype, its_shape) != (kind, shape):
            raise CheckpointError(f"{path}: {name} is {f'{dtype} {list(its_shape)}':.60}, not {kind} {list(shape)}.")
    tensors = safetensors_load(data)
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise CheckpointError(f"{path}: {name} holds NaN or infinite values; the model cannot be used.")
        if name.endswith("running_var") and (tensor < 0).any():
            raise CheckpointError(f"{path}: {name} is a variance and holds negative values; the model cannot be used.")
    return tensors


def _integer(digits: str) -> int:
    if len(digits) > 30:  # to convert very many takes very long
        raise ValueError(f"an integer of {len(digits)} digits")
    return int(digits)


def _not_finite(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")
