"""Counts the calls in flight, so that the connection is not closed before they end."""

from __future__ import annotations

import asyncio

from eventhus.errors import NotRunning


class CallsInFlight:
    """A context manager that every call enters."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._count = 0
        self._idle = asyncio.Event()
        self._closed = False

    def __enter__(self) -> None:
        """Count a call.

        Raises:
            NotRunning: The store has been left.
        """
        if self._closed:
            raise NotRunning(f"the store of bucket {self._bucket!r} has been left")
        self._count += 1

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if self._count == 0:
            self._idle.set()

    async def close(self) -> None:
        """Refuse new calls, and wait for those in flight."""
        self._closed = True
        while self._count:
            self._idle.clear()
            await self._idle.wait()
