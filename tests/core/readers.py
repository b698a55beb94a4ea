"""A view and a process over the bank, and ways to cut short what keeps them going."""

# ruff: noqa: SLF001 - the memory store's leases are ended, as the time does

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from typing import Any

from attrs import evolve, frozen

from eventhus import Application, Command, Process, Recorded, View
from eventhus.ports import Storage, StoredEvent
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from tests.bank import Deposit, Deposited, Open, Opened, Renamed, Scribble, Withdraw, Withdrawn
from tests.core.hooks import Hook, at, fail_with
from tests.core.support import FakeClock, Proxy, add, compose


@frozen
class Balance:
    owner: str = ""
    amount: int = 0
    events: int = 0


def show(balance: Balance, recorded: Recorded[Opened | Deposited | Withdrawn]) -> Balance | None:
    """What somebody at the counter wants to know; nothing once everything was withdrawn."""
    balance = evolve(balance, events=balance.events + 1)
    match recorded.event:
        case Opened(owner):
            return evolve(balance, owner=owner)
        case Deposited(amount):
            return evolve(balance, amount=balance.amount + amount)
        case Withdrawn(amount):
            left = balance.amount - amount
            return evolve(balance, amount=left) if left else None


def account_of(recorded: Recorded[object]) -> str | None:
    """The account; the one of the bank itself does not count."""
    aggregate_id = recorded.stream.aggregate_id
    return None if aggregate_id == "bank" else aggregate_id


balances = View(name="balances", initial=Balance(), key=account_of, evolve=show)


@frozen
class Welcome:
    deposits: int = 0


def count(welcome: Welcome, recorded: Recorded[Opened | Deposited]) -> Welcome:
    """How often something was deposited."""
    if isinstance(recorded.event, Opened):
        return welcome
    return Welcome(welcome.deposits + 1)


def give(welcome: Welcome, recorded: Recorded[Opened | Deposited]) -> Iterator[Command]:
    """A present for whoever opens an account, who cannot take out more; a note at the third."""
    account = recorded.stream.aggregate_id
    if isinstance(recorded.event, Opened):
        yield Deposit(aggregate_id=account, amount=10)
        yield Withdraw(aggregate_id=account, amount=1_000_000)
    elif welcome.deposits == 3:
        yield Scribble(aggregate_id=account, text="three")


welcome = Process(name="welcome", initial=Welcome(), key=account_of, evolve=count, react=give)


def turn(state: int | None, recorded: Recorded[Deposited]) -> int | None:
    """A state that is nothing after every other deposit."""
    return None if state == 1 else 1


def say(state: int | None, recorded: Recorded[Deposited]) -> Iterable[Command]:
    """The first deposit is noted, the third, the fifth."""
    if state is None:
        return [Scribble(aggregate_id="odd", text="odd")]
    return []


odd: Process[Deposited, int | None] = Process(
    name="odd", initial=1, key=account_of, evolve=turn, react=say
)


class Paged(Proxy):
    """Its log is followed two events at a time."""

    async def follow(
        self, *, after: int = 0, limit: int = 1000
    ) -> AsyncGenerator[Sequence[StoredEvent], None]:
        """See ``EventStore.follow``."""
        async with aclosing(super().follow(after=after, limit=2)) as batches:
            async for batch in batches:
                yield batch


STEPS = (
    *("acquire", "load_checkpoint", "load_documents", "save_documents", "save_checkpoint"),
    *("find", "load", "append"),
)


def interrupt(store: Proxy, step: int, hook: Hook) -> Callable[[], bool]:
    """Let ``hook`` step in once, before or after one of the calls that readers make.

    Args:
        store: What they call.
        step: Which time, counted from 1.
        hook: Is called then.

    Returns:
        Tells whether it has come to that.
    """
    reached: list[int] = []

    async def reach(*args: object) -> None:
        reached.append(step)
        await hook(*args)

    counted = at([step], reach)
    store.before = dict.fromkeys((*STEPS, "follow"), counted)
    store.after = dict.fromkeys(STEPS, counted)
    return lambda: bool(reached)


def expire(store: MemoryStore) -> None:
    """Let the time of every lease be over."""
    for name, held in store._leases.items():
        store._leases[name] = held._replace(until_s=0.0)


def crash(store: Proxy) -> None:
    """Let nothing that a process still wants to do reach the store, and its leases run out."""
    assert isinstance(store.inner, MemoryStore)
    expire(store.inner)
    for name in (*STEPS, "release"):
        store.before[name] = fail_with(ConnectionError("dead"))


def without_leases(
    inner: MemoryStore, *, before: Iterable[str], after: Iterable[str]
) -> tuple[Paged, Paged]:
    """Two ways to one store, on which every lease is over as soon as one of them is called.

    Args:
        inner: The store.
        before: The calls before which they are over, others having their turn meanwhile.
        after: The calls behind which they are.
    """

    async def forget(*_: object) -> None:
        await asyncio.sleep(0)
        expire(inner)
        await asyncio.sleep(0)

    ways = (Paged(inner), Paged(inner))
    for each in ways:
        each.before |= dict.fromkeys(before, forget)
        each.after |= dict.fromkeys(after, forget)
    return ways


async def first(*works: Awaitable[object]) -> None:
    """Return once one of them is done."""
    tasks = [asyncio.ensure_future(work) for work in works]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


CODEC = CattrsCodec()  # one for all: its work is done once


def bank(store: Storage | None = None, **options: Any) -> Application:
    """The bank with a codec that knows every type, and sleeps that take no time."""
    return compose(store, **{"codec": CODEC, "clock": FakeClock(), **options})


async def open_accounts(store: Storage) -> None:
    """Fill a log with twelve events, of accounts that are opened, emptied and filled again."""
    async with compose(store) as app:
        for account in ("a", "b", "bank"):
            await app.dispatch(Open(aggregate_id=account, owner=f"owner of {account}"))
        await add(app, 1, 2, 3)
        await add(app, 4, aggregate_id="b")
        await app.dispatch(Withdraw(aggregate_id="b", amount=4))
        await add(app, 5, aggregate_id="b")
        await app.dispatch(Withdraw(aggregate_id="b", amount=2))
        await add(app, 7, aggregate_id="c")
        await app.dispatch(Withdraw(aggregate_id="c", amount=7))


async def shown(app: Application) -> dict[str, Balance | None]:
    """What ``balances`` shows of the accounts."""
    values: dict[str, Balance | None] = {}
    for key in SHOWN:
        values[key] = await app.view(balances, key)
    return values


async def caught_up(app: Application, *readers: Process[Any, Any]) -> None:
    """Wait until processes have seen all that there is, and what they have sent meanwhile."""
    seen = -1
    while seen != (head := await app._store.head()):
        for reader in readers:
            await app.caught_up(reader, head)
        seen = head


async def sent(store: Storage) -> list[tuple[str, str, Any]]:
    """What came of the commands of processes: because of what, where, and what."""
    log = await store.read()
    causes = {each.id: f"{each.stream} {each.version}" for each in log}
    return sorted(
        (causes[each.metadata.causation_id], str(each.stream), each.event.data)
        for each in log
        if each.metadata.causation_id is not None
    )


SHOWN = {
    "a": Balance(owner="owner of a", amount=6, events=4),
    "b": Balance(amount=3, events=2),
    "c": None,
    "bank": None,
    "nobody": None,
}
"""What ``balances`` shows of that log."""

SENT = [
    ("Account/a 1", "Account/a", {"amount": 10}),
    ("Account/a 2", "Note/odd", {"text": "odd"}),
    ("Account/a 4", "Note/a", {"text": "three"}),
    ("Account/a 4", "Note/odd", {"text": "odd"}),
    ("Account/b 1", "Account/b", {"amount": 10}),
    ("Account/b 2", "Note/odd", {"text": "odd"}),
    ("Account/b 6", "Note/b", {"text": "three"}),
    ("Account/b 6", "Note/odd", {"text": "odd"}),
    ("Account/c 1", "Note/odd", {"text": "odd"}),
]
"""What ``welcome`` and ``odd`` send because of it, and of what comes of that."""

FILLED = 12
"""How many events that log has."""


def renamed(recorded: Recorded[Renamed]) -> str:
    """Nobody has been renamed yet."""
    return recorded.event.owner
