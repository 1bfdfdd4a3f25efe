"""Pictures that are put together by hand: what was painted, pasted, copied, moved and erased. PIL in and out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from PIL import Image, ImageChops

from singan.errors import ImageError

Move = Literal["copy", "move", "erase"]


def painted(value: dict[str, Any] | None, mask: Image.Image | None = None) -> Image.Image | None:
    """What was painted in a `gr.ImageEditor`, together with `mask`: white on black, mode L; None if that is nothing."""
    masks = [layer.getchannel("A").point(lambda a: 255 * (a > 0)) for layer in (value or {}).get("layers") or []]
    return union([*masks, *([] if mask is None else [mask])])


def union(masks: Iterable[Image.Image]) -> Image.Image | None:
    """Where any of the masks, mode L, is white; they take the first one's size. None if they are all black."""
    whole: Image.Image | None = None
    for mask in masks:
        mask = mask if whole is None else mask.resize(whole.size, Image.Resampling.NEAREST)
        whole = mask if whole is None else ImageChops.lighter(whole, mask)
    return whole if whole is not None and whole.getbbox() else None


def backdrop(value: dict[str, Any] | None) -> Image.Image:
    """What was painted on in a `gr.ImageEditor`, RGB. Raises `ImageError` if there is nothing."""
    background = (value or {}).get("background")
    if background is None:
        raise ImageError("The canvas is empty: put a picture on it first.")
    return background.convert("RGB")


def flattened(value: dict[str, Any] | None) -> Image.Image:
    """The background of a `gr.ImageEditor` with the layers painted over it. Raises `ImageError` if there is none."""
    flat = backdrop(value).convert("RGBA")
    for layer in (value or {}).get("layers") or []:
        flat.alpha_composite(layer.convert("RGBA").resize(flat.size))
    return flat.convert("RGB")


def paste(
    picture: Image.Image, thing: Image.Image, across: float, down: float, size: float
) -> tuple[Image.Image, Image.Image]:
    """`picture` with `thing`, RGBA, in it, and the mask of where that is.

    The thing's centre is `across` and `down` percent of the way, and its longer side is `size` percent of the
    picture's shorter one.
    """
    factor = size / 100 * min(picture.size) / max(thing.size)
    width, height = (max(1, round(side * factor)) for side in thing.size)
    small = thing.resize((width, height), Image.Resampling.LANCZOS)
    layer = Image.new("RGBA", picture.size)
    layer.paste(
        small, (round(across / 100 * picture.width - width / 2), round(down / 100 * picture.height - height / 2))
    )
    composite = Image.alpha_composite(picture.convert("RGBA"), layer).convert("RGB")
    return composite, layer.getchannel("A").point(lambda a: 255 * (a >= 128))


def change(
    picture: Image.Image, region: Image.Image, how: Move, right: int, down: int, emptied: Image.Image | None = None
) -> tuple[Image.Image, Image.Image]:
    """`picture` with what is in `region`, a mask, copied or moved by some pixels, or erased; and the mask of that.

    `emptied`: the picture without what is in the region, which moving and erasing leave behind.
    """
    there = Image.new("L", region.size)
    there.paste(region, (right, down))
    changed = picture if how == "copy" or emptied is None else emptied
    if how == "erase":
        return changed, region
    moved = Image.new("RGB", picture.size)
    moved.paste(picture, (right, down))
    mask = there if how == "copy" else ImageChops.lighter(region, there)
    return Image.composite(moved, changed, there), mask
