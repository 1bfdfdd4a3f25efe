"""SinGAN: a trained pyramid of generators; sampling, saving and loading. Knows nothing of training."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
from singan.files import files_in, replace_files
from singan.image import tensor_to_image
from singan.networks import PatchNet, PublishedNet, half_precision
from singan.patches.composition import Composition, column_distance, composition_distance
from singan.patches.field import enlarge, refine_field, search
from singan.patches.search import COMPLETENESS, MAX_PIXELS, PATCH, Patches, basis
from singan.patches.vote import Field, vote
from singan.pyramid import displace, from_bytes, published_resize, resize, spread, steps_beyond

PREVIEW_SIDE = 512  # of preview.png
MIN_SAMPLE_SIDE, MAX_SAMPLE_PIXELS = 16, 100_000_000
COMPACT_PIXELS = 20_000  # of an image; projected patches of larger ones are kept in half the bytes
SHAPE_STEP = 16  # pixels between the sizes of what a generator is given
COLUMNS = 2.0  # weight of the columns against the patches in the choice of a layout, at no variation
COPY = 0.3  # of the median difference from the training image: less is a copy, and not chosen
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
    generator: PatchNet, previous: torch.Tensor, noise: torch.Tensor | None, config: TrainConfig
) -> torch.Tensor:
    """One scale: x = previous + psi(noise + previous) (SinGAN eq. 2), for whole images, without gradients.

    `previous`: (N, 3, H, W), the coarser image enlarged, zeros at scale 0. `noise`: (N, 3, *noise_size), times
    its amplitude, or None. Returns (N, 3, H, W), of the dtype of `previous`.
    """
    margin = generator.margin
    padded = F.pad(previous, (margin,) * 4)
    if noise is not None:
        padded = padded + (noise if noise.shape == padded.shape else F.pad(noise, (margin,) * 4))
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


@dataclass
class SinGAN(ModelHubMixin):  # whose own loading believes config.json, and whose saving removes it first: both replaced
    """A pyramid that knows one photograph. Made by `singan.train`, `singan.draft` and `SinGAN.from_pretrained`.

    `scale_sizes` are (height, width), coarsest first; the first scales, all or none, have `generators`. `noise_amps`:
    one number for each generator, or one for scale 0 alone; `variation_curve`: the share v of fresh noise at which
    diversity is 0, 1, ... CURVE of CURVE parts of what it can be; `z_star`: the reconstruction noise of scale 0, (1, 3,
    *noise_size); `photo`: the photograph, (H, W, 3) uint8, at the size of its samples; `info` tells how the model was
    made. `memory`: the training image at the voted scales where it is not the photograph's, in files of format 1.
    `factor`: with `config.published`, that from a scale to the next coarser, of which the sizes are rounded.
    """

    config: TrainConfig
    scale_sizes: list[tuple[int, int]]
    generators: list[PatchNet]
    noise_amps: list[float]
    variation_curve: list[float]
    z_star: torch.Tensor
    photo: torch.Tensor
    info: dict[str, Any] = field(default_factory=dict)
    memory: list[torch.Tensor] = field(default_factory=list)
    factor: float = 1.0
    _patches: dict[int, Patches] = field(init=False, repr=False, default_factory=dict)  # by level, made when needed
    _composition: Composition | None = field(init=False, repr=False, default=None)  # of the training image at scale 0

    @property
    def device(self) -> torch.device:
        return self.z_star.device

    @property
    def levels(self) -> list[tuple[int, int]]:
        """(height, width) of the scales and, with `config.field`, of the steps from there to the photograph."""
        beyond = steps_beyond(self.scale_sizes[-1], self.photo_size) if self.config.field else []
        return [*self.scale_sizes, *beyond]

    @property
    def photo_size(self) -> tuple[int, int]:
        return self.photo.shape[0], self.photo.shape[1]

    @property
    def image_size(self) -> tuple[int, int]:
        """(height, width) of samples, unless they are asked for in another size."""
        return self.levels[-1]

    @property
    def num_scales(self) -> int:
        return len(self.scale_sizes)

    @property
    def voting_scales(self) -> int:
        """How many of the coarsest scales vote by comparing all patches with all."""
        return voting_scales(self.config, self.scale_sizes)

    @property
    def num_parameters(self) -> int:
        return sum(p.numel() for generator in self.generators for p in generator.parameters())

    def sample(
        self,
        n: int = 1,
        *,
        size: tuple[int, int] | None = None,
        start_scale: int = 0,
        variation: float | None = None,
        seed: int = 0,
        generators_only: bool = False,
    ) -> list[Image.Image]:
        """Draw `n` new images; image k depends on `seed` + k alone, whatever `n`.

        `size`: (height, width) in pixels, by default that of the photograph. `start_scale`: the coarsest
        scale that is drawn anew; what is coarser is the training image's. `variation` in [0, 1] mixes the noise
        of scale 0 with the training image's own, z = v * e + sqrt(1 - v^2) * z_star: at 0 the layout is the
        training image's, at 1 free. v is such that the samples' diversity grows evenly with `variation`; by default it
        is `config.usual_variation`.
        `generators_only`: without patches, as large as the finest generator; `size` is then of that.
        Raises `ConfigError` on a value out of range.
        """
        model = self.bare() if generators_only else self
        variation = self.config.usual_variation if variation is None else variation
        model.check_sampling(n, size, start_scale, variation, seed)
        return [
            tensor_to_image(model.sample_tensor(seed + k, size or model.image_size, start_scale, variation))
            for k in range(n)
        ]

    def bare(self) -> SinGAN:
        """This model's generators alone, without patches. Raises `ConfigError` if it has none."""
        if not self.generators:
            raise ConfigError("A draft has no generators, only the photograph's patches: train the photo first.")
        config = replace(self.config, generators=None, field=False, voting_rounds=(0,), displacement=0.0, candidates=1)
        count = len(self.generators)
        return replace(self, config=config, scale_sizes=self.scale_sizes[:count], memory=[])

    def sample_tensor(
        self, seed: int, size: tuple[int, int], start_scale: int, variation: float, until: int | None = None
    ) -> torch.Tensor:
        """One sample (1, 3, H, W); `until`: as it leaves the level before that one."""
        rng = torch.Generator().manual_seed(seed)
        x, found = self.reconstruct_tensor(start_scale), None
        if start_scale == 0:
            enlarged = (spread if self.config.displacement else resize)(x, self.size_at(0, size))
            x, found = self.draw_layout(enlarged, variation, rng)

        def noise(scale: int, size: tuple[int, int]) -> torch.Tensor:
            return draw_noise(1, size, scale, self.config, rng)

        return self.generate(x, max(1, start_scale), size, noise, until, found)

    def draw_layout(self, x: torch.Tensor, variation: float, rng: torch.Generator) -> tuple[torch.Tensor, Field | None]:
        """Scale 0 of a sample, from what it starts from, (1, 3, H, W): the image and its field.

        Of `config.candidates` it is the one composed most like the training image: the others lack some of its
        parts, repeat them, or have something under them that does not belong there, which counts less the more
        `variation` is asked for. What is nearly the training image itself is not chosen.
        """
        share, size = self.fresh_share(variation), (x.shape[2], x.shape[3])
        z = torch.cat([draw_noise(1, size, 0, self.config, rng) for _ in range(self.config.candidates)])
        entered = self.invent(0, x.expand(len(z), -1, -1, -1), self.mix_noise(z, share))
        drawn, found = self.apply_scale(0, entered, None)
        if len(drawn) == 1 or found is None:
            return drawn[:1], found
        if self._composition is None:
            self._composition = Composition(self.patches_at(0).image)
        real, columns = self._composition, COLUMNS * (1 - variation)
        distance = composition_distance(drawn, real) + columns * column_distance(drawn, real)
        away = (drawn - resize(self.patches_at(0).image, (drawn.shape[2], drawn.shape[3]))).abs().mean((1, 2, 3))
        best = int(distance.masked_fill(away < COPY * away.median(), math.inf).argmin())
        return drawn[best : best + 1], found.one(best)

    def generate(
        self,
        x: torch.Tensor,
        start_scale: int,
        size: tuple[int, int],
        noise: Callable[[int, tuple[int, int]], torch.Tensor],
        until: int | None = None,
        found: Field | None = None,
    ) -> torch.Tensor:
        """`x`, (1, 3, any, any), through the levels from `start_scale` to the last: (1, 3, *size).

        `x` is enlarged or shrunk to `start_scale` first. `noise(scale, (h, w))` gives the noise of each scale that
        takes some, (1, 3, *noise_size) of standard deviation 1. `found`: the field of `x`, if it has one.
        """
        for k in range(start_scale, len(self.levels) if until is None else until):
            x = self.resized(x, self.size_at(k, size))
            z = noise(k, (x.shape[2], x.shape[3])).to(self.device) if k < len(self.noise_amps) else None
            x, found = self.apply_scale(k, x, z, found)
        return x

    def apply_scale(
        self,
        level: int,
        x: torch.Tensor,
        noise: torch.Tensor | None,
        found: Field | None = None,
        *,
        rounds: int | None = None,
        completeness: float = COMPLETENESS,
        region: torch.Tensor | None = None,
        settle: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> tuple[torch.Tensor, Field | None]:
        """One level: its generator, if it has one and there is `noise`; at scale 0 displacement; then voting, from a
        field that is searched for at the voting scales, and carried on from `found` at finer levels.

        `x`: (N, 3, H, W) at the level's size, one image where there is a region; `noise` as `draw_noise` gives it.
        `found`: the field of the level before, if there is one. `rounds` of voting instead of the config's; 0 leaves
        out the field too. Where `region`, (1, 1, H, W), is not over 0, patches stay at their own place. `settle` is
        applied to the image after every round: what it must keep. Returns the image and its field.
        """
        if noise is not None:
            x = self.invent(level, x, noise)
        searched = level < self.voting_scales
        if rounds is None:
            rounds = at_scale(self.config.voting_rounds, level) if searched else int(self.config.field)
        if min(*x.shape[2:], *self.levels[level]) < PATCH:
            return x, None
        for _ in range(rounds):
            if searched:
                found = self._search(level, x, completeness, region)
            elif found is None:
                found = self.find_field(level, x, completeness, region)
            else:
                found = self._carry(level, x, found, region)
            x = vote(found, self.patches_at(level))
            x = settle(x) if settle else x
        return x, found

    def invent(self, level: int, x: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """What noise, (N, 3 or 5, *noise_size), does to images (N, 3, H, W) at a level: its generator, if there is one,
        and displacement, at scale 0."""
        if level < len(self.generators):
            x = refine(self.generators[level], x, self.noise_amps[level] * noise[:, :3], self.config)
        return displace(x, self.config.displacement * noise[:, 3:]) if noise.shape[1] > 3 else x

    def find_field(
        self,
        level: int,
        x: torch.Tensor,
        completeness: float = COMPLETENESS,
        region: torch.Tensor | None = None,
    ) -> Field:
        """The field of any image, (1, 3, H, W) at the size of `level`: searched for at the last scale that is small
        enough, where the image is shrunk to, and carried on from there."""
        size, shrunk = (x.shape[2], x.shape[3]), self.levels[level]
        full = round(size[0] * self.image_size[0] / shrunk[0]), round(size[1] * self.image_size[1] / shrunk[1])
        small = (k for k in range(level + 1) if math.prod(self.levels[k]) <= MAX_PIXELS)
        start = max(small, default=0)
        found = None
        for k in range(start, level + 1):
            at = size if k == level else self.size_at(k, full)
            if found is None and min(at) < PATCH:  # too small to be searched: start at the next one
                continue
            shown = resize(x, at)
            inside = None if region is None else F.adaptive_max_pool2d(region, at)
            if found is None:
                found = self._search(k, shown, completeness, inside)
            else:
                found = self._carry(k, shown, found, inside)
        assert found is not None  # start is at most level
        return found

    def _search(self, level: int, x: torch.Tensor, completeness: float, region: torch.Tensor | None) -> Field:
        patches, prior = self.patches_at(level), self.config.place_prior
        return search(x, patches, prior, completeness=completeness, region=region)

    def _carry(self, level: int, x: torch.Tensor, found: Field, region: torch.Tensor | None) -> Field:
        patches, size = self.patches_at(level), (x.shape[2], x.shape[3])
        return refine_field(enlarge(found, size, patches.size), x, patches, self.config.place_prior, region=region)

    def patches_at(self, level: int) -> Patches:
        """The photograph's patches at that level; kept from the first use on."""
        patches = self._patches.get(level)
        if patches is None:
            with torch.inference_mode():
                stored = level < len(self.memory)
                image = self.memory[level] if stored else resize(self.photo_tensor, self.levels[level])
                finest = max(0, self.voting_scales - 1)
                if level == finest or not self.config.field:  # older files compare patches in full
                    filters = basis(image) if self.config.field else basis(image, 3 * PATCH**2)
                else:
                    filters = self.patches_at(finest).filters
                compact = image.shape[2] * image.shape[3] > COMPACT_PIXELS
                patches = Patches(image, filters, torch.float16 if compact else torch.float32)
                self._patches[level] = patches
        return patches

    def mix_noise(self, fresh: torch.Tensor, share: float) -> torch.Tensor:
        """Noise of scale 0: `share` of `fresh`, as `draw_noise` gives it, the rest of the training image's own.

        Where content is displaced, that goes with the square of `share`, and the generator gets the eighth power: what
        it invents keeps neither columns nor reflections together, and is wanted where moving alone is not new enough.
        """
        fresh = fresh.to(self.device)
        drawn = share**8 if self.config.displacement else share
        own = F.interpolate(self.z_star, size=fresh.shape[2:], mode="nearest")
        return torch.cat([drawn * fresh[:, :3] + math.sqrt(1 - drawn**2) * own, share**2 * fresh[:, 3:]], 1)

    def fresh_share(self, variation: float) -> float:
        """v of `sample`: `variation_curve` at `variation`, linear between its points."""
        at = variation * CURVE
        i = min(int(at), CURVE - 1)
        low, high = self.variation_curve[i], self.variation_curve[i + 1]
        return low + (high - low) * (at - i)

    def reconstruct(self) -> Image.Image:
        """The training image as the generators remember it: noise z_star at scale 0, none after it."""
        return tensor_to_image(self.reconstruct_tensor(len(self.generators)))

    def reconstruct_tensor(self, scales: int) -> torch.Tensor:
        """(1, 3, H, W) after the first `scales` generators. Before the first: what scale 0 starts from, zeros or,
        with `config.from_image`, the training image, for a generator a scale_factor smaller."""
        height, width = self.scale_sizes[0]
        if self.config.from_image and self.config.generators == 0:
            x = self.patches_at(0).image  # which is kept
        elif self.config.from_image:
            factor = self.config.scale_factor
            x = resize(self.real_at(0), (max(1, round(factor * height)), max(1, round(factor * width))))
            x = resize(x, (height, width))
        else:
            x = torch.zeros(1, 3, height, width, device=self.device)
        for k in range(scales):
            noise = self.noise_amps[0] * self.z_star if k == 0 else None
            x = refine(self.generators[k], self.resized(x, self.scale_sizes[k]), noise, self.config)
        return x

    def resized(self, x: torch.Tensor, size: tuple[int, int], scales: int = 1) -> torch.Tensor:
        """`x`, (1, 3, H, W), of some scale at its `size` `scales` scales finer (or coarser, if that is negative)."""
        if not self.config.published:
            return resize(x, size)
        return x if x.shape[2:] == size else published_resize(x, self.factor**-scales, size)

    @property
    def photo_tensor(self) -> torch.Tensor:
        """The photograph, (1, 3, H, W) in [-1, 1]."""
        pixels = self.photo.permute(2, 0, 1)[None]
        return from_bytes(pixels, torch.get_default_dtype()) if self.config.published else pixels.float() / 127.5 - 1

    def real_at(self, level: int) -> torch.Tensor:
        """The training image at that level, (1, 3, H, W)."""
        if self.config.published:  # whose photograph is that of the finest scale, trained or not
            ratio, pixels = min(self.scale_sizes[level]) / min(self.photo_size), self.photo.permute(2, 0, 1)[None]
            coarser = round(math.log(ratio) / math.log(self.factor)) if self.factor < 1 else 0
            return published_resize(pixels, math.pow(self.factor, coarser), self.scale_sizes[level])
        return resize(self.photo_tensor, self.levels[level])

    @property
    def training_image(self) -> Image.Image:
        """The training image at the size of samples."""
        return tensor_to_image(self.real_at(-1))

    def to(self, device: str | torch.device) -> SinGAN:
        """This model on another device, in place."""
        chosen = pick_device(device)
        self.generators = [generator.to(chosen) for generator in self.generators]
        self.z_star = self.z_star.to(chosen)
        self.photo = self.photo.to(chosen)
        self.memory = [real.to(chosen) for real in self.memory]
        self._patches.clear()
        self._composition = None
        return self

    def save_pretrained(self, directory: str | os.PathLike[str]) -> Path:  # type: ignore[override]
        """Write config.json, model.safetensors, preview.png and README.md, all or none: who reads the folder meanwhile,
        or after the writer was killed, finds the old model or the new one.

        README.md is the model card; one that was edited by hand stays. `info["photo"]` may give the title, author,
        license (as the Hub calls it: cc0-1.0) and source of the picture. Returns the directory. Raises
        `CheckpointError`, before anything is written, if `info` holds anything but lines of text and numbers.
        """
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        by_hand = hub.card_is_edited(folder)  # asked while the config.json that it was made from is there
        described = self._description()
        preview = self.training_image
        preview.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
        files = checkpoint.contents(described, self._tensors(described), preview)
        card = hub.model_card(described, folder.resolve().name).encode()
        files[checkpoint.CARD_FILE] = (files_in(folder) / checkpoint.CARD_FILE).read_bytes() if by_hand else card
        replace_files(folder, files)
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
        generators = [make_generator(described.config, k) for k in range(described.num_generators)]
        for k, generator in enumerate(generators):
            fill(generator, tensors, f"scales.{k}.")
            generator.requires_grad_(False)
        votes = voting_scales(described.config, described.scale_sizes) if described.stores_memory else 0
        photo = tensors.get("photo", torch.zeros(*described.scale_sizes[-1], 3, dtype=torch.uint8))
        model = cls(
            described.config,
            described.scale_sizes,
            generators,
            described.noise_amps,
            described.variation_curve,
            tensors["z_star"],
            photo,
            described.info,
            [tensors[f"memory.{k}"] for k in range(votes)],
            described.factor,
        )
        if "photo" not in tensors:  # format 1: the reconstruction stands in
            model.photo = torch.from_numpy(np.array(model.reconstruct()))
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
        description = Description(
            config=self.config,
            scale_sizes=self.scale_sizes,
            num_generators=len(self.generators),
            noise_amps=self.noise_amps,
            variation_curve=self.variation_curve,
            photo_size=self.photo_size,
            stores_memory=bool(self.memory),
            info=self.info,
            factor=self.factor,
        )
        return description.checked()

    def _tensors(self, described: Description) -> dict[str, torch.Tensor]:
        """What model.safetensors holds, the photograph not yet packed."""
        tensors = {"z_star": self.z_star, "photo": self.photo}
        tensors |= {f"memory.{k}": real for k, real in enumerate(self.memory)}
        for k, generator in enumerate(self.generators):
            state = {name: value for name, value in generator.state_dict().items() if value.is_floating_point()}
            tensors |= {f"scales.{k}.{name}": value for name, value in state.items()}
        return tensors

    def size_at(self, scale: int, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of a level in an image that is `size` at the last one."""
        (h, w), (height, width) = self.levels[scale], self.image_size
        return max(1, round(h * size[0] / height)), max(1, round(w * size[1] / width))

    def check_sampling(
        self, n: int, size: tuple[int, int] | None, start_scale: int, variation: float, seed: int
    ) -> None:
        if n < 1:
            raise ConfigError(f"n is {n}; draw at least 1 sample.")
        self.check_start_scale(start_scale)
        if not 0 <= variation <= 1:
            raise ConfigError(f"variation is {variation:g}; it goes from 0 to 1.")
        check_seed(seed, n)
        if size is not None:
            check_size(size)

    def check_start_scale(self, start_scale: int) -> None:
        last = max(1, len(self.generators)) - 1
        if not 0 <= start_scale <= last:
            there = "has generators at the scales 0 to " + str(last) if last else "starts at scale 0 alone"
            raise ConfigError(f"start_scale is {start_scale}; this model {there}.")


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
