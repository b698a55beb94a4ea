"""Course subscriptions: a decision over events of courses and students, for several packages."""

from collections.abc import Callable, Iterable
from typing import Any

from attrs import evolve as change
from attrs import field, frozen

from eventhus import Aggregate, Command, Decision, Query, Rejected


@frozen(kw_only=True)
class Define(Command):
    capacity: int = 2


@frozen(kw_only=True)
class TakeSeat(Command):
    student: str


@frozen(kw_only=True)
class Announce(Command):
    """Returns the events that a test passes in."""

    decide: Callable[["Enrolment"], Iterable[Any]]


@frozen
class Defined:
    course: str
    capacity: int


@frozen
class SeatTaken:
    course: str
    student: str


class CourseFull(Rejected):
    """No seat is left."""


class TooManyCourses(Rejected):
    """The student has two courses."""


@frozen
class Enrolment:
    capacity: int = 0
    seats: tuple[SeatTaken, ...] = field(default=(), converter=tuple[SeatTaken, ...])


def define(command: Define, is_defined: bool) -> Iterable[Defined]:
    if not is_defined:
        yield Defined(course=command.aggregate_id, capacity=command.capacity)


def defined(is_defined: bool, event: Defined | SeatTaken) -> bool:
    return True


def course_tag(event: Defined) -> set[str]:
    return {f"course:{event.course}"}


def seat_tags(event: SeatTaken) -> set[str]:
    return {f"course:{event.course}", f"student:{event.student}"}


TAGS: dict[type[Any], Callable[[Any], Iterable[str]]] = {Defined: course_tag, SeatTaken: seat_tags}

course = Aggregate(name="Course", initial=False, decide=define, evolve=defined, tags=TAGS)


def decide(command: TakeSeat | Announce, state: Enrolment) -> Iterable[Defined | SeatTaken]:
    if isinstance(command, Announce):
        return command.decide(state)
    if sum(seat.course == command.aggregate_id for seat in state.seats) >= state.capacity:
        raise CourseFull
    own = [seat for seat in state.seats if seat.student == command.student]
    if len(own) >= 2:
        raise TooManyCourses
    if any(seat.course == command.aggregate_id for seat in own):
        return []
    return [SeatTaken(course=command.aggregate_id, student=command.student)]


def evolve(state: Enrolment, event: Defined | SeatTaken) -> Enrolment:
    match event:
        case Defined():
            return change(state, capacity=event.capacity)
        case SeatTaken():
            return change(state, seats=(*state.seats, event))


def boundary(command: TakeSeat | Announce) -> Query:
    of_course = Query.of(Defined, SeatTaken, tags={f"course:{command.aggregate_id}"})
    if isinstance(command, Announce):
        return of_course
    return of_course | Query.of(SeatTaken, tags={f"student:{command.student}"})


enrolment = Decision(
    name="Enrolment",
    aggregate_type="Course",
    initial=Enrolment(),
    decide=decide,
    evolve=evolve,
    boundary=boundary,
    tags=TAGS,
)
