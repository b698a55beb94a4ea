"""Waiting without sleeps: for other tasks, and for a condition."""

import asyncio
from collections.abc import Awaitable, Callable


async def settle() -> None:
    """Let every task run until it waits; nothing in memory needs more turns."""
    for _ in range(200):
        await asyncio.sleep(0)


async def eventually(condition: Callable[[], object]) -> None:
    """Return once ``condition`` holds; fail if all tasks wait and it does not."""
    for _ in range(20_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("every task waits, and the condition does not hold")


async def eventually_so(condition: Callable[[], Awaitable[object]]) -> None:
    """Do the same for a condition that must be awaited."""
    for _ in range(20_000):
        if await condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("every task waits, and the condition does not hold")
