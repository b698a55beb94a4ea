"""Leaving the bus in memory: every message is delivered first, and leaving always ends."""

import asyncio
import logging

import pytest

from eventhus.ports import EventBus, Message
from eventhus_memory import MemoryBus
from tests.adapters.memory.support import idle, message, messages, publish, soon, until
from tests.adapters.memory.timers import Timers


@pytest.fixture
async def bus(timers: Timers) -> EventBus:
    """An entered bus that the test leaves."""
    return await MemoryBus().__aenter__()


async def leave(bus: EventBus) -> None:
    await bus.__aexit__(None, None, None)


async def test_leaving_an_unused_bus_returns_at_once(bus: EventBus) -> None:
    await soon(leave(bus))


async def test_leaving_delivers_every_message_first(bus: EventBus) -> None:
    handled: dict[str, list[str]] = {"one": [], "other": []}

    async def one(given: Message) -> None:
        handled["one"].append(given.id)

    async def other(given: Message) -> None:
        for _ in range(3):
            await asyncio.sleep(0)
        handled["other"].append(given.id)

    await bus.subscribe(one)
    await bus.subscribe(other, group="g")
    await bus.subscribe(other, group="g")
    await publish(bus, messages("a", 10))
    await soon(leave(bus))
    expected = [each.id for each in messages("a", 10)]
    assert {"one": expected, "other": expected} == handled


async def test_leaving_waits_for_handlers(bus: EventBus) -> None:
    begun, finish = asyncio.Event(), asyncio.Event()
    done: list[str] = []

    async def slow(given: Message) -> None:
        begun.set()
        await finish.wait()
        done.append(given.id)

    await bus.subscribe(slow)
    await publish(bus, [message("a")])
    await begun.wait()
    leaving = asyncio.create_task(leave(bus))
    await idle()
    assert not leaving.done()
    finish.set()
    await until(leaving.done)
    assert ["a-1"] == done


async def test_leaving_delivers_what_handlers_publish(bus: EventBus) -> None:
    handled: list[str] = []

    async def answer(given: Message) -> None:
        handled.append(given.id)
        await asyncio.sleep(0)
        if len(handled) < 5:
            await publish(bus, [message("a", len(handled) + 1)])

    await bus.subscribe(answer)
    await publish(bus, [message("a", 1)])
    await soon(leave(bus))
    assert ["a-1", "a-2", "a-3", "a-4", "a-5"] == handled


async def test_no_message_is_delivered_after_leaving(bus: EventBus) -> None:
    handled: list[str] = []

    async def handle(given: Message) -> None:
        handled.append(given.id)

    subscription = await bus.subscribe(handle)
    await soon(leave(bus))
    await publish(bus, [message("a")])
    await soon(subscription.close())
    await idle()
    assert [] == handled


async def test_leaving_retries_each_failed_message_once(
    bus: EventBus, timers: Timers, caplog: pytest.LogCaptureFixture
) -> None:
    """A message that fails again is logged."""
    caplog.set_level(logging.ERROR, logger="eventhus_memory")
    attempts: list[tuple[str, int]] = []

    async def refuse(given: Message) -> None:
        attempts.append((given.id, given.attempt))
        if given.id != "a-2" and (given.id, given.attempt) != ("b-1", 2):
            raise RuntimeError("never")

    await bus.subscribe(refuse)
    await publish(bus, [*messages("a", 3), message("b")])
    await until(lambda: len(timers.pending) == 2)
    await soon(leave(bus))
    assert [] == timers.pending
    assert [("a-1", 1), ("a-1", 2), ("a-2", 1), ("a-3", 1)] == [
        attempt for attempt in attempts if attempt[0][0] == "a"
    ]
    assert [("b-1", 1), ("b-1", 2)] == [attempt for attempt in attempts if attempt[0] == "b-1"]
    assert [
        "the handler failed on a-1 while the bus was closing: RuntimeError",
        "the handler failed on a-3 while the bus was closing: RuntimeError",
    ] == [record.getMessage() for record in caplog.records]
    assert all(record.exc_info for record in caplog.records)
    assert "secret" not in caplog.text


@pytest.mark.parametrize("first", ["subscription", "bus"])
async def test_a_subscription_can_be_closed_while_the_bus_is_left(
    bus: EventBus, first: str
) -> None:
    begun, finish = asyncio.Event(), asyncio.Event()
    handled: list[str] = []

    async def slow(given: Message) -> None:
        begun.set()
        await finish.wait()
        handled.append(given.id)

    subscription = await bus.subscribe(slow)
    await publish(bus, messages("a", 2))
    await begun.wait()
    both = [subscription.close(), leave(bus)]
    ending: list[asyncio.Task[None]] = []
    for work in both if first == "subscription" else reversed(both):
        ending.append(asyncio.create_task(work))
        await idle()
    assert [False, False] == [task.done() for task in ending]
    finish.set()
    await until(lambda: all(task.done() for task in ending))
    assert ["a-1"] == handled


async def test_leaving_does_not_wait_for_messages_of_a_closed_group(
    bus: EventBus, timers: Timers
) -> None:

    async def refuse(given: Message) -> None:
        raise RuntimeError

    subscription = await bus.subscribe(refuse)
    await publish(bus, messages("a", 3))
    await until(lambda: timers.pending)
    await soon(subscription.close())
    await soon(leave(bus))


async def test_leaving_ends_after_a_handler_closed_its_own_subscription(bus: EventBus) -> None:

    async def once(given: Message) -> None:
        await subscription.close()

    subscription = await bus.subscribe(once)
    await publish(bus, messages("a", 2))
    await idle()
    await soon(leave(bus))


async def test_leaving_ends_after_a_handler_raised_cancelled_error(
    bus: EventBus, timers: Timers
) -> None:
    attempts: list[tuple[str, int]] = []

    async def unlucky(given: Message) -> None:
        attempts.append((given.id, given.attempt))
        if attempts == [("a-1", 1)]:
            raise asyncio.CancelledError

    await bus.subscribe(unlucky)
    await publish(bus, messages("a", 2))
    await idle()
    await soon(leave(bus))
    assert [("a-1", 1), ("a-1", 2), ("a-2", 1)] == attempts


async def test_a_handler_can_subscribe_while_the_bus_is_left(bus: EventBus) -> None:
    begun, finish = asyncio.Event(), asyncio.Event()

    async def invite(given: Message) -> None:
        begun.set()
        await finish.wait()
        await bus.subscribe(invite)

    await bus.subscribe(invite)
    await publish(bus, [message("a")])
    await begun.wait()
    leaving = asyncio.create_task(leave(bus))
    await idle()
    finish.set()
    await until(leaving.done)


async def test_cancelled_workers_end(bus: EventBus) -> None:
    """As when an event loop ends and the bus was not left."""

    async def wait_for_ever(given: Message) -> None:
        begun.set()
        await asyncio.Event().wait()

    begun = asyncio.Event()
    before = asyncio.all_tasks()
    await bus.subscribe(wait_for_ever)
    tasks = asyncio.all_tasks() - before
    await publish(bus, messages("a", 2))
    await begun.wait()
    for task in tasks:
        task.cancel()
    await until(lambda: all(task.done() for task in tasks))


async def test_a_bus_can_be_entered_again(bus: EventBus) -> None:
    handled: list[str] = []

    async def handle(given: Message) -> None:
        handled.append(given.id)

    await soon(leave(bus))
    async with bus:
        await bus.subscribe(handle, group="g")
        await publish(bus, [message("a")])
    assert ["a-1"] == handled
