"""A worker process for tests to kill: it relays the bank's log, or handles its events."""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from eventhus import Application, Delivered
from eventhus.runtime.readers import leased_reader
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_nats import NatsBus
from tests.adapters.nats.test_wire import account


def bank(mongo: str, nats: str, bucket: str, window_ms: int) -> Application:
    """The bank on both servers."""
    return Application(
        bucket=bucket,
        aggregates=[account],
        store=MongoStore.open(mongo, bucket),
        bus=NatsBus.open(nats, bucket, duplicate_window=timedelta(milliseconds=window_ms)),
        codec=CattrsCodec(),
    )


async def handle(app: Application, effects: Path, hang_at: int) -> None:
    """Note each event in a file; at one of them, hang behind the effect."""
    noted = 0

    async def note(delivered: Delivered[Any]) -> None:
        nonlocal noted
        with effects.open("a") as file:
            file.write(f"{delivered.stream.aggregate_id} {delivered.version} {delivered.attempt}\n")
        noted += 1
        if noted == hang_at:
            print("hanging", flush=True)
            await asyncio.Event().wait()

    async with app:
        await app.subscribe(note, group="g", concurrency=4)
        print("ready", flush=True)
        await app.run()


def main() -> None:
    """Work as the command line says."""
    role, mongo, nats, bucket, window_ms, *rest = sys.argv[1:]
    leased_reader.LEASE_S = 2.0  # a killed relay is replaced sooner
    app = bank(mongo, nats, bucket, int(window_ms))
    if role == "relay":
        asyncio.run(app.run())
    else:
        asyncio.run(handle(app, Path(rest[0]), int(rest[1])))


if __name__ == "__main__":
    main()
