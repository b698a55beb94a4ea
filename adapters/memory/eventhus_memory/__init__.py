"""Everything in memory: for tests, for trying out, and for programs that need no more."""

from eventhus_memory.bus import MemoryBus
from eventhus_memory.store import MemoryStore

__all__ = ["MemoryBus", "MemoryStore"]
