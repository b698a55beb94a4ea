"""Background work of an application, awaited by log position."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from typing import Any, TypeAlias

from eventhus import Application, Command, Delivered, Process, View
from eventhus.errors import KeyParked, LogChanged, ReaderStopped
from eventhus_testing.app_internals import AppInternals

Reader: TypeAlias = View[Any, Any] | Process[Any, Any]


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
        self._failed: set[Reader] = set()  # as a check has told

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

    async def settled(self, *readers: Reader) -> None:
        """Wait until all processes and these readers have caught up and the log stops growing.

        Raises:
            InvalidArgument: A reader is not part of the application.
            KeyParked: A reader has parked a key because it failed on an event.
            ReaderStopped: A reader has stopped because it failed on an event.
            TimeoutError: A reader did not catch up in time.
        """
        await self._wait_for(dict.fromkeys([*self._internals.processes, *readers]))

    async def all_settled(self) -> None:
        """Wait as ``settled`` does for all views and processes, except those that have raised.

        Otherwise a view that fails and that no check has looked at would go unnoticed.
        """
        readers: list[Reader] = [*self._internals.processes, *self._internals.views]
        await self._wait_for(each for each in readers if each not in self._failed)

    async def _wait_for(self, readers: Iterable[Reader]) -> None:
        waited_for = tuple(readers)
        if not waited_for:
            return
        seen = -1
        async with asyncio.timeout(self.patience_s):
            while seen != (head := await self._internals.store.head()):
                for reader in waited_for:
                    await self._handled(reader, head)
                seen = head

    async def _handled(self, reader: Reader, head: int) -> None:
        try:
            await self._app.caught_up(reader, head)
            await self._must_not_be_parked(reader)
        except (KeyParked, LogChanged, ReaderStopped):
            self._failed.add(reader)
            raise

    async def _must_not_be_parked(self, reader: Reader) -> None:
        for parked in await self._app.parked(reader, limit=1):
            label = f"{type(reader).__name__.lower()} {reader.name}"
            raise KeyParked(label, parked.key, parked.position, parked.error)

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
                    answers = process.reacted(key, states[key], recorded)
                    sent += [each for each in answers if isinstance(each, Command)]
        return tuple(sent)
