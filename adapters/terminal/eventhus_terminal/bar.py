"""A progress bar by rich."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from eventhus import BuildProgress
from eventhus.runtime.readers.building import OnBuildProgress


@contextmanager
def progress_bar(stream: TextIO) -> Iterator[OnBuildProgress]:
    """Yield a function that moves one bar for each view."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(file=stream)) as shown:
        tasks: dict[str, TaskID] = {}

        def on_progress(progress: BuildProgress) -> None:
            if progress.label not in tasks:
                tasks[progress.label] = shown.add_task(progress.label)
            shown.update(
                tasks[progress.label], completed=progress.position, total=progress.head or None
            )

        yield on_progress
