"""Access to the internals of an application, for the test kit only."""
# ruff: noqa: SLF001 - there is no public access, because only tests need it

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from eventhus import Aggregate, Application, Decision, Metadata, Process, Recorded, StreamId, View
from eventhus.domain.process_events import RESERVED
from eventhus.ports import Clock, Commit, EventBus, Part, Storage
from eventhus.runtime.readers.finding import plan
from eventhus.runtime.serializer import EventSerializer
from eventhus_memory.selecting import select

__all__ = ["AppInternals", "EventSerializer", "found_keys"]


def found_keys(
    view: View[Any, Any],
    values: Mapping[str, Any],
    where: Mapping[str, object],
    order_by: str | Sequence[str],
) -> list[str]:
    """Return the keys that ``Application.find`` returns if a view has these values.

    Raises:
        UndeclaredIndex: As for ``Application.find``.
        InvalidArgument: As for ``Application.find``.
        ValueError: An indexed field has a value that no index takes.
    """
    wanted = plan(view, where, order_by, limit=len(values) + 1)
    indexed = {key: view.indexing.values(value) for key, value in values.items()}
    return [*select(indexed, wanted.selection)]


class AppInternals:
    """The internals of one application."""

    def __init__(self, app: Application) -> None:
        self._app: Any = app

    @property
    def running(self) -> bool:
        """Return whether the application has been entered."""
        return self._app._run is not None

    @property
    def store(self) -> Storage:
        """Return the store."""
        store: Storage = self._app._store
        return store

    @property
    def clock(self) -> Clock:
        """Return the clock."""
        clock: Clock = self._app._clock
        return clock

    def collection(self, process: Process[Any, Any]) -> str:
        """Return the collection of the documents of a process."""
        collection: str = self._app._readers._processes[process].collection
        return collection

    @property
    def bus(self) -> EventBus | None:
        """Return the bus, or ``None`` if there is none."""
        bus: EventBus | None = self._app._bus
        return bus

    @property
    def events(self) -> list[type]:
        """Return the event classes that the aggregates and the decisions declare."""
        return [each.cls for each in self._app._catalog.types()]

    @property
    def deciders(self) -> list[Aggregate[Any, Any, Any] | Decision[Any, Any, Any]]:
        """Return the aggregates and the decisions."""
        parts = dict.fromkeys(self._app._catalog.routes.values())
        return [each for each in parts if isinstance(each, Aggregate | Decision)]

    def stream_type(self, name: str) -> str:
        """Return the type under which the streams of an aggregate are stored, by its name."""
        stream_type: str = self._app._catalog.stream_type(name)
        return stream_type

    @property
    def views(self) -> list[View[Any, Any]]:
        """Return the views."""
        return list(self._app._readers._views)

    @property
    def processes(self) -> list[Process[Any, Any]]:
        """Return the processes."""
        return list(self._app._readers._processes)

    async def handlers_caught_up(self, position: int) -> None:
        """Wait until the handlers that read the log have handled the events up to a position."""
        if self.bus is None:
            await self._app._source.caught_up(position)

    async def log(self) -> AsyncIterator[Recorded[Any]]:
        """Yield every event that the log holds now, in order.

        Raises:
            CodecError: A stored event cannot be decoded.
        """
        serializer: EventSerializer = self._app._serializer
        after, is_last = 0, False
        while not is_last:
            page = await self.store.read(after=after)
            for stored in page.events:
                yield serializer.recorded(stored)
            after, is_last = page.position, page.is_last

    async def published(self, after: int) -> list[int]:
        """Return the positions of the events after a position that the relay publishes."""
        published: list[str] = self._app._readers.published
        return [
            each.position
            async for each in self.log()
            if each.position > after
            and (
                not each.stream.aggregate_type.startswith(RESERVED)
                or each.stream.aggregate_type in published
            )
        ]

    async def append(self, stream: StreamId, events: Sequence[object]) -> None:
        """Append events in one commit, without a command.

        Raises:
            CodecError: An event has a value that its type does not admit.
        """
        serializer: EventSerializer = self._app._serializer
        commit_id = self._app._new_id()
        commit = Commit(
            id=commit_id,
            parts=[
                Part(
                    stream=stream,
                    events=[serializer.encode(event) for event in events],
                    expected_version=None,
                )
            ],
            recorded_at=self._app._clock.now(),
            metadata=Metadata(correlation_id=commit_id),
        )
        await self.store.append(commit)
