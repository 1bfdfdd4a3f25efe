"""Kill, interrupt and crowd what writes models and runs, and count what is lost.

    python tests/crashes.py [SAVES] [RUNS] [FINISHING]

Saves are killed at random moments and must leave the old model or the new one; reads beside them must find one of the
two. Training runs are broken off by SIGINT, SIGTERM and SIGKILL, at random moments and while a scale is being
finished, and must resume to the weights of an unbroken run.
"""

import itertools
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import singan
from singan.errors import CheckpointError

SAVER = """
import os, sys, singan, torch
from dataclasses import replace
torch.set_num_threads(1)  # or a forked process would wait for threads that it does not have
model = singan.SinGAN.from_pretrained(sys.argv[1])
while child := os.fork():  # another process for each line that comes in, without importing all again
    print(child, flush=True)
    os.waitpid(child, 0)
    print("gone", flush=True)
    if not sys.stdin.readline():
        sys.exit()
for k in range(1, 10**6):
    model.noise_amps = [float(k)]
    model.info = {"seed": k}
    model.save_pretrained(sys.argv[2])
"""

TRAINER = """
from pathlib import Path
import sys, torch, singan
from singan.training import loop, step
torch.set_num_threads(1)
loop.CHECKPOINT_SECONDS = 0.0
picture, folder, out = sys.argv[1:]
config = singan.TrainConfig(
    steps=8, width=8, critic_width=8, crop_size=40, pool_size=6, min_size=16, generators=4, voting_rounds=1
)
def finish(self, whole=step.CropTrainer.finish):
    print("finishing", flush=True)
    finished = whole(self)
    print("finished", flush=True)
    return finished
step.CropTrainer.finish = finish
resume = (Path(folder) / "state.safetensors").exists()
singan.train(picture, config, seed=1, checkpoint_dir=folder, resume=resume).save_pretrained(out)
"""


@dataclass
class Result:
    tried: int = 0
    broken: int = 0


def picture(folder: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(pixels).resize((70, 54), Image.Resampling.BICUBIC).save(folder / "picture.png")
    return folder / "picture.png"


def small_model(folder: Path) -> singan.SinGAN:
    config = singan.TrainConfig(
        steps=1, width=8, critic_width=8, crop_size=40, pool_size=2, min_size=16, generators=1, voting_rounds=1
    )
    return singan.train(picture(folder), config)


def start(code: str, *arguments: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a CI may have it ignored
    )


def is_whole(folder: Path) -> bool:
    """Does the model load, and do its parts belong to one save?"""
    try:
        model = singan.SinGAN.from_pretrained(folder)
    except CheckpointError as error:
        print(error, file=sys.stderr)
        return False
    return model.noise_amps == [float(model.info["seed"])]


def kill_saves(kills: int, seed: int = 0) -> Result:
    """Kill a process that does nothing but save, and look at what it leaves; the next one saves over that."""
    rng, result = random.Random(seed), Result()
    with tempfile.TemporaryDirectory() as scratch:
        first, out = Path(scratch, "first"), Path(scratch, "out")
        small_model(Path(scratch)).save_pretrained(first)
        process = start(SAVER, first, out)
        assert process.stdin is not None
        lines = lines_of(process)
        for _ in range(kills):
            child = int(next(lines))
            time.sleep((0.0 if out.exists() else 0.5) + rng.random() * 0.3)
            os.kill(child, signal.SIGKILL)
            assert next(lines) == "gone"
            result.tried += 1
            result.broken += not is_whole(out)
            process.stdin.write("\n")
            process.stdin.flush()
        os.kill(int(next(lines)), signal.SIGKILL)
        process.communicate()
    return result


def read_beside_saves(seconds: float) -> Result:
    """Load a model again and again while another process saves over it."""
    result = Result()
    with tempfile.TemporaryDirectory() as scratch:
        first, out = Path(scratch, "first"), Path(scratch, "out")
        small_model(Path(scratch)).save_pretrained(first)
        process = start(SAVER, first, out)
        child = int(next(lines_of(process)))
        while not (out / "config.json").exists():
            time.sleep(0.01)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            result.tried += 1
            result.broken += not is_whole(out)
        os.kill(child, signal.SIGKILL)
        process.communicate()
    return result


def save_in_threads(saves: int) -> Result:
    """Two threads that save models of their own to one folder, which is read after each."""
    result, lock = Result(), threading.Lock()
    with tempfile.TemporaryDirectory() as scratch:
        out, model = Path(scratch, "out"), small_model(Path(scratch))

        def work(first: int) -> None:
            mine = singan.SinGAN(**{name: getattr(model, name) for name in FIELDS})
            for k in range(first, first + saves):
                mine.noise_amps, mine.info = [float(k)], {"seed": k}
                try:
                    mine.save_pretrained(out)
                    whole = is_whole(out)
                except Exception as error:
                    print(repr(error), file=sys.stderr)
                    whole = False
                with lock:
                    result.tried += 1
                    result.broken += not whole

        threads = [threading.Thread(target=work, args=(first,)) for first in (1, 10_001)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return result


FIELDS = ("config", "scale_sizes", "generators", "noise_amps", "variation_curve", "z_star", "photo")


def break_off_runs(runs: int, kind: signal.Signals, seed: int = 0) -> Result:
    """Send a signal to each of so many runs at a random moment, and let another process end it."""
    rng, result = random.Random(f"{kind} {seed}"), Result()
    with tempfile.TemporaryDirectory() as scratch:
        photo = picture(Path(scratch))
        began = time.monotonic()
        assert start(TRAINER, photo, Path(scratch, "c"), Path(scratch, "whole")).wait() == 0
        seconds = time.monotonic() - began
        whole = singan.SinGAN.from_pretrained(Path(scratch, "whole"))
        for k in range(runs):
            folder, out = Path(scratch, f"c{k}"), Path(scratch, f"o{k}")
            process = start(TRAINER, photo, folder, out)
            time.sleep(rng.uniform(0.4, 1.0) * seconds)
            process.send_signal(kind)
            result.tried += 1
            result.broken += not ended(process, photo, folder, out, whole)
    return result


def break_off_finishing(runs: int, seed: int = 0) -> Result:
    """Send signals to so many runs within the moments in which a scale is being finished."""
    rng, result = random.Random(seed), Result()
    with tempfile.TemporaryDirectory() as scratch:
        photo = picture(Path(scratch))
        process = start(TRAINER, photo, Path(scratch, "c"), Path(scratch, "whole"))
        lines = [(line, time.monotonic()) for line in lines_of(process)]
        spans = [end - begin for (line, begin), (_, end) in itertools.pairwise(lines) if line == "finishing"]
        whole = singan.SinGAN.from_pretrained(Path(scratch, "whole"))
        while result.tried < runs:
            k = result.tried
            folder, out = Path(scratch, f"c{k}"), Path(scratch, f"o{k}")
            process = start(TRAINER, photo, folder, out)
            scale = rng.randrange(len(spans))
            begun = (line for line in lines_of(process) if line == "finishing")
            next(itertools.islice(begun, scale, None))
            time.sleep(rng.random() * spans[scale])
            process.send_signal(SIGNALS[k % len(SIGNALS)])
            result.tried += 1
            result.broken += not ended(process, photo, folder, out, whole)
    return result


def ended(process: subprocess.Popen, photo: Path, folder: Path, out: Path, whole: singan.SinGAN) -> bool:
    """Does the run that `process` was broken off in end as the `whole` one did, if need be in another process?"""
    process.communicate()
    if not (out / "config.json").exists():
        start(TRAINER, photo, folder, out).wait()
    return same(whole, out)


def lines_of(process: subprocess.Popen) -> Iterator[str]:
    assert process.stdout is not None
    return (line.strip() for line in process.stdout)


def same(whole: singan.SinGAN, out: Path) -> bool:
    try:
        other = singan.SinGAN.from_pretrained(out)
    except CheckpointError as error:
        print(error, file=sys.stderr)
        return False
    pairs = zip(whole.generators, other.generators, strict=True)
    weights = itertools.chain.from_iterable(zip(a.parameters(), b.parameters(), strict=True) for a, b in pairs)
    return whole.noise_amps == other.noise_amps and all(torch.equal(a, b) for a, b in weights)


def main() -> None:
    defaults = ("500", "100", "50")
    saves, runs, finishing = (int(text) for text in [*sys.argv[1:], *defaults[len(sys.argv) - 1 :]])
    os.environ["OMP_NUM_THREADS"] = "1"
    for name, work in (
        (f"{saves} kills during a save", lambda: kill_saves(saves)),
        ("reads beside saves, 60 s", lambda: read_beside_saves(60.0)),
        ("saves in two threads", lambda: save_in_threads(saves)),
        ("runs broken off while a scale is finished", lambda: break_off_finishing(finishing)),
        *((f"runs broken off by {kind.name}", lambda kind=kind: break_off_runs(runs, kind)) for kind in SIGNALS),
    ):
        result = work()
        print(f"{name}: {result.tried} tried, {result.broken} broken", flush=True)


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)

if __name__ == "__main__":
    main()
