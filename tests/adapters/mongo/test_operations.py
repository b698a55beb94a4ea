"""The cases of operations on MongoDB, and the health while its server hangs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from pymongo.database import Database

from eventhus.operations import Operations, health
from eventhus_mongo import MongoStore
from eventhus_testing.servers import standalone_mongo
from tests.adapters.mongo.test_leaving import paused
from tests.core.operations.all_cases import CASES, Case
from tests.core.operations.cases import bank
from tests.core.readers import balances
from tests.core.support import add


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
async def test_operations(case: Case, store: MongoStore) -> None:
    await case(store)


async def test_health_is_answered_while_the_server_hangs(
    mongod: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with standalone_mongo() as server:
        store = MongoStore.open(server.url, "bank")
        async with bank(store, views=[balances], shutdown_timeout_s=1) as app:
            await add(app, 1)
            await app.caught_up(balances)
            operations = Operations(app)
            assert (await operations.health()).is_healthy
            monkeypatch.setattr(health, "ANSWER_S", 0.2)
            async with paused(server), asyncio.timeout(10):  # the driver would wait for 30 s
                found = await operations.health()
            assert ("the store did not answer: it took longer than 0.16 s",) == found.problems
            assert (None, (), True, False) == (
                found.head,
                found.readers,
                found.is_live,
                found.is_ready,
            )


@pytest.mark.parametrize(
    ("collection", "damage"),
    [
        ("view_others", {"_position": "x"}),
        ("view_others", {"_parked": {"position": "x"}}),
        ("checkpoints", {"position": "x"}),
    ],
    ids=["position", "parking mark", "checkpoint"],
)
async def test_a_damaged_reader_stops_no_other(
    store: MongoStore, plain: Database[dict[str, Any]], collection: str, damage: dict[str, Any]
) -> None:
    others = evolve(balances, name="others")
    async with bank(store, views=[balances, others], shutdown_timeout_s=1) as app:
        await add(app, 1)
        await app.caught_up(balances)
        await app.caught_up(others)
    plain[collection].update_many({"_id": {"$in": ["a", "view_others"]}}, {"$set": damage})
    async with bank(store, views=[balances, others], shutdown_timeout_s=1) as app:
        await add(app, 1)
        await app.caught_up(balances)
        operations = Operations(app)
        found = await operations.health()
        while not found.problems:
            found = await operations.health()
        assert (2, True) == (found.head, found.is_live)
        assert all("view others" in problem for problem in found.problems)
        assert [2] == [each.position for each in found.readers if each.name == "balances"]
