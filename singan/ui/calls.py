"""Calls that no page of this app makes."""

from __future__ import annotations

from typing import Any

import gradio as gr

STRANGE = "This is not what a page of this app sends: reload it, or see what the call takes under Use via API."


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
