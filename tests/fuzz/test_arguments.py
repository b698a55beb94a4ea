"""Arguments of any form are refused with one typed error, alike on all stores and buses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from eventhus import Application, Delivered, Loaded, Metadata, Query, StreamId, View
from eventhus.errors import EventhusError, InvalidArgument
from eventhus.ports import (
    Checkpoint,
    Commit,
    Condition,
    EventBus,
    EventData,
    Lease,
    Message,
    Part,
    QueryItem,
    Snapshot,
    Storage,
    ViewDocument,
    ViewWrite,
)
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryBus, MemoryStore
from eventhus_mongo import MongoStore
from eventhus_nats import NatsBus
from eventhus_testing.conformance.bus.cases import Inbox, message, until
from tests.bank import Deposit, Open, Opened, account
from tests.fuzz.hostile import CANARY, Hostile
from tests.fuzz.inputs import attempted, for_each_awaited, watched_logs

GOOD = StreamId("Account", "good")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCHEMAS = [1, 1, 2, 0, -1, 2**62, 2**63, 10**400]


@pytest.fixture(params=["memory", "mongo"])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Storage]:
    if request.param == "memory":
        yield MemoryStore()
        return
    url, bucket = map(request.getfixturevalue, ("mongo_url", "mongo_bucket"))
    async with MongoStore.open(url, bucket) as entered:
        yield entered


@pytest.fixture(params=["memory", "nats", "core nats"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[EventBus]:
    if request.param == "memory":
        async with MemoryBus() as entered:
            yield entered
        return
    url, bucket = map(request.getfixturevalue, ("nats_url", "nats_bucket"))
    async with NatsBus.open(url, bucket, jetstream=request.param == "nats") as opened:
        yield opened


def stream(hostile: Hostile) -> StreamId:
    return StreamId(hostile.text(), hostile.text())


def moment(hostile: Hostile) -> datetime:
    choose = hostile.random.choice
    zone = choose([None, UTC, timezone(timedelta(hours=14)), timezone(-timedelta(hours=23))])
    year = choose([1, 2026, 9999])
    return NOW.replace(year=year, month=choose([1, 12]), day=choose([1, 31]), tzinfo=zone)


def part(hostile: Hostile) -> Part:
    choose = hostile.random.choice
    return Part(
        stream=choose([GOOD, stream(hostile)]),
        events=[
            EventData(
                choose(["Opened", hostile.text()]),
                hostile.plain(),
                choose([1, hostile.number()]),
                frozenset(hostile.text() for _ in range(hostile.random.randint(0, 2))),
            )
            for _ in range(hostile.random.randint(0, 2))
        ],
        expected_version=choose([None, 0, hostile.number()]),
    )


def query(hostile: Hostile) -> Query:
    """Return a query of hostile names and tags, or one for everything if they are refused."""

    def some() -> list[str]:
        return [hostile.text() for _ in range(hostile.random.randint(0, 2))]

    try:
        return Query([QueryItem(some(), some(), some())])
    except InvalidArgument:
        return Query.of()


def commit(hostile: Hostile) -> Commit:
    choose = hostile.random.choice
    return Commit(
        id=choose(["c", hostile.text()]),
        parts=[part(hostile) for _ in range(hostile.random.randint(0, 3))],
        condition=choose([None, Condition(query=query(hostile), after=hostile.number())]),
        recorded_at=moment(hostile),
        metadata=metadata(hostile),
        command_id=choose([None, hostile.text()]),
    )


def metadata(hostile: Hostile) -> Metadata:
    return Metadata(
        hostile.random.choice([None, hostile.text()]),
        hostile.random.choice([None, hostile.text()]),
        {hostile.text(): hostile.text() for _ in range(hostile.random.randint(0, 3))},
    )


def snapshot(hostile: Hostile) -> Snapshot:
    return Snapshot(
        stream=stream(hostile),
        version=hostile.number(),
        position=hostile.number(),
        event_id=hostile.text(),
        fingerprint=hostile.text(),
        data=hostile.plain(),
    )


def letter(hostile: Hostile) -> Message:
    return Message(
        id=hostile.text(),
        stream=stream(hostile),
        type=hostile.text(),
        body=hostile.text().encode(errors="surrogatepass"),
        headers={hostile.text(): hostile.text()},
        attempt=1,
    )


def write(hostile: Hostile) -> ViewWrite:
    document = ViewDocument(
        key=hostile.text(),
        position=hostile.number(),
        data=hostile.plain(),
        deleted=hostile.random.random() < 0.2,
    )
    return ViewWrite(document=document, replaces=hostile.random.choice([0, hostile.number()]))


async def followed(store: Storage, after: int) -> object:
    """Return the first batch, unless the log has none."""
    async with aclosing(store.follow(after=after)) as batches:
        try:
            async with asyncio.timeout(0.01):
                return await anext(batches)
        except TimeoutError:
            return None


OPERATIONS: Sequence[Callable[[Storage, Hostile], Awaitable[object]]] = [
    lambda store, hostile: store.append(commit(hostile)),
    lambda store, hostile: store.append(commit(hostile)),
    lambda store, hostile: store.find(hostile.text()),
    lambda store, hostile: store.load(
        stream(hostile), after_version=hostile.number(), limit=hostile.number()
    ),
    lambda store, hostile: store.history(
        GOOD, after_version=hostile.number(), limit=hostile.number()
    ),
    lambda store, hostile: store.read(after=hostile.number(), limit=hostile.number()),
    lambda store, hostile: store.read(query(hostile), after=hostile.number()),
    lambda store, hostile: store.read_backwards(query(hostile), before=hostile.number()),
    lambda store, hostile: store.commits(after=hostile.number(), limit=hostile.number()),
    lambda store, hostile: store.version_of(stream(hostile)),
    lambda store, hostile: followed(store, hostile.number()),
    lambda store, hostile: store.load_snapshot(stream(hostile)),
    lambda store, hostile: store.save_snapshot(snapshot(hostile)),
    lambda store, hostile: store.load_checkpoint(hostile.text()),
    lambda store, hostile: store.save_checkpoint(
        hostile.text(), hostile.number(), event_id=hostile.text(), token=hostile.number()
    ),
    lambda store, hostile: store.create_group(
        hostile.text(), Checkpoint(hostile.number(), hostile.text())
    ),
    lambda store, hostile: store.load_group(hostile.text()),
    lambda store, hostile: store.save_letter("g", letter(hostile)),
    lambda store, hostile: store.load_letters("g", after=hostile.number(), limit=hostile.number()),
    lambda store, hostile: store.delete_letter("g", hostile.number()),
    lambda store, hostile: store.load_documents(
        hostile.random.choice(["view_v", hostile.text()]), [hostile.text()]
    ),
    lambda store, hostile: store.save_documents(
        hostile.random.choice(["view_v", hostile.text()]), [write(hostile)]
    ),
    lambda store, hostile: store.acquire(
        hostile.text(), hostile.text(), ttl_s=hostile.random.choice([1e-9, 1e300, -1.0, 60.0])
    ),
    lambda store, hostile: store.release(
        Lease(name=hostile.text(), owner=hostile.text(), token=hostile.number())
    ),
]


async def test_arguments_of_a_store(store: Storage) -> None:
    opened = Commit(
        id="good",
        parts=[Part(stream=GOOD, events=[EventData("Opened", {})], expected_version=0)],
        recorded_at=NOW,
    )
    await store.append(opened)

    async def check(hostile: Hostile) -> None:
        async def operation() -> object:
            return await hostile.random.choice(OPERATIONS)(store, hostile)

        _, good = await asyncio.gather(attempted(operation()), attempted(store.load(GOOD)))
        assert not isinstance(good, EventhusError)

    share = 0.08 if isinstance(store, MemoryStore) else 0.03
    with watched_logs():
        await for_each_awaited("store", share, check)


def owner_of(_: str, __: Any) -> str:
    return "x"


def key_of(_: Any) -> str:
    return "k"


OWNERS = View(name="owners", initial="", key=key_of, evolve=owner_of, events=[Opened])


async def handle(_: Delivered[Any]) -> None:
    pass


async def subscribed(app: Application, hostile: Hostile) -> None:
    subscription = await app.subscribe(
        handle, group=hostile.text(), concurrency=hostile.random.choice([0, -1, 1])
    )
    await subscription.close()


USES: Sequence[Callable[[Application, Hostile], Awaitable[object]]] = [
    lambda app, hostile: app.dispatch(
        Open(aggregate_id=hostile.text(), owner=hostile.random.choice([CANARY, hostile.text()])),
        command_id=hostile.random.choice([None, hostile.text()]),
        expected_version=hostile.random.choice([None, hostile.number()]),
        metadata=metadata(hostile),
    ),
    lambda app, hostile: app.dispatch(Deposit(aggregate_id="good", amount=hostile.number())),
    lambda app, hostile: app.load(account, hostile.text()),
    lambda app, hostile: app.history(account, hostile.text()),
    lambda app, hostile: app.view(OWNERS, hostile.text()),
    lambda app, hostile: app.caught_up(OWNERS, hostile.random.choice([-1, 2**63, 10**400])),
    lambda app, hostile: app.republish(after=hostile.number()),
    subscribed,
    lambda app, hostile: app.replay(handle, group=hostile.text()),
    lambda app, hostile: app.replay(handle, number=hostile.number()),
    lambda app, hostile: app.dead_letters(group=hostile.text()),
    lambda app, hostile: app.dead_letters(after=hostile.number(), limit=hostile.number()),
    lambda app, hostile: app.discard(hostile.number()),
]


async def test_arguments_of_an_application() -> None:
    app = Application(
        bucket="bank",
        aggregates=[account],
        views=[OWNERS],
        store=MemoryStore(),
        bus=MemoryBus(),
        codec=CattrsCodec(),
    )
    async with app:
        await app.dispatch(Open(aggregate_id="good"))

        async def check(hostile: Hostile) -> None:
            async def use() -> object:
                return await hostile.random.choice(USES)(app, hostile)

            _, good = await asyncio.gather(attempted(use()), attempted(app.load(account, "good")))
            assert isinstance(good, Loaded)

        with watched_logs():
            await for_each_awaited("application", 0.06, check)


def sent(hostile: Hostile) -> Message:
    choose = hostile.random.choice
    return message(
        id=choose(["1", hostile.text()]),
        stream=choose([GOOD, stream(hostile)]),
        type=choose(["Opened", hostile.text()]),
        body=choose([b"{}", CANARY.encode(), hostile.random.randbytes(50)]),
        headers={
            choose(["a", hostile.text()]): choose(["b", hostile.text()])
            for _ in range(hostile.random.randint(0, 3))
        },
    )


async def test_messages_of_a_publisher(bus: EventBus) -> None:
    inbox = Inbox()
    await bus.subscribe(inbox)

    async def check(hostile: Hostile) -> None:
        async def publish() -> None:
            publisher = await bus.publisher()
            await publisher.publish([sent(hostile)])

        async def bury() -> None:
            await bus.bury(sent(hostile), hostile.random.choice(["g", hostile.text()]))

        await attempted(hostile.random.choice([publish, publish, bury])())
        number = hostile.random.random()
        await (await bus.publisher()).publish([message("good", id=f"good-{number}")])
        await until(lambda: inbox.messages[-1:] and inbox.messages[-1].id == f"good-{number}")
        inbox.messages.clear()

    with watched_logs():
        await for_each_awaited("publisher", 0.01, check)
