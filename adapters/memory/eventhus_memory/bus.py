"""An event bus within one process."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from attrs import evolve

from eventhus.domain.recorded import StreamId
from eventhus.errors import CompositionError
from eventhus.ports import Message, MessageHandler

_RETRY_S = 0.01  # before the second delivery; doubles with every further one, up to the cap
_RETRY_CAP_S = 1.0

_logger = logging.getLogger(__name__)


class MemoryBus:
    """Implements the event bus in memory, for one event loop.

    Messages are kept for a subscription until it is closed: what is published while nobody
    listens is gone.
    """

    def __init__(self) -> None:
        self._groups: dict[object, _Group] = {}

    @classmethod
    def open(cls, url: str, bucket: str) -> Self:  # noqa: ARG003 - the object is the bucket
        """A new bus for ``memory://``.

        Raises:
            CompositionError: The URL says more than that.
        """
        if url != "memory://":
            raise CompositionError("a memory URL says nothing but memory://")
        return cls()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for group in list(self._groups.values()):
            await group.close()

    async def publish(self, messages: Sequence[Message]) -> None:
        """See ``EventBus.publish``."""
        for group in self._groups.values():
            for message in messages:
                group.add(message)

    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None
    ) -> MemorySubscription:
        """See ``EventBus.subscribe``."""
        key: object = object() if group is None else group
        joined = self._groups.get(key)
        if joined is None:
            joined = self._groups[key] = _Group(on_empty=lambda: self._groups.pop(key, None))
        return joined.join(handler)


class MemorySubscription:
    """One member of a group: takes a ready stream's next message, again and again."""

    def __init__(self, group: _Group, handler: MessageHandler) -> None:
        self._group = group
        self._handler = handler
        self._busy = False
        self._closing = False
        self._task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """See ``Subscription.close``."""
        self._closing = True
        if not self._busy:
            self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        self._group.leave(self)

    async def _work(self) -> None:
        while not self._closing:
            message = await self._group.next()
            self._busy = True
            try:
                await self._handler(message)
            except Exception:
                self._group.failed(message)
            else:
                self._group.accepted(message)
            finally:
                self._busy = False


class _Group:
    """The messages that some subscriptions share: a queue per stream, and whose turn it is."""

    def __init__(self, on_empty: Callable[[], object]) -> None:
        self._on_empty = on_empty
        self._members: set[MemorySubscription] = set()
        self._queues: dict[StreamId, deque[Message]] = {}
        self._ready: asyncio.Queue[StreamId] = asyncio.Queue()  # not being handled, not held back
        self._held_back: dict[StreamId, asyncio.TimerHandle] = {}
        self._closing = False
        self._empty = asyncio.Event()

    def join(self, handler: MessageHandler) -> MemorySubscription:
        member = MemorySubscription(self, handler)
        self._members.add(member)
        return member

    def leave(self, member: MemorySubscription) -> None:
        self._members.discard(member)
        if not self._members:
            for timer in self._held_back.values():
                timer.cancel()
            self._on_empty()

    def add(self, message: Message) -> None:
        queue = self._queues.get(message.stream)
        if queue is None:
            self._queues[message.stream] = deque([message])
            self._ready.put_nowait(message.stream)
        else:
            queue.append(message)

    async def next(self) -> Message:
        return self._queues[await self._ready.get()][0]

    def accepted(self, message: Message) -> None:
        queue = self._queues[message.stream]
        queue.popleft()
        if queue:
            self._ready.put_nowait(message.stream)
        else:
            del self._queues[message.stream]
            self._empty.set()

    def failed(self, message: Message) -> None:
        if self._closing:
            _logger.exception("the handler failed on %s while the bus was closing", message.id)
            self.accepted(message)
            return
        delay = min(_RETRY_CAP_S, _RETRY_S * 2 ** (message.attempt - 1))
        _logger.warning(
            "the handler failed on %s; again in %.2f s", message.id, delay, exc_info=True
        )
        stream = message.stream
        self._queues[stream][0] = evolve(message, attempt=message.attempt + 1)
        self._held_back[stream] = asyncio.get_running_loop().call_later(delay, self._let_go, stream)

    async def close(self) -> None:
        """Give every message one more chance, then end the members."""
        self._closing = True
        for stream in list(self._held_back):
            self._held_back[stream].cancel()
            self._let_go(stream)
        while self._queues and self._members:
            self._empty.clear()
            await self._empty.wait()
        for member in list(self._members):
            await member.close()

    def _let_go(self, stream: StreamId) -> None:
        del self._held_back[stream]
        self._ready.put_nowait(stream)
