"""A member of a group: receives messages from a consumer, calls the handler, and acknowledges."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable

import nats.errors
from nats.aio.msg import Msg

from eventhus.adapter_support import (
    Backoff,
    StreamQueues,
    WorkerPool,
    log_last_failure,
    next_attempt,
)
from eventhus.errors import EventhusError
from eventhus.ports import Message, MessageHandler, NotHandledHere
from eventhus_nats.connection import Connection
from eventhus_nats.consumer import ACK_WAIT_S, MAX_BYTES_IN_HAND, Consumer, State
from eventhus_nats.driver_errors import describe
from eventhus_nats.group_leases import RENEW_S, GroupLease
from eventhus_nats.in_hand import Delivery, HandledMessages, MessagesInHand
from eventhus_nats.messages import message_of, place_of
from eventhus_nats.resequencer import Resequencer

STANDBY_S = 0.5  # between two attempts to acquire the group's lease
STEP_DOWN_S = 1.5 * STANDBY_S  # a member that steps down stays away until every other has tried
TICK_S = 1.0  # between two rounds of the maintenance loop
GATHER_S = 0.1  # between two rounds while messages are missing
PROGRESS_S = 2.5  # between two reports to the server that a message is still being worked on
RETRY = Backoff(first_s=0.1, cap_s=10.0)  # for handlers that fail, and for the consumer
# Each pull request that is still open on the server may swallow a message that is given back. When
# told again, the server delivers it again, and ignores the answer for messages that got through.
_NAK_ROUNDS = 4

_logger = logging.getLogger(__name__)


class JetStreamSubscription:
    """See ``Subscription``. Only the member that holds the group's lease receives messages."""

    def __init__(
        self,
        connection: Connection,
        consumer: Consumer,
        lease: GroupLease | None,
        handler: MessageHandler,
        concurrency: int,
    ) -> None:
        self._connection = connection
        self._client = connection.client
        self._consumer = consumer
        self._lease = lease
        self._closing = False
        self._nudge = asyncio.Event()  # set to start the next round of the maintenance loop now
        self._pool = WorkerPool(
            handler, concurrency, handled=self._settle, may_begin=self._may_begin
        )
        self._resequencer = Resequencer(StreamQueues())
        self._in_hand = MessagesInHand()
        self._handled = HandledMessages()
        self._failures = 0  # in a row, of the consumer; handled messages reset it
        self._draining = False
        self._refusals = 0  # in a row, of messages that this process must not handle
        self._steps_down = False
        self._is_lost = False  # the connection broke or the consumer failed
        self._redelivery_s = 0.0  # when missing messages are due, by the event loop's clock
        self._last = 0  # the highest sequence that was received
        self._task = asyncio.create_task(self._run())

    @property
    def is_over(self) -> bool:
        """Return whether the subscription has ended."""
        return self._task.done()

    def abandon(self) -> None:
        """Cancel everything, whatever the handlers are doing."""
        self._closing = True
        self._nudge.set()
        self._pool.abandon()

    async def close(self) -> None:
        """See ``Subscription.close``. A handler that closes its own subscription is not awaited."""
        self._closing = True
        self._nudge.set()
        if asyncio.current_task() not in self._pool.workers:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while not self._closing:
            try:
                if self._lease is None or await self._lease.acquire():
                    await self._serve()
                    if self._steps_down:
                        await self._pause(STEP_DOWN_S + RETRY.delay_s(self._refusals))
                else:
                    await self._pause(STANDBY_S)
            except Exception as error:  # noqa: BLE001 - no error may end a member of a group
                await self._pause(self._consumer_failed(error))
        if self._lease is None:
            await self._try(self._consumer.remove())

    async def _serve(self) -> None:
        """Handle messages until the subscription is closed or the lease is lost."""
        queues = StreamQueues()
        self._resequencer, self._in_hand = Resequencer(queues), MessagesInHand()
        self._draining = self._steps_down = False
        self._is_lost = False
        state = await self._consumer.ensure()
        self._last = max(self._consumer.after, state.delivered)
        self._gather(state.pending, state)
        self._connection.on_break.add(self._on_break)
        self._connection.on_reconnect.add(self._on_reconnect)
        self._pool.start(queues)
        try:
            await self._consumer.open(self._receive)
            await self._maintain()
        finally:
            self._connection.on_break.discard(self._on_break)
            self._connection.on_reconnect.discard(self._on_reconnect)
            await self._end()

    async def _maintain(self) -> None:
        """Renew the lease, report progress and keep the consumer delivering, until it is over.

        A consumer that fails is found or created again while the handlers work on: a slow handler
        neither delays the others nor loses its message.
        """
        loop = asyncio.get_running_loop()
        renew_s = progress_s = again_s = loop.time()
        while not (self._draining and not self._pool.in_progress) and self._has_lease():
            if (self._closing or self._steps_down) and not self._draining:
                await self._drain()
                continue
            now = loop.time()
            if self._lease is not None and now >= renew_s:
                await self._renew(self._lease)
                renew_s = now + RENEW_S
            if now >= progress_s:
                for delivery in self._in_hand:
                    await self._say(delivery.reply, b"+WPI")
                progress_s = now + PROGRESS_S
            if not self._draining and now >= again_s:
                try:
                    await self._keep_delivering()
                except Exception as error:  # noqa: BLE001 - as in _run
                    self._is_lost = True
                    again_s = loop.time() + self._consumer_failed(error)
            await self._pause(GATHER_S if self._resequencer.is_gathering else TICK_S)

    async def _keep_delivering(self) -> None:
        """Recover the consumer if it failed, and ask it for messages."""
        trouble = self._consumer.trouble
        if trouble is not None:
            self._hold()
            await self._try(self._consumer.close())
            await self._consumer.open(self._receive)
            raise trouble  # it may last: back off before the next attempt
        if self._is_lost:
            await self._recover()
            self._is_lost = False
        if self._resequencer.is_gathering and not self._resequencer.is_unsure:
            self._resequencer.missing(self._missing(await self._consumer.state()))
        await self._pull()

    def _consumer_failed(self, error: Exception) -> float:
        """Log an error of the consumer, and return the delay before the next attempt."""
        self._failures += 1
        delay_s = RETRY.delay_s(self._failures)
        known = isinstance(error, EventhusError | nats.errors.Error | OSError)
        _logger.warning(
            "no messages for now: %s; again in %.2f s",
            error,
            delay_s,
            exc_info=None if known else error,
        )
        return delay_s

    async def _drain(self) -> None:
        """Receive no more, and give back the messages that no handler has begun."""
        self._draining = True
        await self._try(self._consumer.close())
        self._pool.stop()
        unbegun = self._in_hand.pop_all_but(self._pool.in_progress)
        for _ in range(_NAK_ROUNDS if unbegun else 0):
            for delivery in unbegun:
                await self._say(delivery.reply, b"-NAK")
            await self._try(self._consumer.state())  # an answer means that it has heard them

    async def _renew(self, lease: GroupLease) -> None:
        try:
            if not await lease.acquire():
                lease.lose()
        except EventhusError as error:  # the next attempt may succeed in time
            _logger.info("a group lease was not renewed: %s", error)

    async def _recover(self) -> None:
        """Find or create the consumer after a break, and wait for the messages that were lost."""
        self._consumer.forget_requests()
        for reply in self._handled.replies:
            await self._say(reply, b"+ACK")
        state = await self._consumer.ensure()
        if state.is_new_stream:
            self._in_hand.forget_sequences()
        self._last = max(self._consumer.after, state.delivered)
        self._gather(self._missing(state), state)

    def _gather(self, missing: int, state: State) -> None:
        self._redelivery_s = asyncio.get_running_loop().time() + ACK_WAIT_S
        if state.is_new_stream:
            self._handled.forget_places(self._connection.bucket)
        self._resequencer.gather(missing, state.delivered)

    def _missing(self, state: State) -> int:
        """Return how many messages the server delivered that are neither here nor acknowledged."""
        # A server that was killed may have forgotten its last deliveries: it repeats these in
        # order, after those that it remembers.
        known = sum(0 < each.sequence <= state.delivered for each in self._in_hand)
        return state.pending - known

    async def _receive(self, msg: Msg) -> None:
        if not msg.reply:
            self._nudge.set()
            return
        place = place_of(msg)
        message = message_of(msg, place)
        self._last = max(self._last, place.sequence)
        delivery = Delivery(place.sequence, msg.reply, len(msg.data))
        if message in self._in_hand:
            self._in_hand.put(message, delivery)  # redelivered before it was acknowledged
        elif message in self._handled:
            await self._say(msg.reply, b"+ACK")  # published twice, or its acknowledgement was lost
            self._handled.put(message, msg.reply)
        else:
            self._in_hand.put(message, delivery)
            self._resequencer.add(place.sequence, message)
            if not self._resequencer.is_gathering:
                return  # it was asked for and has arrived: there is no more room than before
        await self._pull()

    async def _pull(self) -> None:
        if not self._resequencer.is_gathering:
            await self._consumer.pull(len(self._in_hand), self._in_hand.size_bytes)
            return
        # Missing messages arrive through the same requests as new ones, so the messages that are
        # held back must not stop us from asking; max_ack_pending bounds their number. Once they
        # reach the limit by size, wait until the missing ones are due, which then come first.
        is_due = asyncio.get_running_loop().time() >= self._redelivery_s
        if is_due or self._in_hand.size_bytes < MAX_BYTES_IN_HAND:
            await self._consumer.pull(0, 0)

    def _may_begin(self) -> bool:
        is_ending = self._closing or self._steps_down or self._draining
        return not is_ending and self._has_lease()

    def _has_lease(self) -> bool:
        return self._lease is None or self._lease.is_held

    async def _settle(self, message: Message, failure: BaseException | None) -> None:
        if failure is None:
            await self._accepted(message)
        else:
            await self._failed(message, failure)
        if self._closing:
            self._nudge.set()  # the maintenance loop waits for the last handlers

    async def _accepted(self, message: Message) -> None:
        self._failures = self._refusals = 0
        self._resequencer.queues.done(message)
        reply = self._in_hand.pop(message).reply
        self._handled.put(message, reply)
        if not self._has_lease():
            return  # another member may hold it by now, and counts what is unacknowledged
        await self._say(reply, b"+ACK")
        if not self._closing:
            await self._try(self._pull())  # the maintenance loop tries again

    async def _failed(self, message: Message, error: BaseException) -> None:
        if self._closing:
            log_last_failure(message, error, logger=_logger)
            await self._say(self._in_hand.pop(message).reply, b"-NAK")
            return
        if isinstance(error, NotHandledHere) and self._lease is not None:
            self._refusals += 1
            self._steps_down = True
            self._nudge.set()
            await self._say(self._in_hand.pop(message).reply, b"-NAK")
            return
        again, delay_s = next_attempt(message, error, backoff=RETRY, logger=_logger)
        asyncio.get_running_loop().call_later(delay_s, self._resequencer.queues.give_back, again)

    async def _end(self) -> None:
        """Let the handlers finish, then release the lease."""
        if not self._draining:
            self._note_progress()
        self._draining = True
        await self._try(self._consumer.close())
        self._pool.stop()
        await self._pool.wait()
        await self._try(self._connection.flush())
        if self._lease is not None:
            await self._try(self._lease.release())

    def _note_progress(self) -> None:
        """Note the sequence up to which everything is handled, unless messages are missing."""
        if not self._resequencer.is_gathering:
            in_hand = (delivery.sequence for delivery in self._in_hand)
            self._consumer.after = max(0, min(in_hand, default=self._last + 1) - 1)

    def _hold(self) -> None:
        self._note_progress()
        self._resequencer.hold()

    async def _say(self, reply: str, word: bytes) -> None:
        # If this gets lost, the server delivers the message again, and it is recognised.
        try:
            await self._client.publish(reply, word)
        except nats.errors.Error as error:
            _logger.info("an answer to NATS was not sent: %s", describe(error))

    async def _try(self, request: Awaitable[object]) -> None:
        """Await a request that may fail: the server recovers without it, in more time."""
        try:
            await request
        except (EventhusError, nats.errors.Error, OSError) as error:
            _logger.info("a request of a subscription failed: %s", error)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._nudge.wait()
        except TimeoutError:
            pass
        self._nudge.clear()

    def _on_break(self) -> None:
        # At once: the next connection may bring new messages before we know which are missing.
        self._hold()

    def _on_reconnect(self) -> None:
        self._is_lost = True
        self._nudge.set()
