"""A view or process that fails on an event makes its scenario fail."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from eventhus import Application, Command, Process, Recorded, View
from eventhus.errors import KeyParked, ReaderStopped
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from eventhus_testing import memory_application, scenario
from eventhus_testing.scenarios.scenario import AppScenario
from examples.bank.account import (
    AccountCreated,
    ChangeOwner,
    CreateAccount,
    DepositPerformed,
    OwnerChanged,
    PerformDeposit,
    account,
)


def by_id(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def total(balance: int, recorded: Recorded[DepositPerformed]) -> int:
    return balance + 1 // (recorded.event.amount - 13)


def count(number: int, recorded: Recorded[OwnerChanged]) -> int:
    return number + 1


def greet(number: int, recorded: Recorded[OwnerChanged]) -> Iterator[Command]:
    raise KeyError
    yield


view = View(name="balances", initial=0, key=by_id, evolve=total)
process = Process(name="welcome", initial=0, key=by_id, evolve=count, react=greet)
poisoned = PerformDeposit(aggregate_id="a1", amount=13)


def parking() -> Application:
    """The bank as production composes it, where keys are parked."""
    return Application(
        bucket="bank",
        aggregates=[account],
        views=[view],
        processes=[process],
        store=MemoryStore(),
        codec=CattrsCodec(),
    )


def stopping() -> Application:
    return memory_application(account, views=[view], processes=[process])


APPS: dict[str, tuple[Callable[[], Application], type[Exception]]] = {
    "memory_application": (stopping, ReaderStopped),
    "an application that parks keys": (parking, KeyParked),
}
each_app = pytest.mark.parametrize("kind", APPS)


async def play(app: Application, expected: DepositPerformed) -> None:
    """A scenario that does not look at the view."""
    async with scenario(app) as bank:
        await bank.given(account, "a1", AccountCreated("ann"))
        await bank.when(poisoned)
        await bank.then(expected)


@each_app
async def test_a_failing_view_that_nobody_looks_at_fails_the_scenario_at_its_end(kind: str) -> None:
    make, error = APPS[kind]
    with pytest.raises(error, match="view balances"):
        await play(make(), DepositPerformed(13))


@each_app
async def test_a_check_of_another_key_of_a_failing_view_fails(kind: str) -> None:
    """Its value may be right by chance."""
    make, error = APPS[kind]
    async with scenario(make()) as bank:
        await bank.given(account, "a1", AccountCreated("ann"))
        await bank.when(poisoned)
        with pytest.raises(error, match="view balances"):
            await bank.then_no_view(view, "a2")


CHECKS: dict[str, Callable[[AppScenario], Coroutine[Any, Any, None]]] = {
    "then_commands": lambda bank: bank.then_commands(process),
    "given": lambda bank: bank.given(account, "a2", AccountCreated("bob")),
}


@each_app
@pytest.mark.parametrize("check", CHECKS)
async def test_the_next_check_fails_after_a_process_that_failed(kind: str, check: str) -> None:
    """An error that the test expects is not raised once more at the end."""
    make, error = APPS[kind]
    async with scenario(make()) as bank:
        await bank.given(account, "a1", AccountCreated("ann"))
        await bank.when(ChangeOwner(aggregate_id="a1", owner="cid"))
        await bank.then(OwnerChanged("cid"))
        with pytest.raises(error, match="process welcome"):
            await CHECKS[check](bank)


async def test_the_first_error_of_a_scenario_is_not_hidden_by_a_failing_view() -> None:
    with pytest.raises(AssertionError, match="produced other events"):
        await play(parking(), DepositPerformed(14))


async def test_memory_application_parks_keys_if_the_test_says_so() -> None:
    async with memory_application(account, views=[view], max_parked=1) as app:
        await app.dispatch(CreateAccount(aggregate_id="a1", owner="ann"))
        await app.dispatch(poisoned)
        await app.caught_up(view)
        assert ["a1"] == [each.key for each in await app.parked(view)]
