"""A member of a group: takes messages from a consumer, has them handled, and acknowledges."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import NamedTuple

import nats.errors
from attrs import evolve
from nats.aio.msg import Msg

from eventhus import EventhusError
from eventhus.adapter_support import StreamQueues
from eventhus.ports import Message, MessageHandler
from eventhus_nats.connection import Connection
from eventhus_nats.consumer import Consumer, State
from eventhus_nats.driver_errors import describe
from eventhus_nats.group_leases import RENEW_S, Seat
from eventhus_nats.messages import message_of, place_of
from eventhus_nats.resequencer import Resequencer

STANDBY_S = 0.5  # between two looks at whether the seat is free
TICK_S = 1.0  # between two looks at everything else
GATHER_S = 0.1  # between two looks at what is missing, while something is
PROGRESS_S = 2.5  # between two words to the server that a message is still being worked on
RETRY_S = 0.1  # before a message is handled again; doubles with every further time, up to the cap
RETRY_CAP_S = 10.0
DOUBLINGS = 7  # enough to reach the cap
# Each request that still stands on the server may swallow a message that is given back; said again,
# the server gives it again, and takes no notice for those that nobody swallowed.
_ROUNDS = 4
REMEMBERED = 4096  # messages that were handled last, of which a repeat is recognised

_logger = logging.getLogger(__name__)


class _Place(NamedTuple):
    sequence: int  # in the stream; 0 of a stream that is no more
    reply: str  # where the message is to be acknowledged


class JetStreamSubscription:
    """See ``Subscription``. A group's members take turns: one of them has the seat."""

    def __init__(
        self,
        connection: Connection,
        consumer: Consumer,
        seat: Seat | None,
        handler: MessageHandler,
        concurrency: int,
    ) -> None:
        self._connection = connection
        self._client = connection.client
        self._consumer = consumer
        self._seat = seat
        self._handler = handler
        self._concurrency = concurrency
        self._closing = False
        self._nudge = asyncio.Event()
        self._handled: dict[str, str] = {}  # where each of the last ones was acknowledged, by id
        self._workers: set[asyncio.Task[None]] = set()
        self._intake = Resequencer(StreamQueues())
        self._in_hand: dict[str, _Place] = {}  # of each message, by id
        self._busy: dict[asyncio.Task[None], Message] = {}  # what each worker is handling
        self._failures = 0  # since a message was handled
        self._draining = False
        self._is_lost = False  # what was on its way, and the place on the server
        self._last = 0  # the sequence of the last message that came
        self._task = asyncio.create_task(self._run())

    @property
    def is_over(self) -> bool:
        """Whether nothing is left of it."""
        return self._task.done()

    def abandon(self) -> None:
        """Be over soon, whatever is being done."""
        self._closing = True
        self._nudge.set()
        for worker in self._workers:
            worker.cancel()

    async def close(self) -> None:
        """See ``Subscription.close``. A handler that closes its own is not waited for."""
        self._closing = True
        self._nudge.set()
        if asyncio.current_task() not in self._workers:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        while not self._closing:
            try:
                if self._seat is None or await self._seat.hold():
                    await self._serve()
                else:
                    await self._pause(STANDBY_S)
            except Exception as error:  # noqa: BLE001 - whatever it is, a group must not end of it
                await self._pause(self._stumbled(error))
        if self._seat is None:
            await self._quietly(self._consumer.remove())

    async def _serve(self) -> None:
        """Handle messages until closed, or the seat is lost."""
        self._intake, self._in_hand, self._draining = Resequencer(StreamQueues()), {}, False
        self._is_lost = False
        state = await self._consumer.ensure()
        self._last = max(self._consumer.after, state.delivered)
        self._intake.gather(state.pending, state.delivered)
        self._connection.on_break.add(self._on_break)
        self._connection.on_reconnect.add(self._on_reconnect)
        self._workers = {asyncio.create_task(self._work()) for _ in range(self._concurrency)}
        try:
            await self._consumer.open(self._receive)
            await self._attend()
        finally:
            self._connection.on_break.discard(self._on_break)
            self._connection.on_reconnect.discard(self._on_reconnect)
            await self._end()

    async def _attend(self) -> None:
        """All that is to be done again and again while others handle messages.

        Where the consumer fails, it is found or made again under those that are handling: a slow
        handler neither holds up the others nor has its message taken from it.
        """
        loop = asyncio.get_running_loop()
        renew_s = progress_s = again_s = loop.time()
        while not (self._draining and not self._busy) and self._has_seat():
            if self._closing and not self._draining:
                await self._drain()
                continue
            now = loop.time()
            if self._seat is not None and now >= renew_s:
                await self._keep(self._seat)
                renew_s = now + RENEW_S
            if now >= progress_s:
                for place in [*self._in_hand.values()]:
                    await self._say(place.reply, b"+WPI")
                progress_s = now + PROGRESS_S
            if not self._draining and now >= again_s:
                try:
                    await self._go_on()
                except Exception as error:  # noqa: BLE001 - as above
                    self._is_lost = True
                    again_s = loop.time() + self._stumbled(error)
            await self._pause(GATHER_S if self._intake.is_gathering else TICK_S)

    async def _go_on(self) -> None:
        """Keep the consumer giving."""
        trouble = self._consumer.trouble
        if trouble is not None:
            self._hold()
            await self._quietly(self._consumer.close())
            await self._consumer.open(self._receive)
            raise trouble  # it may be there for a while: nobody is to ask without a pause
        if self._is_lost:
            await self._begin_anew()
            self._is_lost = False
        if self._intake.is_gathering and not self._intake.is_unsure:
            self._intake.missing(self._missing(await self._consumer.state()))
        await self._pull()

    def _stumbled(self, error: Exception) -> float:
        """Tell of it; returns how long to wait before the next attempt."""
        delay: float = min(RETRY_CAP_S, RETRY_S * 2 ** min(self._failures, DOUBLINGS))
        self._failures += 1
        known = isinstance(error, EventhusError | nats.errors.Error | OSError)
        _logger.warning(
            "no messages for now: %s; again in %.2f s",
            error,
            delay,
            exc_info=None if known else error,
        )
        return delay

    async def _drain(self) -> None:
        """Take no more, and give back what no handler has begun."""
        self._draining = True
        await self._quietly(self._consumer.close())
        for worker in self._workers - self._busy.keys():
            worker.cancel()
        begun = {message.id for message in self._busy.values()}
        unbegun = [self._in_hand.pop(each).reply for each in [*self._in_hand] if each not in begun]
        for _ in range(_ROUNDS if unbegun else 0):
            for reply in unbegun:
                await self._say(reply, b"-NAK")
            await self._quietly(self._consumer.state())  # it has heard them when it answers

    async def _keep(self, seat: Seat) -> None:
        try:
            if not await seat.hold():
                seat.give_up()
        except EventhusError as error:  # the next attempt may succeed in time
            _logger.info("a seat was not renewed: %s", error)

    async def _begin_anew(self) -> None:
        """After a break: what was on its way is lost until the server gives it again."""
        self._consumer.forget_requests()
        for reply in [*self._handled.values()]:
            await self._say(reply, b"+ACK")
        state = await self._consumer.ensure()
        if state.is_elsewhere:
            self._in_hand = {id_: _Place(0, each.reply) for id_, each in self._in_hand.items()}
        self._last = max(self._consumer.after, state.delivered)
        self._intake.gather(self._missing(state), state.delivered)

    def _missing(self, state: State) -> int:
        """How many messages the server gave that are neither here nor acknowledged."""
        # One that died may have forgotten that it gave the last ones: it gives these again, in
        # order, behind those that it knows of.
        known = sum(0 < place.sequence <= state.delivered for place in self._in_hand.values())
        return state.pending - known

    async def _receive(self, msg: Msg) -> None:
        if not msg.reply:
            self._nudge.set()
            return
        delivery = place_of(msg)
        message = message_of(msg, delivery)
        self._last = max(self._last, delivery.sequence)
        place = _Place(delivery.sequence, msg.reply)
        if message.id in self._in_hand:
            self._in_hand[message.id] = place  # given again before it was acknowledged
        elif message.id in self._handled:
            await self._say(msg.reply, b"+ACK")  # a repeat, or an acknowledgement got lost
            self._handled[message.id] = msg.reply
        else:
            self._in_hand[message.id] = place
            self._intake.add(delivery.sequence, message)
            if not self._intake.is_gathering:
                return  # it was on its way and is in hand: that makes no room
        await self._pull()

    async def _pull(self) -> None:
        # What is missing comes through the same requests, and what is held back makes no room. The
        # server gives no more new messages then than it admits to be unacknowledged.
        await self._consumer.pull(0 if self._intake.is_gathering else len(self._in_hand))

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        while self._may_begin():
            message = await self._intake.turns.take()
            if not self._may_begin():
                break
            self._busy[task] = message
            try:
                await self._handler(message)
            except (GeneratorExit, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError) and task.cancelling():
                    raise
                await self._failed(message, error)  # handlers fail as they like
            else:
                await self._accepted(message)
            finally:
                del self._busy[task]
            if self._closing:
                self._nudge.set()
            await asyncio.sleep(0)  # a handler that never waits would keep all others waiting

    def _may_begin(self) -> bool:
        return not (self._closing or self._draining) and self._has_seat()

    def _has_seat(self) -> bool:
        return self._seat is None or self._seat.is_held

    async def _accepted(self, message: Message) -> None:
        self._failures = 0
        self._intake.turns.done(message)
        reply = self._in_hand.pop(message.id).reply
        self._handled[message.id] = reply
        if len(self._handled) > REMEMBERED:
            del self._handled[next(iter(self._handled))]
        if not self._has_seat():
            return  # another has it in hand by now, who counts what is not acknowledged
        await self._say(reply, b"+ACK")
        if not self._closing:
            await self._quietly(self._pull())  # what fails here is tried again before long

    async def _failed(self, message: Message, error: BaseException) -> None:
        if self._closing:
            _logger.warning("the handler failed on %s at the end", message.id, exc_info=error)
            await self._say(self._in_hand.pop(message.id).reply, b"-NAK")
            return
        delay = min(RETRY_CAP_S, RETRY_S * 2 ** min(message.attempt - 1, DOUBLINGS))
        _logger.warning(
            "the handler failed on %s; again in %.2f s", message.id, delay, exc_info=error
        )
        again = evolve(message, attempt=message.attempt + 1)
        asyncio.get_running_loop().call_later(delay, self._intake.turns.give_back, again)

    async def _end(self) -> None:
        """Let the handlers come to their end, whatever else is over."""
        if not self._draining:
            self._settle()
        self._draining = True
        await self._quietly(self._consumer.close())
        for worker in self._workers - self._busy.keys():
            worker.cancel()
        if self._workers:
            await asyncio.wait(self._workers)
        await self._quietly(self._connection.flush())
        if self._seat is not None:
            await self._quietly(self._seat.leave())

    def _settle(self) -> None:
        """Remember how far everything is handled, unless something is missing before that."""
        if not self._intake.is_gathering:
            in_hand = (place.sequence for place in self._in_hand.values())
            self._consumer.after = max(0, min(in_hand, default=self._last + 1) - 1)

    def _hold(self) -> None:
        self._settle()
        self._intake.hold()

    async def _say(self, reply: str, word: bytes) -> None:
        # Unheard, the server gives the message again, which is then recognised.
        try:
            await self._client.publish(reply, word)
        except nats.errors.Error as error:
            _logger.info("an answer to NATS was not sent: %s", describe(error))

    async def _quietly(self, ending: Awaitable[object]) -> None:
        try:
            await ending
        except (EventhusError, nats.errors.Error, OSError) as error:
            _logger.info("a subscription ends without the server: %s", error)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._nudge.wait()
        except TimeoutError:
            pass
        self._nudge.clear()

    def _on_break(self) -> None:
        # At once, since the next connection may bring what is new before anybody asks what is not.
        self._hold()

    def _on_reconnect(self) -> None:
        self._is_lost = True
        self._nudge.set()
