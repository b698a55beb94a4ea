"""The bank account on the eventsourcing package, written as its documentation shows."""

from __future__ import annotations

from collections.abc import Mapping
from time import process_time
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from benchmarks.harness import Sample, Stopwatch


class Account(Aggregate):
    """The account."""

    @event("Opened")
    def __init__(self, owner: str) -> None:
        """Open an account for its owner."""
        self.owner = owner
        self.balance = 0

    def deposit(self, amount: int) -> None:
        """Pay money in. Refuses amounts that are not positive."""
        if amount <= 0:
            raise ValueError
        self._deposited(amount)

    @event("Deposited")
    def _deposited(self, amount: int) -> None:
        self.balance += amount


class Bank(Application[UUID]):
    """Keeps accounts in memory, as JSON."""

    def open(self, owner: str, deposits: int) -> UUID:
        """Open an account and make some deposits, all saved at once."""
        account = Account(owner)
        for _ in range(deposits):
            account.deposit(3)
        self.save(account)
        return account.id

    def deposit(self, account_id: UUID, amount: int) -> None:
        """Pay money in."""
        account: Account = self.repository.get(account_id)
        account.deposit(amount)
        self.save(account)


# Named here, or the shell's environment would decide.
IN_MEMORY = {"PERSISTENCE_MODULE": "eventsourcing.popo"}
CACHED = IN_MEMORY | {"AGGREGATE_CACHE_MAXSIZE": "10000"}
CACHED_BLINDLY = CACHED | {"AGGREGATE_CACHE_FASTFORWARD": "n"}


def dispatch(*, events: int, accounts: int, env: Mapping[str, str] = IN_MEMORY) -> Sample:
    """Measure a deposit.

    Args:
        events: How many events each account has before it.
        accounts: How many accounts take one deposit each.
        env: The settings of the application.
    """

    def sample() -> float:
        bank = Bank(env=env)
        ids = [bank.open("Ada", events - 1) for _ in range(accounts)]
        for account_id in ids:
            bank.repository.get(account_id)  # into the cache, where there is one
        with Stopwatch(process_time) as stopwatch:
            for account_id in ids:
                bank.deposit(account_id, 3)
        return stopwatch.seconds / accounts

    return sample


def replay(*, events: int) -> Sample:
    """Measure the loading of one account, per event."""
    bank = Bank(env=IN_MEMORY)
    account_id = bank.open("Ada", events - 1)

    def sample() -> float:
        with Stopwatch(process_time) as stopwatch:
            account: Account = bank.repository.get(account_id)
        if account.version != events:
            raise AssertionError(account.version)
        return stopwatch.seconds / events

    return sample
