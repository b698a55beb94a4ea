"""Stores that misread tags and queries, or lose their place in filtered reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable

from attrs import evolve

from eventhus import Query
from eventhus.ports import (
    Commit,
    EventData,
    Page,
    QueryItem,
    StoredEvent,
)
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import Distorting, Rewriting, caught_by, with_events


def with_tags(commit: Commit, change: Callable[[frozenset[str]], Iterable[str]]) -> Commit:
    """Return the commit with other tags on each event."""
    return with_events(
        commit,
        lambda events: [evolve(each, tags=frozenset(change(each.tags))) for each in events],
    )


@caught_by("test_each_event_has_its_own_tags")
class ForgetsTags(Distorting):
    def distorted(self, recorded: StoredEvent) -> StoredEvent:
        return evolve(recorded, event=evolve(recorded.event, tags=frozenset()))


@caught_by("test_each_event_has_its_own_tags")
class KeepsTheTagsOfACommit(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return with_tags(commit, lambda _: {tag for each in commit.events for tag in each.tags})


@caught_by("test_any_text_is_a_tag")
class TrimsTags(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return with_tags(commit, lambda tags: [tag.strip() or tag for tag in tags])


@caught_by("test_a_tag_that_is_not_text_is_refused")
class TurnsTagsIntoText(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return with_tags(commit, lambda tags: map(str, tags))


@caught_by("test_a_commit_may_have_ten_thousand_tags")
class KeepsHundredsOfTags(Rewriting):
    def rewritten(self, commit: Commit) -> Commit:
        return with_tags(commit, lambda tags: sorted(tags)[:99])


class Misreading(MemoryStore):
    """Looks for something else than it is asked for, in reads and for conditions."""

    def misread(self, query: Query) -> Query:
        raise NotImplementedError

    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        return await super().read(query and self.misread(query), after=after, limit=limit)

    def _check_condition(self, commit: Commit) -> None:
        if commit.condition is not None:
            query = self.misread(commit.condition.query)
            commit = evolve(commit, condition=evolve(commit.condition, query=query))
        super()._check_condition(commit)


class MisreadingItems(Misreading):
    """Looks for something else in each item."""

    def misread_item(self, item: QueryItem) -> QueryItem:
        raise NotImplementedError

    def misread(self, query: Query) -> Query:
        return Query(map(self.misread_item, query.items))


@caught_by("test_a_query_finds_each_match_once_and_in_order")
@caught_by("test_a_condition_takes_every_query")
@caught_by("test_disjoint_conditions_all_succeed")
class IgnoresTags(MisreadingItems):
    def misread_item(self, item: QueryItem) -> QueryItem:
        return evolve(item, tags=())


@caught_by("test_a_query_finds_each_match_once_and_in_order")
@caught_by("test_a_condition_takes_every_query")
class LooksForOneTag(MisreadingItems):
    def misread_item(self, item: QueryItem) -> QueryItem:
        return evolve(item, tags=sorted(item.tags)[:1])


@caught_by("test_a_query_finds_each_match_once_and_in_order")
@caught_by("test_a_condition_takes_every_query")
class LooksForOneType(MisreadingItems):
    def misread_item(self, item: QueryItem) -> QueryItem:
        return evolve(item, types=sorted(map(str, item.types))[:1])


@caught_by("test_a_query_finds_each_match_once_and_in_order")
@caught_by("test_a_condition_takes_every_query")
class IgnoresExcludedTypes(MisreadingItems):
    def misread_item(self, item: QueryItem) -> QueryItem:
        return evolve(item, other_than=())


@caught_by("test_a_query_finds_each_match_once_and_in_order")
@caught_by("test_a_condition_takes_every_query")
class LooksForTheFirstItem(Misreading):
    def misread(self, query: Query) -> Query:
        return Query(query.items[:1])


@caught_by("test_a_query_finds_each_match_once_and_in_order")
class ReadsItemByItem(MemoryStore):
    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        page = await super().read(query, after=after, limit=limit)
        if query is None:
            return page
        pages = [await super().read(Query([item]), after=after) for item in query.items]
        return evolve(page, events=[event for each in pages for event in each.events])


@caught_by("test_a_page_of_a_query_starts_anywhere")
class StaysAtTheLastMatch(MemoryStore):
    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        page = await super().read(query, after=after, limit=limit)
        return evolve(page, position=page.events[-1].position if page.events else after)


@caught_by("test_a_page_of_a_query_starts_anywhere")
class NamesTheLastMatch(MemoryStore):
    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        page = await super().read(query, after=after, limit=limit)
        return evolve(page, event_id=page.events[-1].id if page.events else page.event_id)


@caught_by("test_a_page_of_a_query_starts_anywhere")
class MovesToTheHeadThoughThereIsMore(MemoryStore):
    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        page = await super().read(query, after=after, limit=limit)
        return evolve(page, position=max(after, len(self._log)))


@caught_by("test_pages_of_an_empty_log")
class GoesBackToTheHead(MemoryStore):
    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        page = await super().read(query, after=after, limit=limit)
        return evolve(page, position=min(page.position, len(self._log)))


@caught_by("test_a_page_backwards_starts_anywhere")
class IncludesTheEventThatItStartsBefore(MemoryStore):
    async def read_backwards(
        self, query: Query | None = None, *, before: int | None = None, limit: int = 1000
    ) -> Page:
        start = before and before + 1
        return await super().read_backwards(query, before=start, limit=limit)


@caught_by("test_a_page_backwards_starts_anywhere")
class ReadsThePageBeforeForwards(MemoryStore):
    async def read_backwards(
        self, query: Query | None = None, *, before: int | None = None, limit: int = 1000
    ) -> Page:
        page = await super().read_backwards(query, before=before, limit=limit)
        return evolve(page, events=page.events[::-1])


@caught_by("test_a_query_reads_a_thousand_events_unless_told_otherwise")
class TruncatesFilteredPages(MemoryStore):
    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        return await super().read(query, after=after, limit=min(limit, 101) if query else limit)


@caught_by("test_a_follower_moves_over_events_that_do_not_match", hangs=True)
class TellsItsFollowersOfMatchesOnly(MemoryStore):
    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> AsyncGenerator[Page, None]:
        async for page in super().follow(query, after=after, limit=limit):
            if page.events:
                yield page


@caught_by("test_paging_misses_nothing_while_others_append")
@caught_by("test_a_race_for_seats_is_fair")
class LooksForTheHeadLast(MemoryStore):
    """Reads what matches first and then how far the log goes, instead of the tail first."""

    async def read(self, query: Query | None = None, *, after: int = 0, limit: int = 1000) -> Page:
        page = await super().read(query, after=after, limit=limit)
        await asyncio.sleep(0)
        if query is None or len(page.events) == limit:
            return page
        return evolve(page, position=max(after, len(self._log)))


@caught_by("test_a_query_of_classes_is_refused")
class FindsNoClasses(MemoryStore):
    async def read_backwards(
        self, query: Query | None = None, *, before: int | None = None, limit: int = 1000
    ) -> Page:
        if query and any(EventData in item.types for item in query.items):
            return Page(events=(), position=1, event_id="", is_last=True)
        return await super().read_backwards(query, before=before, limit=limit)
