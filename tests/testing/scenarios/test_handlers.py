"""Scenarios wait for the event handlers of an application without a bus."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eventhus import Application, Delivered
from eventhus_testing import memory_application, scenario
from examples.bank.account import (
    Account,
    AccountCreated,
    DepositPerformed,
    PerformDeposit,
    account,
)

deposit = PerformDeposit(aggregate_id="a1", amount=10)


@pytest.fixture(params=["memory", "mongo"])
def app(request: pytest.FixtureRequest) -> Application:
    """The bank without a bus."""
    if request.param == "memory":
        return memory_application(account, with_bus=False)
    return Application.open(
        bucket=request.getfixturevalue("mongo_bucket"),
        aggregates=[account],
        store=request.getfixturevalue("mongo_url"),
    )


@pytest.mark.parametrize("group", [None, "mailer"])
async def test_handlers_are_awaited_at_the_end_and_by_checks_that_wait(
    app: Application, group: str | None
) -> None:
    mailed: list[object] = []

    async def mail(delivered: Delivered[Any]) -> None:
        await asyncio.sleep(0)
        mailed.append(delivered.event)

    async with scenario(app) as bank:
        await app.subscribe(mail, group=group, types=[DepositPerformed])
        await bank.given(account, "a1", AccountCreated("ann"), DepositPerformed(20))
        assert [DepositPerformed(20)] == mailed
        await bank.when(deposit)
        await bank.then_state(account, "a1", Account("ann", 30))
        assert [DepositPerformed(20), DepositPerformed(10)] == mailed
        await bank.when(deposit)
        await bank.then(DepositPerformed(10))
    assert [DepositPerformed(20), DepositPerformed(10), DepositPerformed(10)] == mailed


async def test_a_check_that_waits_sees_the_dead_letter_of_a_handler(app: Application) -> None:
    async def refuse(_: Delivered[Any]) -> None:
        raise ZeroDivisionError

    async with scenario(app) as bank:
        await app.subscribe(refuse, group="mailer", attempts=2)
        await bank.given(account, "a1", AccountCreated("ann"))
        [letter] = await app.dead_letters(group="mailer")
        assert "ZeroDivisionError" == letter.error


async def test_a_handler_that_hangs_fails_the_scenario() -> None:
    app, over = memory_application(account, with_bus=False), asyncio.Event()

    async def hang(_: Delivered[Any]) -> None:
        await over.wait()

    async with scenario(app, patience_s=0.01) as bank:
        subscription = await app.subscribe(hang, group="mailer")
        with pytest.raises(AssertionError, match=r"handlers did not catch up .* within 0\.01 s"):
            await bank.given(account, "a1", AccountCreated("ann"))
        over.set()
        await subscription.close()
