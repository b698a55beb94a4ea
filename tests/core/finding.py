"""A view with indexes, and questions with their answers: the same on every store."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from attrs import frozen

from eventhus import Application, Recorded, View, in_range, one_of
from tests.bank import Deposited, Script, always
from tests.core.support import add

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
EAST = timezone(timedelta(hours=14))


class Status(enum.Enum):
    OPEN = "open"
    PAID = "paid"


@frozen
class Order:
    """The value that the deposits of an account have."""

    customer: str = ""
    total: Decimal | None = None
    status: Status = Status.OPEN
    placed_at: datetime = NOON
    day: date | None = None
    is_gift: bool | None = None
    numbers: tuple[int, ...] = ()


ORDERS: Mapping[int, Order] = {
    1: Order("ann", Decimal("1.50"), Status.PAID, NOON.astimezone(EAST), date(2024, 2, 29), True),
    2: Order("bob", Decimal("1.5"), Status.OPEN, NOON, None, False),
    3: Order("ann", None, Status.PAID, NOON - timedelta(microseconds=1), date(2024, 3, 1)),
    4: Order("ann", Decimal(10), Status.OPEN, NOON + timedelta(microseconds=1), None, True),
    5: Order("cat", Decimal(9), Status.PAID, NOON, date(2023, 12, 31), False),
}
"""The values that amounts stand for."""


def evolve(value: Order, recorded: Recorded[Deposited]) -> Order | None:
    """Return the order that an amount stands for; ``None`` for 0."""
    if recorded.event.amount == 13:
        raise KeyError("secret")
    return ORDERS.get(recorded.event.amount)


def key(recorded: Recorded[Deposited]) -> str:
    """Return the account."""
    return recorded.stream.aggregate_id


orders = View(
    name="orders",
    initial=Order(),
    key=key,
    evolve=evolve,
    indexes=[
        "customer",
        ("status", "-placed_at"),
        "total",
        ("day", "is_gift"),
        "placed_at",
    ],
)

QUESTIONS: list[tuple[dict[str, Any], str]] = [
    ({}, "12345"),
    ({"where": {"customer": "ann"}}, "134"),
    ({"where": {"customer": one_of("cat", "bob")}}, "25"),
    ({"where": {"customer": one_of()}}, ""),
    ({"where": {"customer": "nobody"}}, ""),
    ({"order_by": "total"}, "31254"),
    ({"order_by": "-total"}, "45213"),
    ({"where": {"total": Decimal("1.500")}}, "12"),
    ({"where": {"total": None}}, "3"),
    ({"where": {"total": in_range(above=Decimal("1.5"))}, "order_by": "total"}, "54"),
    ({"where": {"total": in_range(at_least=1, below=10)}, "order_by": ("-total",)}, "521"),
    ({"order_by": ("status", "-placed_at")}, "42513"),
    ({"order_by": ["-status", "placed_at"]}, "31524"),
    ({"where": {"status": Status.PAID}, "order_by": "-placed_at"}, "513"),
    ({"where": {"status": one_of(*Status)}, "order_by": "placed_at"}, "31254"),
    ({"where": {"status": Status.PAID, "customer": "ann"}, "order_by": "placed_at"}, "31"),
    ({"where": {"status": Status.PAID}, "order_by": ("-status", "placed_at")}, "315"),
    ({"where": {"placed_at": NOON.astimezone(EAST)}}, "125"),
    ({"where": {"placed_at": in_range(above=NOON)}, "order_by": "placed_at"}, "4"),
    ({"where": {"placed_at": in_range(at_most=NOON)}, "order_by": "-placed_at"}, "5213"),
    ({"order_by": ("day", "is_gift")}, "24513"),
    ({"where": {"day": None}, "order_by": "-is_gift"}, "42"),
    ({"where": {"day": date(2024, 2, 29), "is_gift": True}}, "1"),
    ({"where": {"is_gift": one_of(None, True), "day": one_of(None, date(2024, 3, 1))}}, "34"),
]
"""Arguments of ``find``, and the keys of the answer in order."""


async def fill(app: Application) -> None:
    """Place the orders, each twice, and one more that is deleted."""
    for amount in (3, 1, 5, 2, 4):
        other = amount % 5 + 1
        events = [Deposited(other), Deposited(amount)]
        await app.dispatch(Script(aggregate_id=str(amount), decide=always(*events)))
    await add(app, 1, 0, aggregate_id="gone")
    await app.caught_up(orders)


async def answers(app: Application, question: Mapping[str, Any], limit: int = 100) -> str:
    """Return the keys of all pages, after checking their values."""
    keys: list[str] = []
    after: str | None = None
    while True:
        page = await app.find(orders, **question, limit=limit, after=after)
        assert [ORDERS[int(each.key)] for each in page.items] == [each.value for each in page.items]
        keys += [each.key for each in page.items]
        after = page.cursor
        if after is None:
            return "".join(keys)


async def all_answers(app: Application, limits: Sequence[int] = (1, 2, 5, 100)) -> list[str]:
    """Return the questions whose answers are wrong, with these."""
    wrong: list[str] = []
    for question, keys in QUESTIONS:
        for limit in limits:
            found = await answers(app, question, limit)
            if found != keys:
                wrong.append(f"{question} in pages of {limit}: {found} instead of {keys}")
    return wrong
