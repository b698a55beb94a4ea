"""The store in MongoDB keeps what every store promises, on a replica set and on a single server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eventhus_mongo import MongoStore
from eventhus_testing.conformance import StoreConformance
from eventhus_testing.servers import MongoServer
from tests.adapters.mongo.on_server import OnMongo


class Conformance(OnMongo, StoreConformance):
    """The suite on one server."""

    def store(self, bucket: str) -> MongoStore:
        """Return a store on connections of its own."""
        return self.opened(bucket)


class TestOnAReplicaSet(Conformance):
    """Where a change stream wakes the followers."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, mongo_url: str) -> Iterator[None]:
        yield from cls.on(mongo_url)


class TestOnAStandalone(Conformance):
    """Where there are no change streams and no retried writes, and time is not told."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, mongo_standalone: MongoServer) -> Iterator[None]:
        yield from cls.on(mongo_standalone.url)
