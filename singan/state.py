"""What training works on: a run, and the scale that it is at."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from singan.config import TrainConfig, at_scale
from singan.model import SinGAN
from singan.networks import PatchNet

MILESTONE = 1600  # step after which the learning rate is a tenth, with `lr_decay` "step", as published


@dataclass
class ScaleState:
    """What one scale is training: all of it goes into a checkpoint."""

    generator: PatchNet
    critic: PatchNet
    generator_opt: torch.optim.Adam
    critic_opt: torch.optim.Adam
    ema: list[torch.Tensor]  # moving average of the generator's parameters
    step: int = 0
    attempt: int = 0  # 1 after a loss that was not finite: half the learning rate

    @property
    def weights(self) -> list[torch.Tensor]:
        return list(self.generator.parameters())


@dataclass
class Run:
    """A whole run between two steps: what is finished, and what the next scale starts from."""

    config: TrainConfig
    seed: int
    device: torch.device
    real: list[torch.Tensor]  # the training image at every scale that gets a generator, (1, 3, H, W)
    rng: torch.Generator
    model: SinGAN  # the finished scales
    pool: torch.Tensor  # (P, 3, h, w): samples of the last finished scale
    reconstruction: torch.Tensor  # (1, 3, h, w) of the last finished scale
    warm: tuple[PatchNet, PatchNet] | None = None  # its generator and critic as training left them
    scale: int = 0
    seconds: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)

    @property
    def sizes(self) -> list[tuple[int, int]]:
        return [(x.shape[2], x.shape[3]) for x in self.real]

    @property
    def steps(self) -> list[int]:
        return [at_scale(self.config.steps, k) for k in range(len(self.real))]

    def set_rates(self, state: ScaleState) -> None:
        """The learning rates of the next step."""
        config, k, i = self.config, self.scale, state.step
        steps = self.steps[k]
        factor = min(1.0, (i + 1) / config.warmup_steps) if config.warmup_steps else 1.0
        if config.lr_decay == "linear":
            factor *= max(0.01, min(1.0, 2 * (steps - i) / steps))
        elif i >= MILESTONE:
            factor *= 0.1
        factor *= 0.5**state.attempt
        for optimiser, rates in (
            (state.generator_opt, config.generator_lr),
            (state.critic_opt, config.critic_lr),
        ):
            for group in optimiser.param_groups:
                group["lr"] = at_scale(rates, k) * factor


def clone(network: PatchNet, blank: PatchNet) -> PatchNet:
    """A copy of `network` in `blank`, a network of the same shape."""
    blank.to(next(network.parameters()).device).load_state_dict(network.state_dict())
    return blank
