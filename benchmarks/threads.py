"""Whether the same seed gives the same pixels whatever the number of threads.

    python benchmarks/threads.py [--threads 1,2,3,4] [--models skyline,waves]

Every number of threads is given to a process of its own, which draws samples of shipped models, edits, fills, makes a
draft, trains and draws from what it trained. The table says how far each is from what the first number of threads gave:
the share of pixels that differ, and the largest difference, of 255.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from common import machine
from PIL import Image

import singan

MODELS = "skyline,waves,mountain-lake-paper"


def results(models: list[str]) -> dict[str, Image.Image]:
    images = {}
    for name in models:
        model = singan.SinGAN.from_pretrained(name)
        for k, image in enumerate(model.sample(3)):
            images[f"{name}, seed {k}"] = image
    model = singan.SinGAN.from_pretrained(models[0])
    photo = model.training_image
    w, h = photo.size
    mask, moved = Image.new("L", photo.size), photo.copy()
    box = (w // 3, h // 3, w // 2, h // 2)
    mask.paste(255, box)
    moved.paste(photo.crop((w // 2, h // 2, w // 2 + box[2] - box[0], h // 2 + box[3] - box[1])), box)
    images["fill"] = singan.fill(model, mask)[0]
    images["edit"] = singan.edit(model, moved, mask)[0]
    images["harmonize"] = singan.harmonize(model, moved, mask)[0]
    images["draft"] = singan.draft(photo).sample()[0]
    small = photo.resize((w // 4, h // 4))
    images["train"] = singan.train(small, progress=False).sample()[0]
    images["super-resolution, of 100 px"] = singan.super_resolve(photo.resize((100, round(100 * h / w))), 2)
    return images


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,2,3,4")
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        names = {}
        for k, (name, image) in enumerate(results(options.models.split(",")).items()):
            image.save(Path(options.child) / f"{k}.png")
            names[name] = f"{k}.png"
        (Path(options.child) / "names.json").write_text(json.dumps(names))
        return
    print(machine())
    found = {}
    for threads in options.threads.split(","):
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, __file__, "--models", options.models, "--child", folder]
            subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": threads})
            names = json.loads((Path(folder) / "names.json").read_text())
            found[threads] = {name: np.asarray(Image.open(Path(folder) / file), int) for name, file in names.items()}
    first, *others = found
    print(f"| | {' | '.join(f'{k} threads for {first}' for k in others)} |\n|---|{'---|' * len(others)}")
    for name, one in found[first].items():
        cells = []
        for threads in others:
            apart = np.abs(found[threads][name] - one).max(2)
            cells.append(f"{(apart > 0).mean():.2%}, {apart.max()}" if apart.any() else "equal")
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
