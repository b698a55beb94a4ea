"""Retries in memory: with back-off, and holding back one stream only."""

import asyncio
import logging

import pytest
from attrs import define, evolve, field

from eventhus.ports import EventBus, Message
from tests.adapters.memory.support import idle, message, messages, publish, soon, until
from tests.adapters.memory.timers import Timers


@define
class FailingHandler:
    """A handler that fails on some messages, each a given number of times."""

    failures: dict[str, int]
    attempts: list[tuple[str, int]] = field(factory=list[tuple[str, int]])
    accepted: list[str] = field(factory=list[str])

    async def __call__(self, message: Message) -> None:
        self.attempts.append((message.id, message.attempt))
        if self.failures.get(message.id, 0) >= message.attempt:
            raise RuntimeError("not now")
        self.accepted.append(message.id)


async def handle(bus: EventBus, failures: dict[str, int], *, members: int = 1) -> FailingHandler:
    handler = FailingHandler(failures)
    for _ in range(members):
        await bus.subscribe(handler, group="g")
    return handler


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """The warnings that the bus logs."""
    caplog.set_level(logging.WARNING, logger="eventhus_memory")
    return caplog


async def test_a_failed_message_is_retried_with_a_higher_attempt(
    bus: EventBus, timers: Timers
) -> None:
    handler = await handle(bus, {"a-1": 2})
    await publish(bus, [message("a")])
    await until(lambda: timers.pending)
    assert [("a-1", 1)] == handler.attempts
    timers.fire()
    await until(lambda: timers.pending)
    timers.fire()
    await until(lambda: handler.accepted)
    assert [("a-1", 1), ("a-1", 2), ("a-1", 3)] == handler.attempts
    await idle()
    assert [] == timers.pending


async def test_a_retried_message_differs_only_in_its_attempt(bus: EventBus, timers: Timers) -> None:
    seen: list[Message] = []

    async def refuse_once(given: Message) -> None:
        seen.append(given)
        if given.attempt == 1:
            raise RuntimeError

    await bus.subscribe(refuse_once)
    await publish(bus, [message("a")])
    await until(lambda: timers.pending)
    timers.fire()
    await until(lambda: len(seen) == 2)
    assert [message("a"), evolve(message("a"), attempt=2)] == seen


async def test_the_delays_grow_up_to_a_second(bus: EventBus, timers: Timers) -> None:
    handler = await handle(bus, {"a-1": 10})
    await publish(bus, [message("a")])
    for _ in range(10):
        await until(lambda: timers.pending)
        timers.fire()
    await until(lambda: handler.accepted)
    assert [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0, 1.0] == timers.delays_s


async def test_the_delay_stays_at_its_cap_after_thousands_of_failures(
    bus: EventBus, timers: Timers
) -> None:
    handler = await handle(bus, {"a-1": 5_000})
    await publish(bus, [evolve(message("a"), attempt=4_999), message("b")])
    await until(lambda: timers.pending)
    timers.fire()
    await until(lambda: timers.pending)
    timers.fire()
    await until(lambda: "a-1" in handler.accepted)
    assert [1.0, 1.0] == timers.delays_s
    assert {"a-1", "b-1"} == set(handler.accepted)


@pytest.mark.parametrize("members", [1, 3])
async def test_a_failed_message_holds_back_its_stream_only(
    bus: EventBus, timers: Timers, members: int
) -> None:
    handler = await handle(bus, {"a-2": 2}, members=members)
    await publish(bus, [*messages("a", 4), *messages("b", 2)])
    await until(lambda: timers.pending and "b-2" in handler.accepted)
    await publish(bus, [message("a", 5), message("b", 3), message("c")])
    await until(lambda: {"b-3", "c-1"} <= set(handler.accepted))
    assert ["a-1"] == [id_ for id_ in handler.accepted if id_[0] == "a"]
    timers.fire()
    await until(lambda: timers.pending)
    assert ["a-1"] == [id_ for id_ in handler.accepted if id_[0] == "a"]
    timers.fire()
    await until(lambda: "a-5" in handler.accepted)
    assert ["a-1", "a-2", "a-3", "a-4", "a-5"] == [id_ for id_ in handler.accepted if id_[0] == "a"]
    assert [1, 2, 3] == [attempt for id_, attempt in handler.attempts if id_ == "a-2"]


async def test_each_group_counts_its_own_attempts(bus: EventBus, timers: Timers) -> None:
    moody, content = FailingHandler({"a-1": 1}), FailingHandler({})
    await bus.subscribe(moody)
    await bus.subscribe(content)
    await publish(bus, messages("a", 2))
    await until(lambda: timers.pending and len(content.accepted) == 2)
    timers.fire()
    await until(lambda: len(moody.accepted) == 2)
    assert [("a-1", 1), ("a-2", 1)] == content.attempts
    assert [("a-1", 1), ("a-1", 2), ("a-2", 1)] == moody.attempts


async def test_another_member_retries_the_message_of_a_leaving_one(
    bus: EventBus, timers: Timers
) -> None:
    going = asyncio.Event()

    async def refuse(given: Message) -> None:
        await going.wait()
        raise RuntimeError

    staying = FailingHandler({})
    subscription = await bus.subscribe(refuse, group="g")
    await publish(bus, messages("a", 2))
    await idle()
    await bus.subscribe(staying, group="g")
    closing = asyncio.create_task(subscription.close())
    await idle()
    going.set()
    await until(closing.done)
    timers.fire()
    await until(lambda: len(staying.accepted) == 2)
    assert [("a-1", 2), ("a-2", 1)] == staying.attempts


async def test_closing_the_last_member_cancels_retries(bus: EventBus, timers: Timers) -> None:
    handler = FailingHandler({"a-1": 9})
    subscription = await bus.subscribe(handler)
    await publish(bus, [message("a")])
    await until(lambda: timers.pending)
    await soon(subscription.close())
    assert [] == timers.pending


async def test_a_failure_is_logged_without_the_message(
    bus: EventBus, timers: Timers, log: pytest.LogCaptureFixture
) -> None:
    await handle(bus, {"a-1": 1})
    await publish(bus, [message("a")])
    await until(lambda: timers.pending)
    (record,) = log.records
    assert ("WARNING", "the handler failed on a-1: RuntimeError; again in 0.01 s") == (
        record.levelname,
        record.getMessage(),
    )
    assert record.exc_info is not None
    assert RuntimeError is record.exc_info[0]
    assert "secret" not in log.text


async def test_a_handler_that_raises_cancelled_error_is_retried(
    bus: EventBus, timers: Timers
) -> None:
    handled: list[int] = []

    async def unlucky(given: Message) -> None:
        handled.append(given.attempt)
        if given.attempt == 1:
            raise asyncio.CancelledError

    await bus.subscribe(unlucky)
    await publish(bus, [message("a")])
    await until(lambda: timers.pending)
    timers.fire()
    await until(lambda: handled == [1, 2])
