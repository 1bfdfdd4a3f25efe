"""tools/train_on_hub.py, the script for `hf jobs uv run`, against a Hub on the loopback."""

import functools
import http.client
import http.server
import importlib.util
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import singan

SCRIPT = Path(__file__).parent.parent / "tools" / "train_on_hub.py"
TINY = ["--max-size", "40", "--steps", "2"]


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("train_on_hub", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_photo_is_learned_and_pushed(script, hub_server, photo_path, capsys):
    facts = ["--title", "Tiles", "--author", "Anna", "--licence", "cc0-1.0"]
    assert script.main([str(photo_path), "alice/tiles", *TINY, "--seed", "3", "--private", *facts]) == 0
    assert re.fullmatch(r"Pushed: http\S+\n", capsys.readouterr().out)
    assert hub_server.repositories["alice/tiles"].private
    model = singan.SinGAN.from_pretrained("alice/tiles")
    config = singan.TrainConfig.preset("fast", max_size=40, steps=2)
    assert model.sample(1)[0].tobytes() == singan.train(photo_path, config, seed=3).sample(1)[0].tobytes()
    assert model.info["photo"] == {"title": "Tiles", "author": "Anna", "license": "cc0-1.0"}
    card = hub_server.files("alice/tiles")["README.md"].decode()
    assert "license: cc0-1.0\nlibrary_name: singan\n" in card and "# Tiles" in card


def test_photo_may_be_an_address(script, hub_server, photo_path):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=photo_path.parent)
    handler.log_message = lambda *args: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        assert script.main([f"{address}/{photo_path.name}", "alice/tiles", "--preset", "draft"]) == 0
        assert script.main([f"{address}/nothing.png", "alice/tiles", "--preset", "draft"]) == 1
        server.shutdown()
    assert "config.json" in hub_server.files("alice/tiles")


def test_large_download_is_refused(script, hub_server, photo_path, monkeypatch, tmp_path):
    monkeypatch.setattr(script, "MAX_BYTES", 10)
    monkeypatch.setattr("urllib.request.urlopen", lambda *args, **options: photo_path.open("rb"))
    with pytest.raises(OSError, match="is over 10 bytes: give a smaller photo"):
        script.fetch("https://example.org/photo.jpg", tmp_path)


@pytest.mark.parametrize(
    ("token", "repo_id", "message"),
    [("nobody", "alice/tiles", "does not know you"), ("bob-token", "alice/tiles", "There is no repository|refuses it")],
)
def test_a_token_that_cannot_push_is_told_before_anything_is_learned(
    script, hub_server, photo_path, monkeypatch, capsys, token, repo_id, message
):
    monkeypatch.setenv("HF_TOKEN", token)
    monkeypatch.setattr("singan.train", lambda *args, **options: pytest.fail("it was learned"))
    assert script.main([str(photo_path), repo_id]) == 1
    error = capsys.readouterr().err
    assert re.match(rf"train_on_hub: .*({message})", error) and token not in error


def test_bad_photo_is_one_line_and_makes_no_repository(script, hub_server, tmp_path, capsys):
    assert script.main([str(tmp_path / "no.png"), "alice/tiles"]) == 1
    assert re.fullmatch(r"train_on_hub: .*no\.png.*\n", capsys.readouterr().err)
    assert hub_server.repositories == {}


@pytest.mark.parametrize(
    ("fact", "message"),
    [
        (["--licence", "CC0 1.0"], "license is 'CC0 1.0'; give the Hub's identifier for it, as in cc0-1.0."),
        (["--title", "two\nlines"], "title is not a line of printable text."),
    ],
)
def test_facts_that_no_model_holds_are_told_before_anything_is_learned(
    script, hub_server, photo_path, monkeypatch, capsys, fact, message
):
    monkeypatch.setattr("singan.train", lambda *args, **options: pytest.fail("it was learned"))
    assert script.main([str(photo_path), "alice/tiles", *fact]) == 1
    assert capsys.readouterr().err == f"train_on_hub: Of the photo, {message}\n"
    assert hub_server.repositories == {}


@pytest.mark.parametrize("checkpoint", [True, False])
def test_a_push_that_fails_leaves_the_model_and_says_where(
    script, hub_server, photo_path, tmp_path, monkeypatch, capsys, checkpoint
):
    def fail(*args, **options):
        raise singan.HubError("The exchange failed: check the network.")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(singan.SinGAN, "push_to_hub", fail)
    args = [str(photo_path), "alice/tiles", "--preset", "draft", "--title", "Tiles"]
    assert script.main([*args, "--checkpoint", str(tmp_path / "runs")] if checkpoint else args) == 1
    error = capsys.readouterr().err
    found = re.fullmatch(
        r"train_on_hub: The exchange failed: check the network. The model is in (.*): singan push \1 alice/tiles\n",
        error,
    )
    assert found and Path(found[1]).resolve().parent == (tmp_path / "runs" if checkpoint else tmp_path).resolve()
    assert singan.SinGAN.from_pretrained(found[1]).info["photo"] == {"title": "Tiles"}


def test_download_that_breaks_off_is_one_line(script, hub_server, monkeypatch, capsys):
    def breaks_off(*args, **options):
        raise http.client.IncompleteRead(b"half")

    monkeypatch.setattr("urllib.request.urlopen", breaks_off)
    assert script.main(["https://example.org/photo.jpg", "alice/tiles"]) == 1
    assert capsys.readouterr().err == "train_on_hub: IncompleteRead(4 bytes read)\n"


def test_a_job_that_was_broken_off_goes_on_where_it_was(script, hub_server, photo_path, tmp_path, monkeypatch):
    args = [str(photo_path), "alice/tiles", *TINY, "--checkpoint", str(tmp_path)]
    config = singan.TrainConfig.preset("fast", max_size=40, steps=2)
    events = singan.iter_train(photo_path, config, checkpoint_dir=tmp_path)
    next(events)
    events.close()
    taken = []
    train = singan.train
    monkeypatch.setattr(
        "singan.train", lambda *args, **options: taken.append(options["resume"]) or train(*args, **options)
    )
    assert script.main(args) == 0 and taken == [True]
    assert list(tmp_path.iterdir()) == []


def test_script_says_what_it_needs_and_runs_alone(tmp_path):
    """As uv reads and starts it: no package of ours, or of anybody's, by a name that is anybody's to take."""
    block = re.search(r"^# /// script\n((?:# .*\n)+)# ///$", SCRIPT.read_text(), re.MULTILINE)
    assert block and "dependencies = []" in block[1]
    help_text = subprocess.run([sys.executable, SCRIPT, "--help"], cwd=tmp_path, capture_output=True, text=True)
    assert help_text.returncode == 0 and "hf jobs uv run" in help_text.stdout
    alone = subprocess.run(
        [sys.executable, "-S", "-I", SCRIPT, "photo.jpg", "alice/tiles"], cwd=tmp_path, capture_output=True, text=True
    )
    assert alone.returncode == 1 and alone.stderr.startswith("train_on_hub: singan is not installed")
