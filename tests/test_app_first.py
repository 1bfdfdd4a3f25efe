"""The samples that a new page has: drawn once, and the same for all visitors."""

import json
import re
import threading
from types import SimpleNamespace
from unittest.mock import Mock

import gradio as gr
import httpx
import pytest

from singan.image import save_image
from singan.storage import hub
from singan.ui.first import First
from singan.ui.shelf import FIRST, Shelf

NO_LINK = SimpleNamespace(query_params={})
LINK = SimpleNamespace(query_params={"model": "blue", "seed": "7", "variation": "0.3", "number": "2"})


@pytest.fixture
def shelf(pretrained):
    return Shelf(pretrained)


@pytest.fixture
def moments(photo, tmp_path):
    """What gives three pictures, the second of them when its `go_on` is set."""

    class Moments:
        def __init__(self):
            self.go_on, self.calls = threading.Event(), 0

        def __call__(self):
            self.calls += 1
            pictures = []
            for k in range(3):
                if k:
                    assert self.go_on.wait(20)
                picture = photo.copy()
                picture.putpixel((0, 0), (k, 0, 0))
                save_image(picture, tmp_path / f"{k}.png", {"seed": k})
                pictures.append((str(tmp_path / f"{k}.png"), f"seed {k}"))
                yield list(pictures), 0

    return Moments()


@pytest.fixture
def begun(moments):
    with gr.Blocks() as demo:
        first = First(gr.Gallery(type="filepath", format="png"), moments)
    first.start(demo)
    return first, demo


def in_page(demo):
    """The captions of the gallery in the page itself."""
    (gallery,) = (one for one in demo.config["components"] if one["type"] == "gallery")
    return [one["caption"] for one in gallery["props"]["value"] or []]


def test_early_page_sees_them_come_and_a_late_one_has_them(shelf, begun, moments):
    first, demo = begun
    page = first.open_page(shelf, None, NO_LINK)
    assert next(page) == gr.skip()
    seen = next(page)
    while not seen:
        seen = next(page)
    assert [caption for _, caption in seen] == ["seed 0"] and in_page(demo) == []
    moments.go_on.set()
    *_, last = page
    assert [caption for _, caption in last] == ["seed 0", "seed 1", "seed 2"]
    assert in_page(demo) == ["seed 0", "seed 1", "seed 2"]
    assert list(first.open_page(shelf, last, NO_LINK)) == [gr.skip()] and moments.calls == 1


def test_page_that_is_opened_by_a_link_sees_no_others(shelf, begun, moments):
    first, _ = begun
    moments.go_on.set()
    assert list(first.open_page(shelf, None, LINK)) == [gr.skip()]


def test_pictures_that_cannot_be_drawn_keep_no_page_waiting(shelf, monkeypatch):
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    with gr.Blocks() as demo:
        first = First(gr.Gallery(), lambda: (1 / 0 for _ in range(1)))
    first.start(demo)
    assert list(first.open_page(shelf, None, NO_LINK))[-1] == []


def test_app_that_is_ended_meanwhile_says_nothing_of_it():
    with gr.Blocks() as demo:
        ended = Mock(side_effect=RuntimeError("cannot schedule new futures after interpreter shutdown"))
        first = First(gr.Gallery(), ended)
    first._draw(demo)  # which raises nothing
    assert first.ended


def test_page_of_the_app_has_the_samples_that_the_seed_names(app_url):
    for _ in range(100):
        config = json.loads(re.search(r"gradio_config = (\{.*?\});</script>", httpx.get(app_url).text)[1])
        found = {one["props"].get("elem_id"): one["props"].get("value") for one in config["components"]}
        if found["samples"]:
            break
    assert [one["caption"] for one in found["samples"]] == [f"seed {k} at {0.5 + 0.05 * k:g}" for k in range(6)]
    seeds = [one["props"]["value"] for one in config["components"] if one["props"].get("label") == "Seed"]
    assert seeds[0] == 0
    file = httpx.get(app_url + found["samples"][5]["image"]["url"].removeprefix(app_url)).content
    assert b"seed\x005" in file  # it says how it was made


def test_new_page_shows_the_shipped_one_whose_samples_differ_most_to_see(tmp_path):
    for name in ("waves", FIRST, "lake"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").touch()
    assert Shelf(tmp_path).names() == [FIRST, "lake", "waves"]
    assert FIRST in hub.shipped()
