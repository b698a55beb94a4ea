"""Following: stored events and then new ones, with no gap and no repeat in between."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from eventhus.ports import Storage, StoredEvent
from eventhus_testing.conformance.harness import Cases, case, one_store_and_two
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    OTHER,
    accounts,
    commit,
    filled,
    first_version,
    follow,
    same,
    take,
    turns,
    whole_log,
)


class Following(Cases):
    """``follow``, beside writers and other followers."""

    @case
    async def test_following_from_any_position(self, store: Storage) -> None:
        """Also from amid a commit, and whatever the size of the pages."""
        await filled(store)
        wanted = [(after, limit) for after in (0, 1, 4, 11, 12) for limit in (1, 5, 1000)]
        following = [
            asyncio.create_task(follow(store, 15, after=after, limit=limit))
            for after, limit in wanted
        ]
        await turns(20)
        await store.append(commit(size=2))
        await store.append(commit(OTHER))
        log = await whole_log(store)
        for (after, _), followed in zip(wanted, following, strict=True):
            same(log[after:], await followed)

    @case
    async def test_following_an_empty_log(self, store: Storage) -> None:
        """It starts with the first event there ever is."""
        following = asyncio.create_task(follow(store, 3))
        await turns(5)
        first = await store.append(commit())
        second = await store.append(commit(OTHER, size=2))
        assert [*first.recorded(), *second.recorded()] == await following

    @case
    async def test_pages_are_no_larger_than_asked_for(self, store: Storage) -> None:
        """The limit counts events, not commits."""
        await store.append(commit(size=20))
        log = await whole_log(store)
        for limit in (1, 3, 19, 20, 21):
            same(log, await follow(store, 20, limit=limit))

    @pytest.mark.parametrize("limit", [1, 3, 1000])
    @case
    async def test_no_event_is_missed_between_history_and_live(
        self, store: Storage, limit: int
    ) -> None:
        """Whenever an append falls between a follower's read and its wait, the follower sees it."""
        followed: list[StoredEvent] = []
        async with aclosing(store.follow(limit=limit)) as pages:
            for moment in range(12):
                taking = asyncio.create_task(take(pages, 3 * (moment + 1), limit=limit))
                for size in (1, 2):
                    await turns(moment)
                    await store.append(commit(size=size))
                followed += await taking
        same(await whole_log(store), followed)

    @case
    async def test_a_busy_follower_misses_nothing(self, store: Storage) -> None:
        """A follower that is busy misses nothing."""
        first = await store.append(commit())
        async with aclosing(store.follow()) as pages:
            assert first.recorded() == await take(pages, 1)
            late = [*(await store.append(commit(size=2))).recorded()]
            late += (await store.append(commit(OTHER))).recorded()
            assert late == await take(pages, 4)

    @case
    async def test_following_from_beyond_the_end_waits(self, store: Storage) -> None:
        """Nothing comes before the position is reached."""
        following = asyncio.create_task(follow(store, 4, after=3))
        for _ in range(3):
            await store.append(commit())
            await turns(5)
        fourth = await store.append(commit())
        assert fourth.recorded() == await following

    @one_store_and_two
    @case
    async def test_many_followers_beside_many_writers(self, store: Storage, stores: int) -> None:
        """Each follower sees the one log, whenever it starts and whatever its pace."""

        async def write(writer: int) -> None:
            for size in (1, 2, 3, 4, 5):
                await used[writer % stores].append(commit(streams[writer], size=size))

        def start(after: int) -> None:
            for number, (limit, pace) in enumerate(((1, 0), (7, 1), (50, 5), (1000, 0))):
                from_ = used[number % stores]
                work = follow(from_, 450, after=after, limit=limit, pace=pace)
                following.append((after, asyncio.create_task(work)))

        following: list[tuple[int, asyncio.Task[list[StoredEvent]]]] = []
        streams = accounts(30)
        async with self.store(self.bucket) as other:
            used = [store, other]
            start(after=0)
            await asyncio.gather(*map(write, range(10)))
            writing = asyncio.gather(*map(write, range(10, 30)))
            start(after=0)
            start(after=2)
            await writing
            start(after=449)
            log = await whole_log(store)
            for after, followed in following:
                same(log[after:], await followed)

    @case
    async def test_a_follower_of_another_store(self, store: Storage) -> None:
        """It sees what the first store appends, as it comes."""
        async with self.store(self.bucket) as other, aclosing(other.follow()) as pages:
            for size, to in ((1, 1), (3, 4), (2, 6)):
                taking = asyncio.create_task(take(pages, to))
                await turns(5)
                stored = await store.append(commit(size=size))
                assert stored.recorded() == await taking

    @case
    async def test_a_cancelled_follower_affects_no_other(self, store: Storage) -> None:
        """It ends, whenever that is, and neither the log nor the other followers notice."""
        for moment in range(12):
            after = await store.head()
            cancelled, staying = (
                asyncio.create_task(follow(store, after + 1, after=after)) for _ in range(2)
            )
            await turns(moment)
            cancelled.cancel()
            await asyncio.wait([cancelled])
            assert cancelled.cancelled()
            stored = await store.append(commit())
            assert stored.recorded() == await staying

    @case
    async def test_a_follower_that_is_cancelled_as_something_comes(self, store: Storage) -> None:
        """The append goes on, and so do the followers beside it."""
        for moment in range(12):
            after = await store.head()
            cancelled, staying = (
                asyncio.create_task(follow(store, after + 2, after=after)) for _ in range(2)
            )
            await turns(12)
            appending = asyncio.create_task(store.append(commit(size=2)))
            await turns(moment)
            cancelled.cancel()
            await asyncio.wait([cancelled])
            stored = await appending
            assert cancelled.cancelled() or stored.recorded() == await cancelled
            assert stored.recorded() == await staying

    @case
    async def test_a_closed_follower_ends(self, store: Storage) -> None:
        """Closing it after some pages ends it; a new one starts wherever it is told to."""
        log = await filled(store)
        async with aclosing(store.follow(limit=3)) as pages:
            first = await take(pages, 1, limit=3)
        with pytest.raises(StopAsyncIteration):
            await anext(pages)
        assert log[: len(first)] == first
        assert log[len(first) :] == await follow(store, 12, after=len(first))
        await store.follow().aclose()
        assert 8 == first_version(await store.append(commit(ACCOUNT, expected_version=7)))
