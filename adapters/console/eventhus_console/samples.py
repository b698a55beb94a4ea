"""The lag of readers over the last hour, sampled in memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime

from attrs import frozen

from eventhus.errors import EventhusError
from eventhus.operations import Health, Operations, ReaderStatus

EVERY_S = 5.0
KEPT = 720  # an hour
IDLE_S = 3_600.0


@frozen
class Sample:
    """The lag of the readers at one time.

    Attributes:
        at: The time.
        head: The end of the log; ``None`` if the store did not answer.
        waiting: The events that wait for each declared reader, by its label.
        problems: The number of problems.
    """

    at: datetime
    head: int | None
    waiting: Mapping[str, int]
    problems: int


class Samples:
    """The newest samples, at most an hour of them.

    Sampling begins with the first request, and pauses an hour after the last one: a console that
    is not in use sends nothing to the store.
    """

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._kept: deque[Sample] = deque(maxlen=KEPT)
        self._task: asyncio.Task[None] | None = None
        self._asked_at = 0.0

    def __call__(self) -> Sequence[Sample]:
        """Return the samples, oldest first."""
        return tuple(self._kept)

    @property
    def problems(self) -> int | None:
        """The number of problems in the newest sample; ``None`` before the first one."""
        return self._kept[-1].problems if self._kept else None

    def keep_sampling(self) -> None:
        """Start sampling, or go on for another hour."""
        self._asked_at = asyncio.get_running_loop().time()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._sample(), name="eventhus console")

    def add(self, health: Health) -> None:
        """Keep a sample of health that a page has asked for anyway."""
        if self._kept and health.at <= self._kept[-1].at:
            return
        waiting = {
            label(each): each.waiting
            for each in health.readers
            if each.is_declared and each.waiting is not None
        }
        self._kept.append(Sample(health.at, health.head, waiting, len(health.problems)))

    async def _sample(self) -> None:
        now = asyncio.get_running_loop().time
        while now() - self._asked_at < IDLE_S:
            await asyncio.sleep(EVERY_S)
            try:
                self.add(await self._operations.health())
            except (EventhusError, OSError):
                return  # the application was left; the next request starts again


def label(reader: ReaderStatus) -> str:
    """Return the name of a reader for people."""
    if reader.kind == "relay":
        return "relay"
    version = f" v{reader.version}" if reader.version > 1 else ""
    return f"{reader.kind} {reader.name}{version}"
