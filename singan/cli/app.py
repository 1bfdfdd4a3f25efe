"""`singan app`."""

from __future__ import annotations

from typing import Annotated

import typer


def app(
    host: Annotated[str, typer.Option(help="Address to listen at; 0.0.0.0 for other machines too.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option(help="Port; by default the first free one from 7860.")] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Start the app on this machine, and open its page."""
    from singan.serving import prepare

    prepare()

    from singan.storage.hub import SHIPPED
    from singan.ui import LAUNCH, build_app

    build_app(SHIPPED).launch(**LAUNCH, server_name=host, server_port=port, inbrowser=browser)


COMMANDS = {"app": app}
EXAMPLES = {"app": "singan app"}
