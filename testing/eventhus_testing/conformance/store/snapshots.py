"""Snapshots and checkpoints."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve

from eventhus import StreamId
from eventhus.errors import InvalidArgument
from eventhus.ports import Checkpoint, Snapshot, Storage
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.names import ALIKE, HOSTILE
from eventhus_testing.conformance.store.plain_data import ACCEPTED, REFUSED
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    CUSTOMER,
    OTHER,
    commit,
    exact,
    whole_log,
)

SNAPSHOT = Snapshot(
    stream=ACCOUNT,
    version=5,
    position=9,
    event_id="c1-2",
    fingerprint="f1",
    data={"balance": 10, "tags": ["a"]},
)


class Snapshots(Cases):
    """One snapshot of each stream."""

    @case
    async def test_a_snapshot_is_kept_as_it_is(self, store: Storage) -> None:
        """A state may be any plain data, not only a dict."""
        states = {"null": None, "True": True, "0": 0, "whole": 1.0, "empty": "", **ACCEPTED}
        given = {
            name: evolve(SNAPSHOT, stream=StreamId("State", name), data=state)
            for name, state in states.items()
        }
        await asyncio.gather(*map(store.save_snapshot, given.values()))
        for name, snapshot in given.items():
            loaded = await store.load_snapshot(snapshot.stream)
            assert (name, snapshot) == (name, loaded)
            assert loaded is not None
            assert (name, exact(snapshot.data)) == (name, exact(loaded.data))
            assert {int} == {type(loaded.version), type(loaded.position)}

    @pytest.mark.parametrize(
        "saved",
        [
            pytest.param(evolve(SNAPSHOT, version=6, position=12, event_id="c2-1"), id="newer"),
            pytest.param(evolve(SNAPSHOT, data="again"), id="of the same version"),
            pytest.param(evolve(SNAPSHOT, version=4, position=8, event_id="c1-1"), id="older"),
            pytest.param(evolve(SNAPSHOT, fingerprint="f2"), id="of another shape"),
        ],
    )
    @case
    async def test_a_snapshot_replaces_the_earlier_one(
        self, store: Storage, saved: Snapshot
    ) -> None:
        """Whichever was saved last is the one: an older log may have been restored meanwhile."""
        await store.save_snapshot(SNAPSHOT)
        await store.save_snapshot(saved)
        assert saved == await store.load_snapshot(ACCOUNT)

    @case
    async def test_every_stream_has_its_own_snapshot(self, store: Storage) -> None:
        """The type is part of a stream's name, and a stream without a snapshot has none."""
        customer = evolve(SNAPSHOT, stream=CUSTOMER, version=1, data=1)
        await store.append(commit(OTHER))
        await store.save_snapshot(SNAPSHOT)
        assert await store.load_snapshot(CUSTOMER) is None
        await store.save_snapshot(customer)
        assert SNAPSHOT == await store.load_snapshot(ACCOUNT)
        assert customer == await store.load_snapshot(CUSTOMER)
        assert await store.load_snapshot(OTHER) is None

    @case
    async def test_any_text_names_a_snapshot(self, store: Storage) -> None:
        """The stream's name and the snapshot's own ids mean nothing to a store."""
        for text in HOSTILE.values():
            stream = StreamId(text, text)
            snapshot = evolve(SNAPSHOT, stream=stream, event_id=text, fingerprint=text)
            await store.save_snapshot(snapshot)
            assert snapshot == await store.load_snapshot(stream)

    @case
    async def test_snapshots_of_streams_with_similar_names(self, store: Storage) -> None:
        """They differ when the text of the names does."""
        given = [
            evolve(SNAPSHOT, stream=stream, version=number)
            for number, stream in enumerate(ALIKE, 1)
        ]
        await asyncio.gather(*map(store.save_snapshot, given))
        assert given == await asyncio.gather(*map(store.load_snapshot, ALIKE))

    @case
    async def test_a_snapshot_is_not_part_of_the_log(self, store: Storage) -> None:
        """Saving one writes no event and needs none."""
        await store.save_snapshot(SNAPSHOT)
        assert [] == list(await store.history(ACCOUNT))
        first = await store.append(commit(expected_version=0))
        assert first.recorded() == await whole_log(store)
        assert SNAPSHOT == await store.load_snapshot(ACCOUNT)

    @case
    async def test_a_snapshot_is_shared_with_nobody(self, store: Storage) -> None:
        """Neither its writer nor a reader can change the stored value."""
        state: dict[str, Any] = {"balance": 10, "tags": ["a"]}
        await store.save_snapshot(evolve(SNAPSHOT, data=state))
        state["tags"].append("b")
        loaded = await store.load_snapshot(ACCOUNT)
        assert loaded is not None
        loaded.data["tags"].append("c")
        assert SNAPSHOT == await store.load_snapshot(ACCOUNT)

    @case
    async def test_a_state_that_is_not_plain_is_refused(self, store: Storage) -> None:
        """It is refused without being quoted, and what was kept stays."""
        await store.save_snapshot(SNAPSHOT)
        refusals: dict[str, str] = {}
        for name, make in REFUSED.items():
            try:
                await store.save_snapshot(evolve(SNAPSHOT, version=6, data={"value": make()}))
            except InvalidArgument as refusal:
                refusals[name] = str(refusal)
        assert [*REFUSED] == [*refusals]
        for message in refusals.values():
            assert str(ACCOUNT) in message
            assert "secret" not in message
        assert SNAPSHOT == await store.load_snapshot(ACCOUNT)


class Checkpoints(Cases):
    """One checkpoint for each reader of the log."""

    @case
    async def test_a_checkpoint_is_the_last_one_saved(self, store: Storage) -> None:
        """It starts before the first event, and a reader may also go back."""
        assert 0 == (await store.load_checkpoint("relay")).position
        for position in (3, 7, 7, 2**62 - 1, 2, 0):
            await store.save_checkpoint("relay", position)
            checkpoint = await store.load_checkpoint("relay")
            assert (exact(position), "") == (exact(checkpoint.position), checkpoint.event_id)

    @case
    async def test_a_checkpoint_names_its_event(self, store: Storage) -> None:
        """The id is that of the last save: a restored log may have another event there."""
        for position, event_id in ((3, "c1-3"), (3, "c2-1"), (4, ""), (5, "c3-1")):
            await store.save_checkpoint("relay", position, event_id=event_id)
            assert Checkpoint(position, event_id) == await store.load_checkpoint("relay")

    @case
    async def test_a_checkpoint_keeps_later_ranges(self, store: Storage) -> None:
        """They are those of the last save, and none if that had none."""
        many = [(10 + 3 * n, 11 + 3 * n) for n in range(1_000)]
        for done in ([(5, 5)], [(4, 7), (8, 2**61)], many, [], [(5, 5)]):
            await store.save_checkpoint("relay", 3, event_id="c1-3", done=done)
            assert Checkpoint(3, "c1-3", done) == await store.load_checkpoint("relay")
        await store.save_checkpoint("relay", 3)
        assert Checkpoint(3) == await store.load_checkpoint("relay")

    @pytest.mark.parametrize(
        "done",
        [[(3, 5)], [(3, 2)], [(7, 6)], [(5, 7), (7, 9)], [(5, 7), (6, 9)], [(5, 2**62)]],
    )
    @case
    async def test_ranges_that_do_not_ascend_are_refused(
        self, store: Storage, done: list[tuple[int, int]]
    ) -> None:
        """Each begins after the end of the one before."""
        with pytest.raises(InvalidArgument):
            await store.save_checkpoint("relay", 3, done=done)
        assert Checkpoint() == await store.load_checkpoint("relay")

    @case
    async def test_a_checkpoint_tells_when_it_was_saved(self, store: Storage) -> None:
        """The last time, also if it has not moved; one that was never saved does not."""
        assert (await store.load_checkpoint("relay")).saved_at is None
        await store.save_checkpoint("relay", 3)
        first = (await store.load_checkpoint("relay")).saved_at
        assert first is not None
        assert timedelta(0) == first.utcoffset()
        async with self.store(self.bucket) as other:
            assert first == (await other.load_checkpoint("relay")).saved_at
        last = first
        while last == first:  # the clock of the store may be no finer than a millisecond
            await store.save_checkpoint("relay", 3)
            last = (await store.load_checkpoint("relay")).saved_at or first
        assert last > first
        assert (await store.load_checkpoint("other")).saved_at is None

    @case
    async def test_every_reader_has_its_own_checkpoint(self, store: Storage) -> None:
        """Any text names a reader, and names differ when their text does."""
        names = ["", "relay", " relay", "Relay", "relay/1", "relay\0", "rel", *HOSTILE.values()]
        for position, name in enumerate(names, start=1):
            assert 0 == (await store.load_checkpoint(name)).position
            await store.save_checkpoint(name, position)
        for position, name in enumerate(names, start=1):
            assert position == (await store.load_checkpoint(name)).position

    @case
    async def test_a_checkpoint_is_not_part_of_the_log(self, store: Storage) -> None:
        """Saving one writes no event and changes no snapshot."""
        await store.save_snapshot(SNAPSHOT)
        await store.save_checkpoint(ACCOUNT.aggregate_id, 5)
        first = await store.append(commit(expected_version=0))
        assert first.recorded() == await whole_log(store)
        assert SNAPSHOT == await store.load_snapshot(ACCOUNT)
        assert 5 == (await store.load_checkpoint(ACCOUNT.aggregate_id)).position
