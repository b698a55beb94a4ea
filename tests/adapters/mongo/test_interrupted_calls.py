"""Callers that are cancelled, however often, harm nobody else who uses the connection."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path
from time import monotonic

import pytest

from eventhus_mongo import MongoStore
from eventhus_testing.conformance.store.samples import ACCOUNT, commit
from eventhus_testing.servers import standalone_mongo
from tests.adapters.mongo.support import answered, async_client, until
from tests.adapters.mongo.test_leaving import paused

CALLERS = 20
PATIENCE_S = 20  # a lock that is kept is kept for ever

CALLS: dict[str, Callable[[MongoStore], Awaitable[object]]] = {
    "head": lambda store: store.head(),
    "read": lambda store: store.read(),
    "load": lambda store: store.load(ACCOUNT),
    "append": lambda store: store.append(commit()),
    "follow": lambda store: anext(store.follow()),
    "acquire": lambda store: store.acquire("relay", "one", ttl_s=60),
    "load_documents": lambda store: store.load_documents("view_v", ["a"]),
}


async def interrupt(store: MongoStore, call: Callable[[MongoStore], Awaitable[object]]) -> None:
    """Cancel many callers twice, as a timeout inside a timeout can do."""
    callers = [asyncio.ensure_future(call(store)) for _ in range(CALLERS)]
    for _ in range(20):  # turns of the event loop, in which they begin to wait for a connection
        await asyncio.sleep(0)
    for _ in range(2):
        for caller in callers:
            caller.cancel()
        await asyncio.sleep(0)
    await asyncio.wait(callers)
    assert all(caller.cancelled() for caller in callers)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_others_still_get_a_connection(
    mongod: Path, bucket: str, call: Callable[[MongoStore], Awaitable[object]]
) -> None:
    """Before Python 3.12, a driver that is interrupted twice keeps the lock of its pool."""
    with standalone_mongo() as server:
        async with MongoStore.open(f"{server.url}&maxPoolSize=2", bucket) as store:
            async with paused(server):
                await interrupt(store, call)
            async with asyncio.timeout(PATIENCE_S):
                await answered(store.head)


async def test_others_still_find_a_server_that_was_away(mongod: Path, bucket: str) -> None:
    with standalone_mongo() as server:
        async with MongoStore.open(server.url, bucket) as store:
            server.kill()
            await interrupt(store, CALLS["head"])
            server.start()
            async with asyncio.timeout(PATIENCE_S):
                await answered(store.head)


async def test_the_failure_of_a_call_without_a_caller_is_not_logged(
    mongod: Path, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    with standalone_mongo() as server:
        async with MongoStore.open(f"{server.url}&maxPoolSize=2&timeoutMS=500", bucket) as store:
            async with paused(server):
                await interrupt(store, CALLS["head"])
                assert store._running is not None
                calls = store._running.connection.calls
                await until(lambda: not calls._in_flight)
            gc.collect()
    assert "never retrieved" not in caplog.text


async def test_leaving_does_not_wait_for_callers_that_have_gone(mongod: Path, bucket: str) -> None:
    with standalone_mongo() as server:
        async with async_client(server.url, maxPoolSize=2) as client:
            store = await MongoStore(client, bucket).__aenter__()
            async with paused(server):
                await interrupt(store, CALLS["head"])
                started = monotonic()
                await store.__aexit__(None, None, None)
                assert monotonic() - started < 15  # the driver would wait for 30 s
