"""Push and pull through the installed client, against a Hub on the loopback."""

import json
import subprocess
import sys
import traceback
from dataclasses import replace
from pathlib import Path

import huggingface_hub
import pytest
import torch
import yaml

import singan
from singan.config import TrainConfig
from singan.errors import CheckpointError, HubError, TaskWarning
from singan.model import SinGAN
from singan.storage import hub
from singan.storage.checkpoint import describe

ID = "alice/tiles"
SHIPPED = sorted(path.parent for path in (Path(__file__).parent.parent / "pretrained").glob("*/config.json"))


@pytest.fixture(scope="session")
def files(tiny_model, tmp_path_factory):
    """A saved model, {name: bytes}."""
    folder = tiny_model.save_pretrained(tmp_path_factory.mktemp("saved") / "tiles")
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(files, tmp_path):
    """A saved model, a folder."""
    path = tmp_path / "tiles"
    path.mkdir()
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def sample(model: SinGAN) -> bytes:
    return model.sample(1, seed=3)[0].tobytes()


# --- there and back -------------------------------------------------------------------------------


def test_what_was_pushed_comes_back_to_the_last_bit(hub_server, tiny_model):
    pushed = tiny_model.push_to_hub(ID)
    assert pushed.changed and not pushed.card_kept and pushed.url.endswith(f"/{ID}/commit/{pushed.commit}")
    assert sorted(hub_server.files(ID)) == [
        ".gitattributes",
        "README.md",
        "config.json",
        "model.safetensors",
        "preview.png",
    ]
    loaded = SinGAN.from_pretrained(ID)
    assert sample(loaded) == sample(tiny_model) and loaded.info == tiny_model.info


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda path: path.name)
def test_shipped_pyramids_survive_the_round_trip(hub_server, shipped, tmp_path):
    before = SinGAN.from_pretrained(shipped)
    hub.push(shipped, f"alice/{shipped.name}")
    after = SinGAN.from_pretrained(hub.pull(f"alice/{shipped.name}", tmp_path / "out"))
    small = {"seed": 3, "size": (90, 120)}
    assert after.sample(1, **small)[0].tobytes() == before.sample(1, **small)[0].tobytes()
    assert torch.equal(after.photo, before.photo) and after.reconstruct().tobytes() == before.reconstruct().tobytes()


def test_pull_by_branch_tag_and_commit(hub_server, tiny_model):
    first = tiny_model.push_to_hub(ID).commit
    hub_server.repositories[ID].refs["v1"] = first
    other = replace(tiny_model, noise_amps=[2 * amp for amp in tiny_model.noise_amps])
    other.push_to_hub(ID)
    other.push_to_hub(ID, revision="trial")
    assert sample(SinGAN.from_pretrained(ID, revision="v1")) == sample(tiny_model)
    assert sample(SinGAN.from_pretrained(ID, revision=first)) == sample(tiny_model)
    for revision in (None, "trial"):
        assert sample(SinGAN.from_pretrained(ID, revision=revision)) == sample(other)


def test_push_to_a_new_branch_leaves_main_alone(hub_server, tiny_model):
    pushed = tiny_model.push_to_hub(ID, revision="trial", commit_message="A trial")
    assert list(hub_server.files(ID)) == [".gitattributes"]
    assert hub_server.repositories[ID].refs["trial"] == pushed.commit


def test_pull_request_leaves_main_alone(hub_server, tiny_model):
    pushed = tiny_model.push_to_hub(ID, create_pr=True)
    assert pushed.url.endswith(f"/{ID}/discussions/1") and pushed.changed
    assert list(hub_server.files(ID)) == [".gitattributes"]
    assert "config.json" in hub_server.files(ID, "refs/pr/1")


def test_private_repository_needs_the_right_token(hub_server, tiny_model, monkeypatch, tmp_path):
    tiny_model.push_to_hub(ID, private=True)
    assert hub_server.repositories[ID].private
    with pytest.raises(HubError, match="no repository alice/tiles .* or it is private: .* whether your token may"):
        SinGAN.from_pretrained(ID, token="bob-token", cache_dir=tmp_path / "bob")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="or it is private: .* log in with `hf auth login`"):
        SinGAN.from_pretrained(ID)
    assert sample(SinGAN.from_pretrained(ID, token="reader-token")) == sample(tiny_model)


def test_nothing_changed_makes_no_commit(hub_server, folder):
    first = hub.push(folder, ID)
    again = hub.push(folder, ID)
    assert first.changed and not again.changed and again.commit == first.commit
    assert len(hub_server.repositories[ID].commits) == 2  # the first is the Hub's own


def test_second_load_downloads_nothing(hub_server, files, tmp_path):
    hub_server.add(ID, files)
    SinGAN.from_pretrained(ID, cache_dir=tmp_path / "mine")
    hub_server.requests.clear()
    SinGAN.from_pretrained(ID, cache_dir=tmp_path / "mine")
    assert not [line for line in hub_server.requests if "/resolve/" in line]
    SinGAN.from_pretrained(ID, cache_dir=tmp_path / "mine", local_files_only=True)
    SinGAN.from_pretrained(ID, cache_dir=tmp_path / "mine", force_download=True)
    assert [line for line in hub_server.requests if line.startswith("GET") and "/resolve/" in line]


def test_only_the_files_of_a_model_are_downloaded(hub_server, files, tmp_path):
    stray = {"pytorch_model.bin": b"\x80\x02", "sub/config.json": b"{}", "evil.py": b"raise SystemExit"}
    hub_server.add(ID, files | stray)
    assert sorted(path.name for path in hub.download(ID).iterdir()) == sorted(files)
    assert sorted(path.name for path in hub.pull(ID, tmp_path / "out").iterdir()) == sorted(files)


def test_local_folder_comes_before_the_hub(hub_server, folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    (folder.parent / "alice").mkdir()
    folder.rename("alice/tiles")
    SinGAN.from_pretrained(ID)
    assert hub_server.requests == []
    with pytest.raises(CheckpointError, match="alice/tiles is a local folder, which has no revision 'v1'"):
        SinGAN.from_pretrained(ID, revision="v1")


@pytest.mark.parametrize(
    "where", ["nothing", "a" * 300, "./a/b", "a/b/c", "../up", "/etc/none", "alice/", "", "a b/c", "~/x", "a/\n"]
)
def test_what_is_neither_folder_nor_name_nor_id_says_what_was_tried(where, hub_server):
    with pytest.raises(CheckpointError, match=r"it is no folder, none of the shipped ones \(.*skyline.*\), and not"):
        SinGAN.from_pretrained(where or "\0")
    assert hub_server.requests == []


def test_package_without_shipped_pyramids_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(hub, "SHIPPED", tmp_path)
    with pytest.raises(CheckpointError, match="none here.*check the path"):
        SinGAN.from_pretrained("skyline")


XET = """
import hashlib, sys, tempfile
from pathlib import Path
from loopback_hub import Hub
import hf_xet
import singan
from singan.storage import hub

server, storage, folder = Hub(), tempfile.mkdtemp(dir=sys.argv[2]), Path(sys.argv[1])
server.cas = "local://" + storage  # hf-xet takes a folder for its storage
weights = folder / "model.safetensors"
# The real Hub learns these from the storage, into which this one cannot look.
digest = hashlib.sha256(weights.read_bytes()).hexdigest()
server.large[digest], server.xet[digest] = weights.read_bytes(), hf_xet.hash_files([str(weights)])[0].hash
hub.push(folder, "alice/tiles")
drawn = singan.SinGAN.from_pretrained("alice/tiles").sample(1)[0].tobytes()
assert drawn == singan.SinGAN.from_pretrained(folder).sample(1)[0].tobytes()
print([line.split("-token")[0].split("/")[-1] for line in server.requests if "xet-" in line])
print([line for line in server.requests if "/large/" in line or line.startswith("GET") and line.endswith("tensors")])
"""


@pytest.mark.xet
def test_weights_go_through_xet_where_it_is_on(folder, tmp_path, monkeypatch):
    """In a process of its own, whose client is not told to leave Xet aside as that of the other tests is."""
    monkeypatch.delenv("HF_HUB_DISABLE_XET")
    for name, value in {"HF_HOME": tmp_path, "HF_TOKEN": "alice-token", "PYTHONPATH": ":".join(sys.path)}.items():
        monkeypatch.setenv(name, str(value))
    code = "import os, loopback_hub; os.environ['HF_ENDPOINT'] = loopback_hub.ENDPOINT\n" + XET
    command = [sys.executable, "-c", code, str(folder), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines() == ["['xet-write', 'xet-read']", "[]"], done.stderr


# --- broken connections, conflicts, full disks ----------------------------------------------------


def test_download_that_breaks_off_is_resumed(hub_server, tiny_model, files, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 4096)  # what is whole of it is kept
    hub_server.add(ID, files)
    hub_server.drop = {"model.safetensors": 20_000}
    assert sample(SinGAN.from_pretrained(ID)) == sample(tiny_model)
    resumed = [line for line in hub_server.requests if "model.safetensors bytes=" in line]
    assert len(resumed) == 1 and int(resumed[0].split("bytes=")[1].rstrip("-")) > 0


def test_failed_pull_leaves_nothing(hub_server, files, tmp_path, monkeypatch):
    hub_server.add(ID, files)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(HubError, match="The disk is full: free some space"):
        hub.pull(ID, tmp_path / "new" / "out")
    assert list((tmp_path / "new").iterdir()) == []


def test_disk_that_fills_up_in_the_download_is_told(hub_server, files, monkeypatch):
    hub_server.add(ID, files)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("huggingface_hub.file_download.http_get", full)
    with pytest.raises(HubError, match="The disk is full"):
        SinGAN.from_pretrained(ID)


def test_pull_does_not_overwrite(hub_server, files, tmp_path, monkeypatch):
    hub_server.add(ID, files)
    for name in ("out", "linked", "here"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("linked")
    monkeypatch.chdir(tmp_path / "here")
    for out in (tmp_path / "out", tmp_path / "link", Path(".")):
        hub.pull(ID, out)  # an empty folder is as good as none
        assert SinGAN.from_pretrained(out).num_scales > 1
    assert sorted(path.name for path in Path.cwd().iterdir()) == sorted(files)
    with pytest.raises(CheckpointError, match="out exists: choose another folder"):
        hub.pull(ID, tmp_path / "out")
    with pytest.raises(CheckpointError, match="'tiles' is not of the form user/name"):
        hub.pull("tiles", tmp_path / "other")


def test_damaged_model_is_not_pulled(hub_server, files, tmp_path):
    hub_server.add(ID, files | {"model.safetensors": files["model.safetensors"][:-9]})
    with pytest.raises(CheckpointError, match="alice/tiles on the Hub cannot be used: .* do not belong together"):
        hub.pull(ID, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_push_does_not_overwrite_a_push_in_between(hub_server, folder, files):
    hub.push(folder, ID)
    (folder / "preview.png").write_bytes(b"new")
    there = hub_server.repositories[ID]
    hub_server.before_commit = lambda: there.commit("main", files | {"README.md": b"by hand"})
    with pytest.raises(HubError, match=r"alice/tiles was changed by someone else in the meantime \(412\)"):
        hub.push(folder, ID)
    assert hub_server.files(ID)["README.md"] == b"by hand"


def test_failed_push_makes_no_commit(hub_server, folder):
    hub.push(folder, ID)
    (folder / "preview.png").write_bytes(b"new")

    def fail():
        hub_server.fail = 500
        raise ConnectionAbortedError

    hub_server.before_commit = fail
    with pytest.raises(HubError, match=r"answered with an error \(500\)"):
        hub.push(folder, ID)
    assert len(hub_server.repositories[ID].commits) == 2


# --- errors people meet ---------------------------------------------------------------------------


def test_missing_repository_and_revision_are_named(hub_server, files):
    with pytest.raises(HubError, match="There is no repository alice/tiles at http://127.*: check the name, or"):
        SinGAN.from_pretrained(ID)
    hub_server.add(ID, files)
    with pytest.raises(HubError, match="alice/tiles has no revision 'v9'; name a branch, a tag or a commit"):
        SinGAN.from_pretrained(ID, revision="v9")
    with pytest.raises(HubError, match="'alice/a--b' cannot be a repository of the Hub"):
        SinGAN.from_pretrained("alice/a--b")


@pytest.mark.parametrize("there", [{"pytorch_model.bin": b"\x80"}, {"config.json": b"{}"}, {}])
def test_repository_that_is_no_singan_is_told(hub_server, there):
    hub_server.add(ID, {"README.md": b"hello", **there})
    with pytest.raises(HubError, match=r"alice/tiles is no SinGAN model: it has no (config\.json|model\.safetensors)"):
        SinGAN.from_pretrained(ID)


def test_oversized_file_is_not_downloaded(hub_server, files):
    hub_server.add(ID, files | {"README.md": b"x" * 1_000_001})
    with pytest.raises(HubError, match=r"README.md of alice/tiles has 1 MB; no model of singan has over 1: it is not"):
        SinGAN.from_pretrained(ID)
    assert not [line for line in hub_server.requests if line.startswith("GET") and "/resolve/" in line]


def test_push_without_the_right_is_refused(hub_server, folder, files, monkeypatch):
    hub_server.add("bob/tiles", files)
    with pytest.raises(HubError, match=r"refuses it \(403\): your token may not do this with bob/tiles; make one"):
        hub.push(folder, "bob/tiles")
    with pytest.raises(HubError, match=r"refuses it \(403\)"):
        hub.push(folder, "bob/other")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(HubError, match="does not know you: log in with `hf auth login`"):
        hub.push(folder, ID)
    with pytest.raises(HubError, match="Nobody is logged in to the Hub"):
        hub.push(folder, ID, token=True)


@pytest.mark.parametrize(
    ("status", "message"), [(429, "asks for fewer requests"), (503, r"answered with an error \(503\)")]
)
def test_hub_that_is_busy_is_told(hub_server, folder, status, message, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client tries again, slower and slower
    hub_server.fail = status
    with pytest.raises(HubError, match=message):
        hub.push(folder, ID)


def test_card_that_the_hub_refuses_is_told(hub_server, folder):
    (folder / "README.md").write_text("---\nlanguage: en\n---\nmine")
    with pytest.raises(HubError, match=r"refuses alice/tiles: Invalid metadata in README.md. - license is missing"):
        hub.push(folder, ID)


def test_picture_meant_to_be_private_is_not_pushed_in_public(hub_server, folder, files):
    hub_server.add(ID, {"README.md": b"hello"})
    with pytest.raises(HubError, match="alice/tiles exists and is public"):
        hub.push(folder, ID, private=True)
    assert list(hub_server.files(ID)) == ["README.md"]


def test_push_takes_no_links_and_no_damaged_model(hub_server, folder, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (folder / "README.md").unlink()
    (folder / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(CheckpointError, match=r"README.md is a symbolic link; put the file itself in its place"):
        hub.push(folder, ID)
    (folder / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="no format_version"):
        hub.push(folder, ID)
    assert hub_server.requests == []


def test_push_needs_a_name_of_two_parts(hub_server, tiny_model):
    with pytest.raises(CheckpointError, match="'tiles' is not of the form user/name; check the name"):
        tiny_model.push_to_hub("tiles")
    assert hub_server.requests == []


OFFLINE = """
import sys
import singan
from singan.storage import hub
folder, repo_id = hub.Path(sys.argv[1]), "alice/tiles"
for attempt in (lambda: singan.SinGAN.from_pretrained(repo_id), lambda: hub.push(folder, repo_id)):
    try:
        attempt()
    except singan.HubError as error:
        print(error)
"""


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"HF_HUB_OFFLINE": "1"}, ["needs the network and HF_HUB_OFFLINE is set"] * 2),
        (
            {"HF_ENDPOINT": "http://127.0.0.1:9"},
            ["alice/tiles is no folder here, and of the Hub: http://127.0.0.1:9 cannot be reached", "failed (Connect"],
        ),
    ],
)
def test_without_a_network(folder, tmp_path, monkeypatch, environment, told):
    """In a process of its own: the client reads its environment when it is imported."""
    for name, value in {**environment, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": "secret-token"}.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run([sys.executable, "-c", OFFLINE, str(folder)], capture_output=True, text=True, timeout=120)
    lines = done.stdout.splitlines()
    assert len(lines) == 2 and all(part in line for line, part in zip(lines, told, strict=True)), done
    assert "secret-token" not in done.stdout + done.stderr


@pytest.mark.parametrize("by_commit", [False, True], ids=["branch", "commit"])
@pytest.mark.parametrize("status", [301, 401, 403, 404, 429, 500, 503])
def test_cache_gives_nothing_that_the_hub_refuses(hub_server, tiny_model, monkeypatch, status, by_commit):
    pushed = tiny_model.push_to_hub(ID, private=True)
    asked = {"revision": pushed.commit} if by_commit else {}
    SinGAN.from_pretrained(ID, **asked)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub_server.fail = status
    with pytest.raises(HubError, match="alice/tiles is no folder here, and of the Hub: "):
        SinGAN.from_pretrained(ID, **asked)
    SinGAN.from_pretrained(ID, local_files_only=True, **asked)


@pytest.mark.parametrize("by_commit", [False, True], ids=["branch", "commit"])
@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("bob-token", "no repository alice/tiles"),
        (False, "no repository alice/tiles"),
        ("secret\ntoken", "The token .* cannot be sent to .*: it has a line break"),
        ("secr\u00e9t-token", "The token .* cannot be sent to .*letters beyond ASCII; copy it again"),
    ],
    ids=["another's", "none", "two lines", "accent"],
)
def test_private_model_in_the_cache_is_for_those_who_may_read_it(hub_server, tiny_model, token, message, by_commit):
    pushed = tiny_model.push_to_hub(ID, private=True)
    asked = {"revision": pushed.commit} if by_commit else {}
    SinGAN.from_pretrained(ID, **asked)
    with pytest.raises(HubError, match=message) as raised:
        SinGAN.from_pretrained(ID, token=token, **asked)
    assert "secr" not in "".join(traceback.format_exception(raised.value))  # nor any of what it is of
    del hub_server.repositories[ID]
    with pytest.raises(HubError, match="no repository alice/tiles"):
        SinGAN.from_pretrained(ID, **asked)


def test_what_is_in_the_cache_needs_no_network(hub_server, files, monkeypatch):
    hub_server.add(ID, files)
    SinGAN.from_pretrained(ID)

    def unreachable(*args, **kwargs):
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unreachable)
    with pytest.warns(TaskWarning, match="cannot be reached: alice/tiles is as it was downloaded before"):
        assert SinGAN.from_pretrained(ID).num_scales > 1
    with pytest.raises(HubError, match="local_files_only is set: leave that out once"):
        SinGAN.from_pretrained("alice/other", local_files_only=True)


# --- the card -------------------------------------------------------------------------------------


def front(card: str) -> dict:
    return yaml.safe_load(card.split("---\n")[1])


def test_card_tells_what_the_run_was(tiny_model):
    info = {**tiny_model.info, "photo": {"title": "Tiles | x", "author": "A", "license": "cc0-1.0", "source": "here"}}
    card = replace(tiny_model, info=info).generate_model_card(ID)
    told = front(str(card))
    assert (told["license"], told["library_name"]) == ("cc0-1.0", "singan")
    assert told["pipeline_tag"] == "unconditional-image-generation" and "singan" in told["tags"]
    for row in ("picture | Tiles x, by A", "source | here", "size | 70x54 px", "seed | 1", "preset | own settings"):
        assert f"| {row} |" in str(card)
    assert f"| parameters | {tiny_model.num_parameters:,} |" in str(card) and "| generators | 2 |" in str(card)
    assert f"s on {tiny_model.info['device']} |" in str(card)


def test_card_of_a_draft_gives_the_photographs_size_and_says_what_samples_are_made_of(tiny_picture):
    made = "put together anew from the picture's own patches"
    draft = singan.draft(tiny_picture.resize((280, 216)), TrainConfig.preset("draft", max_size=60))
    card = str(draft.generate_model_card(ID))
    for row in ("size | 280x216 px", "scales | 4", "generators | 0", "parameters | 0", "training | none, a draft"):
        assert f"| {row} |" in card
    assert "| preset | draft |" in card and made in card
    assert "| preset | draft |" in str(singan.draft(tiny_picture).generate_model_card(ID))


def test_card_of_generators_alone_gives_the_size_they_learned(whole_model):
    card = str(whole_model.generate_model_card(ID))
    assert "| size | 70x54 px |" in card and "| generators | 6 |" in card and "patches" not in card


@pytest.mark.parametrize("licence", ["no", "null", "1e3", "y", "true", "2.0", "cc0-1.0", "mit"])
def test_licence_is_text_in_a_card_whatever_it_looks_like(tiny_model, licence):
    card = replace(tiny_model, info={"photo": {"license": licence}}).generate_model_card(ID)
    assert front(str(card))["license"] == licence


def test_licence_the_hub_would_refuse_is_refused_here(tiny_model, tmp_path):
    with pytest.raises(CheckpointError, match="license is 'CC BY'; give the Hub's identifier for it"):
        replace(tiny_model, info={"photo": {"license": "CC BY"}}).save_pretrained(tmp_path)


def test_code_in_the_card_of_a_repository_runs(hub_server, tiny_model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny_model.push_to_hub(ID)
    card = hub_server.files(ID)["README.md"].decode()
    assert f'from_pretrained("{ID}")' in card and front(card)["license"] == "unknown"
    exec(card.split("```python\n")[1].split("```")[0], {"__name__": "card"})
    assert (tmp_path / "sample.png").is_file()


def test_card_edited_by_hand_stays(hub_server, tiny_model, folder):
    (folder / "README.md").write_text("by hand")
    tiny_model.save_pretrained(folder)
    assert (folder / "README.md").read_text() == "by hand"
    hub_server.add(ID, {"README.md": b"---\nlicense: mit\n---\nby someone on the Hub"})
    pushed = hub.push(folder, ID)
    assert pushed.changed and pushed.card_kept
    assert b"by someone on the Hub" in hub_server.files(ID)["README.md"]


def test_card_made_before_is_made_anew(hub_server, tiny_model, folder):
    other = replace(tiny_model, info={**tiny_model.info, "seed": 99})
    other.save_pretrained(folder)
    assert "| seed | 99 |" in (folder / "README.md").read_text()
    tiny_model.push_to_hub(ID)
    pushed = other.push_to_hub(ID)
    assert not pushed.card_kept and b"| seed | 99 |" in hub_server.files(ID)["README.md"]


def test_made_card_follows_the_model_from_place_to_place(hub_server, folder, tmp_path):
    hub.push(folder, ID)
    hub.push(hub.pull(ID, tmp_path / "out"), "alice/other")
    assert b'from_pretrained("alice/other")' in hub_server.files("alice/other")["README.md"]
    SinGAN.from_pretrained(tmp_path / "out").save_pretrained(tmp_path / "out")
    assert 'from_pretrained("out")' in (tmp_path / "out" / "README.md").read_text()


def test_card_of_a_title_with_code_in_it_is_not_by_hand(tiny_model, tmp_path):
    info = {"photo": {"title": 'SinGAN.from_pretrained("mine")'}}
    assert not hub.card_is_edited(replace(tiny_model, info=info).save_pretrained(tmp_path / "from_pretrained("))


@pytest.mark.parametrize("card", [b"\xff", b"x from_pretrained(5)\n", b"x from_pretrained([[)\n", b""])
def test_card_that_is_no_card_of_ours_is_taken_for_written_by_hand(folder, card):
    assert not hub.card_is_edited(folder)
    (folder / "README.md").write_bytes(card)
    assert hub.card_is_edited(folder)


def test_own_card_is_pushed_where_there_is_none(hub_server, folder):
    (folder / "README.md").write_text("---\nlicense: mit\n---\nmine")
    assert not hub.push(folder, ID).card_kept
    assert hub_server.files(ID)["README.md"] == b"---\nlicense: mit\n---\nmine"


def test_model_is_one_of_the_hubs_mixin(tiny_model):
    assert isinstance(tiny_model, huggingface_hub.ModelHubMixin)


# --- the command ----------------------------------------------------------------------------------


def cli(*args) -> int:
    from singan.cli import main

    return main([str(arg) for arg in args])


def test_command_pushes_pulls_and_looks(hub_server, folder, tmp_path, capsys):
    assert cli("push", folder, ID, "--message", "First") == 0
    assert f"Pushed: {loop_url()}/{ID}/commit/" in capsys.readouterr().out
    assert cli("push", folder, ID) == 0
    assert capsys.readouterr().out == f"Nothing to push: {ID} holds this model already.\n"
    assert cli("pull", ID, "--out", tmp_path / "out") == 0
    assert capsys.readouterr().out == f"Pulled {ID}: {tmp_path / 'out'}\n"
    assert describe(tmp_path / "out") == describe(folder)
    assert cli("info", ID, "--revision", "main", "--json") == 0
    assert json.loads(capsys.readouterr().out)["model"] == ID
    assert cli("sample", ID, "--n", 1, "--out", tmp_path / "samples") == 0
    assert (tmp_path / "samples" / "sample-0.png").is_file()


def test_command_prints_json(hub_server, folder, tmp_path, capsys):
    hub_server.add(ID, {"README.md": b"by hand"}, private=True)
    assert cli("push", folder, ID, "--private", "--revision", "b", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["changed"] and told["card_kept"] and told["repo_id"] == ID
    assert cli("pull", ID, "--out", tmp_path / "out", "--revision", "b", "--json") == 0
    assert json.loads(capsys.readouterr().out)["revision"] == "b"
    assert cli("push", folder, ID, "--pr") == 0
    assert "edited by hand, and stays" in capsys.readouterr().out


def test_cache_that_is_a_file_is_none(monkeypatch, tmp_path):
    (tmp_path / "cache").touch()
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    assert {model["name"] for model in hub.known()} == {path.name for path in SHIPPED} and hub.cached("x") is None


def test_command_fails_on_one_line(hub_server, tmp_path, capsys):
    assert cli("pull", ID, "--out", tmp_path / "out") == 1
    told = capsys.readouterr().err
    assert told.startswith("singan: There is no repository alice/tiles") and told.count("\n") == 1
    assert "alice-token" not in told


def loop_url() -> str:
    return huggingface_hub.constants.ENDPOINT
