"""A view and processes over the bank, and ways to interrupt their readers."""

# ruff: noqa: SLF001 - the memory store's leases are expired by hand

import asyncio
from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import aclosing
from typing import Any

from attrs import evolve, frozen

from eventhus import Application, Command, Process, Query, Recorded, View
from eventhus.ports import (
    Page,
    Selected,
    Selection,
    Storage,
    ViewDocument,
)
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from tests.bank import Deposit, Deposited, Open, Opened, Renamed, Scribble, Withdraw, Withdrawn
from tests.core.hooks import Gate, Hook, at, fail_with
from tests.core.support import FakeClock, Proxy, add, compose
from tests.core.waiting import settle


@frozen
class Balance:
    owner: str = ""
    amount: int = 0
    events: int = 0


def show(balance: Balance, recorded: Recorded[Opened | Deposited | Withdrawn]) -> Balance | None:
    """Keep owner, balance and number of events; delete an account once it is empty."""
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
    """Return the account id, or ``None`` for the bank's own account."""
    aggregate_id = recorded.stream.aggregate_id
    return None if aggregate_id == "bank" else aggregate_id


balances = View(name="balances", initial=Balance(), key=account_of, evolve=show)


@frozen
class Welcome:
    deposits: int = 0


def count(welcome: Welcome, recorded: Recorded[Opened | Deposited]) -> Welcome:
    """Count the deposits."""
    if isinstance(recorded.event, Opened):
        return welcome
    return Welcome(welcome.deposits + 1)


def give(welcome: Welcome, recorded: Recorded[Opened | Deposited]) -> Iterator[Command]:
    """Send a present at the opening, a refused withdrawal, and a note at the third deposit."""
    account = recorded.stream.aggregate_id
    if isinstance(recorded.event, Opened):
        yield Deposit(aggregate_id=account, amount=10)
        yield Withdraw(aggregate_id=account, amount=1_000_000)
    elif welcome.deposits == 3:
        yield Scribble(aggregate_id=account, text="three")


welcome = Process(name="welcome", initial=Welcome(), key=account_of, evolve=count, react=give)


def turn(state: int | None, recorded: Recorded[Deposited]) -> int | None:
    """Alternate between 1 and ``None`` with every deposit."""
    return None if state == 1 else 1


def say(state: int | None, recorded: Recorded[Deposited]) -> Iterable[Command]:
    """Send a note for the first deposit, the third, the fifth and so on."""
    if state is None:
        return [Scribble(aggregate_id="odd", text="odd")]
    return []


odd: Process[Deposited, int | None] = Process(
    name="odd", initial=1, key=account_of, evolve=turn, react=say
)


class Paged(Proxy):
    """A store whose log is followed two events at a time."""

    async def follow(
        self, query: Query | None = None, *, after: int = 0, limit: int = 1000
    ) -> AsyncGenerator[Page, None]:
        """See ``EventStore.follow``."""
        async with aclosing(super().follow(query, after=after, limit=2)) as pages:
            async for page in pages:
                yield page


STEPS = (
    *("acquire", "load_checkpoint", "load_documents", "save_documents", "save_checkpoint"),
    *("find", "load", "append", "load_armed"),
)


class Damaged(Proxy):
    """A store in which another program has changed the value of a."""

    async def load_documents(
        self, collection: str, keys: Collection[str]
    ) -> Mapping[str, ViewDocument]:
        """See ``ViewStore.load_documents``."""
        found = await super().load_documents(collection, keys)
        return {name: self._damaged(each) for name, each in found.items()}

    async def select_documents(self, collection: str, selection: Selection) -> Selected:
        """See ``ViewStore.select_documents``."""
        found = await super().select_documents(collection, selection)
        return evolve(found, documents=[*map(self._damaged, found.documents)])

    def _damaged(self, document: ViewDocument) -> ViewDocument:
        is_hit = document.key == "a" and document.position == 1
        return evolve(document, data=None, is_damaged=True) if is_hit else document


def interrupt(store: Proxy, step: int, hook: Hook) -> Callable[[], bool]:
    """Call ``hook`` once, before or after one of the calls that readers make.

    Args:
        store: The store of the readers.
        step: The number of the call, counted from 1.
        hook: Called at that step.

    Returns:
        A function that tells whether the step was reached.
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
    """Let every lease expire."""
    for name, held in store._leases.items():
        store._leases[name] = held._replace(until_s=0.0)


def crash(store: Proxy) -> None:
    """Fail every further call of a process, and let its leases expire."""
    assert isinstance(store.inner, MemoryStore)
    expire(store.inner)
    for name in (*STEPS, "release"):
        store.before[name] = fail_with(ConnectionError("dead"))


async def interrupted_retry(
    leader: Application,
    reader: View[Any, Any] | Process[Any, Any],
    store: MemoryStore,
    step: int,
    error: Exception | None,
) -> tuple[bool, bool]:
    """Retry the key a in a process beside the leader, and interrupt that while the log grows.

    Args:
        leader: Follows the log, and does not fail.
        reader: The view or process.
        store: The store of the leader.
        step: The number of the call of the store at which it happens, counted from 1.
        error: Raised at that call; ``None`` kills the process there.

    Returns:
        Whether the step was reached, and whether the retry returned.
    """
    proxy, gate = Proxy(store), Gate()
    kind = "views" if isinstance(reader, View) else "processes"
    async with bank(proxy, **{kind: [reader]}) as app:
        await settle()
        met = interrupt(proxy, step, gate if error is None else fail_with(error))
        retrying = asyncio.create_task(app.retry(reader, "a"))
        await first(gate.arrived.wait(), asyncio.wait([retrying]))
        await add(leader, 6)
        await leader.caught_up(reader)
        if error is None:
            crash(proxy)
            retrying.cancel()
        await asyncio.wait([retrying])
    expire(store)
    return met(), not retrying.cancelled() and retrying.exception() is None


def without_leases(
    inner: MemoryStore, *, before: Iterable[str], after: Iterable[str]
) -> tuple[Paged, Paged]:
    """Return two proxies of one store; certain calls of theirs let every lease expire.

    Args:
        inner: The store.
        before: The calls before which the leases expire and other tasks run.
        after: The calls after which they do.
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
    """Return once one of the works is done, and cancel the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


CODEC = CattrsCodec()  # shared, because compiling the hooks takes time


def bank(store: Storage | None = None, **options: Any) -> Application:
    """Return the bank with a codec that knows every type, and sleeps that take no time."""
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
    """Return the values of ``balances`` for the keys of ``SHOWN``."""
    values: dict[str, Balance | None] = {}
    for key in SHOWN:
        values[key] = await app.view(balances, key)
    return values


async def caught_up(app: Application, *readers: Process[Any, Any]) -> None:
    """Wait until processes have handled the whole log, their own commands' events included."""
    seen = -1
    while seen != (head := await app._store.head()):
        for reader in readers:
            await app.caught_up(reader, head)
        seen = head


async def sent(store: Storage) -> list[tuple[str, str, Any]]:
    """Return the events of the commands of processes: cause, stream and data, sorted."""
    log = (await store.read()).events
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
"""The values of ``balances`` after ``open_accounts``."""

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
"""The events of the commands that ``welcome`` and ``odd`` send, as ``sent`` returns them."""

FILLED = 12
"""The number of events that ``open_accounts`` appends."""


def renamed(recorded: Recorded[Renamed]) -> str:
    """A key function for an event that the log does not hold."""
    return recorded.event.owner
