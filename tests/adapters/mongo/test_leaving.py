"""Leaving a store or an application is bounded, also when the server does not answer."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from eventhus import Application
from eventhus.errors import EventhusError, OutcomeUnknown, StoreUnavailable
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryBus
from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoServer, standalone_mongo
from tests.bank import Open, account, note
from tests.core.readers import balances

BOUND_S = 10.0  # for a busy machine; the driver waits for 30 s


@asynccontextmanager
async def paused(server: MongoServer) -> AsyncIterator[None]:
    """The server is there and does not answer."""
    await asyncio.to_thread(server.pause)
    try:
        yield
    finally:
        server.resume()


async def test_a_store_that_is_cancelled_while_leaving_ends_its_calls(mongod: Path) -> None:
    with standalone_mongo() as server:
        store = await MongoStore.open(server.url, "test").__aenter__()
        await asyncio.gather(*(store.head() for _ in range(3)))  # sessions that must be ended
        async with paused(server):
            call = asyncio.create_task(store.head())
            await asyncio.sleep(0)
            leaving = asyncio.create_task(store.__aexit__(None, None, None))
            await asyncio.wait([leaving], timeout=0.05)
            assert not leaving.done()
            leaving.cancel()
            async with asyncio.timeout(BOUND_S):
                await asyncio.wait([leaving, call])
        assert leaving.cancelled()
        with pytest.raises(StoreUnavailable):
            await call


async def test_an_application_is_left_in_time_when_the_store_is_away(
    mongod: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with standalone_mongo() as server:
        app = Application(
            bucket="test",
            aggregates=[account, note],
            views=[balances],
            store=MongoStore.open(server.url, "test"),
            bus=MemoryBus(),
            codec=CattrsCodec(),
            shutdown_timeout_s=1.5,
        )
        await app.__aenter__()
        await app.dispatch(Open(aggregate_id="a"))
        await app.caught_up(balances)
        async with paused(server):
            command = asyncio.create_task(app.dispatch(Open(aggregate_id="b")))
            await asyncio.sleep(0)
            async with asyncio.timeout(1.5 + 4 + BOUND_S):
                await app.__aexit__(None, None, None)
                with pytest.raises((OutcomeUnknown, StoreUnavailable)) as caught:
                    await command
    assert isinstance(caught.value, EventhusError)
    told = [each.getMessage() for each in caplog.records if each.name == "eventhus.shutdown"]
    assert any("waiting for view balances" in each for each in told)
    assert any("gave up waiting for 1 command" in each for each in told)
