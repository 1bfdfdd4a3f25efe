"""The tabs of the tasks without a browser: their handlers, called as gradio calls them, and their API."""

import threading
import time
from dataclasses import replace
from functools import partial

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from gradio_client.utils import Status
from PIL import Image, ImageChops, ImageDraw, ImageStat

import singan
from singan import ConfigError, TaskEvent
from singan.limits import Limits
from singan.ui import (
    animate,
    canvas,
    denoise,
    edit,
    editor,
    enlarge,
    fill,
    harmonize,
    injected,
    learning,
    look,
    paint,
    variation,
)
from singan.ui import composite as composite_of
from singan.ui.examples import example_pictures
from singan.ui.shelf import Own, Shelf
from singan.ui.work import Short, Turns, turns, watch

SKIP = gr.skip()


@pytest.fixture
def shipped(pretrained):
    return Shelf(pretrained)


@pytest.fixture(scope="session")
def composite(photo):
    """The photo with a red rectangle in it, and its mask."""
    return canvas.paste(photo, Image.new("RGBA", (12, 8), "red"), 50, 50, 30)


@pytest.fixture(scope="session")
def picture_file(composite, tmp_path_factory):
    path = tmp_path_factory.mktemp("composite") / "composite.png"
    composite[0].save(path)
    return path


def last(views):
    """What the views of a run leave on the page, with pictures in place of their paths, and what each of them said."""
    shown, said = {}, []
    for view in views:
        for name, value in view._asdict().items():
            value = value["value"] if isinstance(value, dict) and "value" in value else value
            if value != SKIP:
                shown[name] = opened(value)
        said.append(shown["status"])
    return shown, said


def opened(value):
    if isinstance(value, (list, tuple)):
        return type(value)(opened(one) for one in value)
    if not (isinstance(value, str) and value.endswith((".png", ".gif", ".webp"))):
        return value
    with Image.open(value) as image:
        image.load()
        getattr(image, "n_frames", 1)  # which is counted in the file
        return image


def toast(views):
    with pytest.raises(gr.Error) as caught:
        list(views)
    return caught.value.message


# --- heavy work


def test_watched_job_gives_its_events_and_its_result():
    def job(on_event):
        for k in range(3):
            on_event(TaskEvent(k + 1, 3, "scale"))
        return "result"

    seen = []

    def follow():
        assert (yield from watch(job, lambda event: event and seen.append(event.done))) == "result"

    list(follow())
    assert seen == [1, 2, 3]


def test_watched_job_raises_its_error():
    def job(_):
        raise ConfigError("No.")

    with pytest.raises(ConfigError, match="No."):
        list(watch(job, lambda event: event))


def test_slow_job_yields_so_that_it_can_be_cancelled_and_ends_when_closed():
    ended = threading.Event()

    def job(on_event):
        try:
            while True:
                time.sleep(0.05)
                on_event(TaskEvent(1, 9, "step"))
        finally:
            ended.set()

    views = watch(job, lambda event: event)
    next(views), next(views)
    views.close()
    assert ended.is_set()


@pytest.mark.parametrize("long", [False, True])
def test_next_job_computes_nothing_before_one_that_was_left_has_ended(long):
    inside, most, go_on = [], [], threading.Event()

    def job(on_event):
        inside.append(1)
        most.append(len(inside))
        while not go_on.is_set():
            on_event(TaskEvent(1, 9, "step"))
            go_on.wait(0.05)
        inside.pop()

    first, second = (watch(job, lambda event: event, long=long) for _ in range(2))
    assert next(first) is not None and next(second) is None  # which waits
    go_on.set()
    assert list(first) is not None and list(second) is not None and most == [1, 1]


# --- injection


def test_harmonized_picture_is_that_of_the_task(shipped, composite):
    picture, mask = composite
    shown, said = last(harmonize.harmonize(shipped, "blue", editor.on_canvas(picture), mask, seed=3))
    best = singan.harmonize(shipped.load("blue"), picture, mask, seed=3)[0]
    assert shown["pair"][1].tobytes() == best.tobytes()
    assert shown["pair"][0].tobytes() == picture.tobytes()
    assert f"Scale {best.info['scale']} of 2, picked automatically." in said[-1]
    assert shown["seed"] == 3 and shown["strip"] is None  # the scales differ too little to compare
    shown, _ = last(harmonize.harmonize(shipped, "blue", editor.on_canvas(picture), mask, scale="1"))
    assert [caption for _, caption in shown["strip"]] == ["Scale 1 ✓", "Scale 2"]


def test_harmonized_object_keeps_its_colours_if_asked_to(shipped, composite):
    picture, mask = composite
    run = composite_of.as_drawn(harmonize.harmonize, None, 0)
    shown, _ = last(run(shipped, "blue", editor.on_canvas(picture), mask, None, "2", 3, False, 0.25))
    own = singan.harmonize(shipped.load("blue"), picture, mask, scale=2, seed=3, recolor=0.25)[0]
    usual = singan.harmonize(shipped.load("blue"), picture, mask, scale=2, seed=3)[0]
    assert shown["pair"][1].tobytes() == own.tobytes() != usual.tobytes()
    assert shown["pair"][1].text["recolor"] == "0.25"


def test_first_view_comes_before_any_work(shipped, composite):
    views = harmonize.harmonize(shipped, "blue", editor.on_canvas(composite[0]))
    assert "Starting" in next(views).status
    views.close()


def test_result_carries_its_settings(shipped, composite):
    picture, mask = composite
    shown, _ = last(edit.edit(shipped, "blue", editor.on_canvas(picture), mask, scale="2", seed=5))
    settings = shown["pair"][1].text
    assert settings.items() >= {"model": "blue", "task": "edit", "scale": "2", "seed": "5"}.items()
    assert settings["singan"] == singan.__version__
    assert shown["strip"] is None and len(shown["full"]) == 1  # there is nothing to choose


def test_strip_is_small_and_what_is_chosen_from_it_is_not(shipped, photo, composite):
    mine, name = shipped.add("large", singan.draft(photo.resize((520, 400))))
    picture, mask = (one.resize((520, 400)) for one in composite)
    shown, _ = last(harmonize.harmonize(mine, name, editor.on_canvas(picture), mask, scale="1"))
    assert [image.size for image in shown["pair"]] == [(520, 400)] * 2
    assert [image.size for image in shown["full"]] == [(520, 400)] * len(shown["strip"])
    assert {max(image.size) for image, _ in shown["strip"]} == {injected.STRIP_SIDE}


def test_painted_mask_and_pasted_mask_are_used_together(shipped, composite):
    picture, mask = composite
    painted = Image.new("RGBA", picture.size)
    ImageDraw.Draw(painted).rectangle((0, 0, 6, 6), fill="white")
    value = {**editor.on_canvas(picture), "layers": [painted]}
    shown, _ = last(edit.edit(shipped, "blue", value, mask, scale="1"))
    both = ImageChops.lighter(mask, painted.getchannel("A"))
    assert shown["pair"][1].tobytes() == singan.edit(shipped.load("blue"), picture, both, scale=1)[0].tobytes()


def test_harmonizing_without_a_mask_finds_it(shipped, composite):
    shown, _ = last(harmonize.harmonize(shipped, "blue", editor.on_canvas(composite[0]), scale="2"))
    expected = singan.harmonize(shipped.load("blue"), composite[0], scale=2)[0]
    assert shown["pair"][1].tobytes() == expected.tobytes()


def test_new_seed_is_drawn_and_given_back(shipped, composite):
    value = editor.on_canvas(composite[0])
    seeds = {next(harmonize.harmonize(shipped, "blue", value, new_seed=True)).seed for _ in range(3)}
    assert len(seeds) == 3


def test_painting_is_injected_with_its_layers(shipped, photo):
    over = Image.new("RGBA", photo.size)
    ImageDraw.Draw(over).rectangle((0, 0, 20, 20), fill="yellow")
    value = {**editor.on_canvas(photo), "layers": [over]}
    shown, _ = last(paint.paint_to_image(shipped, "blue", value, scale="2"))
    assert shown["pair"][0].getpixel((5, 5)) == (255, 255, 0)
    flat = canvas.flattened(value)
    assert shown["pair"][1].tobytes() == singan.paint_to_image(shipped.load("blue"), flat, scale=2)[0].tobytes()


def test_painting_in_few_colours_trains_and_shows_its_result_alone(shipped, photo):
    shown, said = last(paint.paint_to_image(shipped, "blue", editor.on_canvas(photo), colors=3))
    assert shown["strip"] is None and len(shown["full"]) == 1
    assert shown["pair"][1].text["colors"] == "3"
    assert "picked automatically" in said[-1]


def test_denoised_picture_is_that_of_the_task(shipped, picture_file):
    shown, _ = last(denoise.denoise(shipped, "blue", str(picture_file), times=2, scale="2"))
    expected = singan.denoise(shipped.load("blue"), Image.open(picture_file), times=2, scale=2)[0]
    assert shown["pair"][1].tobytes() == expected.tobytes()


def test_large_noisy_picture_is_shrunk_before_it_is_a_tensor(shipped, tmp_path, monkeypatch):
    """A few kilobytes of 25 megapixels would take a gigabyte."""
    Image.new("RGB", (25, 9_000), "green").save(tmp_path / "long.png")
    given = []
    monkeypatch.setattr(singan, "denoise", lambda model, picture, **_: given.append(picture.size) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        last(denoise.denoise(shipped, "blue", str(tmp_path / "long.png")))
    assert given == [(52, 40)]


def test_picture_of_another_size_is_resized_and_that_is_said(shipped, tmp_path):
    path = tmp_path / "large.png"
    Image.new("RGB", (104, 90), "green").save(path)
    shown, said = last(denoise.denoise(shipped, "blue", str(path), scale="2"))
    assert shown["pair"][0].size == shown["pair"][1].size == (52, 40)
    assert "Note: Resized from 104x90 to 52x40 px" in said[-1]


def test_scale_that_is_clicked_is_shown_and_chosen():
    strip = [("1.png", "Scale 1"), ("2.png", "Scale 2 ✓")]
    click = gr.SelectData(None, {"index": 1, "value": {}})
    assert injected.pick(("before.png", "full 1.png"), strip, ["full 1.png", "full 2.png"], click) == (
        ("before.png", "full 2.png"),
        "2",
        look.run_status("Scale 2, which you chose.", None, []),
    )


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (lambda s, p: harmonize.harmonize(s, "<b>", editor.on_canvas(p)), "There is no pyramid &#x27;&lt;b&gt;"),
        (lambda s, p: harmonize.harmonize(s, "blue", editor.on_canvas(p)), "Nothing in the composite differs"),
        (
            lambda s, p: harmonize.harmonize(s, "blue", editor.on_canvas(p), scale="9"),
            "Nothing in the composite differs",
        ),
        (lambda s, p: edit.edit(s, "blue", editor.on_canvas(p)), "Nothing is changed yet: paint over a part"),
        (lambda s, p: paint.paint_to_image(s, "blue", editor.on_canvas(p), scale="9"), "choose from 1 to 2"),
        (lambda s, p: paint.paint_to_image(s, "blue", editor.on_canvas(p), scale="x"), "choose from 1 to 2"),
        (lambda s, p: paint.paint_to_image(s, "blue", editor.on_canvas(p), colors=1), "a palette has 2 to 64"),
        (lambda s, p: denoise.denoise(s, "blue", None), "There is no noisy picture yet: upload one first."),
        (lambda s, p: animate.animate(s, "blue", frames=500), "here it goes up to 200"),
        (
            lambda s, p: animate.animate(s, "blue", start_scale=7),
            "start_scale is 7; this model starts at scale 0 alone",
        ),
        (lambda s, p: variation.variation_map(s, "blue", number=1), "a map takes 2 to 1000 samples"),
        (lambda s, p: enlarge.super_resolve(s, "blue", None, factor=9), "factor is 9; it goes from 1 to 8"),
        (lambda s, p: enlarge.super_resolve(s, "", None), "There is no pyramid"),
    ],
)
def test_mistake_is_a_toast(shipped, photo, run, message):
    assert message in toast(run(shipped, photo))


def test_what_is_not_an_image_is_a_toast(shipped, tmp_path):
    wrong = tmp_path / "<b>.png"
    wrong.write_text("not an image")
    for handler in (
        lambda: editor.own_picture(shipped, "blue", str(wrong)),
        lambda: composite_of.add_object(shipped, editor.on_canvas(Image.new("RGB", (52, 40))), None, None, str(wrong)),
        lambda: paint.own(shipped, str(wrong)),
        lambda: list(denoise.denoise(shipped, "blue", str(wrong))),
        lambda: list(enlarge.super_resolve(shipped, "blue", str(wrong))),
    ):
        with pytest.raises(gr.Error, match="&lt;b&gt;.png is not an image that can be read"):
            handler()


# --- canvases


def test_canvas_gets_the_picture_of_a_pyramid_chosen_anew(shipped, photo):
    owner, value, mask, scale, *results = editor.fresh_canvas(shipped, "blue")
    assert (owner, mask) == ("blue", None)
    assert value["background"].tobytes() == photo.tobytes()
    assert scale["choices"] == ["auto", "1", "2"]
    assert [result["visible"] for result in results] == [False, False]


def test_canvas_that_belongs_to_the_pyramid_is_left_alone(shipped):
    assert fill.fresh_picture(shipped, "blue", "blue") == (SKIP,) * 4
    assert paint.blank(shipped, "blue", "blue") == (SKIP,) * 6


def test_equal_canvases_do_not_share_a_file(photo):
    one, other = (editor.Canvas(format="png").postprocess(editor.on_canvas(photo)) for _ in range(2))
    assert one.background.path != other.background.path
    assert Image.open(one.background.path).tobytes() == photo.tobytes()


def test_blank_canvas_has_the_mean_colour_and_the_brush_the_palette(shipped, photo):
    _, update, *_ = paint.blank(shipped, "blue")
    background = update["value"]["background"]
    assert background.size == photo.size and len(background.getcolors()) == 1
    assert len(set(update["brush"].colors)) == paint.COLORS


def test_changes_add_up(photo):
    painted = Image.new("RGBA", photo.size)
    painted.paste("white", (0, 0, 5, 5))
    first, mask = edit.change({"background": photo, "layers": [painted]}, None, "copy", 50, 50)
    assert mask.getbbox() == (26, 20, 31, 25)
    second, mask = edit.change({**first, "layers": [painted]}, mask, "erase", 0, 0)
    assert mask.getbbox() == (0, 0, 31, 25)
    assert second["layers"] == []


@pytest.mark.parametrize("how", ["copy", "move", "erase", "changed"])
def test_what_is_painted_over_is_changed_and_made_seamless_in_one_go(shipped, photo, how):
    painted = Image.new("RGBA", photo.size)
    painted.paste("black", (4, 4, 20, 20))
    value, settings = {"background": photo, "layers": [painted]}, ("auto", 3, False)
    run = composite_of.as_drawn(edit.edit, edit.prepared, 3)
    shown, _ = last(run(shipped, "blue", value, None, None, how, 50, 0, *settings))

    changed, mask = edit.change(value, None, how, 50, 0)
    wanted, _ = last(edit.edit(shipped, "blue", changed, mask, *settings))
    assert [image.tobytes() for image in shown["pair"]] == [image.tobytes() for image in wanted["pair"]]
    assert (changed["background"].tobytes() == photo.tobytes()) == (how == "changed")
    again, _ = last(run(shipped, "blue", changed, mask, None, how, 50, 0, *settings))  # nothing more is painted over
    assert again["pair"][1].tobytes() == wanted["pair"][1].tobytes()


@pytest.mark.parametrize("how", ["copy", "erase"])
def test_what_is_painted_over_is_changed_before_an_object_comes(shipped, photo, tmp_path, how):
    painted = Image.new("RGBA", photo.size)
    painted.paste("black", (4, 4, 20, 20))
    value = {"background": photo, "layers": [painted]}
    Image.new("RGB", (30, 30), "red").save(tmp_path / "thing.png")
    canvas_, mask, scene, *_ = composite_of.adding(edit.prepared)(
        shipped, value, None, None, str(tmp_path / "thing.png"), how, 50, 0
    )
    changed, wanted = edit.change(value, None, how, 50, 0)
    assert canvas_["background"].tobytes() == changed["background"].tobytes() != photo.tobytes()
    assert canvas_["layers"] == [] and mask.tobytes() == wanted.tobytes()
    ground = Image.open(scene["value"].picture).convert("RGB")  # packed with losses
    apart = [ImageStat.Stat(ImageChops.difference(ground, one)).rms for one in (changed["background"], photo)]
    assert apart[0][0] < 0.5 * apart[1][0]  # of red: chroma is packed at half the size


def test_change_without_a_painted_part_is_a_toast(photo):
    with pytest.raises(gr.Error, match="Nothing is painted over yet"):
        edit.change(editor.on_canvas(photo), None, "move", 10, 0)


# --- super-resolution, animation, variation


def test_picture_is_learned_and_enlarged(monkeypatch, shipped, photo_path):
    config = replace(singan.super_resolution_config(2, (52, 40)), steps=(2,))
    monkeypatch.setattr(singan, "super_resolution_config", lambda *_: config)
    shown, said = last(enlarge.super_resolve(shipped, "blue", str(photo_path), factor=2, seed=4))
    assert [image.size for image in shown["pair"]] == [(104, 80), (104, 80)]
    assert shown["pair"][1].text.items() >= {"task": "super-resolution", "factor": "2", "seed": "4"}.items()
    assert any("Learning: step 2 of 2" in line for line in said)
    assert "From 52x40 to 104x80 px in 0:" in said[-1]


def test_what_is_learned_by_now_is_shown_at_the_size_of_the_picture(monkeypatch, shipped, photo, photo_path):
    config = replace(singan.super_resolution_config(2, (52, 40)), steps=(4,))
    monkeypatch.setattr(singan, "super_resolution_config", lambda *_: config)
    monkeypatch.setattr(enlarge, "PREVIEW_STEPS", 2)
    monkeypatch.setattr(enlarge, "SHOW_SECONDS", 0)
    pairs = []
    for view in enlarge.super_resolve(shipped, "blue", str(photo_path), factor=2):
        if view.pair != SKIP:
            pairs.append(opened(view.pair["value"]))
            assert ("the slider shows the picture itself" in view.status) == ("Learning" in view.status)
    softer = [left for left, _ in pairs[:-1]]
    assert [image.size for pair in pairs for image in pair] == [(52, 40)] * (2 * len(softer)) + [(104, 80)] * 2
    assert len(softer) >= 3 and softer[0].tobytes() == softer[-1].tobytes()
    assert pairs[-2][1].tobytes() != pairs[0][1].tobytes()  # more was learned meanwhile


def test_picture_that_takes_too_long_to_learn_is_given_up(monkeypatch, shipped, photo_path):
    config = replace(singan.super_resolution_config(2, (52, 40)), steps=(2,))
    monkeypatch.setattr(singan, "super_resolution_config", lambda *_: config)
    hurried = replace(shipped, limits=Limits(max_seconds=1e-6))
    with pytest.raises(gr.Error, match="Learning takes over 1e-06 s, the limit here: take a smaller picture"):
        list(enlarge.super_resolve(hurried, "blue", str(photo_path), factor=2))


def test_where_training_is_forbidden_no_picture_is_learned(shipped, photo_path):
    forbidden = replace(shipped, limits=Limits(allow_training=False))
    for given in (str(photo_path), None):
        with pytest.raises(gr.Error, match="Learning pictures is switched off here"):
            list(enlarge.super_resolve(forbidden, "blue", given))


def test_uploads_over_the_limit_are_a_toast(shipped, photo_path):
    small = replace(shipped, limits=Limits(max_upload_megapixels=0.001))
    for handler in (
        lambda: editor.own_picture(small, "blue", str(photo_path)),
        lambda: paint.own(small, str(photo_path)),
        lambda: list(denoise.denoise(small, "blue", str(photo_path))),
        lambda: list(enlarge.super_resolve(small, "blue", str(photo_path))),
    ):
        with pytest.raises(gr.Error, match="the limit is 0.001"):
            handler()


def test_without_a_picture_the_photo_of_the_pyramid_is_learned_and_enlarged(monkeypatch, shipped, photo):
    config = replace(singan.super_resolution_config(1.5, (52, 40)), steps=(2,))
    monkeypatch.setattr(singan, "super_resolution_config", lambda *_: config)
    mine, draft = shipped.add("draft", singan.draft(photo))
    for pyramid in ("blue", draft):  # which have no generator at their finest scale
        shown, said = last(enlarge.super_resolve(mine, pyramid, None, factor=1.5))
        assert shown["pair"][1].size == (78, 60)
        assert any("Learning: step" in line for line in said)


def test_pyramid_with_all_its_generators_enlarges_its_photo_at_once(shipped, photo):
    config = singan.TrainConfig.preset(
        "fast", steps=2, pool_size=4, width=8, critic_width=8, generators=None, voting_rounds=0, field=False
    )
    mine, name = replace(shipped, limits=Limits(allow_training=False)).add("old", singan.train(photo, config))
    shown, said = last(enlarge.super_resolve(mine, name, None, factor=1.5))
    assert shown["pair"][1].size == (78, 60)
    assert "Note: This model was trained for sampling" in said[-1]


@pytest.mark.parametrize(
    ("size", "cure"), [((1000, 900), "lower the factor to 4,"), ((5000, 4000), "crop or shrink it")]
)
def test_enlargement_that_takes_too_long_is_refused(shipped, tmp_path, size, cure):
    path = tmp_path / "large.png"
    Image.new("RGB", size).save(path)
    message = toast(enlarge.super_resolve(shipped, "blue", str(path), factor=5))
    assert f"large.png is {size[0]}x{size[1]} px, which makes" in message
    assert f"here it goes up to 17: {cure}" in message


def test_leaving_the_page_ends_the_learning(monkeypatch, shipped, photo_path):
    ended = []

    def iter_train(*args, **settings):
        try:
            yield from singan.iter_train(*args, **settings)
        finally:
            ended.append(True)

    monkeypatch.setattr(learning, "iter_train", iter_train)
    views = enlarge.super_resolve(shipped, "blue", str(photo_path))
    next(views), next(views)
    views.close()
    assert ended == [True]


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_animation_has_the_frames_asked_for(shipped, kind):
    shown, said = last(animate.animate(shipped, "blue", frames=4, fps=5, kind=kind, seed=2))
    assert shown["picture"].n_frames == 4
    assert shown["seed"] == 2
    assert "4 frames, 0.0 MB, in" in said[-1]


def test_examples_of_animation_name_their_pyramid_and_settings(pretrained):
    shelf = Shelf(pretrained.parent / "none", own={"waves": Own(Shelf(pretrained).load("blue"))})
    name, marked, owner, *settings = animate.open_example(shelf, "Moving waves")
    assert owner == name
    assert (name, marked["selected_index"], settings) == ("waves", 0, [0.3, 0])


@pytest.mark.parametrize(("name", "variation", "start_scale"), animate.EXAMPLES.values())
def test_examples_of_animation_move_the_model_that_is_shipped(name, variation, start_scale):
    model = singan.SinGAN.from_pretrained(name)
    frames = [*singan.iter_frames(model, frames=6, variation=variation, start_scale=start_scale)]
    assert frames[0].size == model.image_size[::-1] and len({frame.tobytes() for frame in frames}) > 1


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_frame_of_an_animation_goes_on_as_a_picture(shipped, photo, tmp_path, kind):
    file = tmp_path / f"walk.{kind}"
    singan.animate(shipped.load("blue"), file, frames=3, fps=10)
    for number, wanted in ((None, 1), (1, 1), (3, 3), (9, 3)):
        path = animate.frame(str(file), number)
        assert path.endswith(f"walk-frame-{wanted}.png")
        with Image.open(path) as image, Image.open(file) as film:
            film.seek(wanted - 1)
            assert image.size == photo.size and image.tobytes() == film.convert("RGB").tobytes()
    assert animate.frame(None, 1) is None


def test_variation_map_is_that_of_the_task(shipped):
    shown, said = last(variation.variation_map(shipped, "blue", number=3, seed=1))
    assert shown["heat"].tobytes() == singan.variation_map(shipped.load("blue"), n=3, seed=1).tobytes()
    assert "standard deviation of" in said[-1]


# --- examples


def test_examples_are_those_of_pyramids_that_are_there(examples, shipped):
    top = type("Top", (), {"shelf": gr.State(shipped)})
    assert [path.name for path in example_pictures(examples / "edit", top)] == ["blue.png", "green-field.png"]
    assert example_pictures(examples / "nothing", top) == []


def test_example_brings_its_pyramid_its_mask_and_a_canvas_that_stays(examples, shipped):
    name, row, owner, value, mask, *_ = editor.open_example(shipped, examples / "edit" / "green-field.png")
    assert (name, row["selected_index"], owner) == ("green-field", 1, "green-field")
    assert value["background"].size == mask.size == (52, 40)


# --- fill


def test_what_is_painted_over_is_filled_as_the_task_does(shipped, photo):
    layer = Image.new("RGBA", photo.size)
    layer.paste("white", (20, 15, 32, 25))
    value = editor.on_canvas(photo) | {"layers": [layer]}
    *_, view = fill.fill(shipped, value, number=2, seed=3)
    wanted = singan.fill(singan.draft(photo), layer.getchannel("A"), n=2, seed=3)
    assert view.seed == 3 and [caption for _, caption in view.results] == ["seed 3", "seed 4"]
    assert "full size" in view.status and len(wanted) == 2


def marked(photo):
    """The photo on the canvas, with a rectangle painted over."""
    layer = Image.new("RGBA", photo.size)
    layer.paste("white", (20, 15, 32, 25))
    return editor.on_canvas(photo) | {"layers": [layer]}


def test_what_is_painted_over_stays_and_the_rest_is_drawn_anew(shipped, photo):
    for place, left, top in (({}, 20, 15), ({"moved": True, "down": 25}, 20, 5)):
        for view in fill.pin(shipped, marked(photo), 0.9, **place, number=2, seed=3):
            if isinstance(view.results, list):
                results, images = view.results, [image for image, _ in opened(view.results)]
        assert [caption for _, caption in results] == ["seed 3", "seed 4"] and view.seed == 3
        for image in images:
            kept = image.crop((left, top, left + 12, top + 10))
            assert kept.tobytes() == photo.crop((20, 15, 32, 25)).tobytes()
            assert image.size == photo.size and image.tobytes() != photo.tobytes()
            assert image.text["task"] == "pin" and ("pin_to" in image.text) == bool(place)
        assert images[0].tobytes() != images[1].tobytes()


def test_filled_files_are_the_results(app_url, picture_file, photo, tmp_path):
    layer = Image.new("RGBA", photo.size)
    layer.paste("white", (20, 15, 32, 25))
    layer.save(tmp_path / "layer.png")
    value = {"background": handle_file(picture_file), "layers": [handle_file(tmp_path / "layer.png")]}
    client = Client(app_url, verbose=False)
    _, results, _ = client.predict(edited=value | {"composite": None}, number=2, seed=3, api_name="/fill")
    wanted = singan.fill(singan.draft(picture_file), layer.getchannel("A"), n=2, seed=3)
    for item, image in zip(results, wanted, strict=True):
        with Image.open(item["image"]) as file:
            near = ImageChops.difference(file.convert("RGB"), image).getextrema()  # there are other threads there
            assert max(most for _, most in near) <= 2 and file.text["task"] == "fill"
    _, results, _ = client.predict(
        edited={"background": handle_file(picture_file), "layers": [], "composite": None},
        right=50,
        number=1,
        api_name="/extend",
    )
    with Image.open(results[0]["image"]) as file:
        assert file.size == (78, 40) and file.text["right"] == "0.5"


def test_nothing_painted_and_too_much_asked_for_are_told(shipped, photo):
    for call, message in (
        (fill.fill(shipped, editor.on_canvas(photo)), "Nothing is painted over yet"),
        (fill.extend(shipped, editor.on_canvas(photo)), "Nothing is to be added"),
        (fill.extend(shipped, editor.on_canvas(photo), top=10, number=9), "9 results are .* the limits are 8 results"),
        (fill.fill(shipped, {"background": None, "layers": []}), "The canvas is empty"),
        (fill.pin(shipped, editor.on_canvas(photo)), "paint over what shall stay"),
        (fill.pin(shipped, marked(photo), moved=True, down=0, across=0), "does not lie within"),
        (fill.pin(shipped, marked(photo), variation=2.0), "variation is 2"),
    ):
        with pytest.raises(gr.Error, match=message):
            list(call)


def test_own_picture_is_filled_at_its_size_but_for_what_a_canvas_holds(shipped, monkeypatch, tmp_path):
    Image.new("RGB", (80, 50), "navy").save(tmp_path / "large.png")
    value, status, results = fill.upload_picture(shipped, str(tmp_path / "large.png"))
    assert value["background"].size == (80, 50) and results is None and "Paint over" in status
    monkeypatch.setattr(editor, "MAX_CANVAS_PIXELS", 1000)
    value, *_ = fill.upload_picture(shipped, str(tmp_path / "large.png"))
    assert value["background"].size == (40, 25)


# --- the API


def test_scale_that_was_cleared_is_picked_automatically(shipped, composite):
    value = {"background": composite[0], "layers": [], "composite": None}
    *_, last = harmonize.harmonize(shipped, "blue", value, composite[1], scale=None)
    assert "picked automatically" in last.status


def test_each_tab_can_be_called(app_url, picture_file, composite, tmp_path, monkeypatch):
    monkeypatch.setattr("singan.tasks.super_resolution.STEPS", 2)
    composite[1].save(tmp_path / "mask.png")
    client = Client(app_url, verbose=False)
    value = {"background": handle_file(picture_file), "layers": [], "composite": None}
    mask = handle_file(tmp_path / "mask.png")
    for name, settings in {
        "harmonize": {"composite": value, "mask": mask},
        "edit": {"edited": value, "mask": mask},
        "paint_to_image": {"painting": value},
        "denoise": {"noisy": handle_file(picture_file)},
    }.items():
        status, pair, strip, full, seed = client.predict(
            pyramid="blue", scale="2", seed=7, new_seed=False, api_name=f"/{name}", **settings
        )
        assert "Scale 2 of 2." in status and seed == 7
        assert (len(strip), len(full)) == ((0, 1) if name == "edit" else (2, 2))
        with Image.open(pair[1]) as image:
            assert (image.format, image.size, image.text["seed"]) == ("PNG", (52, 40), "7")
    _, picture, _, seed, *_ = client.predict(pyramid="blue", frames=3, api_name="/animate")
    with Image.open(picture) as image:
        assert (image.format, image.n_frames, seed) == ("WEBP", 3, 0)
    _, pair, *_ = client.predict(pyramid="blue", photo=None, factor=2, api_name="/super_resolve")
    assert Image.open(pair[1]).size == (104, 80)
    _, heat, _ = client.predict(pyramid="blue", number=2, api_name="/variation_map")
    assert Image.open(heat).text["n"] == "2"


def test_what_takes_seconds_waits_for_nothing_that_takes_long(built_app):
    tasks = {harmonize.harmonize, edit.edit, paint.paint_to_image, denoise.denoise, fill.fill, fill.extend, fill.pin}
    lanes = dict.fromkeys(tasks | {animate.animate}, "short")
    lanes |= {enlarge.super_resolve: "long", variation.variation_map: "long"}
    assert {fn.fn: fn.concurrency_id for fn in built_app.fns.values() if fn.fn in lanes} == lanes


def test_long_job_gives_way_to_short_ones_but_not_for_ever():
    short, waited = Short(), []

    def step():
        began = time.monotonic()
        short.give_way(5.0)
        waited.append(time.monotonic() - began)

    short.give_way(5.0)  # at once: there is none
    with short, short:
        thread = threading.Thread(target=step)
        thread.start()
        began = time.monotonic()
        short.give_way(0.1)
        assert 0.09 < time.monotonic() - began < 1
        time.sleep(0.2)
        assert thread.is_alive()
    thread.join(1)
    assert 0.2 < waited[0] < 2


def test_newest_run_of_a_tab_in_a_session_is_the_one_that_shows():
    turns = Turns()
    first, elsewhere, other = turns.take("a", "edit"), turns.take("a", "fill"), turns.take("b", "edit")
    assert first() and turns.take(None, "edit")()
    second = turns.take("a", "edit")
    assert [first(), second(), elsewhere(), other()] == [False, True, True, True]


def test_run_that_was_asked_for_before_its_tab_had_other_input_is_never_the_newest():
    turns, asked = Turns(), time.monotonic() - 1
    before = turns.take("a", "sample", asked=asked)
    turns.renew("a", "sample")
    assert not before()
    mine = turns.take("a", "sample", asked=time.monotonic())
    late = turns.take("a", "sample", "run", asked)  # it waited for its turn
    assert [mine(), late(), turns.is_stale("run")] == [True, False, True]
    assert turns.take("b", "sample", asked=asked)() and turns.take("a", "edit", asked=asked)()
    turns.renew(None, "sample")
    assert turns.take(None, "sample", asked=asked)()


def check_stale_is_not_shown(app_url, composite, picture_file, tmp_path, begun, go_on):
    """Between `begun` and `go_on` the tab of a run has other input: that one shows nothing, and the next one does."""
    composite[1].save(tmp_path / "mask.png")
    client = Client(app_url, verbose=False)
    value = {"background": handle_file(picture_file), "layers": [], "composite": None}
    ask = partial(client.submit, pyramid="blue", mask=handle_file(tmp_path / "mask.png"), api_name="/harmonize")
    stale = ask(composite=value)
    assert begun.wait(20)
    turns.renew(client.session_hash, "harmonize")  # as what changes the input does
    go_on.set()
    assert "Done" not in "".join(str(moment) for moment in [stale.result(), *stale.outputs()])
    assert "Done" in ask(composite=value).result()[0]


def test_result_of_another_input_is_not_shown(app_url, composite, picture_file, tmp_path, monkeypatch):
    """Another example, or another pyramid, was chosen while the task was in progress."""
    begun, go_on, whole = threading.Event(), threading.Event(), singan.harmonize

    def slow(*args, on_event, **options):
        on_event(TaskEvent(1, 9, "step"))
        begun.set()
        assert go_on.wait(20)
        return whole(*args, **options)

    monkeypatch.setattr(singan, "harmonize", slow)
    check_stale_is_not_shown(app_url, composite, picture_file, tmp_path, begun, go_on)


def test_result_that_is_being_encoded_when_its_input_changes_is_not_shown(
    app_url, composite, picture_file, tmp_path, monkeypatch
):
    begun, go_on, encode = threading.Event(), threading.Event(), gr.ImageSlider.postprocess

    def slow(self, value):
        if value is not None:
            begun.set()
            assert go_on.wait(20)
        return encode(self, value)

    monkeypatch.setattr(gr.ImageSlider, "postprocess", slow)
    check_stale_is_not_shown(app_url, composite, picture_file, tmp_path, begun, go_on)


def test_run_that_waits_when_its_input_changes_shows_nothing_and_those_after_it_do(app_url, held_lane):
    client = Client(app_url, verbose=False)
    ask = partial(client.submit, pyramid="blue", frames=2, api_name="/animate")
    stale = ask()
    while stale.status().code is not Status.IN_QUEUE:
        time.sleep(0.01)
    turns.renew(client.session_hash, "animate")
    later = ask(), ask()
    while len(held_lane.queue) < 3:
        time.sleep(0.01)
    held_lane.current_concurrency = 0
    for job in later:
        assert "2 frames" in job.result()[0]
    seen = str([stale.result(), *stale.outputs()])
    assert "Starting" not in seen and "frames" not in seen


def test_another_painting_has_no_result_yet(shipped, photo_path, monkeypatch):
    monkeypatch.setattr("singan.ui.frame.session", lambda: "me")
    for other in (lambda: paint.own(shipped, str(photo_path)), lambda: paint.photo(shipped, "blue")):
        newest = turns.take("me", "paint")
        painting, *cleared = other()
        assert painting["background"].size == (52, 40) and not newest()
        assert cleared == [gr.update(value=None, visible=False)] * 2 + [look.run_status(paint.HINT, None, [])]
