"""The cases on MongoDB: a replica set of one on this machine, majority writes, journaled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from pymongo import AsyncMongoClient

from benchmarks import mongo_driver, mongo_processes, mongo_store
from benchmarks.harness import Case, Contender, report
from benchmarks.mongo_site import Document, Site, events_of, fill
from eventhus import new_id
from eventhus_mongo import MongoStore
from eventhus_testing.servers import find_mongod, mongo_replica_set

LIBRARIES = ("eventhus", "pymongo")

ROUNDS = 7
CALLERS = 50
PROCESSES = 4
ACCOUNTS = 1000
EVENTS = 10  # on an account before the deposits
LONG = 100_000  # on a long one
READ = 20_000  # in the log that is read
LOG = 1_000_000  # in the one that is followed in a process of its own
LARGE = 100  # events in a commit where no case depends on it


def lines(random: Random) -> Iterator[str]:
    """Measure everything. Yields the lines of the tables."""
    if find_mongod() is None:
        yield ""
        yield "nothing measured: there is no mongod on the PATH, nor one that pip has installed"
        return
    with _site() as site:
        for case in cases(site, random):
            yield ""
            yield from report(case, rounds=ROUNDS, random=random)
        yield ""
        yield from _memory(site)


def cases(site: Site, random: Random) -> Iterator[Case]:
    """Yield all timed cases; each is prepared when it is asked for."""
    yield from _dispatching(site, random)
    yield from _appending(site)
    yield from _reading(site)
    yield from _long_streams(site, random)


def _dispatching(site: Site, random: Random) -> Iterator[Case]:
    floor = mongo_driver.deposit(
        site, accounts=ACCOUNTS, events=EVENTS, times=2, callers=CALLERS, random=random
    )
    for title, cache_size, goal in (("cached", ACCOUNTS, ">= 10"), ("loaded", 0, ">= 5")):
        ours = mongo_store.deposit(
            site,
            "dispatched",
            accounts=ACCOUNTS,
            events=EVENTS,
            times=2,
            callers=CALLERS,
            random=random,
            cache_size=cache_size,
        )
        yield Case(
            f"dispatch on {EVENTS} events, state {title}, {CALLERS} callers",
            [
                Contender(name="eventhus", sample=ours),
                Contender(name="find and insert_one", sample=floor, goal=goal),
            ],
        )


def _appending(site: Site) -> Iterator[Case]:
    for title, callers, events, goal in (
        (f"{CALLERS} callers", CALLERS, 40, ">= 5"),
        ("one caller", 1, 300, ">= 0.9"),
    ):
        yield Case(
            f"append of one event, {title}",
            [
                Contender(
                    name="eventhus",
                    sample=mongo_store.append(site, "appended", callers=callers, events=events),
                ),
                Contender(
                    name="insert_one",
                    sample=mongo_driver.append(site, callers=callers, events=events),
                    goal=goal,
                ),
            ],
        )
    with mongo_processes.writers(site.url, PROCESSES) as processes:
        yield Case(
            f"append of one event, {CALLERS} callers in each of {PROCESSES} processes",
            [
                Contender(
                    name="eventhus",
                    sample=processes.sample(
                        mongo_processes.append_to_store, callers=CALLERS, events=20
                    ),
                ),
                Contender(
                    name="insert_one",
                    sample=processes.sample(
                        mongo_processes.append_by_driver, callers=CALLERS, events=20
                    ),
                ),
            ],
        )


def _reading(site: Site) -> Iterator[Case]:
    _fill(site, "read", events=READ)
    yield Case(
        f"reading a log of {READ:,} commits of one event, per event",
        [
            Contender(name="follow", sample=mongo_store.follow(site, "read", events=READ)),
            Contender(name="read", sample=mongo_store.read(site, "read", events=READ)),
            Contender(
                name="the driver's cursor",
                sample=mongo_driver.read(site, "read", events=READ),
                goal=">= 0.8",
            ),
        ],
    )


def _long_streams(site: Site, random: Random) -> Iterator[Case]:
    aggregate_id = _fill(site, "long", events=LONG, size=LARGE)
    for title, cache_size, snapshot_every in (
        ("state cached", 10_000, None),
        ("not cached, snapshots", 0, LARGE),
    ):
        short = mongo_store.deposit(
            site,
            "long",
            accounts=LARGE,
            events=EVENTS,
            random=random,
            cache_size=cache_size,
            snapshot_every=snapshot_every,
        )
        long = mongo_store.deposit_on(
            site,
            "long",
            aggregate_id,
            times=LARGE,
            cache_size=cache_size,
            snapshot_every=snapshot_every,
        )
        yield Case(
            f"dispatch, {title}, one caller",
            [
                Contender(name=f"on {EVENTS} events", sample=short),
                Contender(name=f"on {LONG:,} events", sample=long, goal="<= 1.2"),
            ],
        )


def _memory(site: Site) -> Iterator[str]:
    _fill(site, "large", events=LOG, size=LARGE)
    growth_mb = mongo_processes.growth_mb(site.url, "large", LOG)
    yield f"{'memory':<52}{'MB':>9}{'':26}  goal"
    found = "unknown" if growth_mb is None else f"{growth_mb:.1f}"
    yield f"  {f'growth while a log of {LOG:,} events is followed':<50}{found:>9}{'':26}  < 50"


def _fill(site: Site, bucket: str, *, events: int, size: int = 1) -> str:
    """Make a bucket with one account of so many events, and return the account's id."""
    aggregate_id = new_id()

    async def filled() -> None:
        async with MongoStore(site.client, bucket):
            await fill(events_of(site.client, bucket), [aggregate_id], events, size=size)

    site.runner.run(filled())
    return aggregate_id


@contextmanager
def _site() -> Iterator[Site]:
    with mongo_replica_set() as replica_set, asyncio.Runner() as runner:
        client: AsyncMongoClient[Document] = AsyncMongoClient(replica_set.url)
        try:
            yield Site(replica_set.url, client, runner)
        finally:
            runner.run(client.close())
