"""Scenarios of applications with decisions and transactions."""

from __future__ import annotations

from typing import Any

import pytest

from eventhus.errors import InvalidArgument
from eventhus_testing import memory_application, scenario
from examples.bank.account import (
    Account,
    AccountCreated,
    DepositPerformed,
    WithdrawalPerformed,
    account,
)
from examples.bank.transfer import SameAccount, Transfer, transfer
from examples.courses.enrolment import CourseDefined, CourseFull, Subscribe, enrolment


async def test_given_events_of_a_decision_have_their_tags() -> None:
    """Without them, the boundary would not find the course."""
    async with scenario(memory_application(decisions=[enrolment])) as school:
        await school.given(enrolment, "physics", CourseDefined("physics", 0))
        await school.when(Subscribe(aggregate_id="physics", student="ann"))
        await school.then_rejected(CourseFull)


async def test_a_transaction_is_one_when() -> None:
    app = memory_application(account, transactions=[transfer])
    async with scenario(app) as bank:
        await bank.given(account, "a1", AccountCreated("ann"), DepositPerformed(9))
        await bank.given(account, "b1", AccountCreated("bob"))
        await bank.when(Transfer(aggregate_id="a1", to="b1", amount=3))
        await bank.then(WithdrawalPerformed(3), DepositPerformed(3))
        await bank.then_state(account, "b1", Account("bob", 3))
        await bank.then_published(WithdrawalPerformed(3), DepositPerformed(3))
        await bank.when(Transfer(aggregate_id="a1", to="a1", amount=3))
        await bank.then_rejected(SameAccount)


async def test_parts_of_other_applications_are_refused() -> None:
    nothing: Any = None
    async with scenario(memory_application(account)) as bank:
        with pytest.raises(InvalidArgument, match="Enrolment is not a decision of application"):
            await bank.given(enrolment, "physics", CourseDefined("physics", 0))
        with pytest.raises(TypeError, match="not an event of Account"):
            await bank.given(account, "a1", nothing)
