"""Injection: what enters at which scale, by hand, and how results are judged and chosen."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from singan.errors import ConfigError
from singan.image import image_to_tensor, tensor_to_image
from singan.patches.field import search
from singan.patches.vote import vote
from singan.pyramid import resize
from singan.scale import draw_noise, refine
from singan.tasks.filters import blur
from singan.tasks.injection import Injection, choose, inject, judge, quantize, resolve, run_injection


@pytest.fixture(scope="module")
def tiny_model(whole_model):
    """With a generator at every scale: what the published tasks take."""
    return whole_model


def picture(seed, height, width) -> torch.Tensor:
    """Smooth noise, (1, 3, height, width)."""
    coarse = torch.rand(1, 3, 6, 6, generator=torch.Generator().manual_seed(seed)) * 2 - 1
    return resize(coarse, (height, width)).clamp(-1, 1)


@pytest.fixture(scope="module")
def injection() -> Injection:
    return Injection(picture(0, 54, 70), (2, 1), keep=0.5)


def results(model, injection, scale, seed=0, **options):
    return run_injection(model, injection, scale, seed, settings={"task": "test"}, **options)


@pytest.fixture(scope="module")
def everything(tiny_model, injection):
    """The results at all scales with seed 2."""
    return results(tiny_model, injection, "all", 2)


# --- what comes out -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(54, 70), (33, 91), (120, 40), (16, 16)])
def test_result_has_the_size_of_the_input(tiny_model, size):
    for scale in (1, tiny_model.num_scales - 1):
        (image,) = results(tiny_model, Injection(picture(0, *size), (1,), keep=0.5), scale)
        assert (image.height, image.width) == size


def test_same_seed_gives_same_image_and_another_seed_another(tiny_model, injection):
    first, again, other = (results(tiny_model, injection, 2, seed)[0].tobytes() for seed in (4, 4, 5))
    assert first == again != other


def test_injection_leaves_global_randomness_and_the_input_alone(tiny_model, injection):
    before, image = torch.get_rng_state(), injection.image.clone()
    results(tiny_model, injection, 1)
    assert torch.equal(before, torch.get_rng_state()) and torch.equal(image, injection.image)


def test_without_voting_it_is_the_published_injection(tiny_model, injection):
    rng = torch.Generator().manual_seed(3)
    x = resize(injection.image, tiny_model.scale_sizes[1])
    for k in range(2, tiny_model.num_scales):
        size = tiny_model.scale_sizes[k]
        x = resize(x, size)
        noise = tiny_model.noise_amps[k] * draw_noise(1, size, k, tiny_model.config, rng)
        x = refine(tiny_model.generators[k], x, noise, tiny_model.config)
    (image,) = results(tiny_model, injection, 2, 3, voting=False)
    assert image.tobytes() == tensor_to_image(x).tobytes()


def voted(model, level, x, rounds, reuse):
    patches = model.patches_at(level)
    for _ in range(rounds):
        x = vote(search(x, patches, model.config.place_prior, reuse=reuse), patches)
    return x


def test_voting_is_done_before_the_injection_and_after_each_generator_while_rounds_last(tiny_model, injection):
    rng = torch.Generator().manual_seed(3)
    config = replace(tiny_model.config, mixed_precision=False)
    model = replace(tiny_model, config=config)
    x = voted(model, 1, resize(injection.image, model.scale_sizes[1]), 2, 0.05)
    for k in range(2, model.num_scales):
        size = model.scale_sizes[k]
        x = resize(x, size)
        x = refine(model.generators[k], x, model.noise_amps[k] * draw_noise(1, size, k, config, rng), config)
        if k == 2:
            x = voted(model, 2, x, 1, 0.05)
    (image,) = results(model, replace(injection, reuse=0.05), 2, 3)
    assert image.tobytes() == tensor_to_image(x).tobytes()


def test_voting_is_as_in_training_unless_told(tiny_model, injection):
    """Voting is on in the tiny model; one trained without it does not vote, unless asked to."""
    still = replace(tiny_model, config=replace(tiny_model.config, voting_rounds=(0,)))
    on, off = (results(tiny_model, injection, 2, voting=v)[0].tobytes() for v in (True, False))
    assert on != off
    assert results(tiny_model, injection, 2)[0].tobytes() == on
    assert results(still, injection, 2)[0].tobytes() == off
    assert results(still, injection, 2, voting=True)[0].tobytes() != off


def test_what_is_beyond_the_region_stays_as_it_entered(tiny_model, injection):
    region = torch.zeros(1, 1, 54, 70)
    region[..., :10] = 1
    last = tiny_model.num_scales - 1
    inside = replace(injection, rounds=(0, 2), region=region)
    x, plain = (inject(tiny_model, i, last, 0) for i in (inside, replace(inside, rounds=())))
    torch.testing.assert_close(x[..., 10:], injection.image[..., 10:], rtol=0, atol=1e-5)
    assert not torch.equal(x[..., :10], plain[..., :10])


def test_palette_replaces_the_colours_that_enter_the_generator_of_the_scale(tiny_model, injection):
    """A palette of one colour leaves nothing of the input."""
    grey = replace(injection, palette=torch.zeros(1, 3), rounds=())
    one, other = (inject(tiny_model, replace(grey, image=picture(seed, 54, 70)), 2, 0) for seed in (0, 1))
    assert torch.equal(one, other)
    assert not torch.equal(one, inject(tiny_model, replace(grey, palette=torch.ones(1, 3)), 2, 0))


def test_quantizing_takes_the_nearest_colour_as_a_plain_loop_does():
    x = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(0)) * 2 - 1
    palette = torch.rand(6, 3, generator=torch.Generator().manual_seed(1)) * 2 - 1
    out = quantize(x, palette)
    assert out.shape == x.shape
    for n in range(2):
        for row in range(5):
            for column in range(7):
                pixel = x[n, :, row, column]
                nearest = min(palette, key=lambda colour, pixel=pixel: float(((colour - pixel) ** 2).sum()))
                assert torch.equal(out[n, :, row, column], nearest)


def test_finish_makes_the_result(tiny_model, injection):
    def left_is_black(x):
        return torch.cat([torch.full_like(x[..., :9], -1.0), x[..., 9:]], 3)

    plain = np.asarray(results(tiny_model, injection, 1)[0])
    done = np.asarray(results(tiny_model, replace(injection, finish=left_is_black), 1)[0])
    assert not done[:, :9].any() and np.array_equal(done[:, 9:], plain[:, 9:])


def test_info_carries_settings_seed_scale_and_judgement(tiny_model, injection):
    (image,) = run_injection(tiny_model, injection, 3, 8, settings={"task": "test", "colour": "red"})
    assert set(image.info) == {"task", "colour", "scale", "seed", "misfit", "lost"}
    assert (image.info["task"], image.info["colour"], image.info["scale"], image.info["seed"]) == ("test", "red", 3, 8)
    judged = judge(tiny_model, injection)(image_to_tensor(image))
    assert image.info["misfit"] == pytest.approx(judged["misfit"], abs=1e-3)
    assert image.info["lost"] == pytest.approx(judged["lost"], abs=1e-3)


def test_events_count_the_scales_and_show_each_result(tiny_model, injection):
    events = []
    images = results(tiny_model, injection, [3, 1], on_event=events.append)
    assert [(e.done, e.total, e.unit) for e in events] == [(1, 2, "scale"), (2, 2, "scale")]
    assert all(event.image is image for event, image in zip(events, images, strict=True))


# --- at which scale -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (2, [2]),
        ([3], [3]),
        ((4, 1, 4), [1, 4]),
        (range(2, 4), [2, 3]),
        ("all", [1, 2, 3, 4, 5]),
        ("auto", [1, 2, 3, 4, 5]),
    ],
)
def test_scales_are_resolved_in_order_and_once(tiny_model, scale, expected):
    assert tiny_model.num_scales == 6
    assert resolve(tiny_model, scale) == expected


@pytest.mark.parametrize(
    ("scale", "shown"),
    [
        (0, "0"),
        (6, "6"),
        (-1, "-1"),
        ([2, 9], "9"),
        ([], r"\[\]"),
        (True, "True"),
        ([1.0], "1.0"),
        (2.0, "2.0"),
        (None, "None"),
        ("best", "'best'"),
        ("2", "'2'"),
    ],
)
def test_scale_that_is_not_there_is_refused(tiny_model, scale, shown):
    with pytest.raises(
        ConfigError, match=rf"^Injection scale {shown} is not there; choose from 1 to 5, auto or all\.$"
    ):
        resolve(tiny_model, scale)


def test_model_of_one_scale_is_refused(tiny_model, injection):
    one = replace(tiny_model, scale_sizes=tiny_model.scale_sizes[-1:], generators=tiny_model.generators[:1])
    with pytest.raises(
        ConfigError,
        match="has 1 scale; an injection needs at least 2: enlarge the picture to 26 px or more, or train it with",
    ):
        results(one, injection, "auto")


@pytest.mark.parametrize("seed", [-1, 2**63])
def test_seed_out_of_range_is_refused(tiny_model, injection, seed):
    with pytest.raises(ConfigError, match=f"seed is {seed}; it goes from 0"):
        results(tiny_model, injection, 1, seed)


def test_all_scales_are_the_single_ones(tiny_model, injection, everything):
    assert [image.info["scale"] for image in everything] == [1, 2, 3, 4, 5]
    assert everything[3].tobytes() == results(tiny_model, injection, 4, 2)[0].tobytes()


@pytest.mark.parametrize("keep", [0.0, 100.0])
def test_auto_is_the_one_of_all_with_the_least_misfit_and_loss(tiny_model, injection, everything, keep):
    costs = [image.info["misfit"] + keep * image.info["lost"] for image in everything]
    (auto,) = results(tiny_model, replace(injection, keep=keep), "auto", 2)
    best = everything[int(np.argmin(costs))]
    assert auto.tobytes() == best.tobytes() and auto.info == best.info


def test_what_must_be_kept_decides_between_fitting_and_faithful_results():
    free, faithful = Image.new("RGB", (1, 1)), Image.new("RGB", (1, 1))
    free.info = {"misfit": 0.2, "lost": 0.9}
    faithful.info = {"misfit": 0.8, "lost": 0.1}
    blank = torch.zeros(1, 3, 1, 1)

    def chosen(**values):
        return choose([free, faithful], Injection(blank, (), **values))

    assert chosen(keep=0.5) is free and chosen(keep=1.0) is faithful
    assert chosen(limit=0.5) is faithful and chosen(limit=0.95) is free
    faithful.info["misfit"] = 0.1
    assert chosen(limit=0.95) is faithful and chosen(limit=0.95, coarsest=True) is free
    assert chosen(limit=0.5, coarsest=True) is faithful


def test_what_none_could_keep_weighs_as_much_as_misfit():
    bad, worse = Image.new("RGB", (1, 1)), Image.new("RGB", (1, 1))
    bad.info, worse.info = {"misfit": 0.5, "lost": 0.6}, {"misfit": 0.4, "lost": 0.8}
    blank = torch.zeros(1, 3, 1, 1)
    assert choose([bad, worse], Injection(blank, (), limit=0.25)) is bad
    assert choose([bad, worse], Injection(blank, (), limit=0.9)) is worse
    worse.info["misfit"] = 0.1
    assert choose([worse, bad], Injection(blank, (), limit=0.25)) is worse
    assert choose([worse, bad], Injection(blank, (), limit=0.25, coarsest=True)) is bad  # which has lost least


def test_coarse_structure_stays_that_of_the_input(tiny_model, injection):
    """Without it the votes take the training image's; to the end with `texture_only`, else during the rounds."""
    size = (54, 70)
    kinds = ({}, {"structure": 20.0}, {"structure": 20.0, "texture_only": True})
    wanted = blur(injection.image, 20.0)
    off, early, late = (
        float(
            (blur(inject(tiny_model, replace(injection, rounds=(2, 2, 1, 1, 1, 1), **kind), 2, 0), 20.0) - wanted)
            .abs()
            .mean()
        )
        for kind in kinds
    )
    assert injection.image.shape[2:] == size and late < 0.3 * off and early < 0.7 * off


# --- judging --------------------------------------------------------------------------------------


def test_input_itself_misfits_wholly_and_loses_nothing(tiny_model, injection):
    judged = judge(tiny_model, injection)(injection.image)
    assert judged["misfit"] == pytest.approx(1, abs=1e-4) and judged["lost"] == pytest.approx(0, abs=1e-4)


def test_training_image_fits_and_loses_what_the_input_was(tiny_model, injection):
    judged = judge(tiny_model, injection)(tiny_model.real_at(tiny_model.num_scales - 1))
    assert judged["misfit"] == pytest.approx(0, abs=1e-4) and judged["lost"] > 0.6


def test_other_colours_of_the_same_structure_lose_nothing(tiny_model, injection):
    """Colours may change linearly, as the training image's do, as long as the structure can be seen in them."""
    mixed = torch.einsum(
        "ij,njhw->nihw", torch.tensor([[0.0, 0.5, 0.1], [-0.4, 0.0, 0.2], [0.3, 0.1, 0.5]]), injection.image
    )
    assert judge(tiny_model, injection)(mixed + 0.1)["lost"] == pytest.approx(0, abs=1e-3)


def test_unrelated_noise_and_a_blank_lose_everything(tiny_model, injection):
    noise = torch.randn(1, 3, 54, 70, generator=torch.Generator().manual_seed(1))
    assert judge(tiny_model, injection)(noise)["lost"] > 0.98
    assert judge(tiny_model, injection)(torch.zeros(1, 3, 54, 70))["lost"] == pytest.approx(1, abs=1e-4)


def test_blank_input_can_be_judged(tiny_model):
    """Nothing can be lost of it, and all numbers stay numbers."""
    blank = Injection(torch.zeros(1, 3, 54, 70), (1,), keep=0.5)
    judged = judge(tiny_model, blank)(picture(1, 54, 70))
    assert judged["lost"] == 0 and np.isfinite(judged["misfit"]) and judged["misfit"] > 0


def test_only_the_region_is_judged(tiny_model, injection):
    """Beyond the patches that touch it, anything may happen."""
    region = torch.zeros(1, 1, 54, 70)
    region[..., :20] = 1
    here = replace(injection, region=region)
    result = injection.image.clone()
    result[..., 40:] = picture(9, 54, 30)
    judged = judge(tiny_model, here)(result)
    assert judged["misfit"] == pytest.approx(1, abs=1e-4) and judged["lost"] == pytest.approx(0, abs=1e-4)
    assert judge(tiny_model, injection)(result)["lost"] > 0.1


def test_large_images_are_judged_at_a_scale_that_can_be_searched(tiny_model, injection, monkeypatch):
    """Fine noise is gone at the scale of 26x34 px, the only one small enough here besides coarser ones."""
    checkers = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(27, 35) * 0.5
    result = injection.image + checkers
    assert judge(tiny_model, injection)(result)["lost"] > 0.2
    monkeypatch.setattr("singan.tasks.injection.MAX_SEARCHED_PIXELS", 26 * 34)
    assert judge(tiny_model, injection)(result)["lost"] < 0.05
