"""Registrations: the versions of views and processes that a bucket holds."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from attrs import evolve

from eventhus.errors import InvalidArgument
from eventhus.ports import Checkpoint, Registration, Storage
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.limits import LONG_NAME
from eventhus_testing.conformance.store.views import document, kept, put

ORDERS = Registration(
    collection="view_orders.v2",
    name="orders",
    version=2,
    start=Checkpoint(7, "c7-0"),
    made_from={"events": ["Opened", "Paid"], "values": ["Order", "Order: ü.$: int"], "none": []},
)

INVALID: dict[str, dict[str, Any]] = {
    "collection": {"collection": "orders"},
    "name": {"name": LONG_NAME},
    "version": {"version": -1},
    "start": {"start": Checkpoint(2**63)},
    "event_id": {"start": Checkpoint(1, "x" * 513)},
    "line": {"made_from": {"events": ["\ud800"]}},
}


class Registrations(Cases):
    """Registrations of the versions of views and processes."""

    @case
    async def test_a_registration_is_kept_as_it_is(self, store: Storage) -> None:
        """One that has only what it must have, too."""
        least = Registration(collection="process_p", name="p")
        assert [] == [*await store.registrations()]
        for each in (ORDERS, least):
            assert each == await store.register(each)
        async with self.store(self.bucket) as other:
            assert [least, ORDERS] == [*await other.registrations()]

    @case
    async def test_the_first_registration_of_a_collection_stays(self, store: Storage) -> None:
        """Later ones get the first one back."""
        assert ORDERS == await store.register(ORDERS)
        changed = evolve(ORDERS, start=Checkpoint(9, "c9-0"), made_from={})
        assert ORDERS == await store.register(changed)
        assert [ORDERS] == [*await store.registrations()]

    @case
    async def test_one_of_many_registrations_at_once_is_stored(self, store: Storage) -> None:
        """All callers get that one."""
        async with self.store(self.bucket) as other:
            given = [evolve(ORDERS, start=Checkpoint(number)) for number in range(10)]
            stores = [store, other] * 5
            answers = await asyncio.gather(
                *[one.register(each) for one, each in zip(stores, given, strict=True)]
            )
            assert [answers[0]] * 10 == answers
            assert answers[0] in given
            assert [answers[0]] == [*await other.registrations()]

    @case
    async def test_registrations_come_in_the_order_of_their_collections(
        self, store: Storage
    ) -> None:
        """As their code points say."""
        names = ["view_b", "view_a.v2", "view_B", "process_a", "view_a.v10", "view_a-", "view_a"]
        for name in names:
            await store.register(Registration(collection=name, name="n"))
        assert sorted(names) == [each.collection for each in await store.registrations()]

    @case
    async def test_a_dropped_collection_is_gone_and_others_stay(self, store: Storage) -> None:
        """Its documents and its registration go, and its checkpoint stays. It may come again."""
        others = ["view_orders", "view_orders.v3", "view_orders_v2"]
        await store.register(ORDERS)
        await put(store, document("a"), collection="view_orders.v2")
        for name in others:
            await store.register(Registration(collection=name, name="n"))
            await put(store, document("a"), collection=name)
        await store.save_checkpoint("view_orders.v2", 5)
        for _ in range(2):
            await store.drop_collection("view_orders.v2")
            assert others == [each.collection for each in await store.registrations()]
            assert {} == await kept(store, "a", collection="view_orders.v2")
        for name in others:
            assert ["a"] == [*await kept(store, "a", collection=name)]
        assert 5 == (await store.load_checkpoint("view_orders.v2")).position
        again = evolve(ORDERS, made_from={})
        assert again == await store.register(again)
        assert set() == await put(store, document("a"), collection="view_orders.v2")
        assert ["a"] == [*await kept(store, "a", collection="view_orders.v2")]

    @pytest.mark.parametrize("changes", INVALID.values(), ids=INVALID)
    @case
    async def test_an_invalid_registration_is_refused(
        self, store: Storage, changes: dict[str, Any]
    ) -> None:
        """Nothing is stored."""
        with pytest.raises(InvalidArgument):
            await store.register(evolve(ORDERS, **changes))
        assert [] == [*await store.registrations()]
        with pytest.raises(InvalidArgument):
            await store.drop_collection("events")
