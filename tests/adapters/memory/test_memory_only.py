"""What is true of the memory adapters alone: how they are opened, and what they leave behind."""

import asyncio

import pytest

from eventhus import StreamId
from eventhus.errors import CompositionError, InvalidCommit
from eventhus_memory import MemoryBus, MemoryStore
from eventhus_testing.conformance.store.samples import commit
from tests.adapters.memory.support import idle, message, publish, until


@pytest.mark.parametrize("adapter", [MemoryStore, MemoryBus])
@pytest.mark.parametrize(
    "url",
    ["memory://secret@host", "memory://x", "memory:///", "memory://?a=b", "memory:", "", "nats://"],
)
def test_a_url_that_says_more(adapter: type[MemoryStore | MemoryBus], url: str) -> None:
    """A host, a path or an option would be ignored in silence, so it is refused, unquoted."""
    with pytest.raises(CompositionError) as caught:
        adapter.open(url, "bank")
    assert "a memory URL says nothing but memory://" == str(caught.value)


async def test_opening_a_store_gives_a_new_one() -> None:
    """Two stores of one bucket share nothing: the object is the bucket."""
    one, other = (MemoryStore.open("memory://", "bank") for _ in range(2))
    await one.append(commit())
    assert (1, 0) == (await one.head(), await other.head())


async def test_opening_a_bus_gives_a_new_one() -> None:
    """Nothing that is published on one is heard on another."""
    one, other = (MemoryBus.open("memory://", "bank") for _ in range(2))
    heard: list[str] = []

    async def hear(given: object) -> None:
        heard.append("something")

    async with one, other:
        await other.subscribe(hear)
        await publish(one, [message()])
    assert [] == heard


async def test_a_store_can_be_used_again_after_it_was_left() -> None:
    """An application that is stopped and started in one program finds its events again."""
    store = MemoryStore()
    async with store:
        await store.append(commit())
    async with store:
        assert 1 == await store.head()


async def test_a_commit_id_for_two_streams() -> None:
    """The message names both, and says what to do."""
    store = MemoryStore()
    await store.append(commit(id="c"))
    with pytest.raises(InvalidCommit) as caught:
        await store.append(commit(StreamId("Account", "a2"), id="c"))
    assert (
        "commit id c of Account/a2 names a commit of Account/a1; make ids that are unique for ever"
    ) == str(caught.value)


@pytest.mark.parametrize("size", [1, 2, 3, 64])
async def test_a_busy_writer_lets_others_run(size: int) -> None:
    """A loop of appends does not keep the event loop to itself, whatever it appends."""
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


async def test_followers_that_have_gone_are_forgotten() -> None:
    """However a follower ends, it leaves nothing that later appends would have to wake."""
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
