"""What asyncio leaves to its users about the end of tasks."""

import asyncio


def being_cancelled() -> bool:
    """Whether the current task is being cancelled, rather than something that it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel a task and return once it is done, whatever it ends with."""
    task.cancel()
    await asyncio.wait([task])
