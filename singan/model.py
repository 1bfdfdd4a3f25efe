"""SinGAN: a trained pyramid of generators; sampling, saving and loading. Knows nothing of training."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from huggingface_hub import ModelCard, ModelHubMixin
from PIL import Image

from singan import checkpoint, hub
from singan.checkpoint import CURVE, Description, noise_size, voting_scales
from singan.config import TrainConfig, at_scale
from singan.errors import ConfigError
from singan.files import atomic_path
from singan.image import image_to_tensor, tensor_to_image
from singan.networks import PatchNet, half_precision
from singan.patches import vote
from singan.pyramid import resize

MIN_SAMPLE_SIDE, MAX_SAMPLE_PIXELS = 16, 100_000_000
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
class SinGAN(ModelHubMixin):  # whose own loading believes config.json, and whose saving removes it first: both replaced
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

    def save_pretrained(self, directory: str | os.PathLike[str]) -> Path:  # type: ignore[override]
        """Write config.json, model.safetensors, preview.png and README.md, each whole or not at all.

        README.md is the model card; one that was edited by hand stays. `info["photo"]` may give the title, author,
        license (as the Hub calls it: cc0-1.0) and source of the picture. Returns the directory. Raises
        `CheckpointError`, before anything is written, if `info` holds anything but lines of text and numbers.
        """
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        by_hand = hub.card_is_edited(folder)  # asked while the config.json that it was made from is there
        described = self._description()
        checkpoint.write(folder, described, self._tensors(described), self.reconstruct())
        if not by_hand:
            with atomic_path(folder / checkpoint.CARD_FILE) as part:
                part.write_bytes(hub.model_card(described, folder.resolve().name).encode())
        return folder

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        where: str | os.PathLike[str],
        *,
        revision: str | None = None,
        token: str | bool | None = None,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        device: str | torch.device | None = None,
    ) -> SinGAN:
        """Load a model: from a folder, by the name of a shipped one ("skyline"), or from the Hub ("user/name").

        An existing folder comes first. `revision` is a branch, tag or commit on the Hub; `token`, `cache_dir`,
        `local_files_only` and `force_download` are those of `huggingface_hub.snapshot_download`. Raises
        `CheckpointError` if there is no such model or its files do not agree to the last tensor, `HubError` if the
        Hub did not give it.
        """
        folder = hub.find(
            os.fspath(where),
            revision=revision,
            token=token,
            cache_dir=None if cache_dir is None else Path(cache_dir),
            local_files_only=local_files_only,
            force_download=force_download,
        )
        described, tensors = checkpoint.read(folder)
        generators = [make_generator(described.config, k) for k in range(len(described.scale_sizes))]
        for k, generator in enumerate(generators):
            fill(generator, tensors, f"scales.{k}.")
            generator.requires_grad_(False)
        pixels = tensors.get("image", torch.zeros(*described.scale_sizes[-1], 3, dtype=torch.uint8))
        model = cls(
            described.config,
            described.scale_sizes,
            generators,
            described.noise_amps,
            described.variation_curve,
            tensors["z_star"],
            image_to_tensor(Image.fromarray(pixels.numpy())),
            described.info,
        )
        if "image" not in tensors:  # format 1: the reconstruction stands in
            model.real = image_to_tensor(model.reconstruct())
        if described.stores_memory:
            model.memory = [tensors[f"memory.{k}"] for k in range(len(model.memory))]
        return model.to(pick_device(device))

    def push_to_hub(  # type: ignore[override]
        self,
        repo_id: str,
        *,
        private: bool | None = None,
        token: str | bool | None = None,
        revision: str | None = None,
        create_pr: bool = False,
        commit_message: str | None = None,
    ) -> hub.Pushed:
        """Upload this model to the Hub as `user/name`, made if need be; see `hub.push`. Raises `HubError`."""
        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            return hub.push(
                Path(folder),
                repo_id,
                private=private,
                token=token,
                revision=revision,
                create_pr=create_pr,
                commit_message=commit_message,
            )

    def generate_model_card(self, where: str) -> ModelCard:
        """The model card; `where` is what its code snippet loads."""
        return ModelCard(hub.model_card(self._description(), where))

    def _description(self) -> Description:
        height, width = self.real.shape[2:]
        computed = [self.real_at(k) for k in range(len(self.memory))]
        description = Description(
            config=self.config,
            scale_sizes=self.scale_sizes,
            noise_amps=self.noise_amps,
            variation_curve=self.variation_curve,
            learned_size=(height, width),
            stores_memory=not all(map(torch.equal, self.memory, computed)),
            info=self.info,
        )
        return description.checked()

    def _tensors(self, described: Description) -> dict[str, torch.Tensor]:
        """What model.safetensors holds."""
        tensors = {"z_star": self.z_star, "image": torch.from_numpy(np.array(tensor_to_image(self.real)))}
        if described.stores_memory:
            tensors |= {f"memory.{k}": real for k, real in enumerate(self.memory)}
        for k, generator in enumerate(self.generators):
            tensors |= {f"scales.{k}.{name}": value for name, value in generator.state_dict().items()}
        return tensors

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


def fill(network: PatchNet, tensors: Mapping[str, torch.Tensor], prefix: str) -> None:
    """Load into `network` those of `tensors` whose names start with `prefix`."""
    weights = {name.removeprefix(prefix): t for name, t in tensors.items() if name.startswith(prefix)}
    network.load_state_dict(weights, strict=True)
