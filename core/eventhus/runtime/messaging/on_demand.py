"""A source of messages that a run enters at once, or not before it is needed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from eventhus.ports.bus import MessageSource


class OnDemand:
    """A source of messages during one run. If it has been entered, it is left with the run.

    Args:
        source: The source.
    """

    def __init__(self, source: MessageSource) -> None:
        self._source = source
        self._stack = AsyncExitStack()
        self._entering = asyncio.Lock()
        self._entered: MessageSource | None = None

    async def entered(self) -> MessageSource:
        """Return the source, after entering it if this is the first call that succeeds.

        Raises:
            BusUnavailable: The bus could not be reached, or did not answer in time.
        """
        async with self._entering:
            if self._entered is None:
                self._entered = await self._stack.enter_async_context(self._source)
            return self._entered

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Leave the source, once nobody is entering it any more."""
        async with self._entering:
            await self._stack.__aexit__(exc_type, exc, traceback)
