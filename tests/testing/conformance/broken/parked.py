"""Stores that lose, hide or mix up parked documents, or do not look at revisions."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from eventhus.ports import ViewDocument, ViewWrite
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import caught_by


class _Changing(MemoryStore):
    """Stores other documents than it was given."""

    def changed(self, write: ViewWrite) -> ViewWrite:
        raise NotImplementedError

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        return await super().save_documents(collection, [self.changed(each) for each in writes])


@caught_by("test_a_parked_document_is_kept_as_it_is")
class ForgetsHowMuchWasHandled(_Changing):
    def changed(self, write: ViewWrite) -> ViewWrite:
        reason = write.document.parked
        return evolve(
            write,
            document=evolve(write.document, parked=reason and evolve(reason, handled=0)),
        )


@caught_by("test_skipped_events_are_kept_with_every_value")
class ForgetsSkippedEvents(_Changing):
    def changed(self, write: ViewWrite) -> ViewWrite:
        if not write.document.deleted:
            return write
        return evolve(write, document=evolve(write.document, skipped=()))


@caught_by("test_nothing_of_a_parked_document_stays")
class StaysParked(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        there = await self.load_documents(collection, [each.document.key for each in writes])
        kept = [
            evolve(each, document=evolve(each.document, parked=there[each.document.key].parked))
            if each.document.key in there and each.document.parked is None
            else each
            for each in writes
        ]
        return await super().save_documents(collection, kept)


@caught_by("test_parked_documents_are_listed_by_key")
class ListsByPosition(MemoryStore):
    async def load_parked(
        self, collection: str, *, after: str | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        everything = await super().load_parked(collection, after=after, limit=2**20)
        return sorted(everything, key=lambda each: each.position)[:limit]


@caught_by("test_parked_documents_are_listed_by_key")
class ListsEveryDocument(MemoryStore):
    async def load_parked(
        self, collection: str, *, after: str | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        keys = sorted(self._documents.get(collection, {}))
        found = await self.load_documents(collection, keys)
        return [found[key] for key in keys if after is None or key > after][:limit]


@caught_by("test_parked_documents_are_listed_by_key")
class StartsOverAtTheEmptyKey(MemoryStore):
    async def load_parked(
        self, collection: str, *, after: str | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        return await super().load_parked(collection, after=after or None, limit=limit)


@caught_by("test_every_collection_lists_its_own_parked_documents")
class ListsThoseOfEveryCollection(MemoryStore):
    async def load_parked(
        self, collection: str, *, after: str | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        found: list[ViewDocument] = []
        for each in self._documents:
            found += await super().load_parked(each, after=after, limit=limit)
        return found


@caught_by("test_an_invalid_page_of_parked_documents_is_refused")
class TakesAnyLimit(MemoryStore):
    async def load_parked(
        self, collection: str, *, after: str | None = None, limit: int = 100
    ) -> Sequence[ViewDocument]:
        return await super().load_parked(collection, after=after, limit=max(1, limit))


class _PositionsOnly(MemoryStore):
    """Compares positions, and no revisions."""

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        there = await self.load_documents(collection, [each.document.key for each in writes])
        return await super().save_documents(
            collection,
            [
                evolve(each, replaces_revision=there[each.document.key].revision)
                if each.document.key in there
                else each
                for each in writes
            ],
        )


@caught_by("test_a_document_of_another_revision_is_not_replaced")
class IgnoresRevisions(_PositionsOnly):
    pass


@caught_by("test_one_of_many_writers_replaces_a_revision")
class RacesOverRevisions(_PositionsOnly):
    pass


@caught_by("test_a_repeated_write_of_a_revision_is_accepted")
class RefusesRepeatedRevisions(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        there = await self.load_documents(collection, [each.document.key for each in writes])
        again = [
            write.document.key
            for write in writes
            if write.document.key in there
            and there[write.document.key].revision != write.replaces_revision
        ]
        return await super().save_documents(collection, writes) | frozenset(again)
