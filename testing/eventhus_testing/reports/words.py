"""Names and values as people say them: "Perform deposit: amount 50"."""

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

MOST_ITEMS = 5  # of a collection; the others are counted
MOST_CHARACTERS = 120  # of one value
DEEPEST = 50  # parts within parts
OPEN = "…"  # stands for the fields that may be anything

_PLAIN_TEXT = re.compile(r"(?!\d+$)[\w.@/:+#-]+")


Within: TypeAlias = tuple[int, ...]
"""The identities of the values that a part is in, outermost first."""


@frozen
class Phrase:
    """A value, taken apart to be shown.

    Attributes:
        head: What it is: "Perform deposit". Empty where the fields say it all.
        fields: The names and the values of its parts.
        where: The id of the aggregate that it is about, where that matters.
        kind: Of what nature it is: "command", "event", "refusal", "state", or nothing of these.
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
    """A name of Python as words, the first one with a capital.

    >>> words("PerformDeposit"), words("test_deposits_add_up"), words("HTTPRequestSent")
    ('Perform deposit', 'Test deposits add up', 'HTTP request sent')
    """
    said = _lower(name)
    return said[:1].upper() + said[1:]


def phrase(value: object, kind: str = "", where: str = "") -> Phrase:
    """What a value says.

    Args:
        value: A command, an event, a state, or what a test expects instead of one.
        kind: See ``Phrase``.
        where: See ``Phrase``.
    """
    fields = _fields(value)
    if fields is not None:
        said = [(_lower(name), text(field)) for name, field in fields.items()]
        if _leaves_open(value):
            said.append((OPEN, ""))
        return Phrase(words(class_of(value).__qualname__), tuple(said), where, kind)
    if isinstance(value, Mapping) and value:
        mapping: Mapping[Any, Any] = value
        items = _most([(text(key), text(item)) for key, item in mapping.items()])
        return Phrase("", tuple(items), where, kind)
    return Phrase(text(value), (), where, kind)


def text(value: object) -> str:
    """Return a value as one printable line, cut where it is too long."""
    return one_line(_said(value, ()))


def one_line(said: str) -> str:
    """Return a text as one printable line, cut where it is too long."""
    said = printable(" ".join(said.split()))
    if len(said) <= MOST_CHARACTERS:
        return said
    shown = said[:MOST_CHARACTERS]
    whole_words = shown.rpartition(" ")[0].rstrip(" ,(")
    return f"{whole_words if len(whole_words) > MOST_CHARACTERS // 2 else shown} …"


def _said(value: object, within: Within) -> str:
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
    """Sorts names as people do: 2 comes before 10."""
    return [
        (int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name)
    ]


def _other(value: object, within: Within) -> str:
    fields = _fields(value)
    if fields is None or _says_it_itself(value):
        return text_of(value) if is_open(value) or not _says_it_itself(value) else str(value)
    name = class_of(value).__qualname__
    name = _lower(name) if within else words(name)
    said = [f"{_lower(name)} {_part(part, value, within)}" for name, part in fields.items()]
    if _leaves_open(value):
        said.append(OPEN)
    return f"{name} ({', '.join(said)})" if said else name


def _part(value: object, whole: object, within: Within) -> str:
    within = (*within, id(whole))
    if id(value) in within or len(within) > DEEPEST:
        return OPEN
    said = _said(value, within)
    is_list = isinstance(value, list | tuple | set | frozenset | Mapping)
    return f"({said})" if is_list and said else said


def _says_it_itself(value: object) -> bool:
    """Whether the class has a text of its own, made for people."""
    return type(value).__str__ is not object.__str__


def _fields(value: object) -> dict[str, object] | None:
    """The fields of a value that its class shows, if it has any; not the id in a command."""
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
    """Whether there are fields of which nothing is expected."""
    return isinstance(value, Like) and not value.is_whole


def _moment(value: datetime) -> str:
    offset = value.utcoffset()
    said = value.replace(tzinfo=None).isoformat(" ").removesuffix(":00")
    if offset is None:
        return said
    return f"{said} {value.isoformat()[-6:]}" if offset else f"{said} UTC"


def _duration(value: timedelta) -> str:
    seconds = value.seconds + value.microseconds / 1_000_000
    parts = [
        (value.days, "day"),
        (seconds // 3600, "hour"),
        (seconds // 60 % 60, "minute"),
        (seconds % 60, "second"),
    ]
    said = [f"{count:g} {unit}{'' if count == 1 else 's'}" for count, unit in parts if count]
    return " ".join(said) or "0 seconds"


def _listed(items: Sequence[str]) -> str:
    if not items:
        return "none"
    if len(items) > MOST_ITEMS:
        return f"{', '.join(items[:MOST_ITEMS])} and {len(items) - MOST_ITEMS} more"
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]]))


def _most(items: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    if len(items) <= MOST_ITEMS:
        return [*items]
    return [*items[:MOST_ITEMS], (f"and {len(items) - MOST_ITEMS} more", "")]


def _lower(name: str) -> str:
    """As ``words``, without the capital."""
    name = name.rpartition(".")[2]
    spaced = ""
    for before, here, after in zip(f" {name}", name, f"{name[1:]} ", strict=False):
        # A word begins with a capital, and in a row of them the last begins the next word.
        if here.isupper() and (not before.isupper() or after.islower()):
            spaced += " "
        spaced += " " if here == "_" else here
    return " ".join(
        word if len(word) > 1 and word.isupper() else word.lower() for word in spaced.split()
    )
