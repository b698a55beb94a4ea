"""A primary that is lost or replaced under load leaves a log that is whole."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pymongo import AsyncMongoClient, WriteConcern
from pymongo.errors import OperationFailure

from eventhus import StreamId
from eventhus.errors import StoreUnavailable
from eventhus.ports import Snapshot
from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoReplicaSet, unused_name
from tests.adapters.mongo.faults.primary import FAULTS, fail_point, halt, replicated
from tests.adapters.mongo.faults.run import PATIENCE_S, Soak, running


async def test_replaced_primary(replica_set: MongoReplicaSet, soak: Soak, tmp_path: Path) -> None:
    """Writers in this process and in two others go on by themselves, whatever happens to it."""
    async with running(
        url=f"{replica_set.url}&timeoutMS=3000",
        bucket=unused_name(),
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
    bucket = unused_name()
    # A client that does not look at its servers by itself takes the primary for one throughout.
    url = f"{replica_set.url}&serverMonitoringMode=poll&heartbeatFrequencyMS=600000"
    direct: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(primary.url)
    async with direct, MongoStore.open(url, bucket) as store:

        async def read_all() -> list[Snapshot | BaseException | None]:
            # Each on a connection of its own: nothing groups them.
            streams = (StreamId("Account", f"a{number}") for number in range(READERS))
            looks = map(store.load_snapshot, streams)
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
