"""What has to be set before gradio is imported, for the app that `app.py` and `singan app` start."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from singan.errors import ConfigError
from singan.limits import Limits


def prepare() -> None:
    """Set the environment of the app: a folder for uploads that is its own, since that of all gradio apps of a machine
    could not be swept, and nothing told to anybody. Raises `ConfigError` if a setting is wrong, before the imports that
    take seconds."""
    Limits.from_environment(os.environ)
    user = getattr(os, "getuid", int)()
    # Calls come in several threads, each with OpenMP helpers of its own. GNU's, once all are more than the cores, sleep
    # after 1 us without work, which between two operations there always is, and a core is lost; or so set, after 10 us.
    os.environ.setdefault("OMP_WAIT_POLICY", "active")
    os.environ.setdefault("GOMP_SPINCOUNT", "300000")  # while they are not: 3 ms, as without that
    given, own = os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir(), f"singan-app-{user}"
    folder = Path(given).absolute()
    folder = folder if folder.name == own else folder / own  # in what is given, where others may be
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    _check_own(folder, user)
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    tempfile.tempdir = str(folder.parent)  # what is computed is there too, and gradio takes it from here alone
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # gradio's monitoring, which is off, would go through its last 10,000 calls with pandas twice a call
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
    if os.environ.get("SPACES_ZERO_GPU"):
        import spaces  # type: ignore[import-not-found]  # noqa: F401 - before torch, which it changes


def _check_own(folder: Path, user: int) -> None:
    """Let nobody else into the folder. Raises `ConfigError` unless it is that user's: where everybody may write,
    somebody else could have made it first."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != user:  # which is 0 on Windows, of every file too
        cure = "remove it, or set GRADIO_TEMP_DIR to a folder of yours"
        raise ConfigError(f"{folder} is no folder of yours, so that others could read what is uploaded: {cure}.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(0o700)
