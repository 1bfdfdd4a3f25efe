"""Denoising by injection: shrinking drops the noise, and the finer scales put the training image's details back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image

from singan.checks import check_range
from singan.image import Picture, image_to_tensor
from singan.model import SinGAN
from singan.tasks.blending import fit
from singan.tasks.injection import Injection, OnEvent, Scale, run_injection

ROUNDS = (1, 1)
KEEP = 0.5
MAX_TIMES = 10
SAME = 0.02  # of the range [-1, 1]: below it the picture is the one that was learned


def denoise(
    model: SinGAN,
    noisy: Picture | None = None,
    *,
    scale: Scale = "auto",
    seed: int = 0,
    times: int = 1,
    average: bool = False,
    voting: bool | None = None,
    on_event: OnEvent | None = None,
) -> list[Image.Image]:
    """Remove the noise of `noisy`, or of the training image: one RGB image per scale.

    `model` learned the noisy picture itself or, much better, a clean one of the same kind. `noisy`: one of another size
    is resized to the training image's, of another shape to its area, with an `ImageWarning`. `scale`: the injection
    scale, from 1 (smooth) to the model's finest (faithful), several, "all", or "auto", which is 1 where the model
    learned the noisy picture itself. `times`, 1 to 10: the result is injected again, with the next seed. `average`: one
    image, the mean over the scales, all of them unless some are named. `voting=False` leaves patch voting out.
    Raises `ImageError`, `ConfigError` for a value out of range.
    """
    check_range("times", times, 1, MAX_TIMES, int)
    real = model.real_at(-1)
    x = real if noisy is None else fit(model, noisy, "The noisy picture", keep_shape=True)
    if scale == "auto" and x.shape == real.shape and (x - real).abs().mean() < SAME:
        scale = 1  # the finer scales learned this very noise, and nothing tells it from the picture
    if scale == "auto" and average:
        scale = "all"
    settings = {"task": "denoise", "times": times}
    first = Injection(x, ROUNDS, keep=KEEP, judge_finest=True)
    images = run_injection(model, first, scale, seed, voting=voting, on_event=on_event, settings=settings)
    for turn in range(1, times):
        again = []
        for image in images:
            injection = replace(first, image=image_to_tensor(image).to(model.device))
            again += run_injection(model, injection, image.info["scale"], seed + turn, voting=voting, settings=settings)
        images = again
    for image in images:
        image.info["seed"] = seed
    return [_mean(images)] if average else images


def _mean(images: list[Image.Image]) -> Image.Image:
    mean = Image.fromarray(np.mean([np.asarray(image) for image in images], axis=0).round().astype(np.uint8))
    mean.info = {**images[0].info, "scale": [image.info["scale"] for image in images]}
    return mean
