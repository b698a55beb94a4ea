"""Tests of sample values."""

import datetime as dt
import sys
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Annotated, Any, Generic, Literal, NewType, Optional, TypeVar, Union
from uuid import UUID

import pytest
from attrs import Factory, field, frozen
from typing_extensions import TypeAliasType

from eventhus_cattrs import CattrsCodec
from eventhus_testing.golden.sample_values import NoSampleValue, sample_value


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
    """A class with every type of field that the codec knows."""

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
    old_note: Optional[str]  # noqa: UP045 - still common
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


@frozen
class Lost:
    seat: "Nowhere"  # type: ignore[name-defined]  # noqa: F821


T = TypeVar("T")
K = TypeVar("K")


@frozen
class Pair(Generic[K, T]):
    left: K
    right: T


Pairs = TypeAliasType("Pairs", dict[K, Pair[int, T]], type_params=(K, T))


@frozen
class Content(Generic[T]):
    content: T


@frozen
class Labelled(Content[str], Generic[T]):
    label: T


@frozen
class Shelf(Content[Pair[int, str]]):
    """A class whose base and fields use type variables of the same name."""

    labelled: list[Labelled[Seat]]
    flag: bool


def test_the_codec_accepts_a_sample_of_every_type_of_field() -> None:
    made = sample_value(Everything)
    codec = CattrsCodec()
    data = codec.encoder(Everything)(made)
    assert made == codec.decoder(Everything)(data)
    assert ("note", "old_note", "user") == (made.note, made.old_note, made.user)
    assert (Colour.RED, "small", Seat(1, 1)) == (made.colour, made.kind, made.seat)
    assert ([Seat(1, 1)], {"key": Seat(1, 1)}) == (made.seats, made.by_name)


def test_sample_values_are_the_same_each_time() -> None:
    assert sample_value(Everything) == sample_value(Everything)


def test_type_variables_take_their_arguments_in_a_class_and_its_bases() -> None:
    made = sample_value(Shelf)
    assert Shelf(Pair(1, "right"), [Labelled("content", Seat(1, 1))], True) == made
    codec = CattrsCodec()
    assert made == codec.decoder(Shelf)(codec.encoder(Shelf)(made))


def test_an_alias_passes_its_arguments_on() -> None:
    assert {"key": Pair(1, 1.5)} == sample_value(Pairs[str, float])


@pytest.mark.skipif(sys.version_info < (3, 12), reason="Python has no type statement before 3.12")
def test_an_alias_of_the_type_statement_is_resolved() -> None:
    names: dict[str, Any] = {}
    exec("type Name = str", names)
    assert "name" == sample_value(names["Name"], "name")
    exec("type Gone = Nowhere", names)
    with pytest.raises(NoSampleValue, match="Gone cannot be resolved"):
        sample_value(names["Gone"])


def test_a_type_that_contains_itself_gets_an_empty_collection_or_none() -> None:
    assert Tree("name", [], None) == sample_value(Tree)


@pytest.mark.parametrize(
    ("as_type", "message"),
    [
        (Picky, r"Picky refuses {'amount': 1}: ValueError"),
        (Endless, "Endless contains itself"),
        (Any, "Any"),
        (T, "the type variable T has no argument"),
        (Pair, "the type variable K has no argument"),
        (Lost, "a type in Lost cannot be resolved"),
        (complex, "complex"),
        (Picky | Endless, r"Picky \| .*Endless"),
        (list[Picky], "Picky refuses"),
    ],
    ids=str,
)
def test_a_type_without_a_sample_value_is_named(as_type: Any, message: str) -> None:
    with pytest.raises(NoSampleValue, match=message):
        sample_value(as_type)


Rule = TypeAliasType("Rule", Union[list["Rule"], dict[str, "Rule"], str])  # type: ignore[misc]  # noqa: UP007


def test_an_alias_that_contains_itself_ends() -> None:
    assert [] == sample_value(Rule)
