"""Group read: queries by tag that wait to be read from the start go out together, as one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from pymongo.database import Database

from eventhus import Query, StreamId
from eventhus.errors import IncompatibleBucket
from eventhus.ports import Page, StoredEvent
from eventhus_mongo import MongoStore, group_reader, query_filters
from eventhus_mongo.connection import Connection
from eventhus_testing.conformance.store.samples import commit, commit_of, part, tagged
from tests.adapters.mongo.support import Commands
from tests.adapters.mongo.test_plans import explained

Plain = Database[dict[str, Any]]

QUERIES = [
    Query.of("Seat", tags={f"course:{number}"}) | Query.of("Seat", tags={f"student:{number}"})
    for number in range(12)
]
ODD = [
    Query.of("Seat", "Course", tags={"course:1", "student:3"}),
    Query.of(tags={"course:2"}),
    Query.of("Course", tags={"course:2"}) | Query.of("Seat", tags={"course:2"}),
    Query.of("Nothing", tags={"course:3"}),
    Query.of("Seat", tags={"nothing"}),
]


@pytest.fixture
async def log(store: MongoStore, commands: Commands) -> list[StoredEvent]:
    """Commits of several events and streams, of all of which some match a query."""
    events: list[StoredEvent] = []
    for number in range(60):
        course, student = f"course:{number % 7}", f"student:{number * 5 % 11}"
        stored = await store.append(
            commit_of(
                part(
                    StreamId("Course", course),
                    events=[tagged(course, type_="Course"), tagged(course, student, type_="Seat")],
                ),
                part(StreamId("Other", "o"), events=[tagged(student, type_="Seat"), tagged()]),
            )
        )
        events += stored.recorded()
    commands.forget()
    return events


async def together(store: MongoStore, queries: Sequence[Query], limit: int = 1000) -> list[Page]:
    return await asyncio.gather(*(store.read(query, limit=limit) for query in queries))


def check(log: list[StoredEvent], queries: Sequence[Query], pages: Sequence[Page]) -> None:
    for query, page in zip(queries, pages, strict=True):
        expected = [each for each in log if query.matches(each.event.type, each.event.tags)]
        assert expected == [*page.events]
        assert (log[-1].position, log[-1].id, True) == (page.position, page.event_id, page.is_last)


async def test_reads_that_wait_together_are_one_query(
    store: MongoStore, log: list[StoredEvent], commands: Commands
) -> None:
    """After the tail, which is read once for all."""
    check(log, QUERIES, await together(store, QUERIES))
    assert [1, group_reader.GROUP_COMMITS] == [each["limit"] for each in commands.named("find")]


async def test_each_query_gets_what_matches_it_alone(
    store: MongoStore, log: list[StoredEvent], commands: Commands
) -> None:
    check(log, ODD + QUERIES[:3], await together(store, ODD + QUERIES[:3]))
    assert 2 == len(commands.names)


async def test_the_server_finds_the_tags_of_all_in_the_index(
    store: MongoStore, log: list[StoredEvent], plain: Plain, commands: Commands
) -> None:
    await together(store, QUERIES[7:9])
    plan = explained(plain, commands.named("find")[-1])
    assert ["tags"] == plan.indexes
    assert ['["Seat", "Seat"]'] == plan.bounds[0]["events.type"]
    assert plan.looked_at < 60
    assert "SORT" not in plan.stages


async def test_many_types_are_not_sent(
    store: MongoStore, log: list[StoredEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query_filters, "MOST_TYPES", 1)
    check(log, ODD, await together(store, ODD))
    check(log, [ODD[0], ODD[2]], await together(store, [ODD[0], ODD[2]]))


async def test_a_query_that_finds_a_page_or_more_is_read_alone(
    store: MongoStore, log: list[StoredEvent]
) -> None:
    pages = await together(store, QUERIES, limit=9)
    for query, page in zip(QUERIES, pages, strict=True):
        matching = [each for each in log if query.matches(each.event.type, each.event.tags)]
        assert matching[:9] == [*page.events]
        assert page.is_last is (len(matching) < 9)


async def test_queries_that_find_too_much_together_are_read_alone(
    store: MongoStore, log: list[StoredEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_reader, "GROUP_COMMITS", 10)
    check(log, QUERIES, await together(store, QUERIES))


async def test_a_malformed_commit_fails_only_who_asks_for_it(
    store: MongoStore, log: list[StoredEvent], plain: Plain
) -> None:
    plain.events.update_one({"events.tags": "course:3"}, {"$set": {"parts.0.size": 7}})
    pages = await asyncio.gather(*map(store.read, QUERIES), return_exceptions=True)
    failed = [number for number, page in enumerate(pages) if isinstance(page, BaseException)]
    assert [3, 4] == failed  # its course and its student
    assert {IncompatibleBucket} == {type(pages[number]) for number in failed}


async def test_an_empty_log_has_a_page_for_each(store: MongoStore) -> None:
    assert [(0, "", True)] * 12 == [
        (page.position, page.event_id, page.is_last) for page in await together(store, QUERIES)
    ]


async def test_pages_claim_no_more_than_the_tail_that_was_taken_first(
    store: MongoStore, log: list[StoredEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event that is stored after that may be found or not, so a later page must have it."""
    tail, pending = Connection.tail, [commit(events=[tagged("course:1", type_="Seat")])]

    async def late(self: Connection, **options: Any) -> Any:
        taken = await tail(self, **options)
        while pending:
            await store.append(pending.pop())
        return taken

    monkeypatch.setattr(Connection, "tail", late)
    check(log, QUERIES, await together(store, QUERIES))


async def test_a_caller_who_leaves_takes_no_other_along(
    store: MongoStore, log: list[StoredEvent], commands: Commands
) -> None:
    reading = [asyncio.create_task(store.read(query)) for query in QUERIES[:3]]
    await commands.wait_for("find")
    reading[1].cancel()
    check(log, [QUERIES[0], QUERIES[2]], [await reading[0], await reading[2]])
    with pytest.raises(asyncio.CancelledError):
        await reading[1]
