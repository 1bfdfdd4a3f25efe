"""The tab Second picture without a browser."""

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from PIL import Image

import singan
from singan.ui import second_picture
from singan.ui.second_picture import second_picture as make
from singan.ui.shelf import Shelf
from singan.ui.work import turns


@pytest.fixture
def shipped(pretrained):
    return Shelf(pretrained)


@pytest.fixture
def other(photo, tmp_path):
    """Another picture, 64x40 px."""
    path = tmp_path / "other.png"
    photo.rotate(90).resize((64, 40)).save(path)
    return path


def results(views):
    """The last view, with its pictures read."""
    for view in views:
        shown = view
        if view.pair != gr.skip():
            pair = [Image.open(path) for path in view.pair["value"]]
            for image in pair:
                image.load()
    return shown, pair


@pytest.mark.parametrize("invert", [False, True])
def test_layout_is_drawn_in_the_matter_of_the_pyramid(shipped, other, invert):
    shown, (before, after) = results(make(shipped, "blue", str(other), "layout", invert, "2", 4))
    expected = singan.analogy(shipped.load("blue"), other, scale=2, seed=4, invert=invert)[0]
    assert after.tobytes() == expected.tobytes() and before.size == after.size
    assert after.text.items() >= {"model": "blue", "task": "analogy", "scale": "2", "invert": str(invert)}.items()
    assert "Scale 2 of 2. Done in" in shown.status and shown.seed == 4
    assert len(shown.full) == 1 and not shown.strip["visible"]


def test_second_picture_is_drawn_in_the_style_of_the_pyramid(shipped, other):
    shown, (_, after) = results(make(shipped, "blue", str(other), "style"))
    expected = singan.stylize(other, shipped.load("blue"))[0]
    assert after.tobytes() == expected.tobytes() and after.text["task"] == "style"
    assert "picked automatically" in shown.status


@pytest.mark.parametrize(("kind", "said"), [("layout", "Larger shapes"), ("style", "Ask for a larger size")])
def test_what_is_too_fine_to_be_seen_is_told(shipped, other, kind, said, monkeypatch):
    monkeypatch.setattr(second_picture, "LIMIT", -1)
    assert said in results(make(shipped, "blue", str(other), kind))[0].status
    assert said not in results(make(shipped, "blue", str(other), kind, scale="2"))[0].status  # it was asked for


def test_mistakes_are_toasts(shipped, whole_model, other, tmp_path):
    wrong, grey = tmp_path / "<b>.png", tmp_path / "grey.png"
    wrong.write_text("no")
    Image.new("RGB", (40, 40), "grey").save(grey)
    mine, old = shipped.add("old", whole_model)
    for shelf, pyramid, picture, settings, message in (
        (shipped, "blue", None, {}, "There is no second picture yet: upload one first."),
        (shipped, "blue", str(wrong), {}, "&lt;b&gt;.png is not an image that can be read"),
        (shipped, "blue", str(grey), {}, "equally light all over"),
        (shipped, "blue", str(other), {"scale": "9"}, "choose from 1 to 2"),
        (shipped, "gone", str(other), {}, "There is no pyramid"),
        (mine, old, str(other), {}, "This model has no field of patches"),
        (mine, old, str(other), {"kind": "style"}, "This model has no field of patches"),
    ):
        with pytest.raises(gr.Error) as caught:
            list(make(shelf, pyramid, picture, **settings))
        assert message in caught.value.message


def test_large_second_picture_is_shrunk_before_it_is_a_tensor(shipped, tmp_path, monkeypatch):
    Image.new("RGB", (25, 9_000), "green").save(tmp_path / "long.png")
    given = []
    monkeypatch.setattr(singan, "analogy", lambda model, picture, **_: given.append(picture.size) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        list(make(shipped, "blue", str(tmp_path / "long.png")))
    assert max(given[0]) == second_picture.MAX_SIDE


def test_run_that_another_one_follows_shows_nothing_more(shipped, other, monkeypatch):
    monkeypatch.setattr("singan.ui.frame.session", lambda: "me")
    views = make(shipped, "blue", str(other), scale="1")
    next(views)
    next(views)
    turns.take("me", "second-picture")
    assert list(views) == []


def test_tab_can_be_called(app_url, other):
    client = Client(app_url, verbose=False)
    status, (before, after), strip, files, seed = client.predict(
        pyramid="blue", picture=handle_file(other), kind="style", scale="1", seed=2, api_name="/second_picture"
    )
    assert status.startswith("Scale 1 of 2.") and strip == [] and len(files) == 1 and seed == 2
    assert Image.open(after).text["task"] == "style" and Image.open(before).size == Image.open(after).size
