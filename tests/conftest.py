"""What tests share: a tiny picture and model, and for the app's tests tiny pyramids and the app on a free port."""

import functools
import os
import tempfile
from dataclasses import replace

import certifi
from loopback_hub import ENDPOINT, Hub

# Read when gradio and huggingface_hub are imported. No test talks to the real Hub, or finds anybody's token.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**9)  # as in singan/serving.py
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
os.environ["HF_HUB_DISABLE_XET"] = "1"
os.environ["HF_ENDPOINT"] = ENDPOINT
os.environ["HF_HOME"] = tempfile.mkdtemp()
os.environ.pop("HF_TOKEN", None)
os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp()  # of each worker: an app clears up what its visitors left
# No test speaks TLS, and for each call httpx reads all certificates that there are, which takes 40 ms: let it be one.
os.environ["SSL_CERT_FILE"] = os.path.join(os.environ["HF_HOME"], "certificate.pem")
with open(os.environ["SSL_CERT_FILE"], "w") as _file:
    _end = "-----END CERTIFICATE-----\n"
    _file.write(certifi.contents().split(_end)[0] + _end)
os.environ["SINGAN_DEVICE"] = "cpu"  # on machines with a GPU too, of which tests/test_cuda.py asks for it
os.environ["OMP_NUM_THREADS"] = "1"  # of each worker, and of the processes that it starts: two would wait for another's

import numpy as np
import pytest
import torch
import typer.main
from PIL import Image

import singan

torch.set_num_threads(1)
typer.main.get_command = functools.cache(typer.main.get_command)  # made anew it takes longer than most commands


def pytest_collection_modifyitems(items):
    """The slowest files first, or a worker would be left with the last of them while the other has nothing to do."""
    items.sort(key=lambda item: not item.path.name.startswith("test_browser"))


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def tiny_picture() -> Image.Image:
    """70x54 px of smooth colour."""
    noise = np.random.default_rng(0).integers(0, 256, (7, 9, 3), np.uint8)
    return Image.fromarray(noise).resize((70, 54), Image.Resampling.BICUBIC)


@pytest.fixture(scope="session")
def tiny_config() -> singan.TrainConfig:
    """Six scales of the tiny picture, two of them with a generator."""
    return singan.TrainConfig(
        steps=6, width=8, critic_width=8, crop_size=40, pool_size=6, min_size=16, generators=2, voting_rounds=(3, 2, 1)
    )


@pytest.fixture(scope="session")
def tiny_model(tiny_picture, tiny_config) -> singan.SinGAN:
    return singan.train(tiny_picture, tiny_config, seed=1)


@pytest.fixture(scope="session")
def whole_model(tiny_picture, tiny_config) -> singan.SinGAN:
    """A model with a generator at every scale and no field, as older files hold them."""
    plain = {"generators": None, "place_prior": 0.0, "displacement": 0.0, "field": False}
    config = replace(tiny_config, voting_rounds=(4, 2, 2, 1, 0), **plain)
    return singan.train(tiny_picture, config, seed=1)


@pytest.fixture(scope="session")
def loopback_hub():
    return Hub()


@pytest.fixture
def hub_server(loopback_hub, tmp_path, monkeypatch):
    """An empty Hub, and a client that has no cache and is logged in as alice."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_TOKEN", "alice-token")
    loopback_hub.reset()
    return loopback_hub


@pytest.fixture(scope="session")
def photo():
    """A picture of 52x40 px with large and small things in it."""
    y, x = np.mgrid[:40, :52]
    pixels = np.stack([4 * x, 6 * y, 255 * ((x // 9 + y // 7) % 2)], axis=2)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture(scope="session")
def photo_path(photo, tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "tiles.png"
    photo.save(path)
    return path


@pytest.fixture(scope="session")
def pretrained(photo, tmp_path_factory):
    """A directory like pretrained/, with the pyramids "blue" and "green-field"."""
    directory = tmp_path_factory.mktemp("pretrained")
    config = singan.TrainConfig.preset("fast", steps=2, pool_size=4, width=8, critic_width=8, candidates=2)
    for seed, name in enumerate(["blue", "green-field"]):
        singan.train(photo, config, seed=seed).save_pretrained(directory / name)
        photo.save(directory / name / "preview.png")
    return directory


@pytest.fixture(scope="session")
def examples(photo, tmp_path_factory):
    """A directory like examples/, with one of each kind for each of the tiny pyramids."""
    directory = tmp_path_factory.mktemp("examples")
    changed, mask = photo.copy(), Image.new("L", photo.size)
    for image, white in ((changed, "red"), (mask, 255)):
        image.paste(white, (20, 15, 32, 25))
    tasks = ["super-resolution", "harmonize", "edit", "fill", "paint", "denoise"]
    for task in [*tasks, "second-picture/layout", "second-picture/style"]:
        (directory / task).mkdir(parents=True)
        for name in ("blue", "green-field", "gone"):
            changed.save(directory / task / f"{name}.png")
            mask.save(directory / task / f"{name}.mask.png")
    (directory / "train").mkdir()
    photo.save(directory / "train" / "meadow.png")
    return directory


@pytest.fixture(scope="session")
def built_app(pretrained, examples):
    """The app, which takes two seconds to build, for tests that change nothing of it; it may be running."""
    from singan.ui import build_app

    return build_app(pretrained, examples)


@pytest.fixture(scope="session")
def app_url(built_app):
    """The address of the running app."""
    from singan.ui import LAUNCH

    _, url, _ = built_app.launch(**LAUNCH, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    # It runs until the last test, and gradio looks for calls a thousand times a second, which fifty times do too.
    built_app._queue.sleep_when_free, built_app._queue.progress_update_sleep_when_free = 0.02, 0.05
    yield url
    built_app.close(verbose=False)


@pytest.fixture
def held_lane(built_app, monkeypatch):
    """The lane of what takes seconds, in which nothing begins until its `current_concurrency` is 0."""
    queue = built_app._queue
    queue.create_event_queue_for_fn(next(fn for fn in built_app.fns.values() if fn.concurrency_id == "short"))
    lane = queue.event_queue_per_concurrency_id["short"]
    monkeypatch.setattr(lane, "current_concurrency", lane.concurrency_limit)
    return lane
