"""The bank account by example."""

import pytest

from eventhus_testing import spec
from examples.bank.account import (
    Account,
    AccountCommand,
    AccountCreated,
    AccountExists,
    AccountNotFound,
    ChangeOwner,
    CreateAccount,
    DepositPerformed,
    InsufficientFunds,
    InvalidAmount,
    OwnerChanged,
    PerformDeposit,
    PerformWithdrawal,
    WithdrawalPerformed,
    account,
)

ID = "an-account"


def test_an_account_starts_empty() -> None:
    """Creating an account gives it an owner and no money."""
    (
        spec(account)
        .when(CreateAccount(aggregate_id=ID, owner="mishudark"))
        .then(AccountCreated("mishudark"))
        .then_state(Account(owner="mishudark", balance=0))
    )


def test_an_account_is_created_once() -> None:
    """The second attempt is refused, even with another owner."""
    (
        spec(account)
        .given(AccountCreated("mishudark"))
        .when(CreateAccount(aggregate_id=ID, owner="ada"))
        .then_rejected(AccountExists)
    )


@pytest.mark.parametrize(
    "command",
    [
        PerformDeposit(aggregate_id=ID, amount=300),
        PerformWithdrawal(aggregate_id=ID, amount=300),
        ChangeOwner(aggregate_id=ID, owner="ada"),
    ],
)
def test_only_an_account_that_exists_can_be_used(command: AccountCommand) -> None:
    """Before it is created, everything else is refused."""
    spec(account).when(command).then_rejected(AccountNotFound, match=f"no account {ID}")


def test_deposits_add_up() -> None:
    """Every deposit raises the balance by its amount."""
    (
        spec(account)
        .given(AccountCreated("mishudark"), DepositPerformed(300))
        .when(PerformDeposit(aggregate_id=ID, amount=50))
        .then(DepositPerformed(50))
        .then_state(Account(owner="mishudark", balance=350))
    )


def test_a_withdrawal_lowers_the_balance() -> None:
    """The rest stays in the account."""
    (
        spec(account)
        .given(AccountCreated("mishudark"), DepositPerformed(300))
        .when(PerformWithdrawal(aggregate_id=ID, amount=249))
        .then(WithdrawalPerformed(249))
        .then_state(Account(owner="mishudark", balance=51))
    )


def test_the_last_coin_can_be_taken() -> None:
    """Taking exactly the balance is allowed; one more is not."""
    (
        spec(account)
        .given(AccountCreated("mishudark"), DepositPerformed(100))
        .when(PerformWithdrawal(aggregate_id=ID, amount=100))
        .then(WithdrawalPerformed(100))
        .and_when(PerformWithdrawal(aggregate_id=ID, amount=1))
        .then_rejected(InsufficientFunds, match="balance 0")
    )


def test_an_account_cannot_be_overdrawn() -> None:
    """The refusal names the balance, and nothing is taken."""
    (
        spec(account)
        .given(AccountCreated("mishudark"), DepositPerformed(100))
        .when(PerformWithdrawal(aggregate_id=ID, amount=101))
        .then_rejected(InsufficientFunds, match="balance 100")
    )


@pytest.mark.parametrize("amount", [0, -1])
@pytest.mark.parametrize("perform", [PerformDeposit, PerformWithdrawal])
def test_amounts_are_above_zero(
    perform: type[PerformDeposit] | type[PerformWithdrawal], amount: int
) -> None:
    """Zero and negative amounts are refused."""
    (
        spec(account)
        .given(AccountCreated("mishudark"), DepositPerformed(100))
        .when(perform(aggregate_id=ID, amount=amount))
        .then_rejected(InvalidAmount)
    )


def test_an_account_changes_hands() -> None:
    """The balance stays."""
    (
        spec(account)
        .given(AccountCreated("mishudark"), DepositPerformed(100))
        .when(ChangeOwner(aggregate_id=ID, owner="ada"))
        .then(OwnerChanged("ada"))
        .then_state(Account(owner="ada", balance=100))
    )


def test_the_owner_may_be_told_twice() -> None:
    """Naming the present owner is accepted, and nothing happens."""
    (
        spec(account)
        .given(AccountCreated("mishudark"))
        .when(ChangeOwner(aggregate_id=ID, owner="mishudark"))
        .then_nothing()
    )
