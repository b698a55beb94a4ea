"""Tracks the calls in flight, so that the connection is not closed before they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from eventhus.errors import NotRunning, StoreUnavailable
from eventhus_mongo.driver_errors import translating_errors

T = TypeVar("T")


class CallsInFlight:
    """A context manager that every call enters, in whose task it runs."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._in_flight: dict[asyncio.Task[object], int] = {}  # and how often each was cancelled
        self._abandoned: set[asyncio.Task[object]] = set()
        self._is_cut_off = False
        self._idle = asyncio.Event()
        self._closed = False

    async def carry_out(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Carry out a call in a task of its own, which goes on when the caller is cancelled.

        The driver must not be interrupted. If that happens twice while it waits for a connection,
        such as by a timeout inside a timeout, it keeps a lock for ever, before Python 3.12, and no
        later call gets a connection. An abandoned call ends after ``timeoutMS`` at the latest.

        Args:
            work: Makes the call. The driver's errors are translated.
        """
        task = asyncio.create_task(self._counted(work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.done():
                self._abandoned.add(task)
                task.add_done_callback(self._forget)
            raise

    def _forget(self, task: asyncio.Task[object]) -> None:
        self._abandoned.discard(task)
        if not task.cancelled():
            task.exception()  # nobody else asks, and asyncio would log it

    async def _counted(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        with self, translating_errors(self._bucket):
            return await work()

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
            if not (task in self._abandoned and task.cancelling()):
                task.cancel()

    async def close(self) -> None:
        """Refuse new calls, end the abandoned ones, and wait for those in flight."""
        self._closed = True
        for task in self._abandoned:
            task.cancel()
        while self._in_flight:
            self._idle.clear()
            await self._idle.wait()
