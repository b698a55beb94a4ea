"""One run of an application, from entering to leaving it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from types import TracebackType

from eventhus.adapter_support.tasks import being_cancelled
from eventhus.ports.store import Page, StoredEvent
from eventhus.runtime.commands.envelope import Handler
from eventhus.runtime.messaging.on_demand import OnDemand


class Run:
    """The command handler, the open resources and the followers of a running application.

    Attributes:
        handle: Carries out a command.
        messages: The source of messages.
        loop: The event loop that entered the application.
    """

    def __init__(self, handle: Handler, messages: OnDemand, resources: AsyncExitStack) -> None:
        self.handle = handle
        self.messages = messages
        self.loop = asyncio.get_running_loop()
        self._resources = resources
        self._leaving = asyncio.Event()
        self._pending: set[asyncio.Future[Page | None]] = set()

    async def leave(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End all followers, then close the resources in reverse order."""
        self._leaving.set()
        for pending in self._pending:
            pending.cancel()
        await self._resources.__aexit__(exc_type, exc, traceback)

    async def follow(self, pages: AsyncGenerator[Page, None]) -> AsyncGenerator[StoredEvent, None]:
        """Yield the events of ``pages`` until the application is being left."""
        async with aclosing(pages):
            while not self._leaving.is_set() and (page := await self._next(pages)):
                for stored in page.events:
                    yield stored
                    if self._leaving.is_set():
                        return

    async def _next(self, pages: AsyncGenerator[Page, None]) -> Page | None:
        """Await the next page; return ``None`` if there is none before the application is left."""
        pending = asyncio.ensure_future(anext(pages, None))
        self._pending.add(pending)
        try:
            return await pending
        except asyncio.CancelledError:
            if self._leaving.is_set() and pending.cancelled() and not being_cancelled():
                return None
            raise
        finally:
            self._pending.discard(pending)
