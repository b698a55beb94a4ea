"""The store in memory passes the conformance suite."""

import pytest

from eventhus_memory import MemoryStore
from eventhus_testing.conformance import StoreConformance


class TestMemoryStore(StoreConformance):
    """The object is the log, so a bucket has one."""

    @pytest.fixture(autouse=True)
    def _no_logs(self) -> None:
        self.logs: dict[str, MemoryStore] = {}

    def store(self, bucket: str) -> MemoryStore:
        """Return the store of a bucket."""
        return self.logs.setdefault(bucket, MemoryStore())
