"""The indexed fields of a view, and the form in which stores compare their values."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any, Final, Literal, TypeAlias, get_args, get_origin
from uuid import UUID

import attrs
from attrs import Factory, field, frozen

from eventhus.domain.recorded import is_text
from eventhus.domain.type_hints import field_types, union_members
from eventhus.errors import CompositionError

IndexValue: TypeAlias = bool | int | float | Decimal | str | datetime | None
"""A value of an indexed field. All values of one field are of one kind, or ``None``.

Numbers are finite, have at most 34 digits and, beyond 2**53, no fraction. Times are timezone-aware
and compared as moments.
"""

Kind: TypeAlias = Literal["bool", "number", "text", "time"]

_KINDS: Final[Mapping[type, Kind]] = {
    bool: "bool",
    int: "number",
    float: "number",
    Decimal: "number",
    str: "text",
    UUID: "text",
    date: "text",
    datetime: "time",
}
_NUMBERS: Final = (int, float, Decimal)
DIGITS: Final = 34  # of a number, as the decimal numbers of IEEE 754 and BSON have
_TOO_LONG: Final = 10**DIGITS
MOST_INDEXES: Final = 30  # of a view; MongoDB has 64 in a collection
MOST_FIELDS: Final = 15  # of an index; MongoDB has 32, of which a time takes two


@frozen
class IndexField:
    """A field of an index.

    Attributes:
        name: The name of the field: an identifier of Python.
        descending: Whether its values descend.
        is_time: Whether its values are times.
    """

    name: str
    descending: bool = False
    is_time: bool = False


def _plain_classes(field_kind: FieldKind) -> tuple[type, ...]:
    plain = tuple(cls for cls in field_kind.classes if not issubclass(cls, Enum))
    return _NUMBERS if plain and field_kind.kind == "number" else plain


@frozen
class FieldKind:
    """The values that an indexed field takes.

    Attributes:
        kind: How they are compared.
        classes: Their classes, without ``NoneType``.
    """

    kind: Kind
    classes: frozenset[type]
    _plain: tuple[type, ...] = field(
        default=Factory(_plain_classes, takes_self=True), init=False, repr=False
    )

    def index_value(self, value: Any) -> IndexValue:
        """Return the form of a value that a store compares.

        Raises:
            TypeError: The value is of another kind.
            ValueError: A number is not finite or an integer has more than 34 digits, a text is not
                Unicode, or a time has no UTC offset.
        """
        if value is None:
            return None
        plain: Any = value
        if isinstance(value, Enum) and type(value) in self.classes:
            plain = value.value
        elif not isinstance(value, self._plain) or self._is_subclass(value):
            names = " or ".join(sorted(cls.__name__ for cls in self.classes))
            raise TypeError(f"a value is a {type(value).__name__} instead of {names}")
        if self.kind == "time":
            return _time(plain)
        if self.kind == "text":
            return _text(plain)
        if self.kind == "number":
            return _number(plain)
        flag: bool = plain
        return flag

    def _is_subclass(self, value: object) -> bool:
        """Return whether a value is of a class that Python derives from another kind."""
        is_bool = self.kind == "number" and isinstance(value, bool)
        return is_bool or (self.kind == "text" and isinstance(value, datetime))


def _time(value: datetime) -> datetime:
    if value.utcoffset() is None:
        raise ValueError("a time has no UTC offset")
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time is before the year 1 or after the year 9999 in UTC") from None


def _text(value: str | date | UUID) -> str:
    if isinstance(value, str):
        text = str.__str__(value)  # the str of a member of ``class X(str, Enum)`` is its name
    else:
        text = value.isoformat() if isinstance(value, date) else str(value)
    if not is_text(text):
        raise ValueError("a text is not whole Unicode")
    return text


def _number(value: float | Decimal) -> int | float | Decimal:
    if isinstance(value, int):
        if abs(value) >= _TOO_LONG:  # before anything writes it as text, which Python limits
            raise ValueError(f"a number has more than {DIGITS} digits")
        return int(value)  # not a member of an IntEnum
    if not (value.is_finite() if isinstance(value, Decimal) else isfinite(value)):
        raise ValueError("a number is not finite")
    return value


@frozen
class Indexes:
    """The declared indexes of a view.

    Attributes:
        fields: The kind of each indexed field, by name.
        declared: The fields of each index.
    """

    fields: Mapping[str, FieldKind]
    declared: Sequence[Sequence[IndexField]]

    def values(self, value: object) -> Mapping[str, IndexValue]:
        """Return the values of the indexed fields of a view's value.

        Raises:
            ValueError: A field has a value that no index takes. The message quotes none of it.
        """
        values: dict[str, IndexValue] = {}
        for name, kind in self.fields.items():
            try:
                values[name] = kind.index_value(getattr(value, name, None))
            except (TypeError, ValueError) as error:
                raise ValueError(f"the indexed field {name} cannot be compared: {error}") from None
        return values


def declared_indexes(view: str, indexes: object, view_type: Any) -> Indexes:
    """Return the declared indexes of a view, checked against the type of its values.

    Args:
        view: The view, for messages.
        indexes: A list of names of fields, and of tuples of such names. A name after a hyphen
            stands for descending values.
        view_type: The type of the values.

    Raises:
        CompositionError: There is no such field, its values cannot be compared, or the indexes are
            not of that form.
    """
    if isinstance(indexes, str) or not isinstance(indexes, Iterable):
        raise CompositionError(f"{view}: indexes must be a list, found {indexes!r}")
    kinds: dict[str, FieldKind] = {}
    declared: list[tuple[IndexField, ...]] = []
    for index in indexes:
        names = (index,) if isinstance(index, str) else index
        if not isinstance(names, tuple) or not 0 < len(names) <= MOST_FIELDS:
            raise CompositionError(
                f"{view}: an index is the name of a field or a tuple of up to {MOST_FIELDS}, found "
                f"{index!r}"
            )
        fields = [*_parsed(view, names)]
        for each in fields:
            kinds[each.name] = _kind_of_field(view, each.name, view_type)
        declared.append(
            tuple(attrs.evolve(each, is_time=kinds[each.name].kind == "time") for each in fields)
        )
        if declared[-1] in declared[:-1]:
            raise CompositionError(f"{view}: the index {index!r} is declared twice; remove one")
    if len(declared) > MOST_INDEXES:
        raise CompositionError(f"{view}: {len(declared)} indexes; the limit is {MOST_INDEXES}")
    return Indexes(kinds, declared)


def _parsed(view: str, names: Sequence[object]) -> Iterator[IndexField]:
    seen: set[str] = set()
    for each in names:
        if not isinstance(each, str):
            raise CompositionError(f"{view}: an index holds {each!r} instead of a field's name")
        parsed = parsed_field(each)
        if parsed.name in seen:
            raise CompositionError(f"{view}: the field {parsed.name} is twice in one index")
        seen.add(parsed.name)
        yield parsed


def parsed_field(text: str) -> IndexField:
    """Return the field that ``"name"`` or ``"-name"`` stands for."""
    return IndexField(text.removeprefix("-"), descending=text.startswith("-"))


def _kind_of_field(view: str, name: str, view_type: Any) -> FieldKind:
    classes: set[type] = set()
    known: dict[str, None] = {}
    for cls in union_members(view_type):
        types = _types_of_fields(view, cls)
        known |= dict.fromkeys(types)
        if name in types:
            classes |= {*_classes(view, name, types[name])}
    if not classes:
        has = ", ".join(known) or "none"
        raise CompositionError(
            f"{view}: {name!r} is not a field of its values with values to compare; their fields "
            f"are: {has}"
        )
    kinds: set[Kind | None] = {_kind_of_class(cls) for cls in classes}
    if len(kinds) > 1 or None in kinds:
        names = ", ".join(sorted(cls.__name__ for cls in classes))
        raise CompositionError(
            f"{view}: the values of {name} cannot be compared with one another ({names}); index a "
            f"field of texts, numbers, times, booleans, or an enum of one of them"
        )
    kind = kinds.pop()
    assert kind is not None
    return FieldKind(kind, frozenset(classes))


def _types_of_fields(view: str, cls: Any) -> Mapping[str, Any]:
    cls = get_origin(cls) or cls
    if not isinstance(cls, type):
        return {}
    if attrs.has(cls):
        names = [each.name for each in attrs.fields(cls)]
    elif dataclasses.is_dataclass(cls):
        names = [each.name for each in dataclasses.fields(cls)]
    else:
        return {}
    try:
        types = field_types(cls)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise CompositionError(
            f"{view}: an annotation of {cls.__qualname__} cannot be resolved ({error}); make its "
            f"names visible in the module that defines the class"
        ) from error
    return {name: types.get(name, object) for name in names}


def _classes(view: str, name: str, as_type: Any) -> Iterator[type]:
    for member in union_members(as_type):
        if member is type(None) or member is None:
            continue
        if hasattr(member, "__supertype__"):
            yield from _classes(view, name, member.__supertype__)
        elif get_origin(member) is Literal:
            yield from (type(each) for each in get_args(member))
        elif isinstance(member, type):
            yield member
        else:
            raise CompositionError(f"{view}: the values of {name}, {member!r}, cannot be compared")


def _kind_of_class(cls: type) -> Kind | None:
    if issubclass(cls, Enum):
        kinds: set[Kind | None] = {_KINDS.get(type(each.value)) for each in cls}
        return kinds.pop() if len(kinds) == 1 else None
    return _KINDS.get(cls)
