"""Logs that go into MongoDB, out of it, and from bucket to bucket."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from eventhus.errors import AccessDenied, EventhusError, LogsDiffer, OutcomeUnknown
from eventhus.portable import LogSummary, copy_log, export_log, import_log
from eventhus.ports import Commit, EventData, Part
from eventhus_memory import MemoryStore
from eventhus_mongo import MongoStore
from eventhus_testing import FaultyStore
from eventhus_testing.servers import MongoReplicaSet, standalone_mongo
from tests.adapters.mongo.support import Client, Commands, client
from tests.core.portable.support import NOW, accounts_log, commit, log_of, some_commits

SIZE = 2000
_MAIN = """
import asyncio, sys
from eventhus.portable import import_log
from eventhus_mongo import MongoStore

async def main(file, url, bucket):
    async with MongoStore.open(url, bucket) as store:
        await import_log(file, store)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """A log of several pages."""
    path = tmp_path / "log.ndjson"
    await export_log(await log_of(accounts_log(SIZE)), path)
    return path


@pytest.fixture
async def other(mongo: Client, bucket: str) -> AsyncIterator[MongoStore]:
    """The same bucket in another process."""
    async with MongoStore(mongo, bucket) as entered:
        yield entered


async def exported(store: MongoStore | MemoryStore, folder: Path) -> bytes:
    await export_log(store, folder / "compared")
    return (folder / "compared").read_bytes()


async def test_a_log_goes_from_memory_through_files_and_mongodb_unchanged(
    store: MongoStore, tmp_path: Path
) -> None:
    source = await log_of(some_commits())
    await export_log(source, tmp_path / "log.zst")
    await import_log(tmp_path / "log.zst", store)
    assert await source.commits() == await store.commits()
    assert await exported(source, tmp_path) == await exported(store, tmp_path)


async def test_a_page_takes_one_insert_and_no_look_at_its_streams(
    file: Path, store: MongoStore, commands: Commands, tmp_path: Path
) -> None:
    await import_log(file, store)
    assert [1000, 1000] == commands.inserts()
    assert len(commands.named("find")) < 10
    assert file.read_bytes() == await exported(store, tmp_path)


async def test_a_log_goes_from_bucket_to_bucket(
    file: Path, store: MongoStore, mongo: Client, bucket: str
) -> None:
    summary = await import_log(file, store)
    async with MongoStore(mongo, f"{bucket}_copy") as target:
        for _ in range(2):
            assert summary == await copy_log(store, target)


async def test_appends_continue_an_imported_log(file: Path, store: MongoStore) -> None:
    summary = await import_log(file, store)
    part = Part(
        stream=accounts_log(1)[0].stream, events=[EventData("Closed", {})], expected_version=None
    )
    again = await store.append(accounts_log(1)[0])
    new = await store.append(Commit(id="new", parts=[part], recorded_at=NOW))
    assert (1, summary.events + 1) == (again.position, new.position)


async def test_a_killed_import_is_continued(
    file: Path, store: MongoStore, replica_set: MongoReplicaSet, bucket: str, tmp_path: Path
) -> None:
    arguments = [sys.executable, "-c", _MAIN, str(file), replica_set.url, bucket]
    with Popen(arguments) as process:  # noqa: ASYNC220 - it starts at once
        while await store.head() == 0:
            assert process.poll() is None
        process.kill()
    assert 0 < await store.head()
    await import_log(file, store)
    assert file.read_bytes() == await exported(store, tmp_path)


async def test_two_imports_at_once_make_one_log(
    file: Path, store: MongoStore, other: MongoStore, tmp_path: Path
) -> None:
    first, second = await asyncio.gather(import_log(file, store), import_log(file, other))
    assert first == second
    assert file.read_bytes() == await exported(store, tmp_path)


async def test_another_writer_stops_an_import_and_the_log_stays_whole(
    file: Path, store: MongoStore, other: MongoStore
) -> None:
    faulty = FaultyStore(store)
    hold = faulty.delays("restore", at=2)
    importing = asyncio.create_task(import_log(file, faulty))
    await hold.reached()
    place = (await other.append(commit("foreign"))).position
    hold.release()
    with pytest.raises(LogsDiffer) as caught:
        await importing
    assert (place, "c1000", "foreign") == caught.value.args
    assert place == await store.head()


@pytest.mark.parametrize("place", ["empty", "beginning", "end"])
async def test_a_log_with_other_commits_is_refused(
    place: str, file: Path, store: MongoStore, commands: Commands
) -> None:
    if place != "empty":
        await store.append(accounts_log(1)[0])
    await store.append(commit("foreign"))
    commands.forget()
    with pytest.raises(LogsDiffer):
        await import_log(file, store)
    assert [] == commands.inserts()


def fail_next_insert(replica_set: MongoReplicaSet, **fault: Any) -> None:
    """Make the server fail the next insert."""
    data = {"failCommands": ["insert"], **fault}
    with client(replica_set.url) as direct:
        direct.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=data)


async def test_an_import_outlasts_a_lost_connection(
    file: Path, store: MongoStore, replica_set: MongoReplicaSet
) -> None:
    fail_next_insert(replica_set, closeConnection=True)
    assert SIZE == (await import_log(file, store)).commits


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"writeConcernError": {"code": 64, "errmsg": "timed out"}}, OutcomeUnknown),
        ({"errorCode": 96}, OutcomeUnknown),
        ({"errorCode": 13}, AccessDenied),
    ],
)
async def test_an_import_is_continued_after_an_insert_that_failed(
    fault: dict[str, Any],
    error: type[EventhusError],
    file: Path,
    store: MongoStore,
    replica_set: MongoReplicaSet,
    tmp_path: Path,
) -> None:
    fail_next_insert(replica_set, **fault)
    with pytest.raises(error):
        await import_log(file, store)
    await import_log(file, store)
    assert file.read_bytes() == await exported(store, tmp_path)


async def test_an_import_that_is_cut_off_has_an_unknown_outcome(
    file: Path, mongo: Client, bucket: str, commands: Commands
) -> None:
    async with MongoStore(mongo, bucket) as store:
        commands.forget()
        running = asyncio.create_task(import_log(file, store))
        await commands.wait_for("insert")
        leaving = asyncio.create_task(store.__aexit__(None, None, None))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(OutcomeUnknown):
            await running
        with pytest.raises(asyncio.CancelledError):
            await leaving
        await store.__aenter__()


async def test_a_standalone_server_takes_an_import(file: Path, bucket: str) -> None:
    with standalone_mongo() as server:
        async with MongoStore.open(server.url, bucket) as store:
            first: LogSummary = await import_log(file, store)
            assert first == await import_log(file, store)
