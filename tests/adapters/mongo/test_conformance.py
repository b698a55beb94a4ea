"""The store in MongoDB keeps what every store promises, on a replica set and on a single server."""

from __future__ import annotations

from eventhus_mongo import MongoStore
from eventhus_testing.conformance import StoreConformance
from tests.adapters.mongo.on_server import OnMongo, OnReplicaSet, OnStandalone


class Conformance(OnMongo, StoreConformance):
    """Each store has connections of its own."""

    def store(self, bucket: str) -> MongoStore:
        """Return another store on a bucket."""
        return self.opened(bucket)


class TestOnAReplicaSet(OnReplicaSet, Conformance):
    """The suite on a replica set."""


class TestOnAStandalone(OnStandalone, Conformance):
    """The suite on a single server."""
