"""Mutate a saved model in every way there is, and see that loading raises `CheckpointError` or nothing.

python tests/fuzz_checkpoint.py [RUNS] [SEED]

The checksum in config.json is set right again after most changes to the weights: else only the checksum would
be tested. What is accepted is sampled from.
"""

from __future__ import annotations

import hashlib
import io
import json
import random
import resource
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import singan
from singan.errors import CheckpointError

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2, 7, 16, 33, 10**9, -(10**18), 2**63, 10**40, 10**400, 0.5, -0.5, 1e308, 1e-308,
    float("nan"), float("inf"), float("-inf"), "", "0", "batch", "\x1b[31m", "\ud800", "../../etc/passwd", "x" * 5000,
    [], [[]], [0], [1, 2], [10**9] * 2, [None], list(range(40)), {}, {"a": 1}, {"": {}}, [[[[[[[[1]]]]]]]],
]  # fmt: skip


FIELDS: list[Any] = [*VALUES, [34, 44], [44, 34], [4096, 4096], [4097, 1], [35, 44], 3, 4, 5, 15_984, 15_985, 16_000]


@dataclass
class Result:
    """What a fuzzing run found; times in seconds."""

    refused: int = 0
    accepted: int = 0
    slowest: float = 0.0


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change config.json."""
    path = folder / "config.json"
    described = json.loads(path.read_text())
    change(described)
    path.write_text(json.dumps(described))


def sign(folder: Path) -> None:
    """Put the right checksum into config.json, as someone who means harm would."""
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    edit(folder, lambda d: d.update(weights_sha256=digest))


def reweigh(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the tensors, and the checksum with them."""
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors")
    sign(folder)


def webp(size: tuple[int, int], *, mode: str = "RGB", frames: int = 1, form: str = "WEBP", colour: int = 40) -> bytes:
    """A picture file of that size, (width, height)."""
    images = [Image.new(mode, size, (colour + k,) * 3 + (128,) * (mode == "RGBA")) for k in range(frames)]
    file, lossless = io.BytesIO(), {"lossless": True, "exact": True} if form == "WEBP" else {}
    images[0].save(file, form, **lossless, **({"save_all": True, "append_images": images[1:]} if frames > 1 else {}))
    return file.getvalue()


def repack(folder: Path, packed: bytes) -> None:
    """Put another packed photograph into a model, and photo_bytes and checksum with it."""
    data = torch.frombuffer(bytearray(packed), dtype=torch.uint8) if packed else torch.zeros(0, dtype=torch.uint8)
    edit(folder, lambda d: d.update(photo_bytes=len(packed)))
    reweigh(folder, lambda tensors: tensors.update(photo=data))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in a JSON value."""
    found: list[tuple[Any, Any]] = []
    if isinstance(value, (dict, list)):
        for key in value if isinstance(value, dict) else range(len(value)):
            found += [(value, key), *places(value[key])]
    return found


def mutate_value(root: Any, rng: random.Random) -> None:
    """Replace, remove, double, rename or nudge one value somewhere in `root`."""
    container, key = rng.choice(places(root))
    kind = rng.choice(["replace", "replace", "nudge", "remove", "double", "rename", "deepen"])
    value = container[key]
    if kind == "nudge" and isinstance(value, (int, float)):
        container[key] = value + rng.choice([-1, 1, 0.5, -1e-3, 10**6])
    elif kind == "remove":
        del container[key]
    elif kind == "double" and isinstance(container, list):
        container.extend(container * rng.choice([1, 3, 30]))
    elif kind == "rename" and isinstance(container, dict):
        container[rng.choice(["", "x", key.upper(), key + "_", "../" + key])] = container.pop(key)
    elif kind == "deepen":
        for _ in range(rng.choice([1, 5, 900])):
            value = [value] if rng.random() < 0.5 else {"a": value}
        container[key] = value
    else:
        container[key] = rng.choice(VALUES)


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flip bits, cut, repeat, insert or overwrite."""
    out = bytearray(data)
    kind = rng.choice(["flip", "flip", "cut", "repeat", "insert", "overwrite"])
    at = rng.randrange(len(out))
    if kind == "flip":
        for _ in range(rng.choice([1, 1, 4, 64])):
            out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del out[at : at + rng.choice([1, 8, 1000, len(out)])]
    elif kind == "repeat":
        out[at:at] = out[at : at + rng.choice([1, 8, 1000])]
    elif kind == "insert":
        out[at:at] = rng.randbytes(rng.choice([1, 4, 8, 100]))
    else:
        new = rng.choice([rng.randbytes(8), b"\0" * 8, b"\xff" * 8, struct.pack("<f", float("nan"))])
        out[at : at + len(new)] = new
    return bytes(out)


def mutate_photo(config: bytes, weights: bytes, rng: random.Random) -> tuple[bytes, bytes] | None:
    """Damage the packed photograph, or put another file in its place; mostly with photo_bytes and header put right.
    None if an earlier change has broken what is around it."""
    try:
        described, n = json.loads(config), int.from_bytes(weights[:8], "little")
        head, data = json.loads(weights[8 : 8 + n]), weights[8 + n :]
        begin, end = head["photo"]["data_offsets"]
        packed = data[begin:end]
        if rng.random() < 0.7:
            packed = mutate_bytes(packed, rng)
        else:
            size = rng.choice([(44, 34), (44, 34), (34, 44), (1, 1), (900, 900)])
            mode, form = rng.choice(["RGB", "RGB", "RGBA"]), rng.choice(["WEBP", "WEBP", "PNG", "BMP"])
            packed = webp(size, mode=mode, form=form, frames=rng.choice([1, 1, 3]) if form == "WEBP" else 1)
        grown = len(packed) - (end - begin)
        if rng.random() < 0.9:
            described["photo_bytes"] = len(packed)
            for name, tensor in head.items():
                if name == "photo":
                    tensor.update(shape=[len(packed)], data_offsets=[begin, end + grown])
                elif tensor["data_offsets"][0] >= end:
                    tensor["data_offsets"] = [at + grown for at in tensor["data_offsets"]]
        raw = json.dumps(head).encode()
        weights = struct.pack("<Q", len(raw)) + raw + data[:begin] + packed + data[end:]
        return json.dumps(described).encode(), weights
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError, IndexError):
        return None


def mutate(folder: Path, config: bytes, weights: bytes, rng: random.Random) -> None:
    """Write a model that is wrong in one to three ways."""
    for _ in range(rng.choice([1, 1, 2, 3])):
        kind = rng.choice(["json", "json", "json", "fields", "config", "weights", "header", "length", "data", "photo"])
        if kind == "photo":
            changed = mutate_photo(config, weights, rng)
            config, weights, kind = *(changed or (config, weights)), "photo" if changed else "weights"
        if kind == "fields":  # those of format 3, which are few among all values
            try:
                described = json.loads(config)
                described[rng.choice(["photo_size", "photo_bytes", "generators", "stores_memory"])] = rng.choice(FIELDS)
                config = json.dumps(described).encode()
            except (ValueError, RecursionError, TypeError):
                kind = "config"
        if kind == "json":
            try:
                described = json.loads(config)
                if places(described):
                    mutate_value(described, rng)
                config = json.dumps(described).encode()
            except (ValueError, RecursionError):  # an earlier change has broken it already
                kind = "config"
        if kind == "config":
            config = mutate_bytes(config, rng) if config else config
        if kind in ("weights", "header", "length", "data") and len(weights) > 8:
            n = min(int.from_bytes(weights[:8], "little"), len(weights) - 8)
            head, data = weights[8 : 8 + n], weights[8 + n :]
            if kind == "weights":
                weights = mutate_bytes(weights, rng)
            elif kind == "length":
                length = rng.choice([0, n - 1, n + 1, 10**6, 2**40, 2**63, 2**64 - 1])
                weights = struct.pack("<Q", max(0, length)) + weights[8:]
            elif kind == "data" and data:
                weights = weights[: 8 + n] + mutate_bytes(data, rng)
            else:
                try:
                    parsed = json.loads(head)
                    if places(parsed):
                        mutate_value(parsed, rng)
                    head = json.dumps(parsed).encode()
                except (ValueError, RecursionError):
                    head = mutate_bytes(head, rng) if head else head
                head = head.ljust(n) if rng.random() < 0.8 else head  # mostly of the length it had
                weights = struct.pack("<Q", len(head)) + head + data
    (folder / "config.json").write_bytes(config)
    (folder / "model.safetensors").write_bytes(weights)
    if rng.random() < 0.9:
        try:
            sign(folder)
        except (ValueError, RecursionError, AttributeError):  # config.json is no longer an object
            return


def fuzz(model: Path, runs: int, seed: int) -> Result:
    """Load `runs` mutations of the model directory. Whatever else than `CheckpointError` is raised gets out."""
    config, weights = ((model / name).read_bytes() for name in ("config.json", "model.safetensors"))
    result = Result()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for run in range(runs):
            mutate(folder, config, weights, random.Random(f"{seed} {run}"))
            start = time.perf_counter()
            try:
                loaded = singan.SinGAN.from_pretrained(folder, device="cpu")
            except CheckpointError as error:
                if len(str(error)) > 2000 or "\n" in str(error):
                    raise AssertionError(f"not one line: {str(error)[:2000]!r}") from error
                result.refused += 1
                loaded = None
            except BaseException:
                print(f"run {run} of seed {seed}:", file=sys.stderr)
                raise
            result.slowest = max(result.slowest, time.perf_counter() - start)
            if loaded is not None:
                result.accepted += 1
                if result.accepted % 20 == 0:
                    loaded.sample(1)
                    loaded.save_pretrained(folder / "again")
    return result


def main() -> None:
    runs, seed = (int(text) for text in [*sys.argv[1:], "10000", "0"][:2])
    small = {"steps": 2, "width": 8, "critic_width": 8, "max_size": 30}
    image = singan.load_image(Path(__file__).parent / "data" / "format1" / "preview.png")
    for name, settings in (
        ("fast", singan.TrainConfig(**small, crop_size=24, pool_size=4, min_size=16, voting_rounds=1)),
        ("paper", singan.TrainConfig.preset("paper", **small, min_size=16)),
    ):
        with tempfile.TemporaryDirectory() as folder:
            model = singan.train(image, settings).save_pretrained(folder)
            singan.SinGAN.from_pretrained(model)
            before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
            result = fuzz(model, runs, seed)
            after, seconds = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter() - start
        print(
            f"{name}: {runs} runs, {result.refused} refused, {result.accepted} accepted, slowest "
            f"{1000 * result.slowest:.0f} ms, peak RSS {after / 1024:.0f} MB ({(after - before) / 1024:.0f} MB over "
            f"that of one model), {seconds:.0f} s"
        )


if __name__ == "__main__":
    main()
