"""A bus that repeats, redelivers and reorders messages when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from attrs import define, evolve

from eventhus.ports import (
    DeadLetter,
    EventBus,
    Finding,
    GroupStatus,
    Message,
    MessageHandler,
    Publisher,
    Start,
    Subscription,
)
from eventhus_testing.doubles.wrapper import Wrapper

_EXTRA_IN_FLIGHT = 32  # messages that wait to be reordered, besides those being handled
_TURNS = 10  # of the event loop, so that later messages can arrive and go first


class FaultyBus(Wrapper[EventBus]):
    """A wrapper around another bus that injects faults into deliveries.

    Without faults it delivers as the other bus does. The faults are those that every bus with
    at-least-once delivery may have, so a correct handler stays correct:

    >>> from eventhus_memory import MemoryBus
    >>> bus = FaultyBus(MemoryBus())
    >>> bus.repeats()
    >>> bus.loses_acknowledgement(at=3)

    ``at`` counts the messages that handlers get after the call: 1 is the next one.

    Args:
        bus: The wrapped bus. It may be entered already.
    """

    def __init__(self, bus: EventBus) -> None:
        super().__init__(bus)
        self._delivered = 0
        self._faults: list[_Redelivery] = []
        self._reorders = False

    def repeats(self, *, at: int | None = None) -> None:
        """Deliver a message twice, as if it had been published twice.

        The copy follows at once, with the same ``attempt``. There is no copy if the handler
        raises, because then the message is redelivered anyway.

        Args:
            at: The number of the message; ``None`` repeats every message.

        Raises:
            ValueError: ``at`` is below 1.
        """
        self._add(at, further_attempt=False)

    def loses_acknowledgement(self, *, at: int | None = None) -> None:
        """Redeliver a message that was handled, as if its acknowledgement had been lost.

        The redelivery follows at once, with an ``attempt`` that is one higher. There is none if
        the handler raises, because then the message is redelivered anyway.

        Args:
            at: The number of the message; ``None`` redelivers every message.

        Raises:
            ValueError: ``at`` is below 1.
        """
        self._add(at, further_attempt=True)

    def reorders(self) -> None:
        """Handle the message that arrived last first, of those in flight.

        Messages of one aggregate keep their order. Only later subscriptions are affected.
        """
        self._reorders = True

    async def publisher(self) -> Publisher:
        """See ``EventBus.publisher``."""
        return await self._wrapped.publisher()

    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        start: Start = "now",
        unwanted: Collection[str] = (),
    ) -> Subscription:
        """See ``EventBus.subscribe``."""

        async def with_faults(message: Message) -> None:
            await self._deliver(handler, message)

        if not self._reorders or concurrency < 1:
            return await self._wrapped.subscribe(
                with_faults, group=group, concurrency=concurrency, start=start, unwanted=unwanted
            )
        queue = _LastInFirstOut(free=concurrency)

        async def queued(message: Message) -> None:
            async with queue.turn():
                await with_faults(message)

        # Only messages in flight can be reordered, so there must be more than are handled at once.
        in_flight = concurrency + _EXTRA_IN_FLIGHT
        return await self._wrapped.subscribe(
            queued, group=group, concurrency=in_flight, start=start, unwanted=unwanted
        )

    async def bury(self, message: Message, group: str) -> None:
        """See ``EventBus.bury``."""
        await self._wrapped.bury(message, group)

    async def has_group(self, group: str) -> bool:
        """See ``EventBus.has_group``."""
        return await self._wrapped.has_group(group)

    async def groups(self) -> Sequence[GroupStatus]:
        """See ``EventBus.groups``."""
        return await self._wrapped.groups()

    async def move(self, group: str, start: Start) -> None:
        """See ``EventBus.move``."""
        await self._wrapped.move(group, start)

    async def delete_group(self, group: str) -> None:
        """See ``EventBus.delete_group``."""
        await self._wrapped.delete_group(group)

    def dead_letters(self, group: str, *, after: int = 0) -> AsyncGenerator[DeadLetter, None]:
        """See ``EventBus.dead_letters``."""
        return self._wrapped.dead_letters(group, after=after)

    async def discard(self, letter: DeadLetter, group: str) -> None:
        """See ``EventBus.discard``."""
        await self._wrapped.discard(letter, group)

    async def diagnose(self) -> Sequence[Finding]:
        """See ``Diagnosable.diagnose``."""
        return await self._wrapped.diagnose()

    async def _deliver(self, handler: MessageHandler, message: Message) -> None:
        self._delivered += 1
        number = self._delivered
        again = [fault for fault in self._faults if fault.at in (None, number)]
        await handler(message)
        attempt = message.attempt
        for fault in again:
            attempt += fault.further_attempt
            await handler(evolve(message, attempt=attempt))

    def _add(self, at: int | None, *, further_attempt: bool) -> None:
        if at is not None and at < 1:
            raise ValueError(f"messages are counted from 1, found at={at}")
        self._faults.append(
            _Redelivery(None if at is None else self._delivered + at, further_attempt)
        )


@define
class _Redelivery:
    at: int | None
    further_attempt: bool


class _LastInFirstOut:
    """A queue in which the last to arrive is the first to have a turn."""

    def __init__(self, *, free: int) -> None:
        self._free = free
        self._waiting: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it inside the block."""
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(mine)
        self._serve_after(_TURNS)
        try:
            await mine
            yield
        finally:
            if mine in self._waiting:
                self._waiting.remove(mine)
            else:
                self._free += 1
                self._serve()

    def _serve_after(self, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._serve_after, turns - 1)
        else:
            self._serve()

    def _serve(self) -> None:
        while self._free and self._waiting:
            self._free -= 1
            last = self._waiting.pop()
            if not last.done():  # a cancelled task has not left the queue yet
                last.set_result(None)
