"""A bus that does what buses may do: repeat, reorder, and deliver again what was handled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from attrs import define, evolve

from eventhus.ports import DeadLetter, EventBus, Message, MessageHandler, Publisher, Subscription
from eventhus_testing.doubles.wrapper import InFront

_MORE_IN_HAND = 32  # messages that wait to be reordered, besides those being handled
_TURNS = 10  # of the event loop, for others to come that are to go first


class FaultyBus(InFront[EventBus]):
    """A bus in front of another, for an application to be composed with in a test.

    It carries messages truly until it is told otherwise. What it then does to handlers is what
    every bus that delivers at least once may do, so a handler that is right stays right:

    >>> from eventhus_memory import MemoryBus
    >>> bus = FaultyBus(MemoryBus())
    >>> bus.repeats()
    >>> bus.loses_acknowledgement(at=3)

    ``at`` counts the messages that are given to handlers from here on: 1 is the next.

    Args:
        bus: The bus behind it, entered or not.
    """

    def __init__(self, bus: EventBus) -> None:
        super().__init__(bus)
        self._given = 0
        self._faults: list[_Again] = []
        self._reorders = False

    def repeats(self, *, at: int | None = None) -> None:
        """Give a message to its handler once more, as if it had been published twice.

        It comes right behind itself, as the same attempt; not where the handler raised, since
        then it comes again anyway.

        Args:
            at: Which message, 1 for the next; ``None`` for every one.

        Raises:
            ValueError: ``at`` is below 1.
        """
        self._add(at, further_attempt=False)

    def loses_acknowledgement(self, *, at: int | None = None) -> None:
        """Deliver a message again that was handled, as if the bus had not heard of it.

        It comes right behind itself, with an ``attempt`` one higher; not where the handler raised,
        since then it comes again anyway.

        Args:
            at: Which message, 1 for the next; ``None`` for every one.

        Raises:
            ValueError: ``at`` is below 1.
        """
        self._add(at, further_attempt=True)

    def reorders(self) -> None:
        """Let, of the messages in hand, the one that came last be handled first.

        Those of one aggregate keep their order. It holds for subscriptions made from here on.
        """
        self._reorders = True

    async def publisher(self) -> Publisher:
        """See ``EventBus.publisher``."""
        return await self._behind.publisher()

    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> Subscription:
        """See ``EventBus.subscribe``."""

        async def troubled(message: Message) -> None:
            await self._give(handler, message)

        if not self._reorders or concurrency < 1:
            return await self._behind.subscribe(troubled, group=group, concurrency=concurrency)
        line = _LastFirst(free=concurrency)

        async def in_line(message: Message) -> None:
            async with line.turn():
                await troubled(message)

        # To be reordered, messages must be in hand: more than are handled at once.
        in_hand = concurrency + _MORE_IN_HAND
        return await self._behind.subscribe(in_line, group=group, concurrency=in_hand)

    async def bury(self, message: Message, group: str) -> None:
        """See ``EventBus.bury``."""
        await self._behind.bury(message, group)

    async def has_group(self, group: str) -> bool:
        """See ``EventBus.has_group``."""
        return await self._behind.has_group(group)

    def dead_letters(self, group: str) -> AsyncGenerator[DeadLetter, None]:
        """See ``EventBus.dead_letters``."""
        return self._behind.dead_letters(group)

    async def discard(self, letter: DeadLetter, group: str) -> None:
        """See ``EventBus.discard``."""
        await self._behind.discard(letter, group)

    async def _give(self, handler: MessageHandler, message: Message) -> None:
        self._given += 1
        number = self._given
        again = [fault for fault in self._faults if fault.at in (None, number)]
        await handler(message)
        attempt = message.attempt
        for fault in again:
            attempt += fault.further_attempt
            await handler(evolve(message, attempt=attempt))

    def _add(self, at: int | None, *, further_attempt: bool) -> None:
        if at is not None and at < 1:
            raise ValueError(f"messages are counted from 1, found at={at}")
        self._faults.append(_Again(None if at is None else self._given + at, further_attempt))


@define
class _Again:
    at: int | None
    further_attempt: bool


class _LastFirst:
    """A line in which the last to come is the first to be served."""

    def __init__(self, *, free: int) -> None:
        self._drop_taken = free
        self._waiting: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn, and have it."""
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
                self._drop_taken += 1
                self._serve()

    def _serve_after(self, turns: int) -> None:
        if turns:
            asyncio.get_running_loop().call_soon(self._serve_after, turns - 1)
        else:
            self._serve()

    def _serve(self) -> None:
        while self._drop_taken and self._waiting:
            self._drop_taken -= 1
            last = self._waiting.pop()
            if not last.done():  # or it is cancelled, and about to leave
                last.set_result(None)
