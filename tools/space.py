"""The Space: what it reads of this repository, and a folder to push as one.

    python tools/space.py
    python tools/space.py --space user/name --out DIR [--model user/model ...]

Without options, Space.yaml is written into README.md as its front matter, the only part of the repository that a Space
reads. With them, all that a Space needs is put in DIR, whose front matter also says what picture stands for that Space
where somebody links to it (`thumbnail`), and which models of the Hub it shows (`models`). Then:

    hf upload user/name DIR . --repo-type space
"""

import argparse
import os
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parent.parent
NEEDED = ("app.py", "singan", "pretrained", "examples", "docs/images", "requirements.txt", "LICENSE", "README.md")
THUMBNAIL = "docs/images/at-a-glance.webp"
HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)


def front_matter(readme: str) -> tuple[str, str]:
    """Split a README into the text between the two `---` lines at its top ("" without them) and the rest."""
    if not readme.startswith("---\n"):
        return "", readme
    settings, mark, rest = readme[4:].partition("\n---\n")
    if not mark:
        raise ValueError("README.md begins with --- but no second --- line ends its front matter")
    return settings + "\n", rest


def with_front_matter(readme: str, settings: str) -> str:
    """Return the README with its front matter replaced by `settings`."""
    return f"---\n{settings.rstrip()}\n---\n\n{front_matter(readme)[1].lstrip()}"


def make_space(space: str, models: list[str], out: Path) -> None:
    """Put what the Space `space` needs in the new folder `out`, with its thumbnail and its `models`."""
    for name in (space, *models):
        if not HUB_ID.fullmatch(name):
            raise ValueError(f"{name!r} is not of the form user/name")
    out.mkdir(parents=True)
    for name in NEEDED:
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, out / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, out / name)
    settings = (ROOT / "Space.yaml").read_text(encoding="utf-8")
    settings += f"thumbnail: https://huggingface.co/spaces/{space}/resolve/main/{THUMBNAIL}\n"
    settings += "".join(["models:\n", *(f"  - {model}\n" for model in models)]) if models else ""
    readme = out / "README.md"
    readme.write_text(with_front_matter(readme.read_text(encoding="utf-8"), settings), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--space", help="user/name that the Space will have")
    parser.add_argument("--out", type=Path, help="a new folder")
    parser.add_argument("--model", action="append", default=[], help="user/name of a model on the Hub")
    options = parser.parse_args()
    if (options.space is None) != (options.out is None) or (options.model and options.space is None):
        parser.error("--space and --out go together, and --model goes with them")
    if options.space:
        try:
            make_space(options.space, options.model, options.out)
        except (ValueError, FileExistsError) as error:
            parser.error(str(error))
        return
    path = ROOT / "README.md"
    part = path.with_suffix(".part")
    settings = (ROOT / "Space.yaml").read_text(encoding="utf-8")
    part.write_text(with_front_matter(path.read_text(encoding="utf-8"), settings), encoding="utf-8")
    os.replace(part, path)


if __name__ == "__main__":
    main()
