"""Filling: a hole in a photograph, or what lies beyond its border, is drawn from the rest of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from PIL import Image

from singan.checks import check_range, check_seed, check_size
from singan.config import TrainConfig
from singan.device import at_once, deviation
from singan.errors import ConfigError, ImageError
from singan.image import Picture, tensor_to_image
from singan.model import SinGAN
from singan.patches.light import lit
from singan.patches.quilt import continued
from singan.patches.stitch import stitch
from singan.pyramid import MAX_SEARCHED_PIXELS, resize
from singan.tasks.blending import feather, load_mask
from singan.tasks.filters import grow
from singan.tasks.injection import Injection, OnEvent, TaskEvent, inject
from singan.training.loop import draft
from singan.warp import mirrored, reflected

BAND = 12.0  # pixels at 250 px: how far beyond a hole cuts may run
ROUNDS = (6, 4, 3, 2)  # of voting beyond the border, from the coarsest scale on
SOFT = 1.0  # deviation of the edge of what is kept, pixels at 250 px
FOLD = 0.2  # of the height: what is beyond the border begins as what is so near to it
GUESS = 0.25  # of the picture's deviation: how far the first guesses of two seeds are apart
MAX_FILLED = 0.6  # of the picture
MAX_EXTENSION = 1.0  # of a side, at each end
FILLED_AT_ONCE = 2**23  # pixels of results that are made at once: one of 12 megapixels, alone, takes 2.3 GB
MAX_KEPT = 4096  # pixels a side that a model can keep


def fill(
    model: SinGAN, mask: Picture, *, n: int = 1, seed: int = 0, on_event: OnEvent | None = None
) -> list[Image.Image]:
    """`n` RGB images of the training image's size with what `mask` hides drawn anew from the rest; a draft will do.

    `mask`: white where the hole is; result k depends on `seed` + k alone, and seed 0 gives the one that is likely the
    best. Seams may run up to 12 px, of an image of 250, beyond the mask; what is beyond that is the training image to
    the last bit. Raises `ImageError` for a bad mask, `ConfigError` for a value out of range.
    """
    hole = load_mask(model, mask)
    covered = float(hole.mean())
    if covered > MAX_FILLED:
        raise ImageError(
            f"The mask covers {covered:.0%} of the picture; at most {MAX_FILLED:.0%} can be filled from the rest."
        )
    image = model.real_at(-1)
    sizes, band = stitched_sizes(model, image), grow(hole, BAND)

    def drawn(seed: int) -> torch.Tensor:
        return stitch(image, hole, image, 1 - hole, sizes, seed, band=band)

    return _each(drawn, model.image_size, model.device, n, seed, on_event, {"task": "fill"})


def extend(
    model: SinGAN,
    *,
    top: float = 0.0,
    right: float = 0.0,
    bottom: float = 0.0,
    left: float = 0.0,
    n: int = 1,
    seed: int = 0,
    on_event: OnEvent | None = None,
) -> list[Image.Image]:
    """`n` RGB images of the training image with more around it; a draft will do.

    Each side grows by a share of the height (`top`, `bottom`) or the width (`left`, `right`), 0 to 1. The training
    image is in the middle, to the last bit. Raises `ConfigError` on a value out of range.
    """
    sides = {"top": top, "right": right, "bottom": bottom, "left": left}
    for name, share in sides.items():
        check_range(name, share, 0, MAX_EXTENSION, says=f"a side grows by 0 to {MAX_EXTENSION:g} of the picture")
    height, width = model.image_size
    above, below, before, after = (
        round(share * side) for share, side in ((top, height), (bottom, height), (left, width), (right, width))
    )
    if not any((above, below, before, after)):
        raise ConfigError("Nothing is to be added: give one of top, right, bottom, left a share of a pixel or more.")
    size = above + height + below, before + width + after
    check_size(size)
    real = model.real_at(-1)
    canvas = real.new_zeros(1, 3, *size)
    hole = real.new_ones(1, 1, *size)
    inside = slice(above, above + height), slice(before, before + width)
    canvas[:, :, inside[0], inside[1]], hole[:, :, inside[0], inside[1]] = real, 0
    settings = {"task": "extend", **{name: share for name, share in sides.items() if share}}
    if not model.config.field:
        raise ConfigError("This model has no field of patches to go on with: make a draft of the photo (singan.draft).")
    rows = _folded(above, height, size[0]).to(real.device)
    beyond = real[:, :, rows][..., mirrored(before, width, size[1]).to(real.device)]
    if max(top, bottom) > FOLD:  # patches hold to where they belong; by proportion, houses would belong in the sky
        model = model.held_to((rows + 0.5) / height)
    weight = torch.maximum(feather(hole, 0, SOFT), hole)

    def drawn(seed: int) -> torch.Tensor:
        noise = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(seed)).to(real.device)
        start = beyond + hole * GUESS * deviation(real) * resize(noise, size)
        x = inject(model, Injection(start, ROUNDS, region=weight, joins=True), 1, seed)
        goes_on = continued(x, beyond, inside)
        return lit(canvas.lerp(beyond, goes_on), x, hole * (1 - goes_on))

    return _each(drawn, size, model.device, n, seed, on_event, settings)


def _folded(above: int, height: int, whole: int) -> torch.Tensor:
    """Which of `height` rows stand at `whole` ones, if the first is at `above`: those beyond are what is next to them,
    mirrored again and again within FOLD of the height, so that nothing from far away hangs there upside down."""
    fold = max(1, round(FOLD * height))
    rows = torch.arange(whole) - above
    up, down = reflected(-1 - rows.clamp(max=-1), fold), reflected(rows.clamp(min=height) - height, fold)
    return torch.where(rows < 0, up, torch.where(rows < height, rows, height - 1 - down))


def draft_of(photo: Image.Image, longest: int = MAX_KEPT) -> SinGAN:
    """A draft that keeps the photo at its own size, up to `longest` pixels a side."""
    return draft(photo, TrainConfig.preset("draft", photo_size=min(longest, MAX_KEPT, max(25, *photo.size))))


def _each(
    drawn: Callable[[int], torch.Tensor],
    size: tuple[int, int],
    device: torch.device,
    n: int,
    seed: int,
    on_event: OnEvent | None,
    settings: dict[str, object],
) -> list[Image.Image]:
    """`n` images of `size`, as they are `drawn` with `seed` and those after it."""
    check_range("n", n, 1, 64, int)
    seed = check_seed(seed, n)

    @torch.inference_mode()
    def job(k: int) -> Image.Image:
        image = tensor_to_image(drawn(seed + k))
        image.info.update(settings, seed=seed + k)
        return image

    images = []
    for image in at_once(job, n, device, FILLED_AT_ONCE // math.prod(size)):
        images.append(image)
        if on_event:
            on_event(TaskEvent(len(images), n, "sample", image))
    return images


def stitched_sizes(model: SinGAN, image: torch.Tensor, first: int | None = None) -> list[tuple[int, int]]:
    """The sizes of `image`, (1, 3, H, W), at the model's levels from `first` on, by default the last small one."""
    size = image.shape[2], image.shape[3]
    sizes = [model.size_at(k, size) for k in range(len(model.levels))]
    small = max((k for k, at in enumerate(sizes) if math.prod(at) <= MAX_SEARCHED_PIXELS), default=0)
    return sizes[small if first is None else min(first, small) :]


def last_small(model: SinGAN, image: torch.Tensor) -> int:
    """The injection scale at which the last small size of `image`, (1, 3, H, W), is the one before."""
    return min(1 + len(model.levels) - len(stitched_sizes(model, image)), model.num_scales - 1)
