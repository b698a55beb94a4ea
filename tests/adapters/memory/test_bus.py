"""Delivery in memory: to every group, in the order of each stream."""

import asyncio
from collections import defaultdict

import pytest
from attrs import define, field

from eventhus.ports import EventBus, Message
from tests.adapters.memory.support import idle, message, messages, publish, soon, until
from tests.adapters.memory.timers import Timers


@define
class Inbox:
    """A handler that keeps its messages."""

    messages: list[Message] = field(factory=list[Message])

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def ids(self) -> list[str]:
        return [message.id for message in self.messages]


@define
class Gate:
    """A handler that waits until the test opens it."""

    entered: list[str] = field(factory=list[str])
    left: list[str] = field(factory=list[str])
    open: asyncio.Event = field(factory=asyncio.Event)

    async def __call__(self, message: Message) -> None:
        self.entered.append(message.id)
        await self.open.wait()
        self.left.append(message.id)


async def test_every_subscriber_gets_every_message(bus: EventBus) -> None:
    inboxes = [Inbox() for _ in range(3)]
    for inbox in inboxes:
        await bus.subscribe(inbox)
    published = [*messages("a", 3), *messages("b", 2)]
    await publish(bus, published[:2])
    await publish(bus, published[2:])
    await until(lambda: all(len(inbox.messages) == 5 for inbox in inboxes))
    for inbox in inboxes:
        for aggregate_id in ("a", "b"):
            expected = [each for each in published if each.stream.aggregate_id == aggregate_id]
            actual = [each for each in inbox.messages if each.stream.aggregate_id == aggregate_id]
            assert expected == actual


async def test_a_message_without_subscribers_is_dropped(bus: EventBus) -> None:
    await publish(bus, messages("a", 3))
    await publish(bus, [])
    inbox = Inbox()
    await bus.subscribe(inbox)
    await idle()
    assert [] == inbox.messages


async def test_a_subscription_starts_with_the_next_message(bus: EventBus) -> None:
    early, late = Inbox(), Inbox()
    await bus.subscribe(early)
    await publish(bus, [message("a", 1)])
    await bus.subscribe(late)
    await publish(bus, [message("a", 2)])
    await until(lambda: late.messages and len(early.messages) == 2)
    assert (["a-1", "a-2"], ["a-2"]) == (early.ids, late.ids)


async def test_each_message_goes_to_one_member_of_each_group(bus: EventBus) -> None:
    members, others, alone = [Inbox(), Inbox(), Inbox()], [Inbox(), Inbox()], Inbox()
    for inbox in members:
        await bus.subscribe(inbox, group="members")
    for inbox in others:
        await bus.subscribe(inbox, group="others")
    await bus.subscribe(alone)
    published = [message(f"a{number}") for number in range(20)]
    for each in published:
        await publish(bus, [each])
    await idle()
    expected = sorted(each.id for each in published)
    assert expected == sorted(id_ for inbox in members for id_ in inbox.ids)
    assert expected == sorted(id_ for inbox in others for id_ in inbox.ids)
    assert expected == sorted(alone.ids)


async def test_members_of_a_group_work_side_by_side(bus: EventBus) -> None:
    one, other = Gate(), Gate()
    await bus.subscribe(one, group="g")
    await bus.subscribe(other, group="g")
    await publish(bus, [message("a"), message("b"), message("c")])
    await until(lambda: len(one.entered) + len(other.entered) == 2)
    assert [1, 1] == [len(one.entered), len(other.entered)]
    one.open.set()
    other.open.set()
    await until(lambda: len(one.left) + len(other.left) == 3)


async def test_members_handle_one_message_of_a_stream_at_a_time(bus: EventBus) -> None:
    one, other = Gate(), Gate()
    await bus.subscribe(one, group="g")
    await bus.subscribe(other, group="g")
    await publish(bus, messages("a", 3))
    await idle()
    assert ["a-1"] == one.entered + other.entered
    one.open.set()
    other.open.set()
    await until(lambda: len(one.left) + len(other.left) == 3)


@pytest.mark.parametrize("members", [1, 2, 5])
async def test_the_messages_of_a_stream_keep_their_order(bus: EventBus, members: int) -> None:
    """However many members there are, and however long each message takes."""
    handled: defaultdict[str, list[str]] = defaultdict(list)
    busy: set[str] = set()

    async def handle(given: Message) -> None:
        aggregate_id = given.stream.aggregate_id
        assert aggregate_id not in busy
        busy.add(aggregate_id)
        for _ in range((ord(aggregate_id) + 3 * int(given.headers["number"])) % 5):
            await asyncio.sleep(0)
        busy.remove(aggregate_id)
        handled[aggregate_id].append(given.id)

    for _ in range(members):
        await bus.subscribe(handle, group="g")
    published = {aggregate_id: messages(aggregate_id, 10) for aggregate_id in "abcde"}
    for number in range(10):
        await publish(bus, [published[aggregate_id][number] for aggregate_id in "abcde"])
    await until(lambda: sum(map(len, handled.values())) == 50)
    for aggregate_id, expected in published.items():
        assert [each.id for each in expected] == handled[aggregate_id]


async def test_a_slow_handler_does_not_delay_other_groups(bus: EventBus) -> None:
    slow, quick = Gate(), Inbox()
    await bus.subscribe(slow)
    await bus.subscribe(quick)
    await publish(bus, [*messages("a", 3), message("b")])
    await until(lambda: len(quick.messages) == 4)
    assert (1, []) == (len(slow.entered), slow.left)
    slow.open.set()
    await until(lambda: len(slow.left) == 4)


async def test_a_handler_can_publish(bus: EventBus) -> None:
    inbox = Inbox()

    async def answer(given: Message) -> None:
        number = int(given.headers["number"])
        if given.stream.aggregate_id == "a" and number < 5:
            await publish(bus, [message("a", number + 1), message("b", number)])

    await bus.subscribe(answer)
    await bus.subscribe(inbox)
    await publish(bus, [message("a", 1)])
    await idle()
    assert ["a-1", "a-2", "a-3", "a-4", "a-5"] == [id_ for id_ in inbox.ids if id_[0] == "a"]
    assert ["b-1", "b-2", "b-3", "b-4"] == [id_ for id_ in inbox.ids if id_[0] == "b"]


async def test_a_handler_that_never_waits_does_not_block_the_event_loop(bus: EventBus) -> None:
    turns: list[int] = []
    handled = 0

    async def again(given: Message) -> None:
        nonlocal handled
        handled += 1
        if handled < 1000:
            await publish(bus, [message("a", handled + 1)])

    async def count_turns() -> None:
        while True:
            turns.append(handled)
            await asyncio.sleep(0)

    await bus.subscribe(again)
    other = asyncio.create_task(count_turns())
    await publish(bus, [message("a", 1)])
    await until(lambda: handled == 1000)
    other.cancel()
    assert [each for each in turns if 0 < each < 1000]


async def test_a_handler_can_subscribe(bus: EventBus) -> None:
    """The new subscription starts after the message that is being handled."""
    inbox = Inbox()

    async def invite(given: Message) -> None:
        if not inbox.messages:
            await bus.subscribe(inbox, group="late")

    await bus.subscribe(invite)
    await publish(bus, [message("a", 1)])
    await idle()
    await publish(bus, [message("a", 2)])
    await until(lambda: inbox.messages)
    assert ["a-2"] == inbox.ids


async def test_a_closed_subscription_gets_no_more_messages(bus: EventBus) -> None:
    gone, staying = Inbox(), Inbox()
    subscription = await bus.subscribe(gone)
    await bus.subscribe(staying)
    await publish(bus, [message("a", 1)])
    await until(lambda: gone.messages and staying.messages)
    await soon(subscription.close())
    await publish(bus, [message("a", 2)])
    await until(lambda: len(staying.messages) == 2)
    assert ["a-1"] == gone.ids


async def test_closing_drops_messages_that_were_not_begun(bus: EventBus) -> None:
    inbox = Inbox()
    subscription = await bus.subscribe(inbox)
    await publish(bus, [message("a")])
    await subscription.close()
    await idle()
    assert [] == inbox.ids


async def test_closing_waits_for_the_handler(bus: EventBus) -> None:
    gate = Gate()
    subscription = await bus.subscribe(gate)
    await publish(bus, messages("a", 3))
    await until(lambda: gate.entered)
    closing = asyncio.create_task(subscription.close())
    await idle()
    assert (False, []) == (closing.done(), gate.left)
    gate.open.set()
    await until(closing.done)
    assert ["a-1"] == gate.left
    await idle()
    assert ["a-1"] == gate.entered


async def test_other_members_take_over_from_a_closing_one(bus: EventBus) -> None:
    """In order, and each message once."""
    gate, inbox = Gate(), Inbox()
    subscription = await bus.subscribe(gate, group="g")
    await publish(bus, messages("a", 3))
    await until(lambda: gate.entered)
    await bus.subscribe(inbox, group="g")
    closing = asyncio.create_task(subscription.close())
    await idle()
    assert [] == inbox.ids
    gate.open.set()
    await until(closing.done)
    await until(lambda: len(inbox.ids) == 2)
    assert (["a-1"], ["a-2", "a-3"]) == (gate.left, inbox.ids)


async def test_a_group_without_members_keeps_no_messages(bus: EventBus) -> None:
    gate, inbox = Gate(), Inbox()
    subscription = await bus.subscribe(gate, group="g")
    await publish(bus, messages("a", 2))
    await until(lambda: gate.entered)
    closing = asyncio.create_task(subscription.close())
    await idle()
    gate.open.set()
    await until(closing.done)
    await publish(bus, [message("a", 3)])
    await bus.subscribe(inbox, group="g")
    await publish(bus, [message("a", 4)])
    await until(lambda: inbox.messages)
    await idle()
    assert (["a-1"], ["a-4"]) == (gate.left, inbox.ids)


async def test_closing_twice_does_not_affect_a_new_group_of_the_same_name(bus: EventBus) -> None:
    gone, new = Inbox(), Inbox()
    subscription = await bus.subscribe(gone, group="g")
    await soon(subscription.close())
    await soon(subscription.close())
    await bus.subscribe(new, group="g")
    await soon(subscription.close())
    await publish(bus, [message("a")])
    await idle()
    assert ([], ["a-1"]) == (gone.ids, new.ids)


async def test_a_handler_can_close_its_own_subscription(bus: EventBus, timers: Timers) -> None:
    handled: list[str] = []

    async def once(given: Message) -> None:
        handled.append(given.id)
        await subscription.close()

    inbox = Inbox()
    subscription = await bus.subscribe(once, group="g")
    await publish(bus, messages("a", 2))
    await until(lambda: handled)
    await idle()
    await bus.subscribe(inbox, group="g")
    await publish(bus, [message("b")])
    await idle()
    assert (["a-1"], []) == (handled, timers.pending)
    assert ["b-1"] == inbox.ids


async def test_cancelling_close_keeps_the_handler_and_its_message(bus: EventBus) -> None:
    gate, inbox = Gate(), Inbox()
    subscription = await bus.subscribe(gate, group="g")
    await publish(bus, messages("a", 2))
    await until(lambda: gate.entered)
    await bus.subscribe(inbox, group="g")
    closing = asyncio.create_task(subscription.close())
    await idle()
    closing.cancel()
    await until(closing.done)
    assert closing.cancelled()
    gate.open.set()
    await idle()
    assert (["a-1"], ["a-2"]) == (gate.left, inbox.ids)
