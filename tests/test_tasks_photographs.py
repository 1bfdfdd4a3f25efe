"""Every task on models of every kind, whose photograph is larger than what their pyramid learns."""

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

import singan
from singan.errors import ImageWarning
from singan.tasks.blending import feather, load_mask

SIZE = (210, 154)
BOX = (84, 63, 126, 98)  # left, top, right, bottom of what is pasted
SMALL = {"max_size": 100, "steps": 2, "width": 8, "critic_width": 8}


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    """210x154 px, of tiles and noise: more than a pyramid of 100 px holds."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[: SIZE[1], : SIZE[0]]
    tiles = np.stack([x, 1.4 * y, 255 * ((x // 21 + y // 14) % 2)], 2)
    return Image.fromarray((tiles + rng.normal(0, 10, tiles.shape)).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def models(photograph) -> dict[str, singan.SinGAN]:
    """A model of each kind; "paper" is at most as large as its pyramid."""
    trained = {"crop_size": 40, "pool_size": 4}
    return {
        "draft": singan.draft(photograph, singan.TrainConfig.preset("draft", max_size=100)),
        "fast": singan.train(photograph, singan.TrainConfig.preset("fast", **SMALL, **trained)),
        "paper": singan.train(photograph, singan.TrainConfig.preset("paper", **SMALL)),
    }


@pytest.fixture(scope="module")
def composite(photograph) -> Image.Image:
    pasted = photograph.copy()
    pasted.paste((250, 20, 200), BOX)
    return pasted


@pytest.fixture(scope="module")
def mask() -> Image.Image:
    white = Image.new("L", SIZE)
    white.paste(255, BOX)
    return white


TASKS: dict[str, Callable[..., list[Image.Image]]] = {
    "harmonize": lambda model, composite, mask, **o: singan.harmonize(model, composite, mask, scale=2, **o),
    "harmonize, its mask found": lambda model, composite, mask, **o: singan.harmonize(model, composite, scale=2, **o),
    "edit": lambda model, composite, mask, **o: singan.edit(model, composite, mask, scale=2, **o),
    "paint": lambda model, composite, mask, **o: singan.paint_to_image(model, composite, scale=2, **o),
    "paint in few colours": lambda model, composite, mask: singan.paint_to_image(model, composite, scale=1, colors=4),
    "denoise": lambda model, composite, mask, **o: singan.denoise(model, composite, scale=2, **o),
    "denoise the photograph": lambda model, composite, mask, **o: singan.denoise(model, **o),
    "retarget": lambda model, composite, mask, **o: singan.retarget(model, n=1, **o),
    "map": lambda model, composite, mask, **o: [singan.variation_map(model, n=2, **o)],
    "animate": lambda model, composite, mask, **o: list(singan.iter_frames(model, frames=2, **o)),
}


def test_models_differ_in_what_they_keep_and_in_what_they_learn(models):
    draft, fast, paper = models.values()
    assert (draft.image_size, fast.image_size, paper.image_size) == ((154, 210), (154, 210), (74, 100))
    assert [model.scale_sizes[-1] for model in models.values()] == [(73, 100), (73, 100), (74, 100)]  # rounded up
    assert len(draft.generators) == 0 < len(fast.generators) < len(paper.generators) == paper.num_scales


@pytest.mark.parametrize("preset", ["draft", "fast", "paper"])
@pytest.mark.parametrize("task", TASKS)
def test_results_have_the_photographs_size_and_repeat_with_their_seed(models, composite, mask, preset, task):
    model, size = models[preset], models[preset].image_size[::-1]
    given = [image.resize(size, Image.Resampling.NEAREST) for image in (composite, mask)]
    images = TASKS[task](model, *given)
    assert images and all((image.size, image.mode) == (size, "RGB") for image in images)
    if task != "paint in few colours":  # has a test of its own, where less is trained
        assert [image.tobytes() for image in TASKS[task](model, *given, seed=0)] == [i.tobytes() for i in images]


@pytest.mark.parametrize("preset", ["draft", "fast"])
@pytest.mark.parametrize(("task", "radius"), [(singan.harmonize, 7), (singan.edit, 20)])
@pytest.mark.parametrize("voting", [None, False])
def test_beyond_the_soft_edge_is_the_photograph_to_the_last_bit(
    models, photograph, composite, mask, preset, task, radius, voting
):
    soft = feather(load_mask(models[preset], mask), radius)[0, 0].numpy()
    real = np.asarray(photograph)
    white = np.asarray(mask) > 0
    assert (soft == 0).mean() > 0.1
    for image in task(models[preset], composite, mask, scale=[1, models[preset].num_scales - 1], voting=voting):
        out = np.asarray(image)
        assert np.array_equal(out[soft == 0], real[soft == 0])
        assert (out != real).any(2)[white].mean() > 0.9


@pytest.mark.parametrize("task", [singan.harmonize, singan.edit, singan.denoise])
def test_picture_as_large_as_the_pyramid_is_enlarged_to_the_photograph_and_that_is_said(models, composite, mask, task):
    small = composite.resize((100, 73))
    given = () if task is singan.denoise else (mask.resize((100, 73)),)
    with pytest.warns(ImageWarning, match=r" is 100x73 px and is resized to the 210x154 px of the tr") as notes:
        (image,) = task(models["draft"], small, *given, scale=3)
    assert image.size == SIZE and [note.filename for note in notes] == [__file__]


@pytest.mark.parametrize("preset", ["draft", "fast"])
def test_painting_becomes_as_large_as_the_photograph_in_its_own_proportions(models, preset):
    (image,) = singan.paint_to_image(models[preset], Image.new("RGB", (60, 60), "green"), scale=3)
    assert image.size == (180, 180)  # 210 * 154 px


def test_denoised_photograph_is_as_sharp_as_it(models, photograph):
    """What comes back is not what was learned, enlarged: details finer than the pyramid's pixels are there."""

    def fine(image: Image.Image) -> float:
        enlarged = image.resize((100, 73), Image.Resampling.BOX).resize(SIZE, Image.Resampling.BICUBIC)
        return float(np.square(np.asarray(image, float) - np.asarray(enlarged, float)).mean())

    (image,) = singan.denoise(models["draft"], scale=2)
    assert fine(image) > 0.5 * fine(photograph)


def test_map_varies_where_the_samples_do(models):
    heat = singan.variation_map(models["draft"], n=4, seed=1)
    assert heat.info["white"] > 10 and np.asarray(heat).std() > 10
    assert singan.variation_map(models["draft"], n=2, variation=0).info["white"] < heat.info["white"]


def test_draft_is_animated_into_a_file(models, tmp_path):
    path = singan.animate(models["draft"], tmp_path / "a.gif", frames=3, variation=0.5)
    with Image.open(path) as file:
        assert (file.size, file.n_frames) == (SIZE, 3)


def test_frames_of_a_draft_differ(models):
    first, second, *_ = (np.asarray(f, int) for f in singan.iter_frames(models["draft"], frames=3, variation=0.5))
    assert np.abs(first - second).mean() > 1


def test_model_with_generators_at_its_coarsest_scales_only_enlarges_nothing(models):
    with pytest.raises(singan.ConfigError, match="no generator at its finest scale"):
        singan.super_resolve(models["fast"], 2)
