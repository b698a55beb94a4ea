"""Print how long each page of the web console takes, with a large log on MongoDB.

``python -m benchmarks.console`` stores 1,000,000 events in 100,000 streams, builds a view of them
and asks for every page. It needs a few minutes and asserts nothing. The time of a page is that of
the whole request, without a browser. The goal is 200 ms.
"""

import argparse
import asyncio
import logging
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from httpx2 import ASGITransport, AsyncClient

from eventhus import Application, Metadata, StreamId
from eventhus.ports import Commit, EventData, Part
from eventhus_cattrs import CattrsCodec
from eventhus_console import console
from eventhus_mongo import MongoStore
from eventhus_testing.servers import mongo_replica_set
from examples.shop.fulfilment import fulfilment
from examples.shop.order import order
from examples.shop.payment import payment
from examples.shop.stock import GoodsReceived, stock
from examples.shop.views import orders, shelf

GOAL_MS = 200
CALLERS = 200
CONVERSATION = "talk"
GROUP = "mailer"


async def fill(store: MongoStore, streams: int, events: int) -> None:
    """Store as many events in as many streams, each of them in one commit."""
    each = events // streams
    ahead = iter(range(streams))

    async def append() -> None:
        for number in ahead:
            received = [
                EventData(
                    "GoodsReceived",
                    {"quantity": index + 1, "price": f"{number % 500}.00"},
                    tags=frozenset({f"shelf:{number % 1000}"}),
                )
                for index in range(each)
            ]
            part = Part(
                stream=StreamId("Stock", f"p-{number:06}"), events=received, expected_version=0
            )
            talk = CONVERSATION if number < 20 else f"talk-{number}"
            await store.append(
                Commit(
                    id=f"fill-{number:06}",
                    parts=[part],
                    recorded_at=datetime.now(UTC),
                    metadata=Metadata(correlation_id=talk, values={"user": "ann"}),
                )
            )

    await asyncio.gather(*(append() for _ in range(CALLERS)))


async def handle(_: object) -> None:
    """Fail, so that there are dead letters."""
    raise ConnectionRefusedError


@asynccontextmanager
async def large_shop(url: str, streams: int, events: int) -> AsyncIterator[Application]:
    """Fill a bucket, and open the shop on it once its views have caught up."""
    app = Application(
        bucket="large",
        aggregates=[order, stock, payment],
        views=[orders, shelf],
        processes=[fulfilment],
        store=MongoStore.open(url, "large"),
        codec=CattrsCodec(),
        shutdown_timeout_s=1,
    )
    began = time.monotonic()
    async with MongoStore.open(url, "large") as store:
        await fill(store, streams, events)
    print(f"{events:,} events in {streams:,} streams stored: {time.monotonic() - began:.0f} s")
    async with app:
        began = time.monotonic()
        await app.subscribe(
            handle, group=GROUP, types=[GoodsReceived], start=events - 50, attempts=1
        )
        for each in (shelf, orders, fulfilment):
            await app.caught_up(each)
        print(f"views caught up: {time.monotonic() - began:.0f} s")
        yield app


def pages(streams: int, events: int) -> dict[str, str]:
    """Return the pages to measure, by what they show."""
    middle = f"p-{streams // 2:06}"
    return {
        "overview": "",
        "log": "log",
        "log, in the middle": f"log?before={events // 2}",
        "log, a type": "log?type=GoodsReceived",
        "log, a type without events": "log?type=OrderPlaced",
        "log, a tag": "log?tag=shelf:500",
        "event": f"event?at={events // 2}",
        "conversation": f"conversation?id={CONVERSATION}",
        "streams": "streams",
        "streams, by a prefix": "streams?type=Stock&prefix=p-05",
        "streams, in the middle": f"streams?type=Stock&after_type=Stock&after_id={middle}",
        "stream": f"stream?type=Stock&id={middle}",
        "stream, an earlier version": f"stream?type=Stock&id={middle}&version=3",
        "views": "views",
        "view": "view?name=shelf",
        "view, found by a price": "view?name=shelf&where.price=250",
        "view, ordered by price": "view?name=shelf&order=-price",
        "document": f"document?kind=view&name=shelf&key={middle}",
        "processes": "processes",
        "process": "process?name=fulfilment",
        "groups": "groups",
        "group with dead letters": f"group?name={GROUP}",
        "leases": "leases",
    }


async def measure(url: str, streams: int, events: int, rounds: int) -> None:
    """Print the median and the slowest time of each page."""
    async with (
        large_shop(url, streams, events) as app,
        AsyncClient(transport=ASGITransport(console(app)), base_url="http://console/") as client,
    ):
        print(f"{'page':32} {'median':>9} {'slowest':>9}")
        for name, path in pages(streams, events).items():
            times_ms: list[float] = []
            for _ in range(rounds):
                began = time.perf_counter()
                response = await client.get(path)
                times_ms.append(1000 * (time.perf_counter() - began))
                response.raise_for_status()
            median = statistics.median(times_ms)
            late = "" if median < GOAL_MS else "  above the goal"
            print(f"{name:32} {median:6.0f} ms {max(times_ms):6.0f} ms{late}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=11)
    options = parser.parse_args()
    logging.disable()  # of the dead letters
    with mongo_replica_set(members=1) as replica_set:
        asyncio.run(measure(replica_set.url, options.streams, options.events, options.rounds))
