"""The shipped pyramids load, sample, say where their photograph is from, and stay small."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

import singan
from singan.storage import checkpoint

ROOT = Path(__file__).parent.parent / "pretrained"
SHIPPED = sorted(path for path in ROOT.iterdir() if path.is_dir())
PAPER = ROOT / "mountain-lake-paper"  # the published method, to be seen as it is


def test_there_are_six_and_together_they_are_small():
    assert len(SHIPPED) == 6 and PAPER in SHIPPED
    assert sum(path.stat().st_size for path in ROOT.rglob("*") if path.is_file()) < 12_000_000
    assert sum(path.stat().st_size for path in PAPER.iterdir()) < 3_000_000


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_shipped_pyramid_samples(folder):
    model = singan.SinGAN.from_pretrained(folder)
    preset = singan.TrainConfig.preset("paper", max_size=125) if folder == PAPER else singan.TrainConfig.preset("fast")
    assert max(model.image_size) == (125 if folder == PAPER else 1024) and model.config == preset
    first, second = (np.asarray(image, dtype=float) for image in model.sample(2, seed=3))
    photo = np.asarray(model.training_image, dtype=float)
    assert first.shape == photo.shape and np.abs(first - second).mean() > 2
    assert abs(first.mean() - photo.mean()) < 30 and abs(first.std() - photo.std()) < 30


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_shipped_files_are_what_save_pretrained_writes(folder, tmp_path):
    again = singan.SinGAN.from_pretrained(folder.name).save_pretrained(tmp_path / folder.name)
    assert (again / "README.md").read_bytes() == (folder / "README.md").read_bytes()
    new, old = (json.loads((path / "config.json").read_text(encoding="utf-8")) for path in (again, folder))
    packed = {name: old[name] for name in ("singan_version", "photo_bytes", "weights_sha256")}
    assert new | packed == old  # another version of the packer may make other bytes of the same photograph
    mine, theirs = (checkpoint.read(path)[1] for path in (again, folder))
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda path: path.name)
def test_card_names_licence_and_source(folder):
    _, front, text = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    card = yaml.safe_load(front)
    assert card["license"] in ("cc0-1.0", "public-domain") and card["library_name"] == "singan"
    assert card["pipeline_tag"] == "unconditional-image-generation"
    assert "| source |" in text
    with Image.open(folder / "preview.png") as preview:
        width, height = preview.size
        size = singan.SinGAN.from_pretrained(folder).image_size
        assert width == min(512, size[1]) and height == pytest.approx(width * size[0] / size[1], abs=1)


def test_code_in_a_card_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = (ROOT / "skyline" / "README.md").read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    exec(code, {})
    with Image.open("sample.png") as sample:
        assert sample.size == (1024, 576)
