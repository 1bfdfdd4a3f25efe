"""What clicked examples gave, kept for whoever clicks one next: each is computed once."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from copy import deepcopy
from typing import Any

from gradio.processing_utils import save_file_to_cache

from singan.ui.uploads import folder_of_uploads, forget, is_scratch, keep

MAX_ANSWERS = 32  # some megabytes each, on the disk


class Answers:
    """The last moments of runs, by what they were made of; the last used ones, for as long as this process runs."""

    def __init__(self, most: int = MAX_ANSWERS) -> None:
        self.most = most
        self._answers, self._lock = OrderedDict[Hashable, tuple[Any, ...]](), threading.Lock()

    def get(self, key: Hashable) -> tuple[Any, ...] | None:
        with self._lock:
            answer = self._answers.pop(key, None)
            if answer is None:
                return None
            if not all(map(os.path.exists, _files(answer))):  # another app may have made room
                self._let_go([answer])
                return None
            self._answers[key] = answer
            return deepcopy(answer)  # gradio takes apart what it is given

    def put(self, key: Hashable, moment: tuple[Any, ...]) -> None:
        """Keep a moment that is `served`, and its files."""
        answer = tuple(moment)
        with self._lock:
            self._answers[key] = answer
            keep(_files(answer))
            gone = [self._answers.popitem(last=False)[1] for _ in range(len(self._answers) - self.most)]
            self._let_go(gone)

    def _let_go(self, gone: list[tuple[Any, ...]]) -> None:
        forget(set(_files(gone)) - set(_files(list(self._answers.values()))))


def served(value: Any) -> Any:
    """A moment, or what is in one, with copies that gradio serves in place of the files of a run, which go with it."""
    if isinstance(value, dict):
        return {name: served(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return list(map(served, value)) if isinstance(value, list) else tuple(map(served, value))
    if isinstance(value, str) and is_scratch(value):
        return save_file_to_cache(value, cache_dir=str(folder_of_uploads()))
    return value


def _files(value: Any) -> Iterator[str]:
    """The files in what is `served`."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _files(one)
    elif isinstance(value, str) and value.startswith(str(folder_of_uploads())):
        yield value
