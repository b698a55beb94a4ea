"""What asyncio leaves to its users about the end of tasks."""

import asyncio
from typing import Any

AGAIN_S = 10.0  # longer than what a task does at its end takes, which it must not interrupt


def being_cancelled() -> bool:
    """Whether the current task is being cancelled, rather than something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def stop(task: asyncio.Future[Any]) -> None:
    """Cancel a task and return once it is done, whatever it ends with.

    Who still wants to know what that was can ask the task; else asyncio would log it as lost.

    A cancellation can get lost: before Python 3.12, ``asyncio.wait_for`` drops one that comes at
    the moment of the answer, and adapters' drivers do so too. So it is said again after a while.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN_S)
    if not task.cancelled():
        task.exception()
