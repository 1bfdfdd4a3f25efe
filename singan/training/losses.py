"""Wasserstein terms with gradient penalty (SinGAN sec. 2.3)."""

from __future__ import annotations

from typing import NamedTuple

import torch

from singan.networks import PatchNet


class CriticLoss(NamedTuple):
    loss: torch.Tensor  # what the critic minimises
    real: torch.Tensor  # mean D(x)
    fake: torch.Tensor  # mean D(G(z))
    penalty: torch.Tensor  # unweighted


def critic_loss(critic: PatchNet, real: torch.Tensor, fake: torch.Tensor, weight: float) -> CriticLoss:
    """WGAN-GP for a critic without norm: mean D(fake) - mean D(real) + weight * penalty.

    `real`, `fake`: (N, 3, H, W). The penalty is taken at the data themselves, half real and half fake, rather
    than between them: their activations are at hand, and between two unrelated crops there is only a double
    exposure.
    """
    n = len(real)
    out, slopes = critic.forward_with_slopes(torch.cat([real, fake]))
    d_real, d_fake = out[:n].float().mean(), out[n:].float().mean()
    middle = slice(n // 2, n // 2 + n)  # the last real and the first fake ones
    grad = critic.input_gradient([slope[middle] for slope in slopes], torch.ones_like(out[:n]))
    penalty = gradient_penalty(grad)
    return CriticLoss(d_fake - d_real + weight * penalty, d_real, d_fake, penalty)


def critic_loss_published(
    critic: PatchNet, real: torch.Tensor, fake: torch.Tensor, weight: float, mix: torch.Tensor
) -> CriticLoss:
    """WGAN-GP as published, for any critic: penalty at mix * real + (1 - mix) * fake, by double backward.

    `mix`: in [0, 1], one factor per image; it broadcasts with (N, 3, H, W).
    """
    d_real, d_fake = critic(real).mean(), critic(fake).mean()
    between = (mix * real + (1 - mix) * fake).detach().requires_grad_()
    (grad,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
    penalty = (grad.norm(2, dim=1) - 1).square().mean()
    return CriticLoss(d_fake - d_real + weight * penalty, d_real, d_fake, penalty)


def gradient_penalty(grad: torch.Tensor) -> torch.Tensor:
    """Mean of (norm - 1)^2; the norm is over the channels of (N, C, H, W), per pixel, as published."""
    norm = (grad.float().square().sum(1) + 1e-12).sqrt()  # the root of 0 has no gradient
    return (norm - 1).square().mean()
