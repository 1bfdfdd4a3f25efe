"""Examples are computed once, and what they gave is kept for as long as it can be right."""

import os
import shutil
from pathlib import Path

import gradio as gr
import pytest

import singan
from singan.ui import animate, answers, build_app, uploads
from singan.ui.answers import Answers, served
from singan.ui.examples import ANSWERS
from singan.ui.frame import turns
from singan.ui.shelf import Shelf

# The tabs in their order, and the function of `singan` that each calls.
TASKS = ["super_resolution_config", "harmonize", "edit", "fill", "paint_to_image", "analogy", "animate", "denoise"]
CLICK = gr.SelectData(None, {"index": 0, "value": None})


@pytest.fixture(autouse=True)
def none_kept(monkeypatch):
    """No answers of other tests, and those of this one are given up."""
    monkeypatch.setattr(ANSWERS, "_answers", type(ANSWERS._answers)())
    monkeypatch.setattr(uploads, "_kept", set(uploads._kept))
    monkeypatch.setattr("singan.tasks.super_resolution.STEPS", 3)


@pytest.fixture
def own(pretrained, tmp_path):
    """Pyramids that a test may change."""
    return Path(shutil.copytree(pretrained, tmp_path / "pretrained"))


@pytest.fixture
def tabs(own, examples, monkeypatch):
    """By the function of a tab: what a click on an example calls, what runs it, and the settings of a new page."""
    monkeypatch.setattr(animate, "EXAMPLES", {"Moving": ("blue", 0.1, 0)})
    calls = build_app(own, examples).fns.values()
    opening = [call for call in calls if call.name == "load_example" and call.targets[0][1] == "select"]
    running = [call for call in calls if call.name == "run_example"]
    settings = [[one.value for one in call.inputs if not isinstance(one, gr.State)] for call in running]
    assert len(running) == len(TASKS)
    return {task: (opening[k], running[k], settings[k]) for k, task in enumerate(TASKS)}


def click(tab, shelf, settings):
    """What a click shows at once, by the outputs; and whether the example is still to be run."""
    call, _, _ = tab
    shown = call.fn(shelf, CLICK, *settings)
    return shown, shown[call.outputs[0]] is not None


def files(value):
    """The files in what a page is shown."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return [file for one in value for file in files(one)]
    return [value] if isinstance(value, str) and Path(value).suffix in (".png", ".webp") else []


@pytest.mark.parametrize("task", TASKS)
def test_second_click_computes_nothing_and_shows_the_same_and_other_settings_compute(
    tabs, own, examples, task, monkeypatch
):
    shelf, tab = Shelf(own), tabs[task]
    call, run, settings = tab
    shown, to_run = click(tab, shelf, settings)
    assert to_run
    *_, last = run.fn(shelf, 0, *settings)

    def not_again(*args, **options):
        raise AssertionError("computed again")

    monkeypatch.setattr(singan, task, not_again)
    again, to_run = click(tab, shelf, settings)
    assert not to_run and set(shown) <= set(again)
    for component, value in zip(run.outputs, last, strict=True):
        if value != gr.skip() and not files(value):
            assert again[component] == value
    results = [file for one in run.outputs for file in files(again.get(one))]
    assert results and all(Path(file).exists() for file in results)
    assert [Path(file).name for file in results] == [Path(file).name for file in files(last)]
    assert set(map(Path, results)) <= uploads._kept
    assert list(run.fn(shelf, None, *settings)) == [(gr.skip(),) * len(run.outputs)]
    for k in range(len(settings)):
        changed = list(settings)
        changed[k] = not changed[k] if isinstance(changed[k], bool) else "2" if changed[k] == "auto" else changed[k]
        if isinstance(changed[k], (int, float)) and not isinstance(changed[k], bool):
            changed[k] += 1
        if call.outputs and run.inputs[k + 2] not in shown:  # else the example has its own
            assert changed == settings or click(tab, shelf, changed)[1]


def test_new_model_or_example_is_another_one(tabs, own, examples):
    shelf, tab = Shelf(own), tabs["edit"]
    _, run, settings = tab
    list(run.fn(shelf, 0, *settings))
    assert not click(tab, shelf, settings)[1]
    for file in (
        own / "blue" / "model.safetensors",
        examples / "edit" / "blue.png",
        examples / "edit" / "blue.mask.png",
    ):
        before = file.stat()
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
        assert click(tab, shelf, settings)[1]
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert not click(tab, shelf, settings)[1]


def test_random_seed_and_run_that_was_broken_off_are_not_kept(tabs, own, monkeypatch):
    shelf, (_, run, (seed, _, *rest)) = Shelf(own), tabs["denoise"]
    list(run.fn(shelf, 0, seed, True, *rest))
    list(run.fn(shelf, 0, None, False, *rest))
    with monkeypatch.context() as broken_off:
        broken_off.setattr(turns, "is_stale", lambda run: True)
        list(run.fn(shelf, 0, seed, False, *rest))
    with pytest.raises(gr.Error):
        list(run.fn(shelf, 0, -1, False, *rest))
    assert not ANSWERS._answers


def test_last_used_ones_are_kept_with_their_files(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "_scratch_base", lambda: tmp_path)
    names = []
    for k in range(3):
        (tmp_path / f"{k}.png").write_bytes(bytes([k]))
        names.append(str(tmp_path / f"{k}.png"))
    kept, before = Answers(most=2), len(uploads._kept)
    kept.put("a", served(("text", {"value": (names[0], names[1])})))
    kept.put("b", served(([names[1]],)))
    assert len(uploads._kept) == before + 2
    assert kept.get("a")[0] == "text" and kept.get("c") is None
    kept.put("c", served((names[2],)))
    assert kept.get("b") is None and len(uploads._kept) == before + 3  # "a" was used since, and has its file too
    kept.put("d", ())
    assert kept.get("a") is None and len(uploads._kept) == before + 1
    os.remove(kept.get("c")[0])  # as an app does that shares the folder and needs room
    assert kept.get("c") is None and kept.get("d") == () and len(uploads._kept) == before
    assert answers.MAX_ANSWERS >= 16
