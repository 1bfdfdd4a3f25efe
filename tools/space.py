"""Write Space.yaml into README.md as its front matter, the only part of the repository that a Space reads.

python tools/space.py
"""

import os
from pathlib import Path

ROOT = Path(__file__).parent.parent


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


def main() -> None:
    path = ROOT / "README.md"
    part = path.with_suffix(".part")
    settings = (ROOT / "Space.yaml").read_text(encoding="utf-8")
    part.write_text(with_front_matter(path.read_text(encoding="utf-8"), settings), encoding="utf-8")
    os.replace(part, path)


if __name__ == "__main__":
    main()
