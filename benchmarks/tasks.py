"""What the tasks reach: super-resolution, harmonising, editing, painting, animation, denoising.

    python benchmarks/tasks.py --out DIR [--tasks sr,masks,paint,animation,denoise]

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
import torch.nn.functional as F
from common import SHARED, contact_sheet, machine, need_shared, score_program
from niqe import niqe
from PIL import Image
from skimage.metrics import structural_similarity

import singan
from singan.image import image_to_tensor, load_image
from singan.tasks.blending import feather, load_mask

DATA = SHARED / "data"


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
    parameters = SHARED / "eval" / "niqe_image_params.mat"
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
            figures = [rmse(image, truth), psnr(image, truth), similar, niqe(image, parameters)]
            means.setdefault(name, []).append(figures)
            times = f"{seconds:.0f} s | {took:.2f} s" if name == "fast" else " | "
            print(f"| {path.stem} | {name} | {' | '.join(f'{v:.2f}' for v in figures)} | {times} |", flush=True)
        rows.append([bicubic, ours, sharp, truth])
    for name, figures in means.items():
        print(f"| **mean** | {name} | {' | '.join(f'{v:.2f}' for v in np.mean(figures, 0))} | | |")
    contact_sheet(rows, out / "sr.png")


def masks(out, score):
    print("| picture | task | naive sifid in the mask | automatic: scale, sifid, s | sifid at all scales |")
    print("|---|---|---|---|---|")
    jobs = [
        (singan.harmonize, name, DATA / "harmonize" / f"{name}.jpg", DATA / "harmonize" / f"{name}_naive", ".jpg", 7)
        for name in ("oil_tree", "pencil_tree", "scream")
    ]
    star = (DATA / "images" / "starry_night.png", DATA / "harmonize" / "starry_night_naive", ".png")
    jobs.append((singan.harmonize, "starry_night", *star, 7))
    for name, numbers in (("stone", (1, 3)), ("tree", (1, 2))):
        for number in numbers:
            path = DATA / "edit" / f"{name}_edit_{number}"
            jobs.append((singan.edit, name, DATA / "edit" / f"{name}.png", path, ".png", 20))
    for task, name, photo, path, suffix, radius in jobs:
        model, _ = trained(out, name, photo)
        composite, mask = opened(path.with_name(path.name + suffix)), path.with_name(f"{path.name}_mask{suffix}")
        composite = composite.resize(model.image_size[::-1], Image.Resampling.BICUBIC)
        start = time.perf_counter()
        best = task(model, composite, mask)[0]
        took = time.perf_counter() - start
        strip = task(model, composite, mask, scale="all")
        inside = (feather(load_mask(model, mask), radius) >= 0.5).float()
        naive, ours, *each = (
            sifid_inside(image, model.real_at(-1), inside, score) for image in (composite, best, *strip)
        )
        print(
            f"| {path.name} | {task.__name__} | {naive:.1f} | {best.info['scale']}, {ours:.1f}, {took:.1f} | "
            f"{' '.join(f'{v:.0f}' for v in each)} |",
            flush=True,
        )
        contact_sheet([[composite, model.training_image, best], strip], out / f"{path.name}.png")


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


TASKS = {"sr": super_resolution, "masks": masks, "paint": paint, "animation": animation, "denoise": denoising}


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
