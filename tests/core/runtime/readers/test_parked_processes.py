"""One poisoned key of a process does not stop the others, and each command is carried out once."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from attrs import frozen

from eventhus import Application, Command, Process, Recorded, StreamId
from eventhus.errors import (
    AccessDenied,
    BusUnavailable,
    CodecError,
    CommandIdReused,
    CommitTooLarge,
    ConcurrencyError,
    InvalidArgument,
    InvalidCommit,
    KeyParked,
    LeaseLost,
    LogCorrupted,
    NotRunning,
    OutcomeUnknown,
    PublisherReplaced,
    ReaderStopped,
    StoreUnavailable,
    TooManyConflicts,
)
from eventhus.middleware import Envelope, Handler
from eventhus.ports import Storage
from eventhus_memory import MemoryStore
from tests.bank import Deposited, Open, Scribble, Withdraw
from tests.core.hooks import Gate
from tests.core.readers import bank, interrupted_retry
from tests.core.support import Proxy, add
from tests.core.waiting import settle

NAME = "process_notes"
POISON = 13
NOTE = StreamId("Note", "x")


@frozen(kw_only=True)
class Foreign(Command):
    """No aggregate takes it."""


def key(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def total(state: int, recorded: Recorded[Deposited]) -> int:
    return state + recorded.event.amount


def note_of(state: int, recorded: Recorded[Deposited]) -> Scribble:
    return Scribble(aggregate_id="x", text=f"{key(recorded)} {state}")


def react(state: int, recorded: Recorded[Deposited]) -> Iterator[Command]:
    """Write the sum down, and try a withdrawal that is refused."""
    yield note_of(state, recorded)
    yield Withdraw(aggregate_id="nobody")


def raises(state: int, recorded: Recorded[Deposited]) -> Iterator[Command]:
    if recorded.event.amount == POISON:
        raise KeyError("secret")
    yield from react(state, recorded)


def sends_a_foreign_command(state: int, recorded: Recorded[Deposited]) -> Iterator[Command]:
    yield note_of(state, recorded)
    if recorded.event.amount == POISON:
        yield Foreign(aggregate_id="x")


def cannot_fold(state: int, recorded: Recorded[Deposited]) -> int:
    if recorded.event.amount == POISON:
        raise KeyError("secret")
    return total(state, recorded)


def gives_text(state: int, recorded: Recorded[Deposited]) -> Any:
    return "secret" if recorded.event.amount == POISON else total(state, recorded)


def notes(evolve: Any = total, react: Any = react) -> Process[Any, int]:
    return Process(
        name="notes",
        initial=0,
        key=key,
        evolve=evolve,
        react=react,
        events=[Deposited],
        state_type=int,
    )


BUGS: dict[str, tuple[Process[Any, int], str]] = {
    "evolve raises": (notes(evolve=cannot_fold), "KeyError"),
    "react raises": (notes(react=raises), "KeyError"),
    "react returns no command": (
        notes(
            react=lambda state, recorded: [state] if state > POISON else [note_of(state, recorded)]
        ),
        "WrongAnswer",
    ),
    "a state of another type": (notes(evolve=gives_text), "CodecError"),
    "no aggregate takes the command": (notes(react=sends_a_foreign_command), "UnknownCommand"),
}
each_bug = pytest.mark.parametrize("bug", BUGS)
mended = notes()


async def written(store: Storage) -> list[str]:
    """The notes that the process has written, in order."""
    return [str(each.event.data["text"]) for each in await store.history(NOTE)]


def by_key(texts: list[str]) -> dict[str, list[str]]:
    """Return notes by key: those of different keys come in any order."""
    return {key: [each for each in texts if each.startswith(key)] for key in ("a", "b")}


async def parked(app: Application, process: Process[Any, Any]) -> list[tuple[str, int, str]]:
    return [(each.key, each.position, each.error) for each in await app.parked(process)]


async def fill(store: Storage) -> None:
    """The deposits 1, 13 and 4 of a, and 2 and 5 of b, in turns."""
    async with bank(store) as app:
        await add(app, 1)
        await add(app, 2, aggregate_id="b")
        await add(app, POISON)
        await add(app, 5, aggregate_id="b")
        await add(app, 4)


async def parked_store(process: Process[Any, int] = BUGS["react raises"][0]) -> MemoryStore:
    """A filled store where the key a is parked at position 3."""
    store = MemoryStore()
    await fill(store)
    async with bank(store, processes=[process]) as app:
        await app.caught_up(process)
    return store


AFTER_RETRY = ["a 1", "b 2", "b 7", "a 14", "a 18"]


@each_bug
async def test_a_poisoned_key_does_not_stop_the_others(
    bug: str, caplog: pytest.LogCaptureFixture
) -> None:
    process, error = BUGS[bug]
    store = MemoryStore()
    await fill(store)
    async with bank(store, processes=[process]) as app:
        await app.caught_up(process)
        assert [("a", 3, error)] == await parked(app, process)
    sent = ["a 14"] if error == "UnknownCommand" else []
    assert {"a": ["a 1", *sent], "b": ["b 2", "b 7"]} == by_key(await written(store))
    lines = [each.getMessage() for each in caplog.records if "parked key" in each.getMessage()]
    assert 1 == len(lines)
    assert "process notes parked key 'a' at Account/a, version 2, position 3: " in lines[0]
    assert "secret" not in caplog.text


@each_bug
async def test_a_retried_key_sends_what_was_not_sent_and_nothing_else(bug: str) -> None:
    store = await parked_store(BUGS[bug][0])
    before = [each for each in await written(store) if each != "a 14"]
    async with bank(store, processes=[mended]) as app:
        await app.retry(mended, "a")
        assert [] == await parked(app, mended)
        assert {*before, "a 14", "a 18"} == {*await written(store)}
        assert 5 == len(await written(store))
        await add(app, 3)
        await app.caught_up(mended)
    assert "a 21" == (await written(store))[-1]


def overhearing(envelopes: list[Envelope]) -> Callable[[Handler], Handler]:
    """Middleware that notes the commands of processes."""

    def overhear(handle: Handler) -> Handler:
        async def handle_it(envelope: Envelope) -> Any:
            if envelope.command_id is not None:
                envelopes.append(envelope)
            return await handle(envelope)

        return handle_it

    return overhear


def texts(envelopes: list[Envelope]) -> list[str]:
    """The notes among the commands that were sent, in order."""
    return [each.command.text for each in envelopes if isinstance(each.command, Scribble)]


async def test_commands_of_earlier_events_are_not_sent_again_by_a_retry() -> None:
    """A refused one of them would be carried out on an aggregate that has changed since."""
    store, envelopes = await parked_store(), list[Envelope]()
    async with bank(store) as app:
        await app.dispatch(Open(aggregate_id="nobody"))
    log = {each.position: each.id for each in (await store.read()).events}
    async with bank(store, processes=[mended], middleware=[overhearing(envelopes)]) as app:
        await app.caught_up(mended)
        envelopes.clear()
        await app.retry(mended, "a")
    ids = [(each.command_id or "").rpartition("/")[0] for each in envelopes]
    assert [f"eventhus:notes/{log[position]}/{n}" for position in (3, 5) for n in (0, 1)] == ids


async def test_a_command_that_was_sent_before_the_key_was_parked_is_carried_out_once() -> None:
    store = await parked_store(BUGS["no aggregate takes the command"][0])
    assert "a 14" in await written(store)
    async with bank(store, processes=[mended]) as app:
        await app.retry(mended, "a")
    assert {"a": ["a 1", "a 14", "a 18"], "b": ["b 2", "b 7"]} == by_key(await written(store))


async def test_a_retry_that_fails_further_on_does_not_repeat_what_it_has_sent() -> None:
    store, envelopes = await parked_store(), list[Envelope]()

    def fails_later(state: int, recorded: Recorded[Deposited]) -> Iterator[Command]:
        if recorded.event.amount == 4:
            raise ValueError("secret")
        yield from react(state, recorded)

    half = notes(react=fails_later)
    async with bank(store, processes=[half]) as app:
        with pytest.raises(KeyParked) as caught:
            await app.retry(half, "a")
        assert ("a", 5, "ValueError") == (
            caught.value.key,
            caught.value.position,
            caught.value.error,
        )
        assert [("a", 5, "ValueError")] == await parked(app, half)
    async with bank(store, processes=[mended], middleware=[overhearing(envelopes)]) as app:
        await app.retry(mended, "a")
    assert 2 == len(envelopes)
    assert AFTER_RETRY == await written(store)


async def test_a_retry_that_fails_before_what_was_handled_sends_nothing() -> None:
    store = await parked_store()

    def forgets(state: int, recorded: Recorded[Deposited]) -> int:
        if recorded.event.amount == 1:
            raise LookupError
        return total(state, recorded)

    worse = notes(evolve=forgets)
    async with bank(store, processes=[worse]) as app:
        with pytest.raises(KeyParked):
            await app.retry(worse, "a")
        assert [("a", 1, "LookupError")] == await parked(app, worse)
    envelopes = list[Envelope]()
    async with bank(store, processes=[mended], middleware=[overhearing(envelopes)]) as app:
        await app.retry(mended, "a")
    assert ["a 14", "a 18"] == texts(envelopes)
    assert AFTER_RETRY == await written(store)


async def test_a_skipped_event_has_no_commands_and_later_ones_have() -> None:
    process = BUGS["react raises"][0]
    store = await parked_store()
    async with bank(store, processes=[process]) as app:
        await app.skip(process, "a", 3, why="a test deposit")
        await add(app, 3)
        await app.caught_up(process)
    assert ["a 1", "b 2", "b 7", "a 5", "a 8"] == await written(store)


def failing_with(error: Exception, times: int, text: str = "a 14") -> Callable[[Handler], Handler]:
    """Middleware that fails the first commands to write a note."""
    left = count(times, -1)

    def unlucky(handle: Handler) -> Handler:
        async def handle_it(envelope: Envelope) -> Any:
            command = envelope.command
            if isinstance(command, Scribble) and command.text == text and next(left) > 0:
                raise error
            return await handle(envelope)

        return handle_it

    return unlucky


def _id(error: Exception) -> str:
    return type(error).__name__


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailable("bank", "down"),
        OutcomeUnknown("bank", "down", NOTE, "c"),
        TooManyConflicts(NOTE, 50),
        ConcurrencyError(NOTE, 1, 2),
        BusUnavailable("bank", "down"),
        PublisherReplaced("bank"),
        NotRunning("closing"),
        TimeoutError(),
        ConnectionResetError(),
        asyncio.CancelledError(),
    ],
    ids=_id,
)
async def test_a_passing_failure_of_a_command_is_retried_and_never_parks(error: Any) -> None:
    store = MemoryStore()
    await fill(store)
    async with bank(store, processes=[mended], middleware=[failing_with(error, 4)]) as app:
        await app.caught_up(mended)
        assert [] == await parked(app, mended)
    assert {"a": ["a 1", "a 14", "a 18"], "b": ["b 2", "b 7"]} == by_key(await written(store))


@pytest.mark.parametrize(
    "error",
    [
        AccessDenied("bank", "no right"),
        LeaseLost("x", 1),
        LogCorrupted(NOTE, 1, 3),
        CodecError("Scribbled", "", "written by a newer version", NOTE, 1),
    ],
    ids=_id,
)
async def test_a_failure_that_is_not_the_commands_stops_the_process(error: Exception) -> None:
    """Every other key would fail, too. A newer version takes over from an older one."""
    store = MemoryStore()
    await fill(store)
    async with bank(store, processes=[mended], middleware=[failing_with(error, 2**30)]) as app:
        with pytest.raises(ReaderStopped, match=f"{type(error).__name__} was raised by Scribble"):
            await app.caught_up(mended)
        assert [] == await parked(app, mended)


@pytest.mark.parametrize(
    "error",
    [
        CommandIdReused("c", NOTE, NOTE),
        InvalidArgument("an id is too long"),
        InvalidCommit("not plain"),
        CommitTooLarge(NOTE, 2, 1),
        CodecError("Scribbled", "text", "is not text"),
        ZeroDivisionError(),
    ],
    ids=_id,
)
async def test_a_failure_of_the_command_itself_parks_its_key(error: Exception) -> None:
    store = MemoryStore()
    await fill(store)
    async with bank(store, processes=[mended], middleware=[failing_with(error, 1)]) as app:
        await app.caught_up(mended)
        assert [("a", 3, type(error).__name__)] == await parked(app, mended)
        await app.retry(mended, "a")
    assert AFTER_RETRY == await written(store)


async def test_a_retry_raises_a_passing_failure_and_can_be_repeated() -> None:
    store = await parked_store()
    down = failing_with(StoreUnavailable("bank", "down"), 1)
    async with bank(store, processes=[mended], middleware=[down]) as app:
        with pytest.raises(StoreUnavailable):
            await app.retry(mended, "a")
        assert [("a", 3, "KeyError")] == await parked(app, mended)
        await app.retry(mended, "a")
    assert AFTER_RETRY == await written(store)


async def test_a_retry_that_is_repeated_goes_on_where_the_first_one_was_interrupted() -> None:
    """Its refused commands leave no trace in the log, and must not be repeated later on."""
    store, envelopes = await parked_store(), list[Envelope]()
    middleware = [overhearing(envelopes), failing_with(TimeoutError(), 1, "a 18")]
    async with bank(store, processes=[mended], middleware=middleware) as app:
        with pytest.raises(TimeoutError):
            await app.retry(mended, "a")
        await app.retry(mended, "a")
    assert ["a 14", "a 18", "a 18"] == texts(envelopes)
    assert AFTER_RETRY == await written(store)


async def test_a_retried_key_goes_on_without_a_restart_of_its_reader(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Several of its events in one batch are saved one after another."""
    caplog.set_level(logging.INFO)
    store = await parked_store()
    async with bank(store, processes=[mended]) as app:
        await app.retry(mended, "a")
    async with bank(store) as app:
        await add(app, 6, 7)
    async with bank(store, processes=[mended]) as app:
        await app.caught_up(mended)
    assert [*AFTER_RETRY, "a 24", "a 31"] == await written(store)
    assert "stopped at position" not in caplog.text
    assert "process notes: key 'a' is no longer parked" in caplog.text


@pytest.mark.parametrize(
    "error",
    [StoreUnavailable("bank", "down"), None],
    ids=["it raises", "the process is killed"],
)
async def test_a_retry_that_is_interrupted_anywhere_sends_each_command_once(
    error: Exception | None,
) -> None:
    """In the order of the events of the key, while another process follows the log."""
    steps = 0
    for step in count(1):
        store = await parked_store()
        async with bank(store, processes=[mended]) as leader:
            await leader.caught_up(mended)
            met, finished = await interrupted_retry(leader, mended, store, step, error)
            if await leader.parked(mended):
                assert not finished
                await leader.retry(mended, "a")
            await add(leader, 7)
            await leader.caught_up(mended)
            assert (step, []) == (step, await parked(leader, mended))
        assert (step, [*AFTER_RETRY, "a 24", "a 31"]) == (step, await written(store))
        if not met:
            break
        steps = step
    assert steps > 20


async def test_events_that_come_during_a_retry_are_answered_once_and_in_order() -> None:
    store = await parked_store()
    proxy, gate = Proxy(store), Gate()
    async with bank(store, processes=[mended]) as leader:
        await leader.caught_up(mended)
        async with bank(proxy, processes=[mended]) as app:
            await settle()
            proxy.before["append"] = gate
            retrying = asyncio.create_task(app.retry(mended, "a"))
            await gate.arrived.wait()
            await add(leader, 6)
            await add(leader, 9, aggregate_id="b")
            await leader.caught_up(mended)
            gate.opened.set()
            await retrying
    assert ["a 1", "b 2", "b 7", "b 16", "a 14", "a 18", "a 24"] == await written(store)
