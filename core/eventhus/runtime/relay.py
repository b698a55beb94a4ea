"""Carries the log to the bus: the log is the outbox."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager

from eventhus.errors import LeaseLost, PublisherReplaced
from eventhus.ports.bus import EventBus
from eventhus.ports.clock import Clock
from eventhus.ports.leases import Lease
from eventhus.ports.store import Storage, StoredEvent
from eventhus.runtime.tasks import being_cancelled, stop
from eventhus.runtime.wire import to_message

CHECKPOINT = "relay"
LEASE = "relay"
LEASE_S = 10.0  # how long a relay that says nothing keeps the others from taking its place
STANDBY_S = 1.0  # between two looks at whether the lease is free
BACKOFF_S = 0.05  # doubles with every failure in a row, up to the cap
BACKOFF_CAP_S = 5.0
DOUBLINGS = 10  # enough to reach the cap
RELEASE_S = 5.0  # for giving the lease back at the end; it runs out by itself

_logger = logging.getLogger(__name__)


class Relay:
    """Publishes every event of the log, in order, at least once.

    It remembers in a checkpoint how far it has come, and moves the checkpoint only over events
    that the bus has taken. After a crash it therefore repeats some, and leaves none out.

    Of all relays of a bucket one publishes: the one that holds the lease. Another that was paused
    and does not know that its lease ran out finds its publisher replaced and its checkpoint taken.
    """

    def __init__(self, store: Storage, bus: EventBus, clock: Clock, *, owner: str) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._owner = owner
        self._published = 0  # every event up to this position is with the bus
        self._failures = 0  # since something was published
        self._ours = True  # as far as we know
        self._in_trouble = False  # since the last attempt
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Publish for ever. Where the store or the bus fails, try again from the checkpoint."""
        lease: Lease | None = None
        try:
            while True:
                delay = STANDBY_S
                try:
                    lease = await self._store.acquire(LEASE, self._owner, ttl_s=LEASE_S)
                    if lease is None:
                        self._report(self._published, ours=False)
                    else:
                        await self._publish_while_held(lease)
                except asyncio.CancelledError as error:
                    if being_cancelled():
                        raise
                    delay = self._failed(error)  # an adapter's own: it must not end the relay
                except Exception as error:  # noqa: BLE001 - adapters fail as they like
                    delay = self._failed(error)
                await self._clock.sleep(delay)
        finally:
            if lease is not None:
                await self._release(lease)

    async def drain(self) -> None:
        """Return once all that the log holds now is with the bus, or cannot be brought there.

        What is left behind by a relay that is in trouble or not in charge, another publishes.
        """
        head = await self._store.head()
        while self._published < head and self._ours and not self._in_trouble:
            self._changed.clear()
            await self._changed.wait()

    async def _publish_while_held(self, lease: Lease) -> None:
        publishing = asyncio.create_task(self._publish(lease))
        try:
            while not (await asyncio.wait([publishing], timeout=LEASE_S / 3))[0]:
                # A store that does not answer in time leaves it open whose turn it is.
                async with asyncio.timeout(LEASE_S / 3):
                    renewed = await self._store.acquire(LEASE, self._owner, ttl_s=LEASE_S)
                if renewed != lease:
                    raise LeaseLost(LEASE, lease.token)
        finally:
            await stop(publishing)
        await publishing

    async def _publish(self, lease: Lease) -> None:
        # In this order: whoever published last before this publisher began, or after the
        # checkpoint was read, is then noticed by the bus or has left its mark in the checkpoint.
        publisher = await self._bus.publisher()
        after = await self._store.load_checkpoint(CHECKPOINT)
        self._report(after)
        try:
            async with (
                asyncio.TaskGroup() as saving,
                aclosing(self._store.follow(after=after)) as following,
                _one_ahead(following) as batches,
            ):
                checkpoint = _Checkpoint(self._store, lease, saving, on_saved=self._saved)
                async for batch in batches:
                    before = publisher.acknowledged
                    try:
                        await publisher.publish([to_message(stored) for stored in batch])
                    except Exception:
                        if taken := publisher.acknowledged - before:
                            await checkpoint.save(batch[taken - 1].position)
                            await checkpoint.saved()
                        raise
                    await checkpoint.save(batch[-1].position)
        except BaseExceptionGroup as failures:
            raise failures.exceptions[0] from None

    def _saved(self, position: int) -> None:
        self._failures = 0
        self._report(position)

    def _failed(self, error: BaseException) -> float:
        """Tell of it; returns how long to wait before the next attempt."""
        delay: float = min(BACKOFF_CAP_S, BACKOFF_S * 2 ** min(self._failures, DOUBLINGS))
        self._failures += 1
        self._report(self._published, in_trouble=True)
        if isinstance(error, LeaseLost | PublisherReplaced):
            _logger.info("relay stopped behind position %d: %s", self._published, error)
        else:
            _logger.error(
                "relay stopped behind position %d; trying again in %.2f s",
                self._published,
                delay,
                exc_info=error,
            )
        return delay

    def _report(self, published: int, *, ours: bool = True, in_trouble: bool = False) -> None:
        self._published = published
        self._ours = ours
        self._in_trouble = in_trouble
        self._changed.set()

    async def _release(self, lease: Lease) -> None:
        try:
            async with asyncio.timeout(RELEASE_S):
                await self._store.release(lease)
        except Exception as error:  # it runs out by itself
            _logger.warning("the lease of the relay is free in %g s only", LEASE_S, exc_info=error)


class _Checkpoint:
    """Saves positions one after the other, while the next events are being published."""

    def __init__(
        self,
        store: Storage,
        lease: Lease,
        tasks: asyncio.TaskGroup,
        on_saved: Callable[[int], None],
    ) -> None:
        self._store = store
        self._token = lease.token
        self._tasks = tasks
        self._on_saved = on_saved
        self._saving: asyncio.Task[None] | None = None

    async def save(self, position: int) -> None:
        """Begin to save a position, once the one before is saved."""
        await self.saved()
        self._saving = self._tasks.create_task(self._save(position))

    async def saved(self) -> None:
        """Return once what was begun is done."""
        if self._saving is not None:
            await self._saving

    async def _save(self, position: int) -> None:
        try:
            await self._store.save_checkpoint(CHECKPOINT, position, token=self._token)
        except asyncio.CancelledError as error:
            if being_cancelled():
                raise
            # An adapter's own. A group of tasks would take no notice of it.
            raise RuntimeError("the store cancelled the saving of a checkpoint") from error
        self._on_saved(position)


@asynccontextmanager
async def _one_ahead(
    batches: AsyncGenerator[Sequence[StoredEvent], None],
) -> AsyncIterator[AsyncIterator[Sequence[StoredEvent]]]:
    """The same batches, each read while the one before is being published."""
    reading = asyncio.ensure_future(anext(batches))

    async def ahead() -> AsyncGenerator[Sequence[StoredEvent], None]:
        nonlocal reading
        while True:
            batch = await reading
            reading = asyncio.ensure_future(anext(batches))
            yield batch

    try:
        async with aclosing(ahead()) as given:
            yield given
    finally:
        await stop(reading)
        if not reading.cancelled():
            reading.exception()  # told by whoever reads next; nobody does any more
