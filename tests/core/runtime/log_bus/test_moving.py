"""Groups that read the log are moved and deleted, and tell their progress."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from eventhus import new_id
from eventhus.errors import StoreUnavailable
from eventhus.ports import GroupStatus
from eventhus.runtime.clock import SystemClock
from eventhus.runtime.log_bus.bus import LogBus
from eventhus_memory import MemoryStore
from eventhus_testing.conformance.bus.cases import Gate, Inbox, message, messages, publish, until
from eventhus_testing.conformance.bus.operating import was_member
from tests.core.hooks import fail_with
from tests.core.runtime.log_bus.messages import MessageLog, to_message
from tests.core.support import Proxy


async def test_a_group_is_moved_before_the_place_where_it_began() -> None:
    async with MessageLog(MemoryStore()) as bus:
        await publish(bus, messages("a", 3))
        inbox = Inbox()
        subscription = await bus.subscribe(inbox, group="g", start=2)
        await until(lambda: inbox.messages)
        await subscription.close()
        await bus.move("g", 1)
        await bus.subscribe(inbox, group="g", start=2)
        await until(lambda: len(inbox.messages) >= 3)
    assert ["a-3", "a-2", "a-3"] == inbox.ids


async def test_a_member_that_subscribes_while_its_group_is_moved_begins_at_the_new_place() -> None:
    """It knows where the group began, and waits for the lease."""
    store, inbox = Proxy(), Inbox()
    async with MessageLog(store) as bus:
        await publish(bus, messages("a", 3))
        await was_member(bus, "g", 3)
        await bus.move("g", "now")
        rival = LogBus(store.inner, SystemClock(), new_id=new_id, to_message=to_message)

        async def subscribe(*_: object) -> None:
            await rival.subscribe(inbox, group="g")

        store.before["save_checkpoint"] = subscribe
        async with rival:
            await bus.move("g", 1)
            store.before.clear()
            await until(lambda: len(inbox.messages) >= 2)
    assert ["a-2", "a-3"] == inbox.ids


@pytest.mark.parametrize(
    ("fails", "change"),
    [
        ("save_checkpoint", lambda bus: bus.move("g", 1)),
        ("delete_group", lambda bus: bus.delete_group("g")),
    ],
)
async def test_a_group_is_free_after_a_change_that_failed(
    fails: str, change: Callable[[LogBus], Awaitable[None]]
) -> None:
    store, inbox = Proxy(), Inbox()
    async with MessageLog(store) as bus:
        await publish(bus, messages("a", 3))
        await was_member(bus, "g", 3)
        store.before[fails] = fail_with(StoreUnavailable("test", "gone"))
        with pytest.raises(StoreUnavailable):
            await change(bus)
        store.before.clear()
        await bus.subscribe(inbox, group="g")
        await publish(bus, [message("a", 4)])
        async with asyncio.timeout(5):  # less than the term of a lease
            await until(lambda: inbox.messages)
    assert ["a-4"] == inbox.ids


async def test_a_group_tells_what_it_has_not_handled() -> None:
    """Events that are handled while an earlier one waits are not among them."""
    async with MessageLog(MemoryStore()) as bus:
        gate, inbox = Gate(), Inbox()

        async def handle(given: object) -> None:
            await (gate if message("a") == given else inbox)(given)  # type: ignore[arg-type]

        await publish(bus, [message("a"), message("b"), message("c")])
        await bus.subscribe(handle, group="g", start="beginning", concurrency=3)
        await until(lambda: len(inbox.messages) >= 2 and gate.entered)
        while (await bus.groups())[0].waiting != 1:  # noqa: ASYNC110 - a store sets no event
            await asyncio.sleep(0)
        assert 0 == (await bus.groups())[0].position
        gate.open.set()


async def test_a_group_that_has_begun_after_the_end_of_the_log_waits_for_nothing() -> None:
    async with MessageLog(MemoryStore()) as bus:
        await publish(bus, messages("a", 3))
        await (await bus.subscribe(Inbox(), group="g", start=7)).close()
        expected = GroupStatus(name="g", position=7, waiting=0, dead_letters=0)
        assert [expected] == await bus.groups()


async def test_a_member_whose_group_is_deleted_while_it_waits_begins_a_new_one() -> None:
    """It begins where its caller said, neither at the old place nor unseen."""
    store, inbox = MemoryStore(), Inbox()
    async with MessageLog(store) as bus:
        await publish(bus, messages("a", 3))
        await was_member(bus, "g", 3)
        lease = await store.acquire("group_g", "dead", ttl_s=60)
        assert lease is not None
        await bus.subscribe(inbox, group="g", start=1)
        await store.delete_group("g")
        await store.forget_checkpoint("group_g", token=lease.token)
        await store.release(lease)
        await until(lambda: len(inbox.messages) >= 2)
        assert ["g"] == [each.name for each in await bus.groups()]
    assert ["a-2", "a-3"] == inbox.ids
