"""What each type is stored as, and that it comes back."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum, Flag, IntEnum, StrEnum
from typing import Annotated, Any, Literal, NewType, Optional, TypeVar
from uuid import UUID

import pytest
import typing_extensions
from attrs import frozen

from eventhus.ports import Codec
from eventhus_cattrs import CattrsCodec
from tests.adapters.cattrs.support import CODEC, decode_error, through_json


@frozen
class Seat:
    """A value inside a value."""

    row: str
    number: int


class Category(Enum):
    """An enum of text."""

    STALLS = "stalls"
    BALCONY = "balcony"


class Level(IntEnum):
    """An enum whose members are numbers."""

    LOW = 1
    HIGH = 2


class Colour(StrEnum):
    """An enum whose members are text."""

    RED = "red"


class Mixed(Enum):
    """An enum of both."""

    NUMBER = 1
    TEXT = "1"


class Rights(Flag):
    """Flags, which combine."""

    READ = 1
    WRITE = 2


class Renamed(Enum):
    """An enum that knows how a member was called before."""

    CURRENT = "current"

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls.CURRENT if value == "former" else None


Email = NewType("Email", str)
T = TypeVar("T")
Pair = typing_extensions.TypeAliasType("Pair", tuple[T, T], type_params=(T,))
Name = typing_extensions.TypeAliasType("Name", Annotated[str, "not empty"])

MANY = Literal["card", 1, True, None]  # noqa: PYI061 - as one type
A_UUID = UUID("12345678-1234-5678-1234-567812345678")
CEST = timezone(timedelta(hours=2))
ODD_ZONE = timezone(-timedelta(hours=3, minutes=30, seconds=1))
TWO_SEATS = frozenset({Seat("B", 1), Seat("A", 2)})
TWO_SEATS_STORED = [
    {"row": "A", "number": 2},
    {"row": "B", "number": 1},
]

STORED: list[tuple[Any, Any, Any]] = [
    (None, None, None),
    (type(None), None, None),
    (bool, True, True),
    (str, "Zoë 🎭", "Zoë 🎭"),
    (int, -(2**63), -(2**63)),
    (int, 2**63 - 1, 2**63 - 1),
    (float, 0.1, 0.1),
    (Decimal, Decimal("12.50"), "12.50"),
    (Decimal, Decimal("-1E+400"), "-1E+400"),
    (UUID, A_UUID, "12345678-1234-5678-1234-567812345678"),
    (datetime, datetime(2025, 1, 2, 3, 4, 5, 6, UTC), "2025-01-02T03:04:05.000006+00:00"),
    (datetime, datetime(2025, 1, 2, tzinfo=CEST), "2025-01-02T00:00:00+02:00"),
    (datetime, datetime(1, 1, 1, 4, tzinfo=ODD_ZONE), "0001-01-01T04:00:00-03:30:01"),
    (date, date(2025, 12, 24), "2025-12-24"),
    (timedelta, timedelta(), "P0DT0H0M0S"),
    (timedelta, timedelta(days=1, hours=26, minutes=3, seconds=4), "P2DT2H3M4S"),
    (timedelta, timedelta(microseconds=-1), "-P0DT0H0M0.000001S"),
    (timedelta, timedelta.max, "P999999999DT23H59M59.999999S"),
    (timedelta, timedelta.min, "-P999999999DT0H0M0S"),
    (bytes, b"\x00\xff?", "AP8/"),
    (Category, Category.BALCONY, "balcony"),
    (Level, Level.HIGH, 2),
    (Colour, Colour.RED, "red"),
    (Mixed, Mixed.NUMBER, 1),
    (Mixed, Mixed.TEXT, "1"),
    (Rights, Rights.READ | Rights.WRITE, 3),
    (MANY, "card", "card"),
    (MANY, 1, 1),
    (MANY, True, True),
    (MANY, None, None),
    (Literal[Category.STALLS], Category.STALLS, "stalls"),
    (Email, "a@example.org", "a@example.org"),
    (Annotated[int, "cents"], 3, 3),
    (Annotated[int, ["cannot be hashed"]], 3, 3),
    (Name, "Ada", "Ada"),
    (Pair[int], (1, 2), [1, 2]),
    (Seat, Seat("A", 2), {"row": "A", "number": 2}),
    (Optional[Seat], Seat("A", 2), {"row": "A", "number": 2}),  # noqa: UP045
    (Seat | None, None, None),
    (list[int], [1, 2], [1, 2]),
    (list[Seat], [Seat("A", 2)], [{"row": "A", "number": 2}]),
    (tuple[int, ...], (), []),
    (tuple[int, ...], (1, 2), [1, 2]),
    (tuple[int], (1,), [1]),
    (tuple[int, str, Seat], (1, "x", Seat("A", 2)), [1, "x", {"row": "A", "number": 2}]),
    (frozenset[int], frozenset({10, 9, 1}), [1, 9, 10]),
    (frozenset[str], frozenset({"b", "a"}), ["a", "b"]),
    (frozenset[Seat], TWO_SEATS, TWO_SEATS_STORED),
    (frozenset[int | str | None], frozenset({"b", 1, None}), ["b", 1, None]),
    (set[Category], {Category.STALLS}, ["stalls"]),
    (dict[str, Seat], {"": Seat("A", 2)}, {"": {"row": "A", "number": 2}}),
    (Mapping[Category, Decimal], {Category.STALLS: Decimal(9)}, {"stalls": "9"}),
    (dict[UUID, bool], {A_UUID: True}, {str(A_UUID): True}),
    (dict[date, int], {date(2025, 1, 2): 3}, {"2025-01-02": 3}),
    (dict[Email, int], {"a@example.org": 3}, {"a@example.org": 3}),
    (dict[Literal["a", "b"], int], {"b": 3}, {"b": 3}),
]


@pytest.mark.parametrize(("as_type", "value", "data"), STORED)
def test_is_stored_as(as_type: Any, value: object, data: object) -> None:
    """The form of each type is a promise: events of years ago are read by it."""
    encoded = CODEC.encoder(as_type)(value)
    assert data == encoded
    assert type(data) is type(encoded)


@pytest.mark.parametrize(("as_type", "value", "data"), STORED)
def test_comes_back(as_type: Any, value: object, data: object) -> None:
    """What comes back through JSON is equal and of the same class."""
    decoded = through_json(as_type, value)
    assert value == decoded
    assert type(value) is type(decoded)


def test_equal_sets_are_equal_text() -> None:
    """The order in which a set holds its items, which differs by process, leaves no trace."""
    encode = CODEC.encoder(frozenset[Seat])
    seats = [Seat(row, number) for row in "ABCDEFGH" for number in range(8)]
    assert json.dumps(encode(frozenset(seats))) == json.dumps(encode(frozenset(seats[::-1])))


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("PT90M", timedelta(minutes=90)),
        ("P1D", timedelta(days=1)),
        ("PT0.5S", timedelta(milliseconds=500)),
        ("-PT1H", timedelta(hours=-1)),
    ],
)
def test_durations_may_leave_parts_out(text: str, length: timedelta) -> None:
    """Other writers of ISO 8601 leave out what is zero."""
    assert length == CODEC.decoder(timedelta)(text)


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "P1Y", "P1W", "PT1.5H", "PT.5S", "1D", "PT\u0661S", "P9999999999D"],
)
def test_durations_that_are_none(text: str) -> None:
    """What has no exact length, or is not ISO 8601, is refused."""
    assert "expected an ISO 8601 duration, found other text" == decode_error(timedelta, text)


def test_utc_may_be_z() -> None:
    """Most other writers of ISO 8601 say Z."""
    assert datetime(2025, 1, 2, tzinfo=UTC) == CODEC.decoder(datetime)("2025-01-02T00:00:00Z")


def test_the_moment_comes_back_from_the_hour_that_happens_twice() -> None:
    """The offset says which of the two it was, even though no two zones compare equal then."""

    class Autumn(tzinfo):
        """A zone that leaves summer time in the night of the test."""

        def utcoffset(self, moment: datetime | None) -> timedelta:
            return timedelta(hours=1 if moment is not None and moment.fold else 2)

        def dst(self, moment: datetime | None) -> timedelta:
            return timedelta()

        def tzname(self, moment: datetime | None) -> str:
            return "Autumn"

    first = datetime(2025, 10, 26, 2, 30, tzinfo=Autumn())
    second = first.replace(fold=1)
    assert datetime(2025, 10, 26, 0, 30, tzinfo=UTC) == through_json(datetime, first)
    assert datetime(2025, 10, 26, 1, 30, tzinfo=UTC) == through_json(datetime, second)


def test_an_int_is_a_float_to_type_checkers() -> None:
    """It is stored as the float that equals it, and so comes back as one."""
    encoded = CODEC.encoder(float)(3)
    assert encoded == 3.0
    assert type(encoded) is float


@pytest.mark.parametrize("data", [3, 10**21, 123456789012345680000])
def test_a_float_may_come_without_its_point(data: int) -> None:
    """JavaScript writes 3.0 as 3 and large floats with more digits than they have."""
    decoded = CODEC.decoder(float)(data)
    assert float(data) == decoded
    assert type(decoded) is float


class Int64(int):
    """As pymongo hands out integers of 64 bits."""


@pytest.mark.parametrize(
    ("as_type", "data", "value"),
    [
        (int, Int64(5), 5),
        (float, Int64(5), 5.0),
        (int | str, Int64(5), 5),
        (Level, Int64(2), Level.HIGH),
        (Literal[5], Int64(5), 5),
    ],
)
def test_integers_may_be_of_a_subclass_when_decoding(
    as_type: Any, data: Int64, value: object
) -> None:
    """A store's own kind of int is none of the domain's business and goes no further."""
    decoded = CODEC.decoder(as_type)(data)
    assert value == decoded
    assert type(value) is type(decoded)


def test_an_enum_may_know_former_values() -> None:
    """What a class itself says about values that it lost is heard."""
    assert Renamed.CURRENT is CODEC.decoder(Renamed)("former")
    assert "is not a value of Renamed" == decode_error(Renamed, "other")


def test_encoding_makes_new_data() -> None:
    """Changing the data does not change the value."""
    value = {"a": [1]}
    data = CODEC.encoder(dict[str, list[int]])(value)
    data["a"].append(2)
    assert {"a": [1]} == value


def test_decoding_makes_new_values_and_leaves_the_data_alone() -> None:
    """Neither decoding nor changing the value changes the data."""
    data = {"a": [{"row": "A", "number": 2}]}
    value = CODEC.decoder(dict[str, list[Seat]])(data)
    value["a"].append(Seat("B", 1))
    assert {"a": [{"row": "A", "number": 2}]} == data


def test_any_mapping_is_a_dict_when_decoding() -> None:
    """Stores may hand out mappings that cannot be changed."""
    from types import MappingProxyType  # noqa: PLC0415 - the only use

    frozen_data = MappingProxyType({"row": "A", "number": 2})
    assert Seat("A", 2) == CODEC.decoder(Seat)(frozen_data)
    assert {"row": "A"} == CODEC.decoder(dict[str, str])(MappingProxyType({"row": "A"}))
    assert {"row": "A"} == CODEC.decoder(dict[str, str] | int)(MappingProxyType({"row": "A"}))


def test_codecs_share_nothing() -> None:
    """Each codec compiles for itself: there is no global registry."""
    codec: Codec = CattrsCodec()
    assert codec.decoder(Seat) is not CattrsCodec().decoder(Seat)
