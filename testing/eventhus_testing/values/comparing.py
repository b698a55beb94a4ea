"""Structural comparison of values."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import fractions
import ipaddress
import pathlib
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import NoneType
from typing import Any

import attrs

from eventhus_cattrs.frozen_clock import plain_class
from eventhus_testing.values.truth import is_true

ATOMS: frozenset[type] = frozenset(
    {
        NoneType,
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        range,
        decimal.Decimal,
        fractions.Fraction,
        uuid.UUID,
        dt.datetime,
        dt.date,
        dt.time,
        dt.timedelta,
        dt.timezone,
        ipaddress.IPv4Address,
        ipaddress.IPv6Address,
        pathlib.PurePosixPath,
    }
)
"""Immutable classes whose values are compared as a whole."""

_SIMPLE = frozenset({NoneType, bool, int, str})
"""The classes of nearly all values, for which ``==`` is enough."""

CLOCKS: frozenset[type] = frozenset({dt.datetime, dt.time})
"""Classes of values that may have an offset from UTC."""


def type_of(value: object) -> Any:
    """Return the class of a value; the plain one for a datetime or date of a frozen clock."""
    cls: Any = type(value)
    return plain_class(cls)


def same_moment(one: Any, other: Any) -> bool:
    """Return whether two datetimes or times of day are one moment, whatever their offsets.

    ``==`` never holds between two zones in an hour that one of them repeats or skips.
    """
    offset, other_offset = one.utcoffset(), other.utcoffset()
    if offset is None or other_offset is None or offset == other_offset:
        return same_clock(one, other)
    if isinstance(one, dt.time):
        return bool(one == other)
    # Subtracting the offsets from the wall clocks could leave the years from 1 to 9999.
    clocks_apart = one.replace(tzinfo=None) - other.replace(tzinfo=None)
    return bool(clocks_apart == offset - other_offset)


def same_clock(one: Any, other: Any) -> bool:
    """Return whether two datetimes or times of day have the same wall clock and offset."""
    return bool(
        one.replace(tzinfo=None) == other.replace(tzinfo=None)
        and one.utcoffset() == other.utcoffset()
    )


@lru_cache(maxsize=1024)
def _compared_fields(cls: Any) -> tuple[str, ...] | None:
    """Return the fields that take part in comparison, or ``None`` for other classes."""
    if attrs.has(cls):
        return tuple(field.name for field in attrs.fields(cls) if field.eq)
    if dataclasses.is_dataclass(cls):
        return tuple(field.name for field in dataclasses.fields(cls) if field.compare)
    return None


def same(one: Any, other: Any) -> bool:
    """Return whether two values have the same classes and the same content at every level.

    Unlike ``==``, this tells ``1``, ``1.0`` and ``True`` apart. It treats a NaN as equal to a NaN,
    and compares the attributes of objects whose ``==`` compares identity.
    """
    if type(one) is type(other) and type(one) in _SIMPLE:
        return bool(one == other)
    cls = type_of(one)
    if cls is not type_of(other):
        return False
    if one is other:
        return True
    if cls in CLOCKS:
        return same_moment(one, other)
    if cls in ATOMS:
        return bool(one == other) or (one != one and other != other)  # noqa: PLR0124 - NaN
    names = _compared_fields(cls)
    if names is not None:
        for name in names:  # noqa: SIM110 - a generator costs as much as the rest
            if not same(getattr(one, name), getattr(other, name)):
                return False
        return True
    if isinstance(one, list | tuple):
        items: Sequence[Any] = one
        return len(items) == len(other) and all(map(same, items, other))
    if isinstance(one, Mapping):
        mapping: Mapping[Any, Any] = one
        return mapping.keys() == other.keys() and all(
            same(value, other[key]) for key, value in mapping.items()
        )
    if compares_by_identity(one):
        return hasattr(one, "__dict__") and same(vars(one), vars(other))
    return equal(one, other)


def equal(one: Any, other: Any) -> bool:
    """Return what ``==`` says of two values.

    Raises:
        TypeError: It answers with something other than a truth value, as NumPy's arrays do.
    """
    return is_true(one == other, f"{type(one).__qualname__}.__eq__")


def compares_by_identity(value: Any) -> bool:
    """Return whether the class of a value has no ``__eq__`` of its own."""
    cls: Any = type(value)
    return cls.__eq__ is object.__eq__


def parts(value: Any) -> dict[str, Any] | None:
    """Return the parts of a value by access path, such as ``.name`` or ``[0]``.

    Return ``None`` for a value without parts. Fields that a class excludes from comparison are
    left out.
    """
    cls = type_of(value)
    if cls in ATOMS:
        return None
    names = _compared_fields(cls)
    if names is not None:
        return {f".{name}": getattr(value, name) for name in names}
    if isinstance(value, Mapping):
        items: Mapping[Any, Any] = value
        return {f"[{key!r}]": item for key, item in items.items()}
    if isinstance(value, list | tuple):
        sequence: Any = value
        return {f"[{index}]": item for index, item in enumerate(sequence)}
    return None


def ordered(members: Iterable[Any]) -> list[Any]:
    """Return the members of a set in a stable order: sorted, or else sorted by ``repr``."""
    by_text = sorted(members, key=repr)
    try:
        return sorted(by_text)
    except TypeError:
        return by_text
