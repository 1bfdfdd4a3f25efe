"""Companion maps: read, moved and written to the bit, and the command's options for samples."""

import json

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image

import singan
from singan.cli import main
from singan.errors import ConfigError, ImageError
from singan.tasks.companion import load_map, rearrange, save_map

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def model(tiny_picture) -> singan.SinGAN:
    return singan.draft(tiny_picture, singan.TrainConfig.preset("draft", min_size=16, candidates=2))


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    return model.save_pretrained(tmp_path_factory.mktemp("model"))


def numbers(dtype, *channels: int) -> np.ndarray:
    """A map of the tiny picture's size that uses every bit."""
    return np.frombuffer(RNG.bytes(54 * 70 * np.prod(channels, dtype=int) * np.dtype(dtype).itemsize), dtype).reshape(
        54, 70, *channels
    )


KINDS = [
    *((".png", np.uint8, channels) for channels in ((), (2,), (3,), (4,))),
    *((".png", np.uint16, channels) for channels in ((), (3,), (4,))),
    *((ending, np.uint16, channels) for ending in (".tif", ".tiff", ".npy") for channels in ((), (3,), (4,), (5,))),
    (".tif", np.uint8, (3,)),
    (".tif", np.int32, ()),
    (".npy", np.float64, (3,)),
]


@pytest.mark.parametrize(("ending", "dtype", "channels"), KINDS)
def test_identity_gives_every_map_back_bit_for_bit(model, tmp_path, ending, dtype, channels):
    companion, path = numbers(dtype, *channels), tmp_path / f"map{ending}"
    save_map(companion, path)
    read = load_map(path, model)
    assert read.dtype == companion.dtype and read.tobytes() == companion.tobytes()
    own = np.stack(np.mgrid[:54, :70], 2).astype(np.int32)
    moved = rearrange(read, own)
    save_map(moved, tmp_path / f"moved{ending}")
    assert load_map(tmp_path / f"moved{ending}", model).tobytes() == companion.tobytes()


def test_values_are_those_of_the_pixels_sources(model):
    companion = numbers(np.uint16, 3)
    source = model.sample(1, size=(60, 90), source=True)[0].source
    moved = rearrange(companion, source)
    for y, x in ((0, 0), (59, 89), (31, 17)):
        assert np.array_equal(moved[y, x], companion[tuple(source[y, x])])
    assert moved.shape == (60, 90, 3) and moved.dtype == np.uint16


def test_maps_that_other_programs_write_are_read(model, tmp_path):
    companion = numbers(np.uint16)
    Image.fromarray(companion).save(tmp_path / "a.png")
    Image.fromarray(companion).save(tmp_path / "a.tif")
    iio.imwrite(tmp_path / "b.tif", numbers(np.uint16, 3), plugin="TIFF")
    assert np.array_equal(load_map(tmp_path / "a.png", model), companion)
    assert np.array_equal(load_map(tmp_path / "a.tif", model), companion)
    assert load_map(tmp_path / "b.tif", model).dtype == np.uint16


def png16(rows: np.ndarray, kind: int, filtered: int) -> bytes:
    """A PNG of 16 bits a channel whose rows are differences: filtered 0: none, 1: from the left, 2: from above."""
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    pixels = rows.astype(">u2").reshape(54, 70, -1).view(np.uint8)
    if filtered:
        pixels = np.diff(
            pixels, axis=2 - filtered, prepend=np.zeros_like(pixels[:, :1] if filtered == 1 else pixels[:1])
        )
    data = b"".join(bytes([filtered]) + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", 70, 54, 16, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("filtered", [0, 1, 2])
@pytest.mark.parametrize(("channels", "kind"), [(3, 2), (4, 6)])
def test_png_of_sixteen_bits_a_channel_is_read_to_the_bit(model, tmp_path, channels, kind, filtered):
    companion = numbers(np.uint16, channels)
    (tmp_path / "a.png").write_bytes(png16(companion, kind, filtered))
    read = load_map(tmp_path / "a.png", model)
    assert read.dtype == np.uint16 and np.array_equal(read, companion)


def test_what_cannot_be_kept_to_the_bit_or_does_not_fit_is_a_clear_error(model, tmp_path):
    (tmp_path / "grey16.png").write_bytes(png16(numbers(np.uint16, 2), 4, 0))
    Image.new("P", (70, 54)).save(tmp_path / "palette.png")
    Image.new("L", (54, 70)).save(tmp_path / "turned.png")
    np.save(tmp_path / "deep.npy", np.zeros((54, 70, 65), np.uint8))
    np.save(tmp_path / "text.npy", np.full((54, 70), "a"))
    np.save(tmp_path / "object.npy", np.full((54, 70), None), allow_pickle=True)
    iio.imwrite(tmp_path / "small.tif", np.zeros((20, 30), np.uint16), plugin="TIFF")
    for name in ("damaged.png", "damaged.tif", "damaged.npy", "map.jpg"):
        (tmp_path / name).write_bytes(b"not a map")
    for name, message in {
        "grey16.png": "PNG of 16 bits, grey with transparency, which cannot be kept to the bit: save it as TIFF",
        "palette.png": "PNG of mode P",
        "turned.png": "is 54x70 px, and the model keeps its photograph at 70x54: scale the map to that, or make",
        "small.tif": "is 30x20 px, and the model keeps its photograph at 70x54",
        "deep.npy": "a map is (H, W), or (H, W, C) of up to 64 channels",
        "text.npy": "a map is of numbers",
        "object.npy": "cannot be read",
        "damaged.png": "cannot be read",
        "damaged.tif": "cannot be read",
        "damaged.npy": "cannot be read",
        "map.jpg": "is none of .png, .tif, .tiff, .npy",
        "gone.png": "does not exist",
    }.items():
        with pytest.raises(ImageError) as caught:
            load_map(tmp_path / name, model)
        assert f"The map {name}" in str(caught.value) and message in str(caught.value)
        assert "\n" not in str(caught.value)


def test_png_is_not_written_of_what_it_cannot_hold(tmp_path):
    for name, companion in (("a.png", numbers(np.uint16, 2)), ("a.png", numbers(np.float32)), ("a.jpg", numbers("u1"))):
        with pytest.raises(ConfigError, match="name it .npy or .tif"):
            save_map(companion, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_map_that_is_smaller_than_the_photograph_is_refused(model):
    source = model.sample(1, source=True)[0].source
    with pytest.raises(ConfigError, match="The map is 60x50 px, and the sample has pixels from"):
        rearrange(np.zeros((50, 60)), source)
    with pytest.raises(ConfigError, match="whole numbers"):
        rearrange(np.zeros((54, 70)), source.astype(float))


# --- the command ----------------------------------------------------------------------------------


def run(capsys, *args) -> tuple[int, str, str]:
    code = main([str(arg) for arg in args])
    return code, *capsys.readouterr()


def test_command_moves_maps_along_and_writes_sources(capsys, model, folder, tmp_path):
    normal, height = numbers(np.uint8, 3), numbers(np.uint16)
    for name, companion in (("normal.png", normal), ("height16.png", height)):
        save_map(companion, tmp_path / name)
    maps = [option for name in ("normal.png", "height16.png") for option in ("--companion", tmp_path / name)]
    code, out, err = run(capsys, "sample", folder, "--out", tmp_path / "s", "--n", 2, "--seed", 5, *maps, "--source")
    assert (code, err) == (0, "")
    expected = [
        tmp_path / "s" / f"sample-{seed}{ending}"
        for seed in (5, 6)
        for ending in (".png", "-normal.png", "-height16.png", "-source.npy")
    ]
    assert out.splitlines() == list(map(str, expected)) and sorted((tmp_path / "s").iterdir()) == sorted(expected)
    image, source = model.sample(1, seed=6, source=True)[0]
    with Image.open(expected[4]) as saved:
        assert saved.tobytes() == image.tobytes()
    assert np.array_equal(np.load(expected[7]), source)
    assert np.array_equal(np.array(Image.open(expected[5])), rearrange(normal, source))
    assert np.array_equal(np.array(Image.open(expected[6])), rearrange(height, source))
    code, out, _ = run(capsys, "sample", folder, "--out", tmp_path / "j", "--n", 1, "--source", "--json")
    assert json.loads(out)["companions"] == [[str(tmp_path / "j" / "sample-0-source.npy")]]


@pytest.mark.parametrize(
    ("options", "recorded"),
    [
        (["--tile", "both"], {"tile": "both"}),
        (["--mirror", "kaleidoscope", "--size", "40x40"], {"mirror": "kaleidoscope"}),
        (["--pin", "mask.png", "--pin-at", "50%,40%"], {"pin": "mask.png", "pin_to": "0.5,0.4"}),
    ],
)
def test_command_draws_what_python_draws_and_records_how(
    capsys, model, folder, tmp_path, monkeypatch, options, recorded
):
    monkeypatch.chdir(tmp_path)
    mask = np.zeros((54, 70), np.uint8)
    mask[10:20, 20:30] = 255
    Image.fromarray(mask).save("mask.png")
    code, out, _ = run(capsys, "sample", folder, "--out", "s", "--n", 1, "--seed", 3, "--json", *options)
    assert code == 0 and recorded.items() <= json.loads(out).items()
    asked = dict(recorded)
    if "pin_to" in asked:
        asked["pin_to"] = (0.5, 0.4)
    if "kaleidoscope" in options:
        asked["size"] = (40, 40)
    with Image.open("s/sample-3.png") as saved:
        assert recorded.items() <= saved.text.items()
        assert saved.tobytes() == model.sample(1, seed=3, **asked)[0].tobytes()


def test_command_refuses_before_it_draws(capsys, folder, tmp_path):
    save_map(numbers(np.uint8), tmp_path / "a.png")
    (tmp_path / "b").mkdir()
    save_map(numbers(np.uint8), tmp_path / "b" / "a.png")
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "sample-1-a.png").write_text("mine")
    for options, message in (
        (["--pin-at", "5"], "'5' is not a place: give how far down and across, as 50%,30%"),
        (["--pin-at", "50%,30%"], "give pin too"),
        (["--companion", tmp_path / "a.png"], "sample-1-a.png exists: choose another --out or --seed"),
        (["--companion", tmp_path / "a.png", "--companion", tmp_path / "b" / "a.png"], "the same name"),
        (["--companion", tmp_path / "gone.png"], "The map gone.png does not exist"),
        (["--source", "--generators-only"], "leave out generators_only"),
    ):
        code, _, err = run(capsys, "sample", folder, "--out", tmp_path / "s", "--n", 2, *options)
        assert code in (1, 2) and message in err
        assert [path.name for path in (tmp_path / "s").iterdir()] == ["sample-1-a.png"]
    assert (tmp_path / "s" / "sample-1-a.png").read_text() == "mine"
