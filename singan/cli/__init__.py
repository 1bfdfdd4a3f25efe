"""The command `singan`: the package on the command line; one file for each group of commands.

PyTorch is imported inside the commands, so that `singan --help` answers at once. Results go to stdout, an
error is one line on stderr; exit codes are 0, 1 (it failed), 2 (wrong usage) and 130 (Ctrl-C).
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from singan.cli import app as app_command
from singan.cli import batch, hub, models, samples, study, tasks
from singan.cli import score as score_command
from singan.cli.common import print_json
from singan.errors import Interrupted, SinGANError, one_line
from singan.version import __version__

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
for group in (app_command, models, samples, tasks, score_command, study, hub):
    for name, command in group.COMMANDS.items():
        app.command(name, epilog=f"Example: {group.EXAMPLES[name]}")(command)

batches = typer.Typer(
    help="Do a command for many pictures, one after another or on many machines; run again, it goes on.",
    epilog="Example: singan batch train photos --out models",
    rich_markup_mode=None,
)
for name, command in batch.COMMANDS.items():
    batches.command(name, epilog=f"Example: {batch.EXAMPLES[name]}")(command)
app.add_typer(batches, name="batch")

UsageError: Any = typer.BadParameter.__base__  # typer does not export it, only this one of its kinds


def main(args: Sequence[str] | None = None) -> int:
    """Run the command line (`sys.argv` by default) and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # of names of files that it cannot write
    try:
        code = app(args, prog_name="singan", standalone_mode=False) or 0
        if code == 130:  # so typer tells of Ctrl-C
            raise typer.Abort
        return code
    except typer.Abort:  # or so, in older versions
        return _fail("Interrupted.", 130, args)
    except Interrupted as error:
        return _fail(error, 130, args)
    except UsageError as error:
        return _fail(error.format_message() + " (--help lists the options)", 2, args)
    except (SinGANError, OSError) as error:
        return _fail(error, 1, args)
    except (RuntimeError, MemoryError) as error:
        torch = sys.modules.get("torch")
        gpu = torch is not None and isinstance(error, torch.OutOfMemoryError)
        if not gpu and not isinstance(error, MemoryError) and "DefaultCPUAllocator" not in str(error):
            raise
        cure = "ask for less or smaller pictures" + ", or set SINGAN_DEVICE=cpu" * gpu
        return _fail(
            f"{'The GPU' if gpu else 'This machine'} has too little memory ({one_line(error)}): {cure}.", 1, args
        )


@app.callback(invoke_without_command=True)
def singan(
    context: typer.Context, version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False
) -> None:
    """Learn one photograph, and sample new ones from it."""
    if version:
        typer.echo(f"singan {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


def _fail(message: object, code: int, args: Sequence[str] | None) -> int:
    if "--json" in (sys.argv[1:] if args is None else args):
        with contextlib.suppress(OSError):  # which may be the message
            print_json({"error": one_line(message, 5000), "code": code})
    typer.echo(f"singan: {one_line(message, 5000)}", err=True)
    return code
