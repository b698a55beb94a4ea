"""What stands in the way is one typed error that names the bucket, and nothing is written."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from eventhus import (
    AccessDenied,
    Application,
    CommitTooLarge,
    CompositionError,
    EventData,
    IncompatibleBucket,
    InvalidArgument,
    LogCorrupted,
    NotRunning,
    OutcomeUnknown,
    StoreUnavailable,
)
from eventhus_mongo import MongoStore
from eventhus_testing.servers import MongoReplicaSet, MongoServer, standalone_mongo
from examples.bank.account import CreateAccount, PerformDeposit, account
from tests.mongo.made import ACCOUNT, made
from tests.mongo.support import Client, Commands, async_client

Plain = Database[dict[str, Any]]


async def test_an_unreachable_server() -> None:
    """The configured time is all that it takes to say so."""
    started = monotonic()
    with pytest.raises(StoreUnavailable, match="'bank' is not available: no server"):
        await MongoStore.open("mongodb://127.0.0.1:1/?timeoutMS=500", "bank").__aenter__()
    assert monotonic() - started < 15  # half of what it takes without


@pytest.mark.parametrize("kind", ["paused"])
async def test_a_server_that_is_away_for_a_while(mongod: Path, bucket: str, kind: str) -> None:
    """Every operation says so in time, and goes on when the server is back, in the same store."""
    with standalone_mongo() as server:
        async with MongoStore.open(f"{server.url}&timeoutMS=1500", bucket) as store:
            await store.append(made(0))
            (server.pause if kind == "paused" else server.stop)()
            lost = made(1)
            for call in (
                lambda: store.append(lost),
                lambda: store.load(ACCOUNT),
                store.read,
                store.head,
                lambda: anext(store.follow()),
                lambda: store.load_snapshot(ACCOUNT),
                lambda: store.load_checkpoint("relay"),
            ):
                started = monotonic()
                with pytest.raises((StoreUnavailable, OutcomeUnknown)):
                    await call()
                assert monotonic() - started < 15
            (server.resume if kind == "paused" else server.start)()
            stored = await store.append(lost)
            assert (2, 2) == (stored.version, stored.position)
            assert 2 == await store.head()
            assert 2 == len(await store.history(ACCOUNT))


@pytest.fixture(scope="module")
def guarded(mongod: Path) -> Iterator[MongoServer]:
    """A server that asks who is there."""
    with standalone_mongo(arguments=("--auth",)) as server:
        with MongoClient[dict[str, Any]](server.url) as client:  # the first comes in without
            client.admin.command("createUser", "root", pwd="r00t", roles=["root"])
        root = server.url.replace("mongodb://", "mongodb://root:r00t@")
        with MongoClient[dict[str, Any]](root) as client:
            client.admin.command(
                "createUser", "reader", pwd="s3cret", roles=[{"role": "read", "db": "bank"}]
            )
            client.admin.command(
                "createUser", "writer", pwd="s3cret", roles=[{"role": "readWrite", "db": "bank"}]
            )
        yield server


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ("root:s3cret@", "refused the credentials"),
        ("", "grant readWrite on database 'bank'"),
        ("reader:s3cret@", "grant readWrite on database 'bank'"),
    ],
)
async def test_credentials_and_rights(guarded: MongoServer, user: str, says: str) -> None:
    """Whether they are wrong or lack something; neither is quoted."""
    url = guarded.url.replace("mongodb://", f"mongodb://{user}") + "&authSource=admin"
    store = MongoStore.open(url, "bank")
    with pytest.raises(AccessDenied, match=says) as caught:
        await store.__aenter__()
    assert "s3cret" not in f"{caught.value} {caught.value!r} {store!r} {caught.value.__cause__}"
    with MongoClient[dict[str, Any]](
        guarded.url.replace("mongodb://", "mongodb://root:r00t@")
    ) as client:
        assert "bank" not in client.list_database_names()


async def test_the_rights_that_suffice(guarded: MongoServer) -> None:
    """Reading and writing one database is all that a store asks for."""
    url = guarded.url.replace("mongodb://", "mongodb://writer:s3cret@") + "&authSource=admin"
    async with MongoStore.open(url, "bank") as store:
        assert 1 == (await store.append(made(0))).position
    with MongoClient[dict[str, Any]](
        guarded.url.replace("mongodb://", "mongodb://root:r00t@")
    ) as client:
        client.drop_database("bank")


@pytest.mark.parametrize(
    "bucket",
    ["", "admin", "config", "local", "a.b", "a b", "a$b", "a/b", "a\0b", "x" * 64, "é" * 32],
)
def test_a_bucket_that_is_no_name_of_a_database(bucket: str) -> None:
    """It is refused before there is a connection."""
    with pytest.raises(InvalidArgument, match="cannot be the name of a MongoDB database"):
        MongoStore.open("mongodb://127.0.0.1:1", bucket)


@pytest.mark.parametrize("url", ["mongodb://u:s3:cret@h", "mongodb://", "mongodb://u:s3cret@h:x"])
def test_a_wrong_url(url: str) -> None:
    """Nothing of it is quoted, since it may hold a password."""
    with pytest.raises(CompositionError, match="bucket 'bank'") as caught:
        MongoStore.open(url, "bank")
    assert "cret" not in f"{caught.value} {caught.value.__cause__}"
    assert caught.value.__suppress_context__


def _foreign(plain: Plain) -> None:
    plain.events.insert_one({"_id": "x", "hello": "world"})


def _view(plain: Plain) -> None:
    plain.create_collection("events", viewOn="other")


def _capped(plain: Plain) -> None:
    plain.create_collection("events", capped=True, size=100_000)


def _collation(plain: Plain) -> None:
    plain.create_collection("events", collation={"locale": "en", "strength": 1})


def _not_unique(plain: Plain) -> None:
    plain.events.create_index(
        [("aggregate_id", 1), ("aggregate_type", 1), ("version", 1)], name="stream"
    )


def _other_keys(plain: Plain) -> None:
    plain.events.create_index([("commit_id", 1), ("version", 1)], name="commit_id")


@pytest.mark.parametrize(
    "arrange", [_foreign, _view, _capped, _collation, _not_unique, _other_keys]
)
async def test_a_collection_that_holds_something_else(
    replica_set: MongoReplicaSet, plain: Plain, arrange: Any
) -> None:
    """It is left as it is."""
    arrange(plain)
    with pytest.raises(IncompatibleBucket, match=plain.name):
        await MongoStore.open(replica_set.url, plain.name).__aenter__()
    if arrange is _foreign:
        assert [{"_id": "x", "hello": "world"}] == list(plain.events.find())
        assert ["_id_"] == list(plain.events.index_information())


async def test_what_a_newer_version_wrote(
    replica_set: MongoReplicaSet, store: MongoStore, plain: Plain
) -> None:
    """It is not guessed at, wherever it is met."""
    await store.append(made(0))
    plain.events.update_one({}, {"$set": {"format": 2}})
    for call in (
        store.read,
        store.head,
        lambda: store.load(ACCOUNT),
        lambda: anext(store.follow()),
        MongoStore.open(replica_set.url, plain.name).__aenter__,
        lambda: store.append(made(4)),
    ):
        with pytest.raises(IncompatibleBucket, match="newer version of eventhus"):
            await call()
    assert 1 == plain.events.count_documents({})


async def test_missing_commits(store: MongoStore, plain: Plain) -> None:
    """A gap is never passed over in silence."""
    for version in range(3):
        await store.append(made(version))
    plain.events.delete_one({"_id": 2})
    for call in (store.read, lambda: store.load(ACCOUNT), lambda: anext(store.follow(after=1))):
        with pytest.raises(LogCorrupted) as caught:
            await call()
        assert (2, 3) == (caught.value.expected, caught.value.actual)


async def test_a_commit_that_is_too_large(store: MongoStore, commands: Commands) -> None:
    """Both sizes are told, and nothing is sent."""
    large = [EventData("Noted", {"text": "x" * 6_000_000}) for _ in range(3)]
    commit = made(0)
    with pytest.raises(CommitTooLarge) as caught:
        await store.append(
            type(commit)(
                id=commit.id,
                stream=ACCOUNT,
                events=large,
                expected_version=0,
                recorded_at=commit.recorded_at,
            )
        )
    assert caught.value.size > caught.value.limit == 16 * 2**20
    assert [] == commands.sent


async def test_a_store_is_entered_first(mongo: Client, bucket: str) -> None:
    """Before and after, it says what to do. The client stays its owner's."""
    store = MongoStore(mongo, bucket)
    with pytest.raises(NotRunning, match="async with"):
        await store.head()
    async with store:
        assert 0 == await store.head()
    with pytest.raises(NotRunning, match="async with"):
        await store.head()
    assert 1 == (await mongo.admin.command("ping"))["ok"]


async def test_the_options_of_a_client_weaken_nothing(
    replica_set: MongoReplicaSet, bucket: str, commands: Commands
) -> None:
    """A client that confirms less elsewhere confirms all of it here."""
    url = f"{replica_set.url}&w=1&readConcernLevel=local&readPreference=secondaryPreferred"
    async with async_client(url, commands) as client, MongoStore(client, bucket) as store:
        await store.append(made(0))
        await store.read()
    assert {"w": "majority", "j": True} == commands.named("insert")[0]["writeConcern"]
    assert "majority" == commands.named("find")[-1]["readConcern"]["level"]


async def test_the_bank_by_url(replica_set: MongoReplicaSet, bucket: str) -> None:
    """The adapter is found by its scheme, and the domain is the same as in memory."""
    for _ in range(2):  # another process, as it were
        async with Application.open(
            bucket=bucket, aggregates=[account], store=replica_set.url, snapshot_every=2
        ) as app:
            if not await app.history(account, "a1"):
                await app.dispatch(CreateAccount(aggregate_id="a1", owner="ann"))
            for _ in range(3):
                await app.dispatch(PerformDeposit(aggregate_id="a1", amount=100))
    async with Application.open(
        bucket=bucket, aggregates=[account], store=replica_set.url, snapshot_every=2
    ) as app:
        assert 600 == (await app.state(account, "a1")).balance
        assert list(range(1, 8)) == [event.position for event in await app.history(account, "a1")]
