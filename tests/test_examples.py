"""The app's examples, on the models that they belong to, at the automatic scale: what is shown must be what is said."""

import functools
import importlib.util
import math
from pathlib import Path
from types import ModuleType

import pytest
import torch
from PIL import Image

import singan
from singan.image import image_to_tensor, load_image
from singan.pyramid import resize
from singan.tasks.blending import load_mask
from singan.tasks.filling import draft_of
from singan.tasks.filters import blur, grow

ROOT = Path(__file__).parent.parent
MODELS = {path.name: path for path in sorted((ROOT / "pretrained").iterdir())}


def examples(task: str) -> list[str]:
    return sorted(path.stem for path in (ROOT / "examples" / task).glob("*.webp"))


def given(task: str, name: str) -> tuple[singan.SinGAN, Image.Image, Path]:
    folder = ROOT / "examples" / task
    return singan.SinGAN.from_pretrained(MODELS[name]), load_image(folder / f"{name}.webp"), folder / f"{name}.mask.png"


@functools.cache
def painted(name: str) -> tuple[singan.SinGAN, Image.Image, Image.Image]:
    """A model, the painting of its example, and what it becomes."""
    model, painting, _ = given("paint", name)
    (image,) = singan.paint_to_image(model, painting)
    return model, painting, image


@pytest.fixture(scope="module")
def common() -> ModuleType:
    """benchmarks/common.py, which is no part of the package."""
    spec = importlib.util.spec_from_file_location("common", ROOT / "benchmarks" / "common.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", examples("edit"))
def test_what_was_copied_stays_and_its_seam_goes(common, name):
    model, edited, mask = given("edit", name)
    (image,) = singan.edit(model, edited, mask)
    white, x = load_mask(model, mask), image_to_tensor(image)
    inside = grow(white, -10) > 0
    if inside.any():
        error = float((x - image_to_tensor(edited)).masked_select(inside).mul(127.5).square().mean())
        assert 10 * math.log10(255**2 / max(error, 1e-9)) >= 28
    real = image_to_tensor(model.training_image)
    lost, put_in = ((image_to_tensor(edited) - y).masked_select(grow(white, -1) > 0).abs().mean() for y in (x, real))
    assert lost < 0.6 * put_in  # it is still there
    assert common.seam(x, white) <= 1.3


@pytest.mark.parametrize("name", examples("fill"))
def test_what_was_painted_over_goes_and_nothing_is_seen_of_it(common, name):
    model, _, mask = given("fill", name)
    photo = model.training_image
    (image,) = singan.fill(draft_of(photo), mask, seed=0)
    white, x, real = load_mask(model, mask), image_to_tensor(image), image_to_tensor(photo)
    far = grow(white, 30) == 0
    assert (x - real).masked_select(far).abs().max() == 0
    inside = grow(white, -4) > 0
    assert (x - real).masked_select(inside).abs().mean() > 0.02  # it is another one
    assert common.seam(x, white) <= 1.3


@pytest.mark.parametrize("name", examples("harmonize"))
def test_objects_keep_their_shape_and_take_on_the_pictures_colours(name):
    model, composite, mask = given("harmonize", name)
    (image,) = singan.harmonize(model, composite, mask)
    assert image.info["lost"] <= 0.25
    white = load_mask(model, mask)[0, 0] > 0
    palette = image_to_tensor(model.training_image)[0].flatten(1).T[::97]

    def away(picture):
        colors = blur(image_to_tensor(picture), 0.5)[0][:, white].T[::7]
        return float(torch.cdist(colors, palette).amin(1).mean())

    assert away(image) <= 0.5 * away(composite)


@pytest.mark.parametrize("name", examples("paint"))
def test_paintings_become_pictures_of_their_layout(name):
    model, painting, image = painted(name)
    assert image.info["lost"] <= 0.45 and image.info["misfit"] <= 0.75
    near, far = (resize(image_to_tensor(p), (40, 80)) for p in (image, model.training_image))
    wanted = resize(image_to_tensor(painting), (40, 80))
    assert (near - wanted).abs().mean() < (far - wanted).abs().mean()


@pytest.mark.parametrize("name", examples("paint"))
def test_patches_of_paintings_become_the_photographs(common, name):
    if not common.SHARED.is_dir():
        pytest.skip(f"the comparison program is not at {common.SHARED}")
    model, painting, image = painted(name)
    score, real = common.score_program(), image_to_tensor(model.training_image)
    before, after = (
        score.frechet(*(score.stem_features(x) for x in (image_to_tensor(i.resize(image.size)), real)))
        for i in (painting, image)
    )
    assert after < before / 4
