"""Saving and loading: nothing is lost, and nothing that a file says is believed."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import crashes
import numpy as np
import pytest
import torch
from fuzz_checkpoint import edit, fuzz, repack, reweigh, webp
from PIL import Image

import singan
from singan.config import TrainConfig
from singan.errors import CheckpointError
from singan.files import atomic_path
from singan.model import SinGAN
from singan.storage import card, checkpoint, description
from singan.storage.card import card_is_edited
from singan.storage.checkpoint import describe, pack, read, unpack
from singan.storage.description import Description, tensor_shapes

FORMAT_1, FORMAT_2 = (Path(__file__).parent / "data" / name for name in ("format1", "format2"))


@pytest.fixture
def saved(tiny_model, tmp_path):
    return tiny_model.save_pretrained(tmp_path / "m")


def test_model_survives_saving_to_the_last_bit(tiny_model, saved):
    loaded = SinGAN.from_pretrained(saved)
    assert loaded.config == tiny_model.config and loaded.scale_sizes == tiny_model.scale_sizes
    assert loaded.info == tiny_model.info and loaded.noise_amps == tiny_model.noise_amps
    assert loaded.sample(1, seed=3)[0].tobytes() == tiny_model.sample(1, seed=3)[0].tobytes()
    assert loaded.reconstruct().tobytes() == tiny_model.reconstruct().tobytes()
    assert loaded.num_parameters == tiny_model.num_parameters


def test_saved_files_are_the_same_whenever_and_wherever_they_are_saved(saved, tmp_path):
    again = SinGAN.from_pretrained(saved).save_pretrained(tmp_path / "elsewhere" / "m")
    for name in checkpoint.MAX_BYTES:
        assert (again / name).read_bytes() == (saved / name).read_bytes()


def test_directory_holds_just_the_four_files_and_describes_itself(tiny_model, saved):
    names = ["README.md", "config.json", "model.safetensors", "preview.png"]
    assert sorted(p.name for p in saved.iterdir()) == names
    described = json.loads((saved / "config.json").read_text())
    assert described["format_version"] == 3 and described["singan_version"]
    assert described["photo_size"] == [54, 70] and described["generators"] == 2 == len(described["noise_amps"])
    assert 0 < described["photo_bytes"] < 54 * 70 * 3
    assert described["info"]["seed"] == 1 and described["info"]["source_size"] == [54, 70]
    assert described["scale_sizes"][-1] == [54, 70] and described["stores_memory"] is False


def test_documentation_names_every_field():
    text = (Path(__file__).parent.parent / "docs" / "checkpoint.md").read_text(encoding="utf-8")
    config = TrainConfig()
    described = Description(config, [(25, 25)], [1.0], [0.0], (25, 25), 1).to_dict()
    missing = [name for name in [*described, *description.INFO, *checkpoint.MAX_BYTES] if f"`{name}`" not in text]
    assert missing == []


@pytest.fixture(scope="module")
def published_model(tiny_picture):
    config = TrainConfig.preset("paper", width=(6, 4), critic_width=4, steps=2, min_size=25)
    return singan.train(tiny_picture, config, seed=1)


@pytest.fixture
def published_folder(published_model, tmp_path):
    return published_model.save_pretrained(tmp_path / "published")


def test_published_model_is_read_as_it_was_saved(published_model, published_folder):
    again = singan.SinGAN.from_pretrained(published_folder)
    assert again.factor == published_model.factor < 1 and again.config == published_model.config
    assert json.loads((published_folder / "config.json").read_text())["factor"] == again.factor
    described = again._description()
    assert set(tensor_shapes(described)) == {*again._tensors()}
    assert again.sample(1, seed=2)[0].tobytes() == published_model.sample(1, seed=2)[0].tobytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.pop("factor"), "it has no factor"),
        (lambda d: d.update(factor=0.01), "factor holds something else than a number from 0.1 to 1"),
        (lambda d: d.update(factor=d["factor"] - 0.1), r"its scales are not the factor 0\.\d+ apart"),
        (lambda d: d["scale_sizes"].__setitem__(0, [1, 1]), "its coarsest scale, 1x1 px, is under 8 px a side"),
        (lambda d: d["config"].update(crop_size=40), "the published method has None alone"),
    ],
)
def test_published_models_that_do_not_add_up_are_refused(published_folder, change, message):
    edit(published_folder, change)
    with pytest.raises(CheckpointError, match=message):
        singan.SinGAN.from_pretrained(published_folder)


def test_negative_variances_are_refused(published_folder):
    reweigh(published_folder, lambda tensors: tensors["scales.1.norms.0.running_var"].neg_())
    with pytest.raises(CheckpointError, match=r"scales\.1\.norms\.0\.running_var is a variance and holds negative"):
        singan.SinGAN.from_pretrained(published_folder)


def test_no_mutated_published_model_raises_anything_but_a_checkpoint_error(published_folder):
    result = fuzz(published_folder, 200, seed=1)
    assert result.refused > 100 and result.accepted > 0


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_shapes_are_those_of_the_networks(tiny_model, norm):
    config = replace(tiny_model.config, width=(8, 4), norm=norm, crop_size=None)
    model = replace(tiny_model, config=config)
    model.generators = [singan.scale.make_generator(config, k) for k in range(2)]
    packed = pack(model.photo)
    described = replace(model._description(), photo_bytes=len(packed))
    tensors = {**model._tensors(), "photo": packed}
    assert tensor_shapes(described) == {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    assert described.num_parameters == model.num_parameters


def test_saving_again_replaces_the_model(tiny_model, saved):
    tiny_model.save_pretrained(saved)
    assert SinGAN.from_pretrained(saved).num_scales == tiny_model.num_scales


@pytest.mark.parametrize("at", range(5))
def test_failed_save_leaves_the_old_model(tiny_model, saved, monkeypatch, at):
    before = {p.name: p.read_bytes() for p in saved.iterdir()}
    write, calls = Path.write_bytes, itertools.count()

    def full(*args):
        if next(calls) == at:
            raise OSError(28, "No space left on device")
        return write(*args)

    monkeypatch.setattr(Path, "write_bytes", full)
    if at < 4:
        with pytest.raises(OSError, match="No space left"):
            tiny_model.save_pretrained(saved)
        assert {p.name: p.read_bytes() for p in saved.iterdir()} == before
    else:  # there are four files
        tiny_model.save_pretrained(saved)


@pytest.mark.parametrize("moved", range(4))
def test_model_is_the_new_one_once_all_its_files_are_there(tiny_model, saved, monkeypatch, moved):
    """Broken off while they are moved into place, it is read from where they are, and the next save ends the move."""
    newer, replaced, calls = replace(tiny_model, noise_amps=[1.0, 0.5]), os.replace, itertools.count()

    def broken_off(*args):
        if next(calls) == moved:
            raise KeyboardInterrupt
        replaced(*args)

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", broken_off)
        with pytest.raises(KeyboardInterrupt):
            newer.save_pretrained(saved)
    assert SinGAN.from_pretrained(saved).noise_amps == [1.0, 0.5]
    assert not card_is_edited(saved)
    tiny_model.save_pretrained(saved)
    assert sorted(p.name for p in saved.iterdir()) == sorted(checkpoint.MAX_BYTES)
    assert SinGAN.from_pretrained(saved).noise_amps == tiny_model.noise_amps


def test_killed_saves_reads_beside_them_and_two_threads_lose_nothing():
    """A few; `python tests/crashes.py` tries more."""
    assert crashes.kill_saves(12).broken == 0
    assert crashes.read_beside_saves(2.0).broken == 0
    assert crashes.save_in_threads(20).broken == 0


def test_a_card_is_not_taken_for_one_by_hand_because_another_saves_meanwhile(tiny_model, saved, monkeypatch):
    other = replace(tiny_model, info={"photo": {"title": "Another"}})
    saving = threading.Thread(target=other.save_pretrained, args=(saved,))

    def describe_late(folder):
        if saving.ident is None:  # the card has been read, and what it was made from is about to be
            saving.start()
            saving.join(timeout=1.0)
        return describe(folder)

    monkeypatch.setattr(card, "describe", describe_late)
    tiny_model.save_pretrained(saved)
    saving.join()
    assert not card_is_edited(saved) and SinGAN.from_pretrained(saved).info == other.info


def test_what_could_not_be_loaded_is_not_saved(tiny_model, tmp_path, monkeypatch):
    for value, message in (("two\nlines", "note is not a line of printable text"), (tmp_path, "not JSON serializable")):
        with pytest.raises(CheckpointError, match=f"The model cannot be saved: .*{message}"):
            replace(tiny_model, info={"note": value}).save_pretrained(tmp_path / "new")
    monkeypatch.setitem(checkpoint.MAX_BYTES, "model.safetensors", 1000)
    with pytest.raises(CheckpointError, match=r"The model takes 0 MB; the limit is .*: lower photo_size or width"):
        tiny_model.save_pretrained(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_place_that_cannot_be_saved_to_is_left_as_it_is(tiny_model, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CheckpointError, match=r"file cannot be a folder \(File exists\): choose another one"):
        tiny_model.save_pretrained(tmp_path / "file")
    (tmp_path / "model" / "README.md").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="README.md is a folder where a file is to be: remove it, or choose"):
        tiny_model.save_pretrained(tmp_path / "model")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["README.md"]


@pytest.mark.parametrize("name", ["f**k.png", "[x].png", "x" * 250 + ".png"], ids=["stars", "brackets", "long"])
def test_atomic_path_takes_any_name(tmp_path, name):
    left = tmp_path / f".{name[:-4][:50]}.0.part.png"
    left.touch()
    os.utime(left, (0, 0))
    with atomic_path(tmp_path / name) as part:
        part.write_bytes(b"x")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_atomic_path_keeps_nothing_of_a_broken_write(tmp_path):
    def write():
        with atomic_path(tmp_path / "file") as part:
            part.write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write()
    assert list(tmp_path.iterdir()) == []


# --- older and newer files ------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [FORMAT_1, FORMAT_2], ids=lambda folder: folder.name)
def test_older_formats_draw_what_they_always_drew(tmp_path, folder):
    """Written by the last version of each format, with a sample of it: seed 0, all fresh noise."""
    model = SinGAN.from_pretrained(folder)
    drawn = np.asarray(model.sample(1, seed=0, variation=1.0)[0], dtype=int)
    with Image.open(folder / "sample-0.png") as then:
        # The same to the last bit where it was written; another processor sums in another order.
        assert np.abs(drawn - np.asarray(then, dtype=int)).max() <= 1
    assert not model.config.field and model.config.place_prior == 0 and model.config.generators is None
    assert model.levels == model.scale_sizes and len(model.generators) == model.num_scales
    assert model.patches_at(0).keys.shape[1] == 147
    again = SinGAN.from_pretrained(model.save_pretrained(tmp_path / "m"))
    for options in ({}, {"variation": 1.0}, {"size": (50, 40)}, {"start_scale": 2}):
        assert again.sample(1, **options)[0].tobytes() == model.sample(1, **options)[0].tobytes()
    described = describe(tmp_path / "m")
    assert described.format_version == 3 and described.stores_memory == (folder is FORMAT_1)


def test_format_1_shows_its_reconstruction_and_format_2_its_training_image():
    one, two = (SinGAN.from_pretrained(folder) for folder in (FORMAT_1, FORMAT_2))
    assert one.training_image.tobytes() == one.reconstruct().tobytes()
    with Image.open(FORMAT_1 / "preview.png") as learned:
        assert two.training_image.tobytes() == learned.convert("RGB").tobytes()
    assert len(one.memory) == one.voting_scales > 0 and two.memory == []


def test_format_1_is_bounded_although_it_holds_no_image(tmp_path):
    shutil.copytree(FORMAT_1, tmp_path / "m")
    edit(tmp_path / "m", lambda d: d["scale_sizes"].__setitem__(-1, [10_000, 10_000]))
    with pytest.raises(CheckpointError, match=r"scale_sizes ends over 1e\+06 pixels, unheard of in format 1"):
        SinGAN.from_pretrained(tmp_path / "m")


def test_newer_format_says_which_version_reads_it(saved):
    edit(saved, lambda d: d.update(format_version=5, singan_version="0.9.1"))
    with pytest.raises(CheckpointError, match="format 5, which takes singan 0.9.1 or later; .* update singan"):
        SinGAN.from_pretrained(saved)


# --- nothing is believed --------------------------------------------------------------------------


def set_info(name, value):
    return lambda d: d["info"].update({name: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(format_version=0), "has format 0; the first one was 1"),
        (lambda d: d.update(format_version=True), "it has no format_version"),
        (lambda d: d.pop("format_version"), "it has no format_version"),
        (lambda d: d.update(format_version=10**400), "is not JSON .an integer of 401 digits"),
        (lambda d: d.update(singan_version="\x1b[2J"), "singan_version is not a line of printable text"),
        (lambda d: d.pop("scale_sizes"), "it has no scale_sizes"),
        (lambda d: d.update(stores_memory=1), "stores_memory is neither true nor false"),
        (
            lambda d: d.update(scale_sizes=[[20, 5]] * 3, noise_amps=[1.0]),
            "lists 3 scales, 2 generators and 1 noise amplitudes",
        ),
        (lambda d: d.update(scale_sizes=[], noise_amps=[], generators=0), "lists 0 scales"),
        (lambda d: d.update(generators=7), "generators is something else than a whole number from 0 to 6"),
        (lambda d: d.update(generators=-1), "generators is something else than a whole number from 0 to 6"),
        (lambda d: d.update(generators=True), "generators is something else than a whole number"),
        (lambda d: d.update(generators=1), "lists 6 scales, 1 generators and 2 noise amplitudes"),
        (lambda d: d.update(generators=1, noise_amps=[1.0]), "the two do not belong together"),
        (lambda d: d.update(generators=0, noise_amps=[1.0]), "the two do not belong together"),
        (lambda d: d.pop("generators"), "it has no generators"),
        (lambda d: d.pop("photo_bytes"), "it has no photo_bytes"),
        (lambda d: d.update(photo_bytes=-1), "photo_bytes is something else than a whole number from 0 to 25120"),
        (lambda d: d.update(photo_bytes=25121), "photo_bytes is something else than a whole number from 0 to 25120"),
        (lambda d: d.update(photo_bytes=1e3), "photo_bytes is something else than a whole number"),
        (lambda d: d.update(photo_bytes=d["photo_bytes"] + 1), "the two do not belong together"),
        (
            lambda d: d.update(photo_size=[16384, 70]),
            "photo_size is 16384x70; it ends at 16383 px a side and 17 megapixels",
        ),
        (lambda d: d.update(photo_size=[54, 71]), "the photo in it is not one RGB image of 54x71 px"),
        (lambda d: d.update(photo_size=[70, 54], scale_sizes=[[16, 21]] * 6), "not one RGB image of 70x54 px"),
        (
            lambda d: d["config"].update(field=False, generators=None),
            "lists 2 generators for 6 scales, and has no field",
        ),
        (lambda d: d["config"].update(voting_rounds=[0]), "field continues what is voted at the coarsest scale"),
        (
            lambda d: d.update(scale_sizes=[[200, 200]] * 6, photo_size=[200, 200]),
            "its coarsest scale, 200x200 px, is too large to be searched",
        ),
        (
            lambda d: d["scale_sizes"].__setitem__(0, [6, 21]),
            "its coarsest scale, 6x21 px, is too small to be searched",
        ),
        (lambda d: d.update(scale_sizes=[[20, 20]] * 33), "scale_sizes is not a list of at most 32"),
        (lambda d: d["noise_amps"].__setitem__(0, float("inf")), "is not JSON .*Infinity"),
        (lambda d: d["noise_amps"].__setitem__(0, 10**29), "noise_amps holds something else than a number from 0"),
        (lambda d: d["noise_amps"].__setitem__(0, True), "noise_amps holds something else than a number"),
        (lambda d: d["scale_sizes"].__setitem__(0, [10**9, 10**9]), r"a \(height, width\) of at most 1e.08 pixels"),
        (lambda d: d["scale_sizes"].__setitem__(0, [0, 20]), r"scale_sizes holds something else than a \(height"),
        (lambda d: d["scale_sizes"].__setitem__(-1, [500, 500]), "scale_sizes does not grow up to photo_size"),
        (lambda d: d.update(photo_size=None), "photo_size is not a list of at most 2 values"),
        (lambda d: d.update(variation_curve=[0, 2]), "variation_curve has 2 values, not 11"),
        (lambda d: d["variation_curve"].__setitem__(1, "0"), "variation_curve holds something else"),
        (lambda d: d["config"].update(width=[10**9]), "width is 1000000000"),
        (lambda d: d["config"].update(width=[9]), "the two do not belong together"),
        (lambda d: d["config"].update(surprise=1), "have 'surprise', unknown to this version"),
        (lambda d: d.update(weights_sha256="0" * 64), "is not the file that config.json was saved with"),
        (lambda d: d.update(info=[]), "info is not an object"),
        (set_info("seed", "1"), "seed holds something else than a number"),
        (set_info("seconds", -1), "seconds holds something else"),
        (set_info("device", 3), "device is not a line"),
        (set_info("photo", {"title": ["a"]}), "title is not a line"),
        (set_info("photo", "a"), "photo is not an object"),
        (set_info("later", "\ud800"), "later is not a line of printable text"),
        (set_info("later", [[[[1]]]]), "nested too deeply"),
        (set_info("later", [0] * 101), "later is too large"),
        (set_info("later", 10**29), "later holds something else"),
    ],
)
def test_config_that_does_not_fit_is_refused(saved, change, message):
    edit(saved, change)
    with pytest.raises(CheckpointError, match=message) as caught:
        SinGAN.from_pretrained(saved)
    assert len(str(caught.value)) < 1000 and "\n" not in str(caught.value)


def test_info_of_a_later_version_is_kept(saved):
    edit(saved, set_info("later", {"a": [1, None, True, "b"]}))
    assert SinGAN.from_pretrained(saved).info["later"] == {"a": [1, None, True, "b"]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["z_star"].fill_(float("nan")), "z_star holds NaN"),
        (lambda t: t.update(extra=torch.zeros(1)), "the two do not belong together"),
        (lambda t: t.update({"../z": t.pop("z_star")}), "does not hold the tensors of config.json: see '../z'"),
        (lambda t: t.update(z_star=t["z_star"].flatten()), r"z_star is F32 \[1008\], not F32 \[1, 3, 16, 21\]"),
        (lambda t: t.update(z_star=t["z_star"].view(torch.int32)), "z_star is I32"),
    ],
)
def test_weights_that_do_not_fit_are_refused(saved, change, message):
    reweigh(saved, change)
    with pytest.raises(CheckpointError, match=message):
        SinGAN.from_pretrained(saved)


def test_photo_is_packed_without_loss(saved, tiny_model, tmp_path):
    grain = torch.randint(0, 256, (61, 43, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    flat = torch.zeros(4096, 3, 3, dtype=torch.uint8)
    for photo in (grain, grain[:1, :1], flat, tiny_model.photo):
        assert torch.equal(unpack(pack(photo), (photo.shape[0], photo.shape[1])), photo)
        limit = 4 * photo.shape[0] * photo.shape[1] + 10_000  # of photo_bytes: noise passes too
        assert len(pack(photo)) <= limit
    assert torch.equal(read(saved)[1]["photo"], tiny_model.photo)


@pytest.mark.parametrize(
    ("packed", "message"),
    [
        (b"", "the photo in it is damaged"),
        (b"RIFF", "the photo in it is damaged"),
        (b"\0" * 500, "the photo in it is damaged"),
        (webp((70, 54))[:-40], "the photo in it is damaged"),
        (webp((54, 70)), "the photo in it is not one RGB image of 54x70 px"),
        (webp((71, 54)), "the photo in it is not one RGB image of 54x70 px"),
        (webp((700, 540)), "the photo in it is not one RGB image of 54x70 px"),
        (webp((70, 54), frames=3), "the photo in it is not one RGB image of 54x70 px"),
        (webp((70, 54), mode="RGBA"), "the photo in it is not one RGB image of 54x70 px"),
        (webp((70, 54), form="PNG"), "the photo in it is damaged"),
        (webp((70, 54), form="GIF"), "the photo in it is damaged"),
    ],
)
def test_packed_photo_that_does_not_fit_is_refused(saved, packed, message):
    """With photo_bytes and checksum put right."""
    repack(saved, packed)
    with pytest.raises(CheckpointError, match=message) as caught:
        SinGAN.from_pretrained(saved)
    assert len(str(caught.value)) < 1000 and "\n" not in str(caught.value)


def test_packed_photo_of_the_right_size_is_believed(saved):
    repack(saved, webp((70, 54), colour=77))
    assert set(SinGAN.from_pretrained(saved).training_image.tobytes()) == {77}


def test_photo_with_a_flipped_bit_is_refused_or_another_photo(saved, tiny_model):
    """Never anything but a `CheckpointError`, wherever it is."""
    whole, refused = bytes(pack(tiny_model.photo).numpy()), 0
    for at in range(0, len(whole), max(1, len(whole) // 150)):
        broken = bytearray(whole)
        broken[at] ^= 1 << at % 8
        try:
            photo = unpack(torch.frombuffer(broken, dtype=torch.uint8), (54, 70))
            assert photo.shape == (54, 70, 3) and photo.dtype == torch.uint8
        except CheckpointError:
            refused += 1
    assert refused


def test_damaged_files_are_refused(saved):
    weights = saved / "model.safetensors"
    data = weights.read_bytes()
    for broken in (b"", data[:-10], b"\xff" * len(data)):
        weights.write_bytes(broken)
        with pytest.raises(CheckpointError, match="do not belong together|is not the file"):
            SinGAN.from_pretrained(saved)
    weights.unlink()
    with pytest.raises(CheckpointError, match=r"holds no model\.safetensors"):
        SinGAN.from_pretrained(saved)
    bomb = b'{"info": ' + b"[" * 400_000 + b"]" * 400_000 + b"}"
    for broken_config, message in (
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b'{"format_version": 1' + b"0" * 5000 + b"}", "is not JSON"),
        (bomb, "is not JSON"),
        (b"[1]", "no format_version"),
        (b" " * 10**7, "10000000 bytes, over a million"),
    ):
        (saved / "config.json").write_bytes(broken_config)
        with pytest.raises(CheckpointError, match=message):
            SinGAN.from_pretrained(saved)


def test_what_lies_beside_a_model_is_not_read(tiny_model, saved):
    (saved / "pytorch_model.bin").write_bytes(b"\x80\x02cos\nsystem\n(S'touch owned'\ntR.")
    (saved / "model.safetensors.index.json").write_text("{}")
    assert SinGAN.from_pretrained(saved).sample(1)[0].tobytes() == tiny_model.sample(1)[0].tobytes()


def test_links_are_followed_as_in_the_cache_of_the_hub_but_not_to_devices(saved, tmp_path):
    linked = tmp_path / "linked"
    linked.mkdir()
    for name in ("config.json", "model.safetensors"):
        (linked / name).symlink_to(saved / name)
    assert SinGAN.from_pretrained(linked).num_scales > 1
    for target, message in ((Path("/dev/zero"), "holds no model"), (tmp_path / "none", "holds no model")):
        (linked / "model.safetensors").unlink()
        (linked / "model.safetensors").symlink_to(target)
        with pytest.raises(CheckpointError, match=message):
            SinGAN.from_pretrained(linked)
    os.mkfifo(tmp_path / "pipe")
    (linked / "config.json").unlink()
    (linked / "config.json").symlink_to(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="holds no trained model"):
        SinGAN.from_pretrained(linked)


def test_directory_without_a_model_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds no trained model: there is no config\.json"):
        SinGAN.from_pretrained(tmp_path)


BOMBS = """
import json, resource, struct, sys, time
from pathlib import Path
import singan
from singan.storage.checkpoint import read

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

folder = Path(sys.argv[1])
described = json.loads((folder / "config.json").read_text())
shape = [10**5, 10**5, 2]
header = json.dumps({"z_star": {"dtype": "F32", "shape": shape, "data_offsets": [0, 8 * 10**10]}}).encode()
huge = described["config"] | {"width": [512] * 32, "layers": 16, "crop_size": None}
widest = {"scale_sizes": [[20, 20]] * 32, "noise_amps": [1.0] * 32, "config": huge}
widest |= {"generators": 32}
large, larger = ({"scale_sizes": [[n, n]] * 4, "photo_size": [n, n]} for n in (4096, 10_000))
big, bigger = (c | {"noise_amps": [1.0] * 4, "generators": 4, "photo_bytes": 6 * 10**7} for c in (large, larger))
pyramid = {"generators": None, "field": False}
changes = [
    {}, widest, big, big | {"stores_memory": True}, bigger, {"photo_size": [4096, 4096], "photo_bytes": 6 * 10**7},
    big | {"config": described["config"] | pyramid}, widest | {"config": huge | pyramid}, {"generators": 10**9},
    {"config": described["config"] | {"width": 10**9}},
    {"info": {"a": list(range(100_000))}},
    {"noise_amps": list(range(100_000))},
]
singan.SinGAN.from_pretrained(folder)
for change in changes:
    for head in (header, b" " * 10**6 + header, b'{"a":' * 10**5):
        (folder / "config.json").write_text(json.dumps(described | change))
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(head)) + head)
        before, start = peak(), time.perf_counter()
        try:
            read(folder)
        except singan.CheckpointError as error:
            assert len(str(error)) < 1000, error
        else:
            raise AssertionError("accepted")
        assert time.perf_counter() - start < 1, change
        assert peak() - before < 200, change
print("refused")
"""


def test_files_that_promise_the_earth_cost_neither_time_nor_memory(saved):
    done = subprocess.run([sys.executable, "-c", BOMBS, str(saved)], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("refused\n", "")


HOLLOW = """
import json, resource, struct, sys, time
from pathlib import Path
import singan
from fuzz_checkpoint import repack, webp

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

folder, small = Path(sys.argv[1]), bytearray(webp((70, 54)))
at = small.index(b"VP8L") + 9  # width and height less one, 14 bits each, after the signature
bits = struct.unpack_from("<I", small, at)[0] & ~(2**28 - 1)
struct.pack_into("<I", small, at, bits | 16382 << 14 | 16382)
singan.SinGAN.from_pretrained(folder)
repack(folder, bytes(small))
before, start = peak(), time.perf_counter()
try:
    singan.SinGAN.from_pretrained(folder)
except singan.CheckpointError as error:
    print(str(error).partition("safetensors: ")[2])
assert time.perf_counter() - start < 1 and peak() - before < 200, (time.perf_counter() - start, peak() - before)
"""


def test_photo_that_claims_to_be_huge_is_not_decoded(saved):
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(
        [sys.executable, "-c", HOLLOW, str(saved)], capture_output=True, text=True, timeout=120, env=here
    )
    assert done.stdout.startswith("the photo in it is") and done.returncode == 0, done.stderr


def test_no_mutated_file_raises_anything_but_a_checkpoint_error(saved):
    """500 of them; `python tests/fuzz_checkpoint.py 10000` tries more."""
    result = fuzz(saved, 500, seed=0)
    assert result.refused + result.accepted == 500
    assert result.refused > 250 and result.accepted > 10  # else the mutations are too mild, or too harsh
    assert result.slowest < 1


def test_reading_gives_plain_values(saved):
    described, tensors = read(saved)
    assert isinstance(described.config, TrainConfig) and tensors["photo"].dtype == torch.uint8
    assert tensors["photo"].shape == (54, 70, 3)
    assert all(tensor.dtype == torch.float32 for name, tensor in tensors.items() if name != "photo")
