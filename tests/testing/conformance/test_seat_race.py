"""The check after a race sees each kind of damage, and nothing in a race that was fair."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from attrs import evolve, frozen

from eventhus import Metadata, Recorded, StreamId
from eventhus.ports import EventData, StoredEvent
from eventhus_testing.conformance.store.seat_race import (
    REMARK,
    TAKEN,
    Attempt,
    free_seats,
    violations,
)

C0, C1, S0, S1, S2 = "course.0.0", "course.0.1", "student.0.0", "student.0.1", "student.0.2"


def event(
    position: int, id_: str, version: int = 1, *, stream: str = "", seat: tuple[str, str] | None
) -> StoredEvent:
    return Recorded(
        stream=StreamId("Course", stream or (seat or (C0, ""))[0]),
        version=version,
        position=position,
        id=id_,
        event=EventData(
            TAKEN if seat else REMARK,
            {"seat": [*seat]} if seat else {},
            tags=frozenset(seat or {C0}),
        ),
        recorded_at=datetime(2024, 2, 29, tzinfo=UTC),
        metadata=Metadata(),
    )


def seats(*taken: tuple[str, str]) -> list[StoredEvent]:
    """Return a log of seats, each in a commit and a stream of its own."""
    return [
        event(position, f"c{position}-1", seat=seat, stream=f"s{position}")
        for position, seat in enumerate(taken, start=1)
    ]


@frozen(kw_only=True)
class Race:
    """Two seats of one course, a remark, a seat of another; one attempt was refused for a seat."""

    log: Sequence[StoredEvent] = (
        event(1, "a-1", 1, seat=(C0, S0)),
        event(2, "b-1", 2, seat=(C0, S1)),
        event(3, "b-2", 3, seat=None),
        event(4, "d-1", 1, seat=(C1, S2)),
    )
    told: Sequence[Attempt] = (
        Attempt(id="a", tags=(C0, S0), after=0),
        Attempt(id="a", tags=(C0, S0), after=0, outcome="stored", position=1),
        Attempt(id="b", tags=(C0, S1), after=1),  # its racer was killed
        Attempt(id="c", tags=(C0, S2), after=1),
        Attempt(id="c", tags=(C0, S2), after=1, outcome="refused", position=2),
        Attempt(id="d", tags=(C1, S2), after=0, outcome="stored", position=4),
    )

    def kinds(self) -> list[str]:
        return [found.partition(":")[0] for found in violations(self.told, self.log)]


FAIR = Race()
LOG = FAIR.log
TOLD = FAIR.told


def test_nothing_is_wrong_with_a_fair_race() -> None:
    assert [] == FAIR.kinds()
    assert [] == evolve(FAIR, told=()).kinds()
    assert [] == Race(log=(), told=()).kinds()


DAMAGE: dict[str, tuple[list[str], Race]] = {
    "a position is missing": (
        ["gap"],
        evolve(FAIR, log=[*LOG, event(6, "e-1", 2, seat=None, stream=C1)]),
    ),
    "a version is missing": (
        ["gap"],
        evolve(FAIR, log=[*LOG[:3], evolve(LOG[3], version=2)]),
    ),
    "the end of a commit is missing, and its id comes again": (
        ["half"],
        evolve(FAIR, log=[*LOG, event(5, "a-1", 2, seat=None, stream=C1)]),
    ),
    "a commit begins in the middle": (
        ["half"],
        evolve(FAIR, log=[*LOG, event(5, "e-2", 2, seat=None, stream=C1)]),
    ),
    "a seat is taken twice": (
        ["overbooked"],
        Race(log=seats((C0, S0), (C0, S0)), told=()),
    ),
    "a course has five of four seats": (
        ["overbooked"],
        Race(log=seats(*((C0, f"student.0.{n}") for n in range(5))), told=()),
    ),
    "a student has three of two seats": (
        ["overbooked"],
        Race(log=seats(*((f"course.0.{n}", S0) for n in range(3))), told=()),
    ),
    "an acknowledged seat is lost": (["lost"], evolve(FAIR, log=LOG[:3])),
    "an acknowledged seat is elsewhere": (
        ["misplaced"],
        evolve(FAIR, told=[evolve(TOLD[1], position=2)]),
    ),
    "a stored commit was refused to its writer": (
        ["refused"],
        evolve(FAIR, told=[Attempt(id="b", tags=(C0,), after=1, outcome="refused", position=2)]),
    ),
    "refused for an event before the condition": (
        ["unjustified"],
        evolve(FAIR, told=[evolve(TOLD[4], after=2)]),
    ),
    "refused for an event that does not match": (
        ["unjustified"],
        evolve(FAIR, told=[evolve(TOLD[4], position=3)]),
    ),
    "refused for an event that is not there": (
        ["unjustified"],
        evolve(FAIR, told=[evolve(TOLD[4], position=9)]),
    ),
    "stored though a seat of its course was taken meanwhile": (
        ["overlooked"],
        evolve(FAIR, told=[evolve(TOLD[2], after=0)]),
    ),
    "stored though its student took a seat meanwhile": (
        ["overlooked"],
        evolve(FAIR, told=[Attempt(id="d", tags=(S1,), after=1)]),
    ),
}


@pytest.mark.parametrize(("kinds", "damaged"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_seen(kinds: list[str], damaged: Race) -> None:
    assert kinds == damaged.kinds()


def test_seats_are_free_within_the_limits_of_courses_and_students() -> None:
    assert 40 == len(free_seats(0, []))
    assert 39 == len(free_seats(0, seats((C0, S0))))
    assert (C0, "student.0.7") not in free_seats(
        0, seats(*((C0, f"student.0.{n}") for n in range(4)))
    )
    left = free_seats(0, seats((C0, S0), (C1, S0)))
    assert S0 not in {student for _, student in left}
