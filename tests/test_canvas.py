"""Pictures that are put together by hand."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from singan.ui import canvas, edit

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
