"""Initial values that several aggregates share."""

import dataclasses
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePosixPath
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any

import pytest
from attrs import Factory, define, frozen

from eventhus.domain.immutability import check_immutable
from eventhus.errors import CompositionError


@define
class Open:
    number: int = 0


@frozen
class Frozen:
    value: Any = None


@frozen
class Declared:
    pairs: Mapping[str, Any] = Factory(dict[str, Any])
    items: Sequence[Any] | None = Factory(list[Any])


class Plain:
    def __init__(self) -> None:
        self.number = 0


class Slotted:
    __slots__ = ("number",)


class Closed:
    def __init__(self, number: int) -> None:
        self.__dict__["number"] = number

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(name)


class Colour(Enum):
    RED = "red"


def endless() -> Frozen:
    value = Frozen()
    object.__setattr__(value, "value", (value,))
    return value


@dataclasses.dataclass
class OpenData:
    number: int = 0


@dataclasses.dataclass(frozen=True)
class FrozenData:
    value: Any = None


@pytest.mark.parametrize(
    "initial",
    [
        None,
        0,
        "text",
        b"bytes",
        Decimal(1),
        (1, ("a",)),
        frozenset({1}),
        MappingProxyType({"a": (1,)}),
        Frozen((Frozen(),)),
        FrozenData(Frozen()),
        Declared(),
        Frozen,
        Closed(1),
        Colour.RED,
        Fraction(1, 2),
        PurePosixPath("a/b"),
        object(),
        endless(),
    ],
    ids=lambda initial: type(initial).__name__,
)
def test_immutable_initial_values_are_accepted(initial: object) -> None:
    check_immutable("aggregate Lamp", initial)


@pytest.mark.parametrize(
    ("initial", "part"),
    [
        ([], "initial is a mutable list"),
        ({}, "initial is a mutable dict"),
        (set(), "initial is a mutable set"),
        (bytearray(), "initial is a mutable bytearray"),
        (deque(), "initial is a mutable deque"),
        (Open(), "initial is a mutable Open"),
        (OpenData(), "initial is a mutable OpenData"),
        (Plain(), "initial is a mutable Plain"),
        (Frozen(Slotted()), "initial.value is a mutable Slotted"),
        (SimpleNamespace(number=0), "initial is a mutable SimpleNamespace"),
        (((), []), "initial[1] is a mutable list"),
        (MappingProxyType({"a": []}), "initial['a'] is a mutable list"),
        (Frozen(Frozen([])), "initial.value.value is a mutable list"),
        (FrozenData((Open(),)), "initial.value[0] is a mutable Open"),
        (Declared({"a": []}), "initial.pairs['a'] is a mutable list"),
        (Declared(items=[{}]), "initial.items[0] is a mutable dict"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_initial_value_with_a_mutable_part_is_refused(initial: object, part: str) -> None:
    with pytest.raises(CompositionError) as caught:
        check_immutable("aggregate Lamp", initial)
    assert (
        f"aggregate Lamp: {part}, and all states start from it; use "
        f"@attrs.frozen, tuple and frozenset, and annotate a field with a dict as Mapping"
    ) == str(caught.value)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="new syntax in Python 3.12")
def test_read_only_fields_of_generic_classes_are_recognised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python before 3.12.4 does not find ``T`` in an annotation that is text."""
    monkeypatch.setitem(sys.modules, "generic_state", ModuleType("generic_state"))
    source = """
from collections.abc import Mapping
from attrs import Factory, frozen

@frozen
class State[T]:
    by_name: "Mapping[str, T]" = Factory(dict)
"""
    names = vars(sys.modules["generic_state"])
    exec(source, names)
    check_immutable("aggregate Account", names["State"]())
