"""What the tasks reach: super-resolution, harmonising, editing, filling, painting, animation, denoising.

    python benchmarks/tasks.py --out DIR [--tasks sr,masks,fill,paint,animation,denoise]

Models are trained with the preset `fast` where DIR does not hold them yet, and pictures of all results are put
there. Run nothing beside it if the seconds are to mean anything.
"""

import argparse
import math
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from common import SHARED, contact_sheet, machine, need_shared, score_program, seam
from PIL import Image, ImageDraw
from skimage.metrics import structural_similarity

import singan
from singan.image import image_to_tensor, load_image, tensor_to_image
from singan.metrics import NaturalScenes, niqe
from singan.pyramid import resize
from singan.tasks.blending import load_mask
from singan.tasks.filters import blur, grow

DATA = SHARED / "data"
EXAMPLES = Path(__file__).parent.parent / "examples"


def opened(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return load_image(path)


def trained(out, name, picture, config=None):
    """The model of that name in `out`, trained first if it is not there, and the seconds that took."""
    if not (out / "models" / name / "config.json").exists():
        singan.train(opened(picture), config).save_pretrained(out / "models" / name)
    model = singan.SinGAN.from_pretrained(out / "models" / name)
    return model, model.info["seconds"]


def rmse(image, truth):
    return float(np.sqrt(((np.asarray(image, float) - np.asarray(truth, float)) ** 2).mean()))


def psnr(image, truth):
    return 20 * math.log10(255 / rmse(image, truth))


def sifid_inside(image, real, mask, score):
    """sifid of the positions whose features touch the mask; all of them without one."""
    features, theirs = score.stem_features(image_to_tensor(image)), score.stem_features(real)
    if mask is not None:
        # The stem: three 3x3 convolutions, of stride 2, 1 and 1 and padding 0, 0 and 1, and a 3x3 pool of stride 2.
        rows, columns = ((((side - 3) // 2 + 1 - 2) - 3) // 2 + 1 for side in mask.shape[2:])
        features = features[F.adaptive_max_pool2d(mask, (rows, columns)).flatten().numpy() > 0]
    return score.frechet(features, theirs)


def super_resolution(out, score):
    scenes = NaturalScenes.load(SHARED / "eval" / "niqe_image_params.mat")
    print("| picture | | RMSE | PSNR | SSIM | NIQE | train | enlarge |\n|---|---|---|---|---|---|---|---|")
    rows, means = [], {}
    for path in sorted((DATA / "sr" / "lr_x4").glob("*.png")):
        small, truth = opened(path), opened(DATA / "sr" / "hr" / path.name)
        config = singan.super_resolution_config(4, small.size)
        model, seconds = trained(out, f"sr_{path.stem}", path, config)
        start = time.perf_counter()
        ours = singan.super_resolve(model, 4)
        took = time.perf_counter() - start
        bicubic = small.resize(truth.size, Image.Resampling.BICUBIC)
        sharp = singan.super_resolve(model, 4, detail=1.0)
        for name, image in (("bicubic", bicubic), ("fast", ours), ("fast, detail 1", sharp)):
            similar = structural_similarity(np.asarray(image), np.asarray(truth), channel_axis=2)
            figures = [rmse(image, truth), psnr(image, truth), similar, niqe(image_to_tensor(image), scenes)]
            means.setdefault(name, []).append(figures)
            times = f"{seconds:.0f} s | {took:.2f} s" if name == "fast" else " | "
            print(f"| {path.stem} | {name} | {' | '.join(f'{v:.2f}' for v in figures)} | {times} |", flush=True)
        rows.append([bicubic, ours, sharp, truth])
    for name, figures in means.items():
        print(f"| **mean** | {name} | {' | '.join(f'{v:.2f}' for v in np.mean(figures, 0))} | | |")
    contact_sheet(rows, out / "sr.png")


def kept(image, given, mask):
    """PSNR against what was given, at 250 px, 10 px and more inside the mask's edge; nan where nothing is."""
    size = [round(side * 250 / max(mask.shape[2:])) for side in mask.shape[2:]]
    a, b = (resize(image_to_tensor(i), size) for i in (image, given))
    inside = grow(F.adaptive_max_pool2d(mask, size), -10)[0, 0] > 0
    error = (a - b)[0][:, inside].mul(127.5).square().mean()
    return float(20 * math.log10(255) - 10 * torch.log10(error.clamp_min(1e-9)))


def grain(image, mask=None):
    """Mean absolute difference of grey from grey blurred by a pixel, everywhere or in the mask."""
    grey = image_to_tensor(image).mean(1, keepdim=True)
    fine = (grey - blur(grey, 250 / max(grey.shape[2:]))).abs()
    return float(fine.mean() if mask is None else fine[mask > 0].mean())


def colors_away(image, mask, real):
    """Mean distance of the colours in the mask to the nearest ones of `real`, of the range [-1, 1]."""
    palette = real[0].flatten(1).T[:: max(1, real[0, 0].numel() // 2048)]
    inside = image_to_tensor(image)[0][:, mask[0, 0] > 0].T
    return float(torch.cat([torch.cdist(part, palette).amin(1) for part in inside.split(4096)]).mean())


def grey_lost(image, given, mask, model):
    """`lost` (singan/tasks/injection.py) of grey values."""
    size = max((s for s in model.scale_sizes if s[0] * s[1] <= 5000), key=math.prod)
    inside = F.adaptive_max_pool2d(mask, size).flatten() > 0
    a, b = (resize(image_to_tensor(i), size).mean(1).flatten()[inside] for i in (image, given))
    return float(1 - torch.corrcoef(torch.stack([a, b]))[0, 1] ** 2)


def put_in(out):
    """(name, task, model, composite, path of the mask) of all edits and harmonisations, and the app's examples."""
    for name in ("oil_tree", "pencil_tree", "scream"):
        path = DATA / "harmonize" / name
        yield name, singan.harmonize, path.with_suffix(".jpg"), f"{path}_naive.jpg", f"{path}_naive_mask.jpg"
    path = DATA / "harmonize" / "starry_night_naive"
    yield "starry_night", singan.harmonize, DATA / "images" / "starry_night.png", f"{path}.png", f"{path}_mask.png"
    for name, number in (("stone", 1), ("stone", 3), ("tree", 1), ("tree", 2)):
        path = DATA / "edit" / f"{name}_edit_{number}"
        yield path.name, singan.edit, DATA / "edit" / f"{name}.png", f"{path}.png", f"{path}_mask.png"
    for task in (singan.harmonize, singan.edit):
        for path in sorted((EXAMPLES / task.__name__).glob("*.webp")):
            yield path.stem, task, None, path, path.with_suffix(".mask.png")


def masks(out, score):
    print(
        "| picture | task | s | scale | lost, of grey | grain over the picture's, before | colours away, before | ",
        end="",
    )
    print("PSNR inside | seam, before |\n|---|---|---|---|---|---|---|---|---|")
    for name, task, photo, composite, mask in put_in(out):
        model = singan.SinGAN.from_pretrained(name) if photo is None else trained(out, photo.stem, photo)[0]
        given = opened(composite).resize(model.image_size[::-1], Image.Resampling.BICUBIC)
        task(model, given, mask, scale=1)  # the photograph's patches are kept from the first use on
        start = time.perf_counter()
        best = task(model, given, mask)[0]
        took = time.perf_counter() - start
        white, real = load_mask(model, mask), model.real_at(-1)
        if task is singan.harmonize:
            whole = grain(model.training_image)
            figures = f"{best.info['lost']:.2f}, {grey_lost(best, given, white, model):.2f} | "
            figures += " | ".join(
                f"{measure(best):.{places}f}, {measure(given):.{places}f}"
                for measure, places in (
                    (lambda i, white=white, whole=whole: grain(i, white) / whole, 2),
                    (lambda i, white=white, real=real: colors_away(i, white, real), 3),
                )
            )
            figures += " | | "
        else:
            before, after = (f"{seam(image_to_tensor(image), white):.2f}" for image in (given, best))
            figures = f" | | | {kept(best, given, white):.0f} | {after}, {before}"
        print(f"| {name} | {task.__name__} | {took:.1f} | {best.info['scale']} | {figures} |", flush=True)
        contact_sheet([[given, best]], out / f"{task.__name__}-{name}.png")


HOLES = {  # left, top, right, bottom as shares, and whether it is an ellipse
    "balloons": (0.5, -0.06, 0.76, 0.37, True),
    "birds": (0.15, 0.4, 0.5, 0.75, True),
    "colusseum": (0.1, 0.55, 0.45, 0.75, False),
    "cows": (0.3, 0.5, 0.75, 0.9, True),
    "lightning1": (0.05, 0.45, 0.25, 0.98, True),
    "mountains3": (0.6, 0.2, 0.9, 0.5, False),
    "seascape": (0.6, 0.6, 0.98, 0.9, True),
    "starry_night": (0.75, 0.0, 1.0, 0.35, True),
    "trees3": (0.1, 0.1, 0.25, 0.8, False),
    "volacano": (0.5, 0.5, 0.9, 0.85, True),
}


def fill_in(image: torch.Tensor, hole: torch.Tensor, finest: float = 0.5) -> torch.Tensor:
    """`image`, (1, C, H, W), with smooth colours from around it in `hole`, (1, 1, H, W) of 0 and 1; they are averages
    over `finest` pixels at 250 px or more."""
    result, known = image * (1 - hole), 1 - hole
    filled, sure = torch.zeros_like(image), torch.zeros_like(known)
    sigma = finest
    while sigma < 500 and not sure.all():  # the nearest known colours first, then those from further away
        weight = blur(known, sigma)
        here = ((weight > 0.02) & (sure == 0)).float()
        filled = filled + here * blur(result, sigma) / weight.clamp_min(0.02)
        sure = sure + here
        sigma *= 2
    return torch.where(hole > 0, filled, image)


def fill(out, score):
    from skimage.restoration import inpaint_biharmonic

    print("| picture | hole | s | sifid in the hole: ours | smooth colours | biharmonic | Telea (OpenCV) |")
    print("|---|---|---|---|---|---|---|")
    try:
        import cv2
    except ImportError:
        cv2 = None
    for name, (left, top, right, bottom, round_) in HOLES.items():
        model = singan.draft(opened(DATA / "images" / f"{name}.png"))
        photo = model.training_image
        hole = Image.new("L", photo.size)
        box = [round(share * side) for share, side in zip((left, top, right, bottom), photo.size * 2, strict=True)]
        (ImageDraw.Draw(hole).ellipse if round_ else ImageDraw.Draw(hole).rectangle)(box, fill=255)
        white = load_mask(model, hole)
        start = time.perf_counter()
        ours = singan.fill(model, hole)[0]
        took = time.perf_counter() - start
        dark, pixels = np.asarray(hole) > 0, np.asarray(photo)
        others = [tensor_to_image(fill_in(image_to_tensor(photo), white))]
        smooth = inpaint_biharmonic(np.where(dark[..., None], 0, pixels) / 255, dark, channel_axis=2)
        others.append(Image.fromarray((smooth.clip(0, 1) * 255).round().astype(np.uint8)))
        if cv2 is not None:
            others.append(Image.fromarray(cv2.inpaint(pixels, dark.astype(np.uint8), 3, cv2.INPAINT_TELEA)))
        real = model.real_at(-1)
        values = [f"{sifid_inside(image, real, white, score):.1f}" for image in (ours, *others)]
        print(
            f"| {name} | {dark.mean():.0%} | {took:.2f} | {' | '.join(values + ['-'] * (4 - len(values)))} |",
            flush=True,
        )
        contact_sheet(
            [[Image.composite(Image.new("RGB", photo.size, "#f0f"), photo, hole), ours, *others]],
            out / f"fill-{name}.png",
        )


def paint(out, score):
    print("| painting | automatic scale | layout lost | sifid of the painting | ours | s | lost, sifid at all scales |")
    print("|---|---|---|---|---|---|---|")
    jobs = {"balloons_sketch": "balloons", "cows_sketch": "cows", "cows_paint": "cows"}
    jobs |= {"starry_night_sketch": "starry_night", "trees_paint": "trees3"}
    for name, photo in jobs.items():
        model, _ = trained(out, photo, DATA / "images" / f"{photo}.png")
        painting = opened(DATA / "paint" / f"{name}.png")
        start = time.perf_counter()
        best = singan.paint_to_image(model, painting)[0]
        took = time.perf_counter() - start
        strip = singan.paint_to_image(model, painting, scale="all")
        before, ours, *each = (
            sifid_inside(image, model.real_at(-1), None, score)
            for image in (painting.resize(best.size, Image.Resampling.BICUBIC), best, *strip)
        )
        lost_and_sifid = [f"{i.info['lost']:.2f}/{v:.0f}" for i, v in zip(strip, each, strict=True)]
        print(
            f"| {name} | {best.info['scale']} | {best.info['lost']:.2f} | {before:.0f} | {ours:.1f} | {took:.1f} | "
            f"{' '.join(lost_and_sifid)} |",
            flush=True,
        )
        contact_sheet([[painting, model.training_image, best], strip], out / f"{name}.png")


def animation(out, score):
    print("| model | file | 100 frames | largest step | mean step | last to first |\n|---|---|---|---|---|---|")
    picture = DATA / "images" / "lightning1.png"
    jobs = {"balloons, sampling": trained(out, "balloons", DATA / "images" / "balloons.png")[0]}
    jobs["lightning1, animation"] = trained(out, "anim_lightning1", picture, singan.animation_config())[0]
    for name, model in jobs.items():
        frames = [np.asarray(frame, float) for frame in singan.iter_frames(model)]
        steps = [np.abs(a - b).mean() for a, b in zip(frames, [*frames[1:], frames[0]], strict=True)]
        for kind in (".gif", ".webp", ".mp4"):
            path = out / f"{name.split(',')[0]}{kind}"
            start = time.perf_counter()
            singan.animate(model, path)
            took = time.perf_counter() - start
            print(
                f"| {name} | {kind}, {path.stat().st_size / 1e6:.1f} MB | {took:.1f} s | {max(steps[:-1]):.2f} | "
                f"{np.mean(steps[:-1]):.2f} | {steps[-1]:.2f} |",
                flush=True,
            )


def denoising(out, score):
    print("| picture | learned | noisy | automatic: scale, PSNR | best scale | PSNR at all scales | no voting |")
    print("|---|---|---|---|---|---|---|")
    for name in ("balloons", "birds", "mountains3"):
        clean_model, _ = trained(out, name, DATA / "images" / f"{name}.png")
        truth = clean_model.training_image
        noise = np.random.default_rng(0).normal(0, 25, np.asarray(truth).shape)
        noisy = Image.fromarray((np.asarray(truth) + noise).clip(0, 255).round().astype(np.uint8))
        with tempfile.TemporaryDirectory() as folder:
            noisy.save(Path(folder) / "noisy.png")
            noisy_model, _ = trained(out, f"noisy_{name}", Path(folder) / "noisy.png")
        for learned, model in (("clean", clean_model), ("noisy", noisy_model)):
            best = singan.denoise(model, noisy)[0]
            strips = [
                [psnr(i, truth) for i in singan.denoise(model, noisy, scale="all", voting=v)] for v in (None, False)
            ]
            each = strips[0]
            print(
                f"| {name} | {learned} | {psnr(noisy, truth):.1f} | {best.info['scale']}, {psnr(best, truth):.1f} | "
                f"{1 + int(np.argmax(each))}, {max(each):.1f} | {' '.join(f'{v:.1f}' for v in each)} | "
                f"{' '.join(f'{v:.1f}' for v in strips[1])} |",
                flush=True,
            )


TASKS = {
    "sr": super_resolution,
    "masks": masks,
    "fill": fill,
    "paint": paint,
    "animation": animation,
    "denoise": denoising,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--tasks", default=",".join(TASKS))
    options = parser.parse_args()
    need_shared()
    options.out.mkdir(parents=True, exist_ok=True)
    print(machine())
    for name in options.tasks.split(","):
        print(f"\n{name}\n")
        TASKS[name](options.out, score_program())


if __name__ == "__main__":
    main()
