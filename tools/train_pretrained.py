"""Train a shipped model.

    python tools/train_pretrained.py PHOTO NAME --title T --author A --licence L --source S
        [--preset fast] [--max-size N] [--seed N]

Everything the model card says of the photo is given here; what it says of the training is read from the run.
"""

import argparse
from pathlib import Path

import singan

ROOT = Path(__file__).parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("name")
    for fact in ("title", "author", "source"):
        parser.add_argument(f"--{fact}", required=True)
    parser.add_argument("--licence", dest="license", required=True, help="the Hub's identifier, as in cc0-1.0")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--max-size", type=int, default=250)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    config = singan.TrainConfig.preset(options.preset, max_size=options.max_size)
    model = singan.train(options.photo, config, seed=options.seed)
    model.info["photo"] = {fact: getattr(options, fact) for fact in ("title", "author", "license", "source")}
    folder = model.save_pretrained(ROOT / "pretrained" / options.name)
    print(f"{folder}: {model.info['seconds']:.0f} s")


if __name__ == "__main__":
    main()
