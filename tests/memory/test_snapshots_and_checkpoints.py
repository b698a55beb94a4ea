"""Snapshots and checkpoints: what saves time, and what remembers how far a reader has come."""

from typing import Any

import pytest
from attrs import evolve

from eventhus import InvalidArgument, StreamId
from eventhus.ports import Snapshot, Storage
from tests.memory.support import ACCOUNT, commit

SNAPSHOT = Snapshot(
    stream=ACCOUNT, version=5, position=9, fingerprint="f1", data={"balance": 10, "tags": ["a"]}
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
    ("saved", "kept"),
    [
        pytest.param(evolve(SNAPSHOT, version=6, position=12, data=6), True, id="newer"),
        pytest.param(evolve(SNAPSHOT, data="again"), True, id="of the same version"),
        pytest.param(evolve(SNAPSHOT, version=4, position=8, data=4), False, id="older"),
        pytest.param(
            evolve(SNAPSHOT, version=4, position=8, fingerprint="f2", data=4),
            True,
            id="older of another shape",
        ),
        pytest.param(
            evolve(SNAPSHOT, version=6, position=12, fingerprint="f2", data=6),
            True,
            id="newer of another shape",
        ),
    ],
)
async def test_which_of_two_snapshots_is_kept(store: Storage, saved: Snapshot, kept: bool) -> None:
    """The newest of one shape; a snapshot of another shape is of no use any more and goes."""
    await store.save_snapshot(SNAPSHOT)
    await store.save_snapshot(saved)
    assert (saved if kept else SNAPSHOT) == await store.load_snapshot(ACCOUNT)


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
