"""The state of a training run on disk: one safetensors file, replaced whole, with the scalars in its metadata."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as safetensors_bytes

from singan.errors import CheckpointError, TaskWarning
from singan.files import atomic_path
from singan.model import fill, make_critic, make_generator
from singan.state import Run, ScaleState

STATE_FILE = "state.safetensors"
VERSION = 2


def refuse_overwrite(folder: Path) -> None:
    """Make the directory; raise `CheckpointError` if a run is kept there already."""
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / STATE_FILE).exists():
        raise CheckpointError(f"{folder} holds a broken-off run: resume it, or remove {STATE_FILE} to start again.")


def save(folder: Path, run: Run, state: ScaleState | None) -> None:
    """Write the run as it stands between two steps; `state` is None between two scales."""
    tensors = {"rng": run.rng.get_state(), "pool": run.pool, "reconstruction": run.reconstruction}
    tensors["z_star"] = run.model.z_star
    networks = {f"scales.{k}": generator for k, generator in enumerate(run.model.generators)}
    if run.warm is not None:
        networks |= {"warm.generator": run.warm[0], "warm.critic": run.warm[1]}
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
        "machine": _machine(run.device),
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
    with atomic_path(folder / STATE_FILE) as part:
        part.write_bytes(safetensors_bytes(owned, {"state": stored, "sha256": _digest(stored, owned)}))


def load(folder: Path, run: Run, begin: Callable[[], ScaleState]) -> ScaleState | None:
    """Bring `run`, just started with the same image, settings and seed, to where it was.

    `begin` makes the state of a scale, which is then filled. Raises `CheckpointError` if there is no run, if it
    is another one, or if the file is damaged.
    """
    path = folder / STATE_FILE
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no broken-off run, nothing to resume: start without resume.")
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        if metadata["sha256"] != _digest(metadata["state"], tensors):
            raise ValueError("its checksum does not agree")
        facts = json.loads(metadata["state"])
        if facts["version"] != VERSION or facts["run"] != _fingerprint(run):
            raise CheckpointError(
                f"{path} is from another image, seed, size or other settings, or from another version of "
                "singan: resume with the same ones, or remove the file to start again."
            )
        here = _machine(run.device)
        if facts["machine"] != here:
            warnings.warn(
                f"This run was begun on {facts['machine']}, and goes on on {here}: it will not end with the same bits "
                "as an unbroken one.",
                TaskWarning,
                stacklevel=2,
            )
        return _restore(run, facts, tensors, begin)
    except (SafetensorError, LookupError, AttributeError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise CheckpointError(f"{path} is damaged ({str(error)[:200]}); remove it to start again.") from None


def _restore(
    run: Run, facts: dict[str, Any], tensors: dict[str, torch.Tensor], begin: Callable[[], ScaleState]
) -> ScaleState | None:
    config, scales = run.config, int(facts["scale"])
    generators = [make_generator(config, k).to(run.device).requires_grad_(False) for k in range(scales)]
    for k, generator in enumerate(generators):
        fill(generator, tensors, f"scales.{k}.")
    z_star = tensors["z_star"].to(run.device)
    amps = [float(amp) for amp in facts["noise_amps"]]
    curve = [float(v) for v in facts["variation_curve"]]
    run.model = replace(
        run.model,
        scale_sizes=run.model.scale_sizes if config.field else run.sizes[:scales],
        generators=generators,
        noise_amps=amps,
        variation_curve=curve,
        z_star=z_star,
        info=dict(facts["info"]),
    )
    run.pool, run.reconstruction = tensors["pool"].to(run.device), tensors["reconstruction"].to(run.device)
    run.scale, run.seconds, run.losses = scales, float(facts["seconds"]), dict(facts["losses"])
    if scales:
        generator, critic = (make(config, scales - 1).to(run.device) for make in (make_generator, make_critic))
        fill(generator, tensors, "warm.generator.")
        fill(critic, tensors, "warm.critic.")
        run.warm = generator, critic
    state = None
    if facts["step"] is not None:
        state = begin()
        state.step, state.attempt = int(facts["step"]), int(facts["attempt"])
        fill(state.generator, tensors, "generator.")
        fill(state.critic, tensors, "critic.")
        for i, average in enumerate(state.ema):
            average.copy_(tensors[f"ema.{i}"])
        for name, optimiser in (("generator_opt", state.generator_opt), ("critic_opt", state.critic_opt)):
            parameters = optimiser.param_groups[0]["params"]
            stored = optimiser.state_dict()
            # Into the parameters' own memory layout: the fused optimiser goes by address, not by index.
            stored["state"] = {
                i: {
                    "step": tensors[f"{name}.{i}.step"],
                    **{
                        key: torch.empty_like(parameter).copy_(tensors[f"{name}.{i}.{key}"])
                        for key in ("exp_avg", "exp_avg_sq")
                    },
                }
                for i, parameter in enumerate(parameters)
                if f"{name}.{i}.step" in tensors
            }
            optimiser.load_state_dict(stored)
    run.rng.set_state(tensors["rng"])
    return state


def _machine(device: torch.device) -> str:
    """What decides over the last bits of sums besides the run itself: processor or instruction set, and threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    amx, threads = " and AMX" if torch.cpu._is_amx_tile_supported() else "", torch.get_num_threads()
    kinds = f"{torch.backends.cpu.get_cpu_capability()}{amx}, {threads} thread{'s' if threads > 1 else ''}"
    return kinds if device.type == "cpu" else f"{device.type}, {kinds}"


def _digest(facts: str, tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of all that is in the file."""
    digest = hashlib.sha256(facts.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _fingerprint(run: Run) -> str:
    """What must be the same for a run to go on as if nothing had happened."""
    digest = hashlib.sha256(run.model.photo.cpu().numpy().tobytes())
    digest.update(json.dumps([run.sizes, run.config.to_dict(), run.seed], sort_keys=True).encode())
    return digest.hexdigest()
