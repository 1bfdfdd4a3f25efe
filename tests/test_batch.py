"""`singan batch` on one machine: what is done, what is skipped, what is refused, and what a killed batch leaves."""

import glob
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import singan
from singan.batch.items import Item, find_items
from singan.batch.manifest import HEADER, MANIFEST, open_manifest
from singan.batch.run import Batch, one_after_another, run
from singan.batch.work import Input, Outcome, Task, perform
from singan.cli import main
from singan.cli.batch import EXAMPLES
from singan.errors import CheckpointError, ConfigError, ImageError, Interrupted

TINY = ["--max-size", "40", "--steps", "2", "--threads", "1"]


def paint(path: Path, seed: int = 0, size: tuple[int, int] = (40, 30)) -> Path:
    """A small smooth picture at that path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8)
    Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def photos(tmp_path, monkeypatch) -> Path:
    """Three pictures in photos/, of which the second is too small to be learned, in the directory that we are in."""
    monkeypatch.chdir(tmp_path)
    paint(tmp_path / "photos" / "a.png", 1)
    Image.new("RGB", (12, 9)).save(tmp_path / "photos" / "b.png")
    paint(tmp_path / "photos" / "c.jpg", 3)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    return tmp_path / "photos"


@pytest.fixture
def batch(capsys):
    """Run `singan batch ... --json`: exit code and what it printed."""

    def call(*args: object) -> tuple[int, dict]:
        capsys.readouterr()
        code = main(["batch", *map(str, args), "--json"])
        return code, json.loads(capsys.readouterr().out)

    return call


def records(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / MANIFEST).read_text().splitlines()[1:]]


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


# --- which pictures, and what their results are called --------------------------------------------


def names(patterns, models=False) -> dict[str, str]:
    return {item.name: Path(item.source).as_posix() for item in find_items(patterns, models)}


def test_a_folder_gives_the_pictures_right_in_it(photos):
    paint(photos / "more" / "d.png")
    assert names(["photos"]) == {"a": "photos/a.png", "b": "photos/b.png", "c": "photos/c.jpg"}


def test_a_glob_keeps_the_folders_that_it_found_pictures_in(photos):
    paint(photos / "one" / "a.png")
    paint(photos / "two" / "deep" / "a.jpg")
    paint(photos / ".hidden" / "a.jpg")
    found = names(["photos/**/*.*"])
    assert sorted(found) == ["a", "b", "c", "one/a", "two/deep/a"]
    assert found["two/deep/a"] == "photos/two/deep/a.jpg"
    assert sorted(names(["photos/*/a.png"])) == ["one/a"]


def test_the_same_file_twice_is_one_and_two_files_of_one_name_are_refused(photos):
    assert list(names(["photos/a.png", "photos/*.png", "photos"])) == ["a", "b", "c"]
    paint(photos / "more" / "a.png")
    with pytest.raises(ConfigError, match=r"photos/a\.png and photos/more/a\.png would both be called a: rename one"):
        find_items(["photos/a.png", "photos/more/a.png"], False)
    paint(photos / "a.jpg")
    with pytest.raises(ConfigError, match="would both be called a"):
        find_items(["photos"], False)


def test_models_are_found_in_folders_and_by_name(photos):
    singan.draft(photos / "a.png").save_pretrained(photos.parent / "models" / "first")
    singan.draft(photos / "c.jpg").save_pretrained(photos.parent / "models" / "deep" / "second")
    assert names(["models"], True) == {"first": "models/first"}
    assert names(["models/**"], True) == {"first": "models/first", "deep/second": "models/deep/second"}
    assert names(["models/first", "skyline", "someone/lake"], True) == {
        "first": "models/first", "skyline": "skyline", "lake": "someone/lake",
    }  # fmt: skip
    with pytest.raises(ConfigError, match="models holds no picture: check the path"):
        find_items(["models"], False)


@pytest.mark.parametrize("models", [False, True])
def test_what_is_not_there_is_said_at_once(photos, models):
    for pattern in ("photos/z.png", "nowhere", "nowhere/at/all"):
        with pytest.raises(ImageError, match=f"{pattern} does not exist; check the path"):
            find_items(["photos", pattern], models)
    with pytest.raises(ConfigError, match=r"photos/\*\.gif holds no picture"):
        find_items(["photos/*.gif"], models)


@pytest.mark.parametrize("name", ["manifest.jsonl.png", ".hidden.png", "...png"])
def test_no_result_takes_the_place_of_the_manifest_or_is_hidden(photos, name):
    (photos / name).write_bytes(b"")
    with pytest.raises(ConfigError, match="cannot be called"):
        find_items([f"photos/{name}"], False)


# --- what a batch does ----------------------------------------------------------------------------


def test_each_result_is_that_of_the_single_command_and_errors_stop_nothing(photos, batch):
    code, told = batch("train", "photos", "--out", "models", "--seed", "4", *TINY)
    assert code == 1 and told["done"] == ["a", "c"] and told["skipped"] == [] and list(told["failed"]) == ["b"]
    assert told["failed"]["b"].startswith("photos/b.png is 12x9 px; SinGAN needs at least 25 px")
    assert main(["train", "photos/a.png", "--out", "alone/a", "--seed", "4", *TINY[:-2], "--json"]) == 0
    assert weights(Path("models/a")) == weights(Path("alone/a"))
    assert singan.SinGAN.from_pretrained("models/c").image_size == (30, 40)
    assert sorted(path.name for path in Path("models").iterdir()) == ["a", "c", MANIFEST]


def test_the_manifest_tells_of_seed_seconds_and_errors(photos, batch):
    batch("train", "photos", "--out", "models", "--seed", "4", *TINY)
    begun_a, a, begun_b, b, *_ = records(Path("models"))
    assert (begun_a["status"], a["status"], b["status"]) == ("begun", "done", "failed")
    assert a["seed"] == 4 and a["seconds"] > 0 and a["error"] is None and a["command"] == "train"
    assert a["options"]["max_size"] == 40 and a["options"]["steps"] == 2
    assert a["files"] == ["a/README.md", "a/config.json", "a/model.safetensors", "a/preview.png"]
    assert a["machine"].endswith("1 thread") and a["singan"] == singan.__version__ and a["node"]
    assert b["error"].startswith("photos/b.png is 12x9 px") and b["files"] == []
    assert a["warnings"] == begun_b["warnings"] == []


def test_run_again_it_does_nothing_twice_and_what_failed_only_if_asked(photos, batch):
    batch("draft", "photos", "--out", "models")
    before = {path: path.stat().st_mtime_ns for path in Path("models").rglob("*")}
    code, told = batch("draft", "photos", "--out", "models")
    assert (code, told["done"], told["skipped"], list(told["failed"])) == (1, [], ["a", "c"], ["b"])
    assert {path: path.stat().st_mtime_ns for path in Path("models").rglob("*")} == before
    paint(photos / "d.png", 4)
    os.utime(photos / "a.png")  # copied, say: its contents are the same
    code, told = batch("draft", "photos", "--out", "models", "--retry")
    assert (code, told["done"], told["skipped"], list(told["failed"])) == (1, ["d"], ["a", "c"], ["b"])
    paint(photos / "b.png", 2)  # mended: it is another picture
    code, told = batch("draft", "photos", "--out", "models")
    assert (code, told["done"], told["skipped"], told["failed"]) == (0, ["b"], ["a", "c", "d"], {})


def test_a_result_that_is_gone_is_made_again(photos, batch):
    batch("draft", "photos", "--out", "models")
    before = weights(Path("models/c"))
    Path("models/c/model.safetensors").unlink()
    assert batch("draft", "photos", "--out", "models")[1]["done"] == ["c"]
    assert weights(Path("models/c")) == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--seed", "1"], "a in models was made with seed 0, not 1"),
        (["--photo-size", "32"], "a in models was made with photo_size None, not 32"),
    ],
)
def test_results_of_other_settings_are_not_mixed(photos, batch, change, message):
    batch("draft", "photos", "--out", "models")
    before = Path("models/a/config.json").read_bytes()
    code, told = batch("draft", "photos", "--out", "models", *change)
    assert code == 1 and told["error"] == f"{message}: choose another --out, or replace it with --force."
    assert Path("models/a/config.json").read_bytes() == before
    assert batch("draft", "photos", "--out", "models", *change, "--force")[1]["done"] == ["a", "c"]
    assert Path("models/a/config.json").read_bytes() != before
    assert batch("draft", "photos", "--out", "models", *change, "--force")[1]["skipped"] == ["a", "c"]


def test_results_of_another_command_or_of_a_photo_that_changed_are_not_mixed(photos, batch):
    batch("draft", "photos", "--out", "models")
    assert "was made with singan draft: choose" in batch("train", "photos", "--out", "models")[1]["error"]
    paint(photos / "a.png", 9)
    error = batch("draft", "photos", "--out", "models")[1]["error"]
    assert error.startswith("a in models was made with another photos/a.png, which has changed since: choose")


def test_what_others_put_there_is_not_replaced_without_force(photos, batch):
    singan.draft(photos / "c.jpg", seed=5).save_pretrained("models/a")
    before = Path("models/a/config.json").read_bytes()
    code, told = batch("draft", "photos", "--out", "models")
    assert (code, told["error"]) == (
        1,
        "models/a exists and is not this batch's: choose another --out, or replace it with --force.",
    )
    assert Path("models/a/config.json").read_bytes() == before
    assert batch("draft", "photos", "--out", "models", "--force")[1]["done"] == ["a", "c"]
    assert Path("models/a/config.json").read_bytes() != before


@pytest.mark.parametrize("retry", [True, False])
@pytest.mark.parametrize("made", ["large/b.png", "large/b-1.png"])
def test_what_somebody_made_where_the_batch_failed_is_not_replaced_without_force(photos, batch, made, retry):
    once = ["fill", "photos", "--extend", "10%", "--out", "large"]
    (photos / "b.png").write_text("no picture")
    assert list(batch(*once)[1]["failed"]) == ["b"]
    before = paint(Path(made), 7).read_bytes()
    assert list(batch(*once)[1]["failed"]) == ["b"]  # nothing would be replaced
    if not retry:
        paint(photos / "b.png", 2)
    error = batch(*once, *["--retry"] * retry)[1]["error"]
    assert error.startswith("large/b.png exists and is not this batch's") and Path(made).read_bytes() == before
    paint(photos / "b.png", 2)
    assert batch(*once, "--retry", "--force")[1]["done"] == ["b"]


def test_a_numbered_result_of_others_counts_as_one(photos, batch):
    paint(Path("large/a-2.png"))
    assert batch("fill", "photos", "--extend", "10%", "--out", "large")[1]["error"].startswith("large/a.png exists")


def test_a_photo_whose_name_is_anothers_with_a_number_is_in_nobodys_way(photos, batch):
    """The one with the number comes first, and the batch was killed after it."""
    paint(photos / "a-2.png", 5)
    for command, ending in ((["draft"], ""), (["fill", "--extend", "10%"], ".png")):
        done = [command[0], "photos/a-2.png", *command[1:], "--out", command[0]]
        assert batch(*done)[1]["done"] == ["a-2"]
        told = batch(command[0], "photos/a-2.png", "photos/a.png", *command[1:], "--out", command[0])[1]
        assert (told["done"], told["skipped"]) == (["a"], ["a-2"])
        assert Path(command[0], f"a{ending}").exists()


def test_a_numbered_result_of_the_batch_is_not_replaced_by_another_of_that_name(photos, batch):
    paint(photos / "a-2.png", 5)
    assert batch("fill", "photos/a.png", "--extend", "10%", "--n", "3", "--out", "large")[1]["done"] == ["a"]
    told = batch("fill", "photos/a-2.png", "--extend", "10%", "--out", "large")[1]
    assert told["error"].startswith("large/a-2.png exists")


def test_a_card_that_was_written_by_hand_stays(photos, batch):
    batch("draft", "photos", "--out", "models")
    Path("models/a/README.md").write_text("mine")
    batch("draft", "photos", "--out", "models", "--seed", "1", "--force")
    assert Path("models/a/README.md").read_text() == "mine"
    assert singan.SinGAN.from_pretrained("models/a").info["seed"] == 1


def test_forced_results_of_other_settings_leave_none_of_before_and_all_that_is_others(photos, batch):
    batch("draft", "photos/a.png", "--out", "models")
    batch("sample", "models", "--out", "many", "--n", "4")
    paint(Path("many/a/mine.png"))
    batch("sample", "models", "--out", "many", "--n", "2", "--variation", ".9", "--force")
    assert sorted(path.name for path in Path("many/a").iterdir()) == ["mine.png", "sample-0.png", "sample-1.png"]
    paint(photos / "a-2.png", 5)
    filled = ["--extend", "10%", "--out", "large", "--force"]
    batch("fill", "photos/a.png", *filled, "--n", "4")
    batch("fill", "photos/a-2.png", *filled)  # which is another's now
    (photos / "a.png").rename("good.png")
    (photos / "a.png").write_text("no picture")
    assert list(batch("fill", "photos/a.png", *filled)[1]["failed"]) == ["a"]
    assert {path.name for path in Path("large").iterdir()} == {MANIFEST, *(f"a-{k}.png" for k in range(4))}
    Path("good.png").replace(photos / "a.png")
    batch("fill", "photos/a.png", *filled, "--format", "jpg")
    assert sorted(path.name for path in Path("large").iterdir()) == ["a-2.png", "a.jpg", MANIFEST]


def test_a_folder_that_is_a_file_now_goes_but_not_a_card_written_by_hand_or_what_is_elsewhere(photos, batch):
    batch("draft", "photos", "--out", "models")
    Path("models/a/README.md").write_text("mine")
    Path("models/c").rename("elsewhere")
    Path("models/c").symlink_to(Path("elsewhere").absolute(), target_is_directory=True)
    paint(photos / "b.png", 2)
    batch("draft", "photos/b.png", "--out", "models", "--force")
    assert batch("fill", "photos", "--extend", "10%", "--out", "models", "--force")[1]["done"] == ["a", "b", "c"]
    assert sorted(path.name for path in Path("models").iterdir()) == ["a", "a.png", "b.png", "c", "c.png", MANIFEST]
    assert [path.name for path in Path("models/a").iterdir()] == ["README.md"]
    assert len(list(Path("elsewhere").iterdir())) == 4


def test_samples_of_many_models_are_those_of_the_single_command(photos, batch):
    batch("draft", "photos", "--out", "models")
    code, told = batch("sample", "models", "--out", "samples", "--n", "2", "--seed", "3")
    assert (code, told["done"]) == (0, ["a", "c"])
    assert main(["sample", "models/c", "--n", "2", "--seed", "3", "--out", "alone", "--json"]) == 0
    for name in ("sample-3.png", "sample-4.png"):
        assert Path("samples/c", name).read_bytes() == Path("alone", name).read_bytes()


def test_a_task_takes_a_model_and_a_mask_called_after_each_picture(photos, batch):
    mask = Image.new("L", (40, 30))
    mask.paste(255, (10, 10, 20, 20))
    for name in "ac":
        Path("masks").mkdir(exist_ok=True)
        mask.save(f"masks/{name}.png")
    (photos / "b.png").unlink()
    code, told = batch(
        "harmonize", "{}", "--each", "photos/*", "--mask", "masks/{name}.png", "--out", "done", "--format", "webp"
    )
    assert (code, told["done"]) == (0, ["a", "c"])
    alone = ["harmonize", "photos/c.jpg", "photos/c.jpg", "--mask", "masks/c.png", "--out", "alone.webp", "--json"]
    assert main(alone) == 0
    assert Path("done/c.webp").read_bytes() == Path("alone.webp").read_bytes()
    assert batch("harmonize", "photos/a.png", "--each", "photos/c.jpg", "--mask", "no.png", "--out", "no")[1][
        "failed"
    ] == {"c": "The mask no.png does not exist; check the path."}


def test_lines_tell_of_progress_and_of_errors(photos, capsys):
    assert main(["batch", "draft", "photos", "--out", "models"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("a: done in ") and lines[0].endswith(" s (1 of 3)")
    assert lines[1].startswith("b: failed: photos/b.png is 12x9 px")
    assert re.fullmatch(r"2 done in \d+:\d\d, 1 failed: models", lines[3])
    assert lines[4].startswith("  b: photos/b.png is 12x9 px") and "--retry" in lines[5]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--out", "models"], 2, "name some pictures, or folders or globs of them"),
        (["photos"], 2, "--out"),
        (["photos", "--out", "models", "--gpus", ".5"], 1, "--gpus shares GPUs among workers"),
        (["photos", "--out", "models", "--threads", "0"], 2, "--threads"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_done(photos, capsys, args, code, message):
    assert main(["batch", "draft", *args]) == code
    assert message in capsys.readouterr().err
    assert not Path("models").exists()


def test_without_ray_workers_are_refused_and_the_cure_is_named(photos, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["batch", "draft", "photos", "--out", "models", "--workers", "2"]) == 1
    assert "need Ray: pip install 'ray>=2.40,<3'" in capsys.readouterr().err


def test_documentation_names_options_that_there_are(capsys):
    text = (Path(__file__).parent.parent / "docs" / "scale.md").read_text()
    assert (
        main(["batch", "harmonize", "--help"])
        == main(["batch", "sr", "--help"])
        == main(["batch", "train", "--help"])
        == 0
    )
    told = capsys.readouterr().out
    of_ray = {"--head", "--address"}
    named = set(re.findall(r"(?<![\w-])--[a-z]+", text))
    assert len(named) > 10 and [option for option in sorted(named - of_ray) if f"{option} " not in told] == ["--n"]


@pytest.mark.parametrize("example", EXAMPLES.values())
def test_examples_parse(example, monkeypatch, tmp_path, capsys):
    """They are complete: what stops them is that the pictures are not there."""
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split(example)[1:]) == 1
    assert re.search(r"singan: \S+ (does not exist|holds no picture)", capsys.readouterr().err), example


def test_folder_of_checkpoints_is_the_same_wherever_a_worker_is(photos, monkeypatch):
    seen = []
    monkeypatch.setattr("singan.cli.batch._run", lambda batch, items, given: seen.append(batch.kept) or 0)
    assert main(["batch", "train", "photos", "--out", "models", "--checkpoints", "runs"]) == 0
    assert seen == [Path.cwd() / "runs"]


# --- a batch that is broken off -------------------------------------------------------------------


def test_a_killed_batch_goes_on_and_loses_nothing(photos, batch):
    """Killed in the middle of the second picture, whose training goes on where it was."""
    (photos / "b.png").unlink()
    long = ["train", "photos", "--out", "models", "--max-size", "40", "--steps", "40", "--threads", "1"]
    process = subprocess.Popen([sys.executable, "-m", "singan", "batch", *long])
    end = time.monotonic() + 120
    while not glob.glob("models/.work/*/out/c/checkpoint/state.safetensors"):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = Path("models/a/config.json").stat().st_mtime_ns
    assert batch(*long)[1]["done"] == ["c"]
    assert Path("models/a/config.json").stat().st_mtime_ns == before
    for name in ("a.png", "c.jpg"):
        assert main(["train", f"photos/{name}", "--out", f"alone/{name[0]}", *long[4:8], "--json"]) == 0
        assert weights(Path("models", name[0])) == weights(Path("alone", name[0]))
    states = [(record["name"], record["status"]) for record in records(Path("models"))]
    assert states == [("a", "begun"), ("a", "done"), ("c", "begun"), ("c", "begun"), ("c", "done")]
    assert sorted(path.name for path in Path("models").iterdir()) == ["a", "c", MANIFEST]


def test_a_batch_killed_between_saving_and_writing_it_down_does_that_one_again(photos, batch):
    batch("draft", "photos/a.png", "--out", "models")
    before = weights(Path("models/a"))
    lines = Path("models", MANIFEST).read_bytes().splitlines(keepends=True)
    Path("models", MANIFEST).write_bytes(b"".join(lines[:-1]))
    assert batch("draft", "photos/a.png", "--out", "models")[1]["done"] == ["a"]  # without --force: it is its own
    assert weights(Path("models/a")) == before


def interrupted(options, out, *, after_begin=None):
    """A batch of one picture whose command is broken off."""

    def command(**given: object) -> None:
        if after_begin:
            after_begin(given)
        raise KeyboardInterrupt

    return Batch("train", command, options, "image", ["image"], "", out, 1, out / ".work")


def test_ctrl_c_says_how_far_it_came(photos):
    batch = interrupted({}, Path("models"))
    with pytest.raises(
        Interrupted, match="Interrupted: 0 of 1 are finished, and the same command goes on with the rest"
    ):
        run(batch, [Item("photos/a.png", "a")], one_after_another)
    assert [record["status"] for record in records(Path("models"))] == ["begun"]


def test_ctrl_c_in_training_keeps_what_was_learned_and_exits_with_130(photos, monkeypatch, capsys):
    from singan.training.step import ScaleTrainer

    step, count = ScaleTrainer.step, []

    def breaks(self):
        count.append(0)
        if len(count) == 5:
            raise KeyboardInterrupt
        return step(self)

    (photos / "b.png").unlink()
    args = ["batch", "train", "photos", "--out", "models", "--max-size", "40", "--steps", "8", "--threads", "1"]
    monkeypatch.setattr(ScaleTrainer, "step", breaks)
    monkeypatch.setattr("singan.training.loop.CHECKPOINT_SECONDS", 0.0)
    assert main(args) == 130
    assert "Interrupted: 0 of 2 are finished" in capsys.readouterr().err
    assert list(Path("models/.work").rglob("state.safetensors"))
    monkeypatch.setattr(ScaleTrainer, "step", lambda self: count.append(0) or step(self))
    count.clear()
    assert main(args) == 0
    assert len(count) == 2 * 8 - 4  # the steps that were taken before are not taken again
    main(["train", "photos/a.png", "--out", "alone", "--max-size", "40", "--steps", "8", "--json"])
    assert weights(Path("models/a")) == weights(Path("alone"))


def test_a_run_under_way_with_other_settings_is_started_anew(photos, batch):
    one = interrupted(
        {"seed": 7}, Path("models"), after_begin=lambda given: paint(given["out"] / "checkpoint" / "x.png")
    )
    with pytest.raises(Interrupted):
        run(one, [Item("photos/a.png", "a")], one_after_another)
    assert list(Path("models/.work").rglob("x.png"))
    assert batch("train", "photos/a.png", "--out", "models", *TINY)[1]["done"] == ["a"]
    assert not Path("models/.work").exists()


def test_scales_that_were_finished_before_an_error_are_kept(photos):
    def command(out: Path, image: Path, as_json: bool) -> None:
        singan.draft(image).save_pretrained(out)
        raise singan.TrainingError(f"It diverged. What was finished before is saved in {out}.")

    batch = Batch("train", command, {}, "image", ["image"], "", Path("models"), 1, None)
    report = run(batch, [Item(str(photos / "a.png"), "a")], one_after_another)
    assert report.failed == {"a": "It diverged. What was finished before is saved in a."}
    assert run(batch, [Item(str(photos / "a.png"), "a")], one_after_another, retry=True).failed == report.failed
    assert singan.SinGAN.from_pretrained("models/a").image_size == (30, 40)


def test_a_picture_that_goes_away_meanwhile_fails_alone(photos):
    def command(out: Path, image: Path, as_json: bool) -> None:
        (photos / "c.jpg").unlink(missing_ok=True)
        (photos / "c.jpg").mkdir()
        (photos / "c.jpg" / "config.json").mkdir()
        singan.draft(image).save_pretrained(out)

    batch = Batch("train", command, {}, "image", ["image"], "", Path("models"), 1, None)
    items = [Item("photos/a.png", "a"), Item("photos/c.jpg", "c")]
    report = run(batch, items, one_after_another)
    assert report.done == ["a"] and list(report.failed) == ["c"]


def test_two_batches_at_once_in_one_folder_are_refused(photos, batch):
    with open_manifest(Path("models")):
        error = batch("draft", "photos", "--out", "models")[1]["error"]
    assert error == "Another batch is at work in models: wait for it, or choose another --out."
    assert batch("draft", "photos", "--out", "models")[1]["done"] == ["a", "c"]


# --- one task -------------------------------------------------------------------------------------


def test_a_task_needs_nothing_but_what_it_carries(photos):
    def command(image: Path, out: Path, as_json: bool) -> None:
        assert image.name == "a.png" and photos not in image.parents
        singan.draft(image).save_pretrained(out)
        print(json.dumps({"warnings": [f"{image} is fine"]}))  # noqa: T201

    given = Input.read("photos/a.png")
    outcome = perform(Task("a", command, {"image": Path("photos/a.png")}, {"image": given}, "deep/a", 1))
    assert outcome.error is None and outcome.warnings == ["photos/a.png is fine"]
    assert set(outcome.files) == {
        f"deep/a/{n}" for n in ("README.md", "config.json", "model.safetensors", "preview.png")
    }
    assert b"# a\n" in outcome.files["deep/a/README.md"]


def test_a_picture_called_checkpoint_keeps_its_results(photos, batch):
    paint(photos / "checkpoint.png")
    assert batch("draft", "photos/checkpoint.png", "--out", "models")[1]["done"] == ["checkpoint"]
    assert Path("models/checkpoint/config.json").is_file()


def test_another_version_on_a_machine_is_an_error():
    outcome = perform(Task("a", lambda: None, {}, {}, "a", 1, version="99"))
    assert f"has singan {singan.__version__}, not 99: install the same" in outcome.error


def test_a_mistake_of_ours_is_told_and_stops_nothing(photos):
    def command(**given: object) -> None:
        raise ZeroDivisionError

    batch = Batch("train", command, {}, "image", ["image"], "", Path("models"), 1, None)
    items = [Item("photos/a.png", "a"), Item("photos/c.jpg", "c")]
    assert run(batch, items, one_after_another).failed == {"a": "ZeroDivisionError", "c": "ZeroDivisionError"}


def test_a_result_outside_the_folder_is_refused(photos):
    def work(tasks):
        for task in tasks:
            yield task.name, Outcome({"../evil.png": b"x"})

    batch = Batch("sr", print, {}, "source", ["source"], ".png", Path("models"), 1, None)
    with pytest.raises(ValueError, match="leads out of the folder"):
        run(batch, [Item("photos/a.png", "a")], work)
    assert not Path("evil.png").exists()


# --- the manifest is not believed -----------------------------------------------------------------


def test_half_a_line_of_a_killed_writer_is_dropped(photos, batch):
    batch("draft", "photos/a.png", "--out", "models")
    whole = Path("models", MANIFEST).read_bytes()
    Path("models", MANIFEST).write_bytes(whole + b'{"name": "c", "sta')
    assert batch("draft", "photos", "--out", "models")[1]["skipped"] == ["a"]
    assert Path("models", MANIFEST).read_bytes().startswith(whole + b'{"name": "b", "status": "begun"')


def good(**changes: object) -> bytes:
    record = {"name": "a", "status": "done", "command": "draft", "options": {}, "inputs": {}, "time": "2026-11-26"}
    record |= {"seed": 0, "seconds": 1.5, "error": None, "warnings": [], "files": ["a/config.json"]}
    record |= {"machine": None, "node": None, "singan": None}
    return json.dumps(HEADER).encode() + b"\n" + json.dumps(record | changes).encode() + b"\n"


def test_a_good_manifest_is_read(tmp_path):
    (tmp_path / MANIFEST).write_bytes(good())
    with open_manifest(tmp_path) as manifest:
        assert manifest.records["a"].files == ["a/config.json"]


@pytest.mark.parametrize(
    "content",
    [
        b"my own notes",
        b"my own notes\n",
        b'{"format": "something else"}\n',
        json.dumps({**HEADER, "version": 2}).encode() + b"\n",
        good() + b"nonsense\n",
        good() + b"[" * 100_000 + b"\n",
        good() + b"[1]\n",
        good() + b"\xff\xfe\n",
        good(status="perfect"),
        good(name="../a"),
        good(name="/etc/passwd"),
        good(name=3),
        good(files=["../../etc/passwd"]),
        good(files="a"),
        good(files=[["a"]]),
        good(options=[]),
        good(seconds="1"),
        good(seed=[0]),
        good(error=1),
        good(name=""),
    ],
)
def test_a_damaged_or_hostile_manifest_is_refused_and_left_as_it_is(tmp_path, content):
    (tmp_path / MANIFEST).write_bytes(content)
    with (
        pytest.raises(CheckpointError, match=r"is no manifest of a batch, or is damaged \(line \d"),
        open_manifest(tmp_path),
    ):
        pass
    assert (tmp_path / MANIFEST).read_bytes() == content


def test_a_manifest_of_many_gigabytes_is_not_read(tmp_path):
    with open(tmp_path / MANIFEST, "wb") as file:
        file.truncate(3_000_000_000)
    with pytest.raises(CheckpointError, match="bytes, which no batch is"), open_manifest(tmp_path):
        pass
