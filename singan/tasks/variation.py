"""What varies: retargeted samples, and a map of how much each pixel differs from sample to sample."""

from __future__ import annotations

import math

import torch
from PIL import Image, ImageOps

from singan.checks import check_range
from singan.device import at_once
from singan.model import AT_ONCE, SinGAN
from singan.tasks.injection import OnEvent, TaskEvent

MAX_SAMPLES = 1000


def retarget(
    model: SinGAN,
    *,
    width: float = 1.0,
    height: float = 1.0,
    n: int = 1,
    start_scale: int = 0,
    variation: float | None = None,
    seed: int = 0,
) -> list[Image.Image]:
    """`n` RGB images, `width` and `height` times as wide and high as the training image, with its kind of content.

    Objects keep their size: there are more or fewer of them, or more sky and water. The other arguments, and the
    errors, are those of `SinGAN.sample`.
    """
    for name, times in (("width", width), ("height", height)):
        check_range(name, times, 1e-9, 1e9, says="it is a number over 0: 2 makes the picture twice as large")
    size = round(height * model.image_size[0]), round(width * model.image_size[1])
    return model.sample(n, size=size, start_scale=start_scale, variation=variation, seed=seed)


def variation_map(
    model: SinGAN,
    *,
    n: int = 50,
    start_scale: int = 0,
    variation: float | None = None,
    seed: int = 0,
    on_event: OnEvent | None = None,
) -> Image.Image:
    """A heat map of each pixel's standard deviation over `n` samples, 2 to 1000: black for none, white for the most.

    The deviation that white stands for, in levels of 255, is in the image's `info` as "white". The other arguments,
    and the errors, are those of `SinGAN.sample`.
    """
    check_range("n", n, 2, MAX_SAMPLES, int, says=f"a map takes 2 to {MAX_SAMPLES} samples")
    variation = model.config.usual_variation if variation is None else variation
    model.check_sampling(n, None, start_scale, variation, seed)
    size = model.scale_sizes[-1]  # that of the photograph would show no more
    mean = torch.zeros(size, device=model.device)
    squares = torch.zeros_like(mean)  # Welford's sums: no sample is kept

    def drawn(k: int) -> torch.Tensor:
        x = model.sample_tensor(int(seed) + k, model.image_size, start_scale, variation, until=model.num_scales)
        return x.clamp(-1, 1).mean((0, 1))

    for k, x in enumerate(at_once(drawn, n, model.device, AT_ONCE // math.prod(size))):
        before = x - mean
        mean += before / (k + 1)
        squares += before * (x - mean)
        if on_event:
            on_event(TaskEvent(k + 1, n, "sample"))
    deviation = (squares / (n - 1)).sqrt() * 127.5
    white = float(deviation.max())
    grey = Image.fromarray((deviation / max(white, 1e-6) * 255).round().to(torch.uint8).cpu().numpy())
    grey = grey.resize(model.image_size[::-1], Image.Resampling.BICUBIC)
    heat = ImageOps.colorize(grey, "black", "white", mid="#e8590c")
    heat.info = {"task": "variation-map", "n": n, "start_scale": start_scale, "variation": variation}
    heat.info |= {"seed": seed, "white": round(white, 2)}
    return heat
