"""The layout of one picture in the matter of another, and its style on it."""

import json
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import singan
from singan import analogy, stylize
from singan.cli import main
from singan.errors import ConfigError, ImageError, TaskWarning
from singan.image import image_to_tensor
from singan.patches.search import distances_to
from singan.pyramid import resize
from singan.tasks.filters import matched_values
from singan.tasks.injection import TaskEvent


def noise(size: tuple[int, int], low: tuple[int, int, int], high: tuple[int, int, int], seed: int) -> Image.Image:
    """Grains of colours between two."""
    share = np.random.default_rng(seed).random((size[1], size[0], 1))
    return Image.fromarray((np.array(low) + share * (np.array(high) - np.array(low))).astype(np.uint8))


@pytest.fixture(scope="module")
def matter() -> Image.Image:
    """96x72 px: grains of sand, and beside them dark stones."""
    image = noise((96, 72), (170, 140, 90), (250, 220, 170), 0)
    image.paste(noise((48, 72), (10, 10, 60), (80, 80, 130), 1), (0, 0))
    return image


@pytest.fixture(scope="module")
def layout() -> Image.Image:
    """80x80 px: a red disk on white."""
    image = Image.new("RGB", (80, 80), "white")
    ImageDraw.Draw(image).ellipse((20, 20, 60, 60), fill=(200, 0, 0))
    return image


@pytest.fixture(scope="module")
def model(matter) -> singan.SinGAN:
    return singan.draft(matter)


def grey(image: Image.Image, size: tuple[int, int] = (32, 32)) -> torch.Tensor:
    return resize(image_to_tensor(image), size).mean(1).flatten()


def agreement(a: Image.Image, b: Image.Image) -> float:
    return float(torch.corrcoef(torch.stack([grey(a), grey(b)]))[0, 1])


def foreign(image: Image.Image, photo: Image.Image) -> float:
    """The mean squared distance of patches to the nearest ones of the photo."""
    return float(distances_to(image_to_tensor(photo), image_to_tensor(image), at_most=500).mean())


def test_layout_is_kept_in_the_matter_of_the_photo(model, matter, layout):
    (image,) = analogy(model, layout)
    (sample,) = model.sample(1, size=(image.height, image.width))
    assert agreement(image, layout) > 0.7 > agreement(sample, layout) + 0.3
    recoloured = Image.fromarray(np.where(np.asarray(layout) > 128, 255, 0).astype(np.uint8)).resize(image.size)
    assert foreign(image, matter) < 0.05 < foreign(recoloured, matter)
    disk = np.asarray(image)[image.height // 2 - 8 : image.height // 2 + 8, image.width // 2 - 8 : image.width // 2 + 8]
    assert disk.mean((0, 1))[2] > disk.mean((0, 1))[0]  # of the dark stones, which are blue


def test_inverted_layout_has_light_where_the_layout_is_dark(model, layout):
    (image,) = analogy(model, layout, invert=True)
    assert agreement(image, layout) < -0.7 and image.info["invert"] is True


@pytest.mark.parametrize("task", ["analogy", "style"])
def test_seeds_give_other_pictures_and_the_same_seed_the_same(model, layout, task):
    def run(seed: int) -> bytes:
        made = analogy(model, layout, seed=seed) if task == "analogy" else stylize(layout, model, seed=seed)
        return made[0].tobytes()

    assert run(0) == run(0) != run(1)


@pytest.mark.parametrize("shape", [(80, 40), (40, 40), (50, 150)])
def test_result_has_the_proportions_of_the_picture_at_the_area_of_the_other(model, shape):
    picture = noise(shape, (0, 0, 0), (255, 255, 255), 2)
    for (image,) in (analogy(model, picture, scale=1), stylize(picture, model, scale=1)):
        assert image.width / image.height == pytest.approx(shape[0] / shape[1], rel=0.03)
        assert image.width * image.height == pytest.approx(96 * 72, rel=0.03)


def test_size_asked_for_is_met(model, layout):
    assert analogy(model, layout, size=(50, 61))[0].size == (61, 50)
    assert stylize(layout, model, size=(50, 61))[0].info["size"] == "50x61"


def test_style_keeps_the_content_and_takes_the_colours(model, matter, layout):
    (image,) = stylize(layout, model)
    assert foreign(image, matter) < 0.1 * foreign(layout.resize(image.size), matter)
    assert agreement(image, layout) > 0.9
    y, x = image.height // 2, image.width // 2
    disk = np.asarray(image)[y - 8 : y + 8, x - 8 : x + 8].mean((0, 1))
    assert disk[2] > disk[0] > 10  # the darker of the two is of the stones, which are blue


def test_finer_scale_keeps_more_of_the_layout(matter):
    model, fine = singan.draft(matter.resize((192, 144))), noise((96, 72), (0, 0, 0), (255, 255, 255), 2)
    images = analogy(model, fine.resize((192, 144)), scale="all")
    assert images[-1].info["lost"] < images[0].info["lost"] - 0.1


def test_auto_goes_on_to_finer_scales_and_tells_where_none_shows_the_picture(model, layout):
    events: list[TaskEvent] = []
    fine = noise((96, 72), (0, 0, 0), (255, 255, 255), 2)
    for task in (partial(analogy, model, fine), partial(stylize, fine, model)):
        with pytest.warns(TaskWarning, match="is not to be seen"):
            (image,) = task()
        assert image.info["lost"] == min(one.info["lost"] for one in task(scale="all")) > 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("error", TaskWarning)
        assert analogy(model, layout, on_event=events.append)[0].info["lost"] < 0.1 and len(events) == 1


def test_a_photo_does_for_a_model(matter, layout, tmp_path):
    matter.save(tmp_path / "matter.png")
    one, other = (analogy(source, layout, scale=2)[0] for source in (matter, tmp_path / "matter.png"))
    assert one.tobytes() == other.tobytes()
    one, other = (stylize(layout, source, scale=2)[0] for source in (matter, tmp_path / "matter.png"))
    assert one.tobytes() == other.tobytes()


def test_scales_are_coarsest_first_each_with_an_event_and_info(model, layout):
    events: list[TaskEvent] = []
    images = analogy(model, layout, scale="all", seed=3, on_event=events.append)
    assert [image.info["scale"] for image in images] == list(range(1, model.num_scales))
    assert [(event.done, event.total, event.unit) for event in events] == [
        (k, len(images), "scale") for k in range(1, len(images) + 1)
    ]
    assert all(event.image is image for event, image in zip(events, images, strict=True))
    assert set(images[0].info) == {"task", "invert", "size", "scale", "seed", "lost"}
    assert all(0 <= image.info["lost"] <= 1 for image in images)


def test_auto_takes_one_of_the_scales(model, layout):
    for task in (lambda **o: analogy(model, layout, **o), lambda **o: stylize(layout, model, **o)):
        (image,) = task()
        assert image.tobytes() == task(scale=image.info["scale"])[0].tobytes()


def test_model_is_left_as_it_was(model, layout):
    before = model.sample(1)[0].tobytes()
    analogy(model, layout)
    assert model.config.place_prior == 1 and model.sample(1)[0].tobytes() == before


@pytest.mark.parametrize("mode", ["L", "RGBA", "P"])
def test_pictures_of_any_mode_are_taken(model, layout, mode):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert analogy(model, layout.convert(mode), scale=1)[0].mode == "RGB"


def test_picture_of_one_colour_is_no_layout_but_may_be_content(model):
    with pytest.raises(ImageError, match="equally light all over"):
        analogy(model, Image.new("RGB", (40, 40), "green"))
    (image,) = stylize(Image.new("RGB", (40, 40), "green"), model)
    assert image.info["lost"] < 0.01


def test_matter_of_one_colour_gives_that_colour(layout):
    (image,) = analogy(Image.new("RGB", (60, 40), "green"), layout)
    assert image.getcolors() == [(49 * 49, (0, 128, 0))] and image.info["lost"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale": 0}, "Injection scale 0 is not there"),
        ({"scale": "most"}, "Injection scale 'most' is not there"),
        ({"seed": -1}, "seed is -1"),
        ({"size": (8, 200)}, "sides start at 16 px"),
    ],
)
def test_values_out_of_range_are_refused(model, layout, options, message):
    for task in (lambda **o: analogy(model, layout, **o), lambda **o: stylize(layout, model, **o)):
        with pytest.raises(ConfigError, match=message):
            task(**options)


def test_model_without_a_field_is_refused(whole_model, layout):
    with pytest.raises(ConfigError, match="no field of patches"):
        analogy(whole_model, layout)


def test_missing_picture_is_named(model, tmp_path):
    with pytest.raises(ImageError, match=r"The layout gone\.png does not exist"):
        analogy(model, tmp_path / "gone.png")


def test_matched_values_keep_order_and_take_the_frequencies():
    generator = torch.Generator().manual_seed(0)
    x, real = (torch.rand(1, 1, 50, 50, generator=generator) ** power - 0.5 for power in (1, 3))
    matched = matched_values(x, real)
    assert (matched.flatten()[x.flatten().argsort()].diff() >= 0).all()
    assert (matched.flatten().sort().values - real.flatten().sort().values).abs().mean() < 0.02


@pytest.mark.parametrize("command", ["analogy", "style"])
def test_command_gives_what_the_function_gives(command, model, matter, layout, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model.save_pretrained("model")
    layout.save("layout.png")
    pictures = ["model", "layout.png"] if command == "analogy" else ["layout.png", "model"]
    options = ["--scale", "2", "--seed", "1", "--size", "60x50"]
    assert main([command, *pictures, *options, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["task"] == command and printed["images"][0]["file"] == f"layout-{command}.png"
    wanted = {"scale": 2, "seed": 1, "size": (60, 50)}
    (image,) = analogy(model, layout, **wanted) if command == "analogy" else stylize(layout, model, **wanted)
    with Image.open(f"layout-{command}.png") as saved:
        assert saved.tobytes() == image.tobytes() and saved.text["task"] == command
    assert main([command, *pictures, *options]) == 1
    assert "exists: choose another --out" in capsys.readouterr().err
    assert main([command, *pictures, "--scale", "all", "--out", "strip.png"]) == 0
    assert len(list(tmp_path.glob("strip-*.png"))) == model.num_scales - 1
