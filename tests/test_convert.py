"""Models of the published code become ours, and files that hold more than tensors are refused unread."""

import json
import math
import os
import pickle
import random
import struct
import zipfile

import pytest
import torch
import torch.nn.functional as F
from published_code import PAD, draw, pyramid, write

from singan.cli import main
from singan.convert import load_published
from singan.errors import CheckpointError, SinGANError
from singan.model import SinGAN
from singan.scale import draw_noise, refine
from singan.torchfile import read


@pytest.fixture(params=[False, True], ids=["zip", "legacy"])
def legacy(request):
    return request.param


@pytest.fixture
def published():
    return pyramid()


@pytest.fixture
def folder(published, tmp_path, legacy):
    return write(tmp_path, published, legacy=legacy)


def test_each_scale_computes_what_the_published_network_does(folder, published):
    model = load_published(folder)
    for k, network in enumerate(published["Gs.pth"]):
        previous, noise = (torch.randn(1, 3, *model.scale_sizes[k]) for _ in range(2))
        y = F.pad(previous, (PAD,) * 4)
        with torch.no_grad():
            expected = network(F.pad(0.3 * noise, (PAD,) * 4) + y, y)
        torch.testing.assert_close(
            refine(model.generators[k], previous, 0.3 * noise, model.config), expected, rtol=0, atol=1e-5
        )


def rms(a, b):
    """Root mean square difference of two images in [-1, 1], as that of 8-bit values."""
    return 127.5 * float((a - b).square().mean().sqrt())


def test_reconstruction_is_that_of_the_published_code(folder, published):
    model = load_published(folder)
    noises = [z[:, :, PAD:-PAD, PAD:-PAD] for z in published["Zs.pth"]]
    assert rms(model.reconstruct_tensor(3), draw(published, noises)) < 0.05


def test_samples_are_those_of_the_published_code(folder, published):
    model, rng = load_published(folder), torch.Generator().manual_seed(3)
    noises = [draw_noise(1, size, k, model.config, rng) for k, size in enumerate(model.scale_sizes)]
    drawn = model.sample_tensor(3, model.image_size, 0, 1.0)
    assert rms(drawn, draw(published, noises)) < 0.05 and rms(drawn, model.reconstruct_tensor(3)) > 5


def test_training_images_are_those_of_the_published_code(folder, published):
    model = load_published(folder)
    assert rms(model.real_at(2), published["reals.pth"][2]) == 0
    assert rms(model.reconstruct_tensor(3), model.real_at(2)) > 5


def test_settings_follow_from_the_tensors(folder):
    model = load_published(folder)
    assert model.scale_sizes == [(26, 33), (34, 44), (44, 58)] and model.config.width == (8, 8, 16)
    assert (model.config.num_scales, model.config.min_size, model.config.max_size) == (3, 25, 58)
    assert model.factor == math.pow(25 / 44, 1 / 2)
    assert model.config.published and model.config.layers == 5
    assert model.noise_amps == pytest.approx([1, 0.2, 0.05])
    assert model.variation_curve[0] == 0 and len(model.variation_curve) == 11


@pytest.mark.parametrize(
    ("name", "min_size", "alpha"),
    [("model", 25, 10), ("model", 18, 100), ("scale_factor=0.793701,alpha=100", 25, 100), ("x,alpha=7", 18, 7)],
)
def test_weight_of_the_reconstruction_is_kept(tmp_path, name, min_size, alpha):
    (tmp_path / name).mkdir()
    model = load_published(write(tmp_path / name, pyramid(min_size=min_size), legacy=False))
    assert (model.config.min_size, model.config.alpha) == (min_size, (alpha,))


def test_statistics_of_batch_norm_are_kept(published, tmp_path):
    load_published(write(tmp_path, published, legacy=True)).save_pretrained(tmp_path / "out")
    norm, theirs = SinGAN.from_pretrained(tmp_path / "out").generators[1].norms[2], published["Gs.pth"][1].body[1].norm
    assert torch.equal(norm.running_mean, theirs.running_mean) and torch.equal(norm.running_var, theirs.running_var)
    assert float((norm.running_var - 1).abs().min()) > 0.01


def test_images_of_another_pyramid_are_refused(published, tmp_path):
    published["reals.pth"][1] = torch.zeros(1, 3, 37, 44)
    with pytest.raises(CheckpointError, match="no factor gives the sizes 33x26, 44x37, 58x44"):
        load_published(write(tmp_path, published, legacy=False))


def test_command_converts(folder, tmp_path, capsys):
    assert main(["convert", str(folder), str(tmp_path / "out")]) == 0
    assert capsys.readouterr().out == f"Converted 3 scales up to 44x58 px: {tmp_path / 'out'}\n"
    model = SinGAN.from_pretrained(tmp_path / "out")
    assert model.sample(1)[0].tobytes() == load_published(folder).sample(1)[0].tobytes()
    assert "| converted from | Gs.pth of the published code |" in (tmp_path / "out" / "README.md").read_text()
    assert main(["convert", str(folder), str(tmp_path / "out")]) == 1
    assert "out holds a trained model" in capsys.readouterr().err
    assert main(["convert", str(folder), str(tmp_path / "out"), "--force", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scales"] == 3


def test_run_that_was_broken_off_gives_its_finished_scales(published, tmp_path):
    published["Gs.pth"].pop()
    published["NoiseAmp.pth"].pop()
    assert load_published(write(tmp_path, published, legacy=True)).num_scales == 2


def test_model_trained_for_animation_keeps_its_noise_around_the_image(published, tmp_path):
    published["Zs.pth"][0] = torch.randn(1, 3, 36, 43)
    model = load_published(write(tmp_path, published, legacy=True))
    assert model.config.noise_padding and torch.equal(model.z_star, published["Zs.pth"][0])
    y = torch.zeros(1, 3, 36, 43)
    with torch.no_grad():
        first = published["Gs.pth"][0](model.z_star + y, y)
    torch.testing.assert_close(model.reconstruct_tensor(1), first, rtol=0, atol=1e-5)
    again = SinGAN.from_pretrained(model.save_pretrained(tmp_path / "m"))
    assert again.sample(1)[0].tobytes() == model.sample(1)[0].tobytes()


def without(values: list) -> None:
    values.pop()


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("NoiseAmp.pth", without, "holds 3 generators, 3 noises, 3 images and 2 amplitudes"),
        ("NoiseAmp.pth", lambda v: v.__setitem__(0, -1), "something else than noise amplitudes"),
        ("NoiseAmp.pth", lambda v: v.__setitem__(0, None), "something else than noise amplitudes"),
        ("reals.pth", lambda v: v.__setitem__(0, torch.zeros(3, 9)), r"reals.pth, scale 0 is no image"),
        ("reals.pth", lambda v: v[0].fill_(float("nan")), "scale 0 holds NaN"),
        ("reals.pth", lambda v: v.__setitem__(0, torch.zeros(1, 3, 4, 4)), "no factor gives the sizes 4x4"),
        ("reals.pth", lambda v: v.__setitem__(0, torch.zeros(1, 3, 30, 4000)), "coarsest image has over 100000 px"),
        ("Zs.pth", lambda v: v.__setitem__(0, v[1]), r"the noise is \[44, 54\], not \[26, 33\] and 5 px around it"),
        ("Gs.pth", lambda v: v.__setitem__(1, torch.nn.Linear(2, 2)), "scale 1 is no generator of the published code"),
        ("Gs.pth", lambda v: v.__setitem__(1, 5), "scale 1 is no generator"),
        ("Gs.pth", lambda v: v[1].head.conv.weight.data.fill_(float("inf")), "scale 1 is no generator"),
        ("Gs.pth", lambda v: delattr(v[1].body, "block1"), "scale 1: its layers are not 5 of 3x3 and one width"),
        ("Gs.pth", lambda v: setattr(v[1].tail, "0", torch.nn.Conv2d(8, 3, 5)), "scale 1: its layers are not 5"),
    ],
)
def test_what_is_not_of_the_published_code_is_refused(published, tmp_path, name, change, message):
    if name == "Zs.pth":
        published[name] = [noise.clone() for noise in published[name]]
    change(published[name])
    with pytest.raises(CheckpointError, match=message):
        load_published(write(tmp_path, published, legacy=True))


def test_missing_files_and_other_files_are_told(tmp_path, published):
    with pytest.raises(CheckpointError, match=r"Gs.pth cannot be read \(No such file or directory\); check the path"):
        load_published(tmp_path)
    write(tmp_path, published, legacy=False)
    torch.save({"a": 1}, tmp_path / "reals.pth")
    with pytest.raises(CheckpointError, match="reals.pth holds no list"):
        load_published(tmp_path)
    (tmp_path / "reals.pth").write_bytes(b"\x89PNG")
    with pytest.raises(CheckpointError, match="reals.pth is not a file of torch.save"):
        load_published(tmp_path)


# --- nothing in a file is run ---------------------------------------------------------------------


class Evil:
    def __init__(self, path) -> None:
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def test_pickle_that_would_run_a_command_is_refused_and_not_run(published, tmp_path, legacy):
    published["Gs.pth"][1] = Evil(tmp_path / "owned")
    write(tmp_path, published, legacy=legacy)
    with pytest.raises(CheckpointError, match=r"Gs.pth is refused: it calls posix.system, .* do not use it"):
        load_published(tmp_path)
    assert not (tmp_path / "owned").exists()
    torch.load(tmp_path / "Gs.pth", weights_only=False)  # it is what it claims to be
    assert (tmp_path / "owned").exists()


def zipped(path, program: bytes):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
    return path


ORDERED = b"ccollections\nOrderedDict\n"


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.", "calls os.system"),
        (b"cos\nsystem\n(S'ls'\ntR.", "opcode STRING"),
        (b"\x80\x02(X\x02\x00\x00\x00lsios\nsystem\n.", "opcode INST"),
        (b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.", "calls builtins.eval"),
        (b"\x80\x02" + ORDERED + b"]](K\x01K\x02ea\x85R.", "calls collections.OrderedDict"),
        (b"\x80\x02})K\x01s.", "a tuple stands where a str belongs"),
        (b"\x80\x02a.", "not a file of torch.save .pop from empty list"),
        (b"\x80\x02]" + b"\x85" * 50 + b".", "nested too deeply"),
        (b"\x80\x02]q\x00h\x00a.", "nested too deeply"),  # a list that holds itself
        (b"\x80\x02]q\x00" + b"".join(b"](h%ch%ceq%c" % (k, k, k + 1) for k in range(21)) + b".", "too large"),
        (b"\x80\x02" + b"0" * 10, "opcode POP"),
        (b"\x80\x02" + b"N" * (10**6 + 1) + b".", "more steps than any model"),
        (b"\x80\x02]", "not a file of torch.save"),
        (b"", "not a file of torch.save"),
    ],
)
def test_programs_that_no_model_needs_are_refused(tmp_path, program, message):
    path = zipped(tmp_path / "file", program)
    with pytest.raises(CheckpointError, match=message):
        read(path)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"K\x01", 1),
        (b"ctorch.nn.backends.thnn\n_get_thnn_function_backend\n)R", None),
        (b"cbuiltins\nset\n]\x85R", []),
    ],
)
def test_object_is_its_attributes_whatever_its_class(tmp_path, value, found):
    path = zipped(tmp_path / "file", b"\x80\x02cos\nsystem\n)\x81}X\x01\x00\x00\x00a" + value + b"sb.")
    assert read(path).attributes == {"a": found}


def test_tensor_larger_than_its_storage_is_refused(tmp_path):
    class Large:
        def __init__(self, *shape):
            self.shape = shape

        def __reduce__(self):
            storage = torch.zeros(4)._typed_storage()
            return torch._utils._rebuild_tensor_v2, (storage, *self.shape, False, {})

    for shape, message in (
        ((0, (5,), (1,)), "larger than what is stored"),
        ((4, (1,), (1,)), "larger than what is stored"),
        ((0, (10**12,), (0,)), "its tensors have over 3e.07 elements"),
        ((0, (-2,), (1,)), "impossible shape"),
        ((0, (2,), (1, 1)), "impossible shape"),
    ):
        torch.save([Large(*shape)], tmp_path / "file")
        with pytest.raises(CheckpointError, match=message):
            read(tmp_path / "file")
    torch.save([torch.ones(2, 2).expand(3, 2, 2)], tmp_path / "file")
    assert torch.equal(read(tmp_path / "file")[0], torch.ones(3, 2, 2))


def test_storage_larger_than_the_file_is_refused(published, tmp_path):
    data = bytearray((write(tmp_path, published, legacy=True) / "NoiseAmp.pth").read_bytes())
    data[-12:-4] = struct.pack("<q", 10**12)
    (tmp_path / "NoiseAmp.pth").write_bytes(data)
    with pytest.raises(CheckpointError, match="a storage larger than the file"):
        load_published(tmp_path)


def test_reading_agrees_with_torch(tmp_path, legacy):
    tensors = [torch.arange(12).view(3, 4).t(), torch.rand(2, dtype=torch.float64), torch.tensor(2.5).half()]
    written = [*tensors, 7, "x", None]
    torch.save(written, tmp_path / "file", _use_new_zipfile_serialization=not legacy)
    found = read(tmp_path / "file")
    assert found[3:] == [7, "x", None]
    assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(found[:3], written[:3], strict=True))


def test_no_mutated_file_raises_anything_but_a_checkpoint_error(folder):
    rng = random.Random(0)
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    refused = 0
    for _ in range(150):
        path = rng.choice(list(whole))
        data = bytearray(whole[path])
        for _ in range(rng.choice([1, 3, 20])):
            data[rng.randrange(min(len(data), 4000))] = rng.randrange(256)
        path.write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        try:
            load_published(folder)
        except SinGANError as error:
            refused += 1
            assert "\n" not in str(error)  # noqa: PT017
        path.write_bytes(whole[path])
    assert refused > 75


def test_protocol_of_the_reference_files_is_the_published_one(published, tmp_path):
    data = (write(tmp_path, published, legacy=True) / "Gs.pth").read_bytes()
    assert pickle.loads(data[:20]) == 0x1950A86A20F9469CFC6C and data[:2] == b"\x80\x02"
