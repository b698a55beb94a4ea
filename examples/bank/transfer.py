"""A transfer between two accounts: both change, or neither does."""

from collections.abc import Iterator

from attrs import frozen

from eventhus import Command, Rejected, Transaction
from examples.bank.account import PerformDeposit, PerformWithdrawal, account


@frozen(kw_only=True)
class Transfer(Command):
    """Move money to another account."""

    to: str
    amount: int


class SameAccount(Rejected):
    """Money moves between two accounts."""


def split(command: Transfer) -> Iterator[PerformWithdrawal | PerformDeposit]:
    """Return a command for each of the two accounts."""
    if command.to == command.aggregate_id:
        raise SameAccount(f"account {command.to} is on both sides")
    yield PerformWithdrawal(aggregate_id=command.aggregate_id, amount=command.amount)
    yield PerformDeposit(aggregate_id=command.to, amount=command.amount)


transfer = Transaction(name="Transfer", aggregates=[account], split=split)
