"""What holds of a bank account, whatever is asked of it."""

from hypothesis import settings

from eventhus_testing import AggregateMachine, check_aggregate
from examples.bank.account import account


def test_an_account_is_never_overdrawn() -> None:
    """Nor can it be brought to break a rule."""
    check_aggregate(account, invariant=lambda account: account.balance >= 0)


class AccountMachine(AggregateMachine):
    """Two applications on one log do what the aggregate says."""

    aggregate = account


TestAccount = AccountMachine.TestCase
TestAccount.settings = settings(deadline=None, max_examples=30, stateful_step_count=20)
