"""Training, scale by scale, as a stream of events (SinGAN sec. 2.3; what departs from it: docs/engine.md)."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Generator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from singan import __version__, resume
from singan.checkpoint import CURVE, MAX_COARSEST_PIXELS, MAX_PHOTO_PIXELS, MAX_PHOTO_SIDE, voting_scales
from singan.config import TrainConfig, at_scale
from singan.errors import ConfigError, ImageError, TrainingError
from singan.image import load_image, tensor_to_image
from singan.losses import CriticLoss, critic_loss
from singan.model import SinGAN, draw_noise, make_critic, make_generator, pick_device, refine
from singan.networks import half_precision, one_thread, sound_width
from singan.published import PublishedScale
from singan.pyramid import (
    from_bytes,
    kept_size,
    learned_size,
    published_resize,
    published_sizes,
    resize,
    scale_sizes,
    to_bytes,
)
from singan.state import Run, ScaleState, clone
from singan.variation import variation_curve

POOL_PIXELS, POOL_MIN = (
    600_000,
    4,
)  # the pool thins out towards the fine scales, where crops of a few images do
CHECKPOINT_SECONDS = 30.0
LONG = 4  # squares of max_size that are learned at most of a narrow image, whose short side is kept
ONE_THREAD_PIXELS = 2000  # of an image or crop, up to which a step uses one thread
STEP_OVERHEAD = 2000  # what a step costs beyond its arithmetic, in pixels of width 32; for the time estimate


@dataclass(frozen=True)
class TrainEvent:
    """One moment of a run. `kind` is "start", "step", "scale" (a scale is finished) or "done" (the last event)."""

    kind: Literal["start", "step", "scale", "done"]
    scale: int  # 0 is the coarsest
    scales: int
    step: int  # within the scale, 1 to `steps`
    steps: int
    total_step: int  # over all scales
    total_steps: int
    size: tuple[int, int]  # (height, width) of this scale
    losses: dict[str, float]  # critic_real D(x), critic_fake D(G(z)), penalty, reconstruction (RMSE, 0 to 255)
    seconds: float  # since the start, those before a resume included
    seconds_left: float | None
    preview: Image.Image | None = None  # a sample: on "scale", "done", and steps if asked for; the photo for a draft
    model: SinGAN | None = None  # the finished scales: on "scale" and "done"


def train(
    image: Image.Image | np.ndarray | str | os.PathLike[str],
    config: TrainConfig | None = None,
    *,
    seed: int = 0,
    device: str | torch.device | None = None,
    on_event: Callable[[TrainEvent], object] | None = None,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    stop: Callable[[], bool] | None = None,
) -> SinGAN:
    """Learn one image; `iter_train` run to its end, with the same arguments. `on_event` is shown every event."""
    events = iter_train(
        image, config, seed=seed, device=device, checkpoint_dir=checkpoint_dir, resume=resume, stop=stop
    )
    for event in events:
        if on_event:
            on_event(event)
    assert event.model is not None  # the last event carries it
    return event.model


def draft(
    image: Image.Image | np.ndarray | str | os.PathLike[str],
    config: TrainConfig | None = None,
    *,
    seed: int = 0,
    device: str | torch.device | None = None,
) -> SinGAN:
    """A model without training, in a fraction of a second: `train` with the preset "draft".

    Its samples are the photograph's own patches, put together anew after its coarsest image was displaced at random.
    `config`: another one without generators. Raises `ImageError`, `ConfigError`.
    """
    config = config or TrainConfig.preset("draft")
    if config.generators != 0:
        raise ConfigError("A draft has no generators: set generators to 0, or train.")
    return train(image, config, seed=seed, device=device)


def iter_train(
    image: Image.Image | np.ndarray | str | os.PathLike[str],
    config: TrainConfig | None = None,
    *,
    seed: int = 0,
    device: str | torch.device | None = None,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    resume: bool = False,
    preview_every: int | None = None,
    stop: Callable[[], bool] | None = None,
) -> Generator[TrainEvent, None, None]:
    """Learn one image, yielding an event a step.

    `image`: anything `load_image` takes. `seed` fixes all randomness: the same seed on the same machine gives
    the same weights to the last bit. `checkpoint_dir`: the run is kept there, at the start, every 30 s, after
    each scale, and when it is broken off in any way; `resume` continues it and ends with the weights of an
    uninterrupted run. `preview_every`: a preview every so many steps. `stop` is asked at every step; once it
    returns True the run ends with the scales finished so far.

    Raises `ImageError`; `CheckpointError` if there is nothing to resume, or something that would be
    overwritten; `TrainingError` if a scale diverges twice (its `model` holds the finished scales) or the run is
    stopped before the first scale is finished.
    """
    return _run(load_image(image), config or TrainConfig(), seed, device, checkpoint_dir, resume, preview_every, stop)


def _run(
    image: Image.Image,
    config: TrainConfig,
    seed: int,
    device: str | torch.device | None,
    checkpoint_dir: str | os.PathLike[str] | None,
    resuming: bool,
    preview_every: int | None,
    stop: Callable[[], bool] | None,
) -> Generator[TrainEvent, None, None]:
    run = start_run(image, config, seed, pick_device(device))
    del image  # which may be of a hundred megapixels
    folder = None if checkpoint_dir is None else Path(checkpoint_dir)
    state: ScaleState | None = None
    if folder is not None:
        if resuming:
            state = resume.load(folder, run, lambda: begin_scale(run))
        else:
            resume.refuse_overwrite(folder)
            state = begin_scale(run) if run.real else None
            resume.save(folder, run, state)
    whole = True  # no step is half done
    clock, saved = time.monotonic() - run.seconds, time.monotonic()
    yield _event("start", run, 0 if state is None else state.step)
    try:
        while run.scale < len(run.real):
            state = state or begin_scale(run)
            trainer = scale_trainer(run, state)
            while state.step < run.steps[run.scale]:
                if stop and stop():
                    _require_model(run, "The run was stopped before its first scale was finished: nothing to keep.")
                    yield _event("done", run, state.step, preview=_pool_preview(run), model=run.model)
                    return
                whole = False
                run.losses = trainer.step()
                run.seconds = time.monotonic() - clock
                if not all(map(math.isfinite, run.losses.values())):
                    attempt, state = state.attempt, None  # nothing of it is worth a checkpoint
                    state = begin_scale(run, _next_attempt(run, attempt))
                    trainer = scale_trainer(run, state)
                    whole = True
                    continue
                state.step += 1
                whole = True
                if folder is not None and time.monotonic() - saved > CHECKPOINT_SECONDS:
                    resume.save(folder, run, state)
                    saved = time.monotonic()
                look = preview_every is not None and state.step % preview_every == 0
                yield _event("step", run, state.step, preview=trainer.preview() if look else None)
            if not all(bool(p.isfinite().all()) for p in state.weights):
                attempt, state = state.attempt, None
                state = begin_scale(run, _next_attempt(run, attempt))
                continue
            if folder is not None:
                resume.save(folder, run, state)
            whole = False  # until all that finishing changes is there: broken off, the run goes on from what was saved
            trainer.finish()
            run.seconds = time.monotonic() - clock
            finished, state = state, None
            whole = True
            if folder is not None:
                resume.save(folder, run, None)
                saved = time.monotonic()
            preview = _pool_preview(run)
            yield _event("scale", run, finished.step, preview=preview, model=run.model, scale=run.scale - 1)
        last = run.steps[-1] if run.steps else 0
        preview = _pool_preview(run)
        yield _event("done", run, last, preview=preview, model=run.model, scale=max(0, run.scale - 1))
    finally:
        if folder is not None and state is not None and whole:
            resume.save(folder, run, state)


def start_run(image: Image.Image, config: TrainConfig, seed: int, device: torch.device) -> Run:
    """The state before the first step."""
    height, width = kept_size(image.height, image.width, config)
    if max(height, width) > MAX_PHOTO_SIDE or height * width > MAX_PHOTO_PIXELS:
        raise ImageError(
            f"The image is {image.width}x{image.height} px, and {width}x{height} px of it would be kept, over "
            f"{MAX_PHOTO_SIDE} px a side or {MAX_PHOTO_PIXELS / 1e6:.0f} megapixels: crop it."
        )
    learned = height * width if not config.field else math.prod(learned_size(height, width, config))
    if learned > LONG * config.max_size**2:
        raise ImageError(
            f"The image is {image.width}x{image.height} px, so long that {learned / 1e6:.2g} megapixels of it would be "
            f"learned, over {LONG} squares of max_size {config.max_size}: crop it."
        )
    factor = 1.0
    if config.published:
        sizes, factor, whole = published_sizes(image.height, image.width, config)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
        pixels = to_bytes(published_resize(from_bytes(pixels, torch.get_default_dtype()), whole))[0].permute(1, 2, 0)
    else:
        photo = image.resize((width, height), Image.Resampling.BICUBIC) if image.size != (width, height) else image
        pixels = torch.from_numpy(np.array(photo))
        sizes = scale_sizes(*learned_size(height, width, config), config)
    trained = len(sizes) if config.generators is None else min(config.generators, len(sizes))
    if config.field and not voting_scales(config, sizes):
        raise ConfigError(
            f"The coarsest scale has {sizes[0][0]}x{sizes[0][1]} px, of which patches would have to be compared; "
            f"{MAX_COARSEST_PIXELS} px can be: lower min_size."
        )
    rng = torch.Generator().manual_seed(seed)
    z_star = draw_noise(1, sizes[0], 0, config, rng)[:, :3].contiguous().to(device)
    if config.published:
        rng.manual_seed(seed)  # it is drawn again at each step, and the first draw is the networks'
    info = {"seed": seed, "source_size": [image.height, image.width], "device": device.type}
    info |= {"singan_version": __version__, "torch_version": torch.__version__, "seconds": 0.0}
    identity = [i / CURVE for i in range(CURVE + 1)]
    photo_pixels = pixels.contiguous().to(device)
    model = SinGAN(config, sizes, [], [] if trained else [1.0], identity, z_star, photo_pixels, info, factor=factor)
    if config.from_image:
        z_star.zero_()  # what scale 0 starts from is the training image's own
    if not trained:
        model.variation_curve = variation_curve(model, model.real_at(0))
    blank = model.reconstruct_tensor(0)
    real = [model.real_at(k) for k in range(trained)]
    if not config.field:
        model = replace(model, scale_sizes=[])  # which grow with the generators
    return Run(config, seed, device, real, rng, model, blank.expand(max(1, config.pool_size), -1, -1, -1), blank)


def begin_scale(run: Run, attempt: int = 0) -> ScaleState:
    """Networks and optimisers of the next scale, before their first step."""
    config, k = run.config, run.scale
    generator = make_generator(config, k).to(run.device)
    critic = make_critic(config, k).to(run.device)
    generator.initialise(run.rng, last=0.1)  # small: at first the residual generator hardly changes the enlarged image
    critic.initialise(run.rng)
    if config.published:
        draw_noise(1, run.sizes[k], 1, config, run.rng)  # the program draws noise here that it never uses
    if config.warm_start and run.warm is not None:
        for network, before in zip((generator, critic), run.warm, strict=True):
            if [p.shape for p in network.parameters()] == [p.shape for p in before.parameters()]:
                network.load_state_dict(before.state_dict())
    fused = run.device.type in ("cpu", "cuda") and not config.published
    optimisers = [
        torch.optim.Adam(network.parameters(), lr=rate, betas=config.betas, fused=fused)
        for network, rate in (
            (generator, at_scale(config.generator_lr, k)),
            (critic, at_scale(config.critic_lr, k)),
        )
    ]
    ema = [p.detach().clone() for p in generator.parameters()]
    return ScaleState(generator, critic, optimisers[0], optimisers[1], ema, attempt=attempt)


def scale_trainer(
    run: Run, state: ScaleState, transform: Callable[[torch.Tensor], torch.Tensor] = lambda images: images
) -> ScaleTrainer | PublishedScale:
    """What makes the steps of the scale; `transform` changes the enlarged coarser images, (N, 3, H, W), that it starts
    from."""
    if run.config.norm == "batch":
        raise ConfigError('norm "batch" is drawn as older versions did, and not trained: use the preset paper.')
    return (PublishedScale if run.config.published else ScaleTrainer)(run, state, transform)


class ScaleTrainer:
    """The steps of one scale; all that is not in `run` or `state` follows from them."""

    def __init__(self, run: Run, state: ScaleState, transform: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self.run, self.state, self.config, k = run, state, run.config, run.scale
        self.transform = transform
        self.real = run.real[k]
        self.size = height, width = run.sizes[k]
        self.margin = margin = self.config.layers
        crop = self.config.crop_size
        whole = crop is None or height * width <= crop**2
        self.crop = self.size if whole or crop is None else (min(crop, height), min(crop, width))
        if self.config.mixed_precision:
            self.crop = self.crop[0], sound_width(self.crop[1], self.config.layers)
        self.batch = at_scale(self.config.batch_size, k)
        self.alpha, self.penalty = at_scale(self.config.alpha, k), at_scale(self.config.penalty, k)
        pool, base = (self.transform(resize(x, self.size)) for x in (run.pool, run.reconstruction))
        rmse = (base - self.real).square().mean().sqrt().item()
        self.from_nothing = k == 0 and not self.config.from_image
        self.amp = 1.0 if self.from_nothing else self.config.noise_amp * rmse
        self.previous = F.pad(torch.cat([pool, base]), (margin,) * 4)  # the last one is the reconstruction
        inside = F.pad(torch.ones(1, 1, height, width, device=run.device), (margin,) * 4)
        self.inside = torch.ones_like(inside) if self.config.noise_padding else inside
        z_star = run.model.z_star
        if not self.from_nothing:
            self.anchor = torch.zeros(1, 3, 1, 1, device=run.device).expand(-1, -1, *inside.shape[2:])
        else:
            self.anchor = z_star if z_star.shape[2:] == inside.shape[2:] else F.pad(z_star, (margin,) * 4)
        self.precision = half_precision(run.device, self.config.mixed_precision)
        # Two threads gain little on small images, and beside another busy process they wait for each other.
        self.threads = one_thread if self.crop[0] * self.crop[1] <= ONE_THREAD_PIXELS else nullcontext()

    def step(self) -> dict[str, float]:
        """One step: the critic's updates, then the generator's, on the same noise. Returns the losses."""
        with self.threads:
            return self._step()

    def _step(self) -> dict[str, float]:
        self.run.set_rates(self.state)
        noise, windows = self._draw_noise()
        for _ in range(self.config.critic_updates):
            base = self._draw_base(windows)
            out = self._generate(base, noise)
            real = self._crops([self.real] * self.batch, self._draw_windows(self.batch), 0)
            critic = self._update_critic(real, out[:-1].detach())
        for i in range(self.config.generator_updates):
            out = out if i == 0 else self._generate(base, noise)
            reconstruction = self._update_generator(out, windows)
        ema, n = self.state.ema, self.state.step + 1
        torch._foreach_lerp_(ema, self.state.weights, 1 - min(self.config.ema_decay, n / (n + 9)))
        return {
            "critic_real": critic.real.item(),
            "critic_fake": critic.fake.item(),
            "penalty": critic.penalty.item(),
            "reconstruction": 127.5 * math.sqrt(reconstruction.item()) if reconstruction >= 0 else math.nan,
        }

    def _draw_windows(self, n: int) -> list[tuple[int, int]]:
        """Corners (top, left) of n crops. Drawn from beyond the border and pushed back, so that pixels near it
        are seen as often as others."""
        corners = []
        for full, part in zip(self.size, self.crop, strict=True):
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
        channels = 1 if self.config.grey_noise and self.run.scale == 0 else 3
        noise = torch.randn(n, channels, *(side + 2 * margin for side in self.crop), generator=rng)
        noise = noise.to(self.run.device) * self._crops([self.inside] * n, windows, margin)
        variation = torch.ones(n, 1, 1, 1)
        if self.from_nothing:  # from min_variation to 1, the free end more often
            low = self.config.min_variation**2
            variation = (low + (1 - low) * torch.rand(n, 1, 1, 1, generator=rng)).sqrt()
        variation[-1] = 0
        variation = variation.to(self.run.device)
        anchor = self._crops([self.anchor] * n, windows, margin)
        return self.amp * (variation * noise + (1 - variation.square()).sqrt() * anchor), windows

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

    def _update_critic(self, real: torch.Tensor, fake: torch.Tensor) -> CriticLoss:
        critic = self.state.critic.requires_grad_(True)
        with self.precision:
            loss = critic_loss(critic, real, fake, self.penalty)
        self.state.critic_opt.zero_grad()
        loss.loss.backward()
        self.state.critic_opt.step()
        return loss

    def _update_generator(self, out: torch.Tensor, windows: list[tuple[int, int]]) -> torch.Tensor:
        """Returns the mean squared reconstruction error."""
        fake, target = out[:-1], self._crops([self.real], windows[-1:], 0)
        reconstruction = F.mse_loss(out[-1:], target)
        critic = self.state.critic.requires_grad_(False)
        with self.precision:
            score = critic(fake.contiguous(memory_format=torch.channels_last))
        loss = self.alpha * reconstruction - score.float().mean()
        self.state.generator_opt.zero_grad()
        loss.backward()
        self.state.generator_opt.step()
        return reconstruction.detach()

    def preview(self) -> Image.Image:
        """A sample of this scale as it now stands; the run's own randomness is not touched."""
        noise = torch.randn(1, 3, *self.previous.shape[2:], generator=torch.Generator().manual_seed(0))
        noise = noise.to(self.run.device) * self.inside
        m = self.margin
        base = self.previous[:1, :, m:-m, m:-m]
        x = refine(self.state.generator, base, self.amp * noise, self.config)
        return _preview(self.run, x, self.run.scale)

    def finish(self) -> None:
        """Freeze the scale, and carry the pool and the reconstruction through it."""
        with self.threads:
            self._finish()

    def _finish(self) -> None:
        run, config, k, generator = self.run, self.config, self.run.scale, self.state.generator
        run.warm = (clone(generator, make_generator(config, k)), self.state.critic)
        if config.ema_decay:
            with torch.no_grad():
                for weight, average in zip(self.state.weights, self.state.ema, strict=True):
                    weight.copy_(average)
        generator.requires_grad_(False)
        old = run.model
        run.model = replace(
            old,
            scale_sizes=old.scale_sizes if config.field else [*old.scale_sizes, self.size],
            generators=[*old.generators, generator],
            noise_amps=[*old.noise_amps[: len(old.generators)], self.amp],
            info={**old.info, "seconds": round(run.seconds, 1)},
        )
        if self.from_nothing:
            run.model.variation_curve = variation_curve(run.model, self.real)
        m = self.margin
        base = self.previous[:, :, m:-m, m:-m]
        # Contiguous as after a resume: sums depend on the memory layout to the last bit.
        reconstruction = refine(generator, base[-1:], run.model.z_star if k == 0 else None, config)
        run.reconstruction = reconstruction.clone(memory_format=torch.contiguous_format)
        run.pool = self._carry(base[:-1])
        run.scale += 1

    def _carry(self, pool: torch.Tensor) -> torch.Tensor:
        """The pool, enlarged to this scale, through its generator; thinned out as images grow."""
        run, config, k = self.run, self.config, self.run.scale
        keep = min(len(pool), max(POOL_MIN, POOL_PIXELS // (self.size[0] * self.size[1])))
        images = []
        last = k + 1 == len(run.real)  # then nothing but a preview is made of it
        picks = [len(pool) - 1] if last else torch.linspace(0, len(pool) - 1, keep).round().long().tolist()
        for i in picks:
            if k == 0:
                share = i / max(1, len(pool) - 1)  # ends at 1, which the preview shows
                variation = 1 - (1 - config.min_variation) * (1 - share)
                seed = int(torch.randint(2**62, (), generator=run.rng))
                images.append(run.model.sample_tensor(seed, run.model.image_size, 0, variation, until=1))
                continue
            noise = draw_noise(1, self.size, k, config, run.rng).to(run.device)
            with torch.inference_mode():
                images.append(run.model.apply_scale(k, pool[i : i + 1], noise)[0])
        return torch.cat(images).clone(memory_format=torch.contiguous_format)


def iter_retrain_scale(
    model: SinGAN, scale: int, transform: Callable[[torch.Tensor], torch.Tensor], *, seed: int = 0
) -> Generator[int, None, SinGAN]:
    """Train one scale on, from enlarged coarser images that went through `transform`, yielding the number of each
    step; returns a model with that scale replaced. Raises `TrainingError` if it diverges."""
    config, k = model.config, scale
    rng = torch.Generator().manual_seed(seed)
    sizes = model.scale_sizes if config.field else model.scale_sizes[:k]
    coarser = replace(model, scale_sizes=sizes, generators=model.generators[:k], noise_amps=model.noise_amps[:k])
    count = max(POOL_MIN, min(config.pool_size, 16))
    spread = torch.linspace(config.min_variation, 1, count).tolist()
    pool = torch.cat([coarser.sample_tensor(seed + i, coarser.image_size, 0, v, until=k) for i, v in enumerate(spread)])
    real = [model.real_at(i) for i in range(len(model.generators))]
    run = Run(config, seed, model.device, real, rng, coarser, pool, coarser.reconstruct_tensor(k), scale=k)
    state = begin_scale(run)
    state.generator.load_state_dict(model.generators[k].state_dict())
    for average, weight in zip(state.ema, state.weights, strict=True):
        average.copy_(weight.detach())
    trainer = scale_trainer(run, state, transform)
    while state.step < run.steps[k]:
        losses = trainer.step()
        if not all(map(math.isfinite, losses.values())):
            raise TrainingError(f"Retraining scale {k} diverged at step {state.step}: try another seed.")
        state.step += 1
        yield state.step
    trainer.finish()
    generators, amps = list(model.generators), list(model.noise_amps)
    generators[k], amps[k] = run.model.generators[k], run.model.noise_amps[k]
    return replace(model, generators=generators, noise_amps=amps)


def _next_attempt(run: Run, attempt: int) -> int:
    if attempt:
        kept = f"; the {len(run.model.generators)} coarser scales are finished and usable" if run.scale else ""
        raise TrainingError(
            f"Scale {run.scale} diverged twice, at half the learning rate too{kept}: lower generator_lr and "
            "critic_lr, or raise penalty.",
            model=run.model if run.scale else None,
        )
    return 1


def _require_model(run: Run, message: str) -> None:
    if run.scale == 0 and run.real:
        raise TrainingError(message)


def _pool_preview(run: Run) -> Image.Image:
    return _preview(run, run.pool[-1:], run.scale) if run.real else run.model.training_image


def _preview(run: Run, x: torch.Tensor, level: int) -> Image.Image:
    """`x`, (1, 3, H, W), as the patches of the finer scales make it, where the model has a field."""
    if not run.config.field:
        return tensor_to_image(x)
    model = replace(run.model, generators=[], noise_amps=[])
    with torch.inference_mode():
        return tensor_to_image(model.generate(x, level, model.image_size, draw_nothing, model.num_scales))


def draw_nothing(scale: int, size: tuple[int, int]) -> torch.Tensor:
    raise AssertionError(f"scale {scale} takes no noise")


def _event(
    kind: Literal["start", "step", "scale", "done"],
    run: Run,
    step: int,
    *,
    preview: Image.Image | None = None,
    model: SinGAN | None = None,
    scale: int | None = None,
) -> TrainEvent:
    k = max(0, min(run.scale, len(run.real) - 1)) if scale is None else scale
    steps = run.steps or [0]
    areas = [min(h * w, (run.config.crop_size or 10_000) ** 2) for h, w in run.sizes]
    costs = [
        area * (at_scale(run.config.width, i) / 32) ** 2 * at_scale(run.config.batch_size, i) / 4 + STEP_OVERHEAD
        for i, area in enumerate(areas)
    ]
    total = sum(c * n for c, n in zip(costs, run.steps, strict=True))
    done = sum(c * n for c, n in zip(costs[:k], steps, strict=False)) + (costs[k] * step if costs else 0)
    return TrainEvent(
        kind=kind,
        scale=k,
        scales=len(steps),
        step=step,
        steps=steps[k],
        total_step=sum(steps[:k]) + step,
        total_steps=sum(steps),
        size=run.sizes[k] if run.real else run.model.scale_sizes[0],
        losses=dict(run.losses),
        seconds=run.seconds,
        seconds_left=run.seconds * (total - done) / done if done and run.seconds else None,
        preview=preview,
        model=model,
    )
