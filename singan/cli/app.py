"""`singan app`."""

from __future__ import annotations

import socket
import sys
from typing import Annotated

import typer

from singan.errors import ConfigError


def app(
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for other machines too.")] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Port; by default the first free one from 7860.")
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Start the app on this machine, and open its page."""
    _check_address(host, port)

    from singan.serving import prepare

    prepare()

    from singan.storage.hub import SHIPPED
    from singan.ui import LAUNCH, build_app

    demo = build_app(SHIPPED)
    try:
        demo.launch(**LAUNCH, server_name=host, server_port=port, inbrowser=browser)
    except OSError:  # which says what a program would have to pass
        raise ConfigError(_no_place(host, port)) from None


def _check_address(host: str, port: int | None) -> None:
    """Raise `ConfigError` at once if one cannot listen there; gradio would try a hundred ports, seconds each."""
    try:
        found = socket.getaddrinfo(host.strip("[]") or "127.0.0.1", port or 0, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as one:
            if sys.platform != "win32":  # where others may listen at it then
                one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind(address)
    except (OSError, UnicodeError):  # a name that none can be
        raise ConfigError(_no_place(host, port)) from None


def _no_place(host: str, port: int | None) -> str:
    taken = f"Port {port} is taken" if port else "Each port that was tried is taken"
    return f"{taken}, or {host} is no address of this machine: choose another --port or --host."


COMMANDS = {"app": app}
EXAMPLES = {"app": "singan app"}
