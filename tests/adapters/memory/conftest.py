"""The adapters under test."""

from collections.abc import AsyncIterator

import pytest

from eventhus.ports import EventBus
from eventhus_memory import MemoryBus
from tests.adapters.memory.support import soon
from tests.adapters.memory.timers import Timers


@pytest.fixture
async def timers(monkeypatch: pytest.MonkeyPatch) -> Timers:
    """The timers of the event loop, in the hands of the test."""
    return Timers.installed(monkeypatch)


@pytest.fixture
async def bus(timers: Timers) -> AsyncIterator[EventBus]:
    """A bus, entered. Leaving it comes to an end, or the test fails."""
    bus = await MemoryBus().__aenter__()
    yield bus
    await soon(bus.__aexit__(None, None, None))
