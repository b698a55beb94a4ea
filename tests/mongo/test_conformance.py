"""The store in MongoDB keeps what every store promises, on a replica set and on a single server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pymongo import MongoClient

from eventhus_mongo import MongoStore
from eventhus_testing.conformance import StoreConformance
from eventhus_testing.servers import MongoServer


class TestOnAReplicaSet(StoreConformance):
    """Where a change stream wakes the followers."""

    @pytest.fixture(autouse=True)
    def _server(self, mongo_url: str, mongo_client: MongoClient[dict[str, Any]]) -> Iterator[None]:
        self.url = mongo_url
        yield
        mongo_client.drop_database(self.bucket)

    def store(self, bucket: str) -> MongoStore:
        """A store on its own connections."""
        return MongoStore.open(self.url, bucket)


class TestOnAStandalone(StoreConformance):
    """Where there are no change streams, no sessions' times and no retried writes."""

    @pytest.fixture(autouse=True)
    def _server(self, mongo_standalone: MongoServer) -> Iterator[None]:
        self.url = mongo_standalone.url
        yield
        with MongoClient[dict[str, Any]](self.url) as client:
            client.drop_database(self.bucket)

    def store(self, bucket: str) -> MongoStore:
        """A store on its own connections."""
        return MongoStore.open(self.url, bucket)
