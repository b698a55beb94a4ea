"""Random checks of decisions find wrong boundaries, broken rules and bugs."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given, settings

from eventhus import Query
from eventhus_testing import Counterexample, check_decision, events, histories
from examples.courses import enrolment as courses
from examples.courses.enrolment import (
    CourseDefined,
    CourseEvent,
    DefineCourse,
    StudentSubscribed,
    Subscribe,
    enrolment,
)
from examples.courses.test_properties import KEEN, no_student_takes_too_many_courses

# A search stops at what it finds, so that only one that misses takes long.
MANY = settings(max_examples=3000, derandomize=True)


def of_the_course_only(command: Any) -> Query:
    return Query(courses.boundary(command).items[:1])


def test_a_boundary_that_is_too_narrow_is_found() -> None:
    """The state alone could not show it: it holds what the boundary finds."""
    narrow = attrs.evolve(
        enrolment,
        boundary=of_the_course_only,
        commands=(DefineCourse, Subscribe),  # alone, so that no seed misses it
    )
    with pytest.raises(Counterexample) as found:
        check_decision(
            narrow, invariant=no_student_takes_too_many_courses, refine=KEEN, settings=MANY
        )
    text = str(found.value)
    assert "no_student_takes_too_many_courses does not hold after Subscribe" in text
    assert "assert no_student_takes_too_many_courses(outcome.history)" in found.value.spec
    assert 8 == text.partition("\n\nThis test")[0].count("(course=")


def test_an_event_that_its_boundary_misses_is_found() -> None:
    untagged = attrs.evolve(enrolment, tags={})
    with pytest.raises(Counterexample, match="rule 'guarded' is broken"):
        check_decision(untagged)


def test_a_failing_boundary_is_a_bug() -> None:
    def broken(command: Any) -> Query:
        raise ZeroDivisionError

    with pytest.raises(Counterexample, match="raises ZeroDivisionError") as found:
        check_decision(attrs.evolve(enrolment, boundary=broken))
    assert "\nstate " not in str(found.value)


def test_a_failing_decide_is_a_bug_and_the_state_is_shown() -> None:
    def broken(command: Any, state: Any) -> list[CourseEvent]:
        raise ZeroDivisionError

    with pytest.raises(Counterexample, match="raises ZeroDivisionError") as found:
        check_decision(attrs.evolve(enrolment, decide=broken, commands=(Subscribe,)))
    assert "state    Enrolment(capacity=None" in str(found.value)


def test_an_invariant_may_assert() -> None:
    def nothing_is_defined(history: tuple[CourseEvent, ...]) -> None:
        assert not any(isinstance(event, CourseDefined) for event in history), "one is"

    with pytest.raises(Counterexample, match="nothing_is_defined does not hold") as found:
        check_decision(enrolment, invariant=nothing_is_defined)
    assert "? one is" in str(found.value)


@settings(max_examples=30)
@given(histories(enrolment, max_commands=10))
def test_histories_can_happen(history: tuple[CourseEvent, ...]) -> None:
    defined = {event.course for event in history if isinstance(event, CourseDefined)}
    assert {event.course for event in history if isinstance(event, StudentSubscribed)} <= defined


@settings(max_examples=10)
@given(events(enrolment))
def test_events_are_of_the_decision(event: CourseEvent) -> None:
    assert type(event) in enrolment.events
