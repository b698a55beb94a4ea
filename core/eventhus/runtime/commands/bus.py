"""Routes commands, and bounds how many run at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from eventhus.errors import InvalidArgument, NotRunning, UnknownCommand
from eventhus.runtime.commands.envelope import Committed, Envelope
from eventhus.runtime.commands.executor import Executor


class CommandBus:
    """Runs at most ``workers`` commands at once, and those of one aggregate in order.

    A command runs in its caller's task. There is no queue that could overflow, lose a command or
    answer the wrong caller. A waiting caller is the back-pressure, and cancelling it withdraws its
    command.
    """

    def __init__(self, routes: Mapping[type, Executor[Any, Any, Any]], *, workers: int) -> None:
        self._routes = routes
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
        command = envelope.command
        executor = self._routes.get(type(command))
        if executor is None:
            if isinstance(command, type):
                raise InvalidArgument(
                    f"expected a command, found class {command.__qualname__}; create an instance"
                )
            raise UnknownCommand(type(command), self._routes)
        if self._closing:
            raise NotRunning("the application is closing and takes no more commands")
        stream = executor.stream(command)
        self._accepted += 1
        try:
            # The aggregate's lock comes before a worker, so that callers who wait for one
            # aggregate never occupy the workers of others.
            await executor.lock.acquire(stream.aggregate_id)
            try:
                async with self._workers:
                    return await executor.execute(stream, envelope)
            finally:
                executor.lock.release(stream.aggregate_id)
        finally:
            self._accepted -= 1
            if not self._accepted:
                self._idle.set()

    async def close(self) -> None:
        """Refuse new commands, and wait until the accepted ones are done."""
        self._closing = True
        while self._accepted:
            self._idle.clear()
            await self._idle.wait()
