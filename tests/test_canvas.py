"""Pictures that are put together by hand, and what is sent for a canvas."""

import io
import struct
import zlib
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from fastapi import HTTPException
from gradio.components.image_editor import AcceptBlobs, EditorData
from gradio.data_classes import FileData, ImageData
from PIL import Image, ImageDraw

from singan.limits import Limits
from singan.ui import canvas, edit, editor
from singan.ui.editor import build_editor, build_mask

SIZE = (40, 30)


def rectangle(*box):
    mask = Image.new("L", SIZE)
    ImageDraw.Draw(mask).rectangle(box, fill=255)
    return mask


def layer(mask, color="white"):
    image = Image.new("RGBA", SIZE)
    image.paste(color, mask=mask)
    return image


@pytest.fixture
def picture():
    y, x = np.mgrid[:30, :40]
    return Image.fromarray(np.stack([6 * x, 8 * y, x + y], axis=2).astype(np.uint8))


def test_mask_is_what_was_painted_on_any_layer_and_the_mask_before():
    left, right, below = rectangle(0, 0, 5, 5), rectangle(20, 0, 25, 5), rectangle(0, 20, 5, 25)
    value = {"background": None, "layers": [layer(left), layer(right, (0, 0, 0, 1))], "composite": None}
    white = np.asarray(left) | np.asarray(right)
    assert (np.asarray(canvas.painted(value)) == white).all()
    assert (np.asarray(canvas.painted(value, below)) == (white | np.asarray(below))).all()


@pytest.mark.parametrize("layers", [None, [], [Image.new("RGBA", SIZE)]])
def test_nothing_painted_is_no_mask(layers):
    value = {"background": None, "layers": layers, "composite": None}
    assert canvas.painted(value) is None
    assert canvas.painted(value, rectangle(1, 1, 2, 2)).getbbox() == (1, 1, 3, 3)


def test_flattened_painting_shows_its_layers_over_its_background(picture):
    value = {"background": picture, "layers": [layer(rectangle(0, 0, 5, 5), "red")], "composite": None}
    flat = canvas.flattened(value)
    assert flat.mode == "RGB"
    assert flat.getpixel((3, 3)) == (255, 0, 0)
    assert flat.getpixel((20, 20)) == picture.getpixel((20, 20))


def test_pasted_object_is_where_it_was_put_and_the_rest_is_untouched(picture):
    thing = Image.new("RGBA", (20, 10), "red")
    composite, mask = canvas.paste(picture, thing, across=50, down=50, size=40)
    assert mask.getbbox() == (14, 12, 26, 18)  # 12x6 px about the middle
    assert composite.getpixel((20, 15)) == (255, 0, 0)
    outside = np.asarray(mask) == 0
    assert (np.asarray(composite)[outside] == np.asarray(picture)[outside]).all()


def test_pasted_object_may_stand_out_of_the_picture(picture):
    composite, mask = canvas.paste(picture, Image.new("RGBA", (9, 9), "red"), across=0, down=100, size=30)
    assert composite.size == picture.size
    assert mask.getbbox() == (0, 26, 5, 30)


def test_transparent_parts_of_an_object_are_not_pasted(picture):
    thing = Image.new("RGBA", (20, 20))
    thing.paste("red", (0, 0, 10, 20))
    composite, mask = canvas.paste(picture, thing, across=50, down=50, size=100 * 20 / 30)
    assert mask.getbbox() == (10, 5, 20, 25)
    assert composite.getpixel((25, 15)) == picture.getpixel((25, 15))


def test_copy_leaves_the_original(picture):
    changed, mask = canvas.change(picture, rectangle(2, 2, 9, 9), "copy", 20, 10)
    assert mask.getbbox() == (22, 12, 30, 20)
    assert changed.crop((22, 12, 30, 20)).tobytes() == picture.crop((2, 2, 10, 10)).tobytes()
    assert changed.crop((0, 0, 20, 12)).tobytes() == picture.crop((0, 0, 20, 12)).tobytes()


def test_move_leaves_behind_what_is_given_for_it(picture):
    empty = Image.new("RGB", picture.size, (1, 2, 3))
    empty = Image.composite(empty, picture, Image.fromarray(np.asarray(rectangle(2, 2, 9, 9))))
    changed, mask = canvas.change(picture, rectangle(2, 2, 9, 9), "move", 20, 10, empty)
    assert (np.asarray(mask) == np.maximum(rectangle(2, 2, 9, 9), rectangle(22, 12, 29, 19))).all()
    assert changed.crop((22, 12, 30, 20)).tobytes() == picture.crop((2, 2, 10, 10)).tobytes()
    assert changed.getpixel((5, 5)) == (1, 2, 3)


def test_move_by_less_than_its_size_keeps_what_was_moved(picture):
    changed, _ = canvas.change(picture, rectangle(5, 5, 14, 14), "move", 3, 0)
    assert changed.crop((8, 5, 18, 15)).tobytes() == picture.crop((5, 5, 15, 15)).tobytes()


def test_copy_beyond_the_border_is_cut(picture):
    changed, mask = canvas.change(picture, rectangle(30, 20, 39, 29), "copy", 5, 5)
    assert mask.getbbox() == (35, 25, 40, 30)
    assert changed.size == picture.size


def test_erased_place_shows_what_is_given_for_it_and_nothing_moves():
    black, empty = Image.new("RGB", SIZE), Image.new("RGB", SIZE, "white")
    changed, mask = canvas.change(black, rectangle(10, 10, 19, 19), "erase", 7, 7, empty)
    assert mask.getbbox() == (10, 10, 20, 20) and changed.tobytes() == empty.tobytes()


def test_erasing_on_the_canvas_draws_the_rest_of_it_there():
    """A ball on a meadow of noise is gone, and the noise goes on."""
    meadow = np.random.default_rng(0).integers(60, 120, (60, 80, 3), np.uint8)
    ball = Image.fromarray(meadow)
    ball.paste("white", (30, 20, 44, 34))
    region = Image.new("L", ball.size)
    region.paste(255, (28, 18, 46, 36))
    without = np.asarray(edit.without(ball, region), int)
    inside = without[18:36, 28:46]
    assert inside.max() < 150 and inside.std() > 0.4 * meadow.std()
    assert np.array_equal(without[:10], meadow[:10])


# --- what is sent for a canvas


def bomb(path, side=10_001):
    """A PNG of so many pixels a side, all in a few kilobytes."""
    rows = zlib.compress(bytes((side + 7) // 8 + 1) * side, 9)
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", rows), (b"IEND", b"")]
    data = b"".join(struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in chunks)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    return path


def sent(path):
    return FileData(path=str(path), orig_name=path.name)


def test_canvas_too_large_is_refused_undecoded(tmp_path, monkeypatch):
    small = tmp_path / "small.png"
    Image.new("RGBA", (40, 30), "red").save(small)
    large = sent(bomb(tmp_path / "large.png"))
    with gr.Blocks():
        canvas_, mask = build_editor("Picture", editor.MASK_BRUSH, "a", None), build_mask("b")
    decoded = canvas_.preprocess(EditorData(background=sent(small), layers=[sent(small)], composite=large))
    assert decoded["background"].size == (40, 30) and decoded["composite"] is None
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    for background, layers in ((large, []), (sent(small), [large])):
        with pytest.raises(gr.Error, match="The canvas is 10001x10001 px .*; the limit is 5: shrink it first"):
            canvas_.preprocess(EditorData(background=background, layers=layers, composite=None))
    with pytest.raises(gr.Error, match="The mask is 10001x10001 px"):
        mask.preprocess(ImageData(path=large.path))
    with pytest.raises(gr.Error, match="The canvas has 9 layers; it takes 1"):
        canvas_.preprocess(EditorData(background=sent(small), layers=[sent(small)] * 9, composite=None))
    (tmp_path / "no.png").write_bytes(b"no picture")
    with pytest.raises(gr.Error, match="The canvas is not an image that can be read"):
        canvas_.preprocess(EditorData(background=sent(tmp_path / "no.png"), layers=[], composite=None))


def test_damaged_parts_are_told_before_they_are_used(tmp_path):
    path = tmp_path / "part.png"
    Image.effect_noise((80, 60), 50).save(path)
    path.write_bytes(path.read_bytes()[:900])
    with gr.Blocks():
        canvas_, mask = build_editor("Picture", editor.MASK_BRUSH, "a", None), build_mask("b")
    with pytest.raises(gr.Error, match="The mask is damaged .*; make it again"):
        mask.preprocess(ImageData(path=str(path)))
    with pytest.raises(gr.Error, match="The canvas is damaged .*; make it again"):
        canvas_.preprocess(EditorData(background=sent(path), layers=[], composite=None))


@pytest.fixture(autouse=True)
def none_waiting(monkeypatch):
    monkeypatch.setattr(editor, "_waiting", {})


def test_parts_of_a_canvas_on_its_way_are_few_and_small():
    with gr.Blocks():
        canvas_ = build_editor("Picture", editor.MASK_BRUSH, "a", None)
    again = canvas_.__class__(**canvas_.constructor_args)  # as gradio makes one for a session when the brush changes

    def part(index, number, size):
        data = {"type": "layer", "index": index, "file": None, "id": number}
        return AcceptBlobs.model_construct(data=data, files=[("f", bytes(size))])

    for index, size in ((10**9, 9), (1, 9), (-1, 9), ("x", 9), (0, editor.MAX_PART_BYTES + 1)):
        with pytest.raises(HTTPException, match="too large: reload the page"):  # gradio makes 500 of another error
            canvas_.accept_blobs(part(index, "1", size))
    with pytest.raises(HTTPException):
        canvas_.accept_blobs(AcceptBlobs.model_construct(data={}, files=[]))
    for k in range(3 * editor.MAX_WAITING):
        (again if k % 2 else canvas_).accept_blobs(part("0", str(k), 1))
    assert list(canvas_.blob_storage) == [str(k) for k in range(2 * editor.MAX_WAITING, 3 * editor.MAX_WAITING)]


def test_canvas_that_is_lost_as_others_came_says_so_and_one_that_waits_for_its_call_is_not_lost(monkeypatch):
    monkeypatch.setattr(editor, "WAITING_BYTES", 1000)
    with gr.Blocks():
        canvas_ = build_editor("Picture", editor.MASK_BRUSH, "a", None)
    png = io.BytesIO()
    Image.new("RGB", (30, 30), "red").save(png, "PNG")

    def send(number, size=0):
        data = {"type": "background", "index": None, "file": None, "id": number}
        file = png.getvalue() + bytes(max(0, size - len(png.getvalue())))
        canvas_.accept_blobs(AcceptBlobs.model_construct(data=data, files=[("f", file)]))

    def call(number):
        return canvas_.preprocess(EditorData.model_construct(background=None, layers=[], composite=None, id=number))

    send("first", 400)
    send("second", 500)
    send("first", 450)  # its next part
    assert call("first")["background"].size == (30, 30)
    send("third", 501)
    with pytest.raises(gr.Error, match="yours is lost: press again"):
        call("second")
    assert call("third")["background"].size == (30, 30)
    assert call("blank")["background"] is None  # of which nothing is sent


def test_canvases_stay_what_they_are_when_gradio_makes_them_anew_and_write_no_file():
    with gr.Blocks():
        canvas_ = build_editor("Picture", editor.MASK_BRUSH, "a", None)
    again = canvas_.__class__(**canvas_.constructor_args)
    assert again.preprocess.__func__ is canvas_.preprocess.__func__ is not gr.ImageEditor.preprocess
    assert again.get_block_name() == "imageeditor"
    assert not Path(editor.__file__).with_suffix(".pyi").exists()


def test_layers_of_another_size_than_the_background_are_fitted():
    layer = Image.new("RGBA", (20, 15), "blue")
    value = {"background": Image.new("RGB", SIZE, "red"), "layers": [layer], "composite": None}
    assert canvas.flattened(value).tobytes() == Image.new("RGB", SIZE, "blue").tobytes()


def test_object_keeps_its_transparency_and_is_not_copied(tmp_path, monkeypatch):
    Image.new("RGBA", (40, 30), (255, 0, 0, 9)).save(tmp_path / "thing.png")
    monkeypatch.setattr(Image.Image, "copy", lambda self: pytest.fail("copied"))
    thing = editor.open_object(str(tmp_path / "thing.png"), Limits())
    assert thing.getpixel((5, 5)) == (255, 0, 0, 9)
