"""The simplest value of a type."""

import datetime as dt
import sys
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Literal, NewType, Optional, TypeVar, Union
from uuid import UUID

import pytest
from attrs import Factory, field, frozen

from eventhus_cattrs import CattrsCodec
from eventhus_testing.simplest import NothingSimple, simplest


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 3


UserId = NewType("UserId", str)


@frozen
class Seat:
    row: int
    number: int = 7


@frozen
class Tree:
    name: str
    children: "list[Tree]" = Factory(list)
    parent: "Tree | None" = None


@frozen
class Everything:
    """Every kind of field that the codec knows."""

    text: str
    flag: bool
    count: int
    share: float
    price: Decimal
    id: UUID
    at: dt.datetime
    day: dt.date
    length: dt.timedelta
    content: bytes
    colour: Colour
    level: Level
    kind: Literal["small", "large"]
    user: UserId
    note: str | None
    old_note: Optional[str]  # noqa: UP045 - people write it so
    either: Union[int, str]  # noqa: UP007
    annotated: Annotated[int, "unit"]
    seat: Seat
    seats: list[Seat]
    row: tuple[Seat, ...]
    pair: tuple[int, str]
    names: set[str]
    tags: frozenset[str]
    by_name: dict[str, Seat]
    prices: Mapping[str, Decimal]
    _hidden: int


def _check(_instance: Any, _attribute: Any, value: int) -> None:
    if value != 42:
        raise ValueError(value)


@frozen
class Picky:
    amount: int = field(validator=_check)


@frozen
class Endless:
    next: "Endless"


T = TypeVar("T")


def test_every_field_has_a_value() -> None:
    """One that survives the codec, so its type is right."""
    made = simplest(Everything)
    codec = CattrsCodec()
    data = codec.encoder(Everything)(made)
    assert made == codec.decoder(Everything)(data)
    assert ("note", "old_note", "user") == (made.note, made.old_note, made.user)
    assert (Colour.RED, "small", Seat(1, 1)) == (made.colour, made.kind, made.seat)
    assert ([Seat(1, 1)], {"key": Seat(1, 1)}) == (made.seats, made.by_name)


def test_it_is_always_the_same() -> None:
    """Whenever it is made."""
    assert simplest(Everything) == simplest(Everything)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="there is no such statement")
def test_the_type_statement() -> None:
    """It names another type."""
    names: dict[str, Any] = {}
    exec("type Name = str", names)
    assert "name" == simplest(names["Name"], "name")


def test_a_tree_ends() -> None:
    """Where a type contains itself, there is nothing in it."""
    assert Tree("name", [], None) == simplest(Tree)


@pytest.mark.parametrize(
    ("as_type", "message"),
    [
        (Picky, r"Picky refuses {'amount': 1}: ValueError"),
        (Endless, "Endless contains itself"),
        (Any, "Any"),
        (T, "T"),
        (complex, "complex"),
        (Picky | Endless, r"Picky \| .*Endless"),
        (list[Picky], "Picky refuses"),
    ],
    ids=str,
)
def test_some_types_have_none(as_type: Any, message: str) -> None:
    """Which is said."""
    with pytest.raises(NothingSimple, match=message):
        simplest(as_type)
