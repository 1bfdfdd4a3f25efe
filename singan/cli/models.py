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
    last_of,
    noted,
    print_json,
    remove_checkpoint,
)
from singan.errors import ConfigError, Interrupted, TrainingError
from singan.files import CONFIG_FILE, STATE_FILE, WEIGHTS_FILE

if TYPE_CHECKING:
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
    out = out or Path(images[0].stem)
    checkpoint = out / "checkpoint"
    _check_out(out, checkpoint, False, force)

    from singan.config import TrainConfig
    from singan.image import load_image
    from singan.training.loop import draft

    asked = {} if photo_size is None else {"photo_size": photo_size}
    config = TrainConfig.preset("draft", **asked)
    with noted(as_json) as notes:
        photos = [load_image(image) for image in images]
        start = time.perf_counter()
        model = draft(photos, config, shares=share, seed=seed)
    _keep(model, out, checkpoint)
    made = {**_pictures(images, model), "preset": "draft", "seed": seed}
    _report(model, out, made, time.perf_counter() - start, {"warnings": notes}, as_json)


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
    out = out or Path(images[0].stem)
    checkpoint = out / "checkpoint"
    _check_out(out, checkpoint, resume, force)

    from singan import animation_config
    from singan.config import TrainConfig
    from singan.image import load_image
    from singan.training.loop import iter_train

    given = {"photo_size": photo_size, "max_size": max_size, "steps": steps, "mixed_precision": bfloat16 or None}
    asked = {k: v for k, v in given.items() if v is not None}
    config = animation_config(preset, **asked) if purpose == "animation" else TrainConfig.preset(preset, **asked)
    start = time.perf_counter()
    if force and not resume:
        remove_checkpoint(checkpoint)
    with noted(as_json) as notes:  # at once, not after hours
        photos = [load_image(image) for image in images]
    with noted(as_json) as more:
        try:
            events = iter_train(photos, config, shares=share, seed=seed, checkpoint_dir=checkpoint, resume=resume)
            last = last_of(events, as_json)
        except KeyboardInterrupt:
            raise Interrupted(
                _how_to_resume(checkpoint, images, share, out, preset, purpose, {**asked, "seed": seed})
            ) from None
        except TrainingError as error:
            if error.model is None:
                raise
            error.model.save_pretrained(out)
            raise TrainingError(
                f"{error} What was finished before, {_made(error.model)}, is saved in {out}."
            ) from error
    model = last.model
    assert model is not None  # the last event always carries the model
    _keep(model, out, checkpoint)
    made = {**_pictures(images, model), "preset": preset, "seed": seed}
    _report(model, out, made, time.perf_counter() - start, {"losses": last.losses, "warnings": notes + more}, as_json)


def info(
    where: Model,
    revision: Revision = None,
    as_json: AsJson = False,
) -> None:
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


def _check_out(out: Path, checkpoint: Path, resume: bool, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file: choose a directory for --out.")
    trained = (out / CONFIG_FILE).exists() or (out / WEIGHTS_FILE).exists()
    started = (checkpoint / STATE_FILE).exists()
    if resume and not started:
        cure = "it is already trained" if trained else "leave out --resume to start"
        raise ConfigError(f"{checkpoint} holds no broken-off run, nothing to resume: {cure}.")
    if trained and not (resume or force):
        raise ConfigError(f"{out} holds a trained model: choose another --out, or replace it with --force.")
    if started and not (resume or force):
        raise ConfigError(f"{out} holds a broken-off run: continue it with --resume, or start again with --force.")


def _how_to_resume(
    checkpoint: Path,
    images: list[Path],
    shares: list[float] | None,
    out: Path,
    preset: str,
    purpose: str,
    asked: dict[str, int],
) -> str:
    if not (checkpoint / STATE_FILE).exists():
        return "Interrupted before the first checkpoint: nothing of this run is kept."
    command = ["singan", "train", *map(str, images), "--out", str(out), "--preset", preset]
    command += [word for share in shares or [] for word in ("--share", str(share))]
    command += ["--for", purpose] if purpose != "sampling" else []
    for option, value in asked.items():
        command += ["--bfloat16"] if option == "mixed_precision" else [f"--{option.replace('_', '-')}", str(value)]
    return f"Interrupted; what is learned so far is kept: continue with {shlex.join([*command, '--resume'])}"


def _keep(model: SinGAN, out: Path, checkpoint: Path) -> None:
    """Save the finished model; what it could be resumed from is not needed any more."""
    model.save_pretrained(out)
    remove_checkpoint(checkpoint)


def _report(
    model: SinGAN, out: Path, made: dict[str, Any], seconds: float, more: dict[str, Any], as_json: bool
) -> None:
    """Say what was made and how to go on; `made` comes before the model's facts in the JSON, `more` after them."""
    if as_json:
        print_json({"model": str(out), **made, "seconds": round(seconds, 3), **_facts(model), **more})
        return
    from singan.training.progress import clock

    done = "Trained" if model.generators else "Drafted"
    typer.echo(f"{done} in {clock(seconds)}: {out}: {_made(model)}")
    typer.echo(f"Sample from it with: {shlex.join(['singan', 'sample', str(out), '--out', 'samples'])}")


def _pictures(images: list[Path], model: SinGAN) -> dict[str, Any]:
    """What a model was made of."""
    several = {"images": [str(image) for image in images]} if model.others else {}
    return {"image": str(images[0]), **several}


def _made(model: SinGAN) -> str:
    """What there is of a model, and what it gives."""
    height, width = model.image_size
    count = len(model.generators)
    if not count:
        return f"a draft; samples of {height}x{width} px"
    up_to = "x".join(map(str, model.scale_sizes[count - 1]))
    return f"{count} generator{'s' if count > 1 else ''} up to {up_to} px; samples of {height}x{width} px"


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
