"""`singan draft`, `singan train`, `singan info`, `singan models`."""

from __future__ import annotations

import shlex
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from singan.cli.common import (
    AsJson,
    Force,
    Model,
    Revision,
    Seed,
    holds_model,
    last_of,
    noted,
    print_json,
    refuse_model,
    remove_checkpoint,
)
from singan.errors import ConfigError, Interrupted, TrainingError
from singan.files import CHECKPOINT, STATE_FILE

if TYPE_CHECKING:
    from singan.config import TrainConfig
    from singan.model import SinGAN

Out = Annotated[
    Path | None, typer.Option(help="Directory to save the model in; by default one here, called after the photo.")
]
PhotoSize = Annotated[
    int | None, typer.Option(help="Longest side at which the photo is kept and samples come, in pixels (1024).")
]
Shares = Annotated[
    list[float] | None,
    typer.Option("--share", help="How much of samples is of each photo, in their order; by default as much of each."),
]


def draft(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="The photo, or several, up to 8.")],
    out: Out = None,
    share: Shares = None,
    photo_size: PhotoSize = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make a model of IMAGE at once, without training, and save it in the directory --out. Samples mix several."""
    train(images, out, share, "draft", photo_size=photo_size, seed=seed, force=force, as_json=as_json)


def train(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="The photo to learn, or several, up to 8.")],
    out: Out = None,
    share: Shares = None,
    preset: Annotated[
        Literal["draft", "fast", "paper"],
        typer.Option(help="draft: without training; fast: learn the layout; paper: the published method, for hours."),
    ] = "fast",
    purpose: Annotated[
        Literal["sampling", "animation"], typer.Option("--for", help="What the model is for; animation suits animate.")
    ] = "sampling",
    photo_size: PhotoSize = None,
    max_size: Annotated[int | None, typer.Option(help="Longest side that generators learn, in pixels (250).")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Training steps per scale.")] = None,
    bfloat16: Annotated[
        bool, typer.Option("--bfloat16", help="Convolutions of the preset paper in bfloat16, which is faster.")
    ] = False,
    seed: Seed = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run that was broken off.")] = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Learn IMAGE and save the model in the directory --out. Samples mix several."""
    out = _checked_out(out, images, resume, force)
    checkpoint = out / CHECKPOINT

    from singan import animation_config
    from singan.config import TrainConfig
    from singan.image import load_image
    from singan.training.loop import iter_train

    given = {"photo_size": photo_size, "max_size": max_size, "steps": steps, "mixed_precision": bfloat16 or None}
    asked = {k: v for k, v in given.items() if v is not None}
    config = animation_config(preset, **asked) if purpose == "animation" else TrainConfig.preset(preset, **asked)
    if not resume:  # of a run of an older version, which took them
        _refuse_unused(config, photo_size, steps)
    start = time.perf_counter()
    with noted(as_json) as notes:  # at once, not after hours
        photos = [load_image(image) for image in images]
    with noted(as_json) as more:
        try:
            kept = None if config.generators == 0 else checkpoint  # a draft is made at once
            events = iter_train(photos, config, shares=share, seed=seed, checkpoint_dir=kept, resume=resume)
            if force and not resume:
                remove_checkpoint(checkpoint)
            last = last_of(events, as_json)
        except KeyboardInterrupt:
            told: dict[str, Any] = {"preset": preset, "for": purpose, **asked, "seed": seed}
            raise Interrupted(_how_to_resume(out, images, share, told)) from None
        except TrainingError as error:
            if error.model is None:
                raise
            error.model.save_pretrained(out)
            made = f"What was finished before, {_made(error.model)}, is saved in {out}."
            raise TrainingError(f"{error} {made}") from error
    assert last.model is not None  # the last event always carries the model
    told = {"losses": last.losses, "warnings": notes + more}
    _keep(last.model, out, images, {"preset": preset, "seed": seed}, start, told, as_json)


def info(where: Model, revision: Revision = None, as_json: AsJson = False) -> None:
    """Say what MODEL is and how it was trained."""
    from singan.model import SinGAN

    model = SinGAN.from_pretrained(where, revision=revision)
    facts = _facts(model)
    if as_json:
        print_json({"model": where, **facts})
        return
    typer.echo(f"{where}: {_made(model)}")
    for name, value in facts.items():
        if isinstance(value, dict):
            typer.echo(f"{name}:")
            for key, inner in value.items():
                typer.echo(f"  {key}: {inner}")
        else:
            typer.echo(f"{name}: {value}")


def _checked_out(out: Path | None, images: list[Path], resume: bool, force: bool) -> Path:
    """`out`, or a directory here that is called after the first image. Raises `ConfigError` if it is taken."""
    out = out or Path(images[0].stem)
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file: choose a directory for --out.")
    started = (out / CHECKPOINT / STATE_FILE).exists()
    if resume and not started:
        cure = "it is already trained" if holds_model(out) else "leave out --resume to start"
        raise ConfigError(f"{out / CHECKPOINT} holds no broken-off run, nothing to resume: {cure}.")
    refuse_model(out, resume or force, "another --out")
    if started and not (resume or force):
        raise ConfigError(f"{out} holds a broken-off run: continue it with --resume, or start again with --force.")
    return out


def _refuse_unused(config: TrainConfig, photo_size: int | None, steps: int | None) -> None:
    """Raise `ConfigError` if an option is given that means nothing for the model."""
    if photo_size is not None and not config.field:
        raise ConfigError("--photo-size is for models with patches; this one draws at --max-size: give that.")
    if steps is not None and config.generators == 0:
        raise ConfigError(
            "--steps is for models that are trained; a draft is not: leave it out, or give --preset fast."
        )


def _how_to_resume(out: Path, images: list[Path], shares: list[float] | None, given: dict[str, Any]) -> str:
    if not (out / CHECKPOINT / STATE_FILE).exists():
        return "Interrupted before the first checkpoint: nothing of this run is kept."
    command = ["singan", "train", *map(str, images), "--out", str(out)]
    command += [word for share in shares or [] for word in ("--share", str(share))]
    for option, value in given.items():
        command += ["--bfloat16"] if option == "mixed_precision" else [f"--{option.replace('_', '-')}", str(value)]
    return f"Interrupted; what is learned so far is kept: continue with {shlex.join([*command, '--resume'])}"


def _keep(
    model: SinGAN,
    out: Path,
    images: list[Path],
    made: dict[str, Any],
    start: float,
    more: dict[str, Any],
    as_json: bool,
) -> None:
    """Save the model, remove what it could be resumed from, and say how to go on; in the JSON `made` comes before the
    model's facts, and `more` after them."""
    model.save_pretrained(out)
    remove_checkpoint(out / CHECKPOINT)
    seconds = time.perf_counter() - start
    if as_json:
        several = {"images": [str(image) for image in images]} if model.others else {}
        made = {"model": str(out), "image": str(images[0]), **several, **made, "seconds": round(seconds, 3)}
        print_json({**made, **_facts(model), **more})
        return
    from singan.training.progress import clock

    done = "Trained" if model.generators else "Drafted"
    typer.echo(f"{done} in {clock(seconds)}: {out}: {_made(model)}")
    typer.echo(f"Sample from it with: {shlex.join(['singan', 'sample', str(out), '--out', 'samples'])}")


def _made(model: SinGAN) -> str:
    """What there is of a model, and what it gives."""
    height, width = model.image_size
    return f"{model.made}; samples of {height}x{width} px"


def _facts(model: SinGAN) -> dict[str, Any]:
    return {
        "image_size": list(model.image_size),
        "generators": len(model.generators),
        "scale_sizes": [list(size) for size in model.scale_sizes],
        "parameters": model.num_parameters,
        **({"shares": model.shares} if model.shares else {}),
        "config": asdict(model.config),
        "info": model.info,
    }


def models(as_json: AsJson = False) -> None:
    """List the models that come along, and those of the Hub that were downloaded."""
    from singan.storage import hub

    known = hub.known()
    if as_json:
        print_json({"models": known})
        return
    for model in known:
        height, width = model["size"]
        typer.echo(f"{model['name']}: {height}x{width} px, {model['preset']}, {model['where']}")
    if not known:
        typer.echo("None came along, and none was downloaded: make one of a photo, singan draft photo.jpg")


COMMANDS = {"draft": draft, "train": train, "info": info, "models": models}
EXAMPLES = {
    "draft": "singan draft photo.jpg",
    "train": "singan train photo.jpg",
    "info": "singan info skyline",
    "models": "singan models",
}
