"""Starts the app: `python app.py` on this machine, and the same file on a hosted Space."""

import os
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # both are read while gradio is imported
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from singan.ui import LAUNCH, build_app

demo = build_app(Path(__file__).parent / "pretrained")

if __name__ == "__main__":
    demo.launch(**LAUNCH)
