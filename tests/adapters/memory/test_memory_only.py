"""The memory adapters, beyond the conformance suites."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from enum import IntEnum
from typing import Any

import pytest

from eventhus import StreamId
from eventhus.errors import CompositionError, InvalidCommit
from eventhus.ports import EventData
from eventhus_memory import MemoryBus, MemoryStore
from eventhus_testing.conformance.store.samples import commit
from tests.adapters.memory.support import idle, message, publish, until


@pytest.mark.parametrize("adapter", [MemoryStore, MemoryBus])
@pytest.mark.parametrize(
    "url",
    ["memory://secret@host", "memory://x", "memory:///", "memory://?a=b", "memory:", "", "nats://"],
)
def test_a_url_with_more_than_the_scheme_is_refused(
    adapter: type[MemoryStore | MemoryBus], url: str
) -> None:
    """It would be ignored silently."""
    with pytest.raises(CompositionError) as caught:
        adapter.open(url, "bank")
    assert "a memory URL must be exactly memory://" == str(caught.value)


async def test_each_opened_store_is_a_new_one() -> None:
    one, other = (MemoryStore.open("memory://", "bank") for _ in range(2))
    await one.append(commit())
    assert (1, 0) == (await one.head(), await other.head())


async def test_each_opened_bus_is_a_new_one() -> None:
    one, other = (MemoryBus.open("memory://", "bank") for _ in range(2))
    heard: list[str] = []

    async def hear(given: object) -> None:
        heard.append("something")

    async with one, other:
        await other.subscribe(hear)
        await publish(one, [message()])
    assert [] == heard


async def test_a_store_keeps_its_events_after_it_was_left() -> None:
    store = MemoryStore()
    async with store:
        await store.append(commit())
    async with store:
        assert 1 == await store.head()


async def test_a_commit_id_of_another_stream_is_named_in_the_error() -> None:
    store = MemoryStore()
    await store.append(commit(id="c"))
    with pytest.raises(InvalidCommit) as caught:
        await store.append(commit(StreamId("Account", "a2"), id="c"))
    assert (
        "commit id c of Account/a2 names a commit of Account/a1; make ids that are unique for ever"
    ) == str(caught.value)


class Name(str):
    __slots__ = ()


class Order(IntEnum):
    FIRST = 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"a": Name("x")}, "{'a': 'x'}"),
        ({Name("a"): 1}, "{'a': 1}"),
        ({"a": [Order.FIRST, 2.0, True, None]}, "{'a': [1, 2.0, True, None]}"),
        (OrderedDict(b="\u00e9", a=2**63 - 1), "{'b': '\u00e9', 'a': 9223372036854775807}"),
    ],
)
async def test_instances_of_subclasses_become_plain_data(
    given: Mapping[str, Any], kept: str
) -> None:
    store = MemoryStore()
    stored = await store.append(commit(events=[EventData("A", given)]))
    (event,) = (await store.load(stored.commit.stream)).events
    assert kept == repr(event.data)


@pytest.mark.parametrize("size", [1, 2, 3, 64])
async def test_a_loop_of_appends_does_not_block_the_event_loop(size: int) -> None:
    turns = 0

    async def count_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    store = MemoryStore()
    await store.append(commit())
    other = asyncio.create_task(count_turns())
    for _ in range(1000):
        await store.append(commit(size=size))
    other.cancel()
    assert turns > 1


async def test_ended_followers_are_forgotten() -> None:
    store = MemoryStore()
    batches = [store.follow(after=0) for _ in range(3)]
    waiting = [asyncio.create_task(anext_of(each)) for each in batches]
    await idle()
    waiting[0].cancel()
    await asyncio.wait(waiting[:1])
    assert 2 == len(store._waiting)  # noqa: SLF001 - nothing else can tell
    await store.append(commit())
    await until(lambda: all(task.done() for task in waiting))
    assert set() == store._waiting  # noqa: SLF001
    for each in batches:
        await each.aclose()


async def anext_of(batches: object) -> object:
    return await anext(batches)  # type: ignore[call-overload]
