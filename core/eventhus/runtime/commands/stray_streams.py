"""Finds streams of an aggregate that are stored under another name than its streams have now."""

from __future__ import annotations

from typing import Any

from eventhus.domain.aggregate import Aggregate
from eventhus.domain.catalog import Catalog
from eventhus.domain.query import Query, QueryItem
from eventhus.domain.recorded import StreamId
from eventhus.errors import CompositionError
from eventhus.ports.store import EventStore


class StrayStreams:
    """The streams of one aggregate that a rename has left behind.

    Without them, an aggregate that was renamed would seem to have no events, and the next command
    would begin it anew. A type that nobody declares is found by the first event in the log that the
    aggregate declares.

    Args:
        aggregate: The aggregate.
        catalog: Knows the types of streams and the stored names of events.
        store: Holds the events.
    """

    def __init__(
        self, aggregate: Aggregate[Any, Any, Any], catalog: Catalog, store: EventStore
    ) -> None:
        self._aggregate = aggregate
        self._catalog = catalog
        self._store = store
        self._types: list[str] | None = None  # once the log was looked at

    async def check(self, stream: StreamId) -> None:
        """Refuse a stream without events that has some under another name.

        Raises:
            CompositionError: It has.
        """
        if self._types is None:
            self._types = await self._other_types()
        for other in self._types:
            stray = StreamId(other, stream.aggregate_id)
            if await self._store.version_of(stray):
                raise CompositionError(
                    f"{stream} has no events, and {stray} has events of {self._aggregate.name}; "
                    f"list every name that the aggregate had, oldest first, in former_names=[...]"
                )

    async def _other_types(self) -> list[str]:
        aggregate = self._aggregate
        types = [aggregate.name, *aggregate.former_names]
        types.remove(aggregate.stream_type)
        names = self._catalog.names_of(aggregate.events)
        if not names:  # a query without types would match every event
            return types
        page = await self._store.read(Query([QueryItem(types=names)]), limit=1)
        for stored in page.events:
            found = stored.stream.aggregate_type
            if not self._catalog.has_streams(found):
                types.append(found)
        return types
