"""Finds the mutable part of a value that many aggregates share."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections import abc
from collections.abc import Iterator, Mapping
from contextlib import suppress
from enum import Enum
from types import SimpleNamespace
from typing import Any

import attrs

from eventhus.domain.type_hints import field_types
from eventhus.errors import CompositionError

_MUTABLE = (abc.MutableSequence, abc.MutableSet, abc.MutableMapping, bytearray, SimpleNamespace)
_READ_ONLY = {abc.Collection, abc.Iterable, abc.Mapping, abc.Sequence, abc.Set}


def check_immutable(owner: str, initial: object) -> None:
    """Refuse an initial value with a mutable part: all aggregates or keys start from the same one.

    Args:
        owner: The aggregate, view or process, for the message.
        initial: The initial value. A field that is declared as ``Mapping``, ``Sequence`` or
            ``Set`` may hold a dict, list or set, because type checkers then guard it. Classes
            of the standard library count as immutable, collections aside, and so does any other
            class that does not let attributes be assigned.

    Raises:
        CompositionError: A part of it can be changed. The message names the first such part.
    """
    for path, cls in _mutable_parts("initial", initial):
        raise CompositionError(
            f"{owner}: {path} is a mutable {cls.__name__}, and all states start from it; use "
            f"@attrs.frozen, tuple and frozenset, and annotate a field with a dict as Mapping"
        )


def _mutable_parts(
    path: str, value: object, *, read_only: bool = False, within: tuple[int, ...] = ()
) -> Iterator[tuple[str, type]]:
    cls = type(value)
    if id(value) in within:  # it contains itself
        return
    within = (*within, id(value))
    if isinstance(value, _MUTABLE) and not read_only:
        yield path, cls
    elif attrs.has(cls) or dataclasses.is_dataclass(cls):
        if not _is_frozen(cls):
            yield path, cls
        declared: dict[str, Any] = {}
        with suppress(Exception):  # a name that only type checkers see
            declared = field_types(cls)
        for name in _field_names(cls):
            yield from _mutable_parts(
                f"{path}.{name}",
                getattr(value, name),
                read_only=_declared_read_only(declared.get(name)),
                within=within,
            )
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _mutable_parts(f"{path}[{key!r}]", item, within=within)
    elif isinstance(value, abc.Collection) and not isinstance(value, str | bytes):
        for index, item in enumerate(value):
            yield from _mutable_parts(f"{path}[{index}]", item, within=within)
    elif _has_assignable_attributes(value):
        yield path, cls


def _field_names(cls: Any) -> list[str]:
    fields = attrs.fields(cls) if attrs.has(cls) else dataclasses.fields(cls)
    return [field.name for field in fields]


def _is_frozen(cls: Any) -> bool:
    if attrs.has(cls):
        return attrs.inspect(cls).is_frozen
    return bool(cls.__dataclass_params__.frozen)


def _has_assignable_attributes(value: object) -> bool:
    cls = type(value)
    if isinstance(value, Enum) or cls.__module__.partition(".")[0] in sys.stdlib_module_names:
        return False
    slots = any(vars(base).get("__slots__") for base in cls.__mro__)
    return cls.__setattr__ is object.__setattr__ and bool(slots or getattr(value, "__dict__", None))


def _declared_read_only(annotation: Any) -> bool:
    return any(
        (typing.get_origin(each) or each) in _READ_ONLY
        for each in (annotation, *typing.get_args(annotation))  # X | None
    )
