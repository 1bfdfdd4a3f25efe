"""The commands of the tasks, run for real on a tiny model."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import singan
from singan import TrainConfig
from singan.cli import main
from singan.cli.results import parse_scale


@pytest.fixture(scope="module")
def model_dir(tiny_model, tiny_config, tiny_picture, tmp_path_factory) -> Path:
    """A model; beside it, called "whole", one with a generator at every scale."""
    plain = replace(
        tiny_config, steps=(2,), generators=None, voting_rounds=(0,), place_prior=0.0, displacement=0.0, field=False
    )
    folder = tmp_path_factory.mktemp("model")
    singan.train(tiny_picture, plain, seed=1).save_pretrained(folder / "whole")
    return tiny_model.save_pretrained(folder / "m")


@pytest.fixture(scope="module")
def pictures(tiny_picture, tmp_path_factory) -> Path:
    """A directory with photo.png, composite.png, mask.png and noisy.png."""
    folder = tmp_path_factory.mktemp("pictures")
    tiny_picture.save(folder / "photo.png")
    composite, mask = tiny_picture.copy(), Image.new("L", (70, 54))
    for image, colour in ((composite, (250, 20, 200)), (mask, 255)):
        image.paste(colour, (20, 15, 40, 35))
    composite.save(folder / "composite.png")
    mask.save(folder / "mask.png")
    noise = np.random.default_rng(0).integers(-30, 31, (54, 70, 3))
    Image.fromarray((np.asarray(tiny_picture) + noise).clip(0, 255).astype(np.uint8)).save(folder / "noisy.png")
    return folder


@pytest.fixture
def tiny_presets(monkeypatch):
    """Learning a picture for super-resolution takes a moment only."""
    tiny = TrainConfig(steps=2, width=8, critic_width=8, crop_size=40, pool_size=4)
    monkeypatch.setitem(singan.config.PRESETS, "fast", tiny)
    monkeypatch.setattr("singan.tasks.super_resolution.STEPS", 20)


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
        assert (json.loads(out)["code"] == code) if "--json" in args else out == ""
        assert re.fullmatch(r"singan: [^\n]+\n", err)
        return err

    return call


def arguments(command: str, model_dir: Path, pictures: Path) -> list[object]:
    """The shortest command line of each task, but for --out."""
    return {
        "sr": ["sr", model_dir.with_name("whole"), "--factor", "2"],
        "harmonize": ["harmonize", model_dir, pictures / "composite.png", "--scale", "5"],
        "edit": ["edit", model_dir, pictures / "composite.png", "--mask", pictures / "mask.png", "--scale", "5"],
        "paint2image": ["paint2image", model_dir, pictures / "composite.png", "--scale", "5"],
        "animate": ["animate", model_dir, "--frames", "3"],
        "denoise": ["denoise", model_dir, pictures / "noisy.png", "--scale", "5"],
        "retarget": ["retarget", model_dir, "--width", "1.5"],
        "map": ["map", model_dir, "--n", "2"],
    }[command]


STILLS = ["sr", "harmonize", "edit", "paint2image", "denoise", "retarget", "map"]
INJECTIONS = ["harmonize", "edit", "paint2image", "denoise"]


def out_of(command: str, folder: Path) -> Path:
    return folder / ("result.gif" if command == "animate" else "result.png")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("ending", [".jpg", ".jpeg", ".webp", ".JPG"])
def test_results_are_written_as_their_name_ends(run, model_dir, pictures, tmp_path, ending):
    out = tmp_path / f"result{ending}"
    assert run(*arguments("harmonize", model_dir, pictures), "--out", out)[0] == 0
    with Image.open(out) as image:
        kind, facts = image.format, json.loads(image.getexif()[270])  # the description
    assert kind == ("WEBP" if ending == ".webp" else "JPEG")
    assert (facts["task"], facts["scale"], facts["singan"]) == ("harmonize", "5", singan.__version__)


def test_without_out_results_are_called_after_their_picture_and_the_task(
    run, model_dir, pictures, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for command in ("harmonize", "animate", "retarget", "map"):
        assert run(*arguments(command, model_dir, pictures))[0] == 0
    assert run("fill", pictures / "photo.png", "--extend", "20%")[0] == 0
    assert names(tmp_path) == [
        "composite-harmonize.png", "m-animate.webp", "m-map.png", "m-retarget.png", "photo-extend.png",
    ]  # fmt: skip


def test_tasks_take_a_photo_in_place_of_a_model(run, pictures, tmp_path):
    arguments = ["edit", pictures / "photo.png", pictures / "composite.png", "--mask", pictures / "mask.png"]
    assert run(*arguments, "--out", tmp_path / "edit.png")[0] == 0
    with Image.open(tmp_path / "edit.png") as image:
        assert image.size == (70, 54)


# --- what is written ------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [*STILLS, "animate"])
def test_file_is_written_where_asked_and_named_on_stdout(run, model_dir, pictures, tmp_path, command):
    out = out_of(command, tmp_path / "new" / "folder")
    code, stdout, err = run(*arguments(command, model_dir, pictures), "--out", out)
    scale = r" \(scale \d\)" if command in INJECTIONS else ""
    assert (code, err) == (0, "") and re.fullmatch(re.escape(str(out)) + scale, stdout.splitlines()[-1])
    assert names(out.parent) == [out.name]
    with Image.open(out) as image:
        expected = {"sr": (140, 108), "retarget": (105, 54)}.get(command, (70, 54))
        assert image.size == expected


@pytest.mark.parametrize("command", STILLS)
def test_json_is_one_object_that_says_what_the_png_says(run, model_dir, pictures, tmp_path, command):
    out = tmp_path / "result.png"
    code, stdout, err = run(*arguments(command, model_dir, pictures), "--out", out, "--seed", 3, "--json")
    assert (code, err) == (0, "") and stdout.count("\n") == 1
    result = json.loads(stdout)
    extra = {"sr": {"factor"}, "retarget": {"width", "height"}}.get(command, set())
    assert set(result) == {"task", "images", "seconds", "warnings", "singan"} | extra
    assert result["task"] == command and result["singan"] == singan.__version__ and result["seconds"] > 0
    assert len(result["warnings"]) == (command == "sr")  # the model was trained for sampling
    (image,) = result["images"]
    assert image.pop("file") == str(out) and image["seed"] == 3
    with Image.open(out) as saved:
        assert saved.text == {**{name: str(value) for name, value in image.items()}, "singan": singan.__version__}
    keys = {
        "sr": {"task", "factor", "detail", "seed"},
        "paint2image": {"task", "size", "scale", "seed", "misfit", "lost"},
        "denoise": {"task", "times", "scale", "seed", "misfit", "lost"},
        "retarget": {"task", "width", "height", "start_scale", "variation", "seed"},
        "map": {"task", "n", "start_scale", "variation", "seed", "white"},
    }
    assert set(image) == keys.get(command, {"task", "scale", "seed", "misfit", "lost"})


def test_animation_in_json(run, model_dir, tmp_path):
    out = tmp_path / "a.webp"
    code, stdout, err = run("animate", model_dir, "--out", out, "--frames", 3, "--fps", 4, "--seed", 2, "--json")
    result = json.loads(stdout)
    assert (code, err) == (0, "")
    assert set(result) == {"task", "animation", "frames", "fps", "seed", "warnings", "seconds", "singan"}
    assert (result["animation"], result["frames"], result["fps"], result["seed"]) == (str(out), 3, 4, 2)


@pytest.mark.parametrize("command", INJECTIONS)
def test_several_scales_give_numbered_files(run, model_dir, pictures, tmp_path, command):
    args = [*arguments(command, model_dir, pictures), "--scale", "5,4", "--out", tmp_path / "r.png"]
    code, stdout, err = run(*args)
    assert (code, err) == (0, "") and names(tmp_path) == ["r-4.png", "r-5.png"]
    assert stdout.splitlines() == [f"{tmp_path / f'r-{k}.png'} (scale {k})" for k in (4, 5)]
    with Image.open(tmp_path / "r-4.png") as first, Image.open(tmp_path / "r-5.png") as second:
        assert (first.text["scale"], second.text["scale"]) == ("4", "5") and first.tobytes() != second.tobytes()


# --- options reach the task -----------------------------------------------------------------------


def same(path: Path, image: Image.Image) -> bool:
    with Image.open(path) as saved:
        return saved.size == image.size and saved.tobytes() == image.tobytes()


def test_harmonize_takes_its_options_and_finds_the_mask_if_none_is_given(
    run, model_dir, tiny_model, pictures, tmp_path
):
    composite, mask, out = pictures / "composite.png", pictures / "mask.png", tmp_path / "r.png"
    run("harmonize", model_dir, composite, "--out", out, "--scale", "4")
    assert same(out, singan.harmonize(tiny_model, composite, scale=4)[0])
    options = ["--mask", mask, "--scale", "2", "--seed", 3, "--no-voting", "--force"]
    run("harmonize", model_dir, composite, "--out", out, *options)
    assert same(out, singan.harmonize(tiny_model, composite, mask, scale=2, seed=3, voting=False)[0])


def test_edit_takes_its_options(run, model_dir, tiny_model, pictures, tmp_path):
    composite, mask, out = pictures / "composite.png", pictures / "mask.png", tmp_path / "r.png"
    run("edit", model_dir, composite, "--mask", mask, "--out", out, "--scale", "3", "--seed", 1, "--no-voting")
    assert same(out, singan.edit(tiny_model, composite, mask, scale=3, seed=1, voting=False)[0])


def test_paint2image_takes_its_options(run, model_dir, tiny_model, pictures, tmp_path):
    painting, out = pictures / "composite.png", tmp_path / "r.png"
    options = ["--scale", "4", "--seed", 1, "--size", "40x61", "--colors", 3, "--no-voting"]
    run("paint2image", model_dir, painting, "--out", out, *options)
    expected = singan.paint_to_image(tiny_model, painting, scale=4, seed=1, size=(40, 61), colors=3, voting=False)[0]
    assert same(out, expected)


def test_denoise_takes_its_options(run, model_dir, tiny_model, pictures, tmp_path):
    noisy, out = pictures / "noisy.png", tmp_path / "r.png"
    options = ["--scale", "4,5", "--times", 2, "--average", "--seed", 1, "--no-voting"]
    run("denoise", model_dir, noisy, "--out", out, *options)
    assert same(out, singan.denoise(tiny_model, noisy, scale=[4, 5], times=2, average=True, seed=1, voting=False)[0])
    run("denoise", model_dir, "--out", out, "--force")  # of what it learned
    assert same(out, singan.denoise(tiny_model)[0])


def test_retarget_and_map_take_their_options(run, model_dir, tiny_model, tmp_path):
    common, options = (
        ["--start-scale", 1, "--variation", 0.7, "--seed", 2],
        {"start_scale": 1, "variation": 0.7, "seed": 2},
    )
    run("retarget", model_dir, "--out", tmp_path / "r.png", "--width", 1.2, "--height", 0.8, *common)
    assert same(tmp_path / "r.png", singan.retarget(tiny_model, width=1.2, height=0.8, **options)[0])
    run("map", model_dir, "--out", tmp_path / "m.png", "--n", 3, *common)
    assert same(tmp_path / "m.png", singan.variation_map(tiny_model, n=3, **options))


def test_animate_takes_its_options(run, model_dir, tiny_model, tmp_path):
    options = ["--frames", 3, "--fps", 5, "--size", "40x50", "--start-scale", 1, "--alpha", 0.2, "--beta", 0.5]
    run("animate", model_dir, "--out", tmp_path / "a.gif", *options, "--variation", 0.4, "--no-loop", "--seed", 4)
    settings = {"start_scale": 1, "alpha": 0.2, "beta": 0.5, "variation": 0.4, "loop": False, "seed": 4}
    singan.animate(tiny_model, tmp_path / "b.gif", frames=3, fps=5, size=(40, 50), **settings)
    assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


@pytest.mark.parametrize(
    ("text", "scales"), [("auto", "auto"), ("all", "all"), ("2", [2]), ("2,4", [2, 4]), ("4,2,4", [4, 2, 4])]
)
def test_scale_is_a_word_or_numbers(text, scales):
    assert parse_scale(text) == scales


# --- what is there already ------------------------------------------------------------------------


@pytest.mark.parametrize("command", [*STILLS, "animate"])
def test_existing_file_is_not_overwritten_without_force(run, fails, model_dir, pictures, tmp_path, command):
    out = out_of(command, tmp_path)
    out.write_text("mine")
    args = [*arguments(command, model_dir, pictures), "--out", out]
    assert f"{out.name} exists: choose another --out, or replace it with --force" in fails(*args)
    assert out.read_text() == "mine"
    assert run(*args, "--force")[0] == 0
    with Image.open(out):
        assert names(tmp_path) == [out.name]


@pytest.mark.parametrize("scale", ["all", "3,4"])
def test_existing_numbered_file_is_not_overwritten_either(fails, model_dir, pictures, tmp_path, scale):
    (tmp_path / "r-4.png").write_text("mine")
    args = ["denoise", model_dir, pictures / "noisy.png", "--out", tmp_path / "r.png", "--scale", scale]
    assert "r-4.png exists: choose another --out, or replace it with --force" in fails(*args)
    assert names(tmp_path) == ["r-4.png"]


def test_one_scale_writes_one_file_whatever_is_numbered(run, model_dir, pictures, tmp_path):
    (tmp_path / "r-4.png").write_text("mine")
    args = ["denoise", model_dir, pictures / "noisy.png", "--out", tmp_path / "r.png", "--scale", "4"]
    assert run(*args)[0] == 0
    assert (tmp_path / "r-4.png").read_text() == "mine" and names(tmp_path) == ["r-4.png", "r.png"]


def test_files_of_other_names_are_in_nobodys_way(run, model_dir, tmp_path):
    for name in ("r-x.png", "r-4.jpg", "rr-4.png", "r-4.png.txt"):
        (tmp_path / name).write_text("mine")
    assert run("denoise", model_dir, "--out", tmp_path / "r.png")[0] == 0


def test_directory_is_not_a_file_even_with_force(fails, model_dir, tmp_path):
    (tmp_path / "r.png").mkdir()
    assert "r.png exists: choose a file" in fails("denoise", model_dir, "--out", tmp_path / "r.png", "--force")


@pytest.mark.parametrize("command", [*STILLS, "animate"])
def test_refusal_comes_before_the_model_is_read(fails, pictures, tmp_path, command):
    out = out_of(command, tmp_path)
    out.write_text("mine")
    assert "exists" in fails(*arguments(command, tmp_path / "nowhere", pictures), "--out", out)


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", STILLS)
@pytest.mark.parametrize("name", ["r.gif", "r"])
def test_stills_are_files_of_three_kinds(fails, model_dir, pictures, tmp_path, command, name):
    error = fails(*arguments(command, model_dir, pictures), "--out", tmp_path / name)
    assert f"{name} must end in .png or .jpg or .jpeg or .webp: choose such a name for --out" in error


def test_animations_are_files_of_three_kinds(fails, model_dir, tmp_path):
    assert "a.png must end in .webp or .gif or .mp4" in fails("animate", model_dir, "--out", tmp_path / "a.png")


@pytest.mark.parametrize("command", INJECTIONS)
@pytest.mark.parametrize("scale", ["coarse", "1.5", "2,", "-1", "", "1 2"])
def test_bad_scale_is_wrong_usage(fails, model_dir, pictures, tmp_path, command, scale):
    args = [*arguments(command, model_dir, pictures), f"--scale={scale}", "--out", tmp_path / "r.png"]
    error = fails(*args, code=2)
    assert "--scale" in error and f"{scale!r} is not a scale: give a number, several as 2,4, auto or all" in error


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["harmonize", "{model}", "{pictures}/photo.png"], "Nothing in the composite differs from the model's picture"),
        (["harmonize", "{model}", "{pictures}/composite.png", "--scale", "9"], "Injection scale 9 is not there"),
        (["harmonize", "{model}", "{pictures}/nowhere.png"], "The composite nowhere.png does not exist"),
        (
            ["edit", "{model}", "{pictures}/photo.png", "--mask", "{pictures}/nowhere.png"],
            "The mask nowhere.png does not exist",
        ),
        (["paint2image", "{model}", "{pictures}/photo.png", "--colors", "1"], "colors is 1; a palette has 2 to 64"),
        (["denoise", "{model}", "--times", "0"], "times is 0"),
        (["denoise", "{pictures}"], "holds no trained model"),
        (["retarget", "{model}", "--width", "0.1"], "size is 54x7 px"),
        (["retarget", "{model}", "--height", "nan"], "height is nan"),
        (["map", "{model}", "--n", "1"], "n is 1; a map takes 2 to 1000"),
        (["map", "{model}", "--seed", "-1"], "seed is -1"),
        (["sr", "{model}", "--factor", "9"], "factor is 9; it goes from 1 to 8"),
        (["sr", "{pictures}/photo.png", "--factor", "nan"], "factor is nan"),
        (["sr", "{pictures}/nowhere.png"], "nowhere.png does not exist; check the path"),
        (["sr", "{pictures}/nowhere.png", "--save-model", "m"], "nowhere.png does not exist; check the path"),
        (["fill", "{pictures}/nowhere.jpg", "--extend", "20%"], "nowhere.jpg does not exist; check the path"),
        (["denoise", "{pictures}/nowhere"], "There is no model"),
        (["sr", "{model}", "--save-model", "{pictures}/m"], "is a model already: leave out --save-model"),
    ],
)
def test_what_a_task_refuses_is_one_line(fails, model_dir, pictures, tmp_path, args, message):
    args = [arg.format(model=model_dir, pictures=pictures) for arg in args]
    assert message in fails(*args, "--out", tmp_path / "new" / "r.png")
    assert names(tmp_path) == []


@pytest.mark.parametrize(("option", "message"), [(["--fps", "99"], "fps is 99"), (["--alpha", "0"], "alpha is 0;")])
def test_animation_that_is_refused_leaves_no_directory(fails, model_dir, tmp_path, option, message):
    assert message in fails("animate", model_dir, "--out", tmp_path / "new" / "a.gif", *option)
    assert names(tmp_path) == []


@pytest.mark.parametrize("command", ["edit", "harmonize", "paint2image"])
def test_missing_arguments_are_wrong_usage(fails, model_dir, command):
    assert "Missing" in fails(command, model_dir, code=2)


def test_notes_of_a_task_are_printed_or_in_the_json(run, model_dir, pictures, tmp_path):
    with Image.open(pictures / "noisy.png") as noisy:
        noisy.resize((140, 108)).save(tmp_path / "large.png")
    args = ["denoise", model_dir, tmp_path / "large.png", "--scale", "5", "--out", tmp_path / "r.png"]
    note = "The noisy picture is 140x108 px and is resized to the 70x54 px of the training image."
    assert run(*args) == (0, f"Note: {note}\n{tmp_path / 'r.png'} (scale 5)\n", "")
    assert json.loads(run(*args, "--force", "--json")[1])["warnings"] == [note]


# --- fill ------------------------------------------------------------------------------------------


@pytest.fixture
def hole(tmp_path):
    mask = Image.new("L", (70, 54))
    mask.paste(255, (20, 15, 40, 30))
    mask.save(tmp_path / "hole.png")
    return tmp_path / "hole.png"


def test_fill_takes_a_photo_that_nothing_learned(run, pictures, hole, tmp_path):
    out = tmp_path / "f" / "r.png"
    assert run("fill", pictures / "photo.png", "--mask", hole, "--out", out, "--seed", 2) == (0, f"{out}\n", "")
    assert same(out, singan.fill(singan.draft(pictures / "photo.png"), hole, seed=2)[0])


def test_several_fills_are_numbered_by_seed_and_said_in_json(run, pictures, tmp_path):
    args = ["fill", pictures / "photo.png", "--extend", "0,50%,0,10", "--out", tmp_path / "r.png", "--n", 2, "--json"]
    result = json.loads(run(*args)[1])
    assert [Path(one["file"]).name for one in result["images"]] == ["r-0.png", "r-1.png"]
    with Image.open(tmp_path / "r-1.png") as image:
        assert image.size == (70 + 35 + 7, 54) and image.text["right"] == "0.5" and "top" not in image.text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "give one of the two: --mask FILE or --extend 20%"),
        (["--mask", "m.png", "--extend", "20%"], "give one of the two"),
        (["--extend", "wide"], "'wide' is not a share: give one for all sides, as 20%, or top,right,bottom,left"),
        (["--extend", "1%,2%"], "is not a share"),
    ],
)
def test_fill_says_what_it_wants(fails, pictures, tmp_path, options, message):
    assert message in fails("fill", pictures / "photo.png", *options, "--out", tmp_path / "r.png", code=2)


# --- super-resolution of a picture ----------------------------------------------------------------


def test_sr_by_force_starts_again_where_another_run_was_broken_off(run, fails, pictures, tiny_presets, tmp_path):
    kept = tmp_path / "m" / "checkpoint"
    kept.mkdir(parents=True)
    (kept / "state.safetensors").write_text("of another run")
    args = ["sr", pictures / "photo.png", "--factor", 2, "--out", tmp_path / "r.png", "--save-model", tmp_path / "m"]
    assert "is damaged" in fails(*args)
    assert run(*args, "--force")[0] == 0
    assert names(tmp_path) == ["m", "r.png"]


def test_sr_learns_a_picture_and_keeps_the_model_to_use_it_again(run, fails, pictures, tiny_presets, tmp_path):
    kept, out = tmp_path / "kept", tmp_path / "r.png"
    args = ["sr", pictures / "photo.png", "--factor", 2, "--save-model", kept, "--seed", 3, "--json"]
    code, stdout, err = run(*args, "--out", out)
    assert (code, err) == (0, "")
    result = json.loads(stdout)
    assert (result["preset"], result["factor"], result["warnings"]) == ("fast", 2, [])
    assert names(kept) == ["README.md", "config.json", "model.safetensors", "preview.png"]
    model = singan.SinGAN.from_pretrained(kept)
    assert model.config == singan.super_resolution_config(2, (70, 54)) and model.info["seed"] == 3
    assert same(out, singan.super_resolve(model, 2, seed=3))
    assert run("sr", kept, "--factor", 2, "--seed", 3, "--out", tmp_path / "again.png")[0] == 0
    assert (tmp_path / "again.png").read_bytes() == out.read_bytes()
    assert "kept holds a trained model: choose another one, or replace it" in fails(*args, "--out", tmp_path / "x.png")
    assert run(*args, "--out", out, "--force")[0] == 0


def test_sr_without_a_place_for_the_model_keeps_none(run, pictures, tiny_presets, tmp_path):
    code, stdout, err = run("sr", pictures / "photo.png", "--factor", 1.5, "--detail", 1, "--out", tmp_path / "r.png")
    assert (code, err) == (0, "") and names(tmp_path) == ["r.png"]
    assert re.search(r"^scale 1/\d+ .* done at \d:\d\d: reconstruction RMSE", stdout, re.M)
    model = singan.train(pictures / "photo.png", singan.super_resolution_config(1.5, (70, 54)))
    assert same(tmp_path / "r.png", singan.super_resolve(model, 1.5, detail=1))


def interrupt(monkeypatch, after: int) -> None:
    """Ctrl-C after so many events of the training."""
    real = singan.iter_train

    def interrupted(*args, **kwargs):
        events = real(*args, **kwargs)
        try:
            for _ in range(after):
                yield next(events)
            raise KeyboardInterrupt
        finally:
            events.close()

    monkeypatch.setattr("singan.training.loop.iter_train", interrupted)


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_sr_that_is_interrupted_goes_on_where_it_was(run, fails, pictures, tiny_presets, tmp_path, monkeypatch, force):
    args = ["sr", pictures / "photo.png", "--factor", 2, "--save-model", tmp_path / "m", "--json", *force]
    with monkeypatch.context() as patched:
        interrupt(patched, 8)
        error = fails(*args, "--out", tmp_path / "r.png", code=130)
    assert error == "singan: Interrupted while learning the picture: run the same command again to go on.\n"
    assert names(tmp_path) == ["m"] and names(tmp_path / "m") == ["checkpoint"]
    if not force:
        assert "is from another image, seed, size or other settings" in fails(
            *args, "--out", tmp_path / "r.png", "--seed", 1
        )

    started, real = [], singan.iter_train
    with monkeypatch.context() as patched:
        patched.setattr("singan.training.loop.iter_train", lambda *a, **k: started.append(k["resume"]) or real(*a, **k))
        assert run(*args, "--out", tmp_path / "r.png")[0] == 0
    assert started == [True] and names(tmp_path / "m") == [
        "README.md",
        "config.json",
        "model.safetensors",
        "preview.png",
    ]
    whole = ["sr", pictures / "photo.png", "--factor", 2, "--out", tmp_path / "whole.png", "--json"]
    assert run(*whole)[0] == 0
    assert (tmp_path / "r.png").read_bytes() == (tmp_path / "whole.png").read_bytes()


def test_sr_that_is_interrupted_without_a_place_for_the_model_says_that_it_is_gone(
    fails, pictures, tmp_path, monkeypatch
):
    interrupt(monkeypatch, 0)
    error = fails("sr", pictures / "photo.png", "--out", tmp_path / "r.png", code=130)
    assert error == "singan: Interrupted while learning the picture: nothing is kept.\n" and names(tmp_path) == []


@pytest.mark.parametrize("options", [["--detail", "2"], ["--seed", "-1"], ["--factor", "0.5"]])
def test_sr_refuses_before_it_learns(fails, pictures, tmp_path, monkeypatch, options):
    monkeypatch.setattr("singan.training.loop.iter_train", None)  # would fail if it were called
    fails("sr", pictures / "photo.png", "--out", tmp_path / "r.png", "--save-model", tmp_path / "m", *options)
    assert names(tmp_path) == []


# --- training for animation -----------------------------------------------------------------------


def test_train_for_animation_writes_such_a_config(run, pictures, tmp_path):
    args = ["train", pictures / "photo.png", "--out", tmp_path / "m", "--for", "animation", "--max-size", 40]
    assert run(*args, "--steps", 1)[0] == 0
    model = singan.SinGAN.from_pretrained(tmp_path / "m")
    assert model.config == singan.animation_config("fast", max_size=40, steps=1)
    assert model.config.noise_padding and model.config.min_size == 20


def test_interrupted_training_for_animation_says_how_to_go_on(fails, pictures, tmp_path, monkeypatch):
    interrupt(monkeypatch, 2)
    args = [
        "train",
        pictures / "photo.png",
        "--out",
        tmp_path / "m",
        "--for",
        "animation",
        "--max-size",
        40,
        "--steps",
        9,
    ]
    error = fails(*args, "--json", code=130)
    assert re.search(
        r"continue with singan train .* --for animation --max-size 40 --steps 9 --seed 0 --resume\n$", error
    )


def test_help_lists_the_tasks(run):
    stdout = run("--help")[1]
    assert all(re.search(rf"^\s+{command}\s", stdout, re.M) for command in [*STILLS, "animate"])
