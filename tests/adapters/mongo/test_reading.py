"""Reading by query, backwards and by commit: in whole, in bounded pieces, and never past a gap."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any

import pytest
from attrs import evolve
from pymongo.database import Database

from eventhus import Query, StreamId
from eventhus.errors import LogCorrupted
from eventhus.ports import Commit, EventData, Page, StoredEvent
from eventhus_mongo import MongoStore, query_filters, query_reader
from eventhus_mongo.connection import Connection, Tail
from eventhus_mongo.query_reader import Found, QueryReader
from eventhus_testing.conformance.store.samples import commit, commit_of, part, tagged
from eventhus_testing.servers import MongoReplicaSet
from tests.adapters.mongo.support import Commands

Plain = Database[dict[str, Any]]

RED = Query.of(tags={"red"})
NOTED = Query.of("Noted")


def red(number: int = 1, type_: str = "Noted") -> list[EventData]:
    return [tagged("red", type_=type_) for _ in range(number)]


@pytest.fixture
async def other(replica_set: MongoReplicaSet, bucket: str) -> AsyncIterator[MongoStore]:
    """The store of another process."""
    async with MongoStore.open(replica_set.url, bucket) as entered:
        yield entered


async def all_of(store: MongoStore, query: Query | None, limit: int) -> list[StoredEvent]:
    """All pages, of which each ends at its last event, or at the end of the log."""
    events: list[StoredEvent] = []
    after = 0
    while True:
        page = await store.read(query, after=after, limit=limit)
        events += page.events
        after = page.position
        if page.is_last:
            assert after == await store.head()
            return events
        assert after == page.events[-1].position


async def all_backwards(store: MongoStore, query: Query | None, limit: int) -> list[StoredEvent]:
    """All pages from the last event to the first, in the order of the log."""
    events: list[StoredEvent] = []
    before = None
    while True:
        page = await store.read_backwards(query, before=before, limit=limit)
        events += page.events
        before = page.position
        if page.is_last:
            assert before == 1
            return events[::-1]
        assert before == page.events[-1].position


def appending_before_the_look(
    monkeypatch: pytest.MonkeyPatch, other: MongoStore, *given: Commit
) -> None:
    """Let another process append right before the log is looked at, once the tail is known."""
    first_reply, pending = Connection.first_reply, [*given]

    async def late(self: Connection, *args: Any, **options: Any) -> Any:
        reply = await first_reply(self, *args, **options)
        while pending:
            await other.append(pending.pop(0))
        return reply

    monkeypatch.setattr(Connection, "first_reply", late)


async def test_a_page_claims_no_more_than_the_tail_that_was_taken_first(
    store: MongoStore, other: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.append(commit(events=red()))
    appending_before_the_look(monkeypatch, other, commit(events=red(2)))
    page = await store.read(RED)
    assert ([1], 1, True) == ([each.position for each in page.events], page.position, page.is_last)
    assert [2, 3] == [each.position for each in (await store.read(RED, after=1)).events]


async def test_with_the_tail_taken_last_an_event_is_missed(
    store: MongoStore, other: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.append(commit(events=red()))
    appending_before_the_look(monkeypatch, other, commit(events=red(2)))
    then = QueryReader.next

    async def tail_last(
        self: QueryReader, query: Query, after: int, limit: int, tail: Tail
    ) -> Found:
        found = await then(self, query, after, limit, tail)
        return evolve(found, end=await self._connection.tail())

    monkeypatch.setattr(QueryReader, "next", tail_last)
    page = await store.read(RED)
    assert [1] == [each.position for each in page.events]
    assert [] == [*(await store.read(RED, after=page.position)).events]


@pytest.fixture
async def mixed(store: MongoStore) -> list[StoredEvent]:
    """A log of 40 events in commits of several sizes and streams."""
    log: list[StoredEvent] = []
    for number in range(8):
        stored = await store.append(
            commit_of(
                part(events=[*red(), tagged("blue")]),
                part(StreamId("Other", "o"), events=[tagged("red", "blue"), tagged()]),
            )
        )
        log += stored.recorded()
        log += (await store.append(commit(events=[tagged(type_=f"Rare{number}")]))).recorded()
    return log


QUERIES = [
    None,
    RED,
    NOTED,
    Query.of("Deposited", tags={"red", "blue"}),
    Query.of("Rare3") | Query.of("Noted", tags={"red"}),
    Query.of("Rare1", "Rare6"),
    Query.of("Nothing"),
    Query.of(tags={"nothing"}),
]


@pytest.mark.parametrize("scan", [3, 7, 100_000])
@pytest.mark.parametrize("query", QUERIES, ids=str)
async def test_pages_of_any_size_hold_what_matches(
    store: MongoStore,
    mixed: list[StoredEvent],
    monkeypatch: pytest.MonkeyPatch,
    scan: int,
    query: Query | None,
) -> None:
    """Wherever they and the looks at the log begin and end."""
    monkeypatch.setattr(query_reader, "SCAN", scan)
    expected = [
        each for each in mixed if query is None or query.matches(each.event.type, each.event.tags)
    ]
    for limit in (1, 3, 7, 1000):
        assert expected == await all_of(store, query, limit)
        assert expected == await all_backwards(store, query, limit)
    for place in range(1, 41, 6):
        page = await store.read(query, after=place)
        assert [each for each in expected if each.position > place] == [*page.events]
        page = await store.read_backwards(query, before=place)
        assert [each for each in expected if each.position < place] == [*page.events][::-1]


@pytest.mark.parametrize(("query", "at_once"), [(Query.of("Rare0"), 2), (NOTED, 1)], ids=str)
async def test_two_stretches_are_read_at_once_where_nothing_matches(
    store: MongoStore,
    mixed: list[StoredEvent],
    monkeypatch: pytest.MonkeyPatch,
    query: Query,
    at_once: int,
) -> None:
    monkeypatch.setattr(query_reader, "SCAN", 5)
    before, running, most = QueryReader._before, 0, 0

    async def counted(self: QueryReader, *args: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        reply = await before(self, *args)
        running -= 1
        return reply

    monkeypatch.setattr(QueryReader, "_before", counted)
    matching = [each for each in mixed if query.matches(each.event.type, each.event.tags)]
    assert matching == await all_backwards(store, query, 100)
    assert at_once == most


async def test_a_follower_moves_on_where_nothing_matches(
    store: MongoStore, mixed: list[StoredEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In steps that each end in time, at an event whose id is known."""
    monkeypatch.setattr(query_reader, "SCAN", 10)
    pages: list[Page] = []
    async with aclosing(store.follow(Query.of("Rare6"))) as following:
        async for page in following:
            pages.append(page)
            if page.position == 40:
                break
    assert len(pages) > 3
    assert [35] == [each.position for page in pages for each in page.events]
    assert [mixed[page.position - 1].id for page in pages] == [page.event_id for page in pages]


@pytest.mark.parametrize("most", [1, 2])
async def test_a_query_of_many_names_is_shortened_and_finds_the_same(
    store: MongoStore, mixed: list[StoredEvent], monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Events are compared with the whole query, whatever the server was asked for."""
    monkeypatch.setattr(query_filters, "MOST_TYPES", most)
    monkeypatch.setattr(query_filters, "MOST_BRANCHES", most)
    query = Query.of("Rare1", "Rare2", "Rare3") | Query.of("Noted", "Other", "More", tags={"red"})
    expected = [each for each in mixed if query.matches(each.event.type, each.event.tags)]
    assert expected == await all_of(store, query, 2)
    assert expected == await all_backwards(store, query, 2)


LARGE = [EventData("Noted", {"text": "x" * 3_000_000}, tags=frozenset({"red"}))]


@pytest.mark.parametrize("query", [None, RED, NOTED], ids=str)
async def test_large_events_come_a_few_at_a_time(store: MongoStore, query: Query | None) -> None:
    """A page takes no more than a reply of the server, 16 MB, whatever its limit."""
    for _ in range(8):
        await store.append(commit(events=LARGE))
    page = await store.read(query)
    assert ([1, 2, 3, 4, 5], 5) == ([each.position for each in page.events], page.position)
    assert not page.is_last
    page = await store.read_backwards(query)
    assert ([8, 7, 6, 5, 4], 4) == ([each.position for each in page.events], page.position)
    assert not page.is_last
    assert [*range(1, 9)] == [each.position for each in await all_of(store, query, 1000)]
    assert [*range(1, 9)] == [each.position for each in await all_backwards(store, query, 1000)]
    assert 5 == len(await store.commits())
    assert [6, 7, 8] == [each.position for each in await store.commits(after=5)]


@pytest.mark.parametrize("query", [None, RED], ids=str)
async def test_a_large_commit_is_fetched_once_for_all_its_pages(
    store: MongoStore, commands: Commands, query: Query | None
) -> None:
    """In both directions: otherwise each page would read all of it, which is quadratic work."""
    await store.append(commit(events=red()))
    await store.append(commit(events=red(1000)))
    await store.append(commit(events=red()))
    commands.forget()
    assert 1002 == len(await all_of(store, query, 100))
    assert [] == [find for find in commands.named("find") if is_look_at_a_position(find)]
    commands.forget()
    assert 1002 == len(await all_backwards(store, query, 100))
    highest = [highest_of(find) for find in commands.named("find") if find.get("limit") != 1]
    assert [] == [each for each in highest if each in range(2, 1002)]


def is_look_at_a_position(find: Mapping[str, Any]) -> bool:
    """Tell whether a query asks for the whole commit that holds a position."""
    return find.get("limit") == 1 and "projection" not in find


def highest_of(find: Mapping[str, Any]) -> int | None:
    """The position at which the last commit begins that a query may find."""
    bounds: dict[str, int] = find["filter"].get("_id", {})
    return bounds["$lt"] - 1 if "$lt" in bounds else bounds.get("$lte")


@pytest.mark.parametrize("way", ["read_backwards", "commits"])
async def test_a_gap_is_never_passed_over(store: MongoStore, plain: Plain, way: str) -> None:
    for _ in range(4):
        await store.append(commit())
    plain.events.delete_one({"_id": 3})
    with pytest.raises(LogCorrupted) as caught:
        await (store.read_backwards() if way == "read_backwards" else store.commits())
    assert (3, 4) == (caught.value.expected, caught.value.actual)
    with pytest.raises(LogCorrupted):
        await (store.read_backwards(before=4) if way == "commits" else store.commits(after=2))
    plain.events.delete_many({"_id": {"$lt": 4}})
    with pytest.raises(LogCorrupted):
        await (store.read_backwards() if way == "read_backwards" else store.commits())


async def test_a_gap_as_long_as_a_look_at_the_log_is_never_passed_over(
    store: MongoStore, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The looks end at 20, 17 and 14, and those at 17 and 14 are taken together."""
    monkeypatch.setattr(query_reader, "SCAN", 3)
    for _ in range(20):
        await store.append(commit())
    plain.events.delete_many({"_id": {"$gt": 11, "$lte": 14}})
    with pytest.raises(LogCorrupted):
        await store.read_backwards(Query.of("Rare"))


async def test_commits_begin_after_the_commit_that_a_position_lies_in(store: MongoStore) -> None:
    stored = [await store.append(commit(size=size)) for size in (2, 3, 1)]
    firsts = [each.position for each in stored]
    for after in range(8):
        found = await store.commits(after=after)
        assert [first for first in firsts if first > after] == [each.position for each in found]
