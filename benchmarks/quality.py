"""Quality at equal diversity against published samples of ConSinGAN and SinGAN.

    python benchmarks/quality.py [--preset fast] [--pictures 0,3,7,12,21] [--peer consingan] [--out DIR] [--set F=V ...]

For each picture: train, find the `variation` at which ten samples are as diverse as the peer's, score both with the
same program. `--out` keeps models, samples and a contact sheet (real, ours, SinGAN, ConSinGAN).
"""

import argparse
import ast
import tempfile
from pathlib import Path

import numpy as np
from common import SHARED, contact_sheet, machine, need_shared, score_program
from PIL import Image

import singan
from singan.image import image_to_tensor

SAMPLES, TOLERANCE = 10, 0.01


def samples_at(model, real, variation, score):
    images = model.sample(SAMPLES, variation=variation, seed=1000)
    return images, score.diversity([image_to_tensor(image) for image in images], real)


def match_diversity(model, real, target, score):
    """The variation whose samples are as diverse as `target`, by bisection: (variation, images, diversity)."""
    low, high = 0.0, 1.0
    best = (1.0, *samples_at(model, real, 1.0, score))
    for _ in range(8):
        if abs(best[2] - target) < TOLERANCE or (best[0] == 1 and best[2] < target):
            break
        middle = (low + high) / 2
        trial = (middle, *samples_at(model, real, middle, score))
        low, high = (low, middle) if trial[2] > target else (middle, high)
        best = min(best, trial, key=lambda one: abs(one[2] - target))
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--pictures", default="0,3,7,12,21")
    parser.add_argument("--peer", default="consingan", choices=["singan", "consingan"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=VALUE", help="replace fields of the preset")
    options = parser.parse_args()
    need_shared()
    score = score_program()
    changes = {k: ast.literal_eval(v) for k, v in (one.split("=", 1) for one in options.set)}
    config = singan.TrainConfig.preset(options.preset, **changes)
    print(machine())
    print(f"preset {options.preset} {changes or ''}, seed {options.seed}, {SAMPLES} samples, against {options.peer}")
    print(
        "| picture | s | variation | diversity (peer) | sifid (peer) | ratio | swd (peer) | ratio "
        "| misplaced (peer) | coherence (peer) |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    logs, misplaced, rows = [], [], []
    out = options.out or Path(tempfile.mkdtemp())
    for number in options.pictures.split(","):
        folder = SHARED / "data" / "peers" / f"lsun_{number}"
        kept = out / f"{options.preset}_{number}"
        if (kept / "config.json").exists():
            model = singan.SinGAN.from_pretrained(kept)
        else:
            model = singan.train(folder / "real.jpg", config, seed=options.seed)
            model.save_pretrained(kept)
        real = score.load(folder / "real.jpg")
        peers = {name: sorted((folder / name).iterdir()) for name in ("singan", "consingan")}
        theirs = score.score(folder / "real.jpg", peers[options.peer])
        variation, images, diversity = match_diversity(model, real, theirs["diversity"], score)
        paths = []
        for k, image in enumerate(images):
            paths.append(out / f"{options.preset}_{number}_{k}.png")
            image.save(paths[-1])
        ours = score.score(folder / "real.jpg", paths)
        ratios = [ours[key] / theirs[key] for key in ("sifid", "swd")]
        logs.append(np.log(ratios))
        misplaced.append(ours["misplaced"] - theirs["misplaced"])
        print(
            f"| lsun_{number} | {model.info['seconds']:.0f} | {variation:.3f} | {diversity:.3f} "
            f"({theirs['diversity']:.3f}) | {ours['sifid']:.2f} ({theirs['sifid']:.2f}) | {ratios[0]:.2f} | "
            f"{ours['swd']:.4f} ({theirs['swd']:.4f}) | {ratios[1]:.2f} | {ours['misplaced']:.4f} "
            f"({theirs['misplaced']:.4f}) | {ours['coherence']:.2f} ({theirs['coherence']:.2f}) |",
            flush=True,
        )
        opened = [[Image.open(p).convert("RGB") for p in peers[name][:3]] for name in peers]
        rows.append([Image.open(folder / "real.jpg").convert("RGB"), *images[:3], *opened[0], *opened[1]])
    sifid, swd = np.exp(np.mean(logs, 0))
    print(
        f"geometric mean of ours / theirs: sifid {sifid:.2f}, swd {swd:.2f}; "
        f"misplaced, mean of ours - theirs: {np.mean(misplaced):+.4f}"
    )
    contact_sheet(rows, out / f"{options.preset}_sheet.png")


if __name__ == "__main__":
    main()
