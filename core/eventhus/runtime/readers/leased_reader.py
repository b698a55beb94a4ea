"""Goes along the log in the background: one process of many at a time, whatever fails."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod

from eventhus.adapter_support.tasks import being_cancelled, stop
from eventhus.errors import LeaseLost, NotRunning, PublisherReplaced, ReaderStopped
from eventhus.ports.clock import Clock
from eventhus.ports.leases import Lease
from eventhus.ports.store import Storage

LEASE_S = 10.0  # how long a reader that says nothing keeps the others from taking its place
STANDBY_S = 1.0  # between two looks at whether the lease is free
POLL_S = 0.05  # between two looks at how far another process has come
BACKOFF_S = 0.05  # doubles with every failure in a row, up to the cap
BACKOFF_CAP_S = 5.0
DOUBLINGS = 10  # enough to reach the cap
HANDOVERS = 3  # in a row that another may cause by taking over; more is trouble
RELEASE_S = 5.0  # for giving the lease back at the end; it runs out by itself


class LeasedReader(ABC):
    """Something that follows the log and remembers in a checkpoint how far it has come.

    Of all processes that share a store one does it: the one that holds the lease. What goes
    wrong is logged under the name of the module that says what it reads for: the relay's, the
    projector's or the process runner's.

    Args:
        name: Names its lease and its checkpoint, in the bucket.
        label: What it is, in words.
        store: Where the log, the lease and the checkpoint are.
        clock: Pauses.
        owner: Who asks for the lease: unique for ever.
    """

    def __init__(self, name: str, label: str, store: Storage, clock: Clock, *, owner: str) -> None:
        self._name = name
        self.label = label
        self._store = store
        self._clock = clock
        self._owner = owner
        self._logger = logging.getLogger(type(self).__module__)
        self._position = 0  # everything up to here is done
        self._failures = 0  # since something was done
        self._ours = True  # as far as we know
        self._trouble: BaseException | None = None  # since the last attempt
        self._ended = False
        self._changed = asyncio.Event()

    @abstractmethod
    async def _read(self, lease: Lease) -> None:
        """Go along the log behind the checkpoint, until cancelled; ``_report`` how far."""

    async def run(self) -> None:
        """Read for ever. Where something fails, try again from the checkpoint."""
        lease: Lease | None = None
        try:
            while True:
                delay = STANDBY_S
                try:
                    lease = await self._store.acquire(self._name, self._owner, ttl_s=LEASE_S)
                    if lease is None:
                        self._failures = 0
                        self._report(self._position, ours=False)
                    else:
                        await self._read_while_held(lease)
                except asyncio.CancelledError as error:
                    if being_cancelled():
                        raise
                    delay = self._failed(error)  # an adapter's own: it must not end the reader
                except Exception as error:  # noqa: BLE001 - adapters fail as they like
                    delay = self._failed(error)
                await self._clock.sleep(delay)
        finally:
            self._ended = True
            self._changed.set()
            if lease is not None:
                await self._release(lease)

    async def drain(self) -> None:
        """Return once all that the log holds now is done, or cannot be.

        What is left behind by a reader that is in trouble or not in charge, another does.
        """
        head = await self._store.head()
        while self._position < head and self._ours and self._trouble is None:
            await self._change()

    async def caught_up(self, position: int) -> None:
        """Return once everything up to a position is done, in whichever process.

        Raises:
            ReaderStopped: An event is in the way, in this process.
            NotRunning: The reader has come to its end before that.
        """
        while self._position < position:
            if self._ended:
                raise NotRunning(
                    f"the application was left before {self.label} had come to position {position}"
                )
            if isinstance(self._trouble, ReaderStopped):
                raise ReaderStopped(*self._trouble.args) from self._trouble.__cause__
            if self._ours:
                await self._change()
            elif await self._store.load_checkpoint(self._name) >= position:
                return
            else:
                await self._clock.sleep(POLL_S)

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _read_while_held(self, lease: Lease) -> None:
        reading = asyncio.create_task(self._read(lease))
        try:
            while not (await asyncio.wait([reading], timeout=LEASE_S / 3))[0]:
                # A store that does not answer in time leaves it open whose turn it is.
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
        """Tell of it; returns how long to wait before the next attempt."""
        delay: float = min(BACKOFF_CAP_S, BACKOFF_S * 2 ** min(self._failures, DOUBLINGS))
        self._failures += 1
        self._report(self._position, trouble=error)
        handover = isinstance(error, LeaseLost | PublisherReplaced)
        if handover and self._failures <= HANDOVERS:
            self._logger.info(
                "%s stopped behind position %d: %s", self.label, self._position, error
            )
        elif isinstance(error, ReaderStopped):
            self._logger.error("%s; trying again in %.2f s", error, delay, exc_info=error)
        else:
            self._logger.error(
                "%s stopped behind position %d; trying again in %.2f s",
                self.label,
                self._position,
                delay,
                exc_info=error,
            )
        return delay

    def _report(
        self, position: int, *, ours: bool = True, trouble: BaseException | None = None
    ) -> None:
        self._position = position
        self._ours = ours
        self._trouble = trouble
        self._changed.set()

    async def _release(self, lease: Lease) -> None:
        try:
            async with asyncio.timeout(RELEASE_S):
                await self._store.release(lease)
        except Exception as error:  # it runs out by itself
            self._logger.warning(
                "the lease of the %s is free in %g s only", self.label, LEASE_S, exc_info=error
            )
