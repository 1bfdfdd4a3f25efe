"""Masks, their soft edge, and the two tasks that blend into the training image: harmonising and editing."""

import warnings

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

import singan
from singan import edit, harmonize
from singan.errors import ConfigError, ImageError, ImageWarning
from singan.image import image_to_tensor, tensor_to_image
from singan.tasks.blending import feather, fit, load_mask
from singan.tasks.editing import find_erased, gapless, levelled, sharpened
from singan.tasks.filters import blur, grow, touching
from singan.tasks.harmonization import find_mask, smooth_outline, tinted


@pytest.fixture(scope="module")
def tiny_model(whole_model):
    """With a generator at every scale: what the published tasks take."""
    return whole_model


BOX = (20, 15, 40, 35)  # left, top, right, bottom of what is pasted


@pytest.fixture(scope="module")
def composite(tiny_picture) -> Image.Image:
    pasted = tiny_picture.copy()
    pasted.paste((250, 20, 200), BOX)
    return pasted


@pytest.fixture(scope="module")
def white() -> np.ndarray:
    """The mask, (54, 70) bool."""
    mask = np.zeros((54, 70), bool)
    mask[BOX[1] : BOX[3], BOX[0] : BOX[2]] = True
    return mask


def loaded(model, mask) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a mask that is transparent is nothing to warn of
        out = load_mask(model, mask)
    assert out.shape == (1, 1, *model.image_size)
    return out[0, 0].numpy()


# --- masks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["1", "L", "RGB", "P", "LA", "RGBA", "bool", "float", "uint8", "uint16"])
def test_mask_of_any_kind_is_the_same_mask(tiny_model, white, kind):
    if kind in ("bool", "float", "uint8", "uint16"):
        mask = white.astype(kind) * {"bool": True, "float": 1.0, "uint8": 255, "uint16": 65535}[kind]
        assert mask.dtype == kind
    else:
        mask = Image.fromarray(white).convert("L").convert(kind)
        assert mask.mode == kind
    assert np.array_equal(loaded(tiny_model, mask), white)


def test_mask_is_read_from_a_file(tiny_model, white, tmp_path):
    Image.fromarray(white).save(tmp_path / "mask.png")
    assert np.array_equal(loaded(tiny_model, tmp_path / "mask.png"), white)


@pytest.mark.parametrize("hidden", [0, 255])
def test_what_is_transparent_is_not_in_the_mask_whatever_colour_it_hides(tiny_model, white, hidden):
    layer = np.full((54, 70, 4), hidden, np.uint8)
    layer[..., 3] = 0
    layer[white] = 255
    assert np.array_equal(loaded(tiny_model, layer), white)
    assert np.array_equal(loaded(tiny_model, Image.fromarray(layer)), white)


def test_grey_counts_as_white_from_the_middle_on(tiny_model):
    mask = np.full((54, 70), 127, np.uint8)
    mask[:, 30:] = 128
    assert loaded(tiny_model, mask).mean(0).tolist() == [0.0] * 30 + [1.0] * 40


def test_mask_is_not_turned_round_when_most_of_it_is_white(tiny_model, white):
    assert np.array_equal(loaded(tiny_model, ~white), ~white)


def test_mask_of_another_size_is_stretched_and_stays_sharp(tiny_model, white):
    large = np.kron(white, np.ones((3, 3), bool))
    assert np.array_equal(loaded(tiny_model, large), white)


def test_thin_stroke_of_a_larger_mask_is_in_it(tiny_model):
    """Of every pixel that it touches."""
    mask = np.zeros((4 * 54, 4 * 70), np.uint8)
    mask[41, 81:199] = 255
    expected = np.zeros((54, 70), bool)
    expected[10, 20:50] = True
    assert np.array_equal(loaded(tiny_model, mask), expected)


def test_mask_of_another_shape_is_stretched_with_a_warning(tiny_model, white):
    with pytest.warns(ImageWarning, match="The mask is 54x70 px and the photograph 70x54: it is stretched to that"):
        edit(tiny_model, np.zeros((54, 70, 3), np.uint8), np.rot90(white), scale=1)
    with pytest.warns(ImageWarning) as caught:
        load_mask(tiny_model, np.rot90(white))
    assert len(caught) == 1


@pytest.mark.parametrize(("level", "shown"), [(0, 0), (100, 100)])
def test_black_mask_is_refused_and_its_brightest_value_named(tiny_model, level, shown):
    message = rf"^The mask is black all over \(its brightest value is {shown} of 255\): paint white in it"
    with pytest.raises(ImageError, match=message):
        load_mask(tiny_model, np.full((54, 70), level, np.uint8))


def test_white_mask_is_refused(tiny_model):
    with pytest.raises(ImageError, match="^The mask is white all over: leave black what it is not about"):
        load_mask(tiny_model, Image.new("1", (70, 54), 1))


def test_broken_mask_is_called_a_mask(tiny_model, tmp_path):
    with pytest.raises(ImageError, match="^The mask nowhere.png does not exist"):
        load_mask(tiny_model, tmp_path / "nowhere.png")


# --- the soft edge --------------------------------------------------------------------------------


def square(side: int, height: int, width: int) -> torch.Tensor:
    mask = torch.zeros(1, 1, height, width)
    top, left = (height - side) // 2, (width - side) // 2
    mask[..., top : top + side, left : left + side] = 1
    return mask


def test_feathered_mask_is_one_in_its_middle_and_exactly_zero_far_away():
    soft = feather(square(100, 250, 250), 10)[0, 0]
    assert soft.min() == 0 and soft.max() == 1
    assert (soft[85:165, 85:165] > 0.99999).all()
    edge = 75 - 10 - 21  # the square begins at 75; it is widened by 10, and the bell ends at 4 * 5 px
    assert (soft[:edge] == 0).all() and (soft[:, :edge] == 0).all() and soft[edge + 4, 125] > 0
    across = soft[:125, 125]
    assert (across.diff() >= -1e-6).all() and across[65] == pytest.approx(0.5, abs=0.06)  # soft, around the wide edge


@pytest.mark.parametrize("shape", [(250, 250), (100, 250), (250, 120)])
def test_edge_grows_with_the_image(shape):
    """At twice the size, every second pixel shows what the smaller one shows."""
    small = feather(square(40, *shape), 7)[0, 0]
    large = feather(square(80, 2 * shape[0], 2 * shape[1]), 7)[0, 0]
    pairs = torch.nn.functional.avg_pool2d(large[None], 2)[0]
    assert (pairs - small).abs().max() < 0.06
    for soft, unit in ((small, 1), (large, 2)):
        reach = int((soft[soft.shape[0] // 2] >= 0.5).sum())
        assert reach == pytest.approx((40 + 2 * 7) * unit, abs=1)


def test_mask_is_widened_by_a_disk_not_a_square():
    point = torch.zeros(1, 1, 251, 251)
    point[..., 125, 125] = 1
    inside = feather(point, 30)[0, 0] >= 0.5
    rows, columns = torch.meshgrid(*[torch.arange(251) - 125] * 2, indexing="ij")
    distance = (rows**2 + columns**2).sqrt()
    assert inside[distance < 27].all() and not inside[distance > 32].any()


def test_few_pixels_count_in_full():
    point = torch.zeros(1, 1, 54, 70)
    point[..., 20, 30] = 1
    soft = feather(point, 7)
    assert soft[0, 0, 20, 30] == pytest.approx(1) and soft.max() == 1


@pytest.mark.parametrize("left_black", [1, 3, 8])
def test_almost_white_mask_stays_white(left_black):
    """Widened, it is white all over; the edge must not be looked for in that."""
    mask = torch.ones(1, 1, 250, 250)
    mask[..., :left_black] = 0
    assert feather(mask, 20).min() > 0.999


def test_mask_at_the_border_is_not_fainter_there():
    mask = torch.zeros(1, 1, 250, 250)
    mask[..., :60] = 1
    soft = feather(mask, 10)[0, 0]
    assert (soft[:, :40] > 0.99999).all() and torch.equal(soft[0], soft[125])


# --- pictures of another size ---------------------------------------------------------------------


@pytest.mark.parametrize("task", [harmonize, edit])
def test_picture_of_another_size_is_resized_with_a_warning_for_the_caller(tiny_model, composite, white, task):
    name = {"harmonize": "The composite", "edit": "The edited image"}[task.__name__]
    with pytest.warns(ImageWarning, match=f"^{name} is 140x108 px and is resized to the 70x54 px of the tr") as notes:
        (image,) = task(tiny_model, composite.resize((140, 108)), white, scale=5)
    assert image.size == (70, 54)
    assert [note.filename for note in notes] == [__file__]


def test_picture_of_the_right_size_is_taken_as_it_is(tiny_model, composite):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(fit(tiny_model, composite, "It"), image_to_tensor(composite))


# --- harmonising and editing ----------------------------------------------------------------------


@pytest.mark.parametrize(("task", "radius"), [(harmonize, 7), (edit, 20)])
@pytest.mark.parametrize("voting", [None, False])
def test_beyond_the_soft_edge_is_the_training_image_to_the_last_bit(tiny_model, composite, white, task, radius, voting):
    soft = feather(load_mask(tiny_model, white), radius)[0, 0].numpy()
    real = np.asarray(tiny_model.training_image)
    assert (soft == 0).sum() > 500
    for image in task(tiny_model, composite, white, scale=[1, 5], voting=voting):
        out = np.asarray(image)
        assert np.array_equal(out[soft == 0], real[soft == 0])
        assert (out != real).any(2)[white].mean() > 0.9


@pytest.mark.parametrize("task", [harmonize, edit])
def test_what_is_pasted_matters_and_what_is_around_does_not(tiny_model, composite, white, task):
    """Far beyond the mask the composite may be anything: it is judged and voted inside only."""
    other, wild = composite.copy(), composite.copy()
    other.paste(composite.crop((0, 0, 11, 11)), (25, 20))
    images = [task(tiny_model, x, white, scale=5)[0].tobytes() for x in (composite, other)]
    assert images[0] != images[1]
    ImageDraw.Draw(wild).rectangle((66, 50, 69, 53), fill=(255, 255, 255))
    assert task(tiny_model, wild, white, scale=5)[0].tobytes() == images[0]


def texture(size: tuple[int, int], seed: int) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(values)


def large(tiny_picture) -> tuple[singan.SinGAN, Image.Image, Image.Image]:
    """A draft of 250 px, and it with something of its own texture put in, and the mask of that."""
    model = singan.draft(tiny_picture.resize((250, 193), Image.Resampling.BICUBIC))
    edited, mask = model.training_image, Image.new("L", (250, 193))
    edited.paste(edited.crop((140, 20, 220, 90)).rotate(180), (30, 80))
    mask.paste(255, (30, 80, 110, 150))
    return model, edited, mask


def test_what_was_put_in_stays_but_for_its_light_and_a_band_along_its_edge(tiny_picture):
    model, edited, mask = large(tiny_picture)
    given = np.asarray(edited, float)[90:140, 40:100]
    for image in edit(model, edited, mask, scale=[1, 4]):
        out = np.asarray(image, float)
        changed = out[90:140, 40:100] - given
        assert np.sqrt((changed**2).mean()) < 10.2  # 28 dB
        assert np.abs(np.diff(changed, axis=1)).mean() < 0.5 * np.abs(np.diff(given, axis=1)).mean()
        assert (out[78:83, 40:100] != np.asarray(edited)[78:83, 40:100]).mean() > 0.5


@pytest.mark.parametrize(("step", "nearer"), [(0.2, True), (1.2, False)])
def test_light_of_what_was_put_in_comes_nearer_to_that_around_it_and_other_things_stay(step, nearer):
    real, mask = torch.full((1, 3, 80, 100), 0.4), rectangle(20, 30, 60, 70)
    out = levelled(real - step * mask, mask, real)
    inside = out[..., 30:50, 40:60]
    assert (float((inside - (0.4 - step)).mean()) > 0.04) == nearer
    assert float((inside - (0.4 - step)).square().mean().sqrt()) < 0.08
    assert torch.equal(out[mask.expand_as(out) == 0], real[mask.expand_as(out) == 0])


def test_what_was_painted_over_with_one_colour_is_filled_from_around_it(tiny_picture):
    model, edited, mask = large(tiny_picture)
    edited.paste((255, 0, 255), (30, 80, 110, 150))
    out = np.asarray(edit(model, edited, mask)[0], int)[80:150, 30:110]
    real = np.asarray(model.training_image, int)
    assert np.abs(out - (255, 0, 255)).sum(2).min() > 100
    assert out.min() >= real.min() - 3 and out.max() <= real.max() + 3


def test_what_is_blurred_gets_the_photographs_grain_and_stays_what_it_is():
    noise = np.random.default_rng(0).normal(128, 25, (120, 160, 1))
    model = singan.draft(Image.fromarray(noise.repeat(3, 2).clip(0, 255).astype(np.uint8)))
    real, white = model.real_at(-1), torch.zeros(1, 1, 120, 160)
    white[..., 40:90, 50:110] = 1
    given = torch.where(white > 0, blur(real.flip(3), 2.0), real)

    def grain(x: torch.Tensor) -> float:
        return float(((x - blur(x, 1.5)).square() * grow(white, -10)).sum())

    out = sharpened(model, given, given, white, 4)
    assert 1.5 * grain(given) < grain(out) < 2 * grain(real)
    away = (out - given).square().mean(1, keepdim=True)[grow(white, -10) > 0].mean().sqrt()
    assert 0.01 < away < 0.076 and torch.equal(out[(white == 0).expand_as(out)], real[(white == 0).expand_as(out)])
    assert sharpened(model, real, real, white, 4) is real  # nothing is blurred
    plain = torch.where(white > 0, 0.4 * real.flip(3), real)
    assert sharpened(model, plain, plain, white, 4) is plain  # with less of all that is fine


def test_gaps_between_parts_of_a_mask_are_closed_but_not_those_to_the_border():
    mask = torch.zeros(1, 1, 250, 250)
    mask[..., 3:100, 50:100], mask[..., 106:150, 50:100] = 1, 1
    out = gapless(mask)
    assert out[..., 100:106, 70:80].all() and not out[..., :3, :].any() and not out[..., 160:, :].any()
    assert torch.equal(out.maximum(mask), out)


def test_what_was_painted_over_with_a_colour_like_that_around_it_is_filled_too(tiny_picture):
    model, edited, mask = large(tiny_picture)
    around = np.asarray(model.training_image)[80:150, 30:110].reshape(-1, 3).mean(0)
    edited.paste(tuple(int(v) for v in around), (30, 80, 110, 150))
    out = np.asarray(edit(model, edited, mask)[0], float)[90:140, 40:100]
    assert out.std((0, 1)).mean() > 10


def test_only_one_colour_counts_as_erased(tiny_picture):
    _, edited, mask = large(tiny_picture)
    white = torch.from_numpy(np.asarray(mask) / 255.0)[None, None].float()
    real = image_to_tensor(large(tiny_picture)[0].training_image)
    assert not find_erased(image_to_tensor(edited), white, real).any()
    edited.paste((9, 9, 9), (50, 90, 90, 130))
    found = find_erased(image_to_tensor(edited), white, real)[0, 0]
    assert found[92:128, 52:88].all() and not found[:88].any() and not found[:, 93:].any()
    real[..., :40, :40] = 11 / 127.5 - 1  # the photograph has such areas itself: a silhouette was put in
    assert not find_erased(image_to_tensor(edited), white, real).any()


def test_smooth_thing_over_what_is_not_gets_no_grain():
    noise = np.random.default_rng(0).normal(0, 60, (100, 250, 1))
    pixels = np.concatenate([np.full((93, 250, 3), 150.0), 100 + noise.repeat(3, 2)])
    photo = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
    model, edited, mask = singan.draft(photo), photo.copy(), Image.new("L", photo.size)
    edited.paste(photo.crop((20, 10, 120, 60)).transpose(Image.Transpose.FLIP_TOP_BOTTOM), (60, 120))
    edited.putpixel((100, 140), (153, 150, 150))  # not of one colour all over
    mask.paste(255, (60, 120, 160, 170))
    out = np.asarray(edit(model, edited, mask)[0], float)
    assert out[135:155, 80:140].std((0, 1)).mean() < 3


def test_objects_in_black_and_white_photographs_are_black_and_white(tiny_picture):
    photo = tiny_picture.resize((250, 193), Image.Resampling.BICUBIC).convert("L").convert("RGB")
    pasted, mask = photo.copy(), Image.new("L", photo.size)
    pasted.paste((220, 40, 30), (60, 60, 120, 120))
    mask.paste(255, (60, 60, 120, 120))
    out = np.asarray(harmonize(singan.draft(photo), pasted, mask)[0], int)[70:110, 70:110]
    assert (out.max(2) - out.min(2)).max() <= 3


def test_recolor_says_how_much_of_its_own_colour_an_object_keeps(tiny_model):
    photo = tiny_model.training_image
    pasted, mask = photo.copy(), Image.new("L", photo.size)
    box = (20, 16, 44, 36)
    pasted.paste((230, 20, 20), box), mask.paste(255, box)

    def mean(**options: float) -> np.ndarray:
        (image,) = harmonize(tiny_model, pasted, mask, scale=4, **options)
        assert image.info.get("recolor") == options.get("recolor")
        return np.asarray(image, float)[20:32, 24:40].mean((0, 1))

    own, half, most, usual = mean(recolor=0), mean(recolor=0.5), mean(recolor=0.95), mean()
    assert (most == usual).all()
    away = [np.abs(color - (230, 20, 20)).sum() for color in (own, half, usual)]
    assert away[0] < 0.7 * away[1] < 0.7 * away[2]
    for wrong, message in ((-0.1, "recolor is -0.1; it goes from 0 to 1"), ("red", "recolor is 'red'; it takes")):
        with pytest.raises(ConfigError, match=message):
            harmonize(tiny_model, pasted, mask, recolor=wrong)
    with pytest.raises(ConfigError, match="leave out recolor"):
        harmonize(tiny_model, pasted, mask, recolor=0.5, voting=False)


def test_nothing_takes_a_hue_from_black_surroundings():
    real, mask = torch.full((1, 3, 80, 200), -1.0), torch.zeros(1, 1, 80, 200)
    mask[..., 20:60, 20:60] = 1
    real[:, 0, 30:40, 190:] = 1.0  # a red lamp, far away
    pasted = torch.where(mask > 0, 0.5, real)
    assert torch.equal(tinted(pasted, mask, real), pasted)


def rectangle(top: int, left: int, bottom: int, right: int) -> torch.Tensor:
    mask = torch.zeros(1, 1, 80, 100)
    mask[..., top:bottom, left:right] = 1
    return mask


def test_white_object_takes_the_hue_of_what_is_around_it_and_what_is_in_the_picture_stays():
    real = torch.tensor([-0.8, -0.2, 0.6])[:, None, None].expand(1, 3, 80, 100).clone()
    mask, pasted = rectangle(20, 30, 60, 70), real.clone()
    pasted[..., 20:60, 30:50] = 1.0
    out = tinted(pasted, mask, real)
    red, green, blue = out[0, :, 40, 40].tolist()
    assert red < 0.2 < 0.8 < green < 0.95 and blue == 1  # of the light there is more than white can show
    torch.testing.assert_close(out[..., 60:70], real[..., 60:70])
    torch.testing.assert_close(out[..., :20, :], pasted[..., :20, :])


def test_outline_has_no_stairs_and_narrow_things_stay():
    mask = rectangle(10, 10, 40, 60)
    mask[..., 60, 20:80] = 1  # a line of one pixel
    out = smooth_outline(mask)
    assert out[0, 0, 25, 35] == 1 and out[0, 0, 5, 5] == 0
    across = out[0, 0, 25, 5:16]
    assert bool((across.diff() >= 0).all()) and ((across > 0) & (across < 1)).sum() >= 2
    assert out[0, 0, 60, 30:70].min() > 0.9


@pytest.mark.parametrize(("grain", "least", "most"), [(0.0, 0.0, 0.5), (0.5, 0.9, 1.1)])
def test_texture_of_the_object_goes_where_the_picture_has_less(tiny_picture, grain, least, most):
    """A checkered object in a smooth picture, and in one that is as rough."""
    checks = torch.ones(1, 1, 150, 200)
    checks[..., ::2, 1::2] = checks[..., 1::2, ::2] = -1
    photo = tensor_to_image((0.0 + grain * checks).expand(1, 3, -1, -1))
    model = singan.draft(photo)
    composite, white = image_to_tensor(model.training_image).clone(), Image.new("L", model.image_size[::-1])
    composite[..., 50:100, 60:120] = 0.05 * checks[..., 50:100, 60:120] + 0.2
    white.paste(255, (60, 50, 120, 100))
    (image,) = harmonize(model, tensor_to_image(composite), white, scale=[model.num_scales - 1])
    inside = image_to_tensor(image)[..., 60:90, 70:110]
    before = composite[..., 60:90, 70:110]
    rough = float((inside - inside.mean()).abs().mean() / (before - before.mean()).abs().mean())
    assert rough < most if not grain else rough > least


def test_harmonised_object_keeps_its_shape_and_takes_on_the_pictures_colours(tiny_picture):
    model, _, mask = large(tiny_picture)
    composite = model.training_image
    thing = Image.new("RGB", (80, 70), (255, 0, 255))
    thing.paste((0, 60, 0), (20, 15, 60, 55))
    composite.paste(thing, (30, 80))
    (image,) = harmonize(model, composite, mask)
    assert image.info["lost"] < 0.25
    out = np.asarray(image, float)[80:150, 30:110]
    inner, outer = out[25:45, 30:50].mean((0, 1)), out[3:10].mean((0, 1))
    assert np.abs(inner - outer).max() > 40
    colours = np.asarray(model.training_image, float).reshape(-1, 3)

    def away(colour):
        return np.sqrt(((colours - colour) ** 2).sum(1)).min()

    assert away(outer) < 0.5 * away(np.array([255, 0, 255]))


def test_what_is_harmonised_has_about_the_grain_of_the_picture():
    """A rough object in a picture that is less so."""
    rng = np.random.default_rng(0)
    model = singan.draft(Image.fromarray(rng.normal(128, 6, (150, 200, 3)).clip(0, 255).astype(np.uint8)))
    composite, white = model.training_image, Image.new("L", (200, 150))
    rough = rng.normal(140, 14, (70, 90, 1)).clip(0, 255).astype(np.uint8).repeat(3, 2)
    composite.paste(Image.fromarray(rough), (50, 40))
    white.paste(255, (50, 40, 140, 110))

    def grain(image):
        grey = image_to_tensor(image).mean(1, keepdim=True)
        return (grey - blur(grey, 250 / 200)).abs()

    inside = (..., slice(40, 110), slice(50, 140))
    usual = float(grain(model.training_image).mean())
    (image,) = harmonize(model, composite, white)
    assert float(grain(composite)[inside].mean()) > 2 * usual
    assert 0.5 * usual < float(grain(image)[inside].mean()) < 1.2 * usual


@pytest.mark.parametrize("task", [harmonize, edit])
def test_same_seed_gives_same_image_and_info_says_how_it_was_made(tiny_model, composite, white, task):
    (first,), (again,), (other,) = (task(tiny_model, composite, white, scale=2, seed=s) for s in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()
    assert (first.info["task"], first.info["scale"], first.info["seed"]) == (task.__name__, 2, 1)
    assert first.info["misfit"] > 0 and 0 <= first.info["lost"] <= 1


def test_auto_and_events_are_those_of_the_injection(tiny_model, composite, white):
    events = []
    (image,) = harmonize(tiny_model, composite, white, on_event=events.append)
    assert [(e.done, e.total, e.unit) for e in events] == [(k, 5, "scale") for k in range(1, 6)]
    assert image.tobytes() == events[image.info["scale"] - 1].image.tobytes()


@pytest.mark.parametrize("task", [harmonize, edit])
def test_with_a_field_only_the_last_small_scale_is_made(tiny_picture, task):
    model, edited, mask = large(tiny_picture)
    events = []
    (image,) = task(model, edited, mask, on_event=events.append)
    assert [(e.done, e.total, e.unit) for e in events] == [(1, 1, "scale")]
    small = [k for k, (height, width) in enumerate(model.scale_sizes) if height * width <= 5000]
    assert image.info["scale"] == 1 + small[-1] and events[0].image is image
    assert image.tobytes() == task(model, edited, mask, scale=1 + small[-1])[0].tobytes()


@pytest.mark.parametrize("task", [harmonize, edit])
def test_wrong_scale_is_refused(tiny_model, composite, white, task):
    with pytest.raises(ConfigError, match="Injection scale 9 is not there"):
        task(tiny_model, composite, white, scale=9)


def test_edit_of_a_picture_of_one_scale_is_refused(tiny_picture):
    long = tiny_picture.resize((200, 25), Image.Resampling.BICUBIC)
    blurred, mask = long.resize((40, 5)).resize((200, 25)), Image.new("L", (200, 25))
    mask.paste(255, (40, 0, 160, 25))
    with pytest.raises(ConfigError, match="has 1 scale; an injection needs at least 2"):
        edit(singan.draft(long), blurred, mask)


# --- the mask that is found -----------------------------------------------------------------------


def test_mask_is_found_where_the_composite_differs(tiny_model, composite, white):
    found = find_mask(tiny_model, image_to_tensor(composite))[0, 0].numpy() > 0
    inner, outer = np.zeros_like(white), np.zeros_like(white)
    inner[BOX[1] + 1 : BOX[3] - 1, BOX[0] + 1 : BOX[2] - 1] = True
    outer[BOX[1] - 2 : BOX[3] + 2, BOX[0] - 2 : BOX[2] + 2] = True
    assert found[inner].mean() > 0.97 and not found[~outer].any()


def test_difference_is_found_at_the_border_too(tiny_model, tiny_picture):
    """In the corner a 5x5 average sees 9 pixels of the image only; they count as much."""
    pasted = np.array(tiny_picture).astype(int)
    pasted[:6, :6] += np.where(pasted[:6, :6] > 127, -25, 25)
    found = find_mask(tiny_model, image_to_tensor(Image.fromarray(pasted.astype(np.uint8))))
    assert found[0, 0, :4, :4].all() and not found[0, 0, 10:].any()


def test_what_is_nearly_like_the_picture_in_an_object_is_found_too(tiny_model, tiny_picture):
    """Parts of an object that hardly differ from what they cover, or not at all, are not bitten out of it; a large
    hole, with the picture in it, is none of it. What differs as little elsewhere is not found."""
    pasted = np.array(tiny_picture).astype(int)
    like, faint = np.array(pasted), np.where(pasted > 127, -15, 15)
    pasted[5:50, 5:65] = np.where(pasted[5:50, 5:65] > 127, 20, 235)
    pasted[8:11, 8:11] = like[8:11, 8:11]  # a narrow hole
    pasted[5:9, 30:40] = (like + faint)[5:9, 30:40]  # a part at its edge
    pasted[17:46, 17:61] = like[17:46, 17:61]
    pasted[28:34, 34:44] = (like + faint)[28:34, 34:44]  # elsewhere
    found = find_mask(tiny_model, image_to_tensor(Image.fromarray(pasted.astype(np.uint8))))[0, 0].numpy() > 0
    assert found[5:17, 5:65].all() and not found[25:38, 27:51].any()


@pytest.mark.parametrize("seed", range(3))
def test_parts_of_a_mask_that_hold_a_seed(seed):
    """As a search from pixel to neighbouring pixel finds them."""
    rng = np.random.default_rng(seed)
    mask, seeds = rng.random((20, 30)) < 0.6, rng.random((20, 30)) < 0.02
    reached, waiting = np.zeros_like(mask), [tuple(at) for at in np.argwhere(mask & seeds)]
    while waiting:
        y, x = waiting.pop()
        if 0 <= y < 20 and 0 <= x < 30 and mask[y, x] and not reached[y, x]:
            reached[y, x] = True
            waiting += [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
    found = touching(*(torch.from_numpy(one)[None, None].float() for one in (seeds, mask)))
    assert 0 < reached.sum() < mask.sum() and (found[0, 0].numpy() > 0).tolist() == reached.tolist()


def test_harmonising_without_a_mask_uses_the_one_found(tiny_model, composite):
    found = find_mask(tiny_model, image_to_tensor(composite))[0, 0].numpy() > 0
    with_mask, without = (harmonize(tiny_model, composite, mask, scale=4)[0] for mask in (found, None))
    assert with_mask.tobytes() == without.tobytes()


@pytest.mark.parametrize("noise", [0, 3])
def test_compression_noise_is_no_difference(tiny_model, tiny_picture, noise):
    rng = np.random.default_rng(0)
    pixels = np.asarray(tiny_picture).astype(int) + rng.integers(-noise, noise + 1, (54, 70, 3))
    with pytest.raises(ImageError, match="^Nothing in the composite differs from the model's picture: add an object"):
        harmonize(tiny_model, pixels.clip(0, 255).astype(np.uint8))


def test_compression_noise_around_what_was_pasted_is_left_out(tiny_model, composite, tmp_path):
    composite.save(tmp_path / "composite.jpg", quality=80)
    real = np.asarray(tiny_model.training_image)
    out = np.asarray(harmonize(tiny_model, tmp_path / "composite.jpg", scale=5)[0])
    assert np.array_equal(out[:, 60:], real[:, 60:]) and (out[20:30, 25:35] != real[20:30, 25:35]).any()
