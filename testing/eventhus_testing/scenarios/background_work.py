"""What goes on behind the commands of an application, waited for by positions of its log."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from eventhus import Application, Command, Delivered, Process, View
from eventhus_testing.app_internals import AppInternals


class BackgroundWork:
    """The processes, views and messages of one application that runs.

    Args:
        app: The application.
        inside: The inside of it.
        patience_s: How long to wait at most for any of it.
    """

    def __init__(self, app: Application, internals: AppInternals, patience_s: float) -> None:
        self.patience_s = patience_s
        self._app = app
        self._internals = internals
        self._carried: dict[int, object] = {}  # the events that the bus delivered, by position
        self._delivery = asyncio.Event()

    async def listen(self, stack: AsyncExitStack) -> None:
        """Note what the bus delivers, if there is one, until a stack is left."""
        if self._internals.bus is not None:
            subscription = await self._app.subscribe(self._note)
            stack.push_async_callback(subscription.close)

    async def _note(self, delivered: Delivered[Any]) -> None:
        self._carried[delivered.position] = delivered.event
        self._delivery.set()

    async def carried(self, positions: range) -> tuple[object, ...]:
        """The events at these positions that came over the bus in time, in their order."""
        try:
            async with asyncio.timeout(self.patience_s):
                while not self._carried.keys() >= set(positions):
                    self._delivery.clear()
                    await self._delivery.wait()
        except TimeoutError:
            pass
        return tuple(self._carried[each] for each in positions if each in self._carried)

    async def settled(self, *readers: View[Any, Any] | Process[Any, Any]) -> None:
        """Wait until every process, and these, have seen the log, and nothing comes of it any more.

        Raises:
            InvalidArgument: One of them is not the application's.
            ReaderStopped: One of them cannot take an event.
            TimeoutError: They did not in time.
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
        """What a process that has seen the log sent because of what stands behind a position.

        It is what ``react`` says: a process sends that, each command once.
        """
        states: dict[str, Any] = {}
        sent: list[Command] = []
        async for recorded in self._internals.log():
            if type(recorded.event) not in process.events:
                continue
            key = process.key(recorded)
            if key is None:
                continue
            states[key] = process.evolve(states.get(key, process.initial), recorded)
            if recorded.position > after:
                sent += process.reacted(states[key], recorded)
        return tuple(sent)
