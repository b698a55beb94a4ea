"""Commands of decisions: folded from a query, and stored under its condition."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from attrs import evolve as change

from eventhus import Application, Query, StreamId
from eventhus.errors import (
    CodecError,
    CommandIdReused,
    ConcurrencyError,
    ConditionFailed,
    InvalidCommit,
    OutcomeUnknown,
    TooManyConflicts,
    UndeclaredEvent,
)
from eventhus.ports import Commit, EventData, Part, Snapshot
from eventhus.runtime.commands.boundaries import PAGE
from eventhus.runtime.commands.executor import ATTEMPTS
from eventhus_memory import MemoryStore
from tests.core.support import FakeClock, JsonCodec, Proxy
from tests.courses import (
    TAGS,
    Announce,
    CourseFull,
    Define,
    Defined,
    Enrolment,
    SeatTaken,
    TakeSeat,
    TooManyCourses,
    course,
    enrolment,
)

C1 = StreamId("Course", "c1")


def school(store: Any = None, **options: Any) -> Application:
    options = {"aggregates": [course], "decisions": [enrolment], **options}
    return Application(
        bucket="school",
        store=store or MemoryStore(),
        codec=JsonCodec(),
        clock=FakeClock(),
        **options,
    )


def take(student: str, course_id: str = "c1") -> TakeSeat:
    return TakeSeat(aggregate_id=course_id, student=student)


def announce(capacity: int) -> Announce:
    return Announce(aggregate_id="c1", decide=lambda _: [Defined("c1", capacity)])


async def seats(app: Application) -> list[SeatTaken]:
    return [each.event async for each in app.events(Query.of(SeatTaken))]


async def test_a_rule_over_two_kinds_of_entities_holds() -> None:
    async with school() as app:
        for course_id in ("c1", "c2", "c3"):
            await app.dispatch(Define(aggregate_id=course_id, capacity=2))
        await app.dispatch(take("s1", "c1"))
        await app.dispatch(take("s2", "c1"))
        with pytest.raises(CourseFull):
            await app.dispatch(take("s3", "c1"))
        await app.dispatch(take("s1", "c2"))
        with pytest.raises(TooManyCourses):
            await app.dispatch(take("s1", "c3"))
        assert 3 == len(await seats(app))


async def test_events_go_to_the_stream_that_the_command_names() -> None:
    async with school() as app:
        await app.dispatch(Define(aggregate_id="c1"))
        committed = await app.dispatch(take("s1"))
        assert (C1, 2, 2) == (committed.stream, committed.version, committed.position)
        assert [SeatTaken("c1", "s1")] == [each.event for each in committed.events]
        assert 2 == (await app.load(course, "c1")).version


@pytest.mark.parametrize("cache_size", [0, 100])
async def test_two_processes_never_admit_more_than_the_capacity(cache_size: int) -> None:
    store = MemoryStore()
    async with school(store, cache_size=cache_size) as one, school(store) as other:
        await one.dispatch(Define(aggregate_id="c1", capacity=5))
        answers = await asyncio.gather(
            *[app.dispatch(take(f"s{n}")) for n in range(20) for app in (one, other)],
            return_exceptions=True,
        )
        assert 5 == len(await seats(one))
        refused = [each for each in answers if isinstance(each, BaseException)]
        assert {CourseFull} == {type(each) for each in refused}


async def test_a_refusal_is_checked_against_the_log() -> None:
    """The cached state of one process knows nothing of the seats that another one added."""
    store = MemoryStore()
    async with school(store) as here, school(store) as there:
        await here.dispatch(Define(aggregate_id="c1", capacity=1))
        await here.dispatch(take("s1"))
        await there.dispatch(announce(2))
        await here.dispatch(take("s2"))


async def test_nothing_to_change_is_answered_with_the_version_of_the_stream() -> None:
    async with school() as app:
        await app.dispatch(Define(aggregate_id="c1"))
        first = await app.dispatch(take("s1"))
        again = await app.dispatch(take("s1"))
        assert (first.stream, first.version, first.position, ()) == (
            again.stream,
            again.version,
            again.position,
            again.events,
        )


async def test_a_decision_on_cached_events_reads_no_event_again() -> None:
    store = Proxy()
    async with school(store) as app:
        await app.dispatch(Define(aggregate_id="c1", capacity=9))
        query = {"aggregate_id": "c1", "student": "s1"}
        await app.dispatch(TakeSeat(**query))
        read = store.calls["read"]
        await app.dispatch(announce(9))
        await app.dispatch(announce(8))
        assert read + 1 == store.calls["read"]


async def test_the_expected_version_is_that_of_the_stream() -> None:
    async with school() as app:
        await app.dispatch(Define(aggregate_id="c1"))
        with pytest.raises(ConcurrencyError):
            await app.dispatch(take("s1"), expected_version=0)
        assert 2 == (await app.dispatch(take("s1"), expected_version=1)).version


async def test_a_command_is_carried_out_once() -> None:
    async with school() as app:
        await app.dispatch(Define(aggregate_id="c1"))
        first = await app.dispatch(take("s1"), command_id="k1")
        assert first == await app.dispatch(take("s2"), command_id="k1")
        with pytest.raises(CommandIdReused):
            await app.dispatch(take("s1", "c2"), command_id="k1")
        assert 1 == len(await seats(app))


async def test_a_lost_answer_is_found_again_under_its_command_id() -> None:
    store = Proxy()
    async with school(store) as app:
        await app.dispatch(Define(aggregate_id="c1", capacity=1))

        async def lose(commit: Commit) -> None:
            raise OutcomeUnknown("school", "the test lost the answer", commit.stream, commit.id)

        store.after["append"] = lose
        with pytest.raises(OutcomeUnknown):
            await app.dispatch(take("s1"), command_id="k1")
        del store.after["append"]
        assert 2 == (await app.dispatch(take("s1"), command_id="k1")).position


async def test_endless_rivals_are_reported() -> None:
    store = Proxy()
    async with school(store) as app:
        await app.dispatch(Define(aggregate_id="c1", capacity=10_000))

        async def get_in_between(commit: Commit) -> None:
            rival = Part(
                stream=StreamId("Course", "c1"),
                events=[
                    EventData(
                        "SeatTaken",
                        {"course": "c1", "student": commit.id},
                        tags=frozenset({"course:c1"}),
                    )
                ],
                expected_version=None,
            )
            await store.inner.append(
                Commit(id=f"r{commit.id}", parts=[rival], recorded_at=commit.recorded_at)
            )

        store.before["append"] = get_in_between
        with pytest.raises(TooManyConflicts) as caught:
            await app.dispatch(take("s1"))
        assert isinstance(caught.value.__cause__, ConditionFailed)
        assert ATTEMPTS == len(await seats(app))


async def test_an_aggregate_must_declare_the_events_that_a_decision_adds_to_its_streams() -> None:
    def forget(is_defined: bool, event: Defined) -> bool:
        return True

    blind = change(course, evolve=forget, events=[Defined], tags={Defined: TAGS[Defined]})
    async with school(aggregates=[blind]) as app:
        await app.dispatch(Define(aggregate_id="c1"))
        with pytest.raises(UndeclaredEvent, match="SeatTaken"):
            await app.dispatch(take("s1"))
        assert [] == await seats(app)


async def test_a_decision_needs_no_aggregate() -> None:
    async with school(aggregates=[]) as app:
        await app.dispatch(announce(1))
        assert 2 == (await app.dispatch(take("s1"))).version


async def test_an_event_outside_of_the_boundary_is_not_folded() -> None:
    async with school() as app:
        await app.dispatch(Define(aggregate_id="c1", capacity=9))
        seen: list[Enrolment] = []

        def note(state: Enrolment) -> Iterable[SeatTaken]:
            seen.append(state)
            return [SeatTaken("c2", "s1"), SeatTaken("c1", "s1")]

        await app.dispatch(Announce(aggregate_id="c1", decide=note))
        await app.dispatch(Announce(aggregate_id="c1", decide=note))
        assert (SeatTaken("c1", "s1"),) == seen[1].seats


async def test_a_boundary_without_types_leaves_out_known_events_of_others() -> None:
    seats_only = change(
        enrolment,
        boundary=lambda command: Query.of(tags={f"course:{command.aggregate_id}"}),
        events=[SeatTaken],
    )
    async with school(decisions=[seats_only]) as app:
        await app.dispatch(Define(aggregate_id="c1", capacity=9))
        seen: list[Enrolment] = []

        def note(state: Enrolment) -> Iterable[SeatTaken]:
            seen.append(state)
            return [SeatTaken("c1", "s1")]

        for _ in range(2):
            await app.dispatch(Announce(aggregate_id="c1", decide=note))
        assert [Enrolment(), Enrolment(seats=[SeatTaken("c1", "s1")])] == seen


async def test_an_unknown_event_in_the_boundary_stops_the_command() -> None:
    """A newer version of the code has written it. Deciding without it could break a rule."""
    store = MemoryStore()
    open_ended = change(
        enrolment, boundary=lambda command: Query.of(tags={f"course:{command.aggregate_id}"})
    )
    async with school(store, decisions=[open_ended]) as app:
        committed = await app.dispatch(Define(aggregate_id="c1"))
        newer = EventData("Moved", {}, tags=frozenset({"course:c1"}))
        part = Part(stream=StreamId("Room", "r1"), events=[newer], expected_version=None)
        at = committed.events[0].recorded_at
        await store.append(Commit(id="newer", parts=[part], recorded_at=at))
        with pytest.raises(CodecError, match="Moved"):
            await app.dispatch(take("s1"))


async def test_a_large_boundary_is_read_page_by_page() -> None:
    store = Proxy()
    async with school(store, cache_size=0) as app:
        many = [SeatTaken("c1", f"s{n}") for n in range(PAGE + 1)]
        await app.dispatch(
            Announce(aggregate_id="c1", decide=lambda _: [Defined("c1", PAGE + 2), *many])
        )
        await app.dispatch(take("last"))
        with pytest.raises(CourseFull):
            await app.dispatch(take("too many"))
        assert 1 + 2 + 2 == store.calls["read"]


def keeping(store: Proxy) -> list[Snapshot]:
    """Return a list that receives every snapshot that is saved."""
    saved: list[Snapshot] = []

    async def keep(snapshot: Snapshot) -> None:
        saved.append(snapshot)

    store.after["save_snapshot"] = keep
    return saved


async def state_of(app: Application, course_id: str = "c1") -> Enrolment:
    """Return the state that a command for a course is decided on."""
    seen: list[Enrolment] = []

    def look(state: Enrolment) -> list[Defined]:
        seen.append(state)
        return []

    await app.dispatch(Announce(aggregate_id=course_id, decide=look))
    return seen[-1]


async def test_a_snapshot_saves_reading_the_boundary_again() -> None:
    store = Proxy()
    saved = keeping(store)
    async with school(store, snapshot_every=3, cache_size=0) as app:
        await app.dispatch(Define(aggregate_id="c1", capacity=9))
        for _ in range(2):
            await app.dispatch(announce(9))
    [snapshot] = saved
    assert ("Enrolment", 3, 3) == (
        snapshot.stream.aggregate_type,
        snapshot.version,
        snapshot.position,
    )
    asked: list[int] = []

    async def note(*_: object) -> None:
        asked.append(1)

    async with school(store, snapshot_every=3, cache_size=0) as app:
        store.before["read"] = note
        assert Enrolment(capacity=9) == await state_of(app)
    assert 2 == len(asked)  # the event of the snapshot, then those after it


async def test_a_snapshot_of_another_log_is_ignored(caplog: pytest.LogCaptureFixture) -> None:
    store, other = Proxy(), Proxy()
    saved = keeping(store)
    async with school(store, snapshot_every=2) as app:
        await app.dispatch(Define(aggregate_id="c1", capacity=9))
        await app.dispatch(announce(9))
    async with school(other, snapshot_every=2, cache_size=0) as app:
        await app.dispatch(Define(aggregate_id="c1", capacity=8))
        await app.dispatch(Define(aggregate_id="c2", capacity=8))
        for snapshot in (saved[0], change(saved[0], position=7)):
            await other.save_snapshot(snapshot)
            assert Enrolment(capacity=8) == await state_of(app)
    assert 2 == caplog.text.count("the log has another event at its place")


async def test_a_log_restored_to_an_earlier_point_is_read_again() -> None:
    store = Proxy()
    async with school(store) as app:
        await app.dispatch(Define(aggregate_id="c1", capacity=1))
        await app.dispatch(take("s1"))
        store.inner = MemoryStore()  # the backup has nothing yet
        await app.dispatch(Define(aggregate_id="c2", capacity=1))
        with pytest.raises(CourseFull):  # the cached capacity is gone
            await app.dispatch(take("s1"))


async def test_a_cached_position_beyond_the_log_is_dropped() -> None:
    store = Proxy()
    async with school(store) as app:
        for _ in range(3):
            await app.dispatch(announce(9))
        store.inner = MemoryStore()
        with pytest.raises(InvalidCommit, match="begins after position 3"):
            await app.dispatch(announce(9))
        assert 1 == (await app.dispatch(announce(9))).position
