"""The events of a page are made when they are looked at, from documents that stay as they came."""

from __future__ import annotations

from contextlib import aclosing
from typing import Any

import pytest
from pymongo.database import Database

from eventhus.errors import IncompatibleBucket, LogCorrupted
from eventhus.ports import EventData, Page, StoredEvent
from eventhus_mongo import MongoStore, commits
from eventhus_testing.conformance.store.samples import OTHER, commit, commit_of, part
from tests.adapters.mongo.support import Commands

Plain = Database[dict[str, Any]]


async def log(store: MongoStore, commits: int = 6, size: int = 2) -> list[StoredEvent]:
    """Fill the log, and return its events."""
    found: list[StoredEvent] = []
    for _ in range(commits):
        found += (await store.append(commit_of(part(size=1), part(OTHER, size=size)))).recorded()
    return found


async def first_page(store: MongoStore, **options: Any) -> Page:
    async with aclosing(store.follow(**options)) as pages:
        return await anext(pages)


@pytest.mark.parametrize("way", [MongoStore.read, first_page])
async def test_an_event_is_found_at_each_place_of_a_page(store: MongoStore, way: Any) -> None:
    events = await log(store)
    for after in range(9):
        for limit in (1, 4, 100):
            expected = events[after : after + limit]
            page = await way(store, after=after, limit=limit)
            assert len(expected) == len(page.events)
            assert expected == page.events
            assert expected == [page.events[place] for place in range(len(expected))]
            assert expected[-1] == page.events[-1]
            assert expected[::-2] == page.events[::-2]
            assert expected == [*page.events]
            with pytest.raises(IndexError):
                page.events[len(expected)]


async def test_pages_of_the_same_events_are_equal(store: MongoStore) -> None:
    await log(store)
    page = await store.read()
    assert page == await store.read()
    assert page != await store.read(limit=3)
    assert "18 events" in repr(page)


async def test_pages_of_many_chunks_hold_each_event_once(store: MongoStore) -> None:
    """A reply is decoded a few documents at a time."""
    given = [EventData("Noted", {"text": "x" * number}) for number in range(0, 20_000, 400)]
    for event in given:
        await store.append(commit(events=[event]))
    page = await store.read()
    assert given == [each.event for each in page.events]
    assert [*range(1, 51)] == [each.position for each in page.events]


async def test_a_malformed_event_harms_none_before_it(store: MongoStore, plain: Plain) -> None:
    events = await log(store)
    plain.events.update_one({"_id": 7}, {"$set": {"events.1.type": 7}})
    page = await store.read()
    seen: list[StoredEvent] = []
    with pytest.raises(IncompatibleBucket, match="document 7 was not written by eventhus"):
        seen.extend(page.events)
    assert events[:6] == seen
    assert events[9] == page.events[9]
    with pytest.raises(IncompatibleBucket, match="document 7 was not written by eventhus"):
        page.events[7]


async def test_a_gap_within_a_page_is_told_where_it_is(store: MongoStore, plain: Plain) -> None:
    events = await log(store)
    plain.events.delete_one({"_id": 7})
    page = await store.read()
    seen: list[StoredEvent] = []
    with pytest.raises(LogCorrupted) as caught:
        seen.extend(page.events)
    assert (7, 10) == (caught.value.expected, caught.value.actual)
    assert events[:6] == seen


async def test_a_follower_notices_a_gap_longer_than_its_pages(
    store: MongoStore, plain: Plain
) -> None:
    """It looks beyond the positions of a page before it waits."""
    await log(store)
    plain.events.delete_many({"_id": {"$gt": 1, "$lt": 16}})
    async with aclosing(store.follow(limit=3)) as pages:
        assert 3 == len((await anext(pages)).events)
        with pytest.raises(LogCorrupted) as caught:
            await anext(pages)
    assert (4, 16) == (caught.value.expected, caught.value.actual)


async def test_a_follower_fetches_no_more_than_its_pages_hold(
    store: MongoStore, commands: Commands
) -> None:
    """Commits that begin later stay where they are, so that large ones cannot fill the memory."""
    await log(store, commits=10, size=9)
    commands.forget()
    async with aclosing(store.follow(limit=20)) as pages:
        for _ in range(3):
            await anext(pages)
    bounds = [each["filter"]["_id"] for each in commands.named("find")]
    assert [{"$gt": 0, "$lte": 20}, {"$gt": 20, "$lte": 40}, {"$gt": 40, "$lte": 60}] == bounds


async def test_events_that_are_not_looked_at_are_not_made(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await log(store)
    made: list[object] = []
    decode = commits._decode_event

    def noting(document: dict[str, Any]) -> EventData:
        made.append(document)
        return decode(document)

    monkeypatch.setattr(commits, "_decode_event", noting)
    page = await store.read()
    assert (18, 18, []) == (len(page.events), page.position, made)
    assert page.events[4].position == 5
    assert 1 == len(made)


async def test_large_commits_at_the_head_are_read_within_the_limit(
    store: MongoStore, commands: Commands
) -> None:
    """A follower that has seen the end looks further, and then reads no more than a page."""
    async with aclosing(store.follow(limit=5)) as pages:
        await store.append(commit())
        assert 1 == (await anext(pages)).position
        events = await log(store, commits=4, size=5)
        commands.forget()
        for end in (6, 11, 16, 21, 25):
            page = await anext(pages)
            assert end == page.position
            assert events[max(end - 6, 0) : end - 1][-len(page.events) :] == [*page.events]
    found = commands.named("find")
    assert {"$gt": 1} == found[0]["filter"]["_id"]
    assert all("$lte" in each["filter"]["_id"] for each in found[1:4])
