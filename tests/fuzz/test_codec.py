"""Data that does not fit its class is one typed error, and values that are accepted come back."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntFlag, StrEnum
from typing import Any, Literal
from uuid import UUID

from attrs import frozen

from eventhus.domain.catalog import Catalog
from eventhus.errors import CodecError
from eventhus.ports import Message
from eventhus.runtime.messaging.wire import from_message, to_message
from eventhus.runtime.serializer import EventSerializer
from eventhus_cattrs import CattrsCodec
from eventhus_testing.conformance.bus.cases import message
from tests.bank import account, note
from tests.fuzz.hostile import CANARY, Hostile
from tests.fuzz.inputs import attempt, for_each


class Colour(StrEnum):
    RED = "red"


class Level(Enum):
    LOW = 1
    HIGH = 2


class Right(IntFlag):
    READ = 1
    WRITE = 2


@frozen
class Card:
    number: str
    until: date | None = None


@frozen
class Cash:
    amount: Decimal


@frozen
class Everything:
    flag: bool
    count: int
    share: float
    text: str
    at: datetime
    lasts: timedelta
    id: UUID
    raw: bytes
    colour: Colour
    level: Level
    rights: Right
    size: Literal["s", "m", 3]
    payment: Card | Cash
    either: int | str | None
    names: tuple[str, ...]
    pair: tuple[int, str]
    seats: frozenset[int]
    cards: frozenset[Card]
    prices: dict[str, Decimal]
    by_day: dict[date, list[Card]]


GOOD: dict[str, Any] = {
    "flag": True,
    "count": 1,
    "share": 1.5,
    "text": CANARY,
    "at": "2026-01-01T00:00:00+00:00",
    "lasts": "P1DT2H",
    "id": "0f3f3f8c-6d0a-4d5e-9a53-7e0c0f5b7c1a",
    "raw": "AAAA",
    "colour": "red",
    "level": 2,
    "rights": 3,
    "size": "s",
    "payment": {"_type": "Card", "number": CANARY},
    "either": None,
    "names": [CANARY, "b"],
    "pair": [1, "a"],
    "seats": [1, 2],
    "cards": [{"number": CANARY, "until": "2026-01-01"}],
    "prices": {CANARY: "1.5"},
    "by_day": {"2026-01-01": [{"number": CANARY}]},
}

CODEC = CattrsCodec()
ENCODE, DECODE = CODEC.encoder(Everything), CODEC.decoder(Everything)
CATALOG = Catalog([account, note])
SERIALIZER = EventSerializer(CATALOG, CODEC)


def test_data_of_another_form_is_refused_or_comes_back() -> None:
    assert isinstance(DECODE(GOOD), Everything)

    def check(hostile: Hostile) -> None:
        value = attempt(lambda: DECODE(hostile.mutated(GOOD, hostile.plain)))
        if isinstance(value, Everything):
            assert value == DECODE(ENCODE(value))
        else:
            assert isinstance(value, CodecError)

    for_each("codec", 0.25, check)
    assert {Right.READ, Right.WRITE, Right(3), Right(0)} >= {*Right._value2member_map_.values()}


def test_a_message_of_another_form_is_refused_or_is_published_again() -> None:
    good = message("a", 3, headers={"Eventhus-Metadata": f'{{"user": "{CANARY}"}}'})
    parts = {
        "body": {**_fields(good), "data": {"amount": 1, CANARY: CANARY}},
        "headers": {
            **good.headers,
            "Eventhus-Position": "7",
            "Eventhus-Recorded-At": "2026-01-01T00:00:00+00:00",
            "Eventhus-Correlation-Id": '"c"',
            "Eventhus-Causation-Id": '"d"',
            "Eventhus-Tags": ["course:c1", "é"],  # as JSON, once they are mutated
        },
    }

    def check(hostile: Hostile) -> None:
        given = _message(hostile, hostile.mutated(parts, hostile.plain, data=frozenset({"data"})))
        stored = attempt(lambda: from_message(given))
        if isinstance(stored, CodecError):
            return
        attempt(lambda: CATALOG.is_of_newer_code(stored.stream, stored.event))  # type: ignore[attr-defined]
        attempt(lambda: SERIALIZER.recorded(stored))  # type: ignore[arg-type]
        again = attempt(lambda: to_message(stored))  # type: ignore[arg-type]
        assert isinstance(again, Message | CodecError)

    for_each("wire", 0.15, check)


def _fields(given: Message) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(given.body)
    return fields


def _message(hostile: Hostile, parts: Any) -> Message:
    """Return a message that a bus could deliver: any body, and any text as headers."""
    parts = parts if isinstance(parts, dict) else {}
    headers = parts.get("headers")
    headers = headers if isinstance(headers, dict) else {}
    try:
        body = json.dumps(parts.get("body"), skipkeys=True).encode()
    except RecursionError:
        body = b"[" * 100_000
    if hostile.random.random() < 0.05:
        body = hostile.random.randbytes(20)
    return message(
        "a",
        id=hostile.whole_text(),
        type=hostile.whole_text(),
        body=body,
        headers={str(key): _header(key, value)[:9000] for key, value in headers.items()},
        published_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def _header(key: object, value: Any) -> str:
    if key != "Eventhus-Tags":
        return _shown(value)
    try:
        return json.dumps(value, skipkeys=True)
    except RecursionError:
        return _shown(value)


def _shown(value: Any) -> str:
    try:
        return str(value)
    except RecursionError:
        return "[" * 9000
