"""Closing: closing a subscription loses no message, and leaving a bus waits for the handlers."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest

from eventhus.ports import EventBus, Message
from eventhus_testing.conformance.bus.cases import (
    MARKER,
    BusCases,
    Gate,
    Inbox,
    bus_case,
    message,
    messages,
    publish,
    until,
)


class Closing(BusCases):
    """Subscriptions that are closed, and buses that are left.

    Attributes:
        keeps_groups: True if a group without members keeps its place and what comes meanwhile.
    """

    keeps_groups: ClassVar[bool] = False

    @bus_case
    async def test_a_closed_subscription_gets_no_more_messages(self, bus: EventBus) -> None:
        """It gets no more messages; others go on."""
        gone, staying = Inbox(), Inbox()
        subscription = await bus.subscribe(gone)
        await bus.subscribe(staying)
        await publish(bus, [message("a", 1)])
        await until(lambda: gone.messages and staying.messages)
        await subscription.close()
        await subscription.close()
        await publish(bus, [message("a", 2)])
        await until(lambda: len(staying.messages) >= 2)
        assert ["a-1"] == gone.ids

    @bus_case
    async def test_closing_waits_for_the_handler(self, bus: EventBus) -> None:
        """The messages being handled are finished, and are the last ones."""
        gate = Gate()
        subscription = await bus.subscribe(gate, group="g", concurrency=2)
        await publish(bus, [*messages("a", 3), *messages("b", 3)])
        await until(lambda: len(gate.entered) >= 2)
        closing = asyncio.create_task(subscription.close())
        witness = Inbox()
        await bus.subscribe(witness)
        await publish(bus, [message(MARKER)])
        await until(lambda: witness.messages)
        assert (False, []) == (closing.done(), gate.left)
        gate.open.set()
        await closing
        assert ["a-1", "b-1"] == sorted(gate.left)
        assert sorted(gate.left) == sorted(gate.entered)

    @bus_case
    async def test_the_other_members_take_over_from_a_closing_one(self, bus: EventBus) -> None:
        """They get the messages that it has not begun, in order and once."""
        gate, inbox = Gate(), Inbox()
        async with self.bus(self.bucket) as other:
            subscription = await bus.subscribe(gate, group="g")
            await publish(bus, messages("a", 3))
            await until(lambda: gate.entered)
            await other.subscribe(inbox, group="g")
            closing = asyncio.create_task(subscription.close())
            await publish(bus, [message("a", 4)])
            assert [] == inbox.ids
            gate.open.set()
            await closing
            await until(lambda: len(inbox.ids) >= 3)
        assert (["a-1"], ["a-2", "a-3", "a-4"]) == (gate.left, inbox.ids)

    @bus_case
    async def test_a_handler_may_close_its_own_subscription(self, bus: EventBus) -> None:
        """It cannot wait for itself: its subscription ends when it does; the message is done."""
        handled: list[str] = []
        witness = Inbox()

        async def once(given: Message) -> None:
            handled.append(given.id)
            await subscription.close()

        subscription = await bus.subscribe(once, group="g")
        await bus.subscribe(witness)
        await publish(bus, messages("a", 2))
        await until(lambda: handled and len(witness.messages) >= 2)
        await subscription.close()
        assert ["a-1"] == handled

    @bus_case
    async def test_cancelling_a_close_loses_no_message(self, bus: EventBus) -> None:
        """The cancelled caller learns of it; the handler goes on, and its message is not lost."""
        gate, inbox = Gate(), Inbox()
        subscription = await bus.subscribe(gate, group="g")
        await publish(bus, messages("a", 2))
        await until(lambda: gate.entered)
        await bus.subscribe(inbox, group="g")
        closing = asyncio.create_task(subscription.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        gate.open.set()
        await until(lambda: inbox.messages)
        assert (["a-1"], ["a-2"]) == (gate.left, inbox.ids)

    @bus_case
    async def test_leaving_waits_for_handlers(self, bus: EventBus) -> None:
        """A handler that has begun is not cut short."""
        gate, witness = Gate(), Inbox()
        leaving_bus = self.bus(self.bucket)
        await leaving_bus.__aenter__()
        await leaving_bus.subscribe(gate, group="g")
        await bus.subscribe(witness)
        await publish(bus, [message("a")])
        await until(lambda: gate.entered)
        if leaving_bus is bus:  # the object is the channel: it is left at the end of the case
            gate.open.set()
            await until(lambda: gate.left)
            return
        leaving = asyncio.create_task(leaving_bus.__aexit__(None, None, None))
        await publish(bus, [message(MARKER)])
        await until(lambda: witness.of(MARKER))
        assert (False, []) == (leaving.done(), gate.left)
        gate.open.set()
        await leaving
        assert ["a-1"] == gate.left

    @bus_case
    async def test_a_group_keeps_its_place(self, bus: EventBus) -> None:
        """A new member first gets the messages that came while there was none."""
        if not self.keeps_groups:
            return
        before, after = Inbox(), Inbox()
        subscription = await bus.subscribe(before, group="g")
        await publish(bus, messages("a", 2))
        await until(lambda: len(before.messages) >= 2)
        await subscription.close()
        await publish(bus, messages("a", 2, after=2))
        async with self.bus(self.bucket) as other:
            await other.subscribe(after, group="g")
            await publish(bus, [message("a", 5)])
            await until(lambda: len(after.messages) >= 3)
        assert (["a-1", "a-2"], ["a-3", "a-4", "a-5"]) == (before.ids, after.ids)
