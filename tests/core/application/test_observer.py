"""The operations and facts that an observer is told of, and the values that it adds to events."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from eventhus import (
    Application,
    Command,
    CommandRefused,
    ConcurrencyError,
    Delivered,
    Metadata,
    Process,
    Recorded,
    Rejected,
    View,
)
from eventhus.errors import LeaseLost, UnknownCommand
from eventhus.middleware import Envelope, Handler
from eventhus.ports import (
    Appending,
    Deciding,
    Dispatching,
    Ended,
    EventBuried,
    EventParked,
    Handling,
    Projecting,
    Publishing,
    Reacting,
    ReaderFailed,
)
from eventhus_memory import MemoryBus, MemoryStore
from tests.bank import Account, Deposit, Deposited, Open, Opened, Rename, Script, Withdraw
from tests.bank import account as bank_account
from tests.core.hooks import at, fail_with
from tests.core.observing import HERE, Recorder, broken, clumsy
from tests.core.readers import Paged, balances, bank, caught_up, welcome
from tests.core.support import FakeClock, Proxy, RecordingBus, add, compose
from tests.core.waiting import eventually


async def test_a_command_is_told_with_its_decision_and_its_append(recorder: Recorder) -> None:
    async with compose(observer=recorder) as app:
        await app.dispatch(Open(aggregate_id="a"), metadata=Metadata("talk"))
    assert [
        ("Dispatching", ""),
        ("Deciding", "Dispatching"),
        ("Appending", "Dispatching"),
    ] == recorder.tree
    dispatching, deciding, appending = recorder.operations
    assert (
        Dispatching(application=HERE, command="Open", target="Account", metadata=Metadata("talk"))
        == dispatching
    )
    assert Deciding(application=HERE, command="Open") == deciding
    assert (
        Appending(
            application=HERE,
            stream_type="Account",
            streams=1,
            events=1,
            attempt=1,
            metadata=Metadata("talk"),
        )
        == appending
    )
    assert [
        (deciding, Ended(events=1)),
        (appending, Ended()),
        (dispatching, Ended(events=1)),
    ] == recorder.ends


def crash(_: Account) -> Any:
    raise KeyError("s3cret")


@pytest.mark.parametrize(
    ("command", "outcome", "events", "error"),
    [
        (Deposit(aggregate_id="a"), "accepted", 1, None),
        (Rename(aggregate_id="a", owner="Ada"), "unchanged", 0, None),
        (Withdraw(aggregate_id="a", amount=9), "rejected", 0, Rejected),
        (Script(aggregate_id="a", decide=crash), "failed", 0, KeyError),
    ],
    ids=["accepted", "unchanged", "rejected", "failed"],
)
async def test_the_outcome_of_a_command_is_told(
    recorder: Recorder,
    command: Command,
    outcome: str,
    events: int,
    error: type[Exception] | None,
) -> None:
    async with compose(observer=recorder) as app:
        await app.dispatch(Open(aggregate_id="a"))
        recorder.ends.clear()
        if error is None:
            await app.dispatch(command)
        else:
            with pytest.raises(error):
                await app.dispatch(command)
    assert {outcome} == {*recorder.outcomes(Deciding, Dispatching)}
    _, ended = recorder.ends[-1]
    assert events == ended.events
    assert (error is None) == (ended.error is None)
    assert error is None or isinstance(ended.error, error)


async def test_a_command_of_an_unknown_class_is_told_without_a_target(recorder: Recorder) -> None:
    class Stray(Command):
        pass

    async with compose(observer=recorder) as app:
        with pytest.raises(UnknownCommand):
            await app.dispatch(Stray(aggregate_id="a"))
    [dispatching] = recorder.told(Dispatching)
    assert ("Stray", "") == (dispatching.command, dispatching.target)


async def test_a_lost_race_is_told_as_a_conflict_and_a_second_attempt(recorder: Recorder) -> None:
    store = Proxy()
    async with (
        compose(store, observer=recorder, clock=FakeClock()) as app,
        compose(store.inner) as rival,
    ):

        async def interfere(*_: object) -> None:
            await add(rival, 1)

        store.before["append"] = at([1], interfere)
        await add(app, 2)
    assert [1, 2] == [each.attempt for each in recorder.told(Appending)]
    assert ["conflict", "accepted"] == recorder.outcomes(Appending)
    assert ["accepted"] == recorder.outcomes(Dispatching)


async def test_a_caller_that_insists_on_a_version_has_failed_at_the_conflict(
    recorder: Recorder,
) -> None:
    """Only an append meets a conflict."""
    async with compose(observer=recorder) as app:
        with pytest.raises(ConcurrencyError):
            await app.dispatch(Open(aggregate_id="a"), expected_version=7)
    assert {"failed"} == {*recorder.outcomes(Deciding, Dispatching)}


async def test_the_observer_is_outside_of_all_middleware(recorder: Recorder) -> None:
    """So that the log lines of middleware belong to the trace."""
    seen: list[Mapping[str, str]] = []

    def looking(handle: Handler) -> Handler:
        async def look(envelope: Envelope) -> Any:
            seen.append(envelope.metadata.values)
            return await handle(envelope)

        return look

    recorder.values = {"traceparent": "00-1"}
    async with compose(observer=recorder, middleware=[looking]) as app:
        await app.dispatch(Open(aggregate_id="a"))
    assert [{"traceparent": "00-1"}] == seen


async def test_the_values_of_the_observer_go_into_the_events() -> None:
    observer = Recorder({"traceparent": "new"})
    async with compose(observer=observer) as app:
        committed = await app.dispatch(
            Open(aggregate_id="a"),
            metadata=Metadata("talk", "cause", {"traceparent": "old", "user": "ada"}),
        )
    [event] = committed.events
    assert Metadata("talk", "cause", {"traceparent": "new", "user": "ada"}) == event.metadata


async def test_what_the_relay_publishes_is_told(recorder: Recorder) -> None:
    bus = RecordingBus()
    async with compose(bus=bus, observer=recorder) as app:
        await app.dispatch(Open(aggregate_id="a"), metadata=Metadata("talk"))
        await eventually(lambda: bus.taken)
    [publishing] = recorder.told(Publishing)
    assert [Metadata("talk")] == publishing.metadata
    assert "RecordingBus" == publishing.application.bus
    assert ["accepted"] == recorder.outcomes(Publishing)


async def test_a_publication_that_fails_is_told(recorder: Recorder) -> None:
    bus = RecordingBus()
    bus.before = at([1], fail_with(ConnectionError("down")))
    async with compose(bus=bus, observer=recorder, clock=FakeClock()) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await eventually(lambda: bus.taken)
    assert ["failed", "accepted"] == recorder.outcomes(Publishing)
    [failed] = recorder.told(ReaderFailed)
    assert ("relay", ConnectionError) == (failed.reader, type(failed.error))


@pytest.mark.parametrize("bus", [None, MemoryBus], ids=["the log", "a bus"])
async def test_every_attempt_of_a_handler_is_told(
    recorder: Recorder, bus: Callable[[], MemoryBus] | None
) -> None:
    calls: list[int] = []

    async def handle(delivered: Delivered[Any]) -> None:
        calls.append(delivered.attempt)
        if delivered.attempt < 3:
            raise KeyError("s3cret")

    app = compose(bus=bus and bus(), observer=recorder, clock=FakeClock())
    async with app:
        await app.subscribe(handle, group="mailer")
        committed = await app.dispatch(Open(aggregate_id="a"))
        await eventually(lambda: len(calls) == 3)
    attempts = recorder.told(Handling)
    [event] = committed.events
    assert [1, 2, 3] == [each.attempt for each in attempts]
    assert (
        Handling(
            application=attempts[0].application,
            group="mailer",
            event="Opened",
            event_id=event.id,
            stream_type="Account",
            metadata=event.metadata,
            attempt=1,
        )
        == attempts[0]
    )
    assert ["failed", "failed", "accepted"] == recorder.outcomes(Handling)
    assert [] == recorder.told(EventBuried)


async def test_a_dead_letter_is_told(recorder: Recorder) -> None:
    async def fail(_: Delivered[Any]) -> None:
        raise KeyError("s3cret")

    async with compose(observer=recorder) as app:
        await app.subscribe(fail, group="mailer", attempts=1)
        await app.dispatch(Open(aggregate_id="a"))
        await eventually(lambda: recorder.told(EventBuried))
    [buried] = recorder.told(EventBuried)
    assert ("mailer", KeyError) == (buried.group, type(buried.error))


async def test_a_refusal_by_a_command_of_a_handler_is_a_failure_of_the_handler(
    recorder: Recorder,
) -> None:
    async with compose(observer=recorder) as app:

        async def withdraw(_: Delivered[Any]) -> None:
            await app.dispatch(Withdraw(aggregate_id="a", amount=9))

        await app.subscribe(withdraw, group="mailer", attempts=1)
        await app.dispatch(Open(aggregate_id="a"))
        await eventually(lambda: recorder.told(EventBuried))
    assert ("Dispatching", "Handling") in recorder.tree
    assert ["failed"] == recorder.outcomes(Handling)
    assert ["accepted", "rejected"] == recorder.outcomes(Dispatching)


def both(recorded: Recorded[Opened | Deposited]) -> list[str]:
    return ["all", recorded.stream.aggregate_id]


def counted(value: int, _: Recorded[Opened | Deposited]) -> int:
    return value + 1


numbers = View(name="numbers", version=2, initial=0, key=both, evolve=counted)


async def test_a_view_is_told_by_the_batch(recorder: Recorder) -> None:
    """An event with several keys counts once, and a page without events of the view is not told."""
    store = MemoryStore()
    async with compose(store) as app:
        for owner in ("ada", "bob"):
            await app.dispatch(Open(aggregate_id=owner), metadata=Metadata(owner))
    async with bank(store, views=[numbers], observer=recorder) as app:
        await app.caught_up(numbers)
        await app.dispatch(Rename(aggregate_id="ada", owner="eve"))
        await app.caught_up(numbers)
    [projecting] = recorder.told(Projecting)
    assert "view numbers v2" == projecting.reader
    assert [Metadata("ada"), Metadata("bob")] == projecting.metadata
    assert ["accepted"] == recorder.outcomes(Projecting)


async def test_a_parked_key_is_told(recorder: Recorder) -> None:
    async with bank(views=[broken], observer=recorder) as app:
        await add(app, 1)
        await app.caught_up(broken)
    [parked] = recorder.told(EventParked)
    assert ("view broken", KeyError) == (parked.reader, type(parked.error))
    assert ["accepted"] == recorder.outcomes(Projecting)


async def test_a_process_is_told_by_the_event_with_its_commands_inside(
    recorder: Recorder,
) -> None:
    async with bank(processes=[welcome], observer=recorder) as app:
        committed = await app.dispatch(Open(aggregate_id="a"))
        await caught_up(app, welcome)
    opened, *_ = recorder.told(Reacting)
    [event] = committed.events
    assert (
        Reacting(
            application=HERE,
            reader="process welcome",
            event="Opened",
            event_id=event.id,
            stream_type="Account",
            metadata=event.metadata,
        )
        == opened
    )
    assert 2 == recorder.tree.count(("Dispatching", "Reacting"))
    assert {"accepted"} == {*recorder.outcomes(Reacting)}


def pass_over(state: int, _: Recorded[Opened | CommandRefused]) -> int:
    return state


def overdraw(_: int, recorded: Recorded[Opened | CommandRefused]) -> Iterator[Command]:
    if isinstance(recorded.event, Opened):
        yield Withdraw(aggregate_id=recorded.stream.aggregate_id, amount=9)


overdraft = Process(name="overdraft", initial=0, key=both, evolve=pass_over, react=overdraw)


async def test_an_append_to_the_stream_of_a_process_is_told(recorder: Recorder) -> None:
    """With the metadata of its cause, so that it continues the trace."""
    async with bank(processes=[overdraft], observer=recorder) as app:
        await app.dispatch(
            Open(aggregate_id="a"), metadata=Metadata("talk", None, {"traceparent": "00-1"})
        )
        await caught_up(app, overdraft)
    own = [each for each in recorder.told(Appending) if each.stream_type != "Account"]
    assert {"eventhus:process/overdraft"} == {each.stream_type for each in own}
    assert {"traceparent": "00-1"} == own[0].metadata.values
    assert ("Appending", "Reacting") in recorder.tree


async def test_a_page_without_a_published_event_is_no_publication(recorder: Recorder) -> None:
    """The events of a process stay in the log."""
    store = Paged()
    async with bank(store, processes=[overdraft]) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await caught_up(app, overdraft)
        assert 3 == await store.head()
    bus = RecordingBus()
    async with bank(store, bus=bus, processes=[overdraft], observer=recorder) as app:
        await eventually(lambda: bus.taken)
    assert [1] == bus.positions
    assert 1 == len(recorder.told(Publishing))


async def test_a_process_that_fails_is_told_with_its_own_error(recorder: Recorder) -> None:
    """Not with one that wraps it."""
    async with bank(processes=[clumsy], observer=recorder) as app:
        await add(app, 1)
        await app.caught_up(clumsy)
    [error] = [ended.error for each, ended in recorder.ends if isinstance(each, Reacting)]
    assert KeyError is type(error)
    assert ["process clumsy"] == [each.reader for each in recorder.told(EventParked)]


async def test_a_handover_is_no_failure(recorder: Recorder) -> None:
    """Another process may take over, which is nothing to be alarmed about."""
    store = Proxy()
    async with bank(store, views=[balances], observer=recorder) as app:
        store.before["save_checkpoint"] = at([1], fail_with(LeaseLost("view_balances", 1)))
        await app.dispatch(Open(aggregate_id="a"))
        await app.caught_up(balances)
    assert [] == recorder.told(ReaderFailed)


async def test_a_cancelled_command_is_told_as_failed(recorder: Recorder) -> None:
    store, arrived = Proxy(), asyncio.Event()

    async def wait(*_: object) -> None:
        arrived.set()
        await asyncio.Event().wait()

    store.before["load"] = wait
    async with compose(store, observer=recorder) as app:
        task = asyncio.create_task(app.dispatch(Open(aggregate_id="a")))
        await arrived.wait()
        task.cancel()
        await asyncio.wait([task])
    assert task.cancelled()
    [(_, ended)] = recorder.ends
    assert ("failed", asyncio.CancelledError) == (ended.outcome, type(ended.error))


async def test_open_takes_an_observer(recorder: Recorder) -> None:
    async with Application.open(bucket="bank", aggregates=[bank_account], observer=recorder) as app:
        await app.dispatch(Open(aggregate_id="a"))
    assert ["accepted"] == recorder.outcomes(Dispatching)
