"""Transfers between two accounts by example."""

from eventhus_testing import spec
from examples.bank.account import (
    Account,
    AccountCreated,
    AccountNotFound,
    DepositPerformed,
    InsufficientFunds,
    WithdrawalPerformed,
    account,
)
from examples.bank.transfer import SameAccount, Transfer, transfer

BOTH = (
    spec(transfer)
    .given(account, "a1", AccountCreated("ann"), DepositPerformed(100))
    .given(account, "b1", AccountCreated("bob"))
)


def test_both_accounts_change() -> None:
    """One account gives 30, the other one gets it."""
    (
        BOTH.when(Transfer(aggregate_id="a1", to="b1", amount=30))
        .then(account, "a1", WithdrawalPerformed(30))
        .then(account, "b1", DepositPerformed(30))
        .then_state(account, "a1", Account("ann", 70))
        .then_state(account, "b1", Account("bob", 30))
    )


def test_a_transfer_never_overdraws() -> None:
    """The account of the receiver stays as it is, too."""
    (
        BOTH.when(Transfer(aggregate_id="a1", to="b1", amount=101))
        .then_rejected(InsufficientFunds, match="balance 100")
        .then_state(account, "b1", Account("bob", 0))
    )


def test_a_transfer_needs_a_receiver() -> None:
    """The withdrawal was possible, but does not happen without the deposit."""
    (
        BOTH.when(Transfer(aggregate_id="a1", to="c1", amount=30))
        .then_rejected(AccountNotFound, match="c1")
        .then_state(account, "a1", Account("ann", 100))
    )


def test_a_transfer_needs_two_accounts() -> None:
    """The transaction itself refuses this, before any account is asked."""
    (BOTH.when(Transfer(aggregate_id="a1", to="a1", amount=30)).then_rejected(SameAccount))


def test_received_money_can_be_sent_back() -> None:
    """A second transfer is decided on what the first one has led to."""
    (
        BOTH.when(Transfer(aggregate_id="a1", to="b1", amount=30))
        .and_when(Transfer(aggregate_id="b1", to="a1", amount=30))
        .then(account, "b1", WithdrawalPerformed(30))
        .then(account, "a1", DepositPerformed(30))
    )
