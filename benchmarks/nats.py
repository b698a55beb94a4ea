"""The cases on NATS: from the log in MongoDB to JetStream, and from JetStream to a handler."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from statistics import median, quantiles
from time import perf_counter
from typing import Any

import nats as driver
from attrs import frozen
from nats.js.api import AckPolicy, ConsumerConfig
from pymongo import ASCENDING, AsyncMongoClient

from benchmarks.harness import Case, Contender, Sample, Stopwatch
from benchmarks.mongo_site import Document, events_of, fill
from benchmarks.report import Report
from benchmarks.results import Figure
from eventhus import Aggregate, Application, Command, Recorded, new_id
from eventhus.ports import Message
from eventhus.runtime.clock import SystemClock
from eventhus.runtime.messaging.wire import to_message
from eventhus.runtime.readers.relay import Relay
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryStore
from eventhus_mongo import MongoStore
from eventhus_nats import NatsBus
from eventhus_testing.servers import (
    find_mongod,
    find_nats_server,
    mongo_replica_set,
    nats_server,
)

LIBRARIES = ("eventhus", "nats-py", "pymongo")

ROUNDS = 5
EVENTS = 20_000  # relayed, and delivered, in one sample
ACCOUNTS = 500
WINDOW = 256  # unacknowledged messages, as our own publisher has them
FETCH = 100
COMMITS = 200  # one after the other, on an idle system


@frozen
class AccountOpened:
    """The first event of an account."""

    owner: str


@frozen
class Deposited:
    """Money came in."""

    amount: int


@frozen(kw_only=True)
class Deposit(Command):
    """Pay in."""

    amount: int


def decide(command: Deposit, balance: int) -> Iterator[AccountOpened | Deposited]:
    """Anything goes."""
    yield Deposited(command.amount)


def evolve(balance: int, event: AccountOpened | Deposited) -> int:
    """Count it."""
    return balance + event.amount if isinstance(event, Deposited) else balance


account = Aggregate(name="Account", initial=0, decide=decide, evolve=evolve)


@frozen
class Site:
    """Both servers, and the event loop that all cases use in turn."""

    mongo: str
    nats: str
    client: AsyncMongoClient[Document]
    runner: asyncio.Runner


def run(report: Report) -> None:
    """Measure everything."""
    if find_mongod() is None or find_nats_server() is None:
        report.nothing("there is no mongod, or no nats-server, to be found")
        return
    with mongo_replica_set() as mongo, nats_server() as nats, asyncio.Runner() as runner:
        client: AsyncMongoClient[Document] = AsyncMongoClient(mongo.url)
        site = Site(mongo.url, nats.url, client, runner)
        try:
            runner.run(_fill(site))
            for case in (_relaying(site), _delivering(site)):
                report.case(case)
            _from_commit_to_handler(site, report)
        finally:
            runner.run(client.close())


def _relaying(site: Site) -> Case:
    bare = "driver's cursor, publish_async"
    return Case(
        f"from the log to JetStream, {EVENTS:,} events",
        [
            Contender(name=bare, sample=_bare_relay(site)),
            Contender(name="eventhus relay", sample=_relay(site), against=bare, goal=1),
        ],
    )


def _delivering(site: Site) -> Case:
    bare = f"pull loop, fetch {FETCH}, ack"
    return Case(
        f"from JetStream to a handler, {EVENTS:,} events",
        [
            Contender(name=bare, sample=_bare_pull(site)),
            Contender(name="NatsBus.subscribe", sample=_bus_subscriber(site), against=bare, goal=1),
            Contender(
                name="Application.subscribe, decoded",
                sample=_app_subscriber(site),
                against=bare,
                goal=1.2,
            ),
        ],
    )


async def _fill(site: Site) -> None:
    async with MongoStore(site.client, "log") as store:
        ids = [new_id() for _ in range(ACCOUNTS)]
        await fill(events_of(site.client, "log"), ids, EVENTS // ACCOUNTS)
        async with NatsBus.open(site.nats, "delivered") as bus:
            publisher = await bus.publisher()
            after = 0
            while (page := await store.read(after=after)).events:
                await publisher.publish([to_message(each) for each in page.events])
                after = page.position


def _bare_relay(site: Site) -> Sample:
    async def measure() -> float:
        bucket = f"bare_{new_id().lower()}"
        client = await driver.connect(site.nats)
        jetstream = client.jetstream(publish_async_max_pending=WINDOW)
        await jetstream.add_stream(name=bucket, subjects=[f"{bucket}.*"])
        with Stopwatch() as watch:
            found = events_of(site.client, "log").find().sort("_id", ASCENDING).batch_size(1000)
            futures: list[asyncio.Future[Any]] = []
            async for document in found:
                part = document["parts"][0]
                for number, event in enumerate(document["events"]):
                    body = json.dumps(
                        {
                            "aggregate_id": part["id"],
                            "aggregate_type": part["type"],
                            "version": part["version"] + number,
                            "type": event["type"],
                            "data": event["data"],
                        }
                    ).encode()
                    futures.append(
                        await jetstream.publish_async(
                            f"{bucket}.account",
                            body,
                            headers={"Nats-Msg-Id": f"{document['commit_id']}-{number}"},
                        )
                    )
            await asyncio.gather(*futures)
        await jetstream.delete_stream(bucket)
        await client.close()
        return watch.seconds / EVENTS

    return lambda: site.runner.run(measure())


def _relay(site: Site) -> Sample:
    async def measure() -> float:
        bucket = f"ours_{new_id().lower()}"
        await site.client["log"]["checkpoints"].delete_many({})
        await site.client["log"]["leases"].delete_many({})
        async with MongoStore(site.client, "log") as store, NatsBus.open(site.nats, bucket) as bus:
            relay = Relay(store, bus, SystemClock(), owner=new_id())
            with Stopwatch() as watch:
                running = asyncio.create_task(relay.run())
                await relay.drain()
            running.cancel()
            await asyncio.wait([running])
        await _drop(site, bucket)
        return watch.seconds / EVENTS

    return lambda: site.runner.run(measure())


def _bare_pull(site: Site) -> Sample:
    async def measure() -> float:
        client = await driver.connect(site.nats)
        jetstream = client.jetstream()
        name = new_id()
        await jetstream.add_consumer(
            "delivered",
            ConsumerConfig(durable_name=name, ack_policy=AckPolicy.EXPLICIT, max_ack_pending=1024),
        )
        pulling = await jetstream.pull_subscribe_bind(name, "delivered")
        handled = 0

        async def handle(_: object) -> None:
            nonlocal handled
            handled += 1

        with Stopwatch() as watch:
            while handled < EVENTS:
                for each in await pulling.fetch(FETCH):
                    await handle(each)
                    await each.ack()
        await jetstream.delete_consumer("delivered", name)
        await client.close()
        return watch.seconds / EVENTS

    return lambda: site.runner.run(measure())


def _bus_subscriber(site: Site) -> Sample:
    async def measure() -> float:
        done = asyncio.Event()
        handled = 0

        async def handle(_: Message) -> None:
            nonlocal handled
            handled += 1
            if handled == EVENTS:
                done.set()

        group = await _group(site)
        async with NatsBus.open(site.nats, "delivered") as bus:
            with Stopwatch() as watch:
                await bus.subscribe(handle, group=group, concurrency=16)
                await done.wait()
        return watch.seconds / EVENTS

    return lambda: site.runner.run(measure())


def _app_subscriber(site: Site) -> Sample:
    async def measure() -> float:
        done = asyncio.Event()
        handled = 0

        async def handle(_: Recorded[Any]) -> None:
            nonlocal handled
            handled += 1
            if handled == EVENTS:
                done.set()

        group = await _group(site)
        app = Application(
            bucket="delivered",
            aggregates=[account],
            store=MemoryStore(),
            bus=NatsBus.open(site.nats, "delivered"),
            codec=CattrsCodec(),
        )
        async with app:
            with Stopwatch() as watch:
                await app.subscribe(handle, group=group)
                await done.wait()
        return watch.seconds / EVENTS

    return lambda: site.runner.run(measure())


async def _group(site: Site) -> str:
    """Make a group whose place is the start of the stream."""
    client = await driver.connect(site.nats)
    name = new_id()
    await client.jetstream().add_consumer(
        "delivered",
        ConsumerConfig(
            durable_name=name, ack_policy=AckPolicy.EXPLICIT, max_ack_pending=1024, ack_wait=8
        ),
    )
    await client.close()
    return name


async def _drop(site: Site, bucket: str) -> None:
    client = await driver.connect(site.nats)
    for name in (bucket, f"{bucket}_dead"):
        await client.jetstream().delete_stream(name)
    await client.close()


def _from_commit_to_handler(site: Site, report: Report) -> None:
    seconds = site.runner.run(_latencies(site))
    title = "from the acknowledged commit to the handler, idle system"
    report.figure(Figure(f"{title}, median", median(seconds) * 1e3, "ms", 5))
    report.figure(Figure(f"{title}, 95 %", quantiles(seconds, n=20)[-1] * 1e3, "ms", 10))


async def _latencies(site: Site) -> Sequence[float]:
    bucket = f"idle_{new_id().lower()}"
    seconds: list[float] = []
    came = asyncio.Event()
    at = 0.0

    async def handle(_: Recorded[Any]) -> None:
        nonlocal at
        at = perf_counter()
        came.set()

    app = Application(
        bucket=bucket,
        aggregates=[account],
        store=MongoStore(site.client, bucket),
        bus=NatsBus.open(site.nats, bucket),
        codec=CattrsCodec(),
    )
    async with app:
        await app.subscribe(handle, group="g")
        for _ in range(COMMITS + 1):
            came.clear()
            await app.dispatch(Deposit(aggregate_id="a", amount=1))
            committed = perf_counter()
            await came.wait()
            seconds.append(at - committed)
            while await app.relay_lag():  # noqa: ASYNC110 - until all is quiet again
                await asyncio.sleep(0)
    return seconds[1:]  # the first one waits for the connections
