"""How visible the border of a tile is, and what tiles, mirror images, pins and sources cost.

    python benchmarks/sampling.py [--samples 4] [--out DIR]

Of every shipped model, at its own size and at 512x512: the mean step between neighbours across the border of a tile,
over the 95th percentile of those of all lines, down and across (the worst of the samples). At 1 the border is a line
like others. Then what a sample takes, in turns. In DIR: three by three tiles of each.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from common import machine
from PIL import Image

import singan
from singan.storage.hub import SHIPPED

SIZES = (None, (512, 512))


def border(tile: Image.Image, axis: int) -> float:
    """The mean step across the border along an axis, over the 95th percentile of the mean steps of all lines."""
    pixels = np.asarray(tile, float)
    steps = np.abs(np.roll(pixels, -1, axis) - pixels).mean((1 - axis, 2))
    return float(steps[-1] / np.percentile(steps, 95))


def tiles(name: str, samples: int, out: Path | None) -> None:
    model = singan.SinGAN.from_pretrained(SHIPPED / name)
    for size in SIZES:
        for tile, axes in (("x", (1,)), ("y", (0,)), ("both", (0, 1))):
            drawn = model.sample(samples, size=size, tile=tile)
            worst = [f"{max(border(one, axis) for one in drawn):.2f}" if axis in axes else "" for axis in (0, 1)]
            shown = "x".join(map(str, size or model.image_size))
            print(f"| {name} | {shown} | {tile} | {worst[0]} | {worst[1]} |", flush=True)
            if out:
                many = np.tile(np.asarray(drawn[0]), (3, 3, 1))
                Image.fromarray(many).save(out / f"{name}-{shown}-{tile}.png")


def costs(name: str, rounds: int) -> None:
    """Seconds of a sample, the least of some rounds in which all take turns."""
    model = singan.SinGAN.from_pretrained(SHIPPED / name)
    mask = np.zeros(model.photo_size, bool)
    mask[200:300, 300:500] = True
    kinds = {
        "plain": {},
        "tile both": {"tile": "both"},
        "mirror both": {"mirror": "both"},
        "pin": {"pin": mask},
        "source": {"source": True},
    }
    least = dict.fromkeys(kinds, float("inf"))
    for seed in range(rounds + 1):  # the first warms up
        for kind, options in kinds.items():
            start = time.perf_counter()
            model.sample(1, seed=seed, **options)
            if seed:
                least[kind] = min(least[kind], time.perf_counter() - start)
    for kind, seconds in least.items():
        print(f"| {kind} | {seconds * 1e3:.0f} ms | {seconds / least['plain']:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
    print(machine())
    print("| model | size | tile | border, down | border, across |\n|---|---|---|---|---|")
    for folder in sorted(path for path in SHIPPED.iterdir() if path.is_dir()):
        tiles(folder.name, options.samples, options.out)
    print("\n| skyline, 576x1024 | a sample | ratio |\n|---|---|---|")
    costs("skyline", 4)


if __name__ == "__main__":
    main()
