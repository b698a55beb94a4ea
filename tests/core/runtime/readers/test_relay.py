"""The relay: every event once or more, in order, none left out, whatever fails."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from attrs import evolve

from eventhus import Metadata, Query, StreamId, new_id
from eventhus.ports import (
    Commit,
    EventData,
    Message,
    Page,
    Part,
    Storage,
)
from eventhus.runtime.readers.leased_reader import RETRY, STEP_DOWN_S, retry_s
from eventhus.runtime.readers.relay import CHECKPOINT, Relay
from eventhus_memory import MemoryBus, MemoryStore
from tests.bank import Deposited, Open, Script
from tests.core.hooks import Gate, at, fail_with
from tests.core.support import FakeClock, Proxy, RecordingBus, compose
from tests.core.waiting import eventually, settle

DOWN = ConnectionError("down")


async def append(store: Storage, events: int, aggregate_id: str = "a") -> None:
    """Add one commit of so many events to the log."""
    await store.append(
        Commit(
            id=f"c{await store.head()}",
            parts=[
                Part(
                    stream=StreamId("Account", aggregate_id),
                    events=[EventData("Deposited", {"amount": 1})] * events,
                    expected_version=None,
                )
            ],
            recorded_at=datetime.now(UTC),
            metadata=Metadata(),
        )
    )


@asynccontextmanager
async def running(relay: Relay) -> AsyncIterator[None]:
    """Run a relay in the background, and end it as a crash would."""
    task = asyncio.create_task(relay.run())
    try:
        yield
        assert not task.done()  # it never gives up
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_every_event_is_published_once_and_in_order() -> None:
    """Those in the log already, and later ones."""
    store, bus = MemoryStore(), RecordingBus()
    await append(store, 3)
    async with running(Relay(store, bus, FakeClock(), owner=new_id())):
        await eventually(lambda: len(bus.taken) == 3)
        for n in range(50):
            await append(store, 2, f"a{n % 3}")
        await eventually(lambda: len(bus.taken) >= 103)
        await settle()
    assert list(range(1, 104)) == bus.positions


async def test_a_log_of_many_pages_is_published_whole() -> None:
    """No event is left out at the seam of two batches."""
    store, bus = MemoryStore(), RecordingBus()
    for _ in range(30):
        await append(store, 90)
    relay = Relay(store, bus, FakeClock(), owner=new_id())
    async with running(relay):
        await relay.drain()
    assert list(range(1, 2701)) == bus.positions
    assert 2700 == (await store.load_checkpoint(CHECKPOINT)).position


async def test_the_next_relay_goes_on_behind_the_checkpoint() -> None:
    """A restart repeats nothing that was accounted for."""
    store, bus = MemoryStore(), RecordingBus()
    for _ in range(3):
        await append(store, 2)
        relay = Relay(store, bus, FakeClock(), owner=new_id())
        async with running(relay):
            await relay.drain()
    assert [1, 2, 3, 4, 5, 6] == bus.positions


async def test_a_crash_between_publishing_and_the_checkpoint_repeats_and_loses_nothing() -> None:
    """The checkpoint never runs ahead of the bus."""
    store, bus, gate = Proxy(), RecordingBus(), Gate()
    await append(store, 3)
    store.before["save_checkpoint"] = gate
    async with running(Relay(store, bus, FakeClock(), owner=new_id())):
        await gate.arrived.wait()
    assert 0 == (await store.load_checkpoint(CHECKPOINT)).position
    store.before.clear()
    relay = Relay(store, bus, FakeClock(), owner=new_id())
    async with running(relay):
        await relay.drain()
    assert [1, 2, 3, 1, 2, 3] == bus.positions


async def test_the_checkpoint_moves_over_events_only_that_the_bus_has_taken() -> None:
    """Looked at whenever the bus is asked to take one more."""
    store, bus = MemoryStore(), RecordingBus()
    seen: list[tuple[int, int]] = []

    async def look(_: Message) -> None:
        checkpoint = await store.load_checkpoint(CHECKPOINT)
        seen.append((checkpoint.position, len(bus.taken)))

    bus.before = look
    relay = Relay(store, bus, FakeClock(), owner=new_id())
    async with running(relay):
        for _ in range(10):
            await append(store, 3)
            await settle()
    assert all(checkpoint <= taken for checkpoint, taken in seen)
    assert (27, 29) == seen[-1]  # and it moves with every batch


async def test_acknowledged_events_of_a_failed_batch_are_not_published_again() -> None:
    store, bus = Proxy(), RecordingBus()

    async def slowly(*_: object) -> None:
        await settle()

    store.before["save_checkpoint"] = slowly
    bus.before = at([3], fail_with(DOWN))
    await append(store, 4)
    async with running(Relay(store, bus, FakeClock(), owner=new_id())):
        await eventually(lambda: 4 in bus.positions)
        assert [1, 2, 3, 4] == bus.positions


async def test_a_bus_that_fails_for_a_while_loses_nothing_and_keeps_the_order() -> None:
    """Every failure leads back to the checkpoint; repeats come in order too."""
    store, bus, clock = MemoryStore(), RecordingBus(), FakeClock()
    bus.before = at([2, 3, 7, 8, 9, 20], fail_with(DOWN))
    async with running(Relay(store, bus, clock, owner=new_id())):
        for _ in range(10):
            await append(store, 3)
            await settle()
        await eventually(lambda: bus.positions[-1] == 30)
    assert list(range(1, 31)) == list(dict.fromkeys(bus.positions))  # order of first delivery
    for earlier, later in zip(bus.positions, bus.positions[1:], strict=False):
        assert later <= earlier + 1  # never a step over one
    assert 6 == len(clock.sleeps_s)


async def test_a_store_that_fails_for_a_while_loses_nothing() -> None:
    """Wherever it fails."""
    store, bus = Proxy(), RecordingBus()
    store.before["load_checkpoint"] = at([1, 3], fail_with(DOWN))
    store.before["follow"] = at([2, 5], fail_with(DOWN))
    store.before["save_checkpoint"] = at([1, 4], fail_with(DOWN))
    async with running(Relay(store, bus, FakeClock(), owner=new_id())):
        for _ in range(10):
            await append(store, 3)
            await settle()
        await eventually(lambda: bus.positions[-1:] == [30])
    assert list(range(1, 31)) == list(dict.fromkeys(bus.positions))
    assert 30 == (await store.inner.load_checkpoint(CHECKPOINT)).position


async def test_failures_are_logged_with_the_place_and_without_the_data(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Somebody has to learn of it, and how long until the next try."""
    store, bus = MemoryStore(), RecordingBus()
    await append(store, 1)
    bus.before = at([1], fail_with(DOWN))
    relay = Relay(store, bus, FakeClock(), owner=new_id())
    async with running(relay):
        await eventually(lambda: bus.taken)
    (record,) = caplog.records
    assert logging.ERROR == record.levelno
    assert "relay stopped at position 0: ConnectionError; retrying in 0.05 s" == record.getMessage()
    assert record.exc_info is not None


async def test_the_pauses_double_up_to_the_cap_and_start_again_after_a_success() -> None:
    """A bus that is down for long is not hammered, and one that was is not held against it."""
    store, bus, clock = MemoryStore(), RecordingBus(), FakeClock()
    await append(store, 1)
    bus.before = at([*range(1, 11), 12, 13], fail_with(DOWN))
    async with running(Relay(store, bus, clock, owner=new_id())):
        await eventually(lambda: 1 in bus.positions)
        await append(store, 1)
        await eventually(lambda: 2 in bus.positions)
    expected = [retry_s(n) for n in range(1, 11)]
    assert [*expected, retry_s(1), retry_s(2)] == clock.sleeps_s
    assert STEP_DOWN_S + RETRY.cap_s == max(clock.sleeps_s)


async def test_a_bus_that_was_down_for_hours_is_published_to_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """1,500 tries at five seconds are two hours; the relay is still there."""
    caplog.set_level(logging.CRITICAL, "eventhus.runtime.readers.relay")
    store, bus, clock = MemoryStore(), RecordingBus(), FakeClock()
    await append(store, 1)
    bus.before = at(range(1, 1501), fail_with(DOWN))
    async with running(Relay(store, bus, clock, owner=new_id())):
        await eventually(lambda: bus.taken)
    assert 1500 == len(clock.sleeps_s)


async def test_there_is_nothing_to_drain_of_an_empty_log() -> None:
    """Also where the relay has not even begun."""
    await Relay(MemoryStore(), RecordingBus(), FakeClock(), owner=new_id()).drain()


async def test_draining_waits_until_all_is_with_the_bus() -> None:
    """All that the log holds when it is asked."""
    store, bus, gate = MemoryStore(), RecordingBus(), Gate()
    bus.before = gate
    await append(store, 3)
    relay = Relay(store, bus, FakeClock(), owner=new_id())
    async with running(relay):
        draining = asyncio.create_task(relay.drain())
        await gate.arrived.wait()
        await settle()
        assert not draining.done()
        gate.opened.set()
        await draining
        assert [1, 2, 3] == bus.positions


async def test_draining_ends_when_the_relay_is_in_trouble() -> None:
    """An application can be left while its bus is down."""
    store, bus, clock, gate = MemoryStore(), RecordingBus(), FakeClock(), Gate()
    clock.before_waking = gate
    bus.before = fail_with(DOWN)
    await append(store, 3)
    relay = Relay(store, bus, clock, owner=new_id())
    async with running(relay):
        await asyncio.create_task(relay.drain())  # waiting when the trouble begins
        await relay.drain()  # and while it lasts


async def test_the_next_relay_publishes_the_rest_of_a_failing_one() -> None:
    """Later is not never."""
    store, down, up = MemoryStore(), RecordingBus(), RecordingBus()
    down.before = fail_with(DOWN)
    async with compose(store, bus=down, clock=FakeClock()) as app:
        await app.dispatch(Open(aggregate_id="a"))
    assert [] == down.taken
    async with compose(store, bus=up):
        pass
    assert [1] == up.positions


async def test_trouble_that_is_over_does_not_cut_draining_short() -> None:
    """One failure long ago, with nothing to publish since, is no trouble now."""
    store, bus = Proxy(), RecordingBus()
    store.before["load_checkpoint"] = at([1], fail_with(DOWN))
    async with compose(store, bus=bus, clock=FakeClock()) as app:
        await eventually(lambda: store.calls["load_checkpoint"] == 2)
        await settle()
        await app.dispatch(Open(aggregate_id="a"))
    assert [1] == bus.positions


async def test_leaving_publishes_what_is_committed() -> None:
    """Also what was committed by the very last command."""
    bus = RecordingBus()
    async with compose(bus=bus) as app:
        for n in range(10):
            await app.dispatch(Script(aggregate_id=f"a{n}", decide=lambda _: [Deposited(1)] * 2))
    assert list(range(1, 21)) == bus.positions
    assert 0 == bus.entered


async def test_two_applications_publish_all_between_them() -> None:
    """Each has a relay: there are repeats, but no gap and nothing out of order for either."""
    store = MemoryStore()
    one, two = RecordingBus(), RecordingBus()
    async with compose(store, bus=one) as first, compose(store, bus=two) as second:
        for n in range(20):
            await (first if n % 2 else second).dispatch(
                Script(aggregate_id="a", decide=lambda _: [Deposited(1)])
            )
    assert set(range(1, 21)) == {*one.positions, *two.positions}
    assert sorted(one.positions) == one.positions
    assert sorted(two.positions) == two.positions


async def test_a_subscriber_gets_what_the_relay_publishes() -> None:
    """Through a real bus, as messages of the wire."""
    store, bus = MemoryStore(), MemoryBus()
    got: list[str] = []

    async def handle(message: Message) -> None:
        got.append(message.id)

    async with compose(store, bus=bus) as app:
        await bus.subscribe(handle)
        committed = await app.dispatch(Open(aggregate_id="a"))
    assert [each.id for each in committed.events] == got


async def test_an_adapter_that_cancels_itself_does_not_end_the_relay() -> None:
    """A cancelled acknowledgement, say, is a failure like any other."""
    bus = RecordingBus()

    async def cancel(*_: object) -> None:
        raise asyncio.CancelledError

    bus.before = at([1], cancel)
    async with compose(bus=bus, clock=FakeClock()) as app:
        await app.dispatch(Open(aggregate_id="a"))
        await eventually(lambda: bus.positions == [1])


async def test_leaving_can_be_cancelled_while_the_relay_stops() -> None:
    """The relay may need time to stop; a cancellation that comes meanwhile is not swallowed."""
    store, stopping, go_on = Proxy(), asyncio.Event(), asyncio.Event()

    async def linger(*_: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopping.set()
            await go_on.wait()

    store.before["load_checkpoint"] = linger

    async def run() -> None:
        async with compose(store, bus=RecordingBus()):
            await settle()

    task = asyncio.create_task(run())
    await stopping.wait()
    task.cancel()
    await settle()
    go_on.set()
    await settle()
    assert task.cancelled()


def tasks_of(relay: Relay) -> int:
    return sum(task.get_name() == f"eventhus {relay.label}" for task in asyncio.all_tasks())


async def test_simultaneous_rewinds_leave_one_task() -> None:
    relay = Relay(MemoryStore(), RecordingBus(), FakeClock(), owner=new_id())
    relay.start()
    await asyncio.gather(relay.rewind(), relay.rewind())
    assert 1 == tasks_of(relay)
    await relay.stop()
    assert 0 == tasks_of(relay)


async def test_stopping_during_a_rewind_leaves_no_task() -> None:
    relay = Relay(MemoryStore(), RecordingBus(), FakeClock(), owner=new_id())
    relay.start()
    rewinding = asyncio.create_task(relay.rewind())
    await asyncio.sleep(0)
    await relay.stop()
    await rewinding
    assert 0 == tasks_of(relay)


class NotPlain:
    """A value that only another program can have put into a store."""


@pytest.mark.parametrize(
    "strange",
    [EventData("Deposited", {"card s3cret": NotPlain()}), EventData("s3cret" * 43, {})],
    ids=["data without a form in JSON", "a name beyond its limit"],
)
async def test_an_event_that_no_message_can_hold_stops_no_other(
    caplog: pytest.LogCaptureFixture, strange: EventData
) -> None:
    """It is reported with its place, and its data is not."""
    store, bus = Proxy(), RecordingBus()
    await append(store, 3)
    follow = store.inner.follow

    async def damaged(*query: Query | None, **options: Any) -> AsyncGenerator[Page, None]:
        async for page in follow(*query, **options):
            events = [
                each.with_event(strange) if each.position == 2 else each for each in page.events
            ]
            yield evolve(page, events=events)

    store.inner.follow = damaged  # type: ignore[method-assign]
    relay = Relay(store, bus, FakeClock(), owner=new_id())
    async with running(relay):
        await relay.caught_up(3)
    assert [1, 3] == bus.positions
    [record] = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "event c0-2 at position 2 is not published" in record.getMessage()
    assert "s3cret" not in caplog.text
