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
    """A copy to compare a value with later; ``None`` where it cannot change, or be copied.

    A value that is frozen all the way down is not copied, since most are, and copies are slow.
    """
    if not _can_change(value):
        return None
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - a lock, say, which says nothing about the value
        return None


def defensive_copy(value: T) -> T:
    """A value that nobody else can change: itself, or a copy.

    What a domain with a bug does to its initial state must not get into the next spec.
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
    for name in names:  # noqa: SIM110 - a generator costs as much as the rest
        if _can_change(getattr(value, name)):
            return True
    return False


@lru_cache(maxsize=1024)
def _frozen_fields(cls: Any) -> tuple[str, ...] | None:
    """The fields of a class whose instances do not change but in their fields, if it is one."""
    if "__attrs_attrs__" in vars(cls):  # not where a base has them: an instance can have more
        fields = attrs.fields(cls)
        return tuple(field.name for field in fields) if attrs.inspect(cls).is_frozen else None
    if dataclasses.is_dataclass(cls):
        frozen = vars(cls)["__dataclass_params__"].frozen
        return tuple(field.name for field in dataclasses.fields(cls)) if frozen else None
    return None
