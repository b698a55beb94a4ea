"""The codec, the strategies and the samples of the kit accept the same types.

These are written in the syntax of Python 3.12, which earlier versions cannot parse.
"""

import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from eventhus_cattrs import CattrsCodec
from eventhus_testing import NoStrategy
from eventhus_testing.golden.sample_values import sample_value
from eventhus_testing.properties.typed_values import TypedValues
from tests.adapters.cattrs.support import composition_error, through_json

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="new syntax in Python 3.12")

SOURCE = """
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, NewType
from uuid import UUID

from attrs import field, frozen, validators

type Rule = str | list[Rule]
type Tree[T] = T | list[Tree[T]]
type Json = None | bool | int | str | list[Json] | dict[str, Json]
type Maybe[T] = T | None
type Pair[A, B] = tuple[A, B]
type Even = int | tuple[Odd, ...]
type Odd = str | Even
type Chain = tuple[int, Chain] | None
type Noted = Annotated[str, "a note"]
type Expression = Leaf | Sum
type Few = list[str]
type Named = str | Names
Names = NewType("Names", list[Named])

class Colour(Enum):
    RED = "red"

@frozen
class Leaf:
    value: int

@frozen
class Sum:
    left: "Expression"
    right: "Expression"

@frozen
class Box[T]:
    item: T
    more: "tuple[Box[T], ...]" = ()

@frozen
class Bounded[T: (int, str)]:
    items: Mapping[str, T]

@frozen
class Base[T]:
    a: T

@frozen
class Derived[T, U](Base[U]):
    b: T

@frozen
class Wide:
    rule: Rule
    json: dict[str, Json]
    box: Box[Maybe[int]]
    tree: Tree[Colour]
    few: Few = field(validator=validators.max_len(2))
"""
DEFAULTS = """
@frozen
class Fallback[T = int]:
    item: T

type Fallbacks[T = str, U = list[T]] = tuple[T, U]

@frozen
class Both:
    one: Fallback
    other: Fallbacks
"""
TYPES = [
    "Rule",
    "Tree[int]",
    "Json",
    "Maybe[Pair[str, int]]",
    "Even",
    "Odd",
    "Chain",
    "Noted",
    "Expression",
    "Named",
    "Box[int]",
    "Box[Rule]",
    "Bounded[int]",
    "Derived[int, str]",
    "Wide",
    "list[Json]",
    "dict[str, Rule]",
    "tuple[Even, Odd]",
    "Annotated[Rule, 1] | None",
    *(["Fallback", "Fallback[str]", "Fallbacks", "Both"] if sys.version_info >= (3, 13) else []),
]


def declared(source: str, *, postponed: bool, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Execute a module."""
    module = ModuleType("declared_types")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    future = "from __future__ import annotations\n" if postponed else ""
    exec(compile(future + source, module.__name__, "exec", dont_inherit=True), vars(module))
    return vars(module)


@pytest.mark.parametrize("postponed", [False, True])
@pytest.mark.parametrize("type_text", TYPES)
def test_values_of_type_parameters_and_aliases_are_made_and_stored(
    type_text: str, postponed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SOURCE + (DEFAULTS if sys.version_info >= (3, 13) else "")
    as_type = eval(type_text, declared(source, postponed=postponed, monkeypatch=monkeypatch))

    @settings(
        max_examples=20,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    @given(TypedValues({}).of(as_type, type_text))
    def check(value: Any) -> None:
        assert value == through_json(as_type, value, CattrsCodec())

    check()
    sample = sample_value(as_type)
    assert sample == through_json(as_type, sample, CattrsCodec())


ENDLESS = """
from attrs import frozen
type Lost = list[Nowhere]
type Cyclic = Cyclic
type Member = int | Member
type Growing[T] = T | list[Growing[list[T]]]
type Many[*Ts] = tuple[*Ts]

@frozen
class Box[T]:
    item: "Box[list[T]] | None"
"""


@pytest.mark.parametrize(
    ("type_text", "error", "no_strategy"),
    [
        (
            "Lost",
            "Lost: Lost cannot be resolved (name 'Nowhere' is not defined)",
            "Lost cannot be resolved (name 'Nowhere' is not defined); pass a strategy",
        ),
        (
            "Cyclic",
            "Cyclic: Cyclic cannot be resolved (it stands for itself)",
            "Cyclic cannot be resolved (it stands for itself); pass a strategy",
        ),
        ("Member", "Member: Member cannot be resolved (it is a member of itself)", None),
        (
            "Growing[int]",
            (
                "Growing[int] contains itself without end; let it do so in a list, a dict or a "
                "class, and with the same arguments"
            ),
            "its type contains itself without end; pass a strategy",
        ),
        (
            "Box[int]",
            (
                "Box[int] contains itself without end; let it do so in a list, a dict or a "
                "class, and with the same arguments"
            ),
            "its type contains itself without end; pass a strategy",
        ),
        (
            "Many[int, str]",
            (
                "Many[int, str]: Unpack[Ts] is not supported; use an attrs class or another type "
                "that the codec stores"
            ),
            "no strategy for Unpack[Ts] is known",
        ),
    ],
)
def test_types_without_end_and_unknown_names_are_refused(
    type_text: str, error: str, no_strategy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_type = eval(type_text, declared(ENDLESS, postponed=False, monkeypatch=monkeypatch))
    assert error == composition_error(as_type)
    if no_strategy is not None:
        with pytest.raises(NoStrategy) as caught:
            TypedValues({}).of(as_type, "Ordered.item")
        assert no_strategy in str(caught.value)
