"""Calls that no page makes: they are told what is wrong, and the server's log stays empty."""

import json
from uuid import uuid4

import httpx
import pytest

from singan.ui import build_app, calls
from singan.ui.work import MAX_SEED

CANVAS = {"background": None, "layers": [], "composite": None, "id": None}


@pytest.fixture(scope="module")
def numbers(pretrained):
    """The number of each call."""
    return {fn.api_name: number for number, fn in build_app(pretrained).fns.items()}


def answer(app_url, number, data, event=None):
    """What a call ends with."""
    body = {"fn_index": number, "data": data, "session_hash": uuid4().hex, "event_data": event}
    httpx.post(f"{app_url}gradio_api/queue/join", json=body).raise_for_status()
    with httpx.stream("GET", f"{app_url}gradio_api/queue/data", params=body | {"data": ""}, timeout=60) as stream:
        for line in stream.iter_lines():
            message = json.loads(line[6:]) if line else {}
            if message.get("msg") in ("process_completed", "unexpected_error"):
                return message.get("output", message)
    raise AssertionError("no answer")


@pytest.mark.parametrize(
    ("call", "data"),
    [
        ("sample", []),
        ("sample", [None, "blue", "many", None, None, 0.5, 0, 0, False]),
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
    assert answer(app_url, numbers["sample"], [None, "blue", 1, None, None, 0.5, 0, 0, False])["error"] is None
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_seeds_that_no_answer_can_hold_are_refused(app_url, numbers):
    said = answer(app_url, numbers["sample"], [None, "blue", 1, None, None, 0.5, 0, 10**30, False])["error"]
    assert str(MAX_SEED) in said


def test_run_id_of_another_kind_is_no_run(app_url, numbers):
    assert "There is no run to resume" in answer(app_url, numbers["resume"], [None, ["x"]])["error"]


def test_unknown_call_is_told(app_url):
    body = {"fn_index": 10**6, "data": [], "session_hash": "a"}
    refused = httpx.post(f"{app_url}gradio_api/queue/join", json=body)
    assert refused.status_code == 404 and refused.json()["detail"] == "There is no such call: reload the page."
