"""Reads the log page by page up to its head, forwards or backwards."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from eventhus.domain.query import Query
from eventhus.domain.recorded import StreamId
from eventhus.ports.store import EventStore, StoredEvent

PAGE = 1000


class LogPages:
    """The events that the log holds now.

    Args:
        store: Holds them.
        query: Which events, by stored names; ``None`` for all.
        stream: Only those of this stream.
    """

    def __init__(self, store: EventStore, query: Query | None, stream: StreamId | None) -> None:
        self._store = store
        self._query = query
        self._stream = stream

    async def forwards(self, after: int) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """Yield the events after a position, in order."""
        if self._stream is not None:
            end = await self._store.version_of(self._stream)
            for version in range(0, end, PAGE):
                yield self._matching(await self._of_stream(self._stream, version, end), after)
            return
        head = await self._store.head()
        while after < head:
            found = await self._store.read(self._query, after=after, limit=PAGE)
            yield [event for event in found.events if event.position <= head]
            after = found.position

    async def backwards(self, after: int) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """Yield the events after a position, last first."""
        if self._stream is not None:
            version = await self._store.version_of(self._stream)
            while version:
                page = await self._of_stream(self._stream, max(version - PAGE, 0), version)
                yield self._matching(page, after)[::-1]
                version = max(version - PAGE, 0) if page and page[0].position > after + 1 else 0
            return
        before: int | None = None
        while before is None or before > after + 1:
            found = await self._store.read_backwards(self._query, before=before, limit=PAGE)
            yield [event for event in found.events if event.position > after]
            before = found.position

    async def _of_stream(self, stream: StreamId, version: int, end: int) -> Sequence[StoredEvent]:
        limit = min(PAGE, end - version)
        return await self._store.history(stream, after_version=version, limit=limit)

    def _matching(self, page: Sequence[StoredEvent], after: int) -> list[StoredEvent]:
        return [
            each
            for each in page
            if each.position > after
            and (self._query is None or self._query.matches(each.event.type, each.event.tags))
        ]
