"""What an application is made of, for a test kit that comes in the same distribution."""
# ruff: noqa: SLF001 - there is no public way in, and nobody but a test should want one

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from eventhus import Aggregate, Application, Metadata, Process, Recorded, StreamId
from eventhus.ports import Commit, EventBus, Storage
from eventhus.runtime.serializer import EventSerializer

__all__ = ["AppInternals", "EventSerializer"]


class AppInternals:
    """The inside of one application."""

    def __init__(self, app: Application) -> None:
        self._app: Any = app

    @property
    def running(self) -> bool:
        """Whether it has been entered."""
        return self._app._run is not None

    @property
    def store(self) -> Storage:
        """Its store."""
        store: Storage = self._app._store
        return store

    @property
    def bus(self) -> EventBus | None:
        """Its bus, if it has one."""
        bus: EventBus | None = self._app._bus
        return bus

    @property
    def events(self) -> list[type]:
        """The classes of events that its aggregates declare."""
        return [each.cls for each in self._app._catalog.types()]

    @property
    def aggregates(self) -> list[Aggregate[Any, Any, Any]]:
        """What it is made of."""
        return list(dict.fromkeys(self._app._catalog.routes.values()))

    @property
    def processes(self) -> list[Process[Any, Any]]:
        """The processes that it runs."""
        return list(self._app._readers._processes)

    async def log(self) -> AsyncIterator[Recorded[Any]]:
        """Every event that its log holds now, in order.

        Raises:
            CodecError: A stored event does not fit its class.
        """
        serializer: EventSerializer = self._app._serializer
        after = 0
        while page := await self.store.read(after=after):
            for stored in page:
                yield serializer.recorded(stored)
            after = page[-1].position

    async def append(self, stream: StreamId, events: Sequence[object]) -> None:
        """Commit events as a command would, but for the command.

        Raises:
            CodecError: One of them holds what its type does not admit.
        """
        serializer: EventSerializer = self._app._serializer
        commit_id = self._app._new_id()
        commit = Commit(
            id=commit_id,
            stream=stream,
            events=[serializer.encode(event) for event in events],
            expected_version=None,
            recorded_at=self._app._clock.now(),
            metadata=Metadata(correlation_id=commit_id),
        )
        await self.store.append(commit)
