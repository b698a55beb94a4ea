"""A new version of a view is built and takes over while traffic goes on; nothing reads stale."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import define, frozen

from eventhus import Application, Recorded, View, ViewVersion, in_range
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.servers.processes import room
from tests.adapters.mongo.faults.run import Soak
from tests.adapters.mongo.support import Client, async_client
from tests.adapters.mongo.test_bank import followed
from tests.bank import Deposited, Script, account, always, note
from tests.core.support import add

CLIENTS = 6
HISTORY = 100  # commits of 100 events before the new version
PAST = 20  # accounts that the history is about
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
            past = f"past{random.randrange(PAST)}"
            await web.dispatch(Script(aggregate_id=past, decide=always(*events)))
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
        assert [] == await wrong_keys(web)
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
        assert [] == await wrong_answers(app, version, name, Total(amount, deposits))
        traffic.reads[number, version] += 1


def violations(expected: Mapping[str, object], found: Mapping[str, object]) -> list[str]:
    """Return each key that has another value than it should."""
    return [
        f"{'stale' if key in found else 'missing'}: {key} is {found.get(key)}, not {value}"
        for key, value in expected.items()
        if key not in found or found[key] != value
    ] + [f"unknown: {key}" for key in found if key not in expected]


async def wrong_answers(app: Application, version: int, key: str, total: Total) -> list[str]:
    """Return everything that is wrong in what a version answers about a key."""
    if version == 1:
        await app.caught_up(old)
        return violations({key: total.amount}, await _read(app, old, key))
    await app.caught_up(new)
    exact = in_range(at_least=total.amount, at_most=total.amount)
    page = await app.find(new, where={"amount": exact}, order_by="amount")
    found = {each.key: each.value for each in page.items if each.key == key}
    return [
        *violations({key: total}, await _read(app, new, key)),
        *violations({key: total}, found),
    ]


async def _read(app: Application, view: View[Any, Any], key: str) -> Mapping[str, object]:
    value = await app.view(view, key)
    return {} if value is None else {key: value}


async def wrong_keys(app: Application) -> list[str]:
    """Return everything that is wrong in version 2 as a whole."""
    head = await app._store.head()
    totals = defaultdict[str, Total](Total)
    for recorded in await followed(app, to=head):
        if isinstance(recorded.event, Deposited):
            totals[key(recorded)] = count(totals[key(recorded)], recorded)
    await app.caught_up(new)
    page = await app.find(new, limit=len(totals) + 1)
    return violations(totals, {each.key: each.value for each in page.items})


async def _answered(traffic: Traffic, version: int) -> None:
    async with asyncio.timeout(90):
        while any(traffic.reads[number, version] < READS for number in range(CLIENTS)):
            await asyncio.sleep(0.01)


async def _collections(url: str, bucket: str) -> list[str]:
    async with async_client(url) as client:
        return await client[bucket].list_collection_names()


Damage = Callable[["Documents"], Awaitable[None]]


class Documents:
    """The documents of one version, to be damaged.

    Attributes:
        collection: Theirs.
    """

    def __init__(self, client: Client, bucket: str, version: int) -> None:
        self.collection = client[bucket]["view_totals" if version == 1 else "view_totals.v2"]
        self._earlier: dict[str, Any] | None = None

    async def make_stale(self) -> None:
        """Keep a document, and put it back when called again."""
        if self._earlier is None:
            self._earlier = await self.collection.find_one({"_id": "a0"})
        else:
            await self.collection.replace_one({"_id": "a0"}, self._earlier)

    async def delete(self) -> None:
        """Delete a document."""
        await self.collection.delete_one({"_id": "a0"})

    async def copy(self) -> None:
        """Store a document under another key, too."""
        copied = await self.collection.find_one({"_id": "a0"})
        assert copied is not None
        await self.collection.insert_one({**copied, "_id": "b0"})

    async def hide(self) -> None:
        """Take a document out of the indexes."""
        await self.collection.update_one({"_id": "a0"}, {"$unset": {"_by": ""}})


PLANTED: dict[str, tuple[int, Damage, str]] = {
    "a stale value of version 1": (1, Documents.make_stale, "stale: a0"),
    "a missing key of version 1": (1, Documents.delete, "missing: a0"),
    "a stale value of version 2": (2, Documents.make_stale, "stale: a0"),
    "a missing key of version 2": (2, Documents.delete, "missing: a0"),
    "a missing place in an index": (2, Documents.hide, "missing: a0"),
}


@pytest.mark.parametrize(("version", "damage", "found"), PLANTED.values(), ids=PLANTED)
async def test_planted_damage_is_seen_by_a_client(
    mongo_url: str,
    mongo_bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    damage: Damage,
    found: str,
) -> None:
    caught_up = Application.caught_up
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(async_client(mongo_url))
        view = old if version == 1 else new
        app = await stack.enter_async_context(bank(mongo_url, mongo_bucket, view))
        documents = Documents(client, mongo_bucket, version)

        async def damaging(self: Application, *arguments: Any) -> None:
            await caught_up(self, *arguments)
            await damage(documents)

        monkeypatch.setattr(Application, "caught_up", damaging)
        traffic = Traffic(app=app, version=version, reads=Counter())
        with pytest.raises(AssertionError, match=found):
            await _requests(traffic, 0, Random(1))


async def test_a_version_that_has_the_traffic_before_it_catches_up_is_seen(
    mongo_url: str, mongo_bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bank(mongo_url, mongo_bucket, new, work=False) as app:

        async def build_only_once(self: Application, view: View[Any, Any]) -> None:
            if not await self._store.load_documents("view_totals.v2", ["a0"]):
                await self.build(view)

        monkeypatch.setattr(Application, "caught_up", build_only_once)
        traffic = Traffic(app=app, version=2, reads=Counter())
        with pytest.raises(AssertionError, match="stale: a0"):
            await _requests(traffic, 0, Random(1))
        assert traffic.reads[0, 2] == 1


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (Documents.make_stale, "stale: a0 is "),
        (Documents.delete, "missing: a0 is "),
        (Documents.copy, "unknown: b0"),
    ],
)
async def test_planted_damage_is_seen_at_the_end(
    mongo_url: str, mongo_bucket: str, damage: Damage, kind: str
) -> None:
    async with (
        async_client(mongo_url) as client,
        bank(mongo_url, mongo_bucket, new) as app,
    ):
        documents = Documents(client, mongo_bucket, 2)
        for key in ("a0", "a1"):
            await add(app, 5, aggregate_id=key)
        assert [] == await wrong_keys(app)
        if damage is Documents.make_stale:
            await damage(documents)
            await add(app, 5, aggregate_id="a0")
            await app.caught_up(new)
        await damage(documents)
        (found,) = await wrong_keys(app)
        assert found.startswith(kind)
