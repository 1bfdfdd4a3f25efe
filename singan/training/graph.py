"""Work of a CUDA device that is always the same, recorded once: launched one by one, a thousand small operations take
ten times as long as they compute."""

from __future__ import annotations

from collections.abc import Callable

import torch

WARM = 3  # calls before the one that is recorded, in which libraries make up their minds


class Replayed:
    """`function`, which takes and returns tensors, always of the same shapes, and reads and changes others that stay
    where they are; it draws no random numbers, and never waits for the device. What a call returns, the next one
    overwrites. Devices other than CUDA's run it as it is."""

    def __init__(self, function: Callable[..., tuple[torch.Tensor, ...]], device: torch.device) -> None:
        self.function, self.calls = function, 0
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        if self.stream is None:
            return self.function(*given)
        if self.calls < WARM:
            self.calls += 1
            here = torch.cuda.current_stream(self.stream.device)
            self.stream.wait_stream(here)
            with torch.cuda.stream(self.stream):
                out = self.function(*given)
            here.wait_stream(self.stream)
            return out
        if self.graph is None:
            self.given, self.graph = [x.clone() for x in given], torch.cuda.CUDAGraph()
            # Other threads may use the device meanwhile, as those of an app's visitors do.
            with torch.cuda.graph(self.graph, stream=self.stream, capture_error_mode="thread_local"):
                self.out = self.function(*self.given)
        for kept, x in zip(self.given, given, strict=True):
            kept.copy_(x)
        self.graph.replay()
        return self.out
