"""Of the tab Sample: tiles and mirror images, and what is said of how new samples are."""

import io
import re
import shutil

import gradio as gr
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import singan
from singan import metrics
from singan.image import image_to_tensor
from singan.ui import copied, sample, tiles
from singan.ui.shelf import Shelf


@pytest.fixture
def shipped(pretrained):
    return Shelf(pretrained)


@pytest.fixture
def drawn(shipped, tmp_path):
    """A function that draws samples as the tab does; gives them as its gallery has them."""

    def drawn(pyramid="blue", shelf=shipped, **settings):
        kept = []
        for pictures, _ in sample.sample(shelf, pyramid, **{"number": 2, **settings}):
            path = tmp_path / f"{len(list(tmp_path.iterdir()))} {pyramid}.png"
            shutil.copy(pictures[-1][0], path)  # as gradio does
            kept.append((str(path), pictures[-1][1]))
        return kept

    return drawn


def opened(path):
    with Image.open(path) as image:
        image.load()
    return image


def tile_of(image):
    """The bytes of a PNG that calls itself a tile."""
    info, png = PngInfo(), io.BytesIO()
    info.add_text("tile", "both")
    image.save(png, "PNG", pnginfo=info)
    return png.getvalue()


def last(views):
    """What the views of a run leave on the page."""
    shown = {}
    for view in views:
        shown |= {name: value for name, value in view._asdict().items() if value != gr.skip()}
    return shown


# --- tiles and mirror images


@pytest.mark.parametrize("held", [{"tile": "x"}, {"mirror": "y"}, {"tile": "both", "mirror": "both"}])
def test_tiles_and_mirror_images_are_those_of_the_model_and_say_so(shipped, drawn, held):
    pictures = drawn(seed=3, **held)
    expected = shipped.load("blue").sample(2, seed=3, variation=singan.config.VARIATION, **held)
    plain = [opened(path) for path, _ in drawn(seed=3)]
    for (path, caption), image, other, seed in zip(pictures, expected, plain, (3, 4), strict=True):
        found = opened(path)
        assert found.tobytes() == image.tobytes() != other.tobytes()
        assert found.text.items() >= held.items() and caption == f"seed {seed}"
        assert not {"tile", "mirror"} & set(other.text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mirror": "kaleidoscope"}, "A kaleidoscope is square"),
        ({"tile": "x", "start_scale": 1}, "leave start_scale at 0"),
        ({"tile": "z"}, "choose one of x, y, both"),
    ],
)
def test_what_cannot_be_held_is_a_toast(shipped, whole_model, settings, message):
    mine, name = shipped.add("mine", whole_model)
    with pytest.raises(gr.Error, match=message):
        list(sample.sample(mine, name, number=1, **settings))


def test_models_of_several_pictures_say_that_they_draw_no_tiles(shipped, photo):
    mine, name = shipped.add("both", singan.draft([photo, photo.rotate(180)]))
    with pytest.raises(gr.Error, match="are those of one picture"):
        list(sample.sample(mine, name, number=1, tile="x"))


@pytest.mark.parametrize(("tile", "size"), [("x", (3 * 52, 40)), ("y", (52, 3 * 40)), ("both", (3 * 52, 3 * 40))])
def test_tile_is_shown_beside_itself(drawn, tile, size):
    pictures = drawn(tile=tile)
    shown = tiles.lay(pictures)
    assert shown["visible"] and Image.fromarray(shown["value"]).size == size
    assert (shown["value"][-40:, -52:] == np.asarray(opened(pictures[0][0]))).all()
    assert shown["label"] == f"0 blue, laid {size[0] // 52} x {size[1] // 40}"


def test_large_tile_is_laid_small_and_what_is_no_tile_is_not(drawn, monkeypatch):
    assert tiles.lay(drawn(mirror="x")) == tiles.lay([]) == tiles.lay(None) == gr.update(value=None, visible=False)
    monkeypatch.setattr(tiles, "LAID_SIDE", 60)
    assert tiles.lay(drawn(tile="both"))["value"].shape == (3 * 14, 3 * 18, 3)


def test_kaleidoscope_makes_the_sides_equal(shipped):
    assert tiles.squared("kaleidoscope", 40, 52) == (40, 40)
    assert tiles.squared("both", 40, 52) == (40, 52) and tiles.squared("kaleidoscope", None, 52) == (None, 52)
    assert sample.fit(shipped, "blue", mirror="kaleidoscope")[:2] == (40, 40)


# --- how new samples are


@pytest.mark.parametrize(
    "held", [{}, {"flips": True}, {"tile": "both"}, {"mirror": "x", "variation": 0.3, "width": 60}]
)
def test_map_is_that_of_the_sample_that_was_clicked(shipped, drawn, held):
    pictures, model = drawn(seed=5, **held), shipped.load("blue")
    views = copied.show_copied(shipped, pictures, 1)
    assert "Drawing it again" in next(views).status
    shown = {}
    for view in views:
        shown = view
        image = opened(view.sources["value"])  # which is there until gradio has its copy
    settings = {"variation": singan.config.VARIATION, "size": (40, held.get("width", 52)), **held}
    settings.pop("width", None)
    ((again, source),) = model.sample(1, seed=6, source=True, **settings)
    assert again.tobytes() == opened(pictures[1][0]).tobytes()  # the same pixels, with their sources or without
    assert image.tobytes() == metrics.color_sources(source, model.photo_size).tobytes()
    assert image.text["seed"] == "6" and shown.sources["label"] == "Where seed 6 is from"
    assert shown.legend["visible"] and "One flat colour is one piece" in shown.status


def test_diversity_is_told_of_several_samples_of_one_size(shipped, drawn):
    pictures, model = drawn(number=3, seed=1), shipped.load("blue")
    stack = image_to_tensor(opened(pictures[0][0])).new_empty(3, 3, 40, 52)
    for k, (path, _) in enumerate(pictures):
        stack[k] = image_to_tensor(opened(path))[0]
    expected = metrics.diversity(stack, image_to_tensor(model.training_image))
    status = last(copied.show_copied(shipped, pictures))["status"]
    assert float(re.search(r"Diversity ([\d.]+):", status)[1]) == pytest.approx(expected, abs=0.006)
    other = drawn(number=1, height=60)[0][0]
    assert copied.diversity([other], model) == copied.diversity([other, pictures[1][0]], model) == []


def test_model_without_a_field_says_so_beside_the_diversity(shipped, whole_model, drawn):
    mine, name = shipped.add("old", whole_model)
    shown = last(copied.show_copied(mine, drawn(name, mine)))
    assert "Diversity" in shown["status"] and "This model has no field of patches" in shown["status"]
    assert shown["sources"]["visible"] is shown["legend"]["visible"] is False


@pytest.mark.parametrize("text", [{}, {"model": "blue"}, {"model": "blue", "seed": "x", "start_scale": "0"}])
def test_pictures_that_are_no_samples_are_told(shipped, photo, tmp_path, text):
    singan.image.save_image(photo, tmp_path / "a.png", text)
    try:
        said = last(copied.show_copied(shipped, [(str(tmp_path / "a.png"), None)]))["status"]
    except gr.Error as error:
        said = error.message
    assert ("no sample of this app" if text else "There is no pyramid") in said


def test_nothing_is_said_before_there_are_samples_and_of_those_that_are_gone(shipped):
    with pytest.raises(gr.Error, match="There are no samples yet"):
        list(copied.show_copied(shipped, None))
    with pytest.raises(gr.Error, match="not kept any more"):
        list(copied.show_copied(shipped, [("/swept/after/an-hour.png", "seed 0")]))
    gone = copied.forget()
    assert gone.sources["value"] is None and gone.legend["visible"] is False and copied.HINT in gone.status


@pytest.mark.parametrize("kind", ["EPS", "large", "none"])
def test_gallery_of_what_is_no_sample_is_refused_undecoded(shipped, drawn, tmp_path, monkeypatch, kind):
    path = tmp_path / "sent.png"
    if kind == "EPS":  # which a program of the system would decode
        Image.new("RGB", (40, 30)).save(path, "EPS")
    else:
        path.write_bytes(b"" if kind == "none" else tile_of(Image.new("1", (9000, 5000))))
    monkeypatch.setattr(Image.Image, "load", None)
    sent = [(str(path), "seed 1")]
    with pytest.raises(gr.Error, match="are 45 megapixels" if kind == "large" else "is no sample of this app"):
        tiles.lay(sent)
    with pytest.raises(gr.Error, match="are 45 megapixels" if kind == "large" else "is no sample of this app"):
        list(copied.show_copied(shipped, sent))
