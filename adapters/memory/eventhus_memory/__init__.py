"""Store and bus in memory, for tests, experiments, and programs that need no more."""

from eventhus_memory.bus import MemoryBus
from eventhus_memory.store import MemoryStore

__all__ = ["MemoryBus", "MemoryStore"]
