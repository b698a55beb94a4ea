"""Deadlines as values: the answers of ``react``, and the deadlines that they arm."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from attrs import evolve, frozen

from eventhus import (
    Aggregate,
    Cancel,
    Command,
    CommandRefused,
    Deadline,
    DeadlineOvertaken,
    DeadlineReached,
    Decision,
    Metadata,
    Process,
    Query,
    Recorded,
    StreamId,
)
from eventhus.domain.catalog import Catalog
from eventhus.domain.deadlines import rearmed
from eventhus.domain.process_events import own_stream, reached_by, without_reached
from eventhus.errors import CompositionError, InvalidArgument, WrongAnswer
from eventhus.ports import ArmedDeadline, EventData

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@frozen
class Paid:
    amount: int


@frozen(kw_only=True)
class Ship(Command):
    pass


def recorded(event: Any, position: int = 1, cause: str | None = None) -> Recorded[Any]:
    return Recorded(
        stream=StreamId("Order", "o1"),
        version=position,
        position=position,
        id=f"c-{position}",
        event=event,
        recorded_at=AT,
        metadata=Metadata(causation_id=cause),
    )


def by_order(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def count(state: int, recorded: Recorded[Paid]) -> int:
    return state + 1


def process(react: Any, evolve: Any = count, **options: Any) -> Process[Any, int]:
    return Process(name="p", initial=0, key=by_order, evolve=evolve, react=react, **options)


def answering(*answers: object) -> Process[Any, int]:
    """A process that takes events of its own, and answers everything with the same."""

    def react(
        state: int, recorded: Recorded[Paid | DeadlineReached | CommandRefused]
    ) -> Iterable[Any]:
        return answers

    return process(react)


@pytest.mark.parametrize("name", ["", None, 5, "\ud800", "x" * 256, "ü" * 128])
def test_names_of_deadlines_are_short_text(name: Any) -> None:
    for make in (lambda: Deadline(name, after=HOUR), lambda: Cancel(name)):
        with pytest.raises(InvalidArgument, match="the name of a deadline must be a non-empty str"):
            make()
    assert "ü" * 127 == Deadline("ü" * 127, after=HOUR).name


@pytest.mark.parametrize("after", [-HOUR, 30, "30"])
def test_a_deadline_is_not_before_its_event(after: Any) -> None:
    with pytest.raises(InvalidArgument, match="must be a timedelta, not below 0, found"):
        Deadline("payment", after=after)


@pytest.mark.parametrize("at", [datetime(2026, 1, 1), AT.date(), "2026-01-01"])  # noqa: DTZ001
def test_the_time_of_a_deadline_has_a_time_zone(at: Any) -> None:
    with pytest.raises(InvalidArgument, match="must be a timezone-aware datetime"):
        Deadline("payment", at=at)


def test_a_deadline_has_one_time() -> None:
    for times in ({}, {"after": HOUR, "at": AT}):
        with pytest.raises(InvalidArgument, match=r"takes either after=.* or at="):
            Deadline("payment", **times)  # type: ignore[arg-type]


def test_a_deadline_is_due_at_one_time_in_utc() -> None:
    zone = timezone(timedelta(hours=14))
    assert AT + HOUR == Deadline("payment", after=HOUR).due(recorded(Paid(1)))
    due = Deadline("payment", at=AT.astimezone(zone)).due(recorded(Paid(1)))
    assert (AT, UTC) == (due, due.tzinfo)


def test_matching_reads_the_name_of_a_reached_deadline() -> None:
    match DeadlineReached("payment"):
        case DeadlineReached("payment"):
            pass
        case _:
            pytest.fail("the pattern does not match")


def armed(name: str, due: datetime = AT + HOUR, position: int = 1) -> ArmedDeadline:
    return ArmedDeadline(name, due, f"c-{position}", position)


def test_a_deadline_replaces_the_one_of_its_name() -> None:
    """Also by an earlier one, and others stay; the earliest comes first."""
    answers = [Deadline("b", after=HOUR), Ship(aggregate_id="o1"), Deadline("a", after=2 * HOUR)]
    first = rearmed((), answers, recorded(Paid(1)))
    assert (armed("b"), armed("a", AT + 2 * HOUR)) == first
    again = [Deadline("a", at=AT)]
    assert (armed("a", AT, 2), armed("b")) == rearmed(first, again, recorded(Paid(1), 2))


def test_a_cancelled_deadline_is_not_armed() -> None:
    before = (armed("a"), armed("b"))
    assert (armed("b"),) == rearmed(before, [Cancel("a"), Cancel("c")], recorded(Paid(1), 2))


def test_a_reached_deadline_is_the_armed_one_of_the_same_event() -> None:
    """One that was armed again is another, and so is one of another name."""
    both = (armed("a"), armed("b", position=2))
    reached = recorded(DeadlineReached("b"), 9, cause="c-2")
    assert armed("b", position=2) == reached_by(reached, both)
    assert (armed("a"),) == without_reached(both, reached)
    for other in (
        recorded(DeadlineReached("b"), 9, cause="c-1"),
        recorded(DeadlineReached("c"), 9, cause="c-2"),
        recorded(CommandRefused("b", "b", "a"), 9, cause="c-2"),
    ):
        assert reached_by(other, both) is None
        assert both == without_reached(both, other)


def test_react_returns_deadlines_among_commands() -> None:
    given = (Deadline("a", after=HOUR), Ship(aggregate_id="o1"), Cancel("b"))
    assert given == answering(*given).reacted("o1", 1, recorded(Paid(1)))


@pytest.mark.parametrize(
    "answers",
    [
        (Deadline("a", after=HOUR), Deadline("a", at=AT)),
        (Cancel("a"), Deadline("a", after=HOUR)),
        (Cancel("a"), Cancel("a")),
    ],
)
def test_one_event_changes_a_deadline_once(answers: Any) -> None:
    with pytest.raises(WrongAnswer, match="two answers for the deadline 'a'"):
        answering(*answers).reacted("o1", 1, recorded(Paid(1)))


def test_a_deadline_that_nothing_takes_is_refused() -> None:
    """A cancellation does no harm."""

    def react(state: int, recorded: Recorded[Paid]) -> Iterable[Any]:
        return answers

    answers: list[Any] = [Cancel("a")]
    assert tuple(answers) == process(react).reacted("o1", 1, recorded(Paid(1)))
    answers = [Deadline("a", after=HOUR)]
    with pytest.raises(TypeError, match="returned a Deadline, and nothing takes DeadlineReached"):
        process(react).reacted("o1", 1, recorded(Paid(1)))


def test_the_empty_key_has_no_deadlines() -> None:
    with pytest.raises(WrongAnswer, match="for the empty key"):
        answering(Deadline("a", after=HOUR)).reacted("", 1, recorded(Paid(1)))


@pytest.mark.parametrize("at", [AT, AT - HOUR])
@pytest.mark.parametrize("event", [DeadlineReached("a"), CommandRefused("Ship", "Gone", "a")])
def test_a_deadline_in_the_past_does_not_follow_from_an_own_event(at: datetime, event: Any) -> None:
    """It would be reached, armed again and reached without end."""
    past = answering(Deadline("a", at=at))
    assert 1 == len(past.reacted("o1", 1, recorded(Paid(1))))
    with pytest.raises(WrongAnswer, match="it would be reached again and again"):
        past.reacted("o1", 1, recorded(event))
    later = answering(Deadline("a", at=AT + timedelta(microseconds=1)))
    assert 1 == len(later.reacted("o1", 1, recorded(DeadlineReached("a"))))


def test_a_process_takes_the_own_events_that_it_names() -> None:
    """Evolve gets those in its annotation, and react those in its own."""

    def evolve_both(state: int, recorded: Recorded[Paid | CommandRefused]) -> int:
        return state + 1

    def react(state: int, recorded: Recorded[Paid | DeadlineReached]) -> Iterable[Command]:
        return [Ship(aggregate_id="o1")]

    both = process(react, evolve_both)
    assert (Paid, CommandRefused, DeadlineReached) == both.events
    refused, reached = CommandRefused("Ship", "Gone", "a"), DeadlineReached("a")
    assert [1, 1, 0] == [both.next("o1", 0, recorded(e)) for e in (Paid(1), refused, reached)]
    sent = [len(both.reacted("o1", 0, recorded(event))) for event in (Paid(1), refused, reached)]
    assert [1, 0, 1] == sent


def test_functions_without_annotations_take_every_event() -> None:
    bare = process(
        lambda state, recorded: [Ship(aggregate_id="o1")],
        lambda state, recorded: state + 1,
        events=[Paid, DeadlineReached],
        state_type=int,
    )
    assert 1 == bare.next("o1", 0, recorded(DeadlineReached("a")))
    assert 1 == len(bare.reacted("o1", 0, recorded(DeadlineReached("a"))))
    assert (Paid,) == process(lambda state, recorded: []).events


def test_react_may_be_annotated_with_any_object() -> None:
    def react(state: int, recorded: Recorded[object]) -> Iterable[Command]:
        return [Ship(aggregate_id="o1")]

    def count_all(state: int, recorded: Recorded[Paid | DeadlineReached]) -> int:
        return state + 1

    taking = process(react, count_all)
    assert (Paid, DeadlineReached) == taking.events
    assert 1 == len(taking.reacted("o1", 0, recorded(DeadlineReached("a"))))


def test_own_events_belong_to_the_key_of_their_stream() -> None:
    """The key function never sees them, and those of other processes are not taken."""
    asked: list[object] = []

    def key(recorded: Recorded[Paid]) -> str:
        asked.append(recorded.event)
        return "x"

    own = Process(name="p", initial=0, key=key, evolve=count, react=lambda *_: [])
    reached = evolve(recorded(DeadlineReached("a")), stream=own_stream("p", "k"))
    assert ("k",) == own.keys(reached)
    assert () == own.keys(evolve(reached, stream=own_stream("q", "k")))
    assert ("x",) == own.keys(recorded(Paid(1)))
    assert [Paid(1)] == asked


def test_no_process_takes_overtaken_deadlines() -> None:
    def react(state: int, recorded: Recorded[Paid]) -> Iterable[Command]:
        return []

    with pytest.raises(CompositionError, match="DeadlineOvertaken, which no process gets"):
        process(react, events=[Paid, DeadlineOvertaken])


@frozen
class Shipped:
    pass


def ship(command: Ship, state: int) -> Iterable[Shipped]:
    return [Shipped()]


def fold(state: int, event: Shipped) -> int:
    return state


def order(**options: Any) -> Aggregate[Ship, Shipped, int]:
    return Aggregate(**{"name": "Order", "initial": 0, "decide": ship, "evolve": fold, **options})


def decision(**options: Any) -> Decision[Ship, Shipped, int]:
    return Decision(
        **{
            "name": "Ships",
            "initial": 0,
            "decide": ship,
            "evolve": fold,
            "boundary": lambda command: Query.of(Shipped),
            **options,
        }
    )


@pytest.mark.parametrize(
    ("aggregates", "decisions"),
    [
        ([order(name="eventhus:process/p")], []),
        ([order(names={Shipped: "eventhus:DeadlineReached"})], []),
        ([order(aliases={"eventhus:Sent": Shipped})], []),
        ([], [decision(aggregate_type="eventhus:process/p")]),
        ([], [decision(name="eventhus:p")]),
    ],
    ids=["name", "stored name", "alias", "streams of a decision", "decision"],
)
def test_names_of_processes_are_reserved(aggregates: Any, decisions: Any) -> None:
    with pytest.raises(CompositionError, match="starts with 'eventhus:', which is reserved for"):
        Catalog(aggregates, decisions)


@pytest.mark.parametrize("cls", [DeadlineReached, CommandRefused, DeadlineOvertaken])
def test_an_aggregate_does_not_declare_an_event_of_processes(cls: type) -> None:
    with pytest.raises(CompositionError, match=f"{cls.__name__} is an event that only processes"):
        Catalog([order(events=[cls])])


def test_every_catalog_knows_the_events_of_processes() -> None:
    """It does not count them among those that aggregates declare."""
    catalog = Catalog([order()])
    assert ["Shipped"] == [each.name for each in catalog.types()]
    assert frozenset({"eventhus:DeadlineReached"}) == catalog.names_of([DeadlineReached])
    own = own_stream("p", "k")
    for name in ("eventhus:DeadlineReached", "eventhus:SomethingNew"):
        assert not catalog.is_of_newer_code(own, EventData(name, {}))
