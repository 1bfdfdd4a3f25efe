"""A painting guides: which pixels of the photograph go where."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import singan
from singan.image import image_to_tensor
from singan.patches.field import identity, refine_field
from singan.patches.search import Patches, basis
from singan.tasks.guided import draw_guided, painted_as, transported

SIZE = (96, 64)


def picture(sky: tuple[int, ...], ground: tuple[int, ...], discs: tuple[int, ...], at: list[int]) -> Image.Image:
    """96x64 px: a sky, a ground, and discs in the sky."""
    image = Image.new("RGB", SIZE, sky)
    drawn = ImageDraw.Draw(image)
    drawn.rectangle((0, 48, *SIZE), fill=ground)
    for x in at:
        drawn.ellipse((x - 8, 14, x + 8, 30), fill=discs)
    return image


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    clean = np.asarray(picture((90, 120, 200), (40, 100, 40), (200, 60, 40), [24]), float)
    noise = np.random.default_rng(0).normal(0, 8, clean.shape)
    return Image.fromarray((clean + noise).clip(0, 255).astype(np.uint8))


@pytest.fixture(scope="module")
def model(photo) -> singan.SinGAN:
    return singan.draft(photo, singan.TrainConfig.preset("draft", max_size=96))


@pytest.fixture(scope="module")
def painting() -> Image.Image:
    """In colours that the photograph does not have, with the disc elsewhere."""
    return picture((200, 240, 250), (120, 220, 90), (250, 240, 0), [68])


def test_transported_photograph_has_the_paintings_colours_where_its_things_are(photo, painting):
    (painted,) = transported([image_to_tensor(photo)], image_to_tensor(painting))
    for place in ((22, 24), (10, 80), (58, 50)):  # disc, sky, ground
        wanted = {(22, 24): (22, 68)}.get(place, place)
        there = image_to_tensor(painting)[0, :, wanted[0], wanted[1]]
        assert (painted[0, :, place[0], place[1]] - there).abs().max() < 0.25


def test_things_stand_where_they_were_painted_in_the_photographs_colours(model, painting):
    (image,) = singan.paint_to_image(model, painting)
    shown = np.asarray(image, float)
    assert np.abs(shown[18:26, 64:72].mean((0, 1)) - (200, 60, 40)).max() < 40
    assert np.abs(shown[18:26, 20:28].mean((0, 1)) - (90, 120, 200)).max() < 40
    assert np.abs(shown[54:].mean((0, 1)) - (40, 100, 40)).max() < 25
    assert image.info["lost"] < 0.3


def test_what_was_not_painted_is_not_shown(photo, painting):
    """Three dark things stand on the ground of the photograph, none on that of the painting. The colours of either can
    be transported to those of the other without a rest, so that dark becomes ground."""
    busy = photo.copy()
    for x in (8, 40, 72):
        ImageDraw.Draw(busy).rectangle((x, 52, x + 9, 60), fill=(10, 10, 20))
    model = singan.draft(busy, singan.TrainConfig.preset("draft", max_size=96))
    assert (image_to_tensor(busy)[0, :, 50:].mean(0) < -0.8).sum() > 200
    (image,) = singan.paint_to_image(model, painting, scale=model.num_scales - 1)
    assert (image_to_tensor(image)[0, :, 50:].mean(0) < -0.8).sum() < 20


def test_photograph_of_one_colour_and_of_greys_can_be_painted(painting):
    for photo in (Image.new("RGB", SIZE, (90, 90, 90)), Image.radial_gradient("L").resize(SIZE).convert("RGB")):
        (painted,) = painted_as([image_to_tensor(photo)], image_to_tensor(painting))
        assert torch.isfinite(painted).all() and painted.abs().max() < 2


def test_result_holds_nothing_that_the_photograph_does_not(model, photo, painting):
    """A vote is a mean of the photograph's pixels: no colour of the painting is beyond its range."""
    real = np.asarray(photo, int)
    for image in singan.paint_to_image(model, painting, scale="all"):
        assert (np.asarray(image).min((0, 1)) >= real.min((0, 1))).all()
        assert (np.asarray(image).max((0, 1)) <= real.max((0, 1))).all()


def test_auto_stops_at_the_first_scale_that_loses_little(model, painting):
    events = []
    (image,) = singan.paint_to_image(model, painting, on_event=events.append)
    assert image.info["scale"] == len(events) == 1


def test_guided_layout_depends_on_nothing_but_the_painting(model, painting):
    x = image_to_tensor(painting)
    first, again = (draw_guided(model, x, 2) for _ in range(2))
    assert torch.equal(first, again) and first.shape == x.shape
    assert not torch.equal(first, draw_guided(model, x.flip(3), 2))


def test_guide_of_few_colours_is_another_guide(model, painting):
    plain, two, again = (singan.paint_to_image(model, painting, scale=1, colors=c)[0] for c in (None, 2, 2))
    assert plain.tobytes() != two.tobytes() == again.tobytes() and two.info["colors"] == 2


@pytest.mark.parametrize("shape", [(96, 7), (8, 300)])
def test_narrow_paintings_are_drawn(model, shape):
    x = torch.rand(1, 3, *shape) * 2 - 1
    assert draw_guided(model, x, 1).shape == x.shape


def test_several_photographs_take_part(photo, painting):
    model = singan.draft(
        [photo, photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)], singan.TrainConfig.preset("draft", max_size=96)
    )
    (image,) = singan.paint_to_image(model, painting)
    assert image.info["lost"] < 0.3


def test_together_a_patch_takes_the_source_that_its_neighbours_have(photo):
    real = image_to_tensor(photo)
    patches = Patches(real, basis(real))
    image = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1  # as near to all
    own = identity((64, 96), (64, 96), real.device)
    alone = replace(own, y=own.y.clone())
    alone.y[:, 4:-4:6, 4:-4:6] = 50

    def strayed(together: float) -> float:
        field = refine_field(alone, image, patches, 0.0, together=together)
        return float(((field.y != own.y) | (field.x != own.x)).float().mean())

    assert strayed(10.0) == 0 < strayed(0.1) < strayed(0.0)
