"""What the fault tests share: writers, workers in processes of their own, and the verdict."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from random import Random

from eventhus import EventhusError, StreamId, new_id
from eventhus.ports import (
    Commit,
    EventData,
    Part,
)
from eventhus.runtime.clock import SystemClock
from eventhus_mongo import MongoStore
from tests.adapters.nats.support import plain

ROOT = Path(__file__).parents[4]
STREAMS = 10
WINDOW_MS = 120_000


@contextmanager
def worker(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A worker process, which is told to end in good order, if it still lives."""
    command = [sys.executable, "-m", "tests.adapters.nats.faults.worker", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            finally:
                process.kill()


async def write(store: MongoStore, random: Random, enough: asyncio.Event) -> None:
    """Append to the streams, a bit at a time, until it is enough."""
    while not enough.is_set():
        commit = Commit(
            id=new_id(),
            parts=[
                Part(
                    stream=StreamId("Account", f"a{random.randrange(STREAMS)}"),
                    events=[EventData("AccountCreated", {"owner": "x"})] * random.randint(1, 3),
                    expected_version=None,
                )
            ],
            recorded_at=SystemClock().now(),
        )
        while True:
            try:
                await store.append(commit)
                break
            except EventhusError:  # the same commit again is stored once
                await asyncio.sleep(0.05)
        await asyncio.sleep(0.001)


@asynccontextmanager
async def writing(mongo: str, bucket: str, seed: int) -> AsyncIterator[MongoStore]:
    """Let some writers append meanwhile."""
    async with MongoStore.open(mongo, bucket) as store:
        enough = asyncio.Event()
        writers = [
            asyncio.create_task(write(store, Random(f"{seed}{n}"), enough)) for n in range(3)
        ]
        try:
            yield store
        finally:
            enough.set()
            await asyncio.gather(*writers)


async def all_published(store: MongoStore, patience_s: float = 60) -> int:
    """Wait until the relay's checkpoint is at the end of the log, which is returned."""
    head = await store.head()
    async with asyncio.timeout(patience_s):
        while (await store.load_checkpoint("relay")).position < head:
            await asyncio.sleep(0.05)
    return head


async def published(url: str, bucket: str) -> list[str]:
    """The ids in the stream, in its order, as a plain client reads them."""
    ids: list[str] = []
    async with plain(url) as (_, jetstream):
        size = (await jetstream.stream_info(bucket)).state.messages
        reader = await jetstream.pull_subscribe(f"{bucket}.*", stream=bucket)
        while len(ids) < size:
            for each in await reader.fetch(min(500, size - len(ids)), timeout=10):
                ids.append((each.headers or {})["Nats-Msg-Id"])
                await each.ack()
    return ids


async def verdict(store: MongoStore, url: str, bucket: str) -> int:
    """Everything in the log is in the stream, in the order of the log; returns the repeats."""
    found = await published(url, bucket)
    expected: list[str] = []
    while (page := await store.read(after=len(expected))).events:
        expected += [each.id for each in page.events]
    assert expected == [*dict.fromkeys(found)]
    return len(found) - len(expected)
