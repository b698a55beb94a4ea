"""Builds a version of a view ahead of a deployment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

from attrs import frozen

from eventhus.adapter_support.tasks import stop
from eventhus.runtime.readers.projector import Projector

EVERY_S = 0.25  # between two reports


@frozen(kw_only=True)
class BuildProgress:
    """The progress of a build.

    Attributes:
        label: The view, such as ``view orders v2``.
        position: The position up to which it is built.
        head: The position of the last event of the log when the build began.
    """

    label: str
    position: int
    head: int


OnBuildProgress: TypeAlias = Callable[[BuildProgress], None]
"""A function that is called four times a second and at the end, on the event loop."""


async def build(projector: Projector[Any], head: int, on_progress: OnBuildProgress) -> None:
    """Fold a view up to a position, or watch another process do it.

    Args:
        projector: Folds the view. It was registered, not started.
        head: The position.
        on_progress: Called with the progress.

    Raises:
        ReaderStopped: As for ``LeasedReader.caught_up``.
        LogChanged: As for ``LeasedReader.caught_up``.
        VersionRetired: As for ``LeasedReader.caught_up``.
        NotRunning: As for ``LeasedReader.caught_up``.
    """
    projector.start()
    waiting = asyncio.ensure_future(projector.caught_up(head))
    try:
        while not waiting.done():
            await asyncio.wait([waiting], timeout=EVERY_S)
            position = min(await projector.reached(), head)
            on_progress(BuildProgress(label=projector.label, position=position, head=head))
        await waiting
    finally:
        await stop(waiting)
        await projector.stop()
