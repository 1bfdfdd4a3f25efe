"""The published program once more, from its description alone, as plain functions on lists of tensors: what the preset
`paper` is held against. Slow, on the CPU, in torch's default dtype, with one generator for all randomness.

A network is a list of layers, each a dict of tensors: weight w, bias b and, but in the last layer, batch norm's gamma,
beta, mean and var. Gradients of the generator are worked out layer by layer, old activations with new weights, as the
program's reused fake makes them; everything else is autograd's.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch.nn.grad import conv2d_input, conv2d_weight

PAD, BETAS, RATE, ALPHA, PENALTY, UPDATES = 5, (0.5, 0.999), 5e-4, 10.0, 0.1, 3
Network = list[dict[str, torch.Tensor]]


def sizes(
    height: int, width: int, longest: int = 250, shortest: int = 25
) -> tuple[list[tuple[int, int]], float, float]:
    """All scales' sizes, coarsest first, the factor between them, and that at which the image is learned."""
    scales = math.ceil(math.log(math.pow(shortest / min(height, width), 1), 0.75)) + 1
    long = max(height, width)
    scales -= math.ceil(math.log(min([longest, long]) / long, 0.75))
    learned = min(longest / long, 1)
    h, w = math.ceil(height * learned), math.ceil(width * learned)
    factor = math.pow(shortest / min(h, w), 1 / scales)
    ratios = [math.pow(factor, scales - i) for i in range(scales + 1)]
    return [(math.ceil(h * ratio), math.ceil(w * ratio)) for ratio in ratios], factor, learned


def resize(image: np.ndarray, factor: float) -> np.ndarray:
    """A float64 image (H, W, 3) times `factor`: cubic with a = -.5, wider where it shrinks, rows first."""
    for axis in (0, 1):
        image = np.moveaxis(_resize_rows(np.moveaxis(image, axis, 0), factor), 0, axis)
    return image


def _resize_rows(image: np.ndarray, factor: float) -> np.ndarray:
    before, shrink = len(image), min(factor, 1.0)
    result = []
    for i in range(1, math.ceil(factor * before) + 1):
        centre = i / factor + 0.5 * (1 - 1 / factor)
        left = math.floor(centre - 4 / shrink / 2)
        taps = [left + j - 1 for j in range(math.ceil(4 / shrink) + 2)]
        weights = np.array([0.0 if tap < 0 else shrink * _cubic(shrink * (centre - tap - 1)) for tap in taps])
        weights = weights / weights.sum()
        row = np.zeros_like(image[0])
        for tap, weight in zip(taps, weights, strict=True):
            there = [*range(before), *range(before - 1, -1, -1)][tap % (2 * before)] if tap >= 0 else 0
            row = row + image[there] * weight
        result.append(row)
    return np.stack(result)


def _cubic(x: float) -> float:
    a = abs(x)
    if a <= 1:
        return 1.5 * a**3 - 2.5 * a**2 + 1
    return -0.5 * a**3 + 2.5 * a**2 - 4 * a + 2 if a <= 2 else 0.0


def as_image(array: np.ndarray) -> torch.Tensor:
    """Values from 0 to 255, (H, W, 3), in the range of the networks."""
    x = torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)[None]) / 255).to(torch.get_default_dtype())
    return ((x - 0.5) * 2).clamp(-1, 1)


def resize_image(x: torch.Tensor, factor: float) -> torch.Tensor:
    """An image of the networks, by way of truncated bytes."""
    array = (255 * ((x[0] + 1) / 2).clamp(0, 1)).permute(1, 2, 0).to(torch.uint8).numpy()
    return as_image(resize(array.astype(np.float64), factor))


def network(width: int, out: int) -> Network:
    """A new one, from torch's global generator: torch's own start of all layers, then the program's."""
    convs = [torch.nn.Conv2d(a, b, 3) for a, b in [(3, width), *[(width, width)] * 3, (width, out)]]
    layers = []
    for conv in convs:
        layer = {"w": conv.weight.detach().normal_(0, 0.02), "b": conv.bias.detach()}
        if conv is not convs[-1]:
            layer |= {"gamma": torch.empty(width).normal_(1, 0.02), "beta": torch.zeros(width)}
            layer |= {"mean": torch.zeros(width), "var": torch.ones(width)}
        layers.append(layer)
    return layers


def learned(net: Network) -> list[torch.Tensor]:
    return [layer[name] for layer in net for name in ("w", "b", "gamma", "beta") if name in layer]


def forward(net: Network, x: torch.Tensor, training: bool, trace: list | None = None) -> torch.Tensor:
    """The stack of layers, no tanh; `trace` takes each layer's input and what batch norm made of its output."""
    for layer in net:
        before, x = x, F.conv2d(x, layer["w"], layer["b"])
        if "gamma" in layer:
            if trace is not None:
                mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, correction=0)
                deviation = (var + 1e-5).sqrt()
                trace.append((before, (x - mean) / deviation, deviation))
            x = F.batch_norm(x, layer["mean"], layer["var"], layer["gamma"], layer["beta"], training)
            x = F.leaky_relu(x, 0.2)
            if trace is not None:
                trace[-1] += (x,)
        elif trace is not None:
            trace.append((before,))
    return x


def backward(net: Network, trace: list, grad: torch.Tensor) -> list[torch.Tensor]:
    """Gradients of `learned(net)` for that of the stack's output: activations of `trace`, weights as they are now."""
    found = []
    for layer, (before, *rest) in zip(reversed(net), reversed(trace), strict=True):
        own = []
        if rest:
            normal, deviation, after = rest
            grad = torch.where(after > 0, grad, 0.2 * grad)
            own = [(grad * normal).sum((0, 2, 3)), grad.sum((0, 2, 3))]
            grad = grad * layer["gamma"].view(1, -1, 1, 1)
            means = [t.mean((0, 2, 3), keepdim=True) for t in (grad, grad * normal)]
            grad = (grad - means[0] - normal * means[1]) / deviation
        found = [conv2d_weight(before, layer["w"].shape, grad), grad.sum((0, 2, 3)), *own, *found]
        grad = conv2d_input(before.shape, layer["w"], grad)
    return found


class Adam:
    def __init__(self, weights: list[torch.Tensor]) -> None:
        self.weights, self.steps = weights, 0
        self.first, self.second = ([torch.zeros_like(w) for w in weights] for _ in range(2))

    def step(self, grads: list[torch.Tensor]) -> None:
        self.steps += 1
        for w, m, v, grad in zip(self.weights, self.first, self.second, grads, strict=True):
            m += (1 - BETAS[0]) * (grad - m)
            v *= BETAS[1]
            v += (1 - BETAS[1]) * grad**2
            spread = (v / (1 - BETAS[1] ** self.steps)).sqrt() + 1e-8
            w -= RATE / (1 - BETAS[0] ** self.steps) * m / spread


def pad(x: torch.Tensor) -> torch.Tensor:
    return F.pad(x, (PAD,) * 4)


def noise(scale: int, size: tuple[int, int]) -> torch.Tensor:
    return pad(torch.randn(1, 3 if scale else 1, *size).expand(-1, 3, -1, -1))


class Program:
    """A whole run: `scales` holds a dict for each finished one, with net, amp, z (the fixed noise), real and size."""

    def __init__(self, image: np.ndarray, widths: tuple[int, ...], steps: int, seed: int) -> None:
        all_sizes, self.factor, at = sizes(*image.shape[:2])
        torch.manual_seed(seed)
        self.scales: list[dict] = []
        critic: Network = []
        whole = resize_image(as_image(image), at)
        for k, (size, width) in enumerate(zip(all_sizes, widths, strict=True)):
            ratio = math.pow(self.factor, len(all_sizes) - 1 - k)
            real = resize_image(whole, ratio)
            assert real.shape[2:] == size
            generator, new_critic = network(width, 3), network(width, 1)
            torch.randn(1, 3, *size)
            if k and widths[k - 1] == width:
                generator = [{n: t.clone() for n, t in layer.items()} for layer in self.scales[-1]["net"]]
                new_critic = critic
            critic = new_critic
            self.scales.append(self.train(k, real, generator, critic, steps))

    def draw(self, fixed: bool, size: tuple[int, int] | None = None) -> torch.Tensor:
        """What the next scale starts from, of that size; or what the last one shows, without a size."""
        x = torch.zeros_like(self.scales[0]["real"]) if self.scales else torch.zeros(1, 3, *(size or ()))
        for k, scale in enumerate(self.scales):
            z = scale["z"] if fixed else noise(k, scale["real"].shape[2:])
            x = x + torch.tanh(forward(scale["net"], pad(x) + scale["amp"] * z, training=False))
            following = self.scales[k + 1]["real"].shape[2:] if k + 1 < len(self.scales) else size
            if following is not None:
                x = resize_image(x, 1 / self.factor)[:, :, : following[0], : following[1]]
        return x

    @torch.no_grad()
    def train(self, k: int, real: torch.Tensor, g: Network, d: Network, steps: int) -> dict:
        size = real.shape[2:]
        start = self.draw(True, size)
        amp = 0.1 * float(F.mse_loss(real, start).sqrt()) if k else 1.0
        optimisers, z = (Adam(learned(g)), Adam(learned(d))), torch.zeros_like(pad(real))
        for step in range(steps):
            z = noise(0, size) if k == 0 else z
            fresh = amp * noise(k, size)
            for _ in range(UPDATES):
                coarser, trace = self.draw(False, size), []
                squashed = torch.tanh(forward(g, pad(coarser) + fresh, True, trace))
                fake = coarser + squashed
                optimisers[1].step(critic_gradient(d, real, fake))
            for _ in range(UPDATES):
                with torch.enable_grad():
                    shown = fake.clone().requires_grad_()
                    (slope,) = torch.autograd.grad(-forward(d, shown, True).mean(), shown)
                    for weight in learned(g):
                        weight.requires_grad_()
                    again = start + torch.tanh(forward(g, pad(start) + amp * z, True))
                    second = torch.autograd.grad(ALPHA * F.mse_loss(again, real), learned(g))
                for weight in learned(g):
                    weight.requires_grad_(False)
                first = backward(g, trace, slope * (1 - squashed**2))
                optimisers[0].step([a + b for a, b in zip(first, second, strict=True)])
            if step % 500 == 0 or step == steps - 1:
                forward(g, pad(start) + amp * z, True)  # the program shows it; running statistics move
        return {"net": g, "amp": amp, "z": z, "real": real}


def critic_gradient(d: Network, real: torch.Tensor, fake: torch.Tensor) -> list[torch.Tensor]:
    with torch.enable_grad():
        for weight in learned(d):
            weight.requires_grad_()
        loss = forward(d, fake, True).mean() - forward(d, real, True).mean()
        share = torch.rand(1, 1)
        between = (share * real + (1 - share) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(forward(d, between, True).sum(), between, create_graph=True)
        loss = loss + PENALTY * ((slope.norm(2, dim=1) - 1) ** 2).mean()
        grads = torch.autograd.grad(loss, learned(d), allow_unused=True)
    for weight in learned(d):
        weight.requires_grad_(False)
    return [torch.zeros_like(w) if g is None else g for g, w in zip(grads, learned(d), strict=True)]
