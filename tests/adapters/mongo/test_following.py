"""Followers are woken by a change stream, by their own store, or, without either, by the clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from typing import Any, cast

import pytest
from pymongo.asynchronous.change_stream import AsyncChangeStream
from pymongo.database import Database

from eventhus.adapter_support import tasks
from eventhus.ports import EventData
from eventhus_mongo import MongoStore, wakeups
from eventhus_testing.conformance.store.samples import commit, take, turns
from eventhus_testing.servers import MongoReplicaSet, MongoServer
from tests.adapters.mongo.support import Commands, async_client, until

NEVER_S = 3600.0


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Followers look by themselves only after the test has long failed."""
    monkeypatch.setattr(wakeups, "POLL_S", NEVER_S)
    monkeypatch.setattr(wakeups, "POLL_WATCHED_S", NEVER_S)
    monkeypatch.setattr(wakeups, "REOPEN_S", 0.01)


@pytest.fixture
async def other(replica_set: MongoReplicaSet, bucket: str) -> AsyncIterator[MongoStore]:
    """The store of another process."""
    async with MongoStore.open(replica_set.url, bucket) as store:
        yield store


def streams(plain: Database[dict[str, Any]]) -> list[dict[str, Any]]:
    """The change streams that are open on the bucket, at work or between two requests."""
    shown = plain.client.admin.aggregate(
        [
            {"$currentOp": {"idleCursors": True}},
            {"$match": {"ns": f"{plain.name}.events", "cursor.tailable": True}},
        ]
    )
    return [*shown]


def opened(commands: Commands) -> int:
    """How many change streams were asked for."""
    return sum("$changeStream" in command["pipeline"][0] for command in commands.named("aggregate"))


@pytest.mark.usefixtures("unhurried")
async def test_woken_by_a_change_stream(store: MongoStore, other: MongoStore) -> None:
    """What other processes append comes as it happens, whenever that is."""
    async with aclosing(store.follow()) as batches:
        for size in range(1, 15):
            taking = asyncio.create_task(take(batches, size * (size + 1) // 2))
            await turns(3 * size)
            stored = await other.append(commit(size=size))
            assert stored.recorded() == await taking


@pytest.mark.usefixtures("unhurried")
async def test_woken_by_an_append_of_its_own(mongo_standalone: MongoServer, bucket: str) -> None:
    """A store knows what it has appended, with no help from the server."""
    async with (
        MongoStore.open(mongo_standalone.url, bucket) as store,
        aclosing(store.follow()) as batches,
    ):
        for position in range(1, 15):
            taking = asyncio.create_task(take(batches, position))
            await turns(3 * position)
            stored = await store.append(commit())
            assert stored.recorded() == await taking


@pytest.mark.usefixtures("unhurried")
async def test_woken_by_another_follower(
    mongo_standalone: MongoServer, bucket: str, commands: Commands
) -> None:
    """What one of them reads has come for those that looked before it was there."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(async_client(mongo_standalone.url, commands))
        store = await stack.enter_async_context(MongoStore(client, bucket))
        other = await stack.enter_async_context(MongoStore.open(mongo_standalone.url, bucket))
        first = await stack.enter_async_context(aclosing(store.follow()))
        second = await stack.enter_async_context(aclosing(store.follow()))
        taking = asyncio.create_task(take(first, 1))
        await until(lambda: opened(commands) == 1)  # asked for by the first that waits
        stored = await other.append(commit())
        assert stored.recorded() == await take(second, 1)
        assert stored.recorded() == await taking


async def test_woken_by_the_clock(
    mongo_standalone: MongoServer, bucket: str, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there are no change streams, and it is not asked for one again and again."""
    monkeypatch.setattr(wakeups, "POLL_S", 0.001)
    monkeypatch.setattr(wakeups, "REOPEN_S", 0)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(async_client(mongo_standalone.url, commands))
        store = await stack.enter_async_context(MongoStore(client, bucket))
        other = await stack.enter_async_context(MongoStore.open(mongo_standalone.url, bucket))
        batches = await stack.enter_async_context(aclosing(store.follow()))
        for position in range(1, 10):
            taking = asyncio.create_task(take(batches, position))
            await turns(3 * position)
            stored = await other.append(commit())
            assert stored.recorded() == await taking
    assert 1 == opened(commands)


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize("by", ["killOp", "killCursors"])
async def test_a_change_stream_that_ends(
    store: MongoStore,
    other: MongoStore,
    plain: Database[dict[str, Any]],
    commands: Commands,
    by: str,
) -> None:
    """It is opened again, and what came meanwhile is seen."""
    async with aclosing(store.follow()) as batches:
        taking = asyncio.create_task(take(batches, 1))
        while opened(commands) < 2:
            for stream in await asyncio.to_thread(streams, plain):
                await asyncio.to_thread(_end, plain, stream, by)
        first = await other.append(commit())
        assert first.recorded() == await taking
        taking = asyncio.create_task(take(batches, 3))
        await turns(10)
        second = await other.append(commit(size=2))
        assert second.recorded() == await taking


async def test_a_change_stream_that_drops_the_cancellation_does_not_hold_up_closing(
    replica_set: MongoReplicaSet, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes the rest of one request."""
    monkeypatch.setattr(tasks, "AGAIN_S", NEVER_S)
    try_next = AsyncChangeStream.try_next
    asked = asyncio.Event()

    async def deaf(self: AsyncChangeStream[Any]) -> Any:
        asking = asyncio.ensure_future(try_next(self))
        asked.set()
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            return await asking

    monkeypatch.setattr(AsyncChangeStream, "try_next", deaf)
    monkeypatch.setattr(wakeups, "LINGER_S", NEVER_S)
    async with (
        asyncio.timeout(10),
        MongoStore.open(replica_set.url, bucket) as store,
        aclosing(store.follow()) as batches,
    ):
        taking = asyncio.create_task(take(batches, 1))
        await asked.wait()
        taking.cancel()
        await asyncio.wait([taking])


def _end(plain: Database[dict[str, Any]], stream: dict[str, Any], by: str) -> None:
    if by == "killCursors":
        plain.command("killCursors", "events", cursors=[stream["cursor"]["cursorId"]])
    elif "opid" in stream:
        plain.client.admin.command("killOp", op=stream["opid"])


@pytest.mark.usefixtures("unhurried")
async def test_followers_share_a_change_stream(
    store: MongoStore, other: MongoStore, plain: Database[dict[str, Any]], commands: Commands
) -> None:
    """However many there are, the server has one to serve."""
    async with AsyncExitStack() as stack:
        following = [await stack.enter_async_context(aclosing(store.follow())) for _ in range(10)]
        for position in (1, 2, 3):
            taking = [asyncio.create_task(take(batches, position)) for batches in following]
            await turns(30)
            stored = await other.append(commit())
            assert [stored.recorded()] * 10 == await asyncio.gather(*taking)
    assert 1 == opened(commands)
    assert 1 >= len(streams(plain))


@pytest.mark.parametrize("more", [True, False])
async def test_without_followers_there_is_no_change_stream(
    store: MongoStore,
    other: MongoStore,
    plain: Database[dict[str, Any]],
    commands: Commands,
    monkeypatch: pytest.MonkeyPatch,
    more: bool,
) -> None:
    """A store that only writes costs the server none, nor does one whose followers have gone."""
    monkeypatch.setattr(wakeups, "LINGER_S", 0.01)
    await store.append(commit())
    assert 0 == opened(commands)
    async with aclosing(store.follow()) as batches:
        assert 1 == len(await take(batches, 1))
        taking = asyncio.create_task(take(batches, 2))
        await until(lambda: streams(plain))
        await other.append(commit())
        await taking
    if more:
        await other.append(commit())
    await until(lambda: not streams(plain))


async def test_a_busy_follower_needs_no_change_stream(
    store: MongoStore, commands: Commands
) -> None:
    """One that goes through the history is not to hear of what it will read anyway."""
    for _ in range(3):
        await store.append(commit(size=3))
    async with aclosing(store.follow(limit=1)) as batches:
        assert 9 == len(await take(batches, 9, limit=1))
    assert 0 == opened(commands)


async def test_large_commits_come_a_few_at_a_time(store: MongoStore, commands: Commands) -> None:
    """Whatever the limit, no more is held than one reply of the server, which is 16 MB."""
    text = "x" * 3_000_000
    for _ in range(12):
        await store.append(commit(events=[EventData("Noted", {"text": text})]))
    commands.forget()
    sizes: list[int] = []
    async with aclosing(store.follow()) as batches:
        async for batch in batches:
            sizes.append(len(batch.events))
            if batch.position == 12:
                break
    assert [5, 5, 2] == sizes
    assert 3 == len(commands.named("find"))


async def test_leaving_wakes_the_followers(replica_set: MongoReplicaSet, bucket: str) -> None:
    """They end, and no change stream is left behind."""
    async with MongoStore.open(replica_set.url, bucket) as store:
        following = [asyncio.create_task(anext(store.follow())) for _ in range(3)]
        await turns(50)
    ended = await asyncio.gather(*following, return_exceptions=True)
    assert ["NotRunning"] * 3 == [type(each).__name__ for each in ended]


async def test_a_follower_does_not_wait_for_what_came_while_it_read(unhurried: None) -> None:
    """Between its read and its wait, the news would be lost until the next poll."""
    bell = wakeups.Wakeups(cast("Any", None))  # it needs no connection before it waits
    ticket = bell.ticket()
    bell.grown(1)
    async with asyncio.timeout(0):  # fails at the first suspension
        await bell.wait(ticket)
