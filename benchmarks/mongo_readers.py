"""The cost of following the log on MongoDB: views, processes and handlers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, TypeAlias

from pymongo import AsyncMongoClient

from benchmarks.eventhus_bank import ACCOUNT, AccountOpened, Deposit, Deposited
from benchmarks.harness import Sample, Stopwatch
from benchmarks.mongo_processes import resident_mb
from benchmarks.mongo_site import Document, Site, events_of, fill
from eventhus import Application, Process, Recorded, View, new_id
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore

Client: TypeAlias = AsyncMongoClient[Document]
Reader: TypeAlias = View[Any, Any] | Process[Any, Any]


def _account(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def _welcomed(count: int, recorded: Recorded[AccountOpened]) -> int:
    return count + 1


def _welcome(count: int, recorded: Recorded[AccountOpened]) -> Iterator[Deposit]:
    yield Deposit(aggregate_id=recorded.stream.aggregate_id, amount=1)


def _counted(count: int, recorded: Recorded[AccountOpened | Deposited]) -> int:
    return count + 1


def _ignore(count: int, recorded: Recorded[AccountOpened | Deposited]) -> Sequence[Deposit]:
    return ()


WELCOME = Process(name="welcome", initial=0, key=_account, evolve=_welcomed, react=_welcome)
"""Pays something into every account that is opened."""

COUNTING = Process(name="counting", initial=0, key=_account, evolve=_counted, react=_ignore)
"""Counts the events of each account, and sends nothing."""

COUNTS = View(name="counts", initial=0, key=_account, evolve=_counted)
"""The number of events of each account."""


def commands(site: Site, *, keys: int, workers: int) -> Sample:
    """Measure a process that sends one command for each of its keys, per command.

    Args:
        site: Where.
        keys: How many keys have an event in the log.
        workers: As for ``Application``: with one, one key is handled after another.
    """

    async def sample() -> float:
        bucket = f"process_{new_id().lower()}"
        await fill_opened(site.client, bucket, keys)
        async with application(site.client, bucket, WELCOME, workers=workers) as app:
            with Stopwatch() as stopwatch:
                await app.caught_up(WELCOME, keys)
        async with MongoStore(site.client, bucket) as store:
            head = await store.head()
        if head != 2 * keys:  # one deposit for each account
            raise AssertionError(head)
        await site.client.drop_database(bucket)
        return stopwatch.seconds / keys

    return site.sample(sample)


async def fill_opened(client: Client, bucket: str, accounts: int, events: int = 1) -> None:
    """Fill a new bucket with accounts of so many events each, one to a commit."""
    async with MongoStore(client, bucket):
        ids = [new_id() for _ in range(accounts)]
        await fill(events_of(client, bucket), ids, events)


async def seconds_to_view(client: Client, commits: int, *, elsewhere: bool) -> Sequence[float]:
    """Measure how long after a commit a view has it, on an idle system.

    Args:
        client: Where.
        commits: How many commits to measure, one after the other.
        elsewhere: Whether another application on the same store commits, which has to be noticed
            through MongoDB.
    """
    seconds: list[float] = []
    async with _idle(client, elsewhere=elsewhere) as (worker, committing):
        for _ in range(commits + 1):
            committed = await committing.dispatch(Deposit(aggregate_id="a", amount=1))
            started = perf_counter()
            await worker.caught_up(COUNTS, committed)
            seconds.append(perf_counter() - started)
    return seconds[1:]  # the first one waits for the connections


async def seconds_to_handler(
    client: Client, commits: int, *, group: str | None, elsewhere: bool
) -> Sequence[float]:
    """Measure how long after a commit an event handler that reads the log is called.

    Args:
        client: Where.
        commits: As for ``seconds_to_view``.
        group: The group of the handler, if any.
        elsewhere: As for ``seconds_to_view``.
    """
    seconds: list[float] = []
    called = asyncio.Event()
    at = 0.0

    async def handle(_: Recorded[Any]) -> None:
        nonlocal at
        at = perf_counter()
        called.set()

    async with _idle(client, elsewhere=elsewhere) as (worker, committing):
        await worker.subscribe(handle, group=group)
        for _ in range(commits + 1):
            called.clear()
            committed = await committing.dispatch(Deposit(aggregate_id="a", amount=1))
            started = perf_counter()
            await called.wait()
            seconds.append(max(at - started, 0))  # it may be called before the answer is here
            await worker.caught_up(COUNTS, committed)
    return seconds[1:]


def growth_mb(url: str, bucket: str, name: str, events: int) -> float | None:
    """Return by how much the memory of this process grows while a reader follows a log.

    It is the peak at the end less what is resident after a tenth of the log, when caches and
    buffers are full. ``None`` where the system does not tell.

    Args:
        url: Where.
        bucket: The log.
        name: The name of the view or process.
        events: How many events it has.
    """
    (reader,) = (each for each in (COUNTS, COUNTING) if each.name == name)

    async def run() -> float | None:
        client: Client = AsyncMongoClient(url)
        async with client, application(client, bucket, reader) as app:
            await app.caught_up(reader, events // 10)
            before = resident_mb("VmRSS")
            await app.caught_up(reader, events)
            peak = resident_mb("VmHWM")
        return None if before is None or peak is None else peak - before

    return asyncio.run(run())


def application(
    client: Client, bucket: str, *readers: Reader, workers: int = 30, work: bool = True
) -> Application:
    """The bank on a bucket, with views and processes."""
    return Application(
        bucket="bank",
        aggregates=[ACCOUNT],
        views=[each for each in readers if isinstance(each, View)],
        processes=[each for each in readers if isinstance(each, Process)],
        store=MongoStore(client, bucket),
        codec=CattrsCodec(),
        workers=workers,
        work=work,
    )


@asynccontextmanager
async def _idle(
    client: Client, *, elsewhere: bool
) -> AsyncIterator[tuple[Application, Application]]:
    """Enter an application with a view on a new bucket, and one that commits, maybe the same."""
    bucket = f"idle_{new_id().lower()}"
    async with application(client, bucket, COUNTS) as worker:
        if elsewhere:
            async with application(client, bucket, work=False) as committing:
                yield worker, committing
        else:
            yield worker, worker
    await client.drop_database(bucket)
