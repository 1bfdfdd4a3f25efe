"""The published method run to the end, beside the other presets, and what its steps cost.

    python benchmarks/paper.py PHOTO --out DIR [--max-size 125] [--steps 2000] [--bfloat16] [--seed 0]
    python benchmarks/paper.py PHOTO --profile [--max-size 125]

The first trains `paper` (a run that is broken off goes on where it was), `fast` and `draft` at the same size, writes
the losses of each step (losses.csv, losses.png) and samples (samples.png) to DIR, and prints the scores. The second
times one step of each scale in float32 and bfloat16, and what it goes to.
"""

import argparse
import csv
import itertools
import time
from pathlib import Path

import numpy as np
import torch
from common import contact_sheet, machine, need_shared, score_program
from PIL import Image, ImageDraw

import singan
from singan.image import image_to_tensor
from singan.training.start import begin_scale, scale_trainer, start_run

SAMPLES = 50
CURVES = {"critic_real": "#1971c2", "critic_fake": "#e8590c", "reconstruction": "#2f9e44"}  # and their colours
PARTS = {"convolution_backward": "backward", "mkldnn_convolution": "forward", "batch_norm": "batch norm"}


def train_paper(photo: Path, out: Path, config: singan.TrainConfig, seed: int) -> singan.SinGAN:
    """The model in `out`, or one that is trained there, a line of losses a step."""
    folder = out / "paper"
    if (folder / "config.json").exists():
        return singan.SinGAN.from_pretrained(folder)
    checkpoint = out / "checkpoint"
    out.mkdir(parents=True, exist_ok=True)
    with (out / "losses.csv").open("a", newline="") as file:
        writer = csv.writer(file)

        def seen(event: singan.TrainEvent) -> None:
            if event.kind == "step":
                writer.writerow([event.scale, event.step, *(f"{event.losses[name]:.5g}" for name in CURVES)])
            if event.kind == "scale":
                file.flush()
                print(f"scale {event.scale}, {event.size[0]}x{event.size[1]}: {event.seconds:.0f} s", flush=True)

        started = (checkpoint / "state.safetensors").exists()
        model = singan.train(photo, config, seed=seed, on_event=seen, checkpoint_dir=checkpoint, resume=started)
    model.save_pretrained(folder)
    return model


def draw_losses(out: Path) -> None:
    """losses.png: a panel a scale, smoothed over 20 steps; D(x) and D(G(z)) share an axis."""
    with (out / "losses.csv").open(newline="") as file:
        rows = [[float(value) for value in row] for row in csv.reader(file)]
    panels = [np.array(list(group)) for _, group in itertools.groupby(sorted(rows), key=lambda row: row[0])]
    width, height, gap = 300, 180, 24
    sheet = Image.new("RGB", (3 * (width + gap) + gap, -(-len(panels) // 3) * (height + 2 * gap) + gap), "white")
    pen = ImageDraw.Draw(sheet)
    for i, panel in enumerate(panels):
        left, top = gap + i % 3 * (width + gap), gap + i // 3 * (height + 2 * gap)
        pen.rectangle((left, top, left + width, top + height), outline="#adb5bd")
        smooth = {name: np.convolve(panel[:, 2 + k], np.ones(20) / 20, "valid") for k, name in enumerate(CURVES)}
        critic = np.concatenate([smooth["critic_real"], smooth["critic_fake"]])
        low, high = np.percentile(critic, [1, 99])
        ranges = {"critic_real": (low, high), "critic_fake": (low, high), "reconstruction": (0, 20)}
        for name, values in smooth.items():
            a, b = ranges[name]
            y = top + height - height * ((values - a) / (b - a)).clip(0, 1)
            x = left + np.linspace(0, width, len(values))
            pen.line(list(zip(x.tolist(), y.tolist(), strict=True)), fill=CURVES[name])
        text = f"scale {i}: D from {low:.1f} to {high:.1f}, RMSE from 0 to 20"
        pen.text((left, top + height + 4), text, fill="black")
    sheet.save(out / "losses.png")


def compare(photo: Path, out: Path, options: argparse.Namespace) -> None:
    need_shared()
    score = score_program()
    print(machine())
    changes = {"max_size": options.max_size, "steps": options.steps, "mixed_precision": options.bfloat16}
    paper = train_paper(photo, out, singan.TrainConfig.preset("paper", **changes), options.seed)
    if (out / "losses.csv").exists():  # the model was trained here
        draw_losses(out)
    small = {"max_size": options.max_size, "photo_size": options.max_size}
    others = {name: singan.train(photo, singan.TrainConfig.preset(name, **small)) for name in ("fast", "draft")}
    real = out / "real.png"
    paper.training_image.save(real)
    reference, rows = score.load(real), [[paper.training_image, paper.reconstruct()]]
    print("| model | s | samples from | variation | diversity | reconstruction | sifid | swd | misplaced | coherence |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    asked = [("paper", paper, 0, 1.0), ("paper", paper, 1, 1.0)]
    asked += [(name, model, 0, variation) for name, model in others.items() for variation in (0.5, 1.0)]
    for name, model, start, variation in asked:
        images = model.sample(SAMPLES, start_scale=start, variation=variation, seed=1000)
        images = [image.resize(paper.training_image.size, Image.Resampling.BICUBIC) for image in images]
        rows.append(images[:8])
        diversity = score.diversity([image_to_tensor(image) for image in images], reference)
        paths = [out / f"{name}-{start}-{variation}-{k}.png" for k in range(10)]
        for image, path in zip(images, paths, strict=False):
            image.save(path)
        found = score.score(real, paths)
        error = np.asarray(model.reconstruct(), float) if model.generators else None
        whole = model.generators and len(model.generators) == model.num_scales
        rmse = f"{np.sqrt(((error - np.asarray(paper.training_image, float)) ** 2).mean()):.1f}" if whole else ""
        print(
            f"| {name} | {model.info['seconds']:.0f} | scale {start} | {variation} | {diversity:.2f} | {rmse} | "
            f"{found['sifid']:.2f} | {found['swd']:.4f} | {found['misplaced']:.4f} | {found['coherence']:.2f} |"
        )
    contact_sheet(rows, out / "samples.png")


def profile(photo: Path, max_size: int) -> None:
    print(machine())
    print("| scale | size | width | precision | ms a step | " + " | ".join(PARTS.values()) + " | rest |")
    print("|---|---|---|---|---|---|---|---|---|")
    for half in (False, True):
        config = singan.TrainConfig.preset("paper", max_size=max_size, mixed_precision=half)
        run = start_run(singan.load_image(photo), config, 0, torch.device("cpu"))
        for k, (h, w) in enumerate(run.sizes):
            run.state = begin_scale(run)
            trainer = scale_trainer(run)
            for _ in range(2):  # the first ones compile kernels
                trainer.step()
            start = time.perf_counter()
            for _ in range(5):
                trainer.step()
            ms = (time.perf_counter() - start) / 5 * 1000
            with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiled:
                trainer.step()
            events = profiled.key_averages()
            whole = sum(event.self_cpu_time_total for event in events)
            shares = [sum(e.self_cpu_time_total for e in events if part in e.key) / whole for part in PARTS]
            width = run.state.generator.layers[0].out_channels
            cells = " | ".join(f"{100 * share:.0f} %" for share in [*shares, 1 - sum(shares)])
            print(f"| {k} | {h}x{w} | {width} | {'bfloat16' if half else 'float32'} | {ms:.0f} | {cells} |", flush=True)
            run.finished = trainer.finish()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--profile", action="store_true")
    parser.add_argument("--max-size", type=int, default=125)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--bfloat16", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.profile:
        profile(options.photo, options.max_size)
    elif options.out is None:
        parser.error("give --out DIR, or --profile")
    else:
        compare(options.photo, options.out, options)


if __name__ == "__main__":
    main()
