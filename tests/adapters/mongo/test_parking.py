"""Parked keys in MongoDB: how they are stored and found, and retries beside a running leader."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from attrs import evolve
from bson import Int64
from pymongo.database import Database

from eventhus import Application, View
from eventhus.errors import IncompatibleBucket, KeyParked
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.conformance.store.parked import SKIPPED, parked, replace
from eventhus_testing.conformance.store.samples import exact
from eventhus_testing.conformance.store.views import BALANCES, document, put
from eventhus_testing.servers import MongoReplicaSet
from tests.adapters.mongo.support import Client, Commands
from tests.bank import account, note
from tests.core.runtime.readers.test_parked_processes import AFTER_RETRY, BUGS, fill, written
from tests.core.runtime.readers.test_parked_processes import mended as mended_process
from tests.core.runtime.readers.test_parking import broken, mended
from tests.core.support import add

Plain = Database[dict[str, Any]]


async def test_a_parked_document_as_it_is_stored(store: MongoStore, plain: Plain) -> None:
    """Queries by hand do not find the value of before, and see why there is none."""
    value = document("k", 7, {"owner": "ann"})
    await put(store, value)
    await replace(store, parked("k", 9), value)
    await replace(store, parked("k", 9, revision=1), parked("k", 9))
    (stored,) = plain[BALANCES].find()
    at = "2024-02-29T12:30:15.123456+00:00"
    assert exact(
        {
            "_id": "k",
            "_position": Int64(9),
            "_revision": 1,
            "_parked": {
                "position": Int64(9),
                "handled": Int64(0),
                "error": "KeyError",
                "at": at,
            },
        }
    ) == exact(stored)


async def test_skipped_events_as_they_are_stored(store: MongoStore, plain: Plain) -> None:
    """The decision stands beside the value, so that its readers see what is left out, and why."""
    await put(store, evolve(document("k", 7, {"owner": "ann"}), skipped=SKIPPED[1:]))
    (stored,) = plain[BALANCES].find()
    assert {
        "_id": "k",
        "_position": 7,
        "_skipped": [{"position": 2**40, "why": "x", "at": "1999-12-31T00:00:00.000000+00:00"}],
        "owner": "ann",
    } == stored


@pytest.mark.parametrize(
    "field",
    [
        {"_parked": 7},
        {"_parked": {}},
        {"_parked": {"position": 1, "handled": 0, "error": "E", "at": "yesterday"}},
        {"_parked": {"position": 1, "handled": 0, "error": "E", "at": 7}},
        {"_skipped": 7},
        {"_skipped": [{"position": 1}]},
        {"_revision": "1"},
    ],
    ids=str,
)
async def test_parked_documents_of_no_known_form_are_refused(
    store: MongoStore, plain: Plain, field: dict[str, Any]
) -> None:
    plain[BALANCES].insert_one({"_id": "a", "_position": 1, **field})
    with pytest.raises(IncompatibleBucket, match="the document 'a' was not written by eventhus"):
        await store.load_documents(BALANCES, ["a"])


async def test_parked_documents_are_found_by_an_index_that_the_others_do_not_fill(
    store: MongoStore, plain: Plain, commands: Commands
) -> None:
    await put(store, *[document(f"k{number}") for number in range(300)])
    await put(store, *[parked(f"p{number}") for number in range(3)])
    assert 1 == len(commands.named("createIndexes"))
    found = await store.load_parked(BALANCES, after="p0", limit=2)
    assert ["p1", "p2"] == [each.key for each in found]
    (find,) = commands.named("find")
    explained = plain.command(
        "explain",
        {name: find[name] for name in ("find", "filter", "sort", "limit", "hint")},
        verbosity="executionStats",
    )
    assert 3 == explained["executionStats"]["totalKeysExamined"]
    assert "COLLSCAN" not in str(explained)


async def test_parked_documents_are_found_after_the_collection_was_dropped(
    store: MongoStore, plain: Plain
) -> None:
    """And its index with it."""
    await put(store, parked("a"))
    plain.drop_collection(BALANCES)
    assert [] == await store.load_parked(BALANCES)
    await put(store, parked("b"))
    assert ["b"] == [each.key for each in await store.load_parked(BALANCES)]


# An application.


def bank(store: MongoStore, view: View[Any, Any], process: Any) -> Application:
    return Application(
        bucket="bank",
        aggregates=[account, note],
        views=[view],
        processes=[process],
        store=store,
        codec=CattrsCodec(),
    )


async def test_keys_are_parked_by_one_process_and_mended_by_another(
    mongo: Client, replica_set: MongoReplicaSet, bucket: str, plain: Plain
) -> None:
    """The leader with the bug goes on with the other keys meanwhile."""
    buggy, _ = BUGS["react raises"]
    near = MongoStore(mongo, bucket)
    async with near:
        await fill(near)
    async with bank(near, broken, buggy) as leader:
        await leader.caught_up(broken)
        await leader.caught_up(buggy)
        assert [("a", 3)] == [(each.key, each.position) for each in await leader.parked(broken)]
        with pytest.raises(KeyParked):
            await leader.view(broken, "a")
        assert 7 == await leader.view(broken, "b")
        far = bank(MongoStore.open(replica_set.url, bucket), mended, mended_process)
        async with asyncio.timeout(30), far as app:
            await asyncio.gather(app.retry(mended, "a"), app.retry(mended_process, "a"))
            assert 18 == await app.view(mended, "a")
            await add(leader, 6)
            await app.caught_up(mended)
            await app.caught_up(mended_process)
            assert 24 == await leader.view(broken, "a")
            assert [*AFTER_RETRY, "a 24"] == await written(near)
            assert [] == await app.parked(mended)
            assert [] == await app.parked(mended_process)


async def test_a_skip_is_seen_by_whoever_reads_the_document(
    store: MongoStore, plain: Plain
) -> None:
    await fill(store)
    async with bank(store, broken, mended_process) as app:
        await app.caught_up(broken)
        await app.skip(broken, "a", 3, why="a test deposit, see the ticket")
        assert 5 == await app.view(broken, "a")
        await add(app, 6)
        await app.caught_up(broken)
    stored = plain["view_totals"].find_one({"_id": "a"})
    assert stored is not None
    assert 11 == stored["_value"]
    assert [(3, "a test deposit, see the ticket")] == [
        (each["position"], each["why"]) for each in stored["_skipped"]
    ]
