"""Declared indexes are checked when the view is made, against the type of its values."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Generic, Literal, NewType, TypeVar
from uuid import UUID

import pytest
from attrs import frozen

from eventhus import Recorded, View, in_range, one_of
from eventhus.domain.indexes import IndexField
from eventhus.errors import CompositionError, InvalidArgument
from tests.bank import Deposited

T = TypeVar("T")
Euros = NewType("Euros", Decimal)


class Status(enum.Enum):
    PAID = "paid"
    SENT = "sent"


class Level(enum.IntEnum):
    LOW = 1


class Word(str, enum.Enum):  # noqa: UP042 - the str of a StrEnum is its value
    HI = "hi"


class Odd(enum.Enum):
    A = 1
    B = "b"


@frozen
class Order:
    customer: str = ""
    total: Euros | None = None
    rate: int | float = 0
    is_gift: bool = False
    status: Status = Status.PAID
    level: Level | None = None
    channel: Literal["web", "shop"] | None = None
    placed_at: datetime | None = None
    day: date | None = None
    id: UUID | None = None
    lines: tuple[str, ...] = ()
    odd: Odd = Odd.A
    mixed: str | int = ""
    anything: Any = None
    nothing: None = None


@dataclass(frozen=True)
class Draft:
    customer: str = ""
    note: str | None = None


@frozen
class Box(Generic[T]):
    size: int = 0


def view(indexes: Any, view_type: Any = Order) -> View[Any, Any]:
    def evolve(value: Any, recorded: Recorded[Deposited]) -> Any:
        return value

    return View(
        name="orders",
        initial=Order(),
        key=lambda recorded: recorded.stream.aggregate_id,
        evolve=evolve,
        view_type=view_type,
        indexes=indexes,
    )


def test_indexes_are_read_from_names_of_fields() -> None:
    made = view(["customer", ("status", "-placed_at"), ("-customer",)])
    assert (
        (IndexField("customer"),),
        (IndexField("status"), IndexField("placed_at", descending=True, is_time=True)),
        (IndexField("customer", descending=True),),
    ) == tuple(made.indexing.declared)
    assert {"customer": "text", "status": "text", "placed_at": "time"} == {
        name: kind.kind for name, kind in made.indexing.fields.items()
    }
    assert {} == view([]).indexing.fields
    assert {} == view([]).indexing.values(Order())


REFUSED: dict[str, tuple[Any, str]] = {
    "no list": ("customer", "indexes must be a list, found 'customer'"),
    "a number": (7, "indexes must be a list, found 7"),
    "an empty index": ([()], r"an index is the name of a field or a tuple of up to 15, found \(\)"),
    "a list in it": ([["customer"]], "an index is the name of a field or a tuple"),
    "too many fields": ([("customer",) * 16], "an index is the name of a field or a tuple"),
    "a number in it": ([(7,)], "an index holds 7 instead of a field's name"),
    "twice a field": ([("customer", "-customer")], "the field customer is twice in one index"),
    "twice an index": (["customer", ("customer",)], "is declared twice; remove one"),
    "too many indexes": (
        [
            (first, second)
            for first in ("customer", "total", "rate", "is_gift", "status", "level")
            for second in ("channel", "-channel", "placed_at", "-placed_at", "day", "id")
        ],
        "36 indexes; the limit is 30",
    ),
    "an unknown field": (["custmer"], "'custmer' is not a field of its values .* customer, total"),
    "an empty name": ([""], "'' is not a field"),
    "a tuple": (["lines"], r"the values of lines, tuple\[str, \.\.\.\], cannot be compared"),
    "an enum of two kinds": (["odd"], r"the values of odd cannot be compared .*\(Odd\)"),
    "two kinds": (["mixed"], r"the values of mixed cannot be compared .*\(int, str\)"),
    "any type": (["anything"], r"the values of anything cannot be compared .*\(Any\)"),
    "only None": (["nothing"], "'nothing' is not a field"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_indexes_that_make_no_sense_are_refused(name: str) -> None:
    indexes, message = REFUSED[name]
    with pytest.raises(CompositionError, match=f"view orders: .*{message}"):
        view(indexes)


@pytest.mark.parametrize("view_type", [int, dict[str, int], None, list[Order]])
def test_values_without_fields_have_no_indexes(view_type: Any) -> None:
    with pytest.raises(CompositionError, match="their fields are: none"):
        view(["customer"], view_type)


def test_annotations_that_cannot_be_resolved_are_refused() -> None:
    class Hidden:
        pass

    @frozen
    class Local:
        a: Hidden

    with pytest.raises(CompositionError, match=r"of .*Local cannot be resolved .*Hidden"):
        view(["a"], Local)


def test_values_of_several_classes_may_lack_a_field() -> None:
    made = view(["customer", "note"], Order | Draft | None)
    assert {"customer": "a", "note": None} == made.indexing.values(Order("a"))
    assert {"customer": "b", "note": "n"} == made.indexing.values(Draft("b", "n"))
    assert {"size": 3} == view(["size"], Box[int]).indexing.values(Box[int](3))


NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
EAST = timezone(timedelta(hours=14))

VALUES: list[tuple[str, Any, Any]] = [
    ("customer", "ü", "ü"),
    ("total", Decimal("1.50"), Decimal("1.50")),
    ("total", None, None),
    ("total", 2, 2),
    ("total", Decimal("1E+400"), Decimal("1E+400")),
    ("rate", 10**34 - 1, 10**34 - 1),
    ("rate", Level.LOW, 1),
    ("customer", Word.HI, "hi"),
    ("rate", 0.5, 0.5),
    ("is_gift", True, True),
    ("status", Status.SENT, "sent"),
    ("level", Level.LOW, 1),
    ("channel", "web", "web"),
    ("placed_at", NOON, NOON),
    ("placed_at", NOON.astimezone(EAST), NOON),
    ("day", date(2024, 2, 29), "2024-02-29"),
    ("id", UUID(int=1), "00000000-0000-0000-0000-000000000001"),
]


@pytest.mark.parametrize(("name", "value", "indexed"), VALUES)
def test_values_have_a_form_that_stores_compare(name: str, value: Any, indexed: Any) -> None:
    (found,) = view([name]).indexing.values(Order(**{name: value})).values()
    assert (indexed, type(indexed)) == (found, type(found))
    if isinstance(found, datetime):
        assert UTC is found.tzinfo


WRONG: list[tuple[str, Any, str]] = [
    ("customer", 7, "a value is a int instead of str"),
    ("customer", date(2024, 2, 29), "a value is a date instead of str"),
    ("customer", UUID(int=1), "a value is a UUID instead of str"),
    ("customer", "secret \ud800", "a text is not whole Unicode"),
    ("total", "1.50", "a value is a str instead of Decimal"),
    ("total", Decimal("NaN"), "a number is not finite"),
    ("total", Decimal("sNaN"), "a number is not finite"),
    ("total", Decimal("-Infinity"), "a number is not finite"),
    ("rate", float("inf"), "a number is not finite"),
    ("rate", -(10**34), "a number has more than 34 digits"),
    ("rate", 10**400, "a number has more than 34 digits"),
    ("rate", True, "a value is a bool instead of float or int"),
    ("rate", Odd.A, "a value is a Odd instead of float or int"),
    ("is_gift", 1, "a value is a int instead of bool"),
    ("placed_at", "now", "a value is a str instead of datetime"),
    ("placed_at", NOON.replace(tzinfo=None), "a time has no UTC offset"),
    ("placed_at", datetime(1, 1, 1, tzinfo=EAST), "a time is before the year 1 or after"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_values_that_cannot_be_compared_are_refused_without_quoting_them(
    name: str, value: Any, message: str
) -> None:
    with pytest.raises(ValueError, match=f"field {name} cannot be compared: {message}") as caught:
        view([name]).indexing.values(Order(**{name: value}))
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_conditions_without_a_bound_or_with_too_many_values_are_refused() -> None:
    with pytest.raises(InvalidArgument, match="in_range needs a bound"):
        in_range()
    assert 100 == len(one_of(*range(100)).values)
    with pytest.raises(InvalidArgument, match="one_of got 101 values"):
        one_of(*range(101))
