"""A log that was restored or has lost events is noticed, by readers and by the relay."""

# ruff: noqa: SLF001 - the memory store is restored and damaged from within

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from attrs import evolve

from eventhus import StreamId, new_id
from eventhus.errors import CompositionError, InvalidArgument, LogChanged, ReaderBusy
from eventhus.ports import (
    Commit,
    EventData,
    Message,
    Part,
)
from eventhus.runtime.clock import SystemClock
from eventhus.runtime.messaging.wire import to_message
from eventhus.runtime.readers import leased_reader
from eventhus.runtime.readers import relay as relay_module
from eventhus.runtime.readers.relay import CHECKPOINT, Relay
from eventhus_memory import MemoryBus, MemoryStore
from tests.core.readers import Balance, balances, bank, welcome
from tests.core.runtime.readers.test_relay import append, running
from tests.core.runtime.readers.test_relay_lease import until
from tests.core.support import FakeClock, Proxy, RecordingBus, add
from tests.core.waiting import eventually

VIEW = "view_balances"


@asynccontextmanager
async def rewritten(store: MemoryStore, *, events: int) -> AsyncIterator[MemoryStore]:
    """Give a store with the documents and checkpoints of ``store``, and another log."""
    other = MemoryStore()
    other._checkpoints = store._checkpoints
    other._documents = store._documents
    for number in range(events):
        await other.append(
            Commit(
                id=f"other-{number}",
                parts=[
                    Part(
                        stream=StreamId("Account", "a"),
                        events=[EventData("Deposited", {"amount": 1})],
                        expected_version=None,
                    )
                ],
                recorded_at=SystemClock().now(),
            )
        )
    yield other


@pytest.mark.parametrize("events", [1, 3, 9], ids=["shorter", "as long", "longer"])
async def test_a_view_stops_when_the_log_has_another_history(events: int) -> None:
    store = MemoryStore()
    async with bank(store, views=[balances]) as app:
        await add(app, 1, 2, 3)
        await app.caught_up(balances)
    checkpoint = await store.load_checkpoint(VIEW)
    async with rewritten(store, events=events) as other, bank(other, views=[balances]) as app:
        with pytest.raises(LogChanged) as caught:
            await app.caught_up(balances, 10)
    assert (3, checkpoint.event_id) == (caught.value.position, caught.value.expected)
    assert ("other-2-1" if events >= 3 else "") == caught.value.actual
    assert checkpoint == await other.load_checkpoint(VIEW)


async def test_a_reset_view_is_that_of_the_new_history() -> None:
    store = MemoryStore()
    async with bank(store, views=[balances]) as app:
        await add(app, 100)
        await app.caught_up(balances)
    async with rewritten(store, events=2) as other, bank(other, views=[balances]) as app:
        with pytest.raises(LogChanged):
            await app.caught_up(balances, 10)
        await app.reset(balances)
        await app.caught_up(balances)
        assert Balance("", 2, 2) == await app.view(balances, "a")


async def test_a_reset_view_of_the_same_log_is_as_before() -> None:
    async with bank(views=[balances]) as app:
        await add(app, 1, 2, 3)
        await app.caught_up(balances)
        before = await app.view(balances, "a")
        await app.reset(balances)
        await app.caught_up(balances)
        assert before == await app.view(balances, "a")


async def test_a_view_that_another_process_works_on_is_not_reset() -> None:
    store = MemoryStore()
    async with bank(store, views=[balances]) as leader:
        await add(leader, 1)
        await leader.caught_up(balances)
        async with bank(store, views=[balances]) as standby:
            with pytest.raises(ReaderBusy, match="view balances"):
                await standby.reset(balances)
            await standby.caught_up(balances)
        assert await leader.view(balances, "a") is not None


async def test_only_views_of_the_application_are_reset() -> None:
    async with bank(processes=[welcome]) as app:
        for wrong in (balances, welcome):
            with pytest.raises(InvalidArgument):
                await app.reset(wrong)  # type: ignore[arg-type]


async def test_a_history_that_changes_while_a_reader_leads_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when the server comes back with an older backup behind a connection that stays."""
    monkeypatch.setattr(leased_reader, "LEASE_S", 0.06)
    store = MemoryStore()
    async with bank(store, views=[balances]) as app:
        await add(app, 1, 2)
        await app.caught_up(balances)
        del store._log[1:]
        with pytest.raises(LogChanged):
            await app.caught_up(balances, 10)


async def test_the_relay_stops_when_the_log_has_another_history(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, bus = MemoryStore(), RecordingBus()
    await append(store, 3)
    relay = Relay(store, bus, FakeClock(), owner=new_id())
    async with running(relay):
        await relay.caught_up(3)
    async with rewritten(store, events=5) as other:
        relay = Relay(other, bus, FakeClock(), owner=new_id())
        async with running(relay):
            with pytest.raises(LogChanged, match="it is not the same log"):
                await relay.caught_up(5)
    assert [1, 2, 3] == bus.positions
    assert "relay has read event c0-3 at position 3" in caplog.text


async def published(store: MemoryStore, *positions: int) -> list[Message]:
    """The messages of some events."""
    events = (await store.read()).events
    return [to_message(events[position - 1]) for position in positions]


@pytest.mark.parametrize("kept", [0, 2])
async def test_the_lost_tail_of_the_bus_is_published_again(
    kept: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A bus that was restored to an earlier state ends before the checkpoint."""
    store, bus = MemoryStore(), RecordingBus()
    await append(store, 5)
    await store.save_checkpoint(CHECKPOINT, 5, event_id="c0-5")
    bus.kept = await published(store, *range(1, kept + 1))
    async with running(Relay(store, bus, FakeClock(), owner=new_id())):
        await eventually(lambda: len(bus.taken) == 5 - kept)
    assert [*range(kept + 1, 6)] == bus.positions
    [record] = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert f"ends at position {kept} and the checkpoint of the relay is at 5" in record.message


async def test_a_bus_that_cannot_know_gets_no_repeats() -> None:
    store, bus = MemoryStore(), RecordingBus()
    await append(store, 6)
    await store.save_checkpoint(CHECKPOINT, 5, event_id="c0-5")
    async with running(Relay(store, bus, FakeClock(), owner=new_id())):
        await eventually(lambda: len(bus.taken) == 1)
    assert [6] == bus.positions


FOREIGN: dict[str, Callable[[Message], Message]] = {
    "another id": lambda one: evolve(one, id="foreign"),
    "another content": lambda one: evolve(one, body=one.body.replace(b"}}", b',"x":1}}')),
    "no event": lambda one: evolve(one, body=b"{}"),
    "no position": lambda one: evolve(one, headers={}),
    "a position beyond the log": lambda one: moved(one, "600"),
    "a position beyond any log": lambda one: moved(one, str(2**63 - 1)),
    "a position that is no number": lambda one: moved(one, "many"),
}


def moved(one: Message, position: str) -> Message:
    return evolve(one, headers={**one.headers, "Eventhus-Position": position})


@pytest.mark.parametrize("foreign", FOREIGN)
@pytest.mark.parametrize("kept", [3, 5, 6], ids=["behind", "as far", "farther"])
async def test_foreign_messages_at_the_end_of_the_bus_hide_nothing(foreign: str, kept: int) -> None:
    store, bus = MemoryStore(), RecordingBus()
    await append(store, 6)
    await store.save_checkpoint(CHECKPOINT, 5, event_id="c0-5")
    [copied] = await published(store, 2)
    bus.kept = [*await published(store, *range(1, kept + 1)), FOREIGN[foreign](copied)]
    again = range(min(kept, 5) + 1, 7)
    async with running(Relay(store, bus, FakeClock(), owner=new_id())):
        await eventually(lambda: len(bus.taken) == len(again))
    assert [*again] == bus.positions


async def test_the_relay_looks_back_over_a_limited_number_of_messages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(relay_module, "LOOK_BACK", 2)
    store, bus = MemoryStore(), RecordingBus()
    await append(store, 6)
    await store.save_checkpoint(CHECKPOINT, 5, event_id="c0-5")
    [ours] = await published(store, 3)
    bus.kept = [ours, *[evolve(ours, id="foreign")] * 2]
    async with running(Relay(store, bus, FakeClock(), owner=new_id())):
        await eventually(lambda: len(bus.taken) == 1)
    assert [6] == bus.positions


async def test_republishing_starts_after_the_given_position() -> None:
    store, bus = MemoryStore(), RecordingBus()
    async with bank(store, bus=bus) as app:
        await add(app, 1, 2, 3)
        await eventually(lambda: len(bus.taken) == 3)
        await eventually(lambda: store._checkpoints[CHECKPOINT][0].position == 3)
        await app.republish(after=1)
        await eventually(lambda: len(bus.taken) == 5)
        await app.republish()
        await eventually(lambda: len(bus.taken) == 8)
    assert [1, 2, 3, 2, 3, 1, 2, 3] == bus.positions


async def test_republishing_never_skips_an_event() -> None:
    store, bus = MemoryStore(), RecordingBus()
    async with bank(store, bus=bus) as app:
        await add(app, 1, 2, 3)
        await eventually(lambda: len(bus.taken) == 3)
        await eventually(lambda: store._checkpoints[CHECKPOINT][0].position == 3)
        with pytest.raises(InvalidArgument, match="after is 4, and only 3 events were published"):
            await app.republish(after=4)
        await add(app, 4)
        await eventually(lambda: len(bus.taken) == 4)
    assert [1, 2, 3, 4] == bus.positions


async def test_republishing_needs_a_bus_and_a_position() -> None:
    async with bank() as app:
        with pytest.raises(CompositionError):
            await app.republish()
    async with bank(bus=MemoryBus()) as app:
        with pytest.raises(InvalidArgument):
            await app.republish(after=-1)


async def test_a_sick_leader_makes_way_for_a_healthy_stand_by() -> None:
    """It fails, steps down, and stays away until the other has had a chance."""
    store, sick, healthy = MemoryStore(), RecordingBus(), RecordingBus()

    async def fail(_: object) -> None:
        raise ConnectionError("cut off")

    sick.before = fail
    await append(store, 3)
    async with running(Relay(store, sick, SystemClock(), owner=new_id())):
        await eventually(lambda: CHECKPOINT in store._leases)
        async with running(Relay(store, healthy, SystemClock(), owner=new_id())):
            await until(lambda: len(healthy.taken) == 3)
    assert ([1, 2, 3], []) == (healthy.positions, sick.positions)


async def test_a_stand_by_warns_once_of_a_leader_that_stands_still(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Proxy()
    await store.inner.acquire(CHECKPOINT, "another", ttl_s=3600)
    await append(store, 3)
    terms = 4 * round(leased_reader.LEASE_S / leased_reader.STANDBY_S)
    async with running(Relay(store, RecordingBus(), FakeClock(), owner=new_id())):
        await eventually(lambda: store.calls["acquire"] > terms)
        assert ["stood at position 0"] == warnings_of(caplog)
        await store.save_checkpoint(CHECKPOINT, 2)
        await eventually(lambda: store.calls["acquire"] > 2 * terms)
    assert ["stood at position 0", "stood at position 2"] == warnings_of(caplog)


async def test_a_stand_by_does_not_warn_of_a_leader_that_moves_or_is_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Proxy()
    await store.inner.acquire(CHECKPOINT, "another", ttl_s=3600)
    await append(store, 3)
    await store.save_checkpoint(CHECKPOINT, 3)
    terms = 4 * round(leased_reader.LEASE_S / leased_reader.STANDBY_S)
    async with running(Relay(store, RecordingBus(), FakeClock(), owner=new_id())):
        await eventually(lambda: store.calls["acquire"] > terms)
    assert [] == warnings_of(caplog)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    texts = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    return [text[text.index("stood") :].split(" for ")[0] for text in texts]
