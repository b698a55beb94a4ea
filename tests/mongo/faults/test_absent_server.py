"""A server that goes away for a while: callers hear of it in time, and go on once it is back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from time import monotonic
from uuid import uuid4

import pytest

from eventhus import Application, StoreUnavailable, StreamId
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoServer, mongo_replica_set, standalone_mongo
from tests.mongo.faults.journal import Sent
from tests.mongo.faults.ledger import Write, ledger
from tests.mongo.faults.run import Soak, running
from tests.mongo.faults.writer import commit_of

TIMEOUT_MS = 1000
BOUND_S = 6  # for a busy machine; the driver's own patience is 30 s
STREAM = StreamId(ledger.name, "asked")

Away = Callable[[MongoServer], None]


@pytest.fixture(scope="module", params=["standalone", "set of one"])
def server(request: pytest.FixtureRequest, mongod: Path) -> Iterator[tuple[MongoServer, str]]:
    """A server, and the URL that leads to it."""
    if request.param == "standalone":
        with standalone_mongo() as alone:
            yield alone, alone.url
    else:
        with mongo_replica_set() as replica_set:
            yield replica_set.members[0], replica_set.url


def back(server: MongoServer) -> None:
    if server.is_paused:
        server.resume()
    server.start()


def asked(number: int) -> Sent:
    """A write that may go anywhere in its stream."""
    return Sent(
        key=f"asked.0.{number}",
        lane=0,
        stream=STREAM.aggregate_id,
        size=2,
        how="append",
        after=None,
    )


async def first(batches: AsyncIterator[object]) -> None:
    await anext(batches)


def calls(
    url: str, bucket: str, store: MongoStore, application: Application, number: int
) -> Mapping[str, Callable[[], Awaitable[object]]]:
    """One call of each kind."""
    write = asked(number)
    command = Write(aggregate_id="commanded", key=f"commanded.0.{number}", size=3)

    async def follow() -> object:
        async with aclosing(store.follow()) as batches:
            return await anext(batches)

    return {
        "append": lambda: store.append(commit_of(write)),
        "dispatch": lambda: application.dispatch(command, command_id=command.key),
        "find": lambda: store.find("any"),
        "load": lambda: store.load(STREAM),
        "history": lambda: store.history(STREAM),
        "read": store.read,
        "follow": follow,
        "head": store.head,
        "load_snapshot": lambda: store.load_snapshot(STREAM),
        "load_checkpoint": lambda: store.load_checkpoint("any"),
        "save_checkpoint": lambda: store.save_checkpoint("any", 1),
        "enter": MongoStore.open(url, bucket).__aenter__,
    }


async def refusal(call: Callable[[], Awaitable[object]]) -> tuple[bool, float]:
    """Whether a call was told that the store is not available, and the seconds that it took."""
    start = monotonic()
    try:
        await call()
    except StoreUnavailable:
        return True, monotonic() - start
    return False, monotonic() - start


@pytest.mark.parametrize("away", [MongoServer.stop, MongoServer.pause])
async def test_absent_server(
    server: tuple[MongoServer, str], away: Away, soak: Soak, tmp_path: Path
) -> None:
    """Nothing hangs, nothing is lost, and no store is opened anew."""
    mongod, plain_url = server
    url, bucket = f"{plain_url}&timeoutMS={TIMEOUT_MS}", f"test_{uuid4().hex}"
    store, leaving = MongoStore.open(url, bucket), MongoStore.open(url, bucket)
    application = Application(bucket=bucket, aggregates=[ledger], store=store, codec=CattrsCodec())
    async with (
        running(url=url, bucket=bucket, seed=soak.seed, directory=tmp_path) as run,
        application,
    ):
        run.start_task(0)
        await run.progress()
        for number in range(1, soak.factor + 1):
            await run.growth(run.random.randint(1, 20))
            await leaving.__aenter__()
            await asyncio.to_thread(away, mongod)
            try:
                given = calls(url, bucket, store, application, number)
                answers = await asyncio.gather(*map(refusal, given.values()))
                left = await refusal(lambda: leaving.__aexit__(None, None, None))
            finally:
                await asyncio.to_thread(back, mongod)
            print({name: round(took, 1) for name, (_, took) in zip(given, answers)}, left)
            assert [(name, True) for name in given] == [
                (name, unavailable) for name, (unavailable, _) in zip(given, answers, strict=True)
            ]
            assert all(took < BOUND_S for _, took in answers)
            await run.progress()
            # Whatever became of them, they are stored once now.
            stored = await store.append(commit_of(asked(number)))
            committed = await application.dispatch(
                Write(aggregate_id="commanded", key=f"commanded.0.{number}", size=3),
                command_id=f"commanded.0.{number}",
            )
            assert (2 * number, 3 * number) == (stored.last_version, committed.version)
        await run.finish()
