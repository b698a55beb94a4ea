"""The bus in memory passes the conformance suite."""

from eventhus_memory import MemoryBus
from eventhus_testing.conformance import BusConformance


class TestMemoryBus(BusConformance):
    """The object is the bucket."""

    def bus(self, bucket: str) -> MemoryBus:
        """Return the bus of a bucket."""
        buses: dict[str, MemoryBus] = self.__dict__.setdefault("buses", {})
        return buses.setdefault(bucket, MemoryBus())
