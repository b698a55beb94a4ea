"""Parked documents, revisions and skipped events of views and processes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from attrs import evolve

from eventhus.errors import InvalidArgument
from eventhus.ports import Parked, Skipped, Storage, ViewDocument, ViewWrite
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.names import ALIKE, HOSTILE
from eventhus_testing.conformance.store.views import BALANCES, deleted, document, kept, put

AT = datetime(2024, 2, 29, 12, 30, 15, 123456, UTC)
SKIPPED = (
    Skipped(position=3, why='$set: a \0 of the "bank", ü', at=AT),
    Skipped(position=2**40, why="x", at=datetime(1999, 12, 31, tzinfo=UTC)),
)


def parked(key: str = "a", position: int = 1, revision: int = 0) -> ViewDocument:
    """Return a document that is parked at its position."""
    return ViewDocument(
        key=key,
        position=position,
        data=None,
        revision=revision,
        parked=Parked(position=position, error="KeyError", at=AT, handled=0),
    )


async def replace(
    store: Storage, new: ViewDocument, over: ViewDocument, collection: str = BALANCES
) -> bool:
    """Replace one document, and return whether it was written."""
    write = ViewWrite(document=new, replaces=over.position, replaces_revision=over.revision)
    return not await store.save_documents(collection, [write])


class ParkedDocuments(Cases):
    """Documents of parked keys, which wait for a repair."""

    @case
    async def test_a_parked_document_is_kept_as_it_is(self, store: Storage) -> None:
        """With everything that is known about it, and what was skipped before."""
        reason = Parked(position=2**41, error="InsufficientFunds", at=AT, handled=2**40)
        given = evolve(parked(position=2**42, revision=7), parked=reason, skipped=SKIPPED)
        assert set() == await put(store, given)
        assert {"a": given} == await kept(store, "a")
        assert [given] == list(await store.load_parked(BALANCES))

    @case
    async def test_skipped_events_are_kept_with_every_value(self, store: Storage) -> None:
        """However the value is stored, and without one."""
        given = {
            "value": evolve(document("value"), skipped=SKIPPED),
            "fields": evolve(document("fields", data={"a": 1, "skipped": 2}), skipped=SKIPPED),
            "operator": evolve(document("operator", data={"$a": 1}), skipped=SKIPPED[:1]),
            "deleted": evolve(deleted("deleted"), skipped=SKIPPED),
        }
        assert set() == await put(store, *given.values())
        assert given == await kept(store, *given)

    @case
    async def test_nothing_of_a_parked_document_stays(self, store: Storage) -> None:
        """A value takes its place whole, and the other way round."""
        value = document(position=2, data={"a": 1})
        assert set() == await put(store, value)
        assert await replace(store, parked(position=3), value)
        assert {"a": parked(position=3)} == await kept(store, "a")
        again = document(position=4, data={"b": 1})
        assert await replace(store, again, parked(position=3))
        assert {"a": again} == await kept(store, "a")
        assert [] == list(await store.load_parked(BALANCES))

    @case
    async def test_parked_documents_are_listed_by_key(self, store: Storage) -> None:
        """In the order of code points, one page after the other; no other document is among them.

        Ordered by position, or as a language orders words, pages would repeat and leave out keys.
        """
        assert [] == list(await store.load_parked(BALANCES))
        names = dict.fromkeys(["", *HOSTILE.values(), *(each.aggregate_id for each in ALIKE)])
        size = len(names)
        keys = {key: size - number for number, key in enumerate(names)}
        others = [document("other"), deleted("gone"), *(document(f"{n}") for n in range(50))]
        taken = {each.key for each in others}
        given = [parked(key, position) for key, position in keys.items() if key not in taken]
        assert set() == await put(store, *others, *given)
        expected = sorted(given, key=lambda each: each.key)
        listed: list[ViewDocument] = []
        for limit in (1, 2, 3, 1000):
            after = listed[-1].key if listed else None
            page = await store.load_parked(BALANCES, after=after, limit=limit)
            assert expected[len(listed) : len(listed) + limit] == list(page)
            listed += page
        assert expected == list(await store.load_parked(BALANCES, limit=1000))
        assert [] == list(await store.load_parked(BALANCES, after=expected[-1].key))
        assert expected[1:] == list(await store.load_parked(BALANCES, after="", limit=1000))

    @case
    async def test_every_collection_lists_its_own_parked_documents(self, store: Storage) -> None:
        """Those of another bucket are not among them, and deleting a collection deletes them."""
        for collection in (BALANCES, "process_balances"):
            await put(store, parked("a"), collection=collection)
            await put(store, parked(collection), collection=collection)
        async with self.store(f"{self.bucket}b") as elsewhere:
            assert [] == list(await elsewhere.load_parked(BALANCES))
        assert [parked("a"), parked(BALANCES)] == list(await store.load_parked(BALANCES))
        await store.delete_documents(BALANCES)
        assert [] == list(await store.load_parked(BALANCES))
        left = [parked("a"), parked("process_balances")]
        assert left == list(await store.load_parked("process_balances"))

    @pytest.mark.parametrize(
        ("collection", "after", "limit"),
        [
            ("events", None, 1),
            ("view_a.b", None, 1),
            (BALANCES, None, 0),
            (BALANCES, "x" * 1025, 1),
        ],
    )
    @case
    async def test_an_invalid_page_of_parked_documents_is_refused(
        self, store: Storage, collection: str, after: str | None, limit: int
    ) -> None:
        """It is refused, whatever the collection holds."""
        with pytest.raises(InvalidArgument):
            await store.load_parked(collection, after=after, limit=limit)

    @case
    async def test_a_document_of_another_revision_is_not_replaced(self, store: Storage) -> None:
        """The position alone does not say what a document holds that was parked or unparked."""
        first = parked(position=5)
        second = evolve(document(position=5, data="mended"), revision=1)
        assert set() == await put(store, first)
        assert await replace(store, second, first)
        for over in (first, parked(position=5, revision=2)):
            assert not await replace(store, document(position=6), over)
        assert {"a": second} == await kept(store, "a")
        third = document(position=6)
        assert await replace(store, third, second)
        assert {"a": third} == await kept(store, "a")

    @case
    async def test_a_repeated_write_of_a_revision_is_accepted(self, store: Storage) -> None:
        """A write whose answer got lost is left alone, and one of an older revision is refused."""
        first, second = parked(position=5), parked(position=5, revision=1)
        await put(store, first)
        for _ in range(2):
            assert await replace(store, second, first)
        assert not await replace(store, first, parked(position=4))
        assert {"a": second} == await kept(store, "a")

    @case
    async def test_one_of_many_writers_replaces_a_revision(self, store: Storage) -> None:
        """Some leave the document at its position, and some move it."""
        async with self.store(self.bucket) as other:
            before = parked(position=100)
            await put(store, before)
            for step in range(1, 6):
                staying = [evolve(before, revision=1 + n) for n in range(4)]
                moving = [document(position=100 * step + 1 + n) for n in range(4)]
                given = [*staying, *moving]
                stores = [store, other] * 4
                written = await asyncio.gather(
                    *[replace(each, one, before) for each, one in zip(stores, given, strict=True)]
                )
                placed = [one for one, done in zip(given, written, strict=True) if done]
                assert 1 == len(placed)
                assert {"a": placed[0]} == await kept(store, "a") == await kept(other, "a")
                before = parked(position=100 * (step + 1))
                assert await replace(store, before, placed[0])
