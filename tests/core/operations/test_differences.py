"""Differences between two states."""

from typing import Any

import pytest

from eventhus.operations import Difference
from eventhus.operations.differences import differences

CASES: list[tuple[Any, Any, list[tuple[Any, ...]]]] = [
    (1, 1, []),
    ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}, []),
    (1, 2, [("", "changed", 1, 2)]),
    (1, True, [("", "changed", 1, True)]),
    (1, 1.0, [("", "changed", 1, 1.0)]),
    ([True], [1], [("[0]", "changed", True, 1)]),
    ({"a": 1}, [1], [("", "changed", {"a": 1}, [1])]),
    ({"a": {"b": 1}}, {"a": {"b": 2}}, [("a.b", "changed", 1, 2)]),
    ({"a": 1}, {"b": None}, [("a", "removed", 1, None), ("b", "added", None, None)]),
    ({"odd key": {"": 1}}, {"odd key": {"": 2}}, [('["odd key"][""]', "changed", 1, 2)]),
    ({'"': 1}, {}, [('["\\""]', "removed", 1, None)]),
    ([1, 2], [0, 1, 2], [("[0]", "added", None, 0)]),
    ([1, 2, 3], [1, 3], [("[1]", "removed", 2, None)]),
    ([1, 1], [1], [("[1]", "removed", 1, None)]),
    (
        {"lines": [{"price": 1}, {"price": 2}]},
        {"lines": [{"price": 1}, {"price": 3}]},
        [("lines[1].price", "changed", 2, 3)],
    ),
    ([[1], [2]], [[1, 9], [2]], [("[0][1]", "added", None, 9)]),
    ([[]], [{}], [("[0]", "changed", [], {})]),
    ([{"a": 1}], [{"b": 1}], [("[0].a", "removed", 1, None), ("[0].b", "added", None, 1)]),
]


@pytest.mark.parametrize(("before", "after", "expected"), CASES)
def test_differences_name_the_smallest_parts(
    before: Any, after: Any, expected: list[tuple[Any, ...]]
) -> None:
    found, is_cut = differences(before, after, limit=9)
    wanted = [Difference(path=p, kind=k, before=b, after=a) for p, k, b, a in expected]
    assert (wanted, False) == (found, is_cut)


def test_there_are_no_more_differences_than_asked_for() -> None:
    found, is_cut = differences(list(range(9)), list(range(9, 18)), limit=3)
    assert (["[0]", "[1]", "[2]"], True) == ([each.path for each in found], is_cut)
    _, is_cut = differences([1, 2, 3], [4, 5, 6], limit=3)
    assert not is_cut
