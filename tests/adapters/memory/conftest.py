"""Fixtures of the tests of the bus in memory."""

from collections.abc import AsyncIterator

import pytest

from eventhus.ports import EventBus
from eventhus_memory import MemoryBus
from tests.adapters.memory.support import soon
from tests.adapters.memory.timers import Timers


@pytest.fixture
async def timers(monkeypatch: pytest.MonkeyPatch) -> Timers:
    """Timers of the event loop that the test controls."""
    return Timers.installed(monkeypatch)


@pytest.fixture
async def bus(timers: Timers) -> AsyncIterator[EventBus]:
    """An entered bus. The test fails if leaving it does not end."""
    bus = await MemoryBus().__aenter__()
    yield bus
    await soon(bus.__aexit__(None, None, None))
