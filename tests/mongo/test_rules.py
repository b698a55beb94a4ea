"""The rules that make the log right, each beside what happens without it."""

from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from eventhus import ConcurrencyError, LogCorrupted
from eventhus.ports import Commit, StoredCommit
from eventhus_mongo import MongoStore, connection
from eventhus_mongo.appender import Appender
from eventhus_mongo.documents import encode_commit
from eventhus_testing.servers import MongoReplicaSet, MongoServer, mongo_replica_set
from tests.mongo.made import ACCOUNT, made


def _halt(server: MongoServer) -> None:
    """Keep a secondary from taking in what its primary writes; returns once it does not."""
    with MongoClient[dict[str, Any]](server.url) as client:
        point = "stopReplProducer"
        before = client.admin.command("configureFailPoint", point, mode="alwaysOn")["count"]
        client.admin.command("waitForFailPoint", point, timesEntered=before + 1, maxTimeMS=30_000)


def _go_on(server: MongoServer) -> None:
    with MongoClient[dict[str, Any]](server.url) as client:
        client.admin.command("configureFailPoint", "stopReplProducer", mode="off")


async def _append_across_a_failover(members: MongoReplicaSet, bucket: str) -> list[int]:
    """The positions in the log, after the primary was lost with a commit that nobody else had."""
    async with MongoStore.open(members.url, bucket) as store:
        for _ in range(5):
            await store.append(made())
        primary = members.wait_for_primary()
        secondaries = members.secondaries()
        for secondary in secondaries:
            _halt(secondary)
        with MongoClient[dict[str, Any]](primary.url, w=1) as client:
            client[bucket].events.insert_one(encode_commit(made()).at(6, 6))
        # Another writer looks for its place now, and goes on once there is a new primary.
        assert store._running is not None
        appender = store._running.appender
        appender._next = await appender.tail() + 1
        primary.kill()
        for secondary in secondaries:
            _go_on(secondary)
        new = members.wait_for_primary()
        assert new is not primary
        await store.append(made(5))
        primary.start()
        with MongoClient[dict[str, Any]](members.url) as client:
            majority = client[bucket].get_collection("events", read_concern=ReadConcern("majority"))
            return [document["_id"] for document in majority.find(sort=[("_id", 1)])]


@pytest.mark.parametrize("level", ["majority", "local"])
async def test_the_tail_is_read_at_majority(
    mongod: Path, monkeypatch: pytest.MonkeyPatch, level: str, bucket: str
) -> None:
    """A failover takes back what no majority has; who appended behind it leaves a hole."""
    monkeypatch.setattr(connection, "READ_CONCERN", ReadConcern(level))
    with mongo_replica_set(3, arguments=("--setParameter", "enableTestCommands=1")) as members:
        positions = await _append_across_a_failover(members, bucket)
    assert positions == ([1, 2, 3, 4, 5, 6] if level == "majority" else [1, 2, 3, 4, 5, 7])


def _believe(_: Appender, commit: Commit) -> int | None:
    return commit.expected_version


@pytest.mark.parametrize("expected", [1, 3])
async def test_a_commit_goes_behind_the_end_of_another(
    store: MongoStore,
    plain: Database[dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    expected: int,
) -> None:
    """A version that somebody made up lies amid a commit, or ahead of the stream."""
    await store.append(made(0, size=2))
    with pytest.raises(ConcurrencyError):
        await store.append(made(expected))
    assert 1 == plain.events.count_documents({})

    async with MongoStore(store._connect(), plain.name) as credulous:
        monkeypatch.setattr(Appender, "_proven", _believe)
        await credulous.append(made(expected))  # an overlap, or a gap
        with pytest.raises(LogCorrupted) if expected == 3 else pytest.raises(AssertionError):
            slice_ = await store.load(ACCOUNT)
            assert len(slice_.events) == 3


async def test_a_duplicate_is_compared_by_its_commit_id(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An attempt whose answer was lost is found to have landed."""
    commit = made(0)
    first = await store.append(commit)
    assert first.recorded() == (await store.append(commit)).recorded()

    async def forget(_: Appender, commit: Commit) -> StoredCommit | None:
        return None

    monkeypatch.setattr(Appender, "_known", forget)
    with pytest.raises(ConcurrencyError):
        await store.append(commit)
