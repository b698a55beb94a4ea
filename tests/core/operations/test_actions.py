"""The log lines of actions, and the republishing of the log."""

from __future__ import annotations

import logging

import pytest

from eventhus.errors import CompositionError
from eventhus.operations import Operations
from eventhus_memory import MemoryBus, MemoryStore
from tests.core.finding import orders
from tests.core.operations.cases import bank
from tests.core.operations.group_cases import Refusing, letters_of
from tests.core.support import add
from tests.core.waiting import eventually


async def test_every_action_leaves_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    refusing = Refusing(1)
    async with bank(store, views=[orders]) as app:
        subscription = await app.subscribe(refusing, group="mail", attempts=1, start="beginning")
        await add(app, 1, 13)
        await add(app, 13, aggregate_id="b")
        await app.caught_up(orders)
        operations = Operations(app)
        (letter,) = await letters_of(operations, 1)
        event = letter.event_id
        caplog.clear()
        caplog.set_level(logging.INFO)
        await operations.replay("mail")
        await operations.discard("mail", letter.number)
        await subscription.close()
        await operations.move("mail", 2)
        await operations.delete_group("mail")
        await operations.skip("view", "orders", "a", 2, why="a test")
        await operations.skip("view", "orders", "b", 3, why="a test")
        await operations.reset("orders")
        await operations.build("orders")
    async with bank(store) as app:
        await Operations(app).prune("orders")
    lines = [
        f"{each.levelname} {each.getMessage()}"
        for each in caplog.records
        if each.name == "eventhus" and " started: " not in each.getMessage()
    ]
    assert [
        "INFO bucket bank: dead letters of group mail were replayed: 0 handled, 1 failed",
        f"WARNING bucket bank: dead letter 1 of group mail was discarded; it was event {event}",
        "WARNING bucket bank: group mail was moved to 2",
        "WARNING bucket bank: group mail was deleted",
        "WARNING bucket bank: the event at position 2 was left out of key a of view orders",
        "WARNING bucket bank: the event at position 3 was left out of key b of view orders",
        "WARNING bucket bank: version 1 of view orders was reset",
        "INFO bucket bank: version 1 of view orders was built",
        "WARNING bucket bank: version 1 of view orders was pruned",
    ] == lines


async def test_the_log_is_published_again(caplog: pytest.LogCaptureFixture) -> None:
    refusing = Refusing()
    async with bank(MemoryStore(), bus=MemoryBus()) as app:
        await app.subscribe(refusing)
        await add(app, 1, 2)
        await eventually(lambda: [1, 2] == refusing.got)
        caplog.set_level(logging.INFO)
        await Operations(app).republish(after=1)
        await eventually(lambda: [1, 2, 2] == refusing.got)
    assert "bucket bank: the log is published again after position 1" in caplog.messages
    async with bank(MemoryStore()) as app:
        with pytest.raises(CompositionError, match="has no bus"):
            await Operations(app).republish()
