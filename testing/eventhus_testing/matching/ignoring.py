"""Refuses names in ``ignoring`` that no compared value can have."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, get_args

import attrs

from eventhus.domain.type_hints import field_types
from eventhus_testing.matching.matchers import Like, class_of


def check_ignoring(ignoring: Collection[str], *values: object) -> None:
    """Refuse names that are not fields of any of these values, nor of anything inside them.

    An annotation counts as a value, so a field inside an empty list or an optional part is known.

    Args:
        ignoring: The names of fields that do not count.
        values: The expected values and the actual ones.

    Raises:
        TypeError: A name is not a field, or ``ignoring`` is a single string.
    """
    __tracebackhide__ = True
    if isinstance(ignoring, str):
        raise TypeError(f"ignoring takes a collection of names: ignoring={{{ignoring!r}}}")
    if not ignoring:
        return
    names = dict.fromkeys(name for cls in _classes(values) for name in _all_names(cls))
    for name in ignoring:
        if name not in names:
            has = f"they have {', '.join(names)}" if names else "they have no fields"
            raise TypeError(
                f"ignoring: neither the expected nor the actual values have a field {name!r}; {has}"
            )


def _classes(values: Iterable[Any]) -> Iterator[type]:
    for value in values:
        cls = class_of(value)
        yield cls
        if isinstance(value, Mapping):
            inside: Mapping[Any, Any] = value
            yield from _classes(inside.values())
        elif isinstance(value, list | tuple | set | frozenset):
            members: Collection[Any] = value
            yield from _classes(members)
        else:
            yield from _classes(_field_values(value))


def _field_values(value: Any) -> list[Any]:
    if isinstance(value, Like):
        return [*value.fields.values()]
    cls: Any = type(value)
    return [getattr(value, name) for name in _own_names(cls) if hasattr(value, name)]


@lru_cache(maxsize=1024)
def _own_names(cls: Any) -> tuple[str, ...]:
    if attrs.has(cls):
        return tuple(field.name for field in attrs.fields(cls))
    if dataclasses.is_dataclass(cls):
        return tuple(field.name for field in dataclasses.fields(cls))
    return ()


@lru_cache(maxsize=1024)
def _all_names(cls: Any) -> tuple[str, ...]:
    """Return the fields of a class and of the classes in its annotations, all the way down."""
    names: dict[str, None] = {}
    seen = {cls}
    open_ = [cls]
    while open_:
        each = open_.pop()
        own = _own_names(each)
        names.update(dict.fromkeys(own))
        for part in [*get_args(each), *(_hints(each) if own else ())]:
            if isinstance(part, type) or get_args(part):
                new = {part, getattr(part, "__origin__", part)} - seen
                seen |= new
                open_ += new
    return tuple(names)


def _hints(cls: Any) -> list[Any]:
    try:
        return [*field_types(cls).values()]
    except Exception:  # noqa: BLE001 - a name that only type checkers import
        return []
