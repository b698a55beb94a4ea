"""A fair lock for each key."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class KeyedLock(Generic[K]):
    """Locks by key, granted in order of arrival. An unused key takes no memory."""

    def __init__(self) -> None:
        self._waiting: dict[K, deque[asyncio.Future[None]]] = {}

    async def acquire(self, key: K) -> None:
        """Wait for the key. The caller must ``release`` it."""
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = deque()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # Cancelled between being given the lock and taking it: pass it on.
            if turn.done() and not turn.cancelled():
                self.release(key)
            raise

    def release(self, key: K) -> None:
        """Pass the key to the caller that has waited longest."""
        waiting = self._waiting[key]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():  # otherwise its caller was cancelled while waiting
                turn.set_result(None)
                return
        del self._waiting[key]
