"""Refusals of a process's commands: events for those who ask, recorded once, whatever fails."""

from collections.abc import Iterable, Iterator
from itertools import count
from typing import Any

import pytest

from eventhus import Command, CommandRefused, Metadata, Process, Recorded, StreamId
from eventhus.errors import KeyParked, StoreUnavailable
from eventhus.ports import StoredEvent
from eventhus_memory import MemoryStore
from tests.bank import Deposit, Open, Opened, Scribble, Withdraw
from tests.core.hooks import Gate, at, fail_with
from tests.core.readers import Paged, bank, caught_up, crash, first, interrupt, without_leases
from tests.core.support import Proxy, stored_events

NAME = "eventhus:CommandRefused"


def account_of(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def note_refusals(
    refused: tuple[str, ...], recorded: Recorded[Opened | CommandRefused]
) -> tuple[str, ...]:
    match recorded.event:
        case CommandRefused(command, refusal):
            return (*refused, f"{command} {refusal}")
        case Opened():
            return refused


def compensate(
    refused: tuple[str, ...], recorded: Recorded[Opened | CommandRefused]
) -> Iterator[Command]:
    """Withdraw more than there is, and write that down when it is refused."""
    account = account_of(recorded)
    match recorded.event:
        case Opened():
            yield Withdraw(aggregate_id=account, amount=5)
            yield Scribble(aggregate_id=account, text="tried")
        case CommandRefused(command="Withdraw"):
            yield Scribble(aggregate_id=account, text="refused")
        case CommandRefused():
            pass


withdrawal = Process[Opened, tuple[str, ...]](
    name="withdrawal", initial=(), key=account_of, evolve=note_refusals, react=compensate
)


async def named(store: Any, name: str) -> list[StoredEvent]:
    return [each for each in await stored_events(store) if each.event.type == name]


async def test_a_refused_command_is_an_event_of_the_process(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """With the classes of the command and of the refusal, and no data; it is not logged."""
    store = MemoryStore()
    async with bank(store, processes=[withdrawal]) as app:
        await app.dispatch(Open(aggregate_id="a"), metadata=Metadata("talk", "x", {"user": "u"}))
        await caught_up(app, withdrawal)
    (opened,) = await named(store, "Opened")
    (refused,) = await named(store, NAME)
    assert StreamId("eventhus:process/withdrawal", "a") == refused.stream
    assert {
        "command": "Withdraw",
        "refusal": "InsufficientFunds",
        "aggregate_id": "a",
    } == refused.event.data
    assert Metadata("talk", opened.id, {"user": "u"}) == refused.metadata
    texts = [each.event.data["text"] for each in await named(store, "Scribbled")]
    assert ["refused", "tried"] == sorted(texts)
    document = (await store.load_documents("process_withdrawal", ["a"]))["a"]
    assert ["Withdraw InsufficientFunds"] == document.data
    assert [] == caplog.records


@pytest.mark.parametrize("ways", ["it raises", "the process is killed"])
async def test_a_failure_anywhere_records_each_refusal_once(ways: str) -> None:
    steps = 0
    for step in count(1):
        store, gate = Paged(), Gate()
        async with bank(store.inner) as app:
            for each in "ab":
                await app.dispatch(Open(aggregate_id=each))
        met = interrupt(
            store, step, fail_with(StoreUnavailable("bank", "down")) if "raises" in ways else gate
        )
        async with bank(store, processes=[withdrawal]) as app:
            if ways == "it raises":
                await caught_up(app, withdrawal)
            else:
                await first(gate.arrived.wait(), caught_up(app, withdrawal))
                crash(store)
        async with bank(store.inner, processes=[withdrawal]) as app:
            await caught_up(app, withdrawal)
        refused = [each.stream.aggregate_id for each in await named(store.inner, NAME)]
        notes = [str(each.event.data["text"]) for each in await named(store.inner, "Scribbled")]
        assert (step, ["a", "b"]) == (step, sorted(refused))
        assert (step, ["refused"] * 2 + ["tried"] * 2) == (step, sorted(notes))
        if not met():
            break
        steps = step
    assert steps > 40


async def test_a_command_that_was_refused_is_not_carried_out_after_a_crash() -> None:
    """Although it would not be refused any more."""
    store, gate = Proxy(), Gate()
    async with bank(store.inner) as app:
        await app.dispatch(Open(aggregate_id="a"))
    store.before["save_documents"] = at([1], gate)
    async with bank(store, processes=[withdrawal]) as app:
        await gate.arrived.wait()
        crash(store)
    async with bank(store.inner) as app:
        await app.dispatch(Deposit(aggregate_id="a", amount=10))
    async with bank(store.inner, processes=[withdrawal]) as app:
        await caught_up(app, withdrawal)
    assert 1 == len(await named(store.inner, NAME))
    assert [] == await named(store.inner, "Withdrawn")


async def test_two_at_once_record_a_refusal_or_the_command() -> None:
    """Whatever the leases say, and whatever one of them finds."""
    inner = MemoryStore()
    stores = without_leases(
        inner,
        before=["load_documents", "save_documents", "append"],
        after=["load_checkpoint", "save_checkpoint", "find", "append"],
    )
    keys = [f"{number}" for number in range(10)]
    async with bank(inner) as app:
        for each in keys:
            await app.dispatch(Open(aggregate_id=each))
    async with (
        bank(stores[0], processes=[withdrawal]) as one,
        bank(stores[1], processes=[withdrawal]) as two,
    ):
        for each in keys:
            await app_deposits(inner, each)
        await caught_up(one, withdrawal)
        await caught_up(two, withdrawal)
    refused = [each.stream.aggregate_id for each in await named(inner, NAME)]
    done = [each.stream.aggregate_id for each in await named(inner, "Withdrawn")]
    assert keys == sorted([*refused, *done])


async def app_deposits(store: MemoryStore, key: str) -> None:
    async with bank(store) as app:
        await app.dispatch(Deposit(aggregate_id=key, amount=10))


async def test_the_empty_key_cannot_have_refusals() -> None:
    """It has no stream, so it is parked before anything is sent."""

    def nobody(recorded: Recorded[Any]) -> str:
        return ""

    process = Process[Opened, tuple[str, ...]](
        name="withdrawal", initial=(), key=nobody, evolve=note_refusals, react=compensate
    )
    store = MemoryStore()
    async with bank(store, processes=[process]) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await app.caught_up(process)
        assert [("", "WrongAnswer")] == [
            (each.key, each.error) for each in await app.parked(process)
        ]
        with pytest.raises(KeyParked):
            await app.retry(process, "")
    assert 1 == await store.head()


async def test_only_evolve_may_take_refusals() -> None:
    """``react`` does not get them then."""

    def react(refused: tuple[str, ...], recorded: Recorded[Opened]) -> Iterable[Command]:
        assert isinstance(recorded.event, Opened)
        yield Withdraw(aggregate_id=account_of(recorded), amount=5)

    process = Process[Opened, tuple[str, ...]](
        name="withdrawal", initial=(), key=account_of, evolve=note_refusals, react=react
    )
    store = MemoryStore()
    async with bank(store, processes=[process]) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await caught_up(app, process)
        assert [] == await app.parked(process)
    document = (await store.load_documents("process_withdrawal", ["a"]))["a"]
    assert ["Withdraw InsufficientFunds"] == document.data
