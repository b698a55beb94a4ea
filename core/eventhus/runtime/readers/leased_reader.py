"""Follows the log under a lease, and restarts from its checkpoint after a failure."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from copy import copy
from typing import Any

from eventhus.adapter_support.backoff import Backoff
from eventhus.adapter_support.failure_log import summary, unexpected
from eventhus.adapter_support.tasks import being_cancelled, stop
from eventhus.errors import (
    LeaseLost,
    LogChanged,
    NotRunning,
    PublisherReplaced,
    ReaderBusy,
    ReaderStopped,
    StoreUnavailable,
    Superseded,
    VersionRetired,
)
from eventhus.ports.checkpoints import Checkpoint
from eventhus.ports.clock import Clock
from eventhus.ports.leases import Lease
from eventhus.ports.observer import ReaderFailed
from eventhus.ports.store import Storage
from eventhus.runtime.observing import Observing
from eventhus.runtime.readers.reader_condition import ReaderCondition

LEASE_S = 10.0  # the term of a lease; a leader that hangs is replaced after it
STANDBY_S = 1.0  # between two attempts of a stand-by to get the lease
STEP_DOWN_S = 1.5 * STANDBY_S  # a failing leader stays away until every stand-by has tried
# Between two looks at the checkpoint of another process, which mostly needs a few milliseconds.
POLL = Backoff(first_s=0.005, cap_s=0.05)
RETRY = Backoff(first_s=0.05, cap_s=5.0)
HANDOVERS = 3  # in a row that another process may cause by taking over; more of them are errors
_HANDOVER = (LeaseLost, PublisherReplaced)
_FINAL = (ReaderStopped, LogChanged, Superseded, VersionRetired)  # somebody must act
RELEASE_S = 5.0  # for releasing the lease at the end; it also expires by itself


def retry_s(failures: int) -> float:
    """Return the delay in seconds after so many failures in a row.

    The first retry comes soon, in case it was a passing one. After more, the leader steps down.
    """
    delay_s = RETRY.delay_s(failures)
    return delay_s if failures == 1 else STEP_DOWN_S + delay_s


async def acquire_alone(
    store: Storage, clock: Clock, name: str, owner: str, *, label: str
) -> Lease:
    """Acquire a lease as a new owner, whose token shuts out every earlier one.

    Raises:
        ReaderBusy: Another process holds the lease for longer than a term.
    """
    for _ in range(round(1.5 * LEASE_S / STANDBY_S)):
        lease = await store.acquire(name, owner, ttl_s=LEASE_S)
        if lease is not None:
            return lease
        await clock.sleep(STANDBY_S)
    raise ReaderBusy(label)


class LeasedReader(ABC):
    """The base of everything that follows the log and remembers its place in a checkpoint.

    Among the processes that share a store, the lease holder is the leader and reads; the others
    stand by. A leader that fails twice in a row steps down, so that a healthy stand-by can take
    over. Failures are logged under the module of the subclass: relay, projector or process runner.

    The checkpoint names an event. The reader stops with ``LogChanged`` when the log has another
    event at that position; it looks when it starts to read, and whenever it renews its lease.

    Args:
        name: The name of the lease and of the checkpoint, unique in the bucket.
        label: The name of the reader in messages, such as ``view orders``.
        store: Holds the log, the lease and the checkpoint.
        clock: Times the pauses.
        owner: The owner of the lease, unique for ever.
        lease: The name of the lease, if it is not that of the checkpoint.
        observing: Is told of failures, if given.
    """

    def __init__(
        self,
        name: str,
        label: str,
        store: Storage,
        clock: Clock,
        *,
        owner: str,
        lease: str | None = None,
        observing: Observing | None = None,
    ) -> None:
        self._name = name
        self._lease_name = lease or name
        self.label = label
        self._store = store
        self._clock = clock
        self._owner = owner
        self._observing = observing
        self._logger = logging.getLogger(type(self).__module__)
        self._position = 0  # everything up to here is done
        self._held_until_s = 0.0  # the lease, by the event loop's clock
        self._goal: int | None = None  # of drain
        self._checkpoint = Checkpoint()  # as it was last loaded or saved
        self._failures = 0  # since the last progress
        self._is_leader = True  # as far as this process knows
        self._failure: BaseException | None = None  # of the last attempt
        self._last_failure: BaseException | None = None  # since the last progress
        self._standstill = _Standstill()
        self._has_ended = False
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._progressed_s = 0.0  # when it started or last made progress, by the event loop's clock
        self._starting = asyncio.Lock()  # held by a rewind, so that only one task is left by it

    @abstractmethod
    async def _read(self, lease: Lease) -> None:
        """Follow the log from the checkpoint until cancelled, and ``_report`` the position.

        It may return once ``_is_over``.
        """

    def _is_over(self) -> bool:
        """Return whether to end without being cancelled."""
        return False

    async def _pause(self, delay_s: float) -> None:
        """Wait before the next attempt to lead."""
        await self._clock.sleep(delay_s)

    def start(self) -> None:
        """Start to read in a task of its own."""
        self._has_ended, self._is_leader = False, True
        self._progressed()
        self._task = asyncio.create_task(self.run(), name=f"eventhus {self.label}")

    def watch(self) -> None:
        """Read nothing, and only look at the progress of other processes."""
        self._has_ended, self._is_leader, self._failure = False, False, None
        self._task = None

    @property
    def condition(self) -> ReaderCondition:
        """The condition of the reader in this process."""
        is_started = self._task is not None
        is_handover = isinstance(self._last_failure, _HANDOVER) and self._failures <= HANDOVERS
        return ReaderCondition(
            owner=self._owner,
            is_running=is_started and not self.is_stopped,
            has_ended=is_started and self.is_stopped and not self._starting.locked(),
            failure=None if is_handover else self._failure,
            last_failure=None if is_handover else self._last_failure,
            idle_s=asyncio.get_running_loop().time() - self._progressed_s,
        )

    @property
    def is_stopped(self) -> bool:
        """Return whether its task has ended, or was not started."""
        return self._task is None or self._task.done()

    async def stop(self) -> None:
        """Stop reading, and wait until that is done. A rewind is awaited first."""
        async with self._starting:
            await self._stop()
            self._has_ended = True

    async def _stop(self) -> None:
        if self._task is not None:
            await stop(self._task)

    async def rewind(self, position: int = 0) -> None:
        """Set the checkpoint back, while nobody reads, and start again if it was started.

        Raises:
            ReaderBusy: Another process holds the lease for longer than a term.
        """
        async with self._starting:
            was_started = self._task is not None
            await self._stop()
            try:
                lease = await self._acquire_alone(self._lease_name, f"{self._owner} rewinds")
                try:
                    # In this order: after a crash between the two, nothing is missing.
                    await self._store.save_checkpoint(self._name, position, token=lease.token)
                    await self._forget()
                    self._position, self._failure = position, None
                finally:
                    await self._release(lease)
            finally:
                if was_started:
                    self.start()

    @abstractmethod
    async def _forget(self) -> None:
        """Delete everything that was derived from the events after the new position."""

    async def _acquire_alone(self, name: str, owner: str) -> Lease:
        """Acquire a lease as ``acquire_alone`` does."""
        return await acquire_alone(self._store, self._clock, name, owner, label=self.label)

    async def run(self) -> None:
        """Read until cancelled. After a failure, restart from the checkpoint with back-off."""
        lease: Lease | None = None
        try:
            while not self._is_over():
                delay_s = STANDBY_S
                try:
                    lease = await self._ask_for(self._lease_name, self._owner)
                    if lease is None:
                        self._failures, self._last_failure = 0, None
                        self._report(self._position, is_leader=False)
                        await self._watch_leader()
                    else:
                        await self._while_holding(lease, self._read(lease))
                except asyncio.CancelledError as error:
                    if being_cancelled():
                        raise
                    # An adapter raised it, which must not end the reader.
                    delay_s = self._failed(error)
                except Exception as error:  # noqa: BLE001 - adapters may raise anything
                    delay_s = self._failed(error)
                if lease is not None and self._failures > 1:
                    await self._step_down(lease)
                    lease = None
                await self._pause(delay_s)
        finally:
            self._has_ended = True
            self._changed.set()
            if lease is not None:
                await self._release(lease)

    async def drain(self) -> None:
        """Wait until everything that the log holds now is done, or cannot be done here.

        A failing reader or a stand-by leaves the rest to another process, or to a later run.
        """
        self._goal = await self._store.head()
        while self._position < self._goal and self._is_leader and self._failure is None:
            await self._change()

    async def caught_up(self, position: int) -> None:
        """Wait until everything up to ``position`` is done, in whichever process.

        Raises:
            ReaderStopped: This process cannot handle an event, and no other has handled it.
            LogChanged: The log has another history than the reader has read.
            VersionRetired: This version of a view was pruned.
            NotRunning: The reader ended first.
        """
        looks = 0
        while self._position < position:
            if self._has_ended:
                raise NotRunning(
                    f"the application was left before {self.label} reached position {position}"
                )
            failure = self._failure
            if self._is_leader and not isinstance(failure, _FINAL):
                await self._change()
            elif (await self._store.load_checkpoint(self._name)).position >= position and (
                not isinstance(failure, LogChanged)
            ):
                return
            elif isinstance(failure, _FINAL):
                raise copy(failure) from failure.__cause__
            else:
                looks += 1
                await self._clock.sleep(POLL.delay_s(looks))

    async def reached(self) -> int:
        """Return the position up to which everything is done, in whichever process."""
        if self._is_leader and self._position:
            return self._position
        return (await self._store.load_checkpoint(self._name)).position

    async def parked_keys(self) -> int:
        """Return the number of parked keys, up to the most that there may be."""
        return 0

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _while_holding(self, lease: Lease, work: Coroutine[Any, Any, None]) -> None:
        """Await ``work`` and renew the lease meanwhile. Without the lease, the work is cancelled.

        Raises:
            LeaseLost: Another owner holds the lease by now.
            LogChanged: The log has another history than the reader has read.
            TimeoutError: The store did not answer in time.
        """
        working = asyncio.create_task(work)
        try:
            while not (await asyncio.wait([working], timeout=LEASE_S / 3))[0]:
                # If the store does not answer in time, another process may hold the lease by now.
                async with asyncio.timeout(LEASE_S / 3):
                    renewed = await self._ask_for(lease.name, lease.owner)
                if renewed != lease:
                    raise LeaseLost(lease.name, lease.token)
                await self._check_history(self._checkpoint)
        finally:
            await stop(working)
        await working

    async def _ask_for(self, name: str, owner: str) -> Lease | None:
        """Acquire or renew a lease, and note until when this reader holds its own."""
        asked_s = asyncio.get_running_loop().time()
        lease = await self._store.acquire(name, owner, ttl_s=LEASE_S)
        if lease is not None and name == self._lease_name:
            self._held_until_s = asked_s + LEASE_S
        return lease

    async def _resume(self) -> int:
        """Load the checkpoint and return its position, to read on from there.

        Raises:
            LogChanged: The log has another history than the reader has read.
        """
        self._checkpoint = await self._store.load_checkpoint(self._name)
        await self._check_history(self._checkpoint)
        self._report(self._checkpoint.position)
        return self._checkpoint.position

    async def _check_history(self, checkpoint: Checkpoint) -> None:
        if not checkpoint.event_id:
            return
        page = await self._store.read(after=checkpoint.position - 1, limit=1)
        actual = page.event_id if page.events else ""
        if actual != checkpoint.event_id:
            raise LogChanged(self.label, checkpoint.position, checkpoint.event_id, actual)

    def _progressed(self) -> None:
        """Take note that the reader does something, even if its checkpoint does not move yet."""
        self._progressed_s = asyncio.get_running_loop().time()
        self._last_failure = None

    def _moved(self, checkpoint: Checkpoint) -> None:
        self._progressed()
        self._failures = 0
        self._checkpoint = checkpoint
        self._report(checkpoint.position)

    async def _step_down(self, lease: Lease) -> None:
        if not isinstance(self._failure, StoreUnavailable):  # else it expires by itself
            await self._release(lease)

    async def _watch_leader(self) -> None:
        """Warn once for each standstill of the leader that lasts longer than a term."""
        if not self._standstill.is_due():
            return
        checkpoint = await self._store.load_checkpoint(self._name)
        if self._standstill.has_lasted(checkpoint.position, await self._store.head()):
            self._logger.warning(
                "%s: the leader has stood at position %d for more than %g s, and the log has gone "
                "on; look at the process that holds the lease",
                self.label,
                checkpoint.position,
                LEASE_S,
            )

    def _failed(self, error: BaseException) -> float:
        """Log a failure; return the seconds to wait before the next attempt."""
        self._failures += 1
        self._last_failure = error
        delay_s = retry_s(self._failures)
        self._report(self._position, failure=error)
        is_handover = isinstance(error, _HANDOVER)
        if is_handover and self._failures <= HANDOVERS:
            self._logger.info("%s stopped at position %d: %s", self.label, self._position, error)
            return delay_s
        if self._observing is not None:
            self._observing.note(
                ReaderFailed(
                    application=self._observing.application, reader=self.label, error=error
                )
            )
        if isinstance(error, ReaderStopped):
            self._logger.error("%s; retrying in %.2f s", error, delay_s, exc_info=error)
        else:
            self._logger.error(
                "%s stopped at position %d: %s; retrying in %.2f s",
                self.label,
                self._position,
                _cause(error, LEASE_S / 3),
                delay_s,
                exc_info=unexpected(error, TimeoutError),
            )
        return delay_s

    def _report(
        self, position: int, *, is_leader: bool = True, failure: BaseException | None = None
    ) -> None:
        self._position = position
        self._is_leader = is_leader
        self._failure = failure
        self._changed.set()

    async def _release(self, lease: Lease) -> None:
        try:
            async with asyncio.timeout(RELEASE_S):
                await self._store.release(lease)
        except Exception as error:  # it expires by itself
            self._logger.warning(
                "the lease of the %s was not released and expires in %g s: %s",
                self.label,
                LEASE_S,
                _cause(error, RELEASE_S),
                exc_info=unexpected(error, TimeoutError),
            )


def _cause(error: BaseException, limit_s: float) -> str:
    if isinstance(error, TimeoutError):
        return f"TimeoutError: the store did not answer within {limit_s:g} s"
    return summary(error)


class _Standstill:
    """A stand-by's watch over the leader: has it moved its checkpoint?"""

    def __init__(self) -> None:
        self._polls = 0
        self._position = -1  # a term ago
        self._is_known = False  # it was warned of

    def is_due(self) -> bool:
        """Count a poll of the stand-by, and return whether a term has passed."""
        self._polls += 1
        return self._polls % round(LEASE_S / STANDBY_S) == 0

    def has_lasted(self, position: int, head: int) -> bool:
        """Return whether the leader has not moved for a term although the log has gone on.

        Each standstill counts once.
        """
        stands = position == self._position and position < head
        is_new = stands and not self._is_known
        self._position, self._is_known = position, stands
        return is_new
