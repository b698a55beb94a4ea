"""Stores: entered and left, shared, and used side by side on one log."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve

from eventhus import ConcurrencyError
from eventhus.errors import CommandIdReused, InvalidCommit
from eventhus.ports import Storage
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    CUSTOMER,
    OTHER,
    accounts,
    answer,
    appended_once,
    commit,
    filled,
    first_version,
    moments,
    whole_log,
)
from eventhus_testing.conformance.store.snapshots import SNAPSHOT


class Stores(Cases):
    """The life cycle of stores."""

    @case
    async def test_a_store_stays_open_until_it_is_left_as_often_as_entered(
        self, store: Storage
    ) -> None:
        """It stays usable until it has been left as often as it was entered."""
        async with self.store(self.bucket) as shared:
            async with shared as again:
                assert shared is again
                await again.append(commit())
            assert 2 == first_version(await shared.append(commit(expected_version=1)))
            assert 2 == len(await whole_log(shared))
        assert 2 == len(await whole_log(store))

    @case
    async def test_leaving_a_store_loses_nothing(self, store: Storage) -> None:
        """The next store finds everything that was acknowledged."""
        async with self.store(self.bucket) as leaving:
            log = await filled(leaving)
            await leaving.save_snapshot(SNAPSHOT)
            await leaving.save_checkpoint("relay", 5)
        async with self.store(self.bucket) as next_:
            for each in (store, next_):
                assert log == await whole_log(each)
                assert SNAPSHOT == await each.load_snapshot(ACCOUNT)
                assert 5 == (await each.load_checkpoint("relay")).position
            assert 13 == (await next_.append(commit())).position

    @case
    async def test_leaving_settles_appends_in_flight(self, store: Storage) -> None:
        """It ends, and each append has either succeeded and is there, or failed and says so."""
        for number, moment in enumerate(await moments(store, few=True)):
            streams = accounts(20 * (number + 1))[-20:]
            given = [commit(stream, size=3, expected_version=0) for stream in streams]
            async with self.store(self.bucket) as leaving:
                appending = [asyncio.create_task(leaving.append(each)) for each in given]
                await moment()
            await asyncio.wait(appending)
            assert [] == [task for task in appending if task.cancelled()]
            await appended_once(store, given, appending)

    @case
    async def test_two_stores_see_one_log(self, store: Storage) -> None:
        """A commit of one is read, found and counted by the other."""
        async with self.store(self.bucket) as other:
            for one, another in ((store, other), (other, store)):
                before = await one.head()
                stored = await one.append(commit(size=2, command_id=f"k{before}"))
                assert stored.last_position == await another.head()
                assert stored.recorded() == list((await another.read(after=before)).events)
                assert stored.recorded() == list(
                    await another.history(ACCOUNT, after_version=before)
                )
                loaded = await another.load(ACCOUNT, after_version=before)
                assert stored.commit.events == list(loaded.events)
                assert answer(stored) == answer(await another.find(f"k{before}"))

    @case
    async def test_two_stores_agree_on_versions(self, store: Storage) -> None:
        """Each notices what the other has appended to a stream since it looked."""
        async with self.store(self.bucket) as other:
            for version in range(0, 6, 2):
                for one in (store, other):
                    assert version == len((await one.load(ACCOUNT)).events)
                await store.append(commit(expected_version=version))
                with pytest.raises(ConcurrencyError) as caught:
                    await other.append(commit(expected_version=version))
                assert version + 1 == caught.value.actual
                await other.append(commit(expected_version=version + 1))
            assert [*range(1, 7)] == [recorded.version for recorded in await store.history(ACCOUNT)]

    @case
    async def test_two_stores_agree_on_ids(self, store: Storage) -> None:
        """A commit of one is not stored again by the other."""
        given = commit(size=2, expected_version=0, command_id="k")
        async with self.store(self.bucket) as other:
            first = await store.append(given)
            again = await other.append(given)
            assert answer(first) == answer(again)
            assert again.commit is not given
            assert answer(first) == answer(await other.append(commit(command_id="k")))
            with pytest.raises(InvalidCommit):
                await other.append(commit(OTHER, id=given.id))
            with pytest.raises(CommandIdReused):
                await other.append(commit(CUSTOMER, command_id="k"))
            assert first.recorded() == await whole_log(other)

    @case
    async def test_two_stores_keep_one_snapshot_and_one_checkpoint(self, store: Storage) -> None:
        """Each loads what the other has saved last."""
        async with self.store(self.bucket) as other:
            for version, (one, another) in enumerate(((store, other), (other, store)), start=1):
                snapshot = evolve(SNAPSHOT, version=version)
                await one.save_snapshot(snapshot)
                assert snapshot == await another.load_snapshot(ACCOUNT)
                await one.save_checkpoint("relay", version)
                assert version == (await another.load_checkpoint("relay")).position

    @case
    async def test_two_buckets_share_nothing(self, store: Storage) -> None:
        """Each has its own log, ids, snapshots and checkpoints."""
        given = commit(size=2, expected_version=0, command_id="k")
        async with self.store(f"{self.bucket}b") as elsewhere:
            await store.append(given)
            stored = await elsewhere.append(given)
            assert (1, 1, True) == (first_version(stored), stored.position, stored.commit is given)
            await store.save_snapshot(SNAPSHOT)
            await store.save_checkpoint("relay", 1)
            await store.append(commit(OTHER, command_id="k2"))
            assert 3 == await store.head()
            assert stored.recorded() == await whole_log(elsewhere)
            assert await elsewhere.find("k2") is None
            assert await elsewhere.load_snapshot(ACCOUNT) is None
            assert 0 == (await elsewhere.load_checkpoint("relay")).position
