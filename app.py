"""Starts the app: `python app.py` on this machine, and the same file on a hosted Space."""

import os
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # both are read while gradio is imported
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
