"""Stores that lose, hide or mix up the deadlines of processes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from attrs import evolve

from eventhus.ports import ArmedDeadline, ViewDocument, ViewWrite
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import caught_by


class _Changing(MemoryStore):
    """Stores other deadlines than it was given."""

    def changed(self, document: ViewDocument) -> Sequence[ArmedDeadline]:
        raise NotImplementedError

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        changed = [
            evolve(
                each, document=evolve(each.document, deadlines=tuple(self.changed(each.document)))
            )
            for each in writes
        ]
        return await super().save_documents(collection, changed)


@caught_by("test_deadlines_are_kept_as_they_are")
class KeepsMilliseconds(_Changing):
    def changed(self, document: ViewDocument) -> Sequence[ArmedDeadline]:
        return [
            evolve(each, due=each.due.replace(microsecond=each.due.microsecond // 1000 * 1000))
            for each in document.deadlines
        ]


@caught_by("test_deadlines_are_kept_as_they_are")
class ForgetsTheDeadlinesOfParkedKeys(_Changing):
    def changed(self, document: ViewDocument) -> Sequence[ArmedDeadline]:
        return () if document.parked else document.deadlines


@caught_by("test_an_invalid_deadline_is_refused")
class TakesTimesWithoutAZone(_Changing):
    def changed(self, document: ViewDocument) -> Sequence[ArmedDeadline]:
        return [
            evolve(each, due=each.due.replace(tzinfo=each.due.tzinfo or UTC))
            for each in document.deadlines
        ]


@caught_by("test_documents_are_listed_by_their_earliest_deadline")
class ListsByLatestDeadline(MemoryStore):
    async def load_armed(
        self, collection: str, *, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        found = await super().load_armed(collection, after=after, limit=2**20)
        return sorted(found, key=lambda each: max(one.due for one in each.deadlines))[:limit]


@caught_by("test_documents_are_listed_by_their_earliest_deadline")
class PagesByTimeAlone(MemoryStore):
    async def load_armed(
        self, collection: str, *, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        if after is not None and after[0] < datetime.max.replace(tzinfo=UTC):
            after = after[0] + timedelta(microseconds=1), ""
        return await super().load_armed(collection, after=after, limit=limit)


@caught_by("test_only_armed_deadlines_are_listed")
class ListsParkedKeys(MemoryStore):
    async def load_armed(
        self, collection: str, *, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        keys = sorted(self._documents.get(collection, {}))
        found = await self.load_documents(collection, keys)
        return [each for each in found.values() if each.deadlines]


@caught_by("test_only_armed_deadlines_are_listed")
class NeverDisarms(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        there = await self.load_documents(collection, [each.document.key for each in writes])
        kept = [
            evolve(
                each, document=evolve(each.document, deadlines=there[each.document.key].deadlines)
            )
            if each.document.key in there and not each.document.deadlines
            else each
            for each in writes
        ]
        return await super().save_documents(collection, kept)


@caught_by("test_every_collection_lists_its_own_deadlines")
class ListsTheDeadlinesOfEveryCollection(MemoryStore):
    async def load_armed(
        self, collection: str, *, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        found: list[ViewDocument] = []
        for each in self._documents:
            found += await super().load_armed(each, after=after, limit=limit)
        return found


@caught_by("test_an_invalid_page_of_deadlines_is_refused")
class TakesAnyLimitOfDeadlines(MemoryStore):
    async def load_armed(
        self, collection: str, *, after: tuple[datetime, str] | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        return await super().load_armed(collection, after=after, limit=max(1, limit))
