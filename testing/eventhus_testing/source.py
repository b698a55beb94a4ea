"""Values as the Python source that makes them, laid out as a formatter would."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias
from uuid import UUID

import attrs
from attrs import define, field, frozen

WIDTH = 100


@frozen
class Brackets:
    """Something in brackets, or behind a name and in brackets: ``Item(`` … ``)``."""

    opening: str
    parts: Sequence[tuple[str, Node]]  # what stands before a part, as "name=", and the part
    closing: str

    def flat(self) -> str:
        """The source in one line."""
        inside = ", ".join(before + flat(part) for before, part in self.parts)
        alone = "," if self.opening == "(" and len(self.parts) == 1 else ""
        return f"{self.opening}{inside}{alone}{self.closing}"


Node: TypeAlias = "str | Brackets"
"""Source that can be laid out: text that is not split, or brackets."""


def flat(node: Node) -> str:
    """Source in one line."""
    return node if isinstance(node, str) else node.flat()


def laid_out(node: Node, *, indent: int = 0, before: str = "", after: str = "") -> str:
    """Source in as many lines as it takes, the way Black and Ruff do it.

    Args:
        node: The source.
        indent: How many spaces stand before it.
        before: What stands before it in its first line.
        after: What stands behind it in its last line.
    """
    margin = " " * indent
    line = f"{margin}{before}{flat(node)}{after}"
    if isinstance(node, str) or not node.parts or len(line) <= WIDTH:
        return line
    opening = f"{margin}{before}{node.opening}"
    closing = f"{margin}{node.closing}{after}"
    inside = ", ".join(each + flat(part) for each, part in node.parts)
    is_tuple_of_one = node.opening == "(" and len(node.parts) == 1
    if indent + 4 + len(inside) <= WIDTH and not is_tuple_of_one:
        return f"{opening}\n{margin}    {inside}\n{closing}"
    lines = [laid_out(part, indent=indent + 4, before=each, after=",") for each, part in node.parts]
    return "\n".join([opening, *lines, closing])


@define
class Imports:
    """The import lines that some source needs.

    Attributes:
        notes: What the reader has to do, since it could not be done here.
    """

    _names: dict[str, set[str]] = field(factory=dict[str, set[str]])
    notes: list[str] = field(factory=list)

    def name(self, module: str, name: str) -> str:
        """Import a name, and say how to write it."""
        if module != "builtins":
            self._names.setdefault(module, set()).add(name)
        return name

    def of_class(self, cls: type) -> str:
        """Import a class, and say how to write it."""
        outer = cls.__qualname__.partition(".")[0]
        if "<locals>" in cls.__qualname__:
            self.note(f"{cls.__name__} is defined inside a function: put this where it is visible")
            return cls.__name__
        self.name(cls.__module__, outer)
        return cls.__qualname__

    def note(self, text: str) -> None:
        """Tell the reader something, once."""
        if text not in self.notes:
            self.notes.append(text)

    def lines(self) -> Iterator[str]:
        """The import lines, sorted, those of the standard library first."""
        modules = sorted(self._names, key=lambda module: module.casefold())
        groups = [
            [each for each in modules if _standard(each)],
            [each for each in modules if not _standard(each)],
        ]
        for index, group in enumerate(filter(None, groups)):
            if index:
                yield ""
            for module in group:
                yield from self._line(module)

    def _line(self, module: str) -> Iterator[str]:
        names = sorted(self._names[module], key=_case_order)
        line = f"from {module} import {', '.join(names)}"
        if len(line) <= WIDTH:
            yield line
            return
        yield f"from {module} import ("
        yield from (f"    {name}," for name in names)
        yield ")"


def _case_order(name: str) -> tuple[int, str]:
    """Isort's order: constants, classes, the others."""
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name


def _standard(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def source_of(value: Any, imports: Imports) -> Node:
    """The source that makes a value.

    What has no such source, as an object whose ``repr`` is not one, is written as its ``repr``,
    with a note.

    Args:
        value: The value.
        imports: Gets what the source needs.
    """
    cls = type(value)
    if value is None or cls in (bool, int, bytes):
        return repr(value)
    if cls is str:
        return quoted(value)
    if cls is float:
        return repr(value) if value - value == 0 else f'float("{value!r}")'
    if isinstance(value, Enum):
        return f"{imports.of_class(cls)}.{value.name}"
    if attrs.has(cls):
        return _instance(value, imports)
    if isinstance(value, type):
        return imports.of_class(value)
    for known in (_standard_value, _collection):
        if (source := known(value, imports)) is not None:
            return source
    return _opaque(value, imports)


def quoted(text: str) -> str:
    """Text in the quotes that formatters prefer."""
    plain = repr(text)
    if plain[0] == '"' or '"' in text:
        return plain
    return f'"{plain[1:-1]}"'


def _instance(value: Any, imports: Imports) -> Node:
    cls = type(value)
    arguments: list[tuple[str, Node]] = []
    positional = True
    for each in attrs.fields(cls):
        if not each.init:
            continue
        own = getattr(value, each.name)
        if _is_default(each, value, own):
            positional = False
            continue
        before = (
            ""
            if positional and not each.kw_only and len(attrs.fields(cls)) == 1
            else (f"{each.alias}=")
        )
        arguments.append((before, source_of(own, imports)))
    return Brackets(f"{imports.of_class(cls)}(", arguments, ")")


def _is_default(each: Any, value: Any, own: Any) -> bool:
    default = each.default
    if default is attrs.NOTHING:
        return False
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]  # a class, at run time
        default = default.factory(value) if default.takes_self else default.factory()
    return type(default) is type(own) and bool(default == own)


def _standard_value(value: Any, imports: Imports) -> Node | None:
    match value:
        case Decimal():
            return f'{imports.name("decimal", "Decimal")}("{value}")'
        case UUID():
            name = imports.name("uuid", "UUID")
            return f"{name}(int={value.int})" if value.int < 1000 else f'{name}("{value}")'  # noqa: PLR2004
        case datetime():
            parts: list[tuple[str, Node]] = [("", part) for part in _moment(value)]
            if value.tzinfo is not None:
                parts.append(("tzinfo=", _zone(value, imports)))
            return Brackets(f"{imports.name('datetime', 'datetime')}(", parts, ")")
        case date():
            name = imports.name("datetime", "date")
            return f"{name}({value.year}, {value.month}, {value.day})"
        case timedelta():
            return _span(value, imports)
        case _:
            return None


def _moment(value: datetime) -> list[str]:
    parts = [value.hour, value.minute, value.second, value.microsecond]
    while len(parts) > 2 and not parts[-1]:  # noqa: PLR2004 - hours and minutes are always said
        parts.pop()
    return [str(part) for part in (value.year, value.month, value.day, *parts)]


def _zone(value: datetime, imports: Imports) -> Node:
    offset = value.utcoffset()
    if not offset:
        return (
            imports.name("datetime", "UTC")
            if value.tzinfo in (UTC, UTC)
            else (f"{imports.name('datetime', 'timezone')}.utc")
        )
    return Brackets(f"{imports.name('datetime', 'timezone')}(", [("", _span(offset, imports))], ")")


def _span(value: timedelta, imports: Imports) -> Node:
    parts: list[tuple[str, Node]] = [
        (f"{name}=", str(number))
        for name in ("days", "seconds", "microseconds")
        if (number := getattr(value, name))
    ]
    return Brackets(f"{imports.name('datetime', 'timedelta')}(", parts, ")")


def _collection(value: Any, imports: Imports) -> Node | None:
    def items(values: Iterable[Any]) -> list[tuple[str, Node]]:
        return [("", source_of(each, imports)) for each in values]

    match value:
        case tuple():
            return Brackets("(", items(value), ")")
        case list():
            return Brackets("[", items(value), "]")
        case set() if value:
            return Brackets("{", items(sorted(value, key=repr)), "}")
        case frozenset() if value:
            return Brackets("frozenset({", items(sorted(value, key=repr)), "})")
        case set() | frozenset():
            return f"{type(value).__name__}()"
        case Mapping():
            pairs = [
                (f"{flat(source_of(key, imports))}: ", source_of(each, imports))
                for key, each in value.items()
            ]
            return Brackets("{", pairs, "}")
        case _:
            return None


def _opaque(value: Any, imports: Imports) -> Node:
    cls = type(value)
    text = repr(value)
    if re.match(rf"{cls.__name__}\(", text):
        imports.of_class(cls)
    else:
        imports.note(f"make a {cls.__name__}: its repr is no source")
    return text
