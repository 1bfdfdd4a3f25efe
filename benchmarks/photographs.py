"""Trains every photograph of the comparison material, and draws the samples that a person looks at.

    python benchmarks/photographs.py --out DIR [--preset fast] [--samples 5] [--only images]

Prints for each photograph its size, scales, seconds and losses; a scale that diverges ends the program. The contact
sheets in DIR show each photograph of images/ and its samples at the default variation, at full size.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from common import SHARED, contact_sheet, machine, need_shared

import singan

DATA = SHARED / "data"
PHOTOGRAPHS = {
    "images": sorted((DATA / "images").glob("*.png")),
    "peers": sorted((DATA / "peers").glob("*/real.jpg")),
    "edit": [DATA / "edit" / "stone.png", DATA / "edit" / "tree.png"],
    "harmonize": [DATA / "harmonize" / f"{name}.jpg" for name in ("oil_tree", "pencil_tree", "scream")],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--samples", type=int, default=5)
    parser.add_argument("--only", choices=list(PHOTOGRAPHS))
    options = parser.parse_args()
    need_shared()
    options.out.mkdir(parents=True, exist_ok=True)
    print(machine())
    print("| photograph | size | generators | seconds | reconstruction RMSE | critic, real - fake | ms a sample |")
    print("|---|---|---|---|---|---|---|")
    for group, paths in PHOTOGRAPHS.items():
        if options.only not in (None, group):
            continue
        for path in paths:
            name = path.parent.name if path.stem == "real" else path.stem
            last = []
            model = singan.train(path, singan.TrainConfig.preset(options.preset), on_event=last.append)
            assert all(np.isfinite(list(event.losses.values())).all() for event in last)
            losses = last[-1].losses
            start = time.perf_counter()
            samples = model.sample(options.samples)
            took = (time.perf_counter() - start) / options.samples
            height, width = model.image_size
            sizes = " ".join(f"{h}x{w}" for h, w in model.scale_sizes[: len(model.generators)])
            figures = "- | -"  # of a draft
            if losses:
                figures = f"{losses['reconstruction']:.1f} | {losses['critic_real'] - losses['critic_fake']:.2f}"
            print(
                f"| {group}/{name} | {height}x{width} | {sizes or '-'} | {last[-1].seconds:.1f} | "
                f"{figures} | {took * 1e3:.0f} |",
                flush=True,
            )
            if group == "images":
                contact_sheet([[model.training_image, *samples]], options.out / f"{options.preset}-{name}.png")


if __name__ == "__main__":
    main()
