"""Conditions inside group commit: each rule that makes them exact, and what happens without it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from pymongo.database import Database

from eventhus import ConcurrencyError, Query, StreamId
from eventhus.errors import ConditionFailed, IncompatibleBucket, InvalidCommit
from eventhus.ports import Commit, Condition, EventData, StoredCommit
from eventhus_mongo import MongoStore, conditions
from eventhus_mongo.appender import Appender
from eventhus_mongo.batching import Batcher
from eventhus_mongo.conditions import Stretch, Verdict
from eventhus_mongo.lookups import Lookups
from eventhus_testing.conformance.store.samples import (
    accounts,
    answer,
    commit,
    commit_of,
    part,
    tagged,
    whole_log,
)
from eventhus_testing.servers import MongoReplicaSet, MongoServer
from tests.adapters.mongo.proxy import Proxy
from tests.adapters.mongo.support import Commands, async_client

Plain = Database[dict[str, Any]]
Appending = asyncio.Task[StoredCommit]

COURSE = StreamId("Course", "c1")
FULL = Query.of("SeatTaken", tags={"course:c1"})


def seat(course: str = "c1", *, student: str = "s1") -> EventData:
    return tagged(f"course:{course}", f"student:{student}", type_="SeatTaken")


def taking(
    after: int, *events: EventData, stream: StreamId = COURSE, query: Query = FULL, **changes: Any
) -> Commit:
    """A commit that takes a seat of the course if nobody has taken one after a position."""
    condition = Condition(query=query, after=after)
    return commit(stream, events=events or [seat()], condition=condition, **changes)


def start(store: MongoStore, *given: Commit) -> list[Appending]:
    """Append all at once, in this order."""
    return [asyncio.create_task(store.append(one)) for one in given]


@pytest.fixture
async def other(replica_set: MongoReplicaSet, bucket: str) -> AsyncIterator[MongoStore]:
    """The store of another process."""
    async with MongoStore.open(replica_set.url, bucket) as entered:
        yield entered


@pytest.fixture
async def busy(store: MongoStore, commands: Commands) -> Appending:
    """An append whose insert has just been sent."""
    (appending,) = start(store, commit(expected_version=0))
    await commands.wait_for("insert")
    return appending


async def seats(store: MongoStore) -> list[int]:
    """The positions of the seats that are taken."""
    page = await store.read(FULL)
    return [recorded.position for recorded in page.events]


Interrupt = Callable[[Callable[[], Awaitable[object]]], None]


@pytest.fixture
def before_insert(monkeypatch: pytest.MonkeyPatch, store: MongoStore) -> Interrupt:
    """Takes what to do right before the next insert of the store, after all its checks."""
    assert store._running is not None
    connection = store._running.connection
    events = connection.events
    acts: list[Callable[[], Awaitable[object]]] = []

    class Events:
        """The collection, with another way to insert."""

        def __getattr__(self, name: str) -> Any:
            return getattr(events, name)

        async def insert_many(self, *given: Any, **options: Any) -> object:
            while acts:
                await acts.pop()()
            return await events.insert_many(*given, **options)

    monkeypatch.setattr(connection, "events", Events())
    return acts.append


async def _unchecked(_: Appender, batch: Sequence[object], head: int) -> Sequence[object]:
    """In place of the check of the conditions."""
    return batch


async def test_what_stands_in_the_log_is_checked_before_the_insert(
    store: MongoStore, other: MongoStore, commands: Commands
) -> None:
    await store.append(commit())
    await other.append(commit(COURSE, events=[tagged(), seat()]))
    commands.forget()
    for _ in range(2):  # the first attempt does not know of the other's commit
        with pytest.raises(ConditionFailed) as caught:
            await store.append(taking(1, stream=accounts(1)[0]))
        failed = caught.value
        assert (accounts(1)[0], 1, 3) == (failed.stream, failed.after, failed.position)
    assert [3] == await seats(store)
    assert 4 == (await store.append(taking(3))).position


async def test_without_the_check_a_seat_is_taken_twice(
    store: MongoStore, other: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await other.append(commit(COURSE, events=[seat()]))
    monkeypatch.setattr(Appender, "_drop_unmet", _unchecked)
    await store.append(taking(0))
    assert [1, 2] == await seats(store)


async def test_the_rest_of_the_log_is_checked_after_a_lost_slot(
    store: MongoStore, other: MongoStore, before_insert: Interrupt, commands: Commands
) -> None:
    await store.append(commit())
    before_insert(lambda: other.append(commit(COURSE, events=[seat()])))
    with pytest.raises(ConditionFailed) as caught:
        await store.append(taking(1))
    assert (1, 2) == (caught.value.after, caught.value.position)
    assert [2] == await seats(store)


async def test_a_slot_lost_to_a_commit_that_does_not_match_is_no_conflict(
    store: MongoStore, other: MongoStore, before_insert: Interrupt
) -> None:
    await store.append(commit())
    before_insert(lambda: other.append(commit(COURSE, events=[seat("c2")])))
    assert 3 == (await store.append(taking(1))).position
    assert [3] == await seats(store)


async def test_without_a_second_check_a_seat_is_taken_twice(
    store: MongoStore, other: MongoStore, before_insert: Interrupt, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.append(commit())

    async def take_one() -> None:
        await other.append(commit(COURSE, events=[seat()]))
        monkeypatch.setattr(Appender, "_drop_unmet", _unchecked)

    before_insert(take_one)
    await store.append(taking(1))
    assert [2, 3] == await seats(store)


async def test_earlier_commits_of_the_batch_are_checked(
    store: MongoStore, commands: Commands, busy: Appending
) -> None:
    """One of many takes the seat, and one query refuses all others."""
    streams = accounts(20)
    appending = start(store, *[taking(0, stream=stream, expected_version=0) for stream in streams])
    answers = await asyncio.gather(*appending, return_exceptions=True)
    assert (await busy).position == 1
    assert isinstance(answers[0], StoredCommit)
    failed = [each for each in answers[1:] if isinstance(each, ConditionFailed)]
    assert [(stream, 0, 2) for stream in streams[1:]] == [
        (each.stream, each.after, each.position) for each in failed
    ]
    assert [2] == await seats(store)
    assert [1, 1] == commands.inserts()


async def test_without_the_check_of_the_batch_a_seat_is_taken_twice(
    store: MongoStore, busy: Appending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stretch, "first_match", lambda *_: None)
    await asyncio.gather(*start(store, taking(0), taking(0, stream=accounts(1)[0])))
    assert [2, 3] == await seats(store)


@pytest.fixture
async def late(store: MongoStore, other: MongoStore) -> Commit:
    """A commit of a seat whose version another writer has taken."""
    (stream,) = accounts(1)
    await other.append(commit(stream))
    await store.append(commit())  # now the store knows the head of the log, but not that stream
    return commit(stream, events=[seat()], expected_version=0)


async def test_a_commit_that_does_not_land_is_in_nobodys_way(
    store: MongoStore, late: Commit
) -> None:
    """To refuse the other at once would be a conflict with nothing."""
    appending = start(store, late, taking(0, expected_version=0))
    refused, stored = await asyncio.gather(*appending, return_exceptions=True)
    assert isinstance(refused, ConcurrencyError)
    assert isinstance(stored, StoredCommit)
    assert [stored.position] == await seats(store)


async def test_without_deferring_there_is_a_conflict_with_nothing(
    store: MongoStore, late: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: object, waiting: Any) -> None:
        waiting.done.set_exception(ConditionFailed(COURSE, 0, 3))

    monkeypatch.setattr(Batcher, "put_back", refuse)
    appending = start(store, late, taking(0, expected_version=0))
    answers = await asyncio.gather(*appending, return_exceptions=True)
    assert [ConcurrencyError, ConditionFailed] == [type(each) for each in answers]
    assert [] == await seats(store)


@pytest.fixture
async def far(
    mongo_standalone: MongoServer, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[MongoStore, Proxy]]:
    """A store on a server that does not know a repeated write, and the network between them."""
    monkeypatch.setattr("pymongo.common.MIN_HEARTBEAT_INTERVAL", 0.01)
    async with (
        Proxy(mongo_standalone.port) as proxy,
        async_client(
            proxy.url,
            retryWrites=False,
            serverMonitoringMode="poll",
            heartbeatFrequencyMS=50,
        ) as client,
        MongoStore(client, bucket) as store,
    ):
        await store.append(commit())
        yield store, proxy


async def test_a_commit_whose_answer_got_lost_is_not_in_its_own_way(
    far: tuple[MongoStore, Proxy],
) -> None:
    """Its own events match its condition."""
    store, proxy = far
    proxy.lose_answers("insert")
    # Both are first versions, so neither is looked up, and they are sent in this order.
    given = [
        taking(0, seat("c1"), command_id="k", expected_version=0),
        taking(0, query=Query.of("Other"), stream=StreamId("Course", "c2"), expected_version=0),
    ]
    one, two = await asyncio.gather(*start(store, *given))
    assert [2, 3] == [one.position, two.position]
    assert answer(one) == answer(await store.append(given[0]))
    again = taking(0, command_id="k", id="another")
    assert answer(one) == answer(await store.append(again))
    assert [2, 3] == await seats(store)


async def test_without_the_look_for_its_id_a_stored_commit_is_refused(
    far: tuple[MongoStore, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(_: Lookups, commits: object) -> frozenset[str]:
        return frozenset()

    monkeypatch.setattr(Lookups, "held", nothing)
    store, proxy = far
    proxy.lose_answers("insert")
    with pytest.raises(ConditionFailed):
        await store.append(taking(0))
    assert [2] == await seats(store)


INSIDE = [
    pytest.param([tagged(), tagged(), seat()], 3, id="after it"),
    pytest.param([seat(), tagged(), tagged()], None, id="before it"),
    pytest.param([tagged(), seat(), tagged()], None, id="at it"),
]


@pytest.mark.parametrize(("events", "position"), INSIDE)
async def test_a_condition_that_begins_inside_a_commit(
    store: MongoStore, events: list[EventData], position: int | None
) -> None:
    await store.append(commit(events=events))
    await store.append(commit())
    if position is None:
        assert 5 == (await store.append(taking(2))).position
        return
    with pytest.raises(ConditionFailed) as caught:
        await store.append(taking(2))
    assert position == caught.value.position


async def test_without_a_look_into_that_commit_a_seat_is_taken_twice(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.append(commit(events=[tagged(), tagged(), seat()]))
    await store.append(commit())
    judge = Stretch.judge

    def hasty(self: Stretch, query: Query, after: int, head: int) -> Verdict | int:
        verdict = judge(self, query, after, head)
        return Verdict.FREE if verdict is Verdict.APART else verdict

    monkeypatch.setattr(Stretch, "judge", hasty)
    await store.append(taking(2))
    assert [3, 5] == await seats(store)


async def test_a_condition_beyond_the_head_is_refused(
    store: MongoStore, commands: Commands
) -> None:
    await store.append(commit())
    commands.forget()
    with pytest.raises(InvalidCommit, match="begins after position 7, and the log ends at 1"):
        await store.append(taking(7))
    assert [] == commands.inserts()


async def test_a_condition_beyond_the_known_head_is_tried_again(
    store: MongoStore, other: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The writer may have read from a server that is ahead of the one that answers here."""
    await store.append(commit())
    back_off, tries = Appender._back_off, []

    async def others_append(self: Appender, failures: int) -> None:
        tries.append(failures)
        if len(tries) == 2:
            await other.append(commit(size=2))
        await back_off(self, failures)

    monkeypatch.setattr(Appender, "_back_off", others_append)
    assert 4 == (await store.append(taking(3))).position
    assert [1, 2] == tries


async def test_a_stored_commit_is_found_whatever_its_condition_says(store: MongoStore) -> None:
    stored = await store.append(taking(0, command_id="k"))
    for again in (
        taking(0, id=stored.commit.id),
        taking(99, id=stored.commit.id),
        taking(0, command_id="k"),
        taking(99, command_id="k"),
    ):
        assert answer(stored) == answer(await store.append(again))
    assert [1] == await seats(store)


async def test_one_query_checks_the_conditions_of_a_batch(
    store: MongoStore, other: MongoStore, commands: Commands, busy: Appending
) -> None:
    await busy
    await other.append(commit())
    head = (await other.append(commit())).position
    commands.forget()
    given = [
        taking(
            head - number % 3,
            seat(f"c{number}"),
            stream=stream,
            expected_version=0,
            query=Query.of("SeatTaken", tags={f"course:c{number}"}),
        )
        for number, stream in enumerate(accounts(30))
    ]
    stored = await asyncio.gather(*start(store, *given))
    assert [*range(head + 1, head + 31)] == [each.position for each in stored]
    # The tail, since a condition lies beyond what this store knows; then one look for all.
    assert ["find", "find", "insert"] == commands.names


@pytest.mark.parametrize("query", [FULL, Query.of("SeatTaken"), Query.of()], ids=str)
async def test_a_condition_that_begins_far_below_the_head(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch, commands: Commands, query: Query
) -> None:
    """It is checked apart from the others, so that none of them waits for it."""
    monkeypatch.setattr(conditions, "NEAR", 3)
    for _ in range(6):
        await store.append(commit(events=[tagged("course:c1"), tagged()]))
    if query == Query.of():
        with pytest.raises(ConditionFailed) as caught:
            await store.append(taking(1, query=query))
        assert 2 == caught.value.position
    else:
        assert 13 == (await store.append(taking(1, query=query))).position
        with pytest.raises(ConditionFailed) as caught:
            await store.append(taking(1, query=query))
        assert 13 == caught.value.position


async def test_a_condition_from_the_start_of_a_long_log_is_checked_apart(
    store: MongoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beside one that begins near the head, for which a stretch of the log is read."""
    monkeypatch.setattr(conditions, "NEAR", 3)
    await store.append(commit(COURSE, events=[seat()]))
    for _ in range(6):
        await store.append(commit())
    streams = accounts(2)
    far, near = await asyncio.gather(
        *start(store, taking(0, stream=streams[0]), taking(6, stream=streams[1])),
        return_exceptions=True,
    )
    assert isinstance(far, ConditionFailed)
    assert 1 == far.position
    assert isinstance(near, StoredCommit)


async def test_what_matches_late_is_seen_by_a_condition_that_was_checked_apart(
    store: MongoStore,
    other: MongoStore,
    before_insert: Interrupt,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(conditions, "NEAR", 3)
    for _ in range(6):
        await store.append(commit())
    before_insert(lambda: other.append(commit(COURSE, events=[seat()])))
    with pytest.raises(ConditionFailed) as caught:
        await store.append(taking(0))
    assert 7 == caught.value.position


async def test_a_document_that_cannot_be_read_fails_only_the_conditions_that_it_may_fail(
    store: MongoStore, plain: Plain
) -> None:
    for _ in range(3):
        await store.append(commit())
    plain.events.update_one({"_id": 2}, {"$set": {"events": [{"type": 7}]}})
    streams = accounts(4)
    answers = await asyncio.gather(
        *start(
            store,
            taking(0, stream=streams[0]),
            taking(1, stream=streams[1]),
            taking(2, stream=streams[2]),
            commit(streams[3]),
        ),
        return_exceptions=True,
    )
    assert [IncompatibleBucket, IncompatibleBucket, StoredCommit, StoredCommit] == [
        type(each) for each in answers
    ]


async def test_parts_of_several_streams_in_one_batch(
    store: MongoStore, commands: Commands, busy: Appending
) -> None:
    """Each part goes to the end of its own stream, also behind others of the same batch."""
    await busy
    one, two = accounts(2)
    assert [0, 0] == [await store.version_of(one), await store.version_of(two)]
    commands.forget()
    stored = await asyncio.gather(
        *start(
            store,
            commit_of(part(one, size=2, expected_version=0), part(two)),
            commit(two, size=2),
            commit_of(part(two), part(one)),
        )
    )
    assert [3] == commands.inserts()
    assert [(1, 1), (2,), (4, 3)] == [each.versions for each in stored]
    assert [2, 5, 7] == [each.position for each in stored]
    assert [1, 2, 3] == [each.version for each in await store.history(one)]
    assert [1, 2, 3, 4] == [each.version for each in await store.history(two)]
    assert 8 == len(await whole_log(store))


async def test_any_part_can_be_the_one_that_comes_too_late(
    store: MongoStore, other: MongoStore, commands: Commands
) -> None:
    """Nothing of its commit is stored, and the others of its batch move up."""
    taken, *free = accounts(4)
    await other.append(commit(taken))
    given = [commit(free[0], expected_version=0)]
    given.append(commit_of(part(free[1], expected_version=0), part(taken, expected_version=0)))
    given.append(commit_of(part(free[2], expected_version=0), part(free[1], expected_version=0)))
    answers = await asyncio.gather(*start(store, *given), return_exceptions=True)
    assert isinstance(answers[1], ConcurrencyError)
    # By the time it is looked at again, the next commit may have been stored.
    assert answers[1].stream in {taken, free[1]}
    assert (0, 1) == (answers[1].expected, answers[1].actual)
    stored = [each for each in (answers[0], answers[2]) if isinstance(each, StoredCommit)]
    assert [2, 3] == [each.position for each in stored]
    assert [(1,), (1, 1)] == [each.versions for each in stored]


async def test_rivals_with_conditions_admit_exactly_what_the_log_allows(
    replica_set: MongoReplicaSet, bucket: str
) -> None:
    """No seat is taken twice, and every refusal has an event that matches."""
    async with (
        MongoStore.open(replica_set.url, bucket) as one,
        MongoStore.open(replica_set.url, bucket) as two,
        MongoStore.open(replica_set.url, bucket) as three,
    ):
        stores = (one, two, three)
        stored: list[tuple[Condition, StoredCommit]] = []
        refused: list[tuple[Query, ConditionFailed]] = []

        async def enrol(number: int) -> None:
            store = stores[number % 3]
            student, stream = f"s{number}", StreamId("Student", f"s{number}")
            for round_ in range(8):
                course = f"c{(number + round_) % 4}"
                query = Query.of("SeatTaken", tags={f"course:{course}"}) | Query.of(
                    tags={f"student:{student}"}
                )
                page = await store.read(query)
                given = commit_of(
                    part(stream, events=[seat(course, student=student)]),
                    part(StreamId("Course", course), events=[tagged()]),
                    condition=Condition(query=query, after=page.position),
                )
                assert given.condition is not None
                try:
                    stored.append((given.condition, await store.append(given)))
                except ConditionFailed as failed:
                    refused.append((query, failed))

        await asyncio.gather(*map(enrol, range(15)))
        log = await whole_log(one)
    assert stored
    assert refused
    assert len(log) == 2 * len(stored)
    for condition, commit_ in stored:
        between = log[condition.after : commit_.position - 1]
        assert not [
            recorded
            for recorded in between
            if condition.query.matches(recorded.event.type, recorded.event.tags)
        ]
    for query, failed in refused:
        event = log[failed.position - 1].event
        assert failed.position > failed.after
        assert query.matches(event.type, event.tags)


ABSENT = Query.of(tags={"absent"})


async def test_what_this_process_has_just_stored_is_not_read_again(
    store: MongoStore, commands: Commands
) -> None:
    streams = accounts(4)
    for stream in streams[:3]:
        await store.append(taking(0, stream=stream, query=ABSENT, expected_version=0))
    assert [] == commands.named("find")[1:]  # the first one has looked for the tail
    with pytest.raises(ConditionFailed) as caught:
        await store.append(taking(1, stream=streams[3], expected_version=0))
    assert 2 == caught.value.position


@pytest.mark.parametrize("condition", [True, False])
async def test_what_others_have_stored_meanwhile_is_read(
    store: MongoStore, other: MongoStore, condition: bool
) -> None:
    """The other writer has a condition, too, or the same store appends without one."""
    streams = accounts(4)
    stored = await store.append(taking(0, stream=streams[0], query=ABSENT))
    seen = stored.last_position
    if condition:
        await other.append(taking(seen, stream=streams[1]))
    else:
        await store.append(commit(streams[1], events=[seat()]))
    with pytest.raises(ConditionFailed) as caught:
        await store.append(taking(seen, stream=streams[2]))
    assert seen + 1 == caught.value.position
    assert 3 == (await store.append(taking(2, stream=streams[3]))).position


async def test_a_batch_that_was_stopped_is_not_remembered_as_stored(
    store: MongoStore, other: MongoStore, before_insert: Interrupt
) -> None:
    """The place of a lost commit holds what another writer has stored."""
    streams = accounts(3)
    await store.append(taking(0, tagged(), stream=streams[0], query=ABSENT))
    before_insert(lambda: other.append(commit(streams[1], events=[seat()])))
    lost = await store.append(taking(1, tagged(), stream=streams[2], query=ABSENT))
    assert 3 == lost.position
    with pytest.raises(ConditionFailed) as caught:
        await store.append(taking(1))
    assert 2 == caught.value.position
