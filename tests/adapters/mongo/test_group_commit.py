"""Group commit: what waits while one insert is under way goes out together in the next."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

import pytest

from eventhus import ConcurrencyError, Query, StreamId
from eventhus.errors import CommitTooLarge, InvalidCommit
from eventhus.ports import Commit, Condition, EventData, StoredCommit
from eventhus_mongo import MongoStore, appender, pending_append
from eventhus_mongo.commits import encode_commit
from eventhus_mongo.documents import LIMIT_BYTES
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    accounts,
    answer,
    commit,
    commit_of,
    first_version,
    part,
    place,
    whole_log,
)
from eventhus_testing.servers import MongoReplicaSet
from tests.adapters.mongo.support import Client, Commands

Appending = asyncio.Task[StoredCommit]


def start(store: MongoStore, *given: Commit) -> list[Appending]:
    """Append all at once, in this order."""
    return [asyncio.create_task(store.append(one)) for one in given]


def firsts(number: int, **changes: Any) -> list[Commit]:
    """As many commits, each the first of its stream, which takes no query to know."""
    return [commit(stream, expected_version=0, **changes) for stream in accounts(number)]


def of_bytes(size_bytes: int, number: int = 0) -> Commit:
    """A commit whose document has a size."""
    stream = accounts(number + 1)[number]
    made = partial(commit, stream, expected_version=0, id=f"large-{number}")
    empty = made(events=[EventData("Noted", {"text": ""})])
    padding = "x" * (size_bytes - encode_commit(empty).size_bytes)
    return made(events=[EventData("Noted", {"text": padding})])


async def places(appending: list[Appending]) -> list[int]:
    """The positions of the commits' first events."""
    return [stored.position for stored in await asyncio.gather(*appending)]


@pytest.fixture
async def busy(store: MongoStore, commands: Commands) -> Appending:
    """An append whose insert has just been sent."""
    (appending,) = start(store, commit(ACCOUNT, expected_version=0))
    await commands.wait_for("insert")
    return appending


async def test_an_idle_append_leaves_at_once(store: MongoStore, commands: Commands) -> None:
    """It waits for no others to go with: one caller alone pays one insert, and no query."""
    stored = await store.append(commit())
    commands.forget()
    for _ in range(3):
        stored = await store.append(commit(expected_version=stored.versions[0]))
    assert ["insert"] * 3 == commands.names


async def test_waiting_commits_go_out_in_one_insert(
    store: MongoStore, commands: Commands, busy: Appending
) -> None:
    """All that is appended while an insert is under way is in the next one, in its order."""
    appending = start(store, *firsts(50))
    assert [*range(1, 52)] == await places([busy, *appending])
    assert [1, 50] == commands.inserts()


async def test_one_insert_is_under_way_at_a_time(store: MongoStore, commands: Commands) -> None:
    """However many callers there are: each aims right behind the insert before."""

    async def write(number: int) -> None:
        for version in range(10):
            one = commit(streams[number], size=2, expected_version=2 * version)
            assert 2 * version + 1 == first_version(await store.append(one))

    streams = accounts(60)
    await asyncio.gather(*map(write, range(60)))
    assert 1 == commands.most["insert"]
    assert 600 == sum(commands.inserts())
    assert 60 > len(commands.inserts())  # a tenth of what one by one takes, at least
    assert [*range(1, 1201)] == [recorded.position for recorded in await read_all(store)]


async def read_all(store: MongoStore) -> list[Any]:
    """The log in two pages."""
    return [*(await store.read()).events, *(await store.read(after=1000)).events]


async def test_a_conflict_fails_its_own_commit_only(
    store: MongoStore, commands: Commands, busy: Appending
) -> None:
    """The later commits move up, so that there is no gap."""
    before, after = firsts(2, size=2)
    late = commit(ACCOUNT, size=2, expected_version=0)  # which has its first version by then
    appending = start(store, before, late, after)
    with pytest.raises(ConcurrencyError) as caught:
        await appending[1]
    assert (ACCOUNT, 0, 1) == (caught.value.stream, caught.value.expected, caught.value.actual)
    assert [1, 2, 4] == await places([busy, appending[0], appending[2]])
    assert 5 == len(await whole_log(store))


async def test_many_conflicts_in_one_batch(
    store: MongoStore, mongo: Client, bucket: str, commands: Commands
) -> None:
    """Each fails its own commit only, and not each takes an insert to find."""
    streams = accounts(40)
    async with MongoStore(mongo, bucket) as other:
        await asyncio.gather(*[other.append(commit(stream)) for stream in streams[::2]])
    commands.forget()
    answers = await asyncio.gather(
        *[store.append(commit(stream, expected_version=0)) for stream in streams],
        return_exceptions=True,
    )
    refused, stored = answers[::2], answers[1::2]
    assert [ConcurrencyError] * 20 == [type(each) for each in refused]
    assert [*range(21, 41)] == [each.position for each in stored if isinstance(each, StoredCommit)]
    assert 3 >= len(commands.inserts())
    assert 40 == len(await whole_log(store))


async def test_commits_of_one_stream_in_one_batch(
    store: MongoStore, commands: Commands, busy: Appending
) -> None:
    """Those that go wherever the stream ends go behind one another, each at its own version."""
    await busy
    commands.forget()
    appending = start(store, *[commit(size=2) for _ in range(5)])
    stored = await asyncio.gather(*appending)
    assert [5] == commands.inserts()
    assert [2, 4, 6, 8, 10] == [first_version(each) for each in stored]
    assert [2, 4, 6, 8, 10] == [each.position for each in stored]


async def test_a_batch_has_a_most_of_commits(
    store: MongoStore, commands: Commands, busy: Appending
) -> None:
    """So that no caller waits for a thousand others to be written."""
    appending = start(store, *firsts(450))
    assert [*range(1, 452)] == await places([busy, *appending])
    assert [1, 200, 200, 50] == commands.inserts()


async def test_a_batch_has_a_most_of_bytes(
    store: MongoStore, commands: Commands, busy: Appending
) -> None:
    """4 MB: three of 1.2 MB fit, and a fourth does not."""
    appending = start(store, *[of_bytes(1_200_000, number) for number in range(7)])
    assert [*range(1, 9)] == await places([busy, *appending])
    assert [1, 3, 3, 1] == commands.inserts()


async def test_a_batch_has_a_most_of_streams(
    store: MongoStore, commands: Commands, busy: Appending, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And of names in conditions: each is looked up on behalf of all."""
    monkeypatch.setattr(pending_append, "BATCH_NAMES", 4)
    streams = accounts(12)
    given = [
        commit_of(part(one, expected_version=0), part(two, expected_version=0))
        for one, two in zip(streams[:5], streams[5:10], strict=True)
    ]
    condition = Condition(query=Query.of("A", "B", "C", tags={"d"}), after=0)
    given += [commit(one, expected_version=0, condition=condition) for one in streams[10:]]
    appending = start(store, *given)
    assert [1, 2, 4, 6, 8, 10, 12, 13] == await places([busy, *appending])
    assert [1, 2, 2, 1, 1, 1] == commands.inserts()


async def test_a_large_commit_goes_alone(
    store: MongoStore, commands: Commands, busy: Appending
) -> None:
    """Whatever its size, and in its turn."""
    first, last = firsts(3)[1:]
    appending = start(store, first, of_bytes(15_000_000), last)
    assert [1, 2, 3, 4] == await places([busy, *appending])
    assert [1, 1, 1, 1] == commands.inserts()


async def test_the_largest_commit(store: MongoStore, commands: Commands) -> None:
    """A document of 16 MiB to the byte is stored; one byte more is refused, and nothing is sent."""
    largest = of_bytes(LIMIT_BYTES)
    assert largest is (await store.append(largest)).commit
    commands.forget()
    with pytest.raises(CommitTooLarge) as caught:
        await store.append(of_bytes(LIMIT_BYTES + 1, 1))
    refused = caught.value
    assert (accounts(2)[1], 16_777_217, 16_777_216) == (
        refused.stream,
        refused.size,
        refused.limit,
    )
    assert "takes 16,777,217 bytes, and the store keeps at most 16,777,216" in str(refused)
    assert [] == commands.names


async def test_an_unstorable_commit_is_not_sent(
    store: MongoStore, commands: Commands, busy: Appending
) -> None:
    """It is refused before it could hold up those that go out with it."""
    wrong = commit(events=[EventData("Noted", {"text": object()})])
    appending = start(store, *firsts(1), wrong)
    with pytest.raises(InvalidCommit):
        await appending[1]
    assert [1, 2] == await places([busy, appending[0]])
    assert [1, 1] == commands.inserts()


async def test_a_caller_who_leaves_before_it_is_sent(
    store: MongoStore, commands: Commands, busy: Appending
) -> None:
    """Its commit is left out, and can be appended later."""
    given = firsts(3)
    appending = start(store, *given)
    await asyncio.sleep(0)  # they wait for the insert now
    appending[1].cancel()
    assert [1, 2, 3] == await places([busy, appending[0], appending[2]])
    assert [1, 2] == commands.inserts()
    assert 4 == (await store.append(given[1])).position


async def test_a_caller_who_leaves_after_it_was_sent(store: MongoStore, commands: Commands) -> None:
    """Its commit lands with the others, and is found when it is appended again."""
    given = firsts(3)
    appending = start(store, *given)
    await commands.wait_for("insert")
    appending[1].cancel()
    assert [1, 3] == await places([appending[0], appending[2]])
    assert [3] == commands.inserts()
    again = await store.append(given[1])
    assert (1, 2) == place(again)
    assert answer(again) == answer(await store.append(given[1]))
    assert 3 == await store.head()


async def test_all_callers_leave(store: MongoStore, commands: Commands, busy: Appending) -> None:
    """Nothing is sent for those who are gone, and the next append finds all in order."""
    appending = start(store, *firsts(3))
    await asyncio.sleep(0)
    for each in (busy, *appending):
        each.cancel()
    await asyncio.wait([busy, *appending])
    stored = await store.append(commit())
    assert (2, 2) == place(stored)
    assert [1, 1] == commands.inserts()


async def test_one_commit_appended_twice_in_one_batch(
    store: MongoStore, commands: Commands, busy: Appending
) -> None:
    """One of the two stores it, and both get the one answer."""
    (given,) = firsts(1)
    first, second, last = await asyncio.gather(*start(store, given, given, commit()))
    assert first.commit is given
    assert answer(first) == answer(second)
    assert (2, 3) == (first.position, last.position)
    assert 3 == len(await whole_log(store))


async def test_rivals_wait_no_longer_for_losing_more_often(
    replica_set: MongoReplicaSet, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the log would belong to the writer that loses least."""
    waits: list[int] = []
    back_off = appender.Appender._back_off

    async def noted(self: appender.Appender, failures: int) -> None:
        waits.append(failures)
        await back_off(self, failures)

    monkeypatch.setattr(appender.Appender, "_back_off", noted)
    async with AsyncExitStack() as stack:
        rivals = [
            await stack.enter_async_context(MongoStore.open(replica_set.url, bucket))
            for _ in range(4)
        ]

        streams = accounts(4 * 8)

        async def write(store: MongoStore, stream: StreamId) -> None:
            for version in range(20):
                await store.append(commit(stream, expected_version=version))

        await asyncio.gather(
            *(write(rivals[number % 4], stream) for number, stream in enumerate(streams))
        )
        assert 4 * 8 * 20 == await rivals[0].head()
    assert waits
    assert max(waits) <= appender.RIVALRY
