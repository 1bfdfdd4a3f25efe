"""Train a shipped pyramid and write its model card.

    python tools/train_pretrained.py PHOTO NAME --title T --author A --licence L --source S [--preset best]

Everything the card says of the photo is given here; what it says of the training is read from the run.
"""

import argparse
from pathlib import Path

import singan

ROOT = Path(__file__).parent.parent

CARD = """---
license: {licence}
library_name: singan
pipeline_tag: unconditional-image-generation
tags: [singan, gan, single-image]
---

# {title}

A SinGAN pyramid that learned one photograph, shown here as it remembers it:

![The photograph as the model remembers it](preview.png)

| | |
|---|---|
| photograph | {title}, by {author} |
| licence of the photograph | {licence} |
| source | {source} |
| size | {width}x{height} px |
| scales | {scales} |
| parameters | {parameters} |
| preset, seed | {preset}, {seed} |
| training | {seconds:.0f} s by the clock on {device} |

```python
import singan

model = singan.SinGAN.from_pretrained("pretrained/{name}")
model.sample(1, seed=1)[0].save("sample.png")
```
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photo", type=Path)
    parser.add_argument("name")
    for fact in ("title", "author", "licence", "source"):
        parser.add_argument(f"--{fact}", required=True)
    parser.add_argument("--preset", default="best")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    model = singan.train(options.photo, singan.TrainConfig.preset(options.preset), seed=options.seed)
    folder = model.save_pretrained(ROOT / "pretrained" / options.name)
    height, width = model.image_size
    facts = vars(options) | {"height": height, "width": width, "scales": model.num_scales, **model.info}
    card = CARD.format(**facts, parameters=f"{model.num_parameters:,}")
    (folder / "README.md").write_text(card, encoding="utf-8")
    print(f"{folder}: {model.info['seconds']:.0f} s")


if __name__ == "__main__":
    main()
