"""The model card: the README.md of a model, made from its config.json, or edited by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from singan.config import PRESETS, TrainConfig
from singan.errors import CheckpointError
from singan.files import CARD_FILE, files_in, replace_files
from singan.storage.checkpoint import describe
from singan.storage.description import Description

YAML_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}  # that stand for something else than text

CARD = """---
license: {licence}
library_name: singan
pipeline_tag: unconditional-image-generation
tags:
- singan
- gan
- single-image
---

# {title}

A SinGAN model of {count}, shown here{how}

![The picture](preview.png)

| | |
|---|---|
{rows}

```python
import singan

model = singan.SinGAN.from_pretrained({where})
model.sample(1, seed=1)[0].save("sample.png")
```
"""


def model_card(description: Description, where: str) -> str:
    """The README.md of a model, made from its config.json; `where` is what its code snippet loads.

    `info["photo"]` may hold title, author, license and source of the picture, `info["photos"]` a list of these for
    several, the first included.
    """
    info = description.info
    given = info.get("photos") or [info.get("photo", {})]
    photos = [{name: _cell(text) for name, text in one.items()} for one in given]
    photo, many = photos[0], len(description.other_sizes) + 1
    licences = {one.get("license", "unknown") for one in photos}
    licence = licences.pop() if len(licences) == 1 else "other"
    title = photo.get("title", _cell(where.rpartition("/")[2]))
    height, width = description.scale_sizes[-1]
    if description.config.field and description.photo_size:
        height, width = description.photo_size
    training = f"{info['seconds']:.0f} s on {_cell(info.get('device', '?'))}" if "seconds" in info else None
    facts = {
        **_pictures(photos),
        "shares": ", ".join(f"{share:.0%}" for share in description.shares) or None,
        "size": f"{width}x{height} px",
        "scales": len(description.scale_sizes),
        "generators": description.num_generators,
        "parameters": f"{description.num_parameters:,}",
        "preset": preset_of(description.config),
        "seed": info.get("seed"),
        "training": training if description.num_generators else "none, a draft",
        "converted from": _cell(info["converted_from"]) if "converted_from" in info else None,
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in facts.items() if value is not None)
    count = "one picture" if many == 1 else f"{many} pictures, the first of them"
    how = ". Its samples are put together anew from the picture's own patches:" if description.config.field else ":"
    where = json.dumps(where, ensure_ascii=False)
    return CARD.format(count=count, how=how, licence=_yaml_text(licence), title=title, rows=rows, where=where)


def _pictures(photos: list[dict[str, str]]) -> dict[str, str | None]:
    """The rows of the card on its pictures."""
    rows: dict[str, str | None] = {}
    for k, photo in enumerate(photos, 1):
        number = f" {k}" if len(photos) > 1 else ""
        named = [photo[name] for name in ("title", "author") if name in photo]
        rows[f"picture{number}"] = ", by ".join(named) or None
        rows[f"licence of the picture{number}"] = photo.get("license", "unknown")
        rows[f"source{number}"] = photo.get("source")
    return rows


def preset_of(config: TrainConfig) -> str:
    """The name of the preset that a model was made with, whatever its size, or "own settings"."""

    def of_its_size(preset: TrainConfig) -> TrainConfig:
        return replace(preset, max_size=config.max_size, photo_size=config.photo_size)

    return next((name for name, known in PRESETS.items() if of_its_size(known) == config), "own settings")


def _yaml_text(word: str) -> str:
    """An identifier as YAML reads it as text: not as a number, a truth value or nothing."""
    plain = re.fullmatch(r"[a-z][a-z0-9.-]*", word) and word not in YAML_WORDS
    return word if plain else json.dumps(word)


def save_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """`replace_files`, but a card that was written by hand stays."""
    replace_files(folder, files, lambda name: name == CARD_FILE and card_is_edited(folder))


def card_is_edited(folder: Path) -> bool:
    """Whether the folder has a card that is not the one made from the config.json beside it, for whatever place."""
    path = files_in(folder) / CARD_FILE
    if not path.is_file():
        return False
    try:
        card = path.read_bytes().decode()
        where = json.loads(card.partition("\nmodel = singan.SinGAN.from_pretrained(")[2].partition(")\n")[0])
        return card != model_card(describe(folder), where)
    except (CheckpointError, ValueError, AttributeError, RecursionError):  # no model, no text, or no place in it
        return True


def _cell(text: str) -> str:
    """Text from a file as it may stand in a table of Markdown."""
    return " ".join(re.sub(r"[|<>`\[\]]", " ", text).split())
