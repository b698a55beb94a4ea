"""A commit of many parts looks up the ends of their streams together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pymongo.database import Database

from eventhus import ConcurrencyError
from eventhus.errors import IncompatibleBucket
from eventhus_mongo import MongoStore
from eventhus_testing.conformance.store.samples import accounts, commit, commit_of, part
from eventhus_testing.servers import MongoReplicaSet
from tests.adapters.mongo.support import Commands

Plain = Database[dict[str, Any]]
STREAMS = accounts(1000)


@pytest.fixture
async def other(replica_set: MongoReplicaSet, bucket: str) -> AsyncIterator[MongoStore]:
    """The store of another process, which has stored an event in each stream."""
    async with MongoStore.open(replica_set.url, bucket) as entered:
        await entered.append(commit_of(*(part(each, size=1) for each in STREAMS)))
        yield entered


async def test_a_thousand_unknown_ends_take_one_query(
    store: MongoStore, other: MongoStore, commands: Commands
) -> None:
    stored = await store.append(
        commit_of(*(part(each, size=1, expected_version=1) for each in STREAMS))
    )
    assert {2} == {*stored.versions}
    assert 2 == len(commands.named("find"))  # and the tail of the log


async def test_a_stream_that_has_grown_is_found_among_many(
    store: MongoStore, other: MongoStore
) -> None:
    await other.append(commit(STREAMS[70]))
    with pytest.raises(ConcurrencyError) as caught:
        await store.append(
            commit_of(*(part(each, size=1, expected_version=1) for each in STREAMS[:100]))
        )
    assert (STREAMS[70], 1, 2) == (caught.value.stream, caught.value.expected, caught.value.actual)


@pytest.mark.parametrize(("expected", "actual"), [(1, 4), (2, 4), (3, 4), (5, 4)])
async def test_a_version_amid_a_commit_is_refused_among_many(
    store: MongoStore, other: MongoStore, expected: int, actual: int
) -> None:
    """Nothing begins after it that would tell that the stream goes on."""
    await other.append(commit(STREAMS[1], size=3))
    with pytest.raises(ConcurrencyError) as caught:
        await store.append(
            commit_of(
                part(STREAMS[0], expected_version=1), part(STREAMS[1], expected_version=expected)
            )
        )
    assert (STREAMS[1], actual) == (caught.value.stream, caught.value.actual)


async def test_ends_with_and_without_an_expectation_are_found_together(
    store: MongoStore, other: MongoStore
) -> None:
    await other.append(commit(STREAMS[1], size=3))
    stored = await store.append(
        commit_of(
            part(STREAMS[0], expected_version=1),
            part(STREAMS[1], expected_version=4),
            part(STREAMS[2], expected_version=None),
            part(STREAMS[3], expected_version=1),
        )
    )
    assert [2, 5, 2, 2] == [*stored.versions]


@pytest.mark.parametrize("size", ["1", 1.0, None])
async def test_an_end_that_cannot_be_read_is_a_typed_error_among_many(
    store: MongoStore, other: MongoStore, plain: Plain, size: object
) -> None:
    await other.append(commit(STREAMS[1], size=1))
    plain.events.update_one({"_id": 1001}, {"$set": {"parts.0.size": size}})
    with pytest.raises(IncompatibleBucket):
        await store.append(
            commit_of(part(STREAMS[0], expected_version=1), part(STREAMS[1], expected_version=2))
        )
