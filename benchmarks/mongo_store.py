"""The cost of eventhus on MongoDB."""

from __future__ import annotations

from contextlib import aclosing
from random import Random

from benchmarks.eventhus_bank import ACCOUNT, Deposit, application
from benchmarks.harness import Sample, Stopwatch
from benchmarks.mongo_site import Site, at_once, commit, events_of, fill
from eventhus import new_id
from eventhus_mongo import MongoStore


def deposit(
    site: Site,
    bucket: str,
    *,
    accounts: int,
    events: int,
    times: int = 1,
    callers: int = 1,
    random: Random,
    cache_size: int = 10_000,
    snapshot_every: int | None = None,
) -> Sample:
    """Measure a dispatch on new accounts.

    Args:
        site: Where.
        bucket: Whose log grows by it.
        accounts: How many accounts there are.
        events: How many events each has at the start, one to a commit.
        times: How many deposits each gets.
        callers: How many commands are under way at once.
        random: Gives the order of the deposits.
        cache_size: As for ``Application``. Unless it is 0, all accounts are cached.
        snapshot_every: As for ``Application``.
    """

    async def sample() -> float:
        ids = [new_id() for _ in range(accounts)]
        await fill(events_of(site.client, bucket), ids, events)
        jobs = [Deposit(aggregate_id=aggregate_id, amount=3) for aggregate_id in ids * times]
        random.shuffle(jobs)
        async with application(
            MongoStore(site.client, bucket),
            cache_size,
            workers=callers,
            snapshot_every=snapshot_every,
        ) as app:
            if cache_size:
                await at_once(callers, ids, lambda each: app.load(ACCOUNT, each))
            with Stopwatch() as stopwatch:
                await at_once(callers, jobs, app.dispatch)
        return stopwatch.seconds / len(jobs)

    return site.sample(sample)


def deposit_on(
    site: Site,
    bucket: str,
    aggregate_id: str,
    *,
    times: int,
    cache_size: int = 10_000,
    snapshot_every: int | None = None,
) -> Sample:
    """Measure one dispatch after another on an account with a long stream."""
    one = Deposit(aggregate_id=aggregate_id, amount=3)

    async def sample() -> float:
        store = MongoStore(site.client, bucket)
        if snapshot_every is not None:
            async with application(store, cache_size, snapshot_every=snapshot_every) as app:
                await app.dispatch(one)  # takes the first snapshot, if there is none yet
        async with application(store, cache_size, snapshot_every=snapshot_every) as app:
            if cache_size:
                await app.load(ACCOUNT, aggregate_id)
            with Stopwatch() as stopwatch:
                await at_once(1, [one] * times, app.dispatch)
        return stopwatch.seconds / times

    return site.sample(sample)


def append(site: Site, bucket: str, *, callers: int, events: int) -> Sample:
    """Measure an append of one event; each caller has a stream of its own, of so many."""

    async def sample() -> float:
        async with MongoStore(site.client, bucket) as store:
            with Stopwatch() as stopwatch:
                await at_once(callers, range(callers), lambda _: write(store, events))
        return stopwatch.seconds / (callers * events)

    return site.sample(sample)


async def write(store: MongoStore, events: int) -> None:
    """Write a stream, event by event."""
    aggregate_id = new_id()
    for version in range(events):
        await store.append(commit(aggregate_id, version))


def read(site: Site, bucket: str, *, events: int) -> Sample:
    """Measure the reading of a whole log, page by page, per event."""

    async def sample() -> float:
        async with MongoStore(site.client, bucket) as store:
            position = 0
            with Stopwatch() as stopwatch:
                while (page := await store.read(after=position)).events:
                    position = page.position
        if position != events:
            raise AssertionError(position)
        return stopwatch.seconds / events

    return site.sample(sample)


def follow(site: Site, bucket: str, *, events: int) -> Sample:
    """Measure the following of a whole log, as far as it goes, per event."""

    async def sample() -> float:
        async with MongoStore(site.client, bucket) as store:
            with Stopwatch() as stopwatch:
                await followed(store, events)
        return stopwatch.seconds / events

    return site.sample(sample)


async def followed(store: MongoStore, until: int) -> None:
    """Follow the log from its first event up to a position."""
    async with aclosing(store.follow()) as pages:
        async for page in pages:
            if page.position == until:
                return
