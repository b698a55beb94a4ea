"""What is stored, read back with plain pymongo: documents that are readable without eventhus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime, timedelta, timezone
from itertools import product
from typing import Any

import bson
import pytest
from bson import Int64
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database

from eventhus import Metadata
from eventhus.errors import IncompatibleBucket, LogCorrupted
from eventhus.ports import EventData, Snapshot, StoredEvent
from eventhus_mongo import MongoStore
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    NOW,
    OTHER,
    commit,
    commit_of,
    every_way,
    exact,
    filled,
    follow,
    part,
)
from eventhus_testing.servers import MongoReplicaSet
from tests.adapters.mongo.support import async_client

Plain = Database[dict[str, Any]]
Work = Callable[[MongoStore], Awaitable[object]]

FULL = commit(
    id="c-2",
    command_id="k",
    expected_version=1,
    metadata=Metadata("cor", "cau", {"user": "ann", "tenant": "t1"}),
    events=[
        EventData("DepositPerformed", {"amount": 300, "tags": ["a", {"b": None}]}),
        EventData("OwnerChanged", {"owner": "Zoë"}, 3),
    ],
)


async def test_a_commit_as_it_is_stored(store: MongoStore, plain: Plain) -> None:
    """Every field, in this order: another process, or a person, relies on each."""
    await store.append(commit(id="c-1"))
    await store.append(FULL)
    (document,) = plain.events.find({"_id": 2})
    assert exact(document) == exact(
        {
            "_id": Int64(2),
            "parts": [{"type": "Account", "id": "a1", "version": 2, "size": 2}],
            "commit_id": "c-2",
            "command_id": "k",
            "recorded_at": "2024-02-29T12:30:15.123456+00:00",
            "metadata": {
                "correlation_id": "cor",
                "causation_id": "cau",
                "values": {"user": "ann", "tenant": "t1"},
            },
            "events": [
                {"type": "DepositPerformed", "data": {"amount": 300, "tags": ["a", {"b": None}]}},
                {"type": "OwnerChanged", "schema": 3, "data": {"owner": "Zoë"}},
            ],
        }
    )


async def test_a_commit_of_several_streams_as_it_is_stored(store: MongoStore, plain: Plain) -> None:
    """The events stand part by part, and tags on the events that have them, in order."""
    await store.append(commit(OTHER, size=3))
    tags = frozenset({"student:s7", "course:c1", "b"})
    await store.append(
        commit_of(
            part(ACCOUNT, events=[EventData("SeatTaken", {"n": 1}, tags=tags)]),
            part(OTHER, events=[EventData("Enrolled", {"n": 2}), EventData("Paid", {"n": 3}, 2)]),
            id="c-2",
        )
    )
    (document,) = plain.events.find({"_id": 4})
    assert exact(document) == exact(
        {
            "_id": Int64(4),
            "parts": [
                {"type": "Account", "id": "a1", "version": 1, "size": 1},
                {"type": "Account", "id": "a2", "version": 4, "size": 2},
            ],
            "commit_id": "c-2",
            "recorded_at": "2024-02-29T12:30:15.123456+00:00",
            "metadata": {"correlation_id": None},
            "events": [
                {
                    "type": "SeatTaken",
                    "tags": ["b", "course:c1", "student:s7"],
                    "data": {"n": 1},
                },
                {"type": "Enrolled", "data": {"n": 2}},
                {"type": "Paid", "schema": 2, "data": {"n": 3}},
            ],
        }
    )


async def test_defaults_are_left_out_of_documents(store: MongoStore, plain: Plain) -> None:
    """What a commit does not have takes no room, and is no null that an index would hold."""
    await store.append(commit(id="c-1", metadata=Metadata("c-1")))
    (document,) = plain.events.find()
    assert "command_id" not in document
    assert {} == document["metadata"]
    assert ["type", "data"] == [*document["events"][0]]


async def test_positions_are_64_bits_wide(store: MongoStore, plain: Plain) -> None:
    """From the first on, so that none is of another type than the others."""
    await store.append(commit())
    raw = plain.events.with_options(CodecOptions(document_class=RawBSONDocument)).find_one()
    assert raw is not None
    assert raw.raw[4:5] == b"\x12"  # the type of the first field, which is _id


@pytest.mark.parametrize("key", ["$set", "$ref", "a\0b", "$"])
async def test_keys_that_are_mongodbs_own(store: MongoStore, plain: Plain, key: str) -> None:
    """They would be taken for operators, or cut short: the data they are in is kept as text."""
    data = {"plain": 1, "list": [{key: "ü"}]}
    given = commit(
        events=[EventData("Noted", data), EventData("Noted", {"plain": 1})],
        metadata=Metadata(values={key: "x"}),
    )
    await store.append(given)
    (document,) = plain.events.find()
    escaped = key.replace("\0", "\\u0000")
    text = f'{{"plain":1,"list":[{{"{escaped}":"ü"}}]}}'
    assert [{"type": "Noted", "data_json": text}, {"type": "Noted", "data": {"plain": 1}}] == (
        document["events"]
    )
    stored = {"correlation_id": None, "values_json": f'{{"{escaped}":"x"}}'}
    assert stored == document["metadata"]
    first, _ = await store.history(ACCOUNT)
    assert data == first.event.data
    assert {key: "x"} == first.metadata.values


async def test_keys_with_dots_stay_fields(store: MongoStore, plain: Plain) -> None:
    """MongoDB takes them as they are."""
    await store.append(commit(events=[EventData("Noted", {"a.b": 1, "a$b": 2, "": 3})]))
    (document,) = plain.events.find()
    assert {"a.b": 1, "a$b": 2, "": 3} == document["events"][0]["data"]


async def test_times_as_text_are_in_order(store: MongoStore, plain: Plain) -> None:
    """To the microsecond, whatever the zone of the writer, so that a range can be asked for."""
    east = timezone(timedelta(hours=5, minutes=30))
    times = [
        datetime(2024, 1, 1, tzinfo=UTC),
        datetime(2024, 1, 1, 0, 0, 0, 1, UTC),
        datetime(2024, 1, 1, 6, tzinfo=east),
        NOW,
    ]
    for number in (2, 0, 3, 1):
        await store.append(commit(recorded_at=times[number], id=f"c-{number}"))
    found = plain.events.find(sort=[("recorded_at", 1)])
    assert ["c-0", "c-1", "c-2", "c-3"] == [document["commit_id"] for document in found]
    late = plain.events.find({"recorded_at": {"$gte": "2024-01-01T00:30", "$lt": "2024-01-02"}})
    assert ["2024-01-01T00:30:00.000000+00:00"] == [each["recorded_at"] for each in late]


async def test_the_indexes(store: MongoStore, plain: Plain) -> None:
    """Those that are unique keep versions and ids from being there twice."""
    indexes = {
        name: (index["key"], index.get("unique"), index.get("partialFilterExpression"))
        for name, index in plain.events.index_information().items()
    }
    assert {
        "_id_": ([("_id", 1)], None, None),
        "stream": ([("parts.type", 1), ("parts.id", 1), ("parts.version", -1)], True, None),
        "commit_id": ([("commit_id", 1)], True, None),
        "command_id": ([("command_id", 1)], True, {"command_id": {"$exists": True}}),
        "tags": (
            [("events.tags", 1), ("events.type", 1), ("_id", 1)],
            None,
            {"events.tags": {"$exists": True}},
        ),
        "conversation": (
            [("metadata.correlation_id", 1), ("_id", 1)],
            None,
            {"metadata.correlation_id": {"$type": "string"}},
        ),
    } == indexes


async def test_a_snapshot_and_a_checkpoint(store: MongoStore, plain: Plain) -> None:
    """One document each, replaced by the next."""
    for version in (2, 3):
        await store.save_snapshot(
            Snapshot(
                stream=ACCOUNT,
                version=version,
                position=7,
                event_id="c-1",
                fingerprint="f",
                data={"balance": 300},
            )
        )
        await store.save_checkpoint("relay", version)
    assert [
        {
            "_id": {"aggregate_type": "Account", "aggregate_id": "a1"},
            "version": 3,
            "position": 7,
            "event_id": "c-1",
            "fingerprint": "f",
            "data": {"balance": 300},
        }
    ] == [*plain.snapshots.find()]
    (checkpoint,) = plain.checkpoints.find()
    assert datetime is type(checkpoint.pop("saved_at"))
    assert {"_id": "relay", "position": 3, "event_id": "", "token": 0} == checkpoint


async def test_codec_options_of_the_client_change_nothing(
    replica_set: MongoReplicaSet, bucket: str
) -> None:
    """The options that it has for other uses change nothing of what is read here."""
    options: dict[str, Any] = {"document_class": bson.SON, "tz_aware": True}
    async with (
        async_client(replica_set.url, **options) as client,
        MongoStore(client, bucket) as store,
    ):
        await store.append(commit())
        await store.append(FULL)
        for events in (await every_way(store, FULL)).values():
            assert exact([each.data for each in FULL.events]) == exact(
                [each.data for each in events]
            )


async def _enter(store: MongoStore) -> None:
    async with MongoStore(store._connect(), store._bucket):
        pass


async def _follow(store: MongoStore) -> list[StoredEvent]:
    async with aclosing(store.follow(after=1)) as batches:
        return [*(await anext(batches)).events]


async def _read(store: MongoStore) -> list[StoredEvent]:
    return [*(await store.read(after=1)).events]


async def _read_backwards(store: MongoStore) -> list[StoredEvent]:
    return [*(await store.read_backwards()).events]


WAYS: dict[str, Work] = {
    "enter": _enter,
    "read": _read,
    "read_backwards": _read_backwards,
    "commits": lambda store: store.commits(after=1),
    "follow": _follow,
    "load": lambda store: store.load(ACCOUNT, after_version=1),
    "history": lambda store: store.history(ACCOUNT, after_version=1),
    "head": lambda store: store.head(),
    "version_of": lambda store: store.version_of(ACCOUNT),
    "append": lambda store: store.append(commit(expected_version=9)),
}
"""Whatever meets the last document of the log and of a stream."""

ways = pytest.mark.parametrize("way", WAYS)


@ways
async def test_a_commit_of_a_newer_version(
    store: MongoStore, plain: Plain, way: str, bucket: str
) -> None:
    """It may mean anything, so it is not guessed at."""
    await store.append(commit())
    await store.append(commit())
    plain.events.update_one({"_id": 2}, {"$set": {"format": 2}})
    with pytest.raises(IncompatibleBucket, match="newer version of eventhus, in form 2") as caught:
        await WAYS[way](store)
    assert bucket == caught.value.bucket
    assert "at position 2" in str(caught.value)
    assert 2 == plain.events.count_documents({})


STRANGE: dict[str, dict[str, Any]] = {
    "no size": {"$unset": {"parts.0.size": 1}},
    "a size of text": {"$set": {"parts.0.size": "one"}},
    "a size of nothing": {"$set": {"parts.0.size": None}},
    "a size of 0": {"$set": {"parts.0.size": 0}},
    "a size below": {"$set": {"parts.0.size": -3}},
    "a size that is a float": {"$set": {"parts.0.size": 1.0}},
    "an event too few": {"$set": {"parts.0.size": 2}},
    "events of text": {"$set": {"events": "x"}},
    "an event of no data": {"$set": {"events": [{"type": "Deposited"}]}},
    "text that is no JSON": {"$set": {"events": [{"type": "Deposited", "data_json": "{"}]}},
    "tags of another form": {"$set": {"events.0.tags": 7}},
    "a time of another form": {"$set": {"recorded_at": 1709209815}},
    "no commit id": {"$unset": {"commit_id": 1}},
}
SIZES = [kind for kind in STRANGE if "size" in kind]
INSIDE = [kind for kind in STRANGE if kind not in SIZES]
MET = [
    *product(WAYS, SIZES),
    *product(["enter", "read", "read_backwards", "commits", "follow", "load", "history"], INSIDE),
]
MET.remove(("load", "a time of another form"))  # it does not look at the envelope


@pytest.mark.parametrize(("way", "kind"), MET)
async def test_a_document_of_no_known_form(
    store: MongoStore, plain: Plain, way: str, kind: str
) -> None:
    """The log cannot be trusted then."""
    await store.append(commit())
    await store.append(commit())
    plain.events.update_one({"_id": 2}, STRANGE[kind])
    with pytest.raises(IncompatibleBucket):
        await WAYS[way](store)
    assert 2 == plain.events.count_documents({})


@pytest.mark.parametrize("way", ["read", "follow", "load", "history"])
async def test_a_commit_that_is_missing(store: MongoStore, plain: Plain, way: str) -> None:
    """A gap is never passed over in silence, in the log or in a stream."""
    for _ in range(3):
        await store.append(commit())
    plain.events.delete_one({"_id": 2})
    with pytest.raises(LogCorrupted) as caught:
        await WAYS[way](store)
    assert (2, 3) == (caught.value.expected, caught.value.actual)
    assert (None if way in {"read", "follow"} else ACCOUNT) == caught.value.stream


async def test_the_first_commits_are_missing(store: MongoStore, plain: Plain) -> None:
    """A log begins at 1, whatever there is."""
    await filled(store)
    plain.events.delete_many({"_id": {"$lt": 4}})
    for way in (store.read(), store.load(ACCOUNT), store.history(OTHER), follow(store, 1)):
        with pytest.raises(LogCorrupted):
            await way
