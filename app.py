"""Starts the app: `python app.py` on this machine, and the same file on a hosted Space."""

from pathlib import Path

from singan.errors import SinGANError
from singan.serving import prepare

try:
    prepare()

    from singan.ui import LAUNCH, build_app

    demo = build_app(Path(__file__).parent / "pretrained")
except SinGANError as error:
    raise SystemExit(f"The app cannot start: {error}") from None

if __name__ == "__main__":
    demo.launch(**LAUNCH)
