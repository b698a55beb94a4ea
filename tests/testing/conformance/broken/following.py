"""Stores that lose, repeat or hold back what their followers wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from itertools import islice

from attrs import evolve

from eventhus import Query
from eventhus.ports import Commit, Page, StoredCommit
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import caught_by

Pages = AsyncGenerator[Page, None]


@caught_by("test_no_event_is_missed_between_history_and_live")
class RepeatsAtTheSeam(MemoryStore):
    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> Pages:
        while True:
            while (page := await self.read(query, after=after, limit=limit)).events:
                yield page
                after = page.position
            await self._growth()
            after = max(after - 1, 0)


@caught_by("test_no_event_is_missed_between_history_and_live")
class SkipsAtTheSeam(MemoryStore):
    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> Pages:
        while True:
            while (page := await self.read(query, after=after, limit=limit)).events:
                yield page
                after = page.position
            await self._growth()
            after = max(after, len(self._log) - 1)


@caught_by("test_a_busy_follower_misses_nothing", hangs=True)
class MissesWhatComesBeforeItWaits(MemoryStore):
    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> Pages:
        while True:
            end = len(self._log)
            while after < end:
                page = await self.read(query, after=after, limit=min(limit, end - after))
                yield page
                after = page.position
            await self._growth()


@caught_by("test_following_an_empty_log", hangs=True)
class NeverWakesItsFollowers(MemoryStore):
    def _wake(self) -> None:
        pass


@caught_by("test_following_from_any_position", hangs=True)
class WakesOneOfItsFollowers(MemoryStore):
    def _wake(self) -> None:
        for grown in islice(self._waiting, 1):
            grown.set_result(None)
            self._waiting.discard(grown)


@caught_by("test_following_an_empty_log")
class EndsWhenItHasCaughtUp(MemoryStore):
    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> Pages:
        while (page := await self.read(query, after=after, limit=limit)).events:
            yield page
            after = page.position


@caught_by("test_following_from_any_position")
class FollowsFromNow(MemoryStore):
    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> Pages:
        async for page in super().follow(query, after=max(after, len(self._log)), limit=limit):
            yield page


@caught_by("test_following_from_beyond_the_end_waits")
class FollowsFromTheEndAtMost(MemoryStore):
    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> Pages:
        async for page in super().follow(query, after=min(after, len(self._log)), limit=limit):
            yield page


@caught_by("test_pages_are_no_larger_than_asked_for")
class GivesWholeCommitsToFollowers(MemoryStore):
    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> Pages:
        async for page in super().follow(query, after=after):
            yield page


@caught_by("test_no_event_is_missed_between_history_and_live")
class GivesEmptyPages(MemoryStore):
    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> Pages:
        async for page in super().follow(query, after=after, limit=limit):
            yield page
            yield Page(events=(), position=0, event_id="", is_last=True)


@caught_by("test_a_cancelled_follower_affects_no_other", hangs=True)
class HeedsNoCancellation(MemoryStore):
    async def _growth(self) -> None:
        try:
            await super()._growth()
        except asyncio.CancelledError:
            await super()._growth()


@caught_by("test_a_cancelled_follower_affects_no_other", hangs=True)
class DiesWithOneFollower(MemoryStore):
    async def _growth(self) -> None:
        try:
            await super()._growth()
        except asyncio.CancelledError:
            self._waiting.clear()
            raise


@caught_by("test_a_follower_that_is_cancelled_as_something_comes")
class TripsOverACancelledFollower(MemoryStore):
    def _wake(self) -> None:
        for grown in self._waiting:
            grown.set_result(None)


@caught_by("test_a_closed_follower_ends")
class GoesOnWhenClosed(MemoryStore):
    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> Pages:
        try:
            async for page in super().follow(query, after=after, limit=limit):
                yield page
        finally:
            yield Page(events=(), position=0, event_id="", is_last=True)


@caught_by("test_many_followers_beside_many_writers")
class ShowsPositionsOutOfOrder(MemoryStore):
    """A position is taken at once and seen later, as by a counter beside a transaction."""

    def __init__(self) -> None:
        super().__init__()
        self._hidden: set[int] = set()

    async def append(self, commit: Commit) -> StoredCommit:
        stored = await super().append(commit)
        if stored.position % 7 == 0:
            own = set(range(stored.position, stored.last_position + 1))
            self._hidden |= own
            await asyncio.sleep(0)
            self._hidden -= own
        return stored

    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> Pages:
        while True:
            while (page := await self.read(query, after=after, limit=limit)).events:
                after = page.position
                if seen := [each for each in page.events if each.position not in self._hidden]:
                    yield evolve(page, events=seen)
            await self._growth()
