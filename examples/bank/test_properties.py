"""What holds of every account, whatever is asked of it."""

from eventhus_testing.checking import check_aggregate
from examples.bank.account import account


def test_no_account_is_ever_overdrawn() -> None:
    """After any commands at all, there is money on it, or nothing."""
    check_aggregate(account, invariant=lambda state: state.balance >= 0)
