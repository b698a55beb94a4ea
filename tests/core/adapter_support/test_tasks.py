"""The end of tasks, as far as asyncio leaves it to its users."""

import asyncio
import gc

import pytest

from eventhus.adapter_support import keeping_cancellations, tasks
from eventhus.adapter_support.tasks import first_done, stop, together
from tests.core.waiting import settle


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


async def test_a_caller_that_is_cancelled_while_it_stops_a_task() -> None:
    """The caller leaves only after the task, which nobody else would wait for."""
    cleaning, cleaned = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            try:
                await cleaned.wait()
            except asyncio.CancelledError:
                await cleaned.wait()  # a clean-up that cannot be interrupted

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    stopping = asyncio.create_task(stop(task))
    await cleaning.wait()
    stopping.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not stopping.done()
    cleaned.set()
    await asyncio.wait([stopping])
    assert (True, True) == (task.done(), stopping.cancelled())


async def test_a_caller_that_is_cancelled_again_leaves_none_of_several_tasks_behind() -> None:
    """The clean-ups of all of them run side by side."""
    cleaned = asyncio.Event()
    cleaning: list[asyncio.Task[None]] = []

    async def work() -> None:
        task = asyncio.current_task()
        assert task is not None
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.append(task)
            try:
                await cleaned.wait()
            except asyncio.CancelledError:
                await cleaned.wait()

    working = asyncio.create_task(together([work(), work()]))
    await settle()
    working.cancel()
    await settle()
    began = len(cleaning)
    working.cancel()
    await settle()
    left_early = working.done()
    cleaned.set()
    await asyncio.wait([working])
    assert (2, False) == (began, left_early)
    assert [True, True] == [task.done() for task in cleaning]


@pytest.mark.parametrize("fails", [True, False])
async def test_the_first_that_is_done_ends_the_others(fails: bool) -> None:
    """Even if it failed: it was a wait, and has no result."""
    cleaned: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.append("the other")

    async def end() -> None:
        await asyncio.sleep(0)
        if fails:
            raise ZeroDivisionError

    await first_done(wait(), end())
    assert ["the other"] == cleaned


async def test_a_block_that_drops_a_cancellation() -> None:
    """It is told at the end of the block, and one that came before the block is not."""
    reached: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            with keeping_cancellations():
                reached.append("after the first")
            with keeping_cancellations():
                try:
                    await asyncio.Event().wait()
                except asyncio.CancelledError:
                    reached.append("dropped the second")
            reached.append("went on")

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    for _ in range(2):
        task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait([task])
    assert task.cancelled()
    assert ["after the first", "dropped the second"] == reached
