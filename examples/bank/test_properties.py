"""Properties of a bank account."""

from hypothesis import settings

from eventhus_testing import AggregateMachine, check_aggregate
from examples.bank.account import account


def test_an_account_is_never_overdrawn() -> None:
    """No sequence of commands breaks a rule."""
    check_aggregate(account, invariant=lambda account: account.balance >= 0)


class AccountMachine(AggregateMachine):
    """Two applications on one log behave like the aggregate."""

    aggregate = account


TestAccount = AccountMachine.TestCase
TestAccount.settings = settings(deadline=None, max_examples=30, stateful_step_count=20)
