"""A fingerprint changes with the shape of a state, and with nothing else."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Annotated, Any, Generic, Literal, NewType, Optional, TypeVar, Union

import attrs
import pytest
from attrs import frozen
from typing_extensions import TypeAliasType

from eventhus.runtime.commands.fingerprint import fingerprint

T = TypeVar("T")


def shape(name: str = "State", /, **fields: Any) -> Any:
    """A class of a name and some fields, as one release of a program would have it."""
    attributes = {key: attrs.field(type=each) for key, each in fields.items()}
    return attrs.make_class(name, attributes, frozen=True)


def box(of_type: Any, **fields: Any) -> Any:
    """A generic class, applied to a type."""
    attributes = {key: attrs.field(type=each) for key, each in fields.items()}
    generic: Any = attrs.make_class("Box", attributes, bases=(of(Generic, T),), frozen=True)
    return generic[of_type]


def of(container: Any, argument: Any, *more: Any) -> Any:
    """``container[argument]`` of types that no type checker can know."""
    return container[(argument, *more) if more else argument]


def enum(**members: Any) -> Any:
    """An enum, as one release of a program would have it."""
    make: Any = Enum
    return make("Colour", members)


@frozen
class Node:
    """A shape that contains itself, by name."""

    value: int
    next: "Node | None"


@frozen
class Left:
    right: "Right | None"


@frozen
class Right:
    left: Left | None


def test_it_is_sixteen_hexadecimal_digits() -> None:
    """Short enough for every snapshot, long enough to tell any two shapes apart."""
    digits = fingerprint(shape(x=int), 1)
    assert 16 == len(digits)
    int(digits, 16)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(shape(x=int, y=str), shape(x=int, y=str), id="two classes alike"),
        pytest.param(shape(x=int | str), shape(x=Union[int, str]), id="spellings of a union"),  # noqa: UP007
        pytest.param(shape(x=int | None), shape(x=Optional[int]), id="spellings of optional"),  # noqa: UP045
        pytest.param(shape(x="int"), shape(x=int), id="a string annotation"),
        pytest.param(
            shape(x=shape("Inner", y=int)), shape(x=shape("Inner", y=int)), id="nested classes"
        ),
        pytest.param(shape(x=enum(RED=1)), shape(x=enum(RED=1)), id="enums"),
        pytest.param(list[int], list[int], id="no class at all"),
        pytest.param(int, int, id="a plain type"),
    ],
)
def test_equal_shapes_have_one_fingerprint(one: Any, other: Any) -> None:
    """Else every restart would throw the snapshots away."""
    assert fingerprint(one, 1) == fingerprint(other, 1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(shape(x=int), shape(y=int), id="name of a field"),
        pytest.param(shape(x=int), shape(x=str), id="type of a field"),
        pytest.param(shape(x=int), shape(x=int, y=int), id="a field more"),
        pytest.param(shape("A", x=int), shape("B", x=int), id="name of the class"),
        pytest.param(shape(x=list[int]), shape(x=list[str]), id="type of items"),
        pytest.param(shape(x=list[int]), shape(x=tuple[int, ...]), id="type of container"),
        pytest.param(shape(x=dict[str, int]), shape(x=dict[int, str]), id="order of arguments"),
        pytest.param(
            shape(x=tuple[tuple[int], str]), shape(x=tuple[tuple[int, str]]), id="nesting"
        ),
        pytest.param(shape(x=int | str), shape(x=int), id="member of a union"),
        pytest.param(shape(x=int | None), shape(x=int), id="optional"),
        pytest.param(shape(x=Literal["a"]), shape(x=Literal["b"]), id="value of a literal"),
        pytest.param(
            shape(x=shape("Inner", y=int)), shape(x=shape("Inner", y=str)), id="nested class"
        ),
        pytest.param(
            shape(x=of(list, shape("Inner", y=int))),
            shape(x=of(list, shape("Inner", z=int))),
            id="nested class in a list",
        ),
        pytest.param(
            shape(x=shape("Inner", y=int) | None),
            shape(x=shape("Inner", z=int) | None),
            id="nested class in a union",
        ),
        pytest.param(
            shape(x=of(Mapping, str, shape("Inner", y=int))),
            shape(x=of(Mapping, str, shape("Inner", z=int))),
            id="nested class in a mapping",
        ),
        pytest.param(
            shape(x=of(Annotated, shape("Inner", y=int), "note")),
            shape(x=of(Annotated, shape("Inner", z=int), "note")),
            id="nested class with a note",
        ),
        pytest.param(
            shape(x=box(int, y=int)),
            shape(x=box(int, z=int)),
            id="nested generic class",
        ),
        pytest.param(
            box(int, y=int),
            box(int, z=int),
            id="generic class",
        ),
        pytest.param(
            box(int, y=T),
            box(str, y=T),
            id="argument of a generic class",
        ),
        pytest.param(
            shape(x=NewType("Cents", int)), shape(x=NewType("Cents", float)), id="new type"
        ),
        pytest.param(shape(x=enum(RED=1)), shape(x=enum(RED=2)), id="value of an enum's member"),
        pytest.param(shape(x=enum(RED=1)), shape(x=enum(ROT=1)), id="name of an enum's member"),
        pytest.param(shape(x=enum(RED=1)), shape(x=enum(RED="1")), id="type of a member's value"),
        pytest.param(shape(x=enum(RED=1)), shape(x=enum(RED=1, BLUE=2)), id="a member more"),
    ],
)
def test_another_shape_has_another_fingerprint(one: Any, other: Any) -> None:
    """A snapshot of the one could be taken for the other and be wrong without anyone noticing."""
    assert fingerprint(one, 1) != fingerprint(other, 1)


def test_another_revision_has_another_fingerprint() -> None:
    """The rules may change where the shape does not."""
    assert fingerprint(shape(x=int), 1) != fingerprint(shape(x=int), 2)


def test_a_revision_is_not_taken_for_a_part_of_the_shape() -> None:
    """The parts are kept apart: 1 and 12 are not 11 and 2."""
    assert fingerprint(shape("2", x=int), 1) != fingerprint(shape("", x=int), 12)


@pytest.mark.parametrize("recursive", [Node, Left, Right])
def test_a_class_that_contains_itself_comes_to_an_end(recursive: type) -> None:
    """Directly or by way of another."""
    assert fingerprint(recursive, 1) == fingerprint(recursive, 1)


def test_a_class_used_twice_counts_where_it_is_used() -> None:
    """Knowing a class already does not make its use elsewhere invisible."""
    inner = shape("Inner", y=int)
    assert fingerprint(shape(x=inner, y=inner), 1) != fingerprint(shape(x=inner, y=int), 1)


def make_alias(of_type: Any) -> Any:
    """Return the alias that ``type X = …`` makes."""
    make: Any = TypeAliasType
    return make("X", of_type)


def type_statement(definition: str) -> Any:
    """The ``X`` that a statement ``type X = …`` makes, which Python 3.11 cannot even parse."""
    names: dict[str, Any] = {}
    exec(definition, names)
    return names["X"]


ALIASES = [
    pytest.param(make_alias, id="TypeAliasType"),
    pytest.param(
        lambda of_type: type_statement(f"type X = {of_type.__name__}"),
        id="type statement",
        marks=pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12"),
    ),
]


@pytest.mark.parametrize("alias", ALIASES)
def test_an_alias_is_what_it_stands_for(alias: Callable[[type], Any]) -> None:
    """Giving a type a name changes no data, and its name alone would hide a change."""
    assert fingerprint(shape(x=int), 1) == fingerprint(shape(x=alias(int)), 1)
    assert fingerprint(shape(x=alias(int)), 1) != fingerprint(shape(x=alias(str)), 1)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")
def test_an_alias_that_contains_itself_comes_to_an_end() -> None:
    """As plain JSON data is described: a list of itself."""
    one = type_statement("type X = int | list[X]")
    other = type_statement("type X = str | list[X]")
    assert fingerprint(shape(x=one), 1) != fingerprint(shape(x=other), 1)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")
def test_an_alias_with_a_parameter_counts_what_it_is_applied_to() -> None:
    """A pair of one type is not a pair of another."""
    pair = type_statement("type X[T] = tuple[T, T]")
    assert fingerprint(shape(x=pair[int]), 1) != fingerprint(shape(x=pair[float]), 1)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")
def test_a_generic_class_with_annotations_as_text_has_a_fingerprint() -> None:
    """Python before 3.12.4 does not find ``T`` in an annotation that is text."""
    names: dict[str, Any] = {"frozen": frozen, "__name__": __name__}
    exec("@frozen\nclass Box[T]:\n    item: 'T'", names)
    assert fingerprint(names["Box"][int], 1) != fingerprint(names["Box"][str], 1)


def test_every_use_of_an_alias_counts() -> None:
    age = make_alias(int)
    assert fingerprint(shape(x=int, y=int), 1) == fingerprint(shape(x=age, y=age), 1)


PRINT = """
from enum import Enum
from attrs import frozen
from eventhus.runtime.commands.fingerprint import fingerprint

class Colour(Enum):
    RED = "red"

@frozen
class State:
    next: "State | None"
    colours: frozenset[Colour]
    names: dict[str, int | str]

print(fingerprint(State, 1))
"""


def test_it_is_the_same_in_every_process() -> None:
    """Snapshots outlive the process: no address and no seeded hash may go into it."""
    printed = {
        subprocess.check_output(
            [sys.executable, "-c", PRINT], env={**os.environ, "PYTHONHASHSEED": seed}
        )
        for seed in ("1", "2")
    }
    assert 1 == len(printed)


def test_a_backported_alias_with_a_parameter_counts_both() -> None:
    """Both are the alias and its argument."""
    make: Any = TypeAliasType  # whose stubs want a TypeVar of their own
    pair = make("pair", of(tuple, T, T), type_params=(T,))
    only = make("pair", of(list, T), type_params=(T,))
    prints = {fingerprint(shape(x=each), 1) for each in (pair[int], pair[str], only[int])}
    assert 3 == len(prints)
