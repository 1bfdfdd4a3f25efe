"""The pictures and models that folders, globs and names stand for, and what their results are called."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from singan.batch.manifest import MANIFEST
from singan.errors import ConfigError, ImageError
from singan.files import CONFIG_FILE, PHOTOS
from singan.storage.hub import HUB_ID, shipped


@dataclass(frozen=True)
class Item:
    """A picture or a model, as a command takes it, and the name of its result: of folders and a last part, with /."""

    source: str
    name: str


def find_items(patterns: Sequence[str], models: bool) -> list[Item]:
    """What the files, folders and globs among `patterns` stand for; `models` too, also by name or USER/NAME.

    A folder gives the pictures right in it, or the models. A result is called after its file, without the ending;
    files that a glob found in folders keep those. The same patterns give the same names, whatever else is there.
    Raises `ImageError` if there is no such file, `ConfigError` if nothing was found or two would be called the same.
    """
    found: dict[str, Item] = {}
    for pattern in patterns:
        items = list(_expand(pattern, models))
        if not items:
            raise ConfigError(f"{pattern} holds no picture{' and no model' if models else ''}: check the path.")
        for item in items:
            first = found.setdefault(item.name, item)
            if first != item and not _same_file(first.source, item.source):
                raise ConfigError(
                    f"{first.source} and {item.source} would both be called {item.name}: rename one, or give a glob "
                    "of the folders above them, as 'photos/**', which keeps them apart."
                )
    for name in found:
        if name == MANIFEST or any(part.startswith(".") for part in name.split("/")) or not name:
            raise ConfigError(f"A result cannot be called {name!r}: rename the file.")
    return list(found.values())


def _expand(pattern: str, models: bool) -> Iterator[Item]:
    path = Path(pattern)
    if path.is_dir() and not (models and _is_model(path)):
        yield from _usable(sorted(path.iterdir()), path, models)
    elif path.exists():
        yield Item(pattern, path.resolve().name if path.is_dir() else path.stem)
    elif glob.has_magic(pattern):
        parts = path.parts
        fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
        matches = sorted(glob.glob(pattern, recursive=True))
        yield from _usable(map(Path, matches), Path(*parts[:fixed]), models)
    elif models and path.suffix.lower() not in PHOTOS and (pattern in shipped() or HUB_ID.fullmatch(pattern)):
        yield Item(pattern, path.name)
    else:
        raise ImageError(f"{pattern} does not exist; check the path.")


def _usable(paths: Iterable[Path], root: Path, models: bool) -> Iterator[Item]:
    """The pictures and models among what a folder or a glob gave; hidden files and the previews of models are none."""
    for path in paths:
        if path.name.startswith("."):
            continue
        if path.is_file() and path.suffix.lower() in PHOTOS and not (models and _is_model(path.parent)):
            yield Item(str(path), path.relative_to(root).with_suffix("").as_posix())
        elif models and _is_model(path):
            yield Item(str(path), path.relative_to(root).as_posix())


def _is_model(path: Path) -> bool:
    return (path / CONFIG_FILE).is_file()


def _same_file(one: str, other: str) -> bool:
    return Path(one).exists() and Path(other).exists() and Path(one).samefile(other)
