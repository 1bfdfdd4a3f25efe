"""A second picture: how much of its layout is kept, and how near the matter or the style comes out.

    python benchmarks/second_picture.py --out DIR [--ours]

Of each pair the seconds, the first use of the photograph's patches included; the correlation of lightness at 32 px with
that of the layout or content, and the similarity of structure (SSIM) of its gradients at 64 px; and the sliced
Wasserstein distance of patches to the matter or style, beside that of the layout in the other's colours alone. With
`--ours`, of the shipped pictures alone. Contact sheets are put in DIR. Run nothing beside it if the seconds are to mean
anything.
"""

import argparse
import time
from pathlib import Path

import torch
from common import SHARED, contact_sheet, machine, need_shared, score_program
from PIL import Image
from skimage.metrics import structural_similarity

import singan
from singan.image import image_to_tensor, load_image, tensor_to_image
from singan.pyramid import resize
from singan.tasks.filling import draft_of
from singan.tasks.guided import transported

ROOT = Path(__file__).parent.parent
FLOWERS = "examples/train/periwinkle.webp"
OURS = {  # (of what, where or what is drawn)
    "analogy": [
        ("spices", "waves"), ("spices", "skyline"), ("spices", FLOWERS), ("tea-gardens", "skyline"),
        ("waves", FLOWERS), ("mountain-lake", "waves"), (FLOWERS, "waves"), ("skyline", "mountain-lake"),
    ],
    "style": [("waves", "skyline"), ("waves", "mountain-lake"), ("waves", "tea-gardens"), ("waves", FLOWERS)],
}  # fmt: skip
THEIRS = {
    "analogy": [
        ("images/trees3.png", "images/volacano.png"), ("images/cows.png", "images/balloons.png"),
        ("edit/stone.png", "images/mountains3.png"), ("images/trees3.png", "images/mountains3.png"),
    ],
    "style": [
        ("images/starry_night.png", "images/mountains3.png"), ("images/seascape.png", "images/balloons.png"),
        ("harmonize/scream.jpg", "images/colusseum.png"), ("harmonize/pencil_tree.jpg", "images/colusseum.png"),
        ("harmonize/oil_tree.jpg", "edit/tree.png"), ("images/starry_night.png", "images/cows.png"),
    ],
}  # fmt: skip


def picture(name):
    """A shipped model's, or that of a path here or in the folder of comparison pictures."""
    if "/" not in name:
        return singan.SinGAN.from_pretrained(name).training_image
    path = ROOT / name if name.startswith("examples") else SHARED / "data" / name
    return load_image(path)


def grey(image, longest):
    """Its lightness at so many pixels of the longer side: (H, W)."""
    x = image_to_tensor(image)
    factor = longest / max(x.shape[2:])
    return resize(x, tuple(round(factor * side) for side in x.shape[2:]))[0].mean(0)


def steepness(image):
    y, x = torch.gradient(grey(image, 64))
    return (y.square() + x.square()).sqrt().numpy()


def figures(result, real, layout, score):
    """(lightness kept, structure kept, distance of patches)."""
    kept = torch.corrcoef(torch.stack([grey(result, 32).flatten(), grey(layout, 32).flatten()]))[0, 1]
    edges = [steepness(image) for image in (result, layout)]
    span = max(edge.max() for edge in edges) or 1
    x, other = (image_to_tensor(image) for image in (result, real))
    return float(kept), structural_similarity(*edges, data_range=span), score.swd(x, other)


def sheet_sized(image):
    return image.resize((360, round(360 * image.height / image.width)), Image.Resampling.LANCZOS)


def measured(task, source, layout, score):
    """A row of the table, and the pictures."""
    shown, given = picture(source), picture(layout)
    start = time.perf_counter()
    model = draft_of(shown)
    (result,) = singan.analogy(model, given) if task == "analogy" else singan.stylize(given, model)
    took = time.perf_counter() - start
    given = given.resize(result.size, Image.Resampling.LANCZOS)
    small = sheet_sized(given)
    (recoloured,) = transported([image_to_tensor(small)], image_to_tensor(shown), lightness=1.0, height=0.0)
    ours, plain = (figures(image, shown, given, score) for image in (result, tensor_to_image(recoloured)))
    cells = " | ".join(f"{a:.3f} ({b:.3f})" for a, b in zip(ours, plain, strict=True))
    row = f"| {task} | {Path(source).stem} | {Path(layout).stem} | {result.info['scale']} | {took:.1f} | {cells} |"
    return row, [sheet_sized(image) for image in (shown, given, result)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--ours", action="store_true")
    options = parser.parse_args()
    need_shared()  # the scoring program is there too
    options.out.mkdir(parents=True, exist_ok=True)
    score = score_program()
    print(machine())
    print("\nIn brackets: the layout or content in the colours of the other, by the transport of colours.\n")
    print("| task | of | layout or content | scale | s | lightness kept | edges kept | swd |")
    print("|---|---|---|---|---|---|---|---|")
    for task in OURS:
        sheet = []
        for pair in OURS[task] + ([] if options.ours else THEIRS[task]):
            row, images = measured(task, *pair, score)
            print(row, flush=True)
            sheet.append(images)
        contact_sheet(sheet, options.out / f"{task}.png")


if __name__ == "__main__":
    main()
