"""Processes: every event is answered with its commands, carried out once, whatever fails."""

import logging
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import count
from typing import Any

import pytest
from attrs import frozen

from eventhus import Command, Metadata, Process, Recorded, StreamId
from eventhus.errors import (
    CommandIdReused,
    InvalidArgument,
    OutcomeUnknown,
    ReaderStopped,
    StoreUnavailable,
    TooManyConflicts,
    UnknownCommand,
)
from eventhus.middleware import Envelope, Handler
from eventhus_memory import MemoryStore
from tests.bank import Deposited, Open, Scribble, Script, Withdraw, always
from tests.core.hooks import Gate, at, fail_with
from tests.core.readers import (
    FILLED,
    SENT,
    Paged,
    bank,
    caught_up,
    crash,
    expire,
    first,
    interrupt,
    odd,
    open_accounts,
    sent,
    welcome,
    without_leases,
)
from tests.core.support import Proxy, add, stored_events
from tests.core.waiting import eventually


def key(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def number(state: int, recorded: Recorded[Deposited]) -> int:
    return state + 1


def sending(*commands: Command, name: str = "sends") -> Process[Deposited, int]:
    """A process that answers a deposit with these commands, whatever the state."""

    def react(state: int, recorded: Recorded[Deposited]) -> Iterable[Command]:
        return commands

    return Process(name=name, initial=0, key=key, evolve=number, react=react)


async def test_a_process_sends_what_comes_next() -> None:
    """Because of what was there, of what comes, and of what it has sent itself."""
    store = MemoryStore()
    await open_accounts(store)
    async with bank(store, processes=[welcome, odd]) as app:
        await caught_up(app, welcome, odd)
        assert SENT == await sent(store)
        await app.dispatch(Open(aggregate_id="new"))
        await caught_up(app, welcome, odd)
    assert ("Account/new 1", "Account/new", {"amount": 10}) in await sent(store)


async def test_a_command_of_a_process_carries_its_cause() -> None:
    """The conversation and the caller's pairs go on; its id is made of the event's."""
    store, envelopes = MemoryStore(), list[Envelope]()

    def overhear(handle: Handler) -> Handler:
        async def handle_it(envelope: Envelope) -> Any:
            envelopes.append(envelope)
            return await handle(envelope)

        return handle_it

    process = sending(Scribble(aggregate_id="x"), Scribble(aggregate_id="y"))
    async with bank(store, processes=[process], middleware=[overhear]) as app:
        committed = await app.dispatch(
            Script(aggregate_id="a", decide=always(Deposited(1))),
            metadata=Metadata("talk", "cause", {"user": "u"}),
        )
        await app.caught_up(process, committed)
    cause = committed.events[0].id
    digest = blake2b(b"a", digest_size=8).hexdigest()  # of the key
    assert [
        Envelope(
            command=Scribble(aggregate_id=each),
            command_id=f"eventhus:sends/{cause}/{index}/{digest}",
            metadata=Metadata("talk", cause, {"user": "u"}),
        )
        for index, each in enumerate("xy")
    ] == envelopes[1:]


async def test_a_command_that_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    """It is heard of, without what it says, and the process goes on."""
    store = MemoryStore()
    process = sending(Withdraw(aggregate_id="a", amount=123_456), Scribble(aggregate_id="x"))
    async with bank(store, processes=[process]) as app:
        await add(app, 1, 2)
        await app.caught_up(process)
    assert 4 == await store.head()
    assert [
        f"process sends sent Withdraw because of Account/a, version {version}; "
        f"it was refused with InsufficientFunds"
        for version in (1, 2)
    ] == [record.getMessage() for record in caplog.records]
    assert {logging.WARNING} == {record.levelno for record in caplog.records}


async def test_an_event_without_commands_is_saved_with_others() -> None:
    """One that has some is saved on its own, so that a crash repeats no more than that."""
    store = Proxy()
    await open_accounts(store.inner)
    quiet = sending()
    async with bank(store, processes=[quiet]) as app:
        await app.caught_up(quiet)
    assert (1, 1) == (store.calls["save_documents"], store.calls["load_documents"])
    store.calls.clear()
    loud = sending(Scribble(aggregate_id="x"), name="loud")
    async with bank(store, processes=[loud]) as app:
        await app.caught_up(loud, FILLED)
    assert (6, 1) == (store.calls["save_documents"], store.calls["load_documents"])


@pytest.mark.parametrize("ways", ["it raises", "the process is killed"])
async def test_a_failure_anywhere_loses_and_repeats_nothing(ways: str) -> None:
    """At every call of the store, before it or after it, also of those that commands make."""
    steps = 0
    for step in count(1):
        store, gate = Paged(), Gate()
        await open_accounts(store.inner)
        unavailable = fail_with(StoreUnavailable("bank", "down"))
        met = interrupt(store, step, unavailable if ways == "it raises" else gate)
        async with bank(store, processes=[welcome, odd]) as app:
            if ways == "it raises":
                await caught_up(app, welcome, odd)
            else:
                await first(gate.arrived.wait(), caught_up(app, welcome, odd))
                crash(store)
        async with bank(store.inner, processes=[welcome, odd]) as app:
            await caught_up(app, welcome, odd)
        assert (step, SENT) == (step, await sent(store.inner))
        if not met():
            break
        steps = step
    assert steps > 150


async def test_a_crash_behind_a_command_repeats_its_event_alone() -> None:
    """A refused command of it is sent again, since nothing of it is in the log; others are not."""
    store, gate = Proxy(), Gate()
    process = sending(Withdraw(aggregate_id="a", amount=5))
    async with bank(store.inner) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await add(app, 1, 1, 1)
    store.before["save_documents"] = at([2], gate)
    async with bank(store, processes=[process]) as app:
        await gate.arrived.wait()
        crash(store)
    async with bank(store.inner) as app:
        await add(app, 10, aggregate_id="a")
    async with bank(store.inner, processes=[process]) as app:
        await app.caught_up(process)
    withdrawn = [
        each for each in await stored_events(store.inner) if each.event.type == "Withdrawn"
    ]
    log = {each.id: each.version for each in await stored_events(store.inner)}
    assert [3, 4] == [log[each.metadata.causation_id or ""] for each in withdrawn]


async def test_one_of_many_sends() -> None:
    """The others wait for it."""
    store = MemoryStore()
    stores = [Proxy(store) for _ in range(3)]
    apps = [bank(each, processes=[welcome, odd]) for each in stores]
    await open_accounts(store)
    async with apps[0], apps[1], apps[2]:
        for app in apps:
            await caught_up(app, welcome, odd)
    assert [True, False, False] == [each.calls["append"] > 0 for each in stores]
    assert SENT == await sent(store)


@pytest.mark.parametrize("point", ["append", "save_documents", "save_checkpoint"])
async def test_a_process_that_was_paused(point: str, caplog: pytest.LogCaptureFixture) -> None:
    """It does not know that its lease ran out; what it would send has been sent."""
    caplog.set_level(logging.INFO, "eventhus.runtime.readers.process_runner")
    inner, gate = MemoryStore(), Gate()
    paused = Proxy(inner)
    await open_accounts(inner)
    paused.before[point] = at([1], gate)
    async with bank(paused, processes=[welcome]) as app:
        await gate.arrived.wait()
        expire(inner)
        async with bank(inner, processes=[welcome, odd]) as other:
            await caught_up(other, welcome, odd)
            gate.opened.set()
            await eventually(lambda: caplog.records)
            await caught_up(app, welcome)
    assert SENT == await sent(inner)
    assert any("is no longer held" in record.getMessage() for record in caplog.records)


async def test_two_at_once() -> None:
    """Whatever the leases say, the log holds every command once."""
    inner = MemoryStore()
    stores = without_leases(
        inner,
        before=["load_documents", "save_documents", "append"],
        after=["load_checkpoint", "save_checkpoint", "find"],
    )
    processes: list[Process[Any, Any]] = [welcome, odd]
    await open_accounts(inner)
    async with (
        bank(stores[0], processes=processes) as one,
        bank(stores[1], processes=processes) as two,
    ):
        await caught_up(one, *processes)
        await caught_up(two, *processes)
    assert SENT == await sent(inner)


@frozen(kw_only=True)
class Foreign(Command):
    """No aggregate takes it."""


async def test_a_command_that_no_aggregate_takes() -> None:
    """The process stops, and what it had answered before stays answered."""
    store = MemoryStore()

    def react(state: int, recorded: Recorded[Deposited]) -> Iterator[Command]:
        if state == 3:
            yield Foreign(aggregate_id="x")
        if state == 2:
            yield Scribble(aggregate_id="x")

    process = Process(name="lost", initial=0, key=key, evolve=number, react=react)
    async with bank(store, processes=[process], max_parked=0) as app:
        await add(app, 1, 2, 3, 4)
        with pytest.raises(ReaderStopped) as caught:
            await app.caught_up(process)
        await app.caught_up(process, 2)
    assert isinstance(caught.value.__cause__, UnknownCommand)
    assert (
        "process lost stopped at Account/a, version 3: UnknownCommand: no aggregate handles "
        f"{Foreign.__module__}.{Foreign.__qualname__}; add its aggregate to the application, which "
        "handles: Deposit, Open, Rename, Scribble, Script, Withdraw; "
        "it continues once the running code can handle that event"
    ) == str(caught.value)
    assert 2 == (await store.load_checkpoint("process_lost")).position
    assert 2 == (await store.load_documents("process_lost", ["a"]))["a"].data


async def test_a_state_that_the_store_does_not_keep() -> None:
    """The process stops at its event; what its commands have done is done once all the same."""
    store, process = Proxy(), sending(Scribble(aggregate_id="x"))
    async with bank(store) as app:
        await add(app, 1, 2)
    store.before["save_documents"] = at([2, 3, 4], fail_with(InvalidArgument("too large")))
    async with bank(store, processes=[process], max_parked=0) as app:
        with pytest.raises(ReaderStopped, match="version 2: InvalidArgument was raised"):
            await app.caught_up(process)
        assert 1 == (await store.load_checkpoint("process_sends")).position
        await eventually(lambda: store.calls["save_documents"] > 4)
        await app.caught_up(process)
    assert 2 == len(await store.inner.history(StreamId("Note", "x")))


async def test_another_answer_than_before_the_crash() -> None:
    """The code has changed meanwhile, and the id is that of a command for another aggregate."""
    store, gate = Proxy(), Gate()
    store.before["save_documents"] = gate
    before, after = (sending(Scribble(aggregate_id=each)) for each in "xy")
    async with bank(store, processes=[before]) as app:
        await add(app, 1)
        await gate.arrived.wait()
        crash(store)
    async with bank(store.inner, processes=[after], max_parked=0) as app:
        with pytest.raises(ReaderStopped, match="CommandIdReused was raised by Scribble") as caught:
            await app.caught_up(after)
    assert isinstance(caught.value.__cause__, CommandIdReused)


@pytest.mark.parametrize(
    ("evolve", "react", "problem"),
    [
        (lambda *_: 1 // 0, lambda *_: [], "ZeroDivisionError was raised"),
        (number, lambda *_: 1 // 0, "ZeroDivisionError was raised"),
        (
            number,
            lambda *_: ["secret"],
            "WrongAnswer: react of bug returned str, which is not a command; derive it from ",
        ),
        (lambda *_: "secret", lambda *_: [Scribble(aggregate_id="x")], "int: "),
    ],
    ids=["evolve raises", "react raises", "no command", "a state of another type"],
)
async def test_a_process_with_a_bug(evolve: Any, react: Any, problem: str) -> None:
    """It stops there before it has sent anything."""
    store = MemoryStore()
    process = Process(
        name="bug",
        initial=0,
        key=key,
        evolve=evolve,
        react=react,
        events=[Deposited],
        state_type=int,
    )
    async with bank(store, processes=[process], max_parked=0) as app:
        await add(app, 1)
        with pytest.raises(ReaderStopped) as caught:
            await app.caught_up(process)
    assert f"process bug stopped at Account/a, version 1: {problem}" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert 1 == await store.head()


@pytest.mark.parametrize(
    "trouble",
    [
        StoreUnavailable("bank", "down"),
        OutcomeUnknown("bank", "down", StreamId("Note", "x"), "c"),
        TooManyConflicts(StreamId("Note", "x"), 10),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
async def test_trouble_that_passes_is_waited_out(
    trouble: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """It says nothing about the command, which is sent again."""
    failing = at(range(1, 4), fail_with(trouble))

    def unlucky(handle: Handler) -> Handler:
        async def handle_it(envelope: Envelope) -> Any:
            if envelope.command_id is not None:
                await failing()
            return await handle(envelope)

        return handle_it

    process = sending(Scribble(aggregate_id="x"))
    async with bank(processes=[process], middleware=[unlucky]) as app:
        await add(app, 1)
        await app.caught_up(process)
        assert 2 == await app._store.head()  # noqa: SLF001
    assert 3 == len(caplog.records)


async def test_a_command_under_way_when_the_application_is_left() -> None:
    """It is given up, as a caller's would be, and sent next time."""
    store, gate = Proxy(), Gate()
    store.before["append"] = at([2], gate)
    process = sending(Scribble(aggregate_id="x"))
    async with bank(store, processes=[process]) as app:
        await add(app, 1)
        await gate.arrived.wait()
    assert 1 == await store.inner.head()
    async with bank(store, processes=[process]) as app:
        await app.caught_up(process)
    assert 2 == await store.inner.head()
