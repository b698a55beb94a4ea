"""Deadlines of processes in MongoDB: how they are stored and found, and reached by a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from attrs import evolve
from bson import Int64
from pymongo.database import Database

from eventhus import Application, Cancel, Command, Deadline, DeadlineReached, Process, Recorded
from eventhus.errors import IncompatibleBucket
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.conformance.store.deadlines import AT, ORDERS, armed, deadline
from eventhus_testing.conformance.store.parked import parked, replace
from eventhus_testing.conformance.store.samples import exact
from eventhus_testing.conformance.store.views import document, put
from eventhus_testing.servers import MongoReplicaSet
from tests.adapters.mongo.support import Client, Commands
from tests.bank import Deposit, Deposited, Open, Opened, Scribble, account, note

Plain = Database[dict[str, Any]]

TEXT = "2024-02-29T12:30:15.123456+00:00"


async def test_deadlines_as_they_are_stored(store: MongoStore, plain: Plain) -> None:
    """Beside the value, with the time by which they are found while the key is not parked."""
    now = evolve(document("k", 7, {"owner": "ann"}), deadlines=[deadline(AT, "payment", 5)])
    await put(store, now, collection=ORDERS)
    stored = plain[ORDERS].find_one()
    expected = {
        "_id": "k",
        "_position": Int64(7),
        "_deadlines": [
            {"name": "payment", "due": TEXT, "event_id": "c-5", "position": Int64(5)},
        ],
        "_due": TEXT,
        "owner": "ann",
    }
    assert exact(expected) == exact(stored)
    await replace(store, evolve(parked("k", 9), deadlines=now.deadlines), now, collection=ORDERS)
    (stored,) = plain[ORDERS].find()
    assert "_due" not in stored
    assert exact(expected["_deadlines"]) == exact(stored["_deadlines"])


@pytest.mark.parametrize(
    "field",
    [
        7,
        [7],
        [{"name": "a", "due": TEXT, "event_id": "c-1"}],
        [{"name": 7, "due": TEXT, "event_id": "c-1", "position": 1}],
        [{"name": "a", "due": TEXT, "event_id": 7, "position": 1}],
        [{"name": "a", "due": TEXT, "event_id": "c-1", "position": "1"}],
        [{"name": "a", "due": "soon", "event_id": "c-1", "position": 1}],
        [{"name": "a", "due": 7, "event_id": "c-1", "position": 1}],
    ],
    ids=str,
)
async def test_deadlines_of_no_known_form_are_refused(
    store: MongoStore, plain: Plain, field: object
) -> None:
    plain[ORDERS].insert_one({"_id": "a", "_position": 1, "_due": TEXT, "_deadlines": field})
    with pytest.raises(IncompatibleBucket, match="the document 'a' was not written by eventhus"):
        await store.load_documents(ORDERS, ["a"])
    with pytest.raises(IncompatibleBucket, match="the document 'a' was not written by eventhus"):
        await store.load_armed(ORDERS)


async def test_deadlines_are_found_by_an_index_that_other_documents_do_not_fill(
    store: MongoStore, plain: Plain, commands: Commands
) -> None:
    await put(store, *[document(f"k{number}") for number in range(300)], collection=ORDERS)
    times = [AT + timedelta(seconds=number // 2) for number in range(40)]
    await put(
        store,
        *[armed(f"d{number:02}", time) for number, time in enumerate(times)],
        collection=ORDERS,
    )
    for after, expected in ((None, ["d00", "d01"]), ((times[20], "d20"), ["d21", "d22"])):
        commands.forget()
        found = await store.load_armed(ORDERS, after=after, limit=2)
        assert expected == [each.key for each in found]
        (find,) = commands.named("find")
        explained = plain.command(
            "explain",
            {name: find[name] for name in ("find", "filter", "sort", "limit", "hint")},
            verbosity="executionStats",
        )
        assert explained["executionStats"]["totalKeysExamined"] <= 4
        assert "SORT" not in str(explained["queryPlanner"]["winningPlan"])
    plain.drop_collection(ORDERS)
    assert [] == await store.load_armed(ORDERS)


# An application.


def account_of(recorded: Recorded[Any]) -> str:
    return recorded.stream.aggregate_id


def number(total: int, recorded: Recorded[Opened | Deposited | DeadlineReached]) -> int:
    return total + 1


def dun(
    total: int, recorded: Recorded[Opened | Deposited | DeadlineReached]
) -> Iterator[Command | Deadline | Cancel]:
    match recorded.event:
        case Opened():
            yield Deadline("deposit", after=timedelta(seconds=0.5))
        case Deposited():
            yield Cancel("deposit")
        case DeadlineReached(name):
            yield Scribble(aggregate_id=account_of(recorded), text=name)


dunning: Process[Opened | Deposited, int] = Process(
    name="dunning", initial=0, key=account_of, evolve=number, react=dun
)


def bank(store: MongoStore) -> Application:
    return Application(
        bucket="bank",
        aggregates=[account, note],
        processes=[dunning],
        store=store,
        codec=CattrsCodec(),
    )


async def test_a_worker_reaches_deadlines_that_another_has_armed(
    mongo: Client, replica_set: MongoReplicaSet, bucket: str
) -> None:
    """Once each, at their time, and not those that were cancelled."""
    async with bank(MongoStore(mongo, bucket)) as app:
        for each in ("a", "b", "c"):
            await app.dispatch(Open(aggregate_id=each))
        await app.dispatch(Deposit(aggregate_id="b"))
        await app.caught_up(dunning)
    async with asyncio.timeout(30), bank(MongoStore.open(replica_set.url, bucket)) as app:
        texts: list[tuple[str, timedelta]] = []
        opened = {}
        async for recorded in app.follow():
            if isinstance(recorded.event, Opened):
                opened[recorded.id] = recorded.recorded_at
            if isinstance(recorded.event, DeadlineReached):
                cause = recorded.metadata.causation_id or ""
                late = recorded.recorded_at - opened[cause] - timedelta(seconds=0.5)
                texts.append((account_of(recorded), late))
            if len(texts) == 2:
                break
        await app.caught_up(dunning)
        assert ["a", "c"] == sorted(key for key, _ in texts)
        assert timedelta() <= min(late for _, late in texts)
        assert ["deposit", "", "deposit"] == [await app.state(note, each) for each in "abc"]
