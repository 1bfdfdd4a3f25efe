"""What samples can be held to: tiles that go on at their other side, mirror images, and regions of the photograph that
stay; and what can come along with a sample."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias, TypedDict

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from singan.errors import ConfigError, shortened
from singan.image import Picture, read_mask
from singan.patches.vote import FLAT, Wrap
from singan.pyramid import resize

Tile: TypeAlias = Literal["x", "y", "both"]
Mirror: TypeAlias = Literal["x", "y", "both", "kaleidoscope"]


Settle: TypeAlias = Callable[[torch.Tensor], torch.Tensor]  # what an image, (N, 3, H, W), has to keep is put back


def unheld(x: torch.Tensor) -> torch.Tensor:
    """An image that has to keep nothing."""
    return x


class Drawing(TypedDict, total=False):
    """The options of `SinGAN.sample`, which says what they do, but for `source`."""

    size: tuple[int, int] | None
    start_scale: int
    variation: float | Sequence[float] | None
    seed: int
    generators_only: bool
    flips: bool
    tile: Tile | None
    mirror: Mirror | None
    pin: Picture | None
    pin_to: tuple[float, float] | None


WRAPS: dict[str, Wrap] = {"x": (False, True), "y": (True, False), "both": (True, True)}
MIRRORS = ("x", "y", "both", "kaleidoscope")


class Sample(NamedTuple):
    """A sample, and where each of its pixels is from: `source`, (H, W, 2) int32, holds rows and columns of the
    photograph."""

    image: Image.Image
    source: np.ndarray


@dataclass(frozen=True)
class Pin:
    """What stays: `shown`, (1, 3, H, W) of the size of the sample, where `mask`, (1, 1, H, W), is 1. `shown` is the
    photograph, moved by so many rows and columns, `moved`."""

    shown: torch.Tensor
    mask: torch.Tensor
    moved: tuple[int, int]


@dataclass(frozen=True)
class Constraints:
    """What samples are held to at every scale. `fades`: they go on below, but at the end alone, where what is below
    goes over into a sky; what stands in them keeps its height."""

    wrap: Wrap = FLAT
    fades: bool = False
    mirror: str | None = None
    pin: Pin | None = None

    def settle(self, size: tuple[int, int]) -> Settle:
        """What an image, (N, 3, *size), is put through so that it keeps them.

        In images that are smaller than the sample a pixel is pinned if any of it is: what is around a pinned region is
        drawn to go with it.
        """
        mirror, pin = self.mirror, self.pin
        if mirror is not None:
            return lambda x: mirrored(x, mirror)
        if pin is None:
            return unheld
        shown, inside = resize(pin.shown, size), F.adaptive_max_pool2d(pin.mask, size) > 0
        return lambda x: torch.where(inside, shown, x)

    def traced(self, source: torch.Tensor) -> np.ndarray:
        """Where the pixels are from, (H, W, 2) int32, if the votes' sources are at `source`, (1, H, W, 2)."""
        source = source.movedim(3, 1).cpu()
        if self.mirror is not None:
            source = mirrored(source, self.mirror)
        elif self.pin is not None:
            grid = torch.stack(torch.meshgrid(*(torch.arange(side) for side in source.shape[2:]), indexing="ij"))
            own = grid - torch.tensor(self.pin.moved)[:, None, None]
            source = torch.where(self.pin.mask.cpu() > 0, own, source)
        return source[0].movedim(0, 2).to(torch.int32).contiguous().numpy()


def mirrored(x: torch.Tensor, mirror: str) -> torch.Tensor:
    """`x`, (N, C, H, W), with its right half replaced by the mirror image of its left one (mirror "x"), its lower half
    by that of its upper one ("y"), or both; "kaleidoscope": and each quarter by its reflection in its diagonal."""
    if mirror == "kaleidoscope":
        turned = x.mT if x.shape[2] == x.shape[3] else resize(x.mT, (x.shape[2], x.shape[3]))
        down, across = (torch.linspace(0, 1, side, device=x.device) for side in x.shape[2:])
        x = torch.where(down[:, None] <= across, x, turned)
    for axis, name in ((2, "y"), (3, "x")):
        if mirror in (name, "both", "kaleidoscope"):
            side = x.shape[axis]
            x = torch.cat([x.narrow(axis, 0, side - side // 2), x.narrow(axis, 0, side // 2).flip(axis)], axis)
    return x


def check_mirror(mirror: Any, size: tuple[int, int]) -> None:
    """Raise `ConfigError` unless samples of that size can be mirrored so."""
    if mirror not in (None, *MIRRORS):
        raise ConfigError(f"mirror is {shortened(mirror)}; choose one of {', '.join(MIRRORS)}.")
    if mirror == "kaleidoscope" and size[0] != size[1]:
        side = min(size)
        raise ConfigError(
            f"A kaleidoscope is square, and size is {size[0]}x{size[1]} px: give a size as ({side}, {side})."
        )


def tiling(tile: Any) -> Wrap:
    """The sides at which a tile goes on. Raises `ConfigError` if there are no such tiles."""
    if tile is None:
        return FLAT
    if not isinstance(tile, str) or tile not in WRAPS:
        raise ConfigError(f"tile is {shortened(tile)}; choose one of {', '.join(WRAPS)}.")
    return WRAPS[tile]


def pinned(mask: Picture, photo: torch.Tensor, size: tuple[int, int], to: tuple[float, float] | None = None) -> Pin:
    """What is white in `mask`, a picture of the shape of the photograph, as a pin in samples of `size`.

    `photo`: the photograph, (1, 3, h, w). `to`: where the middle of the region goes, in shares of the height and the
    width, from 0 to 1; by default where it is in the photograph. Raises `ImageError` if the mask is black or white all
    over, or of another shape; `ConfigError` if its region does not fit in there.
    """
    white = read_mask(mask, (photo.shape[2], photo.shape[3]), same_shape=True)
    places = white.nonzero()
    (top, left), (bottom, right) = places.amin(0).tolist(), (places.amax(0) + 1).tolist()
    middle = [(low + high) / 2 for low, high in ((top, bottom), (left, right))]
    wanted = [at / side for at, side in zip(middle, white.shape, strict=True)] if to is None else _checked_place(to)
    down, across = (round(share * side - at) for share, side, at in zip(wanted, size, middle, strict=True))
    if top + down < 0 or left + across < 0 or bottom + down > size[0] or right + across > size[1]:
        raise ConfigError(
            f"The pinned region, {bottom - top}x{right - left} px, with its middle at ({wanted[0]:.3g}, "
            f"{wanted[1]:.3g}) does not lie within the {size[0]}x{size[1]} px of the sample: "
            "pin less, move it with pin_to, or give another size."
        )
    rows, columns = (torch.arange(side) - by for side, by in zip(size, (down, across), strict=True))
    there = [(at >= 0) & (at < side) for at, side in zip((rows, columns), white.shape, strict=True)]
    rows, columns = (at.clamp(0, side - 1) for at, side in zip((rows, columns), white.shape, strict=True))
    inside = white[rows][:, columns] & there[0][:, None] & there[1]
    device = photo.device
    shown = photo[:, :, rows.to(device)][..., columns.to(device)]
    return Pin(shown, inside[None, None].float().to(device), (down, across))


def _checked_place(to: Any) -> list[float]:
    if not isinstance(to, (tuple, list)) or len(to) != 2 or not all(isinstance(at, (int, float)) for at in to):
        raise ConfigError(f"pin_to is {shortened(to)}; give (down, across), from 0 to 1.")
    if not all(0 <= at <= 1 for at in to):
        raise ConfigError(f"pin_to is {shortened(to)}; both numbers go from 0 to 1, (0.5, 0.5) is the middle.")
    return [float(at) for at in to]
