"""Event handlers without a broker keep what every bus promises, on MongoDB."""

from __future__ import annotations

from eventhus_testing.conformance import BusConformance
from tests.adapters.mongo.on_server import OnMongo, OnReplicaSet, OnStandalone
from tests.core.runtime.log_bus.messages import MessageLog


class Conformance(OnMongo, BusConformance):
    """Each bus has connections of its own."""

    keeps_groups = True

    def bus(self, bucket: str) -> MessageLog:
        """Return another bus on the log of a bucket."""
        return MessageLog(self.opened(bucket))


class TestOnAReplicaSet(OnReplicaSet, Conformance):
    """The suite on a replica set."""


class TestOnAStandalone(OnStandalone, Conformance):
    """The suite on a single server."""
