"""Reads the log, and hands its events to a handler."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from contextlib import aclosing

from attrs import frozen

from eventhus.adapter_support.redelivery import log_last_failure, next_attempt
from eventhus.adapter_support.stream_queues import StreamQueues
from eventhus.adapter_support.worker_pool import WorkerPool
from eventhus.domain.query import Query
from eventhus.ports.bus import Message, MessageHandler, NotHandledHere
from eventhus.ports.checkpoints import Checkpoint
from eventhus.ports.store import EventStore
from eventhus.runtime.log_bus.in_hand import EventsInHand
from eventhus.runtime.messaging.outgoing import ToMessage, messages_of
from eventhus.runtime.readers.leased_reader import RETRY

PAGE = 256  # events that are read at once
MOST_IN_HAND = 512  # events that are read and not handled, before the next page
MOST_BYTES_IN_HAND = 16 * 1024 * 1024  # likewise, besides those of one page
MOST_AHEAD = 50_000  # events that are read after one that is not handled

_logger = logging.getLogger(__name__)


@frozen(kw_only=True)
class Source:
    """Some of the events of a log, as messages.

    Attributes:
        store: Holds the log.
        query: Which events, by stored names; ``None`` for all.
        published: The aggregate types of the streams of processes that are delivered, too.
        to_message: Turns an event into a message.
    """

    store: EventStore
    query: Query | None
    published: Collection[str]
    to_message: ToMessage


class Delivery:
    """Delivers the events of a log to one handler, in order per stream and otherwise side by side.

    Args:
        source: The events.
        handler: Handles one message.
        concurrency: The maximum number of messages that are handled at once.
        may_begin: Called before each message; ``False`` ends the delivery.
        steps_down: Whether another process takes over after a message that must not be handled
            here. Otherwise it is delivered again, like one on which the handler failed.

    Attributes:
        changed: Set whenever the checkpoint may have moved, or a message was refused.
        refused: Whether the handler refused a message that another process must handle.
    """

    def __init__(
        self,
        source: Source,
        handler: MessageHandler,
        concurrency: int,
        *,
        may_begin: Callable[[], bool],
        steps_down: bool,
    ) -> None:
        self.changed = asyncio.Event()
        self.refused = False
        self._source = source
        self._steps_down = steps_down
        self._pool = WorkerPool(handler, concurrency, handled=self._settle, may_begin=may_begin)
        self._queues = StreamQueues()
        self._in_hand = EventsInHand(Checkpoint())
        self._has_room = asyncio.Event()
        self._is_ending = False

    @property
    def workers(self) -> frozenset[asyncio.Task[None]]:
        """The tasks that call the handler."""
        return self._pool.workers

    @property
    def last(self) -> Checkpoint:
        """The last place that was read."""
        return self._in_hand.last

    def checkpoint(self) -> Checkpoint:
        """Return the place up to which everything is handled, and the later ranges that are."""
        return self._in_hand.checkpoint()

    async def begin(self, start: Checkpoint) -> None:
        """Go on from a checkpoint, once the handlers that were begun earlier have returned."""
        await self._pool.wait()
        self._queues, self._in_hand = StreamQueues(), EventsInHand(start)
        self._is_ending = self.refused = False
        self._pool.start(self._queues)

    async def read(self) -> None:
        """Read on until cancelled; pause while too many messages wait for their handlers."""
        in_hand, source = self._in_hand, self._source
        after = in_hand.last.position
        async with aclosing(source.store.follow(source.query, after=after, limit=PAGE)) as pages:
            async for page in pages:
                messages = messages_of(page.events, _logger, source.published, source.to_message)
                for stored, message in messages:
                    place = Checkpoint(stored.position, stored.id)
                    if in_hand.was_handled(stored.position):
                        in_hand.reach(place)
                    else:
                        in_hand.add(message, place)
                        self._queues.add(message)
                in_hand.reach(Checkpoint(page.position, page.event_id))
                self.changed.set()
                while self._is_full():
                    self._has_room.clear()
                    await self._has_room.wait()
                await asyncio.sleep(0)  # a store that never waits would starve every other task

    def _is_full(self) -> bool:
        in_hand = self._in_hand
        return (
            len(in_hand) > MOST_IN_HAND - PAGE
            or in_hand.size_bytes > MOST_BYTES_IN_HAND
            or in_hand.ahead > MOST_AHEAD
        )

    def stop(self) -> None:
        """Begin no more messages."""
        self._is_ending = True
        self._pool.stop()

    async def stopped(self) -> None:
        """Wait until the handlers that were begun have returned, except one that calls this."""
        await self._pool.wait()

    def abandon(self) -> None:
        """Cancel the handlers."""
        self._is_ending = True
        self._pool.abandon()

    async def _settle(self, message: Message, failure: BaseException | None) -> None:
        self.changed.set()
        if failure is None:
            self._queues.done(message)
            self._in_hand.done(message.stream)
            self._has_room.set()
        elif isinstance(failure, NotHandledHere) and self._steps_down:
            self.refused = True
            self.stop()
        elif self._is_ending:
            log_last_failure(message, failure, logger=_logger)
        else:
            again, delay_s = next_attempt(message, failure, backoff=RETRY, logger=_logger)
            asyncio.get_running_loop().call_later(delay_s, self._queues.give_back, again)
