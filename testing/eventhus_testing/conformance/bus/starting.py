"""Starting: a subscription begins with the next message, the first one, or after a position."""

from __future__ import annotations

from typing import Any

import pytest

from eventhus.errors import InvalidArgument
from eventhus.ports import EventBus, Message, Start
from eventhus_testing.conformance.bus.cases import (
    MARKER,
    BusCases,
    Inbox,
    bus_case,
    message,
    messages,
    publish,
    until,
)


def placed(size: int, *, after: int = 0) -> list[Message]:
    """Return an aggregate's next messages, which tell their positions in the log."""
    return [
        message("a", position, headers={"Eventhus-Position": str(position)})
        for position in range(after + 1, after + size + 1)
    ]


class Starting(BusCases):
    """Subscriptions that begin elsewhere than with the next message."""

    @pytest.mark.parametrize("group", [None, "g"])
    @bus_case
    async def test_a_subscription_may_start_at_the_beginning(
        self, bus: EventBus, group: str | None
    ) -> None:
        """It gets the first message and all others, in order, whether their position is known."""
        await publish(bus, [*placed(3), message("a", 4)])
        inbox = Inbox()
        await bus.subscribe(inbox, group=group, start="beginning")
        await publish(bus, placed(1, after=4))
        await until(lambda: len(inbox.messages) >= 5)
        assert ["a-1", "a-2", "a-3", "a-4", "a-5"] == inbox.ids

    @pytest.mark.parametrize("start", range(7))
    @bus_case
    async def test_a_subscription_may_start_after_a_position(
        self, bus: EventBus, start: int
    ) -> None:
        """It gets the next message, and none before; 0 is the beginning."""
        await publish(bus, placed(6))
        alone, group = Inbox(), Inbox()
        await bus.subscribe(alone, start=start)
        await bus.subscribe(group, group="g", start=start)
        await publish(bus, placed(1, after=6))
        await until(lambda: len(alone.messages) >= 7 - start and len(group.messages) >= 7 - start)
        expected = [f"a-{position}" for position in range(start + 1, 8)]
        assert (expected, expected) == (alone.ids, group.ids)

    @bus_case
    async def test_a_group_that_exists_keeps_its_place(self, bus: EventBus) -> None:
        """The ``start`` of a later member does not move it."""
        await publish(bus, placed(2))
        inbox = Inbox()
        await bus.subscribe(inbox, group="g")
        async with self.bus(self.bucket) as other:
            for start in ("beginning", 0, 1):
                await other.subscribe(inbox, group="g", start=start)
            witness = Inbox()
            await other.subscribe(witness)
            await publish(bus, placed(2, after=2))
            await until(lambda: len(inbox.messages) >= 2 and len(witness.messages) >= 2)
        assert ["a-3", "a-4"] == inbox.ids

    @pytest.mark.parametrize("start", ["", "end", -1, 2**63, True, 1.0, None])
    @bus_case
    async def test_an_invalid_start_is_refused(self, bus: EventBus, start: Any) -> None:
        """It is refused, and makes no group."""
        with pytest.raises(InvalidArgument):
            await bus.subscribe(Inbox(), group="g", start=start)
        await publish(bus, placed(1))
        inbox = Inbox()
        await bus.subscribe(inbox, group="g", start="beginning")
        await until(lambda: inbox.messages)
        assert ["a-1"] == inbox.ids

    @pytest.mark.parametrize("start", ["now", "beginning"])
    @bus_case
    async def test_unwanted_messages_may_be_left_out(self, bus: EventBus, start: Start) -> None:
        """No other message is, and they all come in order."""
        inbox = Inbox()
        await bus.subscribe(inbox, group="g", start=start, unwanted={"Opened", "Closed"})
        given = [
            message("a", version, type=name)
            for version, name in enumerate(["Opened", "Deposited", "Opened", "", "Closed"], start=1)
        ]
        await publish(bus, [*given, *messages("b", 2), message(MARKER, type="Deposited")])
        await until(lambda: inbox.of(MARKER) and len(inbox.of("b")) >= 2 and "a-4" in inbox.ids)
        wanted = [each.id for each in inbox.messages if each.type not in {"Opened", "Closed"}]
        assert ["a-2", "a-4"] == [each for each in wanted if each.startswith("a")]
        assert ["b-1", "b-2"] == inbox.of("b")
        assert sorted(inbox.of("a")) == inbox.of("a")
