"""Objects that are dragged over a picture: what a page says of them is checked, and put there at full size."""

import math

import gradio as gr
import pytest
from gradio.data_classes import FileData
from PIL import Image

from singan import ConfigError, ImageError
from singan.limits import Limits
from singan.ui import composite, editor, stage
from singan.ui.shelf import Shelf
from singan.ui.uploads import folder_of_uploads


@pytest.fixture
def thing(tmp_path):
    """A file of 40x30 px, of which 20x10 are red and the rest is transparent."""
    image = Image.new("RGBA", (40, 30))
    image.paste("red", (10, 5, 30, 15))
    image.save(tmp_path / "thing.png")
    return str(tmp_path / "thing.png")


@pytest.fixture
def shelf(pretrained):
    return Shelf(pretrained)


@pytest.fixture(scope="module")
def widget():
    with gr.Blocks():
        return stage.build_stage("stage")


def test_first_object_comes_in_the_middle_without_its_transparent_border(photo, thing):
    scene = stage.add(None, photo, thing, Limits())
    (placed,) = scene.things
    assert (placed.x, placed.y, placed.size) == (50, 50, stage.START)
    with Image.open(placed.file) as image, Image.open(scene.picture) as ground:
        assert (image.size, image.mode) == ((20, 10), "RGBA")
        assert ground.size == photo.size


def test_objects_lie_where_the_page_says_at_the_size_of_the_picture(photo, thing):
    scene = stage.add(stage.add(None, photo, thing, Limits()), photo, thing, Limits())
    first, second = scene.things
    scene = scene._replace(things=[first._replace(x=25, y=25, size=50), second._replace(x=100, y=50, size=25)])
    picture, mask = stage.put(photo, None, scene)
    assert picture.size == mask.size == photo.size
    assert mask.crop((0, 0, 30, 40)).getbbox() == (3, 5, 23, 15)  # 20x10 px about (13, 10)
    assert mask.crop((30, 0, 52, 40)).getbbox() == (17, 18, 22, 23)  # half of 10x5 px is beyond the border
    assert picture.getpixel((13, 10)) == (255, 0, 0)
    assert picture.getpixel((30, 30)) == photo.getpixel((30, 30))


def test_more_objects_than_a_picture_takes_are_refused(photo, thing):
    scene = stage.add(None, photo, thing, Limits())
    full = scene._replace(things=scene.things * stage.MAX_OBJECTS)
    with pytest.raises(ConfigError, match="There are 8 objects; .*: remove one"):
        stage.add(full, photo, thing, Limits())


def test_object_that_cannot_be_seen_is_refused(photo, tmp_path):
    Image.new("RGBA", (30, 30)).save(tmp_path / "glass.png")
    with pytest.raises(ImageError, match=r"Nothing of glass.png can be seen"):
        stage.add(None, photo, str(tmp_path / "glass.png"), Limits())


def test_large_object_is_kept_no_larger_than_it_can_be_put(photo, tmp_path):
    Image.new("RGB", (3000, 1500), "red").save(tmp_path / "wall.png")
    with Image.open(stage.add(None, photo, str(tmp_path / "wall.png"), Limits()).things[0].file) as image:
        assert image.size == (2048, 1024)


def test_what_a_page_sends_comes_back_as_it_was_written(widget, photo, thing):
    scene = stage.add(None, photo, thing, Limits())
    sent = widget.postprocess(scene)
    sent["things"][0] |= {"x": 12.5, "size": 60}
    assert widget.preprocess(sent) == scene._replace(things=[scene.things[0]._replace(x=12.5, size=60.0)])
    assert widget.preprocess(widget.postprocess(None)) is widget.preprocess("") is None


@pytest.mark.parametrize(
    "change",
    [
        {"x": -1},
        {"x": math.nan},
        {"y": 100.1},
        {"y": "50"},
        {"size": 0},
        {"size": 1e9},
        {"size": True},
        {"size": None},
        {"picture": None},
        {"picture": {"path": 5}},
        {"picture": {"path": "/etc/passwd"}},
        {"picture": {"path": "../../../../etc/passwd"}},
        {"picture": {"path": "\0"}},
        {"picture": {"path": "http://example.com/a.png"}},
    ],
)
def test_place_or_file_that_no_page_sends_is_told(widget, photo, thing, change):
    sent = widget.postprocess(stage.add(None, photo, thing, Limits()))
    sent["things"][0] |= change
    with pytest.raises(gr.Error, match="That is no object on a picture: reload the page"):
        widget.preprocess(sent)


@pytest.mark.parametrize("payload", [5, "x", [], {}, {"things": 3}, {"things": [5], "picture": {}}])
def test_stage_of_another_kind_is_told(widget, payload):
    with pytest.raises(gr.Error, match="reload the page"):
        widget.preprocess(payload)


def test_too_many_objects_from_a_page_are_told(widget, photo, thing):
    sent = widget.postprocess(stage.add(None, photo, thing, Limits()))
    sent["things"] *= stage.MAX_OBJECTS + 1
    with pytest.raises(gr.Error, match="reload the page"):
        widget.preprocess(sent)


def test_file_that_is_no_picture_any_more_is_an_error_of_ours(photo, thing):
    scene = stage.add(None, photo, thing, Limits())
    swept = scene._replace(things=[scene.things[0]._replace(file=str(folder_of_uploads() / "gone.png"))])
    with pytest.raises(ImageError, match=r"An object is not there any more .*: start over"):
        stage.put(photo, None, swept)
    Image.new("1", (4000, 30)).save(folder_of_uploads() / "wide.png")
    wide = scene._replace(things=[scene.things[0]._replace(file=str(folder_of_uploads() / "wide.png"))])
    with pytest.raises(ImageError, match="An object is 4000x30 px; it has up to 2048 px a side"):
        stage.put(photo, None, wide)


def test_what_was_painted_before_an_object_stays_part_of_the_mask(shelf, photo, thing):
    layer = Image.new("RGBA", photo.size)
    layer.paste("white", (0, 0, 5, 5))
    value = editor.on_canvas(photo) | {"layers": [layer]}
    value, mask, staged, flat, button = composite.add_object(shelf, value, None, None, thing)
    assert value["layers"] == [] and mask.getbbox() == (0, 0, 5, 5)
    assert (staged["visible"], flat["visible"], button["visible"]) == (True, False, True)
    value, mask, staged, flat, button = composite.paint_over(value, mask, staged["value"])
    assert mask.getbbox() == (0, 0, 33, 23)  # with the object
    assert value["background"].getpixel((26, 20)) == (255, 0, 0)
    assert (staged["visible"], flat["visible"], button["visible"]) == (False, True, False)
    assert staged["value"] is None


def test_further_object_leaves_the_canvas_as_it_is(shelf, photo, thing):
    first = stage.add(None, photo, thing, Limits())
    value, mask, staged, *_ = composite.add_object(shelf, editor.on_canvas(photo), None, first, thing)
    assert value == mask == gr.skip()
    assert staged["value"].things[0] == first.things[0] and len(staged["value"].things) == 2


def test_files_of_the_stage_are_those_that_gradio_serves(widget, photo, thing):
    sent = widget.postprocess(stage.add(None, photo, thing, Limits()))
    for file in (sent["picture"], sent["things"][0]["picture"]):
        assert FileData(**file).path.startswith(str(folder_of_uploads().resolve()))
