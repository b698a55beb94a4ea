"""Attempts, dead letters and replay, through an application on the real in-memory bus."""

import asyncio
import gc
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import astuple, frozen

from eventhus import Aggregate, Command, Delivered, Recorded
from eventhus.errors import InvalidArgument, NotRunning
from eventhus_memory import MemoryBus
from tests.bank import Deposited, Opened, Scribble, Scribbled
from tests.core.hooks import Gate
from tests.core.support import FakeClock, add, compose
from tests.core.waiting import eventually, settle


class Fussy:
    """A handler that refuses some amounts."""

    def __init__(self, *refused: int) -> None:
        self.refused = set(refused)
        self.got: list[int] = []

    async def __call__(self, recorded: Recorded[Any]) -> None:
        """Take a deposit."""
        if recorded.event.amount in self.refused:
            raise ValueError(recorded.event.amount)
        self.got.append(recorded.event.amount)


async def test_an_event_becomes_a_dead_letter_after_the_last_attempt() -> None:
    """The next event of its aggregate is handled, and a replay delivers the dead letter."""
    fussy, clock = Fussy(2), FakeClock()
    async with compose(bus=MemoryBus(), clock=clock) as app:
        await app.subscribe(fussy, group="g", attempts=3)
        await add(app, 1, 2, 3)
        await eventually(lambda: fussy.got == [1, 3])
        assert [0.1, 0.2] == clock.sleeps_s[-2:]

        outcome = await app.replay(fussy, group="g")
        assert (0, 1) == (outcome.handled, outcome.failed)
        fussy.refused.clear()
        outcome = await app.replay(fussy, group="g")
        assert (1, 0) == (outcome.handled, outcome.failed)
        assert [1, 3, 2] == fussy.got
        outcome = await app.replay(fussy, group="g")
        assert (0, 0) == (outcome.handled, outcome.failed)


async def test_subscriptions_without_a_group_share_one_dead_letter_queue() -> None:
    fussy = Fussy(1)
    async with compose(bus=MemoryBus(), clock=FakeClock()) as app:
        await app.subscribe(fussy, attempts=1)
        await add(app, 1, 2)
        await eventually(lambda: fussy.got == [2])
        fussy.refused.clear()
        assert 1 == (await app.replay(fussy)).handled
        assert 0 == (await app.replay(fussy, group="anonymous")).handled


async def test_a_handler_sees_the_number_of_the_attempt() -> None:
    """It can tell a first attempt from one that may repeat a side effect."""
    seen: list[int] = []

    async def handle(delivered: Delivered[Any]) -> None:
        seen.append(delivered.attempt)
        if delivered.attempt < 3:
            raise RuntimeError

    async with compose(bus=MemoryBus(), clock=FakeClock()) as app:
        await app.subscribe(handle)
        await add(app, 1)
        await eventually(lambda: len(seen) == 3)
    assert [1, 2, 3] == seen


async def test_a_subscription_receives_only_its_types() -> None:
    """Former names of a class count, too."""
    renamed: list[Any] = []
    opened: list[Any] = []

    async def keep(recorded: Recorded[Any]) -> None:
        opened.append(recorded.event)

    bus = MemoryBus()
    async with compose(bus=bus) as app:
        await app.subscribe(keep, types=[Opened, Scribbled])
        await add(app, 1)
        await app.dispatch(Scribble(aggregate_id="n", text="x"))
        await eventually(lambda: opened)
    assert [Scribbled("x")] == opened

    @frozen
    class Written:
        text: str

    @frozen(kw_only=True)
    class Write(Command):
        pass

    def decide(command: Write, state: str) -> Iterator[Written]:
        yield Written("y")

    def evolve(state: str, event: Written) -> str:
        return event.text

    async def keep_renamed(recorded: Recorded[Any]) -> None:
        renamed.append(recorded.event)

    note: Aggregate[Any, Any, Any] = Aggregate(
        name="Note",
        initial="",
        decide=decide,
        evolve=evolve,
        commands=(Write,),
        events=(Written,),
        aliases={"Scribbled": Written},
    )
    shared = MemoryBus()
    async with compose(bus=shared) as old, compose(bus=shared, aggregates=[note]) as new:
        await new.subscribe(keep_renamed, types=[Written])
        await old.dispatch(Scribble(aggregate_id="n", text="x"))
        await eventually(lambda: renamed)
    assert [Written("x")] == renamed


async def test_events_of_different_aggregates_are_handled_concurrently() -> None:
    gate = Gate()
    async with compose(bus=MemoryBus()) as app:
        await app.subscribe(gate, concurrency=3)
        for aggregate_id in "abcde":
            await add(app, 1, 2, aggregate_id=aggregate_id)
        await eventually(lambda: gate.waiting == 3)
        await settle()
        assert 3 == gate.waiting
        gate.opened.set()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"group": "a b"}, "group 'a b' is not 1 to 63 letters"),
        ({"group": ""}, "group '' is not 1 to 63 letters"),
        ({"concurrency": 0}, "concurrency must be an int of at least 1, found 0"),
        ({"concurrency": "2"}, "concurrency must be an int of at least 1, found '2'"),
        ({"attempts": 0}, "attempts must be an int of at least 1, found 0"),
        ({"attempts": "2"}, "attempts must be an int of at least 1, found '2'"),
        ({"types": [Deposited, int, str]}, "int is not an event of this application"),
    ],
)
async def test_invalid_arguments_of_subscribe_are_refused(
    options: dict[str, Any], problem: str
) -> None:
    async with compose(bus=MemoryBus()) as app:
        with pytest.raises(InvalidArgument, match=problem):
            await app.subscribe(Fussy(), **options)
        await add(app, 1)


async def test_replay_is_refused_without_a_valid_group_or_a_running_application() -> None:
    async with compose(bus=MemoryBus()) as app:
        with pytest.raises(InvalidArgument):
            await app.replay(Fussy(), group="a.b")
    with pytest.raises(NotRunning):
        await app.replay(Fussy())


async def test_replay_of_a_group_that_does_not_exist_is_refused() -> None:
    """A misspelt name must not look like a queue without dead letters."""
    async with compose(bus=MemoryBus()) as app:
        await (await app.subscribe(Fussy(), group="mailer")).close()
        assert (0, 0) == astuple(await app.replay(Fussy(), group="mailer"))
        with pytest.raises(InvalidArgument) as caught:
            await app.replay(Fussy(), group="mialer")
        assert (0, 0) == astuple(await app.replay(Fussy()))  # without any subscription yet
    assert str(caught.value) == "there is no group 'mialer'; there are: mailer"


@pytest.mark.parametrize("way", ["closing", "leaving"])
async def test_leaving_does_not_wait_for_the_back_off_of_a_handler(way: str) -> None:
    pausing = asyncio.Event()

    class Slow(FakeClock):
        async def sleep(self, seconds: float) -> None:
            pausing.set()
            await asyncio.Event().wait()

    tried: list[int] = []

    async def refuse(delivered: Delivered[Any]) -> None:
        tried.append(delivered.attempt)
        raise RuntimeError

    async with asyncio.timeout(30), compose(bus=MemoryBus(), clock=Slow()) as app:
        subscription = await app.subscribe(refuse)
        await add(app, 1)
        await pausing.wait()
        if way == "closing":
            await subscription.close()
    assert tried[:2] == [1, 2]


async def test_closed_subscriptions_are_forgotten() -> None:
    """A website may open one for each visitor."""
    async with compose(bus=MemoryBus()) as app:

        async def come_and_go() -> weakref.ref[Fussy]:
            handler = Fussy()
            await (await app.subscribe(handler)).close()
            return weakref.ref(handler)

        gone = await come_and_go()
        gc.collect()
        assert gone() is None
