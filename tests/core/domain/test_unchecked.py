"""Constructors that check nothing."""

from __future__ import annotations

import copy
import pickle
from typing import Any, Generic, TypeVar

import pytest
from attrs import field, frozen
from attrs.exceptions import FrozenInstanceError

from eventhus.domain.unchecked import unchecked

T = TypeVar("T")


@frozen(weakref_slot=False)
class Point:
    x: int
    y: int = field(default=7, converter=int)

    def __attrs_post_init__(self) -> None:
        if self.x < 0:
            raise ValueError("left of the origin")


@frozen(kw_only=True, weakref_slot=False)
class Box(Generic[T]):
    size: int = 1
    value: T
    tags: list[str] = field(factory=list[str])


make_point = unchecked(Point)
make_box = unchecked(Box)


def test_the_value_is_an_ordinary_instance_of_the_class() -> None:
    point = make_point(1, 2)
    assert Point(1, 2) == point
    assert type(point) is Point
    assert hash(Point(1, 2)) == hash(point)
    assert "Point(x=1, y=2)" == repr(point)
    with pytest.raises(FrozenInstanceError):
        point.x = 3  # type: ignore[misc]


def test_copies_and_pickles_of_the_value_are_equal_to_it() -> None:
    point = make_point(1, 2)
    assert point == copy.copy(point) == copy.deepcopy(point) == pickle.loads(pickle.dumps(point))


def test_defaults_apply() -> None:
    assert Point(1) == make_point(1)
    assert Box(value="a", tags=[]) == make_box(value="a", tags=[])


def test_arguments_with_a_factory_must_be_given() -> None:
    with pytest.raises(TypeError, match="tags"):
        make_box(value="a")


def test_keywords_stay_keywords() -> None:
    with pytest.raises(TypeError, match="positional"):
        make_box(1, "a", [])  # type: ignore[call-arg]


def test_nothing_is_checked_or_converted() -> None:
    assert -1 == make_point(-1).x
    point: Any = make_point(1, "9")
    assert "9" == point.y


def test_generic_classes_and_values_with_parts_of_their_own_stay_apart() -> None:
    one, other = make_box(value=1, tags=["a"]), make_box(value=2, tags=["b"])
    assert (1, ["a"], 2, ["b"]) == (one.value, one.tags, other.value, other.tags)


def test_a_class_of_another_layout_is_refused_at_once() -> None:
    @frozen
    class Weak:
        x: int

    with pytest.raises(TypeError, match="layout"):
        unchecked(Weak)
