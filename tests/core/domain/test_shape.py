"""The shape of a type: the same for two spellings, another one for every change that counts."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    Optional,
    TypedDict,
    TypeVar,
)

import pytest
from attrs import frozen
from typing_extensions import TypeAliasType

from eventhus.domain.shape import shape_of

T = TypeVar("T")
Euros = NewType("Euros", Decimal)
Amount = TypeAliasType("Amount", "int | Decimal")
Tree = TypeAliasType("Tree", "Sequence[Tree] | int")


class Status(enum.Enum):
    PAID = "paid"
    SENT = 2


@frozen
class Line:
    price: Euros
    parent: Line | None = None


@dataclass(frozen=True)
class Note:
    text: str


class Point(NamedTuple):
    x: int


class Extra(TypedDict, total=False):
    gift: bool


@frozen
class Box(Generic[T]):
    content: T


SHAPES: list[tuple[Any, list[str]]] = [
    (int, ["int"]),
    (None, ["None"]),
    (Any, ["Any"]),
    (Optional[int], ["None | int"]),  # noqa: UP045 - one of two spellings
    (int | None, ["None | int"]),
    (dict[str, list[Note]], ["dict[str, list[Note]]", "Note: text: str"]),
    (Mapping[str, tuple[int, ...]], ["Mapping[str, tuple[int, ...]]"]),
    (Annotated[int, "a note"], ["int"]),
    (Euros, ["Decimal"]),
    (Literal["a", 1], ["Literal['a', 1]"]),
    (Status, ["Status", "Status: PAID='paid', SENT=2"]),
    (Line, ["Line", "Line: price: Decimal, parent: Line | None"]),
    (Point, ["Point", "Point: x: int"]),
    (Extra, ["Extra", "Extra: gift: bool"]),
    (Box[int], ["Box[int]", "Box: content: T"]),
    (Amount, ["Amount", "Amount = Decimal | int"]),
    (Tree, ["Tree", "Tree = Sequence[Tree] | int"]),
]


@pytest.mark.parametrize(("as_type", "shape"), SHAPES, ids=str)
def test_a_shape_names_every_part_of_a_type(as_type: Any, shape: list[str]) -> None:
    assert shape == shape_of(as_type)


def test_a_field_with_a_name_that_is_not_visible_is_described_as_it_is_written() -> None:
    class Hidden:
        pass

    @frozen
    class Local:
        a: Hidden

    assert ["Local", "Local: a: Hidden"] == shape_of(Local)


def test_classes_of_functions_have_the_names_of_others() -> None:
    @frozen
    class Local:
        a: int

    assert ["Local", "Local: a: int"] == shape_of(Local)
