"""An event bus within one process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from types import TracebackType
from typing import Self

from eventhus.adapter_support import (
    Backoff,
    StreamQueues,
    WorkerPool,
    check_group,
    check_letter,
    check_letters_page,
    check_messages,
    check_start,
    group_with_letters,
    message_position,
    next_attempt,
    summary,
    unexpected,
    unknown_group,
)
from eventhus.adapter_support.limits import MOST_GROUPS, MOST_LETTERS
from eventhus.domain.recorded import StreamId
from eventhus.errors import ReaderBusy
from eventhus.ports import (
    DeadLetter,
    Finding,
    GroupStatus,
    Message,
    MessageHandler,
    Start,
)
from eventhus.printable import printable
from eventhus_memory.letters import Letters
from eventhus_memory.store import check_url

_RETRY = Backoff(first_s=0.01, cap_s=1.0)  # before a failed message is handled again

_logger = logging.getLogger(__name__)


class MemoryBus:
    """The event bus in memory, for one event loop.

    A group lives until its last member is closed. It does not remember its place, so later it is a
    new group, which begins at ``start``, unless it was moved meanwhile. Messages and dead letters
    live as long as the bus.
    """

    def __init__(self) -> None:
        self._published: list[Message] = []
        self._groups: dict[object, _Group] = {}
        self._workers: set[asyncio.Task[None]] = set()
        self._letters = Letters()
        self._subscribed: set[str] = set()  # the names of all groups that there were
        self._moved: dict[str, tuple[Start, int]] = {}  # where, and after how many messages

    @classmethod
    def open(cls, url: str, bucket: str) -> Self:  # noqa: ARG003 - the object is the bucket
        """Return a new bus for ``memory://``.

        Raises:
            CompositionError: The URL is not ``memory://``.
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
        """Deliver every message and let handlers finish. If cancelled, cancel the handlers."""
        try:
            while self._groups:  # a handler that is finishing may have subscribed another one
                await next(iter(self._groups.values())).drain()
            if workers := self._workers - {asyncio.current_task()}:
                await asyncio.wait(workers)
        except asyncio.CancelledError:  # the caller does not wait for handlers any more
            for group in [*self._groups.values()]:
                group.abandon()
            for worker in self._workers:
                worker.cancel()
            raise

    async def publisher(self) -> MemoryPublisher:
        """See ``EventBus.publisher``."""
        return MemoryPublisher(self._published, self._groups)

    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        start: Start = "now",
        unwanted: Collection[str] = (),  # noqa: ARG002 - the members of a group may differ in it
    ) -> MemorySubscription:
        """See ``MessageSource.subscribe``."""
        check_group(group, concurrency)
        check_start(start)
        key: object = object() if group is None else group
        if group is not None:
            self._subscribed.add(group)
        joined = self._groups.get(key)
        if joined is None:
            joined = self._groups[key] = _Group(on_empty=lambda: self._groups.pop(key))
            start, published = self._moved.pop(group or "", (start, len(self._published)))
            for message in self._kept(start, published):
                joined.queues.add(message)
        member = MemorySubscription(joined, handler, concurrency)
        joined.join(member)
        for worker in member.workers:
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)
        return member

    async def diagnose(self) -> Sequence[Finding]:
        """See ``Diagnosable.diagnose``."""
        return [
            Finding.warning(
                "memory.bus",
                "messages and dead letters are lost when this process ends, and no other process "
                "gets them",
                "use a bus that keeps messages, such as nats://, or none: event handlers then read "
                "the log",
            )
        ]

    def _kept(self, start: Start, published: int) -> Sequence[Message]:
        """Return the messages that a group gets which began once so many were published."""
        if start == "beginning":
            return self._published
        later = self._published[published:]
        if start == "now":
            return later
        before = ((message_position(each.headers), each) for each in self._published[:published])
        return [
            *(each for position, each in before if position is None or position > start),
            *later,
        ]

    async def bury(self, message: Message, group: str) -> None:
        """See ``MessageSource.bury``."""
        check_group(group)
        check_letter(message)
        self._letters.add(group, message)

    async def has_group(self, group: str) -> bool:
        """See ``MessageSource.has_group``."""
        check_group(group)
        return group in self._subscribed or bool(self._letters.of(group, after=0, limit=1))

    async def groups(self) -> Sequence[GroupStatus]:
        """See ``MessageSource.groups``. A group without members has no place."""
        return [
            GroupStatus(
                name=name,
                position=None,
                waiting=len(self._groups[name].queues) if name in self._groups else None,
                dead_letters=len(self._letters.of(name, after=0, limit=MOST_LETTERS)),
            )
            for name in sorted({*self._subscribed, *self._letters.groups})[:MOST_GROUPS]
        ]

    async def move(self, group: str, start: Start) -> None:
        """See ``MessageSource.move``. The next member begins there, whatever its ``start``."""
        check_group(group)
        check_start(start)
        if group not in self._subscribed:
            raise unknown_group(group)
        if group in self._groups:
            raise ReaderBusy(f"group {group}")
        self._moved[group] = (start, len(self._published))

    async def delete_group(self, group: str) -> None:
        """See ``MessageSource.delete_group``."""
        check_group(group)
        if not await self.has_group(group):
            raise unknown_group(group)
        if group in self._groups:
            raise ReaderBusy(f"group {group}")
        if self._letters.of(group, after=0, limit=1):
            raise group_with_letters(group)
        self._subscribed.discard(group)
        self._moved.pop(group, None)

    async def dead_letters(self, group: str, *, after: int = 0) -> AsyncGenerator[DeadLetter, None]:
        """See ``MessageSource.dead_letters``."""
        check_letters_page(group, after)
        for letter in self._letters.of(group, after=after):
            yield letter

    async def discard(self, letter: DeadLetter, group: str) -> None:
        """See ``MessageSource.discard``."""
        check_group(group)
        self._letters.remove(group, letter.number)


class MemoryPublisher:
    """Adds messages to the groups of the bus. It never fails and never replaces another one."""

    def __init__(self, published: list[Message], groups: dict[object, _Group]) -> None:
        self._published = published
        self._groups = groups
        self.acknowledged = 0
        self.is_first = False  # messages are not kept

    async def publish(self, messages: Sequence[Message]) -> None:
        """See ``Publisher.publish``."""
        check_messages(messages)
        self._published += messages
        for group in self._groups.values():
            for message in messages:
                group.queues.add(message)
        self.acknowledged += len(messages)

    async def published(self) -> AsyncGenerator[Message, None]:
        """Yield nothing: messages are not kept."""
        kept: list[Message] = []
        for message in kept:
            yield message


class MemorySubscription:
    """One member of a group."""

    def __init__(self, group: _Group, handler: MessageHandler, concurrency: int) -> None:
        self._group = group
        self._pool = WorkerPool(handler, concurrency, handled=group.handled)
        self._pool.start(group.queues)

    @property
    def workers(self) -> frozenset[asyncio.Task[None]]:
        """The tasks that call the handler."""
        return self._pool.workers

    async def close(self) -> None:
        """See ``Subscription.close``. A handler that closes its own subscription is not awaited."""
        self.stop()
        await self._pool.wait()

    def stop(self) -> None:
        """Leave the group and begin no more messages."""
        self._pool.stop()
        self._group.leave(self)


class _Group:
    """The messages that the subscriptions of one group share."""

    def __init__(self, on_empty: Callable[[], object]) -> None:
        self._on_empty = on_empty
        self._members: set[MemorySubscription] = set()
        self.queues = StreamQueues()
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

    async def handled(self, message: Message, failure: BaseException | None) -> None:
        if failure is None:
            self._remove(message)
        elif self._draining or not self._members:
            _logger.error(
                "the handler failed on %s while the bus was closing: %s",
                printable(message.id),
                summary(failure),
                exc_info=unexpected(failure),
            )
            self._remove(message)
        else:
            again, delay_s = next_attempt(message, failure, backoff=_RETRY, logger=_logger)
            timer = asyncio.get_running_loop().call_later(delay_s, self._retry, message.stream)
            self._held_back[message.stream] = (again, timer)

    async def drain(self) -> None:
        """Retry every failed message once, then stop the members."""
        self._draining = True
        for stream, (_, timer) in [*self._held_back.items()]:
            timer.cancel()
            self._retry(stream)
        while self.queues and self._members:
            self._changed.clear()
            await self._changed.wait()
        for member in list(self._members):
            member.stop()

    def abandon(self) -> None:
        """Stop the members and begin no more messages."""
        self._draining = True
        for member in list(self._members):
            member.stop()

    def _remove(self, message: Message) -> None:
        self.queues.done(message)
        self._changed.set()

    def _retry(self, stream: StreamId) -> None:
        again, _ = self._held_back.pop(stream)
        self.queues.give_back(again)
