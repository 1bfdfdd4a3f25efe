"""The steps of one scale as the published program makes them (docs/paper.md), on whole images, one at a time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import torch
import torch.nn.functional as F
from torch.autograd.grad_mode import _unsafe_preserve_version_counter

from singan.config import at_scale
from singan.networks import PatchNet
from singan.scale import draw_noise, make_generator
from singan.training.losses import CriticLoss, critic_loss_published
from singan.training.state import Finished, TrainingRun, clone
from singan.training.step import ScaleTrainer, Transform

LOOK = 500  # steps from one of the program's pictures of the reconstruction to the next


class PublishedTrainer(ScaleTrainer):
    """Three updates of the critic, each on a new coarser sample, and three of the generator, all on the last of these.
    Randomness is drawn in the program's order, so that a seed means the same."""

    def __init__(self, run: TrainingRun, transform: Transform) -> None:
        super().__init__(run)
        self.transform = transform
        base = run.model.resized(run.finished.reconstruction, self.size)
        self.amp = 1.0 if self.scale == 0 else float(self.config.noise_amp * F.mse_loss(self.real, base).sqrt())
        self.base = self._padded(transform(base))
        self.state.generator.train()

    def update(self) -> tuple[CriticLoss, float]:
        config, run, penalty = self.config, self.run, at_scale(self.config.penalty, self.scale)
        if self.scale == 0:
            run.model.z_star = self._draw_noise(run.rng)  # of the last step, in the end
        noise = self.amp * self._padded(self._draw_noise(run.rng))
        for i in range(config.critic_updates):
            coarser = self.base if self.scale == 0 else self._padded(self._draw_coarser())
            with torch.set_grad_enabled(i == config.critic_updates - 1):
                fake = self._generate(coarser, noise)
            mix = torch.rand(1, 1, generator=run.rng).to(run.device)
            loss_of = partial(critic_loss_published, real=self.real, fake=fake.detach(), weight=penalty, mix=mix)
            critic = self.update_critic(loss_of)
        return critic, self._update_generator(fake)

    def _draw_noise(self, rng: torch.Generator) -> torch.Tensor:
        return draw_noise(1, self.size, self.scale, self.config, rng).to(self.run.device)

    def _padded(self, x: torch.Tensor) -> torch.Tensor:
        """Zeros around it, unless it is noise that goes beyond the border by itself."""
        return F.pad(x, (self.config.layers,) * 4) if x.shape[2:] == self.size else x

    def _draw_coarser(self) -> torch.Tensor:
        """A sample of the finished scales, enlarged to this one."""
        model, config, rng = self.run.model, self.config, self.run.rng
        blank = torch.zeros_like(self.run.real[0])
        x = model.generate(blank, 0, model.image_size, lambda scale, size: draw_noise(1, size, scale, config, rng))
        return self.transform(model.resized(x, self.size)).clone()

    def _generate(self, coarser: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        with self.precision:
            out = self.state.generator(noise + coarser)
        m = self.config.layers
        return out.to(coarser.dtype) + coarser[:, :, m:-m, m:-m] if self.config.residual else out.to(coarser.dtype)

    def _update_generator(self, fake: torch.Tensor) -> float:
        """Returns the mean squared reconstruction error.

        A bug of the program that is kept: every update reuses the last fake, whose activations are those of the weights
        before the first update, while gradients go through them by the weights as they now are, since the optimiser
        writes behind autograd's back. The critic sees the same image each time, so that it is asked once.
        """
        state, alpha = self.state, at_scale(self.config.alpha, self.scale)
        with self.precision:
            score = state.critic.requires_grad_(False)(fake).mean()
        (gradient,) = torch.autograd.grad(-score, fake)
        noise = self.amp * self._padded(self.run.model.z_star) if self.scale == 0 else torch.zeros_like(self.base)
        for _ in range(self.config.generator_updates):
            state.generator_opt.zero_grad()
            fake.backward(gradient, retain_graph=True)
            with torch.set_grad_enabled(alpha > 0):
                reconstruction = F.mse_loss(self._generate(self.base, noise), self.real)
            if alpha:
                (alpha * reconstruction).backward()
            with _unsafe_preserve_version_counter(tuple(state.weights)):
                state.generator_opt.step()
        if state.step % LOOK == 0 or state.step == self.run.steps[self.scale] - 1:
            with torch.no_grad():  # for a picture that is not made here; but batch norm's running statistics move
                self._generate(self.base, noise)
        return reconstruction.item()

    def finished_generator(self) -> PatchNet:
        """One whose batch norm goes by its running statistics."""
        return clone(self.state.generator, make_generator(self.config, self.scale))

    def carry(self, finished: Finished) -> Finished:
        model = finished.model
        if self.scale == 0:
            model = replace(model, variation_curve=model.measured_curve(self.real))
        reconstruction = model.reconstruct_tensor(finished.scales)
        return replace(finished, model=model, reconstruction=reconstruction, pool=reconstruction)
