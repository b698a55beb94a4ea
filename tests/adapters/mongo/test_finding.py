"""Views that are searched in MongoDB: the same answers, along the indexes, and by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from attrs import evolve
from bson import Decimal128
from pymongo.database import Database

from eventhus import Application
from eventhus.ports import Bounds, IndexField, Selection, ViewDocument, ViewWrite
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoReplicaSet
from tests.adapters.mongo.support import Commands, client
from tests.bank import account, note
from tests.core.finding import all_answers, fill, orders

Plain = Database[dict[str, Any]]
NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
STATUS, PLACED = IndexField("status"), IndexField("placed_at", descending=True, is_time=True)
NAME = "view_found"


def bank(store: MongoStore) -> Application:
    return Application(
        bucket="bank",
        aggregates=[account, note],
        views=[orders],
        store=store,
        codec=CattrsCodec(),
    )


async def test_every_question_has_its_answer(store: MongoStore) -> None:
    async with bank(store) as app:
        await fill(app)
        assert [] == await all_answers(app, limits=(1, 2, 100))


async def test_documents_are_queried_by_hand(store: MongoStore, plain: Plain) -> None:
    """Indexed fields compare as numbers and times, and stand beside the value."""
    async with bank(store) as app:
        await fill(app)
    found = plain["view_orders"]
    rich = found.find({"_by.total": {"$gt": 1.5}}).sort("_by.total")
    assert ["5", "4"] == [each["_id"] for each in rich]
    late = found.find({"_by.placed_at": {"$gte": NOON}, "customer": "ann"}).sort("_id")
    assert ["1", "4"] == [each["_id"] for each in late]
    first = found.find_one({"_id": "1"})
    assert first is not None
    assert "1.50" == first["total"]
    assert {
        "customer": "ann",
        "status": "paid",
        "total": Decimal128("1.50"),
        "placed_at": NOON.replace(tzinfo=None),
        "day": "2024-02-29",
        "is_gift": True,
    } == first["_by"]
    assert {"placed_at": 0} == first["_us"]
    registered = plain["views"].find_one({"_id": "view_orders"})
    assert registered is not None
    assert ("orders", 1) == (registered["name"], registered["version"])
    assert ["Deposited"] == registered["made_from"]["events"]


async def test_a_page_without_a_snapshot_is_read_after_the_checkpoint(
    replica_set: MongoReplicaSet, store: MongoStore, commands: Commands
) -> None:
    """The server refuses a snapshot from before a change of the indexes."""
    await store.save_documents(
        NAME, [ViewWrite(document=ViewDocument(key="a", position=3, data=7), replaces=0)]
    )
    await store.save_checkpoint(NAME, 3, token=1)
    expected = await store.select_documents(NAME, Selection())
    refuse_once = {"failCommands": ["aggregate"], "errorCode": 246}
    with client(replica_set.url) as direct:
        direct.admin.command(
            "configureFailPoint", "failCommand", mode={"times": 1}, data=refuse_once
        )
    commands.sent.clear()
    assert expected == await store.select_documents(NAME, Selection())
    assert ["aggregate", "find", "aggregate"] == commands.names
    assert (3, ["a"]) == (expected.position, [each.key for each in expected.documents])


async def test_a_page_reads_as_many_documents_as_it_shows(
    store: MongoStore, plain: Plain, commands: Commands
) -> None:
    """It goes along the index, sorts nothing, and skips nothing, with ties and several values."""
    await store.create_indexes(NAME, [(STATUS, PLACED)])
    statuses = ("open", "paid", "sent")
    writes = [
        ViewWrite(
            document=ViewDocument(key=f"k{number:04}", position=1, data=number),
            replaces=0,
            indexed={
                "status": statuses[number % 3],
                "placed_at": NOON + timedelta(microseconds=number // 300),
            },
        )
        for number in range(3000)
    ]
    await store.save_documents(NAME, writes)
    place = NOON + timedelta(microseconds=5)
    pages = {
        "first": Selection(
            index=(STATUS, PLACED), order=(STATUS, PLACED), descending=True, limit=20
        ),
        "after": Selection(
            index=(STATUS, PLACED),
            order=(STATUS, PLACED),
            descending=True,
            limit=20,
            after=(("paid", place), "k1600"),
        ),
        "one of": Selection(
            where={"status": ["open", "sent"]},
            index=(STATUS, PLACED),
            order=(PLACED,),
            descending=True,
            limit=20,
            after=((place,), "k1600"),
        ),
        "one of, first": Selection(
            where={"status": ["open", "sent"]},
            index=(STATUS, PLACED),
            order=(PLACED,),
            descending=True,
            limit=20,
        ),
        "range": Selection(
            where={"status": ["paid"], "placed_at": Bounds(below=place)},
            index=(STATUS, PLACED),
            order=(PLACED,),
            descending=True,
            limit=20,
        ),
    }
    pages["one of no values"] = evolve(pages["one of"], where={"status": []})
    for name, selection in pages.items():
        commands.sent.clear()
        found = await store.select_documents(NAME, selection)
        assert (20 if all(selection.where.values()) else 0) == len(found.documents)
        (sent,) = commands.sent
        asked = {
            key: sent[key] for key in ("aggregate", "pipeline", "hint", "cursor") if key in sent
        }
        explained = plain.command("explain", asked, verbosity="executionStats")
        cursor = explained["stages"][0]["$cursor"]
        stats = cursor["executionStats"]
        plan = str(cursor["queryPlanner"]["winningPlan"])
        assert "'SORT'" not in plan, (name, plan)
        assert "COLLSCAN" not in plan, name
        assert stats["totalDocsExamined"] <= 25, (name, stats["totalDocsExamined"])
        assert stats["totalKeysExamined"] <= 90, (name, stats["totalKeysExamined"])
