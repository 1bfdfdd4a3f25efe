"""Super-resolution of five BSD100 photographs, by four, beside others that learn from one picture alone, in one run.

    python benchmarks/rivals.py --out DIR [--zssr-steps 500] [--dip-steps 400] [--only PICTURE]

Interpolation, `super_resolve`, and two small reference programs written from the papers: ZSSR (Shocher, Cohen and
Irani, CVPR 2018) and DIP (Ulyanov, Vedaldi and Lempitsky, CVPR 2018), which need no pictures but the given one either.
Both are as published in method; narrower and with fewer steps where a CPU would take an hour, as the options say.
A result that is in DIR already is not made again; its seconds, of all processors, are kept in DIR/seconds.json.
"""

import argparse
import json
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
import torch.nn.functional as F
from common import SHARED, contact_sheet, machine, need_shared
from PIL import Image
from torch import nn

import singan
from singan.image import image_to_tensor, tensor_to_image
from singan.metrics.distortion import psnr, rmse, ssim
from singan.metrics.niqe import NaturalScenes, niqe

FACTOR = 4


def interpolated(kind: Image.Resampling) -> Callable[[Image.Image], Image.Image]:
    return lambda small: small.resize((FACTOR * small.width, FACTOR * small.height), kind)


def resized(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    return F.interpolate(x, size=size, mode="bicubic", antialias=True, align_corners=False)


class Plain(nn.Sequential):
    """ZSSR's network: eight convolutions of 64 channels, which add detail to the interpolated picture."""

    def __init__(self, width: int = 64, layers: int = 8) -> None:
        channels = [3, *[width] * (layers - 1), 3]
        parts: list[nn.Module] = []
        for a, b in pairwise(channels):
            parts += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU()]
        super().__init__(*parts[:-1])


def zssr(small: Image.Image, steps: int, crop: int = 64) -> Image.Image:
    """Learns to undo its own shrinking, first by two, then, from that result, by four; the mean over eight turns and
    mirror images, corrected so that it shrinks to what was given."""
    torch.manual_seed(0)
    given = image_to_tensor(small)
    fathers, network = [given], Plain()
    for factor in (2, FACTOR):
        optimiser = torch.optim.Adam(network.parameters(), 1e-3)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, 1e-5)
        for _ in range(steps):
            father = fathers[int(torch.randint(len(fathers), ()))]
            share = 0.7 + 0.3 * torch.rand(()).item()
            father = resized(father, tuple(int(share * side) // factor * factor for side in father.shape[2:]))
            father = turned(father, int(torch.randint(8, ())))
            son = resized(father, tuple(side // factor for side in father.shape[2:]))
            base = resized(son, tuple(father.shape[2:]))
            top, left = (int(torch.randint(max(1, side - crop + 1), ())) for side in father.shape[2:])
            window = (..., slice(top, top + crop), slice(left, left + crop))
            base, father = base[window], father[window]
            loss = (base + network(base) - father).abs().mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        result = enlarged(network, given, factor)
        fathers.append(result)
    return tensor_to_image(result)


@torch.inference_mode()
def enlarged(network: nn.Module, given: torch.Tensor, factor: int) -> torch.Tensor:
    base = resized(given, tuple(factor * side for side in given.shape[2:]))
    votes = [back(base_k + network(base_k), k) for k in range(8) for base_k in [turned(base, k)]]
    result = torch.stack(votes).median(0).values
    for _ in range(4):  # what it shrinks to is what was given
        result = result + resized(given - resized(result, tuple(given.shape[2:])), tuple(result.shape[2:]))
    return result.clamp(-1, 1).clone()


def turned(x: torch.Tensor, k: int) -> torch.Tensor:
    return torch.rot90(x.flip(3) if k >= 4 else x, k % 4, (2, 3))


def back(x: torch.Tensor, k: int) -> torch.Tensor:
    x = torch.rot90(x, -(k % 4), (2, 3))
    return x.flip(3) if k >= 4 else x


class Hourglass(nn.Module):
    """DIP's network: down by strides, up by interpolation, thin connections across."""

    def __init__(self, width: int, levels: int = 4, skip: int = 4, noise: int = 32) -> None:
        super().__init__()
        ins = [noise, *[width] * (levels - 1)]

        def block(a: int, b: int, side: int = 3, stride: int = 1) -> nn.Sequential:
            conv = nn.Conv2d(a, b, side, stride, side // 2, padding_mode="reflect")
            return nn.Sequential(conv, nn.BatchNorm2d(b), nn.LeakyReLU(0.2))

        self.down = nn.ModuleList(nn.Sequential(block(a, width, stride=2), block(width, width)) for a in ins)
        self.skip = nn.ModuleList(block(a, skip, 1) for a in ins)
        self.up = nn.ModuleList(
            nn.Sequential(nn.BatchNorm2d(width + skip), block(width + skip, width), block(width, width, 1)) for _ in ins
        )
        self.out = nn.Conv2d(width, 3, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        across = []
        for down, skip in zip(self.down, self.skip, strict=True):
            across.append(skip(x))
            x = down(x)
        for up, beside in zip(reversed(self.up), reversed(across), strict=True):
            x = F.interpolate(x, size=beside.shape[2:], mode="bilinear", align_corners=False)
            x = up(torch.cat([x, beside], 1))
        return torch.tanh(self.out(x))


def dip(small: Image.Image, steps: int, width: int = 32) -> Image.Image:
    """A network without training whose output, shrunk, is to be what was given."""
    torch.manual_seed(0)
    given = image_to_tensor(small)
    size = tuple(FACTOR * side for side in given.shape[2:])
    network, noise = Hourglass(width), 0.1 * torch.rand(1, 32, *size)
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    mean = None
    for _ in range(steps):
        out = network(noise + 0.03 * torch.randn_like(noise))
        loss = F.mse_loss(resized(out, tuple(given.shape[2:])), given)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        mean = out.detach() if mean is None else torch.lerp(mean, out.detach(), 0.05)
    assert mean is not None
    return tensor_to_image(mean)


PUBLISHED = """
From their papers, over all of BSD100 (RMSE; NIQE with its authors' parameters, another scale than here): SRGAN 16.34,
3.41; EDSR 12.29, 6.50; DIP 13.82, 6.35; ZSSR 13.08, 7.13; SinGAN 16.22, 3.71. SRGAN and EDSR learned from thousands of
other pictures; they were not run here.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("rivals"))
    parser.add_argument("--zssr-steps", type=int, default=500)
    parser.add_argument("--dip-steps", type=int, default=400)
    parser.add_argument("--only", help="one picture, by the beginning of its name")
    options = parser.parse_args()
    need_shared()
    options.out.mkdir(parents=True, exist_ok=True)
    methods: dict[str, Callable[[Image.Image], Image.Image]] = {
        "bicubic": interpolated(Image.Resampling.BICUBIC),
        "Lanczos": interpolated(Image.Resampling.LANCZOS),
        f"ZSSR, 2 x {options.zssr_steps} steps": lambda small: zssr(small, options.zssr_steps),
        f"DIP, 32 channels, {options.dip_steps} steps": lambda small: dip(small, options.dip_steps),
        "ours, fast": lambda small: singan.super_resolve(small, FACTOR),
    }
    print(machine())
    print("| picture | method | processor seconds | RMSE | PSNR | SSIM | NIQE |\n|---|---|---|---|---|---|---|")
    scenes = NaturalScenes.load(SHARED / "eval" / "niqe_image_params.mat")
    kept = options.out / "seconds.json"
    seconds = json.loads(kept.read_text()) if kept.exists() else {}
    found: dict[str, list[list[float]]] = {}
    rows = []
    for path in sorted((SHARED / "data" / "sr" / "lr_x4").glob(f"{options.only or ''}*.png")):
        small, truth = (singan.load_image(p) for p in (path, SHARED / "data" / "sr" / "hr" / path.name))
        rows.append([])
        for name, method in methods.items():
            key = f"{path.stem}-{name.replace(' ', '_').replace(',', '')}"
            file = options.out / f"{key}.png"
            if not file.exists():
                start = time.process_time()
                image = method(small)
                seconds[key] = time.process_time() - start
                image.save(file)
                kept.write_text(json.dumps(seconds))
            image = singan.load_image(file)
            x, y = image_to_tensor(image), image_to_tensor(truth)
            figures = [seconds[key], rmse(x, y), psnr(x, y), ssim(x, y), niqe(x, scenes)]
            found.setdefault(name, []).append(figures)
            print(f"| {path.stem} | {name} | {' | '.join(f'{v:.2f}' for v in figures)} |", flush=True)
            rows[-1].append(image)
        rows[-1].append(truth)
    for name, figures in found.items():
        means = torch.tensor(figures).mean(0).tolist()
        print(f"| **mean** | {name} | {' | '.join(f'{v:.2f}' for v in means)} |")
    print(PUBLISHED)
    contact_sheet(rows, options.out / "rivals.png")


if __name__ == "__main__":
    main()
