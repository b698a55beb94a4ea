"""Views and processes in MongoDB: documents to be queried as they stand, and what is sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from bson import Int64
from pymongo.database import Database

from eventhus import Application, Recorded, View
from eventhus.errors import IncompatibleBucket, InvalidArgument, KeyParked
from eventhus.ports import ViewDocument, ViewWrite
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_testing.conformance.store.samples import exact
from eventhus_testing.conformance.store.views import BALANCES, deleted, document, kept, put
from eventhus_testing.servers import MongoReplicaSet
from tests.adapters.mongo.support import Client, Commands
from tests.bank import Deposit, Scribble, Scribbled, account, note
from tests.core.readers import (
    FILLED,
    SENT,
    SHOWN,
    Balance,
    account_of,
    balances,
    caught_up,
    odd,
    open_accounts,
    sent,
    shown,
    welcome,
)

Plain = Database[dict[str, Any]]

FORMS: dict[str, tuple[object, dict[str, Any]]] = {
    "fields": ({"owner": "ann", "amount": 3}, {"owner": "ann", "amount": 3}),
    "fields within": ({"a": {"_id": 1, "b.c": [None]}}, {"a": {"_id": 1, "b.c": [None]}}),
    "no fields": ({}, {}),
    "dots": ({"a.b": 1}, {"a.b": 1}),
    "a number": (300, {"_value": 300}),
    "nothing": (None, {"_value": None}),
    "a list": ([{"a": 1}], {"_value": [{"a": 1}]}),
    "a field of ours": ({"_id": 7, "a": 1}, {"_value": {"_id": 7, "a": 1}}),
    "a field that might be ours": ({"_x": 7}, {"_value": {"_x": 7}}),
    "an operator": ({"$set": {"a": 1}}, {"_json": '{"$set":{"a":1}}'}),
    "an operator within": ([{"a": {"$inc": "ü"}}], {"_json": '[{"a":{"$inc":"ü"}}]'}),
}


@pytest.mark.parametrize("form", FORMS)
async def test_a_document_as_it_is_stored(store: MongoStore, plain: Plain, form: str) -> None:
    """The value's own fields stand at the top, behind ours."""
    value, fields = FORMS[form]
    await put(store, document("k", 7, value))
    (stored,) = plain[BALANCES].find()
    assert exact({"_id": "k", "_position": Int64(7), **fields}) == exact(stored)


async def test_a_deletion_as_it_is_stored(store: MongoStore, plain: Plain) -> None:
    """None of the fields stay, so no query finds it by them."""
    await put(store, document("k", 7, {"owner": "ann"}))
    await put(store, deleted("k", 9), over=7)
    assert [{"_id": "k", "_position": 9, "_deleted": True}] == [*plain[BALANCES].find()]


async def test_a_save_sends_one_bulk_write(store: MongoStore, commands: Commands) -> None:
    """One query and one bulk write for all keys of a batch; one more query where one is refused."""
    keys = [f"k{number}" for number in range(500)]
    await kept(store, *keys)
    await put(store, *[document(key) for key in keys])
    assert ["find", "createIndexes", "insert"] == commands.names
    commands.forget()
    await put(store, *[document(key, 2) for key in keys], over=1)
    assert ["update"] == commands.names
    commands.forget()
    late = ViewWrite(document=document("k3", 5), replaces=1)
    new = ViewWrite(document=document("new", 5), replaces=0)
    assert frozenset(["k3"]) == await store.save_documents(BALANCES, [late, new])
    assert {"insert": 1, "update": 1, "find": 1} == {
        name: len(commands.named(name)) for name in ("insert", "update", "find")
    }
    concerns = [each["writeConcern"] for each in commands.sent if "writeConcern" in each]
    assert [{"w": "majority", "j": True}] * 2 == concerns


async def test_a_document_that_is_too_large(store: MongoStore, plain: Plain) -> None:
    """It is refused by name, and nothing of what comes with it is written."""
    with pytest.raises(InvalidArgument) as caught:
        await put(store, document("a"), document("b", data={"text": "x" * 2**24}))
    assert (
        "the document of 'b' in view_balances takes 16,777,262 bytes, and MongoDB stores at most "
        "16,777,216 in one; keep less under one key" == str(caught.value)
    )
    assert 0 == plain[BALANCES].count_documents({})


@pytest.mark.parametrize("foreign", [{"_id": "a"}, {"_id": "a", "_position": "1"}])
async def test_a_document_of_no_known_form(
    store: MongoStore, plain: Plain, foreign: dict[str, Any]
) -> None:
    """It is not taken for a value."""
    plain[BALANCES].insert_one(foreign)
    with pytest.raises(IncompatibleBucket, match="the document 'a' was not written by eventhus"):
        await store.load_documents(BALANCES, ["a"])


async def test_fields_that_another_program_adds(store: MongoStore, plain: Plain) -> None:
    """With an underscore they are nobody's value."""
    await put(store, document("a", 1, {"amount": 3}))
    plain[BALANCES].update_one({"_id": "a"}, {"$set": {"_seen": True}})
    found: dict[str, ViewDocument] = await kept(store, "a")
    assert {"a": document("a", 1, {"amount": 3})} == found


# An application.


def bank(store: MongoStore) -> Application:
    """The bank with a view and two processes, on the machine's own clock."""
    return Application(
        bucket="bank",
        aggregates=[account, note],
        views=[balances],
        processes=[welcome, odd],
        store=store,
        codec=CattrsCodec(),
    )


async def test_two_applications(
    mongo: Client, replica_set: MongoReplicaSet, bucket: str, plain: Plain
) -> None:
    """Both see what one of them does, and anybody can query it."""
    near = MongoStore(mongo, bucket)
    async with near:
        await open_accounts(near)
    async with bank(near) as app, bank(MongoStore.open(replica_set.url, bucket)) as other:
        for each in (other, app):
            await caught_up(each, welcome, odd)
        assert SENT == await sent(near)
        for each in (app, other):
            await each.caught_up(balances)
            assert Balance("owner of a", 16, 5) == await each.view(balances, "a")
        rich = plain["view_balances"].find({"amount": {"$gt": 13}}).sort("amount")
        assert [("a", 16)] == [(found["_id"], found["amount"]) for found in rich]
        await other.caught_up(balances, await other.dispatch(Deposit(aggregate_id="a", amount=1)))
        assert Balance("owner of a", 17, 6) == await other.view(balances, "a")
    state = plain["process_welcome"].find_one({"_id": "a"})
    assert state is not None
    assert 5 == state["deposits"]
    assert {"process_odd", "process_welcome", "view_balances"} <= {*plain.list_collection_names()}


def counter(store: MongoStore) -> Application:
    """The bank with nothing but the view."""
    return Application(
        bucket="bank",
        aggregates=[account, note],
        views=[balances],
        store=store,
        codec=CattrsCodec(),
    )


async def test_a_view_alone(store: MongoStore) -> None:
    """What is in the log by then is shown, deletions included."""
    await open_accounts(store)
    async with counter(store) as app:
        await app.caught_up(balances)
        assert SHOWN == await shown(app)


async def test_a_view_of_too_much(store: MongoStore) -> None:
    """The event that its document has no room for parks the key, and the others go on."""

    def collect(texts: str, recorded: Recorded[Scribbled]) -> str:
        return texts + recorded.event.text

    view = View(name="notes", initial="", key=account_of, evolve=collect)
    app = Application(
        bucket="bank", aggregates=[note], views=[view], store=store, codec=CattrsCodec()
    )
    async with bank(store) as filling:
        for size in (1, 6_000_000, 6_000_000, 6_000_000):
            await filling.dispatch(Scribble(aggregate_id="a", text="x" * size))
        await filling.dispatch(Scribble(aggregate_id="b", text="b"))
    async with asyncio.timeout(30), app:
        await app.caught_up(view)
        with pytest.raises(KeyParked) as caught:
            await app.view(view, "a")
        assert KeyParked("view notes", "a", 4, "InvalidArgument").args == caught.value.args
        assert "b" == await app.view(view, "b")


async def test_a_lease_that_was_deleted(store: MongoStore, plain: Plain) -> None:
    """Its checkpoint remembers the tokens that it has forgotten: the view goes on."""
    await open_accounts(store)
    for _ in range(3):
        async with counter(store) as app:
            await app.caught_up(balances, await app.dispatch(Deposit(aggregate_id="a", amount=1)))
    assert 1 == plain.leases.delete_one({"_id": "view_balances"}).deleted_count
    async with asyncio.timeout(20), counter(store) as app:
        await app.caught_up(balances, await app.dispatch(Deposit(aggregate_id="a", amount=1)))
    checkpoint = plain.checkpoints.find_one({"_id": "view_balances"})
    assert checkpoint is not None
    assert checkpoint.pop("saved_at")
    last = plain.events.find_one(sort=[("_id", -1)])
    assert last is not None
    assert {
        "_id": "view_balances",
        "position": FILLED + 4,
        "event_id": f"{last['commit_id']}-1",
        "token": 4,
    } == checkpoint
