"""Every obstacle is one typed error that names the bucket, and nothing is written."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import pytest
from attrs import evolve
from pymongo.database import Database
from pymongo.errors import InvalidOperation

from eventhus import ConcurrencyError, Query, StreamId
from eventhus.errors import (
    AccessDenied,
    CompositionError,
    IncompatibleBucket,
    InvalidArgument,
    NotRunning,
    OutcomeUnknown,
    StoreUnavailable,
)
from eventhus.ports import (
    Checkpoint,
    Commit,
    EventData,
    Message,
    Registration,
    Selection,
    Snapshot,
    StoredCommit,
    ViewDocument,
    ViewWrite,
)
from eventhus_mongo import MongoStore
from eventhus_mongo.bucket import EVENTS_INDEXES
from eventhus_mongo.commits import encode_commit
from eventhus_testing.servers import MongoReplicaSet, MongoServer, standalone_mongo
from tests.adapters.mongo.made import ACCOUNT, made
from tests.adapters.mongo.support import Client, Commands, answered, async_client, client

T = TypeVar("T")
Plain = Database[dict[str, Any]]


async def test_an_unreachable_server() -> None:
    """The configured time is all that it takes to say so."""
    started = monotonic()
    with pytest.raises(StoreUnavailable, match="'bank' is not available: no suitable server"):
        await MongoStore.open("mongodb://127.0.0.1:1/?timeoutMS=500", "bank").__aenter__()
    assert monotonic() - started < 15  # half of what it takes without


async def test_a_server_that_is_away_for_a_while(mongod: Path, bucket: str) -> None:
    """Every operation says so in time, and goes on when the server is back, in the same store."""
    with standalone_mongo() as server:
        async with MongoStore.open(f"{server.url}&timeoutMS=1500", bucket) as store:
            first, lost = made(0), made(1)
            await answered(lambda: store.append(first))
            server.pause()
            calls = (
                lambda: store.append(lost),
                lambda: store.load(ACCOUNT),
                store.read,
                store.head,
                lambda: anext(store.follow()),
                lambda: store.load_snapshot(ACCOUNT),
                lambda: store.load_checkpoint("relay"),
            )
            started = monotonic()
            told = await asyncio.gather(*(call() for call in calls), return_exceptions=True)
            assert monotonic() - started < 15
            assert all(isinstance(each, StoreUnavailable | OutcomeUnknown) for each in told), told
            server.resume()
            stored = await answered(lambda: store.append(lost))
            assert (2, 2) == (stored.versions[0], stored.position)
            assert 2 == await store.head()
            assert 2 == len(await store.history(ACCOUNT))


def as_user(server: MongoServer, name: str, password: str = "s3cret") -> str:
    """The URL by which somebody comes in."""
    return server.url.replace("//", f"//{name}:{password}@") + "&authSource=admin"


@pytest.fixture(scope="module")
def guarded(mongod: Path) -> Iterator[MongoServer]:
    """A server that asks who is there."""
    with standalone_mongo(arguments=("--auth",)) as server:
        with client(server.url) as first:  # who comes in without a password
            first.admin.command("createUser", "root", pwd="s3cret", roles=["root"])
        with client(as_user(server, "root")) as root:
            actions = ["find", "insert", "listCollections", "listIndexes"]
            everywhere = {"resource": {"db": "", "collection": ""}, "actions": actions}
            root.admin.command("createRole", "frugal", privileges=[everywhere], roles=[])
            for name, role in (
                ("reader", "readAnyDatabase"),
                ("writer", "readWriteAnyDatabase"),
                ("frugal", "frugal"),
            ):
                root.admin.command("createUser", name, pwd="s3cret", roles=[role])
        yield server


@pytest.mark.parametrize(
    ("user", "says"),
    [
        ("root:wr0ng@", "refused the credentials"),
        ("nobody:wr0ng@", "refused the credentials"),
        ("", "grant readWrite on database"),
    ],
    ids=["wrong password", "unknown user", "nobody"],
)
async def test_credentials_and_rights(
    guarded: MongoServer, bucket: str, user: str, says: str
) -> None:
    """The error does not tell the password."""
    store = MongoStore.open(guarded.url.replace("//", f"//{user}") + "&authSource=admin", bucket)
    with pytest.raises(AccessDenied, match=says) as caught:
        await store.__aenter__()
    assert bucket == caught.value.bucket
    assert [] == [word for word in ("s3cret", "wr0ng") if word in all_of(store, caught.value)]
    with client(as_user(guarded, "root")) as root:
        assert bucket not in root.list_database_names()


@pytest.mark.parametrize("user", ["reader", "frugal"], ids=["may read", "may make no index"])
async def test_a_user_who_may_not_create_the_log(
    guarded: MongoServer, bucket: str, user: str
) -> None:
    async with MongoStore.open(as_user(guarded, user), bucket) as store:
        assert 0 == await store.head()
        for write in (lambda: store.append(made(0)), lambda: store.restore([first(made(0))])):
            with pytest.raises(AccessDenied, match="grant readWrite on database"):
                await write()
    with client(as_user(guarded, "root")) as root:
        assert bucket not in root.list_database_names()


async def test_the_rights_that_suffice(guarded: MongoServer, bucket: str) -> None:
    """To read and write; where the indexes are there already, no more than it does."""
    async with MongoStore.open(as_user(guarded, "writer"), bucket) as store:
        assert 1 == (await store.append(made(0))).position
    async with MongoStore.open(as_user(guarded, "frugal"), bucket) as store:
        assert 2 == (await store.append(made(1))).position


@pytest.fixture
async def new(mongo: Client, bucket: str) -> AsyncIterator[MongoStore]:
    """A store of a bucket that does not exist."""
    async with MongoStore(mongo, bucket) as entered:
        yield entered


@pytest.mark.parametrize("is_restored", [False, True], ids=["append", "restore"])
async def test_a_bucket_exists_from_its_first_commit_on(
    new: MongoStore, plain: Plain, *, is_restored: bool
) -> None:
    """Reading it creates nothing, since its name may be misspelt."""
    assert (0, 0, None) == (
        await new.head(),
        await new.version_of(ACCOUNT),
        await new.find_event("c-1"),
    )
    pages = await asyncio.gather(new.read(), new.read(Query.of(tags={"a"})), new.read_backwards())
    assert [0, 0, 0] == [len(page.events) for page in pages]
    assert 0 == len((await new.select_documents("view_a", Selection())).documents)
    for looking in (
        new.history(ACCOUNT),
        new.commits(),
        new.related("c"),
        new.streams(),
        new.groups(),
        new.load_letters("mail"),
        new.leases(),
        new.registrations(),
        new.load_documents("view_a", ["k"]),
        new.load_parked("view_a"),
        new.load_armed("process_a"),
    ):
        assert 0 == len(await looking)
    with pytest.raises(ConcurrencyError):
        await new.append(made(1))
    assert plain.name not in plain.client.list_database_names()
    if is_restored:
        await new.restore([first(made(0))])
    else:
        await new.append(made(0))
    assert {"_id_", *(index.name for index in EVENTS_INDEXES)} == {
        *plain.events.index_information()
    }


async def test_the_log_of_another_program_gets_its_indexes_before_a_commit(
    new: MongoStore, plain: Plain
) -> None:
    """It was created after the store had found none."""
    _whole(plain)
    for write in (lambda: new.append(made(0)), lambda: new.restore([first(made(0))])):
        with pytest.raises(IncompatibleBucket, match="conflicts with"):
            await write()
    assert 0 == plain.events.count_documents({})
    plain.events.drop_index("command_id")
    assert 1 == (await new.append(made(0))).position


async def test_a_unique_index_of_another_program_is_named_at_once(
    store: MongoStore, plain: Plain
) -> None:
    """Others go on. A retry of the commit that came first gets its answer."""
    plain.events.create_index("events.data.email", name="email", unique=True)
    first, second = with_email("a", 0), with_email("b", 1)
    await store.append(first)
    with pytest.raises(IncompatibleBucket, match=EMAIL):
        await store.append(with_email("a", 1))
    refused, stored = await asyncio.gather(
        store.append(with_email("a", None)), store.append(second), return_exceptions=True
    )
    assert isinstance(refused, IncompatibleBucket)
    assert isinstance(stored, StoredCommit)
    assert (await store.append(first)).position == 1
    third = StoredCommit(commit=with_email("a", 2), versions=[3], position=3)
    with pytest.raises(IncompatibleBucket, match=EMAIL):
        await store.restore([third])
    with pytest.raises(ConcurrencyError):
        await store.append(with_email("a", 1))
    plain.events.drop_index("email")
    await store.restore([third])


async def test_a_unique_index_over_part_of_a_version_is_named(
    store: MongoStore, plain: Plain
) -> None:
    plain.events.create_index("parts.version", name="email", unique=True)
    await store.append(made(0))
    with pytest.raises(IncompatibleBucket, match=EMAIL):
        await store.append(made(0, stream=StreamId("Account", "a2")))


async def test_a_unique_index_of_a_view_is_named(store: MongoStore, plain: Plain) -> None:
    plain.view_a.create_index("email", name="email", unique=True)
    first, second, other = (
        ViewWrite(document=ViewDocument(key=key, position=1, data={"email": email}), replaces=0)
        for key, email in (("k", "a"), ("l", "a"), ("m", "b"))
    )
    assert not await store.save_documents("view_a", [first])
    refused, saved = await asyncio.gather(
        store.save_documents("view_a", [second]),
        store.save_documents("view_a", [other]),
        return_exceptions=True,
    )
    assert frozenset() == saved
    assert isinstance(refused, IncompatibleBucket)
    assert "the unique index email of view_a is not one of eventhus" in str(refused)


async def test_a_unique_index_of_dead_letters_is_named(store: MongoStore, plain: Plain) -> None:
    plain.dead_letters.create_index("type", name="type", unique=True)
    await store.save_letter(
        "mail", Message(id="1", stream=ACCOUNT, type="Noted", headers={}, body=b"")
    )
    with pytest.raises(IncompatibleBucket, match="the unique index type of dead_letters is not"):
        await store.save_letter(
            "mail", Message(id="2", stream=ACCOUNT, type="Noted", headers={}, body=b"")
        )


@pytest.mark.parametrize("name", ["leases", "checkpoints", "views", "groups", "snapshots"])
async def test_a_unique_index_of_a_small_collection_is_named(
    store: MongoStore, plain: Plain, name: str
) -> None:
    """Else the refusal looks like a lost race, which is tried again for ever."""
    writes: dict[str, Callable[[str], Awaitable[object]]] = {
        "leases": lambda each: store.acquire(each, "one", ttl_s=60),
        "checkpoints": lambda each: store.save_checkpoint(each, 1),
        "views": lambda each: store.register(Registration(collection=f"view_{each}", name=each)),
        "groups": lambda each: store.create_group(each, Checkpoint()),
        "snapshots": lambda each: store.save_snapshot(
            Snapshot(
                stream=StreamId("Account", each),
                version=1,
                position=1,
                event_id="c-1",
                fingerprint="f",
                data={},
            )
        ),
    }
    plain[name].create_index("email", name="email", unique=True)
    await writes[name]("a")
    with pytest.raises(IncompatibleBucket, match=f"the unique index email of {name} is not one of"):
        await writes[name]("b")


EMAIL = "the unique index email of events is not one of eventhus, and refuses a document; drop it"


def with_email(email: str, expected: int | None) -> Commit:
    """A commit of one event that holds an address."""
    commit = made(expected)
    event = EventData("Registered", {"email": email})
    return evolve(commit, parts=[evolve(commit.parts[0], events=[event])])


async def test_rights_that_were_taken_away(guarded: MongoServer, bucket: str) -> None:
    """Every operation says so, and nothing is written."""
    with client(as_user(guarded, "root")) as root:
        root.admin.command("createUser", bucket, pwd="s3cret", roles=["readWriteAnyDatabase"])
        async with MongoStore.open(as_user(guarded, bucket), bucket) as store:
            await store.append(made(0))
            root.admin.command("updateUser", bucket, roles=[])
            for call in operations(store):
                with pytest.raises(AccessDenied, match="grant readWrite"):
                    await call()
        assert 1 == root[bucket]["events"].count_documents({})


def first(commit: Commit) -> StoredCommit:
    """The commit at the beginning of a log."""
    return StoredCommit(commit=commit, versions=[1], position=1)


def all_of(*given: object) -> str:
    """All that a log could hold of these, and of what led to an error."""
    told = [f"{one} {one!r}" for one in given]
    for one in given:
        if isinstance(one, BaseException):
            told += [repr(one.args), *traceback.format_exception(one)]
    return "".join(told)


def operations(store: MongoStore) -> list[Callable[[], Awaitable[object]]]:
    """One call of each."""
    snapshot = Snapshot(
        stream=ACCOUNT, version=1, position=1, event_id="c-1", fingerprint="f", data={}
    )
    write = ViewWrite(document=ViewDocument(key="k", position=1, data={}), replaces=0)
    return [
        lambda: store.append(made(1)),
        lambda: store.append(made()),
        lambda: store.find("k"),
        lambda: store.load(ACCOUNT),
        lambda: store.history(ACCOUNT),
        store.read,
        store.head,
        lambda: anext(store.follow()),
        lambda: store.load_snapshot(ACCOUNT),
        lambda: store.save_snapshot(snapshot),
        lambda: store.load_checkpoint("relay"),
        lambda: store.save_checkpoint("relay", 1),
        lambda: store.load_documents("view_a", ["k"]),
        lambda: store.save_documents("view_a", [write]),
    ]


@pytest.mark.parametrize(
    "bucket",
    [
        "",
        "admin",
        "config",
        "local",
        "a.b",
        "a b",
        "a$b",
        "a/b",
        "a\0b",
        "a\nb",
        "a\ud800",
        "x" * 64,
        "é" * 32,
    ],
)
def test_a_bucket_that_is_no_name_of_a_database(bucket: str) -> None:
    """It is refused before there is a connection."""
    with pytest.raises(InvalidArgument, match="cannot be the name of a MongoDB database"):
        MongoStore.open("mongodb://127.0.0.1:1", bucket)


@pytest.mark.parametrize(
    "url",
    [
        "mongodb://",
        "mongodb://user:s3:cret@127.0.0.1",
        "mongodb://user:s3@cret@127.0.0.1",
        "mongodb://user:s3cret@127.0.0.1:port",
        "mongodb://user:s3cret@127.0.0.1/?tlsCAFile=/nowhere/s3cret.pem",
        "mongodb://user:s3cret@127.0.0.1,127.0.0.2/?directConnection=true",
        "mongodb+srv://user:s3cret@cluster.invalid:27017",
        "postgres://user:s3cret@127.0.0.1",
    ],
)
def test_a_wrong_url(url: str) -> None:
    """Nothing of it is quoted, since it may hold a password."""
    with pytest.raises(CompositionError, match="the URL for bucket 'bank'") as caught:
        MongoStore.open(url, "bank")
    assert "cret" not in all_of(caught.value)


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
        [("parts.type", 1), ("parts.id", 1), ("parts.version", -1)], name="stream"
    )


def _ascending(plain: Plain) -> None:
    plain.events.create_index(
        [("parts.type", 1), ("parts.id", 1), ("parts.version", 1)], name="stream", unique=True
    )


def _tags_of_all(plain: Plain) -> None:
    plain.events.create_index([("events.tags", 1), ("events.type", 1), ("_id", 1)], name="tags")


def _conversations_of_all(plain: Plain) -> None:
    plain.events.create_index([("metadata.correlation_id", 1), ("_id", 1)], name="conversation")


def _other_keys(plain: Plain) -> None:
    plain.events.create_index([("commit_id", 1), ("version", 1)], name="commit_id")


def _partial(plain: Plain) -> None:
    some = {"version": {"$gt": 1}}
    plain.events.create_index(
        "commit_id", name="commit_id", unique=True, partialFilterExpression=some
    )


def _sparse(plain: Plain) -> None:
    plain.events.create_index("commit_id", name="commit_id", unique=True, sparse=True)


def _whole(plain: Plain) -> None:
    plain.events.create_index("command_id", name="command_id", unique=True)


def _alike(plain: Plain) -> None:
    collation = {"locale": "en", "strength": 1}
    plain.events.create_index("commit_id", name="commit_id", unique=True, collation=collation)


HOLDS: dict[Callable[[Plain], None], str] = {
    _foreign: "was not written by eventhus",
    _view: "are a view",
    _capped: "are a capped collection",
    _collation: "are a collection with a collation of its own",
}
STREAM = "{'parts.type': 1, 'parts.id': 1, 'parts.version': -1}, {name: 'stream', unique: true}"
INDEXES: dict[Callable[[Plain], None], str] = {
    _not_unique: STREAM,
    _ascending: STREAM,
    _tags_of_all: "{'events.tags': 1, 'events.type': 1, _id: 1}, {name: 'tags', "
    "partialFilterExpression: {'events.tags': {$exists: true}}}",
    _conversations_of_all: "{'metadata.correlation_id': 1, _id: 1}, {name: 'conversation', "
    "partialFilterExpression: {'metadata.correlation_id': {$type: 'string'}}}",
    _other_keys: "{commit_id: 1}, {name: 'commit_id', unique: true}",
    _partial: "{commit_id: 1}, {name: 'commit_id', unique: true}",
    _sparse: "{commit_id: 1}, {name: 'commit_id', unique: true}",
    _alike: "{commit_id: 1}, {name: 'commit_id', unique: true}",
    _whole: "{command_id: 1}, {name: 'command_id', unique: true, partialFilterExpression: ",
}


@pytest.mark.parametrize("arrange", [*HOLDS, *INDEXES])
async def test_a_collection_that_holds_something_else(
    replica_set: MongoReplicaSet, plain: Plain, arrange: Callable[[Plain], None]
) -> None:
    """It is left as it is."""
    arrange(plain)
    before = look(plain)
    with pytest.raises(IncompatibleBucket, match=HOLDS.get(arrange, "conflicts with")) as caught:
        await MongoStore.open(replica_set.url, plain.name).__aenter__()
    assert plain.name == caught.value.bucket
    assert before == look(plain)


@pytest.mark.parametrize("arrange", INDEXES)
async def test_an_index_that_is_in_the_way(
    replica_set: MongoReplicaSet,
    plain: Plain,
    arrange: Callable[[Plain], None],
) -> None:
    """The error gives the command that makes the right one."""
    arrange(plain)
    with pytest.raises(IncompatibleBucket) as caught:
        await MongoStore.open(replica_set.url, plain.name).__aenter__()
    assert f"db.events.createIndex({INDEXES[arrange]}" in str(caught.value)


def look(plain: Plain) -> object:
    """All that a database holds."""
    collections = [*plain.list_collections()]
    if any(collection["type"] == "view" for collection in collections):
        return collections
    return collections, [*plain.events.find()], plain.events.index_information()


async def test_an_index_under_another_name(
    replica_set: MongoReplicaSet, plain: Plain, bucket: str
) -> None:
    """One that does the same is taken for ours."""
    plain.events.create_index("commit_id", name="mine", unique=True)
    async with MongoStore.open(replica_set.url, bucket) as store:
        await store.append(made(0))
    assert {
        "_id_",
        "stream",
        "mine",
        "command_id",
        "tags",
        "conversation",
    } == plain.events.index_information().keys()


async def test_commits_that_no_index_kept_apart(
    replica_set: MongoReplicaSet, plain: Plain, bucket: str
) -> None:
    """A log that lost its indexes, and holds one version twice since, is told from a whole one."""
    async with MongoStore.open(replica_set.url, bucket) as store:
        await store.append(made(0))
    plain.events.drop_indexes()
    plain.events.insert_one(encode_commit(made()).at(position=2, versions=[1]))
    with pytest.raises(IncompatibleBucket, match="the same version of one stream"):
        await MongoStore.open(replica_set.url, bucket).__aenter__()


async def test_a_store_is_entered_first(mongo: Client, bucket: str) -> None:
    """Before it is entered, and after it was left, every operation says what to do."""
    store = MongoStore(mongo, bucket)
    for _ in range(2):
        for call in operations(store):
            with pytest.raises(NotRunning, match=f"{bucket}.* 'async with'"):
                await call()
        async with store:
            assert 0 == await store.head()


async def test_the_owner_of_a_client_closes_it(
    mongo: Client, replica_set: MongoReplicaSet, bucket: str
) -> None:
    """The store that has made it; one that was given stays its owner's."""
    async with MongoStore(mongo, bucket):
        pass
    assert 1 == (await mongo.admin.command("ping"))["ok"]
    async with MongoStore.open(replica_set.url, bucket) as store:
        assert store._running is not None
        own = store._running.connection.client
    with pytest.raises(InvalidOperation, match="after close"):
        await own.admin.command("ping")
    async with store:  # again, on another
        assert 0 == await store.head()


async def test_the_options_of_a_client_weaken_nothing(
    replica_set: MongoReplicaSet, bucket: str, commands: Commands
) -> None:
    """A client that confirms less elsewhere confirms all of it here."""
    weak = "w=0&journal=false&readConcernLevel=local&readPreference=secondaryPreferred"
    url = f"{replica_set.url}&{weak}"
    async with async_client(url, commands) as client, MongoStore(client, bucket) as store:
        await store.append(made(0))
        await store.read()
    assert {"w": "majority", "j": True} == commands.named("insert")[0]["writeConcern"]
    assert "majority" == commands.named("find")[-1]["readConcern"]["level"]
