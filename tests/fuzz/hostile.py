"""Random values that break programs: texts, numbers, plain data and documents."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from random import Random
from typing import Any

import bson
from bson import Binary, Code, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

CANARY = "canary-4711-0815"
"""Stands for personal data. No error, log line or name of a thread may hold it."""

_FRAGMENTS = [
    "",
    "a",
    "é",
    "🏦",
    "\0",
    "\n",
    "\r\nERROR forged",
    "\x1b[2J",
    "\u202e",
    "\u2028",
    "\ufeff",
    "\ud800",
    "\udfff",
    "$where",
    "$ref",
    ".",
    "*",
    ">",
    "..",
    "/",
    "\\",
    "%s%n",
    "%41",
    "{0}",
    "{x.__class__}",
    "'; drop",
    "<script>",
    "`",
    "|",
    "_dead",
    "KV_",
    "_id",
    "__proto__",
    "eventhus:",
    " ",
    "\t",
    "0",
    "-1",
    "1e999",
    "NaN",
    "null",
    "[" * 2000,
    "x" * 300,
    "ü" * 600,
    "x" * 20_000,
]
_NUMBERS = [
    0,
    1,
    2,
    7,
    -1,
    90,
    255,
    2**31,
    2**53,
    2**62 - 1,
    2**62,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63),
    10**30,
    10**400,
]
_FLOATS = [0.0, -0.0, 1.5, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf")]


def nested(depth: int, *, as_dict: bool = False) -> Any:
    """Return lists or dicts in each other."""
    value: Any = 1
    for _ in range(depth):
        value = {"a": value} if as_dict else [value]
    return value


class Hostile:
    """A source of hostile values, all of which follow from its random numbers."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self._secret = CANARY

    def text(self) -> str:
        """Return text of any kind, with halves of surrogate pairs."""
        choose = self.random.choice
        if self.random.random() < 0.02:
            return choose(["x", "é", "🏦", "\0"]) * choose([255, 256, 1024, 1025, 70_000, 500_000])
        return "".join(choose(_FRAGMENTS) for _ in range(self.random.randint(0, 3)))

    def whole_text(self) -> str:
        """Return text that UTF-8 can hold."""
        return self.text().encode(errors="replace").decode()

    def number(self) -> int:
        """Return an integer, also beyond 64 bits."""
        return self.random.choice(_NUMBERS) + self.random.choice([0, 0, 0, 1, -1])

    def plain(self, depth: int = 3) -> Any:
        """Return data as JSON may hold it, and more: numbers that are not finite, deep nesting."""
        pick = self.random.randrange(12 if depth else 8)
        match pick:
            case 0:
                return None
            case 1:
                return self.random.random() < 0.5
            case 2 | 3:
                return self.number()
            case 4:
                return self.random.choice(_FLOATS)
            case 5 | 6:
                return self.text()
            case 7:
                return self._secret
            case 8 | 9:
                return [self.plain(depth - 1) for _ in range(self.random.randint(0, 3))]
            case 10:
                return nested(
                    self.random.choice([85, 95, 2000]), as_dict=self.random.random() < 0.5
                )
            case _:
                return {
                    self.text(): self.plain(depth - 1) for _ in range(self.random.randint(0, 3))
                }

    def bson(self) -> Any:
        """Return a value that MongoDB can hold, of any of its types."""
        made: list[Callable[[], Any]] = [
            lambda: None,
            lambda: True,
            lambda: self.random.choice([-1, 0, 1, 2, 10**6, 2**31 - 1]),
            lambda: Int64(self.random.choice([-(2**63), -1, 0, 2**53, 2**62, 2**63 - 1])),
            lambda: self.random.choice(_FLOATS),
            lambda: self.whole_text().replace("\0", ""),
            lambda: self._secret,
            lambda: datetime(2026, 1, 1, tzinfo=UTC),
            lambda: DatetimeMS(self.random.choice([-(2**63), 2**62, 9 * 10**15])),
            lambda: ObjectId("0123456789ab0123456789ab"),
            lambda: Binary(b"\xff" * 9, self.random.choice([0, 2, 128])),
            lambda: Regex("^(a+)+$", "i"),
            lambda: Timestamp(1, 2),
            lambda: Decimal128("NaN"),
            lambda: Code("while (true) {}"),
            MinKey,
            MaxKey,
            list,
            dict,
            lambda: [1, "a", None, [{}]],
            lambda: {"a": {"$ref": "b", "$id": 1}},
            lambda: {self._secret: self._secret, "": 1},
            lambda: nested(self.random.choice([5, 80]), as_dict=self.random.random() < 0.5),
            lambda: ["x"] * 1000,
        ]
        return self.random.choice(made)()

    def mutated(
        self, document: Any, value: Callable[[], Any], *, data: frozenset[str] | None = None
    ) -> Any:
        """Return a copy of a document with some of its parts replaced, removed, added or wrapped.

        Args:
            document: The document.
            value: Makes a hostile value.
            data: The keys of personal data, where the canary may stand; ``None`` for everywhere.
                Errors may quote the other parts.
        """
        changed = deepcopy(document)
        for _ in range(self.random.choice([1, 1, 1, 2, 5])):
            places = _places(changed, data)
            if not places:
                return changed
            holder, key, is_data = self.random.choice(places)
            self._secret = CANARY if is_data else "x"
            match self.random.randrange(6):
                case 0 | 1 | 2:
                    holder[key] = value()
                case 3:
                    del holder[key]
                case 4:
                    holder[key] = [holder[key]]
                case _ if isinstance(holder, dict):
                    holder[self.random.choice(["format", "_x", "schema", "data_json", "é"])] = (
                        value()
                    )
                case _:
                    holder.append(value())
        return changed

    def raw(self, document: dict[str, Any]) -> RawBSONDocument | None:
        """Return a document as BSON, sometimes with text that is not UTF-8, or ``None``."""
        try:
            raw = bson.encode(document)
        except (BSONError, UnicodeError, OverflowError, RecursionError):
            return None
        if self.random.random() < 0.1:
            raw = raw.replace(CANARY.encode(), b"\xff" + CANARY[1:].encode())
        return RawBSONDocument(raw)


def _places(value: Any, data: frozenset[str] | None) -> list[tuple[Any, Any, bool]]:
    """Return every place in a document: what holds it, its key or index, and whether it is data."""
    found: list[tuple[Any, Any, bool]] = []
    waiting = [(value, data is None)]
    while waiting:
        holder, is_data = waiting.pop()
        if isinstance(holder, dict):
            items = [(key, is_data or key in (data or ())) for key in holder]
        elif isinstance(holder, list) and len(holder) < 100:
            items = [(index, is_data) for index in range(len(holder))]
        else:
            continue
        found += [(holder, key, within) for key, within in items]
        waiting += [(holder[key], within) for key, within in items]
    return found
