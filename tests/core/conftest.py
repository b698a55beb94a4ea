"""A test of the kernel that waits for ever fails instead."""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 30  # far beyond what any test takes; it ends those that would never end


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bound every asynchronous test below this folder."""
    below = Path(__file__).parent
    for item in items:
        if not (isinstance(item, pytest.Function) and item.path.is_relative_to(below)):
            continue
        if inspect.iscoroutinefunction(item.obj):
            item.obj = bounded(item.obj)


def bounded(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., Awaitable[None]]:
    """The same test, failing once patience is over."""

    @functools.wraps(test)
    async def run(*args: Any, **kwargs: Any) -> None:
        task = asyncio.create_task(test(*args, **kwargs))
        done, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
        if not done:
            # All of them: the test may be waiting for those that it has started.
            for each in asyncio.all_tasks() - {asyncio.current_task()}:
                each.cancel()
            pytest.fail(f"still waiting after {PATIENCE_S} s")
        await task

    return run
