"""The state of a run before its first step, and of a scale before its own."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from PIL import Image

from singan.config import TrainConfig
from singan.errors import ConfigError, ImageError, TaskWarning, TrainingError
from singan.model import SinGAN
from singan.patches.mixture import alike
from singan.pyramid import (
    MAX_COARSEST_PIXELS,
    from_bytes,
    kept_size,
    learned_size,
    published_resize,
    published_sizes,
    resize,
    scale_sizes,
    to_bytes,
    voting_scales,
)
from singan.scale import draw_noise, make_critic, make_generator
from singan.storage.description import MAX_PHOTO_PIXELS, MAX_PHOTO_SIDE, MAX_SCALES, check_together
from singan.training.published import PublishedTrainer
from singan.training.state import Adam, Finished, ScaleState, TrainingRun
from singan.training.step import CropTrainer, ScaleTrainer, Transform
from singan.variation import EVEN
from singan.version import __version__

ENLARGED = 2  # times as many pixels as a picture has, over which it is said that it is enlarged
LONG = 4  # squares of max_size that are learned at most of a narrow image, whose short side is kept


def start_run(
    image: Image.Image,
    config: TrainConfig,
    seed: int,
    device: torch.device,
    others: Sequence[Image.Image] = (),
    shares: Sequence[float] = (),
) -> TrainingRun:
    """The state before the first step; `others`, `shares`: of several pictures. Raises `ImageError`, `ConfigError`."""
    if config.norm == "batch":
        raise ConfigError('norm "batch" is drawn as older versions did, and not trained: use the preset paper.')
    kept = kept_size(image.height, image.width, config)
    _check_size(image, kept, config)
    pixels, sizes, factor = (_published_pyramid if config.published else _pyramid)(image, kept, config)
    trained = len(sizes) if config.generators is None else min(config.generators, len(sizes))
    if trained and max(sizes[-1]) > config.max_size:
        h, w = sizes[-1]
        note = f"The image is learned at {w}x{h} px, over max_size {config.max_size}: its short side stays at least "
        note += f"{min(h, w)} px, two times min_size. Crop it, or lower min_size, for less."
        warnings.warn(note, TaskWarning, stacklevel=4)
    if len(sizes) > MAX_SCALES:
        raise ConfigError(
            f"The image would have {len(sizes)} scales; a model ends at {MAX_SCALES}: lower scale_factor, which is "
            f"{config.scale_factor:g}, or give num_scales."
        )
    if trained and min(sizes[0]) < config.receptive_field:
        raise ImageError(
            f"The image is {image.width}x{image.height} px, and {config.layers} layers see "
            f"{config.receptive_field} px a side: enlarge it, or lower layers."
        )
    if config.field and not voting_scales(config, sizes):
        raise ConfigError(
            f"The image is {image.width}x{image.height} px, so long that its coarsest scale has "
            f"{sizes[0][1]}x{sizes[0][0]} px, of which patches would have to be compared; {MAX_COARSEST_PIXELS} px can "
            "be: crop it, or lower min_size."
        )
    rng = torch.Generator().manual_seed(seed)
    z_star = draw_noise(1, sizes[0], 0, config, rng)[:, :3].contiguous().to(device)
    if config.published:
        rng.manual_seed(seed)  # it is drawn again at each step, and the first draw is the networks'
    if config.from_image:
        z_star.zero_()  # what scale 0 starts from is the training image's own
    info = {"seed": seed, "source_size": [image.height, image.width], "device": device.type}
    info |= {"singan_version": __version__, "torch_version": torch.__version__, "seconds": 0.0}
    photo, amps = pixels.contiguous().to(device), [] if trained else [1.0]
    model = SinGAN(config, sizes, [], amps, EVEN, z_star, photo, info, factor=factor)
    if others:
        model.others, model.shares = [x.to(device) for x in _kept_others(others, kept, config)], list(shares)
    if not trained:
        model.variation_curve = model.measured_curve(model.real_at(0))
    blank = model.reconstruct_tensor(0)
    real = [model.real_at(k) for k in range(trained)]
    covers = [_coverings(model, k) for k in range(trained)] if others else []
    if not config.field:
        model.scale_sizes = []  # which grow with the generators
    pool = blank.expand(max(1, config.pool_size), -1, -1, -1)
    return TrainingRun(config, seed, device, real, rng, Finished(model, pool, blank), others=covers)


def _kept_others(others: Sequence[Image.Image], first: tuple[int, int], config: TrainConfig) -> list[torch.Tensor]:
    """The pictures but the first, (any, any, 3) uint8, each of as many pixels as that is kept at."""
    if config.published:
        raise ConfigError("The published method learns one picture: give one, or choose another preset.")
    sizes = [alike((one.height, one.width), (one.height, one.width), first) for one in others]
    check_together([first, *sizes])
    for one, (height, width) in zip(others, sizes, strict=True):
        if ENLARGED * one.height * one.width < height * width:
            note = f"A picture of {one.width}x{one.height} px is enlarged to {width}x{height} px, as large as the "
            note += "first: its parts of samples are less sharp. Lower photo_size, or give it larger."
            warnings.warn(note, TaskWarning, stacklevel=5)
    shrunk = [one.resize((w, h), Image.Resampling.BICUBIC) for one, (h, w) in zip(others, sizes, strict=True)]
    return [torch.from_numpy(np.array(one)) for one in shrunk]


def _coverings(model: SinGAN, scale: int) -> list[torch.Tensor]:
    """The pictures but the first at that scale, enlarged where a crop as large as the scale would not fit into them."""
    first, *others = model.pictures_at(scale)
    covering = []
    for image in others:
        factor = max(1.0, *(wanted / side for wanted, side in zip(first.shape[2:], image.shape[2:], strict=True)))
        height, width = (math.ceil(factor * side - 1e-6) for side in image.shape[2:])
        covering.append(resize(image, (height, width)))
    return covering


Pyramid = tuple[torch.Tensor, list[tuple[int, int]], float]  # the photograph (H, W, 3) uint8, the scales, the factor


def _pyramid(image: Image.Image, kept: tuple[int, int], config: TrainConfig) -> Pyramid:
    height, width = kept
    photo = image.resize((width, height), Image.Resampling.BICUBIC) if image.size != (width, height) else image
    return torch.from_numpy(np.array(photo)), scale_sizes(*learned_size(height, width, config), config), 1.0


def _published_pyramid(image: Image.Image, _: tuple[int, int], config: TrainConfig) -> Pyramid:
    sizes, factor, whole = published_sizes(image.height, image.width, config)
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]  # (1, 3, H, W)
    photo = to_bytes(published_resize(from_bytes(pixels, torch.get_default_dtype()), whole))
    return photo[0].permute(1, 2, 0), sizes, factor


def _check_size(image: Image.Image, kept: tuple[int, int], config: TrainConfig) -> None:
    height, width = kept
    if max(height, width) > MAX_PHOTO_SIDE or height * width > MAX_PHOTO_PIXELS:
        raise ImageError(
            f"The image is {image.width}x{image.height} px, and {width}x{height} px of it would be kept, over "
            f"{MAX_PHOTO_SIDE} px a side or {MAX_PHOTO_PIXELS / 1e6:.0f} megapixels: crop it."
        )
    learned = height * width if not config.field else math.prod(learned_size(height, width, config))
    if learned > LONG * config.max_size**2:
        raise ImageError(
            f"The image is {image.width}x{image.height} px, so long that {learned / 1e6:.2g} megapixels of it would be "
            f"learned, over {LONG} squares of max_size {config.max_size}: crop it."
        )


def begin_scale(run: TrainingRun, attempt: int = 0) -> ScaleState:
    """Networks and optimisers of the next scale, before their first step. Raises `TrainingError` at a third attempt."""
    config, k = run.config, run.scale
    if attempt > 1:
        kept = f"; the {len(run.model.generators)} coarser scales are finished and usable" if k else ""
        raise TrainingError(
            f"Scale {k} diverged twice, at half the learning rate too{kept}: lower generator_lr and "
            "critic_lr, or raise penalty.",
            model=run.model if k else None,
        )
    generator = make_generator(config, k).to(run.device)
    critic = make_critic(config, k).to(run.device)
    generator.initialise(run.rng, last=0.1)  # small: at first the residual generator hardly changes the enlarged image
    critic.initialise(run.rng)
    if config.published:
        draw_noise(1, run.sizes[k], 1, config, run.rng)  # the program draws noise here that it never uses
    if config.warm_start and run.finished.warm is not None:
        for network, before in zip((generator, critic), run.finished.warm, strict=True):
            if [p.shape for p in network.parameters()] == [p.shape for p in before.parameters()]:
                network.load_state_dict(before.state_dict())
    recorded = run.device.type == "cuda"
    fused = recorded or (run.device.type == "cpu" and not config.published)
    first, second = map(float, config.betas)  # Adam takes no whole number beside one that is none
    adam = partial(Adam, betas=(first, second), fused=fused, capturable=recorded)
    optimisers = [  # their rates, which a recorded step has on the device: `ScaleState.set_rates`
        adam(network.parameters(), lr=torch.zeros((), device=run.device) if recorded else 0.0)
        for network in (generator, critic)
    ]
    ema = [p.detach().clone() for p in generator.parameters()]
    return ScaleState(generator, critic, optimisers[0], optimisers[1], ema, attempt=attempt)


def scale_trainer(run: TrainingRun, transform: Transform = lambda images: images) -> ScaleTrainer:
    """What makes the steps of the scale, from enlarged coarser images, (N, 3, H, W), that went through `transform`."""
    return (PublishedTrainer if run.config.published else CropTrainer)(run, transform)
