"""Losses against independent computations."""

import pytest
import torch

from singan.networks import PatchNet
from singan.training.losses import critic_loss, critic_loss_published, gradient_penalty


def critic() -> PatchNet:
    net = PatchNet(3, 8, 1, 5).double()
    net.initialise(torch.Generator().manual_seed(0))
    return net


def images(seed, n=4) -> torch.Tensor:
    return torch.randn(n, 3, 22, 26, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_penalty_is_the_mean_squared_distance_of_the_norm_from_one():
    grad = torch.zeros(1, 3, 1, 2)
    grad[0, :, 0, 0] = torch.tensor([3.0, 0.0, 4.0])  # norm 5; the other pixel's norm is 0
    assert gradient_penalty(grad).item() == pytest.approx((16 + 1) / 2, rel=1e-5)


def test_critic_loss_and_its_gradients_equal_those_by_double_backward():
    """The penalty's chain of transposed convolutions against autograd's own second derivative."""
    net, real, fake = critic(), images(1), images(2)
    chain = critic_loss(net, real, fake, 0.3)
    chain.loss.backward()
    ours = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()

    points = torch.cat([real[2:], fake[:2]]).requires_grad_()
    (grad,) = torch.autograd.grad(net(points).sum(), points, create_graph=True)
    penalty = ((grad.square().sum(1) + 1e-12).sqrt() - 1).square().mean()
    loss = net(fake).mean() - net(real).mean() + 0.3 * penalty
    loss.backward()

    assert chain.loss.item() == pytest.approx(loss.item(), rel=1e-6)  # the loss is summed in float32
    assert chain.penalty.item() == pytest.approx(penalty.item(), rel=1e-6)
    for mine, parameter in zip(ours, net.parameters(), strict=True):
        torch.testing.assert_close(mine, parameter.grad, rtol=1e-5, atol=1e-7)


def test_published_penalty_is_taken_between_real_and_fake():
    net, real, fake = critic(), images(1), images(2)
    for mix, points in ((1.0, real), (0.0, fake)):
        given = torch.full((4, 1, 1, 1), mix, dtype=torch.float64)
        loss = critic_loss_published(net, real, fake, 0.1, given)
        points = points.clone().requires_grad_()
        (grad,) = torch.autograd.grad(net(points).sum(), points)
        assert loss.penalty.item() == pytest.approx(gradient_penalty(grad).item(), rel=1e-6)
