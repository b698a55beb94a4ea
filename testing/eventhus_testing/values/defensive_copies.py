"""Copies that protect a value from functions that change their arguments."""

from __future__ import annotations

import copy
import dataclasses
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

import attrs

from eventhus_testing.values.comparing import ATOMS

T = TypeVar("T")


def copy_if_mutable(value: T) -> T | None:
    """Return a deep copy of a value, or ``None`` if it is immutable or cannot be copied.

    Copies are slow and most values are immutable, so immutable values are not copied.
    """
    if not _can_change(value):
        return None
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - a lock, for example, cannot be copied
        return None


def defensive_copy(value: T) -> T:
    """Return a copy of a mutable value, and other values as they are.

    A domain that changes its initial state by mistake must not affect the next spec.
    """
    copied = copy_if_mutable(value)
    return value if copied is None else copied


def _can_change(value: Any) -> bool:
    cls: Any = type(value)
    if cls in ATOMS:
        return False
    if cls is tuple or cls is frozenset:
        return any(map(_can_change, value))
    names = _frozen_fields(cls)
    if names is None:
        return not isinstance(value, Enum | type)
    for name in names:
        part = getattr(value, name)
        if type(part) not in ATOMS and _can_change(part):
            return True
    return False


@lru_cache(maxsize=1024)
def _frozen_fields(cls: Any) -> tuple[str, ...] | None:
    """Return the fields of a frozen attrs class or dataclass, or ``None`` for other classes."""
    if "__attrs_attrs__" in vars(cls):  # a base's fields do not count: a subclass can be mutable
        fields = attrs.fields(cls)
        return tuple(field.name for field in fields) if attrs.inspect(cls).is_frozen else None
    if dataclasses.is_dataclass(cls):
        frozen = vars(cls)["__dataclass_params__"].frozen
        return tuple(field.name for field in dataclasses.fields(cls)) if frozen else None
    return None
