"""Describes names and values in words, such as "Perform deposit: amount 50"."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from enum import Enum
from typing import Any, TypeAlias

import attrs
from attrs import frozen

from eventhus import Command
from eventhus_testing.matching.matchers import Like, class_of, is_open, text_of
from eventhus_testing.texts.printable import printable

MAX_ITEMS = 5  # of a collection; the others are counted
MAX_CHARACTERS = 120  # of one value
MAX_DEPTH = 50  # of nested values
OPEN = "…"  # stands for fields that are not checked

_PLAIN_TEXT = re.compile(r"(?!\d+$)[\w.@/:+#-]+")


Within: TypeAlias = tuple[int, ...]
"""The identities of the enclosing values, outermost first."""


@frozen
class Phrase:
    """A value in words, in parts that can be laid out.

    Attributes:
        head: The name of the class, such as "Perform deposit", or the value itself. It may be
            empty if there are fields.
        fields: The names and values of the fields.
        where: The id of the aggregate, or the key; empty if it does not matter.
        kind: "command", "event", "refusal", "state" or empty.
    """

    head: str
    fields: tuple[tuple[str, str], ...] = ()
    where: str = ""
    kind: str = ""

    def __str__(self) -> str:
        where = f"{self.where} · " if self.where else ""
        fields = ", ".join(f"{name} {value}".strip() for name, value in self.fields)
        return where + ": ".join(filter(None, [self.head, fields]))


def words(name: str) -> str:
    """Split a Python name into words, the first one with a capital letter.

    >>> words("PerformDeposit"), words("test_deposits_add_up"), words("HTTPRequestSent")
    ('Perform deposit', 'Test deposits add up', 'HTTP request sent')
    """
    lower = _lower(name)
    return lower[:1].upper() + lower[1:]


def phrase(value: object, kind: str = "", where: str = "") -> Phrase:
    """Describe a value.

    Args:
        value: A command, an event, a state, or a matcher for one.
        kind: See ``Phrase``.
        where: See ``Phrase``.
    """
    fields = _fields(value)
    if fields is not None:
        described = [(_lower(name), in_words(field)) for name, field in fields.items()]
        if _leaves_open(value):
            described.append((OPEN, ""))
        return Phrase(words(class_of(value).__qualname__), tuple(described), where, kind)
    if isinstance(value, Mapping) and value:
        mapping: Mapping[Any, Any] = value
        items = _most([(in_words(key), in_words(item)) for key, item in mapping.items()])
        return Phrase("", tuple(items), where, kind)
    return Phrase(in_words(value), (), where, kind)


def in_words(value: object) -> str:
    """Describe a value in one printable line, cut if it is too long."""
    return one_line(_described(value, ()))


def one_line(text: str) -> str:
    """Return a text as one printable line, cut if it is too long."""
    text = printable(" ".join(text.split()))
    if len(text) <= MAX_CHARACTERS:
        return text
    shown = text[:MAX_CHARACTERS]
    whole_words = shown.rpartition(" ")[0].rstrip(" ,(")
    return f"{whole_words if len(whole_words) > MAX_CHARACTERS // 2 else shown} …"


def _described(value: object, within: Within) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case Enum():
            return value.name or str(value)
        case str():
            return value if _PLAIN_TEXT.fullmatch(value) else f"“{value}”"
        case bytes() | bytearray():
            return f"{len(value)} bytes"
        case datetime():
            return _moment(value)
        case timedelta():
            return _duration(value)
        case date() | time():
            return str(value)
        case type():
            return words(value.__qualname__)
        case Mapping():
            mapping: Mapping[Any, Any] = value
            items = [
                f"{_part(k, value, within)} {_part(v, value, within)}" for k, v in mapping.items()
            ]
            return ", ".join(item for item, _ in _most([(item, "") for item in items])) or "none"
        case set() | frozenset():
            members: Collection[Any] = value
            return _listed(
                sorted((_part(member, value, within) for member in members), key=natural)
            )
        case list() | tuple():
            sequence: Sequence[Any] = value
            return _listed([_part(item, value, within) for item in sequence])
        case _:
            return _other(value, within)


def natural(name: str) -> list[tuple[int, str]]:
    """Return a key that sorts names in natural order, in which 2 comes before 10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


def _other(value: object, within: Within) -> str:
    fields = _fields(value)
    if fields is None or _has_own_text(value):
        return text_of(value) if is_open(value) or not _has_own_text(value) else str(value)
    name = class_of(value).__qualname__
    name = _lower(name) if within else words(name)
    described = [f"{_lower(name)} {_part(part, value, within)}" for name, part in fields.items()]
    if _leaves_open(value):
        described.append(OPEN)
    return f"{name} ({', '.join(described)})" if described else name


def _part(value: object, whole: object, within: Within) -> str:
    within = (*within, id(whole))
    if id(value) in within or len(within) > MAX_DEPTH:
        return OPEN
    described = _described(value, within)
    is_list = isinstance(value, list | tuple | set | frozenset | Mapping)
    return f"({described})" if is_list and described else described


def _has_own_text(value: object) -> bool:
    """Return whether the class defines ``__str__``."""
    return type(value).__str__ is not object.__str__


def _fields(value: object) -> dict[str, object] | None:
    """Return the fields that a value's class shows, without ``aggregate_id``, or ``None``."""
    cls: Any = class_of(value)
    if attrs.has(cls):
        names = [field.name for field in attrs.fields(cls) if field.repr]
    elif dataclasses.is_dataclass(cls):
        names = [field.name for field in dataclasses.fields(cls) if field.repr]
    else:
        return None
    if issubclass(class_of(value), Command):
        names.remove("aggregate_id")
    if isinstance(value, Like):
        return {name: value.fields[name] for name in names if name in value.fields}
    return {name: getattr(value, name) for name in names}


def _leaves_open(value: object) -> bool:
    """Return whether a matcher ignores some fields."""
    return isinstance(value, Like) and not value.is_whole


def _moment(value: datetime) -> str:
    offset = value.utcoffset()
    moment = value.replace(tzinfo=None).isoformat(" ").removesuffix(":00")
    if offset is None:
        return moment
    return f"{moment} {value.isoformat()[-6:]}" if offset else f"{moment} UTC"


def _duration(value: timedelta) -> str:
    seconds = value.seconds + value.microseconds / 1_000_000
    parts = [
        (value.days, "day"),
        (seconds // 3600, "hour"),
        (seconds // 60 % 60, "minute"),
        (seconds % 60, "second"),
    ]
    counts = [f"{count:g} {unit}{'' if count == 1 else 's'}" for count, unit in parts if count]
    return " ".join(counts) or "0 seconds"


def _listed(items: Sequence[str]) -> str:
    if not items:
        return "none"
    if len(items) > MAX_ITEMS:
        return f"{', '.join(items[:MAX_ITEMS])} and {len(items) - MAX_ITEMS} more"
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]]))


def _most(items: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    if len(items) <= MAX_ITEMS:
        return [*items]
    return [*items[:MAX_ITEMS], (f"and {len(items) - MAX_ITEMS} more", "")]


def _lower(name: str) -> str:
    """Split a Python name into words, without a capital letter."""
    name = name.rpartition(".")[2]
    spaced = ""
    for before, here, after in zip(f" {name}", name, f"{name[1:]} ", strict=False):
        # A word begins with a capital letter. The last of several in a row begins the next word.
        if here.isupper() and (not before.isupper() or after.islower()):
            spaced += " "
        spaced += " " if here == "_" else here
    return " ".join(
        word if len(word) > 1 and word.isupper() else word.lower() for word in spaced.split()
    )
