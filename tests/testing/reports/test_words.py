"""Tests of names and values in words."""

import dataclasses
from collections import OrderedDict
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from types import SimpleNamespace
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from attrs import define, field, frozen

from eventhus import Command
from eventhus_testing import like
from eventhus_testing.matching.matchers import mask_fields
from eventhus_testing.reports.words import Phrase, in_words, phrase, words


class Colour(Enum):
    DARK_RED = "#800000"


@frozen
class Money:
    cents: int

    def __str__(self) -> str:
        return f"€{self.cents / 100:.2f}"


@frozen
class Line:
    sku: str
    count: int


@dataclasses.dataclass
class Point:
    x: int
    unseen: int = dataclasses.field(default=0, repr=False)


class Pair(NamedTuple):
    one: object
    other: object


@frozen
class Box:
    inside: object


@frozen(kw_only=True)
class SendHTTPRequest(Command):
    to_URL: str  # noqa: N815 - to test an acronym
    secret: str = field(default="x", repr=False)


def is_large(number: int) -> bool:
    return number > 1


@define
class Endless:
    inside: object = None


def _endless() -> Endless:
    endless = Endless()
    endless.inside = endless
    return endless


NAMES = {
    "PerformDeposit": "Perform deposit",
    "SendHTTPRequest": "Send HTTP request",
    "deposits_add_up": "Deposits add up",
    "_private__name": "Private name",
    "Outer.Inner": "Inner",
    "Größe": "Größe",
    "ÜberwiesenÄndern": "Überwiesen ändern",
    "v2Event": "V2 event",
    "": "",
}

VALUES: Mapping[str, tuple[Any, str]] = {
    "a word": ("ann", "ann"),
    "an address": ("ann@example.org", "ann@example.org"),
    "words": ("Moby Dick", "“Moby Dick”"),
    "no words": ("", "“”"),
    "a text of digits": ("7", "“7”"),
    "a text of lines": ("a\n  b", "“a b”"),
    "a number": (7, "7"),
    "money": (Decimal("34.00"), "34.00"),
    "yes": (True, "yes"),
    "no": (False, "no"),
    "nothing": (None, "none"),
    "bytes": (b"\x00\x01", "2 bytes"),
    "an enum": (Colour.DARK_RED, "DARK_RED"),
    "a class": (SendHTTPRequest, "Send HTTP request"),
    "an id": (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    "a date": (date(2031, 3, 4), "2031-03-04"),
    "a time": (time(20, 15), "20:15:00"),
    "a moment": (datetime(2031, 3, 4, 20, tzinfo=UTC), "2031-03-04 20:00 UTC"),
    "a precise moment": (
        datetime(2031, 3, 4, 20, 0, 1, 5, tzinfo=UTC),
        "2031-03-04 20:00:01.000005 UTC",
    ),
    "a moment elsewhere": (
        datetime(2031, 3, 4, 20, tzinfo=timezone(timedelta(hours=2))),
        "2031-03-04 20:00 +02:00",
    ),
    "a moment anywhere": (datetime(2031, 3, 4, 20), "2031-03-04 20:00"),  # noqa: DTZ001
    "a while": (timedelta(days=1, minutes=90), "1 day 1 hour 30 minutes"),
    "half a second": (timedelta(milliseconds=500), "0.5 seconds"),
    "no time": (timedelta(), "0 seconds"),
    "a list": ([3, 1, 2], "3, 1 and 2"),
    "a list of one": ([3], "3"),
    "a list of none": ([], "none"),
    "a long list": ([*range(8)], "0, 1, 2, 3, 4 and 3 more"),
    "a set": (frozenset({"b10", "b9", "a"}), "a, b9 and b10"),
    "a mapping": ({Colour.DARK_RED: [1, 2], "b": 3}, "DARK_RED (1 and 2), b 3"),
    "a long mapping": (
        dict.fromkeys("abcdefg", 1),
        "a 1, b 1, c 1, d 1, e 1, and 2 more",
    ),
    "a class with a text of its own": (Money(950), "€9.50"),
    "parts": (Line("tea", 2), "Line (sku tea, count 2)"),
    "a dataclass": (Point(1), "Point (x 1)"),
    "no parts": (SendHTTPRequest(aggregate_id="a", to_URL="b"), "Send HTTP request (to URL b)"),
    "parts in parts": (
        Box(Box(Box(Box(1)))),
        "Box (inside box (inside box (inside box (inside 1))))",
    ),
    "a value that contains itself": (_endless(), "Endless (inside …)"),
    "control characters": ("\x1b[2J\ud800", "“\\x1b[2J\\ud800”"),
    "a long word": ("x" * 200, f"{'x' * 120} …"),
    "a list of parts": ([Line("tea", 2)], "line (sku tea, count 2)"),
    "a predicate": (is_large, "a value that satisfies is_large"),
    "a plain object": (SimpleNamespace(a=1), "namespace(a=1)"),
    "too much": ("x " * 100, f"“{'x ' * 58}x …"),
}

PHRASES = {
    "a command without its id": (
        phrase(SendHTTPRequest(aggregate_id="a", to_URL="b"), "command"),
        "Send HTTP request: to URL b",
    ),
    "an event elsewhere": (phrase(Line("tea", 2), "event", "o1"), "o1 · Line: sku tea, count 2"),
    "a part of an event": (
        phrase(like(Line, count=is_large)),
        "Line: count a value that satisfies is_large, …",
    ),
    "a part of a part": (
        phrase(Box([like(Line, sku="tea")])),
        "Box: inside line (sku tea, …)",
    ),
    "unchecked fields": (
        phrase(mask_fields(Box({"a": Line("tea", 2)}), ["sku"])),
        "Box: inside a line (count 2, …)",
    ),
    "unchecked fields in containers": (
        phrase(mask_fields(Box(Pair(Line("tea", 2), OrderedDict(a=Line("tea", 3)))), ["count"])),
        "Box: inside line (sku tea, …) and (a line (sku tea, …))",
    ),
    "unchecked fields of the whole": (
        phrase(mask_fields(Point(1), ["x"]), "event"),
        "Point: …",
    ),
    "unchecked fields of a part": (
        phrase(mask_fields(like(Box, inside=Line("tea", 2)), ["count"])),
        "Box: inside Line (sku tea, …), …",
    ),
    "no unchecked fields": (
        phrase(mask_fields(Line("tea", 2), ["price"])),
        "Line: sku tea, count 2",
    ),
    "a mapping": (phrase({"a": 1, "b": [1, 2]}), "a 1, b 1 and 2"),
    "nothing": (phrase({}), "none"),
    "a value": (phrase(7), "7"),
    "no words": (Phrase("", ()), ""),
}


@pytest.mark.parametrize(("name", "said"), NAMES.items())
def test_names_are_split_at_capitals_and_underscores(name: str, said: str) -> None:
    assert said == words(name)


@pytest.mark.parametrize(("value", "said"), VALUES.values(), ids=VALUES.keys())
def test_values_are_described_in_one_short_line(value: object, said: str) -> None:
    assert said == in_words(value)


@pytest.mark.parametrize(("said", "expected"), PHRASES.values(), ids=PHRASES.keys())
def test_phrases_name_the_class_and_list_the_fields(said: Phrase, expected: str) -> None:
    assert expected == str(said)
