"""Values of indexed fields, documents that have them, and walks along their indexes."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from attrs import evolve

from eventhus.ports import (
    Bounds,
    IndexField,
    IndexValue,
    Selection,
    Storage,
    ViewDocument,
    ViewWrite,
)

ORDERS = "view_orders"
MOST_PARKED = 1_000  # documents that a page counts
NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
EAST, WEST = timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))

NUMBER, TEXT, FLAG = IndexField("number"), IndexField("text"), IndexField("flag")
TIME = IndexField("time", is_time=True)

VALUES: dict[IndexField, list[IndexValue]] = {
    NUMBER: [
        None,
        -1e300,
        -(2**63),
        Decimal("-1.5"),
        -1,
        Decimal("-1E-6000"),
        0,
        5e-324,
        Decimal("0.1"),
        0.5,
        1,
        Decimal("1.000000000000000000000000000000001"),
        Decimal("9007199254740991.5"),
        2**53,
        2**53 + 1,
        2**63 - 1,
        2**63,
        Decimal("1E+6000"),
    ],
    TEXT: [None, "", "\0", " ", "10", "9", "A", "Z", "a", "e\u0301", "\u00e9", "\uffff", "🏦"],
    FLAG: [None, False, True],
    TIME: [
        None,
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        NOON.astimezone(EAST) - timedelta(microseconds=1001),
        NOON - timedelta(microseconds=1000),
        NOON.astimezone(EAST) - timedelta(microseconds=1),
        NOON.astimezone(WEST),
        NOON + timedelta(microseconds=1),
        NOON.astimezone(EAST) + timedelta(microseconds=2),
        NOON.astimezone(WEST) + timedelta(microseconds=999),
        NOON + timedelta(milliseconds=1),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ],
}
"""Values of each kind, ascending."""

EQUAL: dict[IndexField, list[IndexValue]] = {
    NUMBER: [0, 0.0, -0.0, Decimal(0), Decimal("-0.00"), Decimal("0E+10")],
    TEXT: ["a", "a"],
    FLAG: [True, True],
    TIME: [NOON, NOON.astimezone(EAST), NOON.astimezone(WEST)],
}
"""Values of each kind that are the same."""


def down(field: IndexField) -> IndexField:
    """Return a field with descending values."""
    return evolve(field, descending=True)


def by(*fields: IndexField, **changes: Any) -> Selection:
    """Return a selection that walks along an index and is ordered by all of its fields."""
    given = {"index": fields, "order": fields, "descending": fields[-1].descending}
    return Selection(**{**given, **changes})


async def put(store: Storage, documents: Mapping[str, Mapping[str, IndexValue]]) -> None:
    """Store documents with some values of indexed fields, under their keys."""
    writes = [
        ViewWrite(
            document=ViewDocument(key=key, position=1, data={"key": key}),
            replaces=0,
            indexed=indexed,
        )
        for key, indexed in documents.items()
    ]
    assert frozenset() == await store.save_documents(ORDERS, writes)


async def change(
    store: Storage, key: str, position: int, indexed: Mapping[str, IndexValue], **changes: Any
) -> None:
    """Replace the document of a key."""
    found = (await store.load_documents(ORDERS, [key])).get(key)
    assert found is not None
    document = evolve(found, position=position, **changes)
    write = ViewWrite(document=document, replaces=found.position, indexed=indexed)
    assert frozenset() == await store.save_documents(ORDERS, [write])


async def keys(store: Storage, selection: Selection) -> list[str]:
    """Return the keys of a page."""
    found = await store.select_documents(ORDERS, selection)
    return [each.key for each in found.documents]


async def walk(
    store: Storage,
    selection: Selection,
    documents: Mapping[str, Mapping[str, IndexValue]],
    limit: int,
) -> AsyncIterator[list[str]]:
    """Yield the keys of all pages, each found after the last document of the one before."""
    page = evolve(selection, limit=limit)
    while found := await keys(store, page):
        yield found
        values = [documents[found[-1]].get(field.name) for field in selection.order]
        page = evolve(page, after=(values, found[-1]))


async def walked(
    store: Storage,
    selection: Selection,
    documents: Mapping[str, Mapping[str, IndexValue]],
    limit: int,
) -> list[str]:
    """Return the keys of a whole walk."""
    return [key async for page in walk(store, selection, documents, limit) for key in page]


def numbered(values: Iterable[IndexValue], name: str) -> dict[str, dict[str, IndexValue]]:
    """Return documents for the values of a field, with keys that say nothing about the order."""
    listed = [*values]
    return {f"k{(number * 7) % 19:02}": {name: value} for number, value in enumerate(listed)}


MIXED: dict[str, dict[str, IndexValue]] = {
    f"k{number:02}": {
        "text": ("paid", "sent", None)[number % 3],
        "time": None if number % 5 == 4 else NOON + timedelta(microseconds=number // 6 * 500),
        "number": number % 2,
    }
    for number in range(30)
}
"""Documents with many ties."""

INDEXES = [(TEXT, down(TIME)), (NUMBER,), (TIME, TEXT), (down(TEXT),)]


def expected(*, wanted: Iterable[str], order: Sequence[tuple[str, bool]], down: bool) -> list[str]:
    """Return the keys of ``MIXED`` in an order: sorted by the last field first, then the others."""

    def rank(value: Any) -> tuple[Any, ...]:
        return () if value is None else (value,)

    found = sorted(wanted)
    if down:
        found.reverse()
    for name, descending in reversed(order):
        found = sorted(found, key=lambda key: rank(MIXED[key][name]), reverse=descending)
    return found


WALKS: dict[str, tuple[Selection, list[str]]] = {
    "two fields": (
        by(TEXT, down(TIME)),
        expected(wanted=MIXED, order=[("text", False), ("time", True)], down=True),
    ),
    "two fields backwards": (
        by(TEXT, down(TIME), order=(down(TEXT), TIME), descending=False),
        expected(wanted=MIXED, order=[("text", True), ("time", False)], down=False),
    ),
    "a known field before": (
        by(TEXT, down(TIME), order=(down(TIME),), where={"text": ["paid"]}),
        expected(
            wanted=[key for key in MIXED if MIXED[key]["text"] == "paid"],
            order=[("time", True)],
            down=True,
        ),
    ),
    "a field of several values before": (
        by(
            TEXT,
            down(TIME),
            order=(TIME,),
            descending=False,
            where={"text": ["sent", None]},
        ),
        expected(
            wanted=[key for key in MIXED if MIXED[key]["text"] != "paid"],
            order=[("time", False)],
            down=False,
        ),
    ),
    "known fields only": (
        by(down(TEXT), order=(), descending=False, where={"text": ["paid"]}),
        expected(
            wanted=[key for key in MIXED if MIXED[key]["text"] == "paid"], order=[], down=False
        ),
    ),
    "another field on the way": (
        by(TIME, TEXT, where={"number": [1], "time": Bounds(at_least=NOON)}),
        expected(
            wanted=[key for key in MIXED if MIXED[key]["number"] and MIXED[key]["time"]],
            order=[("time", False), ("text", False)],
            down=False,
        ),
    ),
    "keys": (Selection(), expected(wanted=MIXED, order=[], down=False)),
    "keys backwards": (Selection(descending=True), expected(wanted=MIXED, order=[], down=True)),
}

REFUSED: dict[str, Any] = {
    "NaN": math.nan,
    "infinity": Decimal("Infinity"),
    "35 digits": Decimal("1." + "1" * 34),
    "an int of 35 digits": 10**34 + 1,
    "a fraction beyond 2**53": Decimal("9007199254740993.5"),
    "a large exponent": Decimal("1E+6112"),
    "a time without an offset": datetime(2024, 1, 1),  # noqa: DTZ001
    "half a character": "\ud800",
    "bytes": b"x",
    "a list": ["x"],
}
