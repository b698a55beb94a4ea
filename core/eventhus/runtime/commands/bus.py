"""Routes commands and decides which of them run at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from eventhus.errors import NotRunning, UnknownCommand
from eventhus.runtime.commands.envelope import Committed, Envelope
from eventhus.runtime.commands.executor import Executor


class CommandBus:
    """Carries out at most ``workers`` commands at once, those of one aggregate in order.

    A command is carried out in its caller's own task: there is no queue in between that could
    overflow, lose a command or answer the wrong caller. A caller that has to wait is the
    back-pressure, and cancelling it takes its command out of the line.
    """

    def __init__(self, routes: Mapping[type, Executor[Any, Any, Any]], *, workers: int) -> None:
        self._routes = routes
        self._workers = asyncio.Semaphore(workers)
        self._accepted = 0
        self._closing = False
        self._idle = asyncio.Event()

    async def handle(self, envelope: Envelope) -> Committed:
        """Carry out a command when its turn comes. Raises what ``Application.dispatch`` says."""
        command = envelope.command
        executor = self._routes.get(type(command))
        if executor is None:
            raise UnknownCommand(type(command), self._routes)
        if self._closing:
            raise NotRunning("the application is closing and takes no more commands")
        stream = executor.stream(command)
        self._accepted += 1
        try:
            # The aggregate's turn comes before a worker, so that a queue for one aggregate never
            # keeps the others from working.
            await executor.turns.acquire(stream.aggregate_id)
            try:
                async with self._workers:
                    return await executor.execute(stream, envelope)
            finally:
                executor.turns.release(stream.aggregate_id)
        finally:
            self._accepted -= 1
            if not self._accepted:
                self._idle.set()

    async def close(self) -> None:
        """Take no more commands, and return once those accepted are done."""
        self._closing = True
        while self._accepted:
            self._idle.clear()
            await self._idle.wait()
