"""Calls that no page makes: they are told what is wrong, and the server's log stays empty."""

import json
import re
import threading
from pathlib import Path
from uuid import uuid4

import anyio
import gradio as gr
import hostile
import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

import singan
from singan.ui import LAUNCH, build_app, calls
from singan.ui.shelf import Shelf
from singan.ui.work import MAX_SEED

CANVAS = {"background": None, "layers": [], "composite": None, "id": None}


@pytest.fixture(scope="module")
def numbers(built_app):
    """The number of each call."""
    return {fn.api_name: number for number, fn in built_app.fns.items()}


def test_what_hostile_sends_is_what_the_app_takes(built_app):
    """tests/hostile.py is run by hand, and goes by the names of functions."""
    inputs = {fn.api_name: fn.inputs for fn in built_app.fns.values()}
    taken = {call: inputs[call][place] for call, place in {**hostile.PHOTOGRAPHS, **hostile.CANVASES}.items()}
    assert all(isinstance(taken[call], (gr.File, gr.UploadButton)) for call in hostile.PHOTOGRAPHS)
    assert all(isinstance(taken[call], gr.ImageEditor) for call in hostile.CANVASES)
    assert all(place < len(inputs[call]) for call, small in hostile.SMALL.items() for place in small)
    assert all(len(inputs[call]) > 1 for call in hostile.PLAIN)


def answer(app_url, number, data, event=None, page=False, session=None, user="api"):
    """What a call ends with."""
    body = {"fn_index": number, "data": data, "session_hash": session or uuid4().hex, "event_data": event}
    headers = {"x-gradio-user": "app" if page else user}
    httpx.post(f"{app_url}gradio_api/queue/join", json=body, headers=headers).raise_for_status()
    with httpx.stream("GET", f"{app_url}gradio_api/queue/data", params=body | {"data": ""}, timeout=60) as stream:
        for line in stream.iter_lines():
            message = json.loads(line[6:]) if line else {}
            if message.get("msg") in ("process_completed", "unexpected_error"):
                return message.get("output", message)
    raise AssertionError("no answer")


@pytest.mark.parametrize("user", ["mcp", "api"])
def test_what_one_puts_on_the_shelf_over_mcp_no_other_finds_there(app_url, numbers, photo_path, user):
    """gradio makes all calls over MCP in one session."""
    with photo_path.open("rb") as file:
        (path,) = httpx.post(f"{app_url}gradio_api/upload", files={"files": ("secret.png", file)}).json()
    given = [None, {"path": path, "meta": {"_type": "gradio.FileData"}}]
    assert "secret" in answer(app_url, numbers["draft"], given, session=f"one {user}", user=user)["data"]
    asked = [None, "secret", 1, None, None, 0.5, 0, 0, False, "none", "none", False, False]
    found = answer(app_url, numbers["sample"], asked, session=f"one {user}", user=user)
    assert ("There is no pyramid" in str(found.get("error"))) == (user == "mcp")


@pytest.mark.parametrize(
    ("call", "data"),
    [
        ("sample", []),
        ("sample", [None, "blue", "many", None, None, 0.5, 0, 0, False, "none", "none", False, False]),
        ("draft", [None, "/etc/passwd"]),
        ("draft", [None, {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}]),
        ("edit", [None, "blue", 5, None, "auto", 0, False]),
        ("edit", [None, "blue", CANVAS | {"background": {"path": True}}, None, "auto", 0, False]),
    ],
)
def test_inputs_of_the_wrong_kind_or_number_are_told(app_url, numbers, capfd, call, data):
    assert answer(app_url, numbers[call], data)["error"] == calls.STRANGE
    assert "Traceback" not in capfd.readouterr().err


def test_click_on_what_is_not_there_is_told(app_url, numbers, capfd):
    for event in (None, {"index": 99, "value": None}):
        assert answer(app_url, numbers["load_example"], [], event)["error"] == calls.STRANGE
    assert "Traceback" not in capfd.readouterr().err


def test_faults_of_the_app_itself_are_not_hidden(app_url, numbers, capfd, monkeypatch):
    monkeypatch.setattr("singan.ui.shelf.Shelf.load", lambda self, name: 1 / 0)
    data = [None, "blue", 1, None, None, 0.5, 0, 0, False, "none", "none", False, False]
    assert answer(app_url, numbers["sample"], data)["error"] == calls.FAULT
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_seeds_that_no_answer_can_hold_are_refused(app_url, numbers):
    said = answer(
        app_url, numbers["sample"], [None, "blue", 1, None, None, 0.5, 0, 10**30, False, "none", "none", False, False]
    )["error"]
    assert str(MAX_SEED) in said


def test_run_id_of_another_kind_is_no_run(app_url, numbers):
    assert "There is no run to resume" in answer(app_url, numbers["resume"], [None, ["x"]])["error"]


def plain(value):
    """Is there nothing of gradio's own in it, nor HTML?"""
    if isinstance(value, dict):
        return "__type__" not in value and all(map(plain, value.values()))
    if isinstance(value, (list, tuple)):
        return all(map(plain, value))
    return not isinstance(value, str) or not value.startswith('<div class="run"')


def test_program_gets_plain_values_and_text(app_url, photo_path):
    client = Client(app_url, verbose=False)
    picture = handle_file(photo_path)
    canvas = {"background": picture, "layers": [], "composite": None}
    status, pair, strip, files, seed = client.predict(composite=canvas, mask=picture, scale="2", api_name="/harmonize")
    assert re.fullmatch(r"Scale 2 of 2\. Done in [\d.]+ s\.", status) and seed == 0
    assert [Path(file).suffix for file in pair] == [".png"] * 2 and len(files) == 2
    assert [one["caption"] for one in strip] == ["Scale 1", "Scale 2 ✓"]
    status, picture, film, seed = client.predict(frames=2, api_name="/animate")
    assert status.startswith("2 frames, ") and picture.endswith(".webp") and film is None
    job = client.submit(photo=handle_file(photo_path), steps=1, photo_size=256, api_name="/train")
    status, *_, curves, run_id, archive, name, _ = job.result()
    assert status.startswith("Done after ") and "'tiles' is among the models at the top." in status
    assert archive.endswith("tiles.zip") and name == "tiles" and curves.startswith("<div class=")
    assert all(map(plain, job.outputs())) and {run for *_, run, _, _, _ in job.outputs()} == {run_id, None}


def test_program_is_told_its_mistakes_in_plain_text(app_url, tmp_path):
    client = Client(app_url, verbose=False)
    with pytest.raises(AppError, match=r"^There is no pyramid '<b>&amp;'; choose another one\."):
        client.predict(pyramid="<b>&amp;", api_name="/sample")
    (tmp_path / "'a'.png").write_text("no")
    with pytest.raises(AppError, match=r"'a'.* is not an image that can be read"):
        client.predict(photo=handle_file(tmp_path / "'a'.png"), api_name="/draft")


def test_page_gets_what_it_needs_beside_the_values(app_url, numbers):
    data = [None, "<b>", 1, None, None, 0.5, 0, 0, False, "none", "none", False, False]
    assert "&lt;b&gt;" in answer(app_url, numbers["sample"], data, page=True)["error"]  # a toast takes it for HTML
    walk = [None, "blue", 0.1, 2, 10, True, 0, 0.1, 0.9, "webp", 0, False]
    status, picture, film, *_ = answer(app_url, numbers["animate"], walk, page=True)["data"]
    assert status.startswith("<div") and picture["visible"] and not film["visible"]


def test_unknown_call_is_told(app_url):
    body = {"fn_index": 10**6, "data": [], "session_hash": "a"}
    refused = httpx.post(f"{app_url}gradio_api/queue/join", json=body)
    assert refused.status_code == 404 and refused.json()["detail"] == "There is no such call: reload the page."


def test_examples_are_shown_wherever_the_app_was_started(monkeypatch, tmp_path):
    """By gradio's own rule a picture is, only if it lies in that folder, or in the one for temporary files."""
    monkeypatch.chdir(tmp_path)
    demo = build_app(Path(singan.__file__).parent.parent / "pretrained")
    _, url, _ = demo.launch(**LAUNCH, prevent_thread_lock=True, quiet=True, server_name="127.0.0.1")
    try:
        clicked = [(number, fn) for number, fn in demo.fns.items() if str(fn.api_name).startswith("load_example")]
        for number, fn in clicked:
            given = [None if block.stateful else block.value for block in fn.inputs]
            data = answer(url, number, given, {"index": 0, "value": None}, page=True)
            assert "error" not in data, (fn.api_name, data)
        assert len(clicked) == 9
    finally:
        demo.close(verbose=False)


def test_nobody_waits_for_the_end_of_a_run_that_was_left():
    ending, end = threading.Event(), threading.Event()

    def run():
        try:
            while True:
                yield "computing"
        finally:
            ending.set()
            end.wait(20)

    with gr.Blocks(analytics_enabled=False) as demo:
        gr.Button().click(run, None, gr.Textbox(), api_name="run")
    _, url, _ = calls.leave_apart(demo.queue()).launch(
        prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", **LAUNCH
    )
    try:
        job = Client(url, verbose=False).submit(api_name="/run")
        assert next(job) == "computing"
        leaving = threading.Thread(target=job.cancel, daemon=True)
        leaving.start()
        assert ending.wait(20)
        assert httpx.get(f"{url}config", timeout=10).status_code == 200 and not end.is_set()
    finally:
        end.set()
        leaving.join()
        demo.close(verbose=False)


def test_runs_of_the_app_are_ended_so(built_app, pretrained):
    sample = next(fn for fn in built_app.fns.values() if fn.api_name == "sample")

    async def begun():
        given = [Shelf(pretrained), "blue", 1, None, None, 0.4, 0, 3, False, "none", "none", False, False]
        iterator = (await built_app.call_function(sample, given))["iterator"]
        await iterator.aclose()
        return type(iterator)

    assert anyio.run(begun) is calls._Apart
