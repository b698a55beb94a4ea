"""Measurements in separate processes: concurrent appends, and memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from time import monotonic
from typing import TypeAlias

from attrs import frozen
from pymongo import AsyncMongoClient

from benchmarks import mongo_driver, mongo_store
from benchmarks.harness import Sample
from benchmarks.mongo_site import Document, at_once
from eventhus_mongo import MongoStore

_SPAWN = get_context("spawn")

Append: TypeAlias = Callable[[str, int, int], tuple[float, float]]
"""Takes the server's URL, the number of callers and the events that each appends; returns when it
began and when it ended, on a clock that all processes share."""


@frozen
class Writers:
    """Processes that append at the same time."""

    url: str
    count: int
    pool: ProcessPoolExecutor

    def sample(self, append: Append, *, callers: int, events: int) -> Sample:
        """Measure an append, per event of all processes.

        Args:
            append: One of those below.
            callers: How many appends are under way at once in each process.
            events: How many each caller appends.
        """

        def sample() -> float:
            jobs = [self.pool.submit(append, self.url, callers, events) for _ in range(self.count)]
            times = [job.result() for job in jobs]
            seconds = max(end for _, end in times) - min(start for start, _ in times)
            return seconds / (self.count * callers * events)

        return sample


@contextmanager
def writers(url: str, count: int) -> Iterator[Writers]:
    """Start processes that stay for the time of the context."""
    with ProcessPoolExecutor(
        count, mp_context=_SPAWN, initializer=_join, initargs=(_SPAWN.Barrier(count),)
    ) as pool:
        yield Writers(url, count, pool)


def append_to_store(url: str, callers: int, events: int) -> tuple[float, float]:
    """Append to one bucket."""

    async def run() -> tuple[float, float]:
        async with MongoStore.open(url, "processes") as store:
            return await _timed(callers, lambda: mongo_store.write(store, events))

    return asyncio.run(run())


def append_by_driver(url: str, callers: int, events: int) -> tuple[float, float]:
    """Insert into one collection."""

    async def run() -> tuple[float, float]:
        client: AsyncMongoClient[Document] = AsyncMongoClient(url)
        async with client:
            collection = await mongo_driver.prepared(client)
            return await _timed(callers, lambda: mongo_driver.write(collection, events))

    return asyncio.run(run())


def growth_mb(url: str, bucket: str, events: int) -> float | None:
    """Return by how much the memory of a process grows while it follows a log from its start.

    ``None`` where the system does not tell.
    """
    with ProcessPoolExecutor(1, mp_context=_SPAWN) as pool:
        return pool.submit(_growth_mb, url, bucket, events).result()


def _growth_mb(url: str, bucket: str, events: int) -> float | None:
    async def run() -> float | None:
        async with MongoStore.open(url, bucket) as store:
            before = resident_mb("VmRSS")
            await mongo_store.followed(store, events)
            peak = resident_mb("VmHWM")
        return None if before is None or peak is None else peak - before

    return asyncio.run(run())


def resident_mb(field: str) -> float | None:
    """Read this process's memory from Linux: VmRSS is resident now, VmHWM is the peak."""
    status = Path("/proc/self/status")
    if not status.exists():
        return None
    for line in status.read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    return None


_barrier: Barrier


def _join(barrier: Barrier) -> None:
    global _barrier  # noqa: PLW0603 - how a process of a pool is given what cannot be sent later
    _barrier = barrier


async def _timed(callers: int, write: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    _barrier.wait()  # nothing else happens in this process
    started = monotonic()
    await at_once(callers, range(callers), lambda _: write())
    return started, monotonic()
