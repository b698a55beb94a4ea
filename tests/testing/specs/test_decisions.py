"""Specs of decisions see what the boundary of a command finds, and tell what it leaves out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import attrs
import pytest

from eventhus import Query, Rejected
from eventhus.ports import EventData
from eventhus_testing import RuleBroken, Rules, spec
from examples.courses import enrolment as courses
from examples.courses.enrolment import (
    CapacityChanged,
    ChangeCapacity,
    CourseDefined,
    CourseEvent,
    CourseFull,
    DefineCourse,
    Enrolment,
    StudentSubscribed,
    Subscribe,
    enrolment,
)

PHYSICS = CourseDefined("physics", 1)
ANN = StudentSubscribed("physics", "ann")
BOB = Subscribe(aggregate_id="physics", student="bob")


def with_boundary(boundary: Callable[[Any], Query]) -> Any:
    return attrs.evolve(enrolment, boundary=boundary)


def with_tags(tags: Callable[[Any], Any] | None) -> Any:
    others = {cls: each for cls, each in enrolment.tags.items() if cls is not StudentSubscribed}
    return attrs.evolve(enrolment, tags=others if tags is None else {**others, type(ANN): tags})


def of_the_course_only(command: Any) -> Query:
    return Query(courses.boundary(command).items[:1])


def failure_of(check: Callable[[], object]) -> str:
    with pytest.raises(AssertionError) as failure:
        check()
    return str(failure.value)


def test_the_state_is_folded_from_what_the_boundary_finds() -> None:
    (
        spec(enrolment)
        .given(PHYSICS, CourseDefined("biology", 9), StudentSubscribed("biology", "cid"), ANN)
        .when(BOB)
        .then_rejected(CourseFull)
        .then_state(Enrolment(1, frozenset({("physics", "ann")})))
        .and_when(Subscribe(aggregate_id="biology", student="ann"))
        .then(StudentSubscribed("biology", "ann"))
        .then_state_matching(lambda state: ("physics", "ann") in state.seats)
    )


def test_produced_events_count_for_later_commands() -> None:
    (
        spec(enrolment)
        .given_commands(DefineCourse(aggregate_id="physics", capacity=1))
        .when(Subscribe(aggregate_id="physics", student="ann"), BOB)
        .then_rejected(CourseFull)
    )


def test_a_boundary_that_is_too_narrow_is_red_with_a_hint() -> None:
    text = failure_of(
        lambda: (
            spec(with_boundary(of_the_course_only))
            .given(PHYSICS, *(StudentSubscribed(course, "bob") for course in ("a", "b", "c")))
            .when(BOB)
            .then_rejected(courses.TooManyCourses)
        )
    )
    assert "Subscribe was accepted instead of refused" in text
    assert (
        "? the boundary leaves out StudentSubscribed(course='a', student='bob'): "
        "the event has the tags course:a and student:bob" in text
    )
    assert "StudentUnsubscribed with the tag course:physics\n" in text


def test_a_missing_tag_is_red_with_a_hint() -> None:
    text = failure_of(
        lambda: (
            spec(with_tags(None), rules=Rules(guarded=False))
            .given(PHYSICS, ANN)
            .when(BOB)
            .then_rejected(CourseFull)
        )
    )
    assert "the event has no tags; add StudentSubscribed to tags={...}" in text


def test_a_class_that_the_boundary_does_not_ask_for_is_named() -> None:
    def without_changes(command: Any) -> Query:
        return Query.of(CourseDefined, StudentSubscribed, tags={f"course:{command.aggregate_id}"})

    text = failure_of(
        lambda: (
            spec(with_boundary(without_changes))
            .given(PHYSICS, CapacityChanged("physics", 0))
            .when(BOB)
            .then_rejected(CourseFull)
        )
    )
    assert "CapacityChanged(course='physics', capacity=0): it does not ask for CapacityC" in text


def test_only_some_of_many_events_are_listed() -> None:
    others = [StudentSubscribed(f"c{number}", "cid") for number in range(7)]
    text = failure_of(lambda: spec(enrolment).given(PHYSICS, *others).when(BOB).then_nothing())
    assert 5 == text.count("the boundary leaves out")
    assert "? and 2 more" in text


def test_no_hint_if_the_boundary_finds_everything() -> None:
    text = failure_of(lambda: spec(enrolment).given(PHYSICS).when(BOB).then_nothing())
    assert "boundary" not in text


def test_a_decision_must_guard_its_own_events() -> None:
    with pytest.raises(RuleBroken, match="two such commands at once") as broken:
        spec(with_tags(None)).given(PHYSICS).when(BOB)
    assert "guarded" == broken.value.rule


def test_events_that_the_boundary_does_not_ask_for_need_no_guard() -> None:
    def only_definitions(command: Any) -> Query:
        return Query.of(CourseDefined, tags={f"course:{command.aggregate_id}"})

    spec(with_boundary(only_definitions)).given(PHYSICS).when(BOB).then(like_bob())


def like_bob() -> CourseEvent:
    return StudentSubscribed("physics", "bob")


def test_a_boundary_must_be_repeatable() -> None:
    numbers = count()

    def moody(command: Any) -> Query:
        return Query.of(CourseDefined, tags={f"course:{next(numbers)}"})

    with pytest.raises(RuleBroken, match="boundary returned different results") as broken:
        spec(with_boundary(moody)).when(BOB)
    assert "repeatable" == broken.value.rule


def test_tags_must_be_repeatable() -> None:
    numbers = count()
    moody = with_tags(lambda event: {f"course:{event.course}", f"number:{next(numbers)}"})
    with pytest.raises(RuleBroken, match="tags returned different results") as broken:
        spec(moody).given(PHYSICS).when(BOB)
    assert "repeatable" == broken.value.rule


def test_tags_must_be_text() -> None:
    with pytest.raises(RuleBroken, match="cannot be stored") as broken:
        spec(with_tags(lambda event: {1})).given(PHYSICS, ANN)
    assert "stored" == broken.value.rule


def test_a_boundary_must_return_a_query() -> None:
    subject = with_boundary(lambda command: "course")  # type: ignore[arg-type,return-value]
    with pytest.raises(TypeError, match="instead of a query"):
        spec(subject).when(BOB)


def test_a_function_sees_all_given_events() -> None:
    def seats(state: Enrolment) -> list[CourseEvent]:
        if len(state.seats) > 1:
            raise CourseFull
        return []

    outcome = spec(enrolment).given(ANN, StudentSubscribed("biology", "ann")).when_called(seats)
    outcome.then_rejected(CourseFull)


def test_a_given_state_is_what_events_are_folded_onto() -> None:
    (
        spec(enrolment)
        .given_state(Enrolment(2, frozenset({("physics", "cid")})))
        .given(ANN, StudentSubscribed("biology", "cid"))
        .when(BOB)
        .then_rejected(CourseFull)
    )


def test_stored_events_can_be_given_and_read() -> None:
    stored = EventData("CourseDefined", {"course": "physics", "capacity": 1})
    spec(enrolment).given_stored(stored).when(BOB).then(like_bob())
    spec(enrolment).when_stored(stored).then(PHYSICS)


def test_the_history_has_given_and_produced_events() -> None:
    outcome = spec(enrolment).given(PHYSICS).when(BOB)
    assert (PHYSICS, like_bob()) == outcome.history


def test_foreign_events_and_commands_are_refused() -> None:
    foreign: Any = "physics"
    with pytest.raises(TypeError, match="not an event of Enrolment"):
        spec(enrolment).given(foreign)
    with pytest.raises(TypeError, match="not a command of Enrolment"):
        spec(enrolment).when(foreign)


def test_a_refusal_in_a_broken_domain_keeps_its_class() -> None:
    (
        spec(enrolment)
        .when(ChangeCapacity(aggregate_id="physics", capacity=1))
        .then_rejected(Rejected, match="no course physics")
    )
