"""The command `singan`, run for real on a tiny photo."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
import typer
from PIL import Image

import singan
from singan.cli import main
from singan.config import VARIATION
from singan.errors import TrainingError

TINY = ["--max-size", "40", "--steps", "2"]


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    noise = np.random.default_rng(0).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(noise).resize((40, 30), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture(scope="module")
def trained(photo, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("trained") / "model"
    assert main(["train", str(photo), "--out", str(out), *TINY]) == 0
    return out


@pytest.fixture
def run(capsys):
    """Run the command line in this process: exit code, stdout, stderr."""

    def call(*args: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([str(arg) for arg in args])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def fails(run):
    """Run a command that must fail, and return its one line on stderr."""

    def call(*args: object, code: int = 1) -> str:
        got, out, err = run(*args)
        assert got == code
        assert re.fullmatch(r"singan: [^\n]+\n", err)
        if "--json" in args:
            assert json.loads(out) == {"error": err.removeprefix("singan: ").rstrip("\n"), "code": code}
        else:
            assert out == ""
        return err

    return call


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*"))


def snapshot(directory: Path) -> dict[str, bytes]:
    return {name: (directory / name).read_bytes() for name in files(directory) if (directory / name).is_file()}


# --- train ----------------------------------------------------------------------------------------


def test_train_saves_a_model_and_leaves_no_checkpoint(trained):
    assert {"config.json", "model.safetensors"} <= set(files(trained))
    assert "checkpoint" not in files(trained)
    assert singan.SinGAN.from_pretrained(trained).image_size == (30, 40)


def test_train_tells_of_each_scale_and_of_the_result(run, photo, tmp_path):
    code, out, err = run("train", photo, "--out", tmp_path / "m", *TINY)
    scales = len(singan.SinGAN.from_pretrained(tmp_path / "m").generators)
    assert (code, err) == (0, "")
    assert (
        len(re.findall(r"^scale \d+/\d+ \d+x\d+ done at \d+:\d\d: reconstruction RMSE [\d.]+ of 255$", out, re.M))
        == scales
    )
    assert re.search(
        rf"^Trained in \d+:\d\d: .*: {scales} generators? up to \d+x\d+ px; samples of 30x40 px$", out, re.M
    )


def test_train_json_is_one_object(run, photo, tmp_path):
    code, out, err = run("train", photo, "--out", tmp_path / "m", *TINY, "--seed", 3, "--json")
    result = json.loads(out)
    assert (code, err) == (0, "")
    model = singan.SinGAN.from_pretrained(tmp_path / "m")
    assert result["model"] == str(tmp_path / "m") and result["seed"] == 3 and result["preset"] == "fast"
    assert result["image_size"] == list(model.image_size) and result["parameters"] == model.num_parameters
    assert result["config"]["max_size"] == 40 and result["warnings"] == [] and result["seconds"] > 0


def test_train_passes_its_options_on(run, photo, tmp_path):
    larger = ["--preset", "fast", "--photo-size", "32"]
    run("train", photo, "--out", tmp_path / "m", *larger, "--max-size", 30, "--steps", 2, "--seed", 5)
    from_cli = singan.SinGAN.from_pretrained(tmp_path / "m")
    direct = singan.train(photo, singan.TrainConfig.preset("fast", photo_size=32, max_size=30, steps=2), seed=5)
    assert from_cli.config == direct.config
    assert from_cli.reconstruct().tobytes() == direct.reconstruct().tobytes()
    assert from_cli.sample(1)[0].tobytes() == direct.sample(1)[0].tobytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--preset", "paper", "--photo-size", "64"],
            "--photo-size is for models with patches; this one draws at --max",
        ),
        (
            ["--for", "animation", "--photo-size", "64"],
            "--photo-size is for models with patches; this one draws at --max",
        ),
        (["--preset", "draft", "--steps", "2"], "--steps is for models that are trained; a draft is not: leave it out"),
    ],
)
def test_options_that_mean_nothing_for_a_model_are_refused(fails, photo, tmp_path, options, message):
    assert message in fails("train", photo, "--out", tmp_path / "m", *options) and not (tmp_path / "m").exists()


def test_train_passes_on_what_became_of_the_image(run, tmp_path):
    Image.new("RGBA", (30, 30)).save(tmp_path / "clear.png")
    note = f"{tmp_path / 'clear.png'} is partly transparent: it is flattened on white."
    code, out, err = run("train", tmp_path / "clear.png", "--out", tmp_path / "m", *TINY)
    assert (code, err) == (0, "") and out.startswith(f"Note: {note}\n")
    code, out, err = run("train", tmp_path / "clear.png", "--out", tmp_path / "m", *TINY, "--force", "--json")
    assert (code, err) == (0, "") and json.loads(out)["warnings"] == [note]


def test_trained_model_is_not_overwritten_without_force(run, fails, photo, trained, tmp_path):
    before = snapshot(trained)
    assert "holds a trained model: choose another --out, or replace it with --force" in fails(
        "train", photo, "--out", trained, *TINY
    )
    assert snapshot(trained) == before


@pytest.mark.parametrize("command", ["draft", "train"])
def test_preview_that_is_no_models_is_not_replaced_without_force_and_a_card_never(run, fails, photo, tmp_path, command):
    for name in ("preview.png", "README.md"):
        (tmp_path / name).write_text("mine")
    error = fails(command, photo, "--out", tmp_path)
    assert error == f"singan: {tmp_path}/preview.png is no model's: choose another --out, or replace it with --force.\n"
    assert snapshot(tmp_path) == {"preview.png": b"mine", "README.md": b"mine"}
    assert run("draft", photo, "--out", tmp_path, "--force")[0] == 0
    assert (tmp_path / "preview.png").read_bytes()[:4] == b"\x89PNG" and (tmp_path / "README.md").read_text() == "mine"


def test_force_replaces_the_model(run, photo, tmp_path):
    for seed in (0, 1):
        assert run("train", photo, "--out", tmp_path / "m", *TINY, "--seed", seed, "--force", "--json")[0] == 0
    assert json.loads(run("info", tmp_path / "m", "--json")[1])["info"]["seed"] == 1


def test_failed_run_leaves_the_old_model_as_it_was(fails, trained):
    before = snapshot(trained)
    fails("train", trained / "config.json", "--out", trained, "--force")
    assert snapshot(trained) == before


@pytest.mark.parametrize("json_too", [[], ["--json"]])
def test_bad_image_is_one_line_and_exit_code_1(fails, tmp_path, json_too):
    Image.new("RGB", (12, 9)).save(tmp_path / "small.png")
    error = fails("train", tmp_path / "small.png", "--out", tmp_path / "m", *json_too)
    assert error.endswith("small.png is 12x9 px; SinGAN needs at least 25 px on the short side: enlarge it.\n")
    assert not (tmp_path / "m").exists()


def test_out_that_is_a_file_is_refused(fails, photo, tmp_path):
    (tmp_path / "m").write_text("mine")
    assert "m is a file: choose a directory for --out" in fails("train", photo, "--out", tmp_path / "m")
    assert (tmp_path / "m").read_text() == "mine"


def test_setting_out_of_range_is_refused(fails, photo, tmp_path):
    assert "max_size" in fails("train", photo, "--out", tmp_path / "m", "--max-size", 3)


def test_resume_without_a_run_is_refused(fails, photo, trained, tmp_path):
    assert "nothing to resume: leave out --resume to start" in fails("train", photo, "--out", tmp_path, "--resume")
    assert "nothing to resume: it is already trained" in fails("train", photo, "--out", trained, "--resume")


def test_failed_training_keeps_the_finished_scales(fails, photo, tmp_path, monkeypatch):
    real = singan.iter_train

    def breaks_down(*args, **kwargs):
        for event in real(*args, **kwargs):
            yield event
            if event.kind == "scale":
                raise TrainingError("Loss is not finite at scale 1: lower the rate.", model=event.model)

    monkeypatch.setattr("singan.training.loop.iter_train", breaks_down)
    error = fails("train", photo, "--out", tmp_path / "m", *TINY, "--json")
    assert "lower the rate. What was finished before, 1 generator up to" in error
    assert len(singan.SinGAN.from_pretrained(tmp_path / "m").generators) == 1


def test_failed_training_without_finished_scales_saves_nothing(fails, photo, tmp_path, monkeypatch):
    def breaks_down(*args, **kwargs):
        raise TrainingError("Loss is not finite at scale 0.")
        yield

    monkeypatch.setattr("singan.training.loop.iter_train", breaks_down)
    assert fails("train", photo, "--out", tmp_path / "m") == "singan: Loss is not finite at scale 0.\n"
    assert not (tmp_path / "m" / "config.json").exists()


# --- draft ----------------------------------------------------------------------------------------


def test_draft_saves_what_the_package_drafts(run, photo, tmp_path):
    large = tmp_path / "large.png"
    Image.open(photo).resize((120, 90)).save(large)
    code, out, err = run("draft", large, "--out", tmp_path / "m", "--photo-size", 80, "--seed", 4)
    assert (code, err) == (0, "")
    assert re.search(r"^Drafted in 0:\d\d: .*: a draft; samples of 60x80 px$", out, re.M)
    direct = singan.draft(large, singan.TrainConfig.preset("draft", photo_size=80), seed=4)
    assert singan.SinGAN.from_pretrained(tmp_path / "m").sample(1)[0].tobytes() == direct.sample(1)[0].tobytes()


def test_draft_is_also_a_preset_and_tells_its_facts(run, photo, tmp_path):
    code, out, err = run("draft", photo, "--out", tmp_path / "a", "--json")
    facts = json.loads(out)
    assert (code, err, facts["preset"], facts["generators"]) == (0, "", "draft", 0)
    code, out, err = run("train", photo, "--out", tmp_path / "b", "--preset", "draft")
    assert (code, err) == (0, "") and re.search(r"^Drafted in 0:\d\d: .*: a draft; samples of 30x40 px$", out, re.M)
    drafts = [singan.SinGAN.from_pretrained(tmp_path / name) for name in "ab"]
    assert drafts[0].sample(1, seed=2)[0].tobytes() == drafts[1].sample(1, seed=2)[0].tobytes()
    assert not (tmp_path / "b" / "checkpoint").exists()


def test_draft_does_not_replace_a_model_without_force(run, fails, photo, trained, tmp_path):
    before = snapshot(trained)
    assert "holds a trained model" in fails("draft", photo, "--out", trained)
    assert snapshot(trained) == before
    run("draft", photo, "--out", tmp_path / "m")
    assert run("draft", photo, "--out", tmp_path / "m", "--force")[0] == 0


def test_generators_alone_draw_at_their_own_size(run, fails, photo, trained, tmp_path):
    code, out, _ = run("sample", trained, "--out", tmp_path, "--n", 1, "--generators-only", "--json")
    model = singan.SinGAN.from_pretrained(trained)
    size = list(model.scale_sizes[len(model.generators) - 1])
    assert code == 0 and json.loads(out)["size"] == size
    run("draft", photo, "--out", tmp_path / "d")
    assert "no generators" in fails("sample", tmp_path / "d", "--out", tmp_path / "s", "--generators-only")


# --- Ctrl-C and resume ----------------------------------------------------------------------------

LONGER = {
    "fast": ["--max-size", "40", "--steps", "30"],
    "paper": ["--preset", "paper", "--bfloat16", "--max-size", "40", "--steps", "6"],
}


def interrupt_after_first_checkpoint(photo: Path, out: Path, options: list[str]) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-m", "singan", "train", str(photo), "--out", str(out), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a CI may have it ignored
    )
    deadline = time.monotonic() + 120
    while not (out / "checkpoint" / "state.safetensors").exists():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    return process


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
@pytest.mark.parametrize("options", LONGER.values(), ids=LONGER)
def test_ctrl_c_keeps_a_checkpoint_and_says_how_to_resume(run, fails, photo, tmp_path, options):
    out = tmp_path / "m"
    process = interrupt_after_first_checkpoint(photo, out, options)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    how = re.fullmatch(r"singan: Interrupted; what is learned so far is kept: continue with singan (train .*)\n", error)
    assert how and how[1].endswith("--resume") and not (out / "config.json").exists()

    assert "holds a broken-off run: continue it with --resume, or start again with --force" in fails(
        "train", photo, "--out", out, *options
    )
    assert run(*how[1].split())[0] == 0
    assert not (out / "checkpoint").exists()
    assert run("train", photo, "--out", tmp_path / "whole", *options)[0] == 0
    first, second = (singan.SinGAN.from_pretrained(path) for path in (out, tmp_path / "whole"))
    assert first.sample(1)[0].tobytes() == second.sample(1)[0].tobytes()


def test_ctrl_c_before_the_first_checkpoint_says_that_nothing_is_kept(fails, photo, tmp_path, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr("singan.training.loop.iter_train", interrupted)
    error = fails("train", photo, "--out", tmp_path / "m", code=130)
    assert error == "singan: Interrupted before the first checkpoint: nothing of this run is kept.\n"


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_ctrl_c_elsewhere_is_told_too_and_finished_samples_stay(fails, trained, tmp_path, monkeypatch, capsys, as_json):
    def interrupted(image, path, *args):
        if path.name == "sample-1.png":
            raise KeyboardInterrupt
        save(image, path, *args)

    save = singan.image.save_image
    monkeypatch.setattr("singan.image.save_image", interrupted)
    told = "Interrupted: 1 of 3 samples are finished, and stay."
    assert main(["sample", str(trained), "--n", "3", "--out", str(tmp_path / "s"), *as_json]) == 130
    out, err = capsys.readouterr()
    assert err == f"singan: {told}\n" and files(tmp_path / "s") == ["sample-0.png"]
    assert not as_json or json.loads(out) == {"error": told, "code": 130}

    for error in (KeyboardInterrupt, typer.Abort):  # as older versions of typer tell of it
        monkeypatch.setattr("singan.model.SinGAN.from_pretrained", Mock(side_effect=error))
        assert fails("info", trained, *as_json, code=130) == "singan: Interrupted.\n"


def test_force_discards_the_broken_off_run_and_nothing_else(run, photo, tmp_path):
    checkpoint = tmp_path / "m" / "checkpoint"
    checkpoint.mkdir(parents=True)
    for name in ("state.safetensors", "mine.txt"):
        (checkpoint / name).write_text("not a checkpoint")
    assert run("train", photo, "--out", tmp_path / "m", *TINY, "--force")[0] == 0
    assert files(checkpoint) == ["mine.txt"]


@pytest.mark.parametrize("wrong", [["--seed", "-1"], ["--max-size", "3"], ["--share", "1", "--share", "2"], None])
def test_force_discards_no_run_if_the_new_one_cannot_be_begun(fails, photo, tmp_path, wrong):
    state = tmp_path / "m" / "checkpoint" / "state.safetensors"
    state.parent.mkdir(parents=True)
    state.write_text("hours")
    (tmp_path / "photo.png").write_text("no photo")
    fails("train", photo if wrong else tmp_path / "photo.png", "--out", tmp_path / "m", *wrong or [], "--force")
    assert state.read_text() == "hours"


# --- sample ---------------------------------------------------------------------------------------


def test_sample_writes_png_files_that_carry_their_settings(run, trained, tmp_path):
    options = ["--n", 2, "--size", "30x50", "--start-scale", 0, "--variation", 0.5, "--seed", 7]
    code, out, err = run("sample", trained, "--out", tmp_path / "s", *options)
    assert (code, err) == (0, "")
    assert out.splitlines() == [str(tmp_path / "s" / f"sample-{seed}.png") for seed in (7, 8)]
    assert files(tmp_path / "s") == ["sample-7.png", "sample-8.png"]
    with Image.open(tmp_path / "s" / "sample-8.png") as image:
        assert image.size == (50, 30)
        assert image.text == {
            "seed": "8",
            "variation": "0.5",
            "start_scale": "0",
            "size": "30x50",
            "singan": singan.__version__,
        }


def test_settings_in_a_png_give_the_same_image_again(run, trained, tmp_path):
    run("sample", trained, "--out", tmp_path, "--n", 3, "--variation", 0.7, "--start-scale", 0)
    with Image.open(tmp_path / "sample-2.png") as image:
        settings = image.text
        again = singan.SinGAN.from_pretrained(trained).sample(
            1,
            seed=int(settings["seed"]),
            variation=float(settings["variation"]),
            start_scale=int(settings["start_scale"]),
        )[0]
        assert image.tobytes() == again.tobytes()


def test_samples_are_those_of_one_call_of_the_model(run, trained, tmp_path):
    run("sample", trained, "--out", tmp_path, "--n", 3, "--seed", 4)
    together = singan.SinGAN.from_pretrained(trained).sample(3, seed=4)
    for seed, image in zip((4, 5, 6), together, strict=True):
        with Image.open(tmp_path / f"sample-{seed}.png") as saved:
            assert saved.tobytes() == image.tobytes()


def test_variation_rises_and_mirrored_parts_come_where_they_are_asked_for(run, trained, tmp_path):
    run("sample", trained, "--out", tmp_path, "--n", 3, "--variation", 0.4, "--variation-to", 0.9, "--flips")
    model = singan.SinGAN.from_pretrained(trained)
    for seed, variation in enumerate((0.4, 0.65, 0.9)):
        with Image.open(tmp_path / f"sample-{seed}.png") as saved:
            expected = model.sample(1, seed=seed, variation=variation, flips=True)[0]
            assert saved.tobytes() == expected.tobytes()
            assert (saved.text["variation"], saved.text["flips"]) == (str(variation), "True")


def test_notes_of_a_sample_are_printed_or_in_the_json(run, photo, tmp_path):
    clear = Image.open(photo).convert("RGBA")
    clear.putalpha(128)
    clear.save(tmp_path / "clear.png")
    note = f"{tmp_path / 'clear.png'} is partly transparent: it is flattened on white."
    args = ["sample", tmp_path / "clear.png", "--n", 1, "--out", tmp_path / "s", "--force"]
    assert run(*args) == (0, f"{tmp_path / 's' / 'sample-0.png'}\nNote: {note}\n", "")
    assert json.loads(run(*args, "--json")[1])["warnings"] == [note]


def test_sample_writes_a_file_that_is_named_as_an_image(run, fails, trained, tmp_path):
    one, several = tmp_path / "one.jpg", tmp_path / "several.webp"
    assert run("sample", trained, "--out", one, "--n", 1, "--seed", 3)[1].splitlines() == [str(one)]
    assert run("sample", trained, "--out", several, "--n", 2, "--seed", 3)[0] == 0
    assert files(tmp_path) == ["one.jpg", "several-3.webp", "several-4.webp"]
    formats = []
    for path in sorted(tmp_path.iterdir()):
        with Image.open(path) as image:
            formats.append((image.format, image.size))
    assert formats == [("JPEG", (40, 30)), ("WEBP", (40, 30)), ("WEBP", (40, 30))]
    assert f"{one} exists" in fails("sample", trained, "--out", one, "--n", 1)
    assert "must end in .png or" in fails("sample", trained, "--out", tmp_path / "a.tiff")
    assert files(tmp_path) == ["one.jpg", "several-3.webp", "several-4.webp"]


def test_sample_json_is_one_object(run, trained, tmp_path):
    code, out, err = run("sample", trained, "--out", tmp_path, "--n", 2, "--json")
    result = json.loads(out)
    assert (code, err) == (0, "")
    assert result["samples"] == [str(tmp_path / f"sample-{k}.png") for k in range(2)]
    assert result["size"] == [30, 40] and result["singan"] == singan.__version__
    assert (result["seed"], result["variation"], result["start_scale"]) == (0, VARIATION, 0)


def test_existing_sample_is_not_overwritten_without_force(run, fails, trained, tmp_path):
    (tmp_path / "sample-1.png").write_text("mine")
    assert "sample-1.png exists: choose another --out or --seed, or replace it with --force" in fails(
        "sample", trained, "--out", tmp_path, "--n", 2
    )
    assert files(tmp_path) == ["sample-1.png"] and (tmp_path / "sample-1.png").read_text() == "mine"
    assert run("sample", trained, "--out", tmp_path, "--n", 2, "--force")[0] == 0
    assert Image.open(tmp_path / "sample-1.png").size == (40, 30)


def test_png_is_written_whole_or_not_at_all(fails, trained, tmp_path, monkeypatch):
    def disk_full(self, path, *args, **kwargs):
        Path(path).write_bytes(b"half a")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", disk_full)
    assert "No space left on device" in fails("sample", trained, "--out", tmp_path)
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--start-scale", "99"], "start_scale"),
        (["--variation", "2"], "variation"),
        (["--size", "1x1"], "size"),
    ],
)
def test_setting_that_the_model_refuses_is_one_line(fails, trained, tmp_path, options, message):
    assert message in fails("sample", trained, "--out", tmp_path / "s", *options)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("command", [["info"], ["sample", "--out", "nowhere"]])
def test_directory_without_a_model_is_refused(fails, tmp_path, command):
    assert str(tmp_path) in fails(command[0], tmp_path, *command[1:])


# --- info -----------------------------------------------------------------------------------------


def test_info_lists_what_the_model_is(run, trained):
    code, out, err = run("info", trained)
    assert (code, err) == (0, "")
    assert re.match(rf"{re.escape(str(trained))}: 1 generator up to \d+x\d+ px; samples of 30x40 px\n", out)
    assert "image_size: [30, 40]\n" in out and "  max_size: 40\n" in out and "  seed: 0\n" in out


def test_info_json_is_one_object(run, trained):
    code, out, err = run("info", trained, "--json")
    result = json.loads(out)
    model = singan.SinGAN.from_pretrained(trained)
    assert (code, err, result["model"], result["generators"]) == (0, "", str(trained), len(model.generators))
    assert result["scale_sizes"] == [list(size) for size in model.scale_sizes]
    assert result["parameters"] == model.num_parameters and result["config"]["steps"]


# --- usage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["train"], "Missing"),
        (
            ["train", "photo.png", "--out", "m", "--preset", "slow"],
            "'slow' is not one of 'draft', 'fast', 'paper'",
        ),
        (["train", "photo.png", "--out", "m", "--steps", "0"], "--steps"),
        (["train", "photo.png", "--out", "m", "--seed", "x"], "--seed"),
        (["sample", "m", "--out", "s", "--n", "0"], "--n"),
        (["sample", "m", "--n", "1", "--variation-to", "1"], "--n is 1: give 2 or more, or --variation alone"),
        (
            ["sample", "m", "--out", "s", "--size", "100"],
            "'100' is not height x width in pixels, as in 186x248",
        ),
        (["sample", "m", "--out", "s", "--size", "0x100"], "'0x100' is not height x width"),
        (["sample", "m", "--out", "s", "--size", "100x100x100"], "is not height x width"),
        (["info"], "Missing"),
        (["draw"], "draw"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(fails, args, message):
    error = fails(*args, code=2)
    assert message in error and "--help" in error


def test_version_is_printed(run):
    assert run("--version") == (0, f"singan {singan.__version__}\n", "")


@pytest.mark.parametrize("args", [[], ["--help"]])
def test_help_lists_the_commands(run, args):
    code, out, err = run(*args)
    assert (code, err) == (0, "")
    assert all(command in out for command in ("train", "sample", "info"))


def test_error_of_ours_shows_no_traceback_as_a_process(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "singan", "info", str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(r"singan: [^\n]+\n", done.stderr)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names of files are Unicode there")
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_names_that_the_terminal_cannot_show_stop_nothing(trained, tmp_path, encoding):
    """Two commands in one process, which takes seconds to import what it needs: one in words, one in JSON."""
    outs = [tmp_path / os.fsdecode(f"湖-{k}-".encode() + b"\xff.png") for k in range(2)]
    sample = ["sample", str(trained), "--n", "1", "--out"]
    code = "import sys; from singan.cli import main; *both, a, b = sys.argv[1:]; "
    code += "first = main([*both, a]); print('then', flush=True); sys.exit(first or main([*both, b, '--json']))"
    done = subprocess.run(
        [sys.executable, "-c", code, *sample, *map(str, outs)],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, b"") and all(out.exists() for out in outs)
    words, _, in_json = done.stdout.partition(b"then\n")
    assert words and json.loads(in_json.decode("ascii"))["samples"] == [str(outs[1])]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.\nGPU 0 has 7 GiB."),
            "The GPU has too little memory (CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has 7 GiB.): "
            "ask for less or smaller pictures, or set SINGAN_DEVICE=cpu.",
        ),
        (
            RuntimeError("[enforce fail] . DefaultCPUAllocator: can't allocate memory"),
            "This machine has too little memory ([enforce fail] . DefaultCPUAllocator: can't allocate memory): ask for "
            "less or smaller pictures.",
        ),
        (MemoryError(), "This machine has too little memory (MemoryError): ask for less or smaller pictures."),
        (OSError("full"), "full"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_there_is_no_room_for_is_one_line(fails, monkeypatch, trained, error, told):
    def full(*args, **kwargs):
        raise error

    monkeypatch.setattr("singan.model.SinGAN.from_pretrained", full)
    assert fails("info", trained) == f"singan: {told}\n"
    monkeypatch.setattr("singan.cli.print_json", full if isinstance(error, OSError) else lambda result: None)
    assert main(["info", str(trained), "--json"]) == 1


def test_mistake_of_ours_is_not_passed_off_as_the_users(monkeypatch, trained):
    def broken(*args, **kwargs):
        raise ZeroDivisionError

    monkeypatch.setattr("singan.model.SinGAN.from_pretrained", broken)
    with pytest.raises(ZeroDivisionError):
        main(["info", str(trained)])


# --- models and the app ---------------------------------------------------------------------------


def test_models_that_come_along_or_were_downloaded_are_listed(run, hub_server, trained, tmp_path):
    singan.SinGAN.from_pretrained(trained).push_to_hub("alice/tiles")
    singan.SinGAN.from_pretrained("alice/tiles")
    code, out, err = run("models")
    lines = dict(line.split(": ", 1) for line in out.splitlines())
    assert (code, err) == (0, "") and lines["skyline"] == "576x1024 px, fast, comes along"
    assert lines["alice/tiles"] == "30x40 px, own settings, downloaded from the Hub"
    known = json.loads(run("models", "--json")[1])["models"]
    assert {model["name"] for model in known} == set(lines)


def test_app_is_started_on_the_models_that_come_along(run, monkeypatch, tmp_path):
    import singan.ui

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))  # which the command would set for good

    started = {}
    monkeypatch.setattr(singan.ui, "build_app", lambda folder: started.update(folder=folder) or Launched())

    class Launched:
        def launch(self, **options):
            started.update(options)

    assert run("app", "--port", "7999", "--no-browser") == (0, "", "")
    assert (started["folder"] / "skyline" / "config.json").exists()
    assert (started["server_name"], started["server_port"], started["inbrowser"]) == ("127.0.0.1", 7999, False)
    assert started["max_file_size"] == "20mb"


def test_app_says_where_it_cannot_be(fails, monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    for port in ("99999", "0", "-1"):
        assert "'--port'" in fails("app", "--port", port, code=2)
    instead = "is no address of this machine: choose another --port or --host.\n"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert fails("app", "--port", port) == f"singan: Port {port} is taken, or 127.0.0.1 {instead}"
    assert fails("app", "--host", "nowhere.invalid").endswith(f" nowhere.invalid {instead}")
    monkeypatch.setattr("singan.ui.build_app", Mock(return_value=Mock(launch=Mock(side_effect=OSError))))
    assert fails("app") == f"singan: Each port that was tried is taken, or 127.0.0.1 {instead}"


def test_every_command_shows_an_example(run):
    commands = re.findall(r"^  (\w+)  ", run("--help")[1].partition("Commands:")[2], re.MULTILINE)
    assert len(commands) > 15
    for command in commands:
        assert re.search(rf"Example: singan {command}\b", run(command, "--help")[1]), command


def test_without_out_a_model_is_called_after_its_photo(run, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("draft", photo)[0] == run("sample", "photo", "--n", "1")[0] == 0
    assert files(tmp_path / "samples") == ["sample-0.png"] and (tmp_path / "photo" / "config.json").exists()
    assert run("sample", photo, "--n", "1", "--out", "more")[0] == 0  # of the photo itself
    assert (tmp_path / "more" / "sample-0.png").read_bytes() == (tmp_path / "samples" / "sample-0.png").read_bytes()


def test_shipped_model_is_pushed_by_its_name(run, hub_server):
    code, out, _ = run("push", "skyline", "alice/skyline")
    assert code == 0 and out.startswith("Pushed: ")
    assert "alice/skyline" in hub_server.repositories


def test_what_is_said_of_a_training_is_a_note(run, tmp_path):
    Image.effect_noise((250, 141), 80).convert("RGB").save(tmp_path / "wide.png")
    code, out, err = run("train", tmp_path / "wide.png", "--out", tmp_path / "m", "--max-size", "60", "--steps", "1")
    assert (code, err) == (0, "") and "Note: The image is learned at 89x50 px, over max_size 60" in out
