"""Stores that lose, repeat or hold back what their followers wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from itertools import islice

from eventhus.ports import Commit, StoredCommit, StoredEvent
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import caught_by

Batches = AsyncGenerator[Sequence[StoredEvent], None]


@caught_by("test_no_event_is_missed_between_history_and_live")
class RepeatsAtTheSeam(MemoryStore):
    async def follow(self, *, after: int = 0, limit: int = 1000) -> Batches:
        while True:
            while batch := await self.read(after=after, limit=limit):
                yield batch
                after += len(batch)
            await self._growth()
            after = max(after - 1, 0)


@caught_by("test_no_event_is_missed_between_history_and_live")
class SkipsAtTheSeam(MemoryStore):
    async def follow(self, *, after: int = 0, limit: int = 1000) -> Batches:
        while True:
            while batch := await self.read(after=after, limit=limit):
                yield batch
                after += len(batch)
            await self._growth()
            after = max(after, len(self._log) - 1)


@caught_by("test_a_busy_follower_misses_nothing", hangs=True)
class MissesWhatComesBeforeItWaits(MemoryStore):
    async def follow(self, *, after: int = 0, limit: int = 1000) -> Batches:
        while True:
            end = len(self._log)
            while after < end:
                batch = await self.read(after=after, limit=min(limit, end - after))
                yield batch
                after += len(batch)
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
    async def follow(self, *, after: int = 0, limit: int = 1000) -> Batches:
        while batch := await self.read(after=after, limit=limit):
            yield batch
            after += len(batch)


@caught_by("test_following_from_any_position")
class FollowsFromNow(MemoryStore):
    async def follow(self, *, after: int = 0, limit: int = 1000) -> Batches:
        async for batch in super().follow(after=max(after, len(self._log)), limit=limit):
            yield batch


@caught_by("test_following_from_beyond_the_end_waits")
class FollowsFromTheEndAtMost(MemoryStore):
    async def follow(self, *, after: int = 0, limit: int = 1000) -> Batches:
        async for batch in super().follow(after=min(after, len(self._log)), limit=limit):
            yield batch


@caught_by("test_batches_are_no_larger_than_asked_for")
class GivesWholeCommitsToFollowers(MemoryStore):
    async def follow(self, *, after: int = 0, limit: int = 1000) -> Batches:
        async for batch in super().follow(after=after):
            yield batch


@caught_by("test_no_event_is_missed_between_history_and_live")
class GivesEmptyBatches(MemoryStore):
    async def follow(self, *, after: int = 0, limit: int = 1000) -> Batches:
        async for batch in super().follow(after=after, limit=limit):
            yield batch
            yield []


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
    async def follow(self, *, after: int = 0, limit: int = 1000) -> Batches:
        try:
            async for batch in super().follow(after=after, limit=limit):
                yield batch
        finally:
            yield []


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

    async def follow(self, *, after: int = 0, limit: int = 1000) -> Batches:
        while True:
            while page := await self.read(after=after, limit=limit):
                after = page[-1].position
                if seen := [each for each in page if each.position not in self._hidden]:
                    yield seen
            await self._growth()
