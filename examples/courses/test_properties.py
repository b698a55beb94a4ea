"""Laws of course subscriptions, checked against commands that nobody thought of."""

from hypothesis import strategies as st

from eventhus import Command
from eventhus_testing import Refinements, check_decision
from examples.courses.enrolment import (
    MAX_COURSES,
    CapacityChanged,
    CourseDefined,
    CourseEvent,
    DefineCourse,
    StudentSubscribed,
    StudentUnsubscribed,
    Subscribe,
    enrolment,
)

KEEN: Refinements = {
    Command: {"aggregate_id": st.sampled_from(["c1", "c2", "c3", "c4"])},
    DefineCourse: {"capacity": st.integers(1, 3)},
    Subscribe: {"student": st.just("ann")},
}


def seats_of(history: tuple[CourseEvent, ...]) -> set[tuple[str, str]]:
    """Return the courses and students of the seats that are taken at the end."""
    seats: set[tuple[str, str]] = set()
    for event in history:
        if isinstance(event, StudentSubscribed):
            seats.add((event.course, event.student))
        elif isinstance(event, StudentUnsubscribed):
            seats.discard((event.course, event.student))
    return seats


def no_course_is_overbooked(history: tuple[CourseEvent, ...]) -> bool:
    """No course has more students than seats."""
    capacities = {
        event.course: event.capacity
        for event in history
        if isinstance(event, CourseDefined | CapacityChanged)
    }
    taken = [course for course, _ in seats_of(history)]
    return all(taken.count(course) <= capacities[course] for course in taken)


def no_student_takes_too_many_courses(history: tuple[CourseEvent, ...]) -> bool:
    """Nobody takes more courses than allowed."""
    students = [student for _, student in seats_of(history)]
    return all(students.count(student) <= MAX_COURSES for student in students)


def test_no_course_is_ever_overbooked() -> None:
    """Whatever is sent, in whatever order."""
    check_decision(enrolment, invariant=no_course_is_overbooked)


def test_no_student_ever_takes_too_many_courses() -> None:
    """One keen student and four courses are enough to reach the limit."""
    check_decision(enrolment, invariant=no_student_takes_too_many_courses, refine=KEEN)
