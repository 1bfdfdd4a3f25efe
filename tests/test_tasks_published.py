"""What the tasks do with a model of the published method: as its program does, unless told otherwise."""

import math
from itertools import islice, pairwise

import numpy as np
import published_reference as reference
import pytest
import torch
from PIL import Image

import singan
from singan.image import image_to_tensor, tensor_to_image
from singan.scale import draw_noise
from singan.tasks.animation import Walk, iter_frames
from singan.tasks.blending import FEATHER, blend, load_mask, published
from singan.tasks.super_resolution import enlarge


def picture(height, width, seed=0):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def model():
    config = singan.TrainConfig.preset("paper", width=8, critic_width=8, steps=4, max_size=60)
    trained = singan.train(picture(90, 120), config, seed=2)
    trained.noise_amps = [1.0, *[0.3] * (trained.num_scales - 1)]  # so that the noise can be told from nothing
    return trained


def layers(generator):
    """One of our generators as the reference's."""
    state = generator.state_dict()
    net = [{"w": state[f"convs.{i}.weight"], "b": state[f"convs.{i}.bias"]} for i in range(5)]
    names = {"gamma": "weight", "beta": "bias", "mean": "running_mean", "var": "running_var"}
    for i in range(4):
        net[i] |= {theirs: state[f"norms.{i}.{ours}"] for theirs, ours in names.items()}
    return net


def refined(model, scale, x, noise):
    moved = reference.pad(model.noise_amps[scale] * noise) + reference.pad(x)
    return x + torch.tanh(reference.forward(layers(model.generators[scale]), moved, training=False))


def levels(a, b):
    """The mean difference of two images, in levels of 255."""
    return float(np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean())


def test_samples_take_nothing_but_fresh_noise_unless_told(model):
    assert model.sample(1, seed=3)[0].tobytes() == model.sample(1, seed=3, variation=1.0)[0].tobytes()
    assert model.sample(1, seed=3)[0].tobytes() != model.sample(1, seed=3, variation=0.5)[0].tobytes()
    assert singan.TrainConfig().usual_variation == 0.5


def test_super_resolution_enlarges_by_one_factor_and_corrects_nothing(model):
    image = model.training_image
    result = enlarge(model, image, 3.0, seed=5)
    assert result.info["detail"] == 1
    rng, count, x = torch.Generator().manual_seed(5), 5, image_to_tensor(image)
    for i in range(count):
        x = reference.resize_image(x, 3 ** (1 / count))
        noise = torch.randn(1, 1 if i == 0 else 3, *x.shape[2:], generator=rng).expand(-1, 3, -1, -1)
        x = refined(model, -1, x, noise)
    assert x.shape[2] > 3 * image.height and result.size == (3 * image.width, 3 * image.height)
    assert levels(result, tensor_to_image(x[:, :, : result.height, : result.width])) < 0.1
    soft = enlarge(model, image, 3.0, seed=5, detail=0.0)
    assert levels(soft, result) > 1


def injected(model, x, scale, seed):
    """An image, (1, 3, H, W), shrunk to the scale before, enlarged to `scale`, and refined from there."""
    last, sizes = model.num_scales - 1, model.scale_sizes
    rng, before = torch.Generator().manual_seed(seed), sizes[scale - 1]
    x = reference.resize_image(x, model.factor ** (last - scale + 1))[:, :, : before[0], : before[1]]
    for k in range(scale, last + 1):
        x = reference.resize_image(x, 1 / model.factor)[:, :, : sizes[k][0], : sizes[k][1]]
        x = refined(model, k, x, draw_noise(1, sizes[k], k, model.config, rng))
    return x


def test_injection_shrinks_once_and_enlarges_by_the_factor(model):
    changed = np.array(model.training_image)
    changed[10:25, 15:35] = (250, 240, 30)
    mask = np.zeros(changed.shape[:2], np.uint8)
    mask[10:25, 15:35] = 255
    x = injected(model, image_to_tensor(Image.fromarray(changed)), 2, 4)
    soft = published(model, x, load_mask(model, Image.fromarray(mask)), 7).region
    expected = tensor_to_image(blend(model.real_at(-1), x, soft).clamp(-1, 1))
    (result,) = singan.harmonize(model, changed, mask, scale=2, seed=4)
    assert levels(result, expected) < 0.1 and levels(result, model.training_image) > 1
    (voted,) = singan.harmonize(model, changed, mask, scale=2, seed=4, voting=True)
    assert levels(result, voted) > 0.3


@pytest.mark.parametrize(("task", "radius"), [(singan.harmonize, 7), (singan.edit, 20)])
def test_masks_are_widened_by_pixels_whatever_the_size(model, task, radius):
    assert max(model.image_size) < 100  # where pixels of an image of 250 would be less than half as many
    changed = np.array(model.training_image)
    changed[20:23, 28:31] = 255
    mask = np.zeros(changed.shape[:2], np.uint8)
    mask[20:23, 28:31] = 255
    (result,) = task(model, changed, mask, scale=1, seed=1)
    _, columns = np.nonzero((np.array(result) != np.array(model.training_image)).any(2))
    reach = radius + 4 * FEATHER  # at most: the soft edge's weights end there
    assert columns.min() <= max(0, 28 - radius - 5) and columns.max() >= min(changed.shape[1], 31 + radius + 5) - 1
    assert 28 - reach <= columns.min() and columns.max() <= 30 + reach


def test_paintings_keep_their_colours_and_take_the_training_images_size(model):
    painting = picture(*model.image_size, seed=9)
    (result,) = singan.paint_to_image(model, painting, scale=2, seed=4)
    assert levels(result, tensor_to_image(injected(model, image_to_tensor(painting), 2, 4).clamp(-1, 1))) < 0.1
    (square,) = singan.paint_to_image(model, picture(50, 50), scale=2)
    assert square.size == model.training_image.size


def test_walk_is_the_published_one(model):
    alpha, beta, seed = 0.1, 0.8, 6
    walk = Walk(alpha, beta, None, seed, scaled=False)
    fresh = [
        torch.randn(1, 1, 40, 50, generator=torch.Generator().manual_seed(seed * 1_000_003 + at))
        for at in range(-1, 200)
    ]
    fixed = torch.randn(1, 1, 40, 50, generator=torch.Generator().manual_seed(1))
    found = list(islice(walk.noise(lambda rng: torch.randn(1, 1, 40, 50, generator=rng), 0, fixed), 200))
    older, old = fixed, 0.95 * fixed + 0.05 * fresh[0]
    for step in range(200):
        now = alpha * fixed + (1 - alpha) * (old + beta * (old - older) + (1 - beta) * fresh[step + 1])
        torch.testing.assert_close(fixed + found[step], now, rtol=0, atol=1e-5)
        older, old = old, now
    assert float(torch.stack(found[100:]).std()) == pytest.approx(0.77, abs=0.05)


def test_animation_walks_so_unless_a_variation_is_asked_for(model):
    frames = {v: list(iter_frames(model, frames=4, loop=False, variation=v)) for v in (None, 0.1, 1.0)}
    assert levels(frames[None][0], tensor_to_image(model.reconstruct_tensor(model.num_scales))) > 0
    assert frames[None][3].tobytes() not in (frames[0.1][3].tobytes(), frames[1.0][3].tobytes())
    closed = list(iter_frames(model, frames=6, loop=True))
    assert levels(closed[-1], closed[0]) < 1.5 * max(levels(a, b) for a, b in pairwise(closed))


def test_painting_with_a_palette_trains_the_scale_as_published(model):
    (result,) = singan.paint_to_image(model, picture(50, 60, 9), scale=2, colors=4)
    assert result.info["colors"] == 4 and result.size == model.training_image.size
    assert math.isfinite(levels(result, model.training_image))
