"""Makes a sample value of a type, the same one each time."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal, NewType, TypeVar, get_args, get_origin
from uuid import UUID

import attrs

from eventhus.domain.type_hints import UnresolvedAlias, aliased, is_alias, is_union
from eventhus.domain.type_hints import field_types as annotations_of
from eventhus_cattrs.generics import Bindings

_SCALARS: Mapping[Any, Any] = {
    bool: True,
    int: 1,
    float: 1.5,
    Decimal: Decimal("1.50"),
    UUID: UUID(int=1),
    dt.datetime: dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    dt.date: dt.date(2026, 1, 1),
    dt.timedelta: dt.timedelta(seconds=1),
    bytes: b"bytes",
    type(None): None,
    None: None,
}
_CONTAINERS: Mapping[Any, Callable[[list[Any]], Any]] = {
    list: list,
    tuple: tuple,
    set: set,
    frozenset: frozenset,
}


class NoSampleValue(Exception):
    """No sample value of a type can be made. The message names the type."""


def sample_value(as_type: Any, name: str = "text") -> Any:
    """Return a small value of a type that has a value for each of its parts.

    Args:
        as_type: A class, or a type such as ``list[X]`` or ``X | None``.
        name: The name of the field. It is also the value of a ``str``.

    Raises:
        NoSampleValue: The type is unknown, its class refuses the sample values of its fields, or
            it contains itself without end.
    """
    try:
        return _make(as_type, name, ())
    except RecursionError:
        raise NoSampleValue(f"{type_text(as_type)} contains itself without end") from None


def _make(as_type: Any, name: str, within: tuple[Any, ...]) -> Any:
    if as_type is str:
        return name
    if as_type in _SCALARS:
        return _SCALARS[as_type]
    if as_type in within:
        raise NoSampleValue(f"{type_text(as_type)} contains itself")
    if isinstance(as_type, type) and issubclass(as_type, Enum):
        return next(iter(as_type))
    if attrs.has(get_origin(as_type) or as_type):
        return _instance(as_type, (*within, as_type))
    if isinstance(as_type, NewType):
        return _make(as_type.__supertype__, name, within)
    if get_origin(as_type) is Annotated:
        return _make(get_args(as_type)[0], name, within)
    if is_alias(as_type):
        return _make(_aliased(as_type), name, (*within, as_type))
    if isinstance(as_type, TypeVar):
        raise NoSampleValue(f"the type variable {as_type.__name__} has no argument")
    return _generic(as_type, name, within)


def _aliased(as_type: Any) -> Any:
    try:
        return aliased(as_type)
    except UnresolvedAlias as unresolved:
        raise NoSampleValue(str(unresolved)) from unresolved


def _generic(as_type: Any, name: str, within: tuple[Any, ...]) -> Any:
    origin, arguments = get_origin(as_type), get_args(as_type)
    if origin is Literal:
        return arguments[0]
    if is_union(as_type):
        return _member(as_type, arguments, name, within)
    if origin is tuple and arguments[-1:] != (...,):
        return tuple(_make(each, name, within) for each in arguments)
    if origin in _CONTAINERS:
        return _CONTAINERS[origin](_items(arguments[0], name, within))
    if origin in (dict, Mapping):
        values = _items(arguments[1], name, within)
        return {_make(arguments[0], "key", within): value for value in values}
    raise NoSampleValue(type_text(as_type))


def _items(item: Any, name: str, within: tuple[Any, ...]) -> list[Any]:
    try:
        return [_make(item, name, within)]
    except NoSampleValue:
        if item in within:
            return []  # a tree ends here
        raise


def _member(as_type: Any, members: Sequence[Any], name: str, within: tuple[Any, ...]) -> Any:
    """Return a value of the first member that has one; ``None`` comes last."""
    for member in sorted(members, key=lambda each: each is type(None)):
        try:
            return _make(member, name, within)
        except NoSampleValue:
            continue
    raise NoSampleValue(type_text(as_type))


def _instance(as_type: Any, within: tuple[Any, ...]) -> Any:
    cls = get_origin(as_type) or as_type
    try:
        types = field_types(as_type)
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise NoSampleValue(
            f"a type in {type_text(as_type)} cannot be resolved ({error})"
        ) from error
    given = {
        field.alias: _make(types.get(field.name, Any), field.name, within)
        for field in attrs.fields(cls)
        if field.init
    }
    try:
        return cls(**given)
    except Exception as error:
        raise NoSampleValue(
            f"{type_text(as_type)} refuses {given!r}: {type(error).__name__}"
        ) from error


def field_types(as_type: Any) -> dict[str, Any]:
    """Return the types of the fields of an attrs class, with type variables replaced.

    Args:
        as_type: The class, or a generic one with its arguments.
    """
    bindings = Bindings(as_type)
    hints = annotations_of(get_origin(as_type) or as_type)
    return {name: bindings.resolve(name, hint) for name, hint in hints.items()}


def type_text(as_type: Any) -> str:
    """Return a type as written in an annotation."""
    return inspect.formatannotation(as_type, getattr(as_type, "__module__", None))
