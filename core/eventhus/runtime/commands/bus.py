"""Bounds how many commands run at once, and orders those of one stream."""

from __future__ import annotations

import asyncio

from attrs import astuple

from eventhus.domain.recorded import StreamId
from eventhus.errors import NotRunning
from eventhus.runtime.commands.envelope import Committed, Envelope
from eventhus.runtime.commands.executor import Executor
from eventhus.runtime.commands.keyed_lock import KeyedLock
from eventhus.runtime.commands.router import Router


class CommandBus:
    """Runs at most ``workers`` commands at once, and those of one stream in order.

    A command runs in its caller's task. There is no queue that could overflow, lose a command or
    answer the wrong caller. A waiting caller is the back-pressure, and cancelling it withdraws its
    command.
    """

    def __init__(self, router: Router, executor: Executor, *, workers: int) -> None:
        self._router = router
        self._executor = executor
        self._locks: KeyedLock[StreamId] = KeyedLock()
        self._workers = asyncio.Semaphore(workers)
        self._accepted = 0
        self._closing = False
        self._idle = asyncio.Event()

    @property
    def accepted(self) -> int:
        """The number of commands that are under way, including those that wait for their turn."""
        return self._accepted

    async def handle(self, envelope: Envelope) -> Committed:
        """Carry out a command when its turn comes. Raises what ``Application.dispatch`` does."""
        unit = self._router.unit(envelope)
        if self._closing:
            raise NotRunning("the application is closing and takes no more commands")
        # Every command locks its streams in the same order, so that no two wait for each other.
        streams = unit.streams
        if len(streams) > 1:
            streams = sorted(streams, key=astuple)
        held = 0
        self._accepted += 1
        try:
            # The locks come before a worker, so that callers who wait for one aggregate never
            # occupy the workers of others.
            for stream in streams:
                await self._locks.acquire(stream)
                held += 1
            await self._workers.acquire()
            try:
                return await self._executor.execute(unit, envelope)
            finally:
                self._workers.release()
        finally:
            for stream in streams[:held]:
                self._locks.release(stream)
            self._accepted -= 1
            if not self._accepted:
                self._idle.set()

    async def close(self) -> None:
        """Refuse new commands, and wait until the accepted ones are done."""
        self._closing = True
        while self._accepted:
            self._idle.clear()
            await self._idle.wait()
