"""Stored events of the bank stay readable, however its classes change."""

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
    """Every stored sample decodes, and encodes to the same data."""
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
