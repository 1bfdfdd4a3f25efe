"""Nobody takes more than a share of the places in the queue."""

import asyncio
from uuid import uuid4

import gradio as gr
import httpx
import pytest
from fastapi import HTTPException, Request
from gradio.data_classes import PredictBodyInternal

from singan.ui import build_app, places


@pytest.fixture(scope="module")
def closed_app(pretrained):
    return build_app(pretrained)


@pytest.fixture
def app(closed_app):
    """An app that is not started: what is in its queue stays there. It is empty."""
    for lane in closed_app._queue.event_queue_per_concurrency_id.values():
        lane.queue.clear()
        lane.current_concurrency = 0
    return closed_app


def request(host="127.0.0.1", **headers):
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "path": "/", "headers": named, "client": (host, 1)})


def index(app, call):
    return next(number for number, fn in app.fns.items() if fn.api_name == call)


def ask(app, call, session, source=None):
    """Take a place in the queue; gives what is said if there is none."""
    source = source or request()
    body = PredictBodyInternal(session_hash=session, fn_index=index(app, call), data=[], request=source)
    try:
        taken, text, _ = asyncio.run(app._queue.push(body, source, None))
    except HTTPException as refused:
        return refused.detail
    assert taken, text
    return None


def test_a_visitor_has_a_few_places_in_a_lane_and_others_have_theirs(app):
    calls = ["sample", "fill", "edit", "sample"]
    assert [ask(app, call, "one") for call in calls] == [None] * places.LANE_SHARE
    said = "4 calls of yours are waiting, and no more may: try again when one of them has begun."
    assert ask(app, "animate", "one") == said
    assert ask(app, "train", "one") is None  # which waits in another lane
    assert ask(app, "sample", "two") is None


def test_a_place_is_free_again_when_a_call_begins(app):
    for _ in range(places.LANE_SHARE):
        ask(app, "sample", "one")
    assert ask(app, "sample", "one")
    assert app._queue.get_events()
    assert ask(app, "sample", "one") is None


def test_a_visitor_has_a_share_of_all_lanes_and_it_holds_the_calls_of_a_page(app):
    opening = [fn.api_name for fn in app.fns.values() if any(event == "load" for _, event in fn.targets)]
    queued = [fn for fn in app.fns.values() if fn.fn and fn.queue]
    choosing = [fn.api_name for fn in queued if any(event == "change" for _, event in fn.targets)]
    calls = list(dict.fromkeys([*opening, *choosing]))
    assert len(opening) == 2 and len(choosing) == 9 and len(calls) == 11
    others = ["sample", "edit", "train", "super_resolve", "variation_map", "load_from_hub", "load_files"]
    others += ["sample", "variation_map", "load_files"]
    assert [ask(app, call, "one") for call in [*calls, *others]] == [None] * 21
    assert ask(app, "load_files", "one").startswith("21 calls of yours are waiting")


def test_new_sessions_of_one_address_have_its_share(app):
    for _ in range(places.ADDRESS_SHARE):
        assert ask(app, "sample", uuid4().hex, request("8.8.8.8")) is None
    said = "32 calls from your address are waiting, and no more may: try again when one of them has begun."
    assert ask(app, "sample", "new", request("8.8.8.8")) == said
    assert ask(app, "sample", "mcp", request("8.8.8.8", x_gradio_user="mcp")) == said
    assert ask(app, "sample", "new", request("8.8.4.4")) is None


def test_all_calls_over_mcp_come_in_one_session(app):
    for _ in range(places.LANE_SHARE + 1):
        assert ask(app, "sample", "mcp", request(x_gradio_user="mcp")) is None


@pytest.mark.parametrize(
    ("host", "noted", "found"),
    [
        ("8.8.8.8", "", "8.8.8.8"),
        ("8.8.8.8", "8.8.4.4", "8.8.8.8"),  # it says so itself
        ("10.1.2.3", "9.9.9.9, 8.8.8.8, 10.1.1.1", "8.8.8.8"),  # the first one may be made up
        ("127.0.0.1", "8.8.8.8", "8.8.8.8"),
        ("127.0.0.1", "", None),
        ("testclient", "unknown, <b>", None),
        ("2001:4860:4860::8888", "", "2001:4860:4860::/64"),
        ("fe80::1", "2001:4860:4860::8844", "2001:4860:4860::/64"),
    ],
)
def test_address_of_a_visitor(host, noted, found):
    assert places.address(request(host, x_forwarded_for=noted)) == found


def test_refusal_is_an_answer_at_once(app_url, built_app, monkeypatch):
    call = {"data": [], "fn_index": index(built_app, "sample"), "session_hash": "full"}
    monkeypatch.setattr(places, "LANE_SHARE", 0)
    for path, body in (("queue/join", call), ("call/sample", {"data": []})):
        answer = httpx.post(f"{app_url}gradio_api/{path}", json=body)
        assert answer.status_code == 429 and "calls of yours are waiting" in answer.json()["detail"]


def test_queue_is_looked_into_less_often_than_gradio_does(app):
    own = gr.Blocks()._queue.sleep_when_free
    assert app._queue.sleep_when_free == max(own, places.LOOK_SECONDS) > 0.005
