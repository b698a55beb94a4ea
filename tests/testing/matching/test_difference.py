"""Differences between two values, with remarks on those that are easy to overlook."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

import attrs
import pytest
from attrs import frozen

from eventhus_testing.matching.difference import differences

HERE = __name__


@frozen
class Point:
    x: Any
    y: Any = 0
    note: str = attrs.field(default="", eq=False)


@frozen
class Place:
    x: Any
    y: Any = 0


@frozen
class Marker:
    pass


@dataclass
class Circle:
    center: Any
    radius: int = 1


class Sign(Enum):
    PLUS = "+"
    MINUS = "-"


class Opaque:
    """A class without ``__eq__``."""

    def __repr__(self) -> str:
        return "Opaque()"


@pytest.mark.parametrize(
    ("expected", "actual", "lines"),
    [
        (1, 1, []),
        (1, 2, []),
        (Point(1), Point(1), []),
        (Point(1), Point(2), ["x: expected 1, actual 2"]),
        (Point(1, 2), Point(3, 4), ["x: expected 1, actual 3", "y: expected 2, actual 4"]),
        (Point(1, note="a"), Point(2, note="b"), ["x: expected 1, actual 2"]),
        (Point(Point(1)), Point(Point(2)), ["x.x: expected 1, actual 2"]),
        (Circle(Point(1)), Circle(Point(2)), ["center.x: expected 1, actual 2"]),
        ({"a": 1, "b": 2}, {"a": 1, "b": 3}, ["['b']: expected 2, actual 3"]),
        (
            {"a": 1},
            {"b": 1},
            ["['a']: expected 1, actual nothing", "['b']: expected nothing, actual 1"],
        ),
        ([1, [2]], [1, [3]], ["[1][0]: expected 2, actual 3"]),
        ((1,), (1, 2), ["[1]: expected nothing, actual 2"]),
        ({1, 2}, {1, 3}, ["missing 2; extra 3"]),
        (Point({1}), Point({2}), ["x: missing 1; extra 2"]),
        (Point({1}), Point({1, 10, 9}), ["x: extra 9, 10"]),
        (Point(frozenset({1, "a"})), Point(frozenset()), ["x: missing 'a', 1"]),
        (
            [lambda number: number > 1],
            [],
            ["[0]: expected a value that satisfies (lambda number: number > 1), actual nothing"],
        ),
        ("1", 1, ["only the type differs: expected str, actual int"]),
        (
            Point("1"),
            Point(1),
            ["x: expected '1', actual 1 (only the type differs: expected str, actual int)"],
        ),
        (Point("1"), Point(2), ["x: expected '1', actual 2"]),
        (
            Point(1),
            Place(1),
            [f"equal data, but of another class: expected {HERE}.Point, actual {HERE}.Place"],
        ),
        (Point(1), Place(2), []),
        (Marker(), Point(1), []),
        ([1], (1,), ["equal data, but of another class: expected list, actual tuple"]),
        (Sign.PLUS, Sign.MINUS, []),
        (Opaque(), Opaque(), [f"{HERE}.Opaque compares by identity; give it __eq__"]),
    ],
)
def test_differences_name_the_smallest_differing_parts(
    expected: object, actual: object, lines: list[str]
) -> None:
    assert lines == differences(expected, actual)
