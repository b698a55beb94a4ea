"""A member of a consumer group that reads the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from attrs import evolve

from eventhus.adapter_support.tasks import first_done, stop
from eventhus.errors import LeaseLost
from eventhus.ports.bus import MessageHandler
from eventhus.ports.checkpoints import Checkpoint
from eventhus.ports.clock import Clock
from eventhus.ports.leases import Lease
from eventhus.ports.store import Storage
from eventhus.runtime.log_bus.delivery import Delivery, Source
from eventhus.runtime.observing import Observing
from eventhus.runtime.readers.leased_reader import RETRY, STEP_DOWN_S, LeasedReader
from eventhus.runtime.readers.reader_condition import ReaderCondition


def reader_of(group: str) -> str:
    """Return the name of the lease and of the checkpoint of a group."""
    return f"group_{group}"


def place_of(began: Checkpoint, checkpoint: Checkpoint) -> Checkpoint:
    """Return the place of a group: its checkpoint, or where it began if it never saved one."""
    is_new = checkpoint.saved_at is None and checkpoint.position < began.position
    return began if is_new else checkpoint


class _Refused(Exception):
    """The handler refused a message that a newer version of the program must handle."""


class GroupMember(LeasedReader):
    """A subscription of a group: only the member that holds the lease is given messages.

    The checkpoint moves over events that are handled, and over those that nobody wants. It also
    names the later ones that are handled while an earlier one is being retried, so that the next
    process handles neither of them again.

    A member that was paused beyond its lease begins no more messages. Handlers that it had begun
    may run beside those of the next member, until they return.

    Args:
        group: The name of the group.
        begin: Returns where the group began, after creating it if it does not exist any more.
        source: The events.
        handler: Handles one message.
        concurrency: The maximum number of messages that are handled at once.
        store: As for ``LeasedReader``.
        clock: As for ``LeasedReader``.
        owner: As for ``LeasedReader``.
        observing: As for ``LeasedReader``.

    Attributes:
        group: The name of the group.
    """

    def __init__(
        self,
        group: str,
        begin: Callable[[], Awaitable[Checkpoint]],
        source: Source,
        handler: MessageHandler,
        concurrency: int,
        *,
        store: Storage,
        clock: Clock,
        owner: str,
        observing: Observing | None = None,
    ) -> None:
        super().__init__(
            reader_of(group), f"group {group}", store, clock, owner=owner, observing=observing
        )
        self.group = group
        self._begin = begin
        self._closing = asyncio.Event()
        self._is_late = False  # a worker has found the lease expired
        self._delivery = Delivery(
            source, handler, concurrency, may_begin=self._may_begin, steps_down=True
        )

    @property
    def condition(self) -> ReaderCondition:
        """The condition of the member. To leave a message to newer code is not a failure."""
        condition = super().condition
        is_refusal = isinstance(condition.last_failure, _Refused)
        return evolve(condition, failure=None, last_failure=None) if is_refusal else condition

    async def close(self) -> None:
        """See ``Subscription.close``. A handler that closes its own subscription is not awaited."""
        self._closing.set()
        self._delivery.changed.set()
        if asyncio.current_task() not in self._delivery.workers:
            assert self._task is not None, "it was started"
            await asyncio.wait([self._task])
            await self._delivery.stopped()  # those that an earlier term of the lease has left

    def abandon(self) -> None:
        """Cancel everything, whatever the handlers are doing."""
        self._closing.set()
        assert self._task is not None, "it was started"
        self._task.cancel()
        self._delivery.abandon()

    def _is_over(self) -> bool:
        return self._closing.is_set()

    async def _pause(self, delay_s: float) -> None:
        await first_done(self._clock.sleep(delay_s), self._closing.wait())

    async def _forget(self) -> None:
        """Do nothing: handlers get repeats as they come."""

    def _failed(self, error: BaseException) -> float:
        if not isinstance(error, _Refused):
            return super()._failed(error)
        self._failures += 2  # step down at once; the handler has logged why
        self._last_failure = error
        self._report(self._position, failure=error)
        return STEP_DOWN_S + RETRY.delay_s(self._failures - 1)

    async def _read(self, lease: Lease) -> None:
        delivery = self._delivery
        await delivery.begin(await self._place(lease))
        self._is_late = False
        reading = asyncio.ensure_future(delivery.read())
        reading.add_done_callback(lambda _: delivery.changed.set())
        try:
            while not (self._closing.is_set() or delivery.refused or reading.done()):
                await self._next_save(lease)
            delivery.stop()
            ending = asyncio.ensure_future(delivery.stopped())
            ending.add_done_callback(lambda _: delivery.changed.set())
            try:
                while not ending.done():
                    await self._next_save(lease)
            finally:
                await stop(ending)
        finally:
            delivery.stop()
            await stop(reading)
        if not reading.cancelled():
            await reading  # which failed
        if delivery.refused:
            raise _Refused

    async def _next_save(self, lease: Lease) -> None:
        """Wait for progress, and save the checkpoint.

        Raises:
            LeaseLost: This process was paused, and another one may hold the lease by now.
        """
        await self._delivery.changed.wait()
        self._delivery.changed.clear()
        await self._save(self._delivery.checkpoint(), lease)
        if self._is_late:
            raise LeaseLost(self._name, lease.token)

    async def _save(self, checkpoint: Checkpoint, lease: Lease) -> None:
        if checkpoint == self._checkpoint:
            return
        await self._store.save_checkpoint(
            self._name,
            checkpoint.position,
            event_id=checkpoint.event_id,
            token=lease.token,
            done=checkpoint.done,
        )
        self._moved(checkpoint)

    async def _place(self, lease: Lease) -> Checkpoint:
        """Return the place to go on from: the checkpoint, or where the group began."""
        # The group may have been deleted while this member waited for the lease.
        began = await self._begin()
        await self._resume()
        if place_of(began, self._checkpoint) is began:
            await self._check_history(began)
            await self._save(began, lease)
        return self._checkpoint

    def _may_begin(self) -> bool:
        if asyncio.get_running_loop().time() < self._held_until_s:
            return not self._closing.is_set()
        self._is_late = True
        self._delivery.changed.set()
        return False
