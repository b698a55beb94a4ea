"""Tests of ``FaultyBus``."""

import asyncio
from collections.abc import Callable

import pytest

from eventhus import Application, Delivered, StreamId
from eventhus.ports import EventBus, Message
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryBus, MemoryStore
from eventhus_testing.conformance import BusConformance
from eventhus_testing.doubles.clock import ManualClock
from eventhus_testing.doubles.faulty_bus import FaultyBus, _LastInFirstOut
from examples.bank.account import AccountEvent, CreateAccount, PerformDeposit, account


class TestFaultyBus(BusConformance):
    """The contract of buses, for a ``FaultyBus`` without faults."""

    def bus(self, bucket: str) -> FaultyBus:
        """Return the bus of the bucket."""
        buses: dict[str, FaultyBus] = self.__dict__.setdefault("buses", {})
        return buses.setdefault(bucket, FaultyBus(MemoryBus()))


def message(aggregate_id: str, number: int) -> Message:
    """Return the ``number``-th message of an aggregate."""
    return Message(
        id=f"{aggregate_id}-{number}", stream=StreamId("Account", aggregate_id), body=b"{}"
    )


class Inbox:
    """A handler that records its messages and raises once for each of the refused ones."""

    def __init__(self, *refused: str) -> None:
        self.given: list[tuple[str, int]] = []
        self.refused = set(refused)
        self.at_once = self.most = 0

    async def __call__(self, message: Message) -> None:
        """Record a message, after a turn of the event loop."""
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        self.given.append((message.id, message.attempt))
        if message.id in self.refused:
            self.refused.remove(message.id)
            raise RuntimeError("not now")

    @property
    def ids(self) -> list[str]:
        """Return the ids of the messages in order."""
        return [id_ for id_, _ in self.given]


async def publish(bus: EventBus, *messages: Message) -> None:
    await (await bus.publisher()).publish(messages)


async def until(condition: Callable[[], object]) -> None:
    """Wait until a condition holds. In memory, that takes turns of the event loop and no time."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - handlers set no event
            await asyncio.sleep(0)


async def test_repeats_delivers_every_message_twice_with_one_attempt() -> None:
    inbox = Inbox()
    async with FaultyBus(MemoryBus()) as bus:
        bus.repeats()
        await bus.subscribe(inbox)
        await publish(bus, message("a", 1), message("a", 2))
    assert [("a-1", 1), ("a-1", 1), ("a-2", 1), ("a-2", 1)] == inbox.given


async def test_a_repeated_message_is_counted_from_the_call_on() -> None:
    inbox = Inbox()
    async with FaultyBus(MemoryBus()) as bus:
        await bus.subscribe(inbox)
        await publish(bus, message("a", 1))
        await until(lambda: inbox.given)
        bus.repeats(at=2)
        await publish(bus, message("a", 2), message("a", 3), message("a", 4))
    assert ["a-1", "a-2", "a-3", "a-3", "a-4"] == inbox.ids


async def test_a_lost_acknowledgement_redelivers_with_a_higher_attempt() -> None:
    inbox = Inbox()
    async with FaultyBus(MemoryBus()) as bus:
        bus.loses_acknowledgement(at=1)
        await bus.subscribe(inbox)
        await publish(bus, message("a", 1), message("a", 2))
    assert [("a-1", 1), ("a-1", 2), ("a-2", 1)] == inbox.given


async def test_a_lost_acknowledgement_waits_for_an_attempt_that_succeeds() -> None:
    inbox = Inbox("a-1")
    async with FaultyBus(MemoryBus()) as bus:
        bus.loses_acknowledgement()
        await bus.subscribe(inbox)
        await publish(bus, message("a", 1))
        await until(lambda: len(inbox.given) == 3)
    assert [("a-1", 1), ("a-1", 2), ("a-1", 3)] == inbox.given


async def test_a_message_can_be_repeated_and_redelivered() -> None:
    inbox = Inbox()
    async with FaultyBus(MemoryBus()) as bus:
        bus.repeats(at=1)
        bus.loses_acknowledgement(at=1)
        await bus.subscribe(inbox)
        await publish(bus, message("a", 1))
    assert [("a-1", 1), ("a-1", 1), ("a-1", 2)] == inbox.given


@pytest.mark.parametrize(
    ("concurrency", "expected"),
    [(1, ["c-1", "b-1", "a-1", "b-2"]), (2, ["c-1", "b-1", "a-1", "b-2"])],
)
async def test_reorders_handles_the_last_first_but_keeps_the_order_of_an_aggregate(
    concurrency: int, expected: list[str]
) -> None:
    inbox = Inbox()
    async with FaultyBus(MemoryBus()) as bus:
        bus.reorders()
        await bus.subscribe(inbox, concurrency=concurrency)
        await publish(bus, message("a", 1), message("b", 1), message("b", 2), message("c", 1))
        await until(lambda: len(inbox.given) == 4)
    assert (expected, concurrency) == (inbox.ids, inbox.most)


async def test_without_faults_the_order_is_kept() -> None:
    inbox = Inbox()
    async with FaultyBus(MemoryBus()) as bus:
        await bus.subscribe(inbox)
        await publish(bus, message("a", 1), message("b", 1), message("c", 1))
    assert ["a-1", "b-1", "c-1"] == inbox.ids


@pytest.mark.parametrize("turns", [0, 1])
async def test_a_task_cancelled_in_the_queue_passes_its_turn_on(turns: int) -> None:
    line, served = _LastInFirstOut(free=1), list[str]()
    doors = {name: asyncio.Event() for name in "abc"}

    async def stay(name: str) -> None:
        async with line.turn():
            served.append(name)
            await doors[name].wait()

    a, b = asyncio.create_task(stay("a")), asyncio.create_task(stay("b"))
    await until(lambda: served)  # the last, which is b
    c = asyncio.create_task(stay("c"))
    await asyncio.sleep(0)
    doors["b"].set()
    for _ in range(turns):
        await asyncio.sleep(0)
    c.cancel()
    await until(lambda: len(served) == 2)
    doors["a"].set()
    await asyncio.gather(a, b)
    assert ["b", "a"] == served


def test_a_message_number_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="counted from 1, found at=0"):
        FaultyBus(MemoryBus()).repeats(at=0)


def bank(bus: EventBus) -> Application:
    return Application(
        bucket="bank",
        aggregates=[account],
        store=MemoryStore(),
        bus=bus,
        codec=CattrsCodec(),
        clock=ManualClock(jumps=True),
    )


async def test_a_handler_that_deduplicates_ids_counts_each_event_once() -> None:
    deposits: dict[str, int] = {}
    handled: set[str] = set()
    attempts: list[int] = []

    async def count(delivered: Delivered[AccountEvent]) -> None:
        attempts.append(delivered.attempt)
        if delivered.id not in handled:
            handled.add(delivered.id)
            key = delivered.stream.aggregate_id
            deposits[key] = deposits.get(key, 0) + 1

    bus = FaultyBus(MemoryBus())
    bus.repeats()
    bus.loses_acknowledgement()
    bus.reorders()
    async with bank(bus) as app:
        await app.subscribe(count)
        for aggregate_id in ("a1", "a2"):
            await app.dispatch(CreateAccount(aggregate_id=aggregate_id, owner="ann"))
            await app.dispatch(PerformDeposit(aggregate_id=aggregate_id, amount=1))
    assert {"a1": 2, "a2": 2} == deposits
    assert sorted([1, 1, 2] * 4) == sorted(attempts)
