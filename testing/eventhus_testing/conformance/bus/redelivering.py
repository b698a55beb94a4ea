"""Redelivering: a failed message is delivered again, and blocks only its own stream."""

from __future__ import annotations

import asyncio

import pytest

from eventhus.errors import InvalidArgument
from eventhus.ports import DeadLetter, EventBus, Message
from eventhus_testing.conformance.bus.cases import (
    BusCases,
    FailingHandler,
    Inbox,
    bus_case,
    message,
    messages,
    publish,
    until,
)


class Redelivering(BusCases):
    """Handlers that raise."""

    @bus_case
    async def test_a_failed_message_is_redelivered(self, bus: EventBus) -> None:
        """The same message, with an attempt that counts from 1."""
        handler = FailingHandler({"a-1": 2})
        await bus.subscribe(handler, group="g")
        await publish(bus, [message("a")])
        await until(lambda: handler.accepted)
        assert [("a-1", 1), ("a-1", 2), ("a-1", 3)] == handler.attempts

    @bus_case
    async def test_a_redelivery_differs_only_in_its_attempt(self, bus: EventBus) -> None:
        """Id, stream, type, body and headers are those of the first delivery."""
        seen: list[Message] = []

        async def refuse_once(given: Message) -> None:
            seen.append(given)
            if given.attempt == 1:
                raise RuntimeError

        await bus.subscribe(refuse_once)
        await publish(bus, [message("a", headers={"x": "y"})])
        await until(lambda: len(seen) >= 2)
        assert [
            message("a", headers={"x": "y"}),
            message("a", headers={"x": "y"}, attempt=2),
        ] == seen

    @bus_case
    async def test_a_failed_message_blocks_only_its_stream(self, bus: EventBus) -> None:
        """Later messages of its stream wait; those of others do not."""
        handler = FailingHandler({"a-2": 3})
        await bus.subscribe(handler, group="g", concurrency=4)
        await publish(bus, [*messages("a", 4), *messages("b", 4)])
        await until(lambda: len(handler.accepted) >= 8)
        own = [id_ for id_ in handler.accepted if id_[0] == "a"]
        assert ["a-1", "a-2", "a-3", "a-4"] == own
        assert handler.accepted.index("b-4") < handler.accepted.index("a-2")
        assert [1, 2, 3, 4] == [attempt for id_, attempt in handler.attempts if id_ == "a-2"]

    @bus_case
    async def test_a_failure_in_one_group_does_not_affect_another(self, bus: EventBus) -> None:
        """A message that one group refuses comes to another once."""
        moody, content = FailingHandler({"a-1": 1}), FailingHandler({})
        await bus.subscribe(moody, group="g")
        await bus.subscribe(content, group="h")
        await publish(bus, messages("a", 2))
        await until(lambda: len(moody.accepted) >= 2 and len(content.accepted) >= 2)
        assert [("a-1", 1), ("a-2", 1)] == content.attempts
        assert [("a-1", 1), ("a-1", 2), ("a-2", 1)] == moody.attempts

    @bus_case
    async def test_a_handler_that_raises_cancelled_error_has_failed(self, bus: EventBus) -> None:
        """Its message comes again, and the subscription lives."""
        attempts: list[tuple[str, int]] = []

        async def unlucky(given: Message) -> None:
            attempts.append((given.id, given.attempt))
            if attempts == [("a-1", 1)]:
                raise asyncio.CancelledError

        await bus.subscribe(unlucky)
        await publish(bus, messages("a", 2))
        await until(lambda: len(attempts) >= 3)
        assert [("a-1", 1), ("a-1", 2), ("a-2", 1)] == attempts


class Burying(BusCases):
    """Dead letters."""

    @bus_case
    async def test_a_dead_letter_is_kept(self, bus: EventBus) -> None:
        """Whole, with the headers that were added, in the order of burying."""
        buried = [message("é", n, headers={"Eventhus-Error": '"bang"'}) for n in (1, 2, 3)]
        for each in buried:
            await bus.bury(each, "g")
        letters = await letters_of(bus, "g")
        assert buried == [letter.message for letter in letters]
        assert sorted({letter.number for letter in letters}) == [each.number for each in letters]
        async with self.bus(self.bucket) as other:
            assert letters == await letters_of(other, "g")

    @bus_case
    async def test_every_group_has_its_own_dead_letters(self, bus: EventBus) -> None:
        """Also where they are of the same message."""
        await bus.bury(message("a"), "g")
        await bus.bury(message("a"), "h")
        await bus.bury(message("b"), "h")
        assert ["a-1"] == [letter.message.id for letter in await letters_of(bus, "g")]
        assert ["a-1", "b-1"] == [letter.message.id for letter in await letters_of(bus, "h")]
        assert [] == await letters_of(bus, "i")

    @bus_case
    async def test_a_group_exists_once_it_subscribed_or_has_dead_letters(
        self, bus: EventBus
    ) -> None:
        """It still exists when its last member has gone, and the later letter is discarded."""
        assert not await bus.has_group("g")
        assert not await bus.has_group("h")
        subscription = await bus.subscribe(Inbox(), group="g")
        assert await bus.has_group("g")
        await subscription.close()
        await bus.bury(message("a"), "h")
        await bus.bury(message("b"), "h")
        await bus.discard((await letters_of(bus, "h"))[-1], "h")
        async with self.bus(self.bucket) as other:
            for each in (bus, other):
                assert await each.has_group("g")
                assert await each.has_group("h")
                assert not await each.has_group("i")

    @bus_case
    async def test_a_dead_letter_is_discarded(self, bus: EventBus) -> None:
        """That one alone; twice is once."""
        for each in messages("a", 3):
            await bus.bury(each, "g")
        await bus.bury(message("a", 2), "h")
        letters = await letters_of(bus, "g")
        await bus.discard(letters[1], "g")
        await bus.discard(letters[1], "g")
        assert [letters[0], letters[2]] == await letters_of(bus, "g")
        await bus.discard(letters[2], "g")
        assert [letters[0]] == await letters_of(bus, "g")
        assert ["a-2"] == [letter.message.id for letter in await letters_of(bus, "h")]

    @bus_case
    async def test_dead_letters_may_be_discarded_while_reading(self, bus: EventBus) -> None:
        """Each letter is seen once, and none is left."""
        for each in messages("a", 5):
            await bus.bury(each, "g")
        seen: list[str] = []
        async for letter in bus.dead_letters("g"):
            seen.append(letter.message.id)
            await bus.discard(letter, "g")
        assert (["a-1", "a-2", "a-3", "a-4", "a-5"], []) == (seen, await letters_of(bus, "g"))

    @bus_case
    async def test_dead_letters_may_be_read_from_a_number(self, bus: EventBus) -> None:
        """Also from that of a letter which is gone, or of another group."""
        for each in messages("a", 4):
            await bus.bury(each, "g")
            await bus.bury(each, "h")
        letters = await letters_of(bus, "g")
        others = await letters_of(bus, "h")
        await bus.discard(letters[0], "g")
        await bus.discard(letters[2], "g")
        left = [letters[1], letters[3]]
        for number in {0, *(each.number for each in (*letters, *others)), 2**40}:
            found = [letter async for letter in bus.dead_letters("g", after=number)]
            assert [each for each in left if each.number > number] == found
        with pytest.raises(InvalidArgument):
            await anext(bus.dead_letters("g", after=-1), None)

    @bus_case
    async def test_a_dead_letter_is_delivered_to_nobody(self, bus: EventBus) -> None:
        """Neither to its group nor to any other subscription."""
        alone, group = Inbox(), Inbox()
        await bus.subscribe(alone)
        await bus.subscribe(group, group="g")
        await bus.bury(message("a", 1), "g")
        await publish(bus, [message("a", 2)])  # the letter would come before it
        await until(lambda: alone.messages and group.messages)
        assert (["a-2"], ["a-2"]) == (alone.ids, group.ids)


async def letters_of(bus: EventBus, group: str) -> list[DeadLetter]:
    """Return all dead letters of a group."""
    return [letter async for letter in bus.dead_letters(group)]
