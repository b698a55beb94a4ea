"""The diagnosis of a store: its server, its user, its bucket and its client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, NamedTuple

import pymongo
import pytest
from pymongo import AsyncMongoClient

from eventhus.errors import NotRunning
from eventhus.ports import Finding
from eventhus_mongo import MongoStore
from eventhus_mongo.diagnosis import bucket as buckets
from eventhus_mongo.diagnosis import client as client_checks
from eventhus_mongo.diagnosis import examine, server
from eventhus_testing.servers import MongoReplicaSet, MongoServer, standalone_mongo
from tests.adapters.mongo.made import made
from tests.adapters.mongo.support import client
from tests.certificates import certify

LONGEST_S = 10  # of a diagnosis, whatever happens
ALWAYS = ["mongodb.connection", "mongodb.driver", "mongodb.options"]


UNSEEN = "single members are not visible without the role clusterMonitor"


async def findings(url: str, bucket: str) -> Sequence[Finding]:
    """Diagnose a store that nobody has entered."""
    started = time.monotonic()
    found = await MongoStore.open(url, bucket).diagnose()
    assert time.monotonic() - started < LONGEST_S
    return found


def of(found: Sequence[Finding], name: str) -> list[tuple[str, str]]:
    """The findings of one check."""
    return [(each.status, each.detail) for each in found if each.name == f"mongodb.{name}"]


def one(found: Sequence[Finding], name: str) -> tuple[str, str]:
    """The only finding of one check."""
    (only,) = of(found, name)
    return only


async def test_a_diagnosis_changes_nothing(replica_set: MongoReplicaSet, bucket: str) -> None:
    found = await findings(replica_set.url, bucket)
    assert ("ok", "the bucket is new") == one(found, "collections")
    assert ("ok", "there is no log yet; its indexes are created with it") == one(found, "indexes")
    assert ("ok", "there is no log yet") == one(found, "format")
    with client(replica_set.url) as looking:
        assert bucket not in looking.list_database_names()


async def test_a_bucket_in_use_is_fine(store: MongoStore) -> None:
    await store.append(made(0))
    found = await store.diagnose()
    assert ("ok", "collections of the bucket: 1") == one(found, "collections")
    assert ("ok", "the log has its indexes") == one(found, "indexes")
    assert ("ok", "the first and the last commit can be read") == one(found, "format")
    assert "are free on the disk" in one(found, "storage")[1]
    assert [] == [each for each in found if each.status == "error"]


async def test_the_clients_owner_may_diagnose_and_go_on(
    replica_set: MongoReplicaSet, bucket: str
) -> None:
    """Only a client of its own is closed."""
    async with AsyncMongoClient[dict[str, Any]](replica_set.url) as mine:
        store = MongoStore(mine, bucket)
        assert "ok" == one(await store.diagnose(), "connection")[0]
        async with store:
            await store.append(made(0))
            assert "ok" == one(await store.diagnose(), "indexes")[0]
        with pytest.raises(NotRunning):
            await store.head()
        assert "ok" == one(await store.diagnose(), "indexes")[0]


# The server.


async def test_three_members_are_fit_for_production(
    mongo_replica_set_of_three: MongoReplicaSet, bucket: str
) -> None:
    found = await findings(mongo_replica_set_of_three.url, bucket)
    assert ("ok", "a replica set with 3 copies of the data") == one(found, "topology")
    assert ("ok", "3 members are healthy") == one(found, "members")
    assert ("ok", "a majority acknowledges what is on its disks") == one(found, "journaling")


async def test_one_member_is_not(replica_set: MongoReplicaSet, bucket: str) -> None:
    status, detail = one(await findings(replica_set.url, bucket), "topology")
    assert "warning" == status
    assert "1 copy of the data" in detail


async def test_a_standalone_is_named(mongo_standalone: MongoServer, bucket: str) -> None:
    found = await findings(mongo_standalone.url, bucket)
    status, detail = one(found, "topology")
    assert "warning" == status
    assert detail.startswith("a standalone server")
    assert [] == of(found, "members")
    assert [] == of(found, "journaling")


async def test_a_url_that_names_one_member_is_found(
    mongo_replica_set_of_three: MongoReplicaSet, bucket: str
) -> None:
    primary = mongo_replica_set_of_three.wait_for_primary()
    found = await findings(primary.url, bucket)
    assert (
        "warning",
        "the URL leads to one member of a replica set, and nothing follows an election",
    ) == one(found, "topology")


async def test_a_member_that_is_away_is_counted_and_not_named(
    mongo_replica_set_of_three: MongoReplicaSet, bucket: str
) -> None:
    """A diagnosis shows no hosts. With two away, there is nobody to write to."""
    three = mongo_replica_set_of_three
    away, last = three.secondaries()
    three.wait_for_primary()
    away.kill()
    try:
        while one(found := await findings(three.url, bucket), "members")[0] == "ok":
            await asyncio.sleep(0.1)
        number = three.members.index(away)
        assert ("warning", f"member {number} is away") == one(found, "members")
        last.kill()
        while three.primary() is not None:
            await asyncio.sleep(0.1)
        found = await findings(three.url, bucket)
        status, detail = one(found, "connection")
        assert "error" == status
        assert "2 refuses connections" in detail
        assert "1 is RSSecondary" in detail
        assert "127.0.0.1" not in repr(found)
        assert ALWAYS == [each.name for each in found]
    finally:
        away.start()
        last.start()
        three.wait_for_primary()
        while len(three.secondaries()) < 2:
            await asyncio.sleep(0.1)


async def test_majorities_that_do_not_flush_are_an_error(
    replica_set: MongoReplicaSet, bucket: str
) -> None:
    with client(replica_set.url) as looking:
        config = looking.admin.command("replSetGetConfig")["config"]

        def reconfigure(*, flushes: bool) -> None:
            config["version"] += 1
            config["writeConcernMajorityJournalDefault"] = flushes
            looking.admin.command("replSetReconfig", config)
            looking[bucket]["foreign"].insert_one({})  # until then, reads at majority wait

        reconfigure(flushes=False)
        try:
            status, detail = one(await findings(replica_set.url, bucket), "journaling")
        finally:
            reconfigure(flushes=True)
    assert "error" == status
    assert detail.startswith("writeConcernMajorityJournalDefault is false")


@pytest.mark.parametrize(
    ("ahead_s", "status", "says"),
    [
        (30, "warning", "30.0 s ahead of that of the server: deadlines come early"),
        (-90, "error", "90.0 s behind that of the server: deadlines come late"),
    ],
)
async def test_clocks_that_differ_are_found(
    replica_set: MongoReplicaSet,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    ahead_s: int,
    status: str,
    says: str,
) -> None:
    class Wrong(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(seconds=ahead_s)

    monkeypatch.setattr(examine, "datetime", Wrong)
    found = await findings(replica_set.url, bucket)
    assert status == one(found, "clock")[0]
    assert says in one(found, "clock")[1]


async def test_the_profiler_keeps_data_of_events(
    replica_set: MongoReplicaSet, plain: Any, bucket: str
) -> None:
    plain.command({"profile": 2})
    try:
        status, detail = one(await findings(replica_set.url, bucket), "profiler")
    finally:
        plain.command({"profile": 0})
    assert "warning" == status
    assert "every operation" in detail


# A server that is away, refuses or does not answer.


async def test_a_server_that_is_away_is_a_finding(bucket: str) -> None:
    with standalone_mongo() as server:
        url = server.url
    found = await findings(url, bucket)
    assert ALWAYS == [each.name for each in found]
    assert (
        "error",
        "no suitable server could be reached within 5 s; of the servers, 1 refuses connections",
    ) == one(found, "connection")


async def test_a_server_that_hangs_is_a_finding(bucket: str) -> None:
    with standalone_mongo() as server:
        server.pause()
        found = await findings(server.url, bucket)
        server.resume()
    assert "error" == one(found, "connection")[0]
    assert "does not answer" in one(found, "connection")[1]


@contextmanager
def failing(replica_set: MongoReplicaSet, command: str, **data: Any) -> Iterator[None]:
    """Make a command fail."""
    with client(replica_set.url) as looking:

        def fail(mode: str, **data: Any) -> None:
            looking.admin.command("configureFailPoint", "failCommand", mode=mode, **data)

        fail("alwaysOn", data={"failCommands": [command], **data})
        try:
            yield
        finally:
            fail("off")


async def test_a_check_that_the_server_does_not_know_leaves_the_others(
    replica_set: MongoReplicaSet, bucket: str
) -> None:
    with failing(replica_set, "connectionStatus", errorCode=59):
        found = await findings(replica_set.url, bucket)
    assert (
        "warning",
        "could not be checked: MongoDB answered CommandNotFound (59)",
    ) == one(found, "rights")
    assert "ok" == one(found, "profiler")[0]


@pytest.mark.parametrize(
    ("command", "check", "expected"),
    [
        (
            "replSetGetStatus",
            "members",
            ("ok", f"a majority has the writes of the primary; {UNSEEN}"),
        ),
        (
            "replSetGetConfig",
            "journaling",
            ("warning", "not visible: the user lacks the right replSetGetConfig"),
        ),
    ],
)
async def test_what_a_user_may_not_see_is_said(
    replica_set: MongoReplicaSet,
    bucket: str,
    command: str,
    check: str,
    expected: tuple[str, str],
) -> None:
    with failing(replica_set, command, errorCode=13):
        found = await findings(replica_set.url, bucket)
    assert expected == one(found, check)


async def test_a_check_that_hangs_leaves_the_others(
    replica_set: MongoReplicaSet, bucket: str
) -> None:
    with failing(replica_set, "dbStats", blockConnection=True, blockTimeMS=5_000):
        found = await findings(replica_set.url, bucket)
    assert "warning" == one(found, "storage")[0]
    assert one(found, "storage")[1].startswith("could not be checked")
    assert "ok" == one(found, "profiler")[0]


# The user.

RIGHTS = {
    *("find", "insert", "update", "remove", "createIndex", "listIndexes", "listCollections"),
    *("changeStream", "dropCollection", "dbStats", "collStats"),
}
NAMED = sorted(RIGHTS - {"dbStats", "collStats"})
PASSWORD = "s3cret"


def as_user(server: MongoServer, name: str, password: str = PASSWORD) -> str:
    """The URL by which somebody comes in."""
    return server.url.replace("//", f"//{name}:{password}@") + "&authSource=admin"


@pytest.fixture(scope="module")
def guarded(mongod: object) -> Iterator[MongoServer]:
    """A server that asks who is there, with one user for each right, who lacks it."""
    with standalone_mongo(arguments=("--auth",)) as server:
        with client(server.url) as first:  # who comes in without a password
            first.admin.command("createUser", "root", pwd=PASSWORD, roles=["root"])
        with client(as_user(server, "root")) as root:
            for lacks in NAMED:
                allow(root, f"without_{lacks}", {"db": "bank", "collection": ""}, RIGHTS - {lacks})
            allow(root, "narrow", {"db": "bank", "collection": "events"}, RIGHTS)
            allow(root, "wide", {"anyResource": True}, RIGHTS)
            root.admin.command(
                "createUser", "writer", pwd=PASSWORD, roles=[{"role": "readWrite", "db": "bank"}]
            )
        yield server


def allow(root: Any, name: str, resource: Mapping[str, Any], actions: set[str]) -> None:
    """Create a user with these rights."""
    privilege = {"resource": resource, "actions": sorted(actions)}
    root.admin.command("createRole", name, privileges=[privilege], roles=[])
    root.admin.command("createUser", name, pwd=PASSWORD, roles=[name])


@pytest.mark.parametrize("lacks", NAMED)
async def test_a_right_that_is_missing_is_named(guarded: MongoServer, lacks: str) -> None:
    """Nothing works without most; some features do without two."""
    found = await findings(as_user(guarded, f"without_{lacks}"), "bank")
    status, detail = one(found, "rights")
    assert ("warning" if lacks in {"changeStream", "dropCollection"} else "error") == status
    assert detail.startswith(f"the user lacks {lacks}")
    assert not any(other in detail for other in RIGHTS - {lacks})


async def test_rights_on_one_collection_do_not_suffice(guarded: MongoServer) -> None:
    found = await findings(as_user(guarded, "narrow"), "bank")
    lacking = next(detail for _, detail in of(found, "rights"))
    assert "find" in lacking
    assert "changeStream" not in lacking


@pytest.mark.parametrize("user", ["writer", "wide", "root"])
async def test_the_documented_rights_suffice(guarded: MongoServer, user: str) -> None:
    found = await findings(as_user(guarded, user), "bank")
    assert ("ok", "the user may do what the store does") == one(found, "rights")
    assert [] == of(found, "authentication")
    assert [] == [each for each in found if each.status == "error"]


async def test_rights_on_another_bucket_are_none(guarded: MongoServer) -> None:
    found = await findings(as_user(guarded, "writer"), "shop")
    status, detail = of(found, "rights")[0]
    assert "error" == status
    assert all(right in detail for right in ("find", "insert", "listCollections"))


async def test_wrong_credentials_are_a_finding_without_them(guarded: MongoServer) -> None:
    found = await findings(as_user(guarded, "writer", "wr0ng"), "bank")
    assert (
        "error",
        "MongoDB refused the credentials; check the user, the password and authSource",
    ) == one(found, "connection")
    assert not any(secret in repr(found) for secret in ("wr0ng", "writer", "127.0.0.1"))


async def test_a_server_that_asks_for_credentials_is_found(guarded: MongoServer) -> None:
    found = await findings(guarded.url, "bank")
    assert ("error", "the server asks for credentials, and the URL has none") == one(
        found, "rights"
    )


async def test_a_server_that_lets_everybody_in_is_found(
    mongo_standalone: MongoServer, bucket: str
) -> None:
    found = await findings(mongo_standalone.url, bucket)
    assert ("warning", "the server lets everybody in who can reach it") == one(
        found, "authentication"
    )


# The bucket.


async def test_a_missing_index_is_an_error(store: MongoStore, plain: Any) -> None:
    plain.events.drop_index("stream")
    found = await store.diagnose()
    assert (
        "error",
        "the index stream of events is missing, so nothing keeps doubles out",
    ) == one(found, "indexes")
    (advice,) = [each.advice for each in found if each.name == "mongodb.indexes"]
    assert "create it: db.events.createIndex({'parts." in advice


async def test_a_missing_index_for_tags_is_an_error(store: MongoStore, plain: Any) -> None:
    plain.events.drop_index("tags")
    assert ("error", "the index tags of events is missing") == one(
        await store.diagnose(), "indexes"
    )


async def test_an_index_that_differs_is_an_error(store: MongoStore, plain: Any) -> None:
    plain.events.drop_index("commit_id")
    plain.events.create_index("commit_id", name="commit_id")
    assert ("error", "another index of events conflicts with commit_id") == one(
        await store.diagnose(), "indexes"
    )


async def test_a_hidden_index_is_an_error(store: MongoStore, plain: Any) -> None:
    plain.command("collMod", "events", index={"name": "stream", "hidden": True})
    assert ("error", "the index stream of events is hidden, so reads fail") == one(
        await store.diagnose(), "indexes"
    )


async def test_a_unique_index_of_others_is_a_warning(store: MongoStore, plain: Any) -> None:
    """Its name may hold anything."""
    plain.events.create_index("recorded_at", name="evil\x1b[2J", unique=True)
    status, detail = one(await store.diagnose(), "indexes")
    assert "warning" == status
    assert r"evil\x1b[2J" in detail


async def test_an_index_of_others_is_fine(store: MongoStore, plain: Any) -> None:
    plain.events.create_index("recorded_at")
    assert "ok" == one(await store.diagnose(), "indexes")[0]


async def test_documents_that_expire_are_an_error(store: MongoStore, plain: Any) -> None:
    plain.view_orders.create_index("placed", expireAfterSeconds=60)
    assert (
        "error",
        "the index placed_1 of view_orders deletes documents after a time",
    ) == one(await store.diagnose(), "collections")


@pytest.mark.parametrize(
    ("name", "options", "status", "says"),
    [
        ("events", {"capped": True, "size": 4096}, "error", "its events are a capped collection"),
        ("snapshots", {"capped": True, "size": 4096}, "error", "snapshots is a capped collection"),
        ("view_a", {"collation": {"locale": "en"}}, "error", "view_a has a collation"),
        ("leases", {"validator": {"a": 1}}, "warning", "leases has a validator"),
        ("leases", {"validator": {"a": 1}, "validationAction": "warn"}, "ok", "collections"),
        ("foreign", {"capped": True, "size": 4096}, "ok", "the bucket is new"),
    ],
)
async def test_collections_that_do_not_keep_everything(
    replica_set: MongoReplicaSet,
    plain: Any,
    bucket: str,
    name: str,
    options: Mapping[str, Any],
    status: str,
    says: str,
) -> None:
    plain.create_collection(name, **options)
    found = await findings(replica_set.url, bucket)
    assert status == one(found, "collections")[0]
    assert says in one(found, "collections")[1]


async def test_a_foreign_document_is_an_error(
    replica_set: MongoReplicaSet, plain: Any, bucket: str
) -> None:
    """Its data is not shown."""
    plain.events.insert_one({"iban": "s3cret"})
    found = await findings(replica_set.url, bucket)
    assert "error" == one(found, "format")[0]
    assert "s3cret" not in repr(found)


# The client.


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("retryWrites=false", "retryWrites is false"),
        ("retryReads=false", "retryReads is false"),
        ("maxPoolSize=2", "maxPoolSize is 2"),
        ("timeoutMS=500", "timeoutMS is 500"),
        ("serverSelectionTimeoutMS=2000", "serverSelectionTimeoutMS is 2000"),
    ],
)
async def test_an_option_that_harms_is_a_warning(
    replica_set: MongoReplicaSet, bucket: str, option: str, says: str
) -> None:
    found = await findings(f"{replica_set.url}&{option}", bucket)
    status, detail = one(found, "options")
    assert "warning" == status
    assert detail.startswith(says)


async def test_options_without_an_effect_are_named(
    replica_set: MongoReplicaSet, bucket: str
) -> None:
    """The store reads and writes at majority whatever they say."""
    options = "w=1&readConcernLevel=local&readPreference=nearest&timeoutMS=7000"
    status, detail = one(await findings(f"{replica_set.url}&{options}", bucket), "options")
    assert "ok" == status
    unused = "w, journal and wtimeoutMS, readConcernLevel, readPreference have no effect"
    assert f"an operation takes at most 7 s; {unused} on the store" == detail


@pytest.fixture(scope="module")
def encrypting(mongod: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Encrypting]:
    """A server that offers TLS."""
    directory = certify(tmp_path_factory.mktemp("certificates"))
    both = directory / "both.pem"
    both.write_bytes((directory / "key.pem").read_bytes() + (directory / "cert.pem").read_bytes())
    options = ["--tlsMode", "allowTLS", "--tlsCertificateKeyFile", str(both)]
    with standalone_mongo(arguments=options) as server:
        yield Encrypting(server, directory / "cert.pem")


class Encrypting(NamedTuple):
    server: MongoServer
    authority: Path


async def test_tls_that_is_offered_and_not_used_is_found(
    encrypting: Encrypting, bucket: str
) -> None:
    assert ("warning", "the connection is not encrypted, although the server offers it") == one(
        await findings(encrypting.server.url, bucket), "tls"
    )


@pytest.mark.parametrize(
    ("options", "status", "says"),
    [
        ("tlsCAFile={authority}", "ok", "the connection is encrypted"),
        ("tlsInsecure=true", "warning", "every certificate is accepted"),
        (
            "tlsCAFile={authority}&tlsAllowInvalidHostnames=true",
            "warning",
            "certificates are accepted from any host",
        ),
    ],
)
async def test_how_certificates_are_checked_is_found(
    encrypting: Encrypting, bucket: str, options: str, status: str, says: str
) -> None:
    url = f"{encrypting.server.url}&tls=true&{options.format(authority=encrypting.authority)}"
    found = await findings(url, bucket)
    assert status == one(found, "tls")[0]
    assert one(found, "tls")[1].startswith(says)


async def test_a_certificate_that_is_not_trusted_is_a_finding(
    encrypting: Encrypting, bucket: str
) -> None:
    found = await findings(f"{encrypting.server.url}&tls=true", bucket)
    assert "error" == one(found, "connection")[0]
    assert "1 fails to encrypt" in one(found, "connection")[1]


async def test_a_file_of_the_url_that_is_gone_is_a_finding(
    encrypting: Encrypting, bucket: str, tmp_path: Path
) -> None:
    """It was there when the store was opened."""
    authority = tmp_path / "authority.pem"
    authority.write_bytes(encrypting.authority.read_bytes())
    store = MongoStore.open(f"{encrypting.server.url}&tls=true&tlsCAFile={authority}", bucket)
    authority.unlink()
    (found,) = await store.diagnose()
    assert "error" == found.status
    assert "does not accept the URL" in found.detail


# What no server of a test can be made to say.


async def test_a_server_that_is_far_away_is_a_warning(
    replica_set: MongoReplicaSet, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examine, "_FAR_MS", 0.0)
    assert "warning" == one(await findings(replica_set.url, bucket), "connection")[0]


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("localhost", True), ("/tmp/mongodb.sock", True), ("::1", True), ("db.example", False)],
)
def test_hosts_of_this_machine_are_known(host: str, is_local: bool) -> None:
    assert is_local == client_checks._is_local((host, 27017))


def said(found: Iterable[Finding]) -> tuple[str, str]:
    """The only finding."""
    (only,) = found
    return only.status, only.detail


@pytest.mark.parametrize(
    ("total", "free", "status"),
    [
        (500 * 10**9, 49 * 10**9, "warning"),
        (500 * 10**9, 51 * 10**9, "ok"),
        (5 * 10**12, 120 * 10**9, "ok"),
        (5 * 10**12, 90 * 10**9, "warning"),
    ],
)
def test_a_disk_that_is_nearly_full_is_a_warning(total: int, free: int, status: str) -> None:
    stats = {"fsTotalSize": float(total), "fsUsedSize": float(total - free), "storageSize": 2e9}
    found = said(server.storage_findings(stats))
    assert status == found[0]
    assert found[1].startswith("the bucket takes 2 GB, and ")


def test_an_old_server_is_a_warning() -> None:
    build = {"version": "5.0.30", "versionArray": [5, 0, 30, 0]}
    assert "warning" == said(server.version_findings(build))[0]
    build = {"version": "8.2.1", "versionArray": [8, 2, 1, 0]}
    assert ("ok", "MongoDB 8.2.1") == said(server.version_findings(build))


def test_an_old_driver_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pymongo, "version_tuple", (4, 9, 0))
    assert "warning" == said([client_checks._of_driver()])[0]


NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("others", "status", "says"),
    [
        ([("SECONDARY", 1, 5), ("SECONDARY", 1, 0)], "ok", "3 members are healthy"),
        ([("SECONDARY", 1, 15), ("SECONDARY", 1, 0)], "warning", "member 1 is 15 s behind"),
        ([("RECOVERING", 1, 0), ("SECONDARY", 1, 0)], "warning", "member 1 is RECOVERING"),
        ([("SECONDARY", 1, 0), ("ARBITER", 1, None)], "ok", "3 members are healthy"),
        (
            [("(not reachable/healthy)", 0, 0), ("ROLLBACK", 1, 0)],
            "error",
            "1 of the 2 members that a commit needs are there, so appends wait: member 1 is away",
        ),
    ],
)
def test_members_that_are_not_healthy_are_found(
    others: Sequence[tuple[str, int, int | None]], status: str, says: str
) -> None:
    members: list[dict[str, Any]] = [
        {"_id": 0, "stateStr": "PRIMARY", "health": 1.0, "optimeDate": NOW}
    ]
    for number, (state, health, lag_s) in enumerate(others, start=1):
        member = {"_id": number, "stateStr": state, "health": float(health)}
        place = {} if lag_s is None else {"optimeDate": NOW - timedelta(seconds=lag_s)}
        members.append(member | place)
    found = said(server.member_findings({"members": members, "writeMajorityCount": 2}))
    assert status == found[0]
    assert found[1].startswith(says)


@pytest.mark.parametrize(("lag_s", "status"), [(3, "ok"), (30, "error")])
def test_a_majority_that_lags_is_seen_without_rights(lag_s: int, status: str) -> None:
    written = {"lastWriteDate": NOW, "majorityWriteDate": NOW - timedelta(seconds=lag_s)}
    assert status == said(server.majority_findings({"lastWrite": written}))[0]


def test_an_arbiter_is_no_copy() -> None:
    hello = {"setName": "rs", "hosts": ["a", "b"], "arbiters": ["c"]}
    status, detail = said(server.topology_findings(hello, is_direct=False))
    assert "warning" == status
    assert "2 copies of the data and 1 arbiter" in detail


def test_a_log_is_in_one_shard() -> None:
    router = {"msg": "isdbgrid"}
    assert ("ok", "a sharded cluster") == said(server.topology_findings(router, is_direct=False))
    assert "error" == said(buckets.sharding_findings({"sharded": True}))[0]
    assert [] == [*buckets.sharding_findings({"sharded": False})]
