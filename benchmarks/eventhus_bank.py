"""The bank account on eventhus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from time import process_time
from typing import Any, Self

import attrs
from attrs import frozen

from benchmarks.harness import Sample, Stopwatch
from eventhus import Aggregate, Application, Command, Rejected, new_id
from eventhus.ports import Ended, Fact, Observer, Operation, Storage
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore


@frozen(kw_only=True)
class OpenAccount(Command):
    """Open an account for its owner."""

    owner: str


@frozen(kw_only=True)
class Deposit(Command):
    """Pay money in."""

    amount: int


@frozen
class AccountOpened:
    """An account was opened."""

    owner: str


@frozen
class Deposited:
    """Money was paid in."""

    amount: int


@frozen
class Account:
    """The state of an account."""

    owner: str = ""
    balance: int = 0


class NothingToDeposit(Rejected):
    """The amount is not positive."""


def decide(command: OpenAccount | Deposit, account: Account) -> Iterator[AccountOpened | Deposited]:
    """Refuse amounts that are not positive."""
    match command:
        case OpenAccount():
            yield AccountOpened(command.owner)
        case Deposit():
            if command.amount <= 0:
                raise NothingToDeposit
            yield Deposited(command.amount)


def evolve(account: Account, event: AccountOpened | Deposited) -> Account:
    """Keep the owner and the balance."""
    match event:
        case AccountOpened():
            return Account(event.owner, 0)
        case Deposited():
            return Account(account.owner, account.balance + event.amount)


ACCOUNT = Aggregate(name="Account", initial=Account(), decide=decide, evolve=evolve)


class SilentObserver:
    """An observer that keeps nothing, and is its own observation."""

    def __init__(self) -> None:
        self.values: Mapping[str, str] = {}

    def begin(self, operation: Operation) -> Self:  # noqa: ARG002 - keeps nothing
        """See ``Observer.begin``."""
        return self

    def finish(self, ended: Ended) -> None:
        """See ``Observation.finish``."""

    def note(self, fact: Fact) -> None:
        """See ``Observer.note``."""


def dispatch(
    *,
    events: int,
    accounts: int,
    log: int = 0,
    cache_size: int = 10_000,
    others: Sequence[Aggregate[Any, Any, Any]] = (),
    observer: Observer | None = None,
) -> Sample:
    """Measure a deposit.

    Args:
        events: How many events each account has before it.
        accounts: How many accounts take one deposit each.
        log: How many events the log has at least, those of one more account included.
        cache_size: As for ``Application``.
        others: Aggregates of the application that nothing is sent to.
        observer: As for ``Application``.
    """

    async def sample() -> float:
        async with application(MemoryStore(), cache_size, others, observer=observer) as app:
            await _fill(app, [new_id()], log - accounts * events)
            ids = [new_id() for _ in range(accounts)]
            await _fill(app, ids, events)
            deposits = [Deposit(aggregate_id=aggregate_id, amount=3) for aggregate_id in ids]
            with Stopwatch(process_time) as stopwatch:
                for deposit in deposits:
                    await app.dispatch(deposit)
        return stopwatch.seconds / accounts

    return lambda: asyncio.run(sample())


def replay(*, events: int) -> Sample:
    """Measure the loading of one account, per event, by an application that never saw it."""
    store = MemoryStore()
    aggregate_id = new_id()

    async def fill() -> None:
        async with application(store) as app:
            await _fill(app, [aggregate_id], events)

    async def sample() -> float:
        async with application(store) as app:
            with Stopwatch(process_time) as stopwatch:
                loaded = await app.load(ACCOUNT, aggregate_id)
        if loaded.version != events:
            raise AssertionError(loaded.version)
        return stopwatch.seconds / events

    asyncio.run(fill())
    return lambda: asyncio.run(sample())


def generated(count: int) -> list[Aggregate[Any, Any, Any]]:
    """Aggregates of one command and one event type each."""
    return [_generated(number) for number in range(count)]


def _generated(number: int) -> Aggregate[Any, Any, Any]:
    command = attrs.make_class(
        f"Do{number}",
        {"amount": attrs.field(type=int)},
        bases=(Command,),
        frozen=True,
        kw_only=True,
    )
    event = attrs.make_class(f"Done{number}", {"amount": attrs.field(type=int)}, frozen=True)

    def decide(command: Any, total: int) -> Iterator[Any]:
        yield event(command.amount)

    def evolve(total: int, event: Any) -> int:
        return total + int(event.amount)

    return Aggregate(
        name=f"Counter{number}",
        initial=0,
        decide=decide,
        evolve=evolve,
        commands=(command,),
        events=(event,),
    )


def application(
    store: Storage,
    cache_size: int = 10_000,
    others: Sequence[Aggregate[Any, Any, Any]] = (),
    *,
    workers: int = 30,
    snapshot_every: int | None = None,
    observer: Observer | None = None,
) -> Application:
    """The bank on a store."""
    return Application(
        bucket="bank",
        aggregates=[ACCOUNT, *others],
        store=store,
        codec=CattrsCodec(),
        workers=workers,
        cache_size=cache_size,
        snapshot_every=snapshot_every,
        observer=observer,
    )


async def _fill(app: Application, ids: Sequence[str], events: int) -> None:
    for number in range(events):
        for aggregate_id in ids:
            await app.dispatch(
                Deposit(aggregate_id=aggregate_id, amount=3)
                if number
                else OpenAccount(aggregate_id=aggregate_id, owner="Ada")
            )
