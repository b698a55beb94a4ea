"""The in-memory bus keeps every promise of a bus."""

from eventhus_memory import MemoryBus
from eventhus_testing.conformance import BusConformance


class TestMemoryBus(BusConformance):
    """The object is the channel."""

    def bus(self, bucket: str) -> MemoryBus:
        """The bus of a bucket."""
        buses: dict[str, MemoryBus] = self.__dict__.setdefault("buses", {})
        return buses.setdefault(bucket, MemoryBus())
