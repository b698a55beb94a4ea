"""Ways to lose or replace the primary of a replica set while something writes to it."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.read_concern import ReadConcern

from eventhus_testing.servers import MongoReplicaSet, MongoServer
from tests.adapters.mongo.faults.run import PATIENCE_S

# A member that is about to read from one that was paused waits for its first answer for a minute
# otherwise, and as long there may be no majority.
PARAMETERS = (
    "--setParameter",
    "oplogInitialFindMaxSeconds=2",
    "--setParameter",
    "enableTestCommands=1",  # fail points
)


class Load(Protocol):
    """Whatever writes to a bucket meanwhile."""

    bucket: str

    async def progress(self) -> None:
        """Wait until it has gone on."""


async def kill(primary: MongoServer, load: Load, replica_set: MongoReplicaSet) -> None:
    """The primary crashes, and comes back when another has taken over."""
    await asyncio.to_thread(primary.kill)
    await load.progress()
    await asyncio.to_thread(primary.start)


async def pause(primary: MongoServer, load: Load, replica_set: MongoReplicaSet) -> None:
    """The primary stands still until another has taken over, and then goes on as if it were it."""
    await asyncio.to_thread(primary.pause)
    await load.progress()
    primary.resume()


async def step_down(primary: MongoServer, load: Load, replica_set: MongoReplicaSet) -> None:
    """The primary hands over in good order."""
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(primary.url)
    async with client:
        await client.admin.command({"replSetStepDown": 60, "secondaryCatchUpPeriodSecs": 10})
    await load.progress()


async def cut_off(primary: MongoServer, load: Load, replica_set: MongoReplicaSet) -> None:
    """The primary accepts writes that reach no other member, and crashes; they are rolled back."""
    others = [member for member in replica_set.members if member is not primary]
    for member in others:
        await halt(member)
    client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(primary.url)
    async with client, asyncio.timeout(PATIENCE_S):
        events = client[load.bucket]["events"]
        seen_by_majority = events.with_options(read_concern=ReadConcern("majority"))
        while await last(events) == await last(seen_by_majority):
            pass
    await asyncio.to_thread(primary.kill)
    for member in others:
        await fail_point(member, mode="off")
    await load.progress()
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
