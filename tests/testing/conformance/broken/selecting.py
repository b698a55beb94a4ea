"""Stores that find, order or page the values of indexed fields in another way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from attrs import evolve

from eventhus.errors import InvalidArgument
from eventhus.ports import Bounds, IndexField, IndexValue, Selected, Selection, ViewWrite
from eventhus_memory import MemoryStore
from tests.testing.conformance.defects import caught_by


class _Indexing(MemoryStore):
    """Stores and looks for other values than it was given."""

    def stored(self, value: IndexValue) -> IndexValue:
        raise NotImplementedError

    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        changed = [
            evolve(each, indexed={name: self.stored(value) for name, value in each.indexed.items()})
            for each in writes
        ]
        return await super().save_documents(collection, changed)

    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        where = {
            name: wanted if isinstance(wanted, Bounds) else [*map(self.stored, wanted)]
            for name, wanted in selection.where.items()
        }
        after = selection.after and ([*map(self.stored, selection.after[0])], selection.after[1])
        changed = evolve(selection, where=where, after=after)
        return await super().select_documents(collection, changed)


@caught_by("test_values_of_a_kind_are_in_order")
class ComparesMilliseconds(_Indexing):
    def stored(self, value: IndexValue) -> IndexValue:
        if not isinstance(value, datetime):
            return value
        return value.replace(microsecond=value.microsecond // 1000 * 1000)


@caught_by("test_values_of_a_kind_are_in_order")
class ComparesNumbersAsFloats(_Indexing):
    def stored(self, value: IndexValue) -> IndexValue:
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return float(max(min(value, 10**300), -(10**300)))
        return value


@caught_by("test_values_of_a_kind_are_in_order")
class ComparesTextWithoutCase(_Indexing):
    def stored(self, value: IndexValue) -> IndexValue:
        return value.casefold() if isinstance(value, str) else value


@caught_by("test_conditions_find_values_of_every_kind")
class LeavesOutTheLowerBound(MemoryStore):
    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        where = {
            name: evolve(wanted, at_least=None, above=wanted.at_least or wanted.above)
            if isinstance(wanted, Bounds)
            else wanted
            for name, wanted in selection.where.items()
        }
        return await super().select_documents(collection, evolve(selection, where=where))


@caught_by("test_conditions_find_values_of_every_kind")
@caught_by("test_a_field_without_a_value_counts_as_none")
class NeverFindsNone(MemoryStore):
    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        where = {
            name: wanted
            if isinstance(wanted, Bounds)
            else [each for each in wanted if each is not None]
            for name, wanted in selection.where.items()
        }
        return await super().select_documents(collection, evolve(selection, where=where))


@caught_by("test_values_that_are_the_same_are_in_the_order_of_keys")
class ComparesTimesAsText(_Indexing):
    def stored(self, value: IndexValue) -> IndexValue:
        return value.isoformat() if isinstance(value, datetime) else value


@caught_by("test_values_that_are_the_same_are_in_the_order_of_keys")
class ComparesNumbersAsText(_Indexing):
    def stored(self, value: IndexValue) -> IndexValue:
        is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        return f"{value:}" if is_number else value


@caught_by("test_pages_follow_one_another_along_an_index")
@caught_by("test_values_that_are_the_same_are_in_the_order_of_keys")
class PagesByValueAlone(MemoryStore):
    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        if selection.after is not None and selection.order:
            last = "" if selection.descending else "\U0010ffff"
            selection = evolve(selection, after=(selection.after[0], last))
        return await super().select_documents(collection, selection)


@caught_by("test_pages_follow_one_another_along_an_index")
class OrdersTiesAlwaysUpwards(MemoryStore):
    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        return await super().select_documents(collection, evolve(selection, descending=False))


@caught_by("test_changes_during_a_walk_do_not_disturb_the_others")
class SkipsAsManyAsItHasShown(MemoryStore):
    """Pages by number."""

    def __init__(self) -> None:
        super().__init__()
        self._shown = 0

    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        if selection.after is None:
            self._shown = 0
        start = evolve(selection, after=None, limit=self._shown + selection.limit)
        found = await super().select_documents(collection, start)
        documents = found.documents[self._shown :]
        self._shown += len(documents)
        return evolve(found, documents=documents)


@caught_by("test_documents_without_a_value_are_left_out")
class FindsTombstones(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        refused = await super().save_documents(collection, writes)
        for each in writes:
            if each.document.key not in refused:
                self._indexed[collection][each.document.key] = each.indexed
        return refused


@caught_by("test_a_replaced_document_is_found_by_its_new_values_only")
class MergesIndexedValues(MemoryStore):
    async def save_documents(self, collection: str, writes: Sequence[ViewWrite]) -> frozenset[str]:
        before = self._indexed.get(collection, {})
        merged = [
            evolve(each, indexed={**before.get(each.document.key, {}), **each.indexed})
            for each in writes
        ]
        return await super().save_documents(collection, merged)


@caught_by("test_a_selected_document_is_the_stored_one")
class ShowsItsIndexedValues(MemoryStore):
    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        found = await super().select_documents(collection, selection)
        shown = [evolve(each, data={**each.data, "_by": {}}) for each in found.documents]
        return evolve(found, documents=shown)


@caught_by("test_a_page_tells_how_far_it_goes")
class ReadsThePositionAfterThePage(MemoryStore):
    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        found = await super().select_documents(collection, selection)
        await asyncio.sleep(0)
        return evolve(found, position=(await self.load_checkpoint(collection)).position)


@caught_by("test_a_page_tells_the_place_of_its_collection")
class TellsThePositionOfTheLastDocument(MemoryStore):
    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        found = await super().select_documents(collection, selection)
        return evolve(found, position=max((each.position for each in found.documents), default=0))


@caught_by("test_a_page_tells_the_place_of_its_collection")
class CountsTheParkedOnesOfAllCollections(MemoryStore):
    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        found = await super().select_documents(collection, selection)
        parked = [len(await self.load_parked(each)) for each in self._documents]
        return evolve(found, parked=sum(parked))


@caught_by("test_a_page_counts_only_so_many_parked_documents")
class CountsEveryParkedDocument(MemoryStore):
    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        found = await super().select_documents(collection, selection)
        return evolve(found, parked=len(await self.load_parked(collection, limit=2**20)))


@caught_by("test_indexes_are_created_beside_writers")
class CreatesIndexesOfNewDocuments(MemoryStore):
    async def create_indexes(
        self, collection: str, indexes: Sequence[Sequence[IndexField]]
    ) -> None:
        await super().create_indexes(collection, indexes)
        self._indexed.pop(collection, None)


@caught_by("test_a_selection_is_of_one_collection")
class KeepsIndexedValuesOfDeletedDocuments(MemoryStore):
    async def delete_documents(self, collection: str) -> None:
        before = dict(self._indexed.get(collection, {}))
        await super().delete_documents(collection)
        self._indexed[collection] = before


@caught_by("test_values_and_fields_of_another_form_are_refused")
class CutsNumbers(_Indexing):
    def stored(self, value: Any) -> IndexValue:
        return value if isinstance(value, str) else repr(value)


@caught_by("test_values_and_fields_of_another_form_are_refused")
class TakesAnyField(MemoryStore):
    async def create_indexes(
        self, collection: str, indexes: Sequence[Sequence[IndexField]]
    ) -> None:
        try:
            await super().create_indexes(collection, indexes)
        except InvalidArgument:
            return


@caught_by("test_values_and_fields_of_another_form_are_refused")
class TakesTimesWithoutAnOffset(_Indexing):
    def stored(self, value: IndexValue) -> IndexValue:
        return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
