"""Draw the pictures under examples/ from those that the shipped models learned.

    python tools/make_examples.py

Each is called after its model; NAME.mask.png is its mask.
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

import singan
from singan.ui import canvas

ROOT = Path(__file__).parent.parent
UNIT = 1024 / 250  # pixels of the photographs for one here: everything is drawn as if they were 250 px wide
FINE = 2  # drawn so many times as large, then shrunk, for smooth edges


def shapes(size: tuple[int, int], *drawn: tuple[str, list[tuple[float, float]], str]) -> Image.Image:
    """A transparent picture of `size` pixels with shapes, each (method of ImageDraw, points, colour)."""
    large = Image.new("RGBA", (size[0] * FINE, size[1] * FINE))
    draw = ImageDraw.Draw(large)
    for kind, points, color in drawn:
        getattr(draw, kind)([(x * UNIT * FINE, y * UNIT * FINE) for x, y in points], fill=color)
    return large.resize(size, Image.Resampling.LANCZOS)


def pixels(*units: float) -> list[int]:
    return [round(UNIT * unit) for unit in units]


def boat() -> Image.Image:
    return shapes(
        (round(40 * UNIT), round(44 * UNIT)),
        ("polygon", [(19, 2), (19, 33), (3, 33)], "#fdfdf6"),
        ("polygon", [(21, 6), (21, 33), (36, 33)], "#e4472d"),
        ("rectangle", [(19, 1), (21, 36)], "#3b2a1c"),
        ("polygon", [(2, 35), (38, 35), (32, 43), (8, 43)], "#6b3a1e"),
    )


def balloon() -> Image.Image:
    return shapes(
        (round(40 * UNIT), round(54 * UNIT)),
        ("ellipse", [(2, 1), (38, 38)], "#e8b23a"),
        ("ellipse", [(10, 1), (30, 38)], "#c9372c"),
        ("ellipse", [(16, 1), (24, 38)], "#f4e3c1"),
        ("polygon", [(6, 29), (34, 29), (23, 45), (17, 45)], "#c9372c"),
        ("rectangle", [(16, 46), (24, 52)], "#4a2f1b"),
    )


def painting(size: tuple[int, int], sky: str, *drawn: tuple[str, list[tuple[float, float]], str]) -> Image.Image:
    picture = Image.new("RGBA", size, sky)
    picture.alpha_composite(shapes(size, *drawn))
    return picture.convert("RGB")


def region(size: tuple[int, int], *points: tuple[float, float]) -> Image.Image:
    return shapes(size, ("polygon", list(points), "white")).getchannel("A").point(lambda a: 255 * (a >= 128))


def save(task: str, name: str, picture: Image.Image, mask: Image.Image | None = None) -> None:
    folder = ROOT / "examples" / task
    folder.mkdir(parents=True, exist_ok=True)
    small = max(picture.size) < 100  # what is enlarged must not show how it was packed
    picture.save(folder / f"{name}.webp", lossless=small, quality=95, method=6)
    if mask is not None:
        mask.convert("1").save(folder / f"{name}.mask.png", optimize=True)


def main() -> None:
    lake, city, spices = (
        singan.SinGAN.from_pretrained(ROOT / "pretrained" / name).training_image
        for name in ("mountain-lake", "skyline", "spices")
    )

    save("harmonize", "mountain-lake", *canvas.paste(lake, boat(), 62, 78, 30))
    save("harmonize", "skyline", *canvas.paste(city, balloon(), 30, 20, 34))

    tower = region(city.size, (161, 82), (161, 40), (166, 24), (175, 24), (177, 82))
    save("edit", "skyline", *canvas.change(city, tower, "copy", *pixels(60, 0)))
    peak = region(lake.size, (48, 52), (60, 36), (78, 30), (104, 56), (90, 66))
    save("edit", "mountain-lake", *canvas.change(lake, peak, "copy", *pixels(96, 12)))
    chilli = region(spices.size, (160, 100), (160, 72), (184, 60), (212, 66), (216, 96), (200, 117), (172, 115))
    save("edit", "spices", *canvas.change(spices, chilli, "copy", *pixels(-104, 22)))

    save("paint", "mountain-lake", painting(
        lake.size, "#7fb0e0",
        ("polygon", [(0, 70), (40, 26), (70, 60), (120, 18), (170, 66), (210, 36), (250, 62), (250, 90), (0, 90)],
         "#5b6068"),
        ("polygon", [(30, 38), (40, 26), (52, 40)], "#f2f4f7"),
        ("polygon", [(100, 35), (120, 18), (140, 37)], "#f2f4f7"),
        ("polygon", [(197, 46), (210, 36), (226, 48)], "#f2f4f7"),
        ("polygon", [(0, 76), (110, 96), (250, 88), (250, 106), (0, 106)], "#26301f"),
        ("rectangle", [(0, 106), (250, 141)], "#4c5a5e"),
    ))  # fmt: skip
    towers = [(20, 52), (44, 34), (88, 46), (112, 26), (150, 40), (190, 20), (216, 48)]
    save("paint", "skyline", painting(
        city.size, "#b98bb0",
        *[("rectangle", [(x, top), (x + 16, 82)], "#1d2440") for x, top in towers],
        *[("rectangle", [(x + 6, top + 4), (x + 10, 80)], "#e8c35a") for x, top in towers[1::2]],
        ("rectangle", [(0, 82), (250, 141)], "#1c4a74"),
        *[("rectangle", [(x, 86), (x + 12, 136)], "#b08a5a") for x, _ in towers[1::2]],
    ))  # fmt: skip
    heaps = [
        (45, 60, "#2a2624"),
        (115, 40, "#3a5596"),
        (190, 60, "#c8501e"),
        (70, 125, "#c58a8a"),
        (165, 125, "#c9b189"),
    ]
    save("paint", "spices", painting(
        spices.size, "#4a3323",
        *[("ellipse", [(x - 40, y - 34), (x + 40, y + 34)], color) for x, y, color in heaps],
    ))  # fmt: skip

    grain = np.random.default_rng(0).normal(0, 25, (city.height, city.width, 3))
    save("denoise", "skyline", Image.fromarray((city + grain).clip(0, 255).astype(np.uint8)))

    save("super-resolution", "spices", spices.crop(pixels(40, 60, 136, 132)).resize((96, 72)))
    save("super-resolution", "skyline", city.crop(pixels(118, 16, 214, 88)).resize((96, 72)))


if __name__ == "__main__":
    main()
