"""What rounding the weights to 16 bits would change in the samples: the table in docs/checkpoint.md.

python benchmarks/rounding.py MODEL [MODEL ...]
"""

import copy
import sys
from dataclasses import replace

import numpy as np
import torch

import singan

SAMPLES = 6


def rounded(model: singan.SinGAN, dtype: torch.dtype) -> singan.SinGAN:
    """The model with its weights rounded to `dtype`."""
    model = copy.deepcopy(model)
    for generator in model.generators:
        for weight in generator.parameters():
            weight.data.copy_(weight.data.to(dtype))
    return model


def draw(model: singan.SinGAN) -> np.ndarray:
    return np.stack([np.asarray(image, dtype=int) for image in model.sample(SAMPLES, seed=0)])


def main() -> None:
    print("| model | convolutions | weights | largest difference of each sample | pixels that differ |")
    print("|---|---|---|---|---|")
    for name in sys.argv[1:]:
        model = singan.SinGAN.from_pretrained(name)
        for mixed, arithmetic in ((True, "bfloat16"), (False, "float32")):
            model.config = replace(model.config, mixed_precision=mixed)
            before = draw(model)
            for dtype in (torch.float16, torch.bfloat16):
                difference = np.abs(draw(rounded(model, dtype)) - before)
                largest = ", ".join(str(d.max()) for d in difference)
                share = 100 * (difference.max(-1) > 0).mean()
                kind = str(dtype).removeprefix("torch.")
                print(f"| {name} | {arithmetic} | {kind} | {largest} | {share:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
