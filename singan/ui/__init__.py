"""The app that `app.py` starts: one pyramid chosen at the top, and a tab for each thing to do with it.

One file a tab, each a `build` that makes the widgets and the handlers it wires to them. Handlers are plain
functions: typed and documented, because the API page is made from that.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from singan.files import bundled
from singan.limits import Limits
from singan.ui import (
    animate,
    denoise,
    edit,
    enlarge,
    fill,
    harmonize,
    kept,
    mix,
    models,
    paint,
    photo,
    sample,
    second_picture,
    train,
    variation,
)
from singan.ui.calls import answer_in_time, answer_plainly, leave_apart, tell_sizes, tell_strange
from singan.ui.chain import wire_chain
from singan.ui.frame import PRIVATE
from singan.ui.look import CSS, INTRO, NAMES, THEME
from singan.ui.memory import keep_trimmed, share_heap
from singan.ui.page import Packed
from singan.ui.places import MAX_PLACES, share
from singan.ui.shelf import Shelf
from singan.ui.top import build_top
from singan.ui.uploads import Bounded, folder_of_uploads, keep, keep_swept

EXAMPLES = bundled("examples")

LAUNCH: dict[str, Any] = {
    "app_kwargs": {"middleware": [Middleware(Bounded, folder=folder_of_uploads()), Middleware(Packed)]},
    "theme": THEME,
    "css": CSS,
    "head": NAMES,
    "allowed_paths": [str(EXAMPLES)],  # else gradio shows them only to an app started above them
    "max_file_size": "20mb",
    "run_history": False,  # photos are private
    "enable_monitoring": False,
    "footer_links": ["api"],
    "ssr_mode": False,
    "state_session_capacity": 200,  # gradio's own 10,000 sessions take gigabytes before the first is dropped
}


def build_app(pretrained_dir: str | Path, examples: Path = EXAMPLES) -> gr.Blocks:
    """The app, serving the pyramids in the directories under `pretrained_dir`; launch it with `**LAUNCH`.

    What a visitor may ask for is read from the environment; raises `ConfigError` if that is wrong.
    """
    share_heap()
    keep_trimmed()
    keep_swept(folder_of_uploads())  # first: of a file that is there already the page makes no new one
    shelf = Shelf(Path(pretrained_dir), Limits.from_environment(os.environ))
    with gr.Blocks(title="SinGAN", analytics_enabled=False) as demo:
        gr.HTML(INTRO)
        top = build_top(shelf)
        photo.build(top)
        back = kept.build(demo, top)
        run_id = gr.BrowserState()  # of the last training run; in a tab it would be empty until that is opened
        with gr.Tabs() as tabs:
            with gr.Tab("Sample", id="sample"):
                chain, first = sample.build(demo, top, back)
                chains = [chain]
                variation.build(top)
            with gr.Tab("Super-resolution", id="super-resolution"):
                chain, small = enlarge.build(top, examples / "super-resolution")
                chains.append(chain)
            with gr.Tab("Harmonize", id="harmonize"):
                chains.append(harmonize.build(top, examples / "harmonize"))
            with gr.Tab("Edit", id="edit"):
                chains.append(edit.build(top, examples / "edit"))
            with gr.Tab("Fill", id="fill"):
                chains.append(fill.build(top, examples / "fill"))
            with gr.Tab("Paint to image", id="paint"):
                chains.append(paint.build(top, examples / "paint"))
            with gr.Tab("Second picture", id="second-picture"):
                chains.append(second_picture.build(top, examples / "second-picture"))
            with gr.Tab("Animate", id="animate"):
                chains.append(animate.build(top))
            with gr.Tab("Denoise", id="denoise"):
                chains.append(denoise.build(top, examples / "denoise"))
            with gr.Tab("Train", id="train"):
                if shelf.limits.allow_training:
                    train.build(back, top, tabs, run_id, examples / "train")
                    top.said.click(lambda: gr.Tabs(selected="train"), None, tabs, queue=False, **PRIVATE)
                else:
                    gr.Markdown(train.NO_TRAINING)
        models.build(top)
        mix.build(top)
        top.wire(tabs.children)
        for chain in chains:
            wire_chain(chain, top, tabs, small)
    keep(file for block in demo.blocks.values() for file in block.keep_in_cache)  # the pictures to click
    # Closed: a call that passes the queue would be computed beside all others.
    answer_plainly(answer_in_time(tell_sizes(tell_strange(leave_apart(demo)))))
    first.start(demo)
    return share(demo.queue(default_concurrency_limit=1, max_size=MAX_PLACES, api_open=False))
