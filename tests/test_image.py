"""What load_image accepts, what it says about it, and what it refuses."""

import io
import os
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image, ImageCms

import singan.image
from singan.errors import ConfigError, ImageError, ImageWarning, SinGANError
from singan.image import (
    MAX_INPUT_PIXELS,
    MIN_SIDE,
    image_to_tensor,
    load_image,
    read_image,
    save_image,
    tensor_to_image,
)


@pytest.fixture(autouse=True)
def every_warning_is_an_error():
    """A test that expects a warning says so with pytest.warns; any other, Pillow's included, fails it.

    Only ours and Pillow's: the app of other tests may still be running in this process, with warnings of its own.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module=r"(PIL|singan|test_image)(\.|$)")
        yield


@pytest.fixture(scope="module")
def rgb() -> Image.Image:
    """30x40 px with every corner different, so that no flip or turn goes unnoticed."""
    rows, columns = np.mgrid[0:40, 0:30]
    return Image.fromarray(np.stack([rows * 6, columns * 8, (rows * columns) % 256], axis=2).astype(np.uint8))


def pixels(image: Image.Image) -> np.ndarray:
    assert image.mode == "RGB"
    return np.asarray(image)


def png(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG whose header claims the size, and whose image data is `body`."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


# --- modes ----------------------------------------------------------------------------------------


def test_rgb_image_path_and_array_give_the_same_pixels(rgb, tmp_path):
    rgb.save(tmp_path / "photo.png")
    expected = np.asarray(rgb)
    for source in (rgb, tmp_path / "photo.png", str(tmp_path / "photo.png"), expected):
        assert np.array_equal(pixels(load_image(source)), expected)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "HSV", "LAB", "RGBX"])
def test_opaque_modes_convert_as_pillow_does(rgb, mode):
    image = rgb.convert(mode)
    assert np.array_equal(pixels(load_image(image)), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize(
    ("mode", "format"), [("L", "PNG"), ("1", "PNG"), ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("P", "GIF")]
)
def test_opaque_modes_load_from_files(rgb, tmp_path, mode, format):
    path = tmp_path / f"photo.{format.lower()}"
    rgb.convert(mode).save(path, format)
    with Image.open(path) as image:
        assert image.mode == mode
        expected = np.asarray(image.convert("RGB"))
    assert np.array_equal(pixels(load_image(path)), expected)


def test_greyscale_is_repeated_to_three_channels(rgb):
    grey = np.asarray(rgb.convert("L"))
    assert np.array_equal(pixels(load_image(Image.fromarray(grey))), np.stack([grey] * 3, axis=2))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "RGBa", "La"])
def test_alpha_is_flattened_on_white_and_said_so(mode):
    black = Image.new("RGB" if mode in ("RGBA", "RGBa") else "P" if mode == "PA" else "L", (30, 30))
    black.putalpha(Image.fromarray(np.array([[0, 51, 255]], np.uint8).repeat(30, axis=0).repeat(10, axis=1)))
    image = black if mode == "PA" else black.convert(mode)
    assert image.mode == mode
    with pytest.warns(ImageWarning, match="^Image is partly transparent: it is flattened on white"):
        result = pixels(load_image(image))
    assert [int(v) for v in result[0, [0, 10, 20], 0]] == [255, 204, 0]


@pytest.mark.parametrize("as_array", [False, True])
def test_transparency_is_flattened_on_the_background_asked_for(as_array):
    pixels_in = np.full((30, 30, 4), 200, np.uint8)
    pixels_in[..., 3] = np.array([0, 51, 255], np.uint8).repeat(10)
    source = pixels_in if as_array else Image.fromarray(pixels_in)
    with pytest.warns(ImageWarning, match="is partly transparent: it is flattened on black"):
        result = pixels(load_image(source, background="black"))
    assert [int(v) for v in result[0, [0, 10, 20], 0]] == [0, 40, 200]


def test_background_that_is_no_colour_is_refused(rgb):
    with pytest.raises(ConfigError, match="background is 'nocolour'; give a colour, as white or #ff8800"):
        load_image(rgb, background="nocolour")


def test_large_image_is_flattened_in_strips_and_like_a_small_one(monkeypatch):
    """In one go it would take twice the memory."""
    source = Image.fromarray(np.random.default_rng(0).integers(0, 256, (600, 30, 4), np.uint8))
    expected, whole = Image.alpha_composite(Image.new("RGBA", source.size, "white"), source), Image.alpha_composite
    heights = []
    monkeypatch.setattr(Image, "alpha_composite", lambda a, b: heights.append(b.height) or whole(a, b))
    with pytest.warns(ImageWarning):
        assert np.array_equal(pixels(load_image(source)), np.asarray(expected.convert("RGB")))
    assert heights == [256, 256, 88]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_opaque_alpha_changes_nothing_and_warns_of_nothing(rgb, mode):
    image = rgb.convert("LA").convert("PA") if mode == "PA" else rgb.convert(mode)
    assert np.array_equal(pixels(load_image(image)), np.asarray(image.convert("RGBA"))[:, :, :3])


@pytest.mark.parametrize("transparency", [0, bytes([0, 255, 255])])
def test_transparent_palette_entry_becomes_white(tmp_path, transparency):
    image = Image.fromarray(np.repeat(np.array([[0, 1, 2]], np.uint8), 30, axis=0).repeat(10, axis=1)).convert("P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.save(tmp_path / "palette.png", transparency=transparency)
    with pytest.warns(ImageWarning, match="palette.png is partly transparent"):
        result = pixels(load_image(tmp_path / "palette.png"))
    assert result[0, [0, 10, 20]].tolist() == [[255, 255, 255], [40, 50, 60], [70, 80, 90]]


def test_transparent_colour_of_an_rgb_png_becomes_white(tmp_path):
    image = Image.new("RGB", (30, 30), (1, 2, 3))
    image.putpixel((0, 0), (9, 9, 9))
    image.save(tmp_path / "keyed.png", transparency=(1, 2, 3))
    with pytest.warns(ImageWarning, match="flattened on white"):
        result = pixels(load_image(tmp_path / "keyed.png"))
    assert result[0, 0].tolist() == [9, 9, 9] and result[1, 1].tolist() == [255, 255, 255]


# --- more than 8 bits -----------------------------------------------------------------------------

RAMP = np.linspace(0, 65535, 900).astype(np.uint16).reshape(30, 30)
RAMP_8BIT = np.rint(RAMP / 257).astype(np.uint8)


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(RAMP),
        Image.frombytes("I;16B", (30, 30), RAMP.astype(">u2").tobytes()),
        Image.fromarray(RAMP.astype(np.int32)),
        Image.fromarray(RAMP.astype(np.float32) / 65535),
    ],
    ids=["I;16", "I;16B", "I", "F"],
)
def test_deep_images_are_scaled_to_8_bit(image, request):
    assert image.mode == request.node.callspec.id
    assert np.array_equal(pixels(load_image(image))[:, :, 1], RAMP_8BIT)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bit_files_are_scaled_to_8_bit(tmp_path, suffix):
    path = tmp_path / f"deep.{suffix}"
    Image.fromarray(RAMP).save(path)
    assert np.array_equal(pixels(load_image(path))[:, :, 1], RAMP_8BIT)


def test_big_endian_16_bit_tiff_is_scaled_to_8_bit(tmp_path):
    Image.frombytes("I;16B", (30, 30), RAMP.astype(">u2").tobytes()).save(tmp_path / "deep.tif")
    assert (tmp_path / "deep.tif").read_bytes()[:2] == b"MM"
    assert np.array_equal(pixels(load_image(tmp_path / "deep.tif"))[:, :, 1], RAMP_8BIT)


def test_16_bit_png_with_a_transparent_value_is_flattened(tmp_path):
    Image.fromarray(RAMP).save(tmp_path / "keyed.png", transparency=int(RAMP[3, 4]))
    with pytest.warns(ImageWarning, match="flattened on white"):
        result = pixels(load_image(tmp_path / "keyed.png"))[:, :, 0]
    expected = RAMP_8BIT.copy()
    expected[3, 4] = 255
    assert np.array_equal(result, expected)


def test_almost_black_16_bit_image_is_pointed_out():
    with pytest.warns(ImageWarning, match="no value is over 200 of 65535: it will be almost black"):
        load_image(Image.fromarray(np.full((30, 30), 200, np.int32)))


def test_integer_image_out_of_16_bits_is_refused():
    with pytest.raises(ImageError, match="holds values from -1 to 70000; integer images go from 0 to 65535"):
        load_image(Image.fromarray(np.array([[-1] * 30, [70000] * 30] * 15, np.int32)))


def test_float_image_out_of_0_to_1_is_refused(rgb):
    with pytest.raises(ImageError, match="holds values from .* to .*; float images go from 0 to 1"):
        load_image(rgb.convert("F"))


# --- EXIF and animations --------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(rgb, tmp_path, format, orientation):
    upright = np.zeros((40, 30, 3), np.uint8)
    upright[:20, :15] = 255  # white top left
    undo = {v: k for k, v in {5: 5, 6: 8, 7: 7, 8: 6}.items()}.get(orientation, orientation)
    stored = Image.fromarray(upright)
    if orientation > 1:
        stored = stored.transpose(singan.image._UPRIGHT[undo])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    stored.save(tmp_path / "turned", format, exif=exif)
    result = pixels(load_image(tmp_path / "turned"))
    assert result.shape == (40, 30, 3)
    assert np.abs(result.astype(int) - upright)[2:-2, 2:-2].mean() < 12  # JPEG and WebP blur the edges
    again = load_image(load_image(tmp_path / "turned"))  # as a command reads a photo, and then what learns it
    assert np.array_equal(pixels(again), result)


def test_orientation_6_turns_the_stored_left_edge_to_the_top(tmp_path):
    """Against the EXIF specification, not our own table: 6 = the stored 0th row is the right-hand side."""
    stored = np.zeros((30, 40, 3), np.uint8)
    stored[0] = 255
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    Image.fromarray(stored).save(tmp_path / "turned.png", exif=exif)
    result = pixels(load_image(tmp_path / "turned.png"))
    assert result.shape == (40, 30, 3) and (result[:, -1] == 255).all() and (result[:, :-1] == 0).all()


@pytest.mark.parametrize("deep", ["I;16", "I;16B"])
def test_exif_orientation_is_applied_to_16_bit_images(deep):
    image = Image.frombytes(deep, (30, 30), RAMP.astype(">u2" if deep == "I;16B" else "<u2").tobytes())
    image.getexif()[ExifTags.Base.Orientation] = 3
    assert np.array_equal(pixels(load_image(image))[:, :, 0], RAMP_8BIT[::-1, ::-1])


def test_damaged_exif_is_pointed_out_and_the_pixels_kept(rgb, tmp_path):
    rgb.save(tmp_path / "photo.png", exif=b"Exif\x00\x00" + b"nonsense" * 4)
    with pytest.warns(ImageWarning, match="has damaged EXIF data: its orientation is not known"):
        assert np.array_equal(pixels(load_image(tmp_path / "photo.png")), np.asarray(rgb))


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_an_animation_is_used_and_said_so(tmp_path, format):
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "green", "blue")]
    lossless = {"lossless": True} if format == "WEBP" else {}
    frames[0].save(tmp_path / "moving", format, save_all=True, append_images=frames[1:], **lossless)
    with pytest.warns(ImageWarning, match="moving has several frames: only the first is used"):
        assert pixels(load_image(tmp_path / "moving"))[5, 5].tolist() == [255, 0, 0]


def test_frame_that_the_caller_has_chosen_is_used(tmp_path):
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "moving.gif") as image:
        image.seek(1)
        with pytest.warns(ImageWarning, match="only number 2 is used"):
            assert pixels(load_image(image))[5, 5].tolist() == [0, 0, 255]
        assert image.tell() == 1


def test_photo_with_embedded_previews_is_a_photo(tmp_path):
    first, second = Image.new("RGB", (40, 40), "red"), Image.new("RGB", (20, 20), "blue")
    first.save(tmp_path / "phone.jpg", "MPO", save_all=True, append_images=[second])
    assert load_image(tmp_path / "phone.jpg").size == (40, 40)  # and no warning


# --- arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [None, 1, 3, 4])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "bool", "float16", "float32", "float64"])
def test_arrays_of_every_type_and_shape(dtype, channels):
    shape = (26, 31) if channels is None else (26, 31, channels)
    exact = np.random.default_rng(0).integers(0, 2, shape)  # 0 and 1 are exact in every type
    if channels == 4:
        exact[:, :, 3] = 1
    top = {"uint8": 255, "uint16": 65535, ">u2": 65535}.get(dtype, 1)
    result = pixels(load_image((exact * top).astype(dtype)))
    expected = exact.reshape(26, 31, -1)[:, :, :3] * 255
    assert np.array_equal(result, np.broadcast_to(expected, (26, 31, 3)))


def test_float_array_is_rounded_to_the_nearest_level():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 256).repeat(25, axis=0)
    assert np.array_equal(pixels(load_image(levels / 255))[:, :, 0], levels)
    assert pixels(load_image(np.full((25, 25), 0.499)))[0, 0, 0] == 127


def test_alpha_of_an_array_is_flattened_on_white():
    with pytest.warns(ImageWarning, match="^Array is partly transparent"):
        assert (pixels(load_image(np.zeros((25, 25, 4)))) == 255).all()


def test_view_of_an_array_is_accepted(rgb):
    view = np.asarray(rgb)[::-1, ::-1]
    assert np.array_equal(pixels(load_image(view)), view)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.full((30, 30), np.nan), "holds NaN or infinite values; replace them by numbers from 0 to 1"),
        (np.full((30, 30), np.inf), "holds NaN or infinite values"),
        (np.full((30, 30), 1.5), "holds values from 1.5 to 1.5; float images go from 0 to 1: rescale it"),
        (np.full((30, 30), -0.1), "holds values from -0.1 to -0.1; float images go from 0 to 1"),
        (np.zeros((30, 30), np.int64), "has type int64; convert it to uint8, uint16, bool or float"),
        (np.zeros((30, 30), complex), "has type complex128; convert it"),
        (np.full((30, 30), "x"), "has type <U1; convert it"),
        (np.zeros(30, np.uint8), r"has shape \(30,\); an image is \(H, W\), .*: reshape it"),
        (np.zeros((3, 30, 30), np.uint8), r"has shape \(3, 30, 30\); .*: transpose it to \(H, W, 3\)"),
        (np.zeros((30, 30, 2), np.uint8), r"has shape \(30, 30, 2\); .*: reshape it"),
        (np.zeros((1, 30, 30, 3), np.uint8), r"has shape \(1, 30, 30, 3\); .*: reshape it"),
        (np.zeros((0, 30), np.uint8), "is 30x0 px; SinGAN needs at least 25 px"),
    ],
)
def test_unusable_array_is_refused(array, message):
    with pytest.raises(ImageError, match=f"^Array {message}"):
        load_image(array)


# --- sizes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(12, 9), (24, 400), (400, 24)])
def test_too_small_image_is_refused_with_value_limit_and_cure(size):
    expected = f"^Image is {size[0]}x{size[1]} px; SinGAN needs at least 25 px on the short side: enlarge it.$"
    with pytest.raises(ImageError, match=expected):
        load_image(Image.new("RGB", size))


@pytest.mark.parametrize("size", [(25, 25), (150, 2000), (2000, 150), (25, 5000)])
def test_small_and_extreme_shapes_are_accepted(size):
    assert load_image(Image.new("RGB", size)).size == size


def test_too_large_image_is_refused_from_its_header(tmp_path):
    # Pillow warns from 89 megapixels on, and is left to: to silence it is to change the filters of all threads.
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    (tmp_path / "large.png").write_bytes(png(10001, 10000))  # holds no pixels: decoding would say "damaged"
    with pytest.raises(
        ImageError,
        match=r"large.png is 10001x10000 px \(100.01 megapixels\); the limit is 100: shrink it first.$",
    ):
        load_image(tmp_path / "large.png")


def test_decompression_bomb_is_refused_from_its_header(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png(50000, 50000, zlib.compress(bytes(1000))))
    with pytest.raises(ImageError, match="bomb.png has over 179 megapixels; the limit is 100: shrink it first.$"):
        load_image(tmp_path / "bomb.png")


def test_limit_holds_where_pillow_has_none(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    (tmp_path / "bomb.png").write_bytes(png(50000, 50000))
    with pytest.raises(ImageError, match=r"is 50000x50000 px \(2500 megapixels\); the limit is 100"):
        load_image(tmp_path / "bomb.png")


def test_image_at_the_limit_is_decoded_though_pillow_warns(tmp_path, monkeypatch):
    warnings.simplefilter("ignore", Image.DecompressionBombWarning)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 600)  # 30x30 is over it, and under twice that
    Image.new("RGB", (30, 30)).save(tmp_path / "photo.png")
    assert load_image(tmp_path / "photo.png").size == (30, 30)


def test_array_over_the_limit_is_refused():
    array = np.broadcast_to(np.uint8(0), (10000, 10001))  # takes no memory
    with pytest.raises(ImageError, match=r"^Array is 10001x10000 px \(100.01 megapixels\); the limit is 100"):
        load_image(array)


def test_limits_are_those_documented():
    assert (MIN_SIDE, MAX_INPUT_PIXELS) == (25, 100_000_000)


def test_reading_leaves_the_filters_of_warnings_alone(tmp_path):
    """They are all threads': a server that reads many pictures at once would lose its warnings, or mix them up."""
    clear, gif = Image.new("RGBA", (40, 30), (0, 0, 0, 9)), tmp_path / "moving.gif"
    clear.save(tmp_path / "clear.png")
    Image.new("L", (40, 30)).save(gif, save_all=True, append_images=[Image.new("L", (40, 30), 255)])
    before, wrong = list(warnings.filters), []

    def work(path, said):
        for _ in range(50):
            notes = read_image(path)[1]
            if len(notes) != 1 or said not in notes[0] or list(warnings.filters) != before:
                wrong.append(notes)

    asked = [(tmp_path / "clear.png", "clear.png is partly transparent"), (gif, "moving.gif has several frames")] * 2
    threads = [threading.Thread(target=work, args=one) for one in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# --- files that are not images --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty \\(0 bytes\\); save or download it again"),
        (b"these are words, not pixels", "is not an image that can be read; save it as PNG or JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "is not an image that can be read"),
        (png(30, 30, b"not deflate"), "is damaged \\(.*\\); save or download it again"),
        (png(30, 30, zlib.compress(bytes(100))), "is damaged"),
    ],
    ids=["empty", "text", "eps", "corrupt", "short"],
)
def test_file_that_is_no_image_is_refused(tmp_path, content, message):
    (tmp_path / "photo.png").write_bytes(content)
    with pytest.raises(ImageError, match=f"photo.png {message}"):
        load_image(tmp_path / "photo.png")


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "JPEG2000"])
def test_truncated_file_is_refused_whatever_is_left_of_it(rgb, tmp_path, format):
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    Image.fromarray(noise).save(buffer, format)
    whole = buffer.getvalue()
    path = tmp_path / "part"
    for share in (0.02, 0.1, 0.3, 0.5, 0.7):
        path.write_bytes(whole[: max(1, int(len(whole) * share))])
        with pytest.raises(ImageError) as caught:
            load_image(path)
        assert "\n" not in str(caught.value) and str(caught.value).startswith(str(path))


def test_random_damage_never_escapes_as_another_error(rgb, tmp_path):
    """Either an image comes back or an ImageError; nothing else, and no warning but ours."""
    random = np.random.default_rng(0)
    path = tmp_path / "damaged"
    refused = 0
    for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"):
        buffer = io.BytesIO()
        rgb.save(buffer, kind)
        for _ in range(40):
            data = bytearray(buffer.getvalue())
            for position in random.integers(0, len(data), 8):
                data[position] = random.integers(256)
            path.write_bytes(data)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ImageWarning)
                try:
                    assert load_image(path).mode == "RGB"
                except ImageError:
                    refused += 1
    assert refused > 20


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(ImageError, match="nowhere.png does not exist; check the path.$"):
        load_image(tmp_path / "nowhere.png")


@pytest.mark.parametrize("path", ["a\0b.png", "x" * 5000])
def test_impossible_path_is_refused(path):
    with pytest.raises(ImageError, match="does not exist|cannot be read"):
        load_image(path)


def test_directory_is_refused(tmp_path):
    with pytest.raises(ImageError, match="is a directory; give the path of one image file.$"):
        load_image(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are a Unix matter")
def test_pipe_is_refused_without_waiting_for_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ImageError, match="is not a regular file"):
        load_image(tmp_path / "pipe")


def test_surprise_of_a_decoder_is_an_image_error(rgb, tmp_path, monkeypatch):
    """As the AVIF decoder raises RuntimeError on some damaged headers."""
    rgb.save(tmp_path / "photo.png")

    def surprise(*args, **kwargs):
        raise RuntimeError("Failed to decode:\nmissing item")

    monkeypatch.setattr(Image, "open", surprise)
    with pytest.raises(ImageError, match=r"photo.png is damaged \(Failed to decode: missing item\); save or"):
        load_image(tmp_path / "photo.png")


def test_unreadable_file_is_refused(rgb, tmp_path, monkeypatch):
    rgb.save(tmp_path / "photo.png")

    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", refuse)
    with pytest.raises(ImageError, match=r"photo.png cannot be read \(Permission denied\); check the file.$"):
        load_image(tmp_path / "photo.png")


@pytest.mark.parametrize("source", [None, 3, b"photo.png", [[1, 2], [3, 4]], torch.zeros(1, 3, 30, 30)])
def test_wrong_type_is_refused(source):
    with pytest.raises(ImageError, match=f"^Image is a {type(source).__name__}; give a path, a PIL image or a NumPy"):
        load_image(source)


def test_messages_call_the_image_by_the_name_given():
    with pytest.raises(ImageError, match="^The mask is 2x3 px"):
        load_image(Image.new("L", (2, 3)), name="The\nmask")


def test_image_error_is_a_singan_error():
    assert issubclass(ImageError, SinGANError)


def test_source_is_left_unchanged(rgb):
    image = rgb.copy()
    image.getexif()[ExifTags.Base.Orientation] = 6
    load_image(image).paste("red", (0, 0, 30, 30))
    assert image.size == (30, 40) and np.array_equal(np.asarray(image), np.asarray(rgb))


# --- tensors --------------------------------------------------------------------------------------


def test_every_8_bit_level_survives_the_round_trip():
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(2, axis=0).repeat(2, axis=1)
    image = Image.fromarray(np.stack([levels, levels[::-1], levels.T], axis=2))
    x = image_to_tensor(image)
    assert x.shape == (1, 3, 32, 32) and x.dtype == torch.float32
    assert (x.min(), x.max()) == (-1, 1)
    assert np.array_equal(np.asarray(tensor_to_image(x)), np.asarray(image))
    assert np.array_equal(np.asarray(tensor_to_image(x[0])), np.asarray(image))


def test_tensor_rows_are_image_rows(rgb):
    assert image_to_tensor(rgb).shape == (1, 3, 40, 30)
    assert torch.equal(image_to_tensor(rgb)[0, 1, 0], torch.arange(30) * 8 / 127.5 - 1)


def test_values_beyond_the_range_are_cut_and_the_rest_rounded():
    x = torch.tensor([-9.0, -1.0, 0.0, 1.0, 9.0, 0.499 / 127.5]).expand(3, 1, 6)
    assert np.asarray(tensor_to_image(x))[0, :, 0].tolist() == [0, 0, 128, 255, 255, 128]


def test_tensor_to_image_accepts_half_precision_and_gradients():
    x = torch.ones(1, 3, 2, 2, dtype=torch.bfloat16, requires_grad=True)
    assert tensor_to_image(x).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("shape", [(2, 3, 4, 4), (1, 4, 4), (4, 4), (3,), (1, 1, 3, 4, 4), ()])
def test_tensor_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="tensor has shape .*; an image is"):
        tensor_to_image(torch.zeros(shape))


def test_path_like_objects_are_accepted(rgb, tmp_path):
    rgb.save(tmp_path / "photo.png")

    class Elsewhere:
        def __fspath__(self) -> str:
            return str(Path(tmp_path / "photo.png"))

    assert load_image(Elsewhere()).size == (30, 40)


@pytest.mark.parametrize(("kind", "side"), [("webp", 16384), ("jpg", 65501)])
def test_image_that_is_too_long_for_a_format_says_so(tmp_path, kind, side):
    with pytest.raises(ConfigError, match=rf"The image is {side}x1 px; .* ends at {side - 1} px a side: write another"):
        save_image(Image.new("RGB", (side, 1)), tmp_path / f"a.{kind}", {})
    assert list(tmp_path.iterdir()) == []
    save_image(Image.new("RGB", (side - 1, 1)), tmp_path / f"a.{kind}", {})
    save_image(Image.new("RGB", (side, 1)), tmp_path / "a.png", {})


def swapped_profile(description: bytes = b"Test") -> bytes:
    """That of sRGB with red and blue exchanged, and another description."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for k in range(struct.unpack(">I", profile[128:132])[0]):
        at = 132 + 12 * k
        name = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(bytes(profile[at : at + 4]))
        if name:
            profile[at : at + 4] = name
    return bytes(profile).replace("sRGB".encode("utf-16-be"), description.decode().encode("utf-16-be"))


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colours_of_another_device_are_brought_to_srgb(tmp_path, mode):
    image = Image.new(mode, (30, 30), (200, 30, 40))
    if mode == "RGBA":
        image.putpixel((0, 0), (0, 0, 0, 0))
    image.save(tmp_path / "p3.png", icc_profile=swapped_profile())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        read = load_image(tmp_path / "p3.png")
    red, green, blue = read.getpixel((9, 9))
    assert abs(red - 40) < 8 and abs(green - 30) < 8 and abs(blue - 200) < 8
    assert "icc_profile" not in read.info and read.getpixel((0, 0)) != (0, 0, 0)


def test_transparent_colour_is_that_of_the_file_not_that_of_its_profile(tmp_path, rgb):
    image = Image.fromarray(np.full((30, 30, 3), (200, 30, 90), np.uint8))
    image.save(tmp_path / "key.png", icc_profile=swapped_profile(), transparency=(200, 30, 90))
    with pytest.warns(ImageWarning, match="transparent"):
        assert load_image(tmp_path / "key.png").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("profile", [swapped_profile(b"sRGB"), b"no profile", swapped_profile()[:200], bytes(200_000)])
def test_profile_of_srgb_or_none_changes_nothing(tmp_path, rgb, profile):
    rgb.save(tmp_path / "a.png", icc_profile=profile)
    assert load_image(tmp_path / "a.png").tobytes() == rgb.tobytes()
