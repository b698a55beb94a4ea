"""What a majority does not have can be rolled back, so nothing of it is read."""

import asyncio

import attrs
from pymongo import AsyncMongoClient

from eventhus import Query
from eventhus.ports import Commit, Snapshot, ViewDocument, ViewWrite
from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoReplicaSet, unused_name
from tests.adapters.mongo.faults.primary import fail_point, halt, replicated
from tests.adapters.mongo.faults.run import PATIENCE_S
from tests.adapters.mongo.made import ACCOUNT, made

VIEW = "view_orders"
# Where the primary shows by itself that it has the second of everything.
WRITTEN: dict[str, dict[str, object]] = {
    "events": {"_id": 2},
    VIEW: {"_position": 2},
    "snapshots": {"position": 2},
    "checkpoints": {"position": 2},
}


def tagged(command_id: str) -> Commit:
    commit = made()
    (part,) = commit.parts
    events = [attrs.evolve(each, tags=frozenset({"tagged"})) for each in part.events]
    return attrs.evolve(commit, parts=[attrs.evolve(part, events=events)], command_id=command_id)


async def write(store: MongoStore, number: int) -> None:
    """Write one of everything; it ends when a majority has it."""
    document = ViewDocument(key="k", position=number, data={"number": number})
    write = ViewWrite(document=document, replaces=number - 1)
    snapshot = Snapshot(
        stream=ACCOUNT, version=number, position=number, event_id="e", fingerprint="f", data=number
    )
    await asyncio.gather(
        store.append(tagged(f"command {number}")),
        store.save_documents(VIEW, [write]),
        store.save_snapshot(snapshot),
        store.save_checkpoint("reader", number),
    )


async def all_reads(store: MongoStore) -> dict[str, int]:
    """Return the number of the newest thing that each way to read shows."""
    page = await store.read()
    found = await store.read(Query.of(tags=["tagged"]))
    back = await store.read_backwards()
    checkpoint = await store.load_checkpoint("reader")
    snapshot = await store.load_snapshot(ACCOUNT)
    documents = await store.load_documents(VIEW, ["k"])
    answers = [await store.find(f"command {number}") for number in (1, 2)]
    assert snapshot is not None
    return {
        "read": page.events[-1].position,
        "read by query": found.events[-1].position,
        "read_backwards": back.events[0].position,
        "load": (await store.load(ACCOUNT)).version,
        "commits": (await store.commits())[-1].position,
        "version_of": await store.version_of(ACCOUNT),
        "load_checkpoint": checkpoint.position,
        "load_snapshot": snapshot.version,
        "load_documents": documents["k"].position,
        "find": len([answer for answer in answers if answer is not None]),
    }


async def test_what_only_the_primary_has_is_not_read(replica_set: MongoReplicaSet) -> None:
    primary = await asyncio.to_thread(replica_set.wait_for_primary)
    others = [member for member in replica_set.members if member is not primary]
    bucket = unused_name()
    direct: AsyncMongoClient[dict[str, object]] = AsyncMongoClient(primary.url)
    async with (
        direct,
        MongoStore.open(replica_set.url, bucket) as writer,
        MongoStore.open(replica_set.url, bucket) as reader,
    ):
        await write(writer, 1)
        assert {1} == {*(await all_reads(reader)).values()}
        for member in others:
            await halt(member)
        writing = asyncio.create_task(write(writer, 2))
        async with asyncio.timeout(PATIENCE_S):
            for name, second in WRITTEN.items():
                while await direct[bucket][name].find_one(second) is None:
                    pass

        seen = await all_reads(reader)
        assert dict.fromkeys(seen, 1) == seen
        assert not writing.done()

        for member in others:
            await fail_point(member, mode="off")
        await replicated(replica_set)
        await writing
        assert {2} == {*(await all_reads(reader)).values()}
