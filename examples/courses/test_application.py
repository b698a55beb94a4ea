"""Course subscriptions in a running application."""

import asyncio

from eventhus import Recorded, View
from eventhus_testing import memory_application, scenario
from examples.courses.enrolment import (
    CourseDefined,
    CourseFull,
    DefineCourse,
    StudentSubscribed,
    StudentUnsubscribed,
    Subscribe,
    enrolment,
)


def course_of(recorded: Recorded[StudentSubscribed | StudentUnsubscribed]) -> str:
    """Return the course, by which the view is kept."""
    return recorded.event.course


def count(taken: int, recorded: Recorded[StudentSubscribed | StudentUnsubscribed]) -> int:
    """Return how many seats of the course are taken."""
    return taken + (1 if isinstance(recorded.event, StudentSubscribed) else -1)


taken_seats = View(name="taken_seats", initial=0, key=course_of, evolve=count)


async def test_events_of_a_course_go_to_its_stream() -> None:
    """Views and buses see them like those of an aggregate."""
    app = memory_application(decisions=[enrolment], views=[taken_seats])
    async with scenario(app) as school:
        await school.given(enrolment, "physics", CourseDefined("physics", 1))
        await school.when(Subscribe(aggregate_id="physics", student="ann"))
        await school.then(StudentSubscribed("physics", "ann"))
        await school.then_committed(version=2)
        await school.then_published(StudentSubscribed("physics", "ann"))
        await school.then_view(taken_seats, "physics", 1)

        await school.when(Subscribe(aggregate_id="physics", student="bob"))
        await school.then_rejected(CourseFull)


async def test_the_last_seats_are_given_away_once() -> None:
    """However many ask for them at once."""
    async with memory_application(decisions=[enrolment]) as app:
        await app.dispatch(DefineCourse(aggregate_id="physics", capacity=3))
        commands = [Subscribe(aggregate_id="physics", student=f"s{n}") for n in range(20)]
        answers = await asyncio.gather(*map(app.dispatch, commands), return_exceptions=True)
        assert sum(isinstance(answer, CourseFull) for answer in answers) == 17
