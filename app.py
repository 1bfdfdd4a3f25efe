"""Starts the app: `python app.py` on this machine, and the same file on a hosted Space."""

import os
import tempfile
from pathlib import Path

# These are read while gradio is imported. The folder that all gradio apps of a machine share could not be swept.
os.environ.setdefault("GRADIO_TEMP_DIR", str(Path(tempfile.gettempdir(), f"singan-app-{getattr(os, 'getuid', int)()}")))
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
if os.environ.get("SPACES_ZERO_GPU"):
    import spaces  # type: ignore[import-not-found]  # noqa: F401 - before torch, which it changes

from singan.errors import SinGANError
from singan.ui import LAUNCH, build_app

try:
    demo = build_app(Path(__file__).parent / "pretrained")
except SinGANError as error:
    raise SystemExit(f"The app cannot start: {error}") from None

if __name__ == "__main__":
    demo.launch(**LAUNCH)
