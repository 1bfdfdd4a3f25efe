"""Tasks on Ray: on the cores of this machine, or on the machines of a cluster, which need share nothing."""

from __future__ import annotations

import contextlib
import itertools
import os
import socket
import sys
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from singan.batch.work import Outcome, Task, perform
from singan.errors import ConfigError, TaskWarning, one_line


@dataclass(frozen=True)
class Cluster:
    """Where tasks are done. `address`: of a cluster, as `ray.init` takes it; None: on this machine.

    `workers`: how many tasks at once, by default as many as the cluster has room for. `threads` and `gpus`: what each
    of them gets. `retries`: how often a task is done again whose worker died.
    """

    address: str | None = None
    workers: int | None = None
    threads: int = 2
    gpus: float = 0.0
    retries: int = 3

    def __call__(self, tasks: Iterable[Task]) -> Iterator[tuple[str, Outcome]]:
        """Do the tasks, and tell of each as soon as it is done. Raises `ConfigError` if there is no Ray or cluster."""
        ray = _ray()
        with contextlib.redirect_stdout(sys.stderr):  # Ray tells of dead workers there, where results go
            try:
                self._connect(ray)
                yield from self._perform(ray, iter(tasks))
            finally:
                ray.shutdown()

    def _perform(self, ray: Any, tasks: Iterator[Task]) -> Iterator[tuple[str, Outcome]]:
        # What goes wrong in a task is its outcome, and would go wrong again; only a worker that dies is replaced.
        remote = ray.remote(
            num_cpus=self.threads, num_gpus=self.gpus, max_retries=self.retries, retry_exceptions=False
        )(on_worker)
        running: dict[Any, str] = {}
        while True:
            for task in itertools.islice(tasks, max(0, self._room(ray) - len(running))):
                running[remote.remote(task, self.gpus)] = task.name
            if not running:
                return
            ray.wait(list(running), num_returns=1)
            ready, _ = ray.wait(list(running), num_returns=len(running), timeout=0)
            for reference in ready:
                yield running.pop(reference), self._outcome(ray, reference)
                del reference  # and with it the result, which Ray would keep

    def _outcome(self, ray: Any, reference: Any) -> Outcome:
        try:
            outcome: Outcome = ray.get(reference)
            return outcome
        except ray.exceptions.WorkerCrashedError:
            return Outcome(error=f"Its worker died {self.retries + 1} times: is there memory enough?")
        except ray.exceptions.RayError as error:
            return Outcome(error=one_line(getattr(error, "cause", None) or error, 1000))

    def _connect(self, ray: Any) -> None:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
        if self.address is None:
            cores = (self.workers or 1) * self.threads
            ray.init("local", num_cpus=cores, include_dashboard=False, **options)
            return
        host, _, port = self.address.removeprefix("ray://").rpartition(":")
        try:
            if port.isdecimal():  # Ray would try for minutes, and then end the program
                socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
            ray.init(self.address, **options)
        except (OSError, ValueError, RuntimeError, OverflowError) as error:
            raise ConfigError(
                f"No cluster at {self.address} lets us in ({one_line(error)}): check the address, and whether "
                "RAY_AUTH_TOKEN is that of the cluster."
            ) from None
        if not any(self._fits(node["Resources"]) for node in ray.nodes() if node["Alive"]):
            note = f"No machine of the cluster has {self.threads} CPUs and {self.gpus:g} GPUs: the batch waits for one."
            warnings.warn(note, TaskWarning, stacklevel=2)

    def _fits(self, resources: dict[str, float]) -> int:
        """How many tasks at once."""
        cpus = resources.get("CPU", 0.0) // self.threads
        return int(min(cpus, resources.get("GPU", 0.0) // self.gpus) if self.gpus else cpus)

    def _room(self, ray: Any) -> int:
        """How many tasks to give out: those that wait tell an autoscaler that more machines are wanted."""
        return self.workers or int(1.25 * self._fits(ray.cluster_resources())) + 2


def on_worker(task: Task, gpus: float) -> Outcome:
    """`perform`, in a process of Ray's that sees no GPU unless it was given one."""
    if not gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = ""  # Ray leaves them in sight
    return perform(task)


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent to anyone
    try:
        import ray
    except ImportError:
        raise ConfigError(
            "--workers and --address need Ray: pip install 'ray>=2.40,<3', or leave them out to do one after another."
        ) from None
    return ray
