"""What logs hold of the bank can be read, whatever becomes of its classes."""

from pathlib import Path

from eventhus_testing import golden
from examples.bank.account import (
    AccountCreated,
    DepositPerformed,
    OwnerChanged,
    WithdrawalPerformed,
    account,
)


def test_stored_events_can_be_read() -> None:
    """Every stored sample becomes an event of today, and is written again as it is stored."""
    golden.check(
        aggregates=[account],
        path=Path(__file__).with_name("events.golden.json"),
        samples=[
            AccountCreated("mishudark"),
            DepositPerformed(300),
            WithdrawalPerformed(249),
            OwnerChanged("ada"),
        ],
    )
