"""The worker loop that every bus runs for a subscription."""

import asyncio
from typing import Any

import pytest

from eventhus import StreamId
from eventhus.adapter_support import StreamQueues, WorkerPool
from eventhus.ports import Message


def message(aggregate_id: str) -> Message:
    return Message(id=aggregate_id, stream=StreamId("Account", aggregate_id), body=b"{}")


class Bus:
    """Stream queues with a pool, and a handler that waits at a gate."""

    def __init__(self, *ids: str, concurrency: int = 1, is_open: bool = False) -> None:
        self.queues = StreamQueues()
        for each in ids:
            self.queues.add(message(each))
        self.gate = asyncio.Event()
        if is_open:
            self.gate.set()
        self.begun: list[str] = []
        self.handled: list[tuple[str, BaseException | None]] = []
        self.may_begin = True
        self.pool = WorkerPool(
            self.handle,
            concurrency,
            handled=self.settle,
            may_begin=lambda: self.may_begin,
        )
        self.pool.start(self.queues)

    async def handle(self, given: Message) -> None:
        self.begun.append(given.id)
        await self.gate.wait()
        if given.id == "bad":
            raise SystemError("bad")

    async def settle(self, given: Message, failure: BaseException | None) -> None:
        self.handled.append((given.id, failure))
        self.queues.done(given)


async def settled() -> None:
    """Let everything happen that needs no gate."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_as_many_messages_at_once_as_there_are_workers() -> None:
    bus = Bus("a", "b", "c", concurrency=2)
    await settled()
    assert ["a", "b"] == bus.begun == [each.id for each in bus.pool.in_progress]
    bus.gate.set()
    await settled()
    assert [("a", None), ("b", None), ("c", None)] == bus.handled
    bus.pool.stop()
    await bus.pool.wait()


async def test_a_worker_outlives_a_failing_handler() -> None:
    bus = Bus("bad", "a", is_open=True)
    await settled()
    assert ["bad", "a"] == [id_ for id_, _ in bus.handled]
    assert isinstance(bus.handled[0][1], SystemError)
    bus.pool.stop()
    await bus.pool.wait()


async def test_stop_ends_idle_workers_and_lets_busy_ones_finish() -> None:
    bus = Bus("a", concurrency=2)
    await settled()
    bus.queues.add(message("b"))
    bus.pool.stop()
    await settled()
    assert [True, False] == sorted((each.done() for each in bus.pool.workers), reverse=True)
    bus.gate.set()
    await bus.pool.wait()
    assert [("a", None)] == bus.handled
    assert bus.pool.is_over


async def test_abandon_cancels_busy_workers() -> None:
    bus = Bus("a")
    await settled()
    bus.pool.abandon()
    await bus.pool.wait()
    assert (True, [], []) == (bus.pool.is_over, bus.handled, bus.pool.in_progress)


async def test_a_message_that_may_not_begin_stays_in_its_queue() -> None:
    bus = Bus()
    await settled()
    bus.may_begin = False
    bus.queues.add(message("a"))
    await bus.pool.wait()
    assert [] == bus.begun
    assert "a" == (await bus.queues.take()).id


async def test_a_handler_that_never_waits_does_not_block_the_event_loop() -> None:
    bus = Bus(*map(str, range(50)), is_open=True)
    seen: list[int] = []
    while len(bus.handled) < 50:
        seen.append(len(bus.handled))
        await asyncio.sleep(0)
    assert len(seen) > 25
    bus.pool.stop()
    await bus.pool.wait()


async def test_wait_called_by_a_handler_does_not_deadlock() -> None:
    async def close(given: Message) -> None:
        pool.stop()
        await pool.wait()

    async def settle(given: Message, failure: BaseException | None) -> None:
        queues.done(given)

    queues = StreamQueues()
    queues.add(message("a"))
    pool = WorkerPool(close, 2, handled=settle)
    pool.start(queues)
    async with asyncio.timeout(10):
        await pool.wait()
    assert not queues


@pytest.mark.parametrize("times", [1, 2])
async def test_a_pool_can_be_started_again(times: int) -> None:
    bus = Bus("a", is_open=True)
    for _ in range(times):
        await settled()
        bus.pool.stop()
        await bus.pool.wait()
        bus.queues.add(message("b"))
        bus.pool.start(bus.queues)
    await settled()
    assert ["a"] + ["b"] * times == bus.begun
    bus.pool.stop()
    await bus.pool.wait()


async def test_a_plain_function_that_raises_is_a_failure() -> None:
    failures: list[BaseException | None] = []

    def plain(given: Message) -> Any:
        raise ValueError("not a coroutine function")

    async def settle(given: Message, failure: BaseException | None) -> None:
        failures.append(failure)
        queues.done(given)
        pool.stop()

    queues = StreamQueues()
    queues.add(message("a"))
    pool = WorkerPool(plain, 1, handled=settle)
    pool.start(queues)
    await pool.wait()
    assert isinstance(failures[0], ValueError)
