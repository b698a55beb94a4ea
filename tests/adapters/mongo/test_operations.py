"""The cases of operations on MongoDB, and the health while its server hangs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from pymongo.database import Database

from eventhus import Application, Delivered
from eventhus.errors import IncompatibleBucket
from eventhus.operations import Operations, health
from eventhus_memory import MemoryBus
from eventhus_mongo import MongoStore
from eventhus_testing.servers import standalone_mongo
from tests.adapters.mongo.test_leaving import paused
from tests.core.operations.all_cases import CASES, Case
from tests.core.operations.cases import bank
from tests.core.readers import balances, welcome
from tests.core.support import add
from tests.core.waiting import eventually_so


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


async def pass_by(_: Delivered[Any]) -> None:
    """Handle every event."""


@asynccontextmanager
async def everything(store: MongoStore, *, with_bus: bool) -> AsyncIterator[Application]:
    """Run readers of every kind."""
    views, bus = [balances, OTHERS], MemoryBus() if with_bus else None
    app = bank(store, views=views, processes=[welcome], bus=bus, shutdown_timeout_s=1)
    async with app:
        if not with_bus:
            await app.subscribe(pass_by, group="mail", start="beginning")
            await app.subscribe(pass_by, group="news", start="beginning")
        yield app


OTHERS = evolve(balances, name="others")
DAMAGES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "the lease of a view": ("leases", "view_others", {"owner": 7}),
    "the term of the lease of a view": ("leases", "view_others", {"ttl_ms": "x"}),
    "the registration of a view": ("views", "view_others", {"start": 7}),
    "the version in charge of a process": ("checkpoints", "process_welcome/version", {"done": 7}),
    "the registration of a process": ("views", "process_welcome", {"version": "x"}),
    "the lease of a process": ("leases", "process_welcome", {"token": "x"}),
    "the checkpoint of the relay": ("checkpoints", "relay", {"position": "x"}),
    "the lease of the relay": ("leases", "relay", {"token": "x"}),
    "the checkpoint of a group": ("checkpoints", "group_mail", {"position": "x"}),
    "the start of a group": ("groups", "mail", {"start": 7}),
    "the lease of a group": ("leases", "group_mail", {"owner": 7}),
}


@pytest.mark.parametrize("damaged", DAMAGES)
async def test_a_damaged_document_is_a_problem_of_its_reader_alone(
    store: MongoStore, plain: Database[dict[str, Any]], damaged: str
) -> None:
    collection, key, damage = DAMAGES[damaged]
    async with everything(store, with_bus=key == "relay") as app:
        await add(app, 1)

        async def have_caught_up() -> bool:
            readers = (await Operations(app).health()).readers
            return len(readers) > 3 and all(each.position == 1 for each in readers)

        await eventually_so(have_caught_up)
    upsert = key.endswith("/version")  # it is written by a second version of a process
    plain[collection].update_one({"_id": key}, {"$set": damage}, upsert=upsert)
    label = key.partition("/")[0].replace("_", " ")
    label = "group mail" if collection == "groups" else label
    watching = bank(store, views=[balances, OTHERS], processes=[welcome]).watching()
    async with watching as app:
        operations = Operations(app)
        found = await operations.health()
        assert (True, 1) == (found.is_live, found.head)
        (problem,) = found.problems
        assert problem.startswith(f"{label} cannot be read: ")
        assert key.partition("_")[2] in problem
        healthy = {each.name: each.position for each in found.readers if not each.problems}
        assert {*healthy.values()} == {1}
        assert {"relay", "balances", "others", "welcome", "mail", "news"} & {
            each.name for each in found.readers
        } - {label.rpartition(" ")[2]} == {*healthy}
        assert problem in [text for each in await operations.readers() for text in each.problems]


async def test_a_commit_of_a_newer_version_is_a_problem_of_those_that_wait_for_it(
    store: MongoStore, plain: Database[dict[str, Any]]
) -> None:
    async with bank(store, views=[balances, OTHERS], shutdown_timeout_s=1) as app:
        await add(app, 1, 2, 3)
        for view in (balances, OTHERS):
            await app.caught_up(view)
    plain.checkpoints.update_one({"_id": "view_others"}, {"$set": {"position": 1}})
    plain.events.update_one({"_id": 2}, {"$set": {"format": 9}})
    async with bank(store, views=[balances, OTHERS]).watching() as app:
        found = await Operations(app).health()
    (problem,) = found.problems
    assert problem.startswith("view others cannot be read: the commit at position 2 was written by")
    assert {"balances": 3, "others": 1} == {each.name: each.position for each in found.readers}


@pytest.mark.parametrize("reader", ["view others", "process welcome"])
async def test_a_damaged_registration_is_refused_where_its_reader_is_declared(
    store: MongoStore, plain: Database[dict[str, Any]], reader: str
) -> None:
    async with everything(store, with_bus=False):
        pass
    key = reader.replace(" ", "_")
    plain.views.update_one({"_id": key}, {"$set": {"version": "x"}})
    with pytest.raises(IncompatibleBucket, match=f"the document '{key}' of views was not written"):
        async with everything(store, with_bus=False):
            raise AssertionError("it started")
    async with bank(store, views=[balances]) as app:
        await add(app, 1)
        await app.caught_up(balances)


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
