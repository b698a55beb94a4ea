"""The dead letters of an application: listed, replayed and discarded, with a bus and without."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from attrs import evolve

from eventhus import Application, BuriedEvent, Delivered, Replayed, StreamId
from eventhus.errors import InvalidArgument, NotRunning
from eventhus.ports import DeadLetter, EventBus, EventData
from eventhus.runtime.messaging.dead_letters import buried_event
from eventhus_memory import MemoryBus, MemoryStore
from tests.bank import account, note
from tests.core.readers import bank
from tests.core.runtime.messaging.test_subscriber import message
from tests.core.support import FakeClock, add
from tests.core.waiting import settle

each_bus = pytest.mark.parametrize("bus", [MemoryBus, lambda: None], ids=["bus", "no bus"])
Buses = Callable[[], EventBus | None]


class Refusing:
    """A handler that refuses some amounts."""

    def __init__(self, *refused: int) -> None:
        self.refused = set(refused)
        self.got: list[int] = []

    async def __call__(self, delivered: Delivered[Any]) -> None:
        """Take a deposit."""
        if delivered.event.amount in self.refused:
            raise ValueError(f"{delivered.event.amount} is too much")
        self.got.append(delivered.event.amount)


async def fill(app: Application, *amounts: int) -> Refusing:
    """Make dead letters of deposits, in order, and return a handler that still refuses them."""
    handler = Refusing(*amounts)
    subscription = await app.subscribe(handler, group="mailer", attempts=2)
    for number, amount in enumerate((*amounts, 0), start=1):
        await add(app, amount, aggregate_id="ab"[amount % 2])
        while number > len(handler.got) + len(await app.dead_letters(group="mailer")):
            await settle()
    await subscription.close()
    return handler


def amounts(letters: Any) -> list[int]:
    return [int(each.reason.split()[0]) for each in letters]


@each_bus
async def test_a_dead_letter_says_what_failed_when_and_why(bus: Buses) -> None:
    clock = FakeClock()
    async with bank(bus=bus(), clock=clock) as app:
        await fill(app, 3)
        [letter] = await app.dead_letters(group="mailer")
        [recorded] = [each async for each in app.events() if each.stream.aggregate_id == "b"]
    assert letter == BuriedEvent(
        number=letter.number,
        stream=StreamId("Account", "b"),
        type="Deposited",
        id=recorded.id,
        position=1,
        error="ValueError",
        reason="3 is too much",
        attempts=2,
        at=letter.at,
    )
    assert letter.at is not None
    assert clock.now() >= letter.at


@each_bus
async def test_dead_letters_come_in_pages(bus: Buses) -> None:
    async with bank(bus=bus()) as app:
        await fill(app, 2, 4, 6, 8, 10)
        first = await app.dead_letters(group="mailer", limit=2)
        second = await app.dead_letters(group="mailer", limit=2, after=first[-1].number)
        last = await app.dead_letters(group="mailer", limit=2, after=second[-1].number)
        end = await app.dead_letters(group="mailer", after=last[-1].number)
    assert [[2, 4], [6, 8], [10], []] == [amounts(each) for each in (first, second, last, end)]


@each_bus
async def test_one_dead_letter_is_replayed_and_the_others_keep_their_place(bus: Buses) -> None:
    async with bank(bus=bus()) as app:
        handler = await fill(app, 2, 4, 6)
        letters = await app.dead_letters(group="mailer")
        handler.refused = {2, 6}
        replayed = await app.replay(handler, group="mailer", number=letters[1].number)
        assert Replayed(handled=1, failed=0) == replayed
        replayed = await app.replay(handler, group="mailer", number=letters[0].number)
        assert Replayed(handled=0, failed=1) == replayed
        assert [letters[0], letters[2]] == await app.dead_letters(group="mailer")
    assert [0, 4] == handler.got


@each_bus
async def test_a_replay_that_fails_again_keeps_the_order_of_the_letters(bus: Buses) -> None:
    """Those of other aggregates are handled meanwhile."""
    async with bank(bus=bus()) as app:
        handler = await fill(app, 2, 3, 4, 5)
        handler.refused = {2}
        replayed = await app.replay(handler, group="mailer")
        assert Replayed(handled=2, failed=2) == replayed
        assert [2, 4] == amounts(await app.dead_letters(group="mailer"))
        handler.refused = set()
        await app.replay(handler, group="mailer")
        assert [] == await app.dead_letters(group="mailer")
    assert [0, 3, 5, 2, 4] == handler.got


@each_bus
async def test_a_discarded_letter_is_gone_and_named_in_the_log(
    bus: Buses, caplog: pytest.LogCaptureFixture
) -> None:
    async with bank(bus=bus()) as app:
        await fill(app, 2, 4)
        first, second = await app.dead_letters(group="mailer")
        await app.discard(first.number, group="mailer")
        assert [second] == await app.dead_letters(group="mailer")
        with pytest.raises(InvalidArgument, match=f"'mailer' has no dead letter {first.number}"):
            await app.discard(first.number, group="mailer")
    assert f"letter {first.number} of group mailer was discarded; it was event {first.id}" in (
        caplog.text
    )


@each_bus
async def test_a_letter_of_an_undeclared_event_is_not_lost_by_a_replay(
    bus: Buses, caplog: pytest.LogCaptureFixture
) -> None:
    """A process without the aggregate must not delete it."""
    store, shared = MemoryStore(), bus()
    async with bank(store, bus=shared) as app:
        handler = await fill(app, 2)
        handler.refused = set()
        async with bank(store, bus=shared, aggregates=[note]) as other:
            assert Replayed(handled=0, failed=1) == await other.replay(handler, group="mailer")
        assert "no aggregate of this application declares" in caplog.text
        async with bank(store, bus=shared, aggregates=[account]) as later:
            assert Replayed(handled=1, failed=0) == await later.replay(handler, group="mailer")


@each_bus
async def test_arguments_that_name_no_letter_are_refused(bus: Buses) -> None:
    async with bank(bus=bus()) as app:
        handler = await fill(app, 2)
        for group in ("printer", "a b"):
            with pytest.raises(InvalidArgument, match=f"group '{group}'"):
                await app.dead_letters(group=group)
            with pytest.raises(InvalidArgument, match=f"group '{group}'"):
                await app.discard(1, group=group)
        for number in (0, -1, "1", 10**9):
            with pytest.raises(InvalidArgument):
                await app.discard(number, group="mailer")  # type: ignore[arg-type]
            with pytest.raises(InvalidArgument):
                await app.replay(handler, group="mailer", number=number)  # type: ignore[arg-type]
        with pytest.raises(InvalidArgument, match="limit is 0"):
            await app.dead_letters(group="mailer", limit=0)
        with pytest.raises(InvalidArgument, match="after is -1"):
            await app.dead_letters(group="mailer", after=-1)
        assert [] == await app.dead_letters()
        assert [2] == amounts(await app.dead_letters(group="mailer"))
    for use in (app.dead_letters, lambda: app.discard(1)):
        with pytest.raises(NotRunning):
            await use()


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ({}, ("", "", 0, None, None)),
        (
            {"Eventhus-Error-Type": "a.b.Bang", "Eventhus-Error": '"é"'},
            ("Bang", "é", 0, None, None),
        ),
        ({"Eventhus-Error-Type": "Bang", "Eventhus-Error": "{"}, ("Bang", "", 0, None, None)),
        ({"Eventhus-Error": "[" * 20_000}, ("", "", 0, None, None)),
        ({"Eventhus-Error": "7"}, ("", "", 0, None, None)),
        ({"Eventhus-Error-Attempts": "9" * 5_000}, ("", "", 0, None, None)),
        ({"Eventhus-Error-Attempts": "3"}, ("", "", 3, None, None)),
        ({"Eventhus-Position": "7"}, ("", "", 0, 7, None)),
        ({"Eventhus-Failed-At": "2026-01-02T03:04:05"}, ("", "", 0, None, None)),
        ({"Eventhus-Failed-At": "then"}, ("", "", 0, None, None)),
        (
            {"Eventhus-Failed-At": "2026-01-02T03:04:05+00:00"},
            ("", "", 0, None, datetime.fromisoformat("2026-01-02T03:04:05+00:00")),
        ),
    ],
)
def test_a_letter_of_another_program_may_say_anything(
    headers: dict[str, str], known: tuple[Any, ...]
) -> None:
    foreign = evolve(message(EventData("Deposited", {})), headers=headers)
    found = buried_event(DeadLetter(message=foreign, number=1))
    assert known == (found.error, found.reason, found.attempts, found.position, found.at)
