"""Documents that another program wrote into MongoDB harm nobody but those who ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any, TypeAlias

import pytest
from attrs import evolve, frozen
from pymongo import AsyncMongoClient
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.asynchronous.database import AsyncDatabase
from pymongo.errors import PyMongoError

from eventhus import (
    Application,
    Committed,
    Loaded,
    Metadata,
    Query,
    Recorded,
    StreamId,
    View,
    new_id,
)
from eventhus.ports import (
    Checkpoint,
    Commit,
    Condition,
    EventData,
    Lease,
    Message,
    Page,
    Part,
    StoredCommit,
    StoredEvent,
    ViewDocument,
    ViewWrite,
)
from eventhus_cattrs import CattrsCodec
from eventhus_mongo import MongoStore
from eventhus_mongo.documents import OPTIONS
from tests.bank import Deposit, Deposited, Open, Opened, Withdrawn, account
from tests.fuzz.hostile import CANARY, Hostile
from tests.fuzz.inputs import attempted, for_each_awaited, watched_logs
from tests.transfers import Transfer, transfer

Plain: TypeAlias = AsyncDatabase[dict[str, Any]]

DATA = frozenset({"data", "data_json", "values", "values_json", "_value", "_json", "owner"})
"""The keys of personal data."""


@frozen
class Owner:
    owner: str


def _owner(_: Owner | None, recorded: Recorded[Opened]) -> Owner:
    return Owner(recorded.event.owner)


owners = View(name="owners", initial=None, key=lambda each: each.stream.aggregate_id, evolve=_owner)


@pytest.fixture
async def plain(mongo_url: str, mongo_bucket: str) -> AsyncIterator[Plain]:
    """The bucket as another program sees it."""
    async with AsyncMongoClient[dict[str, Any]](mongo_url) as client:
        yield client.get_database(mongo_bucket, codec_options=OPTIONS)


@pytest.fixture
async def store(mongo_url: str, mongo_bucket: str) -> AsyncIterator[MongoStore]:
    async with MongoStore.open(mongo_url, mongo_bucket) as entered:
        yield entered


def tags_of(_: object) -> frozenset[str]:
    return frozenset({"bank:x"})


tagged = evolve(account, tags={Opened: tags_of, Deposited: tags_of, Withdrawn: tags_of})
move = evolve(transfer, aggregates=[tagged])
QUERIES = [Query.of(tags={"bank:x"}), Query.of("Withdrawn"), Query.of("Opened", tags={"bank:x"})]


def bank(store: MongoStore, bucket: str, **options: Any) -> Application:
    return Application(
        bucket=bucket,
        aggregates=[tagged],
        transactions=[move],
        store=store,
        codec=CattrsCodec(),
        cache_size=0,
        **options,
    )


@frozen
class Slot:
    """The place of one document, which hostile ones take in turn.

    Attributes:
        collection: The collection of the document.
        original: The document as the store wrote it.
        strays: Finds those that cannot be the store's, wherever a mutation put them.
    """

    collection: AsyncCollection[dict[str, Any]]
    original: dict[str, Any]
    strays: Mapping[str, Any]

    async def fuzz(
        self, kind: str, share: float, check: Callable[[dict[str, Any]], Awaitable[None]]
    ) -> None:
        """Check every mutation that the server accepts, and put the original back each time."""

        async def check_one(hostile: Hostile) -> None:
            mutation = await self._replace(hostile)
            if mutation is not None:
                await check(mutation)
                await self._clear()
                await self.collection.insert_one(self.original)

        with watched_logs():
            await for_each_awaited(kind, share, check_one)

    async def _replace(self, hostile: Hostile) -> dict[str, Any] | None:
        mutation: dict[str, Any] = hostile.mutated(self.original, hostile.bson, data=DATA)
        raw: Any = hostile.raw(mutation)
        if raw is None:
            return None
        await self._clear()
        try:
            await self.collection.insert_one(raw)
        except (PyMongoError, TypeError):
            await self.collection.insert_one(self.original)
            return None
        return mutation

    async def _clear(self) -> None:
        await self.collection.delete_many(
            {"$or": [self.strays, {"_id": self.original["_id"]}]},
        )


def check_answer(answer: object) -> None:
    """Check that what was read has the form that the port promises."""
    if isinstance(answer, StoredCommit):
        answer = answer.recorded()
    found: list[Any] = answer if isinstance(answer, list) else []
    if found and isinstance(found[0], StoredCommit):
        answer = [recorded for stored in found for recorded in stored.recorded()]
    if isinstance(answer, list):
        for each in answer:
            assert type(each.position) is type(each.version) is int
            assert each.recorded_at.utcoffset() is not None
            assert type(each.id) is str
            event = each.event
            if isinstance(event, EventData):
                assert type(event.type) is str
                assert all(type(tag) is str for tag in event.tags)
                assert type(event.schema) is int
                assert event.schema >= 1


async def events_of(reading: Awaitable[Page]) -> list[StoredEvent]:
    """Look at all events of a page: each is made only then."""
    return [*(await reading).events]


async def test_a_hostile_commit_harms_nobody_else(
    store: MongoStore, plain: Plain, mongo_bucket: str
) -> None:
    async with bank(store, mongo_bucket) as app:
        await app.dispatch(Open(aggregate_id="good"))
        await app.dispatch(
            Open(aggregate_id="bad", owner=CANARY),
            command_id="bad",
            metadata=Metadata("c", "d", values={"user": CANARY}),
        )
        await app.dispatch(Deposit(aggregate_id="good"))
        [original] = [each async for each in plain.events.find({"command_id": "bad"})]
        places = {"$gt": 0, "$lt": 2**31, "$type": "long"}
        slot = Slot(plain.events, original, strays={"_id": {"$not": places}})

        async def first_batch() -> object:
            async with aclosing(store.follow()) as batches:
                return await events_of(anext(batches))

        async def check(mutation: dict[str, Any]) -> None:
            *answers, loaded, opened = await asyncio.gather(
                attempted(app.load(tagged, "bad")),
                attempted(app.history(tagged, "bad")),
                attempted(app.dispatch(Deposit(aggregate_id="bad"))),
                attempted(store.find("bad")),
                attempted(events_of(store.read(limit=5))),
                attempted(first_batch()),
                attempted(app.load(tagged, "good")),
                attempted(app.dispatch(Open(aggregate_id=new_id()))),
            )
            for answer in answers:
                check_answer(answer)
            assert isinstance(loaded, Loaded)
            if mutation.get("_id") == original["_id"]:  # otherwise it may be the end of the log
                assert isinstance(opened, Committed)

        await slot.fuzz("commits", 0.008, check)


async def test_a_hostile_commit_of_several_streams_harms_nobody_else(
    store: MongoStore, plain: Plain, mongo_bucket: str
) -> None:
    """It is read by position, by types and by tags, and writers look for it before they append."""
    async with bank(store, mongo_bucket) as app:
        for name in ("good", "bad", "worse"):
            await app.dispatch(Open(aggregate_id=name, owner=CANARY))
        await app.dispatch(Deposit(aggregate_id="bad", amount=9))
        await app.dispatch(Transfer(aggregate_id="bad", to="worse"), command_id="bad")
        await app.dispatch(Deposit(aggregate_id="good"))
        [original] = [each async for each in plain.events.find({"command_id": "bad"})]
        assert 2 == len(original["parts"])
        places = {"$gt": 0, "$lt": 2**31, "$type": "long"}
        slot = Slot(plain.events, original, strays={"_id": {"$not": places}})

        async def check(mutation: dict[str, Any]) -> None:
            *answers, loaded, opened = await asyncio.gather(
                *(attempted(events_of(store.read(query, limit=20))) for query in QUERIES),
                *(attempted(events_of(store.read_backwards(query, limit=20))) for query in QUERIES),
                attempted(events_of(store.read_backwards(limit=20))),
                attempted(store.commits(limit=20)),
                attempted(app.load(tagged, "bad")),
                attempted(app.load(tagged, "worse")),
                attempted(app.dispatch(Transfer(aggregate_id="bad", to="worse"))),
                attempted(store.append(unless_matched(original["_id"] - 1))),
                attempted(app.load(tagged, "good")),
                attempted(app.dispatch(Open(aggregate_id=new_id()))),
            )
            for answer in answers:
                check_answer(answer)
            assert isinstance(loaded, Loaded)
            if mutation.get("_id") == original["_id"]:  # otherwise it may be the end of the log
                assert isinstance(opened, Committed)

        await slot.fuzz("tagged commits", 0.004, check)


def unless_matched(after: int) -> Commit:
    """A commit that fails if a tagged withdrawal stands after a position."""
    stream, event = StreamId("Account", new_id()), EventData("Opened", {"owner": CANARY})
    return Commit(
        id=new_id(),
        parts=[Part(stream=stream, events=[event], expected_version=0)],
        condition=Condition(query=Query.of("Withdrawn", tags={"bank:x"}), after=after),
        recorded_at=datetime.now(UTC),
    )


async def test_a_hostile_snapshot_is_ignored(
    store: MongoStore, plain: Plain, mongo_bucket: str
) -> None:
    async with bank(store, mongo_bucket, snapshot_every=1) as app:
        await app.dispatch(Open(aggregate_id="a", owner=CANARY))
        await app.dispatch(Deposit(aggregate_id="a", amount=5))
        truth = await app.load(tagged, "a")
    async with bank(store, mongo_bucket, snapshot_every=1000) as app:
        [original] = [each async for each in plain.snapshots.find()]
        slot = Slot(plain.snapshots, original, strays={})

        async def check(mutation: dict[str, Any]) -> None:
            loaded = await attempted(app.load(tagged, "a"))
            assert isinstance(loaded, Loaded)
            assert (truth.version, truth.position) == (loaded.version, loaded.position)
            if mutation.get("data") == original["data"]:
                assert truth == loaded

        await slot.fuzz("snapshots", 0.01, check)


async def test_a_hostile_checkpoint_or_lease_is_a_typed_error(
    store: MongoStore, plain: Plain
) -> None:
    lease = await store.acquire("r", "me", ttl_s=60)
    assert lease is not None
    await store.save_checkpoint("r", 7, event_id="e", token=lease.token)

    async def check(_: dict[str, Any]) -> None:
        for answer in [
            await attempted(store.load_checkpoint("r")),
            await attempted(store.acquire("r", "me", ttl_s=60)),
            await attempted(store.acquire("r", "other", ttl_s=60)),
            await attempted(store.release(lease)),
            await attempted(store.save_checkpoint("r", 8, event_id="f", token=lease.token)),
            await attempted(store.load_checkpoint("r")),
        ]:
            if isinstance(answer, Checkpoint):
                assert type(answer.position) is int
                assert answer.position >= 0
                assert type(answer.event_id) is str
            if isinstance(answer, Lease):
                assert type(answer.token) is int
                assert answer.token > 0

    for collection in (plain.checkpoints, plain.leases):
        [original] = [each async for each in collection.find()]
        slot = Slot(collection, original, strays={})
        await slot.fuzz(collection.name, 0.004, check)


async def test_a_hostile_group_or_letter_is_a_typed_error(store: MongoStore, plain: Plain) -> None:
    await store.create_group("g", Checkpoint(7, "e"))
    await store.save_letter("g", Message(id="e", stream=StreamId("A", "a"), body=b"{}"))

    async def check(_: dict[str, Any]) -> None:
        for answer in [
            await attempted(store.load_group("g")),
            await attempted(store.create_group("g", Checkpoint())),
            await attempted(store.load_letters("g")),
            await attempted(store.delete_letter("g", 5)),
        ]:
            if isinstance(answer, Checkpoint):
                assert type(answer.position) is int
                assert answer.position >= 0
            if isinstance(answer, list):
                assert all(type(letter.message.body) is bytes for letter in answer)

    for collection in (plain.groups, plain.dead_letters):
        [original] = [each async for each in collection.find()]
        slot = Slot(collection, original, strays={})
        await slot.fuzz(collection.name, 0.004, check)


async def test_a_hostile_document_of_a_view_harms_no_other_key(
    store: MongoStore, plain: Plain, mongo_bucket: str
) -> None:
    async with bank(store, mongo_bucket, views=[owners]) as app:
        for name in ("bad", "good"):
            await app.dispatch(Open(aggregate_id=name, owner=CANARY))
        await app.caught_up(owners)
        [original] = [each async for each in plain.view_owners.find({"_id": "bad"})]
        slot = Slot(plain.view_owners, original, strays={"_id": {"$ne": "good"}})

        async def check(_mutation: dict[str, Any]) -> None:
            bad = ViewDocument(key="bad", position=3, data={"owner": "b"})
            found, good, *_ = await asyncio.gather(
                attempted(store.load_documents("view_owners", ["bad"])),
                attempted(app.view(owners, "good")),
                attempted(app.view(owners, "bad")),
                attempted(
                    store.save_documents("view_owners", [ViewWrite(document=bad, replaces=1)])
                ),
            )
            assert good == Owner(CANARY)
            if isinstance(found, dict):
                assert all(type(each.position) is int for each in found.values())

        await slot.fuzz("views", 0.006, check)
