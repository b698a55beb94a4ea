"""A primary that is lost or replaced under load leaves a log that is whole."""

import asyncio
from pathlib import Path
from uuid import uuid4

from pymongo import AsyncMongoClient

from eventhus_testing.servers import MongoReplicaSet, MongoServer
from eventhus_testing.servers.processes import wait_for
from tests.mongo.faults.run import PATIENCE_S, Run, Soak, running

ROUNDS = 4


async def kill(primary: MongoServer, replica_set: MongoReplicaSet, run: Run) -> None:
    """The primary crashes, and comes back when another has taken over."""
    await asyncio.to_thread(primary.kill)
    await run.progress()
    await asyncio.to_thread(primary.start)


async def pause(primary: MongoServer, replica_set: MongoReplicaSet, run: Run) -> None:
    """The primary stands still until another has taken over, and then goes on as if it were it."""
    primary.pause()
    await run.progress()
    primary.resume()


async def step_down(primary: MongoServer, replica_set: MongoReplicaSet, run: Run) -> None:
    """The primary hands over in good order."""
    async with AsyncMongoClient(primary.url) as client:  # type: ignore[var-annotated]
        await client.admin.command({"replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 10})
    await run.progress()


FAULTS = [kill, pause, step_down]


async def test_replaced_primary(
    mongo_replica_set_of_three: MongoReplicaSet, soak: Soak, tmp_path: Path
) -> None:
    """Writers in this process and in two others go on by themselves, whatever happens to it."""
    replica_set = mongo_replica_set_of_three
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
        for round_ in range(ROUNDS * soak.factor):
            fault = FAULTS[round_ % 3]
            primary = await asyncio.to_thread(replica_set.wait_for_primary)
            await run.growth(run.random.randint(1, 100))
            await fault(primary, replica_set, run)
            assert await asyncio.to_thread(
                wait_for, lambda: len(replica_set.secondaries()) == 2, timeout_s=PATIENCE_S
            )
            await run.progress()
        await run.finish()
