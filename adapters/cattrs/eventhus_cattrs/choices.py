"""Coders for values of a fixed set: enums and literals."""

from __future__ import annotations

from enum import Enum, Flag
from functools import reduce
from operator import or_
from types import NoneType
from typing import Any

from eventhus_cattrs.coder import Coder
from eventhus_cattrs.problems import Mismatch, Unsupported, expected, type_text
from eventhus_cattrs.scalars import SCALARS, store_int


def enum_coder(cls: type[Enum]) -> Coder:
    """Return a coder for an enum, by the values of its members."""
    members = {member.value: member for member in cls.__members__.values()}
    classes = frozenset(map(type, members))
    if not members:
        raise Unsupported(f"{cls.__qualname__} has no members")
    if not classes <= {str, int}:
        raise Unsupported(f"{cls.__qualname__} has values that are neither str nor int")
    for value in members:
        _check_storable(value, cls.__qualname__)
    known_bits = reduce(or_, members, 0) if issubclass(cls, Flag) else None

    def encode(value: Any) -> Any:
        if type(value) is not cls:
            raise expected(cls.__name__, value)
        stored = value._value_  # ``value`` is a property and costs four times as much
        if known_bits is not None and stored not in members and stored & ~known_bits:
            raise Mismatch(f"has bits that are not flags of {cls.__name__}")
        return stored

    def decode(data: Any, _: Any = None) -> Enum:
        if type(data) not in classes:
            data = store_int(data)
            if type(data) not in classes:
                raise expected(f"{' or '.join(sorted(map(type_text, classes)))}", data)
        member = members.get(data)
        if member is not None:
            return member
        if known_bits is not None and data & ~known_bits:
            # An IntFlag would cache a member for each such number for ever.
            raise Mismatch(f"has bits that are not flags of {cls.__name__}")
        try:
            return cls(data)  # a combination of flags, or what _missing_ knows
        except ValueError:
            raise Mismatch(f"is not a value of {cls.__name__}") from None

    return Coder(encode=encode, decode=decode, values=frozenset({cls}), data=classes)


def literal_coder(values: tuple[Any, ...]) -> Coder:
    """Return a coder for the values of a ``Literal``."""
    # The keys include the class, because 1, True and 1.0 are equal.
    encoded = {
        (type(value), value): value.value if isinstance(value, Enum) else value for value in values
    }
    for data in encoded.values():
        if type(data) not in (str, int, bool, NoneType):
            raise Unsupported(f"a Literal of {type_text(type(data))} cannot be stored")
        _check_storable(data, "the Literal")
    decoded = {(type(data), data): value for (_, value), data in encoded.items()}
    if len(decoded) != len(encoded):
        raise Unsupported("two values of the Literal are stored as the same data")
    problem = f"is not one of {', '.join(map(repr, encoded.values()))}"

    def encode(value: Any) -> Any:
        try:
            return encoded[type(value), value]
        except (KeyError, TypeError):  # TypeError if it cannot be hashed
            raise Mismatch(problem) from None

    def decode(data: Any, _: Any = None) -> Any:
        data = store_int(data)
        try:
            return decoded[type(data), data]
        except (KeyError, TypeError):
            raise Mismatch(problem) from None

    return Coder(
        encode=encode,
        decode=decode,
        values=frozenset(cls for cls, _ in encoded),
        data=frozenset(cls for cls, _ in decoded),
    )


def _check_storable(data: Any, owner: str) -> None:
    try:
        SCALARS[type(data)].encode(data)
    except Mismatch as mismatch:
        raise Unsupported(f"a value of {owner} {mismatch.problem}") from None
