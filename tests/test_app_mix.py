"""Several photos mixed in the app, without a browser."""

from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
from gradio_client import Client, handle_file
from PIL import Image
from test_app import run

from singan import PRESETS
from singan.ui.mix import mix
from singan.ui.shelf import Shelf


@pytest.fixture
def shipped(pretrained):
    return Shelf(pretrained)


@pytest.fixture(autouse=True)
def one_generator(monkeypatch):
    monkeypatch.setitem(PRESETS, "fast", replace(PRESETS["fast"], generators=1, width=8, critic_width=8))


@pytest.fixture
def photos(photo, tmp_path):
    """Two photos: one, and another that is blue."""
    blue = np.array(photo.resize((60, 44)))
    blue[..., :2] //= 4
    photo.save(tmp_path / "one.png")
    Image.fromarray(blue).save(tmp_path / "two.png")
    return [str(tmp_path / "one.png"), str(tmp_path / "two.png")]


def test_photos_are_mixed_in_their_shares_and_are_one_model(shipped, photos, photo):
    shelf, name = mix(shipped, photos, "3, 1")
    model = shelf.load(name)
    assert name == "one + two" and shelf.is_draft(name) and shelf.names()[0] == name
    assert model.shares == [0.75, 0.25] and len(model.others) == 1 and model.photo_size == photo.size[::-1]
    even, again = mix(shelf, photos)
    assert again == "one + two 2" and even.load(again).shares == [0.5, 0.5]


def test_wrong_photos_and_shares_are_told(shipped, photos, tmp_path):
    bad = tmp_path / "<b>.png"
    bad.write_text("no")
    for given, shares, message in (
        (photos[:1], "", "There are 1 photos: upload 2 to 4"),
        (None, "", "There are 0 photos"),
        (photos * 3, "", "There are 6 photos"),
        (photos, "1", "There are 1 shares for 2 pictures"),
        (photos, "1, much", "Shares are &#x27;1, much&#x27;: give a number for each photo"),
        (photos, "1, 0", "share is 0"),
        ([photos[0], str(bad)], "", "&lt;b&gt;.png is not an image"),
    ):
        with pytest.raises(gr.Error) as caught:
            mix(shipped, given, shares)
        assert message in caught.value.message


@pytest.mark.parametrize("kept", [True, False])
def test_training_learns_all_of_them(shipped, photos, kept):
    """From the files, or once these are gone from the photos that the draft holds."""
    shelf, name = mix(shipped, photos, "3 1")
    shelf = shelf if kept else replace(shelf, photos={})
    view = run(shelf, None, name)[-1]
    model = view.shelf.load(view.name)
    assert view.name == name and len(model.generators) == 1
    assert model.shares == [0.75, 0.25] and len(model.others) == 1
    assert model.others[0].equal(shelf.load(name).others[0])


def test_photos_are_mixed_by_a_call(app_url, photos):
    client = Client(app_url, verbose=False)
    name = client.predict(photos=[handle_file(one) for one in photos], shares="1,1", api_name="/mix")
    assert name == "one + two"
    pictures, _ = client.predict(pyramid=name, number=1, api_name="/sample")
    with Image.open(pictures[0]["image"]) as image:
        assert image.size == (52, 40)
