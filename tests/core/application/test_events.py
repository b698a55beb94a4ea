"""Reading the log through an application: by query, stream and direction, up to its head."""

from contextlib import aclosing
from typing import Any

import pytest

from eventhus import Application, Query, StreamId
from eventhus.errors import CodecError, InvalidArgument, NotRunning
from eventhus.log_pages import PAGE
from eventhus.ports import Commit, EventData, Part
from eventhus_memory import MemoryStore
from tests.bank import Account, Deposited, Opened, Scribble, Scribbled, Undeclared, account
from tests.core.hooks import Hook
from tests.core.support import Proxy, add, compose
from tests.courses import Define, Defined, SeatTaken, TakeSeat, course, enrolment

A, C1 = StreamId("Account", "a"), StreamId("Course", "c1")


def school(store: Any = None) -> Application:
    return compose(store, aggregates=[course, account], decisions=[enrolment])


async def filled(app: Application) -> None:
    """Append, in this order: Defined c1, Defined c2, Deposited, and three seats."""
    for course_id in ("c1", "c2"):
        await app.dispatch(Define(aggregate_id=course_id, capacity=9))
    await add(app, 5)
    for student, course_id in (("s1", "c1"), ("s1", "c2"), ("s2", "c1")):
        await app.dispatch(TakeSeat(aggregate_id=course_id, student=student))


async def positions(app: Application, *args: Any, **kwargs: Any) -> list[int]:
    return [each.position async for each in app.events(*args, **kwargs)]


SEATS_OF_C1 = Query.of(SeatTaken, tags={"course:c1"})


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6]),
        ({"after": 4}, [5, 6]),
        ({"after": 6}, []),
        ({"after": 99}, []),
        ({"query": Query.of(SeatTaken)}, [4, 5, 6]),
        ({"query": Query.of(Defined, Deposited)}, [1, 2, 3]),
        ({"query": Query.of("SeatTaken")}, [4, 5, 6]),
        ({"query": SEATS_OF_C1}, [4, 6]),
        ({"query": Query.of(tags={"course:c1"})}, [1, 4, 6]),
        ({"query": Query.of(tags={"course:c1"}) | Query.of(Deposited)}, [1, 3, 4, 6]),
        ({"query": SEATS_OF_C1, "after": 4}, [6]),
        ({"query": Query.of(tags={"course:c3"})}, []),
        ({"stream": C1}, [1, 4, 6]),
        ({"stream": C1, "after": 1}, [4, 6]),
        ({"stream": C1, "query": Query.of(SeatTaken)}, [4, 6]),
        ({"stream": StreamId("Course", "c3")}, []),
    ],
)
async def test_events_are_chosen_in_both_directions(
    arguments: dict[str, Any], expected: list[int]
) -> None:
    async with school() as app:
        await filled(app)
        assert expected == await positions(app, **arguments)
        assert expected[::-1] == await positions(app, **arguments, backwards=True)


@pytest.mark.parametrize("arguments", [{}, {"query": Query.of(Deposited)}, {"stream": A}])
@pytest.mark.parametrize("backwards", [False, True])
async def test_more_than_a_page_is_read_without_gaps_or_repeats(
    arguments: dict[str, Any], backwards: bool
) -> None:
    store = MemoryStore()
    async with school(store) as app:
        events = [EventData("Deposited", {"amount": 1})] * (2 * PAGE + 1)
        at = (await app.dispatch(Define(aggregate_id="c1"))).events[0].recorded_at
        part = Part(stream=A, events=events, expected_version=0)
        await store.append(Commit(id="many", parts=[part], recorded_at=at))
        found = await positions(app, **arguments, after=2, backwards=backwards)
        assert [*range(3, 2 * PAGE + 3)] == sorted(found)
        assert found == sorted(found, reverse=backwards)


@pytest.mark.parametrize("backwards", [False, True])
async def test_an_empty_log_has_no_events(backwards: bool) -> None:
    async with school() as app:
        assert [] == await positions(app, backwards=backwards)
        assert [] == await positions(app, stream=C1, backwards=backwards)


async def test_reading_ends_at_the_head_although_the_log_grows() -> None:
    async with school() as app:
        await filled(app)
        found = []
        async for each in app.events():
            found.append(each.position)
            await add(app, 1)
        assert [1, 2, 3, 4, 5, 6] == found


async def test_following_a_query_skips_other_events() -> None:
    async with school() as app:
        await filled(app)
        async with aclosing(app.follow(SEATS_OF_C1, after=4)) as events:
            assert 6 == (await anext(events)).position
            await add(app, 1)
            await app.dispatch(TakeSeat(aggregate_id="c1", student="s3"))
            assert SeatTaken("c1", "s3") == (await anext(events)).event


def deny() -> Hook:
    async def called(*_: object) -> None:
        raise AssertionError("the log must not be read")

    return called


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"query": Query.of(Undeclared)}, "Undeclared is not an event of this application"),
        ({"query": SeatTaken}, r"expected a Query, found class SeatTaken; write Query\.of"),
        ({"after": -1}, "after is -1"),
    ],
)
async def test_wrong_arguments_are_refused_before_reading(
    arguments: dict[str, Any], problem: str
) -> None:
    store = Proxy()
    store.before = {"read": deny(), "follow": deny(), "head": deny()}
    async with school(store) as app:
        with pytest.raises(InvalidArgument, match=problem):
            await anext(app.events(**arguments))


async def test_a_query_for_a_foreign_class_is_refused_when_following() -> None:
    async with school() as app:
        with pytest.raises(InvalidArgument, match="Scribbled is not an event"):
            await anext(app.follow(Query.of(Scribbled)))


async def test_an_event_that_cannot_be_decoded_is_named() -> None:
    store = MemoryStore()
    async with compose(store) as bank:
        await bank.dispatch(Scribble(aggregate_id="n", text="x"))
    async with school(store) as app:
        with pytest.raises(CodecError, match="Scribbled"):
            await positions(app)
        assert [] == await positions(app, Query.of(SeatTaken))


async def test_reading_stops_when_the_application_is_left() -> None:
    app = school()
    async with app:
        await filled(app)
        events = app.events()
        await anext(events)
    with pytest.raises(NotRunning):
        await anext(events)


async def test_the_state_at_each_version() -> None:
    async with school() as app:
        await add(app, 1, 2, 3)
        balances = [(await app.state_at(account, "a", version=n)).balance for n in range(4)]
        assert [0, 1, 3, 6] == balances
        await add(app, 4)
        assert Account(balance=3) == await app.state_at(account, "a", version=2)
        assert Account(balance=10) == await app.state(account, "a")


@pytest.mark.parametrize(
    ("version", "problem"),
    [
        (-1, "version is -1; it must be"),
        (2, "Account/a is at version 1, so it has no 2"),
    ],
)
async def test_a_version_that_does_not_exist_has_no_state(version: int, problem: str) -> None:
    async with school() as app:
        await add(app, 1)
        with pytest.raises(InvalidArgument, match=problem):
            await app.state_at(account, "a", version=version)


async def test_the_state_at_a_version_is_folded_page_by_page() -> None:
    store = Proxy()
    async with school(store) as app:
        events = [EventData("Deposited", {"amount": 1})] * 1500
        part = Part(stream=A, events=events, expected_version=0)
        at = (await app.dispatch(Define(aggregate_id="c1"))).events[0].recorded_at
        await store.append(Commit(id="many", parts=[part], recorded_at=at))
        assert 1200 == (await app.state_at(account, "a", version=1200)).balance
        assert 1200 == store.calls["events loaded"]


async def test_opened_is_an_event_of_the_bank() -> None:
    """Keeps the query of a class that nobody has used yet from being an error."""
    async with school() as app:
        assert [] == await positions(app, Query.of(Opened))
