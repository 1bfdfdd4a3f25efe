"""Seconds and memory of training, drafts, samples and super-resolution, and how they grow.

    python benchmarks/speed.py [--tasks train,busy,grow,draft,sample,large,sizes,file]

Every task runs in a process of its own, whose whole time and peak memory are meant where nothing else is said; run
nothing beside it. `busy` runs the training beside one process that keeps one core busy.
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

PICTURES = SHARED / "data" / "images"
TASKS = "train,busy,grow,draft,sample,large,sizes,file"
SIZES = 200


def picture(side):
    """A photograph whose longest side has so many pixels: balloons at 250, else seascape enlarged or shrunk."""
    photo = Image.open(PICTURES / ("balloons.png" if side <= 250 else "seascape.png")).convert("RGB")
    factor = side / max(photo.size)
    size = round(photo.width * factor), round(photo.height * factor)
    return photo if side == 250 else photo.resize(size, Image.Resampling.BICUBIC)


def train(side, out):
    singan.train(picture(side)).save_pretrained(out)
    return {}


def draft(side):
    """From the photograph in memory to its first sample, the second time in a process."""
    photo = picture(side)
    for _ in range(2):
        start = time.perf_counter()
        image = singan.draft(photo).sample(1)[0]
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "size": f"{image.height}x{image.width}"}


def sample(folder, n):
    """Median of five batches, after one."""
    model = singan.SinGAN.from_pretrained(folder)
    times = []
    for _ in range(6):
        start = time.perf_counter()
        image = model.sample(n)[-1]
        times.append((time.perf_counter() - start) / n)
    return {"seconds": statistics.median(times[1:]), "size": f"{image.height}x{image.width}"}


def large(folder):
    model = singan.SinGAN.from_pretrained(folder)
    start = time.perf_counter()
    image = model.sample(1, size=(4096, 4096))[0]
    return {"seconds": time.perf_counter() - start, "size": f"{image.height}x{image.width}"}


def sizes(folder, *numbers):
    """A sample of each of SIZES sizes, or of those of these numbers."""
    model = singan.SinGAN.from_pretrained(folder)
    for k in numbers or range(SIZES):
        model.sample(1, size=(150 + 2 * k, 250 + 3 * k), seed=k)
    return {}


def child(task, *arguments):
    """Run a task in its own process: its result, the seconds of the whole process, its peak memory in megabytes."""
    command = [sys.executable, __file__, "--child", json.dumps([task, *arguments], default=str)]
    start = time.perf_counter()
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return {"seconds": time.perf_counter() - start} | result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", default=TASKS)
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    need_shared()
    if options.child:
        task, *arguments = json.loads(options.child)
        jobs = {"train": train, "draft": draft, "sample": sample, "large": large, "sizes": sizes}
        result = jobs[task](*arguments)
        print(json.dumps(result | {"megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))
        return
    tasks = options.tasks.split(",")
    print(machine())
    print("| task | size | time | ratio | peak memory |")
    print("|---|---|---|---|---|")
    folder = Path(tempfile.mkdtemp())

    def row(name, size, result, ratio=""):
        seconds = result["seconds"]
        shown = f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1e3:.0f} ms"
        ratio = f"{ratio:.2f}" if ratio else ""
        print(f"| {name} | {size} | {shown} | {ratio} | {result['megabytes']:.0f} MB |", flush=True)

    trained = {side: child("train", side, folder / str(side)) for side in (250, 1024)}
    if "train" in tasks:
        for side, result in trained.items():
            row("train, whole process", f"{side} px", result)
    if "grow" in tasks:
        for side in (500, 1000, 2000):
            result = child("train", side, folder / str(side))
            row("train, over 250 px", f"{side} px", result, result["seconds"] / trained[250]["seconds"])
    if "busy" in tasks:
        other = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            result = child("train", 250, folder / "busy")
        finally:
            other.kill()
        row("train, beside a busy process", "250 px", result, result["seconds"] / trained[250]["seconds"])
    if "draft" in tasks:
        for side in (250, 1024):
            result = child("draft", side)
            row("draft and its first sample", result["size"], result)
    if "sample" in tasks:
        for side, n in ((250, 8), (1024, 4)):
            result = child("sample", folder / str(side), n)
            row(f"a sample, n = {n}", result["size"], result)
    if "large" in tasks:
        result = child("large", folder / "1024")
        row("one large sample", result["size"], result)
    if "sizes" in tasks:
        least, most, many = (child("sizes", folder / "250", *numbers) for numbers in ([0], [SIZES - 1], []))
        row("one sample", "the least of the sizes", least)
        row("one sample", "the largest", most)
        row("samples", f"{SIZES} sizes", many, many["megabytes"] / most["megabytes"])
    if "file" in tasks:
        for side in (250, 1024):
            size = (folder / str(side) / "model.safetensors").stat().st_size
            print(f"| model.safetensors | {side} px | {size / 1e6:.2f} MB | | |")


if __name__ == "__main__":
    main()
