"""Loads the states of one aggregate type: from the cache, a snapshot, and the events after it."""

from __future__ import annotations

from math import inf
from typing import Any, Generic, TypeVar

from attrs import evolve

from eventhus.domain.aggregate import Aggregate
from eventhus.domain.recorded import StreamId
from eventhus.errors import CodecError, LogCorrupted
from eventhus.ports.store import EventStore, Slice, StoredCommit
from eventhus.runtime.commands.snapshots import Snapshots
from eventhus.runtime.commands.state_cache import CachedState, StateCache, unchecked_cached_state
from eventhus.runtime.commands.stray_streams import StrayStreams
from eventhus.runtime.serializer import EventSerializer

S = TypeVar("S")

PAGE = 1000  # events loaded at once, so that folding a long stream takes little memory


class Repository(Generic[S]):
    """The states of one aggregate type.

    Args:
        aggregate: The aggregate type.
        store: Holds the events.
        serializer: Decodes them.
        strays: Finds streams under other names of the aggregate.
        snapshots: Takes and restores snapshots, if the aggregate has any.
        cache_size: The most states to cache.
    """

    def __init__(
        self,
        aggregate: Aggregate[Any, Any, S],
        *,
        store: EventStore,
        serializer: EventSerializer,
        strays: StrayStreams,
        snapshots: Snapshots[S] | None,
        cache_size: int,
    ) -> None:
        self.aggregate = aggregate
        self._store = store
        self._serializer = serializer
        self._strays = strays
        self._snapshots = snapshots
        self._cache: StateCache[str, S] = StateCache(cache_size)
        self.initial: CachedState[S] = CachedState(
            state=aggregate.initial, version=0, position=0, event_id=""
        )

    def cached(self, stream: StreamId) -> CachedState[S] | None:
        """Return the cached state, which may be out of date, or ``None``."""
        return self._cache.get(stream.aggregate_id)

    async def current(self, stream: StreamId) -> CachedState[S]:
        """Return the state as the log has it now.

        Raises:
            CodecError: A stored event does not fit its class.
            LogCorrupted: The stream has a gap.
            CompositionError: The stream is stored under another name of the aggregate.
        """
        cached = self._cache.get(stream.aggregate_id)
        if cached is None and self._snapshots is not None:
            cached = await self._from_snapshot(self._snapshots, stream)
        else:
            cached = await self._catch_up(stream, cached or self.initial)
        if not cached.version:
            await self._strays.check(stream)
        self._cache.put(stream.aggregate_id, cached)
        return cached

    async def at(self, stream: StreamId, version: int) -> CachedState[S]:
        """Return the state after the event at ``version``, or the current one if that is older.

        Raises what ``current`` does.
        """
        return await self._catch_up(stream, self.initial, until=version)

    async def after_conflict(
        self, stream: StreamId, lost: CachedState[S], actual: int
    ) -> CachedState[S]:
        """Return the current state after a commit on top of ``lost`` met version ``actual``.

        Raises what ``current`` does.
        """
        if actual < lost.version:
            # The stream ends before an event that was read, so the log was restored to an earlier
            # point. Neither the cache nor a snapshot is valid any more.
            lost = self.initial
        return await self._catch_up(stream, lost)

    def remember(
        self, stream: StreamId, stored: StoredCommit, state: S, snapshot_version: int
    ) -> None:
        """Cache the state that a commit led to, and start a snapshot if one is due."""
        last = stored.last_of(stream)
        current = unchecked_cached_state(
            state=state,
            version=last.version,
            position=last.position,
            event_id=last.event_id,
            snapshot_version=snapshot_version,
        )
        if self._snapshots is not None and self._snapshots.is_due(current):
            current = self._snapshots.take(stream, current)
        self._cache.put(stream.aggregate_id, current)

    def forget(self, stream: StreamId) -> None:
        """Drop the cached state."""
        self._cache.drop(stream.aggregate_id)

    async def _from_snapshot(self, snapshots: Snapshots[S], stream: StreamId) -> CachedState[S]:
        """Fold the events after the snapshot, or all if there is none.

        They are loaded together with the event that the snapshot ends at, which tells whether the
        log is still the one that the snapshot was taken of.
        """
        known = await snapshots.load(stream)
        if known is None:
            return await self._catch_up(stream, self.initial)
        page = await self._store.load(stream, after_version=known.version - 1, limit=PAGE)
        if page.first_event_id != known.event_id:
            snapshots.ignore(stream)
            return await self._catch_up(stream, self.initial)
        known = self._fold(stream, known, evolve(page, events=page.events[1:]))
        return await self._catch_up(stream, known) if _has_more(page, PAGE) else known

    async def _catch_up(
        self, stream: StreamId, known: CachedState[S], until: float = inf
    ) -> CachedState[S]:
        """Fold the events after ``known``, up to a version."""
        while known.version < until:
            limit = int(min(PAGE, until - known.version))
            page = await self._store.load(stream, after_version=known.version, limit=limit)
            if page.events:
                known = self._fold(stream, known, page)
            if not _has_more(page, limit):
                break
        return known

    def _fold(self, stream: StreamId, known: CachedState[S], page: Slice) -> CachedState[S]:
        if page.version != known.version + len(page.events):
            raise LogCorrupted(stream, known.version + len(page.events), page.version)
        state = known.state
        evolve_state = self.aggregate.evolve
        done = 0
        try:
            for event in self._serializer.decode_each(page.events):
                state = evolve_state(state, event)
                done += 1
        except CodecError as error:
            raise error.at(stream, known.version + done + 1) from None
        return CachedState(
            state=state,
            version=page.version,
            position=page.position,
            event_id=page.event_id,
            snapshot_version=known.snapshot_version,
        )


def _has_more(page: Slice, limit: int) -> bool:
    return len(page.events) == limit or page.is_cut
