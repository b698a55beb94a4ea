"""A primary that is lost or replaced under load leaves a log that is whole."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from pymongo import AsyncMongoClient, WriteConcern
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import OperationFailure
from pymongo.read_concern import ReadConcern

from eventhus.errors import StoreUnavailable
from eventhus.ports import StoredCommit
from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoReplicaSet, MongoServer, mongo_replica_set
from tests.adapters.mongo.faults.run import PATIENCE_S, Run, Soak, running

# A member that is about to read from one that was paused waits for its first answer for a minute
# otherwise, and as long there may be no majority.
_PARAMETERS = (
    "--setParameter",
    "oplogInitialFindMaxSeconds=2",
    "--setParameter",
    "enableTestCommands=1",  # fail points
)


@pytest.fixture
def replica_set(mongod: Path) -> Iterator[MongoReplicaSet]:
    with mongo_replica_set(3, arguments=_PARAMETERS) as started:
        yield started


async def kill(primary: MongoServer, run: Run, replica_set: MongoReplicaSet) -> None:
    """The primary crashes, and comes back when another has taken over."""
    await asyncio.to_thread(primary.kill)
    await run.progress()
    await asyncio.to_thread(primary.start)


async def pause(primary: MongoServer, run: Run, replica_set: MongoReplicaSet) -> None:
    """The primary stands still until another has taken over, and then goes on as if it were it."""
    await asyncio.to_thread(primary.pause)
    await run.progress()
    primary.resume()


async def step_down(primary: MongoServer, run: Run, replica_set: MongoReplicaSet) -> None:
    """The primary hands over in good order."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(primary.url)
    async with client:
        await client.admin.command({"replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 10})
    await run.progress()


async def cut_off(primary: MongoServer, run: Run, replica_set: MongoReplicaSet) -> None:
    """The primary accepts writes that reach no other member, and crashes; they are rolled back."""
    others = [member for member in replica_set.members if member is not primary]
    for member in others:
        await halt(member)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(primary.url)
    async with client, asyncio.timeout(PATIENCE_S):
        events = client[run.bucket]["events"]
        seen_by_majority = events.with_options(read_concern=ReadConcern("majority"))
        while await last(events) == await last(seen_by_majority):
            pass
    await asyncio.to_thread(primary.kill)
    for member in others:
        await fail_point(member, mode="off")
    await run.progress()
    await asyncio.to_thread(primary.start)


async def halt(member: MongoServer) -> None:
    """Return once a member does not take in what the primary writes."""
    point = await fail_point(member, mode="alwaysOn")
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(member.url)
    async with client:
        await client.admin.command(
            "waitForFailPoint",
            "stopReplProducer",
            timesEntered=point["count"] + 1,
            maxTimeMS=PATIENCE_S * 1000,
        )


async def fail_point(member: MongoServer, *, mode: str) -> dict[str, Any]:
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(member.url)
    async with client:
        return await client.admin.command("configureFailPoint", "stopReplProducer", mode=mode)


async def last(events: AsyncCollection[dict[str, Any]]) -> int:
    """The position of the last commit."""
    document = await events.find_one(sort=[("_id", -1)], projection=["_id"])
    return document["_id"] if document else 0


async def replicated(replica_set: MongoReplicaSet) -> None:
    """Return once all members take part again: a write has reached each of them."""
    url = f"{replica_set.url}&w={len(replica_set.members)}&timeoutMS={PATIENCE_S * 1000}"
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(url)
    async with client:
        await client["replicated"]["writes"].insert_one({})


FAULTS = (kill, pause, step_down, cut_off)


async def test_replaced_primary(replica_set: MongoReplicaSet, soak: Soak, tmp_path: Path) -> None:
    """Writers in this process and in two others go on by themselves, whatever happens to it."""
    async with running(
        url=f"{replica_set.url}&timeoutMS=3000",
        bucket=f"test_{uuid4().hex}",
        seed=soak.seed,
        directory=tmp_path,
    ) as run:
        for number in range(2):
            run.start_task(number)
        for number in range(2, 4):
            run.start_process(number)
        await run.progress()
        short = soak.factor == 1  # each run has other faults
        faults = run.random.sample(FAULTS, 2) if short else FAULTS * soak.factor
        for fault in faults:
            primary = await asyncio.to_thread(replica_set.wait_for_primary)
            await run.growth(run.random.randint(1, 100))
            print(f"{fault.__name__} at position {run.follower.position}")
            await fault(primary, run, replica_set)
            await replicated(replica_set)
        await run.progress()
        await run.finish()


READERS = 5


async def test_connections_from_a_handover(replica_set: MongoReplicaSet) -> None:
    """A primary that may not hand over is one that connections from meanwhile are used with."""
    primary = await asyncio.to_thread(replica_set.wait_for_primary)
    others = [member for member in replica_set.members if member is not primary]
    bucket = f"test_{uuid4().hex}"
    # A client that does not look at its servers by itself takes the primary for one throughout.
    url = f"{replica_set.url}&serverMonitoringMode=poll&heartbeatFrequencyMS=600000"
    direct: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(primary.url)
    async with direct, MongoStore.open(url, bucket) as store:

        async def read_all() -> list[StoredCommit | BaseException | None]:
            looks = (store.find(f"command {number}") for number in range(READERS))
            return await asyncio.gather(*looks, return_exceptions=True)

        for member in others:
            await halt(member)
        ahead = direct[bucket].get_collection("ahead", write_concern=WriteConcern(1))
        await ahead.insert_one({})  # which nobody else has: so nobody can take over

        handover = asyncio.create_task(
            direct.admin.command({"replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 2})
        )
        async with asyncio.timeout(PATIENCE_S):
            while (await direct.admin.command("hello"))["isWritablePrimary"]:
                pass
        during = await read_all()
        with pytest.raises(OperationFailure, match="No electable secondaries caught up"):
            await handover
        for member in others:
            await fail_point(member, mode="off")
        await replicated(replica_set)

        assert StoreUnavailable in map(type, during)
        assert await read_all() == [None] * READERS
