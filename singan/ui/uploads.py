"""What visitors upload: how much at once, how much of it all together, and for how long it is kept.

gradio keeps it in a folder of its own, GRADIO_TEMP_DIR, which `app.py` makes one of this app alone. What is computed is
in a folder beside that one, which gradio does not serve.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from posixpath import normpath
from tempfile import TemporaryDirectory
from typing import Any

from anyio import to_thread
from gradio.utils import get_upload_folder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from singan.files import atomic_path

MAX_FILES = 4  # of one request: config.json, model.safetensors, and what else is in a model's folder
MAX_REQUEST_BYTES = 45_000_000  # two files of the largest size, and what is around them
MAX_CALL_BYTES = 1_000_000  # of any other request, which names files and does not hold them
QUOTA_BYTES = 2_000_000_000  # of all that is kept; then what is oldest gives way
KEEP_SECONDS = 3600  # a file; and it is looked for it half as often
_sweeping: set[Path] = set()  # folders that a thread sweeps
_kept: set[Path] = set()  # files that every page shows


class Bounded:
    """An app around another one: too many or too large files, and too large calls, are refused (413) while they arrive.

    A call is parsed whole before gradio looks at it, which takes forty times its bytes in memory. One over MCP may hold
    files.
    """

    def __init__(self, app: ASGIApp, folder: Path) -> None:
        self.app, self.folder = app, folder
        self.fresh = 0  # bytes that came since it was last seen to that there is room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "GET":
            self._use(scope.get("path", ""))
            await self.app(scope, receive, send)
            return
        path = scope.get("path", "").rstrip("/")
        uploads = path.endswith(("/upload", "/component_server"))
        most = MAX_REQUEST_BYTES if uploads or "/mcp" in path else MAX_CALL_BYTES
        received, files, tail, over = 0, 0, b"", False

        async def counted() -> Message:
            nonlocal received, files, tail, over
            message = await receive()
            body = message.get("body", b"")
            received += len(body)
            seen = tail + body
            files += seen.count(b"filename=") - tail.count(b"filename=") if uploads else 0
            tail = seen[-len(b"filename=") + 1 :]
            over = over or files > MAX_FILES or received > most
            return {"type": "http.disconnect"} if over else message

        async def answered(message: Message) -> None:
            if not over:
                await send(message)

        try:
            await self.app(scope, counted, answered)
        except Exception:
            if not over:
                raise
        self.fresh += received if uploads else 0
        if self.fresh > QUOTA_BYTES / 10:  # not for each upload: looking through a folder takes a while
            self.fresh = 0
            await to_thread.run_sync(make_room, self.folder)
        if over:
            what = f"An upload has at most {MAX_FILES} files and" if uploads else "A call has at most"
            text = f"{what} {most / 1e6:g} MB.".encode()
            headers: list[Any] = [(b"content-type", b"text/plain"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 413, "headers": headers})
            await send({"type": "http.response.body", "body": text})

    def _use(self, path: str) -> None:
        """What is shown is kept from then on as long as what is new: a result that was made before is not written
        again."""
        _, asked, name = path.partition("/file=")
        file = Path(normpath(name))
        if asked and self.folder in file.parents:
            _touch([file])


def keep(files: Iterable[str | Path]) -> None:
    """Sweep these files of the folder never, and let no other app do it, as long as this process runs."""
    paths = set(map(Path, files))
    _kept.update(paths)
    _touch(paths, KEEP_SECONDS)


def _touch(paths: Iterable[Path], ahead: float = 0.0) -> None:
    """Say to all apps that sweep the folder that the files are used; or will be, so many seconds ahead, so that those
    which make room take them for newer than all others."""
    for path in paths:
        with suppress(OSError, ValueError):  # a visitor's name of a file may have a zero in it
            until = max(path.stat().st_mtime, time.time() + ahead)
            os.utime(path, (until, until))


def forget(files: Iterable[str | Path]) -> None:
    """Sweep them from now on as all others."""
    _kept.difference_update(map(Path, files))


def make_room(folder: Path, quota: int | None = None) -> None:
    """Remove the oldest files until the rest is within the quota."""
    files = sorted(_files(folder), key=lambda one: one[1].st_mtime, reverse=True)
    total = 0
    for path, status in files:
        total += status.st_size
        if total > (QUOTA_BYTES if quota is None else quota):
            _remove(path, time.time() - status.st_mtime)


def sweep(folder: Path, seconds: float = KEEP_SECONDS) -> None:
    """Remove files that were last written so long ago, also those of a process that was ended, and empty folders."""
    _touch(list(_kept), KEEP_SECONDS)
    for path, _ in list(_files(folder)):
        _remove(path, seconds)
    for place, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):  # there is something in it, or it has just gone
            if time.time() - os.stat(place).st_mtime > seconds and place != str(folder):
                os.rmdir(place)


def _remove(path: Path, seconds: float) -> None:
    """Remove a file that was last used so long ago, and that has not just been taken for a new one, being equal."""
    with suppress(OSError):  # another app has removed it, or, on Windows, one reads it: the next sweep finds it
        if path not in _kept and time.time() - path.lstat().st_mtime >= seconds:
            path.unlink()


def keep_swept(folder: Path) -> None:
    """Sweep uploads and scratch folders: now, before anybody relies on what is old, and from then on, as long as this
    process runs."""

    def tidy() -> None:
        sweep(folder)
        make_room(folder)
        sweep_scratch()

    def work() -> None:
        while True:
            time.sleep(KEEP_SECONDS / 2)
            tidy()

    tidy()
    if folder not in _sweeping:
        _sweeping.add(folder)
        threading.Thread(target=work, name="sweeping uploads", daemon=True).start()


def folder_of_uploads() -> Path:
    return Path(get_upload_folder())


def stored(png: bytes) -> str:
    """The path of a picture in that folder, by its content, which is whole whenever it is read: gradio would write the
    same file anew each time that it is shown."""
    path = folder_of_uploads() / sha256(png).hexdigest() / "image.png"
    _touch([path])
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            part.write_bytes(png)
    return str(path)


def scratch(kind: str = "call") -> TemporaryDirectory[str]:
    """A folder for what one call or run makes; it is swept if the process that made it is ended."""
    base = _scratch_base()
    base.mkdir(mode=0o700, parents=True, exist_ok=True)
    return TemporaryDirectory(prefix=f"{kind}-", dir=base, ignore_cleanup_errors=True)


def sweep_scratch(seconds: float = 2 * KEEP_SECONDS) -> None:
    """Remove scratch folders in which nothing was written for so long: a run writes its state every half minute."""
    for path in _scratch_base().glob("*-*"):
        with suppress(OSError):  # a call that is done removes its own at any moment
            newest = max((status.st_mtime for _, status in _files(path)), default=path.stat().st_mtime)
            if time.time() - newest > seconds:
                shutil.rmtree(path, ignore_errors=True)


def is_scratch(path: str) -> bool:
    """Is that a file of a call or a run, which goes with it?"""
    return path.startswith(f"{_scratch_base()}{os.sep}")


def _scratch_base() -> Path:
    uploads = folder_of_uploads()
    return uploads.with_name(f"{uploads.name}-scratch")


def _files(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            with suppress(OSError):  # it has just gone
                if path not in _kept:
                    yield path, path.lstat()
