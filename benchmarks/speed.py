"""Training time and memory, growth with the image, sampling time and memory.

    python benchmarks/speed.py [--tasks fast,sample,large,grow,best]

Every task runs in a process of its own, so that its peak memory is its own; run nothing beside it.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import SHARED, machine, need_shared
from PIL import Image

import singan
from singan.image import image_to_tensor


def train(preset, max_size, out):
    """Train balloons, enlarged first if `max_size` asks for more than it has."""
    picture = Image.open(SHARED / "data" / "images" / "balloons.png").convert("RGB")
    factor = max_size / max(picture.size)
    if factor > 1.1:
        picture = picture.resize(
            (round(picture.width * factor), round(picture.height * factor)), Image.Resampling.BICUBIC
        )
    start = time.perf_counter()
    model = singan.train(picture, singan.TrainConfig.preset(preset, max_size=max_size))
    seconds = time.perf_counter() - start
    model.save_pretrained(out)
    real = image_to_tensor(picture)
    rmse = (image_to_tensor(model.reconstruct()) - real).square().mean().sqrt().item() * 127.5
    return {"seconds": seconds, "rmse": rmse, "size": list(model.image_size)}


def sample(folder):
    """Median of five batches of eight, after one."""
    model = singan.SinGAN.from_pretrained(folder)
    times = []
    for _ in range(6):
        start = time.perf_counter()
        model.sample(8)
        times.append((time.perf_counter() - start) / 8)
    return {"seconds": statistics.median(times[1:]), "size": list(model.image_size)}


def large(folder):
    model = singan.SinGAN.from_pretrained(folder)
    start = time.perf_counter()
    image = model.sample(1, size=(1024, 4096))[0]
    return {"seconds": time.perf_counter() - start, "size": [image.height, image.width]}


def child(task, *arguments):
    """Run a task in its own process: its result and peak memory in megabytes."""
    command = [sys.executable, __file__, "--child", json.dumps([task, *map(str, arguments)])]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    height, width = result["size"]
    return result | {"name": f"{height}x{width}"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default="fast,sample,large,grow,best")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    need_shared()
    if options.child:
        task, *arguments = json.loads(options.child)
        if task == "train":
            arguments[1] = int(arguments[1])
        result = {"train": train, "sample": sample, "large": large}[task](*arguments)
        result["megabytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(result))
        return
    tasks = options.tasks.split(",")
    print(machine())
    print("| task | size | time | ratio | peak memory | reconstruction RMSE |")
    print("|---|---|---|---|---|---|")
    folder = Path(tempfile.mkdtemp())

    def row(name, result, time_text, ratio=""):
        rmse = f"{result['rmse']:.2f}" if "rmse" in result else ""
        print(
            f"| {name} | {result['name']} | {time_text} | {ratio} | {result['megabytes']:.0f} MB | {rmse} |", flush=True
        )

    base = None
    for preset in ("fast", "best"):
        if preset not in tasks:
            continue
        trained = child("train", preset, 250, folder / preset)
        base = base or trained
        row(f"train, {preset}", trained, f"{trained['seconds']:.0f} s")
        if "sample" in tasks:
            drawn = child("sample", folder / preset)
            row(f"sample, n = 8, {preset}", drawn, f"{drawn['seconds'] * 1e3:.0f} ms an image")
        if "large" in tasks:
            drawn = child("large", folder / preset)
            row(f"one large sample, {preset}", drawn, f"{drawn['seconds']:.1f} s")
        if "grow" in tasks and preset == "fast":
            for side in (500, 1000):
                grown = child("train", preset, side, folder / f"{preset}-{side}")
                ratio = f"{grown['seconds'] / base['seconds']:.2f}"
                row(f"train, {preset}, longest side {side}", grown, f"{grown['seconds']:.0f} s", ratio)


if __name__ == "__main__":
    main()
