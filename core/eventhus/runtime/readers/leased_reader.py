"""Follows the log under a lease, and restarts from its checkpoint after a failure."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod

from eventhus.adapter_support.backoff import Backoff
from eventhus.adapter_support.failure_log import summary, unexpected
from eventhus.adapter_support.tasks import being_cancelled, stop
from eventhus.errors import LeaseLost, NotRunning, PublisherReplaced, ReaderStopped
from eventhus.ports.clock import Clock
from eventhus.ports.leases import Lease
from eventhus.ports.store import Storage

LEASE_S = 10.0  # the term of a lease; a leader that hangs is replaced after it
STANDBY_S = 1.0  # between two attempts of a stand-by to get the lease
POLL_S = 0.05  # between two looks at the checkpoint of another process
RETRY = Backoff(first_s=0.05, cap_s=5.0)
HANDOVERS = 3  # in a row that another process may cause by taking over; more of them are errors
RELEASE_S = 5.0  # for releasing the lease at the end; it also expires by itself


class LeasedReader(ABC):
    """The base of everything that follows the log and remembers its place in a checkpoint.

    Among the processes that share a store, the lease holder is the leader and reads; the others
    stand by. Failures are logged under the module of the subclass: relay, projector or process
    runner.

    Args:
        name: The name of the lease and of the checkpoint, unique in the bucket.
        label: What the reader is, for messages.
        store: Holds the log, the lease and the checkpoint.
        clock: Times the pauses.
        owner: The owner of the lease, unique for ever.
    """

    def __init__(self, name: str, label: str, store: Storage, clock: Clock, *, owner: str) -> None:
        self._name = name
        self.label = label
        self._store = store
        self._clock = clock
        self._owner = owner
        self._logger = logging.getLogger(type(self).__module__)
        self._position = 0  # everything up to here is done
        self._goal: int | None = None  # of drain
        self._failures = 0  # since the last progress
        self._is_leader = True  # as far as this process knows
        self._failure: BaseException | None = None  # of the last attempt
        self._has_ended = False
        self._changed = asyncio.Event()

    @abstractmethod
    async def _read(self, lease: Lease) -> None:
        """Follow the log from the checkpoint until cancelled, and ``_report`` the position."""

    async def run(self) -> None:
        """Read until cancelled. After a failure, restart from the checkpoint with back-off."""
        lease: Lease | None = None
        try:
            while True:
                delay_s = STANDBY_S
                try:
                    lease = await self._store.acquire(self._name, self._owner, ttl_s=LEASE_S)
                    if lease is None:
                        self._failures = 0
                        self._report(self._position, is_leader=False)
                    else:
                        await self._read_while_leading(lease)
                except asyncio.CancelledError as error:
                    if being_cancelled():
                        raise
                    delay_s = self._failed(
                        error
                    )  # an adapter raised it; it must not end the reader
                except Exception as error:  # noqa: BLE001 - adapters may raise anything
                    delay_s = self._failed(error)
                await self._clock.sleep(delay_s)
        finally:
            self._has_ended = True
            self._changed.set()
            if lease is not None:
                await self._release(lease)

    async def drain(self) -> None:
        """Wait until everything that the log holds now is done, or cannot be done here.

        What a failing reader or a stand-by leaves behind is done by another process, or later.
        """
        self._goal = await self._store.head()
        while self._position < self._goal and self._is_leader and self._failure is None:
            await self._change()

    async def caught_up(self, position: int) -> None:
        """Wait until everything up to ``position`` is done, in whichever process.

        Raises:
            ReaderStopped: This process cannot handle an event.
            NotRunning: The reader ended first.
        """
        while self._position < position:
            if self._has_ended:
                raise NotRunning(
                    f"the application was left before {self.label} reached position {position}"
                )
            if isinstance(self._failure, ReaderStopped):
                raise ReaderStopped(*self._failure.args) from self._failure.__cause__
            if self._is_leader:
                await self._change()
            elif await self._store.load_checkpoint(self._name) >= position:
                return
            else:
                await self._clock.sleep(POLL_S)

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _read_while_leading(self, lease: Lease) -> None:
        reading = asyncio.create_task(self._read(lease))
        try:
            while not (await asyncio.wait([reading], timeout=LEASE_S / 3))[0]:
                # If the store does not answer in time, another process may be the leader by now.
                async with asyncio.timeout(LEASE_S / 3):
                    renewed = await self._store.acquire(self._name, self._owner, ttl_s=LEASE_S)
                if renewed != lease:
                    raise LeaseLost(self._name, lease.token)
        finally:
            await stop(reading)
        await reading

    def _moved(self, position: int) -> None:
        self._failures = 0
        self._report(position)

    def _failed(self, error: BaseException) -> float:
        """Log a failure; return the seconds to wait before the next attempt."""
        self._failures += 1
        delay_s = RETRY.delay_s(self._failures)
        self._report(self._position, failure=error)
        is_handover = isinstance(error, LeaseLost | PublisherReplaced)
        if is_handover and self._failures <= HANDOVERS:
            self._logger.info("%s stopped at position %d: %s", self.label, self._position, error)
        elif isinstance(error, ReaderStopped):
            self._logger.error("%s; retrying in %.2f s", error, delay_s, exc_info=error)
        else:
            self._logger.error(
                "%s stopped at position %d: %s; retrying in %.2f s",
                self.label,
                self._position,
                summary(error),
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
                summary(error),
                exc_info=unexpected(error, TimeoutError),
            )
