"""The commands of the tasks: `singan sr`, `harmonize`, `fill`, `animate` and others."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from singan.cli.common import (
    AsJson,
    Force,
    Model,
    Seed,
    Size,
    StartScale,
    Variation,
    last_of,
    parse_size,
    refuse_model,
    remove_checkpoint,
)
from singan.cli.results import (
    find_model,
    load_model,
    named,
    parse_scale,
    parse_shares,
    progress_bar,
    report,
    save_results,
    timed,
)
from singan.config import DETAIL
from singan.errors import ConfigError, Interrupted
from singan.files import CHECKPOINT, STATE_FILE

Out = Annotated[
    Path | None,
    typer.Option(help="PNG, JPEG or WebP to write; several are numbered by scale. By default NAME-TASK.png here."),
]
Scale = Annotated[
    str, typer.Option(metavar="K|auto", help="Injection scale: 1 (free) to the finest, several as 2,4, auto, all.")
]
NoVoting = Annotated[bool, typer.Option("--no-voting", help="Leave patch voting out, as published.")]
Mask = Annotated[Path | None, typer.Option(help="White where something was pasted or changed.")]


def sr(
    source: Annotated[str, typer.Argument(help="The picture to enlarge, or a model that learned it.")],
    factor: Annotated[float, typer.Option(help="Enlargement, 1 to 8.")] = 4.0,
    detail: Annotated[
        float | None, typer.Option(help=f"0 is faithful and soft, 1 sharp and invented; {DETAIL}, or 1 for paper.")
    ] = None,
    preset: Annotated[
        Literal["fast", "paper"], typer.Option(help="fast: one generator; paper: the published method, for hours.")
    ] = "fast",
    save_model: Annotated[Path | None, typer.Option(help="Directory to keep the model in, to use it again.")] = None,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Enlarge a picture: learn it first, or take a model that did."""
    out = named(out, source, "sr", force)
    if save_model is not None and not Path(source).is_file():
        find_model(source)  # which says so if it is missing
        raise ConfigError(f"{source} is a model already: leave out --save-model.")
    if save_model is not None:
        refuse_model(save_model, force, "another one")

    from singan import super_resolution_config, super_resolve
    from singan.image import load_image
    from singan.tasks.super_resolution import check_enlarging
    from singan.training.loop import iter_train

    with timed("sr", as_json, factor=factor) as result:
        if not Path(source).is_file():
            model = load_model(source)
        else:
            result["preset"] = preset
            photo = load_image(source)
            check_enlarging(photo.size, factor, detail, seed)
            checkpoint = None if save_model is None else save_model / CHECKPOINT
            if checkpoint is not None and force:
                remove_checkpoint(checkpoint)
            started = checkpoint is not None and (checkpoint / STATE_FILE).exists()
            config = super_resolution_config(factor, photo.size, preset)
            try:
                events = iter_train(photo, config, seed=seed, checkpoint_dir=checkpoint, resume=started)
                last = last_of(events, as_json)
            except KeyboardInterrupt:
                kept = "nothing is kept" if checkpoint is None else "run the same command again to go on"
                raise Interrupted(f"Interrupted while learning the picture: {kept}.") from None
            assert last.model is not None  # the last event always carries the model
            model = last.model
            if save_model is not None and checkpoint is not None:
                model.save_pretrained(save_model)
                remove_checkpoint(checkpoint)
        image = super_resolve(model, factor, detail=detail, seed=seed)
    save_results(result, [image], out, as_json)


def harmonize(
    model: Model,
    composite: Annotated[Path, typer.Argument(help="The training image with something pasted in.")],
    mask: Mask = None,
    scale: Scale = "auto",
    seed: Seed = 0,
    no_voting: NoVoting = False,
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make a pasted object look like part of the picture."""
    options = {"mask": mask, "voting": False if no_voting else None}
    _inject("harmonize", model, composite, scale, seed, out, force, as_json, **options)


def edit(
    model: Model,
    edited: Annotated[Path, typer.Argument(help="The training image, roughly edited.")],
    mask: Annotated[Path, typer.Option(help="White where it was changed.")],
    scale: Scale = "auto",
    seed: Seed = 0,
    no_voting: NoVoting = False,
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make a roughly edited picture seamless."""
    options = {"mask": mask, "voting": False if no_voting else None}
    _inject("edit", model, edited, scale, seed, out, force, as_json, **options)


def paint2image(
    model: Model,
    painting: Annotated[Path, typer.Argument(help="Clip-art, a sketch or a painting.")],
    scale: Scale = "auto",
    size: Size = None,
    colors: Annotated[int | None, typer.Option(help="Reduce it to a palette, and train on that; published: 5.")] = None,
    seed: Seed = 0,
    no_voting: NoVoting = False,
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Turn a painting into a picture of the learned kind."""
    options = {"size": parse_size(size), "colors": colors, "voting": False if no_voting else None}
    _inject("paint2image", model, painting, scale, seed, out, force, as_json, **options)


def fill(
    source: Annotated[str, typer.Argument(metavar="PHOTO|MODEL", help="A photo, which needs no training, or a model.")],
    mask: Annotated[Path | None, typer.Option(help="White where the picture is to be drawn anew.")] = None,
    extend: Annotated[
        str | None,
        typer.Option(metavar="20%", help="Grow the picture instead, on all sides or as top,right,bottom,left."),
    ] = None,
    n: Annotated[int, typer.Option("--n", help="Number of results, from as many seeds.")] = 1,
    seed: Seed = 0,
    out: Annotated[
        Path | None,
        typer.Option(help="PNG, JPEG or WebP to write; several are numbered by seed. By default NAME-fill.png here."),
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Fill a hole in a photo, remove a thing from it, or extend it beyond its border."""
    if (mask is None) == (extend is None):
        raise typer.BadParameter("give one of the two: --mask FILE or --extend 20%", param_hint="--mask")
    shares = None if extend is None else parse_shares(extend)
    out = named(out, source, "fill" if shares is None else "extend", force, several=n > 1)

    import singan

    with timed("fill", as_json) as result, progress_bar(as_json) as on_event:
        loaded = load_model(source)
        if shares is None:
            assert mask is not None
            images = singan.fill(loaded, mask, n=n, seed=seed, on_event=on_event)
        else:
            images = singan.extend(loaded, **shares, n=n, seed=seed, on_event=on_event)
    save_results(result, images, out, as_json, number="seed")


def animate(
    model: Model,
    frames: Annotated[int, typer.Option(help="Number of frames.")] = 100,
    fps: Annotated[float, typer.Option(help="Frames a second.")] = 10,
    size: Size = None,
    start_scale: StartScale = 0,
    alpha: Annotated[float, typer.Option(help="Pull back to the photo, 0 to 1.")] = 0.1,
    beta: Annotated[float, typer.Option(help="Smoothness of the walk, 0 to .99.")] = 0.9,
    variation: Annotated[
        float | None, typer.Option(help="How far it goes from the photo, 0 to 1; 0.1, or as published for paper.")
    ] = None,
    loop: Annotated[bool, typer.Option(help="End where it began.")] = True,
    seed: Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="WebP, GIF or MP4 to write. By default NAME-animate.webp here.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Walk through the noise: a moving picture."""
    height_width, out = parse_size(size), named(out, model, "animate", force, (".webp", ".gif", ".mp4"))

    from singan import animate

    loaded = load_model(model)
    with timed("animate", as_json) as result, progress_bar(as_json) as on_event:
        walk: dict[str, Any] = {"alpha": alpha, "beta": beta, "variation": variation, "loop": loop, "seed": seed}
        walk |= {"frames": frames, "fps": fps, "size": height_width, "start_scale": start_scale}
        animate(loaded, out, **walk, on_event=on_event)
    result |= {"animation": str(out), "frames": frames, "fps": fps, "seed": seed}
    report(result, [out], as_json)


def denoise(
    model: Model,
    noisy: Annotated[Path | None, typer.Argument(help="The noisy picture; by default what the model learned.")] = None,
    scale: Scale = "auto",
    times: Annotated[int, typer.Option(help="Inject the result again, so often in all.")] = 1,
    average: Annotated[bool, typer.Option("--average", help="One picture: the mean over the scales.")] = False,
    seed: Seed = 0,
    no_voting: NoVoting = False,
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Remove noise, with a model of the picture or, better, of a clean one of its kind."""
    options = {"times": times, "average": average, "voting": False if no_voting else None}
    _inject("denoise", model, noisy, scale, seed, out, force, as_json, **options)


def retarget(
    model: Model,
    width: Annotated[float, typer.Option(help="Times as wide.")] = 1.0,
    height: Annotated[float, typer.Option(help="Times as high.")] = 1.0,
    start_scale: StartScale = 0,
    variation: Variation = None,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Make the picture wider or higher, with more of the same in it."""
    out = named(out, model, "retarget", force)

    from singan import retarget

    loaded = load_model(model)
    with timed("retarget", as_json, width=width, height=height) as result:
        variation = loaded.config.usual_variation if variation is None else variation
        options: dict[str, Any] = {"width": width, "height": height, "start_scale": start_scale}
        options |= {"variation": variation, "seed": seed}
        (image,) = retarget(loaded, **options)
        image.info.update(task="retarget", **options)
    save_results(result, [image], out, as_json)


def variation(
    model: Model,
    n: Annotated[int, typer.Option("--n", help="Number of samples.")] = 50,
    start_scale: StartScale = 0,
    variation: Variation = None,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Draw a heat map of how much each pixel varies from sample to sample."""
    out = named(out, model, "map", force)

    from singan import variation_map

    loaded = load_model(model)
    with timed("map", as_json) as result, progress_bar(as_json) as on_event:
        image = variation_map(loaded, n=n, start_scale=start_scale, variation=variation, seed=seed, on_event=on_event)
    save_results(result, [image], out, as_json)


def analogy(
    matter: Annotated[str, typer.Argument(metavar="MATTER", help="The photo, or a model, of what the result is of.")],
    layout: Annotated[Path, typer.Argument(help="The photo, drawing or word that says where.")],
    scale: Scale = "auto",
    size: Size = None,
    invert: Annotated[bool, typer.Option("--invert", help="What is dark in the layout becomes light.")] = False,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Arrange what is in one picture as light and dark are in another."""
    options = {"size": parse_size(size), "invert": invert}
    _inject("analogy", matter, layout, scale, seed, out, force, as_json, **options)


def style(
    content: Annotated[Path, typer.Argument(help="The photo that is drawn anew.")],
    style: Annotated[str, typer.Argument(metavar="STYLE", help="The picture, or a model, whose strokes it gets.")],
    scale: Scale = "auto",
    size: Size = None,
    seed: Seed = 0,
    out: Out = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Draw one picture in the colours and strokes of another."""
    _inject("style", style, content, scale, seed, out, force, as_json, size=parse_size(size))


def _inject(
    task: str,
    source: str,
    picture: Path | None,
    scale: str,
    seed: int,
    out: Path | None,
    force: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Run a task whose `picture` enters the pyramid of the model `source` at some scale, and save what it gives."""
    options |= {"scale": parse_scale(scale), "seed": seed}
    out = named(out, picture or source, task, force, several=scale == "all" or "," in scale)

    import singan

    with timed(task, as_json) as result, progress_bar(as_json) as on_event:
        options["on_event"], pair = on_event, (load_model(source), picture)
        run: Any = getattr(singan, {"paint2image": "paint_to_image", "style": "stylize"}.get(task, task))
        images = run(*(pair[::-1] if task == "style" else pair), **options)
    save_results(result, images, out, as_json)


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
    "analogy": analogy,
    "style": style,
}
EXAMPLES = {
    "sr": "singan sr small.jpg --factor 4",
    "harmonize": "singan harmonize photo.jpg pasted.png --mask mask.png",
    "edit": "singan edit photo.jpg edited.png --mask mask.png",
    "paint2image": "singan paint2image tea-gardens sketch.png",
    "fill": "singan fill photo.jpg --mask hole.png, or --extend 20%",
    "animate": "singan animate waves --variation 0.3",
    "denoise": "singan denoise skyline noisy.png",
    "retarget": "singan retarget skyline --width 2",
    "map": "singan map skyline",
    "analogy": "singan analogy spices layout.jpg",
    "style": "singan style photo.jpg painting.jpg",
}
