"""The state of a training run on disk: one safetensors file, replaced whole, with the scalars in its metadata."""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as safetensors_load
from safetensors.torch import save as safetensors_bytes

from singan.device import machine
from singan.errors import CheckpointError, TaskWarning, one_line
from singan.files import STATE_FILE, atomic_path, make_folder
from singan.scale import load_generators, load_weights, make_critic, make_generator
from singan.training.start import begin_scale
from singan.training.state import Finished, ScaleState, TrainingRun

VERSION = 2
MOMENTS = ("exp_avg", "exp_avg_sq")  # of Adam


class Keeper:
    """Keeps a run in a folder, or nowhere: `with keeper:` what is whole of it is kept, however that ends."""

    def __init__(self, run: TrainingRun, folder: str | os.PathLike[str] | None, resuming: bool) -> None:
        """Bring `run`, just started, to where it was, or keep it from now on. Raises `CheckpointError` if there is
        nothing to resume, or something that would be overwritten."""
        self.run, self.path = run, None if folder is None else Path(folder) / STATE_FILE
        self.whole = True  # nothing of the run is half changed
        self.saved = time.monotonic()
        if self.path is None:
            if resuming:
                raise CheckpointError("There is nothing to resume: no checkpoint_dir was given.")
            return
        if resuming:
            load(self.path, run)
            return
        make_folder(self.path.parent)
        if self.path.exists():
            raise CheckpointError(f"{folder} holds a broken-off run: resume it, or remove {STATE_FILE} to start again.")
        run.state = begin_scale(run) if run.real else None
        self.save()

    def save(self, seconds: float = 0.0) -> None:
        """Write the run as it now stands, unless that was done in the last so many seconds."""
        if self.path is not None and time.monotonic() - self.saved >= seconds:
            save(self.path, self.run)
            self.saved = time.monotonic()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Broken off in here, the run goes on from what was saved before."""
        self.whole = False
        yield
        self.whole = True

    def __enter__(self) -> Keeper:
        return self

    def __exit__(self, *_: object) -> None:
        if self.whole and self.run.state is not None:
            self.save()


def save(path: Path, run: TrainingRun) -> None:
    """Write the run as it stands between two steps."""
    finished, state = run.finished, run.state
    tensors = {"rng": run.rng.get_state(), "pool": finished.pool, "reconstruction": finished.reconstruction}
    tensors["z_star"] = run.model.z_star
    networks = {f"scales.{k}": generator for k, generator in enumerate(run.model.generators)}
    if finished.warm is not None:
        networks |= {"warm.generator": finished.warm[0], "warm.critic": finished.warm[1]}
    if state is not None:
        networks |= {"generator": state.generator, "critic": state.critic}
        tensors |= {f"ema.{i}": average for i, average in enumerate(state.ema)}
        for name, optimiser in (("generator_opt", state.generator_opt), ("critic_opt", state.critic_opt)):
            for i, moments in optimiser.state_dict()["state"].items():
                tensors |= {f"{name}.{i}.{key}": value for key, value in moments.items()}
    for prefix, network in networks.items():
        tensors |= {f"{prefix}.{name}": value for name, value in network.state_dict().items()}
    facts = {
        "version": VERSION,
        "run": _fingerprint(run),
        "machine": machine(run.device),
        "scale": run.scale,
        "step": None if state is None else state.step,
        "attempt": None if state is None else state.attempt,
        "noise_amps": run.model.noise_amps,
        "variation_curve": run.model.variation_curve,
        "seconds": run.seconds,
        "losses": run.losses,
        "info": run.model.info,
    }
    owned = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    stored = json.dumps(facts)
    with atomic_path(path) as part:
        part.write_bytes(safetensors_bytes(owned, {"state": stored, "sha256": _digest(stored, owned)}))


def load(path: Path, run: TrainingRun) -> None:
    """Bring `run`, just started with the same image, settings and seed, to where it was.

    Raises `CheckpointError` if there is no run, if it is another one, or if the file is damaged.
    """
    if not path.is_file():
        raise CheckpointError(f"{path.parent} holds no broken-off run, nothing to resume: start without resume.")
    try:
        data = path.read_bytes()  # safetensors itself opens no file whose name is not UTF-8
        tensors = safetensors_load(data)
        metadata = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        if metadata["sha256"] != _digest(metadata["state"], tensors):
            raise ValueError("its checksum does not agree")
        facts = json.loads(metadata["state"])
        if facts["version"] != VERSION or facts["run"] != _fingerprint(run):
            raise CheckpointError(
                f"{path} is from another image, seed, size or other settings, or from another version of "
                "singan: resume with the same ones, or remove the file to start again."
            )
        here = machine(run.device)
        if facts["machine"] != here:
            note = f"This run was begun on {facts['machine']}, and goes on on {here}"
            warnings.warn(f"{note}: it will not end with the same bits as an unbroken one.", TaskWarning, stacklevel=3)
        _restore(run, facts, tensors)
    except (SafetensorError, LookupError, AttributeError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise CheckpointError(f"{path} is damaged ({one_line(error)}); remove it to start again.") from None


def _restore(run: TrainingRun, facts: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    config, scales = run.config, int(facts["scale"])
    generators = [generator.to(run.device) for generator in load_generators(config, scales, tensors)]
    model = replace(
        run.model,
        scale_sizes=run.model.scale_sizes if config.field else run.sizes[:scales],
        generators=generators,
        noise_amps=[float(amp) for amp in facts["noise_amps"]],
        variation_curve=[float(v) for v in facts["variation_curve"]],
        z_star=tensors["z_star"].to(run.device),
        info=dict(facts["info"]),
    )
    warm = None
    if scales:
        warm = make_generator(config, scales - 1).to(run.device), make_critic(config, scales - 1).to(run.device)
        load_weights(warm[0], tensors, "warm.generator.")
        load_weights(warm[1], tensors, "warm.critic.")
    pool, reconstruction = tensors["pool"].to(run.device), tensors["reconstruction"].to(run.device)
    run.finished = Finished(model, pool, reconstruction, warm, scales)
    run.seconds, run.losses = float(facts["seconds"]), dict(facts["losses"])
    run.state = None
    if facts["step"] is not None:
        run.state = begin_scale(run)
        run.state.step, run.state.attempt = int(facts["step"]), int(facts["attempt"])
        _restore_scale(run.state, tensors)
    run.rng.set_state(tensors["rng"])


def _restore_scale(state: ScaleState, tensors: dict[str, torch.Tensor]) -> None:
    load_weights(state.generator, tensors, "generator.")
    load_weights(state.critic, tensors, "critic.")
    for i, average in enumerate(state.ema):
        average.copy_(tensors[f"ema.{i}"])
    for name, optimiser in (("generator_opt", state.generator_opt), ("critic_opt", state.critic_opt)):
        stored = optimiser.state_dict()
        for i, parameter in enumerate(optimiser.param_groups[0]["params"]):
            if f"{name}.{i}.step" in tensors:
                # Into the parameters' own memory layout: the fused optimiser goes by address, not by index.
                moments = {k: torch.empty_like(parameter).copy_(tensors[f"{name}.{i}.{k}"]) for k in MOMENTS}
                stored["state"][i] = {"step": tensors[f"{name}.{i}.step"], **moments}
        optimiser.load_state_dict(stored)


def _digest(facts: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of all that is in the file."""
    digest = hashlib.sha256(facts.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _fingerprint(run: TrainingRun) -> str:
    """What must be the same for a run to go on as if nothing had happened."""
    digest = hashlib.sha256(run.model.photo.cpu().numpy().tobytes())
    for other in run.model.others:
        digest.update(json.dumps([other.shape, run.model.shares]).encode() + other.cpu().numpy().tobytes())
    digest.update(json.dumps([run.sizes, run.config.to_dict(), run.seed], sort_keys=True).encode())
    return digest.hexdigest()
