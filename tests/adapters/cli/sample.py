"""Applications that the tests of the command line look at."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, assert_never

from attrs import frozen

from eventhus import (
    Aggregate,
    Application,
    Command,
    Delivered,
    Metadata,
    Process,
    Recorded,
    View,
)
from eventhus.ports import DamagedLease, HeldLease
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore

GROUP = "mail"
HOSTILE = "\x1b[31mred\x1b[0m [bold]b[/bold] <b>x</b> \u202egnp\u202c \x07\x9b2J\nnew\ttab é"


@frozen(kw_only=True)
class Open(Command):
    """Open an account."""

    owner: str


@frozen(kw_only=True)
class Pay(Command):
    """Pay money in."""

    amount: int


@frozen
class Opened:
    """The account was opened."""

    owner: str


@frozen
class Paid:
    """Money was paid in."""

    amount: int


@frozen
class Account:
    owner: str = ""
    balance: int = 0


def decide(command: Open | Pay, state: Account) -> Iterator[Opened | Paid]:
    match command:
        case Open(owner=owner):
            yield Opened(owner)
        case Pay(amount=amount):
            yield Paid(amount)
        case _:
            assert_never(command)


def evolve(state: Account, event: Opened | Paid) -> Account:
    match event:
        case Opened(owner):
            return Account(owner, state.balance)
        case Paid(amount):
            return Account(state.owner, state.balance + amount)
        case _:
            assert_never(event)


account = Aggregate(name="Account", initial=Account(), decide=decide, evolve=evolve)


def account_of(recorded: Recorded[Any]) -> str | None:
    return recorded.stream.aggregate_id


def balance(value: Account, recorded: Recorded[Opened | Paid]) -> Account:
    return evolve(value, recorded.event)


def rate(value: int, recorded: Recorded[Paid]) -> int:
    """Park the keys of payments of 13."""
    if recorded.event.amount == 13 and "MENDED" not in os.environ:
        raise ArithmeticError
    return value + recorded.event.amount


def sum_up(value: int, recorded: Recorded[Paid]) -> int:
    return value + recorded.event.amount


def thank(state: int, recorded: Recorded[Paid]) -> Iterable[Command]:
    if recorded.event.amount >= 1000:
        yield Pay(aggregate_id="thanks", amount=1)


def counted(state: int, recorded: Recorded[Paid]) -> int:
    return state + 1


balances = View(
    name="balances", initial=Account(), key=account_of, evolve=balance, indexes=["owner"]
)
rates = View(name="rates", initial=0, key=account_of, evolve=rate)
thanks = Process(name="thanks", initial=0, key=account_of, evolve=counted, react=thank)


async def refuse(delivered: Delivered[Any]) -> None:
    """Handle nothing."""
    raise RuntimeError("the mail server is away")


async def accept(delivered: Delivered[Any]) -> None:
    """Handle everything."""


def bank(**options: Any) -> Application:
    """A bank in memory, unless options say otherwise."""
    settings: dict[str, Any] = {
        "bucket": "bank",
        "aggregates": [account],
        "views": [balances, rates],
        "processes": [thanks],
        "codec": CattrsCodec(),
        **options,
    }
    return Application(**settings)


async def work(app: Application) -> None:
    """Fill a log, and leave parked keys and dead letters behind."""
    async with app:
        await app.dispatch(
            Open(aggregate_id="a1", owner="Ada"), metadata=Metadata(correlation_id="visit-1")
        )
        await app.dispatch(Pay(aggregate_id="a1", amount=1000))
        await app.dispatch(Open(aggregate_id="b2", owner="Bob"))
        await app.dispatch(Pay(aggregate_id="b2", amount=13))
        await app.dispatch(Pay(aggregate_id="b2", amount=7))
        for reader in (balances, rates, thanks):
            await app.caught_up(reader)
        for view in (balances, rates):  # the payment of the process, too
            await app.caught_up(view)
        await app.subscribe(refuse, group=GROUP, types=[Opened], start="beginning", attempts=1)
        while len(await app.dead_letters(group=GROUP)) < 2:  # noqa: ASYNC110 - nothing tells of a letter
            await asyncio.sleep(0.01)


def filled() -> Application:
    """A bank whose log is in the memory of this process."""
    store = MemoryStore()
    asyncio.run(work(bank(store=store)))
    return bank(store=store)


def handled() -> Application:
    """A bank with a group that has handled everything and that nobody uses."""
    store = MemoryStore()

    async def handle() -> None:
        async with bank(store=store) as app:
            await app.dispatch(Open(aggregate_id="a1", owner="Ada"))
            await app.subscribe(accept, group=GROUP, types=[Opened], start="now")

    asyncio.run(handle())
    return bank(store=store)


def mended() -> Application:
    """The filled bank, with code that can handle every payment."""
    store = MemoryStore()
    asyncio.run(work(bank(store=store)))
    rates = View(name="rates", initial=0, key=account_of, evolve=sum_up)
    return bank(store=store, views=[balances, rates])


def bare() -> Application:
    """The filled bank, seen by code that declares nothing."""
    store = MemoryStore()
    asyncio.run(work(bank(store=store)))
    return bank(store=store, aggregates=[], views=[], processes=[])


def newer() -> Application:
    """The filled bank, seen by code with a later version of a view."""
    store = MemoryStore()
    asyncio.run(work(bank(store=store)))
    later = View(name="rates", version=2, initial=0, key=account_of, evolve=sum_up)
    return bank(store=store, views=[balances, later])


def busy() -> Application:
    """A bank whose view somebody leads."""
    store = MemoryStore()
    asyncio.run(store.acquire("view_balances", "somebody", ttl_s=1000))
    return bank(store=store)


class DamagedStore(MemoryStore):
    """A store with a lease that another program has damaged."""

    async def leases(  # type: ignore[override]
        self, *, after: str | None = None, limit: int = 100
    ) -> Sequence[HeldLease | DamagedLease]:
        await self.acquire("view_balances", "somebody", ttl_s=1000)
        held = await super().leases(after=after, limit=limit)
        return [*held, DamagedLease(name="view_rates", problem="the lease 'view_rates' is damaged")]


def damaged() -> Application:
    """A bank with a damaged lease beside one that somebody holds."""
    return bank(store=DamagedStore())


def empty() -> Application:
    """A bank without events."""
    return bank(store=MemoryStore())


def hostile() -> Application:
    """A bank whose ids and values try to act on a terminal."""
    store = MemoryStore()

    async def fill() -> None:
        async with bank(store=store) as app:
            await app.dispatch(
                Open(aggregate_id=HOSTILE, owner=HOSTILE), metadata=Metadata(values={"k": HOSTILE})
            )
            await app.dispatch(Pay(aggregate_id=HOSTILE, amount=13))
            for view in (balances, rates):
                await app.caught_up(view)

    asyncio.run(fill())
    return bank(store=store)


def on_servers() -> Application:
    """A bank on the servers that the environment names. It would work if it were entered."""
    return Application.open(
        bucket=os.environ["SAMPLE_BUCKET"],
        aggregates=[account],
        views=[balances, rates],
        processes=[thanks],
        store=os.environ["SAMPLE_STORE"],
        bus=os.environ.get("SAMPLE_BUS"),
    )
