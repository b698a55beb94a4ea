"""The rules that make the log right, each beside what happens without it.

The third, that a duplicate commit is compared by its id, is in test_lost_answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, contextmanager
from typing import Any

import pytest
from pymongo import WriteConcern
from pymongo.database import Database
from pymongo.read_concern import ReadConcern

from eventhus import ConcurrencyError, Query, StreamId
from eventhus.errors import ConditionFailed, LogCorrupted, OutcomeUnknown
from eventhus.ports import Condition, Part, StoredCommit
from eventhus_mongo import MongoStore, connection, wakeups
from eventhus_mongo.appender import Appender
from eventhus_mongo.commits import encode_commit
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    CUSTOMER,
    OTHER,
    accounts,
    commit,
    place,
    tagged,
    take,
)
from eventhus_testing.servers import MongoReplicaSet, MongoServer
from eventhus_testing.servers.processes import wait_for
from tests.adapters.mongo.support import Commands, async_client, client, until

Plain = Database[dict[str, Any]]
Appending = asyncio.Task[StoredCommit]

_HALT = "stopReplProducer"


def both_secondaries(members: MongoReplicaSet) -> list[MongoServer]:
    """Wait until both are there; one that was started again is a secondary only after a while."""
    assert wait_for(lambda: len(members.secondaries()) == 2, timeout_s=60), "one stays away"
    return members.secondaries()


@contextmanager
def halted(members: MongoReplicaSet) -> Iterator[MongoServer]:
    """Keep the secondaries from taking in what the primary writes; gives the primary."""
    primary, secondaries = members.wait_for_primary(), both_secondaries(members)
    try:
        for secondary in secondaries:
            with client(secondary.url) as direct:
                point = direct.admin.command("configureFailPoint", _HALT, mode="alwaysOn")
                entered = point["count"] + 1
                direct.admin.command(
                    "waitForFailPoint", _HALT, timesEntered=entered, maxTimeMS=30_000
                )
        yield primary
    finally:
        for secondary in secondaries:
            with client(secondary.url) as direct:
                direct.admin.command("configureFailPoint", _HALT, mode="off")


@contextmanager
def primary_alone(members: MongoReplicaSet) -> Iterator[MongoServer]:
    """Let the primary write what no other member has, then lose it, and let another take over."""
    with halted(members) as primary:
        yield primary
        primary.kill()
    members.wait_for_primary()


def held(server: MongoServer, bucket: str) -> list[int]:
    """The positions that one server has, whatever a majority has."""
    with client(server.url) as direct:
        return [document["_id"] for document in direct[bucket]["events"].find(sort=[("_id", 1)])]


SEAT = tagged("course:c1", type_="SeatTaken")
TAKING = Condition(query=Query.of("SeatTaken", tags={"course:c1"}), after=5)


def leave_behind(primary: MongoServer, bucket: str) -> None:
    """Write a sixth commit as a writer would that then dies: nobody waits for a majority."""
    with client(f"{primary.url}&w=1") as direct:
        sixth = encode_commit(commit(events=[SEAT])).at(position=6, versions=[6])
        direct[bucket]["events"].insert_one(sixth)


@pytest.fixture
def members(set_of_three: MongoReplicaSet) -> Iterator[MongoReplicaSet]:
    """The set of three, brought back after whatever the test does to it."""
    yield set_of_three
    for member in set_of_three.members:
        member.start()


@pytest.fixture
async def filled(
    members: MongoReplicaSet, bucket: str, commands: Commands, level: str
) -> AsyncIterator[MongoStore]:
    """A store with five events of one stream, of which it knows nothing itself."""
    async with MongoStore.open(members.url, bucket) as store:
        for version in range(5):
            await store.append(commit(expected_version=version))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "READ_CONCERN", ReadConcern(level))
        async with (
            async_client(members.url, commands) as connected,
            MongoStore(connected, bucket) as store,
        ):
            yield store


@pytest.mark.parametrize("level", ["majority"])
async def test_reads_see_only_what_a_majority_has(
    filled: MongoStore, members: MongoReplicaSet, bucket: str, commands: Commands
) -> None:
    """A failover takes it back, so no reader sees it, and no writer appends after it."""
    with primary_alone(members) as primary:
        leave_behind(primary, bucket)
        assert 5 == await filled.head()
        assert 5 == len((await filled.read()).events)
        assert 5 == len(await filled.history(ACCOUNT))
        with pytest.raises(ConcurrencyError) as caught:
            await filled.append(commit(expected_version=6))
        assert (6, 5) == (caught.value.expected, caught.value.actual)
        appending = asyncio.create_task(filled.append(commit(expected_version=5)))
        await commands.wait_for("insert")
    stored = await appending
    assert (6, 6) == (stored.position, stored.versions[0])
    assert [*range(1, 7)] == [recorded.position for recorded in (await filled.read()).events]


@pytest.mark.parametrize("level", ["local"])
async def test_without_majority_reads_there_is_a_hole(
    filled: MongoStore, members: MongoReplicaSet, bucket: str
) -> None:
    """The rule is needed: a writer sees what is taken back, and appends after it."""
    with primary_alone(members) as primary:
        leave_behind(primary, bucket)
        assert 6 == len(await filled.history(ACCOUNT))
        appending = asyncio.create_task(filled.append(commit(expected_version=6)))
        await until(lambda: 7 in held(primary, bucket))
    await appending
    assert [1, 2, 3, 4, 5, 7] == held(members.wait_for_primary(), bucket)
    page = await filled.read()
    for read in (lambda: [*page.events], lambda: page.events[6]):
        with pytest.raises(LogCorrupted) as caught:
            read()
        assert (6, 7) == (caught.value.expected, caught.value.actual)
    with pytest.raises(LogCorrupted) as caught:
        await filled.history(ACCOUNT)
    assert (6, 7) == (caught.value.expected, caught.value.actual)


@pytest.mark.parametrize("level", ["majority"])
async def test_conditions_are_checked_against_what_a_majority_has(
    filled: MongoStore, members: MongoReplicaSet, bucket: str, commands: Commands
) -> None:
    """An event that a failover takes back is in nobody's way."""
    with primary_alone(members) as primary:
        leave_behind(primary, bucket)
        given = commit(events=[SEAT], condition=TAKING)
        appending = asyncio.create_task(filled.append(given))
        await commands.wait_for("insert")
    assert (6, 6) == place(await appending)
    assert [6] == [recorded.position for recorded in (await filled.read(TAKING.query)).events]


@pytest.mark.parametrize("level", ["local"])
async def test_without_majority_reads_a_condition_fails_for_nothing(
    filled: MongoStore, members: MongoReplicaSet, bucket: str
) -> None:
    """The rule is needed: the writer is told of an event that then is not there."""
    with primary_alone(members) as primary:
        leave_behind(primary, bucket)
        with pytest.raises(ConditionFailed):
            await filled.append(commit(events=[SEAT], condition=TAKING))
    assert [] == [*(await filled.read(TAKING.query)).events]


@pytest.mark.parametrize("level", ["local"])
async def test_without_majority_reads_a_condition_counts_on_what_is_taken_back(
    filled: MongoStore, members: MongoReplicaSet, bucket: str
) -> None:
    """The rule is needed: after the failover others take the seat below, and it is taken twice."""
    with primary_alone(members) as primary:
        leave_behind(primary, bucket)
        later = Condition(query=TAKING.query, after=6)
        appending = asyncio.create_task(filled.append(commit(events=[SEAT], condition=later)))
        await until(lambda: 7 in held(primary, bucket))
    await appending
    assert [1, 2, 3, 4, 5, 7] == held(members.wait_for_primary(), bucket)
    async with MongoStore.open(members.url, bucket) as other:
        stored = encode_commit(commit(events=[SEAT])).at(position=6, versions=[6])
        assert other._running is not None
        await other._running.connection.events.insert_one(stored)  # as a writer that is at 6 would
        assert [6, 7] == [each.position for each in (await other.read(TAKING.query)).events]


def start(store: MongoStore) -> list[Appending]:
    """Append three commits in one batch, of which the one in the middle comes too late."""
    given = [*accounts(2), ACCOUNT]
    given[1], given[2] = given[2], given[1]
    return [
        asyncio.create_task(store.append(commit(stream, expected_version=0))) for stream in given
    ]


async def test_a_follower_is_woken_for_what_had_no_majority(
    members: MongoReplicaSet, bucket: str, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By default, a change stream that is opened meanwhile begins after it."""
    monkeypatch.setattr(wakeups, "POLL_S", 3600.0)
    monkeypatch.setattr(wakeups, "POLL_WATCHED_S", 3600.0)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(async_client(members.url, commands))
        store = await stack.enter_async_context(MongoStore(client, bucket))
        other = await stack.enter_async_context(MongoStore.open(members.url, bucket))
        await other.append(commit())
        batches = await stack.enter_async_context(aclosing(store.follow(after=1)))
        with halted(members) as primary:
            appending = asyncio.create_task(other.append(commit()))
            await until(lambda: 2 in held(primary, bucket))
            taking = asyncio.create_task(take(batches, 1))
            await commands.wait_for("getMore")  # the change stream is open
        stored = await appending
        assert stored.recorded() == await taking


async def test_an_append_waits_for_a_majority(members: MongoReplicaSet, bucket: str) -> None:
    """Also one whose batch was stopped by another: the server has it, and that is not enough."""
    async with MongoStore.open(members.url, bucket) as store:
        await store.append(commit())
    async with MongoStore.open(members.url, bucket) as store:
        with halted(members) as primary:
            appending = start(store)
            await until(lambda: 2 in held(primary, bucket))
            assert 1 == await store.head()  # an answer to a question that was asked later
            assert [False] * 3 == [each.done() for each in appending]
        first, late, last = await asyncio.gather(*appending, return_exceptions=True)
    assert isinstance(late, ConcurrencyError)
    assert isinstance(first, StoredCommit)
    assert isinstance(last, StoredCommit)
    assert (2, 3) == (first.position, last.position)


async def test_an_append_that_no_majority_confirms(members: MongoReplicaSet, bucket: str) -> None:
    """Nor is it acknowledged when the server tires of waiting, and tells of the late one first."""
    async with MongoStore.open(members.url, bucket) as store:
        await store.append(commit())
    async with MongoStore.open(f"{members.url}&timeoutMS=600", bucket) as store:
        with halted(members):
            first, late, last = await asyncio.gather(*start(store), return_exceptions=True)
    assert isinstance(first, OutcomeUnknown)
    assert [] == [each for each in (late, last) if isinstance(each, StoredCommit)]


async def test_without_majority_writes_what_was_acknowledged_is_lost(
    members: MongoReplicaSet, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule is needed: a caller is told that it is there, and then it is not."""
    async with MongoStore.open(members.url, bucket) as store:
        await store.append(commit())
    monkeypatch.setattr(connection, "WRITE_CONCERN", WriteConcern(1))
    async with MongoStore.open(members.url, bucket) as store:
        with primary_alone(members):
            first, *others = start(store)
            told = (await first).recorded()
        await asyncio.gather(*others, return_exceptions=True)
        assert 2 == told[0].position
        assert [] == await store.history(told[0].stream)


async def test_a_read_never_goes_back(store: MongoStore, commands: Commands) -> None:
    """A new primary may show an older state for a moment, so each read names the latest time."""
    times = []
    for _ in range(3):
        await store.append(commit())
        await store.read()
        await store.load(ACCOUNT)
        await store.head()
        times += [command["readConcern"] for command in commands.named("find")[-3:]]
    assert {"majority"} == {each["level"] for each in times}
    latest = [each["afterClusterTime"] for each in times]
    assert sorted(latest) == latest
    assert 3 == len({*latest[::3]})  # each append is later than the one before


MADE_UP = [
    pytest.param(ACCOUNT, 1, [(1, 2), (2, 1)], id="amid a commit"),
    pytest.param(ACCOUNT, 3, [(1, 2), (4, 1)], id="ahead by one"),
    pytest.param(ACCOUNT, 9, [(1, 2), (10, 1)], id="far ahead"),
    pytest.param(OTHER, 1, [(1, 2), (2, 1)], id="of an unknown stream"),
    pytest.param(CUSTOMER, 2, [(1, 2), (3, 1)], id="of another type"),
]
made_up = pytest.mark.parametrize(("stream", "expected", "places"), MADE_UP)


def places_in(plain: Plain) -> list[tuple[int, int]]:
    """The version of each commit, and how many events it has."""
    found = plain.events.find(sort=[("_id", 1)])
    return [(part["version"], part["size"]) for document in found for part in document["parts"]]


@made_up
async def test_a_commit_goes_behind_the_end_of_another(
    store: MongoStore,
    plain: Plain,
    stream: StreamId,
    expected: int,
    places: list[tuple[int, int]],
) -> None:
    """A version that somebody made up is refused, whatever the store knows by then."""
    await store.append(commit(size=2))
    for fresh in (store, MongoStore(store._connect(), plain.name)):
        async with fresh:
            for _ in range(2):
                with pytest.raises(ConcurrencyError) as caught:
                    await fresh.append(commit(stream, expected_version=expected))
                assert 2 * (stream == ACCOUNT) == caught.value.actual
    assert [(1, 2)] == places_in(plain)


def _believe(_: Appender, part: Part) -> int | None:
    """In place of the look for a proof."""
    return part.expected_version


@made_up
async def test_without_proof_there_are_overlaps_and_gaps(
    store: MongoStore,
    plain: Plain,
    stream: StreamId,
    expected: int,
    places: list[tuple[int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rule is needed: no index refuses a version that no commit has."""
    await store.append(commit(size=2))
    monkeypatch.setattr(Appender, "_known_end", _believe)
    async with MongoStore(store._connect(), plain.name) as fresh:
        await fresh.append(commit(stream, expected_version=expected))
    assert places == places_in(plain)
