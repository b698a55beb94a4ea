"""Racers in a process: they take seats, and note in a journal what they were told.

Run as: ``python -m tests.adapters.mongo.faults.racer URL BUCKET SEED JOURNAL``. It may be killed at
any time and started again under another seed; on SIGTERM it settles what it has sent and ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random

from attrs import asdict

from eventhus.errors import StoreUnavailable
from eventhus_mongo import MongoStore
from eventhus_testing.conformance.store.seat_race import Attempt, Racer

RACERS = 8  # of a process
STORES = 2


def attempts(path: Path) -> Iterator[Attempt]:
    """Yield all that a process has noted."""
    for line in path.read_text().splitlines():
        yield Attempt(**json.loads(line))


async def _enter(entered: AsyncExitStack, store: MongoStore) -> None:
    """Enter a store, while there may be no primary."""
    while True:
        try:
            await entered.enter_async_context(store)
        except StoreUnavailable:
            continue
        return


async def main(url: str, bucket: str, seed: str, journal: str) -> None:
    """Race until SIGTERM."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    file = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def note(attempt: Attempt) -> None:
        # Once this returns, SIGKILL does not take it away.
        os.write(file, f"{json.dumps(asdict(attempt))}\n".encode())

    stores = [MongoStore.open(url, bucket) for _ in range(STORES)]
    async with AsyncExitStack() as entered, asyncio.TaskGroup() as racing:
        for store in stores:
            await _enter(entered, store)
        for number in range(RACERS):
            racer = Racer(stores[number % STORES], Random(f"{seed}.{number}"), note)
            _ = racing.create_task(racer.run(over.is_set))
    os.close(file)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
