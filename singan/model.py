"""SinGAN: a trained pyramid of generators; sampling, saving and loading. Knows nothing of training.

A model directory holds config.json, model.safetensors and preview.png. config.json describes all that
model.safetensors must hold, and nothing in either is believed before it is checked against the other.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes

from singan import __version__
from singan.config import TrainConfig, at_scale
from singan.errors import CheckpointError, ConfigError
from singan.files import atomic_path
from singan.image import image_to_tensor, tensor_to_image
from singan.networks import PatchNet, half_precision
from singan.patches import MAX_PIXELS, vote
from singan.pyramid import resize

FORMAT_VERSION = 2
CONFIG_FILE, WEIGHTS_FILE, PREVIEW_FILE = "config.json", "model.safetensors", "preview.png"
MAX_CONFIG_BYTES = 1_000_000
MIN_SAMPLE_SIDE, MAX_SAMPLE_PIXELS = 16, 100_000_000
CURVE = 10  # parts of the variation curve
STRIP_PIXELS = 500_000  # a scale is computed in strips of this size: 32 MB per 32-channel bfloat16 layer


def pick_device(device: str | torch.device | None) -> torch.device:
    """The device asked for, or the best there is: cuda, mps, cpu. Raises `ConfigError` if it is not there."""
    if device is None:
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"Device {str(device)!r} cannot be used ({reason}); try cpu.") from None
    return chosen


def make_generator(config: TrainConfig, scale: int) -> PatchNet:
    """The generator of one scale, not yet initialised."""
    width = at_scale(config.width, scale)
    squash = config.norm == "batch"  # published: tanh, then the residual is added
    return PatchNet(3, width, 3, config.layers, config.norm, squash=squash)


def noise_size(size: tuple[int, int], config: TrainConfig) -> tuple[int, int]:
    """Noise is drawn for the image alone, or for its padding too."""
    extra = 2 * config.layers if config.noise_padding else 0
    return size[0] + extra, size[1] + extra


def draw_noise(n: int, size: tuple[int, int], scale: int, config: TrainConfig, rng: torch.Generator) -> torch.Tensor:
    """Standard normal noise (n, 3, *noise_size); drawn on the CPU, so that a seed means the same anywhere."""
    channels = 1 if config.grey_noise and scale == 0 else 3
    return torch.randn(n, channels, *noise_size(size, config), generator=rng).expand(-1, 3, -1, -1)


def refine(
    generator: PatchNet, previous: torch.Tensor, noise: torch.Tensor | None, config: TrainConfig
) -> torch.Tensor:
    """One scale: x = previous + psi(noise + previous) (SinGAN eq. 2), for whole images, without gradients.

    `previous`: (N, 3, H, W), the coarser image enlarged, zeros at scale 0. `noise`: (N, 3, *noise_size), times
    its amplitude, or None. Returns (N, 3, H, W), float32.
    """
    margin = generator.margin
    padded = F.pad(previous, (margin,) * 4)
    if noise is not None:
        padded = padded + (noise if noise.shape == padded.shape else F.pad(noise, (margin,) * 4))
    height, width = previous.shape[2:]
    rows = height if config.norm == "batch" else max(1, STRIP_PIXELS // (width * len(previous)))
    strips = []
    with torch.inference_mode(), half_precision(previous.device, config.mixed_precision):
        for top in range(0, height, rows):
            strip = padded[:, :, top : min(top + rows, height) + 2 * margin]
            strips.append(generator(strip.contiguous(memory_format=torch.channels_last)).float())
        out = torch.cat(strips, 2)
        return out + previous if config.residual else out


@dataclass
class SinGAN:
    """A trained pyramid. Made by `singan.train` and `SinGAN.from_pretrained`.

    `scale_sizes` are (height, width), coarsest first; `noise_amps` one number a scale; `variation_curve` the
    share v of fresh noise at which diversity is 0, 1, ... CURVE of CURVE parts of what it can be; `z_star` the
    reconstruction noise of scale 0, (1, 3, *noise_size); `real` the training image at the size that is learned,
    (1, 3, H, W) in steps of 1/255; `info` tells how the model was trained. `memory` is the training image at those
    coarse scales whose samples are redrawn from it (singan/patches.py).
    """

    config: TrainConfig
    scale_sizes: list[tuple[int, int]]
    generators: list[PatchNet]
    noise_amps: list[float]
    variation_curve: list[float]
    z_star: torch.Tensor
    real: torch.Tensor
    info: dict[str, Any] = field(default_factory=dict)
    memory: list[torch.Tensor] = field(init=False)

    def __post_init__(self) -> None:
        self.memory = [self.real_at(k) for k in range(voting_scales(self.config, self.scale_sizes))]

    @property
    def device(self) -> torch.device:
        return self.z_star.device

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of the finest scale."""
        return self.scale_sizes[-1]

    @property
    def num_scales(self) -> int:
        return len(self.generators)

    @property
    def num_parameters(self) -> int:
        return sum(p.numel() for generator in self.generators for p in generator.parameters())

    def sample(
        self,
        n: int = 1,
        *,
        size: tuple[int, int] | None = None,
        start_scale: int = 0,
        variation: float = 1.0,
        seed: int = 0,
    ) -> list[Image.Image]:
        """Draw `n` new images; image k depends on `seed` + k alone, whatever `n`.

        `size`: (height, width) in pixels, by default that of the training image. `start_scale`: the coarsest
        scale that is drawn anew; what is coarser is the training image's. `variation` in [0, 1] mixes the noise
        of scale 0 with the training image's own, z = v * e + sqrt(1 - v^2) * z_star: at 0 the layout is the
        training image's, at 1 free. v is such that the samples' diversity grows evenly with `variation`.
        Raises `ConfigError` on a value out of range.
        """
        self.check_sampling(n, size, start_scale, variation, seed)
        return [
            tensor_to_image(self.sample_tensor(seed + k, size or self.image_size, start_scale, variation))
            for k in range(n)
        ]

    def sample_tensor(self, seed: int, size: tuple[int, int], start_scale: int, variation: float) -> torch.Tensor:
        """One sample (1, 3, H, W)."""
        rng = torch.Generator().manual_seed(seed)
        share = self.fresh_share(variation)

        def noise(scale: int, size: tuple[int, int]) -> torch.Tensor:
            fresh = draw_noise(1, size, scale, self.config, rng)
            return self.mix_noise(fresh, share) if scale == 0 else fresh

        return self.generate(self.reconstruct_tensor(start_scale), start_scale, size, noise)

    def generate(
        self,
        x: torch.Tensor,
        start_scale: int,
        size: tuple[int, int],
        noise: Callable[[int, tuple[int, int]], torch.Tensor],
    ) -> torch.Tensor:
        """`x`, (1, 3, any, any), through the scales from `start_scale` to the finest: (1, 3, *size).

        `x` is enlarged or shrunk to `start_scale` first. `noise(scale, (h, w))` gives each scale's noise,
        (1, 3, *noise_size) of standard deviation 1.
        """
        for k in range(start_scale, self.num_scales):
            x = resize(x, self.size_at(k, size))
            z = noise(k, (x.shape[2], x.shape[3])).to(self.device)
            x = refine(self.generators[k], x, self.noise_amps[k] * z, self.config)
            if k < len(self.memory):
                with half_precision(self.device, self.config.mixed_precision):
                    x = vote(x, self.memory[k], at_scale(self.config.voting_rounds, k))
        return x

    def mix_noise(self, fresh: torch.Tensor, share: float) -> torch.Tensor:
        """Noise of scale 0: `share` of `fresh`, (1, 3, *noise_size), the rest of the training image's own."""
        z_star = F.interpolate(self.z_star, size=fresh.shape[2:], mode="nearest")
        return share * fresh.to(self.device) + math.sqrt(1 - share**2) * z_star

    def fresh_share(self, variation: float) -> float:
        """v of `sample`: `variation_curve` at `variation`, linear between its points."""
        at = variation * CURVE
        i = min(int(at), CURVE - 1)
        low, high = self.variation_curve[i], self.variation_curve[i + 1]
        return low + (high - low) * (at - i)

    def reconstruct(self) -> Image.Image:
        """The training image as the pyramid remembers it: noise z_star at scale 0, none after it."""
        return tensor_to_image(self.reconstruct_tensor(self.num_scales))

    def reconstruct_tensor(self, scales: int) -> torch.Tensor:
        """(1, 3, H, W) after the first `scales` scales; zeros before the first."""
        x = torch.zeros(1, 3, *self.scale_sizes[0], device=self.device)
        for k in range(scales):
            noise = self.noise_amps[0] * self.z_star if k == 0 else None
            x = refine(self.generators[k], resize(x, self.scale_sizes[k]), noise, self.config)
        return x

    def real_at(self, scale: int) -> torch.Tensor:
        """The training image at that scale, (1, 3, H, W)."""
        return resize(self.real, self.scale_sizes[scale])

    @property
    def training_image(self) -> Image.Image:
        """The training image at the size of the finest scale."""
        return tensor_to_image(self.real_at(self.num_scales - 1))

    def to(self, device: str | torch.device) -> SinGAN:
        """This model on another device, in place."""
        chosen = pick_device(device)
        self.generators = [generator.to(chosen) for generator in self.generators]
        self.z_star = self.z_star.to(chosen)
        self.real = self.real.to(chosen)
        self.memory = [real.to(chosen) for real in self.memory]
        return self

    def save_pretrained(self, directory: str | os.PathLike[str]) -> Path:
        """Write config.json, model.safetensors and preview.png, each whole or not at all. Returns the directory."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        image = torch.from_numpy(np.array(tensor_to_image(self.real)))
        weights = safetensors_bytes(_tensors(self.generators, self.z_star, image))
        described = {
            "format_version": FORMAT_VERSION,
            "singan_version": __version__,
            "learned_size": list(image.shape[:2]),
            "scale_sizes": [list(size) for size in self.scale_sizes],
            "noise_amps": self.noise_amps,
            "variation_curve": self.variation_curve,
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
            "config": self.config.to_dict(),
            "info": self.info,
        }
        with atomic_path(folder / PREVIEW_FILE) as part:
            self.reconstruct().save(part, "PNG")
        with atomic_path(folder / WEIGHTS_FILE) as part:
            part.write_bytes(weights)
        with atomic_path(folder / CONFIG_FILE) as part:
            part.write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
        return folder

    @classmethod
    def from_pretrained(cls, directory: str | os.PathLike[str], *, device: str | torch.device | None = None) -> SinGAN:
        """Load a model directory. Raises `CheckpointError` unless both files agree to the last tensor."""
        folder = Path(directory)
        described = _read_config(folder)
        try:
            config = TrainConfig.from_dict(described["config"])
            height, width = (int(side) for side in described["learned_size"])
            sizes = [(int(h), int(w)) for h, w in described["scale_sizes"]]
            amps = [float(amp) for amp in described["noise_amps"]]
            curve = [float(v) for v in described["variation_curve"]]
            info = dict(described["info"])
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise CheckpointError(f"{folder / CONFIG_FILE} is not a SinGAN configuration: {error}") from None
        if not (1 <= len(sizes) <= 32 and len(amps) == len(sizes) and all(map(math.isfinite, amps))):
            raise CheckpointError(f"{folder / CONFIG_FILE} lists {len(sizes)} scales and {len(amps)} amplitudes.")
        if len(curve) != CURVE + 1 or not all(0 <= v <= 1 for v in curve):
            raise CheckpointError(f"{folder / CONFIG_FILE} needs a variation_curve of {CURVE + 1} numbers in [0, 1].")
        if any(not 1 <= side <= 10_000 for size in [*sizes, (height, width)] for side in size):
            raise CheckpointError(f"{folder / CONFIG_FILE} has a scale over 10000 px; it is damaged.")
        with torch.device("meta"):  # shapes only: no memory is taken for what has not been checked
            generators = [make_generator(config, k) for k in range(len(sizes))]
            z_star = torch.empty(1, 3, *noise_size(sizes[0], config))
            image = torch.empty(height, width, 3, dtype=torch.uint8)
            expected = _tensors(generators, z_star, image)
        tensors = _read_weights(folder, expected, described.get("weights_sha256"))
        generators = [make_generator(config, k) for k in range(len(sizes))]
        for k, generator in enumerate(generators):
            fill(generator, tensors, f"scales.{k}.")
            generator.requires_grad_(False)
        real = image_to_tensor(Image.fromarray(tensors["image"].numpy()))
        model = cls(config, sizes, generators, amps, curve, tensors["z_star"], real, info)
        return model.to(pick_device(device))

    def size_at(self, scale: int, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of `scale` in an image that is `size` at the finest scale."""
        (h, w), (height, width) = self.scale_sizes[scale], self.image_size
        return max(1, round(h * size[0] / height)), max(1, round(w * size[1] / width))

    def check_sampling(
        self, n: int, size: tuple[int, int] | None, start_scale: int, variation: float, seed: int
    ) -> None:
        if n < 1:
            raise ConfigError(f"n is {n}; draw at least 1 sample.")
        if not 0 <= start_scale < self.num_scales:
            raise ConfigError(f"start_scale is {start_scale}; this model has the scales 0 to {self.num_scales - 1}.")
        if not 0 <= variation <= 1:
            raise ConfigError(f"variation is {variation:g}; it goes from 0 to 1.")
        check_seed(seed, n)
        if size is not None:
            check_size(size)


def check_seed(seed: int, n: int = 1) -> None:
    """Raise `ConfigError` unless `seed` and the n - 1 after it are seeds."""
    if not 0 <= seed <= 2**63 - 1 - n:
        raise ConfigError(f"seed is {seed}; it goes from 0 to 2^63.")


def check_size(size: tuple[int, int]) -> None:
    """Raise `ConfigError` unless an image of this (height, width) can be made."""
    height, width = size
    if min(size) < MIN_SAMPLE_SIDE or height * width > MAX_SAMPLE_PIXELS:
        raise ConfigError(
            f"size is {height}x{width} px; sides start at {MIN_SAMPLE_SIDE} px "
            f"and the area ends at {MAX_SAMPLE_PIXELS / 1e6:g} megapixels."
        )


def diversity(samples: torch.Tensor, real: torch.Tensor) -> float:
    """Standard deviation of each pixel over the samples, averaged, over that of the image (SinGAN sec. 3.1)."""
    return float(samples.mean(1).std(0).mean() / real.mean(1).std().clamp_min(1e-6))


def voting_scales(config: TrainConfig, sizes: list[tuple[int, int]]) -> int:
    """How many of the coarsest scales vote, and so need the training image: those small enough to be searched."""
    votes = [bool(at_scale(config.voting_rounds, k)) and h * w <= MAX_PIXELS for k, (h, w) in enumerate(sizes)]
    return [*votes, False].index(False)


def fill(network: PatchNet, tensors: Mapping[str, torch.Tensor], prefix: str) -> None:
    """Load into `network` those of `tensors` whose names start with `prefix`."""
    weights = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    network.load_state_dict(weights, strict=True)


def _tensors(generators: list[PatchNet], z_star: torch.Tensor, image: torch.Tensor) -> dict[str, torch.Tensor]:
    """What model.safetensors holds; `image` is (H, W, 3), 8 bits."""
    tensors = {"z_star": z_star, "image": image}
    for k, generator in enumerate(generators):
        tensors |= {f"scales.{k}.{name}": value.detach() for name, value in generator.state_dict().items()}
    return {name: value if value.is_meta else value.cpu().contiguous() for name, value in tensors.items()}


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no trained model: there is no {CONFIG_FILE} in it; check the path.")
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise CheckpointError(f"{path} has {path.stat().st_size} bytes; no {CONFIG_FILE} has over a million.")
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not JSON ({error}); save or download the model again.") from None
    if not isinstance(described, dict) or not isinstance(described.get("format_version"), int):
        raise CheckpointError(f"{path} is not a SinGAN configuration: it has no format_version.")
    if described["format_version"] != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format {described['format_version']}, written by singan "
            f"{described.get('singan_version')}; this version reads format {FORMAT_VERSION}: update singan."
        )
    return described


def _read_weights(folder: Path, expected: dict[str, torch.Tensor], sha256: object) -> dict[str, torch.Tensor]:
    """The tensors of model.safetensors, if they are just those expected; checked before memory is taken."""
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no {WEIGHTS_FILE}; save or download the model again.")
    size, need = path.stat().st_size, sum(t.numel() * t.element_size() for t in expected.values())
    if not need < size < need + 1_000_000:
        raise CheckpointError(
            f"{path} has {size} bytes where {CONFIG_FILE} needs {need}; the two do not belong together."
        )
    if hashlib.sha256(path.read_bytes()).hexdigest() != sha256:
        raise CheckpointError(f"{path} is not the file that {CONFIG_FILE} was saved with; save or download both again.")
    try:
        with safe_open(path, "pt") as file:
            if set(file.keys()) != set(expected):
                odd = sorted(set(file.keys()) ^ set(expected))[:3]
                raise CheckpointError(f"{path} does not hold the tensors of {CONFIG_FILE}: see {', '.join(odd)}.")
            for name, blank in expected.items():
                view = file.get_slice(name)
                kind = "U8" if blank.dtype == torch.uint8 else "F32"
                if view.get_shape() != list(blank.shape) or view.get_dtype() != kind:
                    raise CheckpointError(f"{path}: {name} has shape {view.get_shape()}, not {list(blank.shape)}.")
            tensors = {name: file.get_tensor(name) for name in expected}
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged ({error}); save or download the model again.") from None
    for name, tensor in tensors.items():
        if not tensor.isfinite().all():
            raise CheckpointError(f"{path}: {name} holds NaN or infinite values; the model cannot be used.")
    return tensors
