"""The steps of one scale, and what it leaves when it is learned."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import partial
from itertools import chain

import torch
import torch.nn.functional as F

from singan.config import at_scale
from singan.device import half_precision, one_thread
from singan.networks import PatchNet, sound_width
from singan.pyramid import resize
from singan.scale import draw_noise, make_generator, refine
from singan.training.graph import Replayed
from singan.training.losses import CriticLoss, critic_loss
from singan.training.state import Finished, ScaleState, TrainingRun, clone, require_finite

POOL_PIXELS = 600_000  # the pool thins out towards the fine scales, where crops of a few images do,
POOL_MIN = 4  # to so many
ONE_THREAD_PIXELS = 2000  # of an image or crop, up to which a step uses one thread

Transform = Callable[[torch.Tensor], torch.Tensor]  # of the enlarged coarser images, (N, 3, H, W), a scale starts from


class ScaleTrainer(ABC):
    """Makes the steps of the scale that a run is at; all that is not in `run` follows from it."""

    amp: float  # of the noise
    threads: Callable[[], AbstractContextManager[object]] = nullcontext

    def __init__(self, run: TrainingRun) -> None:
        assert run.state is not None
        self.run, self.config, self.scale = run, run.config, run.scale
        self.state: ScaleState = run.state
        self.real, self.size = run.real[self.scale], run.sizes[self.scale]
        self.others = run.others[self.scale] if run.others else []
        self.precision = half_precision(run.device, self.config.mixed_precision)

    def step(self) -> dict[str, float]:
        """One step: the critic's updates, then the generator's. Returns the losses; raises `Diverged`."""
        with self.threads():
            self.state.set_rates(self.config, self.scale)
            real, fake, penalty, error = (term.item() for term in self.update())
        losses = {"critic_real": real, "critic_fake": fake, "penalty": penalty}
        losses["reconstruction"] = 127.5 * math.sqrt(error)
        require_finite(list(losses.values()))
        self.state.step += 1
        return losses

    def so_far(self) -> Finished:
        """The finished scales with this one as it now stands; pool and reconstruction are still those before it."""
        before, model = self.run.finished, self.run.model
        generator, blank = self.finished_generator(), make_generator(self.config, self.scale)
        warm = clone(self.state.generator, blank), self.state.critic
        model = replace(
            model,
            scale_sizes=model.scale_sizes if self.config.field else [*model.scale_sizes, self.size],
            generators=[*model.generators, generator.requires_grad_(False)],
            noise_amps=[*model.noise_amps[: len(model.generators)], self.amp],
            info={**model.info, "seconds": round(self.run.seconds, 1)},
        )
        if self.config.field:  # what previews compare is the photograph's, whatever generators there are
            model._patches = self.run.model._patches
        return replace(before, model=model, warm=warm, scales=before.scales + 1)

    def finish(self) -> Finished:
        """As `so_far`, with what the next scale starts from. Raises `Diverged`."""
        require_finite(self.state.weights)
        with self.threads():
            return self.carry(self.so_far())

    def update_critic(self, loss_of: Callable[[PatchNet], CriticLoss]) -> CriticLoss:
        """One step of its optimiser."""
        critic = self.state.critic.requires_grad_(True)
        with self.precision:
            loss = loss_of(critic)
        self.state.critic_opt.zero_grad()
        loss.loss.backward()
        self.state.critic_opt.step()
        return loss

    @abstractmethod
    def update(self) -> tuple[torch.Tensor, ...]:
        """All updates of one step. Returns D(x), D(G(z)) and the penalty of the critic's last one, and the mean squared
        reconstruction error."""

    @abstractmethod
    def finished_generator(self) -> PatchNet:
        """The generator as samples are drawn with it: a copy."""

    @abstractmethod
    def carry(self, finished: Finished) -> Finished:
        """What the next scale starts from, and the curve of variation, made by `finished`, whose last scale is this."""


class CropTrainer(ScaleTrainer):
    """Steps on crops, from a pool of coarser samples (docs/engine.md)."""

    def __init__(self, run: TrainingRun, transform: Transform) -> None:
        super().__init__(run)
        config, k, (height, width) = self.config, self.scale, self.size
        self.margin = margin = config.layers
        crop = config.crop_size
        whole = crop is None or height * width <= crop**2
        self.crop = self.size if whole or crop is None else (min(crop, height), min(crop, width))
        sound = sound_width(self.crop[1], config.layers)
        if config.mixed_precision and sound >= config.receptive_field:  # else it is computed in columns
            self.crop = self.crop[0], sound
        self.batch = at_scale(config.batch_size, k)
        self.alpha, self.penalty = at_scale(config.alpha, k), at_scale(config.penalty, k)
        before = run.finished
        pool, base = (transform(resize(x, self.size)) for x in (before.pool, before.reconstruction))
        rmse = (base - self.real).square().mean().sqrt().item()
        self.from_nothing = k == 0 and not config.from_image
        self.amp = 1.0 if self.from_nothing else config.noise_amp * rmse
        self.previous = F.pad(torch.cat([pool, base]), (margin,) * 4)  # the last one is the reconstruction
        inside = F.pad(torch.ones(1, 1, height, width, device=run.device), (margin,) * 4)
        self.inside = torch.ones_like(inside) if config.noise_padding else inside
        z_star = before.model.z_star
        if not self.from_nothing:  # the training image's own noise is none
            self.own_noise = torch.zeros(1, 3, 1, 1, device=run.device).expand(-1, -1, *inside.shape[2:])
        else:
            self.own_noise = z_star if z_star.shape[2:] == inside.shape[2:] else F.pad(z_star, (margin,) * 4)
        # Two threads gain little on small images, and beside another busy process they wait for each other.
        self.threads = one_thread if self.crop[0] * self.crop[1] <= ONE_THREAD_PIXELS else nullcontext
        self.updates = Replayed(self._updates, run.device)

    def update(self) -> tuple[torch.Tensor, ...]:
        noise, windows = self._draw_noise()
        target = self._crops([self.real], windows[-1:], 0)
        drawn = [(self._draw_base(windows), self._draw_real()) for _ in range(self.config.critic_updates)]
        terms = self.updates(noise, target, *chain(*drawn))
        ema, n = self.state.ema, self.state.step + 1
        with torch.no_grad():
            torch._foreach_lerp_(ema, self.state.weights, 1 - min(self.config.ema_decay, n / (n + 9)))
        return terms

    def _updates(self, noise: torch.Tensor, target: torch.Tensor, *drawn: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The critic's updates, each on a base and crops of the training image (in turn in `drawn`), then the
        generator's, on the last base; all with the same noise. The last image of each is the reconstruction, of
        `target`."""
        for base, real in zip(drawn[::2], drawn[1::2], strict=True):
            out = self._generate(base, noise)
            loss_of = partial(critic_loss, real=real, fake=out[:-1].detach(), weight=self.penalty)
            critic = self.update_critic(loss_of)
        for i in range(self.config.generator_updates):
            out = out if i == 0 else self._generate(base, noise)
            reconstruction = self._update_generator(out, target)
        return *(term.detach() for term in critic[1:]), reconstruction

    def _draw_real(self) -> torch.Tensor:
        """Crops of the training image, or of several by their shares: (batch, 3, crop)."""
        if not self.others:
            return self._crops([self.real] * self.batch, self._draw_windows(self.batch), 0)
        shares = torch.tensor(self.run.model.shares)
        picks = torch.multinomial(shares, self.batch, replacement=True, generator=self.run.rng).tolist()
        images = [[self.real, *self.others][k] for k in picks]
        return self._crops(images, [self._draw_windows(1, tuple(x.shape[2:]))[0] for x in images], 0)

    def _draw_windows(self, n: int, size: tuple[int, ...] = ()) -> list[tuple[int, int]]:
        """Corners (top, left) of n crops, of an image of `size`, else of the scale's. Drawn from beyond the border and
        pushed back, so that pixels near it are seen as often as others."""
        corners = []
        for full, part in zip(size or self.size, self.crop, strict=True):
            beyond = part // 2
            drawn = torch.randint(-beyond, full - part + beyond + 1, (n,), generator=self.run.rng)
            corners.append(drawn.clamp(0, full - part).tolist())
        return list(zip(*corners, strict=True))

    def _crops(self, images: list[torch.Tensor], windows: list[tuple[int, int]], margin: int) -> torch.Tensor:
        """Cut a window from each (1, C, H, W), `margin` wider on each side than the crop."""
        height, width = self.crop[0] + 2 * margin, self.crop[1] + 2 * margin
        return torch.cat([x[:, :, t : t + height, u : u + width] for x, (t, u) in zip(images, windows, strict=True)])

    def _draw_noise(self) -> tuple[torch.Tensor, list[tuple[int, int]]]:
        """Noise of the inputs (batch + 1, 3, crop + margins) and their windows; the last is the reconstruction's."""
        n, rng, margin = self.batch + 1, self.run.rng, self.margin
        windows = self._draw_windows(n)
        channels = 1 if self.config.grey_noise and self.scale == 0 else 3
        noise = torch.randn(n, channels, *(side + 2 * margin for side in self.crop), generator=rng)
        noise = noise.to(self.run.device) * self._crops([self.inside] * n, windows, margin)
        variation = torch.ones(n, 1, 1, 1)
        if self.from_nothing:  # from min_variation to 1, the free end more often
            low = self.config.min_variation**2
            variation = (low + (1 - low) * torch.rand(n, 1, 1, 1, generator=rng)).sqrt()
        variation[-1] = 0
        variation = variation.to(self.run.device)
        own = self._crops([self.own_noise] * n, windows, margin)
        return self.amp * (variation * noise + (1 - variation.square()).sqrt() * own), windows

    def _draw_base(self, windows: list[tuple[int, int]]) -> torch.Tensor:
        """Crops of enlarged coarser samples, and of the reconstruction last: (batch + 1, 3, crop + margins)."""
        pool = self.previous[:-1]
        picks = torch.randint(len(pool), (self.batch,), generator=self.run.rng).tolist()
        images = [pool[i : i + 1] for i in picks]
        return self._crops([*images, self.previous[-1:]], windows, self.margin)

    def _generate(self, base: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        x = (base + noise).contiguous(memory_format=torch.channels_last)
        with self.precision:
            out = self.state.generator(x)
        m = self.margin
        return out.float() + base[:, :, m:-m, m:-m] if self.config.residual else out.float()

    def _update_generator(self, out: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """Returns the mean squared reconstruction error."""
        fake, reconstruction = out[:-1], F.mse_loss(out[-1:], target)
        critic = self.state.critic.requires_grad_(False)
        with self.precision:
            score = critic(fake.contiguous(memory_format=torch.channels_last))
        loss = self.alpha * reconstruction - score.float().mean()
        self.state.generator_opt.zero_grad()
        loss.backward()
        self.state.generator_opt.step()
        return reconstruction.detach()

    def finished_generator(self) -> PatchNet:
        """The average of the generator's weights, or the last ones."""
        generator = clone(self.state.generator, make_generator(self.config, self.scale))
        if self.config.ema_decay:
            with torch.no_grad():
                for weight, average in zip(generator.parameters(), self.state.ema, strict=True):
                    weight.copy_(average)
        return generator

    def carry(self, finished: Finished) -> Finished:
        model = finished.model
        if self.from_nothing:
            model.variation_curve = model.measured_curve(self.real)  # of `so_far`: nobody else has it
        m = self.margin
        base = self.previous[:, :, m:-m, m:-m]
        # Contiguous as after a resume: sums depend on the memory layout to the last bit.
        noise = model.z_star if self.scale == 0 else None
        reconstruction = refine(model.generators[-1], base[-1:], noise, self.config)
        reconstruction = reconstruction.clone(memory_format=torch.contiguous_format)
        last = finished.scales == len(self.run.real)  # which nothing starts from
        finished = replace(finished, reconstruction=reconstruction)
        return replace(finished, pool=reconstruction if last else self._carry_pool(finished, base[:-1]))

    def _carry_pool(self, finished: Finished, pool: torch.Tensor) -> torch.Tensor:
        """The pool, enlarged to this scale, through its generator; thinned out as images grow."""
        config, rng, model = self.config, self.run.rng, finished.model
        keep = min(len(pool), max(POOL_MIN, POOL_PIXELS // math.prod(self.size)))
        images = []
        for i in torch.linspace(0, len(pool) - 1, keep).round().long().tolist():
            if self.scale == 0:
                share = i / max(1, len(pool) - 1)
                variation = 1 - (1 - config.min_variation) * (1 - share)
                seed = int(torch.randint(2**62, (), generator=rng))
                images.append(model.sample_tensor(seed, model.image_size, 0, variation, until=1))
                continue
            noise = draw_noise(1, self.size, self.scale, config, rng).to(self.run.device)
            with torch.inference_mode():
                images.append(model.apply_scale(self.scale, pool[i : i + 1], noise)[0])
        return torch.cat(images).clone(memory_format=torch.contiguous_format)
