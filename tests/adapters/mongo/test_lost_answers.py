"""A duplicate at (stream, version) is compared by commit id: ours means that we were stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from eventhus import ConcurrencyError, EventhusError
from eventhus.errors import AccessDenied, OutcomeUnknown, StoreUnavailable
from eventhus.ports import Commit, StoredCommit
from eventhus_mongo import MongoStore
from eventhus_mongo.lookups import Lookups
from eventhus_testing.conformance.store.samples import (
    ACCOUNT,
    OTHER,
    accounts,
    answer,
    commit,
    first_version,
    place,
    whole_log,
)
from eventhus_testing.conformance.store.views import document, kept, put
from eventhus_testing.servers import MongoReplicaSet, MongoServer
from tests.adapters.mongo.proxy import Proxy
from tests.adapters.mongo.support import Client, Commands, answered, async_client, client, until

PATIENCE_S = 0.5

without_retries = pytest.mark.parametrize("kind", ["standalone", "replica set, no retries"])
"""Elsewhere the driver sends a write again by itself, and the server knows it for the same."""


@pytest.fixture(params=["standalone", "replica set", "replica set, no retries"])
def kind(request: pytest.FixtureRequest) -> Any:
    """What the log is on."""
    return request.param


@pytest.fixture
def server(kind: str, request: pytest.FixtureRequest) -> MongoServer:
    """Where the log is."""
    if kind == "standalone":
        standalone: MongoServer = request.getfixturevalue("mongo_standalone")
        return standalone
    replica_set: MongoReplicaSet = request.getfixturevalue("replica_set")
    return replica_set.members[0]


@pytest.fixture
async def proxy(server: MongoServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    """The network between the store and the server."""
    # How long the driver waits before it looks again for a server that it has lost.
    monkeypatch.setattr("pymongo.common.MIN_HEARTBEAT_INTERVAL", 0.01)
    async with Proxy(server.port) as running:
        yield running


@pytest.fixture
async def near(server: MongoServer, bucket: str) -> AsyncIterator[MongoStore]:
    """A store of another process, whose network is sound."""
    async with MongoStore.open(server.url, bucket) as store:
        yield store


@pytest.fixture
async def far(proxy: Proxy, kind: str, bucket: str) -> AsyncIterator[MongoStore]:
    """A store behind the proxy, which has appended three events to one stream."""
    async with connected(proxy, kind) as through, filled(through, bucket) as store:
        yield store


@pytest.fixture
async def hasty(proxy: Proxy, kind: str) -> AsyncIterator[Client]:
    """A client that goes through the proxy and soon gives up."""
    async with connected(proxy, kind, timeoutMS=1000 * PATIENCE_S) as through:
        yield through


@pytest.fixture
async def impatient(hasty: Client, bucket: str) -> AsyncIterator[MongoStore]:
    """Like ``far``, on that client."""
    async with filled(hasty, bucket) as store:
        yield store


def connected(proxy: Proxy, kind: str, **options: Any) -> AbstractAsyncContextManager[Client]:
    """A client that goes through the proxy."""
    options |= {"retryWrites": kind != "replica set, no retries"}
    # How the driver notices soon that the server is there again.
    options |= {"serverMonitoringMode": "poll", "heartbeatFrequencyMS": 50}
    return async_client(proxy.url, **options)


@asynccontextmanager
async def filled(through: Client, bucket: str) -> AsyncIterator[MongoStore]:
    """A store that has appended three events to one stream, however busy the machine is."""
    store = MongoStore(through, bucket)
    first, second = commit(size=2), commit()
    await answered(store.__aenter__)
    try:
        await answered(lambda: store.append(first))
        await answered(lambda: store.append(second))
        yield store
    finally:
        await store.__aexit__(None, None, None)


def stored_of(answers: Iterable[object]) -> list[StoredCommit]:
    """Those that are no errors."""
    return [each for each in answers if isinstance(each, StoredCommit)]


@pytest.mark.parametrize("expected", [3, None])
async def test_an_answer_that_got_lost(far: MongoStore, proxy: Proxy, expected: int | None) -> None:
    """The commit was stored, and its caller is told so, and where. The second attempt is as bad."""
    proxy.lose_answers("insert", times=2)
    given = commit(size=2, expected_version=expected)
    stored = await far.append(given)
    assert stored.commit is given
    assert (4, 4) == place(stored)
    assert answer(stored) == answer(await far.append(given))
    assert stored.recorded() == (await whole_log(far))[3:]


@pytest.mark.parametrize("command", ["insert", "update"])
async def test_an_answer_about_documents_that_got_lost(
    far: MongoStore, proxy: Proxy, kind: str, command: str
) -> None:
    """They were saved; where nobody can tell, that is said, and what is repeated is left alone."""
    over = 0
    if command == "update":
        await put(far, document("a", 1), document("b", 1))
        over = 1
    proxy.lose_answers(command)
    given = [document("a", 5), document("b", 5)]
    if kind == "replica set":  # the driver sends it again, and the server knows it for the same
        assert set() == await put(far, *given, over=over)
    else:
        with pytest.raises(StoreUnavailable):
            await put(far, *given, over=over)
        assert set() == await put(far, *given, over=over)
    assert {each.key: each for each in given} == await kept(far, "a", "b")


async def test_an_answer_to_many_that_got_lost(far: MongoStore, proxy: Proxy) -> None:
    """Each commit of the batch is stored once, and the one that came too late is told so."""
    given = [commit(stream, size=2, expected_version=0) for stream in (*accounts(20), ACCOUNT)]
    proxy.lose_answers("insert")
    answers = await asyncio.gather(*map(far.append, given), return_exceptions=True)
    late = answers.pop()
    assert isinstance(late, ConcurrencyError)
    assert (0, 3) == (late.expected, late.actual)
    assert [*range(4, 44, 2)] == [each.position for each in stored_of(answers)]
    assert 43 == len(await whole_log(far))


@pytest.mark.parametrize("expected", [3, None])
async def test_others_append_before_it_is_sent_again(
    far: MongoStore, near: MongoStore, proxy: Proxy, expected: int | None
) -> None:
    """Later commits do not hide that it was stored."""

    async def others_append(name: str) -> bool:
        if name != "insert" or others:
            return True
        others.append(await near.append(commit(ACCOUNT)))
        others.append(await near.append(commit(OTHER)))
        return False

    others: list[StoredCommit] = []
    proxy.answered = others_append
    stored = await far.append(commit(size=2, expected_version=expected))
    assert [(4, 4), (6, 6), (1, 7)] == [place(each) for each in (stored, *others)]
    assert [event for each in (stored, *others) for event in each.recorded()] == (
        await whole_log(far)
    )[3:]


async def test_another_commit_at_the_version(
    far: MongoStore, near: MongoStore, proxy: Proxy
) -> None:
    """One that never arrived, and whose place another writer has taken since, is no success."""

    async def others_append(name: str) -> bool:
        if name != "insert" or others:
            return True
        others.append(await near.append(commit(ACCOUNT)))
        return False

    others: list[StoredCommit] = []
    proxy.asked = others_append
    with pytest.raises(ConcurrencyError) as caught:
        await far.append(commit(expected_version=3))
    assert (3, 4) == (caught.value.expected, caught.value.actual)
    assert others[0].recorded() == (await whole_log(far))[3:]
    # Wherever the stream ends is behind the other one, then.
    assert 5 == first_version(await far.append(commit()))


@pytest.mark.parametrize("expected", [3, None])
async def test_a_server_that_stays_away(
    impatient: MongoStore, proxy: Proxy, expected: int | None
) -> None:
    """The caller is told that it is not known, in time; the same commit again finds out."""

    async def gone(name: str) -> bool:
        if name == "insert":
            proxy.cut()
        return name != "insert"

    proxy.answered = gone
    given = commit(size=2, expected_version=expected)
    started = asyncio.get_running_loop().time()
    with pytest.raises(OutcomeUnknown) as caught:
        await impatient.append(given)
    assert PATIENCE_S + 1 > asyncio.get_running_loop().time() - started
    unknown = caught.value
    assert (ACCOUNT, given.id) == (unknown.stream, unknown.commit_id)
    assert f"commit {given.id} of {ACCOUNT} was sent" in str(unknown)

    await proxy.restore()
    stored = await impatient.append(given)
    assert (4, 4) == place(stored)
    assert 5 == len(await whole_log(impatient))


@pytest.mark.parametrize("kind", ["standalone"])
async def test_a_server_that_is_away(impatient: MongoStore, hasty: Client, proxy: Proxy) -> None:
    """The caller is told in time, and nothing is stored, then or when the server is back."""
    proxy.cut()
    await until(lambda: not hasty.topology_description.has_writable_server())
    started = asyncio.get_running_loop().time()
    try:
        # The driver does not tell whether it has sent something before it gave up.
        with pytest.raises(
            (StoreUnavailable, OutcomeUnknown), match="no suitable server could be reached"
        ):
            await impatient.append(commit(expected_version=3))
        # Where it was not known where the log ends, there was nothing to send.
        with pytest.raises(StoreUnavailable, match="no suitable server could be reached"):
            await impatient.append(commit(expected_version=3))
        with pytest.raises(StoreUnavailable, match="no suitable server could be reached"):
            await impatient.load(ACCOUNT)
    finally:
        await proxy.restore()
    assert 3 * PATIENCE_S + 1 > asyncio.get_running_loop().time() - started
    assert 4 == (await impatient.append(commit())).position


async def test_a_write_that_no_majority_confirmed(
    replica_set: MongoReplicaSet,
    mongo: Client,
    store: MongoStore,
    bucket: str,
    commands: Commands,
) -> None:
    """The server has stored it and says so, and that is not enough: it is asked about again."""
    async with MongoStore(mongo, bucket) as other:
        await other.append(commit())
    given = [commit(stream, expected_version=0) for stream in (OTHER, ACCOUNT, *accounts(2))]
    with client(replica_set.url) as plain:
        unconfirmed = {"code": 64, "codeName": "WriteConcernFailed", "errmsg": "timed out"}
        plain.admin.command(
            "configureFailPoint",
            "failCommand",
            mode={"times": 1},
            data={"failCommands": ["insert"], "writeConcernError": unconfirmed},
        )
    answers = await asyncio.gather(*map(store.append, given), return_exceptions=True)
    assert [2, 3, 4] == [each.position for each in stored_of(answers)]
    assert isinstance(answers[1], ConcurrencyError)
    assert 4 == len(await whole_log(store))
    # The one that the server had stored before it came to the late one.
    assert given[0].id in [find["filter"].get("commit_id") for find in commands.named("find")]


async def _unknown(lookups: Lookups, commit: Commit) -> None:
    """In place of the look for a commit's id."""


@without_retries
async def test_without_the_comparison_success_is_called_a_conflict(
    far: MongoStore, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule is needed: else the caller would be told to decide again on its own events."""
    monkeypatch.setattr(Lookups, "stored", _unknown)
    proxy.lose_answers("insert")
    with pytest.raises(ConcurrencyError):
        await far.append(commit(size=2, expected_version=3))
    assert 5 == len(await whole_log(far))


@without_retries
async def test_without_the_comparison_a_commit_is_stored_twice(
    far: MongoStore,
    proxy: Proxy,
    server: MongoServer,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rule is needed: else what goes wherever the stream ends goes there again."""
    monkeypatch.setattr(Lookups, "stored", _unknown)
    with client(server.url) as plain:
        plain[bucket]["events"].drop_index("commit_id")
    proxy.lose_answers("insert")
    await far.append(commit(size=2))
    assert 7 == len(await whole_log(far))


@pytest.mark.parametrize(
    ("code", "error"),
    [
        pytest.param(11601, OutcomeUnknown, id="interrupted"),  # where, the answer does not say
        pytest.param(13, AccessDenied, id="unauthorized"),  # which comes before anything is done
    ],
)
async def test_an_insert_that_failed_for_good(
    replica_set: MongoReplicaSet, store: MongoStore, code: int, error: type[EventhusError]
) -> None:
    """Nothing is said of what was written unless it is certain."""
    fail_once = {"failCommands": ["insert"], "errorCode": code}
    with client(replica_set.url) as direct:
        direct.admin.command("configureFailPoint", "failCommand", mode={"times": 1}, data=fail_once)
    given = commit(expected_version=0)
    with pytest.raises(error):
        await store.append(given)
    assert 1 == (await store.append(given)).position
    assert 1 == await store.head()
