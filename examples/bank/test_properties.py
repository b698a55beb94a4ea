"""Properties of a bank account, and of transfers between accounts."""

from collections.abc import Mapping

from hypothesis import settings

from eventhus_testing import (
    AggregateMachine,
    TransactionRun,
    check_aggregate,
    check_transaction,
)
from examples.bank.account import Account, account
from examples.bank.transfer import transfer


def test_an_account_is_never_overdrawn() -> None:
    """No sequence of commands breaks a rule."""
    check_aggregate(account, invariant=lambda account: account.balance >= 0)


def total(accounts: Mapping[str, Account]) -> int:
    """Return the money in all accounts together."""
    return sum(account.balance for account in accounts.values())


def money_is_conserved(run: TransactionRun) -> bool:
    """All accounts together hold as much as before."""
    return total(run.states(account)) == total(run.states_before(account))


def test_a_transfer_never_makes_or_loses_money() -> None:
    """Whichever accounts it is between, and whatever they have seen."""
    check_transaction(transfer, invariant=money_is_conserved)


class AccountMachine(AggregateMachine):
    """Two applications on one log behave like the aggregate."""

    aggregate = account


TestAccount = AccountMachine.TestCase
TestAccount.settings = settings(deadline=None, max_examples=30, stateful_step_count=20)
