"""Subscribing through an application, on the real in-memory bus."""

import asyncio
import logging
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest

from eventhus import Metadata, Recorded, StreamId
from eventhus.errors import BusUnavailable, InvalidArgument, NotRunning
from eventhus.ports import EventBus, Message
from eventhus_memory import MemoryBus
from eventhus_memory.bus import MemorySubscription
from tests.bank import Account, Deposit, Deposited, Open, Opened, Scribble, account
from tests.core.hooks import Gate
from tests.core.support import Proxy, add, compose
from tests.core.waiting import eventually, settle


class Listener:
    """Keeps what it was given; fails where told to."""

    def __init__(self, *, failures: int = 0) -> None:
        self.got: list[Recorded[Any]] = []
        self.tried = 0
        self._failures = failures

    async def __call__(self, recorded: Recorded[Any]) -> None:
        """Take one event."""
        self.tried += 1
        if self.tried <= self._failures:
            raise ZeroDivisionError
        self.got.append(recorded)


class RefusingBus(MemoryBus):
    """Cannot be subscribed to until it is up."""

    is_up = False

    async def subscribe(self, *args: Any, **options: Any) -> MemorySubscription:
        """Subscribe as the bus does."""
        if not self.is_up:
            raise BusUnavailable("test", "it is down")
        return await super().subscribe(*args, **options)


async def test_a_subscriber_receives_events_equal_to_the_committed_ones() -> None:
    listener = Listener()
    async with compose(bus=MemoryBus()) as app:
        await app.subscribe(listener)
        metadata = Metadata("talk", "cause", {"user": "Zoë\n"})
        answers = [
            await app.dispatch(Open(aggregate_id="é", owner="Zoë"), metadata=metadata),
            await app.dispatch(Scribble(aggregate_id="n", text="🏦")),
            await app.dispatch(Deposit(aggregate_id="é", amount=3)),
        ]
    expected = [event for each in answers for event in each.events]
    assert expected == sorted(listener.got, key=lambda each: each.position)


async def test_an_empty_bus_delivers_the_events() -> None:
    class Sized(MemoryBus):
        def __len__(self) -> int:
            return 0

    bus = Sized()
    async with compose(bus=bus) as app:
        await app.subscribe(Listener(), group="g")
        assert await bus.has_group("g")


async def test_events_of_one_aggregate_are_handled_in_order() -> None:
    got: dict[str, list[int]] = {}

    async def handle(recorded: Recorded[Any]) -> None:
        await asyncio.sleep(0)
        got.setdefault(recorded.stream.aggregate_id, []).append(recorded.version)

    async with compose(bus=MemoryBus()) as app:
        await app.subscribe(handle)
        await asyncio.gather(*(add(app, *range(20), aggregate_id=f"a{n}") for n in range(5)))
    assert {f"a{n}": list(range(1, 21)) for n in range(5)} == got


async def test_every_subscriber_without_a_group_receives_every_event() -> None:
    listeners = [Listener(), Listener()]
    async with compose(bus=MemoryBus()) as app:
        for each in listeners:
            await app.subscribe(each)
        await add(app, 1, 2, 3)
    assert [[1, 2, 3]] * 2 == [[got.version for got in each.got] for each in listeners]


async def test_members_of_a_group_share_the_events() -> None:
    """Another group receives all of them again."""
    members, other = [Listener(), Listener(), Listener()], Listener()
    async with compose(bus=MemoryBus()) as app:
        for each in members:
            await app.subscribe(each, group="mailers")
        await app.subscribe(other, group="printers")
        for n in range(12):
            await add(app, 1, 2, aggregate_id=f"a{n}")
    shared = Counter(got.id for each in members for got in each.got)
    assert 24 == len(shared)
    assert {1} == set(shared.values())
    assert shared == Counter(got.id for got in other.got)


@pytest.mark.parametrize("bus", [None, MemoryBus()])
async def test_members_of_a_group_with_other_types_are_refused(bus: EventBus | None) -> None:
    """One member at a time handles the events, and skips those that it does not take."""
    first, second = Listener(), Listener()
    async with compose(bus=bus) as app:
        subscribed = await asyncio.gather(
            app.subscribe(first, group="mailers", types=[Opened]),
            app.subscribe(second, group="mailers", types=[Deposited]),
            return_exceptions=True,
        )
        assert [InvalidArgument] == [
            type(each) for each in subscribed if isinstance(each, Exception)
        ]
        with pytest.raises(InvalidArgument, match="'mailers' has a subscription with other types"):
            await app.subscribe(second, group="mailers")
        await app.subscribe(second, group="printers", types=[Deposited])
        await app.subscribe(second, types=[Deposited])
        await app.subscribe(first, group="mailers", types=[Opened])


async def test_a_closed_or_failed_subscription_does_not_count_as_a_member() -> None:
    bus = RefusingBus()
    async with compose(bus=bus) as app:
        with pytest.raises(BusUnavailable) as kept:  # with all that its traceback refers to
            await app.subscribe(Listener(), group="mailers", types=[Opened])
        bus.is_up = True
        subscription = await app.subscribe(Listener(), group="mailers", types=[Deposited])
        await subscription.close()
        await app.subscribe(Listener(), group="mailers")
    assert kept.value.__traceback__ is not None


async def test_an_event_is_delivered_again_after_its_handler_raised() -> None:
    """Later events of its aggregate wait; those of other aggregates do not."""
    seen: list[tuple[str, int]] = []
    tried: Counter[str] = Counter()
    done = asyncio.Event()

    async def handle(recorded: Recorded[Any]) -> None:
        stream = recorded.stream.aggregate_id
        tried[recorded.id] += 1
        if (stream, recorded.version) == ("a", 1) and tried[recorded.id] < 3:
            raise ZeroDivisionError
        seen.append((stream, recorded.version))
        if len(seen) == 4:
            done.set()

    async with compose(bus=MemoryBus()) as app:
        await app.subscribe(handle)
        await add(app, 1, 2)
        await add(app, 1, 2, aggregate_id="b")
        await done.wait()
    assert [("a", 1), ("a", 2)] == [each for each in seen if each[0] == "a"]
    assert [("b", 1), ("b", 2)] == seen[:2]
    assert 3 == max(tried.values())


async def test_a_subscriber_receives_only_events_published_after_it_subscribed() -> None:
    early, late = Listener(), Listener()
    async with compose(bus=MemoryBus()) as app:
        await app.subscribe(early)
        await add(app, 1)
        await eventually(lambda: early.got)
        await app.subscribe(late)
        await add(app, 2)
    assert [1, 2] == [each.version for each in early.got]
    assert [2] == [each.version for each in late.got]


async def test_a_subscriber_may_begin_with_earlier_events() -> None:
    """With the first one, or after a commit."""
    everything, rest, early = Listener(), Listener(), Listener()
    async with compose(bus=MemoryBus()) as app:
        await app.subscribe(early)
        await add(app, 1, 2, 3)
        await eventually(lambda: len(early.got) == 3)
        await app.subscribe(everything, start="beginning")
        await app.subscribe(rest, group="mailers", start=early.got[1].position)
    assert [1, 2, 3] == [each.version for each in everything.got]
    assert [3] == [each.version for each in rest.got]


async def test_a_start_beyond_the_log_is_refused() -> None:
    """It is a mistake, such as a position of another log."""
    async with compose(bus=MemoryBus()) as app:
        await add(app, 1)
        with pytest.raises(InvalidArgument, match="start is 2, and the log ends at 1"):
            await app.subscribe(Listener(), start=2)
        with pytest.raises(InvalidArgument, match="start must be"):
            await app.subscribe(Listener(), start="end")  # type: ignore[arg-type]


async def test_a_closed_subscription_receives_nothing() -> None:
    """Closing waits for the event that is being handled."""
    gate, finished = Gate(), []

    async def handle(recorded: Recorded[Any]) -> None:
        await gate()
        finished.append(recorded.version)

    async with compose(bus=MemoryBus()) as app:
        subscription = await app.subscribe(handle)
        await add(app, 1, 2)
        await gate.arrived.wait()
        closing = asyncio.create_task(subscription.close())
        await settle()
        assert not closing.done()
        gate.opened.set()
        await closing
        assert [1] == finished
        await add(app, 3)
        await settle()
    assert [1] == finished


async def test_leaving_waits_until_subscribers_have_handled_every_commit() -> None:
    handled: list[int] = []

    async def handle(recorded: Recorded[Any]) -> None:
        await settle()
        handled.append(recorded.version)

    async with compose(bus=MemoryBus()) as app:
        await app.subscribe(handle)
        await add(app, *range(10))
    assert list(range(1, 11)) == handled


async def test_subscribers_may_read_the_store_while_the_application_is_left() -> None:
    store = Proxy()
    closed: list[int] = []

    async def handle(recorded: Recorded[Any]) -> None:
        closed.append(store.calls["__aexit__"])

    async with compose(store, bus=MemoryBus()) as app:
        await app.subscribe(handle)
        await add(app, 1, 2, 3)
    assert [0, 0, 0] == closed


async def test_a_subscriber_can_dispatch_commands() -> None:
    """They belong to the conversation of the event."""
    done = asyncio.Event()

    async with compose(bus=MemoryBus()) as app:

        async def react(recorded: Recorded[Any]) -> None:
            if recorded.stream.aggregate_type == "Account":
                await app.dispatch(
                    Scribble(aggregate_id="n", text="opened"), metadata=recorded.caused()
                )
                done.set()

        await app.subscribe(react)
        opened = (await app.dispatch(Open(aggregate_id="a"))).events[0]
        await done.wait()
        log = [await anext(app.follow(after=n)) for n in range(2)]
    assert (opened.metadata.correlation_id, opened.id) == (
        log[1].metadata.correlation_id,
        log[1].metadata.causation_id,
    )


async def test_a_foreign_message_is_logged_and_does_not_block_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    bus = MemoryBus()
    typed: EventBus = bus
    listener = Listener()
    async with compose(bus=typed) as app:
        await app.subscribe(listener)
        publisher = await bus.publisher()
        await publisher.publish([Message(id="x", stream=StreamId("Foreign", "1"), body=b"hello")])
        await add(app, 1)
        await eventually(lambda: listener.got)
    assert [1] == [each.version for each in listener.got]
    assert any("CodecError" in str(each.exc_info) for each in caplog.records)
    assert all(each.levelno >= logging.WARNING for each in caplog.records)


async def test_a_subscriber_and_the_history_return_the_same_envelopes() -> None:
    listener = Listener()
    async with compose(bus=MemoryBus()) as app:
        await app.subscribe(listener)
        await add(app, 1, 2, 3)
        history: list[Recorded[Any]] = [*await app.history(account, "a")]
    assert history == listener.got


async def test_a_handler_can_read_state_while_the_application_is_left() -> None:
    balances: list[int] = []
    async with compose(bus=MemoryBus()) as app:

        async def read(recorded: Recorded[Any]) -> None:
            await asyncio.sleep(0)
            state = await app.state(account, recorded.stream.aggregate_id)
            balances.append(state.balance)

        await app.subscribe(read)
        await add(app, 1, 2, 3)
    assert [6, 6, 6] == balances


async def test_a_handler_cannot_dispatch_while_the_application_is_left(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with compose(bus=MemoryBus()) as app:

        async def go_on(recorded: Recorded[Any]) -> None:
            await add(app, 1)

        await app.subscribe(go_on)
        await add(app, 1)
    assert "takes no more commands" in caplog.text
    with pytest.raises(NotRunning):
        await app.state(account, "a")


def test_wire_refuses_events_that_no_aggregate_declares() -> None:
    app = compose()
    with pytest.raises(InvalidArgument, match="Account is not an event of this application"):
        app.wire(
            Recorded(
                stream=StreamId("Account", "a"),
                version=1,
                position=1,
                id="c-1",
                event=Account(),
                recorded_at=datetime(2026, 1, 2, tzinfo=UTC),
                metadata=Metadata(),
            )
        )


async def test_a_handler_cannot_start_following_while_the_application_is_left() -> None:
    followed: list[Any] = []
    async with compose(bus=MemoryBus()) as app:

        async def follow(recorded: Recorded[Any]) -> None:
            followed.append([each async for each in app.follow()])

        await app.subscribe(follow)
        await add(app, 1)
    assert [[]] == followed
