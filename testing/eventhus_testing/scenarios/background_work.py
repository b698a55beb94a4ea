"""Background work of an application, awaited by log position."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from eventhus import Application, Command, DeadlineOvertaken, Delivered, Process, View
from eventhus.errors import KeyParked, LogChanged, ReaderStopped
from eventhus_testing.app_internals import AppInternals
from eventhus_testing.doubles.clock import ManualClock

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

    async def carried(self, positions: Collection[int]) -> tuple[object, ...]:
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

        Without a bus, event handlers read the log as well, and are awaited, too.

        Raises:
            InvalidArgument: A reader is not part of the application.
            KeyParked: A reader has parked a key because it failed on an event.
            ReaderStopped: A reader has stopped because it failed on an event.
            TimeoutError: A reader did not catch up in time.
        """
        await self._wait_for(dict.fromkeys([*self._internals.processes, *readers]))

    async def passed(self, by: timedelta) -> None:
        """Let time pass, and wait as ``settled`` does for every deadline that is reached.

        Raises:
            TypeError: The application has no ``ManualClock``, or the time is not above 0.
        """
        clock = self._internals.clock
        if not isinstance(clock, ManualClock):
            raise TypeError(
                f"time passes on a ManualClock, and the application has a {type(clock).__name__}; "
                f"compose it with clock=ManualClock()"
            )
        if by <= timedelta():
            raise TypeError(f"a time above 0 passes, found {by!r}")
        await self.settled()
        end = clock.now() + by
        while (due := await self._next_due()) is not None and due <= end:
            clock.set(max(due, clock.now()))
            async with asyncio.timeout(self.patience_s):
                while await self._next_due() == due:
                    await self.settled()
                    await asyncio.sleep(0)  # the timer runs meanwhile
            await self.settled()
        clock.set(max(end, clock.now()))

    async def _next_due(self) -> datetime | None:
        """Return the time of the earliest armed deadline of any process."""
        times: list[datetime] = []
        for process in self._internals.processes:
            armed = await self._internals.store.load_armed(
                self._internals.collection(process), limit=1
            )
            times += [each.due for each in armed if each.due is not None]
        return min(times, default=None)

    async def deadlines(self, process: Process[Any, Any], key: str) -> dict[str, datetime]:
        """Return the times of the armed deadlines of a key, by name.

        Raises:
            InvalidArgument: The process is not part of the application.
        """
        await self.settled(process)
        collection = self._internals.collection(process)
        found = await self._internals.store.load_documents(collection, [key])
        return {each.name: each.due for document in found.values() for each in document.deadlines}

    async def all_settled(self) -> None:
        """Wait as ``settled`` does for all views and processes, except those that have raised.

        Otherwise a view that fails and that no check has looked at would go unnoticed.
        """
        readers: list[Reader] = [*self._internals.processes, *self._internals.views]
        await self._wait_for(each for each in readers if each not in self._failed)

    async def _wait_for(self, readers: Iterable[Reader]) -> None:
        waited_for = tuple(readers)
        seen = -1
        async with asyncio.timeout(self.patience_s):
            while seen != (head := await self._internals.store.head()):
                for reader in waited_for:
                    await self._handled(reader, head)
                await self._internals.handlers_caught_up(head)
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
        log = [recorded async for recorded in self._internals.log()]
        overtaken = {
            each.metadata.causation_id for each in log if isinstance(each.event, DeadlineOvertaken)
        }
        for recorded in log:
            if type(recorded.event) not in process.events or recorded.id in overtaken:
                continue
            for key in process.keys(recorded):
                states[key] = process.next(key, states.get(key, process.initial), recorded)
                if recorded.position > after:
                    answers = process.reacted(key, states[key], recorded)
                    sent += [each for each in answers if isinstance(each, Command)]
        return tuple(sent)
