"""Threads and precision: what is done at once, by how many, and that nothing of it stays."""

import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image

import singan
from singan import model as sampled
from singan.device import _cuda_computes, at_once, deviation, half_precision, one_thread, pick_device, total
from singan.errors import ConfigError, TaskWarning


def test_half_precision_can_be_switched_off():
    with half_precision(torch.device("cpu"), False):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_one_thread_gives_back_what_there_was_however_deep_and_whatever_is_raised(three_threads):
    def fail():
        with one_thread(), one_thread():
            raise ZeroDivisionError(torch.get_num_threads())

    with pytest.raises(ZeroDivisionError, match="^1$"):
        fail()
    assert torch.get_num_threads() == 3


def test_threads_that_are_in_it_in_turn_or_begin_meanwhile_have_all_of_them_after_it(three_threads):
    entered, leave = ([threading.Event() for _ in range(2)] for _ in range(2))
    seen = {}

    def work(k):
        with one_thread():
            entered[k].set()
            leave[k].wait(20)
            seen[k, "inside"] = torch.get_num_threads()
        seen[k, "after"] = torch.get_num_threads()

    workers = [threading.Thread(target=work, args=[k]) for k in range(2)]
    for worker, event in zip(workers, entered, strict=True):
        worker.start()
        assert event.wait(20)
    fresh = threading.Thread(target=lambda: seen.update(fresh=torch.get_num_threads()))
    fresh.start()
    fresh.join()
    for worker, event in zip(workers, leave, strict=True):  # the first one in is the first one out
        event.set()
        worker.join()
    assert seen == {(0, "inside"): 1, (1, "inside"): 1, (0, "after"): 3, (1, "after"): 3, "fresh": 3}
    assert torch.get_num_threads() == 3


def test_what_is_not_asked_for_is_not_mps(monkeypatch):
    monkeypatch.delenv("SINGAN_DEVICE")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert pick_device(None) == torch.device("cpu")


@pytest.mark.parametrize("device", ["meta", "hpu", "cuda:99", "nothing"])
def test_device_that_computes_nothing_is_refused(device):
    with pytest.raises(ConfigError, match=f"^Device '{device}' cannot be used .*; try cpu"):
        pick_device(device)


def test_gpu_that_computes_nothing_gives_way_to_the_cpu_and_is_tried_once(monkeypatch):
    tried = []

    def too_old(*args, device=None):
        tried.append(device)
        raise RuntimeError("CUDA error: no kernel image is available\nfor execution on the device")

    monkeypatch.delenv("SINGAN_DEVICE")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", too_old)
    _cuda_computes.cache_clear()
    says = r"The GPU cannot be used \(CUDA error: no kernel image .* on the device\): .* SINGAN_DEVICE names another"
    with pytest.warns(TaskWarning, match=says) as caught:
        assert [pick_device(None).type for _ in range(3)] == ["cpu"] * 3
    assert tried == ["cuda"] and len(caught) == 1
    _cuda_computes.cache_clear()


def test_jobs_are_done_at_once_by_a_thread_each_and_come_in_order(three_threads):
    meet, device = threading.Barrier(3, timeout=20), torch.device("cpu")

    def job(k):
        meet.wait()  # which none would leave alone
        time.sleep(0.02 * (3 - k % 3))
        return k, torch.get_num_threads(), threading.get_ident()

    done = list(at_once(job, 9, device, most=3))
    assert [k for k, _, _ in done] == list(range(9))
    assert {threads for _, threads, _ in done} == {1} and len({thread for *_, thread in done}) == 3
    assert torch.get_num_threads() == 3


@pytest.mark.parametrize("inferring", [True, False])
def test_jobs_may_change_what_the_caller_made(three_threads, inferring):
    """As under `torch.inference_mode`, of whose tensors nothing may be changed outside of it."""
    with torch.inference_mode(inferring):
        numbers = [torch.zeros(2) for _ in range(3)]
        found = list(at_once(lambda k: numbers[k].add_(k), 3, torch.device("cpu"), most=3))
    assert [one.tolist() for one in found] == [[0, 0], [1, 1], [2, 2]]
    assert all(one.is_inference() == inferring for one in found)


@pytest.mark.parametrize(("count", "device", "most"), [(1, "cpu", 3), (3, "cpu", 1), (3, "cpu", 0), (3, "meta", 3)])
def test_what_is_large_or_alone_is_done_by_all_threads(three_threads, count, device, most):
    job = lambda k: (k, torch.get_num_threads(), threading.get_ident())  # noqa: E731
    assert list(at_once(job, count, torch.device(device), most)) == [
        (k, 3, threading.get_ident()) for k in range(count)
    ]


def test_jobs_that_nobody_waits_for_are_not_begun_and_errors_come_through(three_threads):
    begun = []

    def job(k):
        begun.append(k)
        if k == 4:
            raise ZeroDivisionError(k)
        return k

    first = at_once(job, 100, torch.device("cpu"), most=3)
    assert next(first) == 0
    first.close()
    assert len(begun) < 10
    with pytest.raises(ZeroDivisionError, match="^4$"):
        list(at_once(job, 100, torch.device("cpu"), most=3))
    assert len(begun) < 25 and torch.get_num_threads() == 3


@pytest.mark.parametrize("pixels", [0, 2**19])
def test_samples_drawn_at_once_are_those_drawn_alone(monkeypatch, three_threads, tiny_picture, pixels):
    """By a thread each, or some of them in one go."""
    monkeypatch.setattr(sampled, "IN_ONE_GO", pixels)
    model = singan.draft(tiny_picture)
    drawn = [image.tobytes() for image in model.sample(5, seed=3)]
    assert drawn == [model.sample(seed=3 + k)[0].tobytes() for k in range(5)]
    assert [image.tobytes() for image in model.iter_samples(5, seed=3)] == drawn


@pytest.mark.parametrize(
    "options",
    [
        {"variation": 1.0},
        {"variation": [0.2, 0.9, 0.9, 0.2, 1.0, 0.5, 0.5]},
        {"flips": True},
        {"tile": "both"},
        {"size": (120, 400)},
        {"size": (300, 160)},
        {"mirror": "kaleidoscope", "size": (150, 150)},
    ],
)
def test_samples_of_any_kind_are_the_same_with_any_number_of_threads(three_threads, options):
    """Large enough that torch gives threads a share of each operation."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    model = singan.draft(Image.fromarray(noise).resize((200, 150), Image.Resampling.BICUBIC))
    found = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        found.append([image.tobytes() for image in model.sample(7, **options)])
    numbers = options.get("variation")
    for k in range(7):
        one = {"variation": numbers[k]} if isinstance(numbers, list) else {}
        found.append([model.sample(seed=k, **(options | one))[0].tobytes()])
    assert found[0] == found[1] == [image for (image,) in found[2:]]


def test_some_samples_are_drawn_in_one_go_and_come_in_order(monkeypatch, three_threads, tiny_picture):
    model, went = singan.draft(tiny_picture), []
    draw = singan.SinGAN.draw
    monkeypatch.setattr(
        singan.SinGAN, "draw", lambda self, seeds, *rest: went.append(len(seeds)) or draw(self, seeds, *rest)
    )
    model.sample(7)
    assert sorted(went) == [1, 3, 3]  # as many threads
    went.clear()
    monkeypatch.setattr(sampled, "IN_ONE_GO", 2 * 54 * 70)
    model.sample(7)
    assert sorted(went) == [1, 2, 2, 2]
    went.clear()
    model.sample(3, variation=[0.1, 0.2, 0.3])
    assert went == [1, 1, 1]


@pytest.mark.parametrize("size", [(300_001,), (3, 517, 301), (1, 3, 9, 20_000), (5,)])
def test_sums_do_not_depend_on_the_number_of_threads(three_threads, size):
    x = torch.rand(size, generator=torch.Generator().manual_seed(0))
    found = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        found.append((float(total(x)), float(deviation(x))))
    assert len(set(found)) == 1
    assert found[0] == pytest.approx((float(x.double().sum()), float(x.double().std())), rel=1e-6)
