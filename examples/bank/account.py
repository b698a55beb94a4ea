"""A bank account: its commands, its events, and the rules between them."""

from collections.abc import Iterator
from typing import TypeAlias, assert_never

import attrs
from attrs import frozen

from eventhus import Aggregate, Command, Rejected


@frozen(kw_only=True)
class CreateAccount(Command):
    """Open an account."""

    owner: str


@frozen(kw_only=True)
class PerformDeposit(Command):
    """Pay money in."""

    amount: int


@frozen(kw_only=True)
class PerformWithdrawal(Command):
    """Take money out."""

    amount: int


@frozen(kw_only=True)
class ChangeOwner(Command):
    """Give the account to another owner."""

    owner: str


AccountCommand: TypeAlias = CreateAccount | PerformDeposit | PerformWithdrawal | ChangeOwner


@frozen
class AccountCreated:
    """The account was opened, empty."""

    owner: str


@frozen
class DepositPerformed:
    """Money was paid in."""

    amount: int


@frozen
class WithdrawalPerformed:
    """Money was taken out."""

    amount: int


@frozen
class OwnerChanged:
    """The account got another owner."""

    owner: str


AccountEvent: TypeAlias = AccountCreated | DepositPerformed | WithdrawalPerformed | OwnerChanged


class AccountExists(Rejected):
    """An account is created once."""


class AccountNotFound(Rejected):
    """The account was not created."""


class InvalidAmount(Rejected):
    """Money moves in amounts above zero."""


class InsufficientFunds(Rejected):
    """The account holds less than was asked for."""


@frozen
class Account:
    """The state of an account, as far as the rules need it."""

    owner: str | None = None  # None until it is created
    balance: int = 0


def decide(command: AccountCommand, account: Account) -> Iterator[AccountEvent]:
    """Return the events of a command. The first matching case applies."""
    exists = account.owner is not None
    match command:
        case CreateAccount() if exists:
            raise AccountExists(f"account {command.aggregate_id} exists already")
        case CreateAccount(owner=owner):
            yield AccountCreated(owner)
        case _ if not exists:
            raise AccountNotFound(f"there is no account {command.aggregate_id}")
        case PerformDeposit(amount=amount) | PerformWithdrawal(amount=amount) if amount <= 0:
            raise InvalidAmount(f"amount {amount} is not above zero")
        case PerformDeposit(amount=amount):
            yield DepositPerformed(amount)
        case PerformWithdrawal(amount=amount) if amount > account.balance:
            raise InsufficientFunds(f"balance {account.balance} does not cover {amount}")
        case PerformWithdrawal(amount=amount):
            yield WithdrawalPerformed(amount)
        case ChangeOwner(owner=owner) if owner == account.owner:
            return
        case ChangeOwner(owner=owner):
            yield OwnerChanged(owner)
        case _:
            assert_never(command)


def evolve(account: Account, event: AccountEvent) -> Account:
    """Return the account after an event."""
    match event:
        case AccountCreated(owner) | OwnerChanged(owner):
            return attrs.evolve(account, owner=owner)
        case DepositPerformed(amount):
            return attrs.evolve(account, balance=account.balance + amount)
        case WithdrawalPerformed(amount):
            return attrs.evolve(account, balance=account.balance - amount)
        case _:
            assert_never(event)


account = Aggregate(name="Account", initial=Account(), decide=decide, evolve=evolve)
