# /// script
# requires-python = ">=3.10"
# dependencies = []
# ///
"""Learn a photo and push the model to the Hub, on a machine of Hugging Face's or on any other.

    hf jobs uv run --secrets HF_TOKEN -v ./dist:/dist --with /dist/singan-0.1.0-py3-none-any.whl \\
        tools/train_on_hub.py photo.jpg user/name

docs/hub.md tells how. The package is no dependency above: it is in no index, where its name is anybody's to take, and
this script holds a token. A photo is a file, which `hf jobs` brings along, or an address. The token is read from
HF_TOKEN, and what is wrong with it is said before anything is learned.
"""

import argparse
import http.client
import sys
import tempfile
import urllib.request
from pathlib import Path

MAX_BYTES = 200_000_000  # of a photo that is downloaded


def main(args: list[str] | None = None) -> int:
    options = parser().parse_args(args)
    try:
        import singan
    except ImportError:
        print("train_on_hub: singan is not installed: give it with --with, before the script.", file=sys.stderr)
        return 1
    try:
        print(f"Pushed: {train_and_push(options)}")
    except (singan.SinGANError, OSError, http.client.HTTPException) as error:
        print(f"train_on_hub: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("photo", help="a file, or an address that begins with https://")
    made.add_argument("repo_id", metavar="USER/NAME", help="the repository, made if it is not there")
    made.add_argument("--preset", choices=["draft", "fast", "paper"], default="fast")
    for size in ("photo-size", "max-size", "steps"):
        made.add_argument(f"--{size}", type=int, help="as of singan train")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--private", action="store_true", help="make a new repository private")
    made.add_argument("--checkpoint", type=Path, help="folder that outlives the job, to go on with the same command")
    for fact in ("title", "author", "source"):
        made.add_argument(f"--{fact}", help="of the photo, for the model card")
    made.add_argument("--licence", dest="license", help="of the photo, as the Hub calls it: cc0-1.0")
    return made


def train_and_push(options: argparse.Namespace) -> str:
    """The address of the commit. Raises `SinGANError`, `OSError` and `HTTPException`."""
    import singan
    from singan.files import STATE_FILE
    from singan.storage.hub import make_repository

    facts = checked_facts(options)
    given = {key: getattr(options, key) for key in ("photo_size", "max_size", "steps")}
    config = singan.TrainConfig.preset(options.preset, **{k: v for k, v in given.items() if v is not None})
    with tempfile.TemporaryDirectory() as folder:
        photo = singan.load_image(fetch(options.photo, Path(folder)))
    make_repository(options.repo_id, private=options.private or None)
    state = None if options.checkpoint is None else options.checkpoint / STATE_FILE
    resume = state is not None and state.exists()
    model = singan.train(photo, config, seed=options.seed, checkpoint_dir=options.checkpoint, resume=resume)
    if facts:
        model.info["photo"] = facts
    try:
        pushed = model.push_to_hub(options.repo_id, private=options.private or None)
    except (singan.SinGANError, OSError) as error:
        name = options.repo_id.rpartition("/")[2]
        kept = model.save_pretrained(tempfile.mkdtemp(prefix=f"{name}-", dir=options.checkpoint or "."))
        raise singan.HubError(f"{error} The model is in {kept}: singan push {kept} {options.repo_id}") from error
    if state is not None:
        state.unlink(missing_ok=True)
    return pushed.url


def checked_facts(options: argparse.Namespace) -> dict[str, str]:
    """What is said of the photo. Raises `ConfigError` for what no model could hold."""
    import singan
    from singan.storage.description import INFO

    given = {fact: getattr(options, fact) for fact in ("title", "author", "license", "source")}
    facts = {fact: text for fact, text in given.items() if text}
    try:
        INFO["photo"](facts, "photo")
    except singan.CheckpointError as error:
        raise singan.ConfigError(f"Of the photo, {error}.") from None
    return facts


def fetch(photo: str, folder: Path) -> Path:
    """The file of the photo, which is downloaded into `folder` if it is an address."""
    if not photo.startswith(("https://", "http://")):
        return Path(photo)
    with urllib.request.urlopen(photo, timeout=60) as answer:
        data = answer.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(f"{photo} is over {MAX_BYTES:,} bytes: give a smaller photo.")
    path = folder / "photo"
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    sys.exit(main())
