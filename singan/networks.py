"""The one kind of network: a stack of 3x3 convolutions without padding (SinGAN sec. 2.1)."""

from __future__ import annotations

import math
from itertools import pairwise, zip_longest
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import nn

from singan.device import amx_in_use

SLOPE = 0.2  # of the leaky ReLU on its negative side

# Widths of convolution outputs whose weight gradient is right in bfloat16. On CPUs with AMX, torch 2.13's gradient of
# a 3x3 convolution reads memory that nobody wrote where the output, or the input of a transposed one, is 61, 62 or 91
# to 94 pixels wide, whatever its height: a wrong number, or NaN. Widths next to these, and those that were not tried,
# are left out too.
SOUND_WIDTHS = frozenset([*range(1, 59), *range(64, 91)])


class PatchNet(nn.Module):
    """`layers` valid 3x3 convolutions with leaky ReLU between: (N, in, H, W) -> (N, out, H-2*layers, W-2*layers).

    A generator has `out_channels` 3, a critic 1. Since nothing is padded inside, the output of a crop is the
    crop of the output (without batch norm).
    """

    convolution = nn.Conv2d  # what its layers are

    def __init__(
        self, in_channels: int, width: int, out_channels: int, layers: int, norm: str = "none", *, squash: bool = False
    ) -> None:
        super().__init__()
        channels = [in_channels] + [width] * (layers - 1) + [out_channels]
        self.convs = nn.ModuleList(self.convolution(a, b, 3) for a, b in pairwise(channels))
        # "batch", of older files: statistics of the current image always.
        self.norms = nn.ModuleList(
            nn.BatchNorm2d(width, track_running_stats=False) if norm == "batch" else nn.Identity()
            for _ in range(layers - 1)
        )
        self.squash = squash  # end in tanh, as the published generator does
        for conv in self.layers:  # the faster layout on CPUs and GPUs alike
            conv.weight.data = conv.weight.data.contiguous(memory_format=torch.channels_last)

    @property
    def layers(self) -> list[nn.Conv2d]:
        return cast("list[nn.Conv2d]", list(self.convs))

    @property
    def margin(self) -> int:
        """Pixels lost on each side; the receptive field is 2 * margin + 1."""
        return len(self.convs)

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, last: float = 1.0) -> None:
        """Draw the weights (Kaiming); the last layer's times `last`."""
        for conv in self.layers:
            std = (2 / (1 + SLOPE**2) / conv.weight[0].numel()) ** 0.5
            conv.weight.copy_(torch.randn(conv.weight.shape, generator=generator) * std)
            assert conv.bias is not None
            conv.bias.zero_()
        self.layers[-1].weight.mul_(last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for conv, norm in zip(self.layers[:-1], self.norms, strict=True):
            x = F.leaky_relu(norm(convolve(conv, x)), SLOPE, inplace=not torch.is_grad_enabled())
        x = convolve(self.layers[-1], x)
        return torch.tanh(x) if self.squash else x

    def forward_with_slopes(self, x: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Without norm: the output, and each activation's slope (1 or .2, constant to autograd)."""
        slopes = []
        for conv in self.layers[:-1]:
            x = conv(x)
            slopes.append(x.detach().sign().clamp_min_(SLOPE))  # a tenth of the time of torch.where
            x = x * slopes[-1]
        return self.layers[-1](x), slopes

    def input_gradient(self, slopes: list[torch.Tensor], ones: torch.Tensor) -> torch.Tensor:
        """Gradient of the summed output with respect to the input, as a forward computation.

        The network is piecewise linear, so the gradient is a chain of transposed convolutions with its own
        weights, times the slopes. Backpropagating through it gives the weights' gradient of any function of the
        input gradient (almost everywhere exactly), with no double backward. `ones` has the output's shape.
        """
        grad = ones
        for i in range(len(self.convs) - 1, -1, -1):
            grad = F.conv_transpose2d(grad, self.layers[i].weight)
            if i:
                grad = grad * slopes[i - 1]
        return grad


class _Convolution(torch.autograd.Function):
    """Without padding, of x (N, C, H, W), weight and bias. Of its gradients that of x can be differentiated again."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (grad,), (x, weight), ones = grads, ctx.saved_tensors, [1, 1]
        if torch.is_grad_enabled():
            return F.conv_transpose2d(grad, weight), None, None
        sizes, wanted = [len(weight)], list(ctx.needs_input_grad)
        return torch.ops.aten.convolution_backward(grad, x, weight, sizes, ones, [0, 0], ones, False, [0, 0], 1, wanted)


class Convolution(nn.Conv2d):
    """A 3x3 convolution with a quick second derivative, for a penalty on the gradient of its input: transposed
    convolutions, where torch's own has kernels as large as the image, two thirds of a step on GPUs."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert self.bias is not None
        device, weight, bias = x.device.type, self.weight, self.bias
        if torch.is_autocast_enabled(device):
            x, weight, bias = (one.to(torch.get_autocast_dtype(device)) for one in (x, weight, bias))
        return _Convolution.apply(x, weight, bias)


class PublishedNet(PatchNet):
    """The published network: batch norm, with running statistics, after each convolution but the last; tanh at the end
    of a generator. In training mode it normalises by the statistics of its input, which is the whole image; a finished
    one, in evaluation mode, by the running ones."""

    convolution = Convolution

    def __init__(self, in_channels: int, width: int, out_channels: int, layers: int, *, squash: bool) -> None:
        super().__init__(in_channels, width, out_channels, layers, squash=squash)
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(layers - 1))

    @torch.no_grad()
    def initialise(self, generator: torch.Generator, last: float = 1.0) -> None:
        """Draw the weights in the order of the published program: those that torch gives a new layer, of which the
        biases stay, then N(0, .02), and N(1, .02) for batch norm."""
        for conv in self.layers:
            bound = 1 / math.sqrt(conv.weight[0].numel())
            torch.empty(conv.weight.shape).uniform_(-bound, bound, generator=generator)
            assert conv.bias is not None
            conv.bias.copy_(torch.empty(conv.bias.shape).uniform_(-bound, bound, generator=generator))
        for conv, norm in zip_longest(self.layers, cast("list[nn.BatchNorm2d]", list(self.norms))):
            conv.weight.copy_(torch.empty(conv.weight.shape).normal_(0, 0.02, generator=generator))
            if norm is not None:
                norm.weight.copy_(torch.empty(norm.weight.shape).normal_(1, 0.02, generator=generator))
                norm.bias.zero_()


def convolve(conv: nn.Conv2d, x: torch.Tensor) -> torch.Tensor:
    """`conv(x)`, a 3x3 convolution; where the fault of SOUND_WIDTHS would be met, in columns."""
    width = x.shape[3] - 2
    if width in SOUND_WIDTHS or not (torch.is_grad_enabled() and amx_in_use(x.device)):
        return conv(x)
    return torch.cat([conv(x[..., left : right + 2]) for left, right in pairwise(sound_columns(width))], 3)


def sound_columns(width: int) -> list[int]:
    """Edges of the fewest even columns that an image of this width falls into, all of SOUND_WIDTHS."""
    found = ([width * i // count for i in range(count + 1)] for count in range(1, width + 1))
    return next(edges for edges in found if all(right - left in SOUND_WIDTHS for left, right in pairwise(edges)))


def sound_width(width: int, layers: int) -> int:
    """The widest crop of an image of that width whose convolutions, of generator and critic, have SOUND_WIDTHS.

    The outputs of a generator's layers are from 2 * layers - 2 pixels wider than the crop down to its width, those of a
    critic's from 2 pixels narrower down to 2 * layers.
    """
    met = range(-2 * layers, 2 * layers - 1, 2)
    return next(w for w in range(width, 0, -1) if all(w + by < 1 or w + by in SOUND_WIDTHS for by in met))
