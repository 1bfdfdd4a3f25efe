"""A progress bar for training, on a terminal or in a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from singan.training.events import TrainEvent


def with_bar(events: Iterable[TrainEvent], visible: bool | None = None, *, lines: bool = False) -> Iterator[TrainEvent]:
    """The events as they come, with a bar, by default where it is seen; `lines`: and one for each finished scale."""
    from rich.console import Console  # which takes a while, and draws from the random numbers of the process
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    console = Console(highlight=False)
    seen = console.is_terminal or console.is_jupyter if visible is None else visible
    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TextColumn("{task.fields[left]}")
    with Progress(*columns, console=console, transient=True, disable=not seen) as progress:
        bar = progress.add_task("", total=None, left="")
        for event in events:
            where = f"scale {event.scale + 1}/{event.scales} {event.size[0]}x{event.size[1]}"
            left = "" if event.seconds_left is None else f"{clock(event.seconds_left)} left"
            progress.update(bar, description=where, completed=event.total_step, total=event.total_steps, left=left)
            if lines and event.kind == "scale":
                error, at = event.losses["reconstruction"], clock(event.seconds)
                progress.console.print(f"{where} done at {at}: reconstruction RMSE {error:.1f} of 255")
            yield event


def clock(seconds: float) -> str:
    """Seconds as 0:07, 12:34 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
