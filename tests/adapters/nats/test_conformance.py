"""The bus on NATS passes the conformance suite."""

from collections.abc import Iterator

import pytest

from eventhus_nats import NatsBus
from eventhus_testing.conformance import BusConformance
from eventhus_testing.conformance.bus.limits import Limits
from eventhus_testing.servers.nats import delete_streams


class TestJetStream(BusConformance):
    """Two buses of one bucket share its streams."""

    keeps_groups = True

    @pytest.fixture(autouse=True)
    def _server(self, nats_url: str) -> Iterator[None]:
        self.url = nats_url
        yield
        delete_streams(nats_url, self.bucket)

    def bus(self, bucket: str) -> NatsBus:
        """Return another bus on the bucket."""
        return NatsBus.open(self.url, bucket)


class TestCoreNats(Limits):
    """It keeps nothing and knows no order, but its limits are the same."""

    @pytest.fixture(autouse=True)
    def _server(self, nats_url: str) -> None:
        self.url = nats_url

    def bus(self, bucket: str) -> NatsBus:
        """Return another bus on the bucket."""
        return NatsBus.open(self.url, bucket, jetstream=False)
