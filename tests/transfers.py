"""A transfer between two accounts of the bank in one commit."""

from collections.abc import Iterable

from attrs import frozen

from eventhus import Command, Transaction
from tests.bank import Deposit, Withdraw, account


@frozen(kw_only=True)
class Transfer(Command):
    to: str
    amount: int = 1


def split(command: Transfer) -> Iterable[Command]:
    yield Withdraw(aggregate_id=command.aggregate_id, amount=command.amount)
    yield Deposit(aggregate_id=command.to, amount=command.amount)


transfer = Transaction(name="Transfer", aggregates=[account], split=split)
