"""A class with a field of every type that the codec supports, for tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, Flag
from typing import Annotated, Generic, Literal, NewType, TypeVar
from uuid import UUID

from attrs import Factory, field, frozen

T = TypeVar("T")
Sku = NewType("Sku", str)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Right(Flag):
    READ = 1
    WRITE = 2


@frozen
class Card:
    number: str


@frozen
class Cash:
    pass


@frozen
class Box(Generic[T]):
    content: T


@frozen
class Labelled(Box[T]):
    label: str = ""


@frozen
class Tree:
    label: str
    below: tuple[Tree, ...] = ()


class Outer:
    @frozen
    class Inner:  # noqa: D106 - nothing to say
        _secret: int


@frozen(kw_only=True)
class Everything:
    flag: bool
    number: int
    fraction: float
    text: str
    amount: Decimal
    key: UUID
    moment: datetime
    day: date
    span: timedelta
    raw: bytes
    colour: Colour
    rights: Right
    kind: Literal["a", "b", 1]
    sku: Sku
    note: Annotated[str, "shown"]
    items: list[int]
    fixed: tuple[int, str]
    row: tuple[Colour, ...]
    unique: set[int]
    frozen: frozenset[Sku]
    prices: dict[str, Decimal]
    seen: Mapping[UUID, int]
    maybe: int | None
    paid: Card | Cash
    box: Labelled[list[int]]
    tree: Tree
    inner: Outer.Inner
    count: int = 0
    names: list[str] = field(factory=list)
    doubled: int = Factory(lambda self: 2 * self.number, takes_self=True)
