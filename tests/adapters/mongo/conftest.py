"""The servers and stores that these tests share."""

import inspect
import warnings
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.database import Database

from eventhus_mongo import MongoStore
from eventhus_mongo.bucket import EVENTS_INDEXES
from eventhus_testing.servers import MongoReplicaSet, mongo_replica_set, unused_name
from tests.adapters.mongo.support import Client, Commands, async_client, client
from tests.core.conftest import bounded

_FAIL_POINTS = ("--setParameter", "enableTestCommands=1")


def pytest_configure(config: pytest.Config) -> None:
    """Overlook what the driver forgets: a socket whose connecting was cancelled (seen in 4.20).

    It is noticed when the socket is collected as garbage, in whichever test or at the end.
    """
    warnings.filterwarnings("ignore", "unclosed <socket.socket", ResourceWarning)
    config.addinivalue_line("filterwarnings", "ignore:unclosed <socket.socket:ResourceWarning")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bound every asynchronous test in this folder: one that waits for ever fails instead."""
    for item in items:
        here = item.path.parent == Path(__file__).parent
        if here and isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.obj = bounded(item.obj)


@pytest.fixture(scope="session")
def replica_set(mongod: Path) -> Iterator[MongoReplicaSet]:
    """A set of one, which can be told to fail in many ways."""
    with mongo_replica_set(arguments=_FAIL_POINTS) as started:
        yield started


@pytest.fixture(scope="session")
def set_of_three(mongod: Path) -> Iterator[MongoReplicaSet]:
    """A set of three, which can be told to fail in many ways."""
    with mongo_replica_set(3, arguments=_FAIL_POINTS) as started:
        yield started


@pytest.fixture
def bucket() -> str:
    """A name that no other test uses. The servers are thrown away, and what it holds with them."""
    return unused_name()


@pytest.fixture(scope="session")
def _plain(replica_set: MongoReplicaSet) -> Iterator[MongoClient[dict[str, Any]]]:
    with client(replica_set.url) as connected:
        yield connected


@pytest.fixture
def plain(_plain: MongoClient[dict[str, Any]], bucket: str) -> Any:
    """The bucket as a database of the driver's, which knows nothing of eventhus."""
    return _plain[bucket]


@pytest.fixture
def commands() -> Commands:
    """What the store sends."""
    return Commands()


@pytest.fixture
async def mongo(replica_set: MongoReplicaSet, commands: Commands) -> AsyncIterator[Client]:
    """The client of the store."""
    async with async_client(replica_set.url, commands) as connected:
        yield connected


@pytest.fixture
async def store(
    mongo: Client, bucket: str, commands: Commands, plain: Database[dict[str, Any]]
) -> AsyncIterator[MongoStore]:
    """A store that was entered, with an empty log. What it has sent by then is forgotten."""
    plain.events.create_indexes([index.model() for index in EVENTS_INDEXES])
    async with MongoStore(mongo, bucket) as entered:
        commands.forget()
        yield entered
