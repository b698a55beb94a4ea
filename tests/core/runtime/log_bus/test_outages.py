"""Members of groups while their store is away."""

from __future__ import annotations

import asyncio
import gc

import pytest

from eventhus.errors import StoreUnavailable
from eventhus_testing.conformance.bus.cases import Gate, message, publish, until
from tests.core.hooks import fail_with
from tests.core.runtime.log_bus.messages import MessageLog
from tests.core.support import Proxy

AWAY = fail_with(StoreUnavailable("test", "away"))


async def test_a_member_that_can_neither_read_nor_save_is_not_logged_by_asyncio(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It has logged the failure itself."""
    store, gate = Proxy(), Gate()
    async with MessageLog(store) as bus:
        await publish(bus, [message("a", 1)])
        await bus.subscribe(gate, group="g", start="beginning")
        await until(lambda: gate.entered)
        store.before = {"follow": AWAY, "save_checkpoint": AWAY}
        pages, saves = store.calls["follow"], store.calls["save_checkpoint"]
        await publish(bus, [message("b", 1)])
        while store.calls["follow"] == pages:  # noqa: ASYNC110 - a store sets no event
            await asyncio.sleep(0)
        gate.open.set()
        while store.calls["save_checkpoint"] == saves:  # noqa: ASYNC110
            await asyncio.sleep(0)
        store.before.clear()
    gc.collect()
    assert "StoreUnavailable" in caplog.text
    assert "never retrieved" not in caplog.text
