"""Filling holes and extending pictures."""

from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

import singan
from singan import extend, fill
from singan.errors import ConfigError, ImageError
from singan.image import image_to_tensor
from singan.patches import shiftmap, stitch
from singan.tasks.filling import _folded, draft_of
from singan.warp import mirrored


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """Stripes of noise: sky above, ground below."""
    rng = np.random.default_rng(0)
    sky, ground = rng.integers(150, 190, (70, 140, 3), np.uint8), rng.integers(30, 80, (40, 140, 3), np.uint8)
    return Image.fromarray(np.concatenate([sky, ground]))


@pytest.fixture(scope="module")
def model(photo):
    return singan.draft(photo)


@pytest.fixture
def hole(photo) -> Image.Image:
    mask = Image.new("L", photo.size)
    mask.paste(255, (50, 40, 90, 95))
    return mask


def test_what_is_filled_is_of_what_lies_around_it(model, photo, hole):
    marked = photo.copy()
    marked.paste((255, 0, 255), (52, 42, 88, 93))
    (image,) = fill(singan.draft(marked), hole)
    out = np.asarray(image, int)
    assert out[45:62, 55:85].min() > 130 and out[78:90, 55:85].max() < 100
    assert out[45:62, 55:85].std() > 0.4 * np.asarray(photo)[45:62, 55:85].std()


@pytest.mark.parametrize("side", ["above", "below"])
def test_nothing_of_a_deep_hole_across_the_picture_is_left(photo, side):
    """No single offset reaches its end."""
    marked, hole = photo.copy(), Image.new("L", photo.size)
    box = (0, 50, 140, 110) if side == "below" else (0, 0, 140, 60)
    marked.paste((255, 0, 255), box)
    hole.paste(255, box)
    for image in fill(singan.draft(marked), hole, n=2):
        out = np.asarray(image, int)
        assert not ((out[..., 0] > 200) & (out[..., 1] < 60)).any()
        assert (out[:50] if side == "below" else out[60:]).std() > 5


@pytest.mark.parametrize("large", [False, True])
def test_net_over_the_whole_picture_goes_and_what_is_behind_it_stays(monkeypatch, tiny_picture, large):
    """At a small size no patch of it is whole. Of large ones the pixels are offered less, chosen by some of them."""
    if large:
        monkeypatch.setattr(stitch, "NET_OFFSETS", 0)
        monkeypatch.setattr(shiftmap, "AT_ONCE", 1000)
    photo, net = tiny_picture.resize((260, 200), Image.Resampling.BICUBIC), Image.new("L", (260, 200))
    for k in range(0, 260, 26):
        net.paste(255, (k, 0, k + 2, 200))
        net.paste(255, (0, k, 260, k + 2))
    behind = photo.copy()
    behind.paste((90, 90, 90), mask=net)
    (image,) = fill(singan.draft(behind), net)
    away = np.asarray(image, float) - np.asarray(photo, float)
    assert np.sqrt((away[np.asarray(net) > 0] ** 2).mean()) < 8 and np.sqrt((away**2).mean()) < 4


def test_net_that_is_too_fine_is_refused(monkeypatch, photo):
    """Of the first no patch is whole at any size; it came back as it was."""
    net = np.zeros((photo.height, photo.width), bool)
    net[::7] = net[:, ::7] = True
    with pytest.raises(
        ImageError, match=r"px of the mask are out of reach of what is whole, .* make its lines thinner"
    ):
        fill(singan.draft(photo), net)
    monkeypatch.setattr(stitch, "MAX_NET_NODES", 1000)
    net[::7] = net[:, ::7] = False
    net[::12] = net[:, ::12] = True
    with pytest.raises(ImageError, match="net so fine that its .* up to 1000 px can be: fill a smaller picture"):
        fill(singan.draft(photo), net)


def test_the_rest_is_the_photograph_to_the_last_bit_beyond_where_seams_may_run(model, photo, hole):
    for image in fill(model, hole, n=2):
        same = np.asarray(image) == np.asarray(photo)  # whose 140 px make 7 of 12
        assert same[:33].all() and same[103:].all() and same[:, :43].all() and same[:, 98:].all()
        assert not same[45:90, 55:85].all(2).any(1).all()


def test_each_result_goes_by_its_own_seed(model, hole):
    first, second = fill(model, hole, n=2, seed=4)
    assert second.tobytes() == fill(model, hole, seed=5)[0].tobytes() != first.tobytes()
    assert (first.info["seed"], second.info["seed"], first.info["task"]) == (4, 5, "fill")


def test_extended_picture_holds_the_photograph_and_goes_on_as_it_does(model, photo):
    (image,) = extend(model, left=0.5, top=0.2)
    assert image.size == (210, 132) and image.info["left"] == 0.5 and "right" not in image.info
    out = np.asarray(image, int)
    assert np.array_equal(out[22:, 70:], np.asarray(photo))
    assert out[30:80, :60].min() > 130 and out[102:, :60].max() < 100


def test_masks_that_leave_too_little_are_refused(model, photo):
    mask = Image.new("L", photo.size, 255)
    mask.paste(0, (0, 0, 20, 110))
    with pytest.raises(ImageError, match="covers 86% of the picture; at most 60%"):
        fill(model, mask)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "Nothing is to be added: give one of top, right"),
        ({"top": 1.5}, "top is 1.5; a side grows by 0 to 1"),
        ({"left": -0.1}, "left is -0.1"),
        ({"left": 0.1, "n": 0}, "n is 0; it goes from 1 to 64"),
        ({"left": 0.1, "n": True}, "n is True"),
        ({"left": 0.1, "seed": -1}, "seed is -1"),
    ],
)
def test_values_out_of_range_are_refused(model, values, message):
    with pytest.raises(ConfigError, match=message):
        extend(model, **values)


def test_events_show_each_result(model, hole):
    events = []
    images = fill(model, hole, n=2, on_event=events.append)
    assert [(e.done, e.total, e.unit) for e in events] == [(1, 2, "sample"), (2, 2, "sample")]
    assert all(event.image is image for event, image in zip(events, images, strict=True))


def test_draft_of_a_photo_keeps_no_more_of_it_than_a_model_can():
    photo = Image.effect_noise((4200, 210), 80).convert("RGB")
    assert draft_of(photo, 9216).image_size == (205, 4096)


def test_filling_leaves_the_picture_readable_as_a_tensor(model, hole):
    (image,) = fill(model, hole)
    assert image_to_tensor(image).shape == (1, 3, 110, 140)


@pytest.mark.parametrize(("above", "height", "whole"), [(0, 10, 12), (2, 10, 12), (2, 10, 14), (0, 7, 7)])
def test_little_more_begins_as_the_mirror_image(above, height, whole):
    assert _folded(above, height, whole).equal(mirrored(above, height, whole))


def test_much_more_begins_as_what_is_near_the_border_alone():
    rows = _folded(30, 40, 110).tolist()
    assert rows[30:70] == list(range(40))
    assert set(rows[:30]) == set(range(8)) and set(rows[70:]) == set(range(32, 40))
    assert all(abs(a - b) <= 1 for a, b in pairwise(rows))


@pytest.mark.parametrize(("side", "other"), [("top", "ground"), ("bottom", "sky")])
def test_what_is_far_from_a_side_does_not_hang_beyond_it(model, side, other):
    (image,) = extend(model, **{side: 0.9})
    out = np.asarray(image, int)
    new = out[:99] if side == "top" else out[-99:]
    away = new < 100 if other == "ground" else new > 130
    assert away.all(2).mean() < 0.01
