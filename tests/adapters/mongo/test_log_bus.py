"""Event handlers without a broker keep what every bus promises, on MongoDB."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eventhus_testing.conformance import BusConformance
from eventhus_testing.servers import MongoServer
from tests.adapters.mongo.on_server import OnMongo
from tests.core.runtime.log_bus.messages import MessageLog


class Conformance(OnMongo, BusConformance):
    """Each bus has connections of its own."""

    keeps_groups = True

    def bus(self, bucket: str) -> MessageLog:
        """Return another bus on the log of a bucket."""
        return MessageLog(self.opened(bucket))


class TestOnAReplicaSet(Conformance):
    """Where a change stream wakes the followers."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, mongo_url: str) -> Iterator[None]:
        yield from cls.on(mongo_url)


class TestOnAStandalone(Conformance):
    """Where the followers poll."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, mongo_standalone: MongoServer) -> Iterator[None]:
        yield from cls.on(mongo_standalone.url)
