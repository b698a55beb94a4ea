"""A document that another program wrote fails only those who ask for it."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import pytest
from bson import Code, Decimal128, Int64, MinKey, ObjectId
from bson.datetime_ms import DatetimeMS
from bson.raw_bson import RawBSONDocument
from pymongo.database import Database
from pymongo.monitoring import CommandStartedEvent

from eventhus import Query, StreamId
from eventhus.errors import CompositionError, IncompatibleBucket, InvalidArgument, LogCorrupted
from eventhus.ports import (
    Checkpoint,
    Commit,
    Condition,
    DamagedLease,
    DamagedRegistration,
    EventData,
    HeldLease,
    Message,
    QueryItem,
    Registration,
    Selection,
    Snapshot,
    StoredCommit,
    ViewDocument,
    ViewWrite,
)
from eventhus_mongo import MongoStore
from eventhus_testing.conformance.store.samples import (
    OTHER,
    commit,
    commit_of,
    first_version,
    place,
    tagged,
)
from eventhus_testing.conformance.store.samples import part as a_part
from eventhus_testing.servers import MongoReplicaSet
from tests.adapters.mongo.made import ACCOUNT, made
from tests.adapters.mongo.support import Commands, async_client

Plain = Database[dict[str, Any]]
BAD = StreamId("Account", "bad")
GOOD = [StreamId("Account", f"good{number}") for number in range(5)]


def part(**changes: Any) -> dict[str, Any]:
    """The only part of that commit."""
    good = {"type": BAD.aggregate_type, "id": BAD.aggregate_id, "version": 1, "size": 1}
    return {**good, **changes}


def document(**changes: Any) -> dict[str, Any]:
    """A commit of the stream ``BAD`` as its first."""
    good: dict[str, Any] = {
        "_id": Int64(6),
        "parts": [part()],
        "commit_id": "bad",
        "recorded_at": "2026-01-01T00:00:00.000000+00:00",
        "metadata": {},
        "events": [{"type": "Noted", "data": {"text": "x"}}],
    }
    return {**good, **changes}


def with_bad_date() -> RawBSONDocument:
    """A date in the year 300,000, which Python's cannot be."""
    raw = bson.encode(
        document(events=[{"type": "Noted", "data": {"at": datetime(2026, 1, 1, tzinfo=UTC)}}])
    )
    at = raw.index(b"\x09at\x00") + 4
    return RawBSONDocument(raw[:at] + (9_000_000_000_000_000).to_bytes(8, "little") + raw[at + 8 :])


def with_bad_text() -> RawBSONDocument:
    """A string that is not UTF-8."""
    raw = bson.encode(document(events=[{"type": "Noted", "data": {"text": "s3cret"}}]))
    return RawBSONDocument(raw.replace(b"et\x00", b"\xff\xfe\x00"))


AT = "2026-01-01T00:00:00.000000+00:00"
PARKED = {"position": Int64(1), "handled": Int64(0), "error": "ValueError", "at": AT}

STRANGE: dict[str, Any] = {
    "a date beyond Python's": with_bad_date(),
    "text that is not UTF-8": with_bad_text(),
    "a list as version": document(parts=[part(version=[1])]),
    "a float as version": document(parts=[part(version=1.0)]),
    "a text as size": document(parts=[part(size="1")]),
    "a part that is no object": document(parts=["x", part()]),
    "a part without names": document(parts=[{"size": 1}, part()]),
    "a part too many": document(parts=[part(), part(id="bad2")]),
    "a number as tags": document(events=[{"type": "Noted", "tags": 7, "data": {}}]),
    "a text as tags": document(events=[{"type": "Noted", "tags": "abc", "data": {}}]),
    "an object as tags": document(events=[{"type": "Noted", "tags": {"x": 1}, "data": {}}]),
    "a number as a tag": document(events=[{"type": "Noted", "tags": ["x", 7], "data": {}}]),
    "code as a tag": document(events=[{"type": "Noted", "tags": [Code("x")], "data": {}}]),
    "no events": document(events=None),
    "events that are no objects": document(events=["x"]),
    "an array of ids": document(parts=[part(id=["bad", "good1"], version=7)]),
    "a number as the name of an event": document(events=[{"type": 7, "data": {}}]),
    "code as the name of an event": document(events=[{"type": Code("Noted"), "data": {}}]),
    "code as the id of another part": document(
        parts=[part(), part(id=Code("x"))], events=[{"type": "Noted", "data": {}}] * 2
    ),
    "a text as schema": document(events=[{"type": "Noted", "schema": "1", "data": {}}]),
    "a schema before the first": document(events=[{"type": "Noted", "schema": 0, "data": {}}]),
    "a number as commit id": document(commit_id=7),
    "deep text": document(events=[{"type": "Noted", "data_json": "[" * 100_000}]),
    "bytes as text": document(events=[{"type": "Noted", "data_json": b"{}"}]),
    "neither data nor text": document(events=[{"type": "Noted"}]),
}


@pytest.mark.parametrize("strange", STRANGE)
async def test_a_strange_document_fails_no_neighbour(
    store: MongoStore, plain: Plain, strange: str
) -> None:
    for stream in GOOD:
        await store.append(made(0, stream=stream))
    plain.events.insert_one(STRANGE[strange])
    async with asyncio.timeout(20):
        loaded = await asyncio.gather(
            store.load(BAD), *map(store.load, GOOD), return_exceptions=True
        )
        written = await asyncio.gather(
            *(store.append(made(1, stream=stream)) for stream in GOOD[:2]),
            return_exceptions=True,
        )
    bad, *good = loaded
    assert [1] * 5 == [each.version for each in good if not isinstance(each, BaseException)]
    if isinstance(bad, BaseException):
        assert IncompatibleBucket is type(bad)
        assert "s3cr" not in str(bad)
    else:
        # An array belongs to no stream. A load looks at no other part.
        assert bad.version == {"an array of ids": 0, "code as the id of another part": 1}[strange]
    if strange not in {"a text as size", "a part that is no object"}:  # nor is the tail then
        stored = [each for each in written if not isinstance(each, BaseException)]
        assert [2, 2] == [first_version(each) for each in stored]


ENVELOPES: dict[str, dict[str, Any]] = {
    "a text as metadata": {"metadata": "x"},
    "a number as correlation id": {"metadata": {"correlation_id": 7}},
    "pairs as values": {"metadata": {"values": [["a", "b"]]}},
    "a number as a value": {"metadata": {"values": {"a": 1}}},
    "bytes as values": {"metadata": {"values_json": b"{}"}},
    "a date as time": {"recorded_at": datetime(2026, 1, 1, tzinfo=UTC)},
    "a time without its offset": {"recorded_at": "2026-01-01T00:00:00"},
    "a number as commit id": {"commit_id": 7},
    "code as commit id": {"commit_id": Code("bad")},
    "a number as the type of a part": {"parts": [part(type=7)]},
    "code as the id of a part": {"parts": [part(id=Code("bad"))]},
    "a size that no memory holds": {"parts": [part(size=Int64(2**53))]},
    "a version that no log reaches": {"parts": [part(version=Int64(2**63 - 1))]},
}
READS: dict[str, Callable[[MongoStore], Awaitable[object]]] = {
    "read": lambda store: store.read(),
    "read by tags": lambda store: store.read(Query.of(tags={"x"})),
    "read by type": lambda store: store.read(Query.of("Noted")),
    "read backwards": lambda store: store.read_backwards(),
    "read backwards by type": lambda store: store.read_backwards(Query.of("Noted")),
    "history": lambda store: store.history(BAD),
    "commits": lambda store: store.commits(),
}


@pytest.mark.parametrize("strange", [*STRANGE, *ENVELOPES])
async def test_a_strange_document_is_one_typed_error_to_whoever_reads_it(
    store: MongoStore, plain: Plain, strange: str
) -> None:
    """Or it is not found, since a filter by another type does not match it."""
    is_envelope = strange in ENVELOPES
    given = document(**ENVELOPES[strange]) if is_envelope else STRANGE[strange]
    plain.events.insert_one({**given, "_id": Int64(1)})
    for name, read in READS.items():
        try:
            found = await read(store)
            events = [*(found if isinstance(found, list) else getattr(found, "events", ()))]
        except IncompatibleBucket:
            continue
        assert name not in {"read", "read backwards", "commits"}
        assert [] == events


async def test_a_stream_with_a_commit_at_no_position_is_a_typed_error(
    store: MongoStore, plain: Plain
) -> None:
    plain.events.insert_one(document(_id=ObjectId()))
    with pytest.raises(IncompatibleBucket, match="was not written by eventhus"):
        await store.load(BAD)


SECOND = {"type": ACCOUNT.aggregate_type, "id": ACCOUNT.aggregate_id, "version": 2, "size": 1}
HOLDERS: dict[str, Any] = {
    "parts that are no array": SECOND,
    "a stream twice": [{**SECOND, "version": 1}, SECOND],
    "an array of ids after the stream": [
        {**SECOND, "version": 1},
        {**SECOND, "id": [ACCOUNT.aggregate_id]},
    ],
}
"""Forms whose version 2 the index has, while the stream seems to end at 1."""


async def hold_second_version(store: MongoStore, plain: Plain, parts: Any) -> None:
    """Fill the log up to position 3, and replace a commit below its end."""
    for stream in (ACCOUNT, *GOOD[:2]):
        await store.append(made(0, stream=stream))
    position = Int64(1 if isinstance(parts, list) else 2)
    plain.events.delete_one({"_id": position})
    plain.events.insert_one(document(_id=position, parts=parts))


TAILS: dict[str, dict[str, Any]] = {
    "a position beyond all others": {"_id": Int64(2**63 - 1)},
    "a size beyond all others": {"parts": [{**part(), "size": Int64(2**63 - 1)}]},
    "a date beyond Python's as size": {"parts": [{**part(), "size": DatetimeMS(2**62)}]},
}


@pytest.mark.parametrize("tail", TAILS)
async def test_an_append_after_a_tail_of_another_form_says_so(
    store: MongoStore, plain: Plain, tail: str
) -> None:
    """Nothing was sent, so the outcome is known."""
    plain.events.insert_one(document(**TAILS[tail]))
    with pytest.raises(IncompatibleBucket):
        await store.append(made(0))


@pytest.mark.parametrize("version", [2**62, 2**63 - 1])
async def test_an_append_after_a_version_that_no_log_reaches_says_so(
    store: MongoStore, plain: Plain, version: int
) -> None:
    """The next version would need more than 64 bits."""
    plain.events.insert_one(document(_id=Int64(1), parts=[part(version=Int64(version))]))
    with pytest.raises(IncompatibleBucket, match="document 1 was not written by eventhus"):
        await store.append(made(stream=BAD))
    with pytest.raises(IncompatibleBucket, match="document 1 was not written by eventhus"):
        await store.version_of(BAD)


@pytest.mark.parametrize("query", [Query.of("Noted"), Query([QueryItem(other_than={"Closed"})])])
async def test_a_gap_that_is_too_long_to_scan_is_an_error_without_a_delay(
    store: MongoStore, plain: Plain, query: Query
) -> None:
    await store.append(made(0))
    plain.events.insert_one(document(_id=Int64(2**53)))
    async with asyncio.timeout(10):
        for read in (store.read(query, after=1), store.read_backwards(query, limit=9)):
            with pytest.raises(LogCorrupted):
                await read


UNMATCHED = Condition(query=Query.of("Closed", tags={"x"}), after=1)
APPENDS: dict[str, Callable[[int | None], Commit]] = {
    "one part": made,
    "two parts": lambda expected: commit_of(
        a_part(OTHER, expected_version=0), a_part(expected_version=expected)
    ),
    "a condition": lambda expected: commit(
        ACCOUNT, events=[tagged("x")], expected_version=expected, condition=UNMATCHED
    ),
}


@pytest.mark.parametrize("appended", APPENDS)
@pytest.mark.parametrize("expected", [1, None])
@pytest.mark.parametrize("holder", HOLDERS)
async def test_a_version_held_by_a_strange_document_is_a_typed_error_without_a_delay(
    store: MongoStore, plain: Plain, holder: str, expected: int | None, appended: str
) -> None:
    """Sending the commit again until the time is over would not help."""
    await hold_second_version(store, plain, HOLDERS[holder])
    async with asyncio.timeout(10):
        with pytest.raises(IncompatibleBucket, match="was not written by eventhus"):
            await store.append(APPENDS[appended](expected))


@pytest.mark.parametrize("holder", HOLDERS)
async def test_a_version_held_by_a_strange_document_is_a_typed_error_of_restore(
    store: MongoStore, plain: Plain, holder: str
) -> None:
    await hold_second_version(store, plain, HOLDERS[holder])
    stored = StoredCommit(commit=made(1), versions=[2], position=4)
    with pytest.raises(IncompatibleBucket, match="was not written by eventhus"):
        await store.restore([stored])


@pytest.mark.parametrize("appended", APPENDS)
async def test_a_writer_goes_on_where_the_log_ends_after_a_commit_was_changed(
    store: MongoStore, plain: Plain, appended: str
) -> None:
    """It remembers a later end of the stream, which no look at the log confirms."""
    await store.append(made(0))
    await store.append(made(1))
    await store.append(made(0, stream=GOOD[0]))
    plain.events.update_one({"_id": 2}, {"$set": {"parts.0.id": MinKey()}})
    async with asyncio.timeout(10):
        stored = await store.append(APPENDS[appended](1))
    assert 2 == stored.versions[-1]
    assert 3 == first_version(await store.append(made(2)))


async def test_a_condition_is_checked_again_after_the_log_has_lost_its_end(
    replica_set: MongoReplicaSet, bucket: str, plain: Plain
) -> None:
    """Another program deletes a commit right after the writer has looked at all up to it."""
    far = Int64(100)

    class Deleting(Commands):
        def started(self, event: CommandStartedEvent) -> None:
            if {"commit_id"} == event.command.get("filter", {}).keys():
                plain.events.delete_one({"_id": far})

    async with (
        async_client(replica_set.url, Deleting()) as connected,
        MongoStore(connected, bucket) as store,
    ):
        await store.append(made(0, size=2))
        await store.append(made(0, stream=GOOD[0]))
        plain.events.insert_one(document(_id=far))
        async with asyncio.timeout(10):  # position 1 is inside a commit, so the batch cannot tell
            stored = await store.append(commit(OTHER, condition=UNMATCHED))
        assert (1, 4) == place(stored)


VIEWS: dict[str, dict[str, Any]] = {
    "a text as deleted": {"_deleted": "no"},
    "an object as skipped": {"_skipped": {}},
    "a text as skipped position": {"_skipped": [{"position": "1", "why": "x", "at": AT}]},
    "a number as reason": {"_skipped": [{"position": 1, "why": 7, "at": AT}]},
    "a time without its offset": {"_skipped": [{"position": 1, "why": "x", "at": AT[:19]}]},
    "a text as parked": {"_parked": "x"},
    "a text as parked position": {"_parked": {**PARKED, "position": "1"}},
    "a float as handled": {"_parked": {**PARKED, "handled": 1.0}},
    "a number as error": {"_parked": {**PARKED, "error": 7}},
    "a date as parked time": {"_parked": {**PARKED, "at": datetime(2026, 1, 1, tzinfo=UTC)}},
    "a text as revision": {"_revision": "1"},
    "a revision without a next one": {"_revision": Int64(2**63 - 1)},
    "a position that no log reaches": {"_position": Int64(2**62)},
    "a text as position": {"_position": "1"},
}


@pytest.mark.parametrize("strange", VIEWS)
async def test_a_strange_document_of_a_view_is_a_typed_error(
    store: MongoStore, plain: Plain, strange: str
) -> None:
    plain.view_v.insert_one({"_id": "a", "_position": Int64(1), **VIEWS[strange]})
    with pytest.raises(IncompatibleBucket, match="'a' was not written by eventhus"):
        await store.load_documents("view_v", ["a"])
    if "_parked" in VIEWS[strange] and strange != "a text as parked":  # the index has it
        with pytest.raises(IncompatibleBucket, match="'a' was not written by eventhus"):
            await store.load_parked("view_v")


DAMAGES: dict[str, dict[str, Any]] = {
    "bytes as text": {"_json": b"1"},
    "a number as text": {"_json": 7},
    "code as text": {"_json": Code("1")},
    "a text that is not JSON": {"_json": "{"},
    "an id": {"a": ObjectId()},
    "a decimal": {"a": Decimal128("1")},
    "a date in a list": {"a": [{"at": datetime(2026, 1, 1, tzinfo=UTC)}]},
    "a date beyond Python's": {"at": DatetimeMS(2**62)},
    "bytes": {"_value": b"1"},
    "no number": {"a": float("nan")},
    "no number in a text": {"_json": '{"$a": NaN}'},
    "code in a list in an object": {"a": {"b": [1, Code("1")]}},
    "a lowest key, in a document with a revision": {"a": MinKey(), "_revision": 1},
    "a date beyond Python's, in a document with a revision": {
        "at": DatetimeMS(2**62),
        "_revision": 1,
    },
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_value_of_a_view_harms_no_neighbour(
    store: MongoStore, plain: Plain, damage: str
) -> None:
    """It is read as damaged, alone or beside others, and can be replaced."""
    good = {"_id": "b", "_position": Int64(2), "n": 1}
    plain.view_v.insert_many([{"_id": "a", "_position": Int64(1), **DAMAGES[damage]}, good])
    revision = DAMAGES[damage].get("_revision", 0)
    documents = {
        "a": ViewDocument(key="a", position=1, data=None, revision=revision, is_damaged=True),
        "b": ViewDocument(key="b", position=2, data={"n": 1}),
    }
    assert documents == await store.load_documents("view_v", ["a", "b"])
    found = await store.select_documents("view_v", Selection())
    assert [*documents.values()] == [*found.documents]
    new = ViewDocument(key="a", position=3, data={"n": 2})
    write = ViewWrite(document=new, replaces=1, replaces_revision=revision)
    assert frozenset() == await store.save_documents("view_v", [write])
    assert {"a": new} == await store.load_documents("view_v", ["a"])


async def test_a_page_of_a_view_does_not_begin_with_the_key_before_it_again(
    store: MongoStore, plain: Plain
) -> None:
    """A key that is not UTF-8 reads as one that sorts before it."""
    await store.save_documents(
        "view_v", [ViewWrite(document=ViewDocument(key="a", position=1, data=1), replaces=0)]
    )
    plain.view_v.insert_one(named_badly({"_position": Int64(1), "_parked": PARKED}))
    with pytest.raises(IncompatibleBucket, match="was not written by eventhus"):
        await store.load_parked("view_v", limit=1)
    assert {"a"} == {*await store.load_documents("view_v", ["a"])}


@pytest.mark.parametrize("field", ["_count", "_checkpoint"])
async def test_a_field_of_a_strange_document_is_no_part_of_the_page(
    store: MongoStore, plain: Plain, field: str
) -> None:
    await store.save_checkpoint("view_v", 7)
    plain.view_v.insert_one({"_id": "a", "_position": Int64(1), "n": 1, field: {"position": 9}})
    found = await store.select_documents("view_v", Selection())
    assert (7, 0) == (found.position, found.parked)
    assert [ViewDocument(key="a", position=1, data={"n": 1})] == [*found.documents]


SHAPES: dict[str, dict[str, Any]] = {
    "a later format": {"$set": {"format": 2}},
    "no version": {"$unset": {"version": 1}},
    "a text as version": {"$set": {"version": "1"}},
    "a negative position": {"$set": {"position": -1}},
    "no version yet": {"$set": {"version": 0}},
    "a version that no log reaches": {"$set": {"version": 2**63 - 1}},
    "a list as fingerprint": {"$set": {"fingerprint": ["f"]}},
    "no data": {"$unset": {"data": 1}},
    "data that is not plain": {"$set": {"data": {"at": ObjectId()}}},
    "text that is not JSON": {"$unset": {"data": 1}, "$set": {"data_json": "{"}},
    "code as fingerprint": {"$set": {"fingerprint": Code("f")}},
    "a date beyond Python's": {"$set": {"data": {"at": DatetimeMS(2**62)}}},
}


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_snapshot_of_another_shape_is_ignored(
    store: MongoStore, plain: Plain, shape: str
) -> None:
    """It only saves time."""
    snapshot = Snapshot(
        stream=ACCOUNT, version=1, position=1, event_id="c-1", fingerprint="f", data={}
    )
    await store.save_snapshot(snapshot)
    assert snapshot == await store.load_snapshot(ACCOUNT)
    plain.snapshots.update_one({}, SHAPES[shape])
    assert await store.load_snapshot(ACCOUNT) is None


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"start": 7}},
        {"$set": {"start.position": "7"}},
        {"$set": {"start.position": -5}},
        {"$set": {"start.event_id": Code("c-7")}},
    ],
)
async def test_a_group_of_another_shape_is_an_error(
    store: MongoStore, plain: Plain, change: dict[str, Any]
) -> None:
    await store.create_group("mailer", Checkpoint(7, "c-7"))
    plain.groups.update_one({}, change)
    with pytest.raises(IncompatibleBucket, match="document 'mailer'"):
        await store.load_group("mailer")
    with pytest.raises(IncompatibleBucket, match="document 'mailer'"):
        await store.create_group("mailer", Checkpoint())


def named_badly(fields: dict[str, Any]) -> RawBSONDocument:
    """A document whose key is not UTF-8. Decoded leniently, it sorts before itself."""
    raw = bson.encode({"_id": "abc", **fields})
    return RawBSONDocument(raw.replace(b"abc", b"\xff\xff\xff", 1))


async def test_a_group_whose_name_is_no_text_is_an_error_without_a_delay(
    store: MongoStore, plain: Plain
) -> None:
    plain.groups.insert_one(named_badly({"letters": 1}))
    async with asyncio.timeout(20):
        with pytest.raises(IncompatibleBucket, match="invalid dates or text"):
            await store.groups(limit=1)


@pytest.mark.parametrize(
    "change",
    [
        {"$unset": {"body": 1}},
        {"$set": {"body": 7}},
        {"$set": {"headers": [["a", 7]]}},
        {"$set": {"headers": {"a": "b"}}},
        {"$set": {"stream.id": Code("a")}},
        {"$set": {"attempt": True}},
    ],
)
async def test_a_letter_of_another_shape_is_an_error(
    store: MongoStore, plain: Plain, change: dict[str, Any]
) -> None:
    await store.save_letter("mailer", Message(id="c-1", stream=ACCOUNT, body=b"secret"))
    plain.dead_letters.update_one({}, change)
    with pytest.raises(IncompatibleBucket) as caught:
        await store.load_letters("mailer")
    assert "secret" not in str(caught.value)


async def test_no_letter_is_lost_with_the_counter_of_its_group(
    store: MongoStore, plain: Plain
) -> None:
    """Somebody deletes the group, so that it begins anew."""
    for number in range(3):
        await store.save_letter("mailer", Message(id=f"c-{number}", stream=ACCOUNT, body=b"{}"))
    plain.groups.delete_one({"_id": "mailer"})
    await store.save_letter("mailer", Message(id="c-3", stream=ACCOUNT, body=b"{}"))
    letters = await store.load_letters("mailer")
    assert ["c-0", "c-1", "c-2", "c-3"] == [each.message.id for each in letters]


@pytest.mark.parametrize("count", [Int64(2**62 - 1), 0.5, float("nan"), -5])
async def test_a_counter_of_letters_that_cannot_be_is_an_error(
    store: MongoStore, plain: Plain, count: object
) -> None:
    """A letter of such a number would not be found."""
    plain.groups.insert_one({"_id": "mailer", "letters": count})
    with pytest.raises(IncompatibleBucket, match="document 'mailer'"):
        await store.save_letter("mailer", Message(id="c-1", stream=ACCOUNT, body=b"{}"))


async def test_a_letter_beyond_the_limit_of_documents_is_refused(store: MongoStore) -> None:
    """It is refused without being quoted."""
    letter = Message(id="c-1", stream=ACCOUNT, body=b"secret" * 3_000_000)
    with pytest.raises(InvalidArgument, match="handle the event from the log") as caught:
        await store.save_letter("mailer", letter)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"position": "7"}},
        {"$unset": {"position": 1}},
        {"$set": {"position": -5}},
        {"$set": {"event_id": 7}},
        {"$set": {"event_id": Code("c-7")}},
        {"$set": {"done": [[9, 9.5]]}},
        {"$set": {"done": [[9, 9, 9]]}},
        {"$set": {"done": [[5, 6]]}},
        {"$set": {"done": 9}},
        {"$set": {"saved_at": "2026-01-01"}},
        {"$set": {"saved_at": 7}},
    ],
)
async def test_a_checkpoint_of_another_shape_is_an_error_that_names_it(
    store: MongoStore, plain: Plain, change: dict[str, Any]
) -> None:
    """Guessing would repeat events, or skip them."""
    await store.save_checkpoint("relay", 7)
    plain.checkpoints.update_one({}, change)
    with pytest.raises(IncompatibleBucket, match="checkpoint 'relay'"):
        await store.load_checkpoint("relay")


@pytest.mark.parametrize(
    "change",
    [
        {"$set": {"token": "1"}},
        {"$set": {"token": [1]}},
        {"$set": {"token": 1.5}},
        {"$set": {"token": float("nan")}},
        {"$set": {"token": -1}},
        {"$set": {"token": Int64(2**62)}},
        {"$set": {"token": Int64(2**63 - 1)}},
        {"$set": {"owner": 7}},
        {"$set": {"ttl_ms": "60000"}},
        {"$set": {"ttl_ms": float("inf")}},
        {"$unset": {"owner": 1, "token": 1}, "$set": {"until": datetime(2100, 1, 1, tzinfo=UTC)}},
    ],
    ids=str,
)
async def test_a_lease_of_another_shape_is_replaced_or_an_error_that_names_it(
    store: MongoStore, plain: Plain, change: dict[str, Any]
) -> None:
    first = await store.acquire("relay", "one", ttl_s=60)
    assert first is not None
    plain.leases.update_one({}, change)
    try:
        again = await store.acquire("relay", "two", ttl_s=60)
    except IncompatibleBucket as error:
        assert "the lease 'relay' was not written by eventhus; delete" in str(error)  # noqa: PT017
    else:
        assert again is not None
        assert type(again.token) is int


@pytest.mark.parametrize("token", [-1, 2**62 - 1, 2**63 - 1])
async def test_a_checkpoint_with_a_token_that_cannot_be_leaves_its_lease_alone(
    store: MongoStore, plain: Plain, token: int
) -> None:
    """Deleting the lease would not help: the next one would get a token of the checkpoint again."""
    await store.save_checkpoint("relay", 7)
    plain.checkpoints.update_one({}, {"$set": {"token": Int64(token)}})
    with pytest.raises(IncompatibleBucket, match="the token of checkpoint 'relay'"):
        await store.acquire("relay", "one", ttl_s=60)
    assert plain.leases.count_documents({}) == 0


@pytest.mark.parametrize("change", [{"recorded_at": "2026-01-01T00:00:00"}, {"commit_id": 7}])
async def test_a_strange_envelope_is_a_typed_error(
    store: MongoStore, plain: Plain, change: dict[str, Any]
) -> None:
    await store.append(made(0))
    plain.events.update_one({}, {"$set": change})
    page = await store.read()
    with pytest.raises(IncompatibleBucket, match="document 1 was not written by eventhus"):
        list(page.events)


async def test_a_strange_command_id_is_a_typed_error(store: MongoStore, plain: Plain) -> None:
    given = made(0)
    await store.append(given)
    plain.events.update_one({}, {"$set": {"command_id": 7}})
    with pytest.raises(IncompatibleBucket, match="document 1 was not written by eventhus"):
        await store.append(given)


async def test_a_document_without_a_position_is_not_overwritten(
    store: MongoStore, plain: Plain
) -> None:
    plain.view_v.insert_one({"_id": "a"})
    write = ViewWrite(document=ViewDocument(key="a", position=2, data=1), replaces=1)
    assert {"a"} == await store.save_documents("view_v", [write])


async def test_a_lease_from_the_future_has_expired(store: MongoStore, plain: Plain) -> None:
    """The clock of the server was set back; its owner may be gone for long."""
    first = await store.acquire("relay", "one", ttl_s=10)
    assert first is not None
    assert await store.acquire("relay", "two", ttl_s=10) is None
    plain.leases.update_one({}, {"$set": {"until": datetime.now(UTC) + timedelta(hours=1)}})
    second = await store.acquire("relay", "two", ttl_s=10)
    assert second is not None
    assert second.token > first.token


async def test_a_lease_of_a_slightly_later_clock_is_held(store: MongoStore, plain: Plain) -> None:
    """Rivals reach the server at the same time, and it carries them out in any order."""
    lease = await store.acquire("relay", "one", ttl_s=60)
    assert lease is not None
    plain.leases.update_one({}, {"$set": {"until": datetime.now(UTC) + timedelta(seconds=65)}})
    assert await store.acquire("relay", "two", ttl_s=60) is None
    assert lease == await store.acquire("relay", "one", ttl_s=60)


INSPECTIONS: dict[str, Callable[[MongoStore], Awaitable[object]]] = {
    "find_event": lambda store: store.find_event("bad-1"),
    "related": lambda store: store.related("bad"),
    "related after an event": lambda store: store.related("talk", after=7),
    "streams": lambda store: store.streams(),
    "streams of the type": lambda store: store.streams(stream_type=BAD.aggregate_type),
}


@pytest.mark.parametrize("strange", [*STRANGE, *ENVELOPES])
async def test_a_strange_document_is_one_typed_error_to_whoever_inspects_it(
    store: MongoStore, plain: Plain, strange: str
) -> None:
    """It names the document, or the document is not found."""
    for stream in GOOD:
        await store.append(commit(stream))
    is_envelope = strange in ENVELOPES
    given = document(**ENVELOPES[strange]) if is_envelope else STRANGE[strange]
    plain.events.insert_one(given)
    raised: list[str] = []
    for name, inspect in INSPECTIONS.items():
        try:
            await inspect(store)
        except IncompatibleBucket as error:
            assert re.search(r"document 6\b", str(error))  # noqa: PT017 - there may be none
            assert "s3cr" not in str(error)  # noqa: PT017 - likewise
            raised.append(name)
    if strange != "an array of ids":  # the index has one of them among these
        assert 5 == len(await store.streams(stream_type="Account", prefix="good"))
    assert raised or "commit id" in strange  # no way leads to another id


@pytest.mark.parametrize("parts", HOLDERS.values(), ids=HOLDERS)
async def test_a_strange_entry_of_the_index_of_streams_is_a_typed_error(
    store: MongoStore, plain: Plain, parts: Any
) -> None:
    await hold_second_version(store, plain, parts)
    position = 1 if isinstance(parts, list) else 2
    for stream_type in (None, ACCOUNT.aggregate_type):
        with pytest.raises(IncompatibleBucket, match=rf"document {position}\b"):
            await store.streams(stream_type=stream_type)


@pytest.mark.parametrize(
    "change",
    [
        {"$unset": {"since": 1}},
        {"$set": {"since": "2026-01-01"}},
        {"$set": {"since": DatetimeMS(2**62)}},
        {"$set": {"owner": 7}},
        {"$set": {"token": -1}},
        {"$set": {"token": "x"}},
        {"$set": {"token": Int64(2**62)}},
        {"$set": {"ttl_ms": "x"}},
    ],
    ids=str,
)
async def test_a_held_lease_of_another_shape_is_listed_as_damaged(
    store: MongoStore, plain: Plain, change: dict[str, Any]
) -> None:
    assert await store.acquire("relay", "one", ttl_s=60) is not None
    assert await store.acquire("a", "one", ttl_s=60) is not None
    plain.leases.update_one({"_id": "relay"}, change)
    plain.leases.insert_one({"owner": "an id that is no text belongs to another program"})
    held, damaged = await store.leases()
    assert "a" == held.name
    assert isinstance(held, HeldLease)
    problem = "the lease 'relay' was not written by eventhus; delete the document"
    assert DamagedLease(name="relay", problem=problem) == damaged
    assert [damaged] == [*await store.leases(after="a")]


@pytest.mark.parametrize(
    "change",
    [{"version": "x"}, {"name": b"\xff"}, {"start": 7}, {"at": DatetimeMS(2**62)}],
    ids=str,
)
async def test_a_registration_of_another_shape_hides_no_other(
    store: MongoStore, plain: Plain, change: dict[str, Any]
) -> None:
    for name in ("a", "b"):
        await store.register(Registration(collection=f"view_{name}", name=name))
    plain.views.update_one({"_id": "view_a"}, {"$set": change})
    plain.views.insert_one({"name": "an id that is no text belongs to another program"})
    damaged, other = await store.registrations()
    assert "view_b" == other.collection
    assert isinstance(damaged, DamagedRegistration)
    assert "view_a" == damaged.collection
    assert "the document 'view_a' of views was not written by eventhus" in str(damaged.error)


@pytest.mark.parametrize("number", [2**62, 2**63, 2**200])
async def test_numbers_that_no_log_reaches_are_refused(store: MongoStore, number: int) -> None:
    calls = [
        store.load(ACCOUNT, after_version=number),
        store.history(ACCOUNT, after_version=number),
        store.read(after=number),
        store.read(limit=number),
        anext(store.follow(after=number)),
    ]
    for call in calls:
        with pytest.raises(InvalidArgument, match="no log has so many events"):
            await call


async def test_a_pool_of_one_connection_is_refused(replica_set: MongoReplicaSet) -> None:
    with pytest.raises(CompositionError, match="leave maxPoolSize out"):
        MongoStore.open(f"{replica_set.url}&maxPoolSize=1", "bank")


async def test_a_large_commit_is_fetched_once_for_all_its_pages(
    store: MongoStore, commands: Commands
) -> None:
    """Otherwise each page would read and decode all of it: quadratic work."""
    await store.append(made(0, size=5000))
    for read in (
        lambda after: store.load(ACCOUNT, after_version=after, limit=100),
        lambda after: store.read(after=after, limit=100),
    ):
        commands.forget()
        for after in range(0, 5000, 100):
            await read(after)
        sent = [each for each in commands.named("find") if each.get("limit") == 1]
        assert [] == sent


@pytest.mark.parametrize("streams", [1, 3])
async def test_a_load_of_large_events_is_cut_by_its_size(store: MongoStore, streams: int) -> None:
    """Each page takes no more than a reply of the server, and nothing is lost between them."""
    given = [StreamId("Large", f"l{number}") for number in range(streams)]
    events = [EventData("Noted", {"text": "x" * 2_000_000})]
    for _ in range(20):
        await asyncio.gather(*(store.append(commit(each, events=events)) for each in given))
    pages = await asyncio.gather(*map(store.load, given))
    for stream, first in zip(given, pages, strict=True):
        versions, page = [first.version], first
        while page.is_cut:
            assert 0 < len(page.events) < 20
            page = await store.load(stream, after_version=versions[-1])
            versions.append(page.version or versions[-1])
        assert 20 == versions[-1]
        assert 20 == len(await store.history(stream))
