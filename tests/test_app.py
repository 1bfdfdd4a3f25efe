"""The app without a browser: its handlers, called as gradio calls them, and its API."""

import gc
import math
import os
import re
import runpy
import subprocess
import sys
import time
import weakref
import zipfile
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import gradio as gr
import httpx
import pytest
import torch
from gradio import processing_utils
from gradio_client import Client, handle_file
from PIL import Image

import singan
from singan import PRESETS, CheckpointError, ImageError, SinGAN, TrainConfig, TrainingError
from singan.limits import Limits
from singan.training.events import TrainEvent
from singan.training.progress import clock
from singan.ui import (
    build_app,
    chain,
    edit,
    frame,
    harmonize,
    kept,
    learning,
    look,
    paint,
    sample,
    shelf,
    top,
    train,
    uploads,
    watching,
)
from singan.ui import photo as photo_module
from singan.ui.photo import draft, open_photo
from singan.ui.runs import KEEP_RUNS, Runs
from singan.ui.shelf import Shelf, plain_name

ROOT = Path(__file__).parent.parent
SKIP = gr.skip()
CALLS = ["/animate", "/denoise", "/draft", "/edit", "/extend", "/fill", "/harmonize", "/load_files", "/load_from_hub"]
CALLS += [
    "/mix",
    "/paint_to_image",
    "/pin",
    "/resume",
    "/sample",
    "/second_picture",
    "/stop",
    "/super_resolve",
    "/train",
    "/variation_map",
]


@pytest.fixture
def shipped(pretrained):
    return Shelf(pretrained)


@pytest.fixture(autouse=True)
def two_generators(monkeypatch):
    """What is trained here gets two small generators, however many the preset has, and draws little to learn from."""
    small = replace(PRESETS["fast"], generators=2, width=8, critic_width=8, pool_size=4, candidates=2)
    monkeypatch.setitem(PRESETS, "fast", small)


@pytest.fixture(scope="session")
def trained(photo):
    """A model with two generators."""
    config = TrainConfig.preset("fast", steps=2, pool_size=4, width=8, critic_width=8, generators=2)
    return singan.train(photo, config, seed=5)


def run(shelf, photo, pyramid="", **settings):
    """Every view of a training run, with the archive's content put in place of its path."""
    views = []
    for view in train.train(shelf, pyramid, None if photo is None else str(photo), **{"steps": 2, **settings}):
        if view.download.get("value"):
            with zipfile.ZipFile(view.download["value"]) as archive:
                view = view._replace(download={n: archive.read(n) for n in archive.namelist() if n[-1] != "/"})
        views.append(view)
    return views


def draw(shelf, pyramid="blue", **settings):
    """What the tab Sample shows: the pictures, their captions and the seed."""
    images, seed = [], None
    for gallery, seed in sample.sample(shelf, pyramid, **settings):  # noqa: B007 - the last one is returned
        assert len(gallery) == len(images) + 1  # they come one by one
        images.append(Image.open(gallery[-1][0]))
        images[-1].load()
    assert not Path(gallery[0][0]).exists()  # gradio has its copy, nothing else is left behind
    return images, [caption for _, caption in gallery], seed


def fake_run(monkeypatch, events):
    """Put these events, and then an error, in place of training. The list returned says what happened."""
    happened = []

    def iter_train(image, config, **_):
        happened.append(config)
        try:
            yield from events
            raise TrainingError("Enough.")
        finally:
            happened.append("closed")

    monkeypatch.setattr(learning, "iter_train", iter_train)
    return happened


def until_toast(views):
    """The views before a toast, and its message."""
    seen = []
    try:
        for view in views:
            seen.append(view)
    except gr.Error as toast:
        return seen, toast.message
    raise AssertionError("there was no toast")


def event(kind="step", **changes):
    losses = {"critic_real": 1.0, "critic_fake": -1.0, "penalty": 0.1, "reconstruction": 20.0}
    plain = TrainEvent(kind, 0, 2, 1, 10, 1, 20, (25, 32), losses, 1.0, 65.0)
    return replace(plain, **changes)


# --- the shelf


def test_shelf_lists_shipped_pyramids_by_name(shipped):
    assert shipped.names() == ["blue", "green-field"]
    assert [caption for _, caption in shipped.pictures()] == ["blue", "green-field"]


def test_trained_pyramids_come_first_with_names_of_their_own(shipped):
    model = shipped.load("blue")
    names = []
    mine = shipped
    for name in ["photo", "photo", "blue"]:
        mine, unique = mine.add(name, model)
        names.append(unique)
    assert names == ["photo", "photo 2", "blue 2"]
    assert mine.names() == ["blue 2", "photo 2", "photo", "blue", "green-field"]
    assert shipped.names() == ["blue", "green-field"]
    assert len(mine.pictures()) == 5


def test_shelf_keeps_the_newest_trained_pyramids(shipped):
    mine = shipped
    for name in "abcde":
        mine, _ = mine.add(name, shipped.load("blue"))
    assert mine.names()[: shelf.KEEP_OWN + 1] == ["e", "d", "c", "blue"]


@pytest.mark.parametrize("name", ["gone", "../pretrained/blue", "", "blue/../blue"])
def test_unknown_pyramid_is_an_error_that_says_what_to_do(shipped, name):
    with pytest.raises(
        CheckpointError,
        match="choose another one. One of your own is dropped after an hour, or when many",
    ):
        shipped.load(name)


# --- sampling


def test_samples_are_those_of_the_model_and_captioned_with_their_seeds(shipped, trained):
    mine, name = shipped.add("mine", trained)
    images, captions, seed = draw(mine, name, number=2, variation=0.25, start_scale=1, seed=7)
    expected = trained.sample(2, variation=0.25, start_scale=1, seed=7)
    assert [image.tobytes() for image in images] == [image.tobytes() for image in expected]
    assert captions == ["seed 7", "seed 8"]
    assert seed == 7


@pytest.mark.parametrize(("height", "width", "size"), [(30, 90, (90, 30)), (None, 90, (90, 40)), (0, 0, (52, 40))])
def test_sample_has_the_size_asked_for(shipped, height, width, size):
    assert draw(shipped, number=1, height=height, width=width)[0][0].size == size


@pytest.mark.parametrize("settings", [{"seed": 5, "new_seed": True}, {"seed": None}])
def test_new_seed_is_drawn_and_given_back(shipped, settings):
    seeds = {draw(shipped, number=1, **settings)[2] for _ in range(3)}
    assert len(seeds) == 3 and 5 not in seeds


def test_sample_carries_its_settings(shipped):
    image = draw(shipped, number=1, variation=0.25, seed=3, flips=True)[0][0]
    settings = {"seed": "3", "variation": "0.25", "start_scale": "0", "size": "40x52", "model": "blue"}
    assert image.text == {**settings, "flips": "True", "singan": singan.__version__}
    plain = draw(shipped, number=1, variation=0.25, seed=3)[0][0]
    assert plain.text == {**settings, "singan": singan.__version__}


def test_variation_rises_from_sample_to_sample_and_is_told(shipped):
    drawn = list(sample.sample(shipped, "blue", number=3, variation=0.4, seed=5, rising=True))[-1][0]
    assert [caption for _, caption in drawn] == [
        "seed 5 at 0.4",
        "seed 6 at 0.55",
        "seed 7 at 0.7",
    ]
    images = draw(shipped, number=3, variation=0.4, seed=5, rising=True)[0]
    expected = shipped.load("blue").sample(3, seed=5, variation=[0.4, 0.55, 0.7])
    assert [image.tobytes() for image in images] == [image.tobytes() for image in expected]
    assert [image.text["variation"] for image in images] == ["0.4", "0.55", "0.7"]
    assert sample.risen(0.7, 4) == [0.7, 0.75, 0.8, 0.85] and sample.risen(0.3, 1) == [0.3]
    assert sample.risen(1, 2) == [1, 1] and sample.risen(0, 3) == [0, 0.25, 0.5]


def test_mirrored_parts_are_drawn_where_the_pyramid_can(shipped, photo, whole_model):
    expected = [shipped.load("blue").sample(1, variation=0.7, flips=flips)[0].tobytes() for flips in (True, False)]
    found = [draw(shipped, number=1, variation=0.7, flips=flips)[0][0].tobytes() for flips in (True, False)]
    assert found == expected and len(set(found)) == 2
    assert "flips" not in draw(shipped, number=1, tile="x", flips=True)[0][0].text
    assert sample.fit(shipped, "blue")[5] == gr.update(visible=True, value=True)
    assert sample.fit(shipped, "blue", flips=False)[5] == gr.update(visible=True, value=False)  # it was turned off
    several = singan.draft([photo, photo.rotate(180)])
    for model in (several, whole_model):
        mine, name = shipped.add("other", model)
        assert model.can_flip == (model is whole_model and model.config.displacement > 0)
        assert sample.fit(mine, name)[4:6] == (
            (model.config.usual_variation, False),
            gr.update(visible=model.can_flip, value=False),
        )
        assert ("flips" in draw(mine, name, number=1, flips=True)[0][0].text) == model.can_flip


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pyramid": ""}, "There is nothing to sample from yet: upload a photo or load a model first."),
        ({"pyramid": "<b>"}, "There is no pyramid &#x27;&lt;b&gt;&#x27;; choose another one."),
        ({"number": 8, "height": 2000, "width": 3000}, "8 samples of 3000x2000 px are 48 megapixels; the limit is 40"),
        ({"start_scale": 9}, "start_scale is 9; this model starts at scale 0 alone"),
        ({"height": 3}, "size is 3x52 px; sides start at"),
    ],
)
def test_wrong_sample_settings_are_a_toast(shipped, settings, message):
    with pytest.raises(gr.Error) as caught:
        draw(shipped, **settings)
    assert message in caught.value.message


def test_controls_fit_the_pyramid(shipped, trained):
    mine, name = shipped.add("mine", trained)
    height, width, start_scale, *_ = sample.fit(mine, name)
    assert (height, width, start_scale["maximum"], start_scale["visible"]) == (40, 52, 1, True)


def test_link_and_tiles_are_offered_only_where_there_are_any(shipped, photo):
    yes, no, same = gr.update(visible=True), gr.update(visible=False), gr.skip()
    assert sample.fit(shipped, "blue")[6:] == (yes, yes, same, same)
    for photos, tiles in (([photo], (yes, same, same)), ([photo, photo.rotate(180)], (no, "none", "none"))):
        mine, name = shipped.add("own", singan.draft(photos))
        assert sample.fit(mine, name)[6:] == (no, *tiles)
    assert sample.fit(mine, name, mirror="kaleidoscope")[:2] == (40, 52)


def test_start_scale_is_offered_only_where_there_are_generators_to_choose_from(shipped, trained, photo):
    one = replace(trained, generators=trained.generators[:1], noise_amps=trained.noise_amps[:1])
    for other in (one, singan.draft(photo)):
        mine, name = shipped.add("one", other)
        assert sample.fit(mine, name)[2] == gr.update(value=0, maximum=1, visible=False)


# --- a visitor's own photo


def test_uploaded_photo_is_a_draft_to_sample_from_at_its_own_size(shipped, photo_path, photo):
    mine, name = draft(shipped, str(photo_path))
    assert name == "tiles" and mine.names() == ["tiles", "blue", "green-field"] and mine.is_draft("tiles")
    assert shipped.names() == ["blue", "green-field"] and not mine.is_draft("blue")
    assert mine.load(name).training_image.tobytes() == photo.tobytes()
    expected = singan.draft(photo).sample(seed=3)[0]
    assert draw(mine, name, number=1, seed=3)[0][0].tobytes() == expected.tobytes()
    shown = top.mark_new(mine, name)
    assert [caption for _, caption in shown["value"]] == mine.names() and shown["selected_index"] == 0


def test_large_photo_is_kept_and_drawn_at_1024_px(shipped, photo, tmp_path):
    photo.resize((1300, 1000)).save(tmp_path / "large.jpg")
    mine, name = draft(shipped, str(tmp_path / "large.jpg"))
    assert sample.fit(mine, name)[:2] == (788, 1024)
    assert draw(mine, name, number=1)[0][0].size == (1024, 788)
    with Image.open(mine.pictures()[0][0]) as picture:
        assert max(picture.size) == shelf.PICTURE_SIDE


def test_same_photo_again_is_the_same_draft_and_another_one_of_its_name_is_not(shipped, photo_path, photo, tmp_path):
    mine, _ = draft(shipped, str(photo_path))
    mine, name = draft(mine, str(photo_path))
    assert name == "tiles" and len(mine.own) == 1
    photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "tiles.png")
    mine, name = draft(mine, str(tmp_path / "tiles.png"))
    assert name == "tiles 2" and mine.names()[:2] == ["tiles 2", "tiles"]


def test_shelf_comes_back_to_the_page_that_knows_its_secret(shipped, photo, monkeypatch):
    mine, name = shipped.put("mine", singan.draft(photo))
    secret, *nothing = kept.bring_back(shipped, None)
    assert nothing == [gr.skip()] * 3
    kept.remember(mine, secret)
    kept.remember(mine, {"not": "a secret"})
    same, shelf, newest, _ = kept.bring_back(shipped, secret)
    assert (same, newest, shelf.names()) == (gr.skip(), "mine", ["mine", "blue", "green-field"])
    assert shelf.load(name) is mine.load(name)
    assert shelf.put("mine", mine.load(name)) == (shelf, "mine")  # it is there already
    assert kept.bring_back(shipped, "x" * 43) == (gr.skip(),) * 4
    monkeypatch.setattr(kept, "KEEP_SECONDS", -1)
    assert kept.bring_back(shipped, secret) == (gr.skip(),) * 4


def test_what_two_windows_of_a_browser_made_is_kept_together(shipped, photo, trained):
    both, _ = shipped.put("mine", singan.draft(photo))
    secret = kept.bring_back(shipped, None)[0]
    kept.remember(both, secret)
    one, two = (both.put(name, singan.draft(photo), [Path(name)])[0] for name in ("one", "two"))
    for window in (one, two, replace(both, own={"mine": shelf.Own(trained)}), one, two):
        kept.remember(window, secret)  # in one it is trained meanwhile, and others still have its draft
    _, found, newest, _ = kept.bring_back(shipped, secret)
    assert (newest, found.names()[:3]) == ("mine", ["mine", "two", "one"]) and found.load("mine") is trained
    assert found.photos == {"one": [Path("one")], "two": [Path("two")]}
    two.load("two"), one.load("one")
    kept.remember(found.put("new", singan.draft(photo))[0], secret)
    assert kept.bring_back(shipped, secret)[1].names()[:3] == ["new", "mine", "two"]  # one gave way, as was said
    three, _ = two.put("three", singan.draft(photo))
    two.load("two"), kept.remember(three, secret)
    assert kept.bring_back(shipped, secret)[1].names()[:3] == ["three", "new", "two"]  # which were used last


def test_what_is_used_is_kept_for_an_hour_from_then(shipped, photo, monkeypatch):
    mine, _ = shipped.put("mine", singan.draft(photo))
    secret = kept.bring_back(shipped, None)[0]
    kept.remember(mine, secret)
    monkeypatch.setattr(kept, "KEEP_SECONDS", 0.2)
    time.sleep(0.25)
    mine.load("mine")
    assert kept.bring_back(shipped, secret)[2] == "mine"
    time.sleep(0.25)
    assert kept.bring_back(shipped, secret) == (gr.skip(),) * 4


def test_shelf_of_a_session_in_use_does_not_expire(app_url, built_app, photo_path):
    client = Client(app_url, verbose=False)
    name = client.predict(photo=handle_file(photo_path), api_name="/draft")
    states = built_app.state_holder[client.session_hash]
    key = next(key for key, value in states.state_data.items() if isinstance(value, Shelf))
    seconds, _ = states._state_ttl[key]
    states._state_ttl[key] = seconds, datetime.now() - timedelta(seconds=seconds - 1)
    client.predict(pyramid=name, number=1, api_name="/sample")
    time.sleep(1.5)  # gradio looks for what is over every second
    built_app.state_holder.delete_all_expired_state()
    client.predict(pyramid=name, number=1, api_name="/sample")


def test_shelves_that_are_kept_are_few(shipped, photo, monkeypatch):
    monkeypatch.setattr(kept, "MAX_KEPT", 2)
    mine, _ = shipped.put("mine", singan.draft(photo))
    asked = [kept.bring_back(shipped, None)[0] for _ in range(3)]
    for secret in asked:
        kept.remember(mine, secret)
    assert [kept.bring_back(shipped, secret)[2] for secret in asked] == [gr.skip(), "mine", "mine"]


def test_pyramid_that_gives_way_is_told(shipped, photo, tmp_path, monkeypatch):
    told, mine = [], shipped
    monkeypatch.setattr(gr, "Info", told.append)
    for number in range(shelf.KEEP_OWN + 1):
        file = tmp_path / f"photo{number}.png"
        photo.rotate(90 * number).resize(photo.size).save(file)
        mine, _ = draft(mine, str(file))
    assert told == ["&#x27;photo0&#x27; gave way: 3 of your own are kept here."]


def test_result_goes_on_as_a_photo(shipped, photo_path):
    assert chain.nth([("a.png", "seed 1"), ("b.png", "seed 2")], 1) == "b.png"
    assert chain.nth([("a.png", "seed 1")], 5) == "a.png" and chain.nth([], 0) is None and chain.nth(None, 0) is None
    assert chain.second(("before.png", "after.png")) == "after.png" and chain.second(None) is None


@pytest.mark.parametrize(
    ("before", "usual", "after"), [(0.5, 0.5, 1.0), (1.0, 1.0, 1.0), (0.7, 0.5, gr.skip()), (1.0, 0.5, gr.skip())]
)
def test_usual_variation_of_a_published_model_is_taken_unless_another_was_chosen(shipped, photo, before, usual, after):
    config = TrainConfig.preset("paper", steps=1, width=8, critic_width=8)
    mine, name = shipped.add("paper", singan.train(photo, config))
    assert sample.fit(mine, name, before, (usual, True))[3:5] == (after, (1.0, False))


def test_it_is_said_of_a_draft_what_it_is(shipped, photo, tmp_path):
    photo.save(tmp_path / "<b>.png")
    mine, name = draft(shipped, str(tmp_path / "<b>.png"))
    said = photo_module.tell(mine, name)
    assert "&lt;b&gt;</b> is a draft, made without training. All tabs work on it now. <button" in said["value"]
    assert "Train" not in photo_module.tell(replace(mine, limits=Limits(allow_training=False)), name)["value"]
    assert "All tabs work on <b>blue</b>. Choose another" in photo_module.tell(mine, "blue")["value"]
    assert photo_module.tell(mine, "")["visible"] is False


def test_wrong_upload_is_a_toast_and_nothing_is_lost(shipped, photo_path, tmp_path):
    mine, _ = draft(shipped, str(photo_path))
    wrong = tmp_path / "<img src=x>.png"
    wrong.write_text("not an image")
    with pytest.raises(gr.Error, match="&lt;img src=x&gt;.png is not an image that can be read"):
        draft(mine, str(wrong))
    with pytest.raises(gr.Error, match="There is no photo yet: upload one first."):
        draft(mine, None)
    assert mine.names()[0] == "tiles"


def test_draft_can_be_trained_and_the_trained_model_takes_its_place(shipped, photo_path):
    mine, name = draft(shipped, str(photo_path))
    mine, _ = mine.add("other", mine.load(name))
    last = run(mine, None, pyramid=name, seed=3)[-1]
    assert last.name == "tiles"
    assert last.shelf.names() == ["tiles", "other", "blue", "green-field"]
    assert len(last.shelf.load("tiles").generators) == 2 and not last.shelf.is_draft("tiles")
    again = run(last.shelf, photo_path, seed=4)[-1]
    assert again.name == "tiles 2"


def test_trained_model_is_trained_again_with_other_settings(shipped, photo_path):
    last = run(shipped, photo_path, seed=3)[-1]
    again = run(last.shelf, None, pyramid="tiles", seed=4)[-1]
    assert again.name == "tiles 2" and again.shelf.names()[:2] == ["tiles 2", "tiles"]
    photos = [again.shelf.load(name).photo for name in ("tiles", "tiles 2")]
    assert photos[0].equal(photos[1])


def test_what_was_learned_is_chosen_if_nothing_else_was_chosen_meanwhile(shipped, photo):
    mine, _ = shipped.put("mine", singan.draft(photo))
    for begun in ("blue", "mine"):  # from a file, and from a draft, whose name it takes
        name, renewed, marked = train.arrived(mine, "mine", begun, begun)
        assert (name, marked["selected_index"]) == ("mine", 0)
        assert (renewed == SKIP) == (begun == "blue")  # else it stands for something else now
    for made in ("mine", ""):  # the visitor went on with another one, or nothing came of it
        name, renewed, marked = train.arrived(mine, made, "green-field", "mine")
        assert (name, renewed, marked["selected_index"]) == (SKIP, SKIP, 2)
    assert train.choose(mine, "mine")[0] == "mine" and train.choose(mine, "mine")[1]["selected_index"] == 0
    with pytest.raises(gr.Error, match="There is no pyramid"):
        train.choose(shipped, "mine")


def test_draft_is_trained_from_its_file_at_another_size_too_and_without_it_from_the_photo_it_keeps(
    shipped, photo, tmp_path
):
    path = tmp_path / "wide.png"
    photo.resize((520, 400)).save(path)
    mine, name = draft(shipped, str(path))
    last = run(mine, None, pyramid=name, photo_size=256)[-1]
    assert last.name == "wide" and last.shelf.load("wide").image_size == (197, 256)
    path.unlink()
    last = run(mine, None, pyramid=name)[-1]
    assert last.name == "wide" and last.shelf.load("wide").image_size == (400, 520)


def test_only_the_pyramids_that_were_used_last_keep_their_patches(shipped, photo, monkeypatch):
    monkeypatch.setattr(shelf, "KEEP_PATCHES", 1)
    mine, names = shipped, []
    for name in "ab":
        mine, name = mine.add(name, singan.draft(photo))
        names.append(name)
    first, second = (draw(mine, name, number=1, seed=1)[0][0] for name in names)
    assert first.tobytes() == second.tobytes()
    assert [bool(mine.own[name].model._patches) for name in names] == [False, True]
    assert draw(mine, "a", number=1, seed=1)[0][0].tobytes() == first.tobytes()


def test_patches_of_all_visitors_have_one_bound(shipped, photo, monkeypatch):
    monkeypatch.setattr(shelf, "PATCH_BYTES", 1000)
    mine, _ = shipped.add("a", singan.draft(photo))
    mine, _ = mine.add("b", singan.draft(photo))
    draw(mine, "a", number=1)
    draw(mine, "b", number=1)
    mine.load("b")
    assert [bool(mine.own[name].model._patches) for name in "ab"] == [False, True]


def test_pyramids_of_all_visitors_have_one_bound(shipped, photo, monkeypatch):
    """The last used ones stay, whoever's they are; what computes with one keeps it meanwhile."""
    drafts = [singan.draft(photo) for _ in range(4)]
    monkeypatch.setattr(shelf, "OWN_BYTES", int(2.5 * shelf.model_bytes(drafts[0])))
    first, _ = shipped.add("a", drafts[0])
    first, _ = first.add("b", drafts[1])
    held = first.load("a")
    second, _ = shipped.add("c", drafts[2])
    assert first.names() == ["a", "blue", "green-field"] and second.names() == ["c", "blue", "green-field"]
    with pytest.raises(CheckpointError, match="There is no pyramid 'b'.* or when many are here: reload the page, or"):
        first.load("b")
    shipped.add("d", drafts[3])
    assert len(held.sample(1)) == 1


def test_pyramid_is_freed_with_its_session(shipped, photo):
    model = singan.draft(photo)
    seen = weakref.ref(model)
    mine, _ = shipped.add("a", model)
    assert mine.load("a") is model
    del model, mine
    gc.collect()
    assert seen() is None


# --- training


def test_training_ends_with_a_chosen_pyramid_to_sample_from_and_to_download(shipped, photo_path, tmp_path):
    views = run(shipped, photo_path, seed=3)
    first, last = views[0], views[-1]
    assert first.train_button == gr.update(interactive=False)
    assert first.stop_button == gr.update(interactive=True)
    assert re.search("Done after 0:[0-9]{2}. 2 scales learned, samples of 52x40 px: &#x27;tiles&#x27; is", last.status)
    assert last.name == "tiles"
    assert last.shelf.names() == ["tiles", "blue", "green-field"]
    assert [caption for _, caption in last.pictures] == ["tiles", "blue", "green-field"]

    for name, content in last.download.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    loaded = SinGAN.from_pretrained(tmp_path / "tiles")
    assert loaded.config == TrainConfig.preset("fast", steps=2) and len(loaded.generators) == 2
    assert loaded.info["seed"] == 3
    mine = draw(last.shelf, "tiles", number=1, seed=1)[0][0]
    assert loaded.sample(seed=1)[0].tobytes() == mine.tobytes()


def test_training_shows_each_finished_scale_and_the_time_left(shipped, photo_path):
    views = run(shipped, photo_path)
    galleries = [view.scales["value"] for view in views[1:-1] if view.scales.get("value")]
    assert [[caption for _, caption in gallery] for gallery in galleries] == [
        ["32x25"],
        ["32x25", "41x32"],
    ]
    assert any(re.search(r"Scale 2 of 2 · 41x32 px · step 2 of 2 · 0:\d\d gone · 0:00 left", v.status) for v in views)
    assert "D(G(z))" in views[-2].curves["value"] and "RMSE of 255" in views[-2].curves["value"]


@pytest.mark.parametrize(
    ("settings", "changes"),
    [
        ({"steps": None}, {}),
        ({"steps": None, "photo_size": 512}, {"photo_size": 512}),
        ({"steps": 9, "paper": True}, {"steps": 9}),
    ],
)
def test_settings_reach_the_trainer(monkeypatch, shipped, photo_path, settings, changes):
    happened = fake_run(monkeypatch, [])
    until_toast(train.train(shipped, "", str(photo_path), **settings))
    assert happened[0] == TrainConfig.preset("paper" if "paper" in settings else "fast", **changes)


def test_stop_keeps_the_finished_scales_and_resume_ends_as_if_there_had_been_no_stop(shipped, photo_path):
    views = train.train(shipped, "", str(photo_path), steps=40)
    run_id = next(views).run_id
    for view in views:
        last = view
        if view.scales.get("value"):
            assert train.stop(run_id) == gr.update(interactive=False)
    assert re.search("Stopped after 0:[0-9]{2}. 1 scale learned, samples of 52x40 px", last.status)
    assert last.resume_button == gr.update(visible=True)
    assert len(last.shelf.load("tiles").generators) == 1
    assert draw(last.shelf, "tiles", number=1)[0][0].size == (52, 40)

    resumed = list(train.resume(last.shelf, run_id))
    assert "2 scales learned" in resumed[-1].status
    assert resumed[-1].shelf.names() == ["tiles", "blue", "green-field"]  # in place of what was there of it
    assert [caption for _, caption in resumed[-1].scales["value"]] == ["32x25", "41x32"]
    assert resumed[-1].resume_button == gr.update(visible=False)
    whole = run(shipped, photo_path, steps=40)[-1].shelf.load("tiles")
    again = resumed[-1].shelf.load("tiles")
    assert again.sample(seed=1)[0].tobytes() == whole.sample(seed=1)[0].tobytes()


def test_stop_before_the_first_scale_leaves_a_run_to_resume(shipped, photo_path):
    views = train.train(shipped, "", str(photo_path), steps=2)
    train.stop(next(views).run_id)
    last = list(views)[-1]
    assert "No scale is finished yet: resume it." in last.status
    assert last.shelf == SKIP and last.resume_button == gr.update(visible=True)
    mine, name = draft(draft(shipped, str(photo_path))[0], str(photo_path))
    shown = [gr.update(visible=seen) for seen in (False, False, True, False, False)]
    assert train.look(mine, name, "", "", last.run_id)[3:] == tuple(shown)  # chosen again, it can still be resumed
    mine, other = mine.add("other", mine.load(name))
    assert train.look(mine, other, "", "", last.run_id)[5] == gr.update(visible=False)
    with train.RUNS.use(train.RUNS.get(last.run_id)):
        assert train.look(mine, name, "", "", last.run_id)[5] == gr.update(visible=False)  # it is in progress


@pytest.mark.parametrize("run_id", [None, "", "guessed"])
def test_run_that_nobody_knows_can_neither_be_stopped_nor_resumed_nor_taken(shipped, run_id):
    assert train.stop(run_id) == gr.update(interactive=False)
    assert train.reopen(shipped, "blue", run_id) == train.View()
    with pytest.raises(gr.Error, match="There is no run to resume: it is finished, or was dropped after an hour"):
        next(train.resume(shipped, run_id))


def test_finished_run_is_not_resumed(shipped, photo_path):
    run_id = run(shipped, photo_path)[0].run_id
    with pytest.raises(gr.Error, match="There is no run to resume"):
        next(train.resume(shipped, run_id))


def test_reopened_page_takes_the_model_of_its_run(shipped, photo_path):
    run_id = run(shipped, photo_path)[0].run_id
    view = train.reopen(shipped, "blue", run_id)
    assert re.search("Your last run: Done after .*2 scales learned.* is among the models at the top", view.status)
    assert view.shelf.names() == ["tiles", "blue", "green-field"] and view.name == "tiles"
    assert view.download["visible"] and len(view.scales["value"]) == 2
    assert view.resume_button == gr.update(visible=False)
    assert view.pictures["selected_index"] == 1  # of "blue", which stays chosen
    again = train.reopen(view.shelf, "tiles", run_id)  # as the page had it
    assert again.shelf == again.pictures == SKIP and again.download["visible"]


def test_photo_that_would_be_kept_larger_than_a_model_may_be_is_refused_before_it_is_learned(
    shipped, photo, tmp_path, monkeypatch
):
    monkeypatch.setattr(watching, "MAX_PHOTO_PIXELS", 52 * 40)
    photo.save(tmp_path / "fits.png")
    assert "learned" in list(train.train(shipped, "", str(tmp_path / "fits.png"), steps=1))[-1].status
    photo.resize((104, 80)).save(tmp_path / "large.png")
    with pytest.raises(
        gr.Error, match="kept with 0.0 megapixels together, and this app keeps .*: lower .*Photo kept at"
    ):
        list(train.train(shipped, "", str(tmp_path / "large.png"), steps=1))


def test_largest_photo_that_is_offered_can_be_learned_and_loaded(shipped, tiny_model, tmp_path):
    height, width = 2048, 2048  # "Photo kept at" goes up to that
    watching.check_sizes([Image.new("RGB", (width, height))], TrainConfig.preset("fast", photo_size=2048))
    photo = torch.zeros(height, width, 3, dtype=torch.uint8)
    replace(tiny_model, photo=photo).save_pretrained(tmp_path / "large")
    assert shelf.load_own(tmp_path / "large", "large").photo_size == (height, width)
    others = [torch.zeros(height // 2, width, 3, dtype=torch.uint8) for _ in range(3)]
    model = replace(tiny_model, photo=photo, others=others, shares=[0.25] * 4)
    model.save_pretrained(tmp_path / "several")
    with pytest.raises(CheckpointError, match="several cannot be used: it takes .* MB, and this app takes up to"):
        shelf.load_own(tmp_path / "several", "several")


def test_page_that_was_closed_in_mid_run_finds_its_scales_and_can_resume(shipped, photo_path):
    views = train.train(shipped, "", str(photo_path), steps=30)
    run_id = next(views).run_id
    while not next(views).scales.get("value"):
        pass
    views.close()  # what gradio does when the page is closed
    view = train.reopen(shipped, "blue", run_id)
    assert "Your last run: Scale 1 of 2" in view.status and "1 scale learned" in view.status
    assert view.resume_button == gr.update(visible=True)
    assert "2 scales learned" in list(train.resume(shipped, run_id))[-1].status


def test_run_in_progress_is_not_taken_by_a_second_window(shipped, photo_path, monkeypatch):
    views = train.train(shipped, "", str(photo_path))
    run_id = next(views).run_id
    with pytest.raises(gr.Error, match="This run is in progress in another window"):
        train.reopen(shipped, "blue", run_id)
    views.close()


def test_run_over_its_time_keeps_the_finished_scales_and_says_so(monkeypatch, shipped, photo_path):
    iter_train = learning.iter_train

    def a_second_for_each_step(*args, **values):
        with closing(iter_train(*args, **values)) as events:
            yield from (replace(event, seconds=event.total_step) for event in events)

    monkeypatch.setattr(learning, "iter_train", a_second_for_each_step)
    limited = replace(shipped, limits=Limits(max_seconds=2))  # as long as the first of the two scales takes
    views = list(train.train(limited, "", str(photo_path), steps=2))
    assert "Stopped: a run may take 0:02 here. 1 scale learned" in views[-1].status
    assert views[-1].shelf.names()[0] == "tiles"
    assert views[-1].resume_button == gr.update(visible=False)
    with pytest.raises(gr.Error, match="There is no run to resume"):
        next(train.resume(limited, views[0].run_id))


def test_time_that_is_not_enough_for_a_scale_is_said(shipped, photo_path):
    views = list(train.train(replace(shipped, limits=Limits(max_seconds=1e-9)), "", str(photo_path)))
    assert "Stopped: a run may take 0:00 here. No scale was finished." in views[-1].status


def test_leaving_the_page_ends_the_run(monkeypatch, shipped, photo_path):
    happened = fake_run(monkeypatch, [event("start"), event(), event()])
    views = train.train(shipped, "", str(photo_path))
    next(views), next(views)
    assert happened[1:] == []
    views.close()  # what gradio does
    assert happened[1:] == ["closed"]


def test_page_is_updated_at_once_and_then_at_a_steady_pace(monkeypatch, shipped, photo_path):
    monkeypatch.setattr(watching, "SHOW_SECONDS", 0.05)
    fake_run(monkeypatch, (time.sleep(0.01) or event(step=k) for k in range(1, 41)))
    views, _ = until_toast(train.train(shipped, "", str(photo_path)))
    assert 4 <= len(views) <= 12  # 40 steps of .01 s


def test_preview_made_between_two_updates_is_shown_with_the_next(monkeypatch, shipped, photo_path, photo):
    fake_run(monkeypatch, [event(), event(step=2, shown=photo), event("scale", step=3)])
    shown = []
    with pytest.raises(gr.Error, match="Enough"):
        shown.extend(
            Image.open(view.now).tobytes() if view.now != SKIP else None
            for view in train.train(shipped, "", str(photo_path))
        )
    assert shown == [None, None, photo.tobytes(), None]


def test_run_that_is_dropped_leaves_no_files_behind(monkeypatch, shipped, photo_path, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "app"))
    monkeypatch.setattr(train, "RUNS", Runs(keep_seconds=3600))
    views = train.train(shipped, "", str(photo_path), steps=2)
    run_id = next(views).run_id
    train.RUNS.drop(run_id)
    assert len(list(views)) > 3  # not while it is in use
    assert len(list((tmp_path / "app-scratch").iterdir())) == 1
    train.RUNS.drop(run_id)
    assert list((tmp_path / "app-scratch").iterdir()) == []
    assert train.reopen(shipped, "blue", run_id) == train.View()


def test_idle_runs_are_dropped_after_their_time(monkeypatch, shipped, photo_path, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "app"))
    monkeypatch.setattr(train, "RUNS", Runs(keep_seconds=3600))
    views = train.train(shipped, "", str(photo_path), steps=2)
    next(views)
    train.RUNS.keep_seconds = 0
    assert "2 scales learned" in list(views)[-1].status
    for _ in range(200):
        if not list((tmp_path / "app-scratch").iterdir()):
            break
        time.sleep(0.05)
    assert list((tmp_path / "app-scratch").iterdir()) == []


def test_number_of_runs_that_are_kept_is_bounded(photo_path, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "app"))
    runs = Runs(keep_seconds=3600)
    started = [runs.start([photo_path], "tiles", TrainConfig(), 0) for _ in range(KEEP_RUNS + 3)]
    assert [runs.get(one.id) is None for one in started] == [True] * 3 + [False] * KEEP_RUNS
    assert len(list((tmp_path / "app-scratch").iterdir())) == KEEP_RUNS
    assert len({one.id for one in started}) == len(started) and min(len(one.id) for one in started) >= 40
    for one in started:
        runs.drop(one.id)


def test_failed_run_keeps_the_finished_scales_and_says_why(monkeypatch, shipped, photo_path, trained):
    def fail():
        yield event("scale", model=trained)
        raise TrainingError("Scale 2 diverged.", model=trained)

    fake_run(monkeypatch, fail())
    views, message = until_toast(train.train(shipped, "", str(photo_path)))
    assert message == "Scale 2 diverged."
    kept = views[-1].shelf.load("tiles")
    assert kept.sample(seed=1)[0].tobytes() == trained.sample(seed=1)[0].tobytes()
    assert "Scale 2 diverged. 2 scales learned" in views[-1].status


def test_buttons_are_ready_again_after_a_run():
    assert frame.idle() == (gr.update(interactive=True), gr.update(interactive=False))


def test_what_is_not_an_image_is_a_toast_and_stays_on_the_page(shipped, tmp_path):
    wrong = tmp_path / "<img src=x>.png"
    wrong.write_text("not an image")
    safe = "&lt;img src=x&gt;.png is not an image that can be read"
    views, message = until_toast(train.train(shipped, "", str(wrong)))
    assert safe in message
    assert safe in views[-1].status


def test_training_without_a_photo_is_a_toast(shipped):
    with pytest.raises(gr.Error, match="There is no photo yet: upload one first."):
        run(shipped, None)


def test_chosen_draft_is_shown_as_what_will_be_learned(shipped, photo, tmp_path):
    path = tmp_path / "wide.jpg"
    photo.resize((700, 350)).save(path)
    mine, name = draft(shipped, str(path))
    status, image, file, *of_run = train.look(mine, name, "", "")
    assert file is None and of_run == [gr.update(visible=False)] * 5  # of a run of another photo
    assert train.look(mine, name, "", name)[3:] == (SKIP,) * 5
    assert image.size == (train.PREVIEW_SIDE, train.PREVIEW_SIDE // 2)
    assert "Press Train to learn &#x27;wide&#x27;: 700x350 px." in status
    assert train.look(mine, "blue", status, "") == (look.run_status(train.HINT, None, []), None, *(SKIP,) * 6)
    assert train.look(mine, "blue", "Done after 0:20.", "") == (SKIP,) * 8


def test_photo_over_the_limit_of_pixels_is_a_toast(shipped, photo_path):
    limited = replace(shipped, limits=Limits(max_upload_megapixels=0.002))
    said = r"tiles.png is 52x40 px \(0.00208 megapixels\); the limit is 0.002: shrink it first"
    with pytest.raises(gr.Error, match=said):
        draft(limited, str(photo_path))
    with pytest.raises(gr.Error, match=said):
        run(limited, photo_path)


def test_what_is_not_used_of_a_photo_is_said(shipped, photo, tmp_path, monkeypatch):
    path = tmp_path / "logo.png"
    clear = photo.convert("RGBA")
    clear.putalpha(100)
    clear.save(path)
    note = "logo.png is partly transparent: it is flattened on white."
    said = []
    monkeypatch.setattr(gr, "Info", said.append)
    draft(shipped, str(path))
    assert said == [note]
    assert f"Note: {note}" in run(shipped, path)[-1].status


# --- what strangers may try


@pytest.mark.parametrize("call", ["sample", "draft", "train", "edit"])
def test_calls_that_pass_the_queue_are_refused(app_url, call):
    """They would be computed at once, however many."""
    for route in (f"run/{call}", f"api/{call}"):
        answer = httpx.post(f"{app_url}gradio_api/{route}", json={"data": []})
        assert answer.status_code == 404, answer.text


def test_names_show_what_they_are():
    assert plain_name("holi\u202egnp.exe") == "holi gnp.exe" and plain_name("\u200b\x1b[31m") == "[31m"
    assert plain_name("Été à l'île") == "Été à l'île" and plain_name("\u202e") == "photo"


@pytest.mark.parametrize("value", [None, {}, {"background": None, "layers": [], "composite": None}])
def test_empty_canvas_is_told(shipped, value):
    for handler in (edit.edit, harmonize.harmonize, paint.paint_to_image):
        _, message = until_toast(handler(shipped, "blue", value))
        assert message == "The canvas is empty: put a picture on it first."


def test_photo_of_a_format_that_is_costly_to_read_is_refused(tmp_path):
    Image.new("RGB", (60, 40)).save(tmp_path / "photo.jp2")
    with pytest.raises(ImageError, match="photo.jp2 is not an image that can be read; save it as PNG or JPEG"):
        open_photo(tmp_path / "photo.jp2", Limits())


def test_pictures_of_pyramids_do_not_depend_on_where_the_app_was_started(shipped, tmp_path, monkeypatch):
    """gradio serves files from the folder that it was started in, and from no other."""
    monkeypatch.chdir(tmp_path)
    assert all(uploads.folder_of_uploads() in Path(file).parents for file, _ in shipped.pictures())


def test_pictures_of_pyramids_are_not_written_again_while_they_are_read(shipped, monkeypatch):
    first, written = shipped.pictures(), []
    before = [Path(file).read_bytes() for file, _ in first]
    monkeypatch.setattr(Path, "write_bytes", lambda path, data: written.append(path))
    monkeypatch.setattr(processing_utils, "save_pil_to_cache", lambda *args, **options: written.append(args))
    shown = gr.Gallery(format="png").postprocess(shipped.pictures())
    assert [one.image.path for one in shown.root] == [file for file, _ in first] and written == []
    assert [Path(file).read_bytes() for file, _ in first] == before
    assert all(time.time() - Path(file).stat().st_mtime < 60 for file, _ in first)  # so that they are not swept now


# --- looks


@pytest.mark.parametrize(("seconds", "text"), [(7.4, "0:07"), (754, "12:34"), (3723, "1:02:03")])
def test_clock(seconds, text):
    assert clock(seconds) == text


def test_status_escapes_what_it_is_given():
    html = look.run_status("<a>", 0.5, ["<b>"])
    assert 'aria-label="&lt;a&gt;"' in html and look.status_text(html) == "<a> Note: <b>"
    assert "<a>" not in html and "<b>" not in html and 'value="0.5000"' in html


def test_curves_are_empty_before_the_first_step_and_bounded_after_many():
    curves = look.Curves()
    assert curves.html() == ""
    for k in range(1, 5001):
        curves.add(event(step=k, steps=5000, total_step=k, total_steps=5000))
    drawn = re.findall(r'd="M([^"]*)"', curves.html())
    assert [len(path.split(" L ")[0].split()) // 2 for path in drawn] == [curves.POINTS] * 3


def test_curves_leave_out_losses_that_are_not_finite():
    curves = look.Curves()
    curves.add(event(losses={"critic_real": float("nan"), "critic_fake": 0.0, "reconstruction": 1.0}))
    assert curves.html() == ""


def test_curves_average_the_steps_that_share_a_point():
    curves = look.Curves()
    for k, value in enumerate([1.0, 3.0]):
        losses = {"critic_real": 0.0, "critic_fake": 0.0, "reconstruction": value}
        curves.add(event(losses=losses, step=k + 1, total_step=k, total_steps=10_000))
    assert (curves.sums["reconstruction"] / curves.counts.clip(1))[0] == 2.0


# --- limits


def test_limits_are_read_from_the_environment():
    assert Limits.from_environment({}) == Limits(math.inf, 25, True)
    assert Limits.from_environment({"SPACE_ID": "a/b"}) == Limits(900, 25, True)
    assert Limits.from_environment({"SINGAN_MAX_UPLOAD_MEGAPIXELS": "100"}).max_upload_megapixels == 100
    values = {"SINGAN_MAX_SECONDS": "60", "SINGAN_MAX_UPLOAD_MEGAPIXELS": ".5", "SINGAN_ALLOW_TRAINING": "0"}
    assert Limits.from_environment({"SPACE_ID": "a/b", **values}) == Limits(60, 0.5, False)
    assert Limits.from_environment(dict.fromkeys(values, "")) == Limits()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("SINGAN_MAX_SECONDS", "soon", "SINGAN_MAX_SECONDS is 'soon'; give a number above 0."),
        ("SINGAN_MAX_SECONDS", "0", "SINGAN_MAX_SECONDS is '0'; give a number above 0."),
        ("SINGAN_MAX_SECONDS", "nan", "SINGAN_MAX_SECONDS is 'nan'; give a number above 0."),
        ("SINGAN_MAX_UPLOAD_MEGAPIXELS", "101", "is '101'; give a number above 0, at most 100."),
        ("SINGAN_ALLOW_TRAINING", "no", "SINGAN_ALLOW_TRAINING is 'no'; give 0 or 1."),
    ],
)
def test_wrong_limit_is_a_plain_error_at_the_start(monkeypatch, tmp_path, name, value, message):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))  # which app.py would set for good
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as error:
        runpy.run_path(str(ROOT / "app.py"))
    assert str(error.value).startswith("The app cannot start: ") and message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_app_that_cannot_start_says_so_before_it_has_imported_what_takes_seconds():
    environment = {**os.environ, "SINGAN_MAX_SECONDS": "soon"}
    barred = "import runpy, sys; sys.modules |= dict.fromkeys(['gradio', 'torch']); runpy.run_path('app.py')"
    command = [sys.executable, "-c", barred]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "The app cannot start: SINGAN_MAX_SECONDS is 'soon'; give a number above 0.\n"


def test_where_training_is_forbidden_there_is_no_call_for_it_and_the_page_says_what_to_do(monkeypatch, pretrained):
    monkeypatch.setenv("SINGAN_ALLOW_TRAINING", "0")
    app = build_app(pretrained)
    without = sorted(set(CALLS) - {"/resume", "/stop", "/train"})
    assert sorted(app.get_api_info()["named_endpoints"]) == without
    assert all(fn.fn not in (train.train, train.resume) for fn in app.fns.values())
    assert any(
        "Training is switched off here" in str(block.value) for block in app.blocks.values() if hasattr(block, "value")
    )


# --- the whole


def test_api_has_a_documented_call_for_each_tab(built_app):
    calls = built_app.get_api_info()["named_endpoints"]
    assert sorted(calls) == CALLS
    for name, call in calls.items():
        assert call["description"], name
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    assert {*re.findall(r"^## `(/\w+)`", text, re.MULTILINE)} >= {*CALLS, "/push"}
    tasks = dict(re.findall(r"^## `(/\w+)`\n(.*?)(?=^## )", text.split("## The tasks")[1], re.MULTILINE | re.DOTALL))
    for name in {*tasks} - {"/push"}:  # of all others it says that they have one
        has = "new_seed" in [parameter["parameter_name"] for parameter in calls[name]["parameters"]]
        assert has == ("there is\nno `new_seed`" not in tasks[name]), name


def test_app_without_shipped_pyramids_can_be_built(tmp_path):
    calls = build_app(tmp_path / "nothing").get_api_info()["named_endpoints"]
    assert sorted(calls) == CALLS


def test_heavy_handlers_share_one_queue_of_bounded_length(built_app):
    app = built_app
    lanes = {
        (fn.fn, fn.concurrency_id) for fn in app.fns.values() if fn.fn in (train.train, train.resume, sample.sample)
    }
    assert lanes == {(train.train, "long"), (train.resume, "long"), (sample.sample, "short")}
    assert app.fns and app.default_config and app._queue.max_size == 64


def test_client_trains_and_samples_from_what_it_trained(app_url, photo_path):
    client = Client(app_url, verbose=False)
    client.predict(photo=handle_file(photo_path), steps=1, api_name="/train")
    pictures, seed = client.predict(pyramid="tiles", number=1, seed=4, new_seed=False, api_name="/sample")
    assert seed == 4
    with Image.open(pictures[0]["image"]) as image:
        assert (image.format, image.size, image.text["seed"]) == ("PNG", (52, 40), "4")


def test_twenty_visitors_at_once_are_all_answered(app_url):
    clients = [Client(app_url, verbose=False) for _ in range(20)]
    settings = {"pyramid": "blue", "number": 1, "new_seed": False, "api_name": "/sample"}
    jobs = [client.submit(seed=k, **settings) for k, client in enumerate(clients)]
    assert [job.result()[1] for job in jobs] == list(range(20))


def test_client_stops_and_resumes_a_run_by_its_id_alone(app_url, photo_path):
    client = Client(app_url, verbose=False)
    job = client.submit(photo=handle_file(photo_path), steps=80, api_name="/train")
    run_id = None
    while run_id is None:
        assert not job.done()
        run_id = next((state[4] for state in job.outputs() if state[4]), None)
    Client(app_url, verbose=False).predict(run_id="guessed", api_name="/stop")
    client.predict(run_id=run_id, api_name="/stop")
    assert "Stopped after" in job.result()[0]
    *_, archive, name, _ = Client(app_url, verbose=False).predict(run_id=run_id, api_name="/resume")
    with zipfile.ZipFile(archive) as files:
        assert {Path(member).name for member in files.namelist()} >= {"config.json", "model.safetensors"}
    assert name == "tiles"


def test_photo_that_came_during_a_training_is_there_after_it(app_url, photo_path, photo, tmp_path):
    photo.save(tmp_path / "other.png")
    client = Client(app_url, verbose=False)
    job = client.submit(photo=handle_file(photo_path), steps=80, api_name="/train")
    while not any(state[4] for state in job.outputs()):
        assert not job.done()
    assert client.predict(photo=handle_file(tmp_path / "other.png"), api_name="/draft") == "other"
    *_, name, _ = job.result()
    for pyramid in ("other", name):
        assert len(client.predict(pyramid=pyramid, number=1, api_name="/sample")[0]) == 1


def test_client_that_gives_no_size_gets_that_of_the_photo(app_url, photo, tmp_path):
    photo.rotate(90, expand=True).save(tmp_path / "portrait.png")
    client = Client(app_url, verbose=False)
    name = client.predict(photo=handle_file(tmp_path / "portrait.png"), api_name="/draft")
    (sample,), _ = client.predict(pyramid=name, number=1, api_name="/sample")
    assert Image.open(sample["image"]).size == (40, 52)


def test_client_makes_a_draft_and_every_call_works_on_it(app_url, photo_path):
    client = Client(app_url, verbose=False)
    name = client.predict(photo=handle_file(photo_path), api_name="/draft")
    assert name == "tiles"
    pictures, _ = client.predict(pyramid=name, number=2, api_name="/sample")
    assert [Image.open(one["image"]).size for one in pictures] == [(52, 40)] * 2
    status, *_ = client.predict(pyramid=name, frames=2, api_name="/animate")
    assert "2 frames" in status
    *_, name, _ = client.predict(pyramid=name, steps=1, api_name="/train")
    assert name == "tiles"
    with pytest.raises(Exception, match="There is no pyramid"):
        Client(app_url, verbose=False).predict(pyramid=name, number=1, api_name="/sample")


@pytest.mark.parametrize("photo_size", [24, 5000])
def test_size_that_the_page_does_not_offer_is_refused(app_url, photo_path, photo_size):
    with pytest.raises(Exception, match="minimum|maximum"):
        Client(app_url, verbose=False).predict(
            photo=handle_file(photo_path), photo_size=photo_size, steps=1, api_name="/train"
        )


def test_sessions_do_not_see_each_others_models(app_url, photo_path):
    mine, other = (Client(app_url, verbose=False) for _ in range(2))
    mine.predict(photo=handle_file(photo_path), steps=1, api_name="/train")
    with pytest.raises(Exception, match="There is no pyramid"):
        other.predict(pyramid="tiles", number=1, api_name="/sample")


def test_app_sends_no_telemetry():
    code = "import app, huggingface_hub.constants as hub; "
    code += "print(app.demo.analytics_enabled, hub.HF_HUB_DISABLE_TELEMETRY, app.LAUNCH['run_history'])"
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GRADIO_", "HF_"))}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "False True False\n", done.stderr
