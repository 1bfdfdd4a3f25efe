"""What every benchmark prints first, and where the comparison pictures are."""

import importlib.util
import os
import platform
import sys
from pathlib import Path
from types import ModuleType

import torch
from PIL import Image

import singan

SHARED = Path(__file__).resolve().parents[2] / "shared"


def need_shared() -> None:
    """End the program, saying why, where the comparison pictures are not there."""
    if not SHARED.is_dir():
        sys.exit(f"skipped: the comparison pictures are not at {SHARED}")


def score_program() -> ModuleType:
    """The scoring program as a module."""
    spec = importlib.util.spec_from_file_location("score", SHARED / "eval" / "score.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def machine() -> str:
    """Processor, threads, versions."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = [x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")]
        name = lines[0].split(":")[1].strip() if lines else name
    bf16 = "bfloat16" if torch.cpu._is_avx512_bf16_supported() else "float32"
    if torch.cuda.is_available():
        name = f"{torch.cuda.get_device_name()} beside {name}"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, singan {singan.__version__}"
    return f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, {bf16}; {versions}"


def contact_sheet(rows: list[list[Image.Image]], path: Path) -> None:
    """Rows of images on white."""
    width, height = (max(getattr(i, side) for row in rows for i in row) + 4 for side in ("width", "height"))
    sheet = Image.new("RGB", (max(map(len, rows)) * width, len(rows) * height), "white")
    for y, row in enumerate(rows):
        for x, image in enumerate(row):
            sheet.paste(image, (x * width, y * height))
    sheet.save(path)


def seam(x: torch.Tensor, mask: torch.Tensor) -> float:
    """The mean step between neighbours of `x`, (1, 3, H, W), across the edge of the mask, (1, 1, H, W), over the mean
    step of `x` at such colours."""
    steps = torch.cat([x.diff(dim=dim).abs().mean(1).flatten() for dim in (2, 3)])
    edge = torch.cat([(mask.diff(dim=dim) != 0).flatten() for dim in (2, 3)])
    bins = ((x[0] + 1) * 3.9999).long()
    color = bins[0] * 64 + bins[1] * 8 + bins[2]
    colors = torch.cat([color[:-1].flatten(), color[:, :-1].flatten()])
    counts = torch.zeros(512).index_add_(0, colors, torch.ones_like(steps)).clamp_min(1)
    usual = torch.zeros(512).index_add_(0, colors, steps) / counts
    return float(steps[edge].mean() / usual[colors[edge]].mean())
