"""The log as a source of messages: consumer groups without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Self, TypeAlias

from eventhus.adapter_support.arguments import (
    check_group,
    check_start,
    group_with_letters,
    unknown_group,
)
from eventhus.adapter_support.limits import MOST_GROUPS, MOST_LETTERS
from eventhus.domain.query import Query, QueryItem
from eventhus.domain.start import Start
from eventhus.errors import IncompatibleBucket, NotRunning, ReaderBusy
from eventhus.ids import owner_name
from eventhus.ports.bus import (
    DeadLetter,
    GroupStatus,
    Message,
    MessageHandler,
    Subscription,
)
from eventhus.ports.checkpoints import Checkpoint
from eventhus.ports.clock import Clock
from eventhus.ports.diagnosis import Finding
from eventhus.ports.leases import Lease
from eventhus.ports.store import Storage
from eventhus.printable import printable
from eventhus.runtime.log_bus.delivery import Source
from eventhus.runtime.log_bus.group_member import GroupMember, place_of, reader_of
from eventhus.runtime.log_bus.listener import Listener
from eventhus.runtime.messaging.outgoing import ToMessage
from eventhus.runtime.messaging.wire import to_message
from eventhus.runtime.observing import Observing
from eventhus.runtime.readers.leased_reader import LEASE_S
from eventhus.runtime.readers.registering import place_after

LETTERS = 100  # dead letters that are read at once

_Subscription: TypeAlias = GroupMember | Listener


class LogBus:
    """Delivers the events of the log itself, so that a store alone is a complete system.

    A group has a lease, which one member holds, a checkpoint, and its dead letters in the store.
    Only the wanted types are read. A subscription without a group leaves nothing in the store.

    Args:
        store: Holds the log and the groups. It must be entered while the bus is.
        clock: Times the pauses.
        new_id: Makes the ends of the names of lease owners, unique for ever.
        published: The aggregate types of the streams of processes whose events are delivered, too.
        to_message: Turns an event into a message.
        observing: Is told of failures, if given.
    """

    def __init__(
        self,
        store: Storage,
        clock: Clock,
        *,
        new_id: Callable[[], str],
        published: Collection[str] = (),
        to_message: ToMessage = to_message,
        observing: Observing | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._published = frozenset(published)
        self._to_message = to_message
        self._observing = observing
        self._subscriptions: list[_Subscription] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let the handlers that have begun finish. If cancelled, cancel them.

        Groups continue with the other events later, or in another process.
        """
        closing: list[_Subscription] = []
        try:
            while self._subscriptions:  # a handler that is finishing may have subscribed another
                closing, self._subscriptions = self._subscriptions, []
                await asyncio.gather(*(each.close() for each in closing))
        except asyncio.CancelledError:  # the caller does not wait for handlers any more
            for each in (*closing, *self._subscriptions):
                each.abandon()
            self._subscriptions = []
            raise

    async def subscribe(
        self,
        handler: MessageHandler,
        *,
        group: str | None = None,
        concurrency: int = 1,
        start: Start = "now",
        unwanted: Collection[str] = (),
    ) -> Subscription:
        """See ``MessageSource.subscribe``."""
        check_group(group, concurrency)
        check_start(start)
        query = Query([QueryItem(other_than=frozenset(unwanted))]) if unwanted else None
        source = Source(
            store=self._store,
            query=query,
            published=self._published,
            to_message=self._to_message,
        )
        subscription: _Subscription
        if group is None:
            subscription = Listener(
                await place_after(self._store, start),
                source,
                handler,
                concurrency,
                clock=self._clock,
            )
        else:
            begin = partial(self._beginning_of, group, start)
            await begin()
            subscription = GroupMember(
                group,
                begin,
                source,
                handler,
                concurrency,
                store=self._store,
                clock=self._clock,
                owner=owner_name(self._new_id),
                observing=self._observing,
            )
        subscription.start()
        others = [each for each in self._subscriptions if not each.is_stopped]
        self._subscriptions = [*others, subscription]
        return subscription

    @property
    def members(self) -> Sequence[GroupMember]:
        """The subscriptions of groups that are not closed."""
        return [
            each
            for each in self._subscriptions
            if isinstance(each, GroupMember) and not each.is_stopped
        ]

    async def bury(self, message: Message, group: str) -> None:
        """See ``MessageSource.bury``."""
        await self._store.save_letter(group, message)

    async def has_group(self, group: str) -> bool:
        """See ``MessageSource.has_group``."""
        if await self._store.load_group(group) is not None:
            return True
        return bool(await self._store.load_letters(group, limit=1))

    async def groups(self) -> Sequence[GroupStatus]:
        """See ``MessageSource.groups``. A group waits for all events, also for unwanted ones.

        A damaged group hides no other.
        """
        names = await self._store.groups(limit=MOST_GROUPS)
        head = await self._store.head() if names else 0
        return [await self._status(name, head) for name in names]

    async def _status(self, group: str, head: int) -> GroupStatus:
        (place, damage), dead_letters = await asyncio.gather(
            self._place_of(group), self._store.count_letters(group, limit=MOST_LETTERS)
        )
        position = waiting = None
        if place is not None:
            ahead = sum(last - first + 1 for first, last in place.done)
            position, waiting = place.position, max(head - place.position - ahead, 0)
        return GroupStatus(
            name=group,
            position=position,
            waiting=waiting,
            dead_letters=dead_letters,
            damage=damage,
        )

    async def _place_of(self, group: str) -> tuple[Checkpoint | None, str | None]:
        """Return the place of a group, if it has one, and the reason why it cannot be read."""
        try:
            began, checkpoint = await asyncio.gather(
                self._store.load_group(group), self._store.load_checkpoint(reader_of(group))
            )
        except IncompatibleBucket as error:
            return None, printable(error.problem)
        return (None if began is None else place_of(began, checkpoint)), None

    async def move(self, group: str, start: Start) -> None:
        """See ``MessageSource.move``. A stand-by that waits for the lease goes on there, too."""
        check_group(group)
        check_start(start)
        if await self._store.load_group(group) is None:
            raise unknown_group(group)
        place = await place_after(self._store, start)
        async with self._leased(group) as lease:
            await self._store.save_checkpoint(
                lease.name, place.position, event_id=place.event_id, token=lease.token
            )

    async def delete_group(self, group: str) -> None:
        """See ``MessageSource.delete_group``.

        If the process dies meanwhile, a new group of the name may continue at the old place.
        """
        check_group(group)
        if not await self.has_group(group):
            raise unknown_group(group)
        async with self._leased(group) as lease:
            if await self._store.load_letters(group, limit=1):
                raise group_with_letters(group)
            await self._store.delete_group(group)
            await self._store.forget_checkpoint(lease.name, token=lease.token)

    @asynccontextmanager
    async def _leased(self, group: str) -> AsyncGenerator[Lease, None]:
        """Hold the lease of a group.

        Raises:
            ReaderBusy: A member of the group holds it.
        """
        owner = owner_name(self._new_id)
        lease = await self._store.acquire(reader_of(group), owner, ttl_s=LEASE_S)
        if lease is None:
            raise ReaderBusy(f"group {group}")
        try:
            yield lease
        finally:
            await self._store.release(lease)

    async def dead_letters(self, group: str, *, after: int = 0) -> AsyncGenerator[DeadLetter, None]:
        """See ``MessageSource.dead_letters``."""
        while letters := await self._store.load_letters(group, after=after, limit=LETTERS):
            for letter in letters:
                yield letter
            after = letters[-1].number

    async def discard(self, letter: DeadLetter, group: str) -> None:
        """See ``MessageSource.discard``."""
        await self._store.delete_letter(group, letter.number)

    async def diagnose(self) -> Sequence[Finding]:
        """Return nothing: the findings of the store are those of its log."""
        return ()

    async def caught_up(self, position: int) -> None:
        """Wait until every subscription has handled the events up to a position.

        A subscription of a group also counts the events that another process has handled. One
        that is closed meanwhile is not awaited.
        """
        for subscription in [*self._subscriptions]:
            with suppress(NotRunning):  # it was closed
                await subscription.caught_up(position)

    async def _beginning_of(self, group: str, start: Start) -> Checkpoint:
        began = await self._store.load_group(group)
        if began is not None:
            return began
        return await self._store.create_group(group, await place_after(self._store, start))
