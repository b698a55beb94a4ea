"""Aliases, type variables and annotations are resolved on every version of Python."""

from typing import Annotated, Any, Generic, TypeVar

import pytest
import typing_extensions
from attrs import frozen
from typing_extensions import TypeAliasType

from eventhus.domain.type_hints import (
    UnresolvedAlias,
    aliased,
    bound,
    field_types,
    substitute,
    union_members,
)

T = TypeVar("T")
# Type checkers would know variables that they saw being made, and miss their classes.
variable: Any = typing_extensions.TypeVar
variadic: Any = typing_extensions.TypeVarTuple
container: Any = dict
A, B = variable("A"), variable("B")
Fallback = variable("Fallback", default=int)
list_of: Any = list
Listed = variable("Listed", default=list_of[Fallback])
Items = variadic("Items")
alias: Any = TypeAliasType  # whose stubs want literal names and variables

Chained = alias("Chained", alias("Inner", "list[A]", type_params=(A,))[B], type_params=(B,))
Cyclic = alias("Cyclic", "Cyclic")
Growing = alias("Growing", "Growing[list[A]]", type_params=(A,))


def test_aliases_of_aliases_are_resolved() -> None:
    assert list[int] == aliased(Chained[int])


@pytest.mark.parametrize("endless", [Cyclic, Growing[int]])
def test_aliases_of_themselves_are_refused(endless: Any) -> None:
    with pytest.raises(UnresolvedAlias, match=r"cannot be resolved \(it stands for itself\)"):
        aliased(endless)


def test_type_variables_without_an_argument_have_their_defaults() -> None:
    assert {A: str, Fallback: int, Listed: list[int]} == bound((A, Fallback, Listed), [str])
    assert {Fallback: str} == bound((Fallback,), [str])
    assert {} == bound((A,), [])


def test_a_type_variable_is_replaced() -> None:
    assert int is substitute(A, {A: int})
    assert substitute(A, {B: int}) is A


def test_members_of_a_union_with_notes_are_found() -> None:
    noted: Any = Annotated[int | str, "a note"]
    assert [int, str, bytes] == [*union_members(noted | bytes)]


def test_variadic_type_variables_are_not_bound() -> None:
    """One argument would stand for all of them."""
    assert {} == bound((Items,), [int, str])
    unbound = container[A, B]
    assert unbound == substitute(unbound, {})


@frozen
class Box(Generic[T]):
    item: "T"


def test_variables_of_a_class_are_known_in_its_annotations() -> None:
    """``class Crate[Label](Box[int])`` has such variables, in its namespace only."""

    @frozen
    class Crate(Box[int]):
        label: "Label"  # type: ignore[name-defined]  # noqa: F821

    label: Any = TypeVar("Label")  # type: ignore[misc]
    crate: Any = Crate
    crate.__type_params__ = (label,)
    assert {"item": T, "label": label} == field_types(Crate)
    assert {"item": T} == field_types(Box)
