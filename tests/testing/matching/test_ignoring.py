"""Tests of the names that ``ignoring`` accepts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from attrs import field, frozen

from eventhus_testing.matching.ignoring import check_ignoring
from eventhus_testing.matching.matchers import like, mask_fields


@frozen
class Price:
    cents: int
    note: str = field(default="", eq=False)


@frozen
class Order:
    prices: tuple[Price, ...] = ()
    tax: Price | None = None
    other: Any = None


@dataclass
class Basket:
    orders: dict[str, Order]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("cents", (Price(1),)),
        ("note", (Price(1),)),
        ("cents", (5, Price(1))),
        ("cents", (Order(),)),
        ("cents", (like(Order),)),
        ("cents", (mask_fields(Order((Price(1),)), {"cents"}),)),
        ("cents", (like(Order, other=like(Price)),)),
        ("cents", (Order(other=[{"a": (Price(1),)}]),)),
        ("cents", (frozenset({Price(1)}),)),
        ("cents", (Basket({}),)),
    ],
)
def test_a_field_anywhere_in_the_values_can_be_ignored(name: str, values: tuple[Any, ...]) -> None:
    check_ignoring([name], *values)


@pytest.mark.parametrize(
    ("values", "has"),
    [((Price(1), 5), "they have cents, note"), ((5, [6]), "they have no fields")],
)
def test_a_field_of_no_value_is_refused(values: tuple[Any, ...], has: str) -> None:
    with pytest.raises(TypeError, match=f"have a field 'cent'; {has}"):
        check_ignoring(["cent"], *values)
