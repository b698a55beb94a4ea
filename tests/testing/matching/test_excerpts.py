"""Tests of how failures show large values."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

from attrs import evolve, field, frozen

from eventhus_testing import like
from eventhus_testing.matching.excerpts import excerpts


@frozen
class Address:
    street: str
    city: str
    country: str = "Germany"


@frozen
class Customer:
    name: str
    address: Address
    tags: dict[str, list[int]]
    secret: str = field(default="x", repr=False)


ANN = Customer(
    "Ann", Address("Long Street of the Town Hall", "Berlin"), {"a": [1], "b": list(range(9))}
)
MOVED = evolve(ANN, address=evolve(ANN.address, city="Bonn"), tags={"a": [1], "b": [*range(8), 7]})
VISIBLE: Any = {"ann": ANN.address, "bob": ANN.address, "cid": ANN.address}


def shows(text: str, shown: str) -> None:
    assert shown == dedent(text).strip()


def test_short_values_stay_on_one_line() -> None:
    assert excerpts(Address("x", "y"), Address("x", "z")) == (
        "Address(street='x', city='y', country='Germany')",
        "Address(street='x', city='z', country='Germany')",
    )


def test_large_values_leave_out_what_is_equal() -> None:
    expected, actual = excerpts(VISIBLE, {**VISIBLE, "bob": MOVED.address})
    shows(
        """
        {
            …
            'bob': Address(street='Long Street of the Town Hall', city='Berlin', country='Germany'),
            …
        }
        """,
        expected,
    )
    assert "city='Bonn'" in actual
    assert actual.count("…") == 2


def test_nested_values_wrap() -> None:
    expected, actual = excerpts([ANN.address, VISIBLE], [ANN.address, {**VISIBLE, "dan": 1}])
    shows(
        """
        [
            …
            {
                …
            },
        ]
        """,
        expected,
    )
    shows(
        """
        [
            …
            {
                …
                'dan': 1,
            },
        ]
        """,
        actual,
    )


def test_fields_that_are_ignored_are_left_out() -> None:
    _, actual = excerpts(VISIBLE, {**VISIBLE, "bob": MOVED.address, "cid": 1}, {"city"})
    shows("{\n    …\n    'cid': 1,\n}", actual)


def test_fields_that_like_leaves_open_are_left_out() -> None:
    long = "Long Street of the Old Town Hall 17 in the oldest quarter of the oldest town of all"
    expected, actual = excerpts(like(Address, city="Bonn"), Address(long, "Berlin"))
    shows("Address(\n    city='Bonn',\n    …\n)", expected)
    shows("Address(\n    …\n    city='Berlin',\n    …\n)", actual)


def test_values_with_a_text_of_their_own_stay_whole() -> None:
    expected, actual = excerpts(ANN, MOVED)
    assert (expected, actual) == (repr(ANN), repr(MOVED))
