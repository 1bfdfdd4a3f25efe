"""One scale: its networks, its noise, and how it refines what is coarser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F

from singan.config import TrainConfig, at_scale
from singan.device import half_precision
from singan.networks import PatchNet, PublishedNet
from singan.patches.vote import FLAT, Wrap

SHAPE_STEP = 16  # pixels between the sizes of what a generator is given
STRIP_PIXELS = 500_000  # a scale is computed in strips of this size: 32 MB per 32-channel bfloat16 layer


def make_generator(config: TrainConfig, scale: int) -> PatchNet:
    """The generator of one scale, not yet initialised, in evaluation mode."""
    width = at_scale(config.width, scale)
    if config.published:
        return PublishedNet(3, width, 3, config.layers, squash=True).eval()
    return PatchNet(3, width, 3, config.layers, config.norm, squash=config.norm == "batch").eval()


def make_critic(config: TrainConfig, scale: int) -> PatchNet:
    """The critic of one scale, not yet initialised."""
    width = at_scale(config.critic_width, scale)
    if config.published:
        return PublishedNet(3, width, 1, config.layers, squash=False)
    return PatchNet(3, width, 1, config.layers)


def load_weights(network: PatchNet, tensors: Mapping[str, torch.Tensor], prefix: str) -> None:
    """Load into `network` those of `tensors` whose names start with `prefix`."""
    weights = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    network.load_state_dict(weights, strict=True)


def load_generators(config: TrainConfig, count: int, tensors: Mapping[str, torch.Tensor]) -> list[PatchNet]:
    """The first generators, finished, of `tensors` as `generator_tensors` names them."""
    generators = [make_generator(config, k).requires_grad_(False) for k in range(count)]
    for k, generator in enumerate(generators):
        load_weights(generator, tensors, f"scales.{k}.")
    return generators


def generator_tensors(generators: Sequence[PatchNet]) -> dict[str, torch.Tensor]:
    """The weights of generators, as files name them."""
    states = {f"scales.{k}": generator.state_dict() for k, generator in enumerate(generators)}
    return {f"{k}.{name}": t for k, state in states.items() for name, t in state.items() if t.is_floating_point()}


def noise_size(size: tuple[int, int], config: TrainConfig) -> tuple[int, int]:
    """Noise is drawn for the image alone, or for its padding too."""
    extra = 2 * config.layers if config.noise_padding else 0
    return size[0] + extra, size[1] + extra


def draw_noise(n: int, size: tuple[int, int], scale: int, config: TrainConfig, rng: torch.Generator) -> torch.Tensor:
    """Standard normal noise (n, 3, *noise_size); drawn on the CPU, so that a seed means the same anywhere.

    Where `config.displacement` asks for it, two more channels at scale 0 say where the content moves.
    """
    channels = 1 if config.grey_noise and scale == 0 else 3
    noise = torch.randn(n, channels, *noise_size(size, config), generator=rng).expand(-1, 3, -1, -1)
    if scale > 0 or not config.displacement:
        return noise
    return torch.cat([noise, torch.randn(n, 2, *noise.shape[2:], generator=rng)], 1)


def refine(
    generator: PatchNet, previous: torch.Tensor, noise: torch.Tensor | None, config: TrainConfig, wrap: Wrap = FLAT
) -> torch.Tensor:
    """One scale: x = previous + psi(noise + previous) (SinGAN eq. 2), for whole images, without gradients.

    `previous`: (N, 3, H, W), the coarser image enlarged, zeros at scale 0. `noise`: (N, 3, *noise_size), times
    its amplitude, or None. `wrap`: whether the image is a tile that goes on at its other side, down and across.
    Returns (N, 3, H, W), of the dtype of `previous`.
    """
    margin = generator.margin
    padded = F.pad(previous, (margin,) * 4)
    if noise is not None:
        padded = padded + (noise if noise.shape == padded.shape else F.pad(noise, (margin,) * 4))
    for axis in (2, 3):
        if wrap[axis - 2]:  # what is beyond the border, and the noise there, are those of the other side
            side = previous.shape[axis]
            inside = torch.arange(-margin, side + margin, device=padded.device) % side + margin
            padded = padded.index_select(axis, inside)
    height, width = previous.shape[2:]
    whole = config.norm == "batch"  # whose statistics are the whole image's
    rows = height if whole else max(1, STRIP_PIXELS // (width * len(previous)))
    strips = []
    with torch.inference_mode(), half_precision(previous.device, config.mixed_precision):
        for top in range(0, height, rows):
            part = min(rows, height - top)
            strip = padded[:, :, top : top + part + 2 * margin]
            if not whole:  # few shapes: for each new one the library keeps a compiled kernel
                strip = F.pad(strip, (0, -strip.shape[3] % SHAPE_STEP, 0, -strip.shape[2] % SHAPE_STEP))
            strip = generator(strip.contiguous(memory_format=torch.channels_last))
            strips.append(strip[:, :, :part, :width])
        out = torch.cat(strips, 2).to(previous.dtype)
        return out + previous if config.residual else out
