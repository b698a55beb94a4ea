"""A new version of a view is built and takes over while traffic goes on; nothing reads stale."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from attrs import define, frozen

from eventhus import Application, Recorded, View, ViewVersion, in_range
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.servers.processes import room
from tests.adapters.mongo.faults.run import Soak
from tests.adapters.mongo.support import async_client
from tests.bank import Deposited, Script, account, always, note
from tests.core.support import add

CLIENTS = 6
HISTORY = 100  # commits of 100 events before the new version
READS = 20  # of each client with each version, at least
_ROOT = Path(__file__).parents[4]
_BUILDER = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from tests.adapters.mongo.faults import test_blue_green as here

async def main():
    async with here.bank(*sys.argv[2:], here.new, work=False) as app:
        await app.build(here.new)

asyncio.run(main())
"""


@frozen
class Total:
    amount: int = 0
    deposits: int = 0


def key(recorded: Recorded[Deposited]) -> str:
    return recorded.stream.aggregate_id


def add_up(total: int, recorded: Recorded[Deposited]) -> int:
    return total + recorded.event.amount


def count(total: Total, recorded: Recorded[Deposited]) -> Total:
    return Total(total.amount + recorded.event.amount, total.deposits + 1)


old = View(name="totals", initial=0, key=key, evolve=add_up)
new = View(name="totals", version=2, initial=Total(), key=key, evolve=count, indexes=["amount"])


def bank(url: str, bucket: str, view: View[Any, Any], *, work: bool = True) -> Application:
    """The bank with one of the versions."""
    return Application(
        bucket=bucket,
        aggregates=[account, note],
        views=[view],
        store=MongoStore.open(url, bucket),
        codec=CattrsCodec(),
        work=work,
    )


@define
class Traffic:
    """Where requests go.

    Attributes:
        app: The application that answers them.
        version: The version of the view that it has.
        reads: How many requests each version has answered, by client.
        is_over: Whether clients should stop.
    """

    app: Application
    version: int
    reads: Counter[tuple[int, int]]
    is_over: bool = False


async def test_a_version_takes_over_under_load(
    mongo_url: str, mongo_bucket: str, soak: Soak, tmp_path: Path
) -> None:
    """The first builder is killed with SIGKILL, and the second one finishes its work."""
    random = Random(soak.seed)
    builder = [sys.executable, "-c", _BUILDER, str(_ROOT), mongo_url, mongo_bucket]
    async with AsyncExitStack() as older, AsyncExitStack() as newer:
        client = await newer.enter_async_context(async_client(mongo_url))
        await older.enter_async_context(bank(mongo_url, mongo_bucket, old))
        old_web = await older.enter_async_context(bank(mongo_url, mongo_bucket, old, work=False))
        web = await newer.enter_async_context(bank(mongo_url, mongo_bucket, new, work=False))
        for _ in range(HISTORY * soak.factor):
            events = [Deposited(random.randint(1, 9)) for _ in range(100)]
            await web.dispatch(Script(aggregate_id="past", decide=always(*events)))
        await old_web.caught_up(old)
        traffic = Traffic(app=old_web, version=1, reads=Counter())
        async with asyncio.TaskGroup() as clients:
            for number in range(CLIENTS):
                clients.create_task(_requests(traffic, number, Random(soak.seed + number)))
            await _answered(traffic, 1)

            with room() as builders:
                store = web._store
                process = builders.run(builder, tmp_path / "killed.log")
                async with asyncio.timeout(60):
                    while not (await store.load_checkpoint("view_totals.v2")).position:
                        assert process.poll() is None, (tmp_path / "killed.log").read_text()
                        await asyncio.sleep(0.002)
                process.kill()
                await asyncio.to_thread(process.wait)
                print(f"killed at {(await store.load_checkpoint('view_totals.v2')).position}")
                # Its lease would run out within seconds.
                await client[mongo_bucket].leases.update_many(
                    {"_id": "view_totals.v2"}, {"$set": {"until": datetime(2000, 1, 1, tzinfo=UTC)}}
                )
            await web.build(new)

            await newer.enter_async_context(bank(mongo_url, mongo_bucket, new))
            await web.caught_up(new)
            traffic.app, traffic.version = web, 2
            await _answered(traffic, 2)
            await older.aclose()
            assert [ViewVersion("totals", 1)] == [*await web.prune()]
            traffic.reads.clear()
            await _answered(traffic, 2)
            traffic.is_over = True
    assert {"view_totals.v2"} == {
        name for name in await _collections(mongo_url, mongo_bucket) if name.startswith("view_")
    }


async def _requests(traffic: Traffic, number: int, random: Random) -> None:
    """Deposit and read it back, from whichever version has the traffic at that moment."""
    amount = deposits = 0
    name = f"a{number}"
    while not traffic.is_over:
        app, version = traffic.app, traffic.version
        deposit = random.randint(1, 9)
        await add(app, deposit, aggregate_id=name)
        amount, deposits = amount + deposit, deposits + 1
        if version == 1:
            await app.caught_up(old)
            assert amount == await app.view(old, name)
        else:
            await app.caught_up(new)
            assert Total(amount, deposits) == await app.view(new, name)
            exact = in_range(at_least=amount, at_most=amount)
            page = await app.find(new, where={"amount": exact}, order_by="amount")
            assert name in [each.key for each in page.items]
        traffic.reads[number, version] += 1


async def _answered(traffic: Traffic, version: int) -> None:
    async with asyncio.timeout(90):
        while any(traffic.reads[number, version] < READS for number in range(CLIENTS)):
            await asyncio.sleep(0.01)


async def _collections(url: str, bucket: str) -> list[str]:
    async with async_client(url) as client:
        return await client[bucket].list_collection_names()
