"""Carries the log to the bus: the log is the outbox."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing

from eventhus.ports.bus import EventBus
from eventhus.ports.clock import Clock
from eventhus.ports.store import Storage
from eventhus.runtime.tasks import being_cancelled
from eventhus.runtime.wire import to_message

CHECKPOINT = "relay"
BACKOFF_S = 0.05  # doubles with every failure in a row, up to the cap
BACKOFF_CAP_S = 5.0
DOUBLINGS = 10  # enough to reach the cap

_logger = logging.getLogger(__name__)


class Relay:
    """Publishes every event of the log, in order, at least once.

    It remembers in a checkpoint how far it has come, and moves the checkpoint only over events
    that the bus has taken. After a crash it therefore repeats some, and leaves none out.
    """

    def __init__(self, store: Storage, bus: EventBus, clock: Clock) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._published = 0  # every event up to this position is with the bus
        self._failures = 0  # since something was published
        self._in_trouble = False  # since the last attempt
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Publish for ever. Where the store or the bus fails, try again from the checkpoint."""
        while True:
            trouble: BaseException | None = None
            try:
                await self._publish_from_checkpoint()
            except asyncio.CancelledError as error:
                if being_cancelled():
                    raise
                trouble = error  # an adapter's own: it must not end the relay
            except Exception as error:  # noqa: BLE001 - adapters fail as they like
                trouble = error
            delay = min(BACKOFF_CAP_S, BACKOFF_S * 2 ** min(self._failures, DOUBLINGS))
            self._failures += 1
            self._report(self._published, in_trouble=True)
            _logger.error(
                "relay stopped behind position %d; trying again in %.2f s",
                self._published,
                delay,
                exc_info=trouble,
            )
            await self._clock.sleep(delay)

    async def drain(self) -> None:
        """Return once all that the log holds now is with the bus, or the relay is in trouble.

        What is left behind in trouble is published by the next relay that runs.
        """
        head = await self._store.head()
        while self._published < head and not self._in_trouble:
            self._changed.clear()
            await self._changed.wait()

    async def _publish_from_checkpoint(self) -> None:
        after = await self._store.load_checkpoint(CHECKPOINT)
        self._report(after, in_trouble=False)
        async with aclosing(self._store.follow(after=after)) as batches:
            async for batch in batches:
                await self._bus.publish([to_message(stored) for stored in batch])
                position = batch[-1].position
                await self._store.save_checkpoint(CHECKPOINT, position)
                self._failures = 0
                self._report(position, in_trouble=False)

    def _report(self, published: int, *, in_trouble: bool) -> None:
        self._published = published
        self._in_trouble = in_trouble
        self._changed.set()
