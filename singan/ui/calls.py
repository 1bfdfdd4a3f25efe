"""What is sent to pages and programs: to both nothing that is not of their newest input; to programs plain values and
plain text, and what is wrong with calls that no page makes. And how calls end that nobody waits for."""

from __future__ import annotations

import asyncio
import html
from contextvars import ContextVar
from typing import Any

import gradio as gr
from anyio import to_thread
from gradio.state_holder import SessionState
from gradio.utils import SyncToAsyncIterator, is_prop_update

from singan.ui.look import status_text
from singan.ui.work import turns

STRANGE = "This is not what a page of this app sends: reload it, or see what the call takes under Use via API."
FAULT = "That is a fault of the app, not of yours: its log says more. Press again, or reload the page."
_outside: ContextVar[bool] = ContextVar("outside", default=False)  # is this call made by a program, not by a page?
_run: ContextVar[str | None] = ContextVar("run", default=None)  # the call that is being answered


def tell_strange(demo: gr.Blocks) -> gr.Blocks:
    """The app, telling it plainly if what comes with a call is of the wrong number or kind. gradio says nothing to who
    made such a call, and writes all of it into the server's log."""
    preprocess: Any = demo.preprocess_data
    call: Any = demo.call_function

    async def preprocess_plainly(*args: Any, **kwargs: Any) -> Any:
        try:
            return await preprocess(*args, **kwargs)
        except gr.Error as error:
            error.print_exception = False
            raise
        except Exception:
            raise gr.Error(STRANGE, print_exception=False) from None

    async def call_plainly(block_fn: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return await call(block_fn, *args, **kwargs)
        except gr.Error:
            raise
        except Exception as error:
            if not (block_fn.collects_event_data and isinstance(error, (TypeError, LookupError, ValueError))):
                raise
            raise gr.Error(STRANGE, print_exception=False) from None  # what was clicked is not there

    demo.preprocess_data = preprocess_plainly  # type: ignore[method-assign]
    demo.call_function = call_plainly  # type: ignore[method-assign]
    return demo


def answer_plainly(demo: gr.Blocks) -> gr.Blocks:
    """The app, answering a program without what only a page needs: what changes in a component beside its value, and
    the HTML of status lines and toasts; over MCP each call from a shelf of its own. To both it says that something
    went wrong in itself, of which gradio says nothing."""
    process: Any = demo.process_api
    postprocess: Any = demo.postprocess_data

    async def process_plainly(*args: Any, request: Any = None, **kwargs: Any) -> Any:
        user = None if request is None else request.headers.get("x-gradio-user")
        _outside.set(request is not None and user != "app")  # which pages send
        if user == "mcp":  # gradio makes all calls of all users in one session: each gets a shelf of its own
            kwargs["state"] = SessionState(demo)
        try:
            return await process(*args, request=request, **kwargs)
        except gr.Error as error:
            if _outside.get():
                error.message = html.unescape(str(error.message))
            raise
        except Exception as error:
            raise gr.Error(FAULT) from error

    async def postprocess_plainly(block_fn: Any, *args: Any, **kwargs: Any) -> Any:
        data = await postprocess(block_fn, *args, **kwargs)
        return [_plain(value) for value in data] if _outside.get() else data

    demo.process_api = process_plainly  # type: ignore[method-assign]
    demo.postprocess_data = postprocess_plainly  # type: ignore[method-assign]
    return demo


def tell_sizes(demo: gr.Blocks) -> gr.Blocks:
    """The app, whose call `sample` gives the photo's size to a program that gives none: else that which the page begins
    with would be the default, of whatever photo."""
    tell = demo.get_api_info

    def told(*args: Any, **kwargs: Any) -> Any:
        info = tell(*args, **kwargs)
        for parameter in info["named_endpoints"]["/sample"]["parameters"]:
            if parameter["parameter_name"] in ("height", "width"):
                parameter["parameter_default"] = None
        return info

    demo.get_api_info = told  # type: ignore[method-assign]
    return demo


def answer_in_time(demo: gr.Blocks) -> gr.Blocks:
    """The app, sending nothing of a run whose tab has had other input since. `framed` sees to that until a result is
    there; but a large one takes a while to be encoded, and gradio sends it once more when the run ends."""
    process: Any = demo.process_api
    postprocess: Any = demo.postprocess_data

    async def process_newest(block_fn: Any, *args: Any, event_id: str | None = None, **kwargs: Any) -> Any:
        _run.set(event_id)
        output = await process(block_fn, *args, event_id=event_id, **kwargs)
        if not output["is_generating"] and turns.is_stale(event_id):
            output["data"] = [gr.skip() for _ in output["data"]]
        return output

    async def postprocess_newest(block_fn: Any, *args: Any, **kwargs: Any) -> Any:
        data = await postprocess(block_fn, *args, **kwargs)
        return [gr.skip() for _ in data] if turns.is_stale(_run.get()) else data

    demo.process_api = process_newest  # type: ignore[method-assign]
    demo.postprocess_data = postprocess_newest  # type: ignore[method-assign]
    return demo


def leave_apart(demo: gr.Blocks) -> gr.Blocks:
    """The app, ending a run that was left in a thread of its own. gradio ends it where all requests are answered, and a
    run ends at its next event, for which everybody would wait."""
    call: Any = demo.call_function

    async def call_apart(*args: Any, **kwargs: Any) -> Any:
        result = await call(*args, **kwargs)
        if type(result["iterator"]) is SyncToAsyncIterator:
            result["iterator"] = _Apart(result["iterator"].iterator, result["iterator"].limiter)
        return result

    demo.call_function = call_apart  # type: ignore[method-assign]
    return demo


class _Apart(SyncToAsyncIterator):
    async def aclose(self, timeout: float = 60.0, retry_interval: float = 0.05) -> None:
        await to_thread.run_sync(asyncio.run, super().aclose(timeout, retry_interval))


def _plain(value: Any) -> Any:
    """What a component is given to show; None if that stays as it was."""
    value = value.get("value") if is_prop_update(value) else value
    return status_text(value) if isinstance(value, str) else value
