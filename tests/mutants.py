"""Files that mean harm: zip files, photographs and parts of canvases, from a seeded generator each."""

from __future__ import annotations

import io
import json
import random
import struct
import warnings
import zipfile
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
from fuzz_checkpoint import mutate, mutate_bytes
from PIL import Image

warnings.filterwarnings("ignore", "Duplicate name")  # which is meant
SIDES = [
    (60_000, 60_000), (65_535, 65_535), (16_383, 16_383), (30_000, 900), (2**31 - 1, 1), (1, 2**31 - 1),
    (2**31 - 1, 2**31 - 1), (100_000, 25), (25, 900_000), (5_001, 5_000), (5_000, 5_000), (4_096, 4_096),
    (0, 40), (0, 0),
]  # fmt: skip
STILLS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "PPM", "AVIF", "JPEG2000")
SUFFIXES = (".png", ".jpg", ".webp", ".gif", ".tif", ".bmp", ".svg", ".zip", ".html", "")
Files = list[tuple[str, bytes]]


# --- zip files


def packed(contents: Files, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in contents:
            archive.writestr(name, data)
    return file.getvalue()


def lying(data: bytes, rng: random.Random) -> bytes:
    """A zip file whose list says other sizes, offsets, methods or flags than there are."""
    out = bytearray(data)
    at = data.find(b"PK\1\2", rng.choice([0, data.rfind(b"PK\1\2")]))
    place, form = rng.choice(
        [(8, "<H"), (10, "<H"), (16, "<I"), (20, "<I"), (24, "<I"), (28, "<H"), (30, "<H"), (42, "<I")]
    )
    most = 2 ** (8 * struct.calcsize(form)) - 1
    struct.pack_into(form, out, at + place, rng.choice([0, 1, 9, 12, 14, 93, 1000, 20_000_000, most // 2, most]) & most)
    return bytes(out)


def many(data: bytes, times: int) -> bytes:
    """A zip file whose list names its first member so many times."""
    at, end = data.find(b"PK\1\2"), data.find(b"PK\5\6")
    size = 46 + sum(struct.unpack_from("<HHH", data, at + 28))
    listed = data[at : at + size] * times
    count = min(times, 65_535)
    tail = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(listed), at, 0)
    return data[:at] + listed + (tail if end >= 0 else b"")


def zips(model: Files, folder: Path, rng: random.Random) -> tuple[str, Files]:
    """A model's files, wrong in some way; mostly as a zip file. `folder` is written to."""
    config, weights = (data for _, data in model)
    kind = rng.choice(
        ["sound", "method", "bomb", "lying", "many", "deep", "cut", "flipped", "twice", "mutated", "loose", "nested",
         "header", "names", "no zip"]
    )  # fmt: skip
    data = packed(model)
    if kind == "method":
        big = [(name, bytes(rng.choice([100, 30_000_000]))) for name, _ in model]
        data = packed(rng.choice([model, big]), rng.choice([zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]))
    elif kind == "bomb":
        sizes = rng.choice([(10**6, 20 * 10**6), (10**6 + 1, 10), (10**6, 300 * 10**6)])
        data = packed([(name, bytes(size)) for (name, _), size in zip(model, sizes, strict=True)])
        data = lying(data, rng) if rng.random() < 0.5 else data
    elif kind == "lying":
        data = lying(data, rng)
    elif kind == "many":
        data = many(data, rng.choice([3, 16, 17, 1000, 70_000, 200_000]))
    elif kind == "deep":
        above = rng.choice(["a/" * 20_000, "../" * 9, "/", "C:\\", "a/" * 5, "\ud7ff/", "./"])
        data = packed([(above + name, one) for name, one in model])
    elif kind == "cut":
        data = data[: rng.randrange(len(data))]
    elif kind == "flipped":
        data = mutate_bytes(data, rng)
    elif kind == "twice":
        data = packed([*model, *model])
    elif kind in ("mutated", "loose"):
        mutate(folder, config, weights, rng)
        contents = [(name, (folder / name).read_bytes()) for name, _ in model]
        if kind == "loose":
            return kind, contents
        data = packed(contents)
    elif kind == "nested":
        deep = rng.choice([b"[" * 900_000, b'{"a":' * 150_000, b"9" * 900_000, b'"' + b"\\u0041" * 160_000 + b'"'])
        data = packed([(model[0][0], deep), model[1]])
    elif kind == "header":
        length = rng.choice([0, 10**6, 19 * 10**6, 2**40, 2**64 - 1])
        head = b'{"a":' * 300_000 if rng.random() < 0.5 else b" " * 19_000_000
        data = packed([model[0], (model[1][0], struct.pack("<Q", length) + head)])
    elif kind == "names":
        wrong = rng.choice(["CONFIG.JSON", "config.json/", "model.bin", "x" * 60_000, "con", "preview.png/config.json"])
        data = packed([*model, (wrong, b"x")])
    elif kind == "no zip":
        data = rng.choice([b"", b"PK\3\4", b"PK\5\6" + bytes(18), rng.randbytes(3000), b"PK\1\2" * 100_000])
    name = rng.choice(["model.zip", "model.ZIP", "<img src=x onerror=alert(1)>.zip", "a" * 200 + ".zip", "..zip"])
    return kind, [(name, data)]


# --- photographs


def pixels(rng: random.Random, size: tuple[int, int] = (70, 54)) -> Image.Image:
    """A small photograph."""
    noise = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (7, 9, 3), np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def resized(data: bytes, form: str, width: int, height: int) -> bytes:
    """An image file whose header says another size than its data has."""
    out = bytearray(data)

    def put(layout: str, at: int, *values: int) -> None:
        most = 2 ** (8 * struct.calcsize("<" + layout[-1])) - 1
        struct.pack_into(layout, out, at, *(min(value, most) for value in values))

    if form == "PNG":
        put(">II", 16, width, height)
        put(">I", 29, zlib.crc32(out[12:29]))
    elif form == "GIF":
        put("<HH", 6, width, height)
        put("<HH", out.index(b",", 13) + 5, width, height)
    elif form == "BMP":
        put("<II", 18, width, height)
    elif form == "JPEG":
        put(">HH", out.index(b"\xff\xc0") + 5, height, width)
    elif form == "TIFF":
        for tag, value in ((256, width), (257, height)):
            at = out.find(struct.pack("<HH", tag, 4))
            at = at if at >= 0 else out.index(struct.pack("<HH", tag, 3))
            out[at + 2 : at + 4] = b"\4\0"
            put("<I", at + 8, value)
    elif form == "PPM":
        return f"P6 {width} {height} 255\n".encode() + data[-100:]
    elif form == "AVIF":
        put(">II", out.index(b"ispe") + 8, width, height)
    elif form == "WEBP" and b"VP8X" in out:
        for at, value in ((24, width), (27, height)):
            out[at : at + 3] = (max(0, value - 1) & 0xFFFFFF).to_bytes(3, "little")
    elif form == "WEBP":
        put("<I", 21, ((width - 1) & 0x3FFF) | ((height - 1) & 0x3FFF) << 14)
    return bytes(out)


def blank(width: int, height: int, bits: int = 1, colour: int = 0) -> bytes:
    """A PNG of one colour: few bytes for many pixels."""
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    pack = zlib.compressobj(9)
    row = bytes((width * bits * channels + 7) // 8 + 1)
    rows = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*one) for one in ((b"IHDR", head), (b"IDAT", rows), (b"IEND", b"")))


def chunk(kind: bytes, data: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def photographs(rng: random.Random) -> tuple[str, Files]:
    """A photograph, wrong in some way or of a rare kind."""
    kind = rng.choice(
        ["sound", "header", "header", "cut", "flipped", "flipped", "long", "jpeg 2000", "animated", "suffix", "16 bits",
         "CMYK", "transparent", "text", "profile", "exif", "full", "tiny", "no image"]
    )  # fmt: skip
    form = rng.choice(STILLS[:-1])
    image = pixels(rng)
    data = saved(image, form)
    if kind == "header":
        if form == "WEBP":
            data = saved(
                image, form, lossless=True, **({"exif": b"Exif\0\0II*\0\10\0\0\0\0\0"} if rng.random() < 0.5 else {})
            )
        data = resized(data, form, *rng.choice(SIDES))
    elif kind == "cut":
        data = data[: rng.randrange(len(data))]
    elif kind == "flipped":
        data = mutate_bytes(data, rng)
    elif kind == "long":
        side = rng.choice([100, 3_000, 60_000, 1_000_000])
        size = (25, side) if rng.random() < 0.5 else (side, 25)
        data = blank(*size, *rng.choice([(1, 0), (8, 2), (8, 6)]))
    elif kind == "jpeg 2000":
        form, data = "JPEG2000", saved(image.resize(rng.choice([(70, 54), (2_000, 1_500)])), "JPEG2000")
    elif kind == "animated":
        form = rng.choice(["GIF", "WEBP", "PNG", "TIFF"])
        frames = [pixels(rng) for _ in range(rng.choice([2, 40]))]
        data = saved(frames[0], form, save_all=True, append_images=frames[1:])
    elif kind == "16 bits":
        form = rng.choice(["PNG", "TIFF"])
        data = saved(Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * rng.choice([1, 257])), form)
    elif kind == "CMYK":
        form = rng.choice(["JPEG", "TIFF"])
        data = saved(image.convert("CMYK"), form)
    elif kind == "transparent":
        mode = rng.choice(["RGBA", "LA", "P"])
        form, data = (
            "PNG",
            saved(image.convert(mode), "PNG", **({"transparency": bytes(range(0, 256, 2))} if mode == "P" else {})),
        )
    elif kind == "text":
        note = chunk(rng.choice([b"zTXt", b"iTXt"]), b"a\0\0" + zlib.compress(bytes(30_000_000)))
        data, form = saved(image, "PNG"), "PNG"
        data = data[:33] + note * rng.choice([1, 40]) + data[33:]
    elif kind == "profile":
        data, form = saved(image, "PNG"), "PNG"
        data = data[:33] + chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(60_000_000))) + data[33:]
    elif kind == "exif":
        form = rng.choice(["JPEG", "PNG", "WEBP"])
        data = saved(
            image,
            form,
            exif=b"Exif\0\0II*\0" + mutate_bytes(b"\10\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0" + bytes(9), rng),
        )
    elif kind == "full":  # as large as the app takes
        data, form = blank(5_000, 5_000, *rng.choice([(1, 0), (8, 2), (8, 6), (16, 6), (16, 0), (8, 4)])), "PNG"
    elif kind == "tiny":
        data = saved(image.resize(rng.choice([(1, 1), (24, 24), (25, 25), (25, 24), (26, 400)])), form)
    elif kind == "no image":
        data = rng.choice([b"", b"\x89PNG\r\n\x1a\n", b"<svg xmlns='x' width='99999'/>", b"%!PS", rng.randbytes(4000)])
    suffix = (
        rng.choice(SUFFIXES) if kind == "suffix" else {"JPEG": ".jpg", "TIFF": ".tif"}.get(form, f".{form.lower()}")
    )
    name = rng.choice(["photo", "photo", "<img src=x onerror=alert(1)>", "x" * 180, "..", "\u202ephoto", "a b", "con"])
    return kind, [(name + suffix, data)]


# --- canvases

WRONG = [
    None,
    0,
    -1,
    1e300,
    True,
    "",
    "x",
    "../../etc/passwd",
    [],
    [[]],
    {},
    {"path": 5},
    {"path": "/etc/passwd"},
    [None] * 9,
]


async def canvases(upload: Callable[[Files], Awaitable[list[str]]], rng: random.Random) -> tuple[str, object]:
    """What a `gr.ImageEditor` sends, wrong in some way; `upload` puts files on the server and gives their paths."""

    async def sent(data: bytes, name: str = "part.png") -> dict[str, object]:
        path = (await upload([(name, data)]))[0]
        return {"path": path, "orig_name": name, "size": len(data), "meta": {"_type": "gradio.FileData"}}

    def part(mode: str = "RGBA") -> bytes:
        image = Image.new("RGBA", (70, 54))
        image.paste((255, 255, 255, 255), (10, 10, 30, 30))
        return saved(image if mode == "RGBA" else pixels(rng), "PNG")

    kind = rng.choice(
        ["sound", "header", "header", "full", "layers", "types", "keys", "paths", "photograph", "meta", "id"]
    )
    value: dict[str, object] = {
        "background": await sent(part("RGB")), "layers": [await sent(part())], "composite": None, "id": None
    }  # fmt: skip
    key = rng.choice(["background", "layers", "composite"])

    def put(one: object) -> None:
        value[key] = [one] if key == "layers" else one

    if kind == "header":
        form = rng.choice(["PNG", "WEBP", "JPEG", "GIF", "TIFF", "BMP"])
        data = saved(pixels(rng), form, **({"lossless": True} if form == "WEBP" else {}))
        put(await sent(resized(data, form, *rng.choice(SIDES)), f"part.{form.lower()}"))
    elif kind == "full":
        value["background"] = await sent(blank(2_236, 2_236, *rng.choice([(8, 6), (16, 6), (1, 0)])))
        value["layers"] = [value["background"]] * rng.choice([1, 4])
    elif kind == "layers":
        value["layers"] = (value["layers"] if rng.random() < 0.5 else [None]) * rng.choice([0, 4, 5, 3000])
    elif kind == "types":
        value[rng.choice([*value])] = rng.choice(WRONG)
    elif kind == "keys":
        for name in rng.sample([*value], rng.choice([1, 2, 4])):
            del value[name]
        value |= rng.choice([{}, {"x": 1}, {"background": value.get("background")}])
    elif kind == "paths":
        path = rng.choice(
            [
                "/etc/passwd",
                "x",
                "",
                "\0",
                "../app.py",
                "http://127.0.0.1:9/x.png",
                "data:image/png;base64,AA",
                "a" * 5000,
            ]
        )
        put({"path": path, "meta": {"_type": "gradio.FileData"}})
    elif kind == "photograph":
        _, ((name, data),) = photographs(rng)
        put(await sent(data, name))
    elif kind == "meta":
        one = await sent(part())
        one[rng.choice([*one])] = rng.choice(WRONG)
        put(one)
    elif kind == "id":
        value["id"] = rng.choice(["x", "", 5, "\ud7ff" * 1000])
    return kind, json.loads(json.dumps(value))
