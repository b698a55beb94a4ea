"""The shape of a type as text, which tells stored values of one shape from those of another."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

import attrs

from eventhus.domain.type_hints import aliased, field_types, is_alias, is_union


def shape_of(as_type: Any) -> Sequence[str]:
    """Return the text of a type, then one line for each class and enum in it.

    Two spellings of one type have one shape: unions in any order, aliases, annotations. It depends
    on neither the version of Python nor the modules of the classes.

    >>> @attrs.frozen
    ... class Order:
    ...     total: int
    ...     note: str | None = None
    >>> shape_of(Order)
    ['Order', 'Order: total: int, note: None | str']
    """
    lines: dict[Any, str] = {}
    first = _text(as_type, lines)
    return [first, *lines.values()]


def _text(as_type: Any, lines: dict[Any, str]) -> str:
    if is_alias(as_type):
        if as_type in lines:  # it contains itself
            return _name(as_type)
        lines[as_type] = ""
        lines[as_type] = f"{_name(as_type)} = {_text(aliased(as_type), lines)}"
        return _name(as_type)
    origin, arguments = get_origin(as_type), get_args(as_type)
    if origin is Annotated:
        return _text(arguments[0], lines)
    if origin is Literal:
        return f"Literal[{', '.join(map(repr, arguments))}]"
    if is_union(as_type):
        return " | ".join(sorted(_text(each, lines) for each in arguments))
    if hasattr(as_type, "__supertype__"):
        return _text(as_type.__supertype__, lines)
    cls = origin if arguments else as_type
    if isinstance(cls, type) and cls not in lines:
        described = _members(cls, lines)
        if described is not None:
            lines[cls] = f"{_name(cls)}: {described}"
    inner = ", ".join(_text(each, lines) for each in arguments)
    return f"{_name(cls)}[{inner}]" if inner else _name(cls)


def _members(cls: type, lines: dict[Any, str]) -> str | None:
    """Return the fields of a class or the members of an enum; ``None`` if it has neither."""
    if issubclass(cls, Enum):
        return ", ".join(f"{each.name}={each.value!r}" for each in cls)
    names = [*_field_names(cls)]
    if not names:
        return None
    lines[cls] = ""  # it may contain itself
    try:
        types = field_types(cls)
    except (NameError, TypeError, AttributeError, SyntaxError):  # a name is not visible here
        written = vars(cls).get("__annotations__", {})
        return ", ".join(f"{name}: {written.get(name)}" for name in names)
    return ", ".join(f"{name}: {_text(types.get(name, Any), lines)}" for name in names)


def _field_names(cls: Any) -> Iterator[str]:
    if attrs.has(cls):
        yield from (each.name for each in attrs.fields(cls))
    elif dataclasses.is_dataclass(cls):
        yield from (each.name for each in dataclasses.fields(cls))
    elif hasattr(cls, "__total__") or issubclass(cls, tuple):
        yield from getattr(cls, "__annotations__", {})


def _name(as_type: Any) -> str:
    if as_type is type(None) or as_type is None:
        return "None"
    if as_type is Ellipsis:
        return "..."
    name: str = getattr(as_type, "__qualname__", "") or getattr(as_type, "__name__", "")
    return (name or repr(as_type)).rpartition("<locals>.")[2]
