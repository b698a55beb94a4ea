"""The other process of the trace: a relay, a handler, a process and a view, on real servers.

It takes the URL of the store, the URL of the bus and the bucket, and prints its spans as JSON.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from eventhus import Application, Delivered, Process, View
from tests.adapters.otel.support import Telemetry, bill, billing, order, spending


async def work(
    telemetry: Telemetry,
    store: str,
    bus: str,
    bucket: str,
    *,
    processes: list[Process[Any, Any]],
    views: list[View[Any, Any]],
) -> None:
    """Work until a handler has got one event."""
    handled = asyncio.Event()

    async def handle(_: Delivered[Any]) -> None:
        handled.set()

    async with Application.open(
        bucket=bucket,
        aggregates=[order, bill],
        processes=processes,
        views=views,
        store=store,
        bus=bus,
        observer=telemetry.observer,
    ) as app:
        await app.subscribe(handle, group="mailer", start="beginning")
        await handled.wait()
        for view in views:
            await app.caught_up(view)
        for process in processes:  # or its reaction might be cancelled at its end
            await app.caught_up(process)


async def main(store: str, bus: str, bucket: str) -> None:
    """Publish and handle the order, then bill it, and publish and handle the bill."""
    telemetry = Telemetry("worker")
    # One after the other, so that the relay never publishes both events in one batch.
    await work(telemetry, store, bus, bucket, processes=[], views=[])
    await work(telemetry, store, bus, bucket, processes=[billing], views=[spending])
    for span in telemetry.spans:
        print(span.to_json(indent=None))  # noqa: T201 - the other process reads it


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
