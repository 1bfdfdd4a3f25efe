"""`singan score`, run for real on tiny pictures."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import singan
from singan import metrics
from singan.cli import main
from singan.image import image_to_tensor


@pytest.fixture(autouse=True)
def nothing_kept(tmp_path, monkeypatch):
    """No weights anywhere."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("SINGAN_INCEPTION", "SINGAN_NIQE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """photo.png; in samples, two of its size, a text, a folder; in large and small, three pairs of the same names."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for name in ("samples", "large", "small"):
        (folder / name).mkdir()
    photo = Image.fromarray(rng.integers(0, 256, (9, 12, 3), np.uint8)).resize((48, 36), Image.Resampling.BICUBIC)
    photo.save(folder / "photo.png")
    photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "samples" / "a.png")
    photo.transpose(Image.Transpose.FLIP_TOP_BOTTOM).save(folder / "samples" / "b.png")
    (folder / "samples" / "notes.txt").write_text("seed 1")
    (folder / "samples" / "older.png").mkdir()
    for k, name in enumerate("xyz"):
        noise = rng.normal(0, 10 * k, (36, 48, 3))
        photo.save(folder / "large" / f"{name}.png")
        Image.fromarray((np.asarray(photo) + noise).clip(0, 255).astype(np.uint8)).save(
            folder / "small" / f"{name}.bmp"
        )
    return folder


@pytest.fixture
def run(capsys):
    """Run the command line in this process: exit code, stdout, stderr."""

    def call(*args: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["score", *map(str, args)])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def fails(run):
    """Run a command that must fail, and return its one line on stderr."""

    def call(*args: object, code: int = 1) -> str:
        got, out, err = run(*args)
        assert (got, out) == (code, "") and re.fullmatch(r"singan: [^\n]+\n", err)
        return err

    return call


def opened(path: Path) -> torch.Tensor:
    return image_to_tensor(Image.open(path))


def test_table_says_of_each_score_what_is_better_and_what_it_cannot_tell(run, folder):
    code, out, err = run(folder / "photo.png", folder / "samples")
    lines = out.splitlines()
    assert (code, err) == (0, "") and lines[0].split() == ["score", "value", "better", "cannot", "tell"]
    assert [line.split()[0] for line in lines[1:5]] == ["diversity", "swd", "coherence", "misplaced"]
    for line in lines[1:5]:
        meaning = metrics.report.MEANINGS[line.split()[0]]
        assert re.search(rf"  {meaning.better} +{re.escape(meaning.cannot_tell)}$", line)
    flat = " ".join(out.split())
    assert "compare models at equal diversity only, and beside coherence" in flat
    assert "Left out: sifid, sifid-64, since there are no weights of Inception; download pt_inception-2015" in flat
    assert "Left out: niqe, since there are no statistics of natural photographs" in flat
    assert max(map(len, lines)) <= 100


def test_json_holds_every_figure(run, folder):
    code, out, err = run(folder / "photo.png", folder / "samples", "--json")
    result, real = json.loads(out), opened(folder / "photo.png")
    samples = [opened(folder / "samples" / name) for name in ("a.png", "b.png")]
    assert (code, err) == (0, "") and result["task"] == "score" and result["singan"] == singan.__version__
    assert result["samples"] == [str(folder / "samples" / name) for name in ("a.png", "b.png")]
    scores = result["scores"]
    assert list(scores) == ["diversity", "swd", "coherence", "misplaced"]
    assert scores["swd"]["values"] == [metrics.swd(x, real) for x in samples]
    assert scores["swd"]["mean"] == pytest.approx(np.mean(scores["swd"]["values"]))
    assert scores["diversity"]["values"] == [pytest.approx(metrics.diversity(torch.cat(samples), real))]
    assert set(result["left_out"]) == {"sifid", "sifid-64", "niqe"} and result["settings"] == {"paired": False}


def test_files_and_folders_are_scored_each_once(run, folder):
    sample = folder / "samples" / "a.png"
    out = run(folder / "photo.png", sample, folder / "samples", "--only", "swd", "--json")[1]
    assert json.loads(out)["samples"] == [str(sample), str(folder / "samples" / "b.png")]


def test_photo_of_a_model_is_taken_for_the_photo(run, folder, tiny_model, tmp_path):
    where = tiny_model.save_pretrained(tmp_path / "m")
    for k, image in enumerate(tiny_model.sample(2, variation=1)):
        image.save(tmp_path / f"{k}.png")
    tiny_model.training_image.save(tmp_path / "photo.png")
    of = [tmp_path / "0.png", tmp_path / "1.png", "--only", "swd,diversity", "--json"]
    found = [json.loads(run(real, *of)[1])["scores"] for real in (where, tmp_path / "photo.png")]
    assert found[0] == found[1] and found[0]["diversity"]["mean"] > 0.05


def test_photo_that_is_larger_than_the_samples_is_brought_to_their_size(run, tiny_picture, tmp_path, monkeypatch):
    photo, samples = tmp_path / "photo.png", tmp_path / "samples"
    tiny_picture.resize((1403, 1080)).save(photo)
    model = singan.draft(photo, singan.TrainConfig.preset("draft", photo_size=70))
    where = model.save_pretrained(tmp_path / "m")
    samples.mkdir()
    for k, image in enumerate(model.sample(2)):
        image.save(samples / f"{k}.png")
    monkeypatch.setattr(metrics.report, "MAX_PIXELS", 10**6)
    note = f"{photo} is 1403x1080 px and the samples 70x54: it is brought to that size."
    of_file, of_model = (json.loads(run(real, samples, "--json")[1]) for real in (photo, where))
    assert of_file["warnings"] == [note] and of_model["warnings"] == []
    assert of_file["scores"] == of_model["scores"] and "diversity" in of_file["scores"]
    assert f"Note: {note}\n" in run(photo, samples)[1]


def test_photo_of_another_shape_than_the_samples_stays_as_it_is(run, fails, folder, tmp_path):
    Image.open(folder / "photo.png").resize((96, 96)).save(tmp_path / "square.png")
    result = json.loads(run(tmp_path / "square.png", folder / "samples", "--only", "swd", "--json")[1])
    real, sample = opened(tmp_path / "square.png"), opened(folder / "samples" / "a.png")
    assert result["warnings"] == [] and result["scores"]["swd"]["values"][0] == metrics.swd(sample, real)
    Image.new("RGB", (4096, 1100)).save(tmp_path / "long.png")
    assert "long.png is 4096x1100 px (4.5056 megapixels); the limit is 4.1943" in fails(
        tmp_path / "long.png", folder / "samples"
    )


def test_samples_of_another_size_are_scored_by_what_needs_none(run, folder, tmp_path):
    Image.open(folder / "photo.png").crop((0, 0, 40, 30)).save(tmp_path / "a.png")
    Image.open(folder / "photo.png").save(tmp_path / "b.png")
    code, out, err = run(folder / "photo.png", tmp_path, "--json")
    result = json.loads(out)
    assert (code, err) == (0, "") and list(result["scores"]) == ["swd", "coherence", "misplaced"]
    assert result["left_out"]["diversity"] == "it takes samples of one size"


def test_pairs_go_by_name_whatever_they_end_in(run, folder):
    code, out, err = run(folder / "large", folder / "small", "--pairs", "--json")
    scores = json.loads(out)["scores"]
    expected = [
        metrics.rmse(opened(folder / "small" / f"{n}.bmp"), opened(folder / "large" / f"{n}.png")) for n in "xyz"
    ]
    assert (code, err) == (0, "") and scores["rmse"]["values"] == expected and expected[0] == 0
    assert list(scores) == ["swd", "coherence", "misplaced", "rmse", "psnr", "ssim"]
    assert scores["psnr"]["values"][0] is None and scores["ssim"]["values"][0] == pytest.approx(1)
    assert "  inf  " in run(folder / "large", folder / "small", "--pairs", "--only", "psnr")[1]


def test_one_image_is_paired_with_one(run, folder):
    code, out, _ = run(folder / "photo.png", folder / "samples" / "a.png", "--pairs", "--only", "rmse", "--json")
    assert code == 0 and json.loads(out)["scores"]["rmse"]["mean"] > 10


def test_names_without_a_partner_are_named(fails, folder, tmp_path):
    shutil.copytree(folder / "small", tmp_path / "small")
    (tmp_path / "small" / "y.bmp").unlink()
    message = "singan: y is not among the samples: --pairs needs the same names on both sides.\n"
    assert fails(folder / "large", tmp_path / "small", "--pairs") == message
    shutil.copy(folder / "small" / "y.bmp", tmp_path / "small" / "y.png")
    for name in ("k", "l", "m", "n"):
        shutil.copy(folder / "small" / "y.bmp", tmp_path / "small" / f"{name}.png")
    assert "k, l, m, and 1 more has no partner: --pairs needs" in fails(folder / "large", tmp_path / "small", "--pairs")
    shutil.copy(folder / "small" / "y.bmp", tmp_path / "small")
    assert "have one name: --pairs goes by names without endings" in fails(
        folder / "large", tmp_path / "small", "--pairs"
    )
    assert "is one image and there are 2 samples: for --pairs, give its folder" in fails(
        folder / "photo.png", folder / "samples", "--pairs"
    )


def test_pairs_of_two_sizes_have_only_scores_that_need_none(run, fails, folder, tmp_path):
    Image.open(folder / "photo.png").resize((96, 72)).save(tmp_path / "x.png")
    arguments = [folder / "photo.png", tmp_path / "x.png", "--pairs"]
    message = (
        f"{tmp_path / 'x.png'} has 96x72 px and its partner 48x36: rmse, psnr and ssim need one size; leave them out"
    )
    assert message in fails(*arguments)
    assert run(*arguments, "--only", "swd")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["samples", "samples"],
            "samples is a folder: give the one image that was learned, or compare by name with --pairs",
        ),
        (["gone.png", "samples"], "gone.png does not exist; check the path"),
        (["photo.png", "gone.png"], "gone.png does not exist; check the path"),
        (["photo.png", "empty"], "empty holds no images (.png, .jpg"),
        (["photo.png", "samples/notes.txt"], "notes.txt is not an image that can be read; save it as PNG or JPEG"),
        (
            ["photo.png", "samples", "--only", "sifid"],
            "sifid cannot be computed: there are no weights of Inception; download",
        ),
        (["photo.png", "samples", "--only", "nonsense"], "There is no score 'nonsense'; there are diversity, sifid"),
        (["photo.png", "samples", "--inception", "gone.pth"], "gone.pth cannot be read (No such file or directory)"),
        (["photo.png", "samples", "--niqe", "gone.mat"], "gone.mat cannot be read (No such file or directory)"),
    ],
)
def test_bad_input_is_one_line(fails, folder, monkeypatch, arguments, message):
    monkeypatch.chdir(folder)
    (folder / "empty").mkdir(exist_ok=True)
    assert message in fails(*arguments)


def test_image_over_four_megapixels_is_refused_by_its_header(fails, folder, tmp_path):
    Image.new("RGB", (4096, 1100)).save(tmp_path / "large.png")
    assert "large.png is 4096x1100 px (4.5056 megapixels); the limit is 4.1943" in fails(
        folder / "photo.png", tmp_path / "large.png"
    )


def test_what_was_not_kept_of_an_image_is_said(run, folder, tmp_path):
    Image.new("RGBA", (48, 36)).save(tmp_path / "clear.png")
    note = f"{tmp_path / 'clear.png'} is partly transparent: it is flattened on white."
    arguments = [folder / "photo.png", tmp_path / "clear.png", "--only", "swd"]
    assert f"Note: {note}\n" in run(*arguments)[1]
    assert json.loads(run(*arguments, "--json")[1])["warnings"] == [note]


def test_weights_of_the_environment_are_not_read_unless_a_score_needs_them(run, fails, folder, monkeypatch):
    monkeypatch.setenv("SINGAN_INCEPTION", "gone.pth")
    monkeypatch.setenv("SINGAN_NIQE", "gone.mat")
    assert run(folder / "photo.png", folder / "samples", "--only", "swd")[0] == 0
    assert "gone.pth cannot be read" in fails(folder / "photo.png", folder / "samples", "--only", "swd,sifid-64")
    assert "gone.mat cannot be read" in fails(folder / "photo.png", folder / "samples", "--only", "swd,niqe")


def test_documentation_lists_every_score_and_what_is_better():
    text = (Path(__file__).parent.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([\w-]+)` \|.*\| (lower|higher|neither) \|.*\|$", text, re.MULTILINE))
    assert listed == {name: meaning.better for name, meaning in metrics.report.MEANINGS.items()}
