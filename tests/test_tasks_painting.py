"""Paint to image: sizes, and the palette."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from singan import paint_to_image
from singan.errors import ConfigError, ImageError, ImageWarning
from singan.image import image_to_tensor
from singan.model import SinGAN
from singan.tasks.painting import find_palette


@pytest.fixture(scope="module")
def tiny_model(whole_model):
    """With a generator at every scale: what the published tasks take."""
    return whole_model


@pytest.fixture(scope="module")
def painting() -> Image.Image:
    """90x45 px of clip-art in colours between those of a palette."""
    image = Image.new("RGB", (90, 45), (90, 150, 220))
    ImageDraw.Draw(image).ellipse((20, 10, 60, 40), fill=(200, 120, 40))
    ImageDraw.Draw(image).rectangle((0, 35, 89, 44), fill=(40, 90, 30))
    return image


@pytest.mark.parametrize("shape", [(90, 45), (40, 40), (60, 200), (70, 54)])
def test_default_size_keeps_the_paintings_proportions_at_the_training_images_area(tiny_model, shape):
    (image,) = paint_to_image(tiny_model, Image.new("RGB", shape, "green"), scale=5)
    width, height = image.size
    assert width / height == pytest.approx(shape[0] / shape[1], rel=0.03)
    assert width * height == pytest.approx(54 * 70, rel=0.03)
    assert image.info["size"] == f"{height}x{width}"


def test_size_asked_for_is_met(tiny_model, painting):
    (image,) = paint_to_image(tiny_model, painting, scale=5, size=(40, 61))
    assert image.size == (61, 40) and image.info["size"] == "40x61"


def test_painting_matters_and_so_does_the_seed(tiny_model, painting):
    first, again, other = (paint_to_image(tiny_model, painting, scale=1, seed=s)[0].tobytes() for s in (0, 0, 1))
    turned = paint_to_image(tiny_model, painting.transpose(Image.Transpose.FLIP_TOP_BOTTOM), scale=1)[0].tobytes()
    assert first == again and len({first, other, turned}) == 3


def test_painting_may_be_a_path_or_an_array_and_transparency_is_said(tiny_model, painting, tmp_path):
    painting.save(tmp_path / "painting.png")
    images = [
        paint_to_image(tiny_model, x, scale=5)[0] for x in (painting, tmp_path / "painting.png", np.array(painting))
    ]
    assert len({image.tobytes() for image in images}) == 1
    with pytest.warns(ImageWarning, match="^The painting is partly transparent: it is flattened on white"):
        paint_to_image(tiny_model, Image.new("RGBA", (30, 30)), scale=5)


def test_results_come_coarsest_first_with_their_settings(tiny_model, painting):
    events = []
    images = paint_to_image(tiny_model, painting, scale=[4, 2], seed=3, on_event=events.append)
    assert [image.info["scale"] for image in images] == [2, 4]
    assert all(image.info["task"] == "paint2image" and image.info["seed"] == 3 for image in images)
    assert [(event.done, event.total, event.unit) for event in events] == [(1, 2, "scale"), (2, 2, "scale")]
    assert "colors" not in images[0].info


# --- colours --------------------------------------------------------------------------------------


def test_colors_train_the_scale_on_the_palette_and_leave_the_model_alone(tiny_model, painting):
    before = [p.clone() for generator in tiny_model.generators for p in generator.parameters()]
    amps, events = list(tiny_model.noise_amps), []
    (image,) = paint_to_image(tiny_model, painting, scale=2, colors=5, on_event=events.append)
    plain, fewer = (paint_to_image(tiny_model, painting, scale=2, colors=c)[0] for c in (None, 2))
    assert len({x.tobytes() for x in (image, plain, fewer)}) == 3 and image.size == plain.size
    assert image.info["colors"] == 5 and image.info["scale"] == 2
    after = [p for generator in tiny_model.generators for p in generator.parameters()]
    assert all(map(torch.equal, before, after)) and tiny_model.noise_amps == amps
    steps = [(event.done, event.total) for event in events if event.unit == "step"]
    assert steps == [(k, 6) for k in range(1, 7)]


def test_colors_train_each_scale_asked_for_and_repeat_with_the_seed(tiny_model, painting):
    both = paint_to_image(tiny_model, painting, scale=[1, 3], colors=4, seed=2)
    assert [image.info["scale"] for image in both] == [1, 3]
    assert both[1].tobytes() == paint_to_image(tiny_model, painting, scale=3, colors=4, seed=2)[0].tobytes()


def test_palette_enters_a_scale_that_learned_it_as_it_is(tiny_model, painting, monkeypatch):
    """Without colors the shrunk painting is voted first, which would bring the colours of the photo back."""
    votes = []
    real = SinGAN.apply_scale

    def counting(self, level, x, noise, found=None, *, rounds=None, **options):
        votes.append((level, rounds))
        return real(self, level, x, noise, found, rounds=rounds, **options)

    monkeypatch.setattr(SinGAN, "apply_scale", counting)
    paint_to_image(tiny_model, painting, scale=2)
    assert [vote for vote in votes if vote[1]] == [(1, 4), (2, 3), (3, 2), (4, 2), (5, 1)]
    votes.clear()
    paint_to_image(tiny_model, painting, scale=2, colors=5)
    assert [vote for vote in votes if vote[1]][5:] == [(2, 3), (3, 2), (4, 2), (5, 1)]


def test_auto_with_colors_takes_the_scale_that_auto_takes_without(tiny_model, painting):
    chosen = [paint_to_image(tiny_model, painting, colors=colors) for colors in (None, 3)]
    assert [len(images) for images in chosen] == [1, 1]
    assert chosen[0][0].info["scale"] == chosen[1][0].info["scale"]


def test_model_without_a_pool_takes_colors_too(tiny_model, painting):
    model = replace(tiny_model, config=replace(tiny_model.config, pool_size=0))
    assert paint_to_image(model, painting, scale=1, colors=5)[0].info["colors"] == 5


@pytest.mark.parametrize("colors", [2, 5, 64])
def test_palette_has_at_most_that_many_colours_and_they_are_the_images(tiny_model, colors):
    palette = find_palette(tiny_model.real_at(-1), colors)
    assert palette.shape == (colors, 3) and len(palette.unique(dim=0)) == colors
    assert palette.min() >= -1 and palette.max() <= 1
    pixels = tiny_model.real_at(-1)[0].flatten(1).T
    inside = (palette >= pixels.amin(0) - 0.01) & (palette <= pixels.amax(0) + 0.01)
    assert inside.all()


def test_palette_of_a_picture_of_few_colours_is_just_these():
    flat = Image.new("RGB", (40, 30), (200, 10, 90))
    flat.paste((0, 255, 30), (0, 0, 20, 30))
    palette = find_palette(image_to_tensor(flat), 5)
    levels = {tuple(round(float(v)) for v in (colour + 1) * 127.5) for colour in palette}
    assert levels == {(200, 10, 90), (0, 255, 30)}


def test_more_colours_come_nearer_to_the_picture(tiny_model):
    pixels = tiny_model.real_at(-1)[0].flatten(1).T
    errors = [
        float(torch.cdist(pixels, find_palette(tiny_model.real_at(-1), n)).amin(1).mean()) for n in (2, 5, 16, 64)
    ]
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.4 * errors[0]


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("colors", [-1, 0, 1, 65])
def test_colors_out_of_range_are_refused(tiny_model, painting, colors):
    with pytest.raises(ConfigError, match=f"^colors is {colors}; a palette has 2 to 64"):
        paint_to_image(tiny_model, painting, colors=colors)


def test_bad_size_and_scale_and_picture_are_refused(tiny_model, painting, tmp_path):
    with pytest.raises(ConfigError, match="size is 8x100 px; sides start at 16 px"):
        paint_to_image(tiny_model, painting, size=(8, 100))
    with pytest.raises(ConfigError, match="Injection scale 6 is not there"):
        paint_to_image(tiny_model, painting, scale=6)
    with pytest.raises(ImageError, match="^The painting nowhere.png does not exist"):
        paint_to_image(tiny_model, tmp_path / "nowhere.png")
    with pytest.raises(ImageError, match="is 1200x25 px, which is 426x9 px at the area of the model's: crop it"):
        paint_to_image(tiny_model, Image.new("RGB", (1200, 25)))
