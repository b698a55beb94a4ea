"""Armed deadlines in the documents of processes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from attrs import evolve

from eventhus.errors import InvalidArgument
from eventhus.ports import ArmedDeadline, Storage, ViewDocument
from eventhus_testing.conformance.harness import Cases, case
from eventhus_testing.conformance.store.names import ALIKE, HOSTILE
from eventhus_testing.conformance.store.parked import SKIPPED, parked, replace
from eventhus_testing.conformance.store.views import BALANCES, deleted, document, kept, put

ORDERS = "process_orders"

AT = datetime(2024, 2, 29, 12, 30, 15, 123456, UTC)
MICROSECOND = timedelta(microseconds=1)
EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 12, 31, 23, 59, 59, 999999, UTC)


def deadline(due: datetime = AT, name: str = "payment", number: int = 1) -> ArmedDeadline:
    """Return a deadline that the event at a position has armed."""
    return ArmedDeadline(name=name, due=due, event_id=f"c-{number}", position=number)


def armed(key: str = "a", *due: datetime, position: int = 1) -> ViewDocument:
    """Return a document with deadlines at these times."""
    names = (f"deadline {number}" for number in range(len(due)))
    deadlines = [deadline(each, name) for each, name in zip(due, names, strict=True)]
    return evolve(document(key, position), deadlines=deadlines)


async def listed(store: Storage, limit: int = 1000) -> list[ViewDocument]:
    """Return all documents with deadlines, read in pages."""
    found: list[ViewDocument] = []
    while True:
        last = found[-1] if found else None
        after = None if last is None or last.due is None else (last.due, last.key)
        page = await store.load_armed(ORDERS, after=after, limit=limit)
        assert len(page) <= limit
        found += page
        if len(page) < limit:
            return found


class Deadlines(Cases):
    """The deadlines of processes."""

    @case
    async def test_deadlines_are_kept_as_they_are(self, store: Storage) -> None:
        """With every kind of document, to the microsecond, under any name, wherever they were."""
        names = [name for name in HOSTILE.values() if len(name.encode()) <= 255]
        hostile = [deadline(AT, name, 2**40 + number) for number, name in enumerate(names)]
        edges = [deadline(EARLIEST, "first"), deadline(AT, "leap"), deadline(LATEST, "last")]
        fields = {"deadlines": 1, "due": 2, "name": 3}
        given = {
            "value": evolve(document("value"), deadlines=hostile),
            "fields": evolve(document("fields", data=fields), deadlines=edges, skipped=SKIPPED),
            "operator": evolve(document("operator", data={"$a": 1}), deadlines=edges[:1]),
            "deleted": evolve(deleted("deleted"), deadlines=edges[1:2]),
            "parked": evolve(parked("parked"), deadlines=edges),
        }
        assert set() == await put(store, *given.values(), collection=ORDERS)
        assert given == await kept(store, *given, collection=ORDERS)

    @case
    async def test_documents_are_listed_by_their_earliest_deadline(self, store: Storage) -> None:
        """Earliest first, and those of one time by key, one page after the other."""
        assert [] == await listed(store)
        zones = [timezone(timedelta(hours=hours)) for hours in (-12, 0, 14)]
        times = [
            *(EARLIEST, AT - timedelta(days=9000), AT - MICROSECOND, AT, AT + MICROSECOND),
            *((AT + timedelta(minutes=1)).astimezone(zone) for zone in zones),
            *(AT.replace(microsecond=0) + timedelta(seconds=2), LATEST),
        ]
        given = [armed(f"{number}", time) for number, time in enumerate(times)]
        keys = dict.fromkeys(["", *HOSTILE.values(), *(each.aggregate_id for each in ALIKE)])
        taken = {each.key for each in given}
        given += [armed(key, AT) for key in keys if key not in taken]
        given += [armed("several", LATEST, AT - 2 * MICROSECOND, EARLIEST + MICROSECOND)]
        given += [armed("late", LATEST, LATEST - MICROSECOND)]
        others = [document(f"other {number}") for number in range(50)]
        assert set() == await put(store, *given, *others, collection=ORDERS)

        places = [(each.due, each.key) for each in given]
        expected = [key for _, key in sorted(place for place in places if place[0] is not None)]
        for limit in (1, 7, 1000):
            assert expected == [each.key for each in await listed(store, limit)]
        found = await listed(store)
        assert {each.key: each for each in given} == {each.key: each for each in found}
        assert {timedelta()} == {one.due.utcoffset() for each in found for one in each.deadlines}

    @case
    async def test_only_armed_deadlines_are_listed(self, store: Storage) -> None:
        """Not those that were replaced, nor of a parked key until it is unparked, nor deleted."""
        now = armed("a", AT, position=1)
        await put(store, now, collection=ORDERS)
        steps = [
            (armed("a", AT + MICROSECOND, position=2), True),
            (document("a", 3), False),
            (armed("a", AT, position=4), True),
            (evolve(parked("a", 5), deadlines=now.deadlines), False),
            (evolve(armed("a", AT, position=5), revision=1), True),
            (evolve(deleted("a", 6), deadlines=now.deadlines), True),
            (deleted("a", 7), False),
        ]
        for next_, is_listed in steps:
            assert await replace(store, next_, now, collection=ORDERS)
            now = next_
            assert ([now] if is_listed else []) == await listed(store)
        refused = armed("a", AT, position=9)
        assert not await replace(store, refused, armed("a", position=8), collection=ORDERS)
        assert [] == await listed(store)

    @case
    async def test_every_collection_lists_its_own_deadlines(self, store: Storage) -> None:
        """Those of another bucket are not among them, and deleting a collection deletes them."""
        names = (ORDERS, "process_refunds")
        for collection in names:
            await put(store, armed("a", AT), armed(collection, AT), collection=collection)
        async with self.store(f"{self.bucket}b") as elsewhere:
            assert [] == await listed(elsewhere)
        for collection in names:
            found = await store.load_armed(collection)
            assert [armed("a", AT), armed(collection, AT)] == list(found)
        await store.delete_documents(ORDERS)
        assert [] == await listed(store)
        assert 2 == len(await store.load_armed("process_refunds"))
        assert set() == await put(store, armed("a", AT), collection=ORDERS)
        assert [armed("a", AT)] == await listed(store)

    @pytest.mark.parametrize(
        ("collection", "page"),
        [
            ("events", {}),
            ("process_", {}),
            (BALANCES, {}),
            (ORDERS, {"limit": 0}),
            (ORDERS, {"after": (AT, "x" * 1025)}),
            (ORDERS, {"after": (datetime(2024, 1, 1), "a")}),  # noqa: DTZ001 - refused
        ],
    )
    @case
    async def test_an_invalid_page_of_deadlines_is_refused(
        self, store: Storage, collection: str, page: dict[str, Any]
    ) -> None:
        """It is refused, whatever the collection holds."""
        with pytest.raises(InvalidArgument):
            await store.load_armed(collection, **page)

    @pytest.mark.parametrize(
        "refused",
        [
            deadline(datetime(2024, 1, 1)),  # noqa: DTZ001 - refused
            deadline(LATEST.replace(tzinfo=timezone(timedelta(hours=-1)))),
            deadline(name="x" * 256),
            deadline(name="\ud800"),
            deadline(number=-1),
            evolve(deadline(), event_id="x" * 513),
        ],
        ids=["no offset", "after 9999", "a long name", "half a character", "negative", "a long id"],
    )
    @case
    async def test_an_invalid_deadline_is_refused(
        self, store: Storage, refused: ArmedDeadline
    ) -> None:
        """And so is all that comes with it; no view has deadlines."""
        broken = evolve(document("b"), deadlines=[deadline(name="fine"), refused])
        with pytest.raises(InvalidArgument):
            await put(store, document("a"), broken, collection=ORDERS)
        with pytest.raises(InvalidArgument):
            await put(store, document("a"), armed("b", AT))
        assert {} == await kept(store, "a", "b", collection=ORDERS)
        assert {} == await kept(store, "a", "b")
