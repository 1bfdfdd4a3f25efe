"""Images in and out: any photo to 8-bit RGB, and RGB to tensors (1, 3, H, W) in [-1, 1].

Every check on input images is here. Whatever is wrong with one is an `ImageError`; whatever of it could not
be kept is an `ImageWarning`.
"""

from __future__ import annotations

import io
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from PIL import ExifTags, Image, ImageCms, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from singan.errors import ConfigError, ImageError, ImageWarning, one_line, shortened
from singan.files import SAVED, atomic_path, check_side
from singan.limits import MAX_INPUT_PIXELS
from singan.version import __version__

MIN_SIDE = 25  # pixels: the coarsest scale of the pyramid (SinGAN sec. 2.2)
QUALITY = 95  # of those with losses
MAX_PROFILE_BYTES = 100_000  # of a profile of colours; those of cameras and screens have some hundreds
STRIP = 256  # rows that are flattened at once: a large image in one go takes twice the memory

# Only formats that Pillow decodes by itself: EPS, for one, would start Ghostscript on an uploaded file.
FORMATS = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000", "AVIF")

_UPRIGHT = {  # EXIF orientation -> what undoes it
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


Picture: TypeAlias = Image.Image | np.ndarray | str | os.PathLike[str]
Noted = tuple[Image.Image, list[str]]  # an RGB image, and what of its source could not be kept


def load_image(
    source: Picture,
    *,
    name: str = "",
    background: str = "white",
    max_pixels: int = MAX_INPUT_PIXELS,
) -> Image.Image:
    """Return `source` as an 8-bit RGB image, upright; `source` itself where it is one.

    `source` is a PIL image of any mode, a path, or an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of
    type bool, uint8, uint16 (0 to 65535) or float (0 to 1; an image of mode F likewise). Images of mode I or
    I;16 are read as 16-bit. Transparency is flattened on `background`, and of an animation one frame is used; an
    `ImageWarning` says so. `name` is what messages call the image.

    Raises `ImageError` for anything else, and for images under `MIN_SIDE` or over `max_pixels`: the size is
    taken from the header, before anything is decoded. `ConfigError` for a background that is no colour.
    """
    image, notes = read_image(source, name=name, background=background, max_pixels=max_pixels)
    for note in notes:
        warnings.warn(note, ImageWarning, stacklevel=2)
    return image


def read_image(
    source: Picture,
    *,
    name: str = "",
    background: str = "white",
    max_pixels: int = MAX_INPUT_PIXELS,
    formats: Sequence[str] = FORMATS,
) -> Noted:
    """`load_image`, and what it would warn of: a server's threads share their warnings, and visitors must not.
    `formats`: those of files that are read, of FORMATS."""
    name = " ".join(name.split())
    try:
        Image.new("RGB", (1, 1), background)
    except (TypeError, ValueError):
        raise ConfigError(f"background is {shortened(background)}; give a colour, as white or #ff8800.") from None
    if isinstance(source, np.ndarray):
        return _from_array(source, name or "Array", background, max_pixels)
    if isinstance(source, Image.Image):
        return _from_pil(source, name or "Image", background, max_pixels)
    if isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        return _from_file(Path(path), name or " ".join(path.split()), background, max_pixels, formats)
    raise ImageError(f"{name or 'Image'} is a {type(source).__name__}; give a path, a PIL image or a NumPy array.")


def titled(what: str, picture: Picture) -> str:
    """What messages call a picture: with the name of its file, if it has one."""
    return f"{what} {Path(picture).name}" if isinstance(picture, (str, os.PathLike)) else what


def read_mask(mask: Picture, size: tuple[int, int], same_shape: bool = False) -> torch.Tensor:
    """Where a mask is white, (*size), bool; what is transparent counts as black. Of a larger one all is white that has
    any white in it: a thin stroke stays.

    Raises `ImageError` if it is black or white all over. One of another shape is stretched, which an `ImageWarning`
    says; an `ImageError` where it has to be of the `same_shape`.
    """
    name = titled("The mask", mask)
    # Without its notes: a painted layer is transparent where nothing was painted.
    grey = read_image(mask, name=name, background="black")[0].convert("L")
    height, width = size
    if abs(grey.height * width / grey.width - height) > 1 and abs(grey.width * height / grey.height - width) > 1:
        text = f"{name} is {grey.width}x{grey.height} px and the photograph {width}x{height}"
        if same_shape:
            raise ImageError(f"{text}: give one of the same shape.")
        warnings.warn(f"{text}: it is stretched to that.", ImageWarning, stacklevel=4)
    brightest = grey.getextrema()[1]
    white = torch.from_numpy(np.array(grey))[None, None] >= 128
    at = [min(sides) for sides in zip(white.shape[2:], size, strict=True)]
    white = F.interpolate(F.adaptive_max_pool2d(white.float(), at), size=size)[0, 0] > 0
    if not white.any():
        raise ImageError(
            f"{name} is black all over (its brightest value is {brightest} of 255): paint white in it what it is about."
        )
    if white.all():
        raise ImageError(f"{name} is white all over: leave black what it is not about.")
    return white


def check_file(
    source: Path | bytes, name: str, max_pixels: int = MAX_INPUT_PIXELS, formats: Sequence[str] = FORMATS
) -> None:
    """Raise `ImageError` if a file, or the bytes of one, is no image or too large, by its header alone."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with _opened(file, formats) as image:
            _check_size(*image.size, name, max_pixels)
    except ImageError:
        raise
    except Exception as error:  # on damaged headers Pillow raises almost anything
        raise ImageError(f"{name} is not an image that can be read ({one_line(error, 100)}).") from None


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    """The image in that mode, uncopied where it is in it: it may be of a hundred megapixels."""
    return image if image.mode == mode else image.convert(mode)


def image_to_tensor(image: Image.Image) -> torch.Tensor:
    """RGB image of W x H pixels -> (1, 3, H, W), float32 in [-1, 1]."""
    pixels = torch.from_numpy(np.array(in_mode(image, "RGB")))  # (H, W, 3) uint8
    return pixels.permute(2, 0, 1)[None].float().div_(127.5).sub_(1)  # in place: it may be of a hundred megapixels


def tensor_to_image(x: torch.Tensor) -> Image.Image:
    """(1, 3, H, W) or (3, H, W), any float type -> RGB image; values are cut to [-1, 1] and rounded.

    The exact inverse of `image_to_tensor`. Raises ValueError for another shape.
    """
    if x.shape[-3:-2] != (3,) or x.ndim not in (3, 4) or (x.ndim == 4 and len(x) != 1):
        raise ValueError(f"tensor has shape {tuple(x.shape)}; an image is (1, 3, H, W) or (3, H, W)")
    pixels = x.detach().reshape(x.shape[-3:]).permute(1, 2, 0).float()
    pixels = ((pixels + 1) * 127.5).clamp(0, 255).round()
    return Image.fromarray(pixels.to("cpu", torch.uint8).numpy())


def save_image(image: Image.Image, path: Path, settings: Mapping[Any, object]) -> None:
    """Write a PNG, JPEG or WebP, as `path` ends, that carries `settings`, and the version of this package: as text
    chunks, or as JSON in the description of its EXIF data."""
    facts = {str(key): str(value) for key, value in {**settings, "singan": __version__}.items()}
    kind = SAVED[path.suffix.lower()]
    check_side(image.size, kind)
    with atomic_path(path) as part:
        if kind == "PNG":
            text = PngInfo()
            for key, value in facts.items():
                text.add_text(key, value)
            image.save(part, kind, pnginfo=text, compress_level=1)  # a third of the time for a tenth more bytes
        else:
            exif = Image.Exif()
            exif[ExifTags.Base.ImageDescription] = json.dumps(facts)
            image.save(part, kind, quality=QUALITY, exif=exif)


def _from_file(path: Path, name: str, background: str, max_pixels: int, formats: Sequence[str]) -> Noted:
    try:
        if path.is_dir():
            raise ImageError(f"{name} is a directory; give the path of one image file.")
        if not path.exists():
            raise ImageError(f"{name} does not exist; check the path.")
        if not path.is_file():  # opening a pipe or a device could wait for ever
            raise ImageError(f"{name} is not a regular file; give the path of one image file.")
        if path.stat().st_size == 0:
            raise ImageError(f"{name} is empty (0 bytes); save or download it again.")
        with _opened(path, formats) as image:
            return _from_pil(image, name, background, max_pixels)
    except ImageError:
        raise
    except Image.DecompressionBombError:  # raised from the header; Pillow's own limit is above MAX_INPUT_PIXELS
        raise ImageError(
            f"{name} has over {2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6:.0f} megapixels; "
            f"the limit is {MAX_INPUT_PIXELS / 1e6:g}: shrink it first."
        ) from None
    except UnidentifiedImageError:
        raise ImageError(f"{name} is not an image that can be read; save it as PNG or JPEG.") from None
    except OSError as error:
        raise ImageError(f"{name} cannot be read ({error.strerror or one_line(error)}); check the file.") from error
    except Exception as error:  # on damaged headers Pillow raises almost anything
        raise ImageError(f"{name} is damaged ({one_line(error)}); save or download it again.") from error


def _opened(file: Path | io.BytesIO, formats: Sequence[str]) -> Image.Image:
    """The image of a file, of which no more than the header is read yet."""
    Image.init()
    return Image.open(file, formats=[known for known in formats if known in Image.OPEN])


def _from_pil(image: Image.Image, name: str, background: str, max_pixels: int) -> Noted:
    _check_size(*image.size, name, max_pixels)
    try:
        several = getattr(image, "is_animated", False) and image.format != "MPO"  # MPO: a photo and its previews
        frame = image.tell() + 1 if several else 1
        image.load()
    except Exception as error:  # on damaged data the decoders raise almost anything
        raise ImageError(f"{name} is damaged ({one_line(error)}); save or download it again.") from error
    which = "the first" if frame == 1 else f"number {frame}"
    notes = [f"{name} has several frames: only {which} is used."] if several else []
    upright, noticed = _upright(_in_srgb(image), name)
    if upright.mode.startswith("I") or upright.mode == "F":
        pixels, transparent = _wide_pixels(upright, name), image.info.get("transparency")
        result, more = _from_array(pixels, name, background, max_pixels, transparent)
    elif upright.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in upright.info:
        result, more = _flatten(upright, name, background)
    else:
        result, more = in_mode(upright, "RGB"), []
    if result is not image:
        result.info = {}  # of what has been done: read again, it would be turned again
    return result, notes + noticed + more


def _from_array(array: np.ndarray, name: str, background: str, max_pixels: int, transparent: object = None) -> Noted:
    """`transparent` is the one 16-bit value that a greyscale PNG declares to be see-through."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        cure = "transpose it to (H, W, 3)" if array.ndim == 3 and array.shape[0] in (1, 3, 4) else "reshape it"
        shapes = "(H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
        raise ImageError(f"{name} has shape {array.shape}; an image is {shapes}: {cure}.")
    _check_size(array.shape[1], array.shape[0], name, max_pixels)
    pixels, notes = _to_uint8(array, name)
    if isinstance(transparent, int) and array.ndim == 2:
        alpha = np.where(array == transparent, 0, 255).astype(np.uint8)
        pixels = np.stack([pixels, pixels, pixels, alpha], axis=2)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    image = Image.fromarray(np.ascontiguousarray(pixels))
    flat, more = _flatten(image, name, background) if image.mode == "RGBA" else (image.convert("RGB"), [])
    return flat, notes + more


def _to_uint8(array: np.ndarray, name: str) -> tuple[np.ndarray, list[str]]:
    if array.dtype == np.uint8:
        return array, []
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255), []
    if array.dtype.kind == "u" and array.dtype.itemsize == 2:  # either byte order
        dark = f"{name} is 16-bit but no value is over {array.max()} of 65535: it will be almost black."
        small = np.empty(array.shape, np.uint8)
        for top in range(0, len(array), STRIP):  # in strips: it may be of a hundred megapixels
            small[top : top + STRIP] = (array[top : top + STRIP].astype(np.uint32) + 128) // 257
        return small, [dark] if 0 < array.max() < 256 else []  # round(x / 257); 65535 / 257 = 255
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())  # NaN if any value is
        if not np.isfinite([low, high]).all():
            raise ImageError(f"{name} holds NaN or infinite values; replace them by numbers from 0 to 1.")
        if low < 0 or high > 1:
            raise ImageError(f"{name} holds values from {low:g} to {high:g}; float images go from 0 to 1: rescale it.")
        return np.rint(array.astype(np.float32) * 255).astype(np.uint8), []
    raise ImageError(f"{name} has type {array.dtype}; convert it to uint8, uint16, bool or float (0 to 1).")


def _wide_pixels(image: Image.Image, name: str) -> np.ndarray:
    """Pixels (H, W) of mode I;16 (either byte order), I or F, as uint16 or float32."""
    pixels = np.asarray(image)
    if image.mode != "I":
        return pixels.astype(np.float32 if image.mode == "F" else np.uint16)
    low, high = int(pixels.min()), int(pixels.max())
    if low < 0 or high > 65535:
        raise ImageError(f"{name} holds values from {low} to {high}; integer images go from 0 to 65535: rescale it.")
    return pixels.astype(np.uint16)


def _in_srgb(image: Image.Image) -> Image.Image:
    """An RGB or RGBA image whose profile says that its colours are those of another device, in sRGB, which all that is
    written here is; a profile that cannot be read, or a long one, is none."""
    profile = image.info.get("icc_profile")
    if image.mode not in ("RGB", "RGBA") or not isinstance(profile, bytes) or len(profile) > MAX_PROFILE_BYTES:
        return image
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(given).lower():
            return image
        if "transparency" in image.info and image.mode == "RGB":  # of the colours as they are written
            image = image.convert("RGBA")
        colors = ImageCms.profileToProfile(in_mode(image, "RGB"), given, ImageCms.createProfile("sRGB"))
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError):
        return image
    assert colors is not None  # it is not changed in place
    if image.mode == "RGBA":
        colors.putalpha(image.getchannel("A"))
    colors.info.update(image.info)
    del colors.info["icc_profile"]
    return colors


def _upright(image: Image.Image, name: str) -> Noted:
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # the pixels are sound, so damaged metadata is no reason to refuse them
        return image, [f"{name} has damaged EXIF data: its orientation is not known and left as it is."]
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image, []


def _flatten(image: Image.Image, name: str, background: str) -> Noted:
    """In strips: in memory, a copy with transparency takes four bytes a pixel."""
    if image.mode == "La":
        image = image.convert("LA")
    flat, opaque = Image.new("RGB", image.size), True
    for top in range(0, image.height, STRIP):
        strip = in_mode(image.crop((0, top, image.width, min(top + STRIP, image.height))), "RGBA")
        if strip.getchannel("A").getextrema() != (255, 255):
            opaque, strip = False, Image.alpha_composite(Image.new("RGBA", strip.size, background), strip)
        flat.paste(strip.convert("RGB"), (0, top))
    return flat, [] if opaque else [f"{name} is partly transparent: it is flattened on {background}."]


def _check_size(width: int, height: int, name: str, max_pixels: int) -> None:
    if min(width, height) < MIN_SIDE:
        raise ImageError(
            f"{name} is {width}x{height} px; SinGAN needs at least {MIN_SIDE} px on the short side: enlarge it."
        )
    if width * height > max_pixels:
        raise ImageError(
            f"{name} is {width}x{height} px ({width * height / 1e6:.6g} megapixels); "
            f"the limit is {max_pixels / 1e6:g}: shrink it first."
        )
