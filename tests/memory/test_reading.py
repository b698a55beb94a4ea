"""Reading: a stream, the log, and the log as it grows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

import pytest

from eventhus import StreamId
from eventhus.ports import Storage, StoredEvent
from tests.memory.support import ACCOUNT, commit, data, events, idle, soon, until

OTHER = StreamId("Account", "a2")
THIRD = StreamId("Customer", "a1")


@pytest.fixture
async def log(store: Storage) -> Sequence[StoredEvent]:
    """A log of twelve events, seven of them in ACCOUNT, and what append said about them."""
    stored: list[StoredEvent] = []
    for stream, size in [
        (ACCOUNT, 1),
        (OTHER, 2),
        (ACCOUNT, 4),
        (THIRD, 1),
        (ACCOUNT, 2),
        (OTHER, 2),
    ]:
        stored += (await store.append(commit(stream, size=size))).recorded()
    return stored


async def test_an_empty_log(store: Storage) -> None:
    """Nothing is there, and asking for it is no error."""
    assert 0 == await store.head()
    assert [] == list(await store.read())
    assert [] == list(await store.history(ACCOUNT))
    loaded = await store.load(ACCOUNT)
    assert ([], 0, 0, "") == (
        list(loaded.events),
        loaded.version,
        loaded.position,
        loaded.event_id,
    )
    assert await store.find("k") is None


@pytest.mark.parametrize("limit", [1, 2, 7, 12, 1000])
@pytest.mark.parametrize("after", range(14))
async def test_reading_on_from_any_position(
    store: Storage, log: Sequence[StoredEvent], after: int, limit: int
) -> None:
    """The events right behind the position, in order, at most as many as asked for."""
    assert log[after : after + limit] == list(await store.read(after=after, limit=limit))


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
@pytest.mark.parametrize("after", range(9))
async def test_loading_on_from_any_version(
    store: Storage, log: Sequence[StoredEvent], after: int, limit: int
) -> None:
    """The stream's events right behind the version, also from amid a commit.

    What is loaded to fold a state is the same without envelopes, and tells where the last is.
    """
    own = [recorded for recorded in log if recorded.stream == ACCOUNT]
    expected = own[after : after + limit]
    history = await store.history(ACCOUNT, after_version=after, limit=limit)
    assert expected == list(history)
    loaded = await store.load(ACCOUNT, after_version=after, limit=limit)
    assert [recorded.event for recorded in expected] == list(loaded.events)
    last = expected[-1] if expected else None
    assert ((last.version, last.position, last.id) if last else (0, 0, "")) == (
        loaded.version,
        loaded.position,
        loaded.event_id,
    )


async def test_all_of_a_stream_unless_told_otherwise(
    store: Storage, log: Sequence[StoredEvent]
) -> None:
    """Up to a thousand events come at once, from the first on."""
    await store.append(commit(THIRD, size=1200))
    assert 1000 == len(await store.history(THIRD))
    assert 1000 == len((await store.load(THIRD)).events)
    assert 201 == len((await store.load(THIRD, after_version=1000)).events)
    assert 201 == len(await store.history(THIRD, after_version=1000))
    assert 1000 == len(await store.read())
    assert [*range(1, 1001)] == [recorded.version for recorded in await store.history(THIRD)]


async def test_reading_changes_nothing(store: Storage, log: Sequence[StoredEvent]) -> None:
    """A stream that was asked for in vain does not exist because of it."""
    await store.history(StreamId("Account", "never"))
    await store.load(StreamId("Account", "never"))
    assert log == list(await store.read())
    assert 0 == await store.head() - len(log)
    assert (await store.append(commit(StreamId("Account", "never"), expected_version=0))).version


async def test_the_same_id_under_two_types(store: Storage) -> None:
    """The type is part of a stream's name: neither stream sees the other."""
    account = await store.append(commit(StreamId("Account", "1"), expected_version=0))
    customer = await store.append(commit(StreamId("Customer", "1"), size=2, expected_version=0))
    assert account.recorded() == list(await store.history(StreamId("Account", "1")))
    assert customer.recorded() == list(await store.history(StreamId("Customer", "1")))


@pytest.mark.parametrize(
    ("one", "another"),
    [
        (StreamId("a", "b/c"), StreamId("a/b", "c")),
        (StreamId("a.b", "c"), StreamId("a", "b.c")),
        (StreamId("a", "B"), StreamId("a", "b")),
        (StreamId("a", "b"), StreamId("a", "b ")),
        (StreamId("a", "b"), StreamId("a", "b\0")),
        (StreamId("a", "1"), StreamId("a", "01")),
        (StreamId("a", "é"), StreamId("a", "e\u0301")),
    ],
)
async def test_names_that_are_nearly_the_same(
    store: Storage, one: StreamId, another: StreamId
) -> None:
    """Names differ when their text differs, however they look or would be joined."""
    first = await store.append(commit(one, expected_version=0))
    second = await store.append(commit(another, expected_version=0))
    for stored in (first, second):
        stream = stored.commit.stream
        assert stored.recorded() == list(await store.history(stream))
        assert list(stored.commit.events) == list((await store.load(stream)).events)


async def take(batches: AsyncIterator[Sequence[StoredEvent]], size: int) -> list[StoredEvent]:
    """What a follower gets, until it has ``size`` events or more."""
    taken: list[StoredEvent] = []
    async for batch in batches:
        assert batch
        taken += batch
        if len(taken) >= size:
            break
    return taken


@pytest.mark.parametrize("limit", [1, 5, 1000])
@pytest.mark.parametrize("after", [0, 1, 4, 11, 12])
async def test_following_from_any_position(
    store: Storage, log: Sequence[StoredEvent], after: int, limit: int
) -> None:
    """First what is there, then what comes, with nothing missing or twice between the two."""
    async with aclosing(store.follow(after=after, limit=limit)) as batches:
        taking = asyncio.create_task(take(batches, 12 - after + 3))
        await idle()
        assert not taking.done()
        new = [*(await store.append(commit(size=2))).recorded()]
        new += (await store.append(commit(OTHER))).recorded()
        await until(taking.done)
        assert [*log[after:], *new] == await taking


async def test_batches_are_no_larger_than_asked_for(
    store: Storage, log: Sequence[StoredEvent]
) -> None:
    """The limit counts events, not commits."""
    async with aclosing(store.follow(limit=5)) as batches:
        assert [5, 5, 2] == [len(await soon(anext_of(batches))) for _ in range(3)]


async def anext_of(batches: AsyncIterator[Sequence[StoredEvent]]) -> Sequence[StoredEvent]:
    return await anext(batches)


@pytest.mark.parametrize("turns", range(6))
async def test_the_seam_between_history_and_now(store: Storage, turns: int) -> None:
    """However an append falls between a follower's read and its wait, the follower sees it."""
    await store.append(commit())
    async with aclosing(store.follow()) as batches:
        taking = asyncio.create_task(take(batches, 4))
        for size in (1, 2):
            for _ in range(turns):
                await asyncio.sleep(0)
            await store.append(commit(size=size))
        await until(taking.done)
        assert [1, 2, 3, 4] == [recorded.position for recorded in await taking]


async def test_what_comes_while_a_batch_is_being_handled(store: Storage) -> None:
    """A follower that is busy misses nothing."""
    await store.append(commit())
    async with aclosing(store.follow()) as batches:
        first = await anext(batches)
        late = await store.append(commit(size=2))
        assert 1 == first[-1].position
        assert late.recorded() == list(await soon(anext_of(batches)))


async def test_following_from_beyond_the_end(store: Storage) -> None:
    """Nothing comes before the position is reached."""
    async with aclosing(store.follow(after=3)) as batches:
        taking = asyncio.create_task(take(batches, 1))
        for _ in range(3):
            await store.append(commit())
            await idle()
            assert not taking.done()
        await store.append(commit())
        await until(taking.done)
        assert [4] == [recorded.position for recorded in await taking]


async def test_many_followers_beside_many_writers(store: Storage) -> None:
    """Each follower sees the same log, whatever its pace."""

    async def write() -> None:
        for size in (1, 2, 3) * 5:
            await store.append(commit(size=size))
            await asyncio.sleep(0)

    async def follow(limit: int, pace: int) -> list[StoredEvent]:
        taken: list[StoredEvent] = []
        async with aclosing(store.follow(limit=limit)) as batches:
            async for batch in batches:
                taken += batch
                if len(taken) == 90:
                    return taken
                for _ in range(pace):
                    await asyncio.sleep(0)
        raise AssertionError("the log ended")

    followers = [
        asyncio.create_task(follow(limit, pace)) for limit in (1, 4, 1000) for pace in (0, 1, 5)
    ]
    await asyncio.gather(write(), write(), write())
    await until(lambda: all(follower.done() for follower in followers))
    log = list(await store.read())
    assert [log] * 9 == [await follower for follower in followers]


async def test_a_cancelled_follower_is_gone(store: Storage) -> None:
    """It ends at once, and neither the log nor the other followers notice."""
    batches = [store.follow() for _ in range(3)]
    taking = [asyncio.create_task(take(each, 1)) for each in batches]
    await idle()
    taking[1].cancel()
    await asyncio.wait([taking[1]])
    assert taking[1].cancelled()
    stored = await store.append(commit())
    await until(lambda: taking[0].done() and taking[2].done())
    assert [stored.recorded()] * 2 == [await taking[0], await taking[2]]
    for each in batches:
        await each.aclose()


async def test_a_follower_that_is_cancelled_as_it_is_woken(store: Storage) -> None:
    """The append that woke it goes on, and so do the followers beside it."""
    async with aclosing(store.follow()) as one, aclosing(store.follow()) as other:
        cancelled, staying = (asyncio.create_task(take(each, 1)) for each in (one, other))
        await idle()
        stored = await store.append(commit())
        cancelled.cancel()
        await until(lambda: cancelled.done() and staying.done())
        assert cancelled.cancelled()
        assert stored.recorded() == await staying


async def test_appends_in_quick_succession_wake_a_follower(store: Storage) -> None:
    """Waking one that has been woken already is no mistake."""
    async with aclosing(store.follow()) as batches:
        taking = asyncio.create_task(take(batches, 6))
        await idle()
        for size in (1, 2, 3):
            await store.append(commit(events=events(size)))
        await until(taking.done)
        assert [1, 2, 3, 4, 5, 6] == [recorded.position for recorded in await taking]


async def test_a_closed_follower(store: Storage, log: Sequence[StoredEvent]) -> None:
    """Closing it after some batches ends it; a new one starts wherever it is told to."""
    async with aclosing(store.follow(limit=3)) as batches:
        first = await anext(batches)
    with pytest.raises(StopAsyncIteration):
        await anext(batches)
    async with aclosing(store.follow(after=first[-1].position)) as batches:
        assert data(log[3:]) == data(await anext(batches))
