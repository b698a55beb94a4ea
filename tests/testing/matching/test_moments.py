"""Tests of datetimes in specs: offsets, repeated and skipped hours."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from attrs import frozen

from eventhus import Aggregate, Command
from eventhus_testing import like, spec
from eventhus_testing.matching.matchers import matches
from eventhus_testing.values.comparing import same

BERLIN = ZoneInfo("Europe/Berlin")
SUMMER, WINTER = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


@frozen(kw_only=True)
class Book(Command):
    at: datetime


@frozen
class Booked:
    at: datetime


@frozen
class Bookings:
    last: datetime | None = None


def decide(command: Book, bookings: Bookings) -> Iterator[Booked]:
    yield Booked(command.at)


def evolve(bookings: Bookings, event: Booked) -> Bookings:
    return Bookings(event.at)


desk = Aggregate(name="Desk", initial=Bookings(), decide=decide, evolve=evolve)


@pytest.mark.parametrize(
    ("at", "written"),
    [
        (datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN), SUMMER),
        (datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN, fold=1), WINTER),
        (datetime(2025, 3, 30, 2, 30, tzinfo=BERLIN), WINTER),
        (datetime(2025, 3, 30, 2, 30, tzinfo=BERLIN, fold=1), SUMMER),
    ],
)
def test_repeated_and_skipped_hours_survive_the_codec(at: datetime, written: timezone) -> None:
    outcome = spec(desk).when(Book(aggregate_id="d1", at=at))
    outcome.then(Booked(at)).then(Booked(at.replace(tzinfo=written, fold=0)))


def test_the_two_passes_of_a_repeated_hour_differ() -> None:
    first = datetime(2025, 10, 26, 2, 30, tzinfo=BERLIN)
    assert not same(first, first.replace(fold=1))
    assert not matches([first], [first.replace(fold=1)])


def test_another_offset_is_another_datetime() -> None:
    outcome = spec(desk).when(Book(aggregate_id="d1", at=NOON))
    with pytest.raises(AssertionError, match="the same moment; only the offset differs"):
        outcome.then(Booked(NOON.astimezone(SUMMER)))


def test_a_predicate_compares_moments_where_offsets_do_not_matter() -> None:
    outcome = spec(desk).when(Book(aggregate_id="d1", at=NOON))
    outcome.then(like(Booked, at=lambda at: at == NOON.astimezone(SUMMER)))


def test_another_offset_of_a_time_of_day_is_another_time() -> None:
    assert not matches(time(12, tzinfo=UTC), time(14, tzinfo=SUMMER))
    assert matches(time(12, tzinfo=UTC), time(12, tzinfo=timezone(timedelta())))


def test_a_naive_datetime_is_not_an_aware_one() -> None:
    assert not matches(NOON, NOON.replace(tzinfo=None))
    assert not same(NOON, NOON.replace(tzinfo=None))


def test_a_codec_may_store_the_moment_in_utc() -> None:
    assert same([NOON], [NOON.astimezone(SUMMER)])


class Timestamp(datetime):
    """As that of pandas: a class of its own."""


def test_a_datetime_class_of_its_own_differs_in_class() -> None:
    assert not matches(NOON, Timestamp(2025, 6, 1, 12, tzinfo=UTC))
