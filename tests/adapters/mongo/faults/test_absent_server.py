"""A server that goes away for a while: callers hear of it in time, and go on once it is back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import pytest

from eventhus import Application, StreamId
from eventhus.errors import OutcomeUnknown, StoreUnavailable
from eventhus.ports import Commit
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoServer, mongo_replica_set, standalone_mongo, unused_name
from tests.adapters.mongo.faults.journal import Sent
from tests.adapters.mongo.faults.ledger import Write, ledger
from tests.adapters.mongo.faults.run import Soak, running
from tests.adapters.mongo.faults.writer import commit_of
from tests.adapters.mongo.support import answered

TIMEOUT_MS = 1000
BOUND_S = 15  # for a busy machine; the driver's own patience is 30 s
APPENDED = StreamId(ledger.name, "appended")

Away = Callable[[MongoServer], None]
T = TypeVar("T")


@asynccontextmanager
async def absent(server: MongoServer, away: Away) -> AsyncIterator[None]:
    """The server is away, and back afterwards."""
    await asyncio.to_thread(away, server)
    try:
        yield
    finally:
        if server.is_paused:
            server.resume()
        await asyncio.to_thread(server.start)


def commit(number: int) -> Commit:
    """Two events that may go anywhere in their stream."""
    return commit_of(
        Sent(
            key=f"appended.0.{number}",
            lane=0,
            stream=APPENDED.aggregate_id,
            size=2,
            how="append",
            after=None,
        )
    )


def command(number: int) -> Write:
    """Leads to three events."""
    return Write(aggregate_id="commanded", key=f"commanded.0.{number}", size=3)


async def answer(call: Awaitable[object]) -> str:
    """What a call is told in time."""
    try:
        async with asyncio.timeout(BOUND_S):
            await call
    except (StoreUnavailable, OutcomeUnknown) as error:
        return type(error).__name__
    except TimeoutError:
        return f"nothing within {BOUND_S} s"
    return "that all is well"


async def answers(
    url: str, bucket: str, store: MongoStore, application: Application, number: int
) -> dict[str, str]:
    """What each kind of call is told. They are made at the same time."""
    write = command(number)
    async with aclosing(store.follow()) as batches:
        calls: dict[str, Awaitable[object]] = {
            "append": store.append(commit(number)),
            "dispatch": application.dispatch(write, command_id=write.key),
            "state": application.state(ledger, "commanded"),
            "find": store.find("any"),
            "load": store.load(APPENDED),
            "history": store.history(APPENDED),
            "read": store.read(),
            "follow": anext(batches),
            "head": store.head(),
            "load_checkpoint": store.load_checkpoint("any"),
            "save_checkpoint": store.save_checkpoint("any", 1),
            "enter": MongoStore.open(url, bucket).__aenter__(),
        }
        told = await asyncio.gather(*map(answer, calls.values()))
    return dict(zip(calls, told, strict=True))


async def absences(server: MongoServer, url: str, away: Away, soak: Soak, directory: Path) -> None:
    """Let the server go away and come back under load, and check what callers are told."""
    url, bucket = f"{url}&timeoutMS={TIMEOUT_MS}", unused_name()
    store = MongoStore.open(url, bucket)
    async with (
        running(url=url, bucket=bucket, seed=soak.seed, directory=directory) as run,
        Application(
            bucket=bucket, aggregates=[ledger], store=store, codec=CattrsCodec()
        ) as application,
    ):
        run.start_task(0)
        await run.progress()
        for number in range(1, soak.factor + 1):
            await run.growth(run.random.randint(1, 20))
            async with absent(server, away):
                told = await answers(url, bucket, store, application, number)
            for writes in ("append", "dispatch"):
                assert told.pop(writes) in {"StoreUnavailable", "OutcomeUnknown"}
            assert dict.fromkeys(told, "StoreUnavailable") == told
            await run.progress()
            # Whatever became of them: sent again, they are stored, and only once.
            write = command(number)
            stored = await answered(partial(store.append, commit(number)))
            committed = await answered(partial(application.dispatch, write, command_id=write.key))
            assert (2 * number, 3 * number) == (stored.versions[0] + 1, committed.version)
        await run.finish()


async def test_absent_standalone(mongo_standalone: MongoServer, soak: Soak, tmp_path: Path) -> None:
    """It is stopped: nobody listens on its port."""
    await absences(mongo_standalone, mongo_standalone.url, MongoServer.stop, soak, tmp_path)


@pytest.mark.parametrize("away", [MongoServer.stop, MongoServer.kill, MongoServer.pause])
async def test_absent_set_of_one(mongod: Path, away: Away, soak: Soak, tmp_path: Path) -> None:
    """It is stopped, or crashes, or is there and answers nobody."""
    with mongo_replica_set() as replica_set:
        await absences(replica_set.members[0], replica_set.url, away, soak, tmp_path)


async def test_leaving_an_absent_server(mongod: Path) -> None:
    """A store can be left in time, though its server cannot be told."""
    with standalone_mongo() as server:
        store = MongoStore.open(f"{server.url}&timeoutMS={TIMEOUT_MS}", "test")
        await store.__aenter__()
        await asyncio.gather(store.head(), store.head(), store.head())  # sessions to be ended
        await asyncio.to_thread(server.kill)
        assert "StoreUnavailable" == await answer(store.head())
        leaving = asyncio.create_task(store.__aexit__(None, None, None))
        in_time, _ = await asyncio.wait([leaving], timeout=BOUND_S)
        await asyncio.to_thread(server.start)
        await leaving
        assert {leaving} == in_time
