"""Reading through an application: states, histories and the log."""

import asyncio
import gc
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from eventhus import Application, Loaded, Recorded, StreamId
from eventhus.errors import CodecError, InvalidArgument, NotRunning
from eventhus.ports import (
    Commit,
    EventData,
    Part,
)
from eventhus.runtime.commands.repository import PAGE
from eventhus_memory import MemoryStore
from tests.bank import Account, Deposit, Open, Opened, Scribble, account, note
from tests.core.hooks import Gate
from tests.core.support import Proxy, add, compose
from tests.core.waiting import eventually, settle

# State.


async def test_the_state_of_an_unknown_id_is_initial() -> None:
    async with compose() as app:
        assert Account() == await app.state(account, "nobody")
        assert Loaded(state=Account(), version=0, position=0) == await app.load(account, "nobody")
        assert "" == await app.state(note, "nobody")


async def test_load_returns_the_version_and_position_of_the_state() -> None:
    async with compose() as app:
        await app.dispatch(Scribble(aggregate_id="n"))
        await add(app, 1, 2)
        await app.dispatch(Scribble(aggregate_id="n"))
        loaded = await app.load(account, "a")
        assert Loaded(state=Account(balance=3), version=2, position=3) == loaded
        await app.dispatch(Open(aggregate_id="a"), expected_version=loaded.version)


async def test_load_returns_the_position_of_a_state_folded_from_the_log() -> None:
    """No command of this application was decided on it."""
    store = MemoryStore()
    async with compose(store) as app:
        await app.dispatch(Scribble(aggregate_id="n"))
        await add(app, 1, 2)
        await app.dispatch(Scribble(aggregate_id="n"))
    async with compose(store) as app:
        expected = Loaded(state=Account(balance=3), version=2, position=3)
        assert expected == await app.load(account, "a")


async def test_the_state_includes_events_of_other_applications() -> None:
    """A cached state is brought up to date first."""
    store = MemoryStore()
    async with compose(store) as here, compose(store) as there:
        await add(here, 1)
        await add(there, 2)
        assert Account(balance=3) == await here.state(account, "a")


async def test_reading_a_cached_state_loads_only_new_events() -> None:
    store = Proxy()
    async with compose(store) as app:
        await add(app, 1, 2, 3)
        store.calls.clear()
        await app.state(account, "a")
        assert {"load": 1, "events loaded": 0} == store.calls


async def test_a_state_that_was_read_is_cached_for_the_next_command() -> None:
    """Web pages usually read first and then send a command."""
    store = Proxy()
    async with compose(store.inner) as app:
        await add(app, 1)
    async with compose(store) as app:
        loaded = await app.load(account, "a")
        store.calls.clear()
        await app.dispatch(Open(aggregate_id="a"), expected_version=loaded.version)
        assert {"append": 1} == store.calls


async def test_reading_does_not_wait_for_commands() -> None:
    """Reads need neither the turn of the aggregate nor a worker."""
    store, gate = Proxy(), Gate()
    store.before["append"] = gate
    async with compose(store, workers=1) as app:
        task = asyncio.create_task(app.dispatch(Open(aggregate_id="a")))
        await gate.arrived.wait()
        assert Account() == await app.state(account, "a")
        assert [] == await app.history(account, "a")
        gate.opened.set()
        await task


@pytest.mark.parametrize("read", ["state", "load", "history"])
async def test_an_aggregate_of_another_application_cannot_be_read(read: str) -> None:
    """Not even one with the name of an aggregate of this application."""
    async with compose(aggregates=[account]) as app:
        for stranger, advice in (
            (note, "add it to aggregates"),
            (attrs.evolve(account, revision=2), "another one has its name; pass the object that"),
        ):
            expected = f"not an aggregate of this application; {advice}"
            with pytest.raises(InvalidArgument, match=expected):
                await getattr(app, read)(stranger, "a")


@pytest.mark.parametrize("read", ["state", "load", "history"])
@pytest.mark.parametrize("aggregate_id", ["", None, 7])
async def test_an_id_that_is_not_text_is_refused(read: str, aggregate_id: Any) -> None:
    store = Proxy()
    async with compose(store) as app:
        store.calls.clear()
        with pytest.raises(InvalidArgument):
            await getattr(app, read)(account, aggregate_id)
        assert {} == store.calls


# History.


async def test_the_history_holds_every_event_of_one_aggregate_oldest_first() -> None:
    async with compose() as app:
        first = await app.dispatch(Open(aggregate_id="a"))
        await app.dispatch(Open(aggregate_id="b"))
        second = await app.dispatch(Deposit(aggregate_id="a", amount=5))
        assert [*first.events, *second.events] == await app.history(account, "a")


async def test_the_history_of_an_unknown_id_is_empty() -> None:
    async with compose() as app:
        assert [] == await app.history(account, "nobody")


@pytest.mark.parametrize("length", [PAGE - 1, PAGE, PAGE + 1, 2 * PAGE + 1])
async def test_a_history_of_several_pages_has_no_gap_and_no_repeat(length: int) -> None:
    store = MemoryStore()
    await store.append(
        Commit(
            id="long",
            parts=[
                Part(
                    stream=StreamId("Account", "a"),
                    events=[EventData("Deposited", {"amount": n}) for n in range(length)],
                    expected_version=0,
                )
            ],
            recorded_at=datetime.now(UTC),
        )
    )
    async with compose(store) as app:
        history = await app.history(account, "a")
    assert [*range(length)] == [each.event.amount for each in history]  # type: ignore[union-attr]
    assert [*range(1, length + 1)] == [each.version for each in history]


# Following the log.


class Follower:
    """Follows in a task of its own, and keeps what it saw."""

    def __init__(self, app: Application, after: int = 0, *, hold: Gate | None = None) -> None:
        self.seen: list[Recorded[Any]] = []
        self._hold = hold
        self.task = asyncio.create_task(self._follow(app, after))

    async def _follow(self, app: Application, after: int) -> None:
        async for each in app.follow(after=after):
            self.seen.append(each)
            if self._hold is not None:
                await self._hold()

    @property
    def positions(self) -> list[int]:
        """Where it has been."""
        return [each.position for each in self.seen]


async def test_a_follower_sees_stored_events_then_new_ones() -> None:
    async with compose() as app:
        await add(app, 1, 2)
        follower = Follower(app)
        await eventually(lambda: len(follower.seen) == 2)
        await app.dispatch(Scribble(aggregate_id="n", text="x"))
        await add(app, 3, aggregate_id="b")
        await eventually(lambda: len(follower.seen) == 4)
        await settle()
        assert [1, 2, 3, 4] == follower.positions
        assert [*await app.history(account, "a"), *await app.history(note, "n")] == (
            follower.seen[:3]
        )


async def test_a_follower_starts_after_the_given_position() -> None:
    async with compose() as app:
        await add(app, 1, 2, 3)
        follower = Follower(app, after=2)
        await add(app, 4)
        await eventually(lambda: len(follower.seen) == 2)
        assert [3, 4] == follower.positions


async def test_a_follower_that_starts_beyond_the_head_waits() -> None:
    async with compose() as app:
        follower = Follower(app, after=2)
        await add(app, 1, 2)
        await settle()
        assert [] == follower.seen
        await add(app, 3)
        await eventually(lambda: follower.seen)
        assert [3] == follower.positions


async def test_a_follower_catches_up_over_many_pages_while_events_are_appended() -> None:
    store = MemoryStore()
    await store.append(
        Commit(
            id="long",
            parts=[
                Part(
                    stream=StreamId("Account", "a"),
                    events=[EventData("Deposited", {"amount": n}) for n in range(2 * PAGE + 1)],
                    expected_version=0,
                )
            ],
            recorded_at=datetime.now(UTC),
        )
    )
    async with compose(store) as app:
        follower = Follower(app)
        await add(app, 1, 2, 3, aggregate_id="b")
        await eventually(lambda: len(follower.seen) == 2 * PAGE + 4)
    assert list(range(1, 2 * PAGE + 5)) == follower.positions


async def test_a_waiting_follower_ends_when_the_application_is_left() -> None:
    async with compose() as app:
        await add(app, 1)
        followers = [Follower(app) for _ in range(3)]
        await settle()
    await settle()
    for follower in followers:
        assert follower.task.done()
        assert not follower.task.cancelled()
        assert None is follower.task.exception()
        assert [1] == follower.positions


async def test_a_busy_follower_ends_after_the_application_was_left() -> None:
    gate = Gate()
    async with compose() as app:
        await add(app, 1)
        follower = Follower(app, hold=gate)
        await gate.arrived.wait()
    gate.opened.set()
    await settle()
    try:
        assert follower.task.done()
        assert None is follower.task.exception()
    finally:
        follower.task.cancel()


async def test_a_busy_follower_does_not_read_a_closed_store() -> None:
    """It continues next time after its last position."""
    store, gate = Proxy(), Gate()
    async with compose(store) as app:
        await add(app, 1, 2)
        follower = Follower(app, hold=gate)
        await gate.arrived.wait()
    async with compose(store.inner) as another:
        await add(another, 3)
    gate.opened.set()
    await settle()
    try:
        assert [1] == follower.positions
    finally:
        follower.task.cancel()


async def test_a_follower_ends_with_its_run_even_if_another_run_starts_at_once() -> None:
    app = compose()
    async with app:
        await add(app, 1)
        follower = Follower(app)
        await settle()
    async with app:
        await settle()
        assert follower.task.done()
        assert not follower.task.cancelled()
        assert None is follower.task.exception()


async def test_a_consumer_can_stop_and_close_the_follower() -> None:
    """The application and other followers go on."""
    store = MemoryStore()
    async with compose(store) as app:
        await add(app, 1, 2, 3)
        other = Follower(app)
        events: AsyncGenerator[Recorded[Any], None] = app.follow()
        async with aclosing(events):
            async for each in events:
                if each.position == 2:
                    break
        await add(app, 4)
        await eventually(lambda: len(other.seen) == 4)


async def test_a_consumer_can_stop_without_closing_the_follower() -> None:
    """The event loop cleans up."""
    async with compose() as app:
        await add(app, 1, 2, 3)
        async for each in app.follow():
            assert 1 == each.position
            break
        await settle()


async def test_cancelling_a_waiting_consumer_raises_cancelled_error() -> None:
    """It does not look like the end of the log."""
    async with compose() as app:
        await add(app, 1)
        follower = Follower(app)
        await settle()
        follower.task.cancel()
        await settle()
        assert follower.task.cancelled()
        await add(app, 2)
    assert [1] == follower.positions


async def test_cancelling_a_consumer_while_the_application_is_left_raises_cancelled_error() -> None:
    async with compose() as app:
        follower = Follower(app)
        await settle()
        follower.task.cancel()
    await settle()
    assert follower.task.cancelled()


async def test_a_consumer_can_follow_again_after_a_timeout() -> None:
    async with compose() as app:
        await add(app, 1)

        async def wait_for_the_second_event() -> None:
            async with asyncio.timeout(0):
                async for _ in app.follow(after=1):
                    raise AssertionError("there is no second event")

        with pytest.raises(TimeoutError):
            await wait_for_the_second_event()
        follower = Follower(app)
        await eventually(lambda: follower.seen)


async def test_following_after_the_application_was_left_is_refused() -> None:
    """The check happens at the first iteration."""
    async with compose() as app:
        events = app.follow()
    with pytest.raises(NotRunning):
        await anext(events)


async def test_a_follower_gets_a_codec_error_for_an_event_that_does_not_decode() -> None:
    store = MemoryStore()
    async with compose(store, aggregates=[account, note]) as app:
        await add(app, 1)
        await app.dispatch(Scribble(aggregate_id="n"))
    async with compose(store, aggregates=[account]) as app:
        follower = Follower(app)
        await settle()
        error = follower.task.exception()
        assert isinstance(error, CodecError)
        assert (StreamId("Note", "n"), 1) == (error.stream, error.version)
        assert [1] == follower.positions


async def test_an_error_of_the_store_reaches_the_follower() -> None:
    async def fail(*_: object) -> None:
        raise ConnectionError("down")

    store = Proxy()
    store.before["follow"] = fail
    async with compose(store) as app:
        await add(app, 1)
        with pytest.raises(ConnectionError):
            await anext(app.follow())


async def test_a_follower_keeps_no_reference_to_past_events() -> None:
    """It may run for months."""
    store = Proxy()
    ids: list[str] = []

    async def watch(page: Any) -> None:
        ids.extend(each.id for each in page.events)

    store.before["follow"] = watch
    async with compose(store) as app:
        follower = Follower(app)
        for amount in (1, 2, 3):
            await add(app, amount)
            await settle()
        assert [1, 2, 3] == follower.positions
        gc.collect()
        alive = [each for each in gc.get_objects() if type(each) is Recorded]
        stored = [each.id for each in alive if type(each.event) is EventData]
        assert set(stored).isdisjoint(ids[:2])


async def test_a_follower_yields_instances_of_the_domain_classes() -> None:
    async with compose() as app:
        await app.dispatch(Open(aggregate_id="a", owner="Zoë"))
        events = app.follow()
        assert Opened("Zoë") == (await anext(events)).event
        await events.aclose()
