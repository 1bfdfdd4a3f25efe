"""Networks: crops are exact, and the input gradient is the one autograd finds."""

from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F

from singan import networks
from singan.networks import SOUND_WIDTHS, Convolution, PatchNet, PublishedNet, convolve, sound_columns


def network(out_channels=1, **kwargs) -> PatchNet:
    net = PatchNet(3, 8, out_channels, 5, **kwargs).double()
    net.initialise(torch.Generator().manual_seed(0))
    return net


def noise(*shape) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_output_of_a_crop_is_the_crop_of_the_output():
    net, x = network(3), F.pad(noise(1, 3, 40, 50), (5,) * 4)
    whole = net(x)
    assert whole.shape == (1, 3, 40, 50)
    crop = net(x[:, :, 7 : 7 + 26, 20 : 20 + 30])
    torch.testing.assert_close(crop, whole[:, :, 7 : 7 + 16, 20 : 20 + 20], rtol=0, atol=1e-12)


def test_batch_norm_breaks_that_identity():
    """Which is why the presets that train on crops have none."""
    net, x = network(3, norm="batch"), noise(1, 3, 60, 60)
    assert (net(x[:, :, :30]) - net(x)[:, :, :20]).abs().max() > 1e-3


def test_receptive_field_is_eleven_pixels():
    net, x = network(), noise(1, 3, 31, 31).requires_grad_()
    out = net(x)
    out[0, 0, 10, 10].backward()
    seen = x.grad.abs().sum((0, 1)) > 0
    rows = seen.any(1).nonzero().flatten().tolist()
    assert rows == list(range(10, 21)) and 2 * net.margin + 1 == 11


def test_forward_with_slopes_is_forward():
    net, x = network(), noise(2, 3, 24, 20)
    out, slopes = net.forward_with_slopes(x)
    torch.testing.assert_close(out, net(x))
    assert len(slopes) == 4 and set(torch.cat([s.flatten() for s in slopes]).tolist()) == {1.0, 0.2}


def test_input_gradient_is_that_of_autograd():
    net, x = network(), noise(2, 3, 24, 20).requires_grad_()
    out, slopes = net.forward_with_slopes(x)
    (expected,) = torch.autograd.grad(net(x).sum(), x)
    torch.testing.assert_close(net.input_gradient(slopes, torch.ones_like(out)), expected)


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_initial_weights_depend_on_the_generator_alone(norm):
    def weights(seed):
        net = PatchNet(3, 8, 3, 5, norm)
        net.initialise(torch.Generator().manual_seed(seed), last=0.1)
        return torch.cat([p.flatten() for p in net.parameters()])

    torch.manual_seed(5)
    first = weights(0)
    assert torch.equal(first, weights(0)) and not torch.equal(first, weights(1))


@pytest.mark.parametrize("width", range(1, 300))
def test_columns_are_sound_and_make_up_the_width(width):
    edges = sound_columns(width)
    assert edges[0] == 0 and edges[-1] == width
    assert {right - left for left, right in pairwise(edges)} <= SOUND_WIDTHS


def test_convolving_in_columns_changes_nothing(monkeypatch):
    monkeypatch.setattr(networks, "amx_in_use", lambda device: True)
    conv, x = torch.nn.Conv2d(3, 4, 3).double(), noise(1, 3, 9, 128).requires_grad_()
    out = convolve(conv, x)
    torch.testing.assert_close(out, conv(x), rtol=0, atol=1e-12)
    out.square().sum().backward()
    found, conv.weight.grad = conv.weight.grad, None
    conv(x).square().sum().backward()
    torch.testing.assert_close(found, conv.weight.grad)


def test_published_network_goes_by_its_running_statistics_once_finished():
    net, x = PublishedNet(3, 8, 3, 5, squash=True).double(), noise(1, 3, 40, 40)
    net.initialise(torch.Generator().manual_seed(0))
    in_training = net.train()(x)
    finished = net.eval()(x)
    assert float((in_training - finished).detach().abs().max()) > 1e-3
    torch.testing.assert_close(net(x[:, :, :30]), finished[:, :, :20], rtol=0, atol=1e-12)  # so strips are exact


@pytest.mark.parametrize("norm", [False, True])
def test_second_derivative_of_the_published_convolution_is_torchs(norm):
    """The penalty's gradient, through a gradient, in float64."""

    def gradients(kind):
        torch.manual_seed(0)
        first, second = kind(3, 4, 3).double(), kind(4, 1, 3).double()
        between = torch.nn.BatchNorm2d(4).double() if norm else torch.nn.Identity()
        x = torch.randn(2, 3, 9, 12, dtype=torch.float64, requires_grad=True)
        out = second(torch.nn.functional.leaky_relu(between(first(x)), 0.2))
        (grad,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
        (out.mean() + (grad.norm(2, dim=1) - 1).square().mean()).backward()
        return [x.grad, *(p.grad for module in (first, between, second) for p in module.parameters())]

    for ours, theirs in zip(gradients(Convolution), gradients(torch.nn.Conv2d), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-10)
