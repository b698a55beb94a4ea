"""The server of the MongoDB cases, and the logs that they start from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias, TypeVar

from attrs import frozen
from pymongo import DESCENDING, AsyncMongoClient, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.read_concern import ReadConcern

from benchmarks.harness import Sample
from eventhus import Metadata, StreamId, new_id
from eventhus.ports import (
    Commit,
    Condition,
    EventData,
    Part,
)
from eventhus_mongo.commits import encode_commit, log_span
from eventhus_mongo.documents import OPTIONS

Document: TypeAlias = dict[str, Any]
T = TypeVar("T")

CHUNK = 2000  # documents in one insert_many


@frozen
class Site:
    """A server, and the client and the event loop that all cases use in turn."""

    url: str
    client: AsyncMongoClient[Document]
    runner: asyncio.Runner

    def sample(self, measure: Callable[[], Coroutine[Any, Any, float]]) -> Sample:
        """Turn a coroutine function into what the harness calls."""
        return lambda: self.runner.run(measure())


def events_of(client: AsyncMongoClient[Document], database: str) -> AsyncCollection[Document]:
    """Return a collection with the store's read and write concerns."""
    return client[database].get_collection(
        "events",
        read_concern=ReadConcern("majority"),
        write_concern=WriteConcern("majority", j=True),
    )


async def at_once(callers: int, jobs: Iterable[T], do: Callable[[T], Awaitable[object]]) -> None:
    """Do all jobs with so many callers, each of which takes the next job when it is free."""
    remaining = iter(jobs)

    async def caller() -> None:
        for job in remaining:
            await do(job)

    await asyncio.gather(*(caller() for _ in range(callers)))


async def fill(
    log: AsyncCollection[Document], ids: Sequence[str], events: int, *, size: int = 1
) -> None:
    """Put events of every account into a log, as the store would have, without its checks.

    Args:
        log: The events of a bucket that nobody is writing to.
        ids: The accounts, which have no events yet. Their commits alternate.
        events: How many for each, a multiple of ``size``.
        size: How many in each commit.
    """
    last = await log.with_options(codec_options=OPTIONS).find_one(sort=[("_id", DESCENDING)])
    position = 1 if last is None else log_span(last).last + 1
    chunk: list[Document] = []
    for number in range(0, events, size):
        for aggregate_id in ids:
            encoded = encode_commit(commit(aggregate_id, number, size))
            chunk.append(encoded.at(position, [number + 1]))
            position += size
            if len(chunk) == CHUNK:
                await log.insert_many(chunk)
                chunk = []
    if chunk:
        await log.insert_many(chunk)


def commit(
    aggregate_id: str, version: int, size: int = 1, condition: Condition | None = None
) -> Commit:
    """Make the commit of an account that follows ``version``."""
    commit_id = new_id()
    return Commit(
        id=commit_id,
        parts=[
            Part(
                stream=StreamId("Account", aggregate_id),
                events=[*_events(version, size)],
                expected_version=version,
            )
        ],
        condition=condition,
        recorded_at=datetime.now(UTC),
        metadata=Metadata(correlation_id=commit_id),
    )


def _events(version: int, size: int) -> Iterator[EventData]:
    for number in range(version, version + size):
        if number == 0:
            yield EventData("AccountOpened", {"owner": "Ada"})
        else:
            yield EventData("Deposited", {"amount": 3})


async def fill_mixed(log: AsyncCollection[Document], events: int, types: int) -> None:
    """Fill an empty log with commits of one event each, of so many types in turn."""
    chunk: list[Document] = []
    for number in range(events):
        event = EventData(f"Happened{number % types}", {"amount": 3})
        part = Part(stream=StreamId("Thing", new_id()), events=[event], expected_version=0)
        happened = Commit(id=new_id(), parts=[part], recorded_at=datetime.now(UTC))
        chunk.append(encode_commit(happened).at(number + 1, [1]))
    for start in range(0, events, CHUNK):
        await log.insert_many(chunk[start : start + CHUNK])


def touched(type_: str, data: Mapping[str, Any], position: int) -> int:
    """Do with an event what every reader does, and return 1."""
    return 1 if type_ and data and position else 0
