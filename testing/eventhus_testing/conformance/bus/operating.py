"""Operating: the groups of a bus and their progress, moving and deleting a group."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from eventhus.errors import InvalidArgument, ReaderBusy
from eventhus.ports import EventBus, GroupStatus, Start
from eventhus_testing.conformance.bus.cases import (
    POLL_S,
    BusCases,
    Gate,
    Inbox,
    bus_case,
    message,
    publish,
    until,
)
from eventhus_testing.conformance.bus.redelivering import letters_of
from eventhus_testing.conformance.bus.starting import placed


async def was_member(bus: EventBus, group: str, size: int) -> None:
    """Let a member of a group handle the first messages and leave."""
    inbox = Inbox()
    subscription = await bus.subscribe(inbox, group=group, start="beginning")
    await until(lambda: len(inbox.messages) >= size)
    await subscription.close()


async def statuses(bus: EventBus) -> dict[str, GroupStatus]:
    """Return what a bus tells about its groups, by name."""
    found = await bus.groups()
    assert sorted({each.name for each in found}) == [each.name for each in found]
    return {each.name: each for each in found}


class Operating(BusCases):
    """``groups``, ``move`` and ``delete_group``."""

    @bus_case
    async def test_groups_are_described(self, bus: EventBus) -> None:
        """Those that have subscribed or have dead letters, in order, with what they wait for."""
        await publish(bus, placed(4))
        gate = Gate()
        await bus.subscribe(gate, group="b", start="beginning")
        await bus.subscribe(Inbox())
        for number in (1, 2, 3):
            await bus.bury(message("x", number), "a")
        await bus.bury(message("x"), "b")
        await bus.discard((await letters_of(bus, "a"))[0], "a")
        await until(lambda: gate.entered)
        found = await statuses(bus)
        assert {"a": 2, "b": 1} == {name: each.dead_letters for name, each in found.items()}
        assert found["a"].position is None
        assert found["a"].waiting is None
        assert found["b"].position in (None, 0)
        assert found["b"].waiting in (None, 4)
        gate.open.set()
        await until(lambda: len(gate.left) >= 4)
        while (await statuses(bus))["b"].waiting not in (None, 0):  # noqa: ASYNC110 - a server
            await asyncio.sleep(POLL_S)
        assert (await statuses(bus))["b"].position in (None, 4)

    @pytest.mark.parametrize(
        ("start", "first"), [("beginning", 1), (0, 1), (2, 3), (4, 5), ("now", 6)]
    )
    @bus_case
    async def test_a_moved_group_goes_on_at_its_new_place(
        self, bus: EventBus, start: Start, first: int
    ) -> None:
        """The next member's ``start`` does not matter. Any process may move it, and repeatedly."""
        await publish(bus, placed(5))
        await was_member(bus, "g", 5)
        await bus.move("g", "now")
        await bus.move("g", "beginning")
        async with self.bus(self.bucket) as other:
            await other.move("g", start)
        await publish(bus, placed(4, after=5))
        inbox = Inbox()
        await bus.subscribe(inbox, group="g", start="now" if start == 0 else "beginning")
        await until(lambda: "a-9" in inbox.ids)
        assert [f"a-{position}" for position in range(first, 10)] == inbox.ids

    @bus_case
    async def test_a_group_with_a_member_is_not_moved(self, bus: EventBus) -> None:
        """Its member gets each message once, and the group can be moved when that has left."""
        await publish(bus, placed(2))
        inbox = Inbox()
        subscription = await bus.subscribe(inbox, group="g", start="beginning")
        await until(lambda: len(inbox.messages) >= 2)
        async with self.bus(self.bucket) as other:
            for each in (bus, other):
                with pytest.raises(ReaderBusy):
                    await each.move("g", "beginning")
            await publish(bus, placed(2, after=2))
            await until(lambda: len(inbox.messages) >= 4)
            await subscription.close()
            await other.move("g", 3)
            await bus.subscribe(inbox, group="g")
            await until(lambda: len(inbox.messages) >= 5)
        assert ["a-1", "a-2", "a-3", "a-4", "a-4"] == inbox.ids

    @bus_case
    async def test_moving_a_group_moves_nothing_else(self, bus: EventBus) -> None:
        """Neither another group, nor a dead letter."""
        await publish(bus, placed(2))
        await was_member(bus, "g", 2)
        inbox = Inbox()
        await bus.subscribe(inbox, group="h", start="beginning")
        await until(lambda: len(inbox.messages) >= 2)
        await bus.bury(message("x"), "g")
        letters = await letters_of(bus, "g")
        assert 1 == len(letters)
        await bus.move("g", "beginning")
        await publish(bus, placed(1, after=2))
        await until(lambda: len(inbox.messages) >= 3)
        moved = Inbox()
        await bus.subscribe(moved, group="g")
        await until(lambda: len(moved.messages) >= 3)
        assert ["a-1", "a-2", "a-3"] == inbox.ids == moved.ids
        assert letters == await letters_of(bus, "g")

    @bus_case
    async def test_a_group_that_does_not_exist_is_not_moved(self, bus: EventBus) -> None:
        """It has never subscribed, whether it has dead letters or not."""
        await bus.bury(message("x"), "letters")
        for group in ("g", "letters"):
            with pytest.raises(InvalidArgument):
                await bus.move(group, "beginning")
        assert not await bus.has_group("g")

    @pytest.mark.parametrize("start", ["", "end", -1, 2**63, True, 1.0, None])
    @bus_case
    async def test_a_group_is_not_moved_to_an_invalid_place(
        self, bus: EventBus, start: Any
    ) -> None:
        """It stays where it is, and so does a group of an invalid name."""
        await publish(bus, placed(2))
        await was_member(bus, "g", 2)
        await bus.move("g", 1)
        with pytest.raises(InvalidArgument):
            await bus.move("g", start)
        with pytest.raises(InvalidArgument):
            await bus.move("a b", "now")
        inbox = Inbox()
        await bus.subscribe(inbox, group="g")
        await until(lambda: inbox.messages)
        assert ["a-2"] == inbox.ids

    @pytest.mark.parametrize(("start", "first"), [("beginning", 1), (4, 5), ("now", 6)])
    @bus_case
    async def test_a_deleted_group_begins_anew(
        self, bus: EventBus, start: Start, first: int
    ) -> None:
        """Its next member, in this process or another, chooses the start as for a new group."""
        await publish(bus, placed(5))
        for group in ("g", "h"):
            await was_member(bus, group, 5)
        await bus.move("g", 2)
        async with self.bus(self.bucket) as other:
            await other.delete_group("g")
            assert ["h"] == [*await statuses(other)]
        assert ["h"] == [*await statuses(bus)]
        assert not await bus.has_group("g")
        assert await bus.has_group("h")
        inbox = Inbox()
        await bus.subscribe(inbox, group="g", start=start)
        await publish(bus, placed(2, after=5))
        await until(lambda: "a-7" in inbox.ids)
        assert [f"a-{position}" for position in range(first, 8)] == inbox.ids
        assert ["g", "h"] == [*await statuses(bus)]

    @bus_case
    async def test_a_group_with_a_member_is_not_deleted(self, bus: EventBus) -> None:
        """Its member gets each message once, and the group can be deleted when that has left."""
        await publish(bus, placed(2))
        inbox = Inbox()
        subscription = await bus.subscribe(inbox, group="g", start="beginning")
        await until(lambda: len(inbox.messages) >= 2)
        async with self.bus(self.bucket) as other:
            for each in (bus, other):
                with pytest.raises(ReaderBusy):
                    await each.delete_group("g")
            await publish(bus, placed(2, after=2))
            await until(lambda: len(inbox.messages) >= 4)
            assert ["a-1", "a-2", "a-3", "a-4"] == inbox.ids
            await subscription.close()
            await other.delete_group("g")
        assert {} == await statuses(bus)

    @bus_case
    async def test_a_group_with_dead_letters_is_not_deleted(self, bus: EventBus) -> None:
        """It can be deleted once the letters are discarded. It need not have subscribed."""
        await publish(bus, placed(2))
        await was_member(bus, "g", 2)
        for group in ("g", "letters"):
            await bus.bury(message("x"), group)
            with pytest.raises(InvalidArgument, match="dead letters"):
                await bus.delete_group(group)
        assert {"g": 1, "letters": 1} == {
            name: each.dead_letters for name, each in (await statuses(bus)).items()
        }
        for group in ("g", "letters"):
            [letter] = await letters_of(bus, group)
            await bus.discard(letter, group)
        await bus.delete_group("g")
        assert {} == await statuses(bus)

    @bus_case
    async def test_a_group_that_does_not_exist_is_not_deleted(self, bus: EventBus) -> None:
        """Nor is one of an invalid name."""
        await publish(bus, placed(1))
        await was_member(bus, "h", 1)
        for group in ("g", "a b"):
            with pytest.raises(InvalidArgument):
                await bus.delete_group(group)
        assert ["h"] == [*await statuses(bus)]
