"""Checks of the views and processes of a whole application."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from attrs import evolve, frozen

from eventhus import Command, Process, Recorded, View
from eventhus.errors import InvalidArgument, UndeclaredIndex
from eventhus_memory import MemoryStore
from eventhus_testing import FaultyStore, like, memory_application, scenario
from eventhus_testing.scenarios.scenario import AppScenario
from examples.bank.account import (
    Account,
    AccountCreated,
    ChangeOwner,
    CreateAccount,
    DepositPerformed,
    OwnerChanged,
    PerformDeposit,
    PerformWithdrawal,
    WithdrawalPerformed,
    account,
)


def by_id(recorded: Recorded[Any]) -> str | None:
    aggregate_id = recorded.stream.aggregate_id
    return None if aggregate_id == "test-account" else aggregate_id


def total(balance: int, recorded: Recorded[DepositPerformed | WithdrawalPerformed]) -> int | None:
    match recorded.event:
        case DepositPerformed(amount):
            return balance + amount
        case WithdrawalPerformed(amount):
            return None if amount == balance else balance - amount


balances = View(name="balances", initial=0, key=by_id, evolve=total)


def handovers(count: int, recorded: Recorded[OwnerChanged]) -> int:
    return count + 1


def greet(count: int, recorded: Recorded[OwnerChanged]) -> Iterator[Command]:
    yield PerformDeposit(aggregate_id=recorded.stream.aggregate_id, amount=count)


welcome = Process(name="welcome", initial=0, key=by_id, evolve=handovers, react=greet)


async def test_views_see_the_whole_log_and_commands_count_since_the_when() -> None:
    async with scenario(memory_application(account, views=[balances], processes=[welcome])) as bank:
        for each in ("a1", "a2", "test-account"):
            await bank.given(account, each, AccountCreated("ann"), DepositPerformed(5))
        await bank.given(account, "a1", OwnerChanged("bob"))  # and welcome deposits 1
        await bank.when(
            PerformDeposit(aggregate_id="a1", amount=2), ChangeOwner(aggregate_id="a1", owner="cid")
        )
        await bank.then(DepositPerformed(2), OwnerChanged("cid"))
        await bank.then_commands(welcome, PerformDeposit(aggregate_id="a1", amount=2))
        await bank.then_commands(welcome, like(PerformDeposit, amount=2))
        await bank.then_view(balances, "a1", 5 + 1 + 2 + 2)
        await bank.then_view(balances, "a2", 5)
        await bank.then_no_view(balances, "test-account")
        await bank.then_state(account, "a1", Account(owner="cid", balance=10))
        await bank.then_published(DepositPerformed(2), OwnerChanged("cid"), DepositPerformed(2))
        await bank.when(ChangeOwner(aggregate_id="test-account", owner="cid"))
        await bank.then_commands(welcome)


@frozen
class Holder:
    owner: str = ""
    total: int = 0


def held(holder: Holder, recorded: Recorded[AccountCreated | DepositPerformed]) -> Holder:
    match recorded.event:
        case AccountCreated(owner=owner):
            return evolve(holder, owner=owner)
        case DepositPerformed(amount=amount):
            return evolve(holder, total=holder.total + amount)


holders = View(
    name="holders",
    initial=Holder(),
    key=lambda recorded: (recorded.stream.aggregate_id, "all"),
    evolve=held,
    indexes=[("owner", "-total")],
)


async def test_what_a_view_finds_is_checked_in_order() -> None:
    async with scenario(memory_application(account, views=[holders])) as bank:
        for each, amount in (("a1", 5), ("a2", 7)):
            await bank.given(account, each, AccountCreated("ann"), DepositPerformed(amount))
        await bank.when(PerformDeposit(aggregate_id="a1", amount=3))
        asked: dict[str, Any] = {"where": {"owner": "ann"}, "order_by": "-total"}
        await bank.then_found(holders, "all", "a1", "a2", **asked)
        await bank.then_found(holders, "a1", "a2", "all")
        await bank.then_found(holders, where={"owner": "bob"}, order_by="total")
        with pytest.raises(AssertionError, match="find in holders"):
            await bank.then_found(holders, "a1", "a2")
        with pytest.raises(UndeclaredIndex):
            await bank.then_found(holders, where={"owner": "ann"})


async def test_a_view_of_many_keys_is_found_whole() -> None:
    async with scenario(memory_application(account, views=[holders])) as bank:
        await bank.when(*[CreateAccount(aggregate_id=f"a{n:03}", owner="o") for n in range(150)])
        await bank.then_found(holders, *[f"a{n:03}" for n in range(150)], "all")


async def test_foreign_views_and_processes_are_refused() -> None:
    async with scenario(memory_application(account)) as bank:
        await bank.given(account, "a1", AccountCreated("ann"))
        await bank.when(ChangeOwner(aggregate_id="a1", owner="cid"))
        with pytest.raises(InvalidArgument):
            await bank.then_view(balances, "a1", 1)
        with pytest.raises(InvalidArgument):
            await bank.then_commands(welcome)


FAILS: dict[str, Callable[[AppScenario], Coroutine[Any, Any, None]]] = {
    "balances of a1: 7\n       + balances of a1: 6": lambda bank: bank.then_view(balances, "a1", 7),
    "balances of a3: 7\n       + balances of a3: None": lambda bank: bank.then_view(
        balances, "a3", 7
    ),
    "balances of a1: None\n       + balances of a1: 6": lambda bank: bank.then_no_view(
        balances, "a1"
    ),
    "sent   - nothing\n       + PerformDeposit(aggregate_id='a1', amount=1)": (
        lambda bank: bank.then_commands(welcome)
    ),
}


@pytest.mark.parametrize("text", FAILS)
async def test_a_failed_check_shows_the_story_and_the_difference(text: str) -> None:
    async with scenario(memory_application(account, views=[balances], processes=[welcome])) as bank:
        await bank.given(account, "a1", AccountCreated("ann"), DepositPerformed(5))
        await bank.when(ChangeOwner(aggregate_id="a1", owner="cid"))
        with pytest.raises(AssertionError) as caught:
            await FAILS[text](bank)
        assert text in str(caught.value)
        assert "test: ChangeOwner" in str(caught.value)


@pytest.mark.parametrize(
    "then",
    [
        lambda bank: bank.then_view(balances, "a1", 7),
        lambda bank: bank.then_no_view(balances, "a1"),
        lambda bank: bank.then_commands(welcome),
    ],
)
async def test_a_check_before_a_when_raises(
    then: Callable[[AppScenario], Coroutine[Any, Any, None]],
) -> None:
    async with scenario(memory_application(account, views=[balances], processes=[welcome])) as bank:
        with pytest.raises(TypeError, match="call when first"):
            await then(bank)


async def test_slow_readers_fail_each_step_after_the_patience() -> None:
    store = FaultyStore(MemoryStore())
    late = "the views, processes and handlers did not catch up with the log within 0.5 s"
    change = ChangeOwner(aggregate_id="a1", owner="cid")
    app = memory_application(account, processes=[welcome], store=store, with_bus=False)
    async with app:
        async with scenario(app) as bank:
            await bank.given(account, "a1", AccountCreated("ann"))
        async with scenario(app, patience_s=0.5) as bank, scenario(app, patience_s=0.5) as other:
            hold = store.delays("follow")
            await bank.when(change)
            for step in (bank.then_commands(welcome), bank.when(change)):
                with pytest.raises(AssertionError) as failed:
                    await step
                assert "test: ChangeOwner was not processed in time (- exp" in str(failed.value)
                assert f"? {late}" in str(failed.value)
            with pytest.raises(AssertionError) as given:
                await other.given(account, "a1", OwnerChanged("bob"))
            assert [f"test: {late}", ""] == str(given.value).splitlines()[:2]
            hold.release()


async def test_a_when_sees_what_processes_did_because_of_the_one_before() -> None:
    async with scenario(memory_application(account, processes=[welcome])) as bank:
        await bank.given(account, "a1", AccountCreated("ann"))
        await bank.when(ChangeOwner(aggregate_id="a1", owner="bob"))
        await bank.then(OwnerChanged("bob"))
        await bank.when(PerformWithdrawal(aggregate_id="a1", amount=1))
        await bank.then(WithdrawalPerformed(1))
