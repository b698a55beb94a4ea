"""The cases on MongoDB: a replica set of one on this machine, majority writes, journaled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random

from pymongo import AsyncMongoClient

from benchmarks import mongo_driver, mongo_processes, mongo_store, mongo_views
from benchmarks.harness import Case, Contender, Sample
from benchmarks.mongo_site import Document, Site, events_of, fill, fill_mixed
from benchmarks.report import Report
from benchmarks.results import Figure
from eventhus import Query, new_id
from eventhus.ports import Condition
from eventhus_mongo import MongoStore
from eventhus_testing.servers import find_mongod, mongo_replica_set

LIBRARIES = ("eventhus", "pymongo")

ROUNDS = 7
CALLERS = 50
ACCOUNTS = 1000
EVENTS = 10  # on an account before the deposits
LONG = 100_000  # on a long one
READ = 20_000  # in the log that is read
TYPES = 20  # in the log of which one type is wanted
BUILT = 200_000  # in the log that a view is built from
KEYS = 2_000  # of that view
FOUND = 100_000  # keys of the view that is searched
LOG = 1_000_000  # in the one that is followed in a process of its own
LARGE = 100  # events in a commit where no case depends on it


def run(report: Report) -> None:
    """Measure everything."""
    if find_mongod() is None:
        report.nothing("there is no mongod on the PATH, nor one that pip has installed")
        return
    with mongo_site() as site:
        for case in cases(site, report.random):
            report.case(case)
        _memory(site, report)


def cases(site: Site, random: Random) -> Iterator[Case]:
    """Yield all timed cases; each is prepared when it is asked for."""
    yield from _dispatching(site, random)
    yield from _appending(site)
    yield from _conditions(site)
    yield from _reading(site)
    yield from _views(site)
    yield from _long_streams(site, random)


def _dispatching(site: Site, random: Random) -> Iterator[Case]:
    floor = mongo_driver.deposit(
        site, accounts=ACCOUNTS, events=EVENTS, times=2, callers=CALLERS, random=random
    )
    for title, cache_size, goal in (("cached", ACCOUNTS, 8), ("loaded", 0, 3.5)):
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
            f"dispatch, state {title}, {CALLERS} callers",
            [
                Contender(name="eventhus", sample=ours, against="find and insert_one", goal=goal),
                Contender(name="find and insert_one", sample=floor),
            ],
        )


def _appending(site: Site) -> Iterator[Case]:
    for title, callers, events, goal in (
        (f"{CALLERS} callers", CALLERS, 40, 5),
        ("one caller", 1, 300, 0.9),
    ):
        yield Case(
            f"append of one event, {title}",
            [
                Contender(
                    name="eventhus",
                    sample=mongo_store.append(site, "appended", callers=callers, events=events),
                    against="insert_one",
                    goal=goal,
                ),
                Contender(
                    name="insert_one",
                    sample=mongo_driver.append(site, callers=callers, events=events),
                ),
            ],
        )


def _conditions(site: Site) -> Iterator[Case]:
    def append(condition: Condition | None) -> Sample:
        return mongo_store.append(
            site, "conditional", callers=CALLERS, events=40, condition=condition
        )

    nothing = Condition(query=Query.of("SeatTaken", tags={"course:c1"}), after=0)
    yield Case(
        f"append of one event with a condition, {CALLERS} callers",
        [
            Contender(name="conditional", sample=append(nothing), against="plain", goal=0.8),
            Contender(name="plain", sample=append(None)),
        ],
    )


def _reading(site: Site) -> Iterator[Case]:
    fill_account(site, "read", events=READ)
    cursor = "the driver's cursor"
    yield Case(
        f"reading {READ:,} events, all parts looked at",
        [
            Contender(
                name="follow",
                sample=mongo_store.follow(site, "read", events=READ),
                against=cursor,
                goal=0.6,
            ),
            Contender(
                name="read",
                sample=mongo_store.read(site, "read", events=READ),
                against=cursor,
                goal=0.6,
            ),
            Contender(name=cursor, sample=mongo_driver.read(site, "read", events=READ)),
        ],
    )
    site.runner.run(fill_mixed(events_of(site.client, "mixed"), READ, TYPES))
    yield Case(
        f"following one type of {TYPES} wanted",
        [
            Contender(
                name="follow with a query",
                sample=mongo_store.follow(
                    site, "mixed", events=READ, query=Query.of("Happened3"), found=READ // TYPES
                ),
                against=cursor,
                goal=5,
            ),
            Contender(name=cursor, sample=mongo_driver.read(site, "mixed", events=READ)),
        ],
    )


def _views(site: Site) -> Iterator[Case]:
    mongo_views.prepare(site, events=BUILT, keys=KEYS)
    yield Case(
        f"building a view of {KEYS:,} keys from {BUILT:,} events",
        [
            Contender(
                name="eventhus",
                sample=mongo_views.build(site, events=BUILT),
                against="a bare loop",
                goal=0.5,
            ),
            Contender(name="a bare loop", sample=mongo_views.build_by_hand(site, events=BUILT)),
        ],
    )
    mongo_views.prepare_found(site, keys=FOUND)
    yield Case(
        f"finding {mongo_views.LIMIT} among {FOUND:,} along an index",
        [
            Contender(
                name="find", sample=mongo_views.find(site), against="the driver's find", goal=0.8
            ),
            Contender(
                name="the driver's find, with position and number of parked keys",
                sample=mongo_views.find_by_hand(site, whole=True),
                against="the driver's find",
            ),
            Contender(name="the driver's find", sample=mongo_views.find_by_hand(site)),
        ],
    )


def _long_streams(site: Site, random: Random) -> Iterator[Case]:
    aggregate_id = fill_account(site, "long", events=LONG, size=LARGE)
    for title, cache_size, snapshot_every in (
        ("state cached", 10_000, None),
        ("snapshot", 0, LARGE),
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
                Contender(
                    name=f"on {LONG:,} events",
                    sample=long,
                    against=f"on {EVENTS} events",
                    goal=0.9,
                ),
            ],
        )


def _memory(site: Site, report: Report) -> None:
    for size in (1, LARGE):
        bucket = f"large_{size}"
        fill_account(site, bucket, events=LOG, size=size)
        growth_mb = mongo_processes.growth_mb(site.url, bucket, LOG)
        if growth_mb is not None:
            title = f"growth while {LOG:,} events are followed, commits of {size}"
            report.figure(Figure(title, growth_mb, "MB", 10))


def fill_account(site: Site, bucket: str, *, events: int, size: int = 1) -> str:
    """Make a bucket with one account of so many events, and return the account's id."""
    aggregate_id = new_id()

    async def filled() -> None:
        async with MongoStore(site.client, bucket):
            await fill(events_of(site.client, bucket), [aggregate_id], events, size=size)

    site.runner.run(filled())
    return aggregate_id


@contextmanager
def mongo_site() -> Iterator[Site]:
    """Start a replica set of one, and an event loop with a client of it."""
    with mongo_replica_set() as replica_set, asyncio.Runner() as runner:
        client: AsyncMongoClient[Document] = AsyncMongoClient(replica_set.url)
        try:
            yield Site(replica_set.url, client, runner)
        finally:
            runner.run(client.close())
