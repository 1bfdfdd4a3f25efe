"""A reference writer of the files that the published code leaves: the same classes and names, in the same lists."""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from published_reference import resize_image
from torch import nn

PAD = 5  # zeros around images and noise: the margin of five 3x3 layers


class ConvBlock(nn.Sequential):
    """Convolution, batch norm, leaky ReLU, each under its published name."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.add_module("conv", nn.Conv2d(inputs, outputs, 3))
        self.add_module("norm", nn.BatchNorm2d(outputs))
        self.add_module("LeakyRelu", nn.LeakyReLU(0.2, inplace=True))


class GeneratorConcatSkip2CleanAdd(nn.Module):
    """tanh of a stack of blocks, added to the coarser image (both with PAD pixels around)."""

    def __init__(self, width: int, blocks: int = 3) -> None:
        super().__init__()
        self.head = ConvBlock(3, width)
        self.body = nn.Sequential()
        for i in range(blocks):
            self.body.add_module(f"block{i + 1}", ConvBlock(width, width))
        self.tail = nn.Sequential(nn.Conv2d(width, 3, 3), nn.Tanh())

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x = self.tail(self.body(self.head(x)))
        margin = (y.shape[2] - x.shape[2]) // 2
        return x + y[:, :, margin : y.shape[2] - margin, margin : y.shape[3] - margin]


def pyramid(widths: tuple[int, ...] = (8, 8, 16), min_size: int = 25) -> dict[str, list]:
    """What is saved of a model of three scales, of random weights and with statistics of batch norm that have moved."""
    torch.manual_seed(0)
    factor = math.pow(min_size / 44, 1 / 2)
    sizes = [(math.ceil(44 * factor**k), math.ceil(58 * factor**k)) for k in (2, 1, 0)][: len(widths)]
    generators = [GeneratorConcatSkip2CleanAdd(width) for width in widths]
    for generator, size in zip(generators, sizes, strict=True):
        for module in generator.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1, 0.2)
                nn.init.normal_(module.bias, 0, 0.2)
        for _ in range(20):
            x = torch.zeros(1, 3, size[0] + 2 * PAD, size[1] + 2 * PAD)
            generator(x + torch.randn_like(x), x)
        generator.eval()  # as a finished scale is put, before it is saved
    grey = F.pad(torch.randn(1, 1, *sizes[0]).expand(1, 3, -1, -1), (PAD,) * 4)
    return {
        "Gs.pth": generators,
        "Zs.pth": [grey, *(torch.zeros(1, 3, h + 2 * PAD, w + 2 * PAD) for h, w in sizes[1:])],
        "reals.pth": [(torch.randint(256, (1, 3, *size)) / 255 - 0.5) * 2 for size in sizes],
        "NoiseAmp.pth": [1, torch.tensor(0.2), 0.05][: len(widths)],
    }


@torch.no_grad()
def draw(saved: dict[str, list], noises: list[torch.Tensor], min_size: int = 25) -> torch.Tensor:
    """What the published code draws of these noises, (1, 3, h, w) of each scale."""
    reals = saved["reals.pth"]
    factor = math.pow(min_size / min(reals[-1].shape[2:]), 1 / (len(reals) - 1))
    x = torch.zeros_like(reals[0])
    for k, (generator, amp, noise) in enumerate(zip(saved["Gs.pth"], saved["NoiseAmp.pth"], noises, strict=True)):
        if k:
            x = resize_image(x, 1 / factor)[:, :, : reals[k].shape[2], : reals[k].shape[3]]
        before = F.pad(x, (PAD,) * 4)
        x = generator(amp * F.pad(noise, (PAD,) * 4) + before, before)
    return x


def write(folder: Path, values: dict[str, list], *, legacy: bool) -> Path:
    """Save each list in a file of its own, in the format of PyTorch up to 1.5 or in that since."""
    for name, value in values.items():
        torch.save(value, folder / name, _use_new_zipfile_serialization=not legacy)
    return folder
