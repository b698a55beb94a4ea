"""Course subscriptions by example."""

from eventhus_testing import spec
from examples.courses.enrolment import (
    CapacityChanged,
    ChangeCapacity,
    CourseDefined,
    CourseExists,
    CourseFull,
    CourseNotFound,
    DefineCourse,
    Enrolment,
    SeatsTaken,
    StudentSubscribed,
    StudentUnsubscribed,
    Subscribe,
    TooManyCourses,
    Unsubscribe,
    enrolment,
)

PHYSICS = CourseDefined("physics", 2)


def test_a_course_is_defined_once() -> None:
    """Another course may be defined, though."""
    (
        spec(enrolment)
        .when(DefineCourse(aggregate_id="physics", capacity=2))
        .then(PHYSICS)
        .and_when(DefineCourse(aggregate_id="physics", capacity=3))
        .then_rejected(CourseExists)
        .and_when(DefineCourse(aggregate_id="biology", capacity=3))
        .then(CourseDefined("biology", 3))
    )


def test_a_student_gets_a_seat() -> None:
    """There is one seat left."""
    (
        spec(enrolment)
        .given(PHYSICS, StudentSubscribed("physics", "ann"))
        .when(Subscribe(aggregate_id="physics", student="bob"))
        .then(StudentSubscribed("physics", "bob"))
        .then_state(Enrolment(2, frozenset({("physics", "ann"), ("physics", "bob")})))
    )


def test_only_defined_courses_have_seats() -> None:
    """The course that exists is another one."""
    (
        spec(enrolment)
        .given(PHYSICS)
        .when(Subscribe(aggregate_id="biology", student="ann"))
        .then_rejected(CourseNotFound)
    )


def test_a_course_is_never_overbooked() -> None:
    """The third student has to wait."""
    (
        spec(enrolment)
        .given(PHYSICS, StudentSubscribed("physics", "ann"), StudentSubscribed("physics", "bob"))
        .when(Subscribe(aggregate_id="physics", student="cid"))
        .then_rejected(CourseFull, match="all 2 seats")
    )


def test_a_student_takes_three_courses_at_most() -> None:
    """The courses of other students do not count."""
    (
        spec(enrolment)
        .given(
            PHYSICS,
            StudentSubscribed("biology", "ann"),
            StudentSubscribed("history", "ann"),
            StudentSubscribed("history", "bob"),
            StudentSubscribed("geography", "ann"),
        )
        .when(Subscribe(aggregate_id="physics", student="ann"))
        .then_rejected(TooManyCourses, match="ann takes 3")
        .and_when(Subscribe(aggregate_id="physics", student="bob"))
        .then(StudentSubscribed("physics", "bob"))
    )


def test_a_seat_is_given_back_once() -> None:
    """Giving it back again changes nothing."""
    (
        spec(enrolment)
        .given(PHYSICS, StudentSubscribed("physics", "ann"))
        .when_repeated(2, Unsubscribe(aggregate_id="physics", student="ann"))
        .then(StudentUnsubscribed("physics", "ann"))
    )


def test_a_second_subscription_changes_nothing() -> None:
    """A student cannot take two seats of a course."""
    (
        spec(enrolment)
        .given(PHYSICS, StudentSubscribed("physics", "ann"))
        .when(Subscribe(aggregate_id="physics", student="ann"))
        .then_nothing()
    )


def test_taken_seats_are_not_removed() -> None:
    """A course can shrink to the seats that are taken."""
    (
        spec(enrolment)
        .given(PHYSICS, StudentSubscribed("physics", "ann"))
        .when(ChangeCapacity(aggregate_id="physics", capacity=0))
        .then_rejected(SeatsTaken, match="1 seats")
        .and_when(ChangeCapacity(aggregate_id="physics", capacity=1))
        .then(CapacityChanged("physics", 1))
        .and_when(ChangeCapacity(aggregate_id="physics", capacity=1))
        .then_nothing()
    )
