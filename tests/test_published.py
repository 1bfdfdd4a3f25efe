"""The preset `paper` against another program of the same description (tests/published_reference.py)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import published_reference as reference
import pytest
import torch
from PIL import Image

from singan import TrainConfig
from singan.pyramid import from_bytes, published_resize, published_sizes
from singan.training.start import begin_scale, scale_trainer, start_run

SHAPES = [(186, 248), (166, 250), (250, 250), (60, 90), (25, 33), (26, 40), (33, 43), (50, 50), (64, 48), (77, 101)]
SHAPES += [(90, 60), (100, 100), (120, 300), (131, 97), (200, 133), (248, 186), (333, 500), (480, 640), (750, 1000)]
SHAPES += [(1080, 1920)]


@pytest.fixture
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours and a little grain, (H, W, 3) uint8."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)).resize((width, height), 3)
    return np.clip(np.array(coarse) + rng.normal(0, 8, (height, width, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("shape", SHAPES)
def test_sizes_and_factor_are_the_published_ones(shape: tuple[int, int]) -> None:
    assert published_sizes(*shape, TrainConfig.preset("paper")) == reference.sizes(*shape)


def test_there_are_as_many_scales_as_published() -> None:
    config = TrainConfig.preset("paper")
    counts = [len(published_sizes(*shape, config)[0]) for shape in ((186, 248), (166, 250), (250, 250), (60, 90))]
    assert counts == [9, 9, 11, 6]


@pytest.mark.parametrize("factor", [0.1, 0.3336, 0.504, 0.7673, 0.95, 1 / 0.95, 1 / 0.789, 1 / 0.75, 2.5])
@pytest.mark.parametrize("shape", [(25, 34), (41, 30)])
def test_resizing_is_the_published_one_to_the_last_bit(shape: tuple[int, int], factor: float) -> None:
    image = picture(*shape)
    expected = reference.as_image(reference.resize(image.astype(np.float64), factor))
    x = torch.from_numpy(image).permute(2, 0, 1)[None]
    assert torch.equal(published_resize(x, factor), expected)
    fine = from_bytes(x, torch.float32) + 0.003
    assert torch.equal(published_resize(fine, factor), reference.resize_image(fine, factor))


@pytest.mark.parametrize("widths", [(8, 8, 8), (6, 8, 8)], ids=["one width", "two widths"])
def test_training_and_drawing_are_the_published_ones(double: None, widths: tuple[int, ...]) -> None:
    image = picture(33, 43)
    config = TrainConfig.preset("paper", width=widths, critic_width=widths, steps=3)
    run = start_run(Image.fromarray(image), config, 5, torch.device("cpu"))
    expected = reference.Program(image, widths, steps=3, seed=5)
    while run.scale < len(run.real):
        run.state = begin_scale(run)
        trainer = scale_trainer(run)
        for _ in range(3):
            trainer.step()
        run.finished = trainer.finish()
    model = run.model
    assert len(model.generators) == len(expected.scales) == 3
    for k, scale in enumerate(expected.scales):
        theirs = named(scale["net"])
        for name, ours in tensors(model.generators[k]).items():
            # The gradient of a bias before batch norm is nothing but rounding error, which Adam makes steps of.
            noise = name in {f"convs.{i}.bias" for i in range(4)} or name.endswith("running_mean")
            assert float((ours - theirs[name]).abs().max()) < (2e-6 if noise else 1e-9), f"scale {k}, {name}"
            ours.copy_(theirs[name])
        assert abs(model.noise_amps[k] - scale["amp"]) < 1e-9
    z = torch.nn.functional.pad(model.z_star, (5,) * 4)
    assert torch.equal(z, expected.scales[0]["z"])
    assert float((model.reconstruct_tensor(3) - expected.draw(fixed=True)).abs().max()) < 1e-9
    torch.manual_seed(9)
    drawn = model.sample_tensor(9, model.image_size, 0, 1.0)
    assert float((drawn - expected.draw(fixed=False)).abs().max()) < 1e-9


def tensors(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: t.detach() for name, t in network.state_dict().items() if t.is_floating_point()}


def named(net: reference.Network) -> dict[str, torch.Tensor]:
    """The reference's tensors under our names."""
    convs = {f"convs.{i}.{ours}": net[i][name] for i in range(5) for ours, name in (("weight", "w"), ("bias", "b"))}
    pairs = (("weight", "gamma"), ("bias", "beta"), ("running_mean", "mean"), ("running_var", "var"))
    return convs | {f"norms.{i}.{ours}": net[i][name] for i in range(4) for ours, name in pairs}
