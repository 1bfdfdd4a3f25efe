"""`singan sr`, `harmonize`, `edit`, `paint2image`, `fill`, `animate`, `denoise`, `retarget` and `map`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from singan.cli.common import (
    AsJson,
    Force,
    Interrupted,
    Model,
    Seed,
    Variation,
    noted,
    parse_size,
    print_json,
    remove_checkpoint,
    show,
    show_silently,
)
from singan.config import DETAIL
from singan.errors import ConfigError
from singan.files import CONFIG_FILE, STATE_FILE
from singan.version import __version__

if TYPE_CHECKING:
    from PIL import Image

    from singan.model import SinGAN
    from singan.tasks.injection import TaskEvent

Out = Annotated[Path, typer.Option(help="PNG file to write; several results are numbered by scale.")]
InjectionScale = Annotated[
    str,
    typer.Option(
        "--scale", metavar="K|auto", help="Injection scale: 1 (free) to the finest, several as 2,4, auto, all."
    ),
]
NoVoting = Annotated[bool, typer.Option("--no-voting", help="Leave patch voting out, as published.")]
Mask = Annotated[Path | None, typer.Option(help="White where something was pasted or changed.")]
StartScale = Annotated[int, typer.Option(help="Coarsest scale to draw anew; 0 changes the layout.")]


def sr(
    source: Annotated[str, typer.Argument(help="The picture to enlarge, or a model that learned it.")],
    out: Out,
    factor: Annotated[float, typer.Option(help="Enlargement, 1 to 8.")] = 4.0,
    detail: Annotated[
        float | None, typer.Option(help=f"0 is faithful and soft, 1 sharp and invented; {DETAIL}, or 1 for paper.")
    ] = None,
    preset: Annotated[
        Literal["fast", "paper"], typer.Option(help="fast: one generator; paper: the published method, for hours.")
    ] = "fast",
    save_model: Annotated[Path | None, typer.Option(help="Directory to keep the model in, to use it again.")] = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Enlarge a picture: learn it first, or take a model that did."""
    _refuse(out, force)
    if save_model is not None and not Path(source).is_file():
        raise ConfigError(f"{source} is a model already: leave out --save-model.")
    if save_model is not None and (save_model / CONFIG_FILE).exists() and not force:
        raise ConfigError(f"{save_model} holds a trained model: choose another one, or replace it with --force.")

    from singan import super_resolution_config, super_resolve
    from singan.image import load_image
    from singan.model import SinGAN
    from singan.tasks.super_resolution import check_enlarging
    from singan.training.loop import iter_train

    with _task("sr", as_json, {"factor": factor}) as result, noted(as_json) as notes:
        if not Path(source).is_file():
            model = SinGAN.from_pretrained(source)
        else:
            result["preset"] = preset
            photo = load_image(source)
            check_enlarging(photo.size, factor, detail, seed)
            checkpoint = None if save_model is None else save_model / "checkpoint"
            if checkpoint is not None and force:
                remove_checkpoint(checkpoint)
            started = checkpoint is not None and (checkpoint / STATE_FILE).exists()
            config = super_resolution_config(factor, photo.size, preset)
            try:
                events = iter_train(photo, config, seed=seed, checkpoint_dir=checkpoint, resume=started)
                last = show_silently(events) if as_json else show(events)
            except KeyboardInterrupt:
                kept = "nothing is kept" if checkpoint is None else "run the same command again to go on"
                raise Interrupted(f"Interrupted while learning the picture: {kept}.") from None
            assert last.model is not None  # the last event always carries the model
            model = last.model
            if save_model is not None and checkpoint is not None:
                model.save_pretrained(save_model)
                remove_checkpoint(checkpoint)
        image = super_resolve(model, factor, detail=detail, seed=seed)
    _save(result, [image], out, as_json, notes)


def harmonize(
    model: Model,
    composite: Annotated[Path, typer.Argument(help="The training image with something pasted in.")],
    out: Out,
    mask: Mask = None,
    scale: InjectionScale = "auto",
    seed: Seed = 0,
    no_voting: NoVoting = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make a pasted object look like part of the picture."""
    _inject("harmonize", model, out, scale, seed, no_voting, force, as_json, composite, mask)


def edit(
    model: Model,
    edited: Annotated[Path, typer.Argument(help="The training image, roughly edited.")],
    out: Out,
    mask: Annotated[Path, typer.Option(help="White where it was changed.")],
    scale: InjectionScale = "auto",
    seed: Seed = 0,
    no_voting: NoVoting = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make a roughly edited picture seamless."""
    _inject("edit", model, out, scale, seed, no_voting, force, as_json, edited, mask)


def paint2image(
    model: Model,
    painting: Annotated[Path, typer.Argument(help="Clip-art, a sketch or a painting.")],
    out: Out,
    scale: InjectionScale = "auto",
    size: Annotated[str | None, typer.Option(metavar="HxW", help="Height x width, as in 186x248.")] = None,
    colors: Annotated[int | None, typer.Option(help="Reduce it to a palette, and train on that; published: 5.")] = None,
    seed: Seed = 0,
    no_voting: NoVoting = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Turn a painting into a picture of the learned kind."""
    options = {"size": parse_size(size), "colors": colors}
    _inject("paint2image", model, out, scale, seed, no_voting, force, as_json, painting, **options)


def fill(
    source: Annotated[str, typer.Argument(metavar="PHOTO|MODEL", help="A photo, which needs no training, or a model.")],
    out: Annotated[Path, typer.Option(help="PNG file to write; several results are numbered by seed.")],
    mask: Annotated[Path | None, typer.Option(help="White where the picture is to be drawn anew.")] = None,
    extend: Annotated[
        str | None,
        typer.Option(metavar="20%", help="Grow the picture instead, on all sides or as top,right,bottom,left."),
    ] = None,
    n: Annotated[int, typer.Option("--n", help="Number of results, from as many seeds.")] = 1,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Fill a hole in a photo, remove a thing from it, or extend it beyond its border."""
    if (mask is None) == (extend is None):
        raise typer.BadParameter("give one of the two: --mask FILE or --extend 20%", param_hint="--mask")
    shares = None if extend is None else parse_shares(extend)
    _refuse(out, force, several=n > 1)

    import singan
    from singan.image import load_image
    from singan.model import SinGAN
    from singan.tasks.filling import draft_of

    with _task("fill", as_json) as result, noted(as_json) as notes, _bar(as_json) as on_event:
        loaded = draft_of(load_image(source)) if Path(source).is_file() else SinGAN.from_pretrained(source)
        if shares is None:
            assert mask is not None
            images = singan.fill(loaded, mask, n=n, seed=seed, on_event=on_event)
        else:
            images = singan.extend(loaded, **shares, n=n, seed=seed, on_event=on_event)
    _save(result, images, out, as_json, notes, number="seed")


def animate(
    model: Model,
    out: Annotated[Path, typer.Option(help="File to write: .webp, .gif or .mp4.")],
    frames: Annotated[int, typer.Option(help="Number of frames.")] = 100,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 10,
    size: Annotated[str | None, typer.Option(metavar="HxW", help="Height x width, as in 186x248.")] = None,
    start_scale: StartScale = 0,
    alpha: Annotated[float, typer.Option(help="Pull back to the photo, 0 to 1.")] = 0.1,
    beta: Annotated[float, typer.Option(help="Smoothness of the walk, 0 to .99.")] = 0.9,
    variation: Annotated[
        float | None, typer.Option(help="How far it goes from the photo, 0 to 1; 0.1, or as published for paper.")
    ] = None,
    loop: Annotated[bool, typer.Option(help="End where it began.")] = True,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Walk through the noise: a moving picture."""
    height_width = parse_size(size)
    loaded = _load(model, out, force, (".webp", ".gif", ".mp4"))

    from singan import animate

    with _task("animate", as_json) as result, noted(as_json) as notes, _bar(as_json) as on_event:
        animate(
            loaded,
            out,
            frames=frames,
            fps=fps,
            size=height_width,
            start_scale=start_scale,
            alpha=alpha,
            beta=beta,
            variation=variation,
            loop=loop,
            seed=seed,
            on_event=on_event,
        )
    result |= {"animation": str(out), "frames": frames, "fps": fps, "seed": seed, "warnings": notes}
    _report(result, [out], as_json)


def denoise(
    model: Model,
    out: Out,
    noisy: Annotated[Path | None, typer.Argument(help="The noisy picture; by default what the model learned.")] = None,
    scale: InjectionScale = "auto",
    times: Annotated[int, typer.Option(help="Inject the result again, so often in all.")] = 1,
    average: Annotated[bool, typer.Option("--average", help="One picture: the mean over the scales.")] = False,
    seed: Seed = 0,
    no_voting: NoVoting = False,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Remove noise, with a model of the picture or, better, of a clean one of its kind."""
    options = {"times": times, "average": average}
    _inject("denoise", model, out, scale, seed, no_voting, force, as_json, noisy, **options)


def retarget(
    model: Model,
    out: Out,
    width: Annotated[float, typer.Option(help="Times as wide.")] = 1.0,
    height: Annotated[float, typer.Option(help="Times as high.")] = 1.0,
    start_scale: StartScale = 0,
    variation: Variation = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make the picture wider or higher, with more of the same in it."""
    loaded = _load(model, out, force)

    from singan import retarget

    with _task("retarget", as_json, {"width": width, "height": height}) as result:
        variation = loaded.config.usual_variation if variation is None else variation
        options = {"start_scale": start_scale, "variation": variation, "seed": seed}
        image = retarget(loaded, width=width, height=height, start_scale=start_scale, variation=variation, seed=seed)[0]
        image.info.update(task="retarget", width=width, height=height, **options)
    _save(result, [image], out, as_json, [])


def variation(
    model: Model,
    out: Out,
    n: Annotated[int, typer.Option("--n", help="Number of samples.")] = 50,
    start_scale: StartScale = 0,
    variation: Variation = None,
    seed: Seed = 0,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Draw a heat map of how much each pixel varies from sample to sample."""
    loaded = _load(model, out, force)

    from singan import variation_map

    with _task("map", as_json) as result, _bar(as_json) as on_event:
        image = variation_map(loaded, n=n, start_scale=start_scale, variation=variation, seed=seed, on_event=on_event)
    _save(result, [image], out, as_json, [])


def parse_scale(text: str) -> Any:
    """ "auto", "all", or the list of scales in "2" or "2,4"."""
    if text in ("auto", "all"):
        return text
    if not re.fullmatch(r"\d{1,3}(,\d{1,3})*", text):
        raise typer.BadParameter(
            f"{text!r} is not a scale: give a number, several as 2,4, auto or all", param_hint="--scale"
        )
    return [int(part) for part in text.split(",")]


def parse_shares(text: str) -> dict[str, float]:
    """How much each side grows, from "20%" for all or "0,20%,0,20%" for top, right, bottom, left."""
    parts = [re.fullmatch(r"(\d{1,3}(?:\.\d+)?)%?", part.strip()) for part in text.split(",")]
    if len(parts) not in (1, 4) or not all(parts):
        raise typer.BadParameter(
            f"{text!r} is not a share: give one for all sides, as 20%, or top,right,bottom,left, as 0,20%,0,20%",
            param_hint="--extend",
        )
    shares = [float(part[1]) / 100 for part in parts if part]
    return dict(zip(("top", "right", "bottom", "left"), shares * 4 if len(shares) == 1 else shares, strict=True))


def _inject(
    task: str,
    model: str,
    out: Path,
    scale: str,
    seed: int,
    no_voting: bool,
    force: bool,
    as_json: bool,
    *pictures: Path | None,
    **options: Any,
) -> None:
    """Run a task whose picture enters the pyramid at some scale, and save what it gives."""
    scales = parse_scale(scale)
    loaded = _load(model, out, force, several=scale == "all" or "," in scale)

    import singan

    run: Any = singan.paint_to_image if task == "paint2image" else getattr(singan, task)
    options |= {"scale": scales, "seed": seed, "voting": False if no_voting else None}
    with _task(task, as_json) as result, noted(as_json) as notes, _bar(as_json) as on_event:
        images = run(loaded, *pictures, **options, on_event=on_event)
    _save(result, images, out, as_json, notes)


def _refuse(out: Path, force: bool, kinds: tuple[str, ...] = (".png",), *, several: bool = False) -> None:
    """Raise `ConfigError` if `out`, or one of `several` files named after it, is not to be written."""
    if out.suffix.lower() not in kinds:
        raise ConfigError(f"{out} must end in {' or '.join(kinds)}: choose such a name for --out.")
    names = re.compile(re.escape(out.stem) + (r"(-\d+)?" if several else "") + re.escape(out.suffix))
    there = [path for path in out.parent.glob("*") if names.fullmatch(path.name)]
    if there and (out.is_dir() or not force):
        cure = "choose a file" if out.is_dir() else "choose another --out, or replace it with --force"
        raise ConfigError(f"{min(there)} exists: {cure}.")


def _load(model: str, out: Path, force: bool, kinds: tuple[str, ...] = (".png",), *, several: bool = False) -> SinGAN:
    _refuse(out, force, kinds, several=several)

    from singan.model import SinGAN

    return SinGAN.from_pretrained(model)


@contextmanager
def _task(name: str, as_json: bool, settings: Mapping[str, object] | None = None) -> Iterator[dict[str, Any]]:
    """What --json prints of a task: its name and seconds, and what is added meanwhile."""
    result: dict[str, Any] = {"task": name, **(settings or {})}
    start = time.perf_counter()
    yield result
    result["seconds"] = round(time.perf_counter() - start, 3)


@contextmanager
def _bar(silent: bool) -> Iterator[Any]:
    """A progress bar, as an `on_event`."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    hidden = silent or not console.is_terminal
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True, disable=hidden) as progress:
        bar = progress.add_task("", total=None)

        def on_event(event: TaskEvent) -> None:
            progress.update(bar, description=event.unit, completed=event.done, total=event.total)

        yield on_event


def _save(
    result: dict[str, Any],
    images: list[Image.Image],
    out: Path,
    as_json: bool,
    notes: list[str],
    number: str = "scale",
) -> None:
    """Write one PNG, or one for each scale or other `number`, with the settings in them."""
    from singan.image import save_png

    paths = [out if len(images) == 1 else out.with_stem(f"{out.stem}-{image.info[number]}") for image in images]
    out.parent.mkdir(parents=True, exist_ok=True)
    for image, path in zip(images, paths, strict=True):
        save_png(image, path, image.info)
    result["images"] = [{"file": str(path), **image.info} for image, path in zip(images, paths, strict=True)]
    scales = {str(path): image.info.get("scale") for path, image in zip(paths, images, strict=True)}
    _report({**result, "warnings": notes}, paths, as_json, scales)


def _report(
    result: dict[str, Any], paths: list[Path], as_json: bool, scales: Mapping[str, object] | None = None
) -> None:
    if as_json:
        print_json({**result, "singan": __version__})
        return
    for path in map(str, paths):
        typer.echo(f"{path} (scale {scales[path]})" if scales and scales[path] is not None else path)


COMMANDS = {
    "sr": sr,
    "harmonize": harmonize,
    "edit": edit,
    "paint2image": paint2image,
    "fill": fill,
    "animate": animate,
    "denoise": denoise,
    "retarget": retarget,
    "map": variation,
}
