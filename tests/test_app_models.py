"""Models that a visitor brings to the app, from the Hub or as files, and what goes to the Hub."""

import shutil
import zipfile
from pathlib import Path

import gradio as gr
import pytest
from gradio_client import Client, handle_file
from huggingface_hub import constants

from singan.files import CONFIG_FILE, WEIGHTS_FILE
from singan.ui import LAUNCH, build_app, models, shelf
from singan.ui.shelf import Shelf

ALICE = gr.OAuthToken(token="alice-token", scope="contribute-repos", expires_at=2**40)


@pytest.fixture
def shipped(pretrained):
    return Shelf(pretrained)


@pytest.fixture
def model_folder(tiny_model, tmp_path):
    return tiny_model.save_pretrained(tmp_path / "holiday")


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def archive(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in files.items():
            file.writestr(name, data)
    return str(path)


def same(one, other):
    return one.sample(seed=3)[0].tobytes() == other.sample(seed=3)[0].tobytes()


# --- files


def test_zip_as_the_app_gives_it_becomes_the_chosen_pyramid(shipped, model_folder, tiny_model, tmp_path):
    whole = shutil.make_archive(str(tmp_path / "holiday"), "zip", tmp_path, "holiday")
    mine, name, pictures = models.load_files(shipped, [whole])
    assert name == "holiday" and mine.names() == ["holiday", "blue", "green-field"]
    assert same(mine.load("holiday"), tiny_model)
    assert [caption for _, caption in pictures["value"]] == mine.names() and pictures["selected_index"] == 0
    assert shipped.names() == ["blue", "green-field"]


def test_two_files_become_a_pyramid(shipped, model_folder, tiny_model):
    mine, name, _ = models.load_files(shipped, [str(model_folder / WEIGHTS_FILE), str(model_folder / CONFIG_FILE)])
    assert name == "model" and same(mine.load("model"), tiny_model)


def test_folders_in_a_zip_are_not_believed(shipped, model_folder, tiny_model, tmp_path):
    files = {f"../../../{name}": data for name, data in content(model_folder).items()}
    before = sorted(path for path in tmp_path.rglob("*"))
    mine, _, _ = models.load_files(shipped, [archive(tmp_path / "up.zip", files)])
    assert same(mine.load("up"), tiny_model)
    assert sorted(path for path in tmp_path.rglob("*") if path.name != "up.zip") == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda files: files | {"evil.pkl": b"x"}, "holds &#x27;evil.pkl&#x27;, which is no part of one model"),
        (
            lambda files: files | {"b/config.json": b"x"},
            "holds &#x27;b/config.json&#x27;, which is no part of one model",
        ),
        (lambda files: {"README.md": b"x"}, "There is no config.json in what was uploaded"),
        (lambda files: {CONFIG_FILE: files[CONFIG_FILE]}, "There is no model.safetensors in what was uploaded"),
        (lambda files: files | {CONFIG_FILE: b" " * 2_000_000}, "config.json in up.zip has 2 MB; the limit is 1"),
        (
            lambda files: files | {WEIGHTS_FILE: bytes(30_000_000)},
            "model.safetensors in up.zip has 30 MB; the limit is 20",
        ),
        (lambda files: files | {WEIGHTS_FILE: b"x"}, "What was uploaded cannot be used: model.safetensors has 1 bytes"),
        (lambda files: files | {CONFIG_FILE: b"<b>"}, "What was uploaded cannot be used: config.json is not JSON"),
        (lambda files: {}, "There is no config.json in what was uploaded"),
    ],
)
def test_wrong_zip_is_a_toast(shipped, model_folder, tmp_path, change, message):
    with pytest.raises(gr.Error) as toast:
        models.load_files(shipped, [archive(tmp_path / "up.zip", change(content(model_folder)))])
    assert message in toast.value.message
    assert "/tmp" not in toast.value.message and "<b>" not in toast.value.message


def test_broken_zip_is_a_toast(shipped, model_folder, tmp_path):
    whole = archive(tmp_path / "up.zip", content(model_folder))
    data = (tmp_path / "up.zip").read_bytes()
    middle = data.index(b"config.json") + 100
    for broken in (b"not a zip", data[:-40], data[:middle] + bytes(100) + data[middle + 100 :]):
        (tmp_path / "up.zip").write_bytes(broken)
        with pytest.raises(gr.Error, match="up.zip is not a zip file that can be read"):
            models.load_files(shipped, [whole])


def test_zip_that_lies_about_a_size_is_read_no_further_than_the_limit(shipped, model_folder, tmp_path):
    path = archive(tmp_path / "up.zip", content(model_folder) | {CONFIG_FILE: b" " * 3_000_000})
    data = (tmp_path / "up.zip").read_bytes()
    (tmp_path / "up.zip").write_bytes(data.replace((3_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(gr.Error, match="is not a zip file that can be read|cannot be used"):
        models.load_files(shipped, [path])


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zip_packed_by_what_inflates_whole_is_refused(shipped, model_folder, tmp_path, method):
    """A kilobyte of it can hold gigabytes."""
    with zipfile.ZipFile(tmp_path / "up.zip", "w", method) as file:
        for name, data in content(model_folder).items():
            file.writestr(name, data)
    with pytest.raises(gr.Error, match=f"in up.zip is packed by method {method}: take Deflate, as usual"):
        models.load_files(shipped, [str(tmp_path / "up.zip")])


def test_zip_of_many_files_is_refused_unread(shipped, tmp_path, monkeypatch):
    path = archive(tmp_path / "up.zip", {f"{k}": b"" for k in range(models.MAX_MEMBERS + 1)})
    monkeypatch.setattr(zipfile, "ZipFile", None)
    with pytest.raises(gr.Error, match="up.zip holds over 16 files, which are no part of one model"):
        models.load_files(shipped, [path])


@pytest.mark.parametrize("files", [None, []])
def test_no_files_are_a_toast(shipped, files):
    with pytest.raises(gr.Error, match="There is no config.json in what was uploaded"):
        models.load_files(shipped, files)


def test_model_that_would_take_too_much_memory_is_refused(shipped, model_folder, monkeypatch):
    monkeypatch.setattr(shelf, "MAX_MODEL_BYTES", 1000)
    with pytest.raises(gr.Error, match="What was uploaded cannot be used: it takes .* MB, and this app takes up to"):
        models.load_files(shipped, [str(model_folder / name) for name in models.NEEDED])


# --- the Hub


def test_public_model_of_the_hub_is_loaded_without_the_token_of_the_server(
    hub_server, shipped, model_folder, tiny_model
):
    hub_server.add("bob/holiday", content(model_folder))
    hub_server.add("alice/secret", content(model_folder), private=True)  # the server is logged in as alice
    mine, name, _ = models.load_from_hub(shipped, " bob/holiday ")
    assert name == "holiday" and same(mine.load("holiday"), tiny_model)
    with pytest.raises(gr.Error, match="There is no repository alice/secret at .*, or it is private"):
        models.load_from_hub(shipped, "alice/secret")


def test_private_model_is_loaded_for_its_owner_and_for_nobody_after_that(hub_server, shipped, model_folder, tiny_model):
    hub_server.add("alice/secret", content(model_folder), private=True)
    mine, name, _ = models.load_from_hub(shipped, "alice/secret", ALICE)
    assert same(mine.load(name), tiny_model)
    with pytest.raises(gr.Error, match="or it is private"):
        models.load_from_hub(shipped, "alice/secret")
    assert list(Path(constants.HF_HUB_CACHE).rglob("*.safetensors")) == []


@pytest.mark.parametrize(
    "repo_id", ["", "blue", "../../etc", "/etc/passwd", "a/b/c", "https://elsewhere.org/a", "<i>/b"]
)
def test_what_cannot_be_on_the_hub_is_not_asked_for(hub_server, shipped, repo_id):
    with pytest.raises(gr.Error, match="is not of the form user/name") as toast:
        models.load_from_hub(shipped, repo_id)
    assert hub_server.requests == [] and "<i>" not in toast.value.message


def test_folder_on_the_server_is_not_looked_at(hub_server, shipped, monkeypatch, pretrained):
    monkeypatch.chdir(pretrained.parent)
    with pytest.raises(gr.Error, match="There is no repository"):
        models.load_from_hub(shipped, f"{pretrained.name}/blue")


def test_repository_without_a_model_is_a_toast(hub_server, shipped, model_folder):
    hub_server.add("bob/other", {"pytorch_model.bin": b"x"})
    with pytest.raises(gr.Error, match="bob/other is no SinGAN model: it has no config.json"):
        models.load_from_hub(shipped, "bob/other")
    hub_server.add("bob/broken", content(model_folder) | {WEIGHTS_FILE: b"x"})
    with pytest.raises(gr.Error, match="bob/broken cannot be used: model.safetensors has 1 bytes"):
        models.load_from_hub(shipped, "bob/broken")


def test_push_is_in_the_name_of_the_visitor(hub_server, shipped, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "mallory-token")
    said = models.push(shipped, "blue", "alice/blue", True, ALICE)
    assert f'href="{constants.ENDPOINT}/alice/blue/commit/' in said and ">alice/blue</a>" in said
    assert hub_server.repositories["alice/blue"].private
    assert WEIGHTS_FILE in hub_server.files("alice/blue")
    assert "It was there already" in models.push(shipped, "blue", "alice/blue", True, ALICE)


@pytest.mark.parametrize(
    ("repo_id", "token", "message"),
    [
        ("alice/blue", None, "Nobody is logged in: log in first."),
        ("blue", ALICE, "is not of the form user/name"),
        ("bob/blue", ALICE, "refuses it"),
    ],
)
def test_push_that_cannot_be_is_a_toast(hub_server, shipped, repo_id, token, message):
    with pytest.raises(gr.Error, match=message):
        models.push(shipped, "blue", repo_id, True, token)
    assert hub_server.repositories == {}


# --- the whole


@pytest.fixture
def space_url(pretrained, hub_server, monkeypatch):
    """The app as it is on a Space, but for the button that logs in, which needs the real Hub."""
    monkeypatch.setattr(gr, "LoginButton", gr.Button)
    with monkeypatch.context() as space:
        space.setenv("SPACE_ID", "alice/app")
        demo = build_app(pretrained)
    _, url, _ = demo.launch(**LAUNCH, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    yield url
    demo.close(verbose=False)


def test_client_loads_and_samples_what_it_loaded_and_nobody_else_sees_it(app_url, hub_server, model_folder):
    hub_server.add("bob/holiday", content(model_folder))
    mine, other = (Client(app_url, verbose=False) for _ in range(2))
    name, _ = mine.predict(repo_id="bob/holiday", api_name="/load_from_hub")
    files = [handle_file(model_folder / name) for name in models.NEEDED]
    second, _ = mine.predict(files=files, api_name="/load_files")
    assert (name, second) == ("holiday", "model")
    for pyramid in (name, second):
        pictures, _ = mine.predict(pyramid=pyramid, number=1, api_name="/sample")
        assert len(pictures) == 1
        with pytest.raises(Exception, match="There is no pyramid"):
            other.predict(pyramid=pyramid, number=1, api_name="/sample")


def test_away_from_a_space_nobody_is_asked_for_a_token(built_app):
    app = built_app
    assert "/push" not in app.get_api_info()["named_endpoints"]
    assert not any(isinstance(block, gr.LoginButton) for block in app.blocks.values())
    texts = [str(getattr(block, "value", "")) for block in app.blocks.values()]
    assert any("singan push MODEL user/name" in text for text in texts)


def test_client_pushes_on_a_space_with_its_own_token(space_url, hub_server):
    client = Client(space_url, verbose=False, oauth_token="alice-token")
    said = client.predict(pyramid="blue", repo_id="alice/blue", private=True, api_name="/push")
    assert "It is on the Hub" in said and hub_server.repositories["alice/blue"].private
    with pytest.raises(Exception, match="Nobody is logged in"):
        Client(space_url, verbose=False).predict(pyramid="blue", repo_id="alice/b", api_name="/push")


def test_pyramid_that_has_to_give_way_while_pictures_are_made_is_not_shown(pretrained, tiny_model, monkeypatch):
    shelf, mine = Shelf(pretrained).add("mine", tiny_model)
    names = shelf.names()
    monkeypatch.setattr(Shelf, "names", lambda _: names)
    monkeypatch.setattr(shelf.own[mine], "_model", None)
    assert [name for _, name in shelf.pictures()] == [name for name in names if name != mine]
