"""What is refused: with the place, in words, and without a quote."""

import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

import attrs
import pytest
from attrs import field, frozen, validators

from eventhus.errors import CodecError
from tests.adapters.cattrs.support import CODEC, decode_error, encode_error


class Level(IntEnum):
    """Its members are numbers."""

    LOW = 1


class Colour(StrEnum):
    """Its members are text."""

    RED = "red"


class Category(Enum):
    """Its members are neither."""

    STALLS = "stalls"
    CIRCLE = 7


class Text(str):
    """Text with something more to it."""

    __slots__ = ()


@frozen
class Seat:
    """A value inside a value."""

    row: str
    number: int = field(default=1, validator=validators.gt(0))


@frozen
class BoxSeat(Seat):
    """A seat with something more to it."""


@frozen
class Booked:
    """An event."""

    seats: tuple[Seat, ...]
    prices: dict[str, list[int]]
    guest: Seat | None = None


class Nowhere(tzinfo):
    """A zone that has no offset."""

    def utcoffset(self, _: datetime | None) -> None:
        return None

    def dst(self, _: datetime | None) -> None:
        return None

    def tzname(self, _: datetime | None) -> None:
        return None


SEAT: dict[str, Any] = {"row": "A", "number": 2}
BOTH_WAYS = [
    (None, 0, "expected None, found int"),
    (bool, 1, "expected bool, found int"),
    (str, None, "expected str, found None"),
    (str, b"a secret", "expected str, found bytes"),
    (str, "a \ud800 secret", "holds half of a surrogate pair, which UTF-8 cannot say"),
    (int, True, "expected int, found bool"),
    (int, 300.0, "expected int, found float"),
    (int, "300", "expected int, found str"),
    (int, 2**63, "does not fit 64 bits; make the field a Decimal to hold it"),
    (int, -(2**63) - 1, "does not fit 64 bits; make the field a Decimal to hold it"),
    (float, True, "expected float, found bool"),
    (float, "1.5", "expected float, found str"),
    (float, float("nan"), "is not finite, and JSON has no word for that"),
    (float, float("-inf"), "is not finite, and JSON has no word for that"),
    (float, 10**400, "is an int too large for a float"),
    (Literal["a", 1], 1.0, "is not one of 'a', 1"),
    (Literal["a", 1], True, "is not one of 'a', 1"),
    (Literal["a", 1], [], "is not one of 'a', 1"),
    (list[int], [1, "2"], "[1]: expected int, found str"),
    (list[int], {1}, "expected list, found set"),
    (dict[str, int], {"a secret": "x"}, "[*]: expected int, found str"),
    (dict[str, int], {1: 2}, "a key: expected str, found int"),
    (dict[str, int], [], "expected dict, found list"),
    (int | str, 1.5, "expected int | str, found float"),
    (int | str, True, "expected int, found bool"),
    (int | None, "1", "expected int, found str"),
]


@pytest.mark.parametrize(("as_type", "given", "message"), BOTH_WAYS)
def test_neither_encodes_nor_decodes(as_type: Any, given: object, message: str) -> None:
    """Bad data gets neither in nor out."""
    assert message == encode_error(as_type, given)
    if as_type == int | str and given is True:
        message = "expected int | str, found bool"
    assert message == decode_error(as_type, given)


ENCODE = [
    (str, Colour.RED, "expected str, found Colour"),
    (str, Text("a secret"), "expected str, found Text"),
    (int, Level.LOW, "expected int, found Level"),
    (float, 2**53 + 1, "is an int that no float equals; make the field an int or a Decimal"),
    (Level, 1, "expected Level, found int"),
    (Colour, "red", "expected Colour, found str"),
    (Category, "stalls", "expected Category, found str"),
    (Literal["red"], Colour.RED, "is not one of 'red'"),
    (Decimal, 1.5, "expected Decimal, found float"),
    (Decimal, "1.5", "expected Decimal, found str"),
    (Decimal, Decimal("NaN"), "is not finite"),
    (Decimal, Decimal("sNaN"), "is not finite"),
    (Decimal, Decimal("-Infinity"), "is not finite"),
    (
        datetime,
        datetime(2025, 1, 1),  # noqa: DTZ001 - naive is the point
        "has no UTC offset; make it aware, as datetime.now(UTC) is",
    ),
    (
        datetime,
        datetime(2025, 1, 1, tzinfo=Nowhere()),
        "has no UTC offset; make it aware, as datetime.now(UTC) is",
    ),
    (
        datetime,
        datetime(2025, 1, 1, tzinfo=timezone(timedelta(microseconds=1))),
        "has a UTC offset with a fraction of a second",
    ),
    (datetime, date(2025, 1, 1), "expected datetime, found date"),
    (date, datetime(2025, 1, 1, tzinfo=UTC), "expected date, found datetime"),
    (timedelta, 5, "expected timedelta, found int"),
    (UUID, "12345678-1234-5678-1234-567812345678", "expected UUID, found str"),
    (bytes, "a secret", "expected bytes, found str"),
    (bytes, bytearray(b"a secret"), "expected bytes, found bytearray"),
    (list[int], (1, 2), "expected list, found tuple"),
    (tuple[int, ...], [1], "expected tuple, found list"),
    (tuple[int, str], (1,), "expected 2 items, found 1"),
    (tuple[int, str], (1, 2), "[1]: expected str, found int"),
    (frozenset[int], {1}, "expected frozenset, found set"),
    (dict[str, int], MappingProxyType({}), "expected dict, found mappingproxy"),
    (Seat, BoxSeat("A"), "expected Seat, found BoxSeat"),
    (Seat, {"row": "A"}, "expected Seat, found dict"),
    (Seat, Seat(7), "row: expected str, found int"),  # type: ignore[arg-type]
    (
        Booked,
        Booked((Seat("A"), Seat("B", True)), {}),
        "seats[1].number: expected int, found bool",
    ),
    (
        Booked,
        Booked((), {"a secret": [1, "2"]}),  # type: ignore[list-item]
        "prices[*][1]: expected int, found str",
    ),
    (Booked, Booked((), {}, BoxSeat("A")), "guest: expected Seat, found BoxSeat"),
]


@pytest.mark.parametrize(("as_type", "value", "message"), ENCODE)
def test_is_not_encoded(as_type: Any, value: object, message: str) -> None:
    """What would come back as something else is never written."""
    assert message == encode_error(as_type, value)


DECODE = [
    (Level, True, "expected int, found bool"),
    (Level, 1.0, "expected int, found float"),
    (Level, 3, "is not a value of Level"),
    (Category, None, "expected int or str, found None"),
    (Category, [], "expected int or str, found list"),
    (Category, "a secret", "is not a value of Category"),
    (Decimal, 1.5, "expected a decimal number as str, found float"),
    (Decimal, "a secret", "expected a decimal number, found other text"),
    (Decimal, "NaN", "is not finite"),
    (UUID, 5, "expected a UUID as str, found int"),
    (UUID, "a secret", "expected a UUID, found other text"),
    (datetime, 0, "expected an ISO 8601 date and time as str, found int"),
    (datetime, "a secret", "expected an ISO 8601 date and time, found other text"),
    (
        datetime,
        "2025-01-01T00:00:00",
        "has no UTC offset; make it aware, as datetime.now(UTC) is",
    ),
    (
        datetime,
        "2025-01-01",
        "has no UTC offset; make it aware, as datetime.now(UTC) is",
    ),
    (date, "2025-01-01T00:00:00Z", "expected an ISO 8601 date, found other text"),
    (timedelta, 5, "expected an ISO 8601 duration as str, found int"),
    (bytes, "a secret", "expected base64, found other text"),
    (bytes, "AP8/!", "expected base64, found other text"),
    (tuple[int, ...], (1,), "expected list, found tuple"),
    (tuple[int, str], [1, "x", 2], "expected 2 items, found 3"),
    (frozenset[int], [1, 1], "holds the same item twice"),
    (
        dict[Decimal, int],
        {"1": 1, "1.0": 2},
        "holds two keys that are the same once converted",
    ),
    (Seat, None, "expected Seat as dict, found None"),
    (Seat, [], "expected Seat as dict, found list"),
    (Seat, "a secret", "expected Seat as dict, found str"),
    (Seat, {}, "row: is missing"),
    (Seat, {"row": "A", "number": None}, "number: expected int, found None"),
    (
        Seat,
        {"row": "A", "a secret": 1},
        "holds a field that Seat does not have; it has row, number",
    ),
    (Seat, {"row": "A", "number": -3}, "Seat refuses these fields: ValueError"),
    (Booked, {"seats": [], "prices": {"x": [1.5]}}, "prices[*][0]: expected int, found float"),
    (Booked, {"seats": [SEAT, {}], "prices": {}}, "seats[1].row: is missing"),
    (
        Booked,
        {"seats": [SEAT], "prices": {}, "guest": SEAT | {"age": 3}},
        "guest: holds a field that Seat does not have; it has row, number",
    ),
    (
        Booked,
        {"seats": [{"row": "A", "number": 0}], "prices": {}},
        "seats[0]: Seat refuses these fields: ValueError",
    ),
]


@pytest.mark.parametrize(("as_type", "data", "message"), DECODE)
def test_is_not_decoded(as_type: Any, data: object, message: str) -> None:
    """Nothing is guessed: data is of the promised form or refused."""
    assert message == decode_error(as_type, data)


def test_the_error_has_parts() -> None:
    """A dead letter can be filed by type and field."""
    with pytest.raises(CodecError) as caught:
        CODEC.decoder(Booked)({"seats": [{"row": 1}], "prices": {}})
    error = caught.value
    assert ("Booked", "seats[0].row", "expected str, found int") == (
        error.type,
        error.field,
        error.problem,
    )


def test_the_error_names_what_was_asked_for() -> None:
    """Also where that is not a class."""
    with pytest.raises(CodecError) as caught:
        CODEC.decoder(Mapping[str, Seat] | tuple[int, ...] | None)(1.5)
    assert "Mapping[str, Seat] | tuple[int, ...] | None" == caught.value.type


@attrs.frozen
class Chain:
    """A value inside a value inside a value."""

    link: "Chain | None" = None


def test_data_nested_too_deeply_is_refused() -> None:
    """Even what cannot be looked at to the end is the one kind of error."""
    value = Chain()
    data: dict[str, Any] = {}
    for _ in range(sys.getrecursionlimit()):
        value = Chain(value)
        data = {"link": data}
    assert "could not be converted: RecursionError" == encode_error(Chain, value)
    assert "could not be converted: RecursionError" == decode_error(Chain, data)


SECRET = "a secret"


@pytest.mark.parametrize(
    "data",
    [
        {"seats": SECRET, "prices": {}},
        {"seats": [], "prices": {SECRET: SECRET}},
        {"seats": [{"row": "A", "number": SECRET}], "prices": {}},
        {"seats": [{"row": "A", "number": -12345}], "prices": {}},
        SECRET,
    ],
)
def test_nothing_is_quoted(data: object) -> None:
    """Data may be personal, and neither the message nor the traceback shows it."""
    with pytest.raises(CodecError) as caught:
        CODEC.decoder(Booked)(data)
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    assert "12345" not in shown


class Access(IntFlag):
    READ = 1
    WRITE = 2


def test_flags_with_unknown_bits_are_refused_and_not_cached() -> None:
    unknown = Access(2**64)
    cached = len(Access._value2member_map_)
    assert "has bits that are not flags of Access" == encode_error(Access, unknown)
    for data in (4, 5, -1, 2**70):
        assert "has bits that are not flags of Access" == decode_error(Access, data)
    assert cached == len(Access._value2member_map_)
    assert Access.READ | Access.WRITE == CODEC.decoder(Access)(3)
