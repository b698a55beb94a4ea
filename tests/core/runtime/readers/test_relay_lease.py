"""Of many relays one publishes, and one that lost its place does no harm."""

# ruff: noqa: SLF001 - the memory store's leases are taken away, as the time does

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from eventhus import new_id
from eventhus.errors import LeaseLost, PublisherReplaced
from eventhus.ports import Message
from eventhus.runtime.readers import leased_reader as module
from eventhus.runtime.readers.relay import CHECKPOINT, LEASE, Relay
from eventhus_memory import MemoryStore
from tests.core.hooks import Gate, at, fail_with
from tests.core.runtime.readers.test_relay import append, running
from tests.core.support import FakeClock, Proxy, RecordingBus
from tests.core.waiting import eventually, settle


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases that are over in the time of a test."""
    monkeypatch.setattr(module, "LEASE_S", 0.15)
    monkeypatch.setattr(module, "RELEASE_S", 0.01)


class PatientClock(FakeClock):
    """Sleeps take a moment, for what the event loop's own clock decides."""

    async def sleep(self, seconds: float) -> None:
        """See ``Clock.sleep``."""
        self.sleeps_s.append(seconds)
        await asyncio.sleep(0.005)


def relay_of(
    store: Proxy | MemoryStore, bus: RecordingBus, clock: FakeClock | None = None
) -> Relay:
    return Relay(store, bus, clock or FakeClock(), owner=new_id())


@asynccontextmanager
async def taken(store: MemoryStore) -> AsyncIterator[None]:
    """Let another hold the lease."""
    lease = await store.acquire(LEASE, "another", ttl_s=60)
    assert lease is not None
    yield
    await store.release(lease)


async def published(bus: RecordingBus, count: int) -> None:
    """Wait until the bus has taken so many."""
    await eventually(lambda: len(bus.taken) == count)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what the event loop's clock decides."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def test_one_of_many_publishes() -> None:
    """The others stand by, and the log is published once."""
    store, buses = MemoryStore(), [RecordingBus() for _ in range(3)]
    async with running(relay_of(store, buses[0])):
        await append(store, 3)
        await eventually(lambda: len(buses[0].taken) == 3)
        async with running(relay_of(store, buses[1])), running(relay_of(store, buses[2])):
            await append(store, 3)
            await settle()
    assert [[1, 2, 3, 4, 5, 6], [], []] == [bus.positions for bus in buses]


async def test_another_takes_over_at_once() -> None:
    """A relay that ends in good order releases its lease, and the next one continues."""
    store, first, second = MemoryStore(), RecordingBus(), RecordingBus()
    await append(store, 2)
    leaving = relay_of(store, first)
    async with running(leaving):
        await leaving.drain()
    async with running(relay_of(store, second)):
        await append(store, 2)
        await eventually(lambda: len(second.taken) == 2)
    assert ([1, 2], [3, 4]) == (first.positions, second.positions)


async def test_a_stand_by_publishes_nothing_when_it_is_drained() -> None:
    store, bus = MemoryStore(), RecordingBus()
    await append(store, 2)
    async with taken(store):
        waiting = relay_of(store, bus)
        async with running(waiting):
            await waiting.drain()
    assert [] == bus.taken


async def test_a_lease_that_another_took(short: None, caplog: pytest.LogCaptureFixture) -> None:
    """A relay that could not renew in time stops, says so quietly, and stands by."""
    caplog.set_level(logging.INFO, logger="eventhus.runtime.readers.relay")
    store, bus = MemoryStore(), RecordingBus()
    proxy = Proxy(store)
    async with running(relay_of(proxy, bus, PatientClock())):
        await append(store, 1)
        await until(lambda: len(bus.taken) == 1)
        store._leases.clear()
        async with taken(store):
            await until(lambda: proxy.calls["acquire"] > 4)
            await append(store, 1)
            await settle()
    assert [1] == bus.positions
    record = next(each for each in caplog.records if "is no longer held" in each.message)
    assert (logging.INFO, None) == (record.levelno, record.exc_info)


async def test_a_lease_that_ran_out_and_came_back(short: None) -> None:
    """With another token it is another lease: the relay begins anew, behind the checkpoint."""
    store, bus = MemoryStore(), RecordingBus()
    async with running(relay_of(store, bus, PatientClock())):
        await append(store, 1)
        await until(lambda: len(bus.taken) == 1)
        held = store._leases[LEASE]
        await store.release(held.lease)
        await until(lambda: store._leases[LEASE].lease.token > held.lease.token)
        await append(store, 1)
        await until(lambda: len(bus.taken) == 2)
    assert [1, 2] == bus.positions


async def test_a_lease_that_was_deleted() -> None:
    """The next holder can move the checkpoint, although the lease has lost its token."""
    store = MemoryStore()
    for position in (1, 2, 3):
        await append(store, 1)
        relay = relay_of(store, RecordingBus())
        async with running(relay):
            await relay.caught_up(position)
    store._leases.clear()
    await append(store, 1)
    async with running(relay_of(store, RecordingBus())):
        await eventually(lambda: store._checkpoints[CHECKPOINT][0].position == 4)


async def test_a_lease_that_never_holds(caplog: pytest.LogCaptureFixture) -> None:
    """One that is lost again and again is no change of places: it is an error after a while."""
    caplog.set_level(logging.INFO, logger="eventhus.runtime.readers.relay")
    store, bus = Proxy(), RecordingBus()
    store.before["save_checkpoint"] = at(range(1, 6), fail_with(LeaseLost(LEASE, 1)))
    await append(store, 1)
    async with running(relay_of(store, bus)):
        await eventually(lambda: store.calls["save_checkpoint"] == 6)
    told = [
        each.levelno for each in caplog.records if each.name == "eventhus.runtime.readers.relay"
    ]
    assert [*[logging.INFO] * module.HANDOVERS, logging.ERROR, logging.ERROR] == told


async def test_places_that_change_again_and_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each time is one of its own: it stays quiet."""
    caplog.set_level(logging.INFO, logger="eventhus.runtime.readers.relay")
    store, bus = Proxy(), RecordingBus()
    store.before["save_checkpoint"] = at(range(1, 7), fail_with(LeaseLost(LEASE, 1)))

    async def another(*_: object) -> None:
        store.inner._leases.clear()  # type: ignore[attr-defined]
        await store.inner.acquire(LEASE, "another", ttl_s=60)

    async def nobody(*_: object) -> None:
        store.inner._leases.clear()  # type: ignore[attr-defined]

    store.before["acquire"] = at(range(2, 13, 2), another)
    store.after["acquire"] = at(range(2, 13, 2), nobody)
    await append(store, 1)
    async with running(relay_of(store, bus)):
        await eventually(lambda: store.calls["save_checkpoint"] == 7)
    assert [logging.INFO] * 6 == [each.levelno for each in caplog.records]


async def test_a_store_that_does_not_renew_in_time(
    short: None, caplog: pytest.LogCaptureFixture
) -> None:
    """Whose turn it is stays open then, so nothing is published until it is known."""
    store, bus, gate = Proxy(), RecordingBus(), Gate()
    async with running(relay_of(store, bus, PatientClock())):
        await append(store, 1)
        await until(lambda: len(bus.taken) == 1)
        store.before["acquire"] = gate
        await gate.arrived.wait()
        await until(
            lambda: any(
                "the store did not answer within" in each.getMessage() for each in caplog.records
            )
        )
        await append(store, 1)
        await settle()
        assert [1] == bus.positions
        gate.opened.set()
        await until(lambda: len(bus.taken) == 2)


async def test_a_checkpoint_of_a_later_relay_stays() -> None:
    """One that was paused and comes back saves nothing over it."""
    store, bus, gate = Proxy(), RecordingBus(), Gate()
    await append(store, 2)
    store.before["save_checkpoint"] = gate
    async with running(relay_of(store, bus)):
        await gate.arrived.wait()
        store.inner._leases.clear()  # type: ignore[attr-defined]
        later = await store.inner.acquire(LEASE, "later", ttl_s=60)
        assert later is not None
        await store.inner.save_checkpoint(CHECKPOINT, 9, token=later.token + 1)
        gate.opened.set()
        await eventually(lambda: store.calls["acquire"] > 1)
    assert 9 == (await store.load_checkpoint(CHECKPOINT)).position


async def test_a_publisher_that_was_replaced_begins_anew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """If it is still its turn: behind what the bus had acknowledged, without an error's noise."""
    caplog.set_level(logging.INFO, logger="eventhus.runtime.readers.relay")
    store, bus = MemoryStore(), RecordingBus()
    bus.before = at([3], fail_with(PublisherReplaced("bank")))
    await append(store, 5)
    relay = relay_of(store, bus)
    async with running(relay):
        await eventually(lambda: len(bus.taken) == 5)
        await eventually(lambda: store._checkpoints[CHECKPOINT][0].position == 5)
    assert [1, 2, 3, 4, 5] == bus.positions
    assert [logging.INFO] == [each.levelno for each in caplog.records]


async def test_the_checkpoint_moves_over_the_prefix_that_was_acknowledged() -> None:
    """A publisher that fails in the middle has still come as far as it has."""
    store, bus = MemoryStore(), RecordingBus()
    seen: list[int] = []

    async def look() -> None:
        seen.append((await store.load_checkpoint(CHECKPOINT)).position)

    bus.before_publisher = look
    bus.before = at([4, 5, 8], fail_with(ConnectionError("down")))
    await append(store, 6)
    async with running(relay_of(store, bus)):
        await eventually(lambda: len(bus.taken) == 6)
        await settle()
    assert [1, 2, 3, 4, 5, 6] == bus.positions
    assert [0, 3, 3, 5] == seen


async def test_the_publisher_begins_before_the_checkpoint_is_read() -> None:
    """Else another could publish in between, and nobody would notice."""
    store, bus = Proxy(), RecordingBus()
    order: list[str] = []

    async def begins() -> None:
        order.append("publisher")

    async def reads(_: str) -> None:
        order.append("checkpoint")

    bus.before_publisher = begins
    store.before["load_checkpoint"] = reads
    async with running(relay_of(store, bus)):
        await eventually(lambda: len(order) == 2)
    assert ["publisher", "checkpoint"] == order


async def test_saving_does_not_hold_up_publishing() -> None:
    """The next events go out while a position is being saved; positions are saved in order."""
    store, bus, gate = Proxy(), RecordingBus(), Gate()
    saved: list[int] = []

    async def save(_: str, position: int) -> None:
        saved.append(position)
        await gate()

    store.before["save_checkpoint"] = save
    async with running(relay_of(store, bus)):
        for number in range(1, 4):
            await append(store, 1)
            if number < 3:
                await published(bus, number)
        await settle()
        assert ([1, 2], [1]) == (bus.positions[:2], saved)
        gate.opened.set()
        await eventually(lambda: saved[-1] == 3)
    assert ([1, 2, 3], sorted(saved)) == (bus.positions, saved)


@pytest.mark.parametrize("way", ["hangs", "fails"])
async def test_a_lease_that_cannot_be_released(
    short: None, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    """It runs out by itself: the relay ends all the same, and says so."""
    store, bus = Proxy(), RecordingBus()
    store.before["release"] = Gate() if way == "hangs" else fail_with(LeaseLost(LEASE, 1))
    async with running(relay_of(store, bus)):
        await append(store, 1)
        await eventually(lambda: len(bus.taken) == 1)
    (record,) = caplog.records
    hangs = "TimeoutError: the store did not answer within 0.01 s"
    cause = hangs if way == "hangs" else f"LeaseLost: {LeaseLost(LEASE, 1)}"
    assert (
        f"the lease of the relay was not released and expires in 0.15 s: {cause}"
        == record.getMessage()
    )


async def test_a_cancellation_that_is_an_adapters_own(caplog: pytest.LogCaptureFixture) -> None:
    """It does not end the relay, wherever it comes from."""
    store, bus = Proxy(), RecordingBus()
    cancelled = fail_with(asyncio.CancelledError())  # type: ignore[arg-type]
    store.before["acquire"] = at([1], cancelled)
    bus.before_publisher = at([1], cancelled)

    async def refuse(_: Message) -> None:
        raise asyncio.CancelledError

    bus.before = at([1], refuse)
    await append(store, 2)
    async with running(relay_of(store, bus)):
        await eventually(lambda: len(bus.taken) == 2)
    assert [1, 2] == bus.positions
    assert caplog.records


async def test_a_lease_is_held_as_long_as_it_is_needed(short: None) -> None:
    """Renewed well before it runs out, and the relay goes on as if nothing were."""
    store, bus = Proxy(), RecordingBus()
    async with running(relay_of(store, bus, PatientClock())):
        await append(store, 1)
        await until(lambda: store.calls["acquire"] > 4)
        await append(store, 1)
        await until(lambda: len(bus.taken) == 2)
    assert (1, [1, 2]) == (store.calls["load_checkpoint"], bus.positions)


async def test_a_store_that_cancels_the_saving() -> None:
    """Is in trouble like any other: the relay begins anew, and draining comes to its end."""
    store, bus = Proxy(), RecordingBus()
    store.before["save_checkpoint"] = at([1], fail_with(asyncio.CancelledError()))  # type: ignore[arg-type]
    await append(store, 2)
    relay = relay_of(store, bus)
    async with running(relay):
        await eventually(lambda: store.calls["save_checkpoint"] == 2)
        await relay.drain()
    assert [1, 2, 1, 2] == bus.positions
    assert 2 == (await store.load_checkpoint(CHECKPOINT)).position
