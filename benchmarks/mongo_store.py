"""The cost of eventhus on MongoDB."""

from __future__ import annotations

from contextlib import aclosing
from random import Random

from attrs import evolve

from benchmarks.eventhus_bank import ACCOUNT, Deposit, application
from benchmarks.harness import Sample, Stopwatch
from benchmarks.mongo_site import Site, at_once, commit, events_of, fill, touched
from eventhus import Query, new_id
from eventhus.ports import Condition, Page
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


def append(
    site: Site, bucket: str, *, callers: int, events: int, condition: Condition | None = None
) -> Sample:
    """Measure an append of one event; each caller has a stream of its own, of so many.

    Args:
        site: Where.
        bucket: Whose log grows by it.
        callers: How many callers there are.
        events: How many events each appends.
        condition: What must not be in the log. It is moved on to the end of the log at the start.
    """

    async def sample() -> float:
        async with MongoStore(site.client, bucket) as store:
            known = condition and evolve(condition, after=await store.head())
            with Stopwatch() as stopwatch:
                await at_once(callers, range(callers), lambda _: write(store, events, known))
        return stopwatch.seconds / (callers * events)

    return site.sample(sample)


async def write(store: MongoStore, events: int, condition: Condition | None = None) -> None:
    """Write a stream, event by event, each under the condition if there is one."""
    aggregate_id = new_id()
    for version in range(events):
        stored = await store.append(commit(aggregate_id, version, condition=condition))
        # A decision looks at the log up to its end before it appends again.
        condition = condition and evolve(condition, after=stored.last_position)


def read(site: Site, bucket: str, *, events: int) -> Sample:
    """Measure the reading of a whole log, page by page, per event."""

    async def sample() -> float:
        async with MongoStore(site.client, bucket) as store:
            position = seen = 0
            with Stopwatch() as stopwatch:
                while (page := await store.read(after=position)).events:
                    seen += _touched(page)
                    position = page.position
        if seen != events:
            raise AssertionError(seen)
        return stopwatch.seconds / events

    return site.sample(sample)


def follow(
    site: Site, bucket: str, *, events: int, query: Query | None = None, found: int | None = None
) -> Sample:
    """Measure the following of a whole log, per event.

    Args:
        site: Where.
        bucket: The log.
        events: How many events it has.
        query: The events that are wanted, if not all.
        found: How many these are.
    """

    async def sample() -> float:
        async with MongoStore(site.client, bucket) as store:
            with Stopwatch() as stopwatch:
                seen = await followed(store, events, query)
        if seen != (events if found is None else found):
            raise AssertionError(seen)
        return stopwatch.seconds / events

    return site.sample(sample)


async def followed(store: MongoStore, until: int, query: Query | None = None) -> int:
    """Follow the log from its first event up to a position; return the number of events seen."""
    seen = 0
    async with aclosing(store.follow(query)) as pages:
        async for page in pages:
            seen += _touched(page)
            if page.position >= until:
                break
    return seen


def _touched(page: Page) -> int:
    return sum([touched(each.event.type, each.event.data, each.position) for each in page.events])
