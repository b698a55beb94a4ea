"""A command id: once, whatever happens, and the first answer for ever."""

import asyncio
from typing import Any

import pytest

from eventhus import Command, Committed, StreamId
from eventhus.errors import CommandIdReused, InvalidArgument
from eventhus_memory import MemoryStore
from tests.bank import (
    Account,
    Deposit,
    Deposited,
    InsufficientFunds,
    Open,
    Rename,
    Scribble,
    Script,
    Withdraw,
    account,
)
from tests.core.hooks import Gate, at
from tests.core.support import FakeClock, Proxy, compose


async def test_the_same_id_again_carries_out_nothing_and_gets_the_first_answer() -> None:
    """Even where the command would do something again."""
    store = MemoryStore()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="a"))
        first = await app.dispatch(Deposit(aggregate_id="a", amount=5), command_id="k")
        await app.dispatch(Deposit(aggregate_id="a", amount=1))
        again = await app.dispatch(Deposit(aggregate_id="a", amount=5), command_id="k")
        assert first == again
        assert Account("Ada", 6) == await app.state(account, "a")


async def test_the_first_answer_is_given_where_the_command_would_now_be_refused() -> None:
    """A retry of what succeeded succeeds."""
    async with compose() as app:
        first = await app.dispatch(Open(aggregate_id="a"), command_id="k")
        assert first == await app.dispatch(Open(aggregate_id="a"), command_id="k")


async def test_the_first_answer_is_given_whatever_version_is_expected_now() -> None:
    """A retry repeats the whole call, with the version that was right then."""
    async with compose() as app:
        first = await app.dispatch(Open(aggregate_id="a"), command_id="k", expected_version=0)
        again = await app.dispatch(Open(aggregate_id="a"), command_id="k", expected_version=0)
        assert first == again


async def test_the_first_answer_is_given_by_another_application() -> None:
    """The log remembers, not the process."""
    store = MemoryStore()
    async with compose(store) as app:
        first = await app.dispatch(Open(aggregate_id="a"), command_id="k")
    async with compose(store) as app:
        assert first == await app.dispatch(Open(aggregate_id="a"), command_id="k")
    assert 1 == await store.head()


async def test_the_first_answer_of_several_events_is_given_whole() -> None:
    """All events of the commit, with their ids and places."""

    def script() -> Command:
        return Script(aggregate_id="a", decide=lambda _: [Deposited(1), Deposited(2)])

    store = MemoryStore()
    async with compose(store) as app:
        first = await app.dispatch(script(), command_id="k")
        assert first == await app.dispatch(script(), command_id="k")
        assert [1, 2] == [each.version for each in first.events]


async def test_ids_that_arrive_together_are_one_command() -> None:
    """A double click: one commit, and the same answer for both."""
    store = MemoryStore()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="a"))
        answers = await asyncio.gather(
            *(app.dispatch(Deposit(aggregate_id="a"), command_id="k") for _ in range(10))
        )
        assert [answers[0]] * 10 == answers
    assert 2 == await store.head()


async def test_without_an_id_every_command_is_a_new_one() -> None:
    """Equal commands are not the same command."""
    async with compose() as app:
        await app.dispatch(Open(aggregate_id="a"))
        await app.dispatch(Deposit(aggregate_id="a"))
        await app.dispatch(Deposit(aggregate_id="a"))
        assert 2 == (await app.state(account, "a")).balance


@pytest.mark.parametrize("other", [Deposit(aggregate_id="b"), Scribble(aggregate_id="a")])
async def test_an_id_of_another_aggregates_command_is_refused(other: Command) -> None:
    """Another id or another type: a mistake of the caller, and nothing is written."""
    store = MemoryStore()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="b"))
        await app.dispatch(Open(aggregate_id="a"), command_id="k")
        with pytest.raises(CommandIdReused) as caught:
            await app.dispatch(other, command_id="k")
        assert ("k", StreamId("Account", "a")) == (caught.value.command_id, caught.value.first)
        assert other.aggregate_id == caught.value.stream.aggregate_id
    assert 2 == await store.head()


async def test_an_id_that_two_aggregates_commands_race_for_goes_to_one() -> None:
    """The loser has looked the id up before the winner's commit; the append tells it."""
    store, gate = Proxy(), Gate()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="a"))
        store.before["append"] = at([1], gate)
        slow = asyncio.create_task(app.dispatch(Deposit(aggregate_id="a"), command_id="k"))
        await gate.arrived.wait()
        await app.dispatch(Open(aggregate_id="b"), command_id="k")
        gate.opened.set()
        with pytest.raises(CommandIdReused):
            await slow
        assert Account("Ada", 0) == await app.state(account, "a")
        await app.dispatch(Deposit(aggregate_id="a"))


@pytest.mark.parametrize("step", ["find", "load", "append"])
@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize(
    ("command", "options"),
    [
        pytest.param(Deposit(aggregate_id="a", amount=7), {}, id="accepted again"),
        pytest.param(Open(aggregate_id="a"), {"balance": None}, id="refused the second time"),
        pytest.param(Withdraw(aggregate_id="a", amount=10), {}, id="refused for want of funds"),
        pytest.param(Rename(aggregate_id="a", owner="Bob"), {}, id="needless the second time"),
        pytest.param(
            Deposit(aggregate_id="a", amount=7), {"expected_version": 2}, id="expected version"
        ),
    ],
)
async def test_two_processes_race_with_one_command(
    command: Command, options: dict[str, Any], step: str, side: str
) -> None:
    """However far the slower one has come, there is one commit, and both give its answer."""
    store, gate = Proxy(), Gate()
    options = dict(options)
    async with compose(store) as slow, compose(store.inner) as quick:
        if options.pop("balance", 10) is not None:
            await quick.dispatch(Open(aggregate_id="a"))
            await quick.dispatch(Deposit(aggregate_id="a", amount=10))
        before = await store.inner.head()
        getattr(store, side)[step] = at([1], gate)
        second = asyncio.create_task(slow.dispatch(command, command_id="k", **options))
        await gate.arrived.wait()
        if side == "after" and step == "append":  # the slower one wins
            gate.opened.set()
        first = await quick.dispatch(command, command_id="k", **options)
        gate.opened.set()
        assert first == await second
        assert before + 1 == await store.inner.head()
        assert await slow.state(account, "a") == await quick.state(account, "a")


async def test_two_processes_race_and_the_cache_of_one_is_stale() -> None:
    """The slower one refuses on its cache, confirms that in the store, and is still wrong."""
    store, gate = Proxy(), Gate()
    async with compose(store) as slow, compose(store.inner) as quick:
        await slow.dispatch(Open(aggregate_id="a"))
        await quick.dispatch(Deposit(aggregate_id="a", amount=10))
        store.after["find"] = gate
        command = Withdraw(aggregate_id="a", amount=10)
        second = asyncio.create_task(slow.dispatch(command, command_id="k"))
        await gate.arrived.wait()
        first = await quick.dispatch(command, command_id="k")
        gate.opened.set()
        assert first == await second


async def test_two_processes_race_and_the_first_answer_comes_while_one_backs_off() -> None:
    """A stranger's conflict sends the slower one back; meanwhile its command is carried out."""
    store, clock = Proxy(), FakeClock()
    async with compose(store, clock=clock) as slow, compose(store.inner) as quick:
        await slow.dispatch(Open(aggregate_id="a"))
        await slow.dispatch(Deposit(aggregate_id="a", amount=10))
        command = Withdraw(aggregate_id="a", amount=10)
        answers: list[Committed] = []

        async def interfere(*_: object) -> None:
            await quick.dispatch(Rename(aggregate_id="a", owner="Bob"))

        async def carry_out(*_: object) -> None:
            answers.append(await quick.dispatch(command, command_id="k"))

        store.before["append"] = at([1], interfere)
        clock.before_waking = carry_out
        second = await slow.dispatch(command, command_id="k")
        assert answers == [second]


async def test_a_refused_command_leaves_no_trace_and_runs_again() -> None:
    """The id is free until something happened under it."""
    store = MemoryStore()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="a"))
        with pytest.raises(InsufficientFunds):
            await app.dispatch(Withdraw(aggregate_id="a"), command_id="k")
        assert None is await store.find("k")
        await app.dispatch(Deposit(aggregate_id="a"))
        assert 3 == (await app.dispatch(Withdraw(aggregate_id="a"), command_id="k")).version


async def test_a_command_that_changed_nothing_leaves_no_trace_and_runs_again() -> None:
    """There is no commit that could hold the id."""
    store = MemoryStore()
    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="a", owner="Ada"))
        await app.dispatch(Rename(aggregate_id="a", owner="Ada"), command_id="k")
        assert None is await store.find("k")
        await app.dispatch(Rename(aggregate_id="a", owner="Bob"))
        committed = await app.dispatch(Rename(aggregate_id="a", owner="Ada"), command_id="k")
        assert 3 == committed.version


async def test_a_commit_whose_acknowledgement_was_lost_is_found_by_its_id() -> None:
    """The caller got an error, tries again, and learns that it had worked."""
    store = Proxy()

    async def lose(*_: object) -> None:
        raise ConnectionError("no answer")

    async with compose(store) as app:
        await app.dispatch(Open(aggregate_id="a"))
        store.after["append"] = at([1], lose)
        with pytest.raises(ConnectionError):
            await app.dispatch(Deposit(aggregate_id="a", amount=5), command_id="k")
        again = await app.dispatch(Deposit(aggregate_id="a", amount=5), command_id="k")
        assert 2 == again.version
        assert Account("Ada", 5) == await app.state(account, "a")


@pytest.mark.parametrize("command_id", ["", 7, b"k"])
async def test_an_id_that_is_not_text_is_refused(command_id: Any) -> None:
    """Before anything is looked up."""
    store = Proxy()
    async with compose(store) as app:
        store.calls.clear()
        with pytest.raises(InvalidArgument):
            await app.dispatch(Open(aggregate_id="a"), command_id=command_id)
        assert {} == store.calls


async def test_a_caller_cannot_use_the_command_ids_of_processes() -> None:
    store = Proxy()
    async with compose(store) as app:
        with pytest.raises(InvalidArgument) as caught:
            await app.dispatch(Open(aggregate_id="a"), command_id="eventhus:thanks/c-1/0")
        assert 0 == store.calls["append"] == store.calls["find"]
        await app.dispatch(Open(aggregate_id="a"), command_id="thanks/c-1/0")
    assert str(caught.value) == (
        "command ids that start with 'eventhus:' are reserved for processes; "
        "put a prefix of your own before the id"
    )
