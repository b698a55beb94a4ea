"""Failure texts of scenarios."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from textwrap import dedent
from typing import Any

import pytest

from eventhus import Application, ConcurrencyError, Metadata
from eventhus_memory import MemoryBus
from eventhus_memory.bus import MemoryPublisher
from eventhus_testing.doubles.in_memory import memory_application
from eventhus_testing.scenarios.scenario import AppScenario, scenario
from examples.bank.account import (
    Account,
    AccountCreated,
    AccountExists,
    AccountNotFound,
    ChangeOwner,
    CreateAccount,
    DepositPerformed,
    OwnerChanged,
    PerformDeposit,
    PerformWithdrawal,
    WithdrawalPerformed,
    account,
)

create = CreateAccount(aggregate_id="a1", owner="ann")
deposit = PerformDeposit(aggregate_id="a1", amount=10)
withdraw = PerformWithdrawal(aggregate_id="a1", amount=30)


@pytest.fixture
def app() -> Application:
    """The bank, in memory."""
    return memory_application(account, bucket="bank")


Work = Callable[[AppScenario], Coroutine[Any, Any, None]]


async def shows(text: str, app: Application, work: Work, *, patience_s: float = 10) -> None:
    """Assert that a scenario fails with exactly this text, which is indented for reading."""
    with pytest.raises(AssertionError) as failure:
        async with scenario(app, patience_s=patience_s) as bank:
            await work(bank)
    assert dedent(text).strip() == str(failure.value)


async def test_given_events_are_shown_after_the_outcome_of_the_step_before(
    app: Application,
) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.when(create)
        await bank.then(AccountCreated("ann"))
        await bank.given(account, "a2", AccountCreated("bob"))
        await bank.when(deposit)
        await bank.then_nothing()

    await shows(
        """
        bank: PerformDeposit produced other events than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
        then     AccountCreated(owner='ann')
        given    Account/a2: AccountCreated(owner='bob')
        when     PerformDeposit(aggregate_id='a1', amount=10)
        then   - nothing
               + DepositPerformed(amount=10)
        """,
        app,
        work,
    )


async def test_an_expected_error_leaves_nothing_to_check(app: Application) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.when(create)
        await bank.then(AccountCreated("ann"))
        with pytest.raises(ConcurrencyError):
            await bank.when(deposit, expected_version=7)
        with pytest.raises(TypeError, match="call when first"):
            await bank.then_nothing()
        await bank.when(deposit)
        await bank.then_nothing()

    await shows(
        """
        bank: PerformDeposit produced other events than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
        then     AccountCreated(owner='ann')
        when     PerformDeposit(aggregate_id='a1', amount=10)
        then     raised ConcurrencyError: Account/a1 is at version 1, not 7; load it again and decide on its new state
        when     PerformDeposit(aggregate_id='a1', amount=10)
        then   - nothing
               + DepositPerformed(amount=10)
        """,  # noqa: E501
        app,
        work,
    )


async def test_wrong_events_show_the_story_and_the_difference(app: Application) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.given(account, "a1", AccountCreated("ann"), DepositPerformed(100))
        await bank.when(deposit)
        await bank.then(DepositPerformed(10))
        await bank.when(withdraw)
        await bank.then(WithdrawalPerformed(40))

    await shows(
        """
        bank: PerformWithdrawal produced other events than expected (- expected, + actual)

        given    Account/a1: AccountCreated(owner='ann')
                 Account/a1: DepositPerformed(amount=100)
        when     PerformDeposit(aggregate_id='a1', amount=10)
        then     DepositPerformed(amount=10)
        when     PerformWithdrawal(aggregate_id='a1', amount=30)
        then   - WithdrawalPerformed(amount=40)
               + WithdrawalPerformed(amount=30)
               ? amount: expected 40, actual 30
        """,
        app,
        work,
    )


async def test_common_events_stay_unmarked(app: Application) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.when(create, deposit, ChangeOwner(aggregate_id="a1", owner="bob"))
        await bank.then(AccountCreated("ann"), OwnerChanged("bob"))

    await shows(
        """
        bank: ChangeOwner produced other events than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
                 PerformDeposit(aggregate_id='a1', amount=10)
                 ChangeOwner(aggregate_id='a1', owner='bob')
        then     AccountCreated(owner='ann')
               + DepositPerformed(amount=10)
                 OwnerChanged(owner='bob')
        """,
        app,
        work,
    )


async def test_an_unexpected_refusal_shows_its_message(app: Application) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.when(deposit)
        await bank.then(DepositPerformed(10))

    await shows(
        """
        bank: PerformDeposit was refused instead of accepted (- expected, + actual)

        when     PerformDeposit(aggregate_id='a1', amount=10)
        then   - DepositPerformed(amount=10)
               + refused with AccountNotFound: there is no account a1
        """,
        app,
        work,
    )


@pytest.mark.parametrize(
    ("reason", "match", "happened", "expected"),
    [
        (AccountExists, None, "for another reason", "AccountExists"),
        (AccountNotFound, "a2", "with another message", "AccountNotFound, matching 'a2'"),
    ],
)
async def test_a_wrong_class_and_a_wrong_message_are_told_apart(
    app: Application, reason: Any, match: str | None, happened: str, expected: str
) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.when(deposit)
        await bank.then_rejected(reason, match=match)

    await shows(
        f"""
        bank: PerformDeposit was refused {happened} than expected (- expected, + actual)

        when     PerformDeposit(aggregate_id='a1', amount=10)
        then   - refused with {expected}
               + refused with AccountNotFound: there is no account a1
        """,
        app,
        work,
    )


async def test_an_accepted_command_fails_then_rejected(app: Application) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.when(create, ChangeOwner(aggregate_id="a1", owner="ann"))
        await bank.then(AccountCreated("ann"))
        await bank.when(ChangeOwner(aggregate_id="a1", owner="ann"))
        await bank.then_rejected(AccountExists)

    await shows(
        """
        bank: ChangeOwner was accepted instead of refused (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
                 ChangeOwner(aggregate_id='a1', owner='ann')
        then     AccountCreated(owner='ann')
        when     ChangeOwner(aggregate_id='a1', owner='ann')
        then   - refused with AccountExists
               + nothing
        """,
        app,
        work,
    )


async def test_actual_nothing_is_shown(app: Application) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.given(account, "a1", AccountCreated("ann"))
        await bank.when(ChangeOwner(aggregate_id="a1", owner="ann"))
        await bank.then(OwnerChanged("ann"))

    await shows(
        """
        bank: ChangeOwner produced other events than expected (- expected, + actual)

        given    Account/a1: AccountCreated(owner='ann')
        when     ChangeOwner(aggregate_id='a1', owner='ann')
        then   - OwnerChanged(owner='ann')
               + nothing
        """,
        app,
        work,
    )


async def test_a_wrong_state_names_the_aggregate(app: Application) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.when(create)
        await bank.then_state(account, "a1", Account("bob"))

    await shows(
        """
        bank: CreateAccount led to another state than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
        then     AccountCreated(owner='ann')
        state  - Account/a1: Account(owner='bob', balance=0)
               + Account/a1: Account(owner='ann', balance=0)
               ? owner: expected 'bob', actual 'ann'
        """,
        app,
        work,
    )


async def test_a_wrong_version_is_shown(app: Application) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.when(create, deposit)
        await bank.then_committed(version=3)

    await shows(
        """
        bank: PerformDeposit had another effect than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
                 PerformDeposit(aggregate_id='a1', amount=10)
        then     AccountCreated(owner='ann')
                 DepositPerformed(amount=10)
               - version: 3
               + version: 2
        """,
        app,
        work,
    )


async def test_wrong_metadata_is_shown(app: Application) -> None:
    """Ids that are not given are not compared."""

    async def work(bank: AppScenario) -> None:
        await bank.when(create, metadata=Metadata("talk", values={"user": "ann"}))
        await bank.then_committed(metadata=Metadata(values={"user": "ann"}))
        await bank.then_committed(metadata=Metadata("tolk", values={"user": "ann"}))

    await shows(
        """
        bank: CreateAccount had another effect than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
        then     AccountCreated(owner='ann')
               - metadata: Metadata(correlation_id='tolk', causation_id=None, values=mappingproxy({'user': 'ann'}))
               + metadata: Metadata(correlation_id='talk', causation_id=None, values=mappingproxy({'user': 'ann'}))
               ? correlation_id: expected 'tolk', actual 'talk'
        """,  # noqa: E501
        app,
        work,
    )


async def test_a_refusal_fails_then_committed(app: Application) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.when(deposit)
        await bank.then_committed()

    await shows(
        """
        bank: PerformDeposit was refused instead of accepted (- expected, + actual)

        when     PerformDeposit(aggregate_id='a1', amount=10)
        then   - committed
               + refused with AccountNotFound: there is no account a1
        """,
        app,
        work,
    )


async def test_wrong_published_events_are_shown(app: Application) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.when(create)
        await bank.then_published()

    await shows(
        """
        bank: CreateAccount published other events than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
        bus    - nothing
               + AccountCreated(owner='ann')
        """,
        app,
        work,
    )


class DeafBus(MemoryBus):
    """A bus that accepts messages and delivers none."""

    async def publisher(self) -> MemoryPublisher:
        """Return a publisher without subscribers."""
        return MemoryPublisher([], {})


async def test_missing_messages_fail_the_check_after_the_patience() -> None:
    async def work(bank: AppScenario) -> None:
        await bank.when(create)
        await bank.then_published(AccountCreated("ann"))

    await shows(
        """
        bank: CreateAccount published fewer events than expected (- expected, + actual)

        when     CreateAccount(aggregate_id='a1', owner='ann')
        bus    ? 1 event did not arrive on the bus within 0.5 s
        """,
        memory_application(account, bucket="bank", bus=DeafBus()),
        work,
        patience_s=0.5,
    )


UNCHECKED = """
    bank: CreateAccount was not checked (- expected, + actual)

    when     CreateAccount(aggregate_id='a1', owner='ann')
    then     AccountCreated(owner='ann')
           ? nothing checked the outcome of this when; add a then after each when
    """


async def test_an_unchecked_when_fails_at_the_end(app: Application) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.when(create)

    await shows(UNCHECKED, app, work)


async def test_an_unchecked_when_fails_at_the_next_when(app: Application) -> None:
    async def work(bank: AppScenario) -> None:
        await bank.when(create)
        await bank.when(deposit)

    await shows(UNCHECKED, app, work)
