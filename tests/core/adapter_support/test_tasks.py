"""What asyncio leaves to its users about the end of tasks."""

import asyncio
import gc

import pytest

from eventhus.adapter_support import tasks
from eventhus.adapter_support.tasks import stop


async def test_a_task_that_is_over() -> None:
    """There is nothing to stop, whatever it ended with."""

    async def fail() -> None:
        raise ZeroDivisionError

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    await stop(task)
    assert isinstance(task.exception(), ZeroDivisionError)


async def test_a_cancellation_that_gets_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """Is said again, as drivers and older versions of asyncio drop some."""
    monkeypatch.setattr(tasks, "AGAIN_S", 0.01)
    lost: list[int] = []

    async def deaf() -> None:
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if len(lost) == 2:
                    raise
                lost.append(1)

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await stop(task)
    assert (2, True) == (len(lost), task.cancelled())


async def test_the_result_of_a_stopped_task_is_not_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It can be asked for, and is not logged where nobody does."""

    async def fail() -> None:
        raise ValueError("mine")

    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    await stop(task)
    with pytest.raises(ValueError, match="mine"):
        await task
    task = asyncio.create_task(fail())
    await asyncio.wait([task])
    await stop(task)
    del task
    gc.collect()
    assert [] == caplog.records
