"""Turns by key: one holder at a time for each key, in order of arrival."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class KeyedLock(Generic[K]):
    """A fair lock per key. A key that nobody holds or waits for takes no memory."""

    def __init__(self) -> None:
        self._waiting: dict[K, deque[asyncio.Future[None]]] = {}

    async def acquire(self, key: K) -> None:
        """Return once it is the caller's turn. The caller must ``release`` the key."""
        waiting = self._waiting.get(key)
        if waiting is None:
            self._waiting[key] = deque()
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # Cancelled after being given the turn and before taking it: pass it on.
            if turn.done() and not turn.cancelled():
                self.release(key)
            raise

    def release(self, key: K) -> None:
        """Give the turn to whoever has waited for it longest."""
        waiting = self._waiting[key]
        while waiting:
            turn = waiting.popleft()
            if not turn.done():  # else its caller was cancelled while waiting
                turn.set_result(None)
                return
        del self._waiting[key]
