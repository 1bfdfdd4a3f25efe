"""Examples that come with the app: a click runs one, and what it gives is kept."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from singan.ui.answers import Answers, served
from singan.ui.frame import PRIVATE, SILENT, is_stale, renew
from singan.ui.shelf import Shelf
from singan.ui.toasts import toasts
from singan.ui.top import Top

ANSWERS = Answers()


def example_pictures(folder: Path, top: Top) -> list[Path]:
    """The examples in a folder: pictures that are called after pyramids, of those that are there."""
    found = {path.stem: path for path in pictures_in(folder)}
    return [found[name] for name in top.shelf.value.names() if name in found]


def pictures_in(folder: Path) -> list[Path]:
    """The PNG and WebP files in a folder, by name."""
    return sorted(path for path in folder.glob("*") if path.suffix in (".png", ".webp"))


def sources(pictures: Sequence[Path]) -> list[tuple[str, list[Path]]]:
    """Of examples that are called after their pyramids: its name, and the picture, with its mask if it has one."""
    return [(path.stem, [one for one in (path, path.with_suffix(".mask.png")) if one.exists()]) for path in pictures]


def build_examples(pictures: Sequence[Path]) -> gr.Gallery:
    """Examples to click."""
    return gr.Gallery(
        [(path, path.stem) for path in pictures],
        columns=3,
        label="Examples: click one to run it",
        format="png",
        allow_preview=False,
        buttons=[],
        interactive=False,
        visible=bool(pictures),
        elem_classes=["grow", "examples"],
    )


@dataclass(frozen=True)
class Examples:
    """The examples of a tab, and what becomes of a click on one, by its number."""

    tab: str
    sources: Sequence[tuple[str, Sequence[Path]]]  # of each: the name of its pyramid, and the files beside that
    load: Callable[[Shelf, int], Sequence[Any]]  # what the page shows at once,
    loaded: Sequence[Any]  # and where
    run: Callable[..., Any]  # (shelf, number, *settings): a generator of what the tab's own run shows
    settings: Sequence[Any]  # components; the first two are the seed, and whether each run takes another one
    view: Sequence[Any]  # what a moment of a run changes

    def wire(self, gallery: gr.Gallery | gr.Radio, top: Top, **options: Any) -> Any:
        """Run the example that is clicked in the gallery; show what it gave before if that is known. The run takes the
        example from its files, not from the page, where it may be another picture by then. Returns the run's event."""
        number = gr.State()  # of the example that is to be run
        opened = list(dict.fromkeys([number, *self.loaded, *self.view]))

        def load_example(shelf: Shelf, event: gr.SelectData, *values: Any) -> dict[Any, Any]:
            renew(self.tab)
            with toasts():
                changed = dict(zip(self.loaded, self.load(shelf, event.index), strict=True))
            settings = [_value(changed.get(one, value)) for one, value in zip(self.settings, values, strict=True)]
            answer = ANSWERS.get(self._key(shelf, event.index, settings))
            shown = dict(zip(self.view, answer or (), strict=False))
            changed |= {one: value for one, value in shown.items() if value != gr.skip()}
            return {number: None if answer else event.index, **changed}

        def run_example(shelf: Shelf, number: int | None, *settings: Any) -> Iterator[Any]:
            if number is None:
                yield (gr.skip(),) * len(self.view)
                return
            moment = None
            with closing(self.run(shelf, number, *settings)) as moments:  # also when the run is stopped
                for moment in map(served, moments):
                    yield deepcopy(moment)  # gradio takes apart what it is given
            seed, new_seed, *_ = settings
            if moment is not None and seed is not None and not new_seed and not is_stale():
                ANSWERS.put(self._key(shelf, number, settings), moment)

        given = [top.shelf, *self.settings]
        clicked = gallery.select(load_example, given, opened, trigger_mode="multiple", **PRIVATE)
        last: Any = {**options, **SILENT, "trigger_mode": "always_last"}  # one that is clicked during a run comes next
        return clicked.success(run_example, [top.shelf, number, *self.settings], self.view, **last)

    def _key(self, shelf: Shelf, number: int, settings: Sequence[Any]) -> Hashable:
        """All that the answer goes by; a file of another time is another one."""
        name, own = self.sources[number]
        files = [*own, *sorted((shelf.directory / name).glob("*.*"))]
        return self.tab, number, repr(list(settings)), *((str(file), file.stat().st_mtime_ns) for file in files)


def _value(given: Any) -> Any:
    return given["value"] if isinstance(given, dict) and "value" in given else given
