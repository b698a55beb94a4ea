"""Tracks the calls in flight, so that the connection is not closed before they end."""

from __future__ import annotations

import asyncio

from eventhus.errors import NotRunning, StoreUnavailable


class CallsInFlight:
    """A context manager that every call enters."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._in_flight: dict[asyncio.Task[object], int] = {}  # and how often each was cancelled
        self._is_cut_off = False
        self._idle = asyncio.Event()
        self._closed = False

    def __enter__(self) -> None:
        """Begin a call.

        Raises:
            NotRunning: The store has been left.
        """
        if self._closed:
            raise NotRunning(f"the store of bucket {self._bucket!r} has been left")
        task = asyncio.current_task()
        assert task is not None
        self._in_flight[task] = task.cancelling()

    def __exit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        """End a call.

        Raises:
            StoreUnavailable: ``cut_off`` ended the call.
        """
        task = asyncio.current_task()
        assert task is not None
        cancels = self._in_flight.pop(task)
        if not self._in_flight:
            self._idle.set()
        # As asyncio.timeout does: a cancellation by the caller still arrives as one.
        if self._is_cut_off and task.uncancel() <= cancels and exc_type is asyncio.CancelledError:
            raise StoreUnavailable(
                self._bucket, "the store was left before its server answered"
            ) from None

    @property
    def is_cut_off(self) -> bool:
        """Return whether ``cut_off`` was called."""
        return self._is_cut_off

    def cut_off(self) -> None:
        """End the calls in flight at once; each raises ``StoreUnavailable``."""
        self._closed = self._is_cut_off = True
        for task in self._in_flight:
            task.cancel()

    async def close(self) -> None:
        """Refuse new calls, and wait for those in flight."""
        self._closed = True
        while self._in_flight:
            self._idle.clear()
            await self._idle.wait()
