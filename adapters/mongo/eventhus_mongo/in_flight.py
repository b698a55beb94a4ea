"""Counts the calls under way, so that nothing is closed under their feet."""

from __future__ import annotations

import asyncio

from eventhus.errors import NotRunning


class Calls:
    """A context manager that each call enters."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._under_way = 0
        self._idle = asyncio.Event()
        self._closed = False

    def __enter__(self) -> None:
        """A call begins.

        Raises:
            NotRunning: The store has been left.
        """
        if self._closed:
            raise NotRunning(f"the store of bucket {self._bucket!r} has been left")
        self._under_way += 1

    def __exit__(self, *_: object) -> None:
        self._under_way -= 1
        if self._under_way == 0:
            self._idle.set()

    async def close(self) -> None:
        """Refuse new calls, and return once those under way have come to their end."""
        self._closed = True
        while self._under_way:
            self._idle.clear()
            await self._idle.wait()
