"""Stores that mix up, overwrite or forget what views and processes keep."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from attrs import evolve

from eventhus import StreamId
from eventhus.errors import InvalidArgument
from eventhus.ports import EventData, ViewDocument, ViewWrite
from eventhus_memory import MemoryStore
from eventhus_testing.conformance.store.samples import commit
from tests.testing.conformance.defects import caught_by


@caught_by("test_a_document_is_kept_as_it_is")
class SpreadsFieldsOverItsOwn(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        def stripped(document: ViewDocument) -> ViewDocument:
            if not isinstance(document.data, dict):
                return document
            data = {key: value for key, value in document.data.items() if not key.startswith("_")}
            return evolve(document, data=data)

        return await super().save_documents(
            collection, [evolve(each, document=stripped(each.document)) for each in writes]
        )


@caught_by("test_documents_are_found_by_their_keys")
class FindsAHundred(MemoryStore):
    async def load_documents(
        self, collection: str, keys: Collection[str]
    ) -> Mapping[str, ViewDocument]:
        return await super().load_documents(collection, [*keys][:100])


@caught_by("test_a_document_replaces_the_one_it_names")
class MergesFields(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        merged: list[ViewWrite] = []
        for write in writes:
            there = await self.load_documents(collection, [write.document.key])
            old = [each.data for each in there.values() if isinstance(each.data, dict)]
            data = write.document.data
            if old and isinstance(data, dict):
                data = {**old[0], **data}
            merged.append(evolve(write, document=evolve(write.document, data=data)))
        return await super().save_documents(collection, merged)


@caught_by("test_a_document_at_another_position_is_not_replaced")
@caught_by("test_a_repeated_write_is_accepted")
@caught_by("test_one_of_many_writers_replaces_a_document")
class OverwritesEverything(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        kept = self._documents.setdefault(collection, {})
        for write in writes:
            kept.pop(write.document.key, None)
        return await super().save_documents(collection, [evolve(w, replaces=0) for w in writes])


@caught_by("test_a_document_at_another_position_is_not_replaced")
class RefusesAllOrNone(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        refused = await super().save_documents(collection, writes)
        return frozenset(each.document.key for each in writes) if refused else refused


@caught_by("test_a_missing_document_is_not_replaced")
class Upserts(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        there = await self.load_documents(collection, [each.document.key for each in writes])
        return await super().save_documents(
            collection,
            [each if each.document.key in there else evolve(each, replaces=0) for each in writes],
        )


@caught_by("test_a_repeated_write_is_accepted")
class RefusesRepeats(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        there = await self.load_documents(collection, [each.document.key for each in writes])
        again = [key for key, each in there.items() if each.position != _replaced(writes, key)]
        return await super().save_documents(collection, writes) | frozenset(again)


def _replaced(writes: Sequence[ViewWrite], key: str) -> int:
    return next(each.replaces for each in writes if each.document.key == key)


@caught_by("test_a_deleted_document_keeps_its_position")
@caught_by("test_a_missing_document_may_be_deleted")
@caught_by("test_documents_stay_when_a_store_is_left")
class DeletesForGood(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        refused = await super().save_documents(collection, writes)
        kept = self._documents[collection]
        for key in [key for key, each in kept.items() if each.deleted]:
            del kept[key]
        return refused


@caught_by("test_any_text_is_a_key")
class TrimsKeys(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        trimmed = [
            evolve(each, document=evolve(each.document, key=each.document.key.strip()))
            for each in writes
        ]
        return await super().save_documents(collection, trimmed)


@caught_by("test_every_collection_has_its_own_documents")
class KeepsOneCollection(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        return await super().save_documents("view_all", writes)

    async def load_documents(
        self, collection: str, keys: Collection[str]
    ) -> Mapping[str, ViewDocument]:
        return await super().load_documents("view_all", keys)


@caught_by("test_an_invalid_collection_is_refused")
class TakesAnyCollection(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        return await super().save_documents("view_all", writes)


@caught_by("test_documents_that_are_not_plain_are_refused")
class RefusesOneByOne(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        refused: frozenset[str] = frozenset()
        for each in writes:
            refused |= await super().save_documents(collection, [each])
        return refused


@caught_by("test_documents_that_are_not_plain_are_refused")
class QuotesWhatItRefuses(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        try:
            return await super().save_documents(collection, writes)
        except InvalidArgument:
            raise InvalidArgument(f"{writes}"[:1000]) from None


@caught_by("test_a_document_is_shared_with_nobody")
class SharesDocuments(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        refused = await super().save_documents(collection, writes)
        for each in writes:
            self._documents[collection][each.document.key] = each.document
        return refused

    async def load_documents(
        self, collection: str, keys: Collection[str]
    ) -> Mapping[str, ViewDocument]:
        kept = self._documents.get(collection, {})
        return {key: kept[key] for key in keys if key in kept}


@caught_by("test_documents_are_not_part_of_the_log")
class WritesDocumentsToTheLog(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        await self.append(
            commit(StreamId("View", collection), events=[EventData("DocumentSaved", {})])
        )
        return await super().save_documents(collection, writes)


@caught_by("test_deleting_a_collection_deletes_all_of_it_and_nothing_else")
class DeletesEveryCollection(MemoryStore):
    async def delete_documents(self, collection: str) -> None:
        self._documents.clear()


@caught_by("test_deleting_a_collection_deletes_all_of_it_and_nothing_else")
class DeletesOnlyLiveDocuments(MemoryStore):
    async def delete_documents(self, collection: str) -> None:
        documents = self._documents.get(collection, {})
        self._documents[collection] = {key: each for key, each in documents.items() if each.deleted}
