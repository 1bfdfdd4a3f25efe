"""Where things are computed, and how precisely: devices, half precision and threads."""

from __future__ import annotations

import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import islice
from typing import TypeVar

import torch
import torch.nn.functional as F

from singan.errors import ConfigError, TaskWarning, one_line

T = TypeVar("T")
SPLIT, ROW = 2**14, 128  # numbers


def pick_device(device: str | torch.device | None) -> torch.device:
    """The device asked for, here or by the environment variable SINGAN_DEVICE, or cuda where it is there and computes,
    else cpu: of mps PyTorch has not all operations that are needed. Raises `ConfigError` if it is not there."""
    device = device or os.environ.get("SINGAN_DEVICE") or None
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() and _cuda_computes(os.getpid()) else "cpu")
    try:
        chosen = torch.device(device)
        torch.ones(1, device=chosen).item()
    except (RuntimeError, AssertionError, ImportError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"Device {str(device)!r} cannot be used ({reason}); try cpu.") from None
    return chosen


@cache
def _cuda_computes(process: int) -> bool:
    """Whether the GPU can be used in this process: PyTorch finds old ones too, for which it has no kernels."""
    try:
        torch.ones(1, device="cuda") + 1
    except RuntimeError as error:
        note = f"The GPU cannot be used ({one_line(error)}): the CPU computes; SINGAN_DEVICE names another device."
        warnings.warn(note, TaskWarning, stacklevel=3)
        return False
    return True


def machine(device: torch.device) -> str:
    """What decides over the last bits of sums besides the run itself: processor or instruction set, and threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    amx, threads = " and AMX" if torch.cpu._is_amx_tile_supported() else "", torch.get_num_threads()
    kinds = f"{torch.backends.cpu.get_cpu_capability()}{amx}, {threads} thread{'s' if threads > 1 else ''}"
    return kinds if device.type == "cpu" else f"{device.type}, {kinds}"


def half_precision(device: torch.device, enabled: bool) -> torch.autocast:
    """Convolutions in bfloat16 where the hardware multiplies it; elsewhere it would be slower, not faster."""
    if device.type == "cpu":
        enabled = enabled and torch.cpu._is_avx512_bf16_supported()
    elif device.type == "cuda":
        enabled = enabled and torch.cuda.is_bf16_supported()
    else:
        return torch.autocast("cpu", torch.bfloat16, enabled=False)
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def amx_in_use(device: torch.device) -> bool:
    """Whether convolutions are in bfloat16 here, on a CPU with AMX."""
    return device.type == "cpu" and torch.is_autocast_enabled("cpu") and torch.cpu._is_amx_tile_supported()


def total(x: torch.Tensor) -> torch.Tensor:
    """The sum of all of `x`, in the same order whatever the number of threads: each sums whole rows."""
    while x.numel() > SPLIT:  # what torch sums as one thread's share
        x = x.sum(-1) if x.dim() > 1 else F.pad(x, (0, -len(x) % ROW)).view(-1, ROW).sum(1)
    return x.sum()


def deviation(x: torch.Tensor) -> torch.Tensor:
    """The standard deviation of all of `x`, the same whatever the number of threads."""
    return (total((x - total(x) / x.numel()).square()) / (x.numel() - 1)).sqrt()


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch computes in this thread alone; any number of threads may be in this at once."""
    before = torch.get_num_threads()
    if before == 1:
        yield
        return
    torch.set_num_threads(1)  # of this thread, and of all that use PyTorch for the first time after it:
    other = threading.Thread(target=torch.set_num_threads, args=[before])  # of those again what it was
    other.start()
    other.join()
    try:
        yield
    finally:
        torch.set_num_threads(before)


def at_once(job: Callable[[int], T], count: int, device: torch.device, most: int) -> Generator[T, None, None]:
    """What `job` gives for 0, 1, ... `count` - 1, in this order. On a CPU some are done at once, up to `most` and no
    more than PyTorch has threads, each by one of them: for small tensors that is faster than all threads for each."""
    workers = min(count, most, torch.get_num_threads()) if device.type == "cpu" else 1
    if workers < 2:
        yield from map(job, range(count))
        return

    inferring = torch.is_inference_mode_enabled()  # outside of which nothing that was made within may be changed

    def alone(k: int) -> T:
        with one_thread(), torch.inference_mode(inferring):
            return job(k)

    numbers, pool = iter(range(count)), ThreadPoolExecutor(workers)
    try:
        pending = deque(pool.submit(alone, k) for k in islice(numbers, 2 * workers))  # whoever is slow to take them
        while pending:
            yield pending.popleft().result()
            pending.extend(pool.submit(alone, k) for k in islice(numbers, 1))
    finally:
        pool.shutdown(cancel_futures=True)
