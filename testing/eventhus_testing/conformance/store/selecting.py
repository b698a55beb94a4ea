"""Pages of documents, found and ordered by the values of indexed fields."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import pytest

from eventhus.errors import InvalidArgument
from eventhus.ports import (
    Bounds,
    IndexField,
    IndexValue,
    Parked,
    Selected,
    Selection,
    Storage,
    ViewDocument,
    ViewWrite,
)
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.selections import (
    EQUAL,
    INDEXES,
    MIXED,
    MOST_PARKED,
    NOON,
    NUMBER,
    ORDERS,
    REFUSED,
    TEXT,
    TIME,
    VALUES,
    WALKS,
    by,
    change,
    down,
    keys,
    numbered,
    put,
    walk,
    walked,
)


class Selecting(Cases):
    """The values of indexed fields, and pages in their order."""

    @pytest.mark.parametrize("field", VALUES, ids=lambda field: field.name)
    @case
    async def test_values_of_a_kind_are_in_order(self, store: Storage, field: IndexField) -> None:
        """Ascending and descending, in one page and in pages of any size."""
        await store.create_indexes(ORDERS, [(field,)])
        documents = numbered(VALUES[field], field.name)
        await put(store, documents)
        for order, wanted in ((field, [*documents]), (down(field), [*documents][::-1])):
            for limit in (1, 4, 100):
                selection = by(field, order=(order,), descending=order.descending)
                assert wanted == await walked(store, selection, documents, limit)

    @pytest.mark.parametrize("field", VALUES, ids=lambda field: field.name)
    @case
    async def test_conditions_find_values_of_every_kind(
        self, store: Storage, field: IndexField
    ) -> None:
        """Equal ones, any of several, and ranges with and without their bounds."""
        await store.create_indexes(ORDERS, [(field,)])
        values = VALUES[field]
        documents = numbered(values, field.name)
        await put(store, documents)
        places = [*documents]

        async def found(wanted: Sequence[IndexValue] | Bounds) -> list[int]:
            selection = by(field, where={field.name: wanted})
            return [places.index(key) for key in await keys(store, selection)]

        for place, value in enumerate(values):
            assert [place] == await found([value])
            assert sorted({0, place}) == await found([value, None])
            if value is None:
                continue
            rest = [*range(1, len(values))]
            assert rest[place - 1 :] == await found(Bounds(at_least=value))
            assert rest[place:] == await found(Bounds(above=value))
            assert rest[:place] == await found(Bounds(at_most=value))
            assert rest[: place - 1] == await found(Bounds(below=value))
            assert [place] == await found(Bounds(at_least=value, at_most=value))
        assert [] == await found([])
        assert [0] == await found([None, None])

    @pytest.mark.parametrize("field", EQUAL, ids=lambda field: field.name)
    @case
    async def test_values_that_are_the_same_are_in_the_order_of_keys(
        self, store: Storage, field: IndexField
    ) -> None:
        """However they are written, and however they are asked for."""
        await store.create_indexes(ORDERS, [(field,)])
        documents: dict[str, dict[str, IndexValue]] = {
            f"k{number}": {field.name: value} for number, value in enumerate(EQUAL[field])
        }
        await put(store, documents)
        for value in EQUAL[field]:
            assert [*documents] == await keys(store, by(field, where={field.name: [value]}))
        assert [*documents] == await walked(store, by(field), documents, 1)
        backwards = by(field, order=(down(field),), descending=True)
        assert [*documents][::-1] == await walked(store, backwards, documents, 1)

    @pytest.mark.parametrize("name", WALKS)
    @case
    async def test_pages_follow_one_another_along_an_index(self, store: Storage, name: str) -> None:
        """With many ties, whatever the size of the pages."""
        await store.create_indexes(ORDERS, INDEXES)
        await put(store, MIXED)
        selection, wanted = WALKS[name]
        for limit in (1, 2, 7, 100):
            assert wanted == await walked(store, selection, MIXED, limit)

    @case
    async def test_a_field_without_a_value_counts_as_none(self, store: Storage) -> None:
        """It is found and ordered as such."""
        await store.create_indexes(ORDERS, [(TEXT,)])
        await put(store, {"a": {"text": "x"}, "b": {}, "c": {"text": None}, "d": {"number": 1}})
        assert ["b", "c", "d", "a"] == await keys(store, by(TEXT))
        assert ["b", "c", "d"] == await keys(store, by(TEXT, where={"text": [None]}))

    @case
    async def test_changes_during_a_walk_do_not_disturb_the_others(self, store: Storage) -> None:
        """Documents come, go and move, before and after the place of the walk."""
        await store.create_indexes(ORDERS, INDEXES)
        await put(store, MIXED)
        selection, wanted = WALKS["two fields"]
        now = dict(MIXED)
        moved: dict[str, dict[str, IndexValue]] = {
            wanted[0]: {"text": "zzz"},  # was seen, and moves ahead
            wanted[20]: {"text": None, "time": None},  # moves behind
            wanted[-1]: {"text": "paid", "time": NOON},
        }
        gone = [wanted[4], wanted[6]]  # the last one that was seen, and one that was not
        new: dict[str, dict[str, IndexValue]] = {"new 1": {"text": "zz"}, "new 2": {"text": None}}
        pages: list[list[str]] = []
        async for page in walk(store, selection, now, 5):
            pages.append(page)
            if len(pages) == 1:
                for key in gone:
                    await change(store, key, 5, {}, data=None, deleted=True)
                for key, indexed in moved.items():
                    await change(store, key, 5, indexed)
                await put(store, new)
                now |= moved | new
        changed = {*moved, *gone}
        seen = [key for page in pages for key in page]
        rest = [key for key in seen if key in MIXED and key not in changed]
        assert [key for key in wanted if key not in changed] == rest
        assert wanted[6] not in seen
        assert "new 1" in seen

    @case
    async def test_documents_without_a_value_are_left_out(self, store: Storage) -> None:
        """Deleted ones and parked ones, also if ``None`` is asked for."""
        await store.create_indexes(ORDERS, [(TEXT,)])
        await put(store, {key: {"text": "x"} for key in "abc"})
        await change(store, "a", 2, {}, data=None, deleted=True)
        parked = Parked(position=2, error="KeyError", at=NOON, handled=1)
        await change(store, "b", 2, {}, data=None, parked=parked)
        for where in ({}, {"text": ["x"]}, {"text": ["x", None]}):
            assert ["c"] == await keys(store, by(TEXT, where=where))
        assert [] == await keys(store, by(TEXT, where={"text": [None]}))
        assert ["c"] == await keys(store, Selection())
        await change(store, "a", 3, {"text": "y"}, data={"new": True}, deleted=False)
        await change(store, "b", 3, {}, data={"new": True}, parked=None)
        assert ["b", "c", "a"] == await keys(store, by(TEXT))

    @case
    async def test_a_replaced_document_is_found_by_its_new_values_only(
        self, store: Storage
    ) -> None:
        """A write that is refused changes nothing of it."""
        await store.create_indexes(ORDERS, [(TEXT,), (NUMBER,)])
        await put(store, {"a": {"text": "x", "number": 1}})
        await change(store, "a", 2, {"text": "y"}, data={"n": 2})
        late = ViewWrite(
            document=ViewDocument(key="a", position=9, data=9), replaces=1, indexed={"text": "z"}
        )
        assert frozenset("a") == await store.save_documents(ORDERS, [late])
        for value, found in (("x", []), ("y", ["a"]), ("z", [])):
            assert found == await keys(store, by(TEXT, where={"text": [value]}))
        assert ["a"] == await keys(store, by(NUMBER, where={"number": [None]}))
        (document,) = (await store.select_documents(ORDERS, by(TEXT))).documents
        assert ViewDocument(key="a", position=2, data={"n": 2}) == document

    @case
    async def test_a_selected_document_is_the_stored_one(self, store: Storage) -> None:
        """Its own fields may have the names of indexed ones and other values."""
        data = {"text": "its own", "_by": {"text": 1}, "number": "1.50"}
        await store.create_indexes(ORDERS, [(TEXT,)])
        write = ViewWrite(
            document=ViewDocument(key="a", position=7, data=data),
            replaces=0,
            indexed={"text": "x", "number": Decimal("1.50"), "time": NOON},
        )
        await store.save_documents(ORDERS, [write])
        found = await store.select_documents(ORDERS, by(TEXT))
        assert [write.document] == [*found.documents]
        assert {"a": write.document} == await store.load_documents(ORDERS, ["a"])

    @case
    async def test_a_page_tells_the_place_of_its_collection(self, store: Storage) -> None:
        """The position of the checkpoint, and the number of parked keys, also of an empty page."""
        await store.create_indexes(ORDERS, [(TEXT,)])
        pages = (by(TEXT, limit=1), Selection(limit=2), by(TEXT, where={"text": ["no"]}))
        every = (*pages, by(TEXT, where={"text": []}))

        async def places() -> set[tuple[int, int]]:
            found = [await store.select_documents(ORDERS, each) for each in every]
            return {(each.position, each.parked) for each in found}

        assert {(0, 0)} == await places()
        await store.save_checkpoint(ORDERS, 3, event_id="c-1", token=1)
        await store.save_checkpoint("view_others", 9, token=1)
        assert {(3, 0)} == await places()
        await put(store, {key: {"text": "x"} for key in "abcd"})
        assert {(3, 0)} == await places()
        parked = Parked(position=5, error="KeyError", at=NOON, handled=1)
        for key in "ab":
            await change(store, key, 5, {}, data=None, parked=parked)
        elsewhere = ViewDocument(key="a", position=5, data=None, parked=parked)
        await store.save_documents("view_others", [ViewWrite(document=elsewhere, replaces=0)])
        await store.save_checkpoint(ORDERS, 5, token=1)
        assert {(5, 2)} == await places()
        await change(store, "a", 6, {"text": "x"}, data={}, parked=None)
        await store.save_checkpoint(ORDERS, 0, token=2)
        assert {(0, 1)} == await places()

    @case
    async def test_a_page_counts_only_so_many_parked_documents(self, store: Storage) -> None:
        """More of them do not make it slower."""
        await store.create_indexes(ORDERS, [(TEXT,)])
        parked = Parked(position=1, error="KeyError", at=NOON, handled=0)
        for number in range(2):
            writes = [
                ViewWrite(
                    document=ViewDocument(
                        key=f"{number} {each}", position=1, data=None, parked=parked
                    ),
                    replaces=0,
                )
                for each in range(MOST_PARKED - number)
            ]
            await store.save_documents(ORDERS, writes)
            found = await store.select_documents(ORDERS, by(TEXT))
            assert MOST_PARKED == found.parked

    @case
    async def test_a_page_tells_how_far_it_goes(self, store: Storage) -> None:
        """Documents are saved before the checkpoint moves, so the page is never behind it."""
        await store.create_indexes(ORDERS, [(NUMBER,)])
        others = {f"k{number}": {"number": 10**6} for number in range(1000)}  # take their time
        await put(store, {"a": {"number": 1}, **others})
        last = 40

        async def write() -> None:
            async with self.store(self.bucket) as writer:
                for position in range(2, last + 1):
                    await change(writer, "a", position, {"number": position})
                    await writer.save_checkpoint(ORDERS, position, token=1)
                    await asyncio.sleep(0)

        writing = asyncio.create_task(write())
        found = Selected(documents=[], position=0, parked=0)
        while found.position < last and not (writing.done() and writing.exception()):
            found = await store.select_documents(ORDERS, by(NUMBER, limit=2000))
            assert ["a"] == [each.key for each in found.documents[:1]]
            assert found.position <= found.documents[0].position
            await asyncio.sleep(0)
        await writing

    @case
    async def test_indexes_are_created_beside_writers(self, store: Storage) -> None:
        """Before the first document or later, once or again, and more of them."""
        await put(store, MIXED)
        async with self.store(self.bucket) as other:
            await asyncio.gather(
                *[each.create_indexes(ORDERS, INDEXES[:2]) for each in (store, other) * 2],
                *[put(other, {f"new {n}": {"text": "zz", "number": 9}}) for n in range(10)],
            )
            await other.create_indexes(ORDERS, INDEXES)
            await other.create_indexes(ORDERS, [])
            for index in INDEXES:
                assert 40 == len(await keys(store, by(*index)))
            new = by(NUMBER, where={"number": Bounds(above=1)})
            assert [f"new {n}" for n in range(10)] == await keys(other, new)

    @case
    async def test_a_selection_is_of_one_collection(self, store: Storage) -> None:
        """Others have documents and values of their own, and an unknown one has none."""
        await put(store, MIXED)
        await store.create_indexes("view_others", [(TEXT,)])
        nothing = Selected(documents=[], position=0, parked=0)
        assert nothing == await store.select_documents("view_others", by(TEXT))
        assert nothing == await store.select_documents("view_nobody", Selection())
        await store.delete_documents(ORDERS)
        assert [] == await keys(store, Selection())
        await put(store, {"k01": {"number": 7}})
        await store.create_indexes(ORDERS, INDEXES)
        assert ["k01"] == await keys(store, by(TEXT, down(TIME)))

    @case
    async def test_values_and_fields_of_another_form_are_refused(self, store: Storage) -> None:
        """Nothing is stored, and nothing is quoted."""
        for value in REFUSED.values():
            write = ViewWrite(
                document=ViewDocument(key="a", position=1, data=1),
                replaces=0,
                indexed={"text": value},
            )
            with pytest.raises(InvalidArgument):
                await store.save_documents(ORDERS, [write])
            for selection in (
                by(TEXT, where={"text": [value]}),
                by(TEXT, where={"text": Bounds(below=value)}),
                by(TEXT, after=((value,), "k")),
            ):
                with pytest.raises(InvalidArgument):
                    await store.select_documents(ORDERS, selection)
        odd = IndexField("a.b")
        for refused in (
            Selection(where={"$where": ["x"]}),
            by(odd),
            Selection(limit=0),
            Selection(after=((), "\ud800")),
        ):
            with pytest.raises(InvalidArgument):
                await store.select_documents(ORDERS, refused)
        with pytest.raises(InvalidArgument):
            await store.create_indexes(ORDERS, [(odd,)])
        with pytest.raises(InvalidArgument):
            await store.create_indexes("orders", [(TEXT,)])
        with pytest.raises(InvalidArgument):
            await store.select_documents("orders", Selection())
        assert {} == await store.load_documents(ORDERS, ["a"])
