"""The floor: the bare driver, one document per event, no order between streams."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random

from pymongo import ASCENDING, AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection

from benchmarks.harness import Sample, Stopwatch
from benchmarks.mongo_site import CHUNK, Document, Site, at_once, events_of, touched
from eventhus import new_id
from eventhus.runtime.commands.keyed_lock import KeyedLock


def deposit(
    site: Site, *, accounts: int, events: int, times: int, callers: int, random: Random
) -> Sample:
    """Measure a command by hand: ``find`` the stream, fold it, and ``insert_one`` event.

    Args:
        site: Where.
        accounts: How many accounts there are. Callers of one account take turns.
        events: How many events each has at the start.
        times: How many deposits each gets.
        callers: How many commands are under way at once.
        random: Gives the order of the deposits.
    """

    async def sample() -> float:
        collection = await prepared(site.client)
        ids = [new_id() for _ in range(accounts)]
        await _fill(collection, ids, events)
        jobs = ids * times
        random.shuffle(jobs)
        turns: KeyedLock[str] = KeyedLock()

        async def handle(aggregate_id: str) -> None:
            await turns.acquire(aggregate_id)
            try:
                version = balance = 0
                async for found in collection.find(
                    {"aggregate_id": aggregate_id, "aggregate_type": "Account"}
                ).sort("version", ASCENDING):
                    version = found["version"]
                    balance += found["data"].get("amount", 0)
                if balance < 0:
                    raise AssertionError(balance)
                await collection.insert_one(_document(aggregate_id, version + 1))
            finally:
                turns.release(aggregate_id)

        with Stopwatch() as stopwatch:
            await at_once(callers, jobs, handle)
        return stopwatch.seconds / len(jobs)

    return site.sample(sample)


def append(site: Site, *, callers: int, events: int) -> Sample:
    """Measure an ``insert_one``; each caller has a stream of its own, of so many events."""

    async def sample() -> float:
        collection = await prepared(site.client)
        with Stopwatch() as stopwatch:
            await at_once(callers, range(callers), lambda _: write(collection, events))
        return stopwatch.seconds / (callers * events)

    return site.sample(sample)


def read(site: Site, bucket: str, *, events: int) -> Sample:
    """Measure the reading of a whole log, with the type, data and position of each event."""

    async def sample() -> float:
        seen = 0
        with Stopwatch() as stopwatch:
            async for document in events_of(site.client, bucket).find().sort("_id", ASCENDING):
                for position, event in enumerate(document["events"], document["_id"]):
                    seen += touched(event["type"], event["data"], position)
        if seen != events:
            raise AssertionError(seen)
        return stopwatch.seconds / events

    return site.sample(sample)


async def prepared(client: AsyncMongoClient[Document]) -> AsyncCollection[Document]:
    """Make a collection that admits one event per version of a stream."""
    collection = events_of(client, "driver")
    await collection.create_index(
        [("aggregate_id", ASCENDING), ("aggregate_type", ASCENDING), ("version", ASCENDING)],
        unique=True,
    )
    return collection


async def write(collection: AsyncCollection[Document], events: int) -> None:
    """Write a stream, event by event."""
    aggregate_id = new_id()
    for version in range(1, events + 1):
        await collection.insert_one(_document(aggregate_id, version))


async def _fill(collection: AsyncCollection[Document], ids: Sequence[str], events: int) -> None:
    documents = [
        _document(aggregate_id, version) for version in range(1, events + 1) for aggregate_id in ids
    ]
    for start in range(0, len(documents), CHUNK):
        await collection.insert_many(documents[start : start + CHUNK])


def _document(aggregate_id: str, version: int) -> Document:
    return {
        "_id": new_id(),
        "aggregate_type": "Account",
        "aggregate_id": aggregate_id,
        "version": version,
        "recorded_at": datetime.now(UTC),
        "type": "Deposited",
        "data": {"amount": 3},
    }
