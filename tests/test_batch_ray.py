"""`singan batch` on Ray: a cluster on this machine, whose workers are killed."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from singan.batch.cluster import Cluster
from singan.batch.manifest import MANIFEST
from singan.batch.work import Task
from singan.cli import main
from singan.errors import ConfigError

TINY = ["--max-size", "40", "--steps", "12", "--threads", "1"]
HEAD = """
import ray, sys
ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def workers_are_as_urgent_as_others(monkeypatch):
    """Ray's have niceness 15: beside other tests, which take all there is, they would wait for minutes."""
    monkeypatch.setenv("RAY_worker_niceness", "0")


@pytest.fixture
def photos(tmp_path) -> Path:
    """Three pictures, and one that is too small to be learned."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for k, name in enumerate("abc"):
        noise = np.random.default_rng(k).integers(0, 256, (6, 8, 3), np.uint8)
        Image.fromarray(noise).resize((40, 30), Image.Resampling.BICUBIC).save(folder / f"{name}.png")
    Image.new("RGB", (12, 9)).save(folder / "small.png")
    return folder


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """The address of a cluster of two CPUs, and what marks its processes."""
    mark = f"{tmp_path}-{os.getpid()}"
    for name, value in (("RAY_AUTH_MODE", "token"), ("RAY_AUTH_TOKEN", secrets.token_hex()), ("SINGAN_TEST", mark)):
        monkeypatch.setenv(name, value)
    env = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    head = subprocess.Popen(
        [sys.executable, "-c", HEAD], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield head.stdout.readline().strip(), mark
    head.communicate()


def workers(mark: str) -> list[int]:
    """The processes of that cluster alone that do a task at the moment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            working = (process / "cmdline").read_bytes().startswith(b"ray::on_worker")
            if working and f"SINGAN_TEST={mark}\0".encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:  # it has just ended
            continue
    return found


def wait_for(found, process: subprocess.Popen, seconds: float = 120):
    end = time.monotonic() + seconds
    while not (result := found()):
        assert process.poll() is None, "the batch ended too soon"
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)
    return result


def test_a_worker_that_is_killed_loses_nothing_and_does_nothing_twice(photos, cluster, tmp_path):
    """Killed in the middle of a training run, which goes on on another worker."""
    address, mark = cluster
    out, shared = tmp_path / "models", tmp_path / "shared"
    args = ["train", str(photos), "--out", str(out), *TINY, "--address", address, "--checkpoints", str(shared)]
    process = subprocess.Popen(
        [sys.executable, "-m", "singan", "batch", *args, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: list(shared.glob("*/out/*/checkpoint/state.safetensors")), process)
    os.kill(wait_for(lambda: workers(mark), process)[0], signal.SIGKILL)
    printed, log = process.communicate(timeout=300)
    assert "worker died" in log
    told = json.loads(printed)
    assert process.returncode == 1 and sorted(told["done"]) == ["a", "b", "c"]
    assert told["failed"]["small"].startswith(f"{photos}/small.png is 12x9 px")

    assert main(["batch", "train", str(photos), "--out", str(tmp_path / "alone"), *TINY, "--json"]) == 1
    for name in "abc":
        here, there = (folder / name / "model.safetensors" for folder in (out, tmp_path / "alone"))
        assert here.read_bytes() == there.read_bytes()
    states = [json.loads(line) for line in (out / MANIFEST).read_text().splitlines()[1:]]
    finished = [state["name"] for state in states if state["status"] in ("done", "failed")]
    assert sorted(finished) == ["a", "b", "c", "small"]
    assert sorted(path.name for path in out.iterdir()) == ["a", "b", "c", MANIFEST]
    assert not shared.exists()


def test_a_task_whose_workers_all_die_is_given_up_and_the_others_are_done(tmp_path):
    def dies(out: Path, as_json: bool) -> None:
        with open(tmp_path / "deaths", "a") as file:
            file.write("x")
        os.kill(os.getpid(), signal.SIGKILL)

    def fails(out: Path, as_json: bool) -> None:
        raise ValueError("It cannot be done.")

    def works(out: Path, as_json: bool) -> None:
        out.write_text(f"good, GPUs: {os.environ['CUDA_VISIBLE_DEVICES']!r}")

    commands = {"dies": dies, "fails": fails, "works": works}
    tasks = [Task(name, command, {}, {}, f"{name}.txt", 1) for name, command in commands.items()]
    outcomes = dict(Cluster(workers=2, threads=1, retries=1)(tasks))
    assert outcomes["dies"].error == "Its worker died 2 times: is there memory enough?"
    assert (tmp_path / "deaths").read_text() == "xx"
    assert outcomes["fails"].error == "It cannot be done."
    assert outcomes["works"].error is None and outcomes["works"].files == {"works.txt": b"good, GPUs: ''"}


def test_a_cluster_that_is_not_there_is_an_error():
    with pytest.raises(ConfigError, match=r"No cluster at 127\.0\.0\.1:1 lets us in"):
        list(Cluster("127.0.0.1:1")([]))
