"""An event bus within one process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from types import TracebackType
from typing import Self

from attrs import evolve

from eventhus.adapter_support import StreamQueues, check_group
from eventhus.domain.recorded import StreamId
from eventhus.ports import DeadLetter, Message, MessageHandler
from eventhus_memory.store import check_url

_RETRY_S = 0.01  # before the second delivery; doubles with every further one, up to the cap
_RETRY_CAP_S = 1.0
_DOUBLINGS = 7  # enough to reach the cap

_logger = logging.getLogger(__name__)


class MemoryBus:
    """Implements the event bus in memory, for one event loop.

    Messages are kept for a group until its last member is closed: what is published while nobody
    listens is gone. Dead letters are kept as long as the bus.
    """

    def __init__(self) -> None:
        self._groups: dict[object, _Group] = {}
        self._work: set[asyncio.Task[None]] = set()
        self._dead_letters: dict[str, dict[int, Message]] = {}  # by group and number
        self._buried = 0

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

    async def publisher(self) -> MemoryPublisher:
        """See ``EventBus.publisher``."""
        return MemoryPublisher(self._groups)

    async def subscribe(
        self, handler: MessageHandler, *, group: str | None = None, concurrency: int = 1
    ) -> MemorySubscription:
        """See ``EventBus.subscribe``."""
        check_group(group, concurrency)
        key: object = object() if group is None else group
        joined = self._groups.get(key)
        if joined is None:
            joined = self._groups[key] = _Group(on_empty=lambda: self._groups.pop(key))
        member = MemorySubscription(joined, handler, concurrency)
        joined.join(member)
        for task in member.tasks:
            self._work.add(task)
            task.add_done_callback(self._work.discard)
        return member

    async def bury(self, message: Message, group: str) -> None:
        """See ``EventBus.bury``."""
        check_group(group)
        self._buried += 1
        self._dead_letters.setdefault(group, {})[self._buried] = message

    async def dead_letters(self, group: str) -> AsyncGenerator[DeadLetter, None]:
        """See ``EventBus.dead_letters``."""
        check_group(group)
        for number, message in [*self._dead_letters.get(group, {}).items()]:
            yield DeadLetter(message=message, number=number)

    async def discard(self, letter: DeadLetter, group: str) -> None:
        """See ``EventBus.discard``."""
        self._dead_letters.get(group, {}).pop(letter.number, None)


class MemoryPublisher:
    """Gives messages to the groups there are. Never fails, so no other need shut it out."""

    def __init__(self, groups: dict[object, _Group]) -> None:
        self._groups = groups
        self.acknowledged = 0

    async def publish(self, messages: Sequence[Message]) -> None:
        """See ``Publisher.publish``."""
        for group in self._groups.values():
            for message in messages:
                group.turns.add(message)
        self.acknowledged += len(messages)


class MemorySubscription:
    """One member of a group: each of its tasks takes a ready stream's next message, and again."""

    def __init__(self, group: _Group, handler: MessageHandler, concurrency: int) -> None:
        self._group = group
        self._handler = handler
        self._busy: set[asyncio.Task[None]] = set()
        self._closing = False
        self.tasks = [asyncio.create_task(self._work()) for _ in range(concurrency)]

    async def close(self) -> None:
        """See ``Subscription.close``. A handler that closes its own is not waited for."""
        self.stop()
        if others := [task for task in self.tasks if task is not asyncio.current_task()]:
            await asyncio.wait(others)

    def stop(self) -> None:
        """Take no more messages."""
        self._closing = True
        self._group.leave(self)
        for task in self.tasks:
            if task not in self._busy:
                task.cancel()

    async def _work(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        while not self._closing:
            message = await self._group.turns.take()
            self._busy.add(task)
            try:
                await self._handler(message)
            except (GeneratorExit, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                if isinstance(error, asyncio.CancelledError) and task.cancelling():
                    raise
                self._group.failed(message, error)  # handlers fail as they like
            else:
                self._group.accepted(message)
            finally:
                self._busy.discard(task)
            await asyncio.sleep(0)  # a handler that never waits would keep all others waiting


class _Group:
    """The messages that some subscriptions share."""

    def __init__(self, on_empty: Callable[[], object]) -> None:
        self._on_empty = on_empty
        self._members: set[MemorySubscription] = set()
        self.turns = StreamQueues()
        self._held_back: dict[StreamId, tuple[Message, asyncio.TimerHandle]] = {}
        self._draining = False
        self._changed = asyncio.Event()

    def join(self, member: MemorySubscription) -> None:
        self._members.add(member)

    def leave(self, member: MemorySubscription) -> None:
        if member not in self._members:
            return
        self._members.discard(member)
        if not self._members:
            for _, timer in self._held_back.values():
                timer.cancel()
            self._on_empty()
        self._changed.set()

    def accepted(self, message: Message) -> None:
        self.turns.done(message)
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
        again = evolve(message, attempt=message.attempt + 1)
        timer = asyncio.get_running_loop().call_later(delay, self._let_go, message.stream)
        self._held_back[message.stream] = (again, timer)

    async def drain(self) -> None:
        """Give every message one more chance, then stop the members."""
        self._draining = True
        for stream, (_, timer) in [*self._held_back.items()]:
            timer.cancel()
            self._let_go(stream)
        while self.turns and self._members:
            self._changed.clear()
            await self._changed.wait()
        for member in list(self._members):
            member.stop()

    def _let_go(self, stream: StreamId) -> None:
        again, _ = self._held_back.pop(stream)
        self.turns.give_back(again)
