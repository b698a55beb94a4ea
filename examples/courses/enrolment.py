"""Course subscriptions: a course has a capacity, and a student takes three courses at most."""

from collections.abc import Iterator
from typing import TypeAlias, assert_never

import attrs
from attrs import field, frozen
from attrs.validators import ge

from eventhus import Command, Decision, Query, Rejected

MAX_COURSES = 3  # of one student at a time


@frozen(kw_only=True)
class DefineCourse(Command):
    """Offer a course with so many seats."""

    capacity: int = field(validator=ge(0))


@frozen(kw_only=True)
class ChangeCapacity(Command):
    """Give a course more seats, or fewer."""

    capacity: int = field(validator=ge(0))


@frozen(kw_only=True)
class Subscribe(Command):
    """Give a student a seat in a course."""

    student: str


@frozen(kw_only=True)
class Unsubscribe(Command):
    """Give a student's seat back."""

    student: str


CourseCommand: TypeAlias = DefineCourse | ChangeCapacity | Subscribe | Unsubscribe


@frozen
class CourseDefined:
    """A course is offered."""

    course: str
    capacity: int


@frozen
class CapacityChanged:
    """The number of seats has changed."""

    course: str
    capacity: int


@frozen
class StudentSubscribed:
    """A student has a seat."""

    course: str
    student: str


@frozen
class StudentUnsubscribed:
    """A student has given a seat back."""

    course: str
    student: str


CourseEvent: TypeAlias = CourseDefined | CapacityChanged | StudentSubscribed | StudentUnsubscribed


class CourseExists(Rejected):
    """A course is defined once."""


class CourseNotFound(Rejected):
    """The course was not defined."""


class CourseFull(Rejected):
    """Every seat is taken."""


class SeatsTaken(Rejected):
    """More seats are taken than the course would have."""


class TooManyCourses(Rejected):
    """The student takes as many courses as allowed."""


@frozen
class Enrolment:
    """The facts that the rules need: one course, its students, and the courses of one student."""

    capacity: int | None = None  # None until the course is defined
    seats: frozenset[tuple[str, str]] = frozenset()  # course and student

    def taken(self, course: str) -> int:
        """Return how many seats of a course are taken."""
        return sum(1 for each, _ in self.seats if each == course)

    def courses(self, student: str) -> int:
        """Return how many courses a student takes."""
        return sum(1 for _, each in self.seats if each == student)


def boundary(command: CourseCommand) -> Query:
    """Return the events that a command is decided on."""
    course = Query.of(
        CourseDefined,
        CapacityChanged,
        StudentSubscribed,
        StudentUnsubscribed,
        tags={course_tag(command.aggregate_id)},
    )
    match command:
        case DefineCourse():
            return Query.of(CourseDefined, tags={course_tag(command.aggregate_id)})
        case ChangeCapacity():
            return course
        case Subscribe() | Unsubscribe():
            return course | Query.of(
                StudentSubscribed, StudentUnsubscribed, tags={student_tag(command.student)}
            )
        case _:
            assert_never(command)


def decide(command: CourseCommand, enrolment: Enrolment) -> Iterator[CourseEvent]:
    """Return the events of a command. The first matching case applies."""
    course = command.aggregate_id
    match command:
        case DefineCourse() if enrolment.capacity is not None:
            raise CourseExists(f"course {course} exists already")
        case DefineCourse(capacity=capacity):
            yield CourseDefined(course, capacity)
        case _ if enrolment.capacity is None:
            raise CourseNotFound(f"there is no course {course}")
        case ChangeCapacity(capacity=capacity) if capacity < enrolment.taken(course):
            raise SeatsTaken(f"{enrolment.taken(course)} seats are taken")
        case ChangeCapacity(capacity=capacity):
            if capacity != enrolment.capacity:
                yield CapacityChanged(course, capacity)
        case Subscribe(student=student):
            if (course, student) in enrolment.seats:
                return
            if enrolment.taken(course) >= enrolment.capacity:
                raise CourseFull(f"all {enrolment.capacity} seats are taken")
            if enrolment.courses(student) >= MAX_COURSES:
                raise TooManyCourses(f"{student} takes {MAX_COURSES} courses already")
            yield StudentSubscribed(course, student)
        case Unsubscribe(student=student):
            if (course, student) in enrolment.seats:
                yield StudentUnsubscribed(course, student)
        case _:
            assert_never(command)


def evolve(enrolment: Enrolment, event: CourseEvent) -> Enrolment:
    """Return the state after an event."""
    match event:
        case CourseDefined(capacity=capacity) | CapacityChanged(capacity=capacity):
            return attrs.evolve(enrolment, capacity=capacity)
        case StudentSubscribed(course, student):
            return attrs.evolve(enrolment, seats=enrolment.seats | {(course, student)})
        case StudentUnsubscribed(course, student):
            return attrs.evolve(enrolment, seats=enrolment.seats - {(course, student)})
        case _:
            assert_never(event)


def course_tag(course: str) -> str:
    """Return the tag of everything that happens to a course."""
    return f"course:{course}"


def student_tag(student: str) -> str:
    """Return the tag of everything that happens to a student."""
    return f"student:{student}"


def of_course(event: CourseDefined | CapacityChanged) -> set[str]:
    """Return the tags of an event of a course."""
    return {course_tag(event.course)}


def of_seat(event: StudentSubscribed | StudentUnsubscribed) -> set[str]:
    """Return the tags of an event of a seat."""
    return {course_tag(event.course), student_tag(event.student)}


enrolment = Decision(
    name="Enrolment",
    aggregate_type="Course",
    initial=Enrolment(),
    boundary=boundary,
    decide=decide,
    evolve=evolve,
    tags={
        CourseDefined: of_course,
        CapacityChanged: of_course,
        StudentSubscribed: of_seat,
        StudentUnsubscribed: of_seat,
    },
)
