"""Background work of an application, awaited by log position."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from eventhus import Application, Command, Delivered, Process, View
from eventhus_testing.app_internals import AppInternals


class BackgroundWork:
    """The processes, views and bus messages of one running application.

    Args:
        app: The application.
        internals: The internals of the application.
        patience_s: The longest wait for each step, in seconds.
    """

    def __init__(self, app: Application, internals: AppInternals, patience_s: float) -> None:
        self.patience_s = patience_s
        self._app = app
        self._internals = internals
        self._carried: dict[int, object] = {}  # the events that the bus delivered, by position
        self._delivery = asyncio.Event()

    async def listen(self, stack: AsyncExitStack) -> None:
        """Record the events that the bus delivers until the stack is closed."""
        if self._internals.bus is not None:
            subscription = await self._app.subscribe(self._note)
            stack.push_async_callback(subscription.close)

    async def _note(self, delivered: Delivered[Any]) -> None:
        self._carried[delivered.position] = delivered.event
        self._delivery.set()

    async def carried(self, positions: range) -> tuple[object, ...]:
        """Return the events at these positions that the bus delivered in time, in log order."""
        try:
            async with asyncio.timeout(self.patience_s):
                while not self._carried.keys() >= set(positions):
                    self._delivery.clear()
                    await self._delivery.wait()
        except TimeoutError:
            pass
        return tuple(self._carried[each] for each in positions if each in self._carried)

    async def settled(self, *readers: View[Any, Any] | Process[Any, Any]) -> None:
        """Wait until all processes and these readers have caught up and the log stops growing.

        Raises:
            InvalidArgument: A reader is not part of the application.
            ReaderStopped: A reader has stopped because it failed on an event.
            TimeoutError: A reader did not catch up in time.
        """
        waited_for = dict.fromkeys([*self._internals.processes, *readers])
        if not waited_for:
            return
        seen = -1
        async with asyncio.timeout(self.patience_s):
            while seen != (head := await self._internals.store.head()):
                for reader in waited_for:
                    await self._app.caught_up(reader, head)
                seen = head

    async def sent(self, process: Process[Any, Any], after: int) -> tuple[Command, ...]:
        """Return the commands that a process sent because of events after a position.

        The process must have caught up. The commands are those that ``react`` returns, because a
        process sends each of them once.
        """
        states: dict[str, Any] = {}
        sent: list[Command] = []
        async for recorded in self._internals.log():
            if type(recorded.event) not in process.events:
                continue
            for key in process.keys(recorded):
                states[key] = process.next(key, states.get(key, process.initial), recorded)
                if recorded.position > after:
                    sent += process.reacted(key, states[key], recorded)
        return tuple(sent)
