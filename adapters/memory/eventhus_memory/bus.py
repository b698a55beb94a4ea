"""An event bus within one process."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from attrs import evolve

from eventhus.domain.recorded import StreamId
from eventhus.ports import Message, MessageHandler
from eventhus_memory.store import check_url

_RETRY_S = 0.01  # before the second delivery; doubles with every further one, up to the cap
_RETRY_CAP_S = 1.0
_DOUBLINGS = 7  # enough to reach the cap

_logger = logging.getLogger(__name__)


class MemoryBus:
    """Implements the event bus in memory, for one event loop.

    Messages are kept for a group until its last member is closed: what is published while nobody
    listens is gone.
    """

    def __init__(self) -> None:
        self._groups: dict[object, _Group] = {}
        self._work: set[asyncio.Task[None]] = set()

    @classmethod
    def open(cls, url: str, bucket: str) -> Self:  # noqa: ARG003 - the object is the bucket
        """A new bus for ``memory://``.

        Raises:
            CompositionError: The URL says more than that.
        """
        check_url(url)
        return cls()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        while self._groups:  # a handler that finishes may have subscribed another
            await next(iter(self._groups.values())).drain()
        if work := self._work - {asyncio.current_task()}:
            await asyncio.wait(work)

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
            joined = self._groups[key] = _Group(on_empty=lambda: self._groups.pop(key))
        member = MemorySubscription(joined, handler)
        joined.join(member)
        self._work.add(member.task)
        member.task.add_done_callback(self._work.discard)
        return member


class MemorySubscription:
    """One member of a group: takes a ready stream's next message, again and again."""

    def __init__(self, group: _Group, handler: MessageHandler) -> None:
        self._group = group
        self._handler = handler
        self._busy = False
        self._closing = False
        self.task = asyncio.create_task(self._work())

    async def close(self) -> None:
        """See ``Subscription.close``. A handler that closes its own is not waited for."""
        self.stop()
        if self.task is not asyncio.current_task():
            await asyncio.wait([self.task])

    def stop(self) -> None:
        """Take no more messages."""
        self._closing = True
        self._group.leave(self)
        if not self._busy:
            self.task.cancel()

    async def _work(self) -> None:
        while not self._closing:
            message = await self._group.next()
            self._busy = True
            try:
                await self._handler(message)
            except asyncio.CancelledError as error:
                if _cancelling():
                    raise
                self._group.failed(message, error)  # raised by the handler, on its own account
            except Exception as error:  # noqa: BLE001 - handlers fail as they like
                self._group.failed(message, error)
            else:
                self._group.accepted(message)
            finally:
                self._busy = False
            await asyncio.sleep(0)  # a handler that never waits would keep all others waiting


class _Group:
    """The messages that some subscriptions share: a queue per stream, and whose turn it is."""

    def __init__(self, on_empty: Callable[[], object]) -> None:
        self._on_empty = on_empty
        self._members: set[MemorySubscription] = set()
        self._queues: dict[StreamId, deque[Message]] = {}
        self._ready: asyncio.Queue[StreamId] = asyncio.Queue()  # not being handled or held back
        self._held_back: dict[StreamId, asyncio.TimerHandle] = {}
        self._draining = False
        self._changed = asyncio.Event()

    def join(self, member: MemorySubscription) -> None:
        self._members.add(member)

    def leave(self, member: MemorySubscription) -> None:
        if member not in self._members:
            return
        self._members.discard(member)
        if not self._members:
            for timer in self._held_back.values():
                timer.cancel()
            self._on_empty()
        self._changed.set()

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
            self._changed.set()

    def failed(self, message: Message, error: BaseException) -> None:
        if self._draining or not self._members:
            _logger.error(
                "the handler failed on %s while the bus was closing", message.id, exc_info=error
            )
            self.accepted(message)
            return
        delay = min(_RETRY_CAP_S, _RETRY_S * 2 ** min(message.attempt - 1, _DOUBLINGS))
        _logger.warning(
            "the handler failed on %s; again in %.2f s", message.id, delay, exc_info=error
        )
        stream = message.stream
        self._queues[stream][0] = evolve(message, attempt=message.attempt + 1)
        self._held_back[stream] = asyncio.get_running_loop().call_later(delay, self._let_go, stream)

    async def drain(self) -> None:
        """Give every message one more chance, then stop the members."""
        self._draining = True
        for stream in list(self._held_back):
            self._held_back[stream].cancel()
            self._let_go(stream)
        while self._queues and self._members:
            self._changed.clear()
            await self._changed.wait()
        for member in list(self._members):
            member.stop()

    def _let_go(self, stream: StreamId) -> None:
        del self._held_back[stream]
        self._ready.put_nowait(stream)


def _cancelling() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
