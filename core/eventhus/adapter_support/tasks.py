"""Helpers for running and cancelling tasks."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

AGAIN_S = 10.0  # longer than the clean-up of a task, which must not be interrupted


def being_cancelled() -> bool:
    """Return whether the current task is being cancelled, not something that it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def stop(task: asyncio.Future[Any]) -> None:
    """Cancel a task and wait until it is done, whatever it ends with.

    The task's exception counts as retrieved, so asyncio does not log it.

    A cancellation can get lost: before Python 3.12, ``asyncio.wait_for`` drops one that arrives
    with the result, and some drivers do so too. It is therefore repeated after a while.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN_S)
    if not task.cancelled():
        task.exception()


async def together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Await all of them at once; cancel the others and raise the first error if one fails.

    Other than in a task group, an ``asyncio.CancelledError`` that an adapter raises is an error.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    waiting = set(tasks)
    try:
        while waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
    finally:
        for task in tasks:
            await stop(task)
