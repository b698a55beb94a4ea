"""Stores that read too much, too little, or something else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from attrs import evolve

from eventhus import Query, StreamId
from eventhus.ports import (
    Page,
    Slice,
    StoredCommit,
    StoredEvent,
)
from eventhus_memory import MemoryStore
from eventhus_testing.conformance.store.samples import commit
from tests.testing.conformance.defects import caught_by


@caught_by("test_a_thousand_events_unless_told_otherwise")
class TruncatesPages(MemoryStore):
    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        return await super().read(query, after=after, limit=min(limit, 101))


@caught_by("test_an_empty_log_and_its_first_event")
class RemembersThatThereWasNothing(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self._absent: set[StreamId] = set()

    async def history(self, stream: StreamId, **page: Any) -> Sequence[StoredEvent]:
        if stream not in self._streams:
            self._absent.add(stream)
        return [] if stream in self._absent else await super().history(stream, **page)


@caught_by("test_loading_on_from_any_version")
class IgnoresTheStartOfHistory(MemoryStore):
    async def history(
        self, stream: StreamId, *, after_version: int = 0, limit: int = 1000
    ) -> Sequence[StoredEvent]:
        return await super().history(stream, limit=limit)


@caught_by("test_loading_on_from_any_version")
class IgnoresTheLimitOfLoad(MemoryStore):
    async def load(self, stream: StreamId, *, after_version: int = 0, limit: int = 1000) -> Slice:
        return await super().load(stream, after_version=after_version)


@caught_by("test_loading_on_from_any_version")
class SaysTheVersionOfTheStream(MemoryStore):
    async def load(self, stream: StreamId, *, after_version: int = 0, limit: int = 1000) -> Slice:
        page = await super().load(stream, after_version=after_version, limit=limit)
        return evolve(page, version=len(self._streams.get(stream, []))) if page.events else page


@caught_by("test_loading_on_from_any_version")
class TellsTheLastEventAsTheFirst(MemoryStore):
    async def load(self, stream: StreamId, *, after_version: int = 0, limit: int = 1000) -> Slice:
        page = await super().load(stream, after_version=after_version, limit=limit)
        return evolve(page, first_event_id=page.event_id)


@caught_by("test_the_largest_page_beyond_every_event")
class AddsUpBeyondItsNumbers(MemoryStore):
    async def history(self, stream: StreamId, **page: Any) -> Sequence[StoredEvent]:
        if sum(page.values()) >= 2**62:
            raise OverflowError
        return await super().history(stream, **page)


@caught_by("test_reading_on_from_any_position")
class StartsAtTheBeginningOfACommit(MemoryStore):
    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        if after < len(self._log):
            after -= self._log[after].number
        return await super().read(query, after=after, limit=limit)


@caught_by("test_reading_on_from_any_position")
class EndsAtTheEndOfACommit(MemoryStore):
    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        page = await super().read(query, after=after, limit=limit)
        events = [*page.events]
        while len(events) > 1 and self._is_cut(events[-1]):
            events.pop()
        return evolve(page, events=events)

    def _is_cut(self, last: StoredEvent) -> bool:
        return last.position < len(self._log) and self._log[last.position].number > 0


@caught_by("test_reading_changes_nothing")
class MakesTheStreamsThatItIsAskedFor(MemoryStore):
    async def history(self, stream: StreamId, **page: Any) -> Sequence[StoredEvent]:
        if self._log and stream not in self._streams:
            await self.append(commit(stream))
        return await super().history(stream, **page)


@caught_by("test_concurrent_loads_of_one_stream_get_their_own_pages")
@caught_by("test_streams_do_not_mix")
class MixesUpWhatIsLoadedAtOnce(MemoryStore):
    _loading: asyncio.Task[Slice] | None = None

    async def load(self, stream: StreamId, **page: Any) -> Slice:
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(self._load(stream, **page))
        return await asyncio.shield(self._loading)

    async def _load(self, stream: StreamId, **page: Any) -> Slice:
        await asyncio.sleep(0)
        return await super().load(stream, **page)


@caught_by("test_a_cancelled_load_affects_no_other")
class CancelsAllThatIsLoaded(MemoryStore):
    _loading: asyncio.Task[None] | None = None

    async def load(self, stream: StreamId, **page: Any) -> Slice:
        if self._loading is None or self._loading.done():
            self._loading = asyncio.create_task(asyncio.sleep(0))
        await self._loading
        return await super().load(stream, **page)


@caught_by("test_an_invalid_page_is_refused")
class CountsFromTheEnd(MemoryStore):
    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        return await super().read(query, after=max(after, 0), limit=limit)


@caught_by("test_an_invalid_page_is_refused")
class TakesZeroForNoLimit(MemoryStore):
    async def load(self, stream: StreamId, *, after_version: int = 0, limit: int = 1000) -> Slice:
        return await super().load(stream, after_version=after_version, limit=limit or 1000)


@caught_by("test_a_command_id_finds_its_commit")
class FindsCommitIdsToo(MemoryStore):
    async def find(self, command_id: str) -> StoredCommit | None:
        return await super().find(command_id) or self._commits.get(command_id)
