"""Draw the pictures under examples/ from those that the shipped models learned.

    python tools/make_examples.py

Each is called after its model; NAME.mask.png is its mask. Coordinates are pixels of the photographs, 1024 px wide.
"""

from pathlib import Path

import numpy as np
from make_pictures import heart, word
from PIL import Image, ImageChops, ImageDraw, ImageFilter

import singan

ROOT = Path(__file__).parent.parent
FINE = 2  # drawn so many times as large, then shrunk, for smooth edges
MARGIN = 24  # pixels between what was cut out and the edge of its mask, about which an edit redraws 20 either way

Points = list[tuple[float, float]]
Color = tuple[int, ...]


def region(size: tuple[int, int], *outlines: Points, soft: float = 1) -> Image.Image:
    """White within the outlines, with an edge that is so many pixels soft."""
    large = Image.new("L", (size[0] * FINE, size[1] * FINE))
    for points in outlines:
        ImageDraw.Draw(large).polygon([(x * FINE, y * FINE) for x, y in points], fill=255)
    return large.resize(size, Image.Resampling.LANCZOS).filter(ImageFilter.GaussianBlur(soft))


def around(mask: Image.Image, margin: int = MARGIN) -> Image.Image:
    """The mask, widened."""
    wide = mask.filter(ImageFilter.MaxFilter(2 * margin + 1)).filter(ImageFilter.GaussianBlur(3))
    return wide.point(lambda a: 255 * (a >= 128))


def laid(picture: Image.Image, other: Image.Image, there: Image.Image, right: int, down: int) -> Image.Image:
    """`picture` with `other`, moved by some pixels, over it where the mask `there` is white."""
    moved = Image.new("RGB", picture.size)
    moved.paste(other, (right, down))
    return Image.composite(moved, picture, there)


def second_tower(city: Image.Image) -> tuple[Image.Image, Image.Image]:
    """A tower and its reflection copied to the left, where the sky is as dark."""
    right = -186
    outline = [
        (206, 320),
        (206, 235),
        (209, 163),
        (250, 168),
        (252, 185),
        (258, 183),
        (263, 205),
        (270, 226),
        (270, 320),
    ]
    tower = region(city.size, [(x + right, y) for x, y in outline])
    mirrored = region(city.size, [(30, 345), (76, 345), (72, 540), (36, 540)], soft=9)
    edited = laid(city, city, ImageChops.lighter(tower, mirrored), right, 0)
    return edited, region(city.size, [(-9, 138), (96, 138), (96, 562), (-9, 562)])


def second_bowl(spices: Image.Image) -> tuple[Image.Image, Image.Image]:
    """The bowl of orange threads, a little larger, in the place of the black one, behind its neighbours."""
    factor, right, down = 1.07, -494, -103
    large = spices.resize((round(spices.width * factor), round(spices.height * factor)), Image.Resampling.LANCZOS)
    outline = [
        (658, 345), (663, 320), (680, 307), (697, 299), (722, 289), (747, 281), (764, 272), (785, 268), (800, 264),
        (820, 261), (831, 266), (836, 278), (846, 298), (857, 320), (867, 350), (874, 378), (880, 400), (882, 425),
        (880, 437), (868, 446), (850, 458), (825, 470), (800, 470), (770, 463), (740, 458), (715, 454), (690, 449),
        (670, 430), (660, 405), (656, 380),
    ]  # fmt: skip
    bowl = region(spices.size, [(x * factor + right, y * factor + down) for x, y in outline])
    before = region(
        spices.size,
        [(0, 420), (0, 300), (190, 315), (205, 325), (222, 338), (228, 350), (243, 362), (252, 378), (262, 388),
         (270, 397), (283, 412), (290, 425)],
        [(400, 352), (402, 340), (420, 328), (440, 318), (460, 310), (480, 310), (480, 425), (386, 425), (396, 372)],
    )  # fmt: skip
    bowl = ImageChops.subtract(bowl, before)
    return laid(spices, large, bowl, right, down), around(bowl)


def second_cloud(lake: Image.Image) -> tuple[Image.Image, Image.Image]:
    right, down = -600, -45
    outline = [(690, 135), (760, 90), (880, 55), (945, 65), (920, 120), (840, 160), (740, 165)]
    cloud = region(lake.size, [(x + right, y + down) for x, y in outline], soft=14)
    return laid(lake, lake, cloud, right, down), cloud.point(lambda a: 255 * (a > 20))


def painted_over(photo: Image.Image, *outline: tuple[float, float]) -> tuple[Image.Image, Image.Image]:
    """The photo, small, with what shall go painted over, and the mask of that."""
    mask = region(photo.size, list(outline)).point(lambda a: 255 * (a >= 128))
    seen = Image.composite(Image.blend(photo, Image.new("RGB", photo.size, "#f97316"), 0.6), photo, mask)
    return seen.resize((photo.width // 2, photo.height // 2), Image.Resampling.LANCZOS), mask


def mountains(lake: Image.Image) -> Image.Image:
    """The mountains cut out, RGBA: all below their ridge."""
    ridge = [
        (0, 100), (10, 100), (20, 106), (45, 125), (60, 145), (100, 150), (130, 185), (175, 203), (198, 203),
        (205, 189), (222, 175), (240, 169), (262, 163), (283, 156), (300, 148), (313, 141), (322, 140), (335, 144),
        (345, 149), (380, 150), (420, 180), (445, 203), (470, 208), (500, 195), (540, 200), (600, 220), (650, 224),
        (690, 212), (710, 214), (740, 235), (770, 272), (800, 310), (825, 335), (855, 358), (880, 375), (920, 392),
        (960, 402), (1000, 409), (1024, 414), (1024, 433), (0, 433),
    ]  # fmt: skip
    rgb = np.asarray(lake).astype(int)
    rock = (rgb[..., 2] - rgb[..., 0] <= 28) | (rgb[..., 2] <= 150)  # no sky, whose blue is pale
    traced = Image.fromarray(255 * rock.astype(np.uint8)).filter(ImageFilter.MedianFilter(5))
    alpha = np.asarray(ImageChops.multiply(region(lake.size, ridge, soft=0), traced))
    below = np.maximum.accumulate(alpha, axis=0)
    below[433:] = 0
    cut = lake.convert("RGBA")
    cut.putalpha(Image.fromarray(below))
    return cut.crop((0, 95, 1024, 433))


def mountains_in_mist(gardens: Image.Image, lake: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Snowy mountains above the gardens, paler towards their foot and the left."""
    far = mountains(lake)
    far = far.resize((round(0.8 * far.width), round(0.8 * far.height)), Image.Resampling.LANCZOS)
    alpha = Image.new("L", gardens.size)
    alpha.paste(far.getchannel("A"), (330, 20))
    down, right = np.mgrid[: gardens.height, : gardens.width]
    mist = 0.75 * ((245 - down) / 130).clip(0, 1) * ((right - 330) / 260).clip(0, 1)
    near = region(
        gardens.size,
        [(330, 158), (365, 171), (400, 181), (440, 199), (470, 210), (500, 215), (520, 210), (545, 203), (580, 202),
         (610, 210), (640, 220), (680, 230), (720, 246), (720, 330), (330, 330)],
        soft=3,
    )  # fmt: skip
    alpha = ImageChops.subtract(Image.fromarray((np.asarray(alpha) * mist).astype(np.uint8)), near)
    return laid(gardens, far.convert("RGB"), alpha, 330, 20), alpha.point(lambda a: 255 * (a > 6))


def bank(lake: Image.Image, gardens: Image.Image) -> tuple[Image.Image, Image.Image]:
    """The gardens' front slope, smaller, as the near bank of the lake."""
    factor, right, down = 0.55, 461, 202
    small = gardens.resize((round(factor * gardens.width), round(factor * gardens.height)), Image.Resampling.LANCZOS)
    outline = [
        (40, 700), (75, 668), (120, 630), (160, 590), (210, 560), (270, 532), (330, 511), (400, 494), (470, 478),
        (520, 468), (560, 466), (600, 478), (650, 496), (720, 500), (790, 502), (850, 512), (900, 514), (960, 520),
        (1034, 524), (1034, 700),
    ]  # fmt: skip
    slope = region(lake.size, [(x * factor + right, y * factor + down) for x, y in outline])
    return laid(lake, small, slope, right, down), slope.point(lambda a: 255 * (a >= 128))


def mean(picture: Image.Image, *box: int) -> Color:
    """The mean colour of a part of the picture."""
    return tuple(int(v) for v in np.asarray(picture.crop(box)).reshape(-1, 3).mean(0))  # type: ignore[arg-type]


def painting(size: tuple[int, int], sky: list[tuple[int, Color]], *drawn: tuple[Color, Points]) -> Image.Image:
    """Shapes of one colour each over a sky, whose colours are given from the top downwards."""
    at = [y for y, _ in sky]
    shades = np.stack([np.interp(np.arange(size[1]), at, [color[i] for _, color in sky]) for i in range(3)], -1)
    column = Image.fromarray(shades.round().astype(np.uint8)[:, None])
    large = column.resize((size[0] * FINE, size[1] * FINE))
    for color, points in drawn:
        ImageDraw.Draw(large).polygon([(x * FINE, y * FINE) for x, y in points], fill=color)
    return large.resize(size, Image.Resampling.LANCZOS)


def painted_lake(lake: Image.Image) -> Image.Image:
    summit, snow, rocks = (
        mean(lake, *box) for box in ((240, 165, 420, 205), (270, 210, 430, 232), (250, 245, 450, 310))
    )
    cliff, far, bare = (mean(lake, *box) for box in ((20, 170, 180, 270), (870, 300, 1000, 370), (480, 330, 600, 380)))
    woods, slope = mean(lake, 100, 370, 300, 425), mean(lake, 60, 310, 200, 345)
    green, water, shine = (
        mean(lake, *box) for box in ((60, 460, 250, 560), (560, 460, 680, 490), (880, 480, 1000, 560))
    )
    return painting(
        lake.size, [(0, mean(lake, 300, 0, 700, 20)), (220, mean(lake, 850, 230, 1000, 260))],
        (far, [(800, 300), (860, 285), (920, 300), (970, 305), (1024, 320), (1024, 430), (800, 430)]),
        (rocks, [(300, 432), (360, 290), (390, 225), (430, 190), (490, 150), (560, 110),
                 (640, 135), (700, 180), (760, 230), (820, 300), (880, 360), (960, 400), (1024, 412), (1024, 432)]),
        (summit, [(390, 225), (430, 190), (490, 150), (560, 110), (640, 135), (700, 180), (690, 195), (440, 205)]),
        (snow, [(400, 235), (430, 203), (690, 195), (715, 200), (690, 225), (600, 235), (480, 232)]),
        (cliff, [(0, 150), (40, 160), (90, 200), (160, 230), (240, 280), (330, 330), (330, 360), (0, 320)]),
        (bare, [(300, 345), (430, 345), (560, 350), (700, 355), (800, 365), (900, 395), (1024, 414), (1024, 432),
                (300, 432)]),
        (slope, [(0, 300), (120, 310), (260, 335), (400, 370), (560, 410), (700, 432), (0, 432)]),
        (woods, [(0, 345), (120, 350), (260, 370), (400, 395), (560, 420), (700, 434), (0, 434)]),
        (green, [(0, 434), (1024, 434), (1024, 576), (0, 576)]),
        (water, [(420, 434), (1024, 434), (1024, 576), (300, 576)]),
        (shine, [(850, 470), (1024, 465), (1024, 576), (830, 576)]),
    )  # fmt: skip


def painted_gardens(gardens: Image.Image) -> Image.Image:
    mist, shade = mean(gardens, 600, 50, 900, 150), mean(gardens, 60, 20, 250, 90)
    far, trees, woods = (
        mean(gardens, *box) for box in ((780, 230, 880, 265), (540, 215, 640, 255), (20, 130, 140, 200))
    )
    middle, lit = mean(gardens, 250, 260, 400, 300), mean(gardens, 620, 310, 850, 360)
    left, right, near = (
        mean(gardens, *box) for box in ((40, 380, 180, 470), (700, 420, 900, 470), (250, 560, 500, 640))
    )
    return painting(
        gardens.size, [(0, mean(gardens, 500, 0, 800, 30)), (200, mist)],
        (shade, [(0, 0), (260, 0), (150, 110), (0, 150)]),
        (far, [(420, 260), (560, 215), (700, 200), (860, 235), (1024, 270), (1024, 330), (420, 330)]),
        (woods, [(0, 120), (120, 150), (260, 210), (380, 262), (480, 300), (480, 340), (0, 340)]),
        (trees, [(300, 300), (440, 262), (560, 255), (680, 285), (760, 320), (760, 350), (300, 350)]),
        (middle, [(0, 300), (140, 262), (290, 258), (430, 300), (560, 350), (560, 420), (0, 420)]),
        (lit, [(380, 370), (560, 310), (720, 290), (880, 310), (1024, 350), (1024, 470), (380, 470)]),
        (left, [(0, 360), (120, 350), (300, 400), (460, 470), (560, 520), (560, 600), (0, 600)]),
        (right, [(360, 520), (560, 440), (760, 405), (1024, 400), (1024, 560), (360, 580)]),
        (near, [(0, 585), (170, 545), (330, 510), (470, 485), (640, 490), (860, 510), (1024, 540), (1024, 683),
                (0, 683)]),
    )  # fmt: skip


def painted_waves(waves: Image.Image) -> Image.Image:
    foam, navy, dark = (236, 232, 224), mean(waves, 640, 240, 860, 290), mean(waves, 700, 430, 800, 490)
    middle, light = mean(waves, 430, 280, 560, 330), mean(waves, 240, 350, 400, 380)
    return painting(
        waves.size,
        [(0, mean(waves, 200, 0, 800, 20)), (60, mean(waves, 200, 50, 600, 70)),
         (150, mean(waves, 200, 120, 500, 150))],
        (light, [(0, 160), (1024, 160), (1024, 576), (0, 576)]),
        (mean(waves, 300, 160, 500, 172), [(0, 158), (1024, 158), (1024, 180), (0, 178)]),
        (mean(waves, 60, 185, 300, 220), [(0, 180), (1024, 182), (1024, 260), (0, 250)]),
        (navy, [(0, 262), (120, 225), (260, 200), (420, 210), (560, 240), (760, 262), (1024, 258), (1024, 330),
                (760, 345), (500, 380), (200, 390), (0, 370)]),
        (foam, [(0, 240), (100, 205), (180, 150), (240, 110), (300, 120), (360, 160), (430, 195), (560, 225),
                (760, 245), (1024, 238), (1024, 262), (760, 270), (560, 250), (420, 222), (300, 212), (180, 228),
                (90, 255), (0, 275)]),
        (middle, [(0, 370), (200, 390), (500, 380), (760, 345), (1024, 330), (1024, 420), (700, 440), (300, 460),
                  (0, 440)]),
        (dark, [(380, 470), (560, 420), (760, 400), (1024, 430), (1024, 576), (500, 576)]),
        (foam, [(360, 470), (540, 408), (760, 388), (1024, 418), (1024, 440), (770, 410), (560, 430), (400, 486)]),
        (dark, [(0, 480), (200, 500), (380, 540), (450, 576), (0, 576)]),
        (foam, [(0, 462), (200, 482), (390, 530), (470, 576), (430, 576), (370, 548), (190, 504), (0, 486)]),
    )  # fmt: skip


def save(task: str, name: str, picture: Image.Image, mask: Image.Image | None = None) -> None:
    folder = ROOT / "examples" / task
    folder.mkdir(parents=True, exist_ok=True)
    # What is enlarged must not show how it was packed, and flat colours take less room so.
    lossless = max(picture.size) < 100 or task in ("paint", "second-picture/layout")
    picture.save(folder / f"{name}.webp", lossless=lossless, quality=95, method=6)
    if mask is not None:
        mask.convert("1", dither=Image.Dither.NONE).save(folder / f"{name}.mask.png", optimize=True)


def main() -> None:
    lake, city, spices, gardens, waves = (
        singan.SinGAN.from_pretrained(ROOT / "pretrained" / name).training_image
        for name in ("mountain-lake", "skyline", "spices", "tea-gardens", "waves")
    )

    save("harmonize", "tea-gardens", *mountains_in_mist(gardens, lake))
    save("harmonize", "mountain-lake", *bank(lake, gardens))

    save("edit", "mountain-lake", *second_cloud(lake))
    save("edit", "skyline", *second_tower(city))
    save("edit", "spices", *second_bowl(spices))

    cloud = (640, 150), (700, 95), (790, 60), (900, 40), (985, 45), (990, 105), (930, 150), (840, 185), (700, 190)
    save("fill", "mountain-lake", *painted_over(lake, *cloud))
    save("fill", "tea-gardens", *painted_over(gardens, (930, 285), (995, 285), (995, 345), (930, 345)))

    save("paint", "mountain-lake", painted_lake(lake))
    save("paint", "tea-gardens", painted_gardens(gardens))
    save("paint", "waves", painted_waves(waves))

    save("second-picture/layout", "spices", heart())
    save("second-picture/layout", "mountain-lake", word("SEA"))
    flowers = singan.load_image(ROOT / "examples" / "train" / "periwinkle.webp")
    save("second-picture/style", "waves", flowers.resize((768, 512), Image.Resampling.LANCZOS))

    grain = np.random.default_rng(0).normal(0, 25, (city.height, city.width, 3))
    save("denoise", "skyline", Image.fromarray((city + grain).clip(0, 255).astype(np.uint8)))

    save("super-resolution", "spices", spices.crop((164, 246, 557, 541)).resize((96, 72)))
    save("super-resolution", "skyline", city.crop((483, 66, 877, 360)).resize((96, 72)))


if __name__ == "__main__":
    main()
