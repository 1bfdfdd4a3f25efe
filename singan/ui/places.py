"""The places in the queue: one visitor has a few of them, so that there are some for the others."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import gradio as gr
from fastapi import HTTPException, Request

MAX_PLACES = 64  # of all visitors in all lanes
LANE_SHARE = 4  # of a session, waiting in one lane
SESSION_SHARE = MAX_PLACES // 3  # in all lanes: a click on a model takes nine for a moment
ADDRESS_SHARE = MAX_PLACES // 2  # of all sessions of one address, behind which may be a whole school
LOOK_SECONDS = 0.01  # between two looks for calls that may begin; gradio's thousand a second take 6 % of a core


def share(demo: gr.Blocks) -> gr.Blocks:
    """The app, refusing at once (429) who has their share of its queue already, and looking into it less often. Call it
    after `demo.queue()`."""
    queue: Any = demo._queue
    push = queue.push

    async def push_fairly(body: Any, request: Request, username: str | None) -> Any:
        if body.fn_index is not None:
            if body.fn_index not in demo.fns:
                raise HTTPException(404, "There is no such call: reload the page.")
            # gradio's own MCP server makes all its calls in one session
            session = None if request.headers.get("x-gradio-user") == "mcp" else body.session_hash
            waiting = [event for lane in queue.event_queue_per_concurrency_id.values() for event in lane.queue]
            _check(waiting, demo.fns[body.fn_index].concurrency_id, session, address(request))
        return await push(body, request, username)

    queue.push, queue.sleep_when_free = push_fairly, max(queue.sleep_when_free, LOOK_SECONDS)
    return demo


def address(request: Request) -> str | None:
    """Where a request comes from, of IPv6 the network; None if that cannot be told. What a client itself may write is
    not believed: of the addresses that proxies noted, it is the last one that is not inside."""
    noted = ",".join(request.headers.getlist("x-forwarded-for")).split(",")
    for text in (request.client.host if request.client else "", *reversed(noted)):
        try:
            found = ip_address(text.strip())
        except ValueError:
            continue
        if found.is_global:
            return str(found if found.version == 4 else ip_network((found, 64), strict=False))
    return None


def _check(waiting: list[Any], lane: str, session: str | None, source: str | None) -> None:
    """Raise an `HTTPException` if the session or its address has its share."""
    mine = [event for event in waiting if event.session_hash == session]
    same = [event for event in mine if event.concurrency_id == lane]
    near = [event for event in waiting if source and address(event.request) == source]
    for calls, most, whose in (
        (same, LANE_SHARE, "of yours"),
        (mine, SESSION_SHARE, "of yours"),
        (near, ADDRESS_SHARE, "from your address"),
    ):
        if len(calls) >= most:
            text = f"{len(calls)} calls {whose} are waiting, and no more may: try again when one of them has begun."
            raise HTTPException(429, text)
