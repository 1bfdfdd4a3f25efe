"""What training works on: a run, what it has finished, and the scale that it is at."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from inspect import unwrap

import torch

from singan.config import TrainConfig, at_scale
from singan.model import SinGAN
from singan.networks import PatchNet

MILESTONE = 1600  # step after which the learning rate is a tenth, with `lr_decay` "step", as published


class Adam(torch.optim.Adam):
    """torch's own, less what its methods are wrapped in for torch.compile, which the first one called would import: for
    a second and 70 MB, of a training of ten seconds."""

    add_param_group, zero_grad = unwrap(torch.optim.Adam.add_param_group), unwrap(torch.optim.Adam.zero_grad)
    state_dict, load_state_dict = unwrap(torch.optim.Adam.state_dict), unwrap(torch.optim.Adam.load_state_dict)
    step = torch.no_grad()(unwrap(torch.optim.Adam.step))
    _warned_capturable_if_run_uncaptured = True  # that the steps before a recorded one are slow


class Diverged(Exception):
    """A loss or a weight of the scale is not finite: nothing of it is worth keeping."""


@dataclass
class ScaleState:
    """What one scale is training: all of it goes into a checkpoint."""

    generator: PatchNet
    critic: PatchNet
    generator_opt: Adam
    critic_opt: Adam
    ema: list[torch.Tensor]  # moving average of the generator's parameters
    step: int = 0
    attempt: int = 0  # 1 after it diverged: half the learning rate

    @property
    def weights(self) -> list[torch.Tensor]:
        return list(self.generator.parameters())

    def set_rates(self, config: TrainConfig, scale: int) -> None:
        """The learning rates of the next step."""
        share = rate_share(config, self.step, at_scale(config.steps, scale)) * 0.5**self.attempt
        for optimiser, rates in ((self.generator_opt, config.generator_lr), (self.critic_opt, config.critic_lr)):
            for group in optimiser.param_groups:
                rate = at_scale(rates, scale) * share
                if isinstance(group["lr"], torch.Tensor):  # which a recorded step reads anew
                    group["lr"].fill_(rate)
                else:
                    group["lr"] = rate


@dataclass(frozen=True)
class Finished:
    """The scales that are learned, and what the next one starts from."""

    model: SinGAN
    pool: torch.Tensor  # (P, 3, h, w): samples of the last finished scale
    reconstruction: torch.Tensor  # (1, 3, h, w) of the last finished scale
    warm: tuple[PatchNet, PatchNet] | None = None  # its generator and critic as training left them
    scales: int = 0


@dataclass
class TrainingRun:
    """A whole run between two steps."""

    config: TrainConfig
    seed: int
    device: torch.device
    real: list[torch.Tensor]  # the training image at every scale that gets a generator, (1, 3, H, W)
    rng: torch.Generator
    finished: Finished
    state: ScaleState | None = None  # of the scale that is being learned; None between two
    seconds: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)
    others: list[list[torch.Tensor]] = field(default_factory=list)  # as `real`, of each scale; no smaller than those

    @property
    def scale(self) -> int:
        """The one that is being learned, or comes next."""
        return self.finished.scales

    @property
    def model(self) -> SinGAN:
        return self.finished.model

    @property
    def sizes(self) -> list[tuple[int, int]]:
        return [(x.shape[2], x.shape[3]) for x in self.real]

    @property
    def steps(self) -> list[int]:
        return [at_scale(self.config.steps, k) for k in range(len(self.real))]


def rate_share(config: TrainConfig, step: int, steps: int) -> float:
    """The learning rate of a step, over the one set in the config."""
    share = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    if config.lr_decay == "linear":
        return share * max(0.01, min(1.0, 2 * (steps - step) / steps))
    return share * (0.1 if step >= MILESTONE else 1.0)


def require_finite(values: list[float] | list[torch.Tensor]) -> None:
    """Raise `Diverged` unless all of them are."""
    if not all(bool(v.isfinite().all()) if isinstance(v, torch.Tensor) else math.isfinite(v) for v in values):
        raise Diverged


def clone(network: PatchNet, blank: PatchNet) -> PatchNet:
    """A copy of `network` in `blank`, a network of the same shape."""
    blank.to(next(network.parameters()).device).load_state_dict(network.state_dict())
    return blank
