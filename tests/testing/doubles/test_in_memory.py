"""Applications in memory use the parts that they are given."""

from __future__ import annotations

from eventhus_memory import MemoryBus, MemoryStore
from eventhus_testing import memory_application
from tests.bank import Open, account


class SizedStore(MemoryStore):
    """A store whose truth value is that of its length."""

    def __len__(self) -> int:
        return len(self._log)


class SizedBus(MemoryBus):
    """A bus whose truth value is that of its length."""

    def __len__(self) -> int:
        return len(self._published)


async def test_an_empty_store_and_an_empty_bus_are_used() -> None:
    store, bus = SizedStore(), SizedBus()
    async with memory_application(account, store=store, bus=bus) as app:
        await app.dispatch(Open(aggregate_id="a", owner="ann"))
    assert len(store) > 0
    assert len(store) == len(bus)
