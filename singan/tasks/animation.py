"""Animation: a walk through the noise, one frame a step (SinGAN sec. 4.5), that ends where it began.

What the noise drives depends on the model. With generators at all scales they draw every frame anew, as published. A
model with a field of patches decides by votes, one way or the other, and its objects would pop; there the walk moves
the picture's content itself, smoothly and at full size, and everything sways in its place.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from singan.checks import check_range, check_seed, check_size
from singan.config import TrainConfig
from singan.errors import ConfigError
from singan.files import atomic_path
from singan.image import tensor_to_image
from singan.model import SinGAN
from singan.scale import draw_noise
from singan.tasks import video
from singan.tasks.injection import OnEvent, TaskEvent
from singan.variation import fresh_share, mix_noise

MAX_FRAMES = 10_000
MIN_LOOP_ALPHA = 0.01  # a walk that is hardly pulled back takes thousands of steps to forget its start
GRID = 12  # cells along the longest side that sway by themselves
VARIATION = 0.1  # of animations, unless another is asked for
START = 0.05  # of the published walk
SWAY = 0.03  # of the longest side: how far content moves at variation 1, in standard deviation
STEADY = 0.06  # of a side: how near to the border content moves less, so that nothing from beyond it is seen
REMAINS = 1e-4  # of the walk's start when it is taken to have forgotten it


def animate(
    model: SinGAN,
    out: str | os.PathLike[str],
    *,
    frames: int = 100,
    fps: float = 10,
    size: tuple[int, int] | None = None,
    start_scale: int = 0,
    alpha: float = 0.1,
    beta: float = 0.9,
    variation: float | None = None,
    loop: bool = True,
    seed: int = 0,
    on_event: OnEvent | None = None,
) -> Path:
    """Write an animation of `model` to `out`, a .gif, .webp or .mp4 file, frame by frame; returns the path.

    `fps`: frames a second, 1 to 60. The other arguments, and the errors, are those of `iter_frames`. The file
    appears when it is complete. MP4 needs the package imageio-ffmpeg; a `ConfigError` says so.
    """
    path = Path(out)
    check_range("fps", fps, 1, 60)
    images = iter_frames(
        model,
        frames=frames,
        size=size,
        start_scale=start_scale,
        alpha=alpha,
        beta=beta,
        variation=variation,
        loop=loop,
        seed=seed,
    )

    def watched() -> Iterator[Image.Image]:
        for done, image in enumerate(images, 1):
            if on_event:
                on_event(TaskEvent(done, frames, "frame", image))
            yield image

    write = video.writer(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as part:
        write(part, watched(), fps)
    return path


def iter_frames(
    model: SinGAN,
    *,
    frames: int = 100,
    size: tuple[int, int] | None = None,
    start_scale: int = 0,
    alpha: float = 0.1,
    beta: float = 0.9,
    variation: float | None = None,
    loop: bool = True,
    seed: int = 0,
) -> Iterator[Image.Image]:
    """The frames of an animation, RGB images, one after the other.

    The noise of each scale from `start_scale` on walks around the training image's own; in a model with a field, the
    places of its content do, around their own. `alpha` in [0, 1]: the
    pull back to it; `beta` in [0, 1): how smoothly the walk goes on in its direction; `variation` in [0, 1]: how far
    it goes from the training image, as in `SinGAN.sample`; by default VARIATION, but with `config.published` the
    published walk, which goes the less far the smoother it is. `loop`: the last frame is followed by the first; without
    it the walk starts at the training image. `size`: (height, width). Raises `ConfigError` on a value out of range.
    """
    unscaled = variation is None and model.config.published
    variation = VARIATION if variation is None else variation
    size = size or model.image_size
    check_size(size)
    size = size[0], size[1]  # it may be a list
    seed = check_seed(seed)
    check_range("frames", frames, 2, MAX_FRAMES, int)
    model.check_start_scale(start_scale)
    for name, value, end in (("alpha", alpha, 1), ("beta", beta, 0.99), ("variation", variation, 1)):
        check_range(name, value, 0, end)
    if loop and alpha < MIN_LOOP_ALPHA:
        raise ConfigError(
            f"alpha is {alpha:g}; a walk that closes needs {MIN_LOOP_ALPHA:g} or more: raise it, or turn loop off."
        )
    walk = Walk(alpha, beta, frames if loop else None, seed, scaled=not unscaled)
    return _frames(model, frames, size, start_scale, walk, variation)


def animation_config(preset: str = "fast", **overrides: Any) -> TrainConfig:
    """The preset changed to learn a picture for animation: noise beyond the border, a coarser start, no voting."""
    if preset == "draft":
        raise ConfigError("A draft has no generators, and animation is what they are for: choose another preset.")
    changes: dict[str, Any] = {"min_size": 20, "noise_padding": True}
    if not TrainConfig.preset(preset).published:
        changes |= {"generators": None, "voting_rounds": 0, "field": False, "place_prior": 0.0, "displacement": 0.0}
        changes |= {"steps": (600, 500, 400, 300)}
    return TrainConfig.preset(preset, **{**changes, **overrides})


class Walk:
    """Noise that walks (SinGAN supplementary, sec. 4), of zero mean and, once under way, standard deviation 1.

    With `period`, it is driven by noise that repeats, and is taken when its start is forgotten: it repeats too. Not
    `scaled` it is the published walk, whose deviation is .77, .47 or .27 at beta .8, .9 or .95, and which has begun
    a twentieth of the way to fresh noise.
    """

    def __init__(self, alpha: float, beta: float, period: int | None, seed: int, *, scaled: bool = True) -> None:
        self.period, self.seed, self.scaled = period, seed, scaled
        # z = alpha * 0 + (1 - alpha) * (before + beta * (before - earlier) + (1 - beta) * e), as a recurrence
        self.before, self.earlier = (1 - alpha) * (1 + beta), -(1 - alpha) * beta
        fresh = (1 - alpha) * (1 - beta)
        # Stationary deviation of a second-order autoregression; a walk that is not pulled back has none.
        spread = (1 + self.earlier) * ((1 - self.earlier) ** 2 - self.before**2)
        deviation = fresh * math.sqrt((1 - self.earlier) / spread) if spread > 1e-9 else 1.0
        self.fresh = fresh / max(deviation, 1e-9) if scaled else fresh

    def noise(
        self, draw: Callable[[torch.Generator], torch.Tensor], scale: int, home: torch.Tensor | float = 0.0
    ) -> Iterator[torch.Tensor]:
        """The walk's noise for one scale, step by step: how far it is from `home`. `draw` makes independent noise."""

        def fresh(step: int) -> torch.Tensor:
            at = step if self.period is None else step % self.period
            return draw(torch.Generator().manual_seed((self.seed * 1_000_003 + scale * 100_003 + at) % 2**63))

        step = 0 if self.period is None else -self.warm_up()
        earlier = now = torch.zeros_like(fresh(0))
        if not self.scaled:
            now = START * (fresh(-1) - home)
            earlier, now = now, self.before * now + self.fresh * fresh(step)
            step += 1
        while True:
            if step >= 0:
                yield now
            earlier, now = now, self.before * now + self.earlier * earlier + self.fresh * fresh(step)
            step += 1

    def warm_up(self) -> int:
        """Steps after which only the share REMAINS of a start is left."""
        roots = np.abs(np.roots([1, -self.before, -self.earlier]))
        return math.ceil(math.log(REMAINS) / math.log(max(float(roots.max()), 0.1)))


def _frames(
    model: SinGAN, frames: int, size: tuple[int, int], start_scale: int, walk: Walk, variation: float
) -> Iterator[Image.Image]:
    if model.config.field:
        yield from _swaying(model, frames, size, walk, variation)
        return
    base, share = model.reconstruct_tensor(start_scale), fresh_share(model.variation_curve, variation)

    def draw(rng: torch.Generator, scale: int) -> torch.Tensor:
        return draw_noise(1, model.size_at(scale, size), scale, model.config, rng).to(model.device)

    home = mix_noise(torch.zeros_like(draw(torch.Generator(), 0)), model.z_star, 0.0)  # the training image's own
    walks = {
        k: walk.noise(partial(draw, scale=k), k, 0.0 if k else home) for k in range(start_scale, len(model.noise_amps))
    }

    def noise(scale: int, _: tuple[int, int]) -> torch.Tensor:
        z = next(walks[scale])
        if scale:
            return z
        return mix_noise(z, model.z_star, share) if walk.scaled else home + z

    for _ in range(frames):
        yield tensor_to_image(model.go_on(base, start_scale, size, noise)[0])


def _swaying(model: SinGAN, frames: int, size: tuple[int, int], walk: Walk, variation: float) -> Iterator[Image.Image]:
    """Frames in which the content of the training image, or of one like it of another size, sways."""
    still = model.real_at(-1) if size == model.image_size else model.sample_tensor(walk.seed, size, 0, 0.0)
    cells = [max(2, round(GRID * side / max(size))) for side in size]
    rows, columns = (torch.linspace(-1, 1, side, device=model.device) for side in size)
    firm = ((1 - rows.abs()) / (2 * STEADY)).clamp(max=1)[:, None] * ((1 - columns.abs()) / (2 * STEADY)).clamp(max=1)
    reach = [2 * SWAY * variation * max(size) / side for side in size]  # grid_sample's sides are 2 long
    moves = walk.noise(lambda rng: torch.randn(1, 2, *cells, generator=rng), 0)
    for _ in range(frames):
        by = F.interpolate(next(moves).to(model.device), size=size, mode="bicubic")[0] * firm
        grid = torch.stack([columns + reach[1] * by[1], rows[:, None] + reach[0] * by[0]], 2)[None]
        frame = F.grid_sample(still, grid, mode="bicubic", padding_mode="reflection", align_corners=True)
        yield tensor_to_image(frame.clamp(-1, 1))
