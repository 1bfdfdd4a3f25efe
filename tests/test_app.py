"""The app without a browser: its handlers, called as gradio calls them, and its API."""

import os
import re
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from PIL import Image

import singan
from singan import CheckpointError, SinGAN, TrainConfig, TrainingError
from singan.trainer import TrainEvent
from singan.ui import build_app, look, sample, shelf, train
from singan.ui.shelf import Shelf

ROOT = Path(__file__).parent.parent
SKIP = gr.skip()
CALLS = ["/animate", "/denoise", "/edit", "/harmonize", "/paint_to_image", "/sample", "/super_resolve", "/train"]
CALLS += ["/variation_map"]


@pytest.fixture
def shipped(pretrained):
    return Shelf(pretrained)


def run(shelf, photo, **settings):
    """Every view of a training run, with the archive's content put in place of its path."""
    views = []
    for view in train.train(shelf, None if photo is None else str(photo), **{"steps": 2, **settings}):
        if view.download.get("value"):
            with zipfile.ZipFile(view.download["value"]) as archive:
                view = view._replace(download={n: archive.read(n) for n in archive.namelist() if n[-1] != "/"})
        views.append(view)
    return views


def draw(shelf, pyramid="blue", **settings):
    """What the tab Sample shows: the pictures, their captions and the seed."""
    results = sample.sample(shelf, pyramid, **settings)
    gallery, seed = next(results)
    images = [Image.open(path) for path, _ in gallery]
    for image in images:
        image.load()
    assert list(results) == []
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

    monkeypatch.setattr(train, "iter_train", iter_train)
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
    assert mine.names()[: shelf.KEEP_TRAINED + 1] == ["e", "d", "c", "blue"]


def test_clicked_pyramid_is_chosen_by_its_caption():
    click = gr.SelectData(None, {"index": 0, "value": {"image": {"path": "x.png"}, "caption": "tiles"}})
    assert shelf.choose(click) == "tiles"


@pytest.mark.parametrize("name", ["gone", "../pretrained/blue", "", "blue/../blue"])
def test_unknown_pyramid_is_an_error_that_says_what_to_do(shipped, name):
    with pytest.raises(CheckpointError, match="choose another one. One that you trained is dropped after an hour"):
        shipped.load(name)


# --- sampling


def test_samples_are_those_of_the_model_and_captioned_with_their_seeds(shipped):
    images, captions, seed = draw(shipped, number=2, variation=0.5, start_scale=1, seed=7)
    expected = shipped.load("blue").sample(2, variation=0.5, start_scale=1, seed=7)
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
    image = draw(shipped, number=1, variation=0.25, seed=3)[0][0]
    settings = {"seed": "3", "variation": "0.25", "start_scale": "0", "size": "40x52", "model": "blue"}
    assert image.text == {**settings, "singan": singan.__version__}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pyramid": ""}, "There is nothing to sample from yet: train a photo first."),
        ({"pyramid": "<b>"}, "There is no pyramid &#x27;&lt;b&gt;&#x27;; choose another one."),
        ({"number": 4, "height": 2000, "width": 3000}, "4 samples of 2000x3000 px are 24 megapixels; the limit is 5"),
        ({"start_scale": 9}, "start_scale is 9; this model has the scales 0 to 2."),
        ({"height": 3}, "size is 3x52 px; sides start at"),
    ],
)
def test_wrong_sample_settings_are_a_toast(shipped, settings, message):
    with pytest.raises(gr.Error) as caught:
        draw(shipped, **settings)
    assert message in caught.value.message


def test_controls_fit_the_pyramid(shipped):
    height, width, start_scale = sample.fit(shipped, "blue")
    assert (height, width, start_scale["maximum"], start_scale["interactive"]) == (40, 52, 2, True)


def test_start_scale_of_a_pyramid_with_one_scale_cannot_be_moved(shipped):
    model = shipped.load("blue")
    one = replace(
        model,
        scale_sizes=model.scale_sizes[:1],
        generators=model.generators[:1],
        noise_amps=model.noise_amps[:1],
    )
    mine, name = shipped.add("one", one)
    assert sample.fit(mine, name)[2] == gr.update(value=0, maximum=1, interactive=False)


# --- training


def test_training_ends_with_a_chosen_pyramid_to_sample_from_and_to_download(shipped, photo_path, tmp_path):
    views = run(shipped, photo_path, seed=3)
    first, last = views[0], views[-1]
    assert first.train_button == gr.update(interactive=False)
    assert first.stop_button == gr.update(interactive=True)
    assert re.search("Done after 0:[0-9]{2}. 3 scales kept, up to 40x52 px: &#x27;tiles&#x27; is", last.status)
    assert last.name == "tiles"
    assert last.shelf.names() == ["tiles", "blue", "green-field"]
    assert [caption for _, caption in last.pictures["value"]] == ["tiles", "blue", "green-field"]

    for name, content in last.download.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    loaded = SinGAN.from_pretrained(tmp_path / "tiles")
    assert loaded.config == TrainConfig.preset("fast", steps=2)
    assert loaded.info["seed"] == 3
    mine = draw(last.shelf, "tiles", number=1, seed=1)[0][0]
    assert loaded.sample(seed=1)[0].tobytes() == mine.tobytes()


def test_training_shows_each_finished_scale_and_the_time_left(shipped, photo_path):
    views = run(shipped, photo_path)
    galleries = [view.scales["value"] for view in views if view.scales.get("value")]
    assert [[caption for _, caption in gallery] for gallery in galleries] == [
        ["25x32"],
        ["25x32", "32x41"],
        ["25x32", "32x41", "40x52"],
    ]
    assert any(re.search(r"Scale 3 of 3 · 40x52 px · step 2 of 2 · 0:\d\d gone · 0:00 left", v.status) for v in views)
    assert "D(G(z))" in views[-2].curves["value"] and "RMSE of 255" in views[-2].curves["value"]


@pytest.mark.parametrize(
    ("settings", "config"),
    [
        ({"steps": None}, TrainConfig.preset("fast")),
        ({"steps": None, "preset": "best", "max_size": 500}, TrainConfig.preset("best", max_size=500)),
        ({"steps": 9, "paper": True}, TrainConfig.preset("paper", steps=9)),
    ],
)
def test_settings_reach_the_trainer(monkeypatch, shipped, photo_path, settings, config):
    happened = fake_run(monkeypatch, [])
    until_toast(train.train(shipped, str(photo_path), **settings))
    assert happened[0] == config


def test_stop_keeps_the_finished_scales(shipped, photo_path):
    views = train.train(shipped, str(photo_path), steps=40)
    stop = next(views).stop
    for view in views:
        last = view
        if view.scales.get("value"):
            assert train.ask_to_stop(stop) == gr.update(interactive=False)
    assert re.search("Stopped after 0:[0-9]{2}. 1 scale kept, up to 25x32 px", last.status)
    assert last.shelf.load("tiles").num_scales == 1
    assert draw(last.shelf, "tiles", number=1)[0][0].size == (32, 25)


def test_stop_before_the_first_scale_is_a_toast(shipped, photo_path):
    views = train.train(shipped, str(photo_path))
    next(views).stop.set()
    _, message = until_toast(views)
    assert "stopped before its first scale was finished" in message


def test_stop_without_a_run_does_nothing():
    assert train.ask_to_stop(None) == gr.update(interactive=False)


def test_leaving_the_page_ends_the_run(monkeypatch, shipped, photo_path):
    happened = fake_run(monkeypatch, [event("start"), event(), event()])
    views = train.train(shipped, str(photo_path))
    next(views), next(views)
    assert happened[1:] == []
    views.close()  # what gradio does
    assert happened[1:] == ["closed"]


def test_page_is_updated_at_once_and_then_at_a_steady_pace(monkeypatch, shipped, photo_path):
    monkeypatch.setattr(train, "SHOW_SECONDS", 0.05)
    fake_run(monkeypatch, (time.sleep(0.01) or event(step=k) for k in range(1, 41)))
    views, _ = until_toast(train.train(shipped, str(photo_path)))
    assert 4 <= len(views) <= 12  # 40 steps of .01 s


def test_preview_made_between_two_updates_is_shown_with_the_next(monkeypatch, shipped, photo_path, photo):
    fake_run(monkeypatch, [event(), event(step=2, preview=photo), event("scale", step=3)])
    shown = []
    with pytest.raises(gr.Error, match="Enough"):
        shown.extend(
            Image.open(view.now).tobytes() if view.now != SKIP else None
            for view in train.train(shipped, str(photo_path))
        )
    assert shown == [None, None, photo.tobytes(), None]


def test_run_leaves_no_files_behind(monkeypatch, shipped, photo_path, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run(shipped, photo_path)
    views = train.train(shipped, str(photo_path))
    next(views), next(views)
    assert list(tmp_path.iterdir()) != []
    views.close()
    assert list(tmp_path.iterdir()) == []


def test_failed_run_keeps_the_finished_scales_and_says_why(monkeypatch, shipped, photo_path):
    def fail():
        yield event()
        raise TrainingError("Scale 2 diverged.", model=shipped.load("blue"))

    fake_run(monkeypatch, fail())
    views, message = until_toast(train.train(shipped, str(photo_path)))
    assert message == "Scale 2 diverged."
    assert views[-1].shelf.load("tiles") is shipped.load("blue")
    assert "Scale 2 diverged. 3 scales kept" in views[-1].status


def test_buttons_are_ready_again_after_a_run():
    assert train.idle() == (gr.update(interactive=True), gr.update(interactive=False))


def test_what_is_not_an_image_is_a_toast_and_stays_on_the_page(shipped, tmp_path):
    wrong = tmp_path / "<img src=x>.png"
    wrong.write_text("not an image")
    safe = "&lt;img src=x&gt;.png is not an image that can be read"
    with pytest.raises(gr.Error, match=safe):
        train.look(str(wrong), 250)
    views, message = until_toast(train.train(shipped, str(wrong)))
    assert safe in message
    assert safe in views[-1].status


def test_training_without_a_photo_is_a_toast(shipped):
    with pytest.raises(gr.Error, match="There is no photo yet: upload one first."):
        run(shipped, None)


def test_upload_is_shown_as_it_will_be_learned(tmp_path):
    path = tmp_path / "wide.jpg"
    Image.new("RGB", (600, 300), "red").save(path)
    status, image = train.look(str(path), 250)
    assert image.size == (250, 125)
    assert "Learned at 125x250 px, in 7 scales." in status


def test_what_is_not_used_of_a_photo_is_said(shipped, photo, tmp_path):
    path = tmp_path / "logo.png"
    clear = photo.convert("RGBA")
    clear.putalpha(100)
    clear.save(path)
    note = "Note: logo.png is partly transparent: it is flattened on white."
    assert note in train.look(str(path), 250)[0]
    assert note in run(shipped, path)[-1].status


# --- looks


@pytest.mark.parametrize(("seconds", "text"), [(7.4, "0:07"), (754, "12:34"), (3723, "1:02:03")])
def test_clock(seconds, text):
    assert look.clock(seconds) == text


def test_status_escapes_what_it_is_given():
    html = look.run_status("<a>", 0.5, ["<b>"])
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


# --- the whole


def test_api_has_a_documented_call_for_each_tab(pretrained):
    calls = build_app(pretrained).get_api_info()["named_endpoints"]
    assert sorted(calls) == CALLS
    for call in calls.values():
        assert call["description"]


def test_app_without_shipped_pyramids_can_be_built(tmp_path):
    calls = build_app(tmp_path / "nothing").get_api_info()["named_endpoints"]
    assert sorted(calls) == CALLS


def test_heavy_handlers_share_one_queue_of_bounded_length(pretrained):
    app = build_app(pretrained)
    heavy = [fn for fn in app.fns.values() if fn.fn in (train.train, sample.sample)]
    assert [fn.concurrency_id for fn in heavy].count("compute") == len(heavy) - 1  # the first samples
    assert app.fns and app.default_config and app._queue.max_size == 32


def test_client_trains_and_samples_from_what_it_trained(app_url, photo_path):
    client = Client(app_url, verbose=False)
    client.predict(photo=handle_file(photo_path), steps=1, api_name="/train")
    pictures, seed = client.predict(pyramid="tiles", number=1, seed=4, new_seed=False, api_name="/sample")
    assert seed == 4
    with Image.open(pictures[0]["image"]) as image:
        assert (image.format, image.size, image.text["seed"]) == ("PNG", (52, 40), "4")


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
