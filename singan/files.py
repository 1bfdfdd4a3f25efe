"""The names of files, and files that are written whole or not at all, one by one or several together."""

from __future__ import annotations

import contextlib
import glob
import math
import os
import secrets
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from singan.errors import CheckpointError, ConfigError

if sys.platform != "win32":
    import fcntl

CONFIG_FILE, WEIGHTS_FILE, PREVIEW_FILE, CARD_FILE = "config.json", "model.safetensors", "preview.png", "README.md"
CHECKPOINT, STATE_FILE = "checkpoint", "state.safetensors"  # of a training run: a folder in its model's, and its file
SAVED = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}  # endings of images that are written
IMAGES = tuple(SAVED)
MAX_SIDES = {"GIF": 65_535, "JPEG": 65_500, "WEBP": 16_383}  # pixels: where these formats end
PHOTOS = (*IMAGES, ".bmp", ".gif", ".tif", ".tiff", ".avif")  # a name that ends so is that of a photo
SET = ".saved"  # files that belong together, all there, on their way into the folder that this is in
STALE_SECONDS = 3600  # after which what a killed writer left is removed
_writing = threading.Lock()


def make_folder(folder: Path) -> None:
    """Make it, unless it is there. Raises `CheckpointError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{folder} cannot be a folder ({error.strerror}): choose another one.") from None


def check_side(size: tuple[int, int], kind: str) -> None:
    """Raise `ConfigError` if an image of that size, (width, height), is too long for a format."""
    longest = MAX_SIDES.get(kind, math.inf)
    if max(size) > longest:
        raise ConfigError(
            f"The image is {size[0]}x{size[1]} px; {kind} ends at {longest} px a side: write another kind, or smaller."
        )


def bundled(name: str) -> Path:
    """A folder that comes along: in an installed package it is inside, in a checkout beside the package."""
    inside = Path(__file__).parent / name
    return inside if inside.is_dir() else Path(__file__).parents[1] / name


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """`with atomic_path(path) as part:` write to `part`; it then takes the place of `path`, or is removed."""
    start, suffix = f".{path.stem[:50]}.", path.suffix  # some writers go by the suffix; a name ends at 255 bytes
    for left in path.parent.glob(f"{glob.escape(start)}*.part{glob.escape(suffix)}"):
        with contextlib.suppress(FileNotFoundError):  # another writer has just ended
            if time.time() - left.stat().st_mtime > STALE_SECONDS:
                left.unlink()
    part = path.with_name(f"{start}{secrets.token_hex(6)}.part{suffix}")
    try:
        yield part
        _sync(part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def replace_files(folder: Path, files: Mapping[str, bytes], stays: Callable[[str], bool]) -> None:
    """Put `files`, contents by name, into `folder`, all or none: a killed writer leaves the old ones or the new ones,
    which who reads from `files_in(folder)` finds. One writer at a time, in this process and others; `stays` is asked
    by that one whether the file of a name that is there shall stay as it is. Raises `CheckpointError` if a folder has
    the name of a file."""
    with _writing, _locked(folder):
        taken = next((folder / name for name in files if (folder / name).is_dir()), None)
        if taken:
            raise CheckpointError(f"{taken} is a folder where a file is to be: remove it, or choose another place.")
        _finish(folder)
        files = {name: (folder / name).read_bytes() if stays(name) else data for name, data in files.items()}
        part = folder / f".part-{secrets.token_hex(6)}"
        try:
            part.mkdir()
            for name, data in files.items():
                (part / name).write_bytes(data)
                _sync(part / name)
            _sync(part)
            part.rename(folder / SET)  # from here on they are the folder's
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
        _finish(folder)


def files_in(folder: Path) -> Path:
    """Where the files of `folder` are: there, or in what a writer has not yet, or was killed before it had, moved."""
    return folder / SET if (folder / SET).is_dir() else folder


def stamp(folder: Path, names: Iterable[str]) -> list[tuple[int, int] | None]:
    """What changes whenever a writer has been at work on the files of these names."""
    found: list[tuple[int, int] | None] = []
    for path in (folder, folder / SET, *(folder / name for name in names)):
        try:
            found.append((path.stat().st_ino, path.stat().st_mtime_ns))
        except OSError:  # it is not there, or has just gone
            found.append(None)
    return found


def _finish(folder: Path) -> None:
    """Move a set of files that is all there into the folder, and remove what killed writers have left."""
    whole = folder / SET
    if whole.is_dir():
        for path in sorted(whole.iterdir()):
            step = folder / f".part-{secrets.token_hex(6)}"
            try:
                os.link(path, step)  # it stays in the set, which is read until all are moved
            except OSError:  # not on every file system
                shutil.copyfile(path, step)
            os.replace(step, folder / path.name)
        _sync(folder)
        whole.rename(folder / f".part-{secrets.token_hex(6)}")
    for left in folder.glob(".part-*"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Other processes wait; but on Windows, which has no locks on folders, one process at a time may write to one."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)  # which unlocks it


def _sync(path: Path) -> None:
    """Wait until a file, or what a folder lists, is on the disk."""
    if path.is_dir() and sys.platform == "win32":
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
