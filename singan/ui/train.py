"""The tab Train: learn a photo while the visitor watches."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from singan.config import TrainConfig
from singan.errors import CheckpointError, ImageError
from singan.ui.examples import build_examples, pictures_in
from singan.ui.frame import PRIVATE, SILENT, build_buttons, wire_buttons
from singan.ui.look import run_status
from singan.ui.photo import draft, take
from singan.ui.runs import Run, Runs
from singan.ui.shelf import KEEP_SECONDS, LONG, Shelf, plain_name
from singan.ui.toasts import toasts
from singan.ui.top import Top, mark, mark_new
from singan.ui.uploads import scratch
from singan.ui.watching import View, run_result, watch_run
from singan.ui.work import MAX_SEED

PREVIEW_SIDE = 512  # of the photo that is shown

HINT = "Upload a photo, then press Train; or click the example."
READY = "Press Train to learn"

RUNS = Runs(KEEP_SECONDS)
NO_TRAINING = """
### Training is switched off here

A photo of yours works without it: upload it above, and all tabs draw from it at once. You can also load a model that
was trained elsewhere: open *Load or share a model* below. To train, duplicate this Space, or run the app on your own
machine, where a photo takes ten seconds on an ordinary CPU:

```
pip install -r requirements.txt && python app.py
```
"""


def build(back: Any, top: Top, tabs: gr.Tabs, run_id: gr.BrowserState, examples: Path) -> None:
    """Make the tab. A run that is done, or stopped, puts its pyramid on the shelf, and chooses it if no other one was
    chosen since it began.

    `back`: the event that brings back what the page had. `examples`: a folder of photos to train with one click.
    `run_id` is where the browser keeps the id of its last run: a page that is opened again asks for it.
    """
    pictures = pictures_in(examples)
    with gr.Row(equal_height=False):
        with gr.Column(scale=1, min_width=260):
            photo, *settings = _build_settings()
            train_button, stop_button = build_buttons("Train")
            resume_button = gr.Button("Resume", visible=False)
            download = gr.DownloadButton("Download model", visible=False)
            sample_button = gr.Button("Sample from it", visible=False)
        with gr.Column(scale=3, min_width=320):
            status, now, curves, scales = _build_watch()
            gallery = build_examples(pictures)

    def load_example(shelf: Shelf, event: gr.SelectData) -> tuple[Shelf, str]:
        return draft(shelf, str(pictures[event.index]))

    made = gr.Textbox(label="Pyramid", visible=False)  # by the run
    begun = gr.Textbox(visible=False)  # the chosen pyramid when it began
    view = View(
        status, now, scales, curves, run_id, train_button, stop_button, resume_button, download, sample_button,
        top.shelf, made, top.pictures,
    )  # fmt: skip
    inputs = [top.shelf, top.name, photo, *settings]
    take(top, photo, **PRIVATE).success(
        lambda: None, None, photo, queue=False, **PRIVATE
    )  # what is trained next is the chosen draft
    of_run = [scales, curves, resume_button, download, sample_button]
    top.here.change(look, [top.shelf, top.name, status, made, run_id], [status, now, photo, *of_run], **SILENT)
    wiring: dict[str, Any] = {"outputs": list(view), **LONG, "show_progress": "minimal", "show_progress_on": status}
    opened = gallery.select(load_example, top.shelf, [top.shelf, top.name], **PRIVATE)
    for begins in (train_button.click, resume_button.click, opened.success):  # first: the page waits for what runs
        begins(None, top.name, begun, js="name => name", **PRIVATE)
    run = train_button.click(train, inputs, **wiring, api_name="train")
    again = resume_button.click(resume, [top.shelf, run_id], **wiring, api_name="resume")
    opened.success(mark_new, [top.shelf, top.name], top.pictures, **SILENT)
    example = opened.success(train, [top.shelf, top.name, gr.State(None), *settings], **wiring, **PRIVATE)
    wire_buttons(train_button, stop_button, [run, again, example])
    for ended in (run, again, example):
        ended.then(arrived, [top.shelf, made, top.name, begun], [top.name, top.renewed, top.pictures], **SILENT)
    stop_button.click(stop, run_id, stop_button, queue=False, api_name="stop")
    taken = sample_button.click(choose, [top.shelf, made], [top.name, top.pictures], queue=False, **PRIVATE)
    taken.success(lambda: gr.Tabs(selected="sample"), None, tabs, queue=False, **PRIVATE)
    back.then(reopen, [top.shelf, top.name, run_id], list(view), **SILENT)


def _build_settings() -> list[Any]:
    """The inputs of `train`, in their order."""
    photo = gr.File(label="Photo", height=140, elem_id="photo")
    photo_size = gr.Slider(
        256, 2048, 1024, step=64, label="Photo kept at (px)", info="Its longest side: samples have this size."
    )
    with gr.Accordion("Advanced", open=False):
        seed = gr.Number(0, label="Seed", precision=0, minimum=0, maximum=MAX_SEED)
        steps = gr.Number(None, label="Steps per scale", info="Empty: as many as it takes.", precision=0, minimum=1)
        paper = gr.Checkbox(
            False,
            label="Method of the paper",
            info="Published constants, at 250 px, for comparisons. Takes hours on a CPU.",
        )
    return [photo, photo_size, seed, steps, paper]


def _build_watch() -> list[Any]:
    """What a run is watched in: status, the newest sample, curves, the finished scales."""
    status = gr.HTML(run_status(HINT, None, []), container=True, padding=True, elem_id="status")
    now = gr.Image(
        label="The photo, then what is learned of it",
        format="png",
        interactive=False,
        height=320,
        buttons=["fullscreen"],
        elem_id="now",
    )
    curves = gr.HTML(container=True, padding=True, visible=False)
    scales = gr.Gallery(
        label="Finished scales",
        format="png",
        columns=6,
        visible=False,
        buttons=["download", "fullscreen"],
        interactive=False,
        elem_id="scales",
        elem_classes="grow",
    )
    return [status, now, curves, scales]


def look(shelf: Shelf, pyramid: str, said: str, made: str, run_id: str | None = None) -> tuple[Any, ...]:
    """Show the photo of a chosen draft, which can be trained, in place of a file that was given here and of what there
    is of a run that `made` another one, or of the last run, if that is of another one; of another pyramid nothing is
    said."""
    if shelf.is_draft(pyramid):
        picture = shelf.load(pyramid).training_image
        text = f"{READY} {pyramid!r}: {picture.width}x{picture.height} px."
        picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE), Image.Resampling.LANCZOS)
        run = RUNS.get(run_id)
        if pyramid != (made or (run.name if run else "")):
            of_run = [False] * 5
        elif run:
            resumable = run.state.exists() and not run.busy.locked()
            of_run = [bool(run.scales), bool(run.scales), resumable, bool(made), bool(made)]
        else:
            return run_status(text, None, []), picture, None, *(gr.skip(),) * 5
        return run_status(text, None, []), picture, None, *(gr.update(visible=seen) for seen in of_run)
    said_now = (run_status(HINT, None, []), None) if READY in said else (gr.skip(), gr.skip())
    return *said_now, *(gr.skip(),) * 6


def choose(shelf: Shelf, made: str) -> tuple[str, dict]:
    """What the last run made, and its picture marked."""
    with toasts():
        shelf.load(made)
        return made, mark(shelf, made)


def arrived(shelf: Shelf, made: str, pyramid: str, begun: str) -> tuple[Any, ...]:
    """What is chosen when a run has ended: what it `made`, if there is anything and the chosen one is still that with
    which it had `begun`; then all is drawn anew if that has the same name."""
    if not made or pyramid not in (begun, made):
        return gr.skip(), gr.skip(), mark(shelf, pyramid)
    return made, secrets.token_hex(8) if made == pyramid else gr.skip(), mark(shelf, made)


def train(
    shelf: Shelf,
    pyramid: str = "",
    photo: str | None = None,
    photo_size: int = 1024,
    seed: int | None = 0,
    steps: int | None = None,
    paper: bool = False,
) -> Iterator[View]:
    """Learn one photo, in some ten seconds. Streams a status line, previews and loss curves; ends with the model as a
    zip file.

    Parameters:
        pyramid: name of a pyramid of this session, of which the trained one replaces a draft; used if there is no photo
        photo: the file of the photo
        photo_size: longest side at which the photo is kept, and samples come, in pixels
        seed: seed of all randomness
        steps: training steps per scale; empty: as many as it takes
        paper: the published method instead; takes hours
    """
    with toasts(), scratch() as folder:  # the run has its copy
        if photo is not None:
            files, name, shares = [Path(photo)], plain_name(Path(photo).stem), None
        elif pyramid in shelf.own:
            files, name, shares = _photos_of(shelf, pyramid, Path(folder)), pyramid, shelf.load(pyramid).shares or None
        else:
            raise ImageError("There is no photo yet: upload one first.")
        chosen: dict[str, Any] = {"photo_size": photo_size} | ({"steps": steps} if steps else {})
        config = TrainConfig.preset("paper" if paper else "fast", **chosen)
        run = RUNS.start(files, name, config, seed or 0, shares)
    with toasts():
        yield from _watch(run, shelf)


def _photos_of(shelf: Shelf, pyramid: str, folder: Path) -> list[Path]:
    """The files that a draft was made of, or its photos written to some in `folder`."""
    files = shelf.photos.get(pyramid, [])
    if files and all(file.exists() for file in files):
        return files
    model = shelf.load(pyramid)
    kept = [model.photo, *model.others]
    files = [folder / f"{pyramid}-{number}.png" for number in range(len(kept))]
    for file, photo in zip(files, kept, strict=True):
        Image.fromarray(photo.cpu().numpy()).save(file)
    return files


def resume(shelf: Shelf, run_id: str | None) -> Iterator[View]:
    """Go on with a run that was stopped, or whose page was closed. Streams what `train` streams.

    Parameters:
        run_id: what `train` gave for the run
    """
    with toasts():
        run = RUNS.get(run_id)
        if run is None or not run.state.exists():
            raise CheckpointError("There is no run to resume: it is finished, or was dropped after an hour.")
        yield from _watch(run, shelf)


def reopen(shelf: Shelf, pyramid: str, run_id: str | None) -> View:
    """Show a page that comes back what became of its run. Its model goes on the shelf, if it is not there; `pyramid`
    stays the chosen one."""
    run = RUNS.get(run_id)
    if run is None:
        return View()
    with toasts(), RUNS.use(run):
        view = run_result(run, shelf, f"Your last run: {run.status.rstrip('.')}.", [])
        if view.shelf is shelf:
            view = view._replace(shelf=gr.skip(), pictures=gr.skip())
        elif isinstance(view.shelf, Shelf):
            view = view._replace(pictures={**mark(view.shelf, pyramid), "value": view.pictures})
    return view._replace(now=run.scales[-1][0]) if run.scales else view


def stop(run_id: str | None) -> dict:
    """Let a run end after its current step. It keeps the finished scales and can be resumed.

    Parameters:
        run_id: what `train` gave for the run
    """
    run = RUNS.get(run_id)
    if run is not None:
        run.stop.set()
    return gr.update(interactive=False)


def _watch(run: Run, shelf: Shelf) -> Iterator[View]:
    with RUNS.use(run):
        yield from watch_run(run, shelf)
