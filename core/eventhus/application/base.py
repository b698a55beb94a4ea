"""The parts of an application that its methods share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakSet

from eventhus.domain.catalog import Catalog
from eventhus.errors import NotRunning
from eventhus.ports.bus import EventBus, MessageSource
from eventhus.ports.clock import Clock
from eventhus.ports.codec import Codec
from eventhus.ports.store import Storage
from eventhus.run import Run
from eventhus.runtime.commands.router import Router
from eventhus.runtime.messaging.subscriber import (
    Subscriber,
)
from eventhus.runtime.observing import Observing
from eventhus.runtime.readers.reader_group import ReaderGroup
from eventhus.runtime.readers.relay import Relay
from eventhus.runtime.serializer import EventSerializer


class ApplicationBase:
    """The parts of an application, which the composition root assigns."""

    bucket: str
    _store: Storage
    _bus: EventBus | None
    _source: MessageSource  # the bus, or without one the log
    _clock: Clock
    _catalog: Catalog
    _codec: Codec
    _serializer: EventSerializer
    _new_id: Callable[[], str]
    _observing: Observing | None
    _router: Router
    _readers: ReaderGroup
    _relay: Relay | None
    _run: Run | None
    _subscribers: WeakSet[Subscriber]

    def _running(self) -> Run:
        run = self._run
        if run is None:
            raise NotRunning("the application is not running; use it inside 'async with'")
        if run.loop is not asyncio.get_running_loop():
            raise NotRunning(
                "the application was entered in another event loop; use it there, for instance "
                "with asyncio.run_coroutine_threadsafe, or enter an application of its own in this "
                "one"
            )
        return run
