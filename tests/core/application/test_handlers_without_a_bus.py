"""Event handlers of an application without a bus read the log itself."""

# ruff: noqa: SLF001 - leases are taken away, as the time does

from __future__ import annotations

import asyncio
import logging
import marshal
from math import nan
from typing import Any

import pytest
from attrs import define, evolve, field

from eventhus import Delivered, StreamId
from eventhus.errors import InvalidArgument, StoreUnavailable
from eventhus.ports import Checkpoint, EventData, Page
from eventhus.runtime.log_bus import delivery as delivery_module
from eventhus.runtime.log_bus.bus import LogBus
from eventhus.runtime.readers import leased_reader as lease_module
from eventhus_memory import MemoryStore
from eventhus_testing.conformance.store.samples import commit
from tests.bank import Deposited, Open, Opened, Scribbled, account, note
from tests.core.hooks import Gate, at, fail_with
from tests.core.readers import bank, crash, expire
from tests.core.support import Proxy, add
from tests.core.waiting import eventually, settle

GROUP = "group_mailer"


@define
class Handler:
    """Keeps what it was given, and fails on some of it, each time."""

    fails_on: set[tuple[str, int]] = field(factory=set[tuple[str, int]])
    got: list[tuple[str, int]] = field(factory=list[tuple[str, int]])
    attempts: list[int] = field(factory=list[int])

    async def __call__(self, delivered: Delivered[Any]) -> None:
        """Take one event."""
        place = (delivered.stream.aggregate_id, delivered.version)
        self.attempts.append(delivered.attempt)
        if place in self.fails_on:
            raise ZeroDivisionError
        self.got.append(place)


async def saved(store: MemoryStore | Proxy, position: int) -> None:
    """Wait until the group has come to a position."""
    inner = store.inner if isinstance(store, Proxy) else store
    assert isinstance(inner, MemoryStore)
    await eventually(lambda: inner._checkpoints[GROUP][0].position >= position)


async def checkpoint(store: MemoryStore) -> Checkpoint:
    return await store.load_checkpoint(GROUP)


async def test_a_group_gets_every_later_event_and_keeps_its_place() -> None:
    """The next process goes on where the last one ended."""
    store, first, second = MemoryStore(), Handler(), Handler()
    async with bank(store) as app:
        await add(app, 1)
        await app.subscribe(first, group="mailer")
        await add(app, 2, 3)
        await saved(store, 3)
    async with bank(store) as app:
        await add(app, 4)
        await app.subscribe(second, group="mailer")
        await add(app, 5)
        await saved(store, 5)
    assert ([("a", 2), ("a", 3)], [("a", 4), ("a", 5)]) == (first.got, second.got)


async def test_a_subscription_without_a_group_leaves_nothing_in_the_store() -> None:
    store, handler = MemoryStore(), Handler()
    async with bank(store) as app:
        await add(app, 1)
        subscription = await app.subscribe(handler)
        await add(app, 2)
        await eventually(lambda: handler.got)
        await subscription.close()
        await add(app, 3)
        await app.subscribe(handler)
        await add(app, 4)
        await eventually(lambda: len(handler.got) == 2)
    assert [("a", 2), ("a", 4)] == handler.got
    assert {} == store._groups
    assert {} == store._leases


async def test_a_group_may_start_anywhere() -> None:
    store, handlers = MemoryStore(), [Handler(), Handler(), Handler()]
    async with bank(store) as app:
        await add(app, 1, 2, 3)
        await app.subscribe(handlers[0], group="mailer", start="beginning")
        await app.subscribe(handlers[1], group="printer", start=2)
        await app.subscribe(handlers[2], start=1)
        await eventually(lambda: sum(len(each.got) for each in handlers) == 6)
        with pytest.raises(InvalidArgument, match="start is 4, and the log ends at 3"):
            await app.subscribe(handlers[0], group="late", start=4)
    assert [3, 1, 2] == [len(each.got) for each in handlers]


async def test_only_wanted_events_are_read_and_the_checkpoint_moves_over_the_others() -> None:
    store, handler, seen = Proxy(), Handler(), set[str]()

    async def look(page: Page) -> None:
        seen.update(each.event.type for each in page.events)

    store.before["follow"] = look
    async with bank(store) as app:
        await app.subscribe(handler, group="mailer", types=[Opened, Scribbled])
        await add(app, 1, 2)
        await app.dispatch(Open(aggregate_id="b"))
        await add(app, 3)
        await saved(store, 4)
    assert [("b", 1)] == handler.got
    assert {"Opened"} == seen


async def test_a_failing_event_becomes_a_dead_letter_and_is_replayed() -> None:
    """Later events of its aggregate wait for the last attempt, and are handled then."""
    store, failing, mended = MemoryStore(), Handler({("a", 2)}), Handler()
    async with bank(store) as app:
        await app.subscribe(failing, group="mailer", attempts=3)
        await add(app, 1, 2, 3)
        await add(app, 1, aggregate_id="b")
        await saved(store, 4)
        assert [1, 2, 3] == sorted(failing.attempts)[-3:]
    async with bank(store) as app:
        with pytest.raises(InvalidArgument, match="no group 'printer'; there are: mailer"):
            await app.replay(mended, group="printer")
        replayed = await app.replay(mended, group="mailer")
        assert (1, 0) == (replayed.handled, replayed.failed)
        assert (0, 0) == ((again := await app.replay(mended, group="mailer")).handled, again.failed)
    assert [("a", 1), ("a", 3), ("b", 1)] == sorted(failing.got)
    assert [("a", 2)] == mended.got


async def test_events_handled_after_a_failing_one_are_not_handled_again() -> None:
    """A new process goes on with the one that fails, and with those that wait for it."""
    store, first, second = MemoryStore(), Handler({("a", 1)}), Handler()
    async with bank(store) as app:
        await app.subscribe(first, group="mailer", attempts=10**9)
        await add(app, 1, 2)
        for name in "bcd":
            await add(app, 1, 2, aggregate_id=name)
        await eventually(lambda: len(first.got) == 6)
    kept = await checkpoint(store)
    assert (0, [(3, 8)]) == (kept.position, [*kept.done])
    async with bank(store) as app:
        await app.subscribe(second, group="mailer")
        await saved(store, 8)
    assert [("a", 1), ("a", 2)] == second.got


async def test_an_event_of_a_newer_version_waits_for_its_process(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The old process steps down, again and again, and handles nothing twice meanwhile."""
    store, old, other = MemoryStore(), Handler(), Handler()
    async with bank(store) as app:
        await app.subscribe(old, group="mailer")
        await add(app, 1, aggregate_id="b")
        for name, type_ in (("a", "Refunded"), ("b", "Deposited")):
            event = EventData(type_, {"amount": 1})
            await store.append(commit(StreamId("Account", name), events=[event]))
        await eventually(lambda: "written by a newer version" in caplog.text)
        tried = store._leases[GROUP].lease.token
        await eventually(lambda: store._leases[GROUP].lease.token > tried + 3)
        assert [("b", 1)] == old.got
        assert 1 == (await checkpoint(store)).position
    async with bank(store, aggregates=[note]) as app:  # somebody else's events are skipped
        await app.subscribe(other, group="mailer")
        await saved(store, 3)
    assert [] == other.got


async def test_a_member_of_the_new_version_takes_over_from_one_of_the_old() -> None:
    """While a deployment rolls out, both run, and the old one has the lease."""
    store, old, new = MemoryStore(), Handler(), Handler()
    before = evolve(account, events=(Deposited,))
    async with bank(store, aggregates=[before]) as first, bank(store) as second:
        await first.subscribe(old, group="mailer")
        await add(first, 1)
        await eventually(lambda: old.got)
        await second.subscribe(new, group="mailer")
        await second.dispatch(Open(aggregate_id="b"))
        await add(first, 2)
        await saved(store, 3)
    assert ([("a", 1)], [("a", 2), ("b", 1)]) == (old.got[:1], sorted(old.got[1:] + new.got))
    assert ("b", 1) in new.got


async def test_one_member_is_given_events_and_another_takes_over() -> None:
    """At once if the first one leaves in good order."""
    store, handlers = MemoryStore(), [Handler(), Handler()]
    async with bank(store) as first, bank(store) as second:
        subscription = await first.subscribe(handlers[0], group="mailer")
        await add(first, 1, 2)
        await eventually(lambda: len(handlers[0].got) == 2)
        await second.subscribe(handlers[1], group="mailer")
        await add(first, 3)
        await eventually(lambda: len(handlers[0].got) == 3)
        assert [] == handlers[1].got
        await subscription.close()
        await add(first, 4)
        await eventually(lambda: handlers[1].got)
    assert [("a", 4)] == handlers[1].got


async def test_a_crashed_member_is_followed_by_another_one() -> None:
    """It goes on from the checkpoint, so the last events may come twice and none is lost."""
    inner, first, second = MemoryStore(), Handler(), Handler()
    store = Proxy(inner)
    async with bank(inner) as witness, bank(store) as app:
        await app.subscribe(first, group="mailer")
        await add(witness, 1, 2)
        await saved(inner, 2)
        store.before["save_checkpoint"] = fail_with(ConnectionError("dead"))
        await add(witness, 3)
        await eventually(lambda: len(first.got) >= 3)
        crash(store)
        await witness.subscribe(second, group="mailer")
        await add(witness, 4)
        await saved(inner, 4)
    assert [("a", 3), ("a", 4)] == second.got


async def test_a_member_that_was_paused_beyond_its_lease_begins_no_more_events() -> None:
    """It finds the lease expired before it renews it; another member may hold it by then."""
    store, gate, got = MemoryStore(), Gate(), list[int]()

    async def handle(delivered: Delivered[Any]) -> None:
        got.append(delivered.version)
        await gate()

    async with bank(store) as app:
        await app.subscribe(handle, group="mailer")
        [member] = app._source._subscriptions  # type: ignore[attr-defined]
        await add(app, 1, 2)
        await gate.arrived.wait()
        member._held_until_s = 0.0
        expire(store)
        lease = await store.acquire(GROUP, "another", ttl_s=60)
        assert lease is not None
        gate.opened.set()
        await settle()
        assert [1] == got
        await store.release(lease)
        await saved(store, 2)
    assert [1, 2] == got


async def test_a_member_waits_for_the_handlers_of_its_earlier_term() -> None:
    """Otherwise two events of an aggregate would be handled at once."""
    store, gate, running, most = Proxy(), Gate(), 0, 0

    async def handle(_: Delivered[Any]) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate()
        running -= 1

    async with bank(store) as app:
        await app.subscribe(handle, group="mailer")
        await add(app, 1)
        await gate.arrived.wait()
        store.before["follow"] = at([1], fail_with(StoreUnavailable("bank", "away")))
        await add(app, 2)
        await settle()
        gate.opened.set()
        await saved(store, 2)
    assert 1 == most


async def test_a_failing_store_stops_no_group(caplog: pytest.LogCaptureFixture) -> None:
    store, handler = Proxy(), Handler()
    for name in ("follow", "save_checkpoint", "acquire", "load_checkpoint"):
        store.before[name] = at([1, 3], fail_with(StoreUnavailable("bank", "away")))
    async with bank(store) as app:
        await app.subscribe(handler, group="mailer")
        for amount in range(1, 9):
            await add(app, amount)
            await settle()
        await saved(store, 8)
    assert [("a", version) for version in range(1, 9)] == [*dict.fromkeys(handler.got)]
    assert "group mailer stopped at position" in caplog.text


async def test_a_failing_store_stops_no_subscription_without_a_group(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """It goes on after the last event that it has read, so none comes twice."""
    store, handler = Proxy(), Handler()
    store.before["follow"] = at([1, 2, 4], fail_with(StoreUnavailable("bank", "away")))
    async with bank(store) as app:
        await app.subscribe(handler)
        for amount in range(1, 9):
            await add(app, amount)
            await settle()
        await eventually(lambda: len(handler.got) == 8)
    assert [("a", version) for version in range(1, 9)] == handler.got
    assert "no events for now: StoreUnavailable" in caplog.text


async def test_leaving_waits_for_handlers_and_leaves_the_rest_to_the_next_process() -> None:
    store, gate, got = MemoryStore(), Gate(), list[int]()

    async def handle(delivered: Delivered[Any]) -> None:
        await gate()
        got.append(delivered.version)

    app = bank(store)
    await app.__aenter__()
    await app.subscribe(handle, group="mailer")
    await app.subscribe(handle)
    await add(app, 1, 2)
    await eventually(lambda: gate.waiting == 2)
    leaving = asyncio.create_task(app.__aexit__(None, None, None))
    await settle()
    assert not leaving.done()
    gate.opened.set()
    await leaving
    assert [1, 1] == got
    assert 1 == (await checkpoint(store)).position


async def test_an_event_whose_handler_fails_while_it_is_closed_is_not_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, gate, handler = MemoryStore(), Gate(), Handler()

    async def fail(_: Delivered[Any]) -> None:
        await gate()
        raise ZeroDivisionError

    async with bank(store) as app:
        subscription = await app.subscribe(fail, group="mailer")
        await add(app, 1)
        await gate.arrived.wait()
        closing = asyncio.create_task(subscription.close())
        await settle()
        gate.opened.set()
        await closing
        assert "failed on" in caplog.text
        assert "while the subscription was closing: ZeroDivisionError" in caplog.text
        await app.subscribe(handler, group="mailer")
        await saved(store, 1)
    assert [("a", 1)] == handler.got


@pytest.mark.parametrize("group", [None, "mailer"])
async def test_a_handler_that_hangs_is_cancelled_at_the_end_of_the_patience(
    group: str | None,
) -> None:
    store, ended = MemoryStore(), list[int]()

    async def hang(delivered: Delivered[Any]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(delivered.version)

    async with bank(store, shutdown_timeout_s=0.01) as app:
        await app.subscribe(hang, group=group)
        await add(app, 1, 2)
        await settle()
    assert [1] == ended
    assert 0 == (await checkpoint(store)).position


@pytest.mark.parametrize("group", [None, "mailer"])
async def test_a_handler_may_close_its_own_subscription(group: str | None) -> None:
    got: list[int] = []
    async with bank() as app:

        async def once(delivered: Delivered[Any]) -> None:
            got.append(delivered.version)
            await subscription.close()

        subscription = await app.subscribe(once, group=group)
        await add(app, 1, 2)
        await eventually(lambda: got)
        await subscription.close()
    assert [1] == got


async def test_a_closed_standby_leaves_at_once() -> None:
    store = MemoryStore()
    async with bank(store) as first, bank(store) as second:
        await first.subscribe(Handler(), group="mailer")
        await settle()
        standby = await second.subscribe(Handler(), group="mailer")
        await settle()
        await standby.close()
        await standby.close()
        assert "group_mailer" in store._leases


async def test_an_event_that_no_message_can_hold_is_left_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Another program has written it; the others are delivered."""
    store, handler = MemoryStore(), Handler()

    async with bank(store) as app:
        await app.subscribe(handler, group="mailer")
        await add(app, 1, 2, 3)
        entry = store._log[1]
        store._log[1] = entry._replace(data=marshal.dumps({"amount": nan}))
        await saved(store, 3)
    assert [("a", 1), ("a", 3)] == handler.got
    assert "at position 2 is not published" in caplog.text


async def test_a_group_stops_when_the_log_was_replaced(caplog: pytest.LogCaptureFixture) -> None:
    """Its place means nothing in the other log."""
    store, handler = MemoryStore(), Handler()
    async with bank(store) as app:
        await add(app, 1)
        await app.subscribe(handler, group="mailer")
        await add(app, 2)
        await saved(store, 2)
    await store.save_checkpoint(GROUP, 2, event_id="lost-2", token=10)
    async with bank(store) as app:
        with caplog.at_level(logging.ERROR):
            await app.subscribe(handler, group="mailer")
            await eventually(lambda: "it is not the same log" in caplog.text)
    assert [("a", 2)] == handler.got


@pytest.mark.parametrize(
    ("limit", "value"), [("MOST_IN_HAND", 3), ("MOST_AHEAD", 3), ("MOST_BYTES_IN_HAND", 300)]
)
async def test_reading_waits_while_too_much_is_not_handled(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    """And goes on once there is room."""
    monkeypatch.setattr(delivery_module, "PAGE", 2)
    monkeypatch.setattr(delivery_module, limit, value)
    store, gate, got = Proxy(), Gate(), list[str]()

    async def handle(delivered: Delivered[Any]) -> None:
        if delivered.stream.aggregate_id == "a0":
            await gate()
        got.append(delivered.stream.aggregate_id)

    async with bank(store) as app:
        for number in range(20):
            await add(app, 1, aggregate_id=f"a{number}")
        await app.subscribe(handle, group="mailer", start="beginning", concurrency=1)
        await gate.arrived.wait()
        await settle()
        assert store.calls["follow"] <= 3
        gate.opened.set()
        await saved(store, 20)
    assert 20 == len(got)


async def test_a_standstill_of_the_leader_is_reported(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A handler that hangs, for instance."""
    monkeypatch.setattr(lease_module, "LEASE_S", 60.0)
    monkeypatch.setattr(lease_module, "STANDBY_S", 30.0)
    store, gate = MemoryStore(), Gate()

    async def hang(_: Delivered[Any]) -> None:
        await gate()

    async with bank(store) as first, bank(store) as second:
        await first.subscribe(hang, group="mailer")
        await second.subscribe(hang, group="mailer")
        await add(first, 1)
        await eventually(lambda: "group mailer: the leader has stood at position 0" in caplog.text)
        gate.opened.set()


@pytest.mark.parametrize("group", [None, "mailer"])
async def test_waiting_for_handlers_ends_when_they_are_closed(group: str | None) -> None:
    async with bank() as app:
        source = app._source
        assert isinstance(source, LogBus)
        subscription = await app.subscribe(Handler(), group=group)
        waiting = asyncio.create_task(source.caught_up(10))
        await add(app, 1)
        await settle()
        assert not waiting.done()
        await subscription.close()
        await waiting


async def test_waiting_for_handlers_waits_for_each_of_them() -> None:
    gates = [Gate(), Gate()]
    async with bank() as app:
        source = app._source
        assert isinstance(source, LogBus)
        await app.subscribe(gates[0])
        await app.subscribe(gates[1], group="mailer")
        await add(app, 1)
        waiting = asyncio.create_task(source.caught_up(1))
        for gate in gates:
            await gate.arrived.wait()
            assert not waiting.done()
            gate.opened.set()
            await settle()
        await waiting
