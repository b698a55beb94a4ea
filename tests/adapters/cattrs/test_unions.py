"""How the members of a union are told apart."""

from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Generic, Literal, NewType, TypeVar, Union

import pytest
import typing_extensions
from attrs import field, frozen, make_class

from eventhus_cattrs import CattrsCodec
from tests.adapters.cattrs.support import (
    CODEC,
    composition_error,
    decode_error,
    encode_error,
    through_json,
)

T = TypeVar("T")


@frozen
class Card:
    """A way to pay."""

    number: str


@frozen
class Cash:
    """Another."""


@frozen
class Invoice:
    """A third."""

    due: date


@frozen
class Voucher(Generic[T]):
    """A generic one."""

    value: T


class Gift(Enum):
    """One that is no attrs class."""

    CARD = "card"


@frozen
class Paid:
    """An event that holds a union."""

    by: Card | Cash | None
    also: tuple[Card | Cash, ...] = ()


Electronic = typing_extensions.TypeAliasType("Electronic", Card | Voucher[int])
Secret = NewType("Secret", Card)


@pytest.mark.parametrize(
    ("as_type", "value", "data"),
    [
        (Card | Cash, Card("1"), {"_type": "Card", "number": "1"}),
        (Card | Cash, Cash(), {"_type": "Cash"}),
        (Card | Cash | None, None, None),
        (Union[Card, Cash | None], Cash(), {"_type": "Cash"}),  # noqa: UP007
        (Electronic | Cash, Voucher(5), {"_type": "Voucher", "value": 5}),
        (Electronic | None, Card("1"), {"_type": "Card", "number": "1"}),
        (Secret | Cash, Card("1"), {"_type": "Card", "number": "1"}),
        (Annotated[Card, 1] | Cash, Card("1"), {"_type": "Card", "number": "1"}),
        (Card | str, Card("1"), {"number": "1"}),
        (Card | str, "1", "1"),
        (Card | Cash | str | list[int], [1], [1]),
        (int | str, 1, 1),
        (int | str, "1", "1"),
        (int | float, 1, 1),
        (int | float, 1.0, 1.0),
        (bool | int, True, True),
        (bool | int, 1, 1),
        (Decimal | int | None, Decimal(1), "1"),
        (Gift | int, Gift.CARD, "card"),
        (Literal["none"] | list[str], "none", "none"),
        (dict[str, int] | tuple[int, ...], (1,), [1]),
        (dict[str, int] | tuple[int, ...], {"a": 1}, {"a": 1}),
        (Paid, Paid(None), {"by": None, "also": []}),
        (
            Paid,
            Paid(Card("1"), (Cash(), Card("2"))),
            {
                "by": {"_type": "Card", "number": "1"},
                "also": [{"_type": "Cash"}, {"_type": "Card", "number": "2"}],
            },
        ),
        (dict[str, Card | Cash], {"a": Cash()}, {"a": {"_type": "Cash"}}),
    ],
)
def test_members_are_told_apart(as_type: Any, value: object, data: object) -> None:
    """By the class of the data, and attrs classes by their name."""
    encoded = CODEC.encoder(as_type)(value)
    assert data == encoded
    assert type(data) is type(encoded)
    decoded = through_json(as_type, value)
    assert value == decoded
    assert type(value) is type(decoded)


def test_the_tag_comes_first() -> None:
    """A reader of the data then knows which fields follow."""
    assert ["_type", "number"] == list(CODEC.encoder(Card | Cash)(Card("1")))


def test_a_float_beside_no_int_takes_ints() -> None:
    """As a float does on its own."""
    for given in (CODEC.encoder(float | str)(3), CODEC.decoder(float | str)(3)):
        assert given == 3.0
        assert type(given) is float


def test_the_data_is_left_alone() -> None:
    """Also the tag in it."""
    data = {"_type": "Card", "number": "1"}
    assert Card("1") == CODEC.decoder(Card | Cash)(data)
    assert {"_type": "Card", "number": "1"} == data


@pytest.mark.parametrize(
    ("as_type", "value", "message"),
    [
        (Card | Cash, None, "expected Card | Cash, found None"),
        (Card | Cash, Invoice(date(2025, 1, 1)), "expected Card | Cash, found Invoice"),
        (Paid, Paid(Invoice(date(2025, 1, 1))), "by: expected Card | Cash | None, found Invoice"),  # type: ignore[arg-type]
        (Card | Cash, Card(1), "number: expected str, found int"),  # type: ignore[arg-type]
        (Card | Cash | int, True, "expected int, found bool"),
        (Card | str, Cash(), "expected Card | str, found Cash"),
    ],
)
def test_is_not_encoded(as_type: Any, value: object, message: str) -> None:
    """What is no member is named, and so is what is wrong inside one."""
    assert message == encode_error(as_type, value)


@pytest.mark.parametrize(
    ("as_type", "data", "message"),
    [
        (Card | Cash, [], "expected Card | Cash, found list"),
        (Card | Cash, {}, "_type: is missing"),
        (Card | Cash, {"number": "1"}, "_type: is missing"),
        (Card | Cash, {"_type": ["Card"]}, "_type: expected str, found list"),
        (Card | Cash, {"_type": "Invoice"}, "_type: does not name a member of Card | Cash"),
        (Card | Cash, {"_type": "Card"}, "number: is missing"),
        (
            Card | Cash,
            {"_type": "Cash", "number": "1"},
            "holds a field that Cash does not have; it has none",
        ),
        (
            Card | None,
            {"_type": "Card", "number": "1"},
            "holds a field that Card does not have; it has number",
        ),
        (
            Paid,
            {"by": None, "also": [{"_type": "X"}]},
            "also[0]._type: does not name a member of Card | Cash",
        ),
        (int | str, None, "expected int | str, found None"),
    ],
)
def test_is_not_decoded(as_type: Any, data: object, message: str) -> None:
    """A member is named by the data or not at all: none is guessed from the fields."""
    assert message == decode_error(as_type, data)


@frozen
class Typed:
    """A class with a field where its name would be stored."""

    kind: str = field(alias="_type")


ALIKE = (
    "two members of the union cannot be told apart, since both are stored as {}; "
    "use attrs classes, which are stored with their names"
)


@pytest.mark.parametrize(
    ("as_type", "message"),
    [
        (
            Card | make_class("Card", {"x": field(type=int)}),
            "Card | Card: two classes of the union are named Card; rename one",
        ),
        (
            Voucher[int] | Voucher[str],
            "Voucher[int] | Voucher[str]: two classes of the union are named Voucher; rename one",
        ),
        (
            Typed | Cash,
            "Typed | Cash: Typed has a field _type, where its name is stored",
        ),
        (Decimal | str, "Decimal | str: " + ALIKE.format("str")),
        (list[int] | tuple[int, ...], "list[int] | tuple[int, ...]: " + ALIKE.format("list")),
        (Card | dict[str, str], "Card | dict[str, str]: " + ALIKE.format("dict")),
        (Literal["a"] | bytes, "Literal['a'] | bytes: " + ALIKE.format("str")),
    ],
)
def test_members_that_cannot_be_told_apart(as_type: Any, message: str) -> None:
    """They are refused when the application is composed, not when the first event is read."""
    assert message == composition_error(as_type)


def test_a_field_named_type_is_fine_outside_a_union() -> None:
    """Only a union stores the name."""
    assert Typed("x") == through_json(Typed, Typed("x"))


Rule = typing_extensions.TypeAliasType("Rule", Union[int, list["Rule"], dict[str, "Rule"]])  # type: ignore[misc]  # noqa: UP007
Even = typing_extensions.TypeAliasType("Even", Union[int, tuple["Odd", ...]])  # noqa: UP007
Odd = typing_extensions.TypeAliasType("Odd", Union[str, Even])  # noqa: UP007
One = typing_extensions.TypeAliasType("One", Union[str, "Many"])
Many = NewType("Many", list[One])


@pytest.mark.parametrize(
    ("as_type", "value"),
    [
        (Rule, [1, {"a": [2]}]),
        (list[Rule], [1, {"a": [2]}]),
        (dict[str, Rule], {"a": [1, {"b": 2}]}),
        (Union[list[Rule], None], [1]),  # noqa: UP007
        (Even, ("a", (1, "b"))),
        (Odd, ("a", (1, "b"))),
        (One, ["a", ["b"]]),
        (Many, ["a", ["b"]]),
    ],
)
def test_members_that_contain_their_union_come_back_from_any_start(
    as_type: Any, value: Any
) -> None:
    """The union may be met first as an alias, or as a member that contains it."""
    assert value == through_json(as_type, value, CattrsCodec())


def test_unions_within_annotated_are_flattened() -> None:
    as_type = Annotated[Card | Cash, "a note"] | Voucher[int]
    for value in (Card("1"), Cash(), Voucher(5)):
        assert value == through_json(as_type, value)
