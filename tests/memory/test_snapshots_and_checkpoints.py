"""Snapshots and checkpoints: what saves time, and what remembers how far a reader has come."""

from typing import Any

import pytest
from attrs import evolve

from eventhus import InvalidArgument, StreamId
from eventhus.ports import Snapshot, Storage
from tests.memory.support import ACCOUNT, commit

SNAPSHOT = Snapshot(
    stream=ACCOUNT,
    version=5,
    position=9,
    event_id="c1-2",
    fingerprint="f1",
    data={"balance": 10, "tags": ["a"]},
)


async def test_a_stream_without_a_snapshot(store: Storage) -> None:
    """There is none until one is saved, however many events the stream has."""
    await store.append(commit())
    assert await store.load_snapshot(ACCOUNT) is None


@pytest.mark.parametrize(
    "state", [None, True, 0, 1.5, "", "ü\0", [], {}, [{"a": None}], {"balance": 2**63 - 1}]
)
async def test_a_snapshot_is_kept_as_it_is(store: Storage, state: object) -> None:
    """A state may be any plain data, not only a dict."""
    snapshot = evolve(SNAPSHOT, data=state)
    await store.save_snapshot(snapshot)
    assert snapshot == await store.load_snapshot(ACCOUNT)


@pytest.mark.parametrize(
    "saved",
    [
        pytest.param(evolve(SNAPSHOT, version=6, position=12, event_id="c2-1"), id="newer"),
        pytest.param(evolve(SNAPSHOT, data="again"), id="of the same version"),
        pytest.param(evolve(SNAPSHOT, version=4, position=8, event_id="c1-1"), id="older"),
        pytest.param(evolve(SNAPSHOT, fingerprint="f2"), id="of another shape"),
    ],
)
async def test_a_snapshot_takes_the_place_of_the_one_before(
    store: Storage, saved: Snapshot
) -> None:
    """Whichever was saved last is the one: an older log may have been restored meanwhile."""
    await store.save_snapshot(SNAPSHOT)
    await store.save_snapshot(saved)
    assert saved == await store.load_snapshot(ACCOUNT)


async def test_every_stream_has_its_own_snapshot(store: Storage) -> None:
    """The type is part of a stream's name."""
    other = evolve(SNAPSHOT, stream=StreamId("Customer", "a1"), version=1, data=1)
    await store.save_snapshot(SNAPSHOT)
    await store.save_snapshot(other)
    assert SNAPSHOT == await store.load_snapshot(ACCOUNT)
    assert other == await store.load_snapshot(other.stream)


async def test_a_snapshot_is_not_part_of_the_log(store: Storage) -> None:
    """Saving one writes no event and needs none."""
    await store.save_snapshot(SNAPSHOT)
    assert 0 == await store.head()
    assert [] == await store.history(ACCOUNT)


async def test_a_snapshot_is_shared_with_nobody(store: Storage) -> None:
    """Neither who saved it nor who loaded it can change what is kept."""
    state: dict[str, Any] = {"balance": 10, "tags": ["a"]}
    await store.save_snapshot(evolve(SNAPSHOT, data=state))
    state["tags"].append("b")
    loaded = await store.load_snapshot(ACCOUNT)
    assert loaded is not None
    loaded.data["tags"].append("c")
    assert SNAPSHOT == await store.load_snapshot(ACCOUNT)


@pytest.mark.parametrize("state", [{"secret": {1}}, float("nan"), b"secret", {"a": "\ud800"}])
async def test_a_state_that_is_not_plain(store: Storage, state: object) -> None:
    """It is refused without being quoted, and what was kept stays."""
    await store.save_snapshot(SNAPSHOT)
    with pytest.raises(InvalidArgument) as caught:
        await store.save_snapshot(evolve(SNAPSHOT, version=6, data=state))
    assert str(ACCOUNT) in str(caught.value)
    assert "secret" not in str(caught.value)
    assert SNAPSHOT == await store.load_snapshot(ACCOUNT)


async def test_a_reader_that_is_not_known(store: Storage) -> None:
    """It starts before the first event."""
    assert 0 == await store.load_checkpoint("relay")


async def test_a_checkpoint_is_what_was_saved_last(store: Storage) -> None:
    """A reader may also go back, to read again what it has read."""
    for position in (3, 7, 7, 2**62, 2, 0):
        await store.save_checkpoint("relay", position)
        assert position == await store.load_checkpoint("relay")


@pytest.mark.parametrize("name", ["$", "a.b", "a\0b", "", " relay", "Relay", "relay/1", "ü🏦"])
async def test_every_reader_has_its_own_checkpoint(store: Storage, name: str) -> None:
    """Any text names a reader, and names differ when their text does."""
    await store.save_checkpoint("relay", 3)
    await store.save_checkpoint(name, 5)
    assert 3 == await store.load_checkpoint("relay")
    assert 5 == await store.load_checkpoint(name)


async def test_two_applications_may_share_a_store(store: Storage) -> None:
    """It stays usable until it has been left as often as it was entered."""
    async with store as again:
        await again.append(commit())
    assert 1 == (await store.append(commit())).version - 1
    assert 2 == await store.head()
