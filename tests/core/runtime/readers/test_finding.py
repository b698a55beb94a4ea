"""Values of a view are found by declared indexes, page by page."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from attrs import evolve, frozen

from eventhus import Application, Recorded, View, in_range, one_of
from eventhus.errors import (
    InvalidArgument,
    InvalidCursor,
    KeyParked,
    NotRunning,
    UndeclaredIndex,
    ViewChanged,
)
from eventhus_memory import MemoryStore
from tests.bank import Deposited
from tests.core.finding import EAST, NOON, ORDERS, Order, Status, all_answers, fill, orders
from tests.core.readers import balances, bank
from tests.core.support import Proxy, add


@pytest.fixture
async def app() -> AsyncIterator[Application]:
    async with bank(views=[orders, balances]) as entered:
        await fill(entered)
        yield entered


async def test_every_question_has_its_answer(app: Application) -> None:
    assert [] == await all_answers(app)


async def test_a_page_tells_how_far_it_goes_and_how_to_go_on(app: Application) -> None:
    page = await app.find(orders, limit=2)
    assert [("1", ORDERS[1]), ("2", ORDERS[2])] == [(each.key, each.value) for each in page.items]
    assert await app._store.head() == page.position  # noqa: SLF001
    assert 0 == page.parked
    rest = await app.find(orders, limit=3, after=page.cursor)
    assert ["3", "4", "5"] == [each.key for each in rest.items]
    end = await app.find(orders, limit=3, after=rest.cursor)
    assert ([], None) == (end.items, end.cursor)


async def test_parked_keys_are_counted_and_left_out(app: Application) -> None:
    await add(app, 13, aggregate_id="2")
    await app.caught_up(orders)
    page = await app.find(orders)
    assert ["1", "3", "4", "5"] == [each.key for each in page.items]
    assert 1 == page.parked
    with pytest.raises(KeyParked):
        await app.view(orders, "2")


async def test_a_page_is_one_question_to_the_store() -> None:
    """Two would be of two moments."""
    store = Proxy()
    async with bank(store, views=[orders]) as app:
        await fill(app)
        await app.caught_up(orders)
        before = store.calls.copy()
        page = await app.find(orders)
        assert {"select_documents": 1} == store.calls - before
        assert await store.head() == page.position


UNDECLARED: list[tuple[dict[str, Any], str]] = [
    ({"where": {"custmer": "ann"}}, "'custmer' is not an indexed field, and those are: customer, "),
    ({"where": {"numbers": (1,)}}, "'numbers' is not an indexed field"),
    ({"where": {7: 1}}, "7 is not an indexed field"),
    ({"order_by": "numbers"}, "'numbers' is not an indexed field"),
    ({"order_by": ""}, "'' is not an indexed field"),
    ({"order_by": "customer -total"}, "is not an indexed field"),
    ({"order_by": ("placed_at", "status")}, r"add \('placed_at', 'status'\) to indexes=\[\.\.\.\]"),
    ({"order_by": ("status", "placed_at")}, r"add \('status', 'placed_at'\)"),
    ({"where": {"status": Status.PAID}}, r"add \('status'\)"),
    ({"where": {"customer": "ann"}, "order_by": "-day"}, r"add \('customer', '-day'\)"),
    ({"where": {"total": in_range(above=1)}}, "a range alone has no order; order by a field of w"),
]


@pytest.mark.parametrize(("question", "message"), UNDECLARED)
async def test_a_question_without_an_index_is_refused(
    app: Application, question: dict[str, Any], message: str
) -> None:
    with pytest.raises(UndeclaredIndex, match=f"view orders: .*{message}") as caught:
        await app.find(orders, **question)
    assert not isinstance(caught.value, ValueError)  # a web layer blames the client for those


async def test_a_view_without_indexes_is_listed_by_key(app: Application) -> None:
    await app.caught_up(balances)
    assert ["1", "2", "3"] == [each.key for each in (await app.find(balances, limit=3)).items]
    with pytest.raises(UndeclaredIndex, match="and those are: none; add 'owner' to indexes"):
        await app.find(balances, where={"owner": "ann"})


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"where": {"customer": 7}}, r"where\['customer'\] of view orders: a value is a int instead"),
    ({"where": {"customer": ["a", "b"]}}, r"where\['customer'\] .*: write one_of"),
    ({"where": {"status": "paid"}}, "a value is a str instead of Status"),
    ({"where": {"status": one_of("paid")}}, "a value is a str instead of Status"),
    ({"where": {"placed_at": in_range(above=datetime(2024, 1, 1))}}, "no UTC offset"),  # noqa: DTZ001
    ({"where": [("customer", "ann")]}, "where must be a dict of the indexed fields, found a list"),
    ({"order_by": 7}, "order_by must be the name of an indexed field, or a tuple"),
    ({"order_by": [7]}, "order_by must be the name of an indexed field, or a tuple"),
    ({"limit": 0}, "limit"),
    ({"where": {"total": 10**34 + 1}}, "a number has more than 34 digits"),
    ({"where": {"total": 10**5000}}, r"where\['total'\] of view orders: a number has more than 34"),
    ({"where": {"day": "2024-02-29"}}, "a value is a str instead of date"),
]


@pytest.mark.parametrize(("question", "message"), WRONG)
async def test_wrong_arguments_are_refused(
    app: Application, question: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message) as caught:
        await app.find(orders, **question)
    assert not isinstance(caught.value, UndeclaredIndex)


async def test_only_views_of_the_application_are_found() -> None:
    app = bank()
    with pytest.raises(NotRunning):
        await app.find(orders)
    async with app:
        with pytest.raises(InvalidArgument, match="orders is not a view or process"):
            await app.find(orders)
        with pytest.raises(InvalidArgument, match="expected a View"):
            await app.find("orders")  # type: ignore[arg-type]


def cursor(*parts: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode()


def question_of(made: str | None) -> str:
    assert made is not None
    question: str = json.loads(base64.urlsafe_b64decode(made))[0]
    return question


async def test_a_cursor_belongs_to_one_question(app: Application) -> None:
    asked: dict[str, Any] = {"where": {"customer": "ann"}}
    others: list[dict[str, Any]] = [
        {},
        {"where": {"customer": "bob"}},
        {"where": {"customer": one_of("ann", "bob")}},
        {"where": {"customer": "ann", "total": None}},
        {"order_by": "total"},
    ]
    made = (await app.find(orders, **asked, limit=1)).cursor
    assert made is not None
    for other in others:
        with pytest.raises(InvalidCursor, match="belongs to another question"):
            await app.find(orders, **other, after=made)
    with pytest.raises(InvalidCursor):
        await app.find(balances, after=made)
    assert 2 == len((await app.find(orders, **asked, after=made, limit=50)).items)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x",
        "ü",
        "W10=",
        7,
        b"x",
        "A" * 1_000_001,
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
        cursor("q"),
        cursor(1, [], "k"),
        cursor("q", {}, "k"),
        cursor("q", [], 1),
    ],
    ids=lambda wrong: repr(wrong)[:12],
)
async def test_a_text_that_is_not_a_cursor_is_refused(app: Application, wrong: Any) -> None:
    with pytest.raises(InvalidCursor, match="after of view orders"):
        await app.find(orders, after=wrong)


FORGED: dict[str, list[Any]] = {
    "total": [True, 7, "", "1", "int", "int x", "float x", "Decimal x", "Decimal NaN", "bytes 1"],
    "placed_at": [True, 7, "", "2024", "2024-01-01T00:00:00"],
    "customer": [True, 7],
    "day": [7],
}


async def test_a_forged_cursor_is_refused(app: Application) -> None:
    """A caller may pass any text, and gets that error and no other."""
    for name, values in FORGED.items():
        order: Any = ("day", "is_gift") if name == "day" else name
        question = question_of((await app.find(orders, order_by=order, limit=1)).cursor)
        rest: list[Any] = [1] if name == "day" else []
        for value in values:
            with pytest.raises(InvalidCursor):
                await app.find(orders, order_by=order, after=cursor(question, [value, *rest], "1"))
        with pytest.raises(InvalidCursor):
            await app.find(orders, order_by=order, after=cursor(question, [], "1"))
        with pytest.raises(InvalidCursor):
            await app.find(orders, order_by=order, after=cursor(question, [None], "\ud800"))
    question = question_of((await app.find(orders, order_by=("day", "is_gift"), limit=1)).cursor)
    with pytest.raises(InvalidCursor):
        await app.find(orders, order_by=("day", "is_gift"), after=cursor(question, [None, 1], "1"))


@frozen
class Score:
    points: float = 0.0


async def test_numbers_of_a_cursor_come_back_exactly() -> None:
    """Two neighbours among the floats are told apart."""

    def count(value: Score, recorded: Recorded[Deposited]) -> Score:
        return Score(0.1 + recorded.event.amount * 2**-56)

    scores = View(
        name="scores",
        initial=Score(),
        key=lambda recorded: recorded.stream.aggregate_id,
        evolve=count,
        indexes=["points"],
    )
    async with bank(views=[scores]) as app:
        for amount in (3, 1, 2):
            await add(app, amount, aggregate_id=f"k{amount}")
        await app.caught_up(scores)
        after: str | None = None
        for wanted in ("k1", "k2", "k3"):
            page = await app.find(scores, order_by="points", limit=1, after=after)
            assert [wanted] == [each.key for each in page.items]
            after = page.cursor


async def test_a_value_that_cannot_be_compared_parks_its_key() -> None:
    """The others go on, and a retry with mended code brings it back."""

    def odd(value: Order, recorded: Recorded[Deposited]) -> Order:
        first = datetime(1, 1, 1, tzinfo=EAST)  # a year earlier in UTC
        return evolve(ORDERS[1], placed_at=first if recorded.event.amount == 1 else NOON)

    broken = View(
        name="orders", initial=Order(), key=orders.key, evolve=odd, indexes=orders.indexes
    )
    store = MemoryStore()
    async with bank(store, views=[broken]) as app:
        await add(app, 1, aggregate_id="a")
        await add(app, 2, aggregate_id="b")
        await app.caught_up(broken)
        page = await app.find(broken)
        assert (["b"], 1) == ([each.key for each in page.items], page.parked)
        with pytest.raises(KeyParked):
            await app.retry(broken, "a")
    async with bank(store, views=[orders]) as app:
        await app.retry(orders, "a")
        page = await app.find(orders)
        assert (["a", "b"], 0) == ([each.key for each in page.items], page.parked)


async def test_another_indexed_field_needs_another_version() -> None:
    """Its values are not in the documents that are there. Other indexes of the same fields are."""
    store = MemoryStore()
    narrow = View(
        name="orders", initial=Order(), key=orders.key, evolve=orders.evolve, indexes=["customer"]
    )
    other = View(
        name="orders",
        initial=Order(),
        key=orders.key,
        evolve=orders.evolve,
        indexes=["-customer"],
    )
    for view in (narrow, other):
        async with bank(store, views=[view]):
            pass
    with pytest.raises(ViewChanged, match=r"indexed fields \(customer: text\), .*placed_at: time"):
        await bank(store, views=[orders]).__aenter__()
