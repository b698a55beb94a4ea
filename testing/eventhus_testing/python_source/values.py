"""Writes values as Python source."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, Flag
from math import isfinite
from typing import Any
from uuid import UUID

import attrs

from eventhus_testing.python_source.imports import Imports
from eventhus_testing.python_source.layout import Brackets, Item, Node, call, flat
from eventhus_testing.values.comparing import ordered, same


def source_of(value: Any, imports: Imports) -> Node:
    """Return source that evaluates to an equal value.

    It supports the types that ``CattrsCodec`` supports. Any other value is written as its
    ``repr``, with a note for the reader.

    Args:
        value: The value.
        imports: Collects the imports that the source needs.
    """
    cls = type(value)
    if isinstance(value, type):
        return imports.of_class(value)
    if isinstance(value, Enum):
        return _member(value, imports)
    if attrs.has(cls):
        return _instance(value, imports)
    if cls in _WRITERS:
        return _WRITERS[cls](value, imports)
    imports.note(f"create the {cls.__qualname__} here, because its repr may not be valid source")
    return repr(value)


def quoted(text: str | bytes) -> str:
    """Return text in double quotes, or in single ones where they need fewer escapes."""
    plain = repr(text)
    prefix, plain = ("b", plain[1:]) if isinstance(text, bytes) else ("", plain)
    quote, inside = plain[0], plain[1:-1]
    single, double = inside.count("'"), inside.count('"')
    if quote == '"' or double > single:
        return prefix + plain
    return f'{prefix}"{_requoted(inside)}"'


def _requoted(inside: str) -> str:
    """Turn the inside of a single-quoted literal into that of a double-quoted one."""
    return inside.replace("\\'", "'").replace('"', '\\"')


def _member(value: Enum, imports: Imports) -> str:
    written = imports.of_class(type(value))
    if isinstance(value, Flag):
        names = [f"{written}.{member.name}" for member in value]
        return " | ".join(names) or f"{written}(0)"
    return f"{written}.{value.name}"


def _instance(value: Any, imports: Imports) -> Node:
    cls = type(value)
    arguments: dict[str, Node] = {}
    for each in attrs.fields(cls):
        own = getattr(value, each.name)
        if each.init and not _is_default(each, value, own):
            arguments[each.alias or each.name] = source_of(own, imports)
    return call(imports.of_class(cls), **arguments)


def _is_default(each: attrs.Attribute[Any], value: Any, own: Any) -> bool:
    default: Any = each.default
    if default is attrs.NOTHING:
        return False
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class at run time
        try:
            default = default.factory(value) if default.takes_self else default.factory()
        except Exception:  # noqa: BLE001 - any failure means that the value must be written
            return False
    return same(default, own)


def _float(value: float, _: Imports) -> Node:
    return repr(value) if isfinite(value) else f'float("{value!r}")'


def _decimal(value: Decimal, imports: Imports) -> Node:
    return call(imports.name("decimal", "Decimal"), quoted(str(value)))


def _uuid(value: UUID, imports: Imports) -> Node:
    return call(imports.name("uuid", "UUID"), quoted(str(value)))


def _date(value: date, imports: Imports) -> Node:
    name = imports.name("datetime", "date")
    return call(name, *map(str, (value.year, value.month, value.day)))


def _datetime(value: datetime, imports: Imports) -> Node:
    parts = [value.year, value.month, value.day, value.hour, value.minute]
    if value.second or value.microsecond:
        parts.append(value.second)
    if value.microsecond:
        parts.append(value.microsecond)
    named: dict[str, Node] = {}
    if value.tzinfo is not None:
        named["tzinfo"] = _zone(value, imports)
    if value.fold:
        named["fold"] = "1"
    return call(imports.name("datetime", "datetime"), *map(str, parts), **named)


def _zone(value: datetime, imports: Imports) -> Node:
    # Only the offset matters, because the codec keeps nothing else.
    offset = value.utcoffset()
    if value.tzinfo is UTC or not offset:
        return imports.name("datetime", "UTC")
    return call(imports.name("datetime", "timezone"), _timedelta(offset, imports))


def _timedelta(value: timedelta, imports: Imports) -> Node:
    sign = -1 if value < timedelta(0) else 1
    length = abs(value)
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    units = {
        "days": length.days,
        "hours": hours,
        "minutes": minutes,
        "seconds": seconds,
        "microseconds": length.microseconds,
    }
    named: dict[str, Node] = {unit: str(sign * count) for unit, count in units.items() if count}
    return call(imports.name("datetime", "timedelta"), **named)


def _items(values: Iterable[Any], imports: Imports) -> list[Item]:
    return [Item("", source_of(value, imports)) for value in values]


def _set(value: set[Any], imports: Imports) -> Node:
    return Brackets("{", _items(ordered(value), imports), "}") if value else "set()"


def _frozenset(value: frozenset[Any], imports: Imports) -> Node:
    return call("frozenset", _set(set(value), imports)) if value else "frozenset()"


def _dict(value: Mapping[Any, Any], imports: Imports) -> Node:
    items = []
    for key, item in value.items():
        prefix = flat(source_of(key, imports))
        items.append(Item(f"{prefix}: ", source_of(item, imports)))
    return Brackets("{", items, "}")


_WRITERS: dict[type, Callable[[Any, Imports], Node]] = {
    type(None): lambda value, _: repr(value),
    bool: lambda value, _: repr(value),
    int: lambda value, _: repr(value),
    str: lambda value, _: quoted(value),
    bytes: lambda value, _: quoted(value),
    float: _float,
    Decimal: _decimal,
    UUID: _uuid,
    date: _date,
    datetime: _datetime,
    timedelta: _timedelta,
    tuple: lambda value, imports: Brackets("(", _items(value, imports), ")"),
    list: lambda value, imports: Brackets("[", _items(value, imports), "]"),
    set: _set,
    frozenset: _frozenset,
    dict: _dict,
}
