"""Tells an observer from time to time how far the readers of the log have come."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from eventhus.adapter_support.handler_failure import handler_failure
from eventhus.adapter_support.tasks import stop
from eventhus.ports.clock import Clock
from eventhus.ports.observer import ReaderLeft, ReaderProgress
from eventhus.ports.store import EventStore
from eventhus.runtime.observing import Observing
from eventhus.runtime.readers.leased_reader import LeasedReader

LOOK_S = 10.0  # between two looks: metrics are mostly collected every 15 to 60 s


class ProgressMonitor:
    """A watch over every reader of one application, whichever process leads it.

    It runs beside the readers, so that it also tells of one that has failed or that nobody leads.
    While the store is away it tells nothing; the readers log that.

    Args:
        readers: Returns the readers.
        store: Holds the log.
        clock: Times the pauses.
        observing: The observer.
    """

    def __init__(
        self,
        readers: Callable[[], Iterable[LeasedReader]],
        *,
        store: EventStore,
        clock: Clock,
        observing: Observing,
    ) -> None:
        self._readers = readers
        self._store = store
        self._clock = clock
        self._observing = observing
        self._told: set[str] = set()  # the labels of the readers at the last look
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to look in a task of its own."""
        self._task = asyncio.create_task(self._run(), name="eventhus progress monitor")

    async def stop(self) -> None:
        """Stop looking, and tell the observer to forget the readers."""
        assert self._task is not None, "it was started"
        await stop(self._task)
        self._forget(self._told)

    async def _run(self) -> None:
        while True:
            await handler_failure(lambda _: self._look(), None)
            await self._clock.sleep(LOOK_S)

    async def _look(self) -> None:
        head = await self._store.head()
        readers = [*self._readers()]
        labels = {reader.label for reader in readers}
        self._forget(self._told - labels)
        self._told = labels
        for reader in readers:
            position, parked = await reader.reached(), await reader.parked_keys()
            self._observing.note(
                ReaderProgress(
                    application=self._observing.application,
                    reader=reader.label,
                    position=position,
                    head=max(head, position),
                    parked=parked,
                )
            )

    def _forget(self, labels: Iterable[str]) -> None:
        for label in sorted(labels):
            self._observing.note(ReaderLeft(application=self._observing.application, reader=label))
