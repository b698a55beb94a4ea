"""Limits: ids, names and keys up to a length are stored, and longer ones are refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from attrs import evolve

from eventhus import Metadata, Query, StreamId
from eventhus.errors import InvalidArgument, InvalidCommit
from eventhus.ports import (
    Condition,
    EventData,
    Lease,
    QueryItem,
    Snapshot,
    Storage,
    ViewDocument,
    ViewWrite,
)
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    accounts,
    answer,
    commit,
    part,
    tagged,
    whole_log,
)

ID = "ü" * 512
NAME = "x" + "ü" * 127
VALUE = "ü" * 4096

LONG_ID, LONG_NAME = ID + "x", NAME + "x"

TWO_TAGS = [tagged("a", "b")]
MANY_ITEMS = Query([QueryItem()] * 101)

COMMITS: dict[str, dict[str, Any]] = {
    "aggregate_type": {"stream": StreamId(LONG_NAME, "a")},
    "aggregate_id": {"stream": StreamId("A", LONG_ID)},
    "event type": {"events": [EventData(LONG_NAME, {})]},
    "commit id": {"id": LONG_NAME},
    "command_id": {"command_id": LONG_ID},
    "correlation_id": {"metadata": Metadata(correlation_id=LONG_ID)},
    "causation_id": {"metadata": Metadata(causation_id=LONG_ID)},
    "metadata key": {"metadata": Metadata(values={LONG_NAME: ""})},
    "metadata value": {"metadata": Metadata(values={"a": VALUE + "x"})},
    "tag": {"events": [EventData("A", {}, tags=frozenset({LONG_NAME}))]},
    "10,001 tags": {"events": [tagged(*map(str, range(n, n + 3))) for n in range(3333)] + TWO_TAGS},
    "1,001 parts": {"parts": [part(stream) for stream in accounts(1001)]},
    "101 items": {"condition": Condition(query=MANY_ITEMS, after=0)},
    "the metadata has 26,001": {"metadata": Metadata(values={"a": "ü" * 4096, "b": "x" * 1407})},
    "the tags of A has 4,032": {
        "events": [EventData("A", {}, tags=frozenset(f"{n:0248}" for n in range(16)))]
    },
    "metadata has 65": {"metadata": Metadata(values={str(n): "" for n in range(65)})},
}

_SNAPSHOT = Snapshot(
    stream=ACCOUNT, version=1, position=1, event_id="e", fingerprint="f", data={"balance": 1}
)


def _write(key: str, position: int = 1) -> ViewWrite:
    return ViewWrite(document=ViewDocument(key=key, position=position, data={}), replaces=0)


OPERATIONS: dict[str, Callable[[Storage], Awaitable[object]]] = {
    "find": lambda store: store.find(LONG_ID),
    "load": lambda store: store.load(StreamId("A", LONG_ID)),
    "history": lambda store: store.history(StreamId("A", LONG_ID)),
    "load of a type": lambda store: store.load(StreamId(LONG_NAME, "a")),
    "version_of": lambda store: store.version_of(StreamId("A", LONG_ID)),
    "read of a tag": lambda store: store.read(Query.of(tags={LONG_NAME})),
    "read of a type": lambda store: store.read(Query.of(LONG_NAME)),
    "read of items": lambda store: store.read(MANY_ITEMS),
    "read_backwards": lambda store: store.read_backwards(MANY_ITEMS),
    "follow": lambda store: anext(store.follow(MANY_ITEMS), None),
    "load_snapshot": lambda store: store.load_snapshot(StreamId("A", LONG_ID)),
    "save_snapshot": lambda store: store.save_snapshot(
        evolve(_SNAPSHOT, stream=StreamId("A", LONG_ID))
    ),
    "load_checkpoint": lambda store: store.load_checkpoint(LONG_NAME),
    "save_checkpoint": lambda store: store.save_checkpoint(LONG_NAME, 1),
    "acquire": lambda store: store.acquire(LONG_NAME, "me", ttl_s=60),
    "acquire by an owner": lambda store: store.acquire("lease", LONG_NAME, ttl_s=60),
    "load_documents": lambda store: store.load_documents("view_v", ["a", LONG_ID]),
    "save_documents": lambda store: store.save_documents("view_v", [_write(LONG_ID)]),
}

CLASSES = Query.of(EventData)

OF_CLASSES: dict[str, Callable[[Storage], Awaitable[object]]] = {
    "read": lambda store: store.read(CLASSES),
    "read_backwards": lambda store: store.read_backwards(CLASSES),
    "follow": lambda store: anext(store.follow(CLASSES), None),
    "append": lambda store: store.append(commit(condition=Condition(query=CLASSES, after=0))),
}


BEYOND = 2**63

NUMBERS: dict[str, Callable[[Storage], Awaitable[object]]] = {
    "version of a snapshot": lambda store: store.save_snapshot(evolve(_SNAPSHOT, version=BEYOND)),
    "position of a snapshot": lambda store: store.save_snapshot(evolve(_SNAPSHOT, position=-1)),
    "position of a checkpoint": lambda store: store.save_checkpoint("r", BEYOND),
    "token of a checkpoint": lambda store: store.save_checkpoint("r", 1, token=BEYOND),
    "token of a lease": lambda store: store.release(Lease(name="r", owner="a", token=BEYOND)),
    "term of a lease": lambda store: store.acquire("r", "a", ttl_s=1e300),
    "position of a document": lambda store: store.save_documents("view_v", [_write("a", BEYOND)]),
}

ODD_COMMITS: dict[str, dict[str, Any]] = {
    "schema before the first": {"events": [EventData("Deposited", {}, 0)]},
    "schema beyond 64 bits": {"events": [EventData("Deposited", {}, BEYOND)]},
    "time before the year 1": {
        "recorded_at": datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    },
}


class Limits(Cases):
    """The limits that ``eventhus.ports.store`` lists, in bytes of UTF-8."""

    @case
    async def test_ids_and_names_may_be_as_long_as_their_limits(self, store: Storage) -> None:
        """Commits, snapshots, checkpoints, leases and documents are found under them."""
        stream = StreamId(NAME, ID)
        pairs = {NAME: VALUE, **{str(number): "" for number in range(63)}}
        given = commit(
            stream,
            id=NAME,
            events=[EventData(NAME, {})],
            metadata=Metadata(ID, ID, pairs),
            command_id=ID,
        )
        stored = await store.append(given)
        assert stored.recorded() == await whole_log(store)
        assert stored.recorded() == list(await store.history(stream))
        assert answer(stored) == answer(await store.find(ID))
        assert given.events == list((await store.load(stream)).events)
        snapshot = evolve(_SNAPSHOT, stream=stream)
        await store.save_snapshot(snapshot)
        assert snapshot == await store.load_snapshot(stream)
        await store.save_checkpoint(NAME, 1)
        assert 1 == (await store.load_checkpoint(NAME)).position
        assert await store.acquire(NAME, NAME, ttl_s=60) is not None
        await store.save_documents("view_v", [_write(ID)])
        assert [ID] == list(await store.load_documents("view_v", [ID]))

    @pytest.mark.parametrize("name", COMMITS)
    @case
    async def test_commits_beyond_a_limit_are_refused(self, store: Storage, name: str) -> None:
        """The error names the limit without the text, and nothing is stored."""
        with pytest.raises(InvalidArgument, match=name) as caught:
            await store.append(commit(**COMMITS[name]))
        assert "üü" not in str(caught.value)
        assert 0 == await store.head()

    @pytest.mark.parametrize("operation", OF_CLASSES.values(), ids=OF_CLASSES)
    @case
    async def test_a_query_of_classes_is_refused(
        self, store: Storage, operation: Callable[[Storage], Awaitable[object]]
    ) -> None:
        """A store knows events by their stored names."""
        with pytest.raises(InvalidArgument, match="stored names"):
            await operation(store)
        assert 0 == await store.head()

    @pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
    @case
    async def test_operations_beyond_a_limit_are_refused(
        self, store: Storage, operation: Callable[[Storage], Awaitable[object]]
    ) -> None:
        """Reads are refused, too: a request that is too large would fail its neighbours."""
        with pytest.raises(InvalidArgument, match="limit"):
            await operation(store)

    @pytest.mark.parametrize("operation", NUMBERS.values(), ids=NUMBERS)
    @case
    async def test_numbers_that_no_log_reaches_are_refused(
        self, store: Storage, operation: Callable[[Storage], Awaitable[object]]
    ) -> None:
        """Databases hold 64 bits."""
        with pytest.raises(InvalidArgument):
            await operation(store)

    @pytest.mark.parametrize("name", ODD_COMMITS)
    @case
    async def test_commits_that_could_not_be_read_again_are_refused(
        self, store: Storage, name: str
    ) -> None:
        """Schemas are counted from 1, and times are kept in UTC."""
        with pytest.raises(InvalidCommit):
            await store.append(commit(**ODD_COMMITS[name]))
        assert 0 == await store.head()
