"""Makes the simplest value of a type, always the same one."""

from __future__ import annotations

import datetime as dt
import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints
from uuid import UUID

import attrs

from eventhus_cattrs.generics import Bindings, aliased, is_alias

_MADE: Mapping[Any, Any] = {
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


class NothingSimple(Exception):
    """There is no simple value of a type. The message names the type."""


def simplest(as_type: Any, name: str = "text") -> Any:
    """The simplest value of a type that shows all of its parts.

    Args:
        as_type: A class, or a type such as ``list[X]`` or ``X | None``.
        name: What the value is called, which is also what a ``str`` says.

    Raises:
        NothingSimple: It is of no kind that is known here, refuses what it was given, or contains
            itself without end.
    """
    return _make(as_type, name, ())


def _make(as_type: Any, name: str, within: tuple[Any, ...]) -> Any:
    if as_type is str:
        return name
    if as_type in _MADE:
        return _MADE[as_type]
    if as_type in within:
        raise NothingSimple(f"{text_of(as_type)} contains itself")
    if isinstance(as_type, type) and issubclass(as_type, Enum):
        return next(iter(as_type))
    if attrs.has(get_origin(as_type) or as_type):
        return _instance(as_type, (*within, as_type))
    if isinstance(as_type, NewType):
        return _make(as_type.__supertype__, name, within)
    if is_alias(as_type):
        return _make(_aliased(as_type), name, within)
    if isinstance(as_type, TypeVar):
        raise NothingSimple(f"nothing says what {as_type.__name__} stands for")
    return _generic(as_type, name, within)


def _aliased(as_type: Any) -> Any:
    try:
        return aliased(as_type)
    except NameError as error:
        raise NothingSimple(f"{text_of(as_type)} cannot be resolved ({error})") from error


def _generic(as_type: Any, name: str, within: tuple[Any, ...]) -> Any:
    origin, arguments = get_origin(as_type), get_args(as_type)
    if origin is Literal:
        return arguments[0]
    if origin in (Union, types.UnionType):
        return _member(as_type, arguments, name, within)
    if origin is tuple and arguments[-1:] != (...,):
        return tuple(_make(each, name, within) for each in arguments)
    if origin in _CONTAINERS:
        return _CONTAINERS[origin](_items(arguments[0], name, within))
    if origin in (dict, Mapping):
        values = _items(arguments[1], name, within)
        return {_make(arguments[0], "key", within): value for value in values}
    raise NothingSimple(text_of(as_type))


def _items(item: Any, name: str, within: tuple[Any, ...]) -> list[Any]:
    try:
        return [_make(item, name, within)]
    except NothingSimple:
        if item in within:
            return []  # a tree ends somewhere
        raise


def _member(as_type: Any, members: Sequence[Any], name: str, within: tuple[Any, ...]) -> Any:
    """A value of the first member that has one, and ``None`` only where nothing else has."""
    for member in sorted(members, key=lambda each: each is type(None)):
        try:
            return _make(member, name, within)
        except NothingSimple:
            continue
    raise NothingSimple(text_of(as_type))


def _instance(as_type: Any, within: tuple[Any, ...]) -> Any:
    cls = get_origin(as_type) or as_type
    try:
        types = field_types(as_type)
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        raise NothingSimple(f"a type in {text_of(as_type)} cannot be resolved ({error})") from error
    given = {
        field.alias: _make(types.get(field.name, Any), field.name, within)
        for field in attrs.fields(cls)
        if field.init
    }
    try:
        return cls(**given)
    except Exception as error:
        raise NothingSimple(
            f"{text_of(as_type)} refuses {given!r}: {type(error).__name__}"
        ) from error


def field_types(as_type: Any) -> dict[str, Any]:
    """The types of the fields of an attrs class, type variables replaced by what they stand for.

    Args:
        as_type: The class, or a generic one with its arguments.
    """
    bindings = Bindings(as_type)
    hints = get_type_hints(get_origin(as_type) or as_type)
    return {name: bindings.resolve(name, hint) for name, hint in hints.items()}


def text_of(as_type: Any) -> str:
    """A type as one writes it in an annotation."""
    return inspect.formatannotation(as_type, getattr(as_type, "__module__", None))
