"""Hooks: callbacks that block or fail a call of a test double."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

Hook: TypeAlias = Callable[..., Awaitable[None]]
"""A callback that gets the arguments of the call that it runs before or after."""


class Gate:
    """A hook that blocks every caller until it is opened."""

    def __init__(self) -> None:
        self.arrived = asyncio.Event()
        self.opened = asyncio.Event()
        self.waiting = 0

    async def __call__(self, *_: object) -> None:
        """Wait at the gate."""
        self.arrived.set()
        self.waiting += 1
        try:
            await self.opened.wait()
        finally:
            self.waiting -= 1


def fail_with(error: Exception) -> Hook:
    """Return a hook that raises a new exception each time, as a driver does."""

    async def hook(*_: object) -> None:
        raise type(error)(*error.args)

    return hook


def at(wanted: Iterable[int], hook: Hook) -> Hook:
    """Return a hook that acts only at the given calls, counted from 1."""
    calls = 0
    wanted = frozenset(wanted)

    async def counted(*args: object) -> None:
        nonlocal calls
        calls += 1
        if calls in wanted:
            await hook(*args)

    return counted
