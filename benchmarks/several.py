"""What models of several pictures cost, and how much of their samples is of each picture.

    python benchmarks/several.py [--samples 4]

Drafts of shipped pictures: the shares asked for, those of the patches that vote for the last time, in the mean over the
samples and the farthest of one from what was asked, and the processor's seconds of a sample, on one thread, over those
of the first picture alone.
"""

import argparse
import time

import numpy as np
import torch
from common import machine

import singan

CASES = (
    (("mountain-lake", "waves"), (0.5, 0.5)),
    (("mountain-lake", "waves"), (0.7, 0.3)),
    (("tea-gardens", "mountain-lake"), (0.8, 0.2)),
    (("tea-gardens", "mountain-lake"), (0.5, 0.5)),
    (("spices", "tea-gardens"), (0.5, 0.5)),
    (("mountain-lake", "waves", "tea-gardens"), (0.4, 0.3, 0.3)),
)


def timed(model, count):
    """Seconds a sample, after a first one, whose patches are projected, and the fields at the end."""
    model.sample(1)
    with torch.inference_mode():
        start = time.process_time()
        fields = [model.draw([seed], model.image_size, 0, model.config.usual_variation)[1] for seed in range(count)]
    return (time.process_time() - start) / count, fields


def measured(fields, pictures):
    """The share of each picture among the voters, a row a field."""
    counts = np.array(
        [(field.y // field.source[0]).flatten().bincount(minlength=pictures).tolist() for field in fields]
    )
    return counts / counts.sum(1, keepdims=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4)
    count = parser.parse_args().samples
    torch.set_num_threads(1)
    print(machine())
    alone = {}  # seconds of a sample of the first picture
    print("| pictures | shares | measured, mean | farthest | s a sample | over one picture |")
    print("|---|---|---|---|---|---|")
    for names, shares in CASES:
        photos = [singan.SinGAN.from_pretrained(name).training_image for name in names]
        seconds, fields = timed(singan.draft(photos, shares=shares), count)
        found = measured(fields, len(shares))
        if names[0] not in alone:
            alone[names[0]] = timed(singan.draft(photos[0]), count)[0]
        print(
            f"| {', '.join(names)} | {' '.join(f'{share:.2f}' for share in shares)} | "
            f"{' '.join(f'{share:.2f}' for share in found.mean(0))} | {np.abs(found - shares).max():.2f} | "
            f"{seconds:.1f} | {seconds / alone[names[0]]:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
