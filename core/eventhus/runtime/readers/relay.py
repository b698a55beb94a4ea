"""Publishes the log on the bus: the log is the outbox."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from contextlib import aclosing, asynccontextmanager

from eventhus.adapter_support.tasks import being_cancelled, stop
from eventhus.errors import CodecError, InvalidArgument
from eventhus.ports.bus import EventBus, Message, Publisher
from eventhus.ports.checkpoints import Checkpoint
from eventhus.ports.clock import Clock
from eventhus.ports.leases import Lease
from eventhus.ports.observer import Publishing
from eventhus.ports.store import Page, Storage, StoredEvent
from eventhus.runtime.messaging.outgoing import messages_of, stays_in_the_log
from eventhus.runtime.messaging.wire import from_message, to_message
from eventhus.runtime.observing import Observing
from eventhus.runtime.readers.leased_reader import LeasedReader

CHECKPOINT = "relay"
LEASE = "relay"
LOOK_BACK = 250  # messages on the bus, in search of the last event, behind those of other programs


class Relay(LeasedReader):
    """Publishes every event of the log, in order, at least once.

    The checkpoint moves only over events that the bus has acknowledged. After a crash, some are
    therefore repeated and none is skipped. An event that no message can hold, because another
    program wrote it into the store, is left out with an ERROR in the log.

    Only the lease holder publishes. A relay that was paused, and does not know that its lease has
    expired, finds its publisher replaced and its checkpoint refused.

    Args:
        store: As for ``LeasedReader``.
        bus: The bus.
        clock: As for ``LeasedReader``.
        owner: As for ``LeasedReader``.
        published: The aggregate types of the streams of processes that are published; others stay
            in the log.
        observing: As for ``LeasedReader``; also told of publications.
    """

    def __init__(
        self,
        store: Storage,
        bus: EventBus,
        clock: Clock,
        *,
        owner: str,
        published: Collection[str] = (),
        observing: Observing | None = None,
    ) -> None:
        super().__init__(LEASE, "relay", store, clock, owner=owner, observing=observing)
        self._bus = bus
        self._published = frozenset(published)

    @property
    def progress(self) -> str:
        """Its progress, as a predicate for messages."""
        if self._goal is None:
            return "asks the store for the head of the log"
        return f"has published {self._position} of {self._goal} events"

    async def _forget(self) -> None:
        """Do nothing: the bus recognises repeats, or delivers them again."""

    async def _read(self, lease: Lease) -> None:
        # In this order: an event that another relay publishes is then either covered by the
        # checkpoint that is read here, or the bus refuses it to one of the two.
        publisher = await self._bus.publisher()
        after = await self._behind(publisher, await self._resume())
        try:
            async with (
                asyncio.TaskGroup() as saving,
                aclosing(self._store.follow(after=after)) as following,
                _one_ahead(following) as pages,
            ):
                checkpoint = _Checkpoint(self._store, lease, saving, on_saved=self._moved)
                async for page in pages:
                    before = publisher.acknowledged
                    publishable = [*messages_of(page.events, self._logger, self._published)]
                    try:
                        await self._publish(publisher, publishable)
                    except Exception:
                        if taken := publisher.acknowledged - before:
                            last, _ = publishable[taken - 1]
                            await checkpoint.save(Checkpoint(last.position, last.id))
                            await checkpoint.saved()
                        raise
                    await checkpoint.save(Checkpoint(page.position, page.event_id))
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _publish(
        self, publisher: Publisher, publishable: Sequence[tuple[StoredEvent, Message]]
    ) -> None:
        messages = [message for _, message in publishable]
        if self._observing is None or not messages:
            await publisher.publish(messages)
            return
        operation = Publishing(
            application=self._observing.application,
            metadata=[stored.metadata for stored, _ in publishable],
        )
        with self._observing.begin(operation):
            await publisher.publish(messages)

    async def _behind(self, publisher: Publisher, checkpoint: int) -> int:
        """Return the position to publish from: the checkpoint, unless the bus has lost its tail."""
        published = await self._last_published(publisher)
        if published is None or published >= checkpoint:
            return checkpoint
        if not await self._lost(published, checkpoint):
            return checkpoint
        self._logger.warning(
            "the bus ends at position %d and the checkpoint of the relay is at %d: the bus has "
            "lost its last messages; publishing again from position %d",
            published,
            checkpoint,
            published,
        )
        return published

    async def _lost(self, published: int, checkpoint: int) -> bool:
        """Return whether events were published after one position, up to the checkpoint."""
        after = published
        while True:
            page = await self._store.read(after=after)
            for stored in page.events:
                if stored.position <= checkpoint and not stays_in_the_log(stored, self._published):
                    return True
            after = page.position
            if page.is_last or after >= checkpoint:
                return False

    async def _last_published(self, publisher: Publisher) -> int | None:
        """Return the position of the last event on the bus; 0 if it never had one.

        ``None`` if that is not known: the bus keeps none of its last messages, or too many of them
        come from other programs.
        """
        if publisher.is_first:
            return 0
        looked_at = 0
        async with aclosing(publisher.published()) as messages:
            async for message in messages:
                if position := await self._position_of(message):
                    return position
                looked_at += 1
                if looked_at == LOOK_BACK:
                    break
        return None

    async def _position_of(self, message: Message) -> int | None:
        """Return the position of an event on the bus; ``None`` if this log has no such event.

        Another program may copy the id and the position of an event, so the content must be the
        same, too.
        """
        try:
            told = from_message(message)
            page = await self._store.read(after=max(told.position - 1, 0), limit=1)
            known = [(each.id, each.body) for each in map(to_message, page.events)]
        except (CodecError, InvalidArgument):
            return None
        return page.position if (message.id, message.body) in known else None


class _Checkpoint:
    """Saves positions one after another, while the next events are being published."""

    def __init__(
        self,
        store: Storage,
        lease: Lease,
        tasks: asyncio.TaskGroup,
        on_saved: Callable[[Checkpoint], None],
    ) -> None:
        self._store = store
        self._token = lease.token
        self._tasks = tasks
        self._on_saved = on_saved
        self._saving: asyncio.Task[None] | None = None

    async def save(self, checkpoint: Checkpoint) -> None:
        """Start to save a checkpoint, once the previous one is saved."""
        await self.saved()
        self._saving = self._tasks.create_task(self._save(checkpoint))

    async def saved(self) -> None:
        """Wait until the save under way is done."""
        if self._saving is not None:
            await self._saving

    async def _save(self, checkpoint: Checkpoint) -> None:
        try:
            await self._store.save_checkpoint(
                CHECKPOINT, checkpoint.position, event_id=checkpoint.event_id, token=self._token
            )
        except asyncio.CancelledError as error:
            if being_cancelled():
                raise
            # An adapter raised it, and a task group would ignore it.
            raise RuntimeError("the store cancelled the save of a checkpoint") from error
        self._on_saved(checkpoint)


@asynccontextmanager
async def _one_ahead(
    pages: AsyncGenerator[Page, None],
) -> AsyncIterator[AsyncIterator[Page]]:
    """Yield the same pages, each read while the previous one is being published."""
    reading = asyncio.ensure_future(anext(pages))

    async def ahead() -> AsyncGenerator[Page, None]:
        nonlocal reading
        while True:
            page = await reading
            reading = asyncio.ensure_future(anext(pages))
            yield page

    try:
        async with aclosing(ahead()) as given:
            yield given
    finally:
        await stop(reading)  # nobody reads its result any more
