"""Converts conditions that were typed as text into values of indexed fields."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, Final
from uuid import UUID

from attrs import evolve

from eventhus.domain.finding import OneOf, Range
from eventhus.domain.indexes import FieldKind
from eventhus.domain.view import View
from eventhus.errors import InvalidArgument

_BOOLS: Final = {"true": True, "false": False}
_BOUNDS: Final = ("at_least", "above", "at_most", "below")


def converted(view: View[Any, Any], where: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return conditions with each text converted to the type of its field.

    Unknown fields stay as they are: the plan of the question refuses them.

    Raises:
        InvalidArgument: A text is not of the type of its field.
    """
    return {name: _converted(view, name, wanted) for name, wanted in where.items()}


def _converted(view: View[Any, Any], name: str, wanted: Any) -> Any:
    kind = view.indexing.fields.get(name)
    if kind is None:
        return wanted
    if isinstance(wanted, OneOf):
        return OneOf(tuple(_value(view, name, kind, each) for each in wanted.values))
    if isinstance(wanted, Range):
        bounds = {bound: _value(view, name, kind, getattr(wanted, bound)) for bound in _BOUNDS}
        return evolve(wanted, **bounds)
    return _value(view, name, kind, wanted)


def _value(view: View[Any, Any], name: str, kind: FieldKind, value: Any) -> Any:
    if not isinstance(value, str) or str in kind.classes:
        return value
    if value.lower() in ("", "none", "null"):
        return None
    for parse in _parsers(kind):
        try:
            return parse(value)
        except (ValueError, LookupError, InvalidOperation):
            continue
    classes = " or ".join(sorted(cls.__name__ for cls in kind.classes))
    raise InvalidArgument(
        f"where[{name!r}] of view {view.name}: the text does not stand for a value of {classes}"
    )


def _parsers(kind: FieldKind) -> Iterator[Callable[[str], Any]]:
    for cls in sorted(kind.classes, key=lambda cls: cls.__name__):
        if issubclass(cls, Enum):
            yield _member_of(cls)
    parsers: Mapping[type, Callable[[str], Any]] = {
        bool: lambda text: _BOOLS[text.lower()],
        int: int,
        Decimal: Decimal,
        float: float,
        datetime: datetime.fromisoformat,
        date: date.fromisoformat,
        UUID: UUID,
    }
    for plain, parse in parsers.items():
        if plain in kind.classes:
            yield parse


def _member_of(cls: type[Enum]) -> Callable[[str], Enum]:
    """Return a function from the value or the name of a member, as text, to the member."""

    def parse(text: str) -> Enum:
        for each in cls:
            if str(each.value) == text:
                return each
        return cls[text]

    return parse
