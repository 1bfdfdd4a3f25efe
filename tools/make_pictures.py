"""Draw the pictures of the README, and of docs/sampling.md and several.md, from the shipped models.

python tools/make_pictures.py [NAME ...]
"""

import math
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

import singan

ROOT = Path(__file__).parent.parent
WIDTH, GAP = 800, 6  # of the photograph, and between pictures, in pixels
STRIP = ("spices", "skyline", "tea-gardens", "waves")


def shipped(name: str) -> singan.SinGAN:
    return singan.SinGAN.from_pretrained(ROOT / "pretrained" / name)


def shrunk(picture: Image.Image, width: int) -> Image.Image:
    return picture.resize((width, round(width * picture.height / picture.width)), Image.Resampling.LANCZOS)


def samples() -> Image.Image:
    """A photograph, and beside it six samples at half its size, three to a row."""
    model = shipped("spices")
    photo = shrunk(model.training_image, WIDTH)
    half = (WIDTH - GAP) // 2
    drawn = [shrunk(picture, half) for picture in model.sample(6, seed=0)]
    sheet = Image.new("RGB", (WIDTH + 3 * (half + GAP), photo.height), "white")
    sheet.paste(photo)
    for k, picture in enumerate(drawn):
        place = WIDTH + GAP + k % 3 * (half + GAP), k // 3 * (photo.height - picture.height)
        sheet.paste(picture, place)
    return sheet


def at_a_glance() -> Image.Image:
    """A photograph, four samples, one that is twice as wide, and mountains pasted in, before and after."""
    model = shipped("tea-gardens")
    rough = ROOT / "examples" / "harmonize" / "tea-gardens.webp"
    high = 290
    half = (high - GAP) // 2
    placed = [(model.training_image, (0, 0), high)]
    across = [0, *(round(side * model.image_size[1] / model.image_size[0]) + GAP for side in (high, half, half))]
    left = [sum(across[: k + 1]) for k in range(4)]
    for k, picture in enumerate(model.sample(4, variation=0.6, seed=0, flips=True)):
        placed.append((picture, (left[1 + k % 2], k // 2 * (half + GAP)), half))
    placed.append((singan.retarget(model, width=2, seed=0)[0], (left[3], 0), half))
    placed.append((singan.load_image(rough), (left[3], half + GAP), half))
    harmonized = singan.harmonize(model, rough, rough.with_suffix(".mask.png"))[0]
    placed.append((harmonized, (left[3] + across[2], half + GAP), half))
    sheet = Image.new("RGB", (left[3] + 2 * across[2] - GAP, high), "white")
    for picture, place, height in placed:
        sheet.paste(picture.resize((round(height * picture.width / picture.height), height)), place)
    return sheet


def strip() -> Image.Image:
    """Of each model a row: the photograph, two samples, and one that is twice as wide."""
    rows = []
    for name in STRIP:
        model = shipped(name)
        rows.append([model.training_image, *model.sample(2, seed=1), *singan.retarget(model, width=2, seed=1)])
    return in_rows(rows, 180)


def sizes() -> Image.Image:
    """Of each model a row: the photograph, a portrait, one that is half as high again, and one of half the width."""
    rows = []
    for name in ("mountain-lake", "skyline", "waves"):
        model = shipped(name)
        height, width = model.image_size
        drawn = [model.sample(1, size=size, seed=5)[0] for size in ((width, height), (3 * height // 2, width))]
        rows.append([model.training_image, *drawn, *singan.retarget(model, width=0.5, seed=5)])
    return in_rows(rows, 220)


def flips() -> Image.Image:
    """Of each model a row: the photograph, and three samples with mirrored parts."""
    rows = []
    for name in ("tea-gardens", "spices"):
        model = shipped(name)
        rows.append([model.training_image, *model.sample(3, variation=0.6, flips=True)])
    return in_rows(rows, 200)


def tasks() -> Image.Image:
    """What goes in, above what comes out: a copied tower, mountains pasted in, a hole, a border, a sketch."""
    city, gardens, lake, waves = (shipped(name) for name in ("skyline", "tea-gardens", "mountain-lake", "waves"))
    examples = ROOT / "examples"
    tower, mountains = examples / "edit" / "skyline.webp", examples / "harmonize" / "tea-gardens.webp"
    hole = Image.new("L", lake.image_size[::-1])
    ImageDraw.Draw(hole).ellipse((620, 195, 830, 340), fill=255)
    empty = Image.composite(Image.new("RGB", hole.size, "white"), lake.training_image, hole)
    sketch = singan.load_image(examples / "paint" / "waves.webp")
    before = [singan.load_image(tower), singan.load_image(mountains), empty, gardens.training_image, sketch]
    after = [
        singan.edit(city, tower, tower.with_suffix(".mask.png"))[0],
        singan.harmonize(gardens, mountains, mountains.with_suffix(".mask.png"))[0],
        singan.fill(lake, hole, seed=1)[0],
        singan.extend(gardens, left=0.25, right=0.25)[0],
        singan.paint_to_image(waves, sketch)[0],
    ]
    height = 190
    rows = [[picture.resize((round(height * picture.width / picture.height), height)) for picture in row]
            for row in (before, after)]  # fmt: skip
    widths = [max(column) for column in zip(*[[picture.width for picture in row] for row in rows], strict=True)]
    sheet = Image.new("RGB", (sum(widths) + GAP * (len(widths) - 1), 2 * height + GAP), "white")
    for y, row in enumerate(rows):
        x = 0
        for picture, width in zip(row, widths, strict=True):
            sheet.paste(picture, (x + (width - picture.width) // 2, y * (height + GAP)))
            x += width + GAP
    return sheet


def several() -> Image.Image:
    """Three photographs; samples of a draft of two of them, half of each; of two, .8 and .2, and of all three."""
    lake, waves, gardens = (shipped(name).training_image for name in ("mountain-lake", "waves", "tea-gardens"))
    mixed = [
        *singan.draft([lake, waves]).sample(3),
        *singan.draft([gardens, lake], shares=(0.8, 0.2)).sample(1),
        *singan.draft([lake, waves, gardens]).sample(2, seed=1),
    ]
    width, height = 384, 216
    sheet = Image.new("RGB", (3 * (width + GAP) - GAP, 3 * (height + GAP) - GAP), "white")
    for k, picture in enumerate([lake, waves, gardens, *mixed]):
        small = picture.resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(small, (k % 3 * (width + GAP), k // 3 * (height + GAP)))
    return sheet


def heart() -> Image.Image:
    """900x600 px: a dark heart on white."""
    image, outline = Image.new("RGB", (900, 600), "white"), []
    for k in range(200):
        t = 2 * math.pi * k / 200
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        outline.append((450 + 255 * math.sin(t) ** 3, 280 - 15 * y))
    ImageDraw.Draw(image).polygon(outline, fill="#900")
    return image


def word(text: str) -> Image.Image:
    """900x600 px: black on white."""
    image = Image.new("RGB", (900, 600), "white")
    ImageDraw.Draw(image).text((450, 300), text, "black", ImageFont.load_default(380), anchor="mm")
    return image


def second_picture() -> Image.Image:
    """Three analogies and three styles, in two columns: the one picture, the other, and what comes of both."""
    known = {name: shipped(name)
             for name in ("waves", "spices", "mountain-lake", "skyline")}  # fmt: skip
    photo = {name: model.training_image for name, model in known.items()}
    flowers = singan.load_image(ROOT / "examples" / "train" / "periwinkle.webp")
    left = [
        (photo["mountain-lake"], word("SEA"), singan.analogy(known["mountain-lake"], word("SEA"))[0]),
        (photo["spices"], photo["waves"], singan.analogy(known["spices"], photo["waves"])[0]),
        (flowers, photo["waves"], singan.analogy(flowers, photo["waves"])[0]),
    ]
    right = [
        (photo["waves"], content, singan.stylize(content, known["waves"])[0])
        for content in (photo["mountain-lake"], photo["skyline"], flowers)
    ]
    rows = [[*a, *b] for a, b in zip(left, right, strict=True)]
    height = 150
    width = [max(round(height * row[k].width / row[k].height) for row in rows) + GAP for k in range(6)]
    sheet = Image.new("RGB", (sum(width) + 3 * GAP, len(rows) * (height + GAP) - GAP), "white")
    for y, row in enumerate(rows):
        for k, picture in enumerate(row):
            small = picture.resize((round(height * picture.width / picture.height), height), Image.Resampling.LANCZOS)
            sheet.paste(small, (sum(width[:k]) + (k > 2) * 3 * GAP, y * (height + GAP)))
    return sheet


def in_a_row(pictures: list[Image.Image], height: int = 240) -> Image.Image:
    """Pictures side by side, of one height."""
    return in_rows([pictures], height)


def in_rows(rows: list[list[Image.Image]], height: int) -> Image.Image:
    """Pictures of one height, side by side, row below row."""
    sized = [[one.resize((round(height * one.width / one.height), height)) for one in row] for row in rows]
    across = max(sum(one.width + GAP for one in row) - GAP for row in sized)
    sheet = Image.new("RGB", (across, len(rows) * (height + GAP) - GAP), "white")
    for y, row in enumerate(sized):
        x = 0
        for one in row:
            sheet.paste(one, (x, y * (height + GAP)))
            x += one.width + GAP
    return sheet


def tiles() -> Image.Image:
    """Two tiles three by three, one that goes on sideways alone, three times, and one that does below, twice."""
    both = [shipped(name).sample(1, size=(512, 512), tile="both", seed=2)[0] for name in ("waves", "spices")]
    wide = shipped("skyline").sample(1, tile="x", seed=1)[0]
    many = [Image.fromarray(np.tile(np.asarray(one), (3, 3, 1))) for one in both]
    high = shipped("tea-gardens").sample(1, tile="y")[0]
    many += [Image.fromarray(np.tile(np.asarray(one), times)) for one, times in ((wide, (1, 3, 1)), (high, (2, 1, 1)))]
    return in_a_row(many)


def companions() -> Image.Image:
    """A photograph with its map of normals, here from its brightness alone; a sample and the map that goes with it; and
    where its pixels are from: the farther down, the redder, the farther right, the greener."""
    model = shipped("spices")
    photo = model.training_image
    down, across = np.gradient(np.asarray(photo.convert("L"), float) / 64)
    normal = np.stack([-across, -down, np.ones_like(down)], 2)
    normal = np.rint(127.5 * (1 + normal / np.linalg.norm(normal, axis=2, keepdims=True))).astype(np.uint8)
    image, source = model.sample(1, seed=3, variation=0.8, source=True)[0]
    share = 255 * source / np.array(model.photo_size)
    places = np.concatenate([share, np.full((*share.shape[:2], 1), 96)], 2).astype(np.uint8)
    moved = singan.rearrange(normal, source)
    return in_a_row([photo, Image.fromarray(normal), image, Image.fromarray(moved), Image.fromarray(places)], 180)


def pins() -> Image.Image:
    """A photograph with what is pinned, a sample with it where it is, and one with it elsewhere; twice."""
    row = []
    for name, box, place in (
        ("skyline", (690, 110, 850, 345), (0.4, 0.32)),
        ("waves", (640, 90, 960, 300), (0.4, 0.3)),
    ):
        model = shipped(name)
        mask, shown = Image.new("L", model.image_size[::-1]), model.training_image
        ImageDraw.Draw(mask).ellipse(box, fill=255)
        ImageDraw.Draw(shown).ellipse(box, outline="red", width=6)
        there = {"pin": mask, "variation": 0.4, "seed": 1}  # with more the skyline's sky has steps, as it has to leap
        row += [shown, *model.sample(1, **there), *model.sample(1, **there, pin_to=place)]
    return in_a_row(row, 150)


def mirrors() -> Image.Image:
    """Left and right, above and below, both, and kaleidoscopes."""
    row = [shipped(name).sample(1, mirror=mirror)[0] for name, mirror in (("mountain-lake", "x"), ("skyline", "y"))]
    row += shipped("waves").sample(1, mirror="both")
    row += [shipped(name).sample(1, mirror="kaleidoscope", size=(512, 512))[0] for name in ("spices", "skyline")]
    return in_a_row(row, 200)


PICTURES = {
    "at-a-glance": at_a_glance,
    "samples": samples,
    "strip": strip,
    "sizes": sizes,
    "flips": flips,
    "tasks": tasks,
    "tiles": tiles,
    "companions": companions,
    "pins": pins,
    "mirrors": mirrors,
    "second-picture": second_picture,
    "several": several,
}


def main() -> None:
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name]().save(ROOT / "docs" / "images" / f"{name}.webp", quality=85, method=6)


if __name__ == "__main__":
    main()
