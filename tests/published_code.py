"""A reference writer of the files that the published code leaves: the same classes and names, in the same lists."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
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


def pyramid(widths: tuple[int, ...] = (8, 8, 16)) -> dict[str, list]:
    """What is saved of an untrained model of three scales."""
    torch.manual_seed(0)
    sizes = [(25, 33), (33, 44), (44, 58)][: len(widths)]
    generators = [GeneratorConcatSkip2CleanAdd(width) for width in widths]
    for generator in generators:
        for module in generator.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1, 0.2)
                nn.init.normal_(module.bias, 0, 0.2)
        with torch.no_grad():  # the running statistics move, as in training
            generator(torch.randn(1, 3, 40, 40), torch.zeros(1, 3, 40, 40))
    grey = F.pad(torch.randn(1, 1, *sizes[0]).expand(1, 3, -1, -1), (PAD,) * 4)
    return {
        "Gs.pth": generators,
        "Zs.pth": [grey, *(torch.zeros(1, 3, h + 2 * PAD, w + 2 * PAD) for h, w in sizes[1:])],
        "reals.pth": [torch.rand(1, 3, *size) * 2 - 1 for size in sizes],
        "NoiseAmp.pth": [1, torch.tensor(0.2), 0.05][: len(widths)],
    }


def write(folder: Path, values: dict[str, list], *, legacy: bool) -> Path:
    """Save each list in a file of its own, in the format of PyTorch up to 1.5 or in that since."""
    for name, value in values.items():
        torch.save(value, folder / name, _use_new_zipfile_serialization=not legacy)
    return folder
