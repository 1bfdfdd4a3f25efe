"""The commands of the tasks: `singan sr`, `harmonize`, `fill`, `animate` and others."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from singan.cli.common import Model, Size, StartScale, Variation, last_of, parse_size, refuse_model, remove_checkpoint
from singan.cli.results import (
    Call,
    Injection,
    Voted,
    as_command,
    find_model,
    load_model,
    parse_shares,
    progress_bar,
    timed,
)
from singan.config import DETAIL
from singan.errors import CheckpointError, ConfigError, Interrupted
from singan.files import CHECKPOINT, STATE_FILE

if TYPE_CHECKING:
    from PIL import Image

    from singan.config import TrainConfig
    from singan.training.events import TrainEvent

Mask = Annotated[Path | None, typer.Option(help="White where something was pasted or changed.")]


@as_command
def sr(
    call: Call,
    source: Annotated[str, typer.Argument(help="The picture to enlarge, or a model that learned it.")],
    factor: Annotated[float, typer.Option(help="Enlargement, 1 to 8.")] = 4.0,
    detail: Annotated[
        float | None, typer.Option(help=f"0 is faithful and soft, 1 sharp and invented; {DETAIL}, or 1 for paper.")
    ] = None,
    preset: Annotated[
        Literal["fast", "paper"], typer.Option(help="fast: one generator; paper: the published method, for hours.")
    ] = "fast",
    save_model: Annotated[Path | None, typer.Option(help="Directory to keep the model in, to use it again.")] = None,
) -> None:
    """Enlarge a picture: learn it first, or take a model that did."""
    out = call.named(source, "sr")
    if save_model is not None and not Path(source).is_file():
        find_model(source)  # which says so if it is missing
        raise ConfigError(f"{source} is a model already: leave out --save-model.")
    if save_model is not None:
        refuse_model(save_model, call.force, "another one")

    from singan import super_resolution_config, super_resolve
    from singan.image import load_image
    from singan.tasks.super_resolution import check_enlarging

    with timed("sr", call.as_json, factor=factor) as result:
        if not Path(source).is_file():
            model = load_model(source)
        else:
            result["preset"] = preset
            photo = load_image(source)
            check_enlarging(photo.size, factor, detail, call.seed)
            checkpoint = None if save_model is None else save_model / CHECKPOINT
            config = super_resolution_config(factor, photo.size, preset)
            try:
                last = _learned(call, photo, config, checkpoint)
            except KeyboardInterrupt:
                kept = "nothing is kept" if checkpoint is None else "run the same command again to go on"
                raise Interrupted(f"Interrupted while learning the picture: {kept}.") from None
            assert last.model is not None  # the last event always carries the model
            model = last.model
            if save_model is not None and checkpoint is not None:
                model.save_pretrained(save_model)
                remove_checkpoint(checkpoint)
        image = super_resolve(model, factor, detail=detail, seed=call.seed)
    call.save(result, [image], out)


def _learned(call: Call, photo: Image.Image, config: TrainConfig, checkpoint: Path | None) -> TrainEvent:
    """The last event of learning the photo. A run that was broken off goes on; with --force one of another photo or
    other settings is removed."""
    from singan.training.loop import iter_train

    def learn(resume: bool) -> TrainEvent:
        events = iter_train(photo, config, seed=call.seed, checkpoint_dir=checkpoint, resume=resume)
        return last_of(events, call.as_json)

    started = checkpoint is not None and (checkpoint / STATE_FILE).exists()
    try:
        return learn(resume=started)
    except CheckpointError:
        if checkpoint is None or not started or not call.force:
            raise
    remove_checkpoint(checkpoint)
    return learn(resume=False)


@as_command
def harmonize(
    call: Voted,
    model: Model,
    composite: Annotated[Path, typer.Argument(help="The training image with something pasted in.")],
    mask: Mask = None,
    recolor: Annotated[
        float | None, typer.Option(help="How far it takes the picture's colours, 0 to 1; nearly all the way.")
    ] = None,
) -> None:
    """Make a pasted object look like part of the picture."""
    call.run("harmonize", model, composite, mask=mask, recolor=recolor)


@as_command
def edit(
    call: Voted,
    model: Model,
    edited: Annotated[Path, typer.Argument(help="The training image, roughly edited.")],
    mask: Annotated[Path, typer.Option(help="White where it was changed.")],
) -> None:
    """Make a roughly edited picture seamless."""
    call.run("edit", model, edited, mask=mask)


@as_command
def paint2image(
    call: Voted,
    model: Model,
    painting: Annotated[Path, typer.Argument(help="Clip-art, a sketch or a painting.")],
    size: Size = None,
    colors: Annotated[int | None, typer.Option(help="Reduce it to a palette, and train on that; published: 5.")] = None,
) -> None:
    """Turn a painting into a picture of the learned kind."""
    call.run("paint2image", model, painting, size=parse_size(size), colors=colors)


@as_command
def fill(
    call: Call,
    source: Annotated[str, typer.Argument(metavar="PHOTO|MODEL", help="A photo, which needs no training, or a model.")],
    mask: Annotated[Path | None, typer.Option(help="White where the picture is to be drawn anew.")] = None,
    extend: Annotated[
        str | None,
        typer.Option(metavar="20%", help="Grow the picture instead, on all sides or as top,right,bottom,left."),
    ] = None,
    n: Annotated[int, typer.Option("--n", help="Number of results, from as many seeds.")] = 1,
) -> None:
    """Fill a hole in a photo, remove a thing from it, or extend it beyond its border."""
    if (mask is None) == (extend is None):
        raise typer.BadParameter("give one of the two: --mask FILE or --extend 20%", param_hint="--mask")
    shares = None if extend is None else parse_shares(extend)
    out = call.named(source, "fill" if shares is None else "extend", several=n > 1)

    import singan

    with timed("fill", call.as_json) as result, progress_bar(call.as_json) as on_event:
        loaded = load_model(source)
        if shares is None:
            assert mask is not None
            images = singan.fill(loaded, mask, n=n, seed=call.seed, on_event=on_event)
        else:
            images = singan.extend(loaded, **shares, n=n, seed=call.seed, on_event=on_event)
    call.save(result, images, out, number="seed")


@as_command
def animate(
    call: Call,
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
    out: Annotated[
        Path | None, typer.Option(help="WebP, GIF or MP4 to write. By default NAME-animate.webp here.")
    ] = None,
) -> None:
    """Walk through the noise: a moving picture."""
    height_width, out = parse_size(size), call.named(model, "animate", (".webp", ".gif", ".mp4"))

    from singan import animate

    with timed("animate", call.as_json) as result, progress_bar(call.as_json) as on_event:
        walk: dict[str, Any] = {"alpha": alpha, "beta": beta, "variation": variation, "loop": loop, "seed": call.seed}
        walk |= {"frames": frames, "fps": fps, "size": height_width, "start_scale": start_scale}
        animate(load_model(model), out, **walk, on_event=on_event)
    result |= {"animation": str(out), "frames": frames, "fps": fps, "seed": call.seed}
    call.tell(result, out)


@as_command
def denoise(
    call: Voted,
    model: Model,
    noisy: Annotated[Path | None, typer.Argument(help="The noisy picture; by default what the model learned.")] = None,
    times: Annotated[int, typer.Option(help="Inject the result again, so often in all.")] = 1,
    average: Annotated[bool, typer.Option("--average", help="One picture: the mean over the scales.")] = False,
) -> None:
    """Remove noise, with a model of the picture or, better, of a clean one of its kind."""
    call.run("denoise", model, noisy, times=times, average=average)


@as_command
def retarget(
    call: Call,
    model: Model,
    width: Annotated[float, typer.Option(help="Times as wide.")] = 1.0,
    height: Annotated[float, typer.Option(help="Times as high.")] = 1.0,
    start_scale: StartScale = 0,
    variation: Variation = None,
) -> None:
    """Make the picture wider or higher, with more of the same in it, or narrower, with less."""
    out = call.named(model, "retarget")

    from singan import retarget

    with timed("retarget", call.as_json, width=width, height=height) as result:
        loaded = load_model(model)
        variation = loaded.config.usual_variation if variation is None else variation
        options: dict[str, Any] = {"width": width, "height": height, "start_scale": start_scale}
        options |= {"variation": variation, "seed": call.seed}
        (image,) = retarget(loaded, **options)
        image.info.update(task="retarget", **options)
    call.save(result, [image], out)


@as_command
def variation(
    call: Call,
    model: Model,
    n: Annotated[int, typer.Option("--n", help="Number of samples.")] = 50,
    start_scale: StartScale = 0,
    variation: Variation = None,
) -> None:
    """Draw a heat map of how much each pixel varies from sample to sample."""
    out = call.named(model, "map")

    from singan import variation_map

    with timed("map", call.as_json) as result, progress_bar(call.as_json) as on_event:
        options: dict[str, Any] = {"start_scale": start_scale, "variation": variation, "seed": call.seed}
        image = variation_map(load_model(model), n=n, **options, on_event=on_event)
    call.save(result, [image], out)


@as_command
def analogy(
    call: Injection,
    matter: Annotated[str, typer.Argument(metavar="MATTER", help="The photo, or a model, of what the result is of.")],
    layout: Annotated[Path, typer.Argument(help="The photo, drawing or word that says where.")],
    size: Size = None,
    invert: Annotated[bool, typer.Option("--invert", help="What is dark in the layout becomes light.")] = False,
) -> None:
    """Arrange what is in one picture as light and dark are in another."""
    call.run("analogy", matter, layout, size=parse_size(size), invert=invert)


@as_command
def style(
    call: Injection,
    content: Annotated[Path, typer.Argument(help="The photo that is drawn anew.")],
    style: Annotated[str, typer.Argument(metavar="STYLE", help="The picture, or a model, whose strokes it gets.")],
    size: Size = None,
) -> None:
    """Draw one picture in the colours and strokes of another."""
    call.run("style", style, content, size=parse_size(size))


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
