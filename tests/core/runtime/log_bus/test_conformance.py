"""The log bus passes the conformance suite of buses on the memory store."""

from eventhus_memory import MemoryStore
from eventhus_testing.conformance import BusConformance
from tests.core.runtime.log_bus.messages import MessageLog


class TestOnMemory(BusConformance):
    """Two buses share the log and the groups in one store."""

    keeps_groups = True

    def bus(self, bucket: str) -> MessageLog:
        """Return another bus on the log of a bucket."""
        logs: dict[str, MemoryStore] = self.__dict__.setdefault("logs", {})
        return MessageLog(logs.setdefault(bucket, MemoryStore()))
