"""Filtered reads: the events that match a query, in pages, forwards, backwards and live."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest

from eventhus import Query
from eventhus.ports import (
    Page,
    QueryItem,
    Storage,
    StoredEvent,
)
from eventhus_testing.conformance.harness import Cases, case, one_store_and_two
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    CUSTOMER,
    OTHER,
    accounts,
    commit,
    commit_of,
    follow,
    part,
    same,
    tagged,
    take,
    turns,
    whole_log,
)

QUERIES: dict[str, Query | None] = {
    "none": None,
    "everything": Query.of(),
    "a type": Query.of("A"),
    "types": Query.of("A", "C"),
    "an unknown type": Query.of("Unknown"),
    "a tag": Query.of(tags={"x"}),
    "all of two tags": Query.of(tags={"x", "y"}),
    "an unknown tag": Query.of(tags={"x", "unknown"}),
    "a type with a tag": Query.of("B", tags={"x"}),
    "types with tags": Query.of("A", "B", tags={"y", "z"}),
    "types or tags": Query.of("C") | Query.of(tags={"z"}),
    "tags of two items": Query.of(tags={"x"}) | Query.of(tags={"z"}),
    "items that overlap": Query.of("A") | Query.of("A", "B", tags={"x"}) | Query.of(tags={"y"}),
    "an item twice": Query.of("A", tags={"x"}) | Query.of("A", tags={"x"}),
    "everything and a tag": Query.of(tags={"x"}) | Query.of(),
    "other than a type": Query([QueryItem(other_than={"A"})]),
    "a tag but not a type": Query([QueryItem(tags={"x"}, other_than={"A", "C"})]),
    "a type but not that type": Query([QueryItem({"A"}, other_than={"A"})]),
}
"""Queries by what they ask for, over the log that ``mixed`` makes."""

each_query = pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)


def matching(query: Query | None, log: Sequence[StoredEvent]) -> list[StoredEvent]:
    """Return the events of a log that match a query."""
    return [
        recorded
        for recorded in log
        if query is None or query.matches(recorded.event.type, recorded.event.tags)
    ]


async def mixed(store: Storage) -> list[StoredEvent]:
    """Append eighteen events of three types with up to three tags, and return them.

    The commits have one to four events, of one to three streams, and end with one that few match.
    """
    for each in (
        commit(events=[tagged(type_="A")]),
        commit(events=[tagged("x", type_="A"), tagged("y", type_="A"), tagged("x", type_="B")]),
        commit(OTHER, events=[tagged("x", "y", type_="B"), tagged("z", type_="C")]),
        commit_of(
            part(ACCOUNT, events=[tagged("x", "z", type_="C"), tagged("y", "z", type_="A")]),
            part(OTHER, events=[tagged("x", "y", "z", type_="B")]),
            part(CUSTOMER, events=[tagged("w", type_="A")]),
        ),
        commit(CUSTOMER, events=[tagged(type_="B"), tagged(type_="C")]),
        commit(events=[tagged("x", type_="A"), tagged("x", type_="A"), tagged("x", type_="C")]),
        commit(OTHER, events=[tagged("x", "y", type_="A"), tagged("y", type_="C")]),
        commit(CUSTOMER, events=[tagged("w", type_="D")]),
    ):
        await store.append(each)
    log = await whole_log(store)
    assert 18 == len(log)
    return log


def shown(page: Page) -> tuple[object, ...]:
    """Return the fields of a page, to compare."""
    return list(page.events), page.position, page.event_id, page.is_last


def check_page(
    log: Sequence[StoredEvent], left: Sequence[StoredEvent], limit: int, end: int, page: Page
) -> None:
    """Check a page of small events.

    Args:
        log: All events.
        left: The matches from the start of the page on.
        limit: The maximum number of events that was asked for.
        end: The position of the last page.
        page: The page.
    """
    same(left[:limit], page.events)
    assert page.is_last or len(left) >= limit
    assert not page.is_last or len(left) <= limit
    position = end if page.is_last else left[limit - 1].position
    there = [recorded.id for recorded in log if recorded.position == position]
    assert (position, there[0] if there else "") == (page.position, page.event_id)


class Queries(Cases):
    """``read``, ``read_backwards`` and ``follow`` with a query."""

    @each_query
    @case
    async def test_a_query_finds_each_match_once_and_in_order(
        self, store: Storage, query: Query | None
    ) -> None:
        """An event that matches several items comes once."""
        log = await mixed(store)
        expected = matching(query, log)
        same(expected, (await store.read(query)).events)
        same(expected[::-1], (await store.read_backwards(query)).events)
        same(expected, await follow(store, len(log), query=query))

    @each_query
    @case
    async def test_a_page_of_a_query_starts_anywhere(
        self, store: Storage, query: Query | None
    ) -> None:
        """Also inside a commit; it ends at its last event if there may be more, else at the head.

        A position beyond the head stays, and an event that does not match is moved over.
        """
        log = await mixed(store)
        for after in (*range(len(log) + 2), 1000):
            left = matching(query, log[after:])
            for limit in (1, 2, 3, 1000):
                page = await store.read(query, after=after, limit=limit)
                check_page(log, left, limit, max(after, len(log)), page)

    @each_query
    @case
    async def test_a_page_backwards_starts_anywhere(
        self, store: Storage, query: Query | None
    ) -> None:
        """The events before a position, last first; the page ends at its last event or at 1."""
        log = await mixed(store)
        for before in (None, *range(1, len(log) + 3), 1000):
            left = matching(query, log[: None if before is None else before - 1])[::-1]
            for limit in (1, 2, 3, 1000):
                page = await store.read_backwards(query, before=before, limit=limit)
                check_page(log, left, limit, 1, page)

    @case
    async def test_pages_of_an_empty_log(self, store: Storage) -> None:
        """They have no events, stay where they were asked for, and name no event."""
        for query in (None, Query.of(), Query.of("A", tags={"x"})):
            assert ([], 0, "", True) == shown(await store.read(query))
            assert ([], 7, "", True) == shown(await store.read(query, after=7))
            assert ([], 1, "", True) == shown(await store.read_backwards(query))
        first = await store.append(commit(events=[tagged("x", type_="A")]))
        page = await store.read(Query.of("A", tags={"x"}))
        assert (first.recorded(), 1, first.recorded()[0].id, True) == shown(page)

    @case
    async def test_a_query_reads_a_thousand_events_unless_told_otherwise(
        self, store: Storage
    ) -> None:
        """They are the first ones forwards, and the last ones backwards."""
        await store.append(commit(events=[tagged("x", type_="AB"[n % 2]) for n in range(2200)]))
        wanted = matching(Query.of("A"), await whole_log(store))
        assert 1100 == len(wanted)
        page = await store.read(Query.of("A"))
        same(wanted[:1000], page.events)
        assert wanted[999].position == page.position
        same(wanted[1000:], (await store.read(Query.of("A"), after=page.position)).events)
        backwards = await store.read_backwards(Query.of("A", tags={"x"}))
        same(wanted[:-1001:-1], backwards.events)

    @case
    async def test_a_follower_moves_over_events_that_do_not_match(self, store: Storage) -> None:
        """A page without events tells it the new position and the event there."""
        query = Query.of("A", tags={"x"})
        async with aclosing(store.follow(query)) as pages:
            for _ in range(3):
                waiting = asyncio.create_task(_last(pages, await store.head() + 2))
                await turns(5)
                stored = await store.append(commit(events=[tagged("y"), tagged(type_="A")]))
                last = stored.recorded()[-1]
                assert ([], last.position, last.id, True) == shown(await waiting)
                found = await store.append(commit(events=[tagged("x", type_="A")]))
                assert found.recorded() == await take(pages, found.position)

    @one_store_and_two
    @case
    async def test_paging_misses_nothing_while_others_append(
        self, store: Storage, stores: int
    ) -> None:
        """No event that a page passes over matches; readers and followers miss no match."""
        query = Query.of("A", tags={"x"}) | Query.of("C", tags={"y"})
        size = 3 * 6 * 20

        async def write(writer: int) -> None:
            for step in range(6):
                events = [
                    tagged("xyz"[(writer + step) % 3], type_="ABC"[(writer * step + n) % 3])
                    for n in range(3)
                ]
                await used[writer % stores].append(commit(streams[writer % 7], events=events))
                await turns(writer % 3)

        async def page_through(reader: Storage, limit: int) -> list[StoredEvent]:
            found: list[StoredEvent] = []
            position, is_over = 0, False
            while not is_over or position < await reader.head():
                is_over = writing.done()
                page = await reader.read(query, after=position, limit=limit)
                assert position <= page.position
                found += page.events
                position = page.position
                await turns(1 + limit % 4)
            return found

        streams = accounts(7)
        async with self.store(self.bucket) as other:
            used = [store, other]
            writing = asyncio.gather(*map(write, range(20)))
            reading = [
                asyncio.create_task(page_through(used[number % stores], limit))
                for number, limit in enumerate((1, 2, 5, 1000))
            ]
            following = [
                asyncio.create_task(follow(used[number % stores], size, query=query, limit=limit))
                for number, limit in enumerate((1, 7, 1000))
            ]
            await writing
            expected = matching(query, await whole_log(store))
            for found in await asyncio.gather(*reading, *following):
                same(expected, found)

    @case
    async def test_a_query_of_another_store_sees_what_was_appended(self, store: Storage) -> None:
        """It finds each event as soon as its append was answered."""
        async with self.store(self.bucket) as other:
            for number in range(5):
                stored = await store.append(commit(events=[tagged(f"t{number}")]))
                page = await other.read(Query.of(tags={f"t{number}"}))
                assert stored.recorded() == list(page.events)
                assert stored.position == page.position


async def _last(pages: AsyncIterator[Page], position: int) -> Page:
    """Return the page that reaches a position; those before it have no events."""
    async for page in pages:
        if page.position >= position:
            return page
        assert [] == list(page.events)
    raise AssertionError(f"the follower came to an end before position {position}")
