"""Helpers for running and cancelling tasks."""

import asyncio
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

AGAIN_S = 10.0  # longer than the clean-up of a task, which must not be interrupted


def being_cancelled() -> bool:
    """Return whether the current task is being cancelled, not something that it awaited."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


@contextmanager
def keeping_cancellations() -> Iterator[None]:
    """Raise ``CancelledError`` at the end of the block if one that arrived inside was dropped.

    Before Python 3.12, ``asyncio.wait_for`` drops a cancellation that arrives with the result.
    Drivers use it for their requests.
    """
    task = asyncio.current_task()
    assert task is not None
    before = task.cancelling()
    yield
    if task.cancelling() > before:
        raise asyncio.CancelledError


async def stop(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until all are done, whatever they end with.

    Their exceptions count as retrieved, so asyncio does not log them. A caller that is cancelled
    waits on: the tasks would be left running. They are cancelled again then, and after a while,
    since a driver can drop a cancellation.
    """
    interruption: asyncio.CancelledError | None = None
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        try:
            await asyncio.wait(running, timeout=AGAIN_S)
        except asyncio.CancelledError as error:
            interruption = error
    for task in tasks:
        if not task.cancelled():
            task.exception()
    if interruption is not None:
        raise interruption


async def first_done(*works: Coroutine[Any, Any, object]) -> None:
    """Await all of them until one is done, whatever it ends with, and stop the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await stop(*tasks)


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
        await stop(*tasks)
