"""What visitors upload is bounded, and gone in time."""

import os
import re
import shutil
import tempfile
import time
from pathlib import Path

import httpx
import pytest

import singan.ui
from singan import serving
from singan.errors import ConfigError
from singan.ui import build_app, uploads


@pytest.fixture(autouse=True)
def own_tempdir(monkeypatch):
    """What `serving.prepare` sets is as before afterwards."""
    monkeypatch.setattr(tempfile, "tempdir", tempfile.gettempdir())


def aged(path, hours, size=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    past = time.time() - 3600 * hours
    os.utime(path, (past, past))
    os.utime(path.parent, (past, past))
    return path


def post(url, files):
    return httpx.post(f"{url}gradio_api/upload", files=[("files", one) for one in files], timeout=60)


def test_a_few_files_are_taken(app_url):
    answer = post(app_url, [(f"{k}.png", bytes(100)) for k in range(uploads.MAX_FILES)])
    assert answer.status_code == 200 and len(answer.json()) == uploads.MAX_FILES


@pytest.mark.parametrize("sizes", [[10] * (uploads.MAX_FILES + 1), [1] * 900, [19_000_000] * 3])
def test_uploads_of_many_or_large_files_are_refused(app_url, sizes):
    try:
        answer = post(app_url, [(f"{k}.png", bytes(size)) for k, size in enumerate(sizes)])
    except (httpx.WriteError, httpx.ReadError):  # cut off while it was still being sent
        return
    assert answer.status_code == 413 and "An upload has at most 4 files and 45 MB" in answer.text


def test_the_rest_of_the_app_is_not_in_the_way(app_url):
    assert httpx.get(f"{app_url}config").status_code == 200


def test_oldest_uploads_give_way_to_new_ones(tmp_path):
    old, middle, new = (aged(tmp_path / f"{k}" / "photo.png", hours, 400) for k, hours in enumerate((3, 2, 1)))
    uploads.make_room(tmp_path, quota=900)
    assert [path.exists() for path in (old, middle, new)] == [False, True, True]


def test_what_one_app_keeps_gives_no_way_when_another_makes_room(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "_kept", set())
    kept, new = aged(tmp_path / "a" / "photo.png", 9, 400), aged(tmp_path / "b" / "photo.png", 0, 400)
    uploads.keep([kept])
    monkeypatch.setattr(uploads, "_kept", set())  # the other one knows nothing of it
    uploads._touch([kept])  # it is shown
    uploads.make_room(tmp_path, quota=500)
    assert kept.exists() and not new.exists()


@pytest.mark.parametrize("given", [True, False])
def test_folder_that_is_swept_is_one_of_the_app_alone(monkeypatch, tmp_path, given):
    """Of other things there, in a folder that somebody named, nothing is removed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(os, "environ", {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path / "given") if given else ""})
    for _ in range(2):  # as app.py does after the command
        serving.prepare()
    own = uploads.folder_of_uploads()
    assert own.parent == (tmp_path / "given" if given else tmp_path) and own.name.startswith("singan-app")
    assert own.stat().st_mode & 0o777 == 0o700  # photos are private
    assert uploads._scratch_base().parent == Path(tempfile.gettempdir())  # else gradio refuses what is computed
    other = aged(own.parent / "thesis.txt", 9)
    uploads.sweep(uploads.folder_of_uploads())
    assert other.exists()


def test_folder_for_uploads_is_an_absolute_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "environ", {**os.environ, "GRADIO_TEMP_DIR": "given"})
    serving.prepare()
    assert Path(os.environ["GRADIO_TEMP_DIR"]).parent == tmp_path / "given"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="Windows has no users to compare")
@pytest.mark.parametrize("kind", ["link", "file", "another's"])
def test_folder_for_uploads_that_is_not_ours_is_refused(monkeypatch, tmp_path, kind):
    user = os.getuid() + (kind == "another's")
    monkeypatch.setattr(os, "getuid", lambda: user)
    monkeypatch.setattr(os, "environ", {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path)})
    own = tmp_path / f"singan-app-{user}"
    (tmp_path / "elsewhere").mkdir()
    {"link": lambda: own.symlink_to("elsewhere"), "file": own.touch, "another's": own.mkdir}[kind]()
    with pytest.raises(ConfigError, match=f"{own.name} is no folder of yours.*: remove it, or set GRADIO_TEMP_DIR to"):
        serving.prepare()


def test_folder_for_uploads_that_others_can_read_is_closed_to_them(monkeypatch, tmp_path):
    own = tmp_path / f"singan-app-{getattr(os, 'getuid', int)()}"
    own.mkdir()
    own.chmod(0o755)
    monkeypatch.setattr(os, "environ", {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path)})
    serving.prepare()
    assert own.stat().st_mode & 0o777 == 0o700


def test_files_are_swept_after_their_time_and_folders_with_them(tmp_path):
    old, new = aged(tmp_path / "a" / "photo.png", 1.1), aged(tmp_path / "b" / "photo.png", 0.9)
    uploads.sweep(tmp_path)
    assert not old.exists() and new.exists()
    aged(tmp_path / "c" / "x", 2).unlink()
    os.utime(tmp_path / "c", (1, 1))
    uploads.sweep(tmp_path)
    assert not (tmp_path / "c").exists()


def test_what_an_ended_process_left_is_swept_and_what_a_run_writes_is_not(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "app"))
    with uploads.scratch("run") as live, uploads.scratch() as empty:
        base = uploads.folder_of_uploads().with_name("app-scratch")
        left = aged(base / "run-left" / "photo" / "me.png", 2.1)
        aged(base / "run-live2" / "photo" / "me.png", 9)
        state = base / "run-live2" / "state.safetensors"
        state.write_bytes(b"now")
        uploads.sweep_scratch()
        assert not left.parent.parent.exists() and state.exists()
        assert os.path.isdir(live) and os.path.isdir(empty)
    assert not os.path.exists(live)


def test_a_call_may_be_done_and_its_folder_gone_while_others_are_looked_through(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "app"))
    looked = []

    def gone(folder):
        looked.append(folder)
        shutil.rmtree(folder)
        return iter(())

    with uploads.scratch(), uploads.scratch("run"):
        monkeypatch.setattr(uploads, "_files", gone)
        uploads.sweep_scratch()
    assert len(looked) == 2


def test_another_app_may_remove_a_folder_while_it_is_looked_through(tmp_path, monkeypatch):
    old, soon = aged(tmp_path / "a" / "photo.png", 2), tmp_path / "b"
    soon.mkdir()
    scandir, visits = os.scandir, []

    def listed(place):
        visits.append(str(place))
        if visits.count(str(soon)) == 2:  # first its files are looked for, then it
            soon.rmdir()
        return scandir(place)

    monkeypatch.setattr(os, "scandir", listed)
    uploads.sweep(tmp_path)
    assert not old.exists() and not soon.exists()


@pytest.mark.parametrize("taken", [uploads.keep, uploads._touch])
@pytest.mark.parametrize("clear", [uploads.sweep, lambda folder: uploads.make_room(folder, quota=0)])
def test_a_file_is_left_that_was_taken_for_a_new_one_while_others_were_looked_at(tmp_path, monkeypatch, clear, taken):
    old, equal = (aged(tmp_path / name / "photo.png", 2) for name in "ab")
    files = uploads._files

    def looked(folder):
        yield from files(folder)
        taken([equal])

    monkeypatch.setattr(uploads, "_kept", set())
    monkeypatch.setattr(uploads, "_files", looked)
    clear(tmp_path)
    assert equal.exists() and not old.exists()


def test_a_file_that_cannot_be_removed_keeps_no_other_one(tmp_path, monkeypatch):
    files = [aged(tmp_path / name / "photo.png", 2) for name in "ab"]
    unlink = Path.unlink

    def locked(path, missing_ok=False):
        if path == files[0]:
            raise PermissionError(path)
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", locked)
    uploads.sweep(tmp_path)
    uploads.make_room(tmp_path, quota=0)
    assert [path.exists() for path in files] == [True, False]


def test_one_thing_is_computed_at_a_time_and_one_short_one_and_one_draft_beside_it(built_app):
    """Each call waits in a lane; what is in none but computes nothing is the call that stops a run."""
    calls = [fn for fn in built_app.fns.values() if fn.api_name and fn.api_visibility == "public"]
    lanes = {(fn.concurrency_id, fn.concurrency_limit) for fn in calls if fn.queue}
    assert lanes == {("long", 1), ("short", 1), ("quick", 1), ("network", 2)}
    assert [fn.api_name for fn in calls if not fn.queue] == ["stop"]


def test_room_is_made_after_a_tenth_of_the_quota(app_url, monkeypatch):
    made = []
    monkeypatch.setattr(uploads, "make_room", made.append)
    monkeypatch.setattr(uploads, "QUOTA_BYTES", 50_000)
    for _ in range(3):
        assert post(app_url, [("a.png", bytes(3_000))]).status_code == 200
    assert 1 <= len(made) <= 2 and made[0] == uploads.folder_of_uploads()


@pytest.mark.parametrize("path", ["queue/join", "call/sample", "cancel"])
def test_calls_are_small(app_url, path):
    """Parsed, this one would take a gigabyte."""
    body = b'{"fn_index":8,"session_hash":"a","data":[' + b"[]," * 8_000_000 + b"0]}"
    try:
        answer = httpx.post(f"{app_url}gradio_api/{path}", content=body, timeout=60)
    except (httpx.WriteError, httpx.ReadError):  # cut off while it was still being sent
        return
    assert answer.status_code == 413 and answer.text == "A call has at most 1 MB."


def test_pictures_that_every_page_shows_are_there_as_long_as_the_app_runs(app_url):
    page = httpx.get(app_url).text
    files = {Path(file) for file in re.findall(r"/gradio_api/file=([^\"]+\.(?:png|webp))", page)}
    assert len(files) >= 5
    for file in files:
        os.utime(file, (1, 1))
        os.utime(file.parent, (1, 1))
        uploads.sweep(file.parent)
        uploads.make_room(file.parent, quota=0)
    assert {httpx.get(f"{app_url}gradio_api/file={file}").status_code for file in files} == {200}
    assert all(time.time() - file.stat().st_mtime < 60 for file in files)  # another app would sweep them by that


def test_app_does_not_rely_on_old_files_of_one_before(pretrained, examples, tmp_path, monkeypatch):
    """gradio writes no file that is there already: the sweeper took one away while the page was being built with it."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(uploads, "_sweeping", {tmp_path})  # by nobody beside it
    monkeypatch.setattr(singan.ui.first.First, "start", lambda first, demo: None)
    monkeypatch.setattr(uploads, "_kept", set())

    def files():
        return {Path(file) for block in build_app(pretrained, examples).blocks.values() for file in block.keep_in_cache}

    before, stranger = files(), aged(tmp_path / "a" / "photo.png", 2)
    assert len(before) >= 5 and all(tmp_path in file.parents for file in before)
    for file in before:
        os.utime(file, (1, 1))
    uploads._kept.clear()  # as that of another process
    again = files()
    assert before & again and not stranger.exists()
    assert all(time.time() - file.stat().st_mtime < 60 for file in again)


def test_what_is_shown_is_kept_from_then_on(app_url, tmp_path):
    (shown,) = (Path(file) for file in post(app_url, [("a.png", bytes(100))]).json())
    hidden = aged(tmp_path / "b.png", 0.9)
    for name in (shown, hidden):
        os.utime(name, (1, 1))
    assert httpx.get(f"{app_url}gradio_api/file={shown}").status_code == 200
    httpx.get(f"{app_url}gradio_api/file={shown.parent}/../../../../../{hidden}")
    assert httpx.get(f"{app_url}gradio_api/file={shown}%00").status_code in (403, 404)
    assert time.time() - shown.stat().st_mtime < 60
    assert hidden.stat().st_mtime == 1
