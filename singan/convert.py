"""Models of the published code (github.com/tamarott/SinGAN) as ours, with the networks of the preset `paper`."""

from __future__ import annotations

import math
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from singan.config import TrainConfig
from singan.errors import CheckpointError, ConfigError
from singan.image import tensor_to_image
from singan.model import SinGAN
from singan.pyramid import rounded_up
from singan.scale import load_generators
from singan.storage.description import Description, tensor_shapes
from singan.torchfile import Record, read
from singan.variation import EVEN

MAX_COARSEST = 100_000  # pixels; the published code starts at some 1000
SUPER_RESOLUTION_SIZE = 18  # the published min_size of models for super-resolution
FILES = ("Gs.pth", "Zs.pth", "reals.pth", "NoiseAmp.pth")


def load_published(directory: str | os.PathLike[str]) -> SinGAN:
    """The model that the published code saved in `directory`: Gs.pth, Zs.pth, reals.pth and NoiseAmp.pth.

    The files are pickles, but nothing in them is run (singan/torchfile.py). Settings follow from the tensors, and alpha
    from the folder's name, as the published code chooses it ("scale_factor=0.750000,alpha=10"); those of the training,
    which are not stored, are the published ones. Raises `CheckpointError`.
    """
    folder = Path(directory)
    generators, noises, reals, amps = (_list(folder / name) for name in FILES)
    count = len(generators)
    if not 1 <= count <= min(len(reals), len(amps), len(noises)):
        raise CheckpointError(
            f"{folder} holds {count} generators, {len(noises)} noises, {len(reals)} images and {len(amps)} "
            "amplitudes: one of the files is not of this model."
        )
    states = [_state(generator, f"{folder / FILES[0]}, scale {k}") for k, generator in enumerate(generators)]
    images = [_image(real, f"{folder / FILES[2]}, scale {k}") for k, real in enumerate(reals)]
    all_sizes = [(image.shape[2], image.shape[3]) for image in images]
    if math.prod(all_sizes[0]) > MAX_COARSEST:
        raise CheckpointError(f"{folder / FILES[2]}: the coarsest image has over {MAX_COARSEST} px.")
    min_size, factor = _pyramid(all_sizes, folder / FILES[2])
    config, sizes = _config(states, all_sizes, min_size, factor, folder), all_sizes[:count]
    z_star, noise_padding = _reconstruction_noise(noises[0], sizes[0], config.layers, folder / FILES[1])
    config = replace(config, noise_padding=noise_padding)
    noise_amps = [_amplitude(amp, folder / FILES[3]) for amp in amps[:count]]
    expected = tensor_shapes(Description(config, sizes, noise_amps, EVEN, all_sizes[-1], count, factor=factor))
    weights = {f"scales.{k}.{name}": weight for k, state in enumerate(states) for name, weight in state.items()}
    odd = next((name for name, weight in weights.items() if expected.get(name) != tuple(weight.shape)), None)
    if odd:  # before memory is taken for networks of that width
        where = f"{folder / FILES[0]}, scale {odd.split('.')[1]}"
        raise CheckpointError(f"{where}: its layers are not {config.layers} of 3x3 and one width.")
    networks = load_generators(config, count, weights)
    model = SinGAN(
        config=config,
        scale_sizes=sizes,
        generators=networks,
        noise_amps=noise_amps,
        variation_curve=EVEN,
        z_star=z_star,
        photo=torch.from_numpy(np.array(tensor_to_image(images[-1]))),
        info={"converted_from": "Gs.pth of the published code"},
        factor=factor,
    )
    model.variation_curve = model.measured_curve(images[0])
    return model


def _list(path: Path) -> list[Any]:
    value = read(path)
    if not isinstance(value, list):
        raise CheckpointError(f"{path} holds no list, one element a scale: it is not of the published code.")
    return value


def _state(generator: Any, where: str) -> dict[str, torch.Tensor]:
    """The weights of a published generator (head, body, tail) under our names."""
    flat: dict[str, torch.Tensor] = {}
    _flatten(generator, "", flat)
    names = {name.rpartition(".conv.")[0] for name in flat if ".conv." in name}
    numbers = {name: name.removeprefix("body.block") for name in names}  # head, body.block1, body.block2, ...
    blocks = sorted(names, key=lambda name: int(numbers[name]) if numbers[name].isdecimal() else 0)
    ours: dict[str, torch.Tensor | None] = {}
    for i, block in enumerate(blocks):
        ours |= {f"convs.{i}.{kind}": flat.get(f"{block}.conv.{kind}") for kind in ("weight", "bias")}
        for kind in ("weight", "bias", "running_mean", "running_var"):
            ours[f"norms.{i}.{kind}"] = flat.get(f"{block}.norm.{kind}")
    ours |= {f"convs.{len(blocks)}.{kind}": flat.get(f"tail.0.{kind}") for kind in ("weight", "bias")}
    weights = {name: value.float() for name, value in ours.items() if value is not None}
    sound = all(bool(w.isfinite().all()) for w in weights.values())
    sound = sound and not any((w < 0).any() for name, w in weights.items() if name.endswith("var"))
    if len(blocks) < 2 or len(weights) < len(ours) or not sound:
        raise CheckpointError(f"{where} is no generator of the published code: head, body, tail, finite numbers.")
    return weights


def _flatten(module: Any, prefix: str, flat: dict[str, torch.Tensor]) -> None:
    for kind in ("_parameters", "_buffers", "_modules"):
        found = module.attributes.get(kind) if isinstance(module, Record) else None
        for name, value in found.items() if isinstance(found, dict) else ():
            if isinstance(value, torch.Tensor):
                flat[f"{prefix}{name}"] = value
            else:
                _flatten(value, f"{prefix}{name}.", flat)


def _image(value: Any, where: str) -> torch.Tensor:
    if not isinstance(value, torch.Tensor) or value.ndim != 4 or value.shape[:2] != (1, 3):
        raise CheckpointError(f"{where} is no image (1, 3, height, width).")
    if not value.isfinite().all():
        raise CheckpointError(f"{where} holds NaN or infinite values.")
    return value.float()


def _amplitude(value: Any, path: Path) -> float:
    try:
        amplitude = float(value)
    except (TypeError, ValueError, RuntimeError):
        amplitude = math.nan
    if not 0 <= amplitude < math.inf:
        raise CheckpointError(f"{path} holds something else than noise amplitudes.")
    return amplitude


def _reconstruction_noise(value: Any, size: tuple[int, int], margin: int, path: Path) -> tuple[torch.Tensor, bool]:
    """z* of scale 0, and whether there is noise around the image too: as trained for animation, else zeros."""
    noise = _image(value, str(path))
    if tuple(noise.shape[2:]) != (size[0] + 2 * margin, size[1] + 2 * margin):
        wanted = f"{list(size)} and {margin} px around it"
        raise CheckpointError(f"{path}: the noise is {list(noise.shape[2:])}, not {wanted}.")
    inner = noise[:, :, margin:-margin, margin:-margin].contiguous()
    padded = bool(noise.count_nonzero() > inner.count_nonzero())
    return (noise if padded else inner), padded


def _pyramid(sizes: list[tuple[int, int]], path: Path) -> tuple[int, float]:
    """The published min_size, and the factor from a scale to the next coarser, of which these sizes were rounded up."""
    steps, short = len(sizes) - 1, min(sizes[-1])
    if steps == 0:
        return short, 1.0
    for min_size in range(min(sizes[0]), 0, -1):
        factor = math.pow(min_size / short, 1 / steps)
        if sizes == rounded_up(*sizes[-1], factor, steps):
            return min_size, factor
    shown = ", ".join(f"{w}x{h}" for h, w in sizes[:4])
    raise CheckpointError(f"{path}: no factor gives the sizes {shown}, ..., so that this is no published pyramid.")


def _config(
    states: list[dict[str, torch.Tensor]], sizes: list[tuple[int, int]], min_size: int, factor: float, folder: Path
) -> TrainConfig:
    widths = tuple(state["convs.0.weight"].shape[0] for state in states)
    named = re.search(r"alpha=(\d{1,6})", folder.resolve().name)
    alpha = float(named[1]) if named else 100.0 if min_size == SUPER_RESOLUTION_SIZE else 10.0
    try:
        return TrainConfig.preset(
            "paper",
            width=widths,
            critic_width=widths,
            alpha=alpha,
            layers=sum(name.startswith("convs.") for name in states[0]) // 2,
            num_scales=len(sizes),
            min_size=min_size,
            max_size=max(sizes[-1]),
            scale_factor=min(0.95, max(0.1, factor)),
        )
    except ConfigError as error:
        raise CheckpointError(f"{folder} cannot be converted: {error}") from None
