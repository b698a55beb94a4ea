"""A subscription without a group, which begins now and leaves nothing in the store."""

from __future__ import annotations

import asyncio
import logging

from eventhus.adapter_support.failure_log import summary, unexpected
from eventhus.adapter_support.handler_failure import handler_failure
from eventhus.adapter_support.tasks import stop
from eventhus.ports.bus import MessageHandler
from eventhus.ports.checkpoints import Checkpoint
from eventhus.ports.clock import Clock
from eventhus.runtime.log_bus.delivery import Delivery, Source
from eventhus.runtime.readers.leased_reader import RETRY

_logger = logging.getLogger(__name__)


class Listener:
    """A subscription that nobody else shares. It keeps its place in memory."""

    def __init__(
        self,
        start: Checkpoint,
        source: Source,
        handler: MessageHandler,
        concurrency: int,
        *,
        clock: Clock,
    ) -> None:
        self._start = start
        self._clock = clock
        self._is_closing = False
        self._delivery = Delivery(
            source,
            handler,
            concurrency,
            may_begin=lambda: not self._is_closing,
            steps_down=False,
        )
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start to read in a task of its own."""
        self._task = asyncio.create_task(self._run(), name="eventhus subscription")

    @property
    def is_stopped(self) -> bool:
        """Return whether its task has ended."""
        return self._task is not None and self._task.done()

    async def caught_up(self, position: int) -> None:
        """Wait until the events up to a position are handled, or the subscription is closed."""
        delivery = self._delivery
        while not self._is_closing and delivery.checkpoint().position < position:
            delivery.changed.clear()
            await delivery.changed.wait()

    async def close(self) -> None:
        """See ``Subscription.close``. A handler that closes its own subscription is not awaited."""
        self._is_closing = True
        self._delivery.changed.set()
        assert self._task is not None, "it was started"
        await stop(self._task)
        self._delivery.stop()
        await self._delivery.stopped()

    def abandon(self) -> None:
        """Cancel everything, whatever the handlers are doing."""
        self._is_closing = True
        assert self._task is not None, "it was started"
        self._task.cancel()
        self._delivery.abandon()

    async def _run(self) -> None:
        await self._delivery.begin(self._start)
        failures = 0
        while True:
            before = self._delivery.last
            failure = await handler_failure(lambda _: self._delivery.read(), None)
            assert failure is not None, "the store follows the log for ever"
            failures = failures + 1 if self._delivery.last == before else 1
            delay_s = RETRY.delay_s(failures)
            _logger.warning(
                "no events for now: %s; again in %.2f s",
                summary(failure),
                delay_s,
                exc_info=unexpected(failure),
            )
            await self._clock.sleep(delay_s)
