"""The studies that others made of the published method, made again: a table and a picture each.

    python benchmarks/studies.py [NAME ...] --out DIR [--photo mountain-lake] [--max-size 125] [--steps 400] [--seed 0]
    python benchmarks/studies.py --list

The preset `paper` is trained at a size, and for a number of steps, that fit (in bfloat16, where there is that), `fast`
where the question makes sense for it. Models are kept in DIR and a run that was broken off goes on where it was; a
study that is done is not made again. The tables go to DIR/NAME.md, the pictures to DIR/NAME.webp.
"""

import argparse
import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from common import contact_sheet, machine
from paper import draw_losses
from PIL import Image, ImageDraw, ImageFilter

import singan
from singan.device import pick_device
from singan.image import image_to_tensor
from singan.metrics.distortion import psnr, rmse, ssim
from singan.metrics.diversity import diversity
from singan.metrics.patches import coherence, misplaced, swd
from singan.patches.search import basis
from singan.training.published import PublishedTrainer
from singan.training.start import begin_scale, start_run

SAMPLES, SHOWN, SHOWN_WIDTH = 20, 5, 240
CURVES = ("critic_real", "critic_fake", "reconstruction")
Row = dict[str, object]
Pictures = list[list[Image.Image]]


@dataclass
class Lab:
    """Trains what studies ask for, once, and keeps it."""

    out: Path
    photo: Image.Image
    max_size: int
    steps: int
    seed: int

    def paper(self, name: str = "base", photo: Image.Image | None = None, **changes: object) -> singan.SinGAN:
        """The published method at the size of the studies, with some settings changed."""
        changes = {"max_size": self.max_size, "steps": self.steps, "mixed_precision": True} | changes
        return self._train(f"paper-{name}", singan.TrainConfig.preset("paper", **changes), photo)

    def fast(self, name: str = "base", photo: Image.Image | None = None, **changes: object) -> singan.SinGAN:
        return self._train(f"fast-{name}", singan.TrainConfig.preset("fast", **changes), photo)

    def _train(self, name: str, config: singan.TrainConfig, photo: Image.Image | None) -> singan.SinGAN:
        folder = self.out / "models" / name
        if (folder / "config.json").exists():
            return singan.SinGAN.from_pretrained(folder)
        folder.mkdir(parents=True, exist_ok=True)
        checkpoint = folder / "checkpoint"
        with (folder / "losses.csv").open("a", newline="") as file:
            writer = csv.writer(file)

            def seen(event: singan.TrainEvent) -> None:
                if event.kind == "step" and event.step % 2 == 0:
                    writer.writerow([event.scale, event.step, *(f"{event.losses[name]:.5g}" for name in CURVES)])

            resume = (checkpoint / "state.safetensors").exists()
            given = photo or self.photo
            model = singan.train(
                given, config, seed=self.seed, on_event=seen, checkpoint_dir=checkpoint, resume=resume, progress=False
            )
        model.save_pretrained(folder)
        print(f"{name}: {model.info['seconds']:.0f} s", flush=True)
        return model

    def textured(self, weight: float) -> singan.SinGAN:
        """The published method with a Gram matrix in the generator's loss."""
        folder = self.out / "models" / f"paper-gram-{weight:g}"
        if (folder / "config.json").exists():
            return singan.SinGAN.from_pretrained(folder)
        config = singan.TrainConfig.preset("paper", max_size=self.max_size, steps=self.steps, mixed_precision=True)
        run = start_run(self.photo, config, self.seed, pick_device(None))
        while run.scale < len(run.real):
            run.state = begin_scale(run)
            trainer = TextureTrainer(run, lambda x: x)
            trainer.weight = weight
            for _ in range(run.steps[run.scale]):
                trainer.step()
            run.finished, run.state = trainer.finish(), None
        run.model.save_pretrained(folder)
        return run.model


class Textured(torch.nn.Module):
    """A critic that also counts how far an image's Gram matrix is from the photograph's.

    Of the rectified responses to the photograph's principal 7x7 patches, there being no network here that was trained
    on others (Gatys et al., 2015; that one layer does: Ustyuzhaninov et al., 2017).
    """

    def __init__(self, critic: torch.nn.Module, real: torch.Tensor, weight: float) -> None:
        super().__init__()
        self.critic, self.weight, self.filters = critic, weight, basis(real)
        self.target = self.gram(real)

    def gram(self, x: torch.Tensor) -> torch.Tensor:
        found = F.conv2d(x.float(), self.filters)
        found = torch.cat([found.relu(), (-found).relu()], 1)[0].flatten(1)
        return found @ found.T / found.shape[1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        apart = (self.gram(x) - self.target).square().sum() / self.target.square().sum()
        return self.critic(x) - self.weight * apart


class TextureTrainer(PublishedTrainer):
    weight = 0.0

    def _update_generator(self, fake: torch.Tensor) -> float:
        critic, self.state.critic = self.state.critic, Textured(self.state.critic, self.real, self.weight)
        try:
            return super()._update_generator(fake)
        finally:
            self.state.critic = critic


def measured(model: singan.SinGAN, start_scale: int = 0, variation: float | None = None) -> tuple[Row, list]:
    """Scores of a model's samples and of what it remembers, and pictures: what it remembers, and some samples."""
    images = model.sample(SAMPLES, start_scale=start_scale, variation=variation, seed=1000)
    real, samples = image_to_tensor(model.training_image), [image_to_tensor(image) for image in images]
    whole = 0 < len(model.generators) == model.num_scales
    row: Row = {"diversity": diversity(torch.cat(samples), real)}
    row["swd"] = float(np.mean([swd(x, real) for x in samples]))
    row["misplaced"] = float(np.mean([misplaced(x, real) for x in samples]))
    row["coherence"] = float(np.mean([coherence(small(x), small(real)) for x in samples[:SHOWN]]))
    row["contrast"] = float(np.mean([(x.std() / real.std()).item() for x in samples]))
    row["reconstruction"] = rmse(image_to_tensor(model.reconstruct()), real) if whole else ""
    remembered = model.reconstruct() if whole else model.training_image
    return row, [remembered, *images[:SHOWN]]


def small(x: torch.Tensor) -> torch.Tensor:
    """At most 250 px, where comparing all patches with all takes no minutes."""
    factor = min(1, 250 / max(x.shape[2:]))
    return x if factor == 1 else F.interpolate(x, scale_factor=factor, mode="bicubic", antialias=True)


def compared(models: Iterable[tuple[Row, singan.SinGAN]], **how: object) -> tuple[list[Row], Pictures]:
    rows, pictures = [], []
    for label, model in models:
        row, shown = measured(model, **how)
        rows.append(label | row)
        pictures.append(shown)
    return rows, pictures


def residual(lab: Lab) -> tuple[list[Row], Pictures]:
    """A generator that adds to the enlarged coarser image, or replaces it."""
    on, off = lab.paper(), lab.paper("plain", residual=False)
    return compared([({"residual": "on"}, on), ({"residual": "off"}, off)])


def alpha(lab: Lab) -> tuple[list[Row], Pictures]:
    """The weight of the reconstruction."""
    values = (0, 0.1, 1, 10)
    return compared(({"alpha": a}, lab.paper() if a == 10 else lab.paper(f"alpha-{a}", alpha=a)) for a in values)


def scales(lab: Lab) -> tuple[list[Row], Pictures]:
    """The factor between scales, and with it their number."""
    models = [(f, lab.paper() if f == 0.75 else lab.paper(f"factor-{f}", scale_factor=f)) for f in (0.5, 0.75, 0.85)]
    return compared(({"scale factor": f, "scales": m.num_scales}, m) for f, m in models)


def sizes(lab: Lab) -> tuple[list[Row], Pictures]:
    """The short side of the coarsest scale, the longest of the finest; for `fast` the first alone."""
    models = [
        ("paper", {}, lab.paper()),
        *(("paper", {"min_size": m}, lab.paper(f"min-{m}", min_size=m)) for m in (14, 36)),
    ]
    models += [("paper", {"max_size": m}, lab.paper(f"max-{m}", max_size=m)) for m in (50,)]
    models += [("fast", {"min_size": m}, lab.fast(f"min-{m}", min_size=m)) for m in (15, 25, 40)]
    named = [({"preset": p, "changed": ", ".join(f"{k} {v}" for k, v in c.items())}, m) for p, c, m in models]
    return compared(named)


def start_scale(lab: Lab) -> tuple[list[Row], Pictures]:
    """The coarsest scale that is drawn anew: what is coarser stays the photograph's."""
    model, rows, pictures = lab.paper(), [], []
    for k in range(min(4, model.num_scales)):
        row, shown = measured(model, start_scale=k)
        rows.append({"preset": "paper", "start scale": k, "variation": 1.0} | row)
        pictures.append(shown)
    for share in (0.25, 0.5, 1.0):
        row, shown = measured(lab.fast(), variation=share)
        rows.append({"preset": "fast", "start scale": 0, "variation": share} | row)
        pictures.append(shown)
    return rows, pictures


def texture(lab: Lab) -> tuple[list[Row], Pictures]:
    """A Gram matrix in the generator's loss."""
    models = [(0, lab.paper()), *((weight, lab.textured(weight)) for weight in (1.0, 10.0))]
    return compared(({"weight of the Gram term": weight}, model) for weight, model in models)


def where(lab: Lab) -> tuple[list[Row], Pictures]:
    """Where samples vary: the deviation of each pixel, by thirds of the picture's height."""
    rows, pictures = [], []
    for name, model, start in (("paper", lab.paper(), 0), ("paper", lab.paper(), 1), ("fast", lab.fast(), 0)):
        heat = singan.variation_map(model, n=50, start_scale=start, seed=1000)
        levels = np.asarray(heat.convert("L"), float)
        thirds = [part.mean() / levels.mean() for part in np.array_split(levels, 3)]
        white = round(float(heat.info["white"]), 1)
        label = {"preset": name, "start scale": start, "most, levels of 255": white}
        rows.append(label | dict(zip(("top, of the mean", "middle", "bottom"), thirds, strict=True)))
        pictures.append([model.training_image, heat, *model.sample(3, start_scale=start, seed=1000)])
    return rows, pictures


def curves(lab: Lab) -> tuple[list[Row], Pictures]:
    """D(x), D(G(z)) and the reconstruction, over the steps of every scale."""
    lab.paper()
    folder = lab.out / "models" / "paper-base"
    draw_losses(folder)
    table = np.loadtxt(folder / "losses.csv", delimiter=",")
    rows: list[Row] = []
    for scale in np.unique(table[:, 0]):
        part = table[table[:, 0] == scale]
        first, last = part[: len(part) // 10].mean(0), part[-(len(part) // 10) :].mean(0)
        gap = [values[2] - values[3] for values in (first, last)]
        rows.append({"scale": int(scale), "D(x) - D(G(z)), first tenth": gap[0], "last tenth": gap[1]})
        rows[-1] |= {"reconstruction, first tenth": first[4], "last": last[4]}
    return rows, []  # losses.png is the picture


def disturbed(photo: Image.Image, kind: str) -> Image.Image:
    """Gaussian noise of 25 levels, a tenth of the pixels black or white, or a fifth of the light with noise of 3."""
    rng, x = np.random.default_rng(0), np.asarray(photo, float)
    if kind == "Gaussian":
        x = x + rng.normal(0, 25, x.shape)
    elif kind == "salt and pepper":
        hit = rng.random(x.shape[:2])
        x = np.where((hit < 0.05)[..., None], 0, np.where((hit > 0.95)[..., None], 255, x))
    else:
        x = x / 5 + rng.normal(0, 3, x.shape)
    return Image.fromarray(x.round().clip(0, 255).astype(np.uint8))


def denoising(lab: Lab) -> tuple[list[Row], Pictures]:
    """What injection takes out, by a model that learned the clean picture or the noisy one, at one scale or several,
    once or three times over; beside a median over 3x3 pixels. Learned by `fast`, 250 px."""
    clean = lab.photo.copy()
    clean.thumbnail((250, 250), Image.Resampling.LANCZOS)
    truth, rows, pictures = image_to_tensor(clean), [], []
    for kind in ("Gaussian", "salt and pepper", "dark"):
        noisy = disturbed(clean, kind)
        results = {"as it is": noisy, "median of 3x3": noisy.filter(ImageFilter.MedianFilter(3))}
        for learned, model in (("clean", lab.fast("clean", clean)), ("noisy", lab.fast(f"noisy-{kind[:4]}", noisy))):
            scale = [1, 2, 3]
            for k, image in zip(scale, singan.denoise(model, noisy, scale=scale), strict=True):
                results[f"learned {learned}, scale {k}"] = image
            results[f"learned {learned}, scale auto"] = singan.denoise(model, noisy)[0]
            results[f"learned {learned}, mean of scales 1 to 3"] = singan.denoise(
                model, noisy, scale=scale, average=True
            )[0]
            results[f"learned {learned}, auto, three times"] = singan.denoise(model, noisy, times=3)[0]
        for name, image in results.items():
            x = image_to_tensor(image)
            rows.append({"noise": kind, "": name, "PSNR": psnr(x, truth), "SSIM": ssim(x, truth)})
        pictures.append([clean, noisy, *(results[f"learned {k}, scale auto"] for k in ("clean", "noisy"))])
    return rows, pictures


def drawn(photo: Image.Image) -> Image.Image:
    """A pencil drawing of a photo: dark where it is darker than its surroundings (difference of Gaussians)."""
    grey = photo.convert("L")
    fine, coarse = (np.asarray(grey.filter(ImageFilter.GaussianBlur(r)), float) for r in (1.0, 3.0))
    lines = 255 - 12 * (coarse - fine).clip(0)
    return Image.fromarray(lines.clip(0, 255).astype(np.uint8)).convert("RGB")


def flat_sketch(size: tuple[int, int]) -> Image.Image:
    """A child's drawing: sky, a dark hill, light ground."""
    sketch = Image.new("RGB", size, (150, 190, 230))
    w, h = size
    pen = ImageDraw.Draw(sketch)
    pen.polygon([(0, 0.62 * h), (0.3 * w, 0.3 * h), (0.55 * w, 0.62 * h)], fill=(60, 70, 80))
    pen.polygon([(0.45 * w, 0.62 * h), (0.75 * w, 0.4 * h), (w, 0.62 * h)], fill=(60, 70, 80))
    pen.rectangle((0, 0.62 * h, w, h), fill=(110, 130, 110))
    return sketch


def sketches(lab: Lab) -> tuple[list[Row], Pictures]:
    """A drawing becomes a picture by injection; and what learned a pencil drawing of the photograph draws others."""
    paper, fast = lab.paper(), lab.fast()
    pencil = lab.fast("pencil", drawn(lab.photo))
    rows, pictures = [], []
    flat = flat_sketch(lab.photo.size)
    given = flat.resize(paper.training_image.size)
    real = image_to_tensor(paper.training_image)
    for name, model, sketch in (("paper", paper, given), ("fast", fast, flat)):
        scale = list(range(1, min(4, model.num_scales)))
        images = singan.paint_to_image(model, sketch, scale=scale)
        target = image_to_tensor(model.training_image)
        for k, image in zip(scale, images, strict=True):
            rows.append({"preset": name, "sketch": "flat", "scale": k, "swd": swd(image_to_tensor(image), target)})
        pictures.append([sketch, *images])
    (image,) = singan.paint_to_image(pencil, lab.photo)
    rows.append(
        {"preset": "fast, learned on a pencil drawing", "sketch": "the photograph", "scale": image.info["scale"]}
    )
    rows[-1]["swd"] = swd(image_to_tensor(image), image_to_tensor(pencil.training_image))
    pictures.append([lab.photo, pencil.training_image, image])
    rows.append({"preset": "paper", "sketch": "none: samples", "scale": 0})
    rows[-1]["swd"] = swd(image_to_tensor(paper.sample()[0]), real)
    return rows, pictures


STUDIES: dict[str, Callable[[Lab], tuple[list[Row], Pictures]]] = {
    "residual": residual,
    "alpha": alpha,
    "scales": scales,
    "sizes": sizes,
    "start-scale": start_scale,
    "texture": texture,
    "where": where,
    "curves": curves,
    "denoising": denoising,
    "sketches": sketches,
}


def table(rows: list[Row]) -> str:
    """In Markdown; numbers with three digits."""
    shown = [[f"{v:.3g}" if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *shown]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(STUDIES))
    parser.add_argument("--out", type=Path, default=Path("studies"))
    parser.add_argument("--photo", default="mountain-lake", help="a photo's file, or a model's name: its photograph")
    parser.add_argument("--max-size", type=int, default=125)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    if options.list:
        for name, study in STUDIES.items():
            print(f"{name}: {' '.join((study.__doc__ or '').split())}")
        return
    unknown = sorted(set(options.names) - set(STUDIES))
    if unknown:
        parser.error(f"there is no study {unknown[0]!r}: choose of {', '.join(STUDIES)}")
    is_file = Path(options.photo).is_file()
    photo = singan.load_image(options.photo) if is_file else singan.SinGAN.from_pretrained(options.photo).training_image
    lab = Lab(options.out, photo, options.max_size, options.steps, options.seed)
    for name in options.names or STUDIES:
        done = lab.out / f"{name}.md"
        if not done.exists():
            rows, pictures = STUDIES[name](lab)
            if pictures:
                contact_sheet([[thumbnail(image) for image in row] for row in pictures], done.with_suffix(".webp"))
            done.write_text(f"{machine()}\n\n{table(rows)}")
        print(f"{name}\n\n{done.read_text()}", flush=True)


def thumbnail(image: Image.Image) -> Image.Image:
    """240 px wide; what was learned at a third of that shows its pixels."""
    kind = Image.Resampling.LANCZOS if image.width > SHOWN_WIDTH else Image.Resampling.NEAREST
    return image.convert("RGB").resize((SHOWN_WIDTH, round(image.height * SHOWN_WIDTH / image.width)), kind)


if __name__ == "__main__":
    main()
