"""The bus that does what buses may do, when it is told to."""

import asyncio
from collections.abc import Callable

import pytest

from eventhus import Application, Delivered, StreamId
from eventhus.ports import EventBus, Message
from eventhus_cattrs import CattrsCodec
from eventhus_memory import MemoryBus, MemoryStore
from eventhus_testing.conformance import BusConformance
from eventhus_testing.doubles.clock import ManualClock
from eventhus_testing.doubles.faulty_bus import FaultyBus, _LastFirst
from examples.bank.account import AccountEvent, CreateAccount, PerformDeposit, account


class TestFaultyBus(BusConformance):
    """Without faults, it is a bus like the one behind it."""

    def bus(self, bucket: str) -> FaultyBus:
        """The bus of the bucket."""
        buses: dict[str, FaultyBus] = self.__dict__.setdefault("buses", {})
        return buses.setdefault(bucket, FaultyBus(MemoryBus()))


def message(aggregate_id: str, number: int) -> Message:
    """The ``number``-th of an aggregate."""
    return Message(
        id=f"{aggregate_id}-{number}", stream=StreamId("Account", aggregate_id), body=b"{}"
    )


class Inbox:
    """A handler that notes what it is given, and refuses what it is told to, once."""

    def __init__(self, *refused: str) -> None:
        self.given: list[tuple[str, int]] = []
        self.refused = set(refused)
        self.at_once = self.most = 0

    async def __call__(self, message: Message) -> None:
        """Take a turn or two."""
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
        """The ids, in order."""
        return [id_ for id_, _ in self.given]


async def publish(bus: EventBus, *messages: Message) -> None:
    await (await bus.publisher()).publish(messages)


async def until(condition: Callable[[], object]) -> None:
    """Everything is in memory, so it needs turns and no time; a retry takes a little."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - of a handler there is no event
            await asyncio.sleep(0)


async def test_every_message_is_repeated() -> None:
    """Right behind itself, as the same attempt."""
    inbox = Inbox()
    async with FaultyBus(MemoryBus()) as bus:
        bus.repeats()
        await bus.subscribe(inbox)
        await publish(bus, message("a", 1), message("a", 2))
    assert [("a-1", 1), ("a-1", 1), ("a-2", 1), ("a-2", 1)] == inbox.given


async def test_one_message_is_repeated() -> None:
    """The n-th from here on."""
    inbox = Inbox()
    async with FaultyBus(MemoryBus()) as bus:
        await bus.subscribe(inbox)
        await publish(bus, message("a", 1))
        await until(lambda: inbox.given)
        bus.repeats(at=2)
        await publish(bus, message("a", 2), message("a", 3), message("a", 4))
    assert ["a-1", "a-2", "a-3", "a-3", "a-4"] == inbox.ids


async def test_an_acknowledgement_is_lost() -> None:
    """What was handled comes again, and says that it does."""
    inbox = Inbox()
    async with FaultyBus(MemoryBus()) as bus:
        bus.loses_acknowledgement(at=1)
        await bus.subscribe(inbox)
        await publish(bus, message("a", 1), message("a", 2))
    assert [("a-1", 1), ("a-1", 2), ("a-2", 1)] == inbox.given


async def test_what_was_refused_comes_again_anyway() -> None:
    """The fault waits for the attempt that succeeds."""
    inbox = Inbox("a-1")
    async with FaultyBus(MemoryBus()) as bus:
        bus.loses_acknowledgement()
        await bus.subscribe(inbox)
        await publish(bus, message("a", 1))
        await until(lambda: len(inbox.given) == 3)
    assert [("a-1", 1), ("a-1", 2), ("a-1", 3)] == inbox.given


async def test_both_at_once() -> None:
    """A message may be repeated, and its acknowledgement be lost besides."""
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
async def test_messages_are_reordered(concurrency: int, expected: list[str]) -> None:
    """The last goes first, but never before one of its own aggregate."""
    inbox = Inbox()
    async with FaultyBus(MemoryBus()) as bus:
        bus.reorders()
        await bus.subscribe(inbox, concurrency=concurrency)
        await publish(bus, message("a", 1), message("b", 1), message("b", 2), message("c", 1))
        await until(lambda: len(inbox.given) == 4)
    assert (expected, concurrency) == (inbox.ids, inbox.most)


async def test_without_the_fault_order_is_kept() -> None:
    """The test above would see it otherwise."""
    inbox = Inbox()
    async with FaultyBus(MemoryBus()) as bus:
        await bus.subscribe(inbox)
        await publish(bus, message("a", 1), message("b", 1), message("c", 1))
    assert ["a-1", "b-1", "c-1"] == inbox.ids


@pytest.mark.parametrize("turns", [0, 1])
async def test_who_is_cancelled_in_line_gives_way(turns: int) -> None:
    """The next in line is not kept waiting for ever, not even by one whose turn it had become."""
    line, served = _LastFirst(free=1), list[str]()
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


def test_nonsense_is_refused() -> None:
    """There is no message 0."""
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


async def test_a_handler_that_remembers_ids_stays_right() -> None:
    """Every event comes three times, in whatever order of aggregates, and counts once."""
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
