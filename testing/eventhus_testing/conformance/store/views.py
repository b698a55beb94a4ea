"""Documents of views and processes: one for each key, with the position that it has seen."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eventhus.errors import InvalidArgument
from eventhus.ports import Storage, ViewDocument, ViewWrite
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.names import ALIKE, HOSTILE
from eventhus_testing.conformance.store.plain_data import ACCEPTED, REFUSED
from eventhus_testing.conformance.store.samples import commit, exact, whole_log

BALANCES = "view_balances"

VALUES: dict[str, object] = {
    "null": None,
    "True": True,
    "0": 0,
    "whole": 1.0,
    "empty": "",
    "list": [1, {"a": 2}],
    "fields": {"owner": "x", "amounts": [1, 2], "of": {"a": None}},
    "fields of a store": dict.fromkeys(("_id", "_position", "_value", "_json", "_deleted", "_"), 1),
    "fields of a document": {"key": "k", "position": 0, "data": 1, "deleted": True, "value": 2},
    "an operator": {"$set": {"a": 1}},
    "an operator within": {"a": [{"$inc": 1}]},
    "dots": {"a.b": 1, ".": 2},
    **ACCEPTED,
}


def document(key: str = "a", position: int = 1, data: object = "x") -> ViewDocument:
    """Return a document with a value."""
    return ViewDocument(key=key, position=position, data=data)


def deleted(key: str = "a", position: int = 1) -> ViewDocument:
    """Return a document whose value was deleted."""
    return ViewDocument(key=key, position=position, data=None, deleted=True)


async def put(
    store: Storage, *documents: ViewDocument, over: int = 0, collection: str = BALANCES
) -> set[str]:
    """Replace documents at a position; return the keys of those that were refused."""
    writes = [ViewWrite(document=each, replaces=over) for each in documents]
    return {*await store.save_documents(collection, writes)}


async def kept(store: Storage, *keys: str, collection: str = BALANCES) -> dict[str, ViewDocument]:
    """Return the documents of some keys."""
    return dict(await store.load_documents(collection, keys))


async def kept_of(store: Storage, key: str = "a") -> ViewDocument:
    """Return the document of a key that must have one."""
    found = await kept(store, key)
    assert [key] == [*found]
    return found[key]


class Views(Cases):
    """The documents of views and processes."""

    @case
    async def test_a_document_is_kept_as_it_is(self, store: Storage) -> None:
        """A value may be any plain data, and its fields may have any name."""
        given = [document(name, 2**40, value) for name, value in VALUES.items()]
        assert set() == await put(store, *given)
        found = await kept(store, *VALUES)
        assert {*VALUES} == {*found}
        for each in given:
            assert each == found[each.key]
            assert (each.key, exact(each.data)) == (each.key, exact(found[each.key].data))
            assert int is type(found[each.key].position)

    @case
    async def test_documents_are_found_by_their_keys(self, store: Storage) -> None:
        """Those that were asked for, and none of a key that has none."""
        assert {} == await kept(store, "a")
        given = {key: document(key, data=key) for key in map(str, range(1000))}
        assert set() == await put(store, *given.values())
        assert given == await kept(store, *given)
        assert {key: given[key] for key in ("7", "8")} == await kept(store, "7", "a", "8")
        assert {} == await kept(store, "a")
        assert {} == await kept(store)
        assert set() == await put(store)

    @case
    async def test_a_document_replaces_the_one_it_names(self, store: Storage) -> None:
        """Whole: no field of the earlier one stays."""
        await put(store, document(data={"a": 1, "b": 2}))
        for position, data in ((3, {"b": 3}), (4, [1]), (9, {}), (10, {"c": {}})):
            before = (await kept_of(store)).position
            next_ = document(position=position, data=data)
            assert set() == await put(store, next_, over=before)
            assert {"a": next_} == await kept(store, "a")

    @case
    async def test_a_document_at_another_position_is_not_replaced(self, store: Storage) -> None:
        """It is refused and named; the others of the call are kept."""
        there = document("a", 5, "there")
        await put(store, there)
        for over in (0, 4, 6):
            new = document(f"new {over}", 9)
            writes = [
                ViewWrite(document=document("a", 9, "late"), replaces=over),
                ViewWrite(document=new, replaces=0),
            ]
            assert frozenset("a") == await store.save_documents(BALANCES, writes)
            assert {"a": there, new.key: new} == await kept(store, "a", new.key)

    @case
    async def test_a_missing_document_is_not_replaced(self, store: Storage) -> None:
        """There is nothing to take the place of."""
        assert {"a"} == await put(store, document(position=9), over=5)
        assert {} == await kept(store, "a")

    @case
    async def test_a_repeated_write_is_accepted(self, store: Storage) -> None:
        """A write that is repeated, since its answer got lost, is left alone and is not refused."""
        await put(store, document(position=5))
        for over in (0, 3):
            assert set() == await put(store, document(position=5, data="again"), over=over)
        await put(store, document(position=7), over=5)
        assert set() == await put(store, document(position=7, data="again"), over=5)
        assert {"a": document(position=7)} == await kept(store, "a")

    @case
    async def test_a_deleted_document_keeps_its_position(self, store: Storage) -> None:
        """A write of an event from before the deletion is refused."""
        await put(store, document(position=1))
        assert set() == await put(store, deleted(position=3), over=1)
        assert {"a": deleted(position=3)} == await kept(store, "a")
        for over in (0, 1):
            assert {"a"} == await put(store, document(position=2), over=over)
        assert set() == await put(store, deleted(position=3), over=1)
        assert {"a": deleted(position=3)} == await kept(store, "a")
        assert set() == await put(store, document(position=6, data={}), over=3)
        assert {"a": document(position=6, data={})} == await kept(store, "a")

    @case
    async def test_a_missing_document_may_be_deleted(self, store: Storage) -> None:
        """Its place is kept all the same."""
        assert set() == await put(store, deleted(position=3))
        assert {"a": deleted(position=3)} == await kept(store, "a")

    @case
    async def test_one_of_many_writers_replaces_a_document(self, store: Storage) -> None:
        """Through one store or through several."""
        async with self.store(self.bucket) as other:
            before = 0
            for step in range(1, 6):
                given = [document(position=100 * step + n) for n in range(10)]
                stores = [store, other] * 5
                refused = await asyncio.gather(
                    *[put(each, one, over=before) for each, one in zip(stores, given, strict=True)]
                )
                placed = [one for one, names in zip(given, refused, strict=True) if not names]
                assert 1 == len(placed)
                there = placed[0]
                assert {"a": there} == await kept(store, "a") == await kept(other, "a")
                before = there.position

    @case
    async def test_any_text_is_a_key(self, store: Storage) -> None:
        """Keys differ when their text does."""
        keys = dict.fromkeys(["", *HOSTILE.values(), *(each.aggregate_id for each in ALIKE)])
        given = {key: document(key, number, number) for number, key in enumerate(keys, start=1)}
        assert set() == await put(store, *given.values())
        assert given == await kept(store, *keys)
        for key, one in given.items():
            assert {key} == await put(store, document(key, 999))
            assert {key: one} == await kept(store, key)

    @case
    async def test_every_collection_has_its_own_documents(self, store: Storage) -> None:
        """A view and a process of one name are two."""
        collections = [
            "view_a",
            "process_a",
            "view_A",
            "view_a-",
            "process_events",
            "view_" + "x" * 63,
        ]
        for position, name in enumerate(collections, start=1):
            assert {} == await kept(store, "a", collection=name)
            assert set() == await put(store, document(position=position), collection=name)
        for position, name in enumerate(collections, start=1):
            assert {"a": document(position=position)} == await kept(store, "a", collection=name)

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "events",
            "view_",
            "view",
            "views_a",
            "process_",
            "view_a.b",
            "view_$",
            "view_" + "x" * 64,
        ],
    )
    @case
    async def test_an_invalid_collection_is_refused(self, store: Storage, name: str) -> None:
        """It is refused, before anything is looked at."""
        with pytest.raises(InvalidArgument):
            await put(store, document(), collection=name)
        with pytest.raises(InvalidArgument):
            await kept(store, "a", collection=name)

    @case
    async def test_documents_that_are_not_plain_are_refused(self, store: Storage) -> None:
        """They are refused without being quoted, and so is all that comes with them."""
        refusals: dict[str, str] = {}
        for name, make in REFUSED.items():
            try:
                await put(store, document("a"), document("b", data={"value": make()}))
            except InvalidArgument as refusal:
                refusals[name] = str(refusal)
        assert [*REFUSED] == [*refusals]
        assert [] == [message for message in refusals.values() if "secret" in message]
        with pytest.raises(InvalidArgument):
            await put(store, document("a"), document("\ud800"))
        assert {} == await kept(store, "a", "b")

    @case
    async def test_a_document_is_shared_with_nobody(self, store: Storage) -> None:
        """Neither its writer nor a reader can change the stored value."""
        data: dict[str, Any] = {"tags": ["a"]}
        await put(store, document(data=data))
        data["tags"].append("b")
        (await kept_of(store)).data["tags"].append("c")
        assert {"a": document(data={"tags": ["a"]})} == await kept(store, "a")

    @case
    async def test_documents_are_not_part_of_the_log(self, store: Storage) -> None:
        """Saving one writes no event, and moves no checkpoint."""
        await put(store, document(position=7))
        assert 0 == (await store.load_checkpoint(BALANCES)).position
        first = await store.append(commit(expected_version=0))
        assert first.recorded() == await whole_log(store)
        assert {"a": document(position=7)} == await kept(store, "a")

    @case
    async def test_two_stores_keep_one_document(self, store: Storage) -> None:
        """Each finds and replaces the document that the other has saved."""
        before = 0
        async with self.store(self.bucket) as other:
            for position, (one, another) in enumerate(
                [(store, other), (other, store)] * 3, start=1
            ):
                assert set() == await put(one, document(position=position), over=before)
                assert {"a": document(position=position)} == await kept(another, "a")
                before = position

    @case
    async def test_two_buckets_share_no_document(self, store: Storage) -> None:
        """Each has its own."""
        await put(store, document(position=5))
        async with self.store(f"{self.bucket}b") as elsewhere:
            assert {} == await kept(elsewhere, "a")
            assert set() == await put(elsewhere, document(position=3))
        assert {"a": document(position=5)} == await kept(store, "a")

    @case
    async def test_documents_stay_when_a_store_is_left(self, store: Storage) -> None:
        """The next store finds everything that was saved."""
        async with self.store(self.bucket) as leaving:
            await put(leaving, document("a"), deleted("b"))
        async with self.store(self.bucket) as next_:
            for each in (store, next_):
                assert {"a": document("a"), "b": deleted("b")} == await kept(each, "a", "b")

    @case
    async def test_deleting_a_collection_deletes_all_of_it_and_nothing_else(
        self, store: Storage
    ) -> None:
        """Deleted documents go, too, and the checkpoint of the same name stays."""
        await put(store, document("a"), deleted("b"))
        other = ViewWrite(document=document("a"), replaces=0)
        await store.save_documents("view_others", [other])
        await store.save_checkpoint(BALANCES, 5)
        await store.delete_documents(BALANCES)
        await store.delete_documents("view_never_written")
        assert {} == await kept(store, "a", "b")
        assert {"a": document("a")} == await store.load_documents("view_others", ["a"])
        assert 5 == (await store.load_checkpoint(BALANCES)).position
        assert set() == await put(store, document("a"))
