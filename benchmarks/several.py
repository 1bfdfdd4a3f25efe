"""What models of several pictures cost, and how much of their samples is of each picture.

    python benchmarks/several.py [--samples 6]

Drafts of shipped pictures: the shares asked for, those of the patches that vote for the last time, in the mean over the
samples and the farthest of one from what was asked, and the seconds of a sample over those of the first picture alone.
"""

import argparse
import time

import numpy as np
from common import machine

import singan
from singan import model as engine

CASES = (
    (("mountain-lake", "waves"), (0.5, 0.5)),
    (("mountain-lake", "waves"), (0.7, 0.3)),
    (("tea-gardens", "mountain-lake"), (0.8, 0.2)),
    (("tea-gardens", "mountain-lake", "waves"), (0.5, 0.3, 0.2)),
)


def timed(model, count):
    """Seconds a sample, after a first one."""
    model.sample(1)
    start = time.perf_counter()
    model.sample(count)
    return (time.perf_counter() - start) / count


def measured(model, count):
    """The share of each picture among the voters of the last level, a row a sample."""
    fields, evened = [], engine.evened
    engine.evened = lambda x, field: fields.append(field) or evened(x, field)
    try:
        model.sample(count)
    finally:
        engine.evened = evened
    found = [(field.y // field.source[0]).flatten().bincount(minlength=len(model.shares)) for field in fields]
    return np.array([(counts / counts.sum()).tolist() for counts in found])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=6)
    count = parser.parse_args().samples
    print(machine())
    print("| pictures | shares | measured, mean | farthest | s a sample | over one picture |")
    print("|---|---|---|---|---|---|")
    for names, shares in CASES:
        photos = [singan.SinGAN.from_pretrained(name).training_image for name in names]
        model, alone = singan.draft(photos, shares=shares), singan.draft(photos[0])
        found, seconds, one = measured(model, count), timed(model, count), timed(alone, count)
        print(
            f"| {', '.join(names)} | {' '.join(f'{share:.2f}' for share in shares)} | "
            f"{' '.join(f'{share:.2f}' for share in found.mean(0))} | {np.abs(found - shares).max():.2f} | "
            f"{seconds:.1f} | {seconds / one:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
