"""Tests that freeze the clock: time-machine works everywhere, and freezegun is refused with advice.

freezegun puts classes of its own in the place of ``datetime`` and ``date``.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import time_machine
from attrs import frozen
from freezegun import freeze_time
from freezegun.api import FakeDate, FakeDatetime

from eventhus import Aggregate, Command, Recorded, View
from eventhus.errors import CodecError, CompositionError
from eventhus_cattrs import CattrsCodec
from eventhus_testing import (
    NoStrategy,
    RuleBroken,
    check_aggregate,
    commands,
    golden,
    memory_application,
    scenario,
    spec,
)
from eventhus_testing.matching.difference import differences
from eventhus_testing.matching.matchers import matches
from eventhus_testing.values.comparing import same

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)
TODAY = date(2025, 6, 1)
FAKE_NOON: Any = FakeDatetime(2025, 6, 1, 12, tzinfo=UTC)
FAKE_TODAY: Any = FakeDate(2025, 6, 1)
ADVICE = "is of a library that freezes the clock; use time-machine, which leaves the classes"


@frozen(kw_only=True)
class Book(Command):
    at: datetime
    day: date


@frozen
class Booked:
    at: datetime
    day: date | None
    reminders: tuple[datetime, ...] = ()


@frozen
class Bookings:
    last: datetime | None = None


def decide(command: Book, bookings: Bookings) -> Iterator[Booked]:
    yield Booked(command.at, command.day, (command.at,))


def evolve(bookings: Bookings, event: Booked) -> Bookings:
    return Bookings(event.at)


def evolve_view(bookings: Bookings, recorded: Recorded[Booked]) -> Bookings:
    return evolve(bookings, recorded.event)


desk = Aggregate(name="Desk", initial=Bookings(), decide=decide, evolve=evolve)
last = View(
    name="last",
    initial=Bookings(),
    key=lambda recorded: recorded.stream.aggregate_id,
    evolve=evolve_view,
)


def book_now() -> Book:
    return Book(aggregate_id="d1", at=datetime.now(UTC), day=datetime.now(UTC).date())


@time_machine.travel(NOON, tick=False)
def test_specs_run_on_the_clock_of_time_machine() -> None:
    spec(desk).when(book_now()).then(Booked(NOON, TODAY, (NOON,))).then_state(Bookings(NOON))
    check_aggregate(desk)


@time_machine.travel(NOON, tick=False)
async def test_applications_run_on_the_clock_of_time_machine() -> None:
    async with scenario(memory_application(desk, views=[last], snapshot_every=1)) as case:
        await case.when(book_now())
        await case.then(Booked(NOON, TODAY, (NOON,)))
        await case.then_view(last, "d1", Bookings(NOON))


@pytest.mark.parametrize(("real", "fake"), [(NOON, FAKE_NOON), (TODAY, FAKE_TODAY)])
def test_a_datetime_of_freezegun_equals_a_plain_one(real: Any, fake: Any) -> None:
    for one, other in [(real, fake), (fake, real), (fake, fake)]:
        assert same([one], [other])
        assert matches(Booked(NOON, one), Booked(NOON, other))
        assert matches([one], [other])
        assert differences(Booked(NOON, one), Booked(NOON, other)) == []


def test_another_datetime_of_freezegun_differs() -> None:
    later: Any = FakeDatetime(2025, 6, 1, 13, tzinfo=UTC)
    assert not matches(NOON, later)
    assert not same(later, NOON)


def test_a_datetime_of_freezegun_can_be_expected() -> None:
    outcome = spec(desk).when(Book(aggregate_id="d1", at=NOON, day=TODAY))
    outcome.then(Booked(FAKE_NOON, FAKE_TODAY, (FAKE_NOON,))).then_state(Bookings(FAKE_NOON))


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        (Booked(FAKE_NOON, TODAY), "at: expected datetime, found FakeDatetime"),
        (Booked(NOON, FAKE_TODAY), "day: expected date, found FakeDate"),
        (
            Booked(NOON, TODAY, (FAKE_NOON,)),
            r"reminders\[0\]: expected datetime, found FakeDatetime",
        ),
    ],
)
def test_the_codec_refuses_datetimes_of_freezegun_with_what_to_use(
    event: Booked, problem: str
) -> None:
    with pytest.raises(CodecError, match=f"Booked.{problem}, which {ADVICE}"):
        CattrsCodec().encoder(Booked)(event)
    with pytest.raises(RuleBroken, match=f"Booked.{problem}, which {ADVICE}"):
        spec(desk).given(event).when(Book(aggregate_id="d1", at=NOON, day=TODAY))


async def test_applications_refuse_datetimes_of_freezegun_with_what_to_use() -> None:
    with freeze_time(NOON):
        frozen_booking = book_now()
    async with scenario(memory_application(desk)) as case:
        with pytest.raises(CodecError, match=ADVICE):
            await case.when(frozen_booking)


@frozen(kw_only=True)
class Remind(Command):
    at: "datetime"


@frozen
class Reminded:
    at: "datetime"


def decide_late(command: Remind, count: int) -> Iterator[Reminded]:
    yield Reminded(command.at)


def evolve_late(count: int, event: Reminded) -> int:
    return count + 1


late = Aggregate(name="Late", initial=0, decide=decide_late, evolve=evolve_late)


@freeze_time(NOON)
def test_annotations_resolved_while_freezegun_is_at_work_are_refused_with_what_to_use(
    tmp_path: Path,
) -> None:
    """Postponed annotations name whatever stands in the place of ``datetime`` at that moment."""
    with pytest.raises(CompositionError, match=f"Reminded.at: FakeDatetime {ADVICE}"):
        CattrsCodec().encoder(Reminded)
    with pytest.raises(NoStrategy, match=f"Remind.at: FakeDatetime {ADVICE}"):
        commands(late)
    with pytest.raises(RuleBroken, match=f"Reminded.at: FakeDatetime {ADVICE}"):
        spec(late).when(Remind(aggregate_id="r1", at=datetime.now(UTC)))
    with pytest.raises(CompositionError, match=f"Reminded.at: FakeDatetime {ADVICE}"):
        golden.update(aggregates=[late], path=tmp_path / "events.golden.json")
