"""Loads the states of one decision: from the cache, a snapshot, and the events after it."""

from __future__ import annotations

import hashlib
from typing import Any, Generic, TypeVar

from eventhus.domain.catalog import Catalog
from eventhus.domain.decision import Decision
from eventhus.domain.query import Query
from eventhus.domain.recorded import StreamId
from eventhus.ports.store import EventStore, Page, StoredCommit, event_id
from eventhus.runtime.commands.snapshots import Snapshots
from eventhus.runtime.commands.state_cache import CachedState, StateCache
from eventhus.runtime.serializer import EventSerializer

S = TypeVar("S")

PAGE = 1000  # events read at once, so that folding a large boundary takes little memory


class Boundaries(Generic[S]):
    """The states of one decision, by query. The queries have stored names.

    The version of such a state is the number of events that are folded into it, and its position
    is that up to which the log was looked at.

    Args:
        decision: The decision.
        catalog: Knows the stored names of its events.
        store: Holds the events.
        serializer: Decodes them.
        snapshots: Takes and restores snapshots, if there are any.
        cache_size: The most states to cache.
    """

    def __init__(
        self,
        decision: Decision[Any, Any, S],
        *,
        catalog: Catalog,
        store: EventStore,
        serializer: EventSerializer,
        snapshots: Snapshots[S] | None,
        cache_size: int,
    ) -> None:
        self.initial: CachedState[S] = CachedState(
            state=decision.initial, version=0, position=0, event_id=""
        )
        self._decision = decision
        self._catalog = catalog
        # An item without types finds the events of the decision, and those whose names are not
        # known here: a newer version of the code has written them, and must not be overlooked.
        self._others = catalog.names - catalog.names_of(decision.events)
        self._store = store
        self._serializer = serializer
        self._snapshots = snapshots
        self._cache: StateCache[Query, S] = StateCache(cache_size)

    def stored(self, query: Query) -> Query:
        """Return a query of the decision with the stored names of its classes."""
        return self._catalog.stored_query(query, self._others)

    def cached(self, query: Query) -> CachedState[S] | None:
        """Return the cached state, which may be out of date, or ``None``."""
        return self._cache.get(query)

    async def current(self, query: Query) -> CachedState[S]:
        """Return the state as the log has it now.

        Raises:
            CodecError: A stored event does not fit its class, or a newer version of the code has
                written it.
        """
        known = self._cache.get(query)
        if known is None and self._snapshots is not None:
            known = await self._from_snapshot(self._snapshots, self._snapshot_id(query))
        known = await self._catch_up(query, known or self.initial)
        self._cache.put(query, known)
        return known

    def remember(
        self,
        query: Query,
        before: CachedState[S],
        state: S,
        folded: int,
        stored: StoredCommit,
    ) -> None:
        """Cache the state that a commit led to, and start a snapshot if one is due.

        Args:
            query: The query.
            before: The state that the command was decided on.
            state: The state after the commit.
            folded: The number of the commit's events that the query finds.
            stored: The commit.
        """
        current = CachedState(
            state=state,
            version=before.version + folded,
            position=stored.last_position,
            event_id=event_id(stored.commit.id, len(stored.commit.events) - 1),
            snapshot_version=before.snapshot_version,
        )
        if self._snapshots is not None and self._snapshots.is_due(current):
            current = self._snapshots.take(self._snapshot_id(query), current)
        self._cache.put(query, current)

    def forget(self, query: Query) -> None:
        """Drop the cached state."""
        self._cache.drop(query)

    async def _from_snapshot(
        self, snapshots: Snapshots[S], stream: StreamId
    ) -> CachedState[S] | None:
        """Return the state in a snapshot, if the log still has the event that it ends at."""
        known = await snapshots.load(stream)
        if known is None:
            return None
        page = await self._store.read(after=known.position - 1, limit=1)
        if (page.position, page.event_id) == (known.position, known.event_id):
            return known
        snapshots.ignore(stream)
        return None

    async def _catch_up(self, query: Query, known: CachedState[S]) -> CachedState[S]:
        while True:
            page = await self._store.read(query, after=known.position, limit=PAGE)
            if page.position == known.position and page.event_id != known.event_id:
                # The log ends before an event that was read, or has another one there: it was
                # restored to an earlier point. The known state is not valid any more.
                known = self.initial
                continue
            known = self._fold(known, page)
            if page.is_last:
                return known

    def _fold(self, known: CachedState[S], page: Page) -> CachedState[S]:
        state = known.state
        for stored in page.events:
            state = self._decision.evolve(state, self._serializer.recorded(stored).event)
        return CachedState(
            state=state,
            version=known.version + len(page.events),
            position=page.position,
            event_id=page.event_id,
            snapshot_version=known.snapshot_version,
        )

    def _snapshot_id(self, query: Query) -> StreamId:
        text = "\n".join(
            sorted(
                f"{sorted(map(str, item.types))} {sorted(item.tags)} "
                f"{sorted(map(str, item.other_than))}"
                for item in query.items
            )
        )
        return StreamId(self._decision.name, hashlib.sha256(text.encode()).hexdigest())
