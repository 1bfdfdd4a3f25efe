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
from singan.training.graph import Replayed
from singan.training.losses import critic_loss_published
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
        self.updates, self.sampled = Replayed(self._updates, run.device), Replayed(self._sampled, run.device)

    def update(self) -> tuple[torch.Tensor, ...]:
        run, config, sizes = self.run, self.config, self.run.model.scale_sizes
        own = torch.zeros_like(self.base)
        if self.scale == 0:
            run.model.z_star = self._draw_noise(run.rng)  # of the last step, in the end
            own = self.amp * self._padded(run.model.z_star)
        noise = self.amp * self._padded(self._draw_noise(run.rng))
        drawn = [
            [draw_noise(1, size, k, config, run.rng) for k, size in enumerate(sizes)]
            + [torch.rand(1, 1, generator=run.rng)]
            for _ in range(config.critic_updates)
        ]
        *noises, mix = (torch.cat(alike).to(run.device) for alike in zip(*drawn, strict=True))
        coarser = self.base.expand(len(mix), -1, -1, -1)
        if self.scale:
            coarser = self._padded(self.transform(self.sampled(*noises)[0]).clone())
        terms = self.updates(noise, own, coarser, mix)
        if self.state.step % LOOK == 0 or self.state.step == run.steps[self.scale] - 1:
            with torch.no_grad():  # for a picture that is not made here; but batch norm's running statistics move
                self._generate(self.base, own)
        return terms

    def _updates(
        self, noise: torch.Tensor, own: torch.Tensor, coarser: torch.Tensor, mix: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        """`noise` is the fakes', `own` the reconstruction's; each update of the critic has one of the `coarser` samples
        and one of `mix`, (N, 1), how much of the real image is in that of which the penalty is taken."""
        penalty = at_scale(self.config.penalty, self.scale)
        for i in range(len(mix)):
            with torch.set_grad_enabled(i == len(mix) - 1):
                fake = self._generate(coarser[i : i + 1], noise)
            given = partial(critic_loss_published, real=self.real, fake=fake.detach(), weight=penalty)
            critic = self.update_critic(partial(given, mix=mix[i : i + 1]))
        return *(term.detach() for term in critic[1:]), self._update_generator(fake, own)

    def _draw_noise(self, rng: torch.Generator) -> torch.Tensor:
        return draw_noise(1, self.size, self.scale, self.config, rng).to(self.run.device)

    def _padded(self, x: torch.Tensor) -> torch.Tensor:
        """Zeros around it, unless it is noise that goes beyond the border by itself."""
        return F.pad(x, (self.config.layers,) * 4) if x.shape[2:] == self.size else x

    def _sampled(self, *noises: torch.Tensor) -> tuple[torch.Tensor]:
        """What the finished scales make of their noises, enlarged to this one: (N, 3, H, W)."""
        model, blank = self.run.model, torch.zeros_like(self.run.real[0]).expand(len(noises[0]), -1, -1, -1)
        x, _ = model.go_on(blank, 0, model.image_size, lambda scale, _: noises[scale])
        return (model.resized(x, self.size),)

    def _generate(self, coarser: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        with self.precision:
            out = self.state.generator(noise + coarser)
        m = self.config.layers
        return out.to(coarser.dtype) + coarser[:, :, m:-m, m:-m] if self.config.residual else out.to(coarser.dtype)

    def _update_generator(self, fake: torch.Tensor, own: torch.Tensor) -> torch.Tensor:
        """Returns the mean squared reconstruction error.

        A bug of the program that is kept: every update reuses the last fake, whose activations are those of the weights
        before the first update, while gradients go through them by the weights as they now are, since the optimiser
        writes behind autograd's back. The critic sees the same image each time, so that it is asked once.
        """
        state, alpha = self.state, at_scale(self.config.alpha, self.scale)
        with self.precision:
            score = state.critic.requires_grad_(False)(fake).mean()
        (gradient,) = torch.autograd.grad(-score, fake)
        for _ in range(self.config.generator_updates):
            state.generator_opt.zero_grad()
            fake.backward(gradient, retain_graph=True)
            with torch.set_grad_enabled(alpha > 0):
                reconstruction = F.mse_loss(self._generate(self.base, own), self.real)
            if alpha:
                (alpha * reconstruction).backward()
            with _unsafe_preserve_version_counter(tuple(state.weights)):
                state.generator_opt.step()
        return reconstruction.detach()

    def finished_generator(self) -> PatchNet:
        """One whose batch norm goes by its running statistics."""
        return clone(self.state.generator, make_generator(self.config, self.scale))

    def carry(self, finished: Finished) -> Finished:
        model = finished.model
        if self.scale == 0:
            model.variation_curve = model.measured_curve(self.real)  # of `so_far`: nobody else has it
        reconstruction = model.reconstruct_tensor(finished.scales)
        return replace(finished, reconstruction=reconstruction, pool=reconstruction)
