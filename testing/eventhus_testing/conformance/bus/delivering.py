"""Delivering: every group gets every message, unchanged and in order per aggregate."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict

import pytest

from eventhus import StreamId
from eventhus.errors import InvalidArgument, PublisherReplaced
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

HEADERS = {
    "Eventhus-Position": "7",
    "Eventhus-Metadata": json.dumps({"user": "Zoë", "long": "x" * 3000}),
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
}
ODD_IDS = ["01ARZ3NDEKTSV4RRFFQ69G5FAV-1", "order 17", "100%", "%41", "é\n", "a:b", "🏦", "x" * 300]


class Delivering(BusCases):
    """Messages on their way to a handler."""

    @bus_case
    async def test_a_message_arrives_as_it_was_published(self, bus: EventBus) -> None:
        """Its id, stream, type, body and headers; and it is the first attempt."""
        inbox = Inbox()
        await bus.subscribe(inbox)
        given = message("é 1", 3, headers=HEADERS)
        await publish(bus, [given])
        await until(lambda: inbox.messages)
        assert [given] == inbox.messages

    @bus_case
    async def test_any_text_is_an_id(self, bus: EventBus) -> None:
        """Also what no header of a protocol may hold."""
        inbox = Inbox()
        await bus.subscribe(inbox)
        await publish(bus, [message("a", n, id=id_) for n, id_ in enumerate(ODD_IDS, start=1)])
        await until(lambda: len(inbox.messages) >= len(ODD_IDS))
        assert ODD_IDS == inbox.ids

    @bus_case
    async def test_every_group_gets_every_message(self, bus: EventBus) -> None:
        """Every subscriber without a group, and every group; also on another bus of the bucket."""
        async with self.bus(self.bucket) as other:
            inboxes = [Inbox() for _ in range(4)]
            for inbox, at, group in zip(
                inboxes, (bus, other, bus, other), (None, None, "g", "h"), strict=True
            ):
                await at.subscribe(inbox, group=group)
            published = [*messages("a", 3), *messages("b", 2)]
            await publish(bus, published[:2])
            await publish(other, published[2:])
            await until(lambda: all(len(inbox.messages) >= 5 for inbox in inboxes))
            for inbox in inboxes:
                assert (["a-1", "a-2", "a-3"], ["b-1", "b-2"]) == (inbox.of("a"), inbox.of("b"))

    @bus_case
    async def test_a_subscription_starts_with_the_next_message(self, bus: EventBus) -> None:
        """A subscription starts with the next message that is published."""
        early, late, group = Inbox(), Inbox(), Inbox()
        await publish(bus, [message("a", 1)])
        await bus.subscribe(early)
        await publish(bus, [message("a", 2)])
        await bus.subscribe(late)
        await bus.subscribe(group, group="g")
        await publish(bus, [message("a", 3)])
        await until(lambda: late.messages and group.messages and len(early.messages) >= 2)
        assert (["a-2", "a-3"], ["a-3"], ["a-3"]) == (early.ids, late.ids, group.ids)

    @bus_case
    async def test_publishing_nothing_does_nothing(self, bus: EventBus) -> None:
        """Nor is anything counted as acknowledged."""
        inbox = Inbox()
        await bus.subscribe(inbox)
        publisher = await bus.publisher()
        await publisher.publish([])
        assert 0 == publisher.acknowledged
        await publisher.publish(messages("a", 2))
        await publisher.publish([message("a", 3)])
        assert 3 == publisher.acknowledged
        await until(lambda: len(inbox.messages) >= 3)
        assert ["a-1", "a-2", "a-3"] == inbox.ids

    @bus_case
    async def test_the_members_of_a_group_share_its_messages(self, bus: EventBus) -> None:
        """Each message goes to one member, wherever the members are."""
        async with self.bus(self.bucket) as other:
            inboxes = [Inbox(), Inbox(), Inbox()]
            for inbox, at in zip(inboxes, (bus, other, bus), strict=True):
                await at.subscribe(inbox, group="g")
            published = [each for n in range(20) for each in messages(f"a{n}", 2)]
            last = [message(f"a{n}", 3) for n in range(20)]
            for each in [*published, *last]:
                await publish(bus, [each])

            def got() -> list[str]:
                return sorted(id_ for inbox in inboxes for id_ in inbox.ids)

            # A message more would come before the last one of its stream.
            await until(lambda: {each.id for each in last} <= {*got()})
            assert sorted(each.id for each in [*published, *last]) == got()

    @pytest.mark.parametrize("concurrency", [1, 3, 16])
    @bus_case
    async def test_the_messages_of_a_stream_keep_their_order(
        self, bus: EventBus, concurrency: int
    ) -> None:
        """However many are handled at once, and however long each takes."""
        handled: defaultdict[str, list[str]] = defaultdict(list)
        busy: set[str] = set()
        overtaken: list[str] = []

        async def handle(given: Message) -> None:
            aggregate_id = given.stream.aggregate_id
            if aggregate_id in busy:
                overtaken.append(given.id)
            busy.add(aggregate_id)
            for _ in range((ord(aggregate_id) + 3 * len(given.body)) % 5):
                await asyncio.sleep(0)
            busy.discard(aggregate_id)
            handled[aggregate_id].append(given.id)

        async with self.bus(self.bucket) as other:
            for at in (bus, other):
                await at.subscribe(handle, group="g", concurrency=concurrency)
            published = {aggregate_id: messages(aggregate_id, 60) for aggregate_id in "abcde"}
            for version in range(60):
                at = other if version % 7 == 0 else bus
                await publish(at, [each[version] for each in published.values()])
            await until(lambda: sum(map(len, handled.values())) >= 300)
        assert [] == overtaken
        for aggregate_id, given in published.items():
            assert [each.id for each in given] == handled[aggregate_id]

    @bus_case
    async def test_thousands_of_messages_keep_their_order(self, bus: EventBus) -> None:
        """In one call, of one stream and of many."""
        alone, shared = Inbox(), Inbox()
        await bus.subscribe(alone)
        await bus.subscribe(shared, group="g", concurrency=16)
        given = [
            message("one", n // 2 + 1) if n % 2 else message(f"many{n % 50}", n)
            for n in range(3000)
        ]
        await publish(bus, given)
        await until(lambda: len(alone.messages) >= 3000 and len(shared.messages) >= 3000)
        for inbox in (alone, shared):
            for aggregate_id in {each.stream.aggregate_id for each in given}:
                expected = [each.id for each in given if each.stream.aggregate_id == aggregate_id]
                assert expected == inbox.of(aggregate_id)

    @bus_case
    async def test_a_replaced_publisher_changes_no_order(self, bus: EventBus) -> None:
        """Either it still publishes, or it says that it cannot; nothing comes out of order."""
        inbox = Inbox()
        await bus.subscribe(inbox)
        async with self.bus(self.bucket) as other:
            first = await bus.publisher()
            await first.publish([message("a", 1)])
            second = await other.publisher()
            await second.publish([message("a", 2)])
            try:
                await first.publish([message("b", 1), message("b", 2)])
                expected = ["b-1", "b-2"]
            except PublisherReplaced:
                assert 1 == first.acknowledged
                expected = []
            # Others would come before the last message of their stream.
            await publish(other, [message("a", 3), message("b", 3)])
            await until(lambda: {"a-3", "b-3"} <= {*inbox.ids})
        assert (["a-1", "a-2", "a-3"], [*expected, "b-3"]) == (inbox.of("a"), inbox.of("b"))

    @bus_case
    async def test_an_invalid_group_or_concurrency_is_refused(self, bus: EventBus) -> None:
        """Every operation refuses the group, and ``subscribe`` refuses a concurrency of 0."""
        for group in ("", "a b", "a.b", "*", ">", "é", "a" * 64, "a/b"):
            with pytest.raises(InvalidArgument):
                await bus.subscribe(Inbox(), group=group)
            with pytest.raises(InvalidArgument):
                await bus.bury(message(), group)
            with pytest.raises(InvalidArgument):
                await anext(bus.dead_letters(group), None)
        with pytest.raises(InvalidArgument):
            await bus.subscribe(Inbox(), concurrency=0)

    @bus_case
    async def test_a_message_that_is_not_an_event_is_delivered(self, bus: EventBus) -> None:
        """The handler decides what to do with it."""
        inbox = Inbox()
        await bus.subscribe(inbox)
        stream = StreamId("Account", "a")
        bodies = [b"\xff{", b"[" * 100_000, b"", message("a", 4).body]
        given = [
            message("a", n, body=body, stream=stream) for n, body in enumerate(bodies, start=1)
        ]
        await publish(bus, given)
        await until(lambda: len(inbox.messages) >= len(bodies))
        assert sorted(bodies) == sorted(each.body for each in inbox.messages)


class SideBySide(BusCases):
    """Concurrency of handlers."""

    @bus_case
    async def test_streams_are_handled_side_by_side(self, bus: EventBus) -> None:
        """A busy stream does not hold up the others, up to the concurrency."""
        gate = Gate()
        await bus.subscribe(gate, group="g", concurrency=3)
        await publish(bus, [*messages("a", 2), *messages("b", 2), *messages("c", 2), message("d")])
        await until(lambda: len(gate.entered) >= 3)
        assert ["a-1", "b-1", "c-1"] == sorted(gate.entered)
        gate.open.set()
        await until(lambda: len(gate.left) >= 7)

    @bus_case
    async def test_one_message_at_a_time_is_handled_by_default(self, bus: EventBus) -> None:
        """The next one waits until the handler has returned."""
        busy = most = 0
        handled: list[str] = []

        async def handle(given: Message) -> None:
            nonlocal busy, most
            busy += 1
            most = max(most, busy)
            await asyncio.sleep(0.001)
            busy -= 1
            handled.append(given.id)

        await bus.subscribe(handle)
        await publish(bus, [message(f"a{n}") for n in range(20)])
        await until(lambda: len(handled) >= 20)
        assert 1 == most

    @bus_case
    async def test_the_concurrency_is_never_exceeded(self, bus: EventBus) -> None:
        """However many streams are waiting."""
        gate = Gate()
        await bus.subscribe(gate, group="g", concurrency=4)
        await publish(bus, [message(f"a{n}") for n in range(40)])
        await until(lambda: len(gate.entered) >= 4)
        inbox = Inbox()
        await bus.subscribe(inbox)
        await publish(bus, [message(MARKER)])
        await until(lambda: inbox.messages)  # more would have begun by now
        assert 4 == len(gate.entered)
        gate.open.set()
        await until(lambda: len(gate.left) >= 41)

    @bus_case
    async def test_a_slow_handler_delays_no_other_subscription(self, bus: EventBus) -> None:
        """Every subscription has its own pace."""
        slow, quick, group = Gate(), Inbox(), Inbox()
        await bus.subscribe(slow)
        await bus.subscribe(quick)
        await bus.subscribe(group, group="g")
        await publish(bus, [*messages("a", 3), message("b")])
        await until(lambda: len(quick.messages) >= 4 and len(group.messages) >= 4 and slow.entered)
        assert (1, []) == (len(slow.entered), slow.left)
        slow.open.set()
        await until(lambda: len(slow.left) >= 4)

    @bus_case
    async def test_a_handler_may_publish(self, bus: EventBus) -> None:
        """Its messages are delivered like all others, also to itself."""
        inbox = Inbox()

        async def answer(given: Message) -> None:
            version = int(given.id.split("-")[1])
            if given.stream.aggregate_id == "a" and version < 5:
                await publish(bus, [message("a", version + 1), message("b", version)])

        await bus.subscribe(answer)
        await bus.subscribe(inbox)
        await publish(bus, [message("a", 1)])
        await until(lambda: len(inbox.messages) >= 9)
        assert ["a-1", "a-2", "a-3", "a-4", "a-5"] == inbox.of("a")
        assert ["b-1", "b-2", "b-3", "b-4"] == inbox.of("b")

    @bus_case
    async def test_a_handler_may_subscribe(self, bus: EventBus) -> None:
        """The new subscription gets what is published from then on."""
        inbox = Inbox()
        invited = asyncio.Event()

        async def invite(_: Message) -> None:
            if not invited.is_set():
                await bus.subscribe(inbox)
                invited.set()

        await bus.subscribe(invite)
        await publish(bus, [message("a", 1)])
        await invited.wait()
        await publish(bus, [message("a", 2)])
        await until(lambda: inbox.messages)
        assert ["a-2"] == inbox.ids
